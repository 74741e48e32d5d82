//! Facts about this host that are known without opening the platform.

use std::io;

use vrrp_host::{Facts, OwnInterface};

use crate::links::Links;
use crate::names;
use crate::netlink::{self, Netlink, OUR_PROTOCOL};

/// The interfaces of the calling thread's network namespace, as they were when they were listed.
#[derive(Clone, Debug, Default)]
pub struct LinuxFacts(Vec<OwnInterface>);

impl LinuxFacts {
    pub(crate) fn new(interfaces: Vec<OwnInterface>) -> Self {
        Self(interfaces)
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
        Ok(Self(links.facts(ours)))
    }
}

impl Facts for LinuxFacts {
    fn interfaces(&self) -> &[OwnInterface] {
        &self.0
    }
}
