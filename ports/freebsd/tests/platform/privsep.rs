//! The platform in two: what has the rights, and what asks it. Here they are two threads.

use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use vrrp_core::{Failure, Family, InterfaceState, MacAddr, MacMode, VirtualAddress};
use vrrp_freebsd::testing;
use vrrp_freebsd::{FreebsdFrames, FreebsdPlatform, Options, WorkerPlatform};
use vrrp_host::{AddressSpec, HostConfig, HostIf, Platform, VrId, VrSpec, Waited};
use vrrp_port_kit::privsep::Server;

use crate::common::*;

/// A virtual router on `a0`, its MAC one of its own.
fn spec(address: VirtualAddress) -> VrSpec {
    let key = key(Family::of(address.address), 7);
    let id = VrId {
        interface: "a0".into(),
        vrid: key.vrid,
        family: key.family,
        name: None,
    };
    let interface = None;
    let mut spec = VrSpec::new(id, vec![AddressSpec { address, interface }]);
    spec.settings.mac_mode = MacMode::Virtual;
    spec.settings.accept = true;
    // As the tests' own setup has it.
    spec.reset_connections = false;
    spec
}

/// A platform that is served until it is dropped.
fn serve(spec: VrSpec) -> (WorkerPlatform, JoinHandle<()>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let runtime_dir = directory();
        let platform = FreebsdPlatform::open(Options { runtime_dir }).unwrap();
        let virtual_routers = vec![spec];
        let config = HostConfig {
            virtual_routers,
            ..HostConfig::default()
        };
        let mut server = Server::new(platform, theirs, config);
        loop {
            let mut channel = [Waited {
                fd: server.fd(),
                write: server.has_output(),
                ready: false,
            }];
            let waited = server.platform_mut().wait(&mut channel, None);
            let news = waited.unwrap().unwrap();
            if server.handle(news, &mut |error| panic!("{error}")).is_err() {
                return;
            }
        }
    });
    let mut platform = WorkerPlatform::new(FreebsdFrames::new().unwrap(), ours).unwrap();
    platform.watch(A0, "a0").unwrap();
    (platform, server)
}

/// The next state that is up, or down. Two threads take turns here, so that no short time will do.
fn next_state(platform: &mut WorkerPlatform, up: bool) -> InterfaceState {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        match last_state(&receive(platform, SOON)) {
            Some(state) if state.up == up => return state,
            _ => {}
        }
    }
    panic!(
        "the interface is not told to be {}",
        if up { "up" } else { "down" }
    );
}

/// Frames that come, at least one.
fn next_frames(platform: &mut WorkerPlatform) -> Vec<Vec<u8>> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let frames = frames(receive(platform, SOON));
        if !frames.is_empty() || Instant::now() >= until {
            return frames;
        }
    }
}

/// The losses that are told next.
fn next_losses(platform: &mut WorkerPlatform) -> Vec<Failure> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let losses = lost(&receive(platform, SOON));
        if !losses.is_empty() || Instant::now() >= until {
            return losses;
        }
    }
}

pub(crate) fn a_process_without_rights_is_served() {
    let wire = enter();
    let before = testing::world().unwrap();
    let address = vip("10.0.0.100", 24);
    let (mut platform, server) = serve(spec(address));
    let setup = setup(key(Family::Ipv4, 7), MacMode::Virtual, address);
    let key = setup.key;
    platform.prepare(&setup).unwrap();
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    assert_eq!(next_state(&mut platform, true).mac, OWN);
    let name = platform.mac_interface(key).unwrap();
    assert!(names().contains(&name), "{name}");
    take_up(&mut platform, &setup);
    let mac = key.virtual_mac();
    assert_eq!(ask(&wire, V4), [(mac, mac)]);
    let advert = group_frame(mac, 1);
    speak(&mut platform, key, &advert);
    assert!(wire.hear(SOON).unwrap().contains(&advert));
    let peer = group_frame(MacAddr(NEIGHBOUR), 2);
    wire.send(&peer).unwrap();
    let came = next_frames(&mut platform);
    assert!(came.len() == 1 && came[0].starts_with(&peer), "{came:02x?}");
    // Nothing but the protocols of a router leaves, whatever this side writes.
    let mut other = group_frame(mac, 3);
    other[23] = 17;
    speak(&mut platform, key, &other);
    assert!(!wire.hear(SOON).unwrap().contains(&other));
    // This side hears what others remove.
    testing::remove_address(&name, address.address).unwrap();
    let gone = Failure::Address {
        key,
        address: address.address,
    };
    assert_eq!(next_losses(&mut platform), [gone]);
    // A frame of the virtual MAC goes by its own interface or not at all.
    let index = name.split('.').nth(1).unwrap();
    assert!(testing::shutdown_node(&format!("vrrp4_{index}_7")).unwrap());
    assert_eq!(next_losses(&mut platform)[..1], [Failure::Mac { key }]);
    speak(&mut platform, key, &advert);
    assert!(!wire.hear(SOON).unwrap().contains(&advert));
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    // Without this side nothing stays.
    drop(platform);
    server.join().unwrap();
    assert_eq!(testing::world().unwrap(), before);
}

pub(crate) fn what_is_not_configured_is_not_done_for_it() {
    enter();
    let before = testing::world().unwrap();
    let (mut platform, server) = serve(spec(vip("10.0.0.100", 24)));
    let good = seven(MacMode::Virtual);
    let mut refused = |what: &str, done: &mut dyn FnMut(&mut WorkerPlatform) -> bool| {
        assert!(!done(&mut platform), "{what}");
        assert_eq!(testing::world().unwrap(), before, "{what}");
    };
    let other = vip("10.0.0.101", 24);
    refused("an address of one that is not prepared", &mut |p| {
        let address = good.addresses[0].0;
        p.set_address(good.key, address, true, true).is_ok()
    });
    refused("another virtual router", &mut |p| {
        let setup = setup(key(Family::Ipv4, 8), MacMode::Virtual, other);
        p.prepare(&setup).is_ok()
    });
    refused("another interface", &mut |p| {
        p.watch(HostIf::new(1), "lo0").is_ok()
    });
    platform.prepare(&good).unwrap();
    let prepared = testing::world().unwrap();
    let error = platform.set_address(good.key, other, true, true);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("the configuration has no such address"),
        "{error}"
    );
    assert!(platform.set_mac(good.key, OWN, true).is_err());
    assert_eq!(testing::world().unwrap(), prepared);
    drop(platform);
    server.join().unwrap();
    assert_eq!(testing::world().unwrap(), before);
}

pub(crate) fn an_interface_that_returns_is_handed_over_again() {
    let wire = enter();
    let address = vip("10.0.0.100", 24);
    let (mut platform, server) = serve(spec(address));
    let setup = setup(key(Family::Ipv4, 7), MacMode::Virtual, address);
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    next_state(&mut platform, true);
    testing::rename("a0", "b0").unwrap();
    // It is not called a0.
    next_state(&mut platform, false);
    // Under another name it is none of ours.
    wire.send(&group_frame(MacAddr(NEIGHBOUR), 1)).unwrap();
    assert!(frames(receive(&mut platform, SOON)).is_empty());
    testing::rename("b0", "a0").unwrap();
    next_state(&mut platform, true);
    take_up(&mut platform, &setup);
    let mac = setup.key.virtual_mac();
    assert_eq!(ask(&wire, V4), [(mac, mac)]);
    wire.send(&group_frame(MacAddr(NEIGHBOUR), 2)).unwrap();
    assert_eq!(next_frames(&mut platform).len(), 1);
    let advert = group_frame(mac, 3);
    speak(&mut platform, setup.key, &advert);
    assert!(wire.hear(SOON).unwrap().contains(&advert));
    drop(platform);
    server.join().unwrap();
}
