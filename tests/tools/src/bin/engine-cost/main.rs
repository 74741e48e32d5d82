//! The engine's cost in instructions, for callgrind to count: `cargo xtask bench` runs it.
//!
//! `engine-cost receive|send ROUTERS ROUNDS` makes a table of that many virtual routers on one interface.
//! `receive`: all are Backup, and in each round each hears an advertisement of its Active router.
//! `send`: all are Active, and in each round each sends one. With the feature `hmac` there are `send-signed`,
//! `receive-signed`, and `refuse-stale` and `refuse-forged` for floods of what was recorded or is made up. What is counted is the function
//! `measured`: everything that a port calls for it, but for the port's own work.

#[cfg(feature = "hmac")]
mod signed;

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;

use vrrp_core::{
    AdvertInterval, Auth, Engine, Family, Instant, InterfaceState, MacAddr, Output, Priority,
    VirtualAddress, VrConfig, VrKey, VrSettings, Vrid,
};
use vrrp_core::{
    Poll,
    wire::{Advert, WireVersion},
};

type Table = Engine<8, 1024, 4>;

const INTERVAL_US: u64 = 100_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, routers, rounds] = args.as_slice() else {
        return usage();
    };
    let (Ok(routers), Ok(rounds)) = (routers.parse::<usize>(), rounds.parse::<u64>()) else {
        return usage();
    };
    if routers == 0 || routers > 1024 {
        return usage();
    }
    let mut now = 1_000_000;
    match what.as_str() {
        "receive" => {
            let mut table = table(routers, 100, now);
            let frames = frames(routers);
            let gap = INTERVAL_US / routers as u64;
            measured_receive(&mut table, &frames, &mut now, gap, 3);
            counted(|| measured_receive(&mut table, &frames, &mut now, gap, rounds));
        }
        "send" => {
            let mut table = table(routers, 255, now);
            measured_send(&mut table, &mut now, 3 * routers as u64);
            counted(|| measured_send(&mut table, &mut now, rounds * routers as u64));
        }
        #[cfg(feature = "hmac")]
        signed if signed::run(signed, routers, rounds, &mut now) => {}
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    let usage = b"usage: engine-cost receive|send|send-signed|receive-signed|refuse-stale|refuse-forged ROUTERS(1..=1024) ROUNDS\n";
    // There is nowhere to report that this failed.
    let _ = std::io::stderr().write_all(usage);
    ExitCode::from(2)
}

/// The function that callgrind is told to count in.
#[inline(never)]
fn counted(work: impl FnOnce()) {
    work();
    black_box(());
}

#[inline(never)]
fn measured_receive(
    table: &mut Table,
    frames: &[(u32, Vec<u8>)],
    now: &mut u64,
    gap: u64,
    rounds: u64,
) {
    let mut buf = [0; Table::MAX_FRAME_LEN];
    for _ in 0..rounds {
        for (ifindex, frame) in frames {
            *now += gap;
            let at = Instant::from_micros(*now);
            let _ = black_box(table.handle_frame(at, *ifindex, black_box(frame)));
            drain(table, &mut buf);
            // No later than it says, as the contract asks.
            if black_box(table.poll_timeout()).is_some_and(|next| next <= at) {
                table.handle_timeout(at);
                drain(table, &mut buf);
            }
        }
    }
}

#[inline(never)]
fn measured_send(table: &mut Table, now: &mut u64, adverts: u64) {
    let mut buf = [0; Table::MAX_FRAME_LEN];
    let mut sent = 0;
    while sent < adverts {
        let next = table.poll_timeout().expect("an Active router has a timer");
        *now = next.as_micros().max(*now);
        table.handle_timeout(Instant::from_micros(*now));
        sent += drain(table, &mut buf);
    }
}

#[inline]
fn drain(table: &mut Table, buf: &mut [u8]) -> u64 {
    let mut sent = 0;
    while let Poll::Output(output) = table.poll_output(buf) {
        if let Output::Transmit(transmit) = output {
            black_box(transmit.frame);
            sent += 1;
        }
    }
    sent
}

/// The virtual routers of the benchmark: VRIDs 1 to 255 of one interface, then of the next.
fn keys(routers: usize) -> impl Iterator<Item = VrKey> {
    (0..routers).map(|n| VrKey {
        ifindex: 1 + (n / 255) as u32,
        vrid: Vrid::new((n % 255 + 1) as u8).expect("not zero"),
        family: Family::Ipv4,
    })
}

fn address(key: VrKey) -> VirtualAddress {
    VirtualAddress {
        address: [10, 0, key.ifindex as u8, key.vrid.get()].into(),
        prefix_len: 32,
    }
}

fn interval() -> AdvertInterval {
    AdvertInterval::from_centis((INTERVAL_US / 10_000) as u16).expect("in range")
}

fn table(routers: usize, priority: u8, start: u64) -> Box<Table> {
    table_of(1, routers, priority, start)
}

/// The virtual routers of the host 10.0.0.`host`.
fn table_of(host: u8, routers: usize, priority: u8, start: u64) -> Box<Table> {
    let mut table = Box::new(Table::new());
    for (n, key) in keys(routers).enumerate() {
        // Their timers are spread over the interval, as those of hosts that started apart.
        let now = Instant::from_micros(start + n as u64 * INTERVAL_US / routers as u64);
        let state = InterfaceState {
            up: true,
            mac: MacAddr([2, 0, 0, 0, 0, host]),
            ipv4: Some([10, 0, 0, host].into()),
            ipv6: None,
        };
        table.set_interface(now, key.ifindex, state).expect("fits");
        let addresses = [address(key)];
        let config = VrConfig {
            settings: VrSettings {
                priority: Priority::new(priority).expect("not zero"),
                advert_interval: interval(),
                ..VrSettings::DEFAULT
            },
            addresses: &addresses,
            ..VrConfig::DEFAULT
        };
        table.admin(now).insert(key, &config).expect("fits");
        table.admin(now).set_enabled(key, true).expect("exists");
        drain(&mut table, &mut [0; Table::MAX_FRAME_LEN]);
    }
    table
}

/// The advertisements of the Active router of each.
fn frames(routers: usize) -> Vec<(u32, Vec<u8>)> {
    keys(routers)
        .map(|key| {
            let mut buf = [0; 256];
            let advert = Advert {
                source_mac: key.virtual_mac(),
                destination_mac: key.family.group_mac(),
                source: [10, 0, 0, 2].into(),
                destination: key.family.group(),
                ttl: 255,
                version: WireVersion::V3,
                vrid: key.vrid,
                priority: 200,
                interval: interval(),
                auth: Auth::None,
                pseudo_header: true,
            };
            let emitted = advert
                .emit(&mut buf, std::iter::once(address(key).address))
                .expect("fits");
            (key.ifindex, buf[..emitted.len].to_vec())
        })
        .collect()
}
