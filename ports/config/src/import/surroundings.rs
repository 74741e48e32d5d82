//! The host on which an import runs, as far as an importer asks it.

use std::fs;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::Diagnostic;

/// The longest file that is read, in octets.
const MAX_FILE: u64 = 4 << 20;
/// The part of a script that is looked at, in octets.
const MAX_BEGIN: u64 = 256 << 10;
/// The most names of a folder that are looked at.
const MAX_NAMES: usize = 10_000;
/// Where programs without a path are looked for.
const PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// The facts that an importer needs. Nothing of it changes anything.
pub trait Surroundings {
    /// The contents of a regular file.
    ///
    /// # Errors
    /// It cannot be read, or is too long.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;

    /// The first 256 KiB of a regular file.
    ///
    /// # Errors
    /// It cannot be read.
    fn begin(&self, file: &Path) -> io::Result<Vec<u8>>;

    /// The names in a folder. Empty when it cannot be read.
    fn names(&self, folder: &Path) -> Vec<String>;

    /// The path of a program that is named without one. `None`: it is not here.
    fn program(&self, name: &str) -> Option<PathBuf>;

    /// Whether this host has a user of this name.
    fn has_user(&self, name: &str) -> bool;

    /// The name of this host.
    fn host_name(&self) -> String;

    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// The addresses of an interface with the lengths of their prefixes. Empty when it is not here.
    fn networks(&self, interface: &str) -> Vec<(IpAddr, u8)>;

    /// The judgement of `vrrpd --check` about a configuration.
    fn judge(&self, text: &str) -> Vec<Diagnostic>;
}

/// The files of this host, for an implementation of [`Surroundings`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisHost;

impl ThisHost {
    /// Reads a regular file of at most 4 MiB.
    ///
    /// # Errors
    /// It cannot be read, or is too long.
    pub fn read(self, file: &Path) -> io::Result<Vec<u8>> {
        let octets = read_at_most(file, MAX_FILE + 1)?;
        if octets.len() as u64 > MAX_FILE {
            return Err(io::Error::other(format!(
                "it has more than {MAX_FILE} octets"
            )));
        }
        Ok(octets)
    }

    /// Reads the first 256 KiB of a regular file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn begin(self, file: &Path) -> io::Result<Vec<u8>> {
        read_at_most(file, MAX_BEGIN)
    }

    /// Returns the names in a folder, sorted.
    pub fn names(self, folder: &Path) -> Vec<String> {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(MAX_NAMES).collect();
        names.sort();
        names
    }

    /// Returns the path of a program in the usual folders.
    pub fn program(self, name: &str) -> Option<PathBuf> {
        let places = PATH.iter().map(|folder| Path::new(folder).join(name));
        places.into_iter().find(|path| path.is_file())
    }
}

fn read_at_most(file: &Path, most: u64) -> io::Result<Vec<u8>> {
    // A pipe is not opened: it might never end.
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut octets = Vec::new();
    fs::File::open(file)?.take(most).read_to_end(&mut octets)?;
    Ok(octets)
}
