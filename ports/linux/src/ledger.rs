//! The ledger: a file that says what we installed, so that a later life can clean up after a crash.
//!
//! The file is locked for life. A ledger that can be locked belongs to a process that is dead.
//! Each line begins with `+` (about to be installed) or `-` (removed again).

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use vrrp_core::{MacAddr, VirtualAddress};

use crate::sys;

/// Lines about things that are no more before the file is written anew.
const STALE_LINES: usize = 1024;
/// A ledger that is longer is none.
const MAX_LEN: u64 = 4 * 1024 * 1024;

/// Something that we install.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    /// A macvlan.
    Link { name: String, mac: MacAddr },
    /// An address that was not on that interface before.
    Address {
        device: String,
        address: IpAddr,
        prefix_len: u8,
    },
    /// A blackhole route.
    Route { address: IpAddr },
    /// A setting of an interface, below /proc/sys/net/ipv4/conf.
    Setting {
        device: String,
        name: String,
        old: String,
        new: String,
    },
}

impl Entry {
    pub(crate) fn address(device: &str, address: VirtualAddress) -> Self {
        Entry::Address {
            device: device.into(),
            address: address.address,
            prefix_len: address.prefix_len,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match *words.as_slice() {
            ["link", name, mac] => Some(Entry::Link {
                name: name.into(),
                mac: parse_mac(mac)?,
            }),
            ["address", device, address, prefix_len] => Some(Entry::Address {
                device: device.into(),
                address: address.parse().ok()?,
                prefix_len: prefix_len.parse().ok()?,
            }),
            ["route", address] => Some(Entry::Route {
                address: address.parse().ok()?,
            }),
            ["setting", device, name, old, new] => Some(Entry::Setting {
                device: device.into(),
                name: name.into(),
                old: old.into(),
                new: new.into(),
            }),
            _ => None,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Link { name, mac } => write!(f, "link {name} {mac}"),
            Entry::Address {
                device,
                address,
                prefix_len,
            } => write!(f, "address {device} {address} {prefix_len}"),
            Entry::Route { address } => write!(f, "route {address}"),
            Entry::Setting {
                device,
                name,
                old,
                new,
            } => write!(f, "setting {device} {name} {old} {new}"),
        }
    }
}

fn parse_mac(text: &str) -> Option<MacAddr> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut mac {
        *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(MacAddr(mac))
}

/// The entries of a ledger that are not taken back. Lines that make no sense (the last one may be
/// cut short) are passed over.
fn parse(text: &str) -> BTreeSet<Entry> {
    let mut entries = BTreeSet::new();
    for line in text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        match line.split_at_checked(2) {
            Some(("+ ", rest)) => entries.extend(Entry::parse(rest)),
            Some(("- ", rest)) => {
                if let Some(entry) = Entry::parse(rest) {
                    entries.remove(&entry);
                }
            }
            _ => {}
        }
    }
    entries
}

/// Our own ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    directory: PathBuf,
    file: File,
    token: String,
    entries: BTreeSet<Entry>,
    stale: usize,
}

impl Ledger {
    /// Makes and locks a ledger for the network namespace `namespace` in `directory`, which is
    /// made when missing.
    pub(crate) fn create(directory: &Path, namespace: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        loop {
            let pid = std::process::id();
            let token = format!("{}{pid}-{}", prefix(namespace), sys::monotonic_us());
            let path = path(directory, &token);
            let file = match open_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            // Another may have found the file before we locked it, and taken it for a dead one's.
            if sys::try_lock(&file)? && is_at(&file, &path) {
                return Ok(Self {
                    directory: directory.into(),
                    file,
                    token,
                    entries: BTreeSet::new(),
                    stale: 0,
                });
            }
        }
    }

    /// What names this life: a mark for what can carry one.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Notes what is about to be installed.
    pub(crate) fn add(&mut self, entries: impl IntoIterator<Item = Entry>) -> io::Result<()> {
        let mut lines = String::new();
        for entry in entries {
            if !self.entries.contains(&entry) {
                lines += &format!("+ {entry}\n");
                self.entries.insert(entry);
            }
        }
        self.file.write_all(lines.as_bytes())
    }

    /// Notes what is removed again.
    pub(crate) fn remove(&mut self, entry: &Entry) -> io::Result<()> {
        if !self.entries.remove(entry) {
            return Ok(());
        }
        self.stale += 1;
        if self.stale > STALE_LINES {
            return self.rewrite();
        }
        self.file.write_all(format!("- {entry}\n").as_bytes())
    }

    /// Notes that everything is removed for which `gone` says so.
    pub(crate) fn remove_where(&mut self, gone: impl Fn(&Entry) -> bool) -> io::Result<()> {
        let entries: Vec<Entry> = self.entries.iter().filter(|e| gone(e)).cloned().collect();
        entries.iter().try_for_each(|entry| self.remove(entry))
    }

    /// Whether there is a ledger, of the living or the dead, for the life with this token.
    pub(crate) fn is_known(&self, token: &str) -> bool {
        path(&self.directory, token).exists()
    }

    pub(crate) fn contains(&self, entry: &Entry) -> bool {
        self.entries.contains(entry)
    }

    /// Removes the file, when everything in it is removed.
    pub(crate) fn close(&mut self) {
        // A file that stays is found by the next life, which has nothing to clean then.
        let _ = fs::remove_file(path(&self.directory, &self.token));
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let fresh = self.directory.join(format!("{}.new", self.token));
        let _ = fs::remove_file(&fresh);
        let mut file = open_new(&fresh)?;
        sys::try_lock(&file)?;
        let lines: String = self.entries.iter().map(|e| format!("+ {e}\n")).collect();
        file.write_all(lines.as_bytes())?;
        fs::rename(&fresh, path(&self.directory, &self.token))?;
        self.file = file;
        self.stale = 0;
        Ok(())
    }
}

/// A ledger that a dead process left. It is ours, locked, until it is dropped.
#[derive(Debug)]
pub(crate) struct Leftover {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
    /// The mark of that life.
    pub(crate) token: String,
    /// What it had installed.
    pub(crate) entries: BTreeSet<Entry>,
}

impl Leftover {
    /// Removes the file, when everything in it has been dealt with.
    pub(crate) fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The ledgers that dead processes of the network namespace left in `directory`.
pub(crate) fn leftovers(directory: &Path, namespace: u64) -> io::Result<Vec<Leftover>> {
    let mut found = Vec::new();
    for item in fs::read_dir(directory)? {
        let path = item?.path();
        let Some(token) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let is_ledger = path.extension().is_some_and(|e| e == "ledger");
        if !is_ledger || !token.starts_with(&prefix(namespace)) {
            continue;
        }
        // Gone meanwhile, or locked by the living: not ours.
        let Ok(file) = File::open(&path) else {
            continue;
        };
        if !sys::try_lock(&file)? || !is_at(&file, &path) {
            continue;
        }
        let mut octets = Vec::new();
        (&file).take(MAX_LEN).read_to_end(&mut octets)?;
        found.push(Leftover {
            token: token.into(),
            entries: parse(&String::from_utf8_lossy(&octets)),
            path,
            _file: file,
        });
    }
    Ok(found)
}

fn prefix(namespace: u64) -> String {
    format!("linux-{namespace}-")
}

fn path(directory: &Path, token: &str) -> PathBuf {
    directory.join(format!("{token}.ledger"))
}

fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        vec![
            Entry::Link {
                name: "vr4.3.1".into(),
                mac: MacAddr([0, 0, 0x5e, 0, 1, 1]),
            },
            Entry::Address {
                device: "eth0".into(),
                address: "2001:db8::1".parse().unwrap(),
                prefix_len: 64,
            },
            Entry::Route {
                address: [10, 0, 0, 1].into(),
            },
            Entry::Setting {
                device: "eth0".into(),
                name: "arp_ignore".into(),
                old: "0".into(),
                new: "1".into(),
            },
        ]
    }

    #[test]
    fn lines_are_read_as_they_were_written() {
        for entry in entries() {
            assert_eq!(Entry::parse(&entry.to_string()), Some(entry));
        }
    }

    #[test]
    fn what_is_taken_back_or_cut_short_does_not_count() {
        let text =
            "+ route 10.0.0.1\n+ route 10.0.0.2\nnonsense\n- route 10.0.0.1\n+ route 10.0.0.3";
        let address = [10, 0, 0, 2].into();
        assert_eq!(parse(text), BTreeSet::from([Entry::Route { address }]));
    }

    #[test]
    fn the_living_are_left_alone_and_the_dead_are_found() {
        let directory = std::env::temp_dir().join(format!("vrrp-ledger-{}", std::process::id()));
        let mut ledger = Ledger::create(&directory, 77).unwrap();
        ledger.add(entries()).unwrap();
        ledger.add(entries()).unwrap();
        ledger.remove(&entries()[0]).unwrap();
        assert!(leftovers(&directory, 77).unwrap().is_empty());
        let token = ledger.token().to_string();
        drop(ledger);
        assert!(leftovers(&directory, 7).unwrap().is_empty());
        let mut found = leftovers(&directory, 77).unwrap();
        assert_eq!(found.len(), 1);
        let leftover = found.remove(0);
        assert_eq!(leftover.token, token);
        assert_eq!(leftover.entries, entries()[1..].iter().cloned().collect());
        // Somebody else is at it.
        assert!(leftovers(&directory, 77).unwrap().is_empty());
        leftover.discard();
        assert!(leftovers(&directory, 77).unwrap().is_empty());
        fs::remove_dir(&directory).unwrap();
    }

    #[test]
    fn a_long_life_does_not_make_a_long_ledger() {
        let directory = std::env::temp_dir().join(format!("vrrp-rewrite-{}", std::process::id()));
        let mut ledger = Ledger::create(&directory, 78).unwrap();
        for _ in 0..2 * STALE_LINES {
            ledger.add(entries()).unwrap();
            ledger.remove(&entries()[1]).unwrap();
        }
        assert!(ledger.file.metadata().unwrap().len() < 200_000);
        assert!(leftovers(&directory, 78).unwrap().is_empty());
        ledger.close();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir(&directory).unwrap();
    }
}
