//! Removes what a dead process has left.

use std::io;

use vrrp_core::VirtualAddress;

use crate::ledger::{Entry, Leftover};
use crate::links::Links;
use crate::macvlan::{link_alias, link_group};
use crate::netlink::{self, Netlink, OUR_PROTOCOL};
use crate::sys;
use crate::sysctl;

/// Removes everything in the ledger that still bears our mark, then the ledger.
pub(crate) fn clean(netlink: &mut Netlink, leftover: Leftover) -> io::Result<()> {
    // Its macvlans at once, which is far quicker than one by one. No link but its own is in its
    // group; where there is none this is refused, and those that it had not marked yet follow.
    let group = link_group(&leftover.token);
    let _ = netlink.perform(|to| netlink::delete_group(to, group));
    let mut links = Links::default();
    for ask in [netlink::dump_links, netlink::dump_addresses] {
        for event in netlink.dump(ask)? {
            links.apply(event);
        }
    }
    let marks = marks_addresses(&sys::kernel_release());
    let alias = link_alias(&leftover.token);
    for entry in &leftover.entries {
        let result = match entry {
            Entry::Link { name, mac } => {
                let link = links.find(name).and_then(|index| links.get(index));
                // It was killed between making the link and marking it, if there is no mark.
                let ours = |alias_now: &str| alias_now == alias || alias_now.is_empty();
                match link.filter(|link| link.mac == *mac && ours(&link.alias)) {
                    Some(link) => netlink.perform(|to| netlink::delete_link(to, link.index)),
                    None => Ok(()),
                }
            }
            Entry::Address {
                device,
                address,
                prefix_len,
            } => {
                let address = VirtualAddress {
                    address: *address,
                    prefix_len: *prefix_len,
                };
                let index = links.find(device);
                let known = index.and_then(|index| links.address(index, address.address));
                match known.filter(|known| !marks || known.protocol == OUR_PROTOCOL) {
                    Some(known) => {
                        netlink.perform(|to| netlink::address(to, known.index, address, false))
                    }
                    None => Ok(()),
                }
            }
            // The route's protocol is part of the request: no route but ours fits it.
            Entry::Route { address } => {
                netlink.perform(|to| netlink::blackhole(to, *address, false))
            }
            Entry::Setting {
                device,
                name,
                old,
                new,
            } => {
                if let Some(index) = links.find(device) {
                    sysctl::restore(netlink, (index, device), name, old, new);
                }
                Ok(())
            }
        };
        match result.as_ref().map_err(io::Error::raw_os_error) {
            // Gone meanwhile.
            Err(Some(libc::ENODEV | libc::ESRCH | libc::EADDRNOTAVAIL)) | Ok(()) => {}
            _ => return result,
        }
    }
    leftover.discard();
    Ok(())
}

/// Whether a kernel keeps the mark on addresses (IFA_PROTO, since 5.18).
pub(crate) fn marks_addresses(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next()?.parse::<u32>().ok();
    (number(), number()) >= (Some(5), Some(18))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_bear_marks_since_5_18() {
        for (release, marks) in [
            ("5.17.9", false),
            ("5.18.0-rc1", true),
            ("6.1.0-18-amd64", true),
            ("4.19", false),
            ("10.0", true),
            ("?", false),
        ] {
            assert_eq!(marks_addresses(release), marks, "{release}");
        }
    }
}
