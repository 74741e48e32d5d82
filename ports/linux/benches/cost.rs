//! The cost of the platform: `cargo bench -p vrrp-linux`. Needs root; works in a network namespace
//! of its own.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::*;
use vrrp_core::{Family, FrameKind, MacMode, Transmit, VirtualAddress};
use vrrp_host::{Platform, VrSetup};
use vrrp_linux::LinuxPlatform;

const ROUTERS: u8 = 255;
const ROUNDS: usize = 5;

fn main() {
    let wire = enter();
    for (family, mode) in [
        (Family::Ipv4, MacMode::Virtual),
        (Family::Ipv6, MacMode::Virtual),
        (Family::Ipv4, MacMode::Interface),
    ] {
        takeovers(family, mode);
    }
    frames(&wire);
}

fn timed(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e6 / count as f64
}

fn drain(platform: &mut LinuxPlatform) -> usize {
    receive(platform, Duration::from_millis(20)).len()
}

fn takeovers(family: Family, mode: MacMode) {
    let mut platform = open();
    drain(&mut platform);
    let count = usize::from(ROUTERS);
    let setups: Vec<VrSetup> = (1..=ROUTERS)
        .map(|vrid| {
            let address: VirtualAddress = match family {
                Family::Ipv4 => vip(&format!("10.0.1.{vrid}"), 24),
                Family::Ipv6 => vip(&format!("fe80::1:{vrid:x}"), 64),
            };
            setup(key(family, vrid), mode, address)
        })
        .collect();
    let prepare = timed(count, || {
        for setup in &setups {
            platform.prepare(setup).unwrap();
        }
    });
    drain(&mut platform);
    println!("{family} {mode:?}, {count} virtual routers, us for each:");
    println!("  prepare            {prepare:8.1}");
    for _ in 0..ROUNDS {
        let virtual_mac = mode == MacMode::Virtual;
        let mac = |platform: &mut LinuxPlatform, on: bool| {
            for setup in setups.iter().filter(|_| virtual_mac) {
                platform
                    .set_mac(setup.key, setup.key.virtual_mac(), on)
                    .unwrap();
            }
        };
        let address = |platform: &mut LinuxPlatform, on: bool| {
            for setup in &setups {
                platform
                    .set_address(setup.key, setup.addresses[0].0, true, on)
                    .unwrap();
            }
        };
        let mac_on = timed(count, || mac(&mut platform, true));
        let address_on = timed(count, || address(&mut platform, true));
        let start = Instant::now();
        let mut rest = Duration::ZERO;
        // The echoes.
        while vrrp_linux::testing::wait_readable(platform.fd(), Duration::from_millis(20)).unwrap()
        {
            let before = Instant::now();
            platform.receive(&mut |_| {}).unwrap();
            rest += before.elapsed();
            assert!(start.elapsed() < Duration::from_secs(10));
        }
        let echoes = rest.as_secs_f64() * 1e6 / count as f64;
        let address_off = timed(count, || address(&mut platform, false));
        let mac_off = timed(count, || mac(&mut platform, false));
        drain(&mut platform);
        println!(
            "  MAC on {mac_on:6.1}  address on {address_on:6.1}  echoes {echoes:6.1}  \
             address off {address_off:6.1}  MAC off {mac_off:6.1}"
        );
    }
    println!("  resyncs            {:8}", platform.counters().resyncs);
    let removal = timed(count, || drop(platform));
    println!("  remove             {removal:8.1}");
}

fn frames(wire: &vrrp_linux::testing::RawPort) {
    let mut platform = open();
    let key = key(Family::Ipv4, 1);
    platform
        .prepare(&setup(key, MacMode::Interface, vip("10.0.0.100", 24)))
        .unwrap();
    drain(&mut platform);
    let frame = common::frame(Family::Ipv4.group_mac(), 0x0800, &advert(1));
    let transmit = Transmit {
        key,
        frame: &frame,
        ip_offset: 14,
        payload_offset: 34,
        kind: FrameKind::Advertisement,
        unicast: None,
    };
    for batch in [1, 8, 64, 512] {
        let rounds = 4096 / batch;
        let mut send = 0.0;
        for _ in 0..rounds {
            send += timed(1, || {
                for _ in 0..batch {
                    platform.transmit(&transmit);
                }
                platform.flush();
            });
        }
        wire.hear(Duration::ZERO).unwrap();
        let (mut receive, mut got) = (0.0, 0);
        for _ in 0..rounds {
            for _ in 0..batch {
                wire.send(&frame).unwrap();
            }
            while vrrp_linux::testing::wait_readable(platform.fd(), Duration::ZERO).unwrap() {
                receive += timed(1, || platform.receive(&mut |_| got += 1).unwrap());
            }
        }
        println!(
            "frames, {batch:3} at once: send {:5.2} us, receive {:5.2} us ({got} of {})",
            send / 4096.0,
            receive / got as f64,
            rounds * batch,
        );
    }
    println!("{:?}", platform.counters());
}
