//! The C interface of the host port: its C tests under sanitizers and Valgrind, Python, and the
//! examples. Each makes a network namespace of its own, which needs root.

use std::process::Command;

use crate::steps::capi::{COMPILERS, compile, programs, source, work};
use crate::steps::install::{self, Library};
use crate::tools::packages;
use crate::tools::run::{self, Failure, root};

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::C)?;
    packages::need(packages::C_HOST)?;
    let library = install::build(Library::Whole, None)?;
    let libs: Vec<&str> = Library::Whole.private_libs().split(' ').collect();
    programs(&library, &["host_misuse", "host_guest", "host_keys"], &libs)?;
    run::run(
        Command::new("python3")
            .arg(source("host_abi.py"))
            .arg(library.join("libvrrp.so")),
    )?;
    // That they work is for the lab to show.
    for name in ["serve", "poll", "libevent"] {
        for compiler in &COMPILERS[..2] {
            let mut command = compile(compiler, &root().join(format!("ffi/examples/{name}.c")));
            run::run(command.arg("-c").arg("-o").arg(work(name)?))?;
        }
    }
    Ok(())
}
