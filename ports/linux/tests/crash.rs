//! A process that is killed leaves things behind; the next life removes them, and nothing else.
//! Needs root. Runs itself a second time as the process to be killed.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::*;
use vrrp_core::{Family, MacMode};
use vrrp_host::{Platform, VrSetup};
use vrrp_linux::{LinuxPlatform, Options};

fn main() {
    if let [_, word, directory] = std::env::args().collect::<Vec<_>>().as_slice()
        && word == "hold"
    {
        hold(directory);
        return;
    }
    killed_processes_are_cleaned_up_after();
    println!("test killed_processes_are_cleaned_up_after ... ok");
}

fn setups() -> [VrSetup; 3] {
    let on = |vrid, mode, address, len| setup(key(Family::Ipv4, vrid), mode, vip(address, len));
    let mut silent = on(3, MacMode::Virtual, "10.0.0.103", 24);
    silent.accept = false;
    let mut shared = on(2, MacMode::Interface, "10.0.0.102", 24);
    // It is there before us.
    shared.addresses.push((vip("10.0.0.2", 24), None));
    [on(1, MacMode::Virtual, "10.0.0.101", 24), shared, silent]
}

/// Takes everything up and waits to be killed.
fn hold(directory: &str) {
    let runtime_dir = directory.into();
    let mut platform = LinuxPlatform::open(Options { runtime_dir }).unwrap();
    platform.watch(A0, "a0").unwrap();
    for setup in setups() {
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
    }
    println!("held");
    loop {
        std::thread::park();
    }
}

fn killed_processes_are_cleaned_up_after() {
    let _wire = enter();
    let before = world();
    let runtime_dir = directory();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["hold", runtime_dir.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let held = world();
    for what in [
        "vr4.",
        "10.0.0.101/24",
        "10.0.0.102/24",
        "blackhole 10.0.0.103",
    ] {
        assert!(held.contains(what), "{what} is not in {held}");
    }

    // While it lives nobody disturbs it.
    let options = Options {
        runtime_dir: runtime_dir.clone(),
    };
    drop(LinuxPlatform::open(options.clone()).unwrap());
    assert_eq!(world(), held);

    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world(), held);
    // Things that others made meanwhile, some of them like ours.
    ip("address add 10.0.0.50/24 dev a0");
    ip("route add blackhole 10.0.0.51/32");
    ip("link add link a0 name vr4.9.9 address 00:00:5e:00:01:09 type macvlan mode bridge");
    let platform = LinuxPlatform::open(options.clone()).unwrap();
    ip("address del 10.0.0.50/24 dev a0");
    ip("route del blackhole 10.0.0.51/32");
    ip("link del vr4.9.9");
    assert_eq!(world(), before);
    drop(platform);
    assert_eq!(std::fs::read_dir(&runtime_dir).unwrap().count(), 0);
    std::fs::remove_dir(&runtime_dir).unwrap();
}

/// Links, addresses, routes and settings, as text.
fn world() -> String {
    let settings = ["arp_ignore", "arp_announce"].map(|s| setting(&format!("ipv4/conf/a0/{s}")));
    let addresses = ip("-brief address show");
    // Only what was configured: the rest comes and goes with time.
    let addresses: String = addresses
        .lines()
        .map(|line| {
            line.split("fe80")
                .next()
                .unwrap_or_default()
                .trim_end()
                .to_string()
                + "\n"
        })
        .collect();
    format!("{addresses}{}{settings:?}", ip("-4 route show"))
}
