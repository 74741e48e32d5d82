//! The part of the judgement that needs the host: interfaces, addresses, event scripts.
//!
//! An error cannot work on this host until the file or the host is changed. Examples are an interface
//! without Ethernet, one interface under two names, and a peer that is an address of this host. The
//! port adds its own ([`Facts::refusals`]).
//!
//! A warning works later without a change of the file (an interface that is not there yet), or works
//! and is probably not what was meant.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use vrrp_core::{Auth, Family};
use vrrp_host::{Facts, OwnAddress, OwnInterface, RoutingItem, Tracked};

use super::diagnostic::{Report, found};
use super::global::WorkerUser;
use super::keys::Key;
use super::script_security::{Accounts, ScriptSecurity, ScriptUser, insecurity};
use super::{Config, VirtualRouter, script};
use crate::Source;

/// Judges a configuration against the host that it is to run on.
pub(super) fn judge(config: &Config, facts: &dyn Facts, report: &mut Report) {
    let host = Host(facts.interfaces());
    let mut names = HashMap::new();
    for router in &config.virtual_routers {
        host.interface(router, report);
        host.one_name(router, &mut names, report);
        host.owner(router, report);
        host.addresses_by_hand(router, report);
        host.peers(router, report);
        host.route_sources(router, config, report);
        for refusal in facts.refusals(&router.spec) {
            report.error_once(router.section_line, None, refusal);
        }
    }
}

/// Looks whether the event scripts are there, can be run, and can be replaced by no other user. Reads
/// the file system.
pub(super) fn judge_scripts(config: &Config, accounts: &dyn Accounts, report: &mut Report) {
    let own = accounts.own_uid();
    // Hundreds of virtual routers may share a user and a script, and a reload waits for this.
    let mut users: HashMap<&ScriptUser, Result<u32, String>> = HashMap::new();
    let mut faults: HashMap<(&Path, u32), Option<String>> = HashMap::new();
    let routers = config.virtual_routers.iter().map(|router| {
        let scripts = vec![
            (Key::MasterScript, router.master_script.as_ref()),
            (Key::BackupScript, router.backup_script.as_ref()),
            (Key::FaultScript, router.fault_script.as_ref()),
            (Key::StopScript, router.stop_script.as_ref()),
            (Key::PrepareScript, router.prepare_script.as_ref()),
            (Key::ReclaimScript, router.reclaim_script.as_ref()),
            (Key::NotifyScript, router.notify_script.as_ref()),
        ];
        (router.script_user.as_ref(), &router.lines, scripts)
    });
    let groups = config.groups.iter().map(|group| {
        let scripts = group.scripts().to_vec();
        (group.script_user.as_ref(), &group.lines, scripts)
    });
    for (user, lines, scripts) in routers.chain(groups) {
        let user = user.map(|user| {
            let resolve = || user.resolve(accounts).map(|account| account.uid);
            users.entry(user).or_insert_with(resolve).clone()
        });
        let uid = match user.unwrap_or(Ok(own)) {
            Ok(uid) => uid,
            Err(message) => {
                let key = Key::ScriptUser;
                report.error_once(lines.of_key(key), Some(key.name()), message);
                continue;
            }
        };
        for (key, script) in scripts {
            let Some(script) = script else { continue };
            let line = lines.of_key(key);
            if let Some(trouble) = script::trouble(&script.path) {
                report.warning_once(line, Some(key.name()), trouble);
                continue;
            }
            let path = script.path.as_path();
            let fault = faults
                .entry((path, uid))
                .or_insert_with(|| insecurity(path, uid));
            if let Some(fault) = fault {
                judge_insecurity(config, line, key, fault, report);
            }
        }
    }
}

/// Looks whether the user of the worker process exists, and is not root.
pub(super) fn judge_user(config: &Config, accounts: &dyn Accounts, report: &mut Report) {
    let Some(WorkerUser { user, line }) = &config.global.user else {
        return;
    };
    let message = match user.resolve(accounts) {
        Ok(account) if account.uid == 0 => format!(
            "expected a user without the rights of root, found {}",
            found(&user.to_string())
        ),
        Ok(_) => return,
        Err(message) => message,
    };
    report.error(*line, Some(Key::User.name()), message);
}

fn judge_insecurity(config: &Config, line: usize, key: Key, fault: &str, report: &mut Report) {
    let key = Some(key.name());
    if config.global.script_security == ScriptSecurity::Warn {
        let message = format!("others could replace this script: {fault}");
        report.warning_once(line, key, message);
    } else {
        let message = format!(
            "others could replace this script, so it is not run: {fault}; see scriptsecurity in vrrpd.conf(5)"
        );
        report.error_once(line, key, message);
    }
}

/// Looks whether somebody else can read a file that holds a password. Reads the file system.
pub(super) fn judge_secrecy(config: &Config, source: &Source, report: &mut Report) {
    const GROUP: u32 = 0o040;
    const OTHERS: u32 = 0o004;
    let mut said: Vec<&Path> = Vec::new();
    let routers = config.virtual_routers.iter();
    for router in routers.filter(|router| router.spec.settings.auth != Auth::None) {
        let line = router.lines.of_key(Key::Password);
        let (file, _) = source.files.place(line);
        let Ok(meta) = file.metadata() else {
            continue;
        };
        let mode = meta.mode() & 0o777;
        let open = mode & OTHERS != 0 || mode & GROUP != 0 && meta.gid() != 0;
        if open && !said.contains(&file) {
            said.push(file);
            let message = format!(
                "others can read this file (mode {mode:o}); make it readable for root alone: chmod 600 {}",
                file.display()
            );
            report.warning(line, Some(Key::Password.name()), message);
        }
    }
}

/// Each interface under the name by which it was first used, and the line where that was.
type Names<'a> = HashMap<&'a str, (&'a str, usize)>;

struct Host<'a>(&'a [OwnInterface]);

impl<'a> Host<'a> {
    fn find(&self, name: &str) -> Option<&'a OwnInterface> {
        self.0.iter().find(|interface| interface.is_called(name))
    }

    /// The interface that has an address, and the address as it is there.
    fn own(&self, address: IpAddr) -> Option<(&'a OwnInterface, &'a OwnAddress)> {
        self.all().find(|(_, own)| own.address == address)
    }

    fn all(&self) -> impl Iterator<Item = (&'a OwnInterface, &'a OwnAddress)> {
        let interfaces = self.0.iter();
        interfaces.flat_map(|interface| interface.addresses.iter().map(move |own| (interface, own)))
    }

    /// The interfaces that are named exist, and the one that advertises can.
    fn interface(&self, router: &VirtualRouter, report: &mut Report) {
        let id = &router.spec.id;
        let (line, key) = (router.lines.of_key(Key::Interface), Key::Interface.name());
        match self.find(&id.interface) {
            None => self.missing(router, Key::Interface, &id.interface, report),
            Some(OwnInterface {
                unfit: Some(why), ..
            }) => {
                let message = format!("cannot use `{}`: {why}", id.interface);
                report.error_once(line, Some(key), message);
            }
            Some(interface) => {
                let name = &id.interface;
                let doubled = interface.addresses.iter().filter(|own| own.duplicate);
                for own in doubled.filter(|own| Family::of(own.address) == id.family) {
                    let message = format!(
                        "another host on `{name}` has `{}`, too: duplicate address detection failed",
                        own.address
                    );
                    report.warning_once(line, Some(key), message);
                }
                if let Some(source) = router.spec.source {
                    self.source(router, interface, source, report);
                } else if interface.source(id.family).is_none() {
                    let kind = match id.family {
                        Family::Ipv4 => "IPv4",
                        Family::Ipv6 => "IPv6 link-local",
                    };
                    let message = format!("`{name}` has no {kind} address to advertise from");
                    report.warning_once(line, Some(key), message);
                }
            }
        }
        for spec in router.all_addresses() {
            if let Some(name) = spec.interface.as_deref().filter(|n| self.find(n).is_none()) {
                let key = router.key_of_address(spec.address.address);
                self.missing(router, key, name, report);
            }
        }
        for item in &router.spec.routing {
            if let RoutingItem::Route(route) = item
                && let Some(name) = route.device.as_deref()
                && self.find(name).is_none()
            {
                self.missing(router, Key::Route, name, report);
            }
        }
        for track in &router.spec.tracks {
            if let Tracked::Interface(name) = &track.what
                && self.find(name).is_none()
            {
                self.missing(router, Key::TrackInterface, name, report);
            }
        }
        if let Some(name) = &router.spec.heartbeat {
            match self.find(name) {
                None => self.missing(router, Key::Heartbeat, name, report),
                Some(OwnInterface {
                    unfit: Some(why), ..
                }) => {
                    let key = Key::Heartbeat;
                    let message = format!("`{name}` is no second path: {why}");
                    report.warning_once(router.lines.of_key(key), Some(key.name()), message);
                }
                Some(_) => {}
            }
        }
    }

    /// The address to advertise from is where the advertisements leave.
    fn source(
        &self,
        router: &VirtualRouter,
        interface: &OwnInterface,
        source: IpAddr,
        report: &mut Report,
    ) {
        let has = |i: &OwnInterface| i.addresses.iter().any(|own| own.address == source);
        if has(interface) {
            return;
        }
        let name = &router.spec.id.interface;
        let message = match self.0.iter().find(|other| has(other)) {
            Some(other) => format!("`{source}` is on `{}`, not on `{name}`", other.name),
            None => format!("`{name}` does not have `{source}`"),
        };
        let message =
            format!("{message}: advertisements would come from an address that is not there");
        let line = router.lines.of_key(Key::Source);
        report.warning_once(line, Some(Key::Source.name()), message);
    }

    fn missing(&self, router: &VirtualRouter, key: Key, name: &str, report: &mut Report) {
        let message = format!("this host has no interface `{name}`");
        report.warning_once(router.lines.of_key(key), Some(key.name()), message);
    }

    /// An interface has one name in a file: under two it would be taken for two, and one VRID or
    /// address could be used on it twice.
    fn one_name<'c>(&self, router: &'c VirtualRouter, names: &mut Names<'c>, report: &mut Report)
    where
        'a: 'c,
    {
        let (line, key) = (router.lines.of_key(Key::Interface), Key::Interface);
        let carriers = router.all_addresses();
        let carriers = carriers.filter_map(|spec| spec.interface.as_deref());
        let carriers = carriers.map(|name| (name, router.lines.of_key(Key::Addr), Key::Addr));
        let used = std::iter::once((router.spec.id.interface.as_str(), line, key));
        let second = router.spec.heartbeat.as_deref();
        let second = second.map(|name| (name, router.lines.of_key(Key::Heartbeat), Key::Heartbeat));
        for (name, line, key) in used.chain(carriers).chain(second) {
            let Some(interface) = self.find(name) else {
                continue;
            };
            let (first, before) = *names.entry(&interface.name).or_insert((name, line));
            if first != name {
                let message = format!(
                    "expected one name for one interface, found `{name}`, which is `{first}` of {}",
                    report.place(before)
                );
                report.error_once(line, Some(key.name()), message);
            }
        }
    }

    /// Priority 255 says that the addresses are this host's own (RFC 9568 section 5.2.4).
    fn owner(&self, router: &VirtualRouter, report: &mut Report) {
        if !router.spec.settings.priority.is_owner() {
            return;
        }
        let foreign = router
            .spec
            .addresses
            .iter()
            .map(|spec| spec.address.address)
            .filter(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()))
            .find(|address| self.own(*address).is_none());
        if let Some(address) = foreign {
            let message = format!(
                "255 says that this host owns the addresses, but it does not have `{address}`; no other router takes over from it unless it resigns, use 254 or less"
            );
            let line = router.lines.of_key(Key::Priority);
            report.warning_once(line, Some(Key::Priority.name()), message);
        }
    }

    /// A host that has a virtual address without being the owner answers for it while it is backup.
    fn addresses_by_hand(&self, router: &VirtualRouter, report: &mut Report) {
        if router.spec.settings.priority.is_owner() {
            return;
        }
        for spec in router.all_addresses() {
            let address = spec.address.address;
            let place = spec
                .interface
                .as_deref()
                .unwrap_or(&router.spec.id.interface);
            // A link-local address is another on another link.
            let here = |interface: &OwnInterface| match address {
                IpAddr::V6(v6) if v6.is_unicast_link_local() => interface.is_called(place),
                _ => true,
            };
            let by_hand = self
                .all()
                .find(|(i, own)| own.address == address && here(i));
            if let Some((interface, _)) = by_hand {
                let message = format!(
                    "`{}` has `{address}` already and answers for it while this host is backup, too; remove it there, or use priority 255 if it belongs to this host",
                    interface.name
                );
                let key = router.key_of_address(address);
                report.warning_once(router.lines.of_key(key), Some(key.name()), message);
            }
        }
    }

    /// The kernel takes a route from an address of this host alone.
    fn route_sources(&self, router: &VirtualRouter, config: &Config, report: &mut Report) {
        let is_virtual = |address: IpAddr| {
            let mut routers = config.virtual_routers.iter();
            routers.any(|r| r.all_addresses().any(|a| a.address.address == address))
        };
        for source in router.route_sources() {
            if self.own(source).is_none() && !is_virtual(source) {
                let message = format!(
                    "this host does not have `{source}`, the `src` of a route, nor is it a virtual address: the kernel refuses the route until it is there"
                );
                let line = router.lines.of_key(Key::Route);
                report.warning_once(line, Some(Key::Route.name()), message);
            }
        }
    }

    /// Advertisements reach the peers from an address that these expect.
    fn peers(&self, router: &VirtualRouter, report: &mut Report) {
        let spec = &router.spec;
        let (line, key) = (router.lines.of_key(Key::Peers), Some(Key::Peers.name()));
        for peer in &spec.peers {
            if self.has(&spec.id.interface, *peer) {
                // U-5: one file for all hosts would do, but whoever lists itself has miscounted its group.
                let message = format!(
                    "expected the addresses of the other hosts alone, found `{peer}`, which is an address of this host"
                );
                report.error(line, key, message);
            } else if let Some(message) = self.unreached(router, *peer) {
                report.warning(line, key, message);
            }
        }
    }

    /// Whether this host has an address. A link-local one is another on another link.
    fn has(&self, interface: &str, address: IpAddr) -> bool {
        let here = |i: &OwnInterface| match address {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => i.is_called(interface),
            _ => true,
        };
        self.all().any(|(i, own)| own.address == address && here(i))
    }

    /// The reason why a peer on a network of this host does not get our advertisements, or refuses
    /// them as those of a stranger. `None`: it gets them, or is further away, or nobody knows.
    fn unreached(&self, router: &VirtualRouter, peer: IpAddr) -> Option<String> {
        let spec = &router.spec;
        let interface = self.find(&spec.id.interface)?;
        let source = match spec.source {
            Some(source) => interface.addresses.iter().find(|o| o.address == source)?,
            None => interface.source(spec.id.family)?,
        };
        if source.is_beside(peer) {
            return None;
        }
        let link_local = matches!(peer, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let beside = |(_, own): &(&OwnInterface, &OwnAddress)| own.is_beside(peer);
        let (place, own) = self.all().filter(|_| !link_local).find(beside)?;
        let (name, from) = (&spec.id.interface, source.address);
        Some(if place.name == interface.name {
            format!(
                "`{peer}` is on the network of `{}`, but advertisements leave from `{from}`, and a peer takes them only from an address in its own list; see `source`",
                own.address
            )
        } else {
            format!(
                "`{peer}` is on the network of `{}`, but advertisements leave by `{name}`",
                place.name
            )
        })
    }
}
