//! The virtual addresses, unicast peers and source of one virtual router: one table, and what the
//! port serves of it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heapless::Vec;

use crate::config::VrConfig;
use crate::engine::SMALL;
use crate::error::Error;
use crate::output::Output;
use crate::types::{Family, VirtualAddress, VrKey, is_link_local};

/// A virtual address, a unicast peer or the source.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Entry {
    octets: [u8; 16],
    prefix_len: u8,
    /// A [`Role`], [`SERVED`](Self::SERVED) and [`ACCEPT`](Self::ACCEPT).
    bits: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Address = 0,
    /// An address that was removed from the configuration while it is served.
    Leaving = 1,
    Peer = 2,
    /// The address to advertise from, or the group to advertise to: by the
    /// [prefix](Entry::OF_GROUP).
    Source = 3,
}

impl Entry {
    const ROLE: u8 = 0b0011;
    /// The port serves it.
    const SERVED: u8 = 0b0100;
    /// The port serves it with Accept_Mode.
    const ACCEPT: u8 = 0b1000;
    /// The prefix length of a group among those of [`Role::Source`], where the source has 0.
    const OF_GROUP: u8 = 1;

    fn new(address: &VirtualAddress, bits: u8) -> Self {
        Self {
            octets: match address.address {
                IpAddr::V4(v4) => {
                    let [a, b, c, d] = v4.octets();
                    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
                }
                IpAddr::V6(v6) => v6.octets(),
            },
            prefix_len: address.prefix_len,
            bits,
        }
    }

    fn role(&self) -> Role {
        match self.bits & Self::ROLE {
            0 => Role::Address,
            1 => Role::Leaving,
            2 => Role::Peer,
            _ => Role::Source,
        }
    }

    /// Whether it is a virtual address.
    pub(in crate::engine) fn is_virtual(&self) -> bool {
        matches!(self.role(), Role::Address | Role::Leaving)
    }

    /// Whether the port serves it, as far as the engine was told.
    pub(in crate::engine) fn is_served(&self) -> bool {
        self.bits & Self::SERVED != 0
    }

    /// Whether the port takes packets to it.
    pub(in crate::engine) fn is_accepted(&self) -> bool {
        self.bits & Self::ACCEPT != 0
    }

    fn serve(&mut self, accept: bool) {
        self.give_up();
        self.bits |= Self::SERVED | if accept { Self::ACCEPT } else { 0 };
    }

    fn give_up(&mut self) {
        self.bits &= Self::ROLE;
    }

    #[cfg_attr(not(feature = "large"), inline(never))]
    pub(in crate::engine) fn ip(&self, family: Family) -> IpAddr {
        if family.is_ipv6() {
            return IpAddr::V6(Ipv6Addr::from(self.octets));
        }
        let [a, b, c, d, ..] = self.octets;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    }

    /// The address as it stands in a message.
    pub(super) fn octets(&self, family: Family) -> &[u8] {
        self.octets
            .get(..family.address_len())
            .unwrap_or(&self.octets)
    }

    /// The rest of `bytes` if they begin with this address.
    pub(super) fn strip<'a>(&self, family: Family, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let [a, b, c, d, ..] = self.octets;
        match family {
            Family::Ipv4 => bytes.strip_prefix(&[a, b, c, d]),
            Family::Ipv6 => bytes.strip_prefix(&self.octets),
        }
    }

    fn identity(&self) -> (Role, [u8; 16], u8) {
        (self.role(), self.octets, self.prefix_len)
    }

    pub(in crate::engine) fn virtual_address(&self, family: Family) -> VirtualAddress {
        VirtualAddress {
            address: self.ip(family),
            prefix_len: self.prefix_len,
        }
    }
}

/// A change of what the port serves.
#[derive(Clone, Copy)]
pub(in crate::engine) struct AddressChange {
    entry: Entry,
    accept: bool,
    on: bool,
}

impl AddressChange {
    /// Its output, for the virtual router of `key`.
    pub(in crate::engine) fn output(&self, key: VrKey) -> Output<'static> {
        Output::SetAddress {
            key,
            address: self.entry.virtual_address(key.family),
            accept: self.accept,
            on: self.on,
        }
    }
}

/// Addresses, then peers, then the source, then the group, then addresses that are leaving.
#[derive(Clone)]
pub(in crate::engine) struct Entries<const ADDRS: usize> {
    // Its length, too, is as short as it can be.
    list: Vec<Entry, ADDRS, u16>,
    addresses: u16,
    peers: u16,
}

impl<const ADDRS: usize> Entries<ADDRS> {
    pub(super) const fn new() -> Self {
        Self {
            list: Vec::new(),
            addresses: 0,
            peers: 0,
        }
    }

    /// The entries that `config` asks for. What the port serves now stays among them until the port
    /// was told otherwise.
    pub(super) fn merged(&self, key: VrKey, config: &VrConfig<'_>) -> Result<Self, Error> {
        let mut merged = Self::new();
        // The first advertised IPv6 address is link-local (V-9).
        let first = key.family.is_ipv6().then(|| first_link_local(key, config));
        if let Some(first) = &first {
            merged.add(first, Role::Address as u8)?;
        }
        for address in config.addresses {
            if first.is_none_or(|first| first.address != address.address) {
                merged.add(address, Role::Address as u8)?;
            }
        }
        merged.addresses = merged.list.len() as u16;
        for &peer in config.peers {
            merged.add(&host(peer), Role::Peer as u8)?;
        }
        merged.peers = config.peers.len() as u16;
        if let Some(source) = config.source.filter(|_| !SMALL) {
            merged.add(&host(source), Role::Source as u8)?;
        }
        if let Some(address) = config.settings.group.filter(|_| !SMALL) {
            let group = VirtualAddress {
                address,
                prefix_len: Entry::OF_GROUP,
            };
            merged.add(&group, Role::Source as u8)?;
        }
        for old in self.list.iter().filter(|e| e.is_served()) {
            let same = merged.list.iter_mut().find(|e| {
                e.role() == Role::Address
                    && e.octets == old.octets
                    && e.prefix_len == old.prefix_len
            });
            match same {
                Some(entry) => entry.serve(old.is_accepted()),
                None => {
                    let bits = old.bits & !Entry::ROLE | Role::Leaving as u8;
                    merged.add(&old.virtual_address(key.family), bits)?;
                }
            }
        }
        Ok(merged)
    }

    #[cfg_attr(not(feature = "large"), inline(never))]
    fn add(&mut self, address: &VirtualAddress, bits: u8) -> Result<(), Error> {
        let entry = Entry::new(address, bits);
        self.list.push(entry).map_err(|_| Error::AddressTableFull)
    }

    /// Whether both have the same addresses, peers and source in the same order.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let identities = other.list.iter().map(Entry::identity);
        self.list.iter().map(Entry::identity).eq(identities)
    }

    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter()
    }

    /// The virtual addresses, in the order in which they are advertised.
    pub(in crate::engine) fn addresses(&self) -> &[Entry] {
        let addresses = self.list.get(..self.addresses.into());
        addresses.unwrap_or_default()
    }

    /// The number of unicast peers. Zero: advertisements go to the group.
    pub(super) fn peer_count(&self) -> u16 {
        self.peers
    }

    /// The unicast peers.
    pub(super) fn peers(&self, family: Family) -> impl ExactSizeIterator<Item = IpAddr> + '_ {
        let (from, count) = (self.addresses.into(), self.peers.into());
        let peers = self.list.get(from..).unwrap_or_default();
        peers.iter().take(count).map(move |e| e.ip(family))
    }

    /// The address to advertise from, where it was chosen (G-6).
    pub(super) fn source(&self, family: Family) -> Option<IpAddr> {
        if SMALL {
            return None;
        }
        self.of_source(0, family)
    }

    /// The group to advertise to, where that is not the RFC's.
    // Out of line, as few have one.
    #[cold]
    pub(super) fn group(&self, family: Family) -> Option<IpAddr> {
        self.of_source(Entry::OF_GROUP, family)
    }

    /// The entry of [`Role::Source`] with this prefix length: there are two at most.
    fn of_source(&self, prefix_len: u8, family: Family) -> Option<IpAddr> {
        let rest = self.list.get(usize::from(self.addresses + self.peers)..)?;
        let mut entries = rest.iter().take(2);
        let entry = entries.find(|e| e.role() == Role::Source && e.prefix_len == prefix_len)?;
        Some(entry.ip(family))
    }

    /// The first difference between what is wanted and what the port serves, noted as applied.
    /// Addresses to give up come before addresses to serve. Only an Active router serves any.
    pub(super) fn next_change(&mut self, serves: bool, accepts: bool) -> Option<AddressChange> {
        let stays = |role| serves && role == Role::Address;
        for entry in &mut self.list {
            let accept = entry.is_accepted();
            if entry.is_served() && (!stays(entry.role()) || accept != accepts) {
                entry.give_up();
                return Some(AddressChange {
                    entry: *entry,
                    accept,
                    on: false,
                });
            }
        }
        for entry in &mut self.list {
            if !entry.is_served() && stays(entry.role()) {
                entry.serve(accepts);
                return Some(AddressChange {
                    entry: *entry,
                    accept: accepts,
                    on: true,
                });
            }
        }
        self.list
            .retain(|e| e.is_served() || e.role() != Role::Leaving);
        None
    }

    /// Notes that the port does not serve an address. Says whether it was thought to.
    pub(super) fn was_lost(&mut self, family: Family, address: IpAddr) -> bool {
        let served = |e: &&mut Entry| e.is_served() && e.ip(family) == address;
        let lost = self.list.iter_mut().find(served);
        lost.map(Entry::give_up).is_some()
    }
}

/// An address that has no prefix.
fn host(address: IpAddr) -> VirtualAddress {
    VirtualAddress {
        address,
        prefix_len: 0,
    }
}

/// The link-local address that is formed from the virtual MAC 00:00:5e:00:02:00 by the modified EUI-64
/// (RFC 4291 appendix A). The last octet is that of the VRID.
const FORMED: u128 = 0xfe80_0000_0000_0000_0200_5eff_fe00_0200;

/// The link-local address to advertise first: the first one configured, or else the one formed from
/// the virtual MAC by the modified EUI-64 (RFC 4291 appendix A).
#[cfg_attr(not(feature = "large"), inline(never))]
fn first_link_local(key: VrKey, config: &VrConfig<'_>) -> VirtualAddress {
    let link_local = |a: &&VirtualAddress| match a.address {
        IpAddr::V6(v6) => is_link_local(&v6),
        IpAddr::V4(_) => false,
    };
    config
        .addresses
        .iter()
        .find(link_local)
        .copied()
        .unwrap_or_else(|| VirtualAddress {
            address: IpAddr::V6(Ipv6Addr::from_bits(FORMED | u128::from(key.vrid.get()))),
            prefix_len: 64,
        })
}
