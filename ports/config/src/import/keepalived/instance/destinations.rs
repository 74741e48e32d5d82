//! The peers, the source and the group of an instance.

use std::net::IpAddr;

use super::{Instance, base};
use crate::diagnostic::found;
use crate::import::keepalived::Importer;
use crate::import::keepalived::globals::Globals;
use crate::import::keepalived::tree::Statement;
use crate::import::output::{Section, knows};
use crate::import::report::At;

/// The `maxhops` that lets in a hop limit of 64, the kernel's default: the lowest let in is 256 less it.
const KERNEL_HOPS: &str = "192";

impl<'s> Instance<'s> {
    pub(super) fn peers(&mut self, s: &'s Statement, importer: &mut Importer<'_>) {
        s.settle();
        self.unicast = Some(s.at);
        for line in s.inner() {
            let Ok(peer) = line.keyword().parse::<IpAddr>() else {
                let text = format!(
                    "unicast_peer: expected an address, found {}; keepalived passes over it",
                    found(line.keyword())
                );
                importer.error(line, text);
                continue;
            };
            let mut words = line.words.iter().skip(1).map(String::as_str);
            while let Some(word) = words.next() {
                match word {
                    "min_ttl" | "max_ttl" => {
                        let ttl = words.next().unwrap_or_default();
                        let text =
                            format!("{word} {ttl} of {peer}: see maxhops, which is for all peers");
                        importer.report.differs(line.at, text);
                    }
                    word => {
                        let text = format!(
                            "unicast_peer: expected one address on a line, found {}; keepalived passes over it",
                            found(word)
                        );
                        importer.report.error(line.at, text);
                    }
                }
            }
            self.peers.push((peer, line));
            line.settle();
        }
    }

    /// Writes peers and source. `false`: the peers would not hear this host.
    pub(super) fn unicast(
        &self,
        is_v6: bool,
        strict: bool,
        interface: &str,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) -> bool {
        if let Some((source, s)) = self.source {
            let link_local = matches!(source, IpAddr::V6(v6) if v6.is_unicast_link_local());
            if source.is_ipv6() != is_v6 {
                let text = format!(
                    "{} is not of the family of the addresses; keepalived takes that of the interface",
                    found(s.word(1))
                );
                importer.report.error(s.at, text);
            } else if is_v6 && self.peers.is_empty() && !link_local {
                let text = format!(
                    "{source}: advertisements over IPv6 leave from a link-local address here, as the protocol has it"
                );
                importer.report.differs(s.at, text);
            } else {
                section.put("source", source.to_string(), s.at);
            }
        }
        let Some(at) = self.unicast else {
            return true;
        };
        let mut peers: Vec<IpAddr> = Vec::new();
        for (peer, line) in &self.peers {
            if peer.is_ipv6() != is_v6 {
                importer.report.error(
                    line.at,
                    format!(
                        "{peer} is not of the family of the addresses; keepalived passes over it"
                    ),
                );
            } else if peers.contains(peer) {
                importer
                    .report
                    .error(line.at, format!("{peer} is there already"));
            } else if self.source.is_some_and(|(source, _)| source == *peer) {
                importer.report.error(
                    line.at,
                    format!("{peer} is the address of this host itself; it is left out"),
                );
            } else {
                peers.push(*peer);
                importer.report.carry();
            }
        }
        if peers.is_empty() {
            importer.report.note(
                at,
                "there are no peers, so that keepalived uses multicast, too",
            );
            return true;
        }
        if strict && !is_v6 {
            importer.report.note(at, "vrrp_strict and peers do not go together for some versions of keepalived; the peers are carried over");
        }
        let text: Vec<String> = peers.iter().map(ToString::to_string).collect();
        section.put("peers", text.join(", "), at);
        self.hops(is_v6, at, &peers, interface, section, importer);
        true
    }

    /// Writes how many links the advertisements of the peers may seem to have crossed.
    fn hops(
        &self,
        is_v6: bool,
        at: At,
        peers: &[IpAddr],
        interface: &str,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) {
        let networks = importer.surroundings.networks(interface);
        let near = |peer: &IpAddr| {
            networks
                .iter()
                .any(|(own, prefix)| is_beside(*own, *prefix, *peer))
        };
        if self.ttl.is_some_and(|(ttl, _)| ttl < 255) || !peers.iter().all(near) {
            section.put("maxhops", "255", self.ttl.map_or(at, |(_, at)| at));
            let text = "keepalived does not look at the TTL of unicast advertisements, and neither does maxhops = 255; take the line out where all peers are on this network and send a TTL of 255";
            importer.report.note(at, text);
        } else if is_v6 && self.ttl.is_none() {
            section.put("maxhops", KERNEL_HOPS, at);
            let text = format!(
                "without unicast_ttl keepalived sends unicast over IPv6 with the hop limit of the kernel, 64, which maxhops = {KERNEL_HOPS} lets in; take the line out when no host runs keepalived any more, or give keepalived unicast_ttl 255"
            );
            importer.report.note(at, text);
        }
        if let Some((ttl, at)) = self.ttl.filter(|(ttl, _)| *ttl < 255) {
            importer
                .report
                .differs(at, format!("unicast_ttl {ttl}: vrrpd sends 255"));
        }
    }

    /// Writes another multicast group. `false`: the others would not be heard.
    pub(super) fn multicast(
        &self,
        is_v6: bool,
        globals: &Globals,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) -> bool {
        let mut all = globals.groups.iter().rev();
        let global = all.find(|(group, _)| group.is_ipv6() == is_v6).copied();
        let Some((group, at)) = self
            .group
            .or(global)
            .filter(|_| section.get("peers").is_none())
        else {
            return true;
        };
        let usual = if is_v6 { "ff02::12" } else { "224.0.0.18" };
        if group.to_string() == usual {
            return true;
        }
        if group.is_ipv6() != is_v6 {
            importer
                .report
                .error(at, format!("{group} is not of the family of the addresses"));
            return true;
        }
        if knows(&format!("{}group = {group}", base(is_v6))) {
            section.put("group", group.to_string(), at);
            return true;
        }
        let text = format!(
            "{group}: vrrpd knows the group {usual} alone; let all hosts use that one first, or peers"
        );
        importer.report.lost(at, text);
        false
    }
}

/// Whether a peer is in the network of an address.
pub(super) fn is_beside(own: IpAddr, prefix: u8, peer: IpAddr) -> bool {
    match (own, peer) {
        (IpAddr::V4(own), IpAddr::V4(peer)) => {
            let left = u32::from(32 - prefix.min(32));
            let shift = |address: std::net::Ipv4Addr| address.to_bits().checked_shr(left);
            shift(own) == shift(peer)
        }
        (IpAddr::V6(own), IpAddr::V6(peer)) => {
            let left = u32::from(128 - prefix.min(128));
            let shift = |address: std::net::Ipv6Addr| address.to_bits().checked_shr(left);
            peer.is_unicast_link_local() || shift(own) == shift(peer)
        }
        _ => false,
    }
}
