//! The shared libraries that programs need in a root of their own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::run::{self, Failure, failed};

/// Copies the libraries of `programs`, and their loader, to the same places below `root`.
pub(crate) fn copy(programs: &[impl AsRef<OsStr>], root: &Path) -> Result<(), Failure> {
    let text = run::output(Command::new("ldd").args(programs))?;
    for library in named(&text) {
        let to = root.join(library.strip_prefix("/").unwrap_or(&library));
        let folder = to.parent().unwrap_or(root);
        fs::create_dir_all(folder).map_err(failed(folder))?;
        fs::copy(&library, &to).map_err(failed(&library))?;
    }
    Ok(())
}

/// The files that ldd names: a line for each, with its address at the end. A line that ends with a colon
/// names a program.
fn named(text: &str) -> BTreeSet<PathBuf> {
    text.lines()
        .filter(|line| line.contains(" (0x"))
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_library_is_named_once_and_no_program() {
        let text = "/bin/a:\n\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n\
                    /bin/b:\n\tlibc.so.6 => /lib/libc.so.6 (0x00008f)\n\t/lib64/ld.so.2 (0x00007f)\n";
        let expected = ["/lib/libc.so.6", "/lib64/ld.so.2"].map(PathBuf::from);
        assert_eq!(named(text), expected.into());
    }
}
