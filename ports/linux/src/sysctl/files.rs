//! Sysctls below /proc/sys/net, read and written without allocating.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use super::table::{Sysctl, Values};

/// Longer than "/proc/sys/net/ipv4/conf/", a name of 15 octets, and the longest name of a sysctl.
const PATH: usize = 96;

fn with_path<T>(
    sysctl: Sysctl,
    device: &str,
    then: impl FnOnce(&str) -> io::Result<T>,
) -> io::Result<T> {
    let mut path = [0; PATH];
    let mut room = &mut path[..];
    let (family, name) = (sysctl.directory(), sysctl.name());
    write!(room, "/proc/sys/net/{family}/conf/{device}/{name}")?;
    let len = PATH - room.len();
    let path = path.get(..len).and_then(|path| str::from_utf8(path).ok());
    then(path.unwrap_or_default())
}

/// Reads a sysctl of an interface, or of "all".
pub(crate) fn read(sysctl: Sysctl, device: &str) -> io::Result<i32> {
    with_path(sysctl, device, |path| {
        let mut text = [0; 16];
        let len = File::open(path)?.read(&mut text)?;
        let text = text.get(..len).and_then(|text| str::from_utf8(text).ok());
        let value = text.and_then(|text| text.trim().parse().ok());
        value.ok_or_else(|| io::ErrorKind::InvalidData.into())
    })
}

/// Writes a sysctl of an interface.
pub(crate) fn write(sysctl: Sysctl, device: &str, value: i32) -> io::Result<()> {
    with_path(sysctl, device, |path| {
        let mut text = [0; 16];
        let mut room = &mut text[..];
        write!(room, "{value}")?;
        let len = 16 - room.len();
        let mut file = File::options().write(true).open(path)?;
        file.write_all(text.get(..len).unwrap_or_default())
    })
}

/// Writes a sysctl of an interface. Returns whether we may: /proc/sys is read-only in most
/// containers.
pub(crate) fn write_if_allowed(sysctl: Sysctl, device: &str, value: i32) -> io::Result<bool> {
    match write(sysctl, device, value) {
        // The interface has just gone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Ok(false),
            _ => Err(error),
        },
        Ok(()) => Ok(true),
    }
}

/// Reads those of `sysctls` that the kernel has.
pub(crate) fn read_all(sysctls: impl IntoIterator<Item = Sysctl>, device: &str) -> Values {
    let mut values = Values::UNKNOWN;
    for sysctl in sysctls {
        values.set(sysctl, read(sysctl, device).ok());
    }
    values
}

/// Whether the kernel has IPv6 at all.
pub(crate) fn has_ipv6() -> bool {
    std::fs::exists("/proc/sys/net/ipv6/conf/all").unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_dots_is_one_directory() {
        let path = with_path(Sysctl::AcceptRa6, "vr6.3.1", |path| Ok(path.to_string()));
        assert_eq!(path.unwrap(), "/proc/sys/net/ipv6/conf/vr6.3.1/accept_ra");
    }

    #[test]
    fn the_longest_path_has_room() {
        with_path(Sysctl::AcceptSourceRoute6, "fifteen.octets.", |_| Ok(())).unwrap();
    }
}
