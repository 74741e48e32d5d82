//! The gate between a device and a stack: whatever comes from either side, at any time.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vrrp_core::gate::{Action, Addressee, Discard, Gate, GateKey, Received, max_frame_len};
use vrrp_core::{Duration, Family, Instant, MacAddr, Priority, State, Status, VrKey, Vrid};

use crate::engine::up;
use crate::facts::{some_interface, with_config};
use crate::octets::Octets;
use crate::packets;

const VRS: usize = 6;
const ADDRS: usize = 4;

/// More than any input can lead to: of each virtual router every address both ways, announcements
/// and advertisements, and two rounds of a report for every group.
const MOST_ACTIONS: usize = VRS * (ADDRS * 4 + 12) + 4 * (VRS * ADDRS + 2);

struct Bench {
    gate: Gate<VRS, ADDRS>,
    now: Instant,
    /// The addresses of the stack.
    stack: BTreeSet<(GateKey, IpAddr)>,
    /// Nothing has happened since the last time that everything was taken.
    settled: bool,
}

/// Performs what `octets` say.
///
/// # Panics
/// When the gate tells the stack what it knows already, hands over what is not for it, miscounts,
/// asks for a deadline that has passed, or does not end.
pub fn check(octets: &[u8]) {
    let mut octets = Octets(octets);
    let mut bench = Bench {
        gate: Gate::new(octets.u8().into()),
        now: Instant::from_micros(1_000_000),
        stack: BTreeSet::new(),
        settled: false,
    };
    bench.gate.set_interface(bench.now, up());
    while !octets.is_empty() {
        bench.operation(&mut octets);
    }
    let keys: Vec<GateKey> = bench.gate.keys().collect();
    for key in keys {
        // One that is being removed already says so.
        let _ = bench.gate.admin(bench.now).remove(key);
    }
    bench.settle(true);
    bench.pass(Duration::from_secs(600));
    assert_eq!(bench.gate.engine().keys().count(), 0);
    assert!(bench.stack.is_empty(), "{:?}", bench.stack);
    assert_eq!(bench.gate.poll_timeout(), None);
}

impl Bench {
    fn operation(&mut self, octets: &mut Octets<'_>) {
        let which = octets.u8();
        let Some(key) = some_key(octets) else { return };
        let (now, gate) = (self.now, &mut self.gate);
        // Refusals change nothing, which is checked by what comes after.
        match which % 16 {
            0 => drop(with_config(octets, key.into(), |config| {
                gate.admin(now).insert(key, config)
            })),
            1 => drop(with_config(octets, key.into(), |config| {
                gate.admin(now).reconfigure(key, config)
            })),
            2 => match octets.u8() % 4 {
                0 => drop(gate.admin(now).remove(key)),
                1 => drop(gate.admin(now).resign(key)),
                2 => drop(gate.admin(now).set_enabled(key, octets.bool())),
                _ => {
                    let priority = Priority::new(octets.u8());
                    let _ = gate.admin(now).set_priority(key, priority);
                }
            },
            3 => gate.set_interface(now, some_interface(octets)),
            4..8 => {
                let mut frame = packets::other(octets);
                if which & 0x40 != 0 {
                    packets::spoil(octets, &mut frame);
                }
                self.receive(&mut frame);
            }
            8 | 9 => {
                let mut frame = packets::advert(octets, key.into());
                if which & 0x40 != 0 {
                    packets::spoil(octets, &mut frame);
                }
                self.receive(&mut frame);
            }
            10..12 => {
                let mut frame = packets::other(octets);
                if which & 0x40 != 0 {
                    packets::spoil(octets, &mut frame);
                }
                self.send(&mut frame);
            }
            // A deadline that has passed is handled late.
            12 => {
                self.now = now + Duration::from_millis(octets.u16().into());
                self.gate.handle_timeout(self.now);
            }
            _ => self.pass(Duration::from_millis(u64::from(octets.u8()) * 20)),
        }
        match which >> 4 & 3 {
            // Several inputs may come before what follows is taken.
            0 => self.settled = false,
            1 => {
                // A device that is busy for a while.
                self.settle(false);
                self.now = self.now + Duration::from_millis(u64::from(octets.u8()) / 8);
            }
            _ => self.settle(true),
        }
    }

    fn picture(&self) -> Vec<Status> {
        let router = self.gate.engine();
        let mut keys: Vec<VrKey> = router.keys().collect();
        keys.sort();
        keys.iter().filter_map(|&key| router.status(key)).collect()
    }

    fn discards(&self) -> u32 {
        self.gate.discards().iter().map(|(_, count)| count).sum()
    }

    fn receive(&mut self, frame: &mut [u8]) {
        let (before, discards) = (self.picture(), self.discards());
        let mut buf = [0; max_frame_len(ADDRS)];
        let own = self.gate.interface().mac;
        let mut discarded = 0;
        match self.gate.receive(self.now, frame, &mut buf) {
            // Its effects are the engine's.
            Received::Engine => return,
            Received::Answer { frame, lesson } => {
                assert!([42, 86].contains(&frame.len()), "{frame:02x?}");
                if let Some((_, lesson)) = lesson {
                    assert_eq!(lesson.len(), frame.len());
                    assert_eq!(lesson[..6], own.0, "a lesson to another");
                }
            }
            Received::Discarded(reason) => {
                assert!(self.gate.discards().count(reason) > 0);
                assert_ne!(reason, Discard::FromUnserved);
                discarded = 1;
            }
            Received::Stack { to, virtual_mac } => {
                if let Addressee::Virtual(address) = to
                    && self.settled
                {
                    let there = self.stack.iter().any(|(_, ip)| *ip == address);
                    assert!(there, "{address} is not in the stack");
                }
                if virtual_mac {
                    assert_eq!(frame[..3], [0, 0, 0x5e]);
                    self.gate.show_own_mac(frame);
                    assert_eq!(frame[..6], own.0);
                }
            }
        }
        assert_eq!(self.discards(), discards + discarded);
        assert_eq!(
            self.picture(),
            before,
            "a frame for others moved the engine"
        );
    }

    fn send(&mut self, frame: &mut [u8]) {
        let discards = self.discards();
        let sent = self.gate.send(frame);
        assert_eq!(self.discards(), discards + u32::from(sent.is_err()));
        if sent.is_ok() {
            // A right checksum is left alone.
            let again = frame.to_vec();
            assert_eq!(self.gate.send(frame), Ok(()));
            assert_eq!(again, frame);
        }
    }

    /// Lets time pass, with a device that can send.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut turns = 0;
        while let Some(due) = self.gate.poll_timeout().filter(|&due| due <= end) {
            self.now = due.max(self.now);
            self.gate.handle_timeout(self.now);
            self.settle(true);
            let next = self.gate.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a deadline stays");
            turns += 1;
            assert!(turns < 1_000_000, "no end to what is due");
        }
        self.now = end;
    }

    /// Only who is Active speaks from a virtual MAC, or says that it stops.
    fn speaks_for(&self, source: MacAddr, frame: &[u8]) {
        let keys = self.gate.keys();
        let mut owners = keys.filter(|key| key.virtual_mac() == source);
        let key = owners.next().expect("a MAC of this host");
        let status = self.gate.engine().status(key).expect("it is there");
        let stops = match key.family {
            Family::Ipv4 => frame[23] == 112 && frame[36] == 0,
            Family::Ipv6 => frame[20] == 112 && frame[56] == 0,
        };
        assert!(status.state == State::Active || stops, "{status:?}");
    }

    /// Takes everything that there is to do.
    fn settle(&mut self, can_send: bool) {
        let mut buf = [0; max_frame_len(ADDRS)];
        let own = self.gate.interface().mac;
        let mut count = 0;
        while let Some(action) = self.gate.poll(self.now, can_send, &mut buf) {
            count += 1;
            assert!(count <= MOST_ACTIONS, "no end of actions");
            match action {
                Action::Send(frame) => {
                    assert!(can_send, "a frame for a busy device");
                    let source = MacAddr(frame[6..12].try_into().expect("six octets"));
                    if source != own {
                        self.speaks_for(source, frame);
                    }
                }
                Action::SetAddress { key, address, on } => {
                    let known = match on {
                        true => self.stack.insert((key, address.address)),
                        false => self.stack.remove(&(key, address.address)),
                    };
                    assert!(known, "{address:?} of {key:?}: {on} twice");
                }
                Action::SetFilter | Action::StateChange(_) => {}
                Action::Removed { key } => {
                    assert!(self.stack.iter().all(|(of, _)| *of != key));
                }
            }
        }
        self.settled = can_send;
    }
}

fn some_key(octets: &mut Octets<'_>) -> Option<GateKey> {
    let octet = octets.u8();
    let family = [Family::Ipv4, Family::Ipv6][usize::from(octet >> 7)];
    Some(GateKey::new(Vrid::new(octet % 8 + 1)?, family))
}
