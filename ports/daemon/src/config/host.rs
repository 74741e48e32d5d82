//! What a correct file says that does not fit this host.

use std::net::IpAddr;
use std::path::Path;

use vrrp_core::Family;
use vrrp_host::Tracked;

use super::diagnostic::{Diagnostic, Report};
use super::keys::Key;
use super::{Config, VirtualRouter, script};

/// An interface of this host and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInterface {
    /// Its name.
    pub name: String,
    /// Its addresses of both families.
    pub addresses: Vec<IpAddr>,
}

/// Judges a configuration against the interfaces of a host. All that it finds are warnings: an
/// interface may come later.
///
/// `file` is the file's name for messages.
pub fn check_host(config: &Config, file: &Path, interfaces: &[HostInterface]) -> Vec<Diagnostic> {
    let mut report = Report::new(file);
    let host = Host(interfaces);
    for router in &config.virtual_routers {
        host.interface(router, &mut report);
        host.owner(router, &mut report);
        host.peers(router, &mut report);
    }
    report.into_sorted()
}

/// Looks whether the event scripts are there and can be run. Reads the file system.
///
/// `file` is the file's name for messages.
pub fn check_scripts(config: &Config, file: &Path) -> Vec<Diagnostic> {
    let mut report = Report::new(file);
    for router in &config.virtual_routers {
        let scripts = [
            (Key::MasterScript, &router.master_script),
            (Key::BackupScript, &router.backup_script),
            (Key::FaultScript, &router.fault_script),
            (Key::StopScript, &router.stop_script),
        ];
        for (key, script) in scripts {
            if let Some(trouble) = script.as_ref().and_then(|s| script::trouble(&s.path)) {
                report.warning_once(router.lines.of_key(key), Some(key.name()), trouble);
            }
        }
    }
    report.into_sorted()
}

struct Host<'a>(&'a [HostInterface]);

impl Host<'_> {
    fn find(&self, name: &str) -> Option<&HostInterface> {
        self.0.iter().find(|interface| interface.name == name)
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0
            .iter()
            .any(|interface| interface.addresses.contains(&address))
    }

    /// The interfaces that are named exist, and the one that advertises has an address to do it from.
    fn interface(&self, router: &VirtualRouter, report: &mut Report) {
        let id = &router.spec.id;
        match self.find(&id.interface) {
            None => self.missing(router, Key::Interface, &id.interface, report),
            Some(interface) => {
                let can_send = interface.addresses.iter().any(|address| match address {
                    IpAddr::V4(_) => id.family == Family::Ipv4,
                    IpAddr::V6(v6) => id.family == Family::Ipv6 && v6.is_unicast_link_local(),
                });
                if !can_send {
                    let kind = match id.family {
                        Family::Ipv4 => "IPv4",
                        Family::Ipv6 => "IPv6 link-local",
                    };
                    let message =
                        format!("`{}` has no {kind} address to advertise from", id.interface);
                    let line = router.lines.of_key(Key::Interface);
                    report.warning_once(line, Some(Key::Interface.name()), message);
                }
            }
        }
        for spec in &router.spec.addresses {
            if let Some(name) = spec.interface.as_deref().filter(|n| self.find(n).is_none()) {
                self.missing(router, Key::Addr, name, report);
            }
        }
        for track in &router.spec.tracks {
            if let Tracked::Interface(name) = &track.what
                && self.find(name).is_none()
            {
                self.missing(router, Key::TrackInterface, name, report);
            }
        }
    }

    fn missing(&self, router: &VirtualRouter, key: Key, name: &str, report: &mut Report) {
        let message = format!("this host has no interface `{name}`");
        report.warning_once(router.lines.of_key(key), Some(key.name()), message);
    }

    /// Priority 255 says that the addresses are this host's own (RFC 9568 section 5.2.4).
    fn owner(&self, router: &VirtualRouter, report: &mut Report) {
        if !router.spec.priority.is_owner() {
            return;
        }
        let foreign = router
            .spec
            .addresses
            .iter()
            .map(|spec| spec.address.address)
            .filter(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()))
            .find(|address| !self.has(*address));
        if let Some(address) = foreign {
            let message = format!(
                "255 says that this host owns the addresses, but it does not have `{address}`; no other router takes over from it unless it resigns, use 254 or less"
            );
            let line = router.lines.of_key(Key::Priority);
            report.warning_once(line, Some(Key::Priority.name()), message);
        }
    }

    fn peers(&self, router: &VirtualRouter, report: &mut Report) {
        for peer in router.spec.peers.iter().filter(|peer| self.has(**peer)) {
            let message = format!("`{peer}` is an address of this host");
            let line = router.lines.of_key(Key::Peers);
            report.warning(line, Some(Key::Peers.name()), message);
        }
    }
}
