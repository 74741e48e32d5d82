//! Builds libvrrp and puts it where C programs look, in the layout of cargo-c.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::cross::Machine;
use crate::tools::paths;
use crate::tools::run::{self, Failure, cargo, failed, root, target_dir};

/// The features of the library that is the engine and the gate, for hosts.
pub(crate) const ENGINE_ALONE: [&str; 3] = ["--no-default-features", "--features", "large,hmac"];

/// The environment variables of the capacities, which are the macros of the header.
const CAPACITIES: [&str; 3] = [
    "VRRP_MAX_INTERFACES",
    "VRRP_MAX_ROUTERS",
    "VRRP_MAX_ADDRESSES",
];

/// How much of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    /// The engine and the gate: vrrp.h and vrrp_gate.h. It needs neither libc nor std.
    Engine,
    /// These and the host port: vrrp_host.h as well.
    Whole,
}

impl Library {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Library::Engine => "engine",
            Library::Whole => "whole",
        }
    }

    /// The libraries that a program needs besides the archive. The compiler adds its own unwinder, the
    /// shared or the static one as the program is linked.
    pub(crate) fn private_libs(self) -> &'static str {
        match self {
            Library::Engine => "",
            Library::Whole if cfg!(target_os = "freebsd") => FREEBSD_LIBS,
            Library::Whole => "-lutil -lrt -lpthread -lm -ldl -lc",
        }
    }
}

/// The libraries that a program needs on FreeBSD besides the archive of the whole library.
pub(crate) const FREEBSD_LIBS: &str = "-lexecinfo -lpthread -lrt -lutil -lm -lc";

/// Builds both forms of the library and answers the folder that holds them. Without `capacities`
/// they are those of the environment.
pub(crate) fn build(library: Library, capacities: Option<[u32; 3]>) -> Result<PathBuf, Failure> {
    build_for(library, capacities, Optimise::Speed, None)
}

/// The goal of the compiler.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimise {
    Speed,
    Size,
}

/// As [`build`], for a goal, and for another machine.
pub(crate) fn build_for(
    library: Library,
    capacities: Option<[u32; 3]>,
    optimise: Optimise,
    machine: Option<&Machine>,
) -> Result<PathBuf, Failure> {
    let folder = target_dir().join("capi");
    let (mut command, built) = match machine {
        None => {
            let mut command = cargo();
            command.current_dir(root());
            command.args(["rustc", "--target-dir"]).arg(&folder);
            (command, folder)
        }
        Some(machine) => (machine.cargo("rustc")?, machine.folder()),
    };
    command
        .args(["--release", "--package", "vrrp-ffi"])
        .args(["--crate-type", "staticlib,cdylib"]);
    if library == Library::Engine {
        command.args(ENGINE_ALONE);
    }
    if optimise == Optimise::Size {
        command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s");
    }
    for (name, value) in CAPACITIES.iter().zip(capacities.iter().flatten()) {
        command.env(name, value.to_string());
    }
    paths::remap(&mut command);
    run::run(&mut command)?;
    let built = built.join("release");
    for library in ["libvrrp.so", "libvrrp.a"] {
        paths::check(&built.join(library))?;
    }
    // Programs look for the soname.
    link(
        "libvrrp.so",
        &built.join(format!("libvrrp.so.{}", env!("CARGO_PKG_VERSION_MAJOR"))),
    )?;
    Ok(built)
}

/// Runs clippy on the engine alone, which is another crate than the whole: it stops where the
/// other one has std.
pub(crate) fn lint() -> Result<(), Failure> {
    let args = ["clippy", "--release", "--package", "vrrp-ffi"];
    let mut command = cargo();
    command.current_dir(root()).args(args).args(ENGINE_ALONE);
    command.arg("--target-dir").arg(target_dir().join("capi"));
    paths::remap(&mut command);
    run::run(command.args(["--", "-D", "warnings"]))
}

/// The capacities as a C compiler is told.
pub(crate) fn defines(capacities: [u32; 3]) -> [String; 3] {
    let [interfaces, routers, addresses] = capacities;
    let [i, r, a] = CAPACITIES;
    [
        format!("-D{i}={interfaces}"),
        format!("-D{r}={routers}"),
        format!("-D{a}={addresses}"),
    ]
}

const USAGE: &str = "usage: cargo xtask install-c [--engine] [--destdir FOLDER [--arch arm64]] \
                     [--libdir FOLDER] PREFIX";

/// Where the library goes.
#[derive(Debug)]
struct Layout {
    /// The prefix that programs will find it below, as written into vrrp.pc.
    prefix: PathBuf,
    /// The folder of libraries, below the prefix.
    libdir: String,
    /// A folder that stands for the root of the file system, for packagers.
    destdir: Option<PathBuf>,
    /// Another machine that the library is for.
    machine: Option<&'static Machine>,
}

impl Layout {
    /// Reads the arguments of `install-c`.
    fn parse(args: &[String]) -> Result<(Library, Self), Failure> {
        let usage = || Failure(USAGE.into());
        let (mut library, mut libdir) = (Library::Whole, "lib".to_owned());
        let (mut destdir, mut prefix, mut machine) = (None, None, None);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--engine" => library = Library::Engine,
                "--libdir" => libdir = args.next().ok_or_else(usage)?.clone(),
                "--destdir" => destdir = Some(PathBuf::from(args.next().ok_or_else(usage)?)),
                "--arch" => machine = Some(Machine::parse(args.next().ok_or_else(usage)?)?),
                option if option.starts_with('-') => return Err(usage()),
                path if prefix.is_none() => prefix = Some(PathBuf::from(path)),
                _ => return Err(usage()),
            }
        }
        if libdir.is_empty() || libdir.starts_with('/') {
            return Err(Failure(format!(
                "--libdir: expected a folder below the prefix, such as lib/x86_64-linux-gnu, found '{libdir}'"
            )));
        }
        if machine.is_some() && destdir.is_none() {
            return Err(usage());
        }
        // vrrp.pc names it, wherever it is read.
        let absolute = |path: PathBuf| std::path::absolute(&path).map_err(failed(&path));
        let layout = Self {
            prefix: absolute(prefix.ok_or_else(usage)?)?,
            libdir,
            destdir: destdir.map(absolute).transpose()?,
            machine,
        };
        Ok((library, layout))
    }

    /// The path of a folder below the prefix on this machine, now.
    fn path(&self, below_prefix: &str) -> PathBuf {
        let path = self.prefix.join(below_prefix);
        match &self.destdir {
            Some(destdir) => destdir.join(path.strip_prefix("/").unwrap_or(&path)),
            None => path,
        }
    }
}

/// `cargo xtask install-c`.
pub(crate) fn command(args: &[String]) -> Result<(), Failure> {
    let (library, layout) = Layout::parse(args)?;
    install_at(library, &layout)?;
    match layout.destdir {
        Some(_) => Ok(()),
        None => tell_linker(&layout.prefix),
    }
}

/// Lets the dynamic linker know of a new library where it looks anyway.
fn tell_linker(prefix: &Path) -> Result<(), Failure> {
    let lib = prefix.join("lib");
    let known = ["/usr", "/usr/local"]
        .iter()
        .any(|p| Path::new(p) == prefix);
    if !known {
        let lib = lib.display();
        sayln!("programs find libvrrp with LD_LIBRARY_PATH={lib} or linked with -Wl,-rpath,{lib}");
        return Ok(());
    }
    let mut command = Command::new("/sbin/ldconfig");
    if cfg!(target_os = "freebsd") {
        command.arg("-m").arg(lib);
    }
    run::run(&mut command)
}

/// Builds the library and installs it below `prefix`.
pub(crate) fn install(library: Library, prefix: &Path) -> Result<(), Failure> {
    let layout = Layout {
        prefix: prefix.into(),
        libdir: "lib".into(),
        destdir: None,
        machine: None,
    };
    install_at(library, &layout)
}

fn install_at(library: Library, layout: &Layout) -> Result<(), Failure> {
    let built = build_for(library, None, Optimise::Speed, layout.machine)?;
    let version = env!("CARGO_PKG_VERSION");
    let major = env!("CARGO_PKG_VERSION_MAJOR");
    let lib = folder(layout, &layout.libdir)?;
    let include = folder(layout, "include")?;
    let manual = folder(layout, "share/man/man3")?;
    let shared = format!("libvrrp.so.{version}");
    copy(&built.join("libvrrp.so"), &lib.join(&shared))?;
    copy(&built.join("libvrrp.a"), &lib.join("libvrrp.a"))?;
    for name in [format!("libvrrp.so.{major}"), "libvrrp.so".into()] {
        link(&shared, &lib.join(name))?;
    }
    let (headers, pages): (&[&str], &[&str]) = match library {
        Library::Engine => (&["vrrp.h", "vrrp_gate.h"], &["libvrrp.3", "libvrrp_gate.3"]),
        Library::Whole => (
            &["vrrp.h", "vrrp_gate.h", "vrrp_host.h"],
            &["libvrrp.3", "libvrrp_gate.3", "libvrrp_host.3"],
        ),
    };
    for header in headers {
        copy(&root().join("include").join(header), &include.join(header))?;
    }
    for page in pages {
        copy(&root().join("ffi/man").join(page), &manual.join(page))?;
    }
    let file = folder(layout, &format!("{}/pkgconfig", layout.libdir))?.join("vrrp.pc");
    fs::write(&file, pkg_config(library, layout, version)).map_err(failed(&file))
}

/// The text of the pkg-config file: also the capacities, where they are not the header's own.
fn pkg_config(library: Library, layout: &Layout, version: &str) -> String {
    let chosen: String = CAPACITIES
        .iter()
        .filter_map(|name| Some(format!(" -D{name}={}", std::env::var(name).ok()?)))
        .collect();
    format!(
        "prefix={}\nlibdir=${{prefix}}/{}\nincludedir=${{prefix}}/include\n\n\
         Name: libvrrp\n\
         Description: Service addresses that survive a failing host (VRRP, RFC 9568)\n\
         Version: {version}\n\
         Libs: -L${{libdir}} -lvrrp\n\
         Libs.private: {}\n\
         Cflags: -I${{includedir}}{chosen}\n",
        layout.prefix.display(),
        layout.libdir,
        library.private_libs()
    )
}

fn folder(layout: &Layout, name: &str) -> Result<PathBuf, Failure> {
    let folder = layout.path(name);
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map(|_| ()).map_err(failed(from))
}

fn link(to: &str, at: &Path) -> Result<(), Failure> {
    let _ = fs::remove_file(at);
    symlink(to, at).map_err(failed(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<(Library, Layout), Failure> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Layout::parse(&args)
    }

    #[test]
    fn a_library_for_a_package_is_staged_and_names_where_it_will_be() {
        let args = ["--destdir", "/stage", "--libdir", "lib/riscv64", "/usr"];
        let (library, layout) = parse(&args).expect("good arguments");
        assert!(library == Library::Whole);
        assert_eq!(layout.path("include"), Path::new("/stage/usr/include"));
        let text = pkg_config(library, &layout, "1.2.3");
        assert!(
            text.starts_with("prefix=/usr\nlibdir=${prefix}/lib/riscv64\n"),
            "{text}"
        );
        for bad in [
            &[][..],
            &["/usr", "/opt"],
            &["--libdir"],
            &["--libdir", "/lib", "/usr"],
            &["--static", "/usr"],
            &["--arch", "arm64", "/usr"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
