//! Facts about this host that are known without opening the platform.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use vrrp_core::MacAddr;
use vrrp_host::{Facts, OwnInterface, VrSpec};
use vrrp_port_kit::KernelIf;

use crate::abi::IFT_ETHER;
use crate::ledger::{self, Entry};
use crate::links::Links;
use crate::names;
use crate::refusals::{self, Wish};
use crate::route::{self, Address};
use crate::sys;

/// The interfaces of this network stack, as they were when they were listed.
#[derive(Clone, Debug, Default)]
pub struct FreebsdFacts {
    interfaces: Vec<OwnInterface>,
    links: Links,
    /// The type of each interface.
    kinds: BTreeMap<KernelIf, u8>,
    /// Addresses and carriers that a vrrpd has installed.
    ours: BTreeSet<(KernelIf, IpAddr)>,
}

impl FreebsdFacts {
    /// Lists them. Needs no privileges; with them it knows which addresses a vrrpd that notes them in
    /// `runtime_dir` has put on other interfaces than its own, also one that was killed.
    pub fn read(runtime_dir: &Path) -> io::Result<Self> {
        let list = sys::interface_list()?;
        let links = Links::new(route::list(&list));
        let noted = noted(runtime_dir);
        let is_ours = |name: &str, a: &Address| {
            names::node_of(name).is_some() || noted.contains(&(name.to_owned(), a.address))
        };
        let socket = [libc::AF_INET, libc::AF_INET6]
            .into_iter()
            .find_map(|domain| sys::socket(domain, libc::SOCK_DGRAM, 0).ok());
        let ours = |a: &Address| {
            let link = links.get(a.index);
            link.is_some_and(|link| is_ours(&link.name, a))
        };
        Ok(Self::new(&links, ours, socket.as_ref()))
    }

    pub(crate) fn new(
        links: &Links,
        ours: impl Fn(&Address) -> bool,
        socket: Option<&OwnedFd>,
    ) -> Self {
        let kind =
            |link: &route::Link| socket.map_or(link.kind, |fd| sys::interface_kind(fd, link));
        let addresses = links.all().flat_map(|(_, addresses)| addresses);
        let installed = addresses.filter(|a| ours(a));
        Self {
            ours: installed.map(|a| (a.index, a.address)).collect(),
            kinds: links
                .all()
                .map(|(link, _)| (link.index, kind(link)))
                .collect(),
            interfaces: links.facts(&ours),
            links: links.clone(),
        }
    }
}

impl Facts for FreebsdFacts {
    fn interfaces(&self) -> &[OwnInterface] {
        &self.interfaces
    }

    fn refusals(&self, spec: &VrSpec) -> Vec<String> {
        // That an interface is no Ethernet is said for every MAC mode, from the interfaces.
        let is_ethernet = |index| {
            let link = self.links.get(index);
            link.is_some_and(|link| link.mac != MacAddr([0; 6]))
        };
        let kind = |index| match self.kinds.get(&index) {
            Some(kind) if is_ethernet(index) => *kind,
            _ => IFT_ETHER,
        };
        let ours = |index, ip| self.ours.contains(&(index, ip));
        refusals::refusals(&self.links, &Wish::of_spec(spec), kind, ours)
    }
}

/// The addresses that the ledgers in a directory speak of. Only root reads them.
fn noted(directory: &Path) -> BTreeSet<(String, IpAddr)> {
    let entries = sys::jail().map(|jail| ledger::entries_at(directory, jail));
    let addresses = entries.unwrap_or_default().into_iter();
    let addresses = addresses.filter_map(|entry| match entry {
        Entry::Address { device, address } => Some((device, address)),
        _ => None,
    });
    addresses.collect()
}
