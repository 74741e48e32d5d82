//! The time that a whole host takes for an advertisement received or sent, but for the operating
//! system's part: `cargo bench -p vrrp-host`.
//!
//! | line | the host | each advertisement |
//! |---|---|---|
//! | `receive` | Backup | repeats the last one of the Active router |
//! | `changed` | Backup | has another priority than the last one |
//! | `contested` | Active | is of a router that should give way |
//! | `send` | Active | is sent |
//!
//! Each advertisement that arrives is a step of the host, as on a quiet network. Those that are due
//! together are sent in one step. `adverts LINE ROUTERS ADVERTS` does the work of one line, for callgrind
//! to count the instructions of `counted`.

use std::cell::Cell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::rc::Rc;

use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::{
    AdvertInterval, Auth, Family, FrameKind, Instant, InterfaceState, MacAddr, Priority, Transmit,
    VirtualAddress, VrKey, Vrid,
};
use vrrp_host::{
    AddressSpec, Host, HostConfig, HostIf, Incoming, Platform, PlatformError, VrId, VrSetup, VrSpec,
};

const INTERVAL_US: u64 = 1_000_000;
const ADVERTS: u64 = 100_000;
const ROUNDS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [what, routers, adverts] = args.as_slice() {
        let number = |arg: &str| arg.parse().expect("a number");
        let (routers, adverts) = (number(routers) as usize, number(adverts));
        let mut bench = Bench::new(what, routers);
        counted(&mut bench, adverts);
        return;
    }
    println!("nanoseconds for one advertisement, the best of {ROUNDS} rounds:");
    println!("{:10} {:>8} {:>8} {:>8}", "", "1", "255", "1024");
    for what in ["receive", "changed", "contested", "send"] {
        let times = [1, 255, 1024].map(|routers| {
            let mut bench = Bench::new(what, routers);
            let rounds = (0..ROUNDS).map(|_| {
                let start = std::time::Instant::now();
                counted(&mut bench, ADVERTS);
                start.elapsed().as_nanos() as f64 / ADVERTS as f64
            });
            rounds.fold(f64::INFINITY, f64::min)
        });
        let [one, many, full] = times;
        println!("{what:10} {one:8.0} {many:8.0} {full:8.0}");
    }
}

#[inline(never)]
fn counted(bench: &mut Bench, adverts: u64) {
    let mut done = 0;
    while done < adverts {
        done += bench.step();
    }
    black_box(());
}

/// A host at work.
struct Bench {
    host: Host<Silent>,
    wire: Rc<Wire>,
    next: usize,
    /// The time from one advertisement to the next, in microseconds.
    gap: u64,
}

/// The clock of the host, and its neighbours.
struct Wire {
    now: Cell<u64>,
    /// The interface, by its place, and the advertisement of each of the other routers.
    frames: Vec<(usize, Vec<u8>)>,
    /// The one of them that arrives next.
    arrived: Cell<usize>,
    sent: Cell<u64>,
}

/// The place of no frame.
const NOTHING: usize = usize::MAX;

impl Bench {
    fn new(what: &str, routers: usize) -> Self {
        let priority = match what {
            "receive" | "changed" => 100,
            "contested" | "send" => 254,
            _ => panic!("there is no line {what}"),
        };
        let senders: &[u8] = match what {
            "receive" => &[200],
            "changed" => &[200, 201],
            "contested" => &[50],
            _ => &[],
        };
        let frames = senders.iter().flat_map(|sender| {
            let each = move |n| (n / 255, frame(key(n), *sender));
            (0..routers).map(each)
        });
        let wire = Rc::new(Wire {
            now: Cell::new(INTERVAL_US),
            frames: frames.collect(),
            arrived: Cell::new(NOTHING),
            sent: Cell::new(0),
        });
        let platform = Silent {
            wire: Rc::clone(&wire),
            states: VecDeque::new(),
            watched: Vec::new(),
            wakeup: None,
        };
        let virtual_routers = (0..routers).map(|n| {
            let key = key(n);
            let id = VrId {
                interface: format!("eth{}", key.ifindex),
                vrid: key.vrid,
                family: key.family,
                name: None,
            };
            let address = VirtualAddress {
                address: address(key),
                prefix_len: 16,
            };
            let addresses = vec![AddressSpec {
                address,
                interface: None,
            }];
            let mut spec = VrSpec::new(id, addresses);
            spec.settings.priority = Priority::new(priority).expect("not 0");
            spec
        });
        let config = HostConfig {
            virtual_routers: virtual_routers.collect(),
            ..HostConfig::default()
        };
        let host = Host::open(platform, config).expect("a good configuration");
        let mut bench = Self {
            host,
            wire,
            next: 0,
            gap: INTERVAL_US / routers as u64,
        };
        // Until the elections are over, and what follows them.
        for _ in 0..20 * routers {
            bench.step();
        }
        bench
    }

    /// One advertisement received, or, where none comes, the next ones sent. Returns how many.
    fn step(&mut self) -> u64 {
        let wire = &self.wire;
        let others = wire.frames.len();
        let before = wire.sent.get();
        if others > 0 {
            self.next = (self.next + 1) % others;
            wire.now.set(wire.now.get() + self.gap);
            wire.arrived.set(self.next);
            self.host.step().expect("nothing fails");
        } else {
            while wire.sent.get() == before {
                let armed = self.host.platform().wakeup();
                let at = armed.map_or(0, Instant::as_micros);
                wire.now.set(wire.now.get().max(at));
                self.host.step().expect("nothing fails");
            }
        }
        let many = if others > 0 {
            1
        } else {
            wire.sent.get() - before
        };
        while let Some(event) = self.host.next_event() {
            black_box(event);
        }
        many
    }
}

/// The virtual routers: VRIDs 1 to 255 of one interface, then of the next.
fn key(n: usize) -> VrKey {
    VrKey {
        ifindex: (n / 255) as u32,
        vrid: Vrid::new((n % 255 + 1) as u8).expect("not 0"),
        family: Family::Ipv4,
    }
}

fn address(key: VrKey) -> IpAddr {
    [10, 0, key.ifindex as u8 + 1, key.vrid.get()].into()
}

/// An advertisement of another router, from its virtual MAC.
fn frame(key: VrKey, priority: u8) -> Vec<u8> {
    let advert = Advert {
        source_mac: key.virtual_mac(),
        destination_mac: key.family.group_mac(),
        source: [10, 0, 0, 2].into(),
        destination: key.family.group(),
        ttl: 255,
        version: WireVersion::V3,
        vrid: key.vrid,
        priority,
        interval: AdvertInterval::DEFAULT,
        auth: Auth::None,
        pseudo_header: true,
    };
    let mut buf = [0; 256];
    let emitted = advert.emit(&mut buf, std::iter::once(address(key)));
    buf[..emitted.expect("room").len].to_vec()
}

/// A platform on which everything succeeds and nothing costs time.
struct Silent {
    wire: Rc<Wire>,
    /// The interfaces that have to be reported.
    states: VecDeque<HostIf>,
    /// The number of each interface, by the order of watching.
    watched: Vec<HostIf>,
    wakeup: Option<Instant>,
}

impl Platform for Silent {
    fn fd(&self) -> RawFd {
        -1
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.wire.now.get())
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.wakeup = at;
        Ok(())
    }

    fn wakeup(&self) -> Option<Instant> {
        self.wakeup
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        while let Some(host_if) = self.states.pop_front() {
            let state = InterfaceState {
                up: true,
                mac: MacAddr([2, 0, 0, 0, 0, 1]),
                ipv4: Some([10, 0, 0, 1].into()),
                ipv6: None,
            };
            sink(Incoming::Interface { host_if, state });
        }
        let arrived = self.wire.arrived.replace(NOTHING);
        if let Some((place, frame)) = self.wire.frames.get(arrived) {
            let host_if = self.watched[*place];
            sink(Incoming::Frame { host_if, frame });
        }
        Ok(())
    }

    fn watch(&mut self, host_if: HostIf, _: &str) -> Result<(), PlatformError> {
        self.states.push_back(host_if);
        self.watched.push(host_if);
        Ok(())
    }

    fn unwatch(&mut self, _: HostIf) {}

    fn prepare(&mut self, _: &VrSetup) -> Result<(), PlatformError> {
        Ok(())
    }

    fn release(&mut self, _: VrKey) {}

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        if transmit.kind == FrameKind::Advertisement {
            self.wire.sent.set(self.wire.sent.get() + 1);
        }
        black_box(transmit.frame);
    }

    fn announce(&mut self, _: HostIf, _: &[u8]) {}

    fn flush(&mut self) {}

    fn set_mac(&mut self, _: VrKey, _: MacAddr, _: bool) -> Result<(), PlatformError> {
        Ok(())
    }

    fn set_address(
        &mut self,
        _: VrKey,
        _: VirtualAddress,
        _: bool,
        _: bool,
    ) -> Result<(), PlatformError> {
        Ok(())
    }

    fn set_group(&mut self, _: HostIf, _: Family, _: bool) -> Result<(), PlatformError> {
        Ok(())
    }

    fn mac_interface(&self, _: VrKey) -> Option<String> {
        None
    }
}
