//! Keeps IPv4 virtual addresses behind the host's own ones.
//!
//! Of the addresses of one subnet on an interface the first is primary, and the others are secondary.
//! The primary address is the source of connections and has the route to the subnet. When it goes, the
//! secondary ones go with it. A virtual address must do none of that. So it is installed with its
//! prefix only where the host has an address of that subnet. Otherwise it gets a prefix of 32, which
//! is a subnet of its own.

use std::io;
use std::net::IpAddr;

use vrrp_core::VirtualAddress;
use vrrp_port_kit::KernelIf;

use crate::links::Links;
use crate::netlink::{self, Address, Event, Netlink};
use crate::state::State;
use crate::sysctl::apply::promotion;

impl State {
    /// A virtual address with the prefix that it has, or is to have, on an interface.
    pub(crate) fn as_installed(&self, index: KernelIf, address: VirtualAddress) -> VirtualAddress {
        if address.address.is_ipv6() || self.is_macvlan(index) {
            return address;
        }
        let mut same = self.links.same_addresses(index, address.address);
        let known = same.find(|a| self.is_ours(a));
        let is_before = |a: &Address| !self.is_ours(a) && a.is_in_subnet_of(address);
        let prefix_len = match known {
            Some(known) => known.prefix_len,
            None if self.links.unmarked_addresses(index).any(is_before) => address.prefix_len,
            None => 32,
        };
        VirtualAddress {
            prefix_len,
            ..address
        }
    }

    /// Whether an address is a virtual one that has become the primary one of its subnet: the host's
    /// own has been removed, and may have come back behind it.
    pub(crate) fn has_come_first(&self, address: &Address) -> bool {
        matches!(address.address, IpAddr::V4(_))
            && address.prefix_len < 32
            && !address.is_secondary()
            && !self.is_macvlan(address.index)
            && self.is_ours(address)
            && self
                .table
                .routers
                .is_installed(address.index, address.address)
    }

    /// Takes away addresses that have come first, for the host to install them again.
    pub(crate) fn take_first_ones(
        &self,
        netlink: &mut Netlink,
        links: &mut Links,
    ) -> io::Result<()> {
        let first = links.addresses().filter(|a| self.has_come_first(a));
        for address in first.copied().collect::<Vec<_>>() {
            let Some(link) = links.get(address.index) else {
                continue;
            };
            let wanted = VirtualAddress {
                address: address.address,
                prefix_len: address.prefix_len,
            };
            // Those of the host that are behind it stay.
            let promote = promotion(&link.name);
            netlink.perform(|to| {
                let index = address.index;
                if let Some((on, off)) = promote {
                    netlink::link_sysctls(to, index, &[on]);
                    netlink::address(to, index, wanted, false);
                    netlink::link_sysctls(to, index, &[off]);
                } else {
                    netlink::address(to, index, wanted, false);
                }
            })?;
            links.apply(Event::AddressGone(address));
        }
        Ok(())
    }
}
