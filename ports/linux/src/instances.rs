//! The platforms that run in this network namespace.
//!
//! Each holds an abstract Unix socket named after the token of its ledger. Such names belong to the
//! network namespace and end with the process, however it ends. So they tell the marks of the living
//! from those of the dead. That works across directories, mount namespaces and PID namespaces, and for
//! an instance whose ledger is lost.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use vrrp_port_kit::trust;

use crate::ledger;
use crate::sys;

/// The beginning of the names; the token and the directory of the ledger follow.
const PREFIX: &str = "vrrp ";
/// The longest name.
const MAX_NAME: usize = 107;
/// How long an instance that was killed may take to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// The mark of a living platform.
#[derive(Debug)]
pub(crate) struct Presence {
    _socket: UnixListener,
}

/// Another platform in this network namespace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) token: String,
    /// The directory of its ledger. `None`: the name has no room for it.
    pub(crate) directory: Option<PathBuf>,
}

impl Presence {
    /// Shows that the life with this token runs.
    pub(crate) fn announce(token: &str, directory: &Path) -> io::Result<Self> {
        let directory = std::path::absolute(directory)?;
        let mut name = format!("{PREFIX}{token}").into_bytes();
        let place = [b" ", directory.as_os_str().as_bytes()].concat();
        if name.len() + place.len() <= MAX_NAME {
            name.extend(place);
        }
        let address = SocketAddr::from_abstract_name(name)?;
        let _socket = UnixListener::bind_addr(&address)?;
        Ok(Self { _socket })
    }
}

/// The other platforms of the place that its tokens begin with. One that was just killed is waited
/// for, and is none.
pub(crate) fn others(place: &str, own: &str) -> io::Result<Vec<Instance>> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let (mut living, mut ending) = (Vec::new(), false);
        for name in names(place)? {
            let Some(instance) = read(&name).filter(|instance| instance.token != own) else {
                continue;
            };
            match sys::abstract_listener(&name)? {
                // It has just ended.
                sys::Listener::Gone => {}
                sys::Listener::Of { user, pid } => {
                    let trusted = user == 0 || user == trust::effective_uid();
                    ending |= trusted && pid != 0 && sys::is_ending(pid);
                    living.extend(trusted.then_some(instance));
                }
                sys::Listener::Busy => {
                    ending |= ledger::is_ending(&instance.token);
                    living.push(instance);
                }
            }
        }
        if !ending || Instant::now() >= patience {
            return Ok(living);
        }
        thread::sleep(PAUSE);
    }
}

/// The names of abstract sockets that are those of platforms.
fn names(place: &str) -> io::Result<Vec<Vec<u8>>> {
    let table = fs::read("/proc/thread-self/net/unix")?;
    let begin = format!("@{PREFIX}{place}-");
    let mut names: Vec<Vec<u8>> = table
        .split(|&octet| octet == b'\n')
        .filter_map(|line| {
            let at = line
                .windows(begin.len())
                .position(|w| w == begin.as_bytes())?;
            line.get(at + 1..).map(<[u8]>::to_vec)
        })
        .collect();
    // A client that has connected bears the name of its listener.
    names.sort();
    names.dedup();
    Ok(names)
}

fn read(name: &[u8]) -> Option<Instance> {
    let name = name.strip_prefix(PREFIX.as_bytes())?;
    let mut parts = name.splitn(2, |&octet| octet == b' ');
    let token = std::str::from_utf8(parts.next()?).ok()?.to_owned();
    let directory = parts
        .next()
        .map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path)));
    Some(Instance { token, directory })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_found_as_long_as_it_lives() {
        let place = format!("test-{}", std::process::id());
        let tokens = [1, 2].map(|n| format!("{place}-1-{n}"));
        let long = format!("/{}", "x".repeat(100));
        let living = tokens
            .each_ref()
            .map(|token| Presence::announce(token, Path::new("/run/a")));
        let with = |token: &str, directory: Option<&str>| Instance {
            token: token.into(),
            directory: directory.map(PathBuf::from),
        };
        let found = others(&place, &tokens[0]).unwrap();
        assert_eq!(found, [with(&tokens[1], Some("/run/a"))]);
        // However often it is looked for.
        for _ in 0..300 {
            assert_eq!(others(&place, &tokens[0]).unwrap().len(), 1);
        }
        drop(living);
        assert_eq!(others(&place, &tokens[0]).unwrap(), []);
        let _far = Presence::announce(&tokens[0], Path::new(&long)).unwrap();
        assert_eq!(others(&place, "").unwrap(), [with(&tokens[0], None)]);
    }

    #[test]
    fn names_of_others_are_none() {
        for name in ["", "vrrp", "vrrp\u{0}x", "other vrrp x"] {
            assert_eq!(read(name.as_bytes()), None, "{name:?}");
        }
    }
}
