//! The facts of this host, by the port of its operating system.

use vrrp_host::HostFacts;

/// Reads them, without privileges.
#[cfg(target_os = "linux")]
pub fn read() -> HostFacts {
    Ok(Box::new(vrrp_linux::LinuxFacts::read()?))
}

/// Reads them, without privileges.
#[cfg(target_os = "freebsd")]
pub fn read() -> HostFacts {
    Ok(Box::new(vrrp_freebsd::FreebsdFacts::read()?))
}
