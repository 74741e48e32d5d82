//! Addresses that are served and given up.

use std::io;
use std::net::IpAddr;

use vrrp_core::{Family, VirtualAddress, VrKey};
use vrrp_host::{HostIf, PlatformError};
use vrrp_port_kit::{
    GivenUp, KernelIf, Port as _, Served, Serving, explain, noted, refused, unprepared,
};

use super::Network;
use crate::abi::ND6_IFF_NO_DAD;
use crate::installer::is_gone;
use crate::ledger::Entry;
use crate::request;
use crate::sys;

impl Network {
    pub(crate) fn set_router_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        let changed = self.change_address(key, address, accept, on);
        self.routing.doubt();
        self.tidy_routing();
        changed
    }

    fn change_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        let routers = &mut self.state.table.routers;
        let Some(change) = routers.change(key, address, accept, on) else {
            return Err(unprepared(key));
        };
        if let Some(served) = change.give_up {
            self.compare_later();
            let address = self.to_reset(key, &served);
            self.give_up(served)?;
            self.resets.start(address.into_iter().collect());
        }
        if !change.serve {
            return Ok(());
        }
        let index = self.carrier(key, address)?;
        let served = if accept {
            self.install(key, index, address)?
        } else {
            self.swallow(index, address)?
        };
        self.compare_later();
        self.state.table.routers.serve(key, served);
        Ok(())
    }

    fn install(
        &mut self,
        key: VrKey,
        index: KernelIf,
        address: VirtualAddress,
    ) -> Result<Served<Entry>, PlatformError> {
        let ip = address.address;
        let device = self.state.link_label(index);
        let what = format!("add address {ip} to {device}");
        let failed = |error| PlatformError::new(what.clone(), error);
        let on_carrier = self.state.carrier(key).is_some_and(|c| c.index == index);
        let entry = Self::address_entry(&device, address);
        let ours = self.state.table.routers.is_installed(index, ip);
        if !ours && let Some(known) = self.state.links.address(index, ip) {
            if known.vhid != 0 {
                let why = format!("it is there by carp, vhid {}", known.vhid);
                return Err(failed(refused(why)));
            }
            // Noted before somebody else put it there.
            self.installer.ledger.remove(&entry).map_err(noted)?;
            let how = Serving::Adopted;
            return Ok(Served {
                address,
                index,
                how,
                entry,
            });
        }
        if !on_carrier {
            // An address on a carrier goes with it.
            self.installer.ledger.add([entry.clone()]).map_err(noted)?;
        }
        if !ours {
            match ip {
                IpAddr::V6(_) if !on_carrier => self.add_undetected(&device, ip),
                _ => self.add(&device, ip),
            }
            .map_err(failed)?;
            self.state.links.added(index, ip);
        }
        let how = Serving::Installed;
        Ok(Served {
            address,
            index,
            how,
            entry,
        })
    }

    fn add(&self, device: &str, ip: IpAddr) -> io::Result<()> {
        let mut request = request::add_address(device, ip)?;
        let mut add = || sys::ioctl(self.installer.requester(Family::of(ip))?, &mut request);
        let added = match add() {
            Err(error) if ip.is_ipv6() && error.raw_os_error() == Some(libc::EEXIST) => {
                without_own_route(add)
            }
            added => added,
        };
        added.map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => explain(
                error,
                "is the interface a member of a bridge? Then virtual routers belong on the bridge",
            ),
            Some(libc::EPERM) => explain(error, "in a jail, vnet is needed"),
            _ => error,
        })
    }

    /// Adds an IPv6 address to an interface that is not ours alone, without asking the segment
    /// whether somebody has it: the router that we take over from may still answer. Whether to ask
    /// is decided for the whole interface, at the moment that an address is added.
    fn add_undetected(&mut self, device: &str, ip: IpAddr) -> io::Result<()> {
        let before = self.installer.nd_flags(device)?;
        if before & ND6_IFF_NO_DAD != 0 {
            return self.add(device, ip);
        }
        let entry = Entry::Detection {
            device: device.into(),
        };
        self.installer.ledger.add([entry.clone()])?;
        self.installer
            .set_nd_flags(device, before | ND6_IFF_NO_DAD)?;
        let added = self.add(device, ip);
        // Adding the first address may have enabled IPv6: only the one flag is put back.
        let now = self.installer.nd_flags(device).unwrap_or(before);
        let restored = self.installer.set_nd_flags(device, now & !ND6_IFF_NO_DAD);
        let noted = restored.and_then(|()| self.installer.ledger.remove(&entry));
        added.and(noted)
    }

    /// Serves an address without accepting: packets to it are dropped, not sent around.
    fn swallow(
        &mut self,
        index: KernelIf,
        address: VirtualAddress,
    ) -> Result<Served<Entry>, PlatformError> {
        let ip = address.address;
        let entry = Entry::Route { address: ip };
        self.installer.ledger.add([entry.clone()]).map_err(noted)?;
        let route = match self.installer.blackhole(address, true) {
            Ok(()) => true,
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => false,
            Err(error) => {
                let error = match error.raw_os_error() {
                    Some(libc::EOPNOTSUPP) => {
                        explain(error, "it leads to lo0, which has no address of the family")
                    }
                    _ => error,
                };
                let what = format!("add blackhole route {ip}");
                return Err(PlatformError::new(what, error));
            }
        };
        let how = Serving::Silent { route };
        Ok(Served {
            address,
            index,
            how,
            entry,
        })
    }

    fn give_up(&mut self, served: Served<Entry>) -> Result<(), PlatformError> {
        let ip = served.address.address;
        let still_held = |other: &Served<Entry>| {
            // The kernel has an address once, whatever prefixes the configuration gives it.
            other.how == served.how && (other.index, other.address.address) == (served.index, ip)
        };
        if self.state.table.routers.served().any(still_held) {
            // A reload moves it from one virtual router to another.
            return Ok(());
        }
        let (result, what) = match served.how {
            Serving::Adopted | Serving::Silent { route: false } => return Ok(()),
            Serving::Installed => {
                let device = self.state.link_label(served.index);
                let result = request::remove_address(&device, ip).and_then(|mut request| {
                    sys::ioctl(self.installer.requester(Family::of(ip))?, &mut request)
                });
                (result, format!("remove address {ip} from {device}"))
            }
            Serving::Silent { route: true } => {
                let result = self.installer.blackhole(served.address, false);
                (result, format!("remove blackhole route {ip}"))
            }
        };
        match result {
            Err(error) if !is_gone(&error) => return Err(PlatformError::new(what, error)),
            _ => {}
        }
        if served.how == Serving::Installed {
            self.state.links.removed(served.index, ip);
        }
        Ok(())
    }

    /// Removes every address of a virtual router. Returns `false` if something refused to go, which
    /// stays in the ledger for the next life.
    pub(super) fn give_up_addresses(&mut self, key: VrKey) -> bool {
        let mut clean = true;
        let mut given_up = Vec::new();
        for served in self.state.table.routers.take_served(key) {
            let entry = served.entry.clone();
            given_up.extend(self.to_reset(key, &served));
            clean &= self.give_up(served).is_ok() && self.installer.ledger.remove(&entry).is_ok();
        }
        self.resets.start(given_up);
        self.routing.doubt();
        self.tidy_routing();
        clean
    }

    /// Returns the address of which the connections are to be reset, when it is given up: none while the
    /// interface is down, where nobody could be told, and none that another virtual router serves. The kernel
    /// sends for a connection whose address is gone, and the switch knows our own MAC.
    fn to_reset(&self, key: VrKey, served: &Served<Entry>) -> Option<GivenUp> {
        let table = &self.state.table;
        let setup = &table.routers.get(key)?.setup;
        let index = table.interfaces.index(HostIf::of(key))?;
        let address = served.address.address;
        let is_meant = setup.reset_connections
            && served.how == Serving::Installed
            && self.state.links.state(index, |_| false).up
            && !table
                .routers
                .served()
                .any(|other| other.address.address == address);
        is_meant.then_some(GivenUp {
            address,
            stays: setup.silent,
        })
    }
}

/// Adds an IPv6 address that another interface has, too, as lo0 has silent ones. With an address the
/// kernel adds a host route to it, and refuses the address (EEXIST) if there is that route already. It
/// needs no second one: whether to is one setting of the network stack, changed for this one call.
fn without_own_route(mut add: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let setting = c"net.inet6.icmp6.nd6_useloopback";
    let before = sys::sysctl_number(setting).unwrap_or(1);
    sys::set_sysctl_number(setting, 0)?;
    let added = add();
    sys::set_sysctl_number(setting, before)?;
    added
}
