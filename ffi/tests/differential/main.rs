//! The same operations through Rust and through C have the same results: answers, outputs, frames,
//! deadlines and status, for random operations with legal and illegal values.
#![allow(unsafe_code)]

mod words;

use std::mem::{size_of, zeroed};
use std::net::IpAddr;
use std::ptr::{null, null_mut};

use ::vrrp::*;
use vrrp_core::wire::{Claim, Datagram};
use vrrp_core::{
    Accepted, Engine, Error, Family, Instant, InterfaceState, MacAddr, Output, Poll, Priority,
    Track, TrackEffect, Verdict, VirtualAddress, VrKey, Vrid,
};

use words::{compare, failure, ip, key_of, legal, number, octets, track};

/// A call through C.
macro_rules! c {
    ($call:expr) => {
        // SAFETY: the handle is good, and what the call is given is there while it lasts.
        unsafe { $call }
    };
}

/// The capacities of the library by default.
type Table = Engine<16, 64, 16>;

/// A generator of numbers that are the same on every run: the seed is in the failure's message.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Both sides, and what they have in common.
struct Both {
    rust: Box<Table>,
    _storage: Vec<u64>,
    c: *mut vrrp,
    random: Random,
    now: u64,
    frames: Vec<Vec<u8>>,
    effects: Vec<vrrp_output>,
    transitions: u64,
    sent: u64,
}

impl Both {
    fn new(seed: u64) -> Self {
        assert_eq!(
            (
                vrrp_max_interfaces(),
                vrrp_max_routers(),
                vrrp_max_addresses()
            ),
            (16, 64, 16)
        );
        let mut storage = vec![0u64; vrrp_storage_size().div_ceil(8)];
        let mut c = null_mut();
        let size = storage.len() * 8;
        let made = c!(vrrp_init(
            storage.as_mut_ptr().cast(),
            size,
            VRRP_ABI,
            &mut c
        ));
        assert_eq!(made, VRRP_OK);
        Self {
            rust: Box::new(Table::new()),
            _storage: storage,
            c,
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            now: 1_000_000,
            frames: Vec::new(),
            effects: Vec::new(),
            transitions: 0,
            sent: 0,
        }
    }

    fn at(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// One of a few keys, so that they meet; now and then an illegal one.
    fn key(&mut self) -> (Option<VrKey>, vrrp_key) {
        let r = &mut self.random;
        let c = vrrp_key {
            ifindex: 1 + r.below(2) as u32,
            vrid: if r.chance(2) { 0 } else { 1 + r.below(3) as u8 },
            family: if r.chance(1) { 5 } else { *pick(r, &[4, 6]) },
        };
        let family = match c.family {
            4 => Some(Family::Ipv4),
            6 => Some(Family::Ipv6),
            _ => None,
        };
        let rust = Vrid::new(c.vrid).zip(family);
        let ifindex = c.ifindex;
        (
            rust.map(|(vrid, family)| VrKey {
                ifindex,
                vrid,
                family,
            }),
            c,
        )
    }

    fn administer(
        &mut self,
        rust: impl Fn(&mut Table, Instant, VrKey) -> Result<(), Error>,
        c: impl Fn(*mut vrrp, u64, *const vrrp_key) -> i32,
    ) {
        let (key, c_key) = self.key();
        let at = self.at();
        let expected = match key {
            Some(key) => number(rust(&mut self.rust, at, key)),
            None => VRRP_ERR_VALUE,
        };
        assert_eq!(c(self.c, self.now, &c_key), expected);
    }

    fn operate(&mut self) {
        let (c, now, at) = (self.c, self.now, self.at());
        match self.random.below(14) {
            0 => self.interface(),
            1 | 2 => self.configure(),
            3 if self.random.chance(20) => self.administer(
                |t, at, key| t.admin(at).remove(key),
                |c, now, key| c!(vrrp_remove(c, now, key)),
            ),
            3 | 4 => {
                let on = !self.random.chance(20);
                self.administer(
                    |t, at, key| t.admin(at).set_enabled(key, on),
                    |c, now, key| c!(vrrp_set_enabled(c, now, key, on.into())),
                );
            }
            5 => {
                let priority = self.random.below(256) as u8;
                self.administer(
                    |t, at, key| t.admin(at).set_priority(key, Priority::new(priority)),
                    |c, now, key| c!(vrrp_set_priority(c, now, key, priority)),
                );
            }
            6 => self.administer(
                |t, at, key| t.admin(at).resign(key),
                |c, now, key| c!(vrrp_resign(c, now, key)),
            ),
            7 => {
                let (object, up) = (self.random.below(3) as u16, self.random.chance(60));
                self.rust.admin(at).set_tracked(object, up);
                assert_eq!(c!(vrrp_set_tracked(c, now, object, up.into())), VRRP_OK);
            }
            8 if !self.effects.is_empty() => {
                let undone = *pick(&mut self.random, &self.effects);
                self.rust.handle_failure(at, failure(&undone));
                assert_eq!(c!(vrrp_handle_failure(c, now, &undone)), VRRP_OK);
            }
            9..=11 if !self.frames.is_empty() => self.receive(),
            _ => {
                // Mostly to the deadline, now and then past it.
                let next = self.rust.poll_timeout().map_or(now, Instant::as_micros);
                let late = if self.random.chance(10) {
                    self.random.below(5_000_000)
                } else {
                    0
                };
                self.now = now.max(next.min(now + 2_000_000)) + late;
                self.rust.handle_timeout(self.at());
                assert_eq!(c!(vrrp_handle_timeout(c, self.now)), VRRP_OK);
            }
        }
    }

    fn interface(&mut self) {
        let r = &mut self.random;
        let ifindex = 1 + r.below(2) as u32;
        if r.chance(5) {
            let removed = c!(vrrp_remove_interface(self.c, ifindex));
            assert_eq!(removed, number(self.rust.remove_interface(ifindex)));
            return;
        }
        let state = InterfaceState {
            up: r.chance(90),
            mac: MacAddr([2, 0, 0, 0, 0, ifindex as u8]),
            ipv4: r
                .chance(90)
                .then(|| [10, 0, 0, 1 + r.below(2) as u8].into()),
            ipv6: r.chance(90).then(|| [0xfe80, 0, 0, 0, 0, 0, 0, 1].into()),
        };
        let c_state = vrrp_interface {
            size: size_of::<vrrp_interface>() as u32,
            up: if state.up { 7 } else { 0 },
            mac: state.mac.0,
            ipv4: state.ipv4.map_or([0; 4], |a| a.octets()),
            ipv6: state.ipv6.map_or([0; 16], |a| a.octets()),
            reserved: 0,
        };
        let at = self.at();
        let expected = number(self.rust.set_interface(at, ifindex, state));
        let found = c!(vrrp_set_interface(self.c, self.now, ifindex, &c_state));
        assert_eq!(found, expected);
    }

    fn configure(&mut self) {
        let (key, c_key) = self.key();
        let r = &mut self.random;
        let v4 = c_key.family == 4 || r.chance(2);
        let address = |n: u8| -> IpAddr {
            match v4 {
                true => [10, 0, 0, 100 + n].into(),
                false if n == 0 => [0xfe80, 0, 0, 0, 0, 0, 0, 0x64].into(),
                false => [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(n)].into(),
            }
        };
        let addresses: Vec<VirtualAddress> = (0..r.below(4) as u8)
            .map(|n| VirtualAddress {
                address: address(n),
                prefix_len: 24,
            })
            .collect();
        let unicast = r.chance(10) && v4;
        let peers: Vec<IpAddr> = (0..u8::from(unicast))
            .map(|_| [10, 0, 0, 2].into())
            .collect();
        let tracks: Vec<Track> = (0..r.below(3) as u16)
            .map(|object| Track {
                object,
                effect: *pick(
                    r,
                    &[
                        TrackEffect::Fault,
                        TrackEffect::StandBack,
                        TrackEffect::WhileDown(-60),
                        TrackEffect::WhileUp(20),
                    ],
                ),
            })
            .collect();
        let mut c: vrrp_config = c!(zeroed());
        assert_eq!(
            c!(vrrp_config_init(&mut c, size_of::<vrrp_config>())),
            VRRP_OK
        );
        c.version = *pick(r, &[3, 3, 3, 2, 23, 4]);
        c.priority = *pick(r, &[0, 1, 100, 100, 150, 254, 255]);
        c.advert_interval_cs = *pick(r, &[100, 100, 200, 50, 4096, 0]);
        c.preempt = r.chance(80).into();
        c.accept = r.chance(30).into();
        c.max_hops = *pick(r, &[1, 1, 1, 2, 0]);
        c.mac_mode = u8::from(r.chance(10));
        c.checksum = r.below(3) as u8;
        c.owner_receive = r.below(2) as u8;
        c.on_conflict = r.below(2) as u8;
        c.unadvertised = *pick(r, &[0, 0, 0, 1, 2]);
        c.advertise_only = r.chance(10).into();
        c.address_check = r.below(2) as u8;
        if v4 && r.chance(20) {
            c.source = octets(*pick(r, &[[10, 0, 0, 3].into(), [10, 0, 0, 1].into()]));
        }
        c.auth = u8::from(r.chance(10));
        c.password = *b"password";
        c.announce_repeats = r.below(3) as u8;
        c.preempt_delay_us = *pick(r, &[0, 0, 3_000_000]);
        c.start_delay_us = *pick(r, &[0, 0, 2_000_000]);
        c.announce_refresh_us = *pick(r, &[0, 0, 10_000_000]);
        let insert = key.is_none_or(|key| self.rust.status(key).is_none());
        let expected = match (key, legal(&c, &addresses, &peers, &tracks)) {
            (None, _) => VRRP_ERR_VALUE,
            (_, Err(error)) => error,
            (Some(key), Ok(config)) => {
                let at = self.at();
                match insert {
                    true => number(self.rust.admin(at).insert(key, &config)),
                    false => number(self.rust.admin(at).reconfigure(key, &config)),
                }
            }
        };
        let addresses: Vec<_> = addresses
            .iter()
            .map(|a| vrrp_virtual_address {
                address: octets(a.address),
                prefix_len: a.prefix_len,
            })
            .collect();
        let peers: Vec<_> = peers.iter().map(|peer| octets(*peer)).collect();
        let tracks: Vec<_> = tracks.iter().map(|t| track(*t)).collect();
        (c.addresses, c.addresses_len) = (addresses.as_ptr(), addresses.len());
        (c.peers, c.peers_len) = (peers.as_ptr(), peers.len());
        (c.tracks, c.tracks_len) = (tracks.as_ptr(), tracks.len());
        let found = c!({
            match insert {
                true => vrrp_insert(self.c, self.now, &c_key, &c),
                false => vrrp_reconfigure(self.c, self.now, &c_key, &c),
            }
        });
        assert_eq!(found, expected, "{c:?}");
    }

    /// A frame that one side sent, often with another source and priority, now and then broken; by
    /// either door.
    fn receive(&mut self) {
        let at = self.at();
        let r = &mut self.random;
        let mut frame = pick(r, &self.frames).clone();
        for _ in 0..r.below(3) {
            let octet = r.below(frame.len() as u64) as usize;
            frame[octet] = r.next() as u8;
        }
        if r.chance(10) {
            frame.truncate(r.below(80) as usize);
        }
        if let Some(last) = frame.get_mut(29)
            && r.chance(50)
        {
            *last = 2;
        }
        let ifindex = 1 + r.below(2) as u32;
        let mut accepted = vrrp_key::default();
        let (verdict, found) = match (r.chance(70), frame.get(34..)) {
            (false, Some(message)) => {
                let datagram = Datagram {
                    source: [10, 0, 0, 1 + r.below(3) as u8].into(),
                    destination: Family::Ipv4.group(),
                    ttl: if r.chance(90) { 255 } else { 64 },
                    source_mac: r.chance(50).then_some(MacAddr([2, 0, 0, 0, 0, 9])),
                    message,
                };
                let packet = vrrp_packet {
                    size: size_of::<vrrp_packet>() as u32,
                    ifindex,
                    source: octets(datagram.source),
                    destination: octets(datagram.destination),
                    ttl: datagram.ttl,
                    has_source_mac: datagram.source_mac.is_some().into(),
                    source_mac: datagram.source_mac.unwrap_or_default().0,
                    reserved: [0; 2],
                };
                let (data, len) = (message.as_ptr(), message.len());
                let verdict = self.rust.handle_datagram(at, ifindex, &datagram);
                (
                    verdict,
                    c!(vrrp_handle_packet(
                        self.c,
                        self.now,
                        &packet,
                        data,
                        len,
                        &mut accepted
                    )),
                )
            }
            _ => {
                let (data, len) = (frame.as_ptr(), frame.len());
                let verdict = self.rust.handle_frame(at, ifindex, &frame);
                (
                    verdict,
                    c!(vrrp_handle_frame(
                        self.c,
                        self.now,
                        ifindex,
                        data,
                        len,
                        &mut accepted
                    )),
                )
            }
        };
        let expected = match verdict {
            Verdict::NotVrrp => VRRP_NOT_VRRP,
            Verdict::Accepted(Accepted { key, .. }) => {
                assert_eq!(
                    (key.ifindex, key.vrid.get()),
                    (accepted.ifindex, accepted.vrid)
                );
                VRRP_ACCEPTED
            }
            Verdict::Dropped(dropped) => words::drop_number(dropped.reason),
        };
        assert_eq!(found, expected);
        self.claim(ifindex, &frame);
    }

    /// Both take the frame for a claim, if it is one.
    fn claim(&mut self, ifindex: u32, frame: &[u8]) {
        let claim = Claim::new(frame);
        let answered = claim.and_then(|claim| self.rust.handle_claim(ifindex, &claim));
        let mut key = vrrp_key::default();
        let (data, len) = (frame.as_ptr(), frame.len());
        let found = c!(vrrp_handle_claim(self.c, ifindex, data, len, &mut key));
        assert_eq!(found, i32::from(answered.is_some()));
        if let Some(answered) = answered {
            assert_eq!(
                (answered.ifindex, answered.vrid.get()),
                (key.ifindex, key.vrid)
            );
        }
    }

    /// Takes all outputs of both, with buffers of the same random length.
    fn drain(&mut self) {
        loop {
            let len = if self.random.chance(20) {
                self.random.below(100)
            } else {
                318
            } as usize;
            let (mut buf, mut c_buf) = ([0; 318], [0; 318]);
            let mut output = vrrp_output {
                size: size_of::<vrrp_output>() as u32,
                ..vrrp_output::default()
            };
            let found = c!(vrrp_poll_output(
                self.c,
                c_buf.as_mut_ptr(),
                len,
                &mut output
            ));
            let expected = match self.rust.poll_output(&mut buf[..len]) {
                Poll::Output(output) => output,
                Poll::BufferTooSmall => {
                    assert_eq!(found, VRRP_ERR_BUFFER);
                    continue;
                }
                Poll::Done => {
                    assert_eq!(found, 0);
                    return;
                }
            };
            assert_eq!(found, 1);
            compare(&expected, &output, &c_buf);
            match expected {
                Output::Transmit(transmit) => {
                    self.sent += 1;
                    self.frames.push(transmit.frame.to_vec());
                }
                Output::StateChange(_) => self.transitions += 1,
                Output::SetMac { .. } | Output::SetAddress { .. } | Output::SetGroup { .. } => {
                    self.effects.push(output);
                }
                Output::Removed { .. } => {}
            }
            let old = self.frames.len().saturating_sub(50);
            self.frames.drain(..old);
            let old = self.effects.len().saturating_sub(20);
            self.effects.drain(..old);
        }
    }

    fn status(&self, key: &vrrp_key) -> Option<vrrp_status> {
        let mut status = vrrp_status {
            size: size_of::<vrrp_status>() as u32,
            ..vrrp_status::default()
        };
        let found = c!(vrrp_status(self.c, key, &mut status));
        (found == VRRP_OK).then_some(status)
    }

    /// Each query has the same answer.
    fn ask(&self) {
        let mut deadline = 0;
        assert_eq!(c!(vrrp_poll_timeout(self.c, &mut deadline)), VRRP_OK);
        let expected = self
            .rust
            .poll_timeout()
            .map_or(VRRP_NEVER, Instant::as_micros);
        assert_eq!(deadline, expected);
        let count = c!(vrrp_keys(self.c, null_mut(), 0));
        assert_eq!(count as usize, self.rust.keys().count());
        for key in self.rust.keys() {
            let c_key = key_of(key);
            let (rust, c) = (self.rust.status(key).unwrap(), self.status(&c_key).unwrap());
            assert_eq!(rust.state as u8, c.state);
            assert_eq!(rust.reason as u8, c.reason);
            assert_eq!(rust.standing_back, c.standing_back == 1);
            assert_eq!(rust.since.as_micros(), c.since_us);
            assert_eq!(
                (
                    rust.enabled,
                    rust.handing_over,
                    rust.resigned,
                    rust.pseudo_header
                ),
                (
                    c.enabled == 1,
                    c.handing_over == 1,
                    c.resigned == 1,
                    c.pseudo_header == 1
                )
            );
            assert_eq!(
                (rust.priority.get(), rust.base_priority.get()),
                (c.priority, c.base_priority)
            );
            assert_eq!(rust.active_interval.as_centis(), c.active_interval_cs);
            let heard = rust
                .active
                .map(|a| (a.address, a.priority, a.last_heard.as_micros()));
            let address = ip(&c.active.address);
            assert_eq!(
                heard,
                address.map(|a| (a, c.active.priority, c.active_last_heard_us))
            );
            let mut counters = vrrp_statistics {
                size: size_of::<vrrp_statistics>() as u32,
                ..vrrp_statistics::default()
            };
            assert_eq!(c!(vrrp_statistics(self.c, &c_key, &mut counters)), VRRP_OK);
            let expected = self.rust.statistics(key).unwrap();
            assert_eq!(expected.adverts_received, counters.adverts_received);
            assert_eq!(expected.adverts_sent, counters.adverts_sent);
            assert_eq!(expected.effect_failures, counters.effect_failures);
            assert_eq!(expected.losing_adverts, counters.losing_adverts);
            for (reason, dropped) in expected.drops.iter() {
                let (number, mut count) = (words::drop_number(reason), 0);
                assert_eq!(c!(vrrp_drops(self.c, &c_key, number, &mut count)), VRRP_OK);
                assert_eq!(count, dropped);
            }
        }
        for (reason, dropped) in self.rust.drops().iter() {
            let (number, mut count) = (words::drop_number(reason), 0);
            assert_eq!(c!(vrrp_drops(self.c, null(), number, &mut count)), VRRP_OK);
            assert_eq!(count, dropped);
        }
    }
}

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> &'a T {
    &from[random.below(from.len() as u64) as usize]
}

#[test]
fn rust_and_c_do_the_same() {
    let (mut transitions, mut sent) = (0, 0);
    for seed in 1..=20 {
        let mut both = Both::new(seed);
        println!("seed {seed}");
        for _ in 0..2_000 {
            both.operate();
            both.drain();
            both.ask();
        }
        transitions += both.transitions;
        sent += both.sent;
    }
    // The sequences went somewhere.
    println!("{transitions} changes of state, {sent} frames");
    assert!(transitions > 2_000 && sent > 10_000);
}
