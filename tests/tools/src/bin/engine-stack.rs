//! Runs every call of the engine on a thread of its own, for `cargo xtask test stack`, which runs this
//! under a tool that tells how much of its stack each thread used. Prints the calls in order; the
//! first two are nothing and a known amount.

use std::hint::black_box;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv6Addr};
use std::process::ExitCode;
use std::thread;

use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::*;

/// A board's worth: two interfaces, eight virtual routers, eight addresses each.
type Engine = vrrp_core::Engine<2, 8, 8>;
type Call = fn(&mut Engine, &mut [u8]);

const KEY: VrKey = VrKey {
    ifindex: 1,
    vrid: Vrid::new(1).unwrap(),
    family: Family::Ipv6,
};
const SECOND: u64 = 1_000_000;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

fn interface(up: bool) -> InterfaceState {
    InterfaceState {
        up,
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        ipv4: Some([10, 0, 0, 1].into()),
        ipv6: Some("fe80::1".parse().unwrap()),
    }
}

const fn address(n: u16) -> VirtualAddress {
    VirtualAddress {
        address: IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, n)),
        prefix_len: 64,
    }
}

// The stack of the caller does not count.
static ADDRESSES: [VirtualAddress; 8] = [
    address(1),
    address(2),
    address(3),
    address(4),
    address(5),
    address(6),
    address(7),
    address(8),
];
static CONFIG: VrConfig<'_> = VrConfig {
    addresses: &ADDRESSES,
    ..VrConfig::DEFAULT
};
static OTHER: VrConfig<'_> = VrConfig {
    settings: VrSettings {
        priority: Priority::new(150).unwrap(),
        ..VrSettings::DEFAULT
    },
    addresses: &ADDRESSES,
    ..VrConfig::DEFAULT
};

fn hear(router: &mut Engine, buf: &mut [u8], priority: u8) {
    let advert = Advert {
        source_mac: MacAddr([2, 0, 0, 0, 0, 2]),
        destination_mac: Family::Ipv6.group_mac(),
        source: "fe80::2".parse().unwrap(),
        destination: Family::Ipv6.group(),
        ttl: 255,
        version: WireVersion::V3,
        vrid: KEY.vrid,
        priority,
        interval: AdvertInterval::DEFAULT,
        auth: Auth::None,
        pseudo_header: true,
    };
    let list = ADDRESSES.iter().map(|a| a.address);
    let len = advert.emit(buf, list).unwrap().len;
    let _ = router.handle_frame(at(3 * SECOND), 1, &buf[..len]);
}

fn drain(router: &mut Engine, buf: &mut [u8]) {
    while let Poll::Output(output) = router.poll_output(buf) {
        black_box(&output);
    }
}

const CALLS: &[(&str, Call)] = &[
    ("nothing", |_, _| {}),
    ("4096 octets", |_, _| {
        black_box([0_u8; 4096]);
    }),
    ("set_interface", |r, _| {
        r.set_interface(at(0), 1, interface(true)).unwrap()
    }),
    ("insert", |r, _| {
        r.admin(at(0)).insert(KEY, &CONFIG).unwrap()
    }),
    ("set_enabled", |r, _| {
        r.admin(at(0)).set_enabled(KEY, true).unwrap()
    }),
    ("poll_output, to Backup", drain),
    ("emit and handle_frame", |r, buf| hear(r, buf, 200)),
    ("handle_frame again", |r, buf| hear(r, buf, 200)),
    ("handle_timeout", |r, _| r.handle_timeout(at(10 * SECOND))),
    ("handle_timeout, to Active", |r, _| {
        r.handle_timeout(at(12 * SECOND))
    }),
    ("poll_output, to Active", drain),
    ("reconfigure", |r, _| {
        r.admin(at(12 * SECOND)).reconfigure(KEY, &OTHER).unwrap()
    }),
    ("poll_output", drain),
    ("set_priority", |r, _| {
        r.admin(at(13 * SECOND))
            .set_priority(KEY, Priority::new(99))
            .unwrap();
    }),
    ("set_tracked", |r, _| {
        r.admin(at(13 * SECOND)).set_tracked(1, false)
    }),
    ("handle_failure", |r, _| {
        r.handle_failure(at(13 * SECOND), Failure::Mac { key: KEY });
    }),
    ("poll_timeout", |r, _| {
        black_box(r.poll_timeout());
    }),
    ("status", |r, _| {
        black_box(r.status(KEY));
    }),
    ("resign", |r, _| {
        r.admin(at(14 * SECOND)).resign(KEY).unwrap()
    }),
    ("poll_output, priority 0", drain),
    ("handle_frame, to Backup", |r, buf| hear(r, buf, 200)),
    ("remove", |r, _| {
        r.admin(at(15 * SECOND)).remove(KEY).unwrap()
    }),
    ("poll_output, removed", drain),
];

fn main() -> ExitCode {
    let mut router = Box::new(Engine::new());
    let mut buf = [0; Engine::MAX_FRAME_LEN];
    for (name, call) in CALLS {
        match writeln!(std::io::stdout(), "{name}") {
            Ok(()) => {}
            // As a program that SIGPIPE has ended.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::from(141),
            Err(error) => {
                let message = format!("stack: cannot write the standard output: {error}\n");
                // There is nowhere to report that this failed.
                let _ = std::io::stderr().write_all(message.as_bytes());
                return ExitCode::FAILURE;
            }
        }
        let (router, buf) = (&mut *router, &mut buf[..]);
        thread::scope(|scope| {
            let thread = scope.spawn(move || call(router, buf));
            thread.join().expect("no call panics");
        });
    }
    ExitCode::SUCCESS
}
