//! The facts of this host, by the port of its operating system.

use vrrp_config::Source;
use vrrp_host::HostFacts;

/// Reads them, without privileges, for the vrrpd that has this file.
#[cfg(target_os = "linux")]
pub fn read(_: &Source) -> HostFacts {
    Ok(Box::new(vrrp_linux::LinuxFacts::read()?))
}

/// Reads them, without privileges, for the vrrpd that has this file.
#[cfg(target_os = "freebsd")]
pub fn read(source: &Source) -> HostFacts {
    let runtime_dir = vrrp_config::runtime_dir(source);
    Ok(Box::new(vrrp_freebsd::FreebsdFacts::read(&runtime_dir)?))
}
