//! Checks a capture against the RFC's demands on everything that a router sends.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::capture::Seen;
use super::decode::{Advert, Checksum, Mac};
use super::{Host, Vr};

/// A rule that was broken, and by which frame.
pub type Breach = String;

/// A sender of frames on the segment.
pub trait Sender: std::fmt::Debug {
    /// Its name.
    fn name(&self) -> &str;
    /// The MAC of its interface.
    fn mac(&self) -> Mac;
    /// Its own IPv4 address.
    fn v4(&self) -> Ipv4Addr;
    /// Its link-local IPv6 address.
    fn link_local(&self) -> Ipv6Addr;
}

impl Sender for Host {
    fn name(&self) -> &str {
        self.name()
    }
    fn mac(&self) -> Mac {
        self.mac()
    }
    fn v4(&self) -> Ipv4Addr {
        self.v4()
    }
    fn link_local(&self) -> Ipv6Addr {
        self.link_local()
    }
}

/// The rules for one host that takes part in one virtual router as it is configured there.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The host.
    pub host: &'a dyn Sender,
    /// Its virtual router.
    pub vr: &'a Vr,
}

impl Rules<'_> {
    /// The MAC that must stand for the virtual addresses while the host is master.
    pub fn mac(&self) -> Mac {
        if self.vr.vmac {
            self.vr.virtual_mac()
        } else {
            self.host.mac()
        }
    }

    /// Everything in `seen` that the host should not have sent, or not so.
    pub fn breaches(&self, seen: &[Seen]) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for seen in seen.iter().filter(|seen| *seen.host == *self.host.name()) {
            let mut found = Vec::new();
            self.source(seen, &mut found);
            if let Some(advert) = seen.advert().filter(|advert| advert.vrid == self.vr.vrid) {
                self.advert(seen, advert, &mut found);
            }
            self.announcement(seen, &mut found);
            breaches.extend(found.iter().map(|rule| format!("{rule}: {seen:?}")));
        }
        breaches
    }

    /// Only the interface's own MAC and the virtual one ever appear.
    fn source(&self, seen: &Seen, found: &mut Vec<&'static str>) {
        let allowed = [self.host.mac(), self.mac()];
        if !allowed.contains(&seen.frame.src) {
            found.push("a MAC that is neither the interface's nor the virtual one");
        }
    }

    /// RFC 9568 sections 5.1, 5.2 and 7.2; RFC 3768 section 5.3 for version 2.
    fn advert(&self, seen: &Seen, advert: &Advert, found: &mut Vec<&'static str>) {
        let v6 = self.vr.is_v6();
        let (group, group_mac, from): (IpAddr, Mac, IpAddr) = if v6 {
            let group = std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
            let mac = Mac([0x33, 0x33, 0, 0, 0, 0x12]);
            (group.into(), mac, self.host.link_local().into())
        } else {
            let group = std::net::Ipv4Addr::new(224, 0, 0, 18);
            let mac = Mac([1, 0, 0x5e, 0, 0, 0x12]);
            (group.into(), mac, self.host.v4().into())
        };
        let checks = [
            (
                seen.frame.src == self.mac(),
                "source MAC of an advertisement",
            ),
            (
                seen.frame.dst == group_mac,
                "destination MAC of an advertisement",
            ),
            (advert.from == from, "source address of an advertisement"),
            (
                advert.to == group,
                "destination address of an advertisement",
            ),
            (advert.ttl == 255, "TTL"),
            (advert.header_checksum_ok, "checksum of the IPv4 header"),
            (advert.kind == 1, "type"),
            (advert.version == self.vr.version, "version"),
            (self.checksum_ok(advert), "checksum"),
            (advert.interval_cs == self.vr.interval_cs, "interval"),
            (advert.addresses == self.vr.addresses, "addresses"),
            (advert.auth == self.auth(), "authentication"),
            ([0, self.vr.priority].contains(&advert.priority), "priority"),
        ];
        found.extend(checks.iter().filter(|(ok, _)| !ok).map(|(_, rule)| *rule));
    }

    /// Version 2 has no pseudo-header, IPv6 always has one, version 3 over IPv4 is read both ways.
    fn checksum_ok(&self, advert: &Advert) -> bool {
        match (advert.checksum, self.vr.version, self.vr.is_v6()) {
            (Checksum::Bad, ..) => false,
            (form, _, true) => form == Checksum::Pseudo,
            (form, 2, _) => form == Checksum::Message,
            _ => true,
        }
    }

    fn auth(&self) -> Option<(u8, [u8; 8])> {
        if self.vr.version != 2 {
            return None;
        }
        let mut data = [0; 8];
        let Some(password) = &self.vr.password else {
            return Some((0, data));
        };
        for (to, from) in data.iter_mut().zip(password.bytes()) {
            *to = from;
        }
        Some((1, data))
    }

    /// Each frame that binds a virtual address to a MAC binds it to the one MAC, and says so from it
    /// (RFC 9568 sections 8.1.2 and 8.2.2).
    fn announcement(&self, seen: &Seen, found: &mut Vec<&'static str>) {
        let virtual_address = |address: IpAddr| self.vr.addresses.contains(&address);
        if let Some(arp) = seen.arp().filter(|arp| virtual_address(arp.spa.into())) {
            if arp.sha != self.mac() || seen.frame.src != self.mac() {
                found.push("ARP binds a virtual address to the wrong MAC");
            }
            // FreeBSD's kernel answers who announces an address that it has: while two have it.
            let defends = cfg!(target_os = "freebsd") && arp.op == 2;
            if arp.is_gratuitous() && seen.frame.dst != Mac::BROADCAST && !defends {
                found.push("gratuitous ARP to somebody");
            }
        }
        let Some(neighbour) = seen.neighbour() else {
            return;
        };
        if neighbour.hop_limit != 255 || !neighbour.checksum_ok {
            found.push("neighbour discovery with a wrong hop limit or checksum");
        }
        let binds = match neighbour.kind {
            136 => virtual_address(neighbour.target.into()),
            _ => virtual_address(neighbour.from.into()),
        };
        let wrong = neighbour.link.is_some_and(|link| link != self.mac());
        if binds && (wrong || seen.frame.src != self.mac()) {
            found.push("neighbour discovery binds a virtual address to the wrong MAC");
        }
    }
}

/// The hosts, and the MACs they named, that answered ARP or neighbour solicitations for `address`.
pub fn answers(seen: &[Seen], address: IpAddr) -> BTreeSet<(String, Mac)> {
    seen.iter()
        .filter_map(|seen| {
            let arp = seen.arp().filter(|arp| arp.op == 2 && arp.spa == address);
            let neighbour = seen.neighbour().filter(|neighbour| {
                neighbour.kind == 136 && neighbour.target == address && neighbour.flags & 0x40 != 0
            });
            let mac = arp
                .map(|arp| arp.sha)
                .or(neighbour.map(|neighbour| neighbour.link.unwrap_or(seen.frame.src)))?;
            Some((seen.host.to_string(), mac))
        })
        .collect()
}
