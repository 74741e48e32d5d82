//! `cargo xtask install` and `uninstall`: the programs, their manual pages, the sample, the service,
//! completions and files for monitoring, below one prefix.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps;
use crate::tools::cross::Machine;
use crate::tools::paths;
use crate::tools::run::{self, Failure, cargo, install_dir, root};

const USAGE: &str =
    "usage: cargo xtask install|uninstall [--prefix PREFIX] [--destdir FOLDER [--arch arm64]]";

/// The default prefix, which is also the one that the unit in the repository is written for.
const DEFAULT_PREFIX: &str = "/usr/local";

/// The folders with manual pages, all of which are installed: they refer to each other.
const PAGES: [&str; 2] = ["ports/daemon/man", "ports/freebsd/man"];

/// The shells that vrrpctl has completions for, and where they look.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/vrrpctl"),
    ("zsh", "share/zsh/site-functions/_vrrpctl"),
    ("fish", "share/fish/vendor_completions.d/vrrpctl.fish"),
];

/// The service manager that the files are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    Linux,
    FreeBsd,
}

impl System {
    const HERE: Self = if cfg!(target_os = "freebsd") {
        System::FreeBsd
    } else {
        System::Linux
    };
}

/// The place that files are installed to.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The prefix that the files will be found below, as written into the service.
    prefix: String,
    /// A folder that stands for the root of the file system, for packagers.
    destdir: Option<PathBuf>,
    /// Another machine that the programs are for.
    machine: Option<&'static Machine>,
}

impl Place {
    /// Reads the arguments of both commands.
    pub(crate) fn parse(args: &[String]) -> Result<Self, Failure> {
        let mut prefix = DEFAULT_PREFIX.to_owned();
        let (mut destdir, mut machine) = (None, None);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            if !["--prefix", "--destdir", "--arch"].contains(&name) {
                return Err(Failure(format!("unexpected '{arg}'\n{USAGE}")));
            }
            let value = value.or_else(|| args.next().cloned());
            let value = value.filter(|v| !v.is_empty());
            let value = value.ok_or_else(|| Failure(format!("{name} needs a value\n{USAGE}")))?;
            match name {
                "--prefix" => prefix = value,
                "--arch" => machine = Some(Machine::parse(&value)?),
                _ => {
                    let absolute = std::path::absolute(&value);
                    destdir = Some(absolute.map_err(|e| Failure(format!("{value}: {e}")))?);
                }
            }
        }
        // The service's files give some characters a meaning of their own.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
        if !prefix.starts_with('/') || !prefix.chars().all(plain) {
            return Err(Failure(format!(
                "--prefix: expected an absolute path of letters, digits and . _ + -, found '{prefix}'"
            )));
        }
        if let (Some(machine), None) = (machine, &destdir) {
            let name = machine.name;
            return Err(Failure(format!(
                "--arch {name}: programs for another machine are installed with --destdir\n{USAGE}"
            )));
        }
        // `/` itself leaves an empty prefix: /sbin, /share.
        let prefix = prefix.trim_end_matches('/').to_owned();
        Ok(Self {
            prefix,
            destdir,
            machine,
        })
    }

    /// The path of an installed file on this machine, now.
    pub(crate) fn path(&self, below_prefix: &str) -> PathBuf {
        let path = format!("{}/{below_prefix}", self.prefix);
        match &self.destdir {
            Some(destdir) => destdir.join(path.trim_start_matches('/')),
            None => path.into(),
        }
    }
}

/// The origin of an installed file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// A program of the release build.
    Program(&'static str),
    /// A file of the repository as it is.
    File(PathBuf),
    /// A file of the repository that names the prefix in this form.
    Template(PathBuf, &'static str),
    /// The completions of vrrpctl for a shell, which it prints.
    Completion(&'static str),
}

/// A file to install: its origin, its path below the prefix, its mode.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    from: Origin,
    to: String,
    mode: u32,
}

/// The alert rules and the dashboard. Their test is for this repository.
const MONITORING: [&str; 2] = ["vrrp-rules.yml", "vrrp-dashboard.json"];

/// All files that are installed, on any machine of this system.
fn files(system: System) -> Result<Vec<File>, Failure> {
    let in_repository = |path: &str| root().join(path);
    let mut files: Vec<File> = ["vrrpd", "vrrpctl"]
        .map(|name| File {
            from: Origin::Program(name),
            to: format!("sbin/{name}"),
            mode: 0o755,
        })
        .into();
    files.push(File {
        from: Origin::Program("vrrp-checker"),
        to: "libexec/vrrpd/vrrp-checker".into(),
        mode: 0o755,
    });
    let data = |from: &str, to: &str| File {
        from: Origin::File(in_repository(from)),
        to: to.into(),
        mode: 0o644,
    };
    match system {
        System::Linux => {
            let sample = "ports/daemon/etc/vrrpd.conf.sample";
            files.push(data(sample, "share/doc/vrrpd/vrrpd.conf.sample"));
            let drop_in = "ports/daemon/etc/without-scripts.conf";
            files.push(data(drop_in, "share/doc/vrrpd/without-scripts.conf"));
            files.extend(MONITORING.map(|name| {
                let from = format!("ports/daemon/monitoring/{name}");
                data(&from, &format!("share/doc/vrrpd/{name}"))
            }));
            let user = "ports/daemon/etc/sysusers.conf";
            files.push(data(user, "lib/sysusers.d/vrrpd.conf"));
            files.push(File {
                from: Origin::Template(
                    in_repository("ports/daemon/etc/vrrpd.service"),
                    DEFAULT_PREFIX,
                ),
                to: "lib/systemd/system/vrrpd.service".into(),
                mode: 0o644,
            });
        }
        System::FreeBsd => {
            let port = "ports/freebsd/port/files";
            for (name, to) in [
                ("vrrpd.conf.sample", "etc/vrrpd.conf.sample"),
                ("newsyslog.conf", "etc/newsyslog.conf.d/vrrpd.conf"),
                ("syslog.conf", "etc/syslog.d/vrrpd.conf"),
            ] {
                files.push(data(&format!("{port}/{name}"), to));
            }
            files.extend(MONITORING.map(|name| {
                let from = format!("ports/daemon/monitoring/{name}");
                data(&from, &format!("share/examples/vrrpd/{name}"))
            }));
            files.push(File {
                from: Origin::Template(in_repository(&format!("{port}/vrrpd.in")), "%%PREFIX%%"),
                to: "etc/rc.d/vrrpd".into(),
                mode: 0o755,
            });
        }
    }
    for (shell, to) in COMPLETIONS {
        files.push(File {
            from: Origin::Completion(shell),
            to: to.into(),
            mode: 0o644,
        });
    }
    for folder in PAGES.map(in_repository) {
        for page in pages(&folder)? {
            let name = page.file_name().unwrap_or_default().to_string_lossy();
            let section = name.rsplit('.').next().unwrap_or_default();
            files.push(File {
                to: format!("share/man/man{section}/{name}"),
                from: Origin::File(page.clone()),
                mode: 0o644,
            });
        }
    }
    Ok(files)
}

fn pages(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let found = fs::read_dir(folder).map_err(|e| cannot("read", folder, &e))?;
    let mut found: Vec<PathBuf> = found.flatten().map(|page| page.path()).collect();
    found.sort();
    Ok(found)
}

/// `cargo xtask install`.
pub(crate) fn install(args: &[String]) -> Result<(), Failure> {
    let place = Place::parse(args)?;
    let built = build(place.machine)?;
    put(&place, System::HERE, &built)?;
    let unit = place.path("lib/systemd/system/vrrpd.service");
    if place.destdir.is_none() && System::HERE == System::Linux {
        sayln!("{}", next(&place, &unit));
    }
    Ok(())
}

/// Builds the programs as they are installed and published: their files name no folder of this
/// machine. They have a target folder of their own, as other options would build everything anew.
/// The folder that has them.
fn build(machine: Option<&Machine>) -> Result<PathBuf, Failure> {
    let (mut command, built) = match machine {
        None => {
            let mut command = cargo();
            command.current_dir(root());
            command.args(["build", "--target-dir"]).arg(install_dir());
            (command, install_dir())
        }
        Some(machine) => (machine.cargo("build")?, machine.folder()),
    };
    command.arg("--release").args(steps::PROGRAMS);
    paths::remap(&mut command);
    run::run(&mut command)?;
    Ok(built.join("release"))
}

/// The folder of the programs as they are installed, once they are built.
pub(crate) fn built() -> Result<PathBuf, Failure> {
    build(None)
}

/// The administrator's next commands, which depend on where systemd looks for units.
fn next(place: &Place, unit: &Path) -> String {
    let older = Path::new("/etc/systemd/system/vrrpd.service");
    if older.is_file() && !older.is_symlink() {
        let older = older.display();
        return format!("{older} takes precedence over the unit just installed: remove it");
    }
    match place.prefix.as_str() {
        "/usr" | "/usr/local" => "next: systemd-sysusers && systemctl daemon-reload".into(),
        _ => {
            let users = place.path("lib/sysusers.d/vrrpd.conf");
            let (users, unit) = (users.display(), unit.display());
            format!("next: systemd-sysusers {users} && systemctl link {unit}")
        }
    }
}

/// `cargo xtask uninstall`.
pub(crate) fn uninstall(args: &[String]) -> Result<(), Failure> {
    remove(&Place::parse(args)?, System::HERE)
}

fn put(place: &Place, system: System, built: &Path) -> Result<(), Failure> {
    for file in files(system)? {
        let octets = match &file.from {
            Origin::Program(name) => {
                let program = built.join(name);
                paths::check(&program)?;
                read(&program)?
            }
            Origin::File(path) => read(path)?,
            Origin::Template(path, form) => {
                let text = fs::read_to_string(path).map_err(|e| cannot("read", path, &e))?;
                text.replace(form, &place.prefix).into_bytes()
            }
            Origin::Completion(shell) => {
                let vrrpctl = built.join("vrrpctl");
                let mut command = match place.machine {
                    None => Command::new(vrrpctl),
                    Some(machine) => machine.emulate(vrrpctl),
                };
                run::stdout(command.args(["completion", shell]))?.into_bytes()
            }
        };
        let to = place.path(&file.to);
        write(&to, &octets, file.mode).map_err(|e| cannot("install", &to, &e))?;
        sayln!("installed {}", to.display());
    }
    Ok(())
}

/// Writes a file and gives it its name last: a running program is replaced, not overwritten.
fn write(to: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new"));
    let written = fs::write(&new, octets)
        .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&new, to));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

fn remove(place: &Place, system: System) -> Result<(), Failure> {
    for file in files(system)? {
        let path = place.path(&file.to);
        match fs::remove_file(&path) {
            Ok(()) => sayln!("removed {}", path.display()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(cannot("remove", &path, &e)),
        }
        // A folder of the machine stays, though it may be empty now; one that is a packager's, or
        // has our name, goes with its last file.
        let own = |folder: &Path| folder.file_name().is_some_and(|name| name == "vrrpd");
        let below = |folder: &Path| match &place.destdir {
            Some(destdir) => folder.starts_with(destdir) && folder != destdir,
            None => own(folder),
        };
        for folder in path.ancestors().skip(1).take_while(|f| below(f)) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|e| cannot("read", path, &e))
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; run it as root, with sudo: sudo env \"PATH=$PATH\" cargo xtask ..."
        }
        _ => "",
    };
    Failure(format!("cannot {verb} {}: {error}{advice}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(args: &[&str]) -> Result<Place, Failure> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Place::parse(&args)
    }

    #[test]
    fn the_place_is_prefix_and_destdir_in_either_form() {
        let path = |args: &[&str]| place(args).map(|p| p.path("sbin/vrrpd")).ok();
        assert_eq!(path(&[]), Some("/usr/local/sbin/vrrpd".into()));
        assert_eq!(path(&["--prefix=/usr/"]), Some("/usr/sbin/vrrpd".into()));
        assert_eq!(path(&["--prefix", "/"]), Some("/sbin/vrrpd".into()));
        assert_eq!(
            path(&["--destdir", "/tmp/stage", "--prefix", "/usr"]),
            Some("/tmp/stage/usr/sbin/vrrpd".into())
        );
        let elsewhere = place(&["--destdir=/tmp/stage", "--arch=arm64"]);
        assert!(elsewhere.is_ok_and(|p| p.machine.is_some()));
        for bad in [
            &["--prefix"][..],
            &["--prefix="],
            &["--prefix", "usr"],
            &["--prefix", "/opt/a b"],
            &["--prefix", "/opt/%n"],
            &["--destdir"],
            &["/usr"],
            &["--bogus", "/usr"],
            &["--arch", "arm64"],
            &["--destdir", "/tmp/stage", "--arch", "vax"],
        ] {
            assert!(place(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn freebsd_gets_the_files_of_its_port_and_the_script_that_the_ports_tree_adds() {
        let plist = include_str!("../../../../ports/freebsd/port/pkg-plist");
        // Directories are made by the port, and by vrrpd itself.
        let mut listed: Vec<&str> = plist
            .lines()
            .filter(|line| !line.starts_with("@dir"))
            .map(|line| line.strip_prefix("@sample ").unwrap_or(line))
            .map(|line| line.strip_suffix(".gz").unwrap_or(line))
            .chain(["etc/rc.d/vrrpd"])
            .collect();
        listed.sort_unstable();
        let files = files(System::FreeBsd).expect("the repository");
        let mut installed: Vec<&str> = files.iter().map(|file| file.to.as_str()).collect();
        installed.sort_unstable();
        assert_eq!(installed, listed);
    }
}
