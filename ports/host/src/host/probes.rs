//! Neighbour probes: a master asks the segment for its own addresses.
//!
//! A host that has an address of ours and announces nothing answers whoever asks for it, and is heard by
//! nobody else. So each virtual router that is Active asks for one of its addresses now and then, as any
//! neighbour would. It asks from the interface's own address and MAC, so that no neighbour cache binds a
//! virtual address to another MAC. The kernel does not hear its own question, and the other routers do not
//! have the address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vrrp_core::wire::{arp, ndisc};
use vrrp_core::{Duration, Instant, InterfaceState, State, VrKey};

use super::Host;
use super::core::Core;
use crate::host_if::HostIf;
use crate::platform::Platform;

/// The shortest time between two probes of this host.
const PAUSE: Duration = Duration::from_secs(1);
/// The time between two probes of one virtual router, and between two for one stranger.
const EACH: Duration = Duration::from_secs(10);
/// How long a virtual router has been Active before it asks: a successor and its predecessor may both
/// answer for a moment.
const SETTLED: Duration = Duration::from_secs(3);
/// The longest question: a neighbour solicitation.
const QUESTION_LEN: usize = 86;

/// When this host has asked.
#[derive(Debug, Default)]
pub(super) struct Probes {
    last: Instant,
    /// Whether the last one was for a host that is known to answer, or could have been.
    for_known: bool,
}

/// When a virtual router has asked, and for which of its addresses it asks next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probed {
    at: Instant,
    next: usize,
}

impl<P: Platform> Host<P> {
    /// Asks for an address, if it is time. It need not be on time, so that nothing is woken for it.
    pub(super) fn probe(&mut self, now: Instant) {
        if now.since(self.core.probes.last) < PAUSE || self.stopping {
            return;
        }
        self.core.probes.last = now;
        let Some((key, target)) = self.core.next_probe(now) else {
            return;
        };
        let Some(interface) = self.core.interfaces.get(HostIf::of(key)) else {
            return;
        };
        if let Some(frame) = question(&interface.state, target) {
            self.platform.probe(HostIf::of(key), &frame);
        }
    }
}

impl Core {
    /// The address to ask for, in turn: those of hosts that are known to answer, so that a warning lasts
    /// as long as they do, and the addresses of all.
    fn next_probe(&mut self, now: Instant) -> Option<(VrKey, IpAddr)> {
        let for_known = !self.probes.for_known;
        self.probes.for_known = for_known;
        // By interface, which may have thousands of addresses.
        let mut askers: BTreeMap<HostIf, bool> = BTreeMap::new();
        let mut asks = |core: &Self, key: VrKey| {
            let status = core.engine.status(key);
            status.is_some_and(|status| {
                status.state == State::Active
                    && !status.handing_over
                    && now.since(status.since) >= SETTLED
            }) && *askers
                .entry(HostIf::of(key))
                .or_insert_with(|| core.is_asker(key))
        };
        if for_known {
            let stranger = self.conflicts.stranger_to_ask(now, EACH);
            if let Some((key, target)) = stranger.filter(|(key, _)| asks(self, *key)) {
                self.conflicts.asked(now, key, target);
                return Some((key, target));
            }
            let holder = self.holder_to_ask(now, EACH);
            if let Some((key, target)) = holder.filter(|(key, _)| asks(self, *key)) {
                self.holders.asked(now, key);
                return Some((key, target));
            }
        }
        let due = self.vrs.iter();
        let due = due.filter(|(_, vr)| vr.state == State::Active);
        let due = due.filter(|(_, vr)| now.since(vr.probed.at) >= EACH);
        let mut due: Vec<(Instant, VrKey)> = due.map(|(key, vr)| (vr.probed.at, *key)).collect();
        due.sort_unstable();
        let (_, key) = due.into_iter().find(|(_, key)| asks(self, *key))?;
        let vr = self.vrs.get_mut(&key)?;
        let spec = vr.current.as_ref()?;
        let own = spec.addresses.iter().map(|entry| entry.address.address);
        let own: Vec<IpAddr> = own.filter(|a| spec.device_of(*a).is_none()).collect();
        let target = own.get(vr.probed.next.checked_rem(own.len())?).copied();
        vr.probed = Probed {
            at: now,
            next: vr.probed.next.wrapping_add(1),
        };
        target.map(|target| (key, target))
    }

    /// Whether the interface of a virtual router can ask without announcing a virtual address: that of an
    /// owner may have none but those.
    fn is_asker(&self, key: VrKey) -> bool {
        let Some(interface) = self.interfaces.get(HostIf::of(key)) else {
            return false;
        };
        let sources = [
            interface.state.ipv4.map(IpAddr::V4),
            interface.state.ipv6.map(IpAddr::V6),
        ];
        let on_it = self.vrs_on(HostIf::of(key));
        let specs = on_it.filter_map(|(_, vr)| vr.current.as_ref());
        let mut addresses = specs.flat_map(|spec| spec.addresses.iter().map(|a| a.address.address));
        interface.state.up && !addresses.any(|address| sources.contains(&Some(address)))
    }
}

/// The question for an address. Returns `None` if the interface has no address to ask from.
fn question(interface: &InterfaceState, target: IpAddr) -> Option<Vec<u8>> {
    let &InterfaceState {
        mac, ipv4, ipv6, ..
    } = interface;
    let mut frame = vec![0; QUESTION_LEN];
    let emitted = match target {
        IpAddr::V4(target) => arp::emit_request(&mut frame, mac, ipv4?, target),
        IpAddr::V6(target) => ndisc::emit_solicitation(&mut frame, mac, ipv6?, target),
    };
    frame.truncate(emitted?.len);
    Some(frame)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use vrrp_core::MacAddr;

    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    #[test]
    fn the_questions_are_sound() {
        let interface = InterfaceState {
            up: true,
            mac: MAC,
            ipv4: Some([10, 0, 0, 1].into()),
            ipv6: Some("fe80::1".parse().unwrap()),
        };
        let ask = |target: IpAddr| question(&interface, target).expect("it has a source");
        let frame = ask([10, 0, 0, 101].into());
        let request = arp::Request::new(&frame[14..]).expect("a request");
        assert_eq!(request.sender_mac, MAC);
        assert_eq!(request.sender_ip, Ipv4Addr::from([10, 0, 0, 1]));
        assert_eq!(request.target_ip, Ipv4Addr::from([10, 0, 0, 101]));
        let (source, target) = (
            "fe80::1".parse().unwrap(),
            "2001:db8::12:3456".parse().unwrap(),
        );
        let frame = ask(IpAddr::V6(target));
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        let asked = ndisc::Solicitation::new(&frame[14..]).expect("with a good checksum");
        assert_eq!((asked.source, asked.target), (source, target));
        assert_eq!(asked.source_mac, Some(MAC));
    }
}
