//! An engine with every kind of virtual router, and a port that keeps account of what it was told.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vrrp_core::{
    AdvertInterval, Auth, Failure, Family, FrameKind, Instant, InterfaceState, MacAddr, MacMode,
    Output, Priority, State, Status, Version, VirtualAddress, VrConfig, VrKey, VrSettings, Vrid,
};
use vrrp_core::{Poll, wire::vrrp::View};

/// Its table is large enough for a timer wheel.
pub(crate) type Engine = vrrp_core::Engine<2, 50, 8>;

/// The interface that everything is on, and one that is never described.
pub(crate) const IF: u32 = 3;
pub(crate) const OTHER_IF: u32 = 4;

/// More outputs than any input can lead to: for each virtual router every address both ways, MAC,
/// group, event, advertisements to each peer in two versions, and announcements.
const MOST_OUTPUTS: usize = 20 * (8 * 4 + 16 + 8);

/// An engine and its port.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    macs: BTreeSet<VrKey>,
    addresses: BTreeSet<(VrKey, IpAddr)>,
}

pub(crate) fn key(vrid: u8, family: Family) -> Option<VrKey> {
    Some(VrKey {
        ifindex: IF,
        vrid: Vrid::new(vrid)?,
        family,
    })
}

pub(crate) fn up() -> InterfaceState {
    InterfaceState {
        up: true,
        mac: MacAddr([2, 0, 0, 0, 0, 6]),
        ipv4: Some([10, 0, 0, 6].into()),
        ipv6: Some([0xfe80, 0, 0, 0, 0, 0, 0, 6].into()),
    }
}

pub(crate) const V4: [VirtualAddress; 3] = [v4(80), v4(53), v4(25)];
pub(crate) const V6: [VirtualAddress; 2] = [
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0x53]),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53]),
];

const fn v4(last: u8) -> VirtualAddress {
    VirtualAddress {
        address: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, last)),
        prefix_len: 24,
    }
}

const fn v6(words: [u16; 8]) -> VirtualAddress {
    let [a, b, c, d, e, f, g, h] = words;
    VirtualAddress {
        address: IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, e, f, g, h)),
        prefix_len: 64,
    }
}

/// One configuration of each kind.
pub(crate) fn kinds() -> [(Family, VrConfig<'static>); 7] {
    const PEERS: &[IpAddr] = &[
        IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)),
        IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9)),
    ];
    let plain = VrConfig {
        addresses: &V4,
        ..VrConfig::DEFAULT
    };
    [
        (Family::Ipv4, plain),
        (
            Family::Ipv4,
            VrConfig {
                settings: VrSettings {
                    version: Version::V2,
                    ..plain.settings
                },
                ..plain
            },
        ),
        (
            Family::Ipv4,
            VrConfig {
                settings: VrSettings {
                    version: Version::V2,
                    auth: Auth::Simple(*b"paper\0\0\0"),
                    ..plain.settings
                },
                ..plain
            },
        ),
        (
            Family::Ipv4,
            VrConfig {
                settings: VrSettings {
                    version: Version::Both,
                    ..plain.settings
                },
                ..plain
            },
        ),
        (
            Family::Ipv4,
            VrConfig {
                settings: VrSettings {
                    max_hops: 3,
                    ..plain.settings
                },
                peers: PEERS,
                ..plain
            },
        ),
        (
            Family::Ipv6,
            VrConfig {
                addresses: &V6,
                ..plain
            },
        ),
        (
            Family::Ipv4,
            VrConfig {
                settings: VrSettings {
                    priority: Priority::OWNER,
                    mac_mode: MacMode::Interface,
                    accept: true,
                    advert_interval: AdvertInterval::from_centis(10).expect("a legal interval"),
                    ..plain.settings
                },
                ..plain
            },
        ),
    ]
}

/// Some of `all`, and now and then one twice.
pub(crate) fn list_of<T: Copy>(all: &[T], bits: u8) -> Vec<T> {
    let chosen = all.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 0);
    let mut list: Vec<T> = chosen.map(|(_, item)| *item).collect();
    if bits & 0xf0 == 0xf0 {
        list.extend(all.first().copied());
    }
    list
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut engine = Engine::new();
        let now = Instant::from_micros(1_000_000);
        engine.set_interface(now, IF, up()).expect("room for two");
        Self {
            engine,
            now,
            macs: BTreeSet::new(),
            addresses: BTreeSet::new(),
        }
    }

    /// With a virtual router of each kind, VRIDs from 1, enabled.
    pub(crate) fn with_all_kinds() -> Self {
        let mut bench = Self::new();
        for (vrid, (family, config)) in (1..).zip(kinds()) {
            let key = key(vrid, family).expect("a legal VRID");
            let now = bench.now;
            bench
                .engine
                .admin(now)
                .insert(key, &config)
                .expect("a good configuration");
            bench
                .engine
                .admin(now)
                .set_enabled(key, true)
                .expect("it is there");
        }
        bench.settle();
        bench
    }

    /// The public state of all virtual routers.
    pub(crate) fn picture(&self) -> Vec<Status> {
        let mut keys: Vec<VrKey> = self.engine.keys().collect();
        keys.sort();
        let statuses = keys.iter().filter_map(|&key| self.engine.status(key));
        statuses.collect()
    }

    /// Lets time pass to `now`, timers in their order.
    pub(crate) fn advance(&mut self, now: Instant) {
        let mut turns = 0;
        while let Some(due) = self.engine.poll_timeout().filter(|&due| due <= now) {
            self.now = due.max(self.now);
            self.engine.handle_timeout(self.now);
            self.settle();
            let next = self.engine.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "a deadline stays behind"
            );
            turns += 1;
            assert!(turns < 1_000_000, "no end to what is due");
        }
        self.now = now.max(self.now);
    }

    /// Says that an effect has failed or was undone: it is not there any more.
    pub(crate) fn fail(&mut self, failure: Failure) {
        match failure {
            Failure::Mac { key } => drop(self.macs.remove(&key)),
            Failure::Address { key, address } => drop(self.addresses.remove(&(key, address))),
            Failure::Group { .. } => {}
        }
        self.engine.handle_failure(self.now, failure);
    }

    /// Takes the advertisements that wait for nothing. What else is owed has to come later.
    pub(crate) fn advertise(&mut self) {
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        while let Some(transmit) = self.engine.poll_advertisement(&mut buf) {
            assert_eq!(transmit.kind, FrameKind::Advertisement);
        }
    }

    /// Performs everything and keeps account. Returns how many outputs there were.
    pub(crate) fn settle(&mut self) -> usize {
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        let mut count = 0;
        while let Poll::Output(output) = self.engine.poll_output(&mut buf) {
            count += 1;
            assert!(count <= MOST_OUTPUTS, "no end of outputs");
            match output {
                Output::SetMac { key, on: true, .. } => {
                    assert!(self.macs.insert(key), "the MAC of {key:?} twice");
                }
                Output::SetMac { key, on: false, .. } => {
                    assert!(self.macs.remove(&key), "no MAC of {key:?} to give up");
                    let left = self.addresses.iter().any(|(of, _)| *of == key);
                    assert!(!left, "addresses of {key:?} without its MAC");
                }
                Output::SetAddress {
                    key,
                    address,
                    on: true,
                    ..
                } => {
                    // Told again when what packets to it may do has changed.
                    self.addresses.insert((key, address.address));
                }
                Output::SetAddress {
                    key,
                    address,
                    on: false,
                    ..
                } => {
                    let known = self.addresses.remove(&(key, address.address));
                    assert!(known, "{address:?} of {key:?} is not there to give up");
                }
                Output::Transmit(transmit) => {
                    let served = self.addresses.iter().any(|(of, _)| *of == transmit.key);
                    match transmit.kind {
                        FrameKind::Advertisement => {
                            let message = transmit.frame.get(transmit.payload_offset.into()..);
                            let view = message
                                .and_then(|m| View::new(m, transmit.key.family).ok())
                                .expect("a message that can be read");
                            assert_eq!(view.vrid(), transmit.key.vrid.get());
                            assert!(
                                served || view.priority() == 0 || self.is_starting(transmit.key)
                            );
                        }
                        FrameKind::NeighborProbe => {
                            let has_mac = self.macs.contains(&transmit.key);
                            assert!(
                                !has_mac,
                                "a host with the virtual MAC asks who has the address"
                            );
                        }
                        _ => assert!(served, "announced before it is served"),
                    }
                }
                Output::SetGroup { .. } | Output::StateChange(_) => {}
                Output::Removed { key } => {
                    let left = self.addresses.iter().any(|(of, _)| *of == key);
                    assert!(!left && !self.macs.contains(&key), "{key:?} left something");
                }
            }
        }
        self.account();
        count
    }

    fn is_starting(&self, key: VrKey) -> bool {
        self.engine
            .status(key)
            .is_some_and(|s| s.state == State::Active)
    }

    /// Only an Active router, or one that hands over, holds an address.
    fn account(&self) {
        for (key, address) in &self.addresses {
            let status = self.engine.status(*key);
            let holds = status.is_some_and(|s| s.state == State::Active || s.handing_over);
            assert!(holds, "{address} is held by {status:?}");
        }
    }
}
