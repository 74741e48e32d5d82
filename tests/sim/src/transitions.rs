//! The transition table: every state with every event, told by the engine itself, as a text that
//! people review, and the state diagram that follows from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use vrrp_core::{
    Announce, Duration, Failure, Family, FrameKind, Instant, InterfaceState, MacAddr, MacMode,
    OnConflict, Output, Poll, Priority, State, Track, TrackEffect, VirtualAddress, VrKey, Vrid,
};
use vrrp_core::{
    VrSettings,
    wire::{Advert, Claim, WireVersion},
};

use crate::config::Config;
use crate::port::{Engine, interface, open};

const IF: u32 = 1;
const KEY: VrKey = VrKey {
    ifindex: IF,
    vrid: match Vrid::new(1) {
        Some(vrid) => vrid,
        None => unreachable!(),
    },
    family: Family::Ipv4,
};
/// The virtual router does not run without it.
const OBJECT: u16 = 5;
/// While it is down the virtual router stands back.
const CHECK: u16 = 6;

/// One engine with one virtual router: interface 10.0.0.10, priority 100, a second's interval.
struct Single {
    engine: Box<Engine>,
    now: u64,
    config: Config,
}

/// A state that the table tells apart, and how it is reached.
struct Start {
    name: &'static str,
    reach: fn() -> Single,
}

struct Event {
    name: &'static str,
    happen: fn(&mut Single),
}

fn config() -> Config {
    let address = VirtualAddress {
        address: [10, 0, 1, 1].into(),
        prefix_len: 24,
    };
    let mut config = Config::new(vec![address]);
    config.tracks = vec![
        Track {
            object: OBJECT,
            effect: TrackEffect::Fault,
        },
        Track {
            object: CHECK,
            effect: TrackEffect::StandBack,
        },
    ];
    config.settings.announce = Announce {
        repeats: 0,
        ..Announce::DEFAULT
    };
    config
}

impl Single {
    fn new(config: Config) -> Single {
        let mut single = Single {
            engine: Box::new(Engine::new()),
            now: 0,
            config: config.clone(),
        };
        let at = single.at();
        let inserted = single.engine.admin(at).insert(KEY, &config.as_vr_config());
        assert_eq!(inserted, Ok(()));
        single.describe(true, true);
        single
    }

    /// Enabled, and where it is `after` so many microseconds.
    fn enabled(config: Config, after: u64) -> Single {
        let mut single = Single::new(config);
        single.enable(true);
        single.pass(after);
        single
    }

    fn at(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    fn enable(&mut self, on: bool) {
        let at = self.at();
        assert_eq!(self.engine.admin(at).set_enabled(KEY, on), Ok(()));
    }

    fn describe(&mut self, up: bool, source: bool) {
        let mut state: InterfaceState = interface(MacAddr([2, 0, 0, 0, 0, 10]), 10);
        state.up = up;
        if !source {
            state.ipv4 = None;
        }
        let at = self.at();
        assert_eq!(self.engine.set_interface(at, IF, state), Ok(()));
    }

    fn hear(&mut self, priority: u8, host: u8) {
        let advert = Advert {
            source_mac: MacAddr([2, 0, 0, 0, 0, host]),
            destination_mac: Family::Ipv4.group_mac(),
            source: [10, 0, 0, host].into(),
            destination: Family::Ipv4.group(),
            ttl: 255,
            version: WireVersion::V3,
            vrid: KEY.vrid,
            priority,
            interval: self.config.settings.advert_interval,
            auth: vrrp_core::Auth::None,
            pseudo_header: true,
        };
        let mut buf = [0; 128];
        let address: IpAddr = [10, 0, 1, 1].into();
        let emitted = advert.emit(&mut buf, [address].into_iter());
        let len = emitted.map_or(0, |e| e.len);
        let at = self.at();
        let _ = self.engine.handle_frame(at, IF, &buf[..len]);
    }

    /// A host that is not heard answers for the first address.
    fn claim(&mut self) {
        let claim = Claim {
            address: [10, 0, 1, 1].into(),
            mac: MacAddr([2, 0, 0, 0, 0, 20]),
        };
        let _ = self.engine.handle_claim(IF, &claim);
    }

    fn pass(&mut self, span: u64) {
        let end = self.now + span;
        self.outputs();
        while let Some(next) = self.engine.poll_timeout().map(|t| t.as_micros()) {
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.engine.handle_timeout(self.at());
            self.outputs();
        }
        self.now = end;
    }

    /// To the next deadline and over it.
    fn time_out(&mut self) {
        if let Some(next) = self.engine.poll_timeout() {
            self.now = next.as_micros();
            self.engine.handle_timeout(self.at());
        }
    }

    fn set_tracked(&mut self, object: u16, up: bool) {
        let at = self.at();
        self.engine.admin(at).set_tracked(object, up);
    }

    fn priority(&mut self, value: u8) {
        let at = self.at();
        let set = self
            .engine
            .admin(at)
            .set_priority(KEY, Priority::new(value));
        assert_eq!(set, Ok(()));
    }

    /// The outputs of the engine, in short.
    fn outputs(&mut self) -> Vec<String> {
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        let mut list = Vec::new();
        while let Poll::Output(output) = self.engine.poll_output(&mut buf) {
            let sign = |on| if on { '+' } else { '-' };
            list.push(match output {
                Output::Transmit(t) => match (t.kind, open(t.frame)) {
                    (FrameKind::Advertisement, Some(sent)) => {
                        format!("advert {}", sent.message.get(2).copied().unwrap_or(0))
                    }
                    (FrameKind::NeighborProbe, _) => "probe".into(),
                    _ => "announce".into(),
                },
                Output::SetMac { on, .. } => format!("{}mac", sign(on)),
                Output::SetAddress { on, .. } => format!("{}address", sign(on)),
                Output::SetGroup { on, .. } => format!("{}group", sign(on)),
                Output::StateChange(_) => "event".into(),
                Output::Removed { .. } => "removed".into(),
            });
        }
        list
    }

    /// The state as the table names it.
    fn name(&self) -> String {
        let Some(status) = self.engine.status(KEY) else {
            return "gone".into();
        };
        match (status.state, status.handing_over) {
            (State::Initialize, _) => format!("Initialize ({})", status.reason),
            (State::Backup, _) => "Backup".into(),
            (State::Active, false) => "Active".into(),
            (State::Active, true) => "Active, leaving".into(),
        }
    }

    fn next(&self) -> String {
        match self.engine.poll_timeout() {
            None => "no timer".into(),
            Some(t) => {
                let left = t.as_micros().saturating_sub(self.now);
                format!("timer {:.6} s", left as f64 / 1e6)
            }
        }
    }
}

fn active() -> Single {
    Single::enabled(config(), 3_700_000)
}

/// A Backup whose Active router has been silent for so long that the first address was asked for (G-8).
fn silent(config: Config) -> Single {
    let mut single = Single::enabled(config, 500_000);
    single.hear(200, 20);
    single.pass(2_800_000);
    single
}

const STARTS: &[Start] = &[
    Start {
        name: "Initialize, disabled",
        reach: || Single::new(config()),
    },
    Start {
        name: "Initialize, interface down",
        reach: || {
            let mut single = Single::new(config());
            single.describe(false, true);
            single.enable(true);
            single
        },
    },
    Start {
        name: "Initialize, effects failed",
        reach: || {
            let mut single = active();
            for _ in 0..8 {
                let at = single.at();
                single.engine.handle_failure(at, Failure::Mac { key: KEY });
                single.outputs();
            }
            single
        },
    },
    Start {
        name: "Backup",
        reach: || {
            let mut single = Single::enabled(config(), 500_000);
            single.hear(200, 20);
            single.pass(500_000);
            single
        },
    },
    Start {
        name: "Backup, has asked",
        reach: || silent(config()),
    },
    Start {
        name: "Backup, was answered",
        reach: || {
            let mut single = silent(config());
            single.claim();
            single
        },
    },
    Start {
        name: "Backup, was answered and waits",
        reach: || {
            let mut single = silent(Config {
                settings: VrSettings {
                    on_conflict: OnConflict::Wait,
                    ..config().settings
                },
                ..config()
            });
            single.claim();
            single
        },
    },
    Start {
        name: "Backup, no preempt",
        reach: || {
            let mut single = Single::enabled(
                Config {
                    settings: VrSettings {
                        preempt: false,
                        ..config().settings
                    },
                    ..config()
                },
                500_000,
            );
            single.hear(200, 20);
            single.pass(500_000);
            single
        },
    },
    Start {
        name: "Backup, start delay",
        reach: || {
            let delayed = Config {
                settings: VrSettings {
                    start_delay: Duration::from_secs(10),
                    ..config().settings
                },
                ..config()
            };
            Single::enabled(delayed, 500_000)
        },
    },
    Start {
        name: "Backup, preempt delay runs",
        reach: || {
            let delayed = Config {
                settings: VrSettings {
                    preempt_delay: Duration::from_secs(10),
                    ..config().settings
                },
                ..config()
            };
            let mut single = Single::enabled(delayed, 500_000);
            single.hear(50, 20);
            single.pass(500_000);
            single
        },
    },
    Start {
        name: "Backup, stands back",
        reach: || {
            let mut single = Single::enabled(config(), 500_000);
            single.hear(200, 20);
            single.set_tracked(CHECK, false);
            single.pass(500_000);
            single
        },
    },
    Start {
        name: "Active",
        reach: active,
    },
    Start {
        name: "Active, stopping",
        reach: || {
            let mut single = active();
            single.enable(false);
            single.pass(100_000);
            single
        },
    },
    Start {
        name: "Active, resigning",
        reach: || {
            let mut single = active();
            let at = single.at();
            assert_eq!(single.engine.admin(at).resign(KEY), Ok(()));
            single.pass(100_000);
            single
        },
    },
    Start {
        name: "Active, stands back",
        reach: || {
            let mut single = active();
            single.set_tracked(CHECK, false);
            single.pass(2_500_000);
            single
        },
    },
    Start {
        name: "Active, offering",
        reach: || {
            let mut single = active();
            single.set_tracked(CHECK, false);
            single.pass(100_000);
            single
        },
    },
    Start {
        name: "Active, yielding (interface MAC)",
        reach: || {
            let own = Config {
                settings: VrSettings {
                    mac_mode: MacMode::Interface,
                    ..config().settings
                },
                ..config()
            };
            let mut single = Single::enabled(own, 3_700_000);
            single.hear(200, 20);
            single.pass(5_000);
            single
        },
    },
];

const EVENTS: &[Event] = &[
    Event {
        name: "enabled",
        happen: |s| s.enable(true),
    },
    Event {
        name: "disabled",
        happen: |s| s.enable(false),
    },
    Event {
        name: "removed",
        happen: |s| {
            let at = s.at();
            assert_eq!(s.engine.admin(at).remove(KEY), Ok(()));
        },
    },
    Event {
        name: "told to resign",
        happen: |s| {
            let at = s.at();
            assert_eq!(s.engine.admin(at).resign(KEY), Ok(()));
        },
    },
    Event {
        name: "priority set to 255",
        happen: |s| s.priority(255),
    },
    Event {
        name: "priority set to 50",
        happen: |s| s.priority(50),
    },
    Event {
        name: "interface down",
        happen: |s| s.describe(false, true),
    },
    Event {
        name: "interface up",
        happen: |s| s.describe(true, true),
    },
    Event {
        name: "source address lost",
        happen: |s| s.describe(true, false),
    },
    Event {
        name: "tracked object down",
        happen: |s| s.set_tracked(OBJECT, false),
    },
    Event {
        name: "check fails",
        happen: |s| s.set_tracked(CHECK, false),
    },
    Event {
        name: "check passes",
        happen: |s| s.set_tracked(CHECK, true),
    },
    Event {
        name: "timer",
        happen: Single::time_out,
    },
    Event {
        name: "timer, two intervals late",
        happen: |s| {
            if let Some(next) = s.engine.poll_timeout() {
                s.now = next.as_micros() + 2_000_000;
                s.engine.handle_timeout(s.at());
            }
        },
    },
    Event {
        name: "a host has the address",
        happen: Single::claim,
    },
    Event {
        name: "hears priority 0",
        happen: |s| s.hear(0, 20),
    },
    Event {
        name: "hears lower priority",
        happen: |s| s.hear(50, 20),
    },
    Event {
        name: "hears equal priority, lower address",
        happen: |s| s.hear(100, 2),
    },
    Event {
        name: "hears equal priority, higher address",
        happen: |s| s.hear(100, 20),
    },
    Event {
        name: "hears higher priority",
        happen: |s| s.hear(200, 20),
    },
    Event {
        name: "hears an owner",
        happen: |s| s.hear(255, 20),
    },
    Event {
        name: "MAC taken away",
        happen: |s| {
            let at = s.at();
            s.engine.handle_failure(at, Failure::Mac { key: KEY });
        },
    },
    Event {
        name: "address taken away",
        happen: |s| {
            let (at, address) = (s.at(), [10, 0, 1, 1].into());
            s.engine
                .handle_failure(at, Failure::Address { key: KEY, address });
        },
    },
];

/// The table as text.
pub fn table() -> String {
    let mut text = String::from(
        "# Every state with every event, as the engine itself tells it. Written by\n\
         # `cargo xtask transitions`; a test fails until a change of it is committed.\n\
         #\n\
         # VRRPv3 over IPv4, priority 100, an interval of 1 s, our address 10.0.0.10, one tracked object\n\
         # without which it does not run, a check: it stands back while that fails, a virtual MAC\n\
         # where nothing else is said.\n\
         # An outcome is the new state, what the port is asked to do, and the time to the next deadline.\n",
    );
    for start in STARTS {
        let reached = (start.reach)();
        let _ = write!(text, "\n{}, {}\n", start.name, reached.next());
        for event in EVENTS {
            let mut single = (start.reach)();
            single.outputs();
            (event.happen)(&mut single);
            let outputs = single.outputs().join(" ");
            let (name, next) = (single.name(), single.next());
            let _ = writeln!(text, "  {:38} {name}; [{outputs}]; {next}", event.name);
        }
    }
    text
}

/// The state diagram of the table, for the documentation.
pub fn diagram() -> String {
    let mut edges: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    let mut note = |from, to: String, why| {
        let reasons: &mut Vec<&str> = edges.entry((from, to)).or_default();
        if !reasons.contains(&why) {
            reasons.push(why);
        }
    };
    for start in STARTS {
        for event in EVENTS {
            let mut single = (start.reach)();
            single.outputs();
            let before = short(&single.name());
            (event.happen)(&mut single);
            single.outputs();
            let after = short(&single.name());
            if before != after {
                note(before, after.to_owned(), event.name);
            }
        }
    }
    let mut text = String::from(
        "# States\n\nDrawn from the [transition table](../tests/sim/transitions.txt) by `cargo xtask transitions`.\n\n\
         ```mermaid\nstateDiagram-v2\n    [*] --> Initialize\n",
    );
    for ((from, to), reasons) in &edges {
        let _ = writeln!(text, "    {from} --> {to}: {}", reasons.join("<br/>"));
    }
    text.push_str("```\n\n");
    text.push_str(
        "*Leaving* is Active: the virtual router has said that it stops, offers its addresses since it\n\
         stands back, or has yielded with the interface's own MAC, and serves its addresses until the\n\
         successor is heard or its time is over.\n",
    );
    text
}

fn short(name: &str) -> &'static str {
    match name {
        "gone" => "[*]",
        "Backup" => "Backup",
        "Active" => "Active",
        _ if name.starts_with("Active") => "Leaving",
        _ => "Initialize",
    }
}
