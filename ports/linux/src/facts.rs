//! Facts about this host that are known without opening the platform.

use std::io;

use vrrp_host::{Facts, OwnInterface, VrSpec};

use crate::links::Links;
use crate::names;
use crate::netlink::{self, Netlink, OUR_PROTOCOL};

/// The interfaces of the calling thread's network namespace, as they were when they were listed.
#[derive(Clone, Debug, Default)]
pub struct LinuxFacts {
    interfaces: Vec<OwnInterface>,
    /// The name of the loopback.
    loopback: String,
}

/// Why a silent address is on no device that is the loopback.
pub(crate) const SILENT_IS_ON_LOOPBACK: &str = "silent addresses are on the loopback by themselves: \
    leave out its name before the address, or silent";

impl LinuxFacts {
    /// Takes them from the `links`, the addresses that are `ours` left out.
    pub(crate) fn new(links: &Links, ours: impl Fn(&netlink::Address) -> bool) -> Self {
        let loopback = links.loopback().map(|link| link.name.clone());
        Self {
            interfaces: links.facts(ours),
            loopback: loopback.unwrap_or_default(),
        }
    }

    /// Lists them. Needs no privileges.
    pub fn read() -> io::Result<Self> {
        let mut netlink = Netlink::open()?;
        let mut links = Links::default();
        for ask in [netlink::dump_links, netlink::dump_addresses] {
            for event in netlink.dump(ask)? {
                links.apply(event);
            }
        }
        // A kernel before 5.18 marks no addresses; those on our macvlans are ours all the same.
        let ours = |a: &netlink::Address| {
            let link = links.get(a.index);
            a.protocol == OUR_PROTOCOL || link.is_some_and(|l| l.alias.starts_with(names::ALIAS))
        };
        Ok(Self::new(&links, ours))
    }
}

impl Facts for LinuxFacts {
    fn interfaces(&self) -> &[OwnInterface] {
        &self.interfaces
    }

    fn refusals(&self, spec: &VrSpec) -> Vec<String> {
        let mut devices = spec.addresses.iter().filter_map(|a| a.interface.as_ref());
        let refused = spec.silent && devices.any(|device| *device == self.loopback);
        let reason = refused.then(|| SILENT_IS_ON_LOOPBACK.to_owned());
        reason.into_iter().collect()
    }
}
