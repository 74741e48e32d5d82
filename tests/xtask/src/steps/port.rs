//! The skeleton for FreeBSD's ports tree: what it installs is what its list of files says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tools::run::{self, Failure, root, target_dir};

/// Runs the recipe `do-install` with the `programs` into a folder in
/// `folder`, as the ports tree does, and compares what came of it with `pkg-plist`.
pub(crate) fn check(folder: &Path, programs: &Path) -> Result<(), Failure> {
    let port = root().join("ports/freebsd/port");
    let makefile = read(&port.join("Makefile"))?;
    let version = format!("\nDISTVERSION=\t{}\n", env!("CARGO_PKG_VERSION"));
    if !makefile.contains(&version) {
        return Err(Failure("the port has another version than vrrpd".into()));
    }
    let stage = folder.join("stage");
    // The files of an earlier run would be taken for this one's.
    let _ = fs::remove_dir_all(&stage);
    let prefix = stage.join("usr/local");
    // The ports tree makes these before.
    for folder in [
        "etc",
        "sbin",
        "share/man/man5",
        "share/man/man7",
        "share/man/man8",
    ] {
        fs::create_dir_all(prefix.join(folder)).map_err(cannot("make", &prefix))?;
    }
    // The completions are printed by the vrrpctl of this machine.
    run::build(&["build", "--quiet", "--package", "vrrpd", "--bin", "vrrpctl"])?;
    let recipe = recipe(&makefile);
    let mut install = Command::new("sh");
    install
        .args(["-eu", "-c", &recipe])
        .env("INSTALL_PROGRAM", "install -m 555")
        .env("INSTALL_DATA", "install -m 644")
        .env("INSTALL_MAN", "install -m 444")
        .env("MKDIR", "mkdir -p")
        .env("PREFIX", "/usr/local")
        .env("STAGEDIR", &stage)
        .env("WRKSRC", root())
        .env("FILESDIR", port.join("files"))
        .env("VRRPCTL", target_dir().join("debug/vrrpctl"))
        .env("PROGRAMS", programs);
    run::run(&mut install)?;
    let mut installed = BTreeSet::new();
    list(&prefix, &prefix, &mut installed)?;
    let plist = read(&port.join("pkg-plist"))?;
    let (folders, files): (Vec<&str>, Vec<&str>) =
        plist.lines().partition(|line| line.starts_with("@dir"));
    for line in folders {
        let folder = line.split_whitespace().last().unwrap_or_default();
        if !stage.join(folder.trim_start_matches('/')).is_dir() {
            return Err(Failure(format!("the port does not make {folder}")));
        }
    }
    let listed: BTreeSet<String> = files
        .into_iter()
        .map(|line| line.strip_prefix("@sample ").unwrap_or(line))
        // Which the ports tree compresses.
        .map(|line| line.strip_suffix(".gz").unwrap_or(line).to_owned())
        .collect();
    let differ: Vec<_> = installed.symmetric_difference(&listed).collect();
    if recipe.is_empty() || !differ.is_empty() {
        let what = "the port installs other files than its pkg-plist says";
        return Err(Failure(format!("{what}: {differ:?}")));
    }
    sayln!(
        "the port installs the {} files of its pkg-plist",
        listed.len()
    );
    Ok(())
}

/// The lines of `do-install` as a shell reads them, to which make's variables are those of the
/// environment.
fn recipe(makefile: &str) -> String {
    let (_, rest) = makefile.split_once("\ndo-install:\n").unwrap_or_default();
    let lines = rest.lines().map_while(|line| line.strip_prefix('\t'));
    let lines = lines.map(|line| line.strip_prefix('@').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Adds the files below `folder`, named from `top` on.
fn list(top: &Path, folder: &Path, files: &mut BTreeSet<String>) -> Result<(), Failure> {
    let items = fs::read_dir(folder).map_err(cannot("read", folder))?;
    for path in items.flatten().map(|item| item.path()) {
        if path.is_dir() {
            list(top, &path, files)?;
        } else if let Ok(name) = path.strip_prefix(top) {
            files.insert(name.display().to_string());
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(cannot("read", file))
}

fn cannot(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let text = format!("cannot {what} {}", path.display());
    move |error| Failure(format!("{text}: {error}"))
}
