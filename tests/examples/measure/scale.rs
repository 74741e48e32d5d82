//! Many virtual routers on one interface.

use std::time::{Duration, Instant};

use vrrp_tests::lab::daemons::{Daemon, Usage, usage};
use vrrp_tests::lab::{Capture, Host, PaperNetwork, Program, Segment, Vr, wait_until};
use vrrp_tests::sys;

use crate::median;
use crate::outage::name;

/// How long costs are watched.
const WATCH: Duration = Duration::from_secs(20);

/// Prints the costs and times of `count` virtual routers, for each program and MAC mode.
pub(crate) fn run(count: u8, only: &str) {
    println!("{count} virtual routers, interval 0.1 s, priorities 250 and 100\n");
    println!(
        "{:<12} {:<12} {:>9} {:>9} {:>9} {:>9} {:>10} {:>10} {:>10} {:>10}",
        "",
        "",
        "CPU us",
        "CPU us",
        "RSS KiB",
        "RSS KiB",
        "all held",
        "takeover",
        "takeover",
        "late by"
    );
    println!(
        "{:<12} {:<12} {:>9} {:>9} {:>9} {:>9} {:>10} {:>10} {:>10} {:>10}",
        "MAC",
        "program",
        "sent",
        "received",
        "master",
        "backup",
        "s",
        "median ms",
        "all ms",
        "most, ms"
    );
    for vmac in [false, true] {
        for program in [Program::Vrrpd, Program::Keepalived] {
            let mac = if vmac { "virtual" } else { "physical" };
            let label = format!("{mac:<12} {:<12}", name(program));
            if label.contains(only) {
                println!("{label} {}", row(program, vmac, count));
            }
        }
    }
}

fn row(program: Program, vmac: bool, count: u8) -> String {
    let PaperNetwork {
        clarinet,
        fridge,
        lab,
        ..
    } = &PaperNetwork::new(Segment::Hub);
    let vrs: Vec<Vr> = (1..=count)
        .map(|vrid| {
            let vr = Vr::new(vrid, &format!("10.10.20.{vrid}"));
            vr.interval_cs(10).vmac(vmac)
        })
        .collect();
    let masters: Vec<Vr> = vrs.iter().map(|vr| vr.clone().priority(250)).collect();
    let capture = lab.capture();

    let started_us = sys::now_us();
    let master = clarinet.start(program, &masters);
    let held_us = wait_all(&capture, clarinet, count) - started_us;
    let backup = fridge.start(program, &vrs);
    settle(&capture);

    let (sent, received) = costs(&capture, &master, &backup);
    let (median_ms, all_ms, late_ms) = takeover(&capture, clarinet, fridge, &vrs);
    format!(
        "{sent:>9.1} {received:>9.1} {:>9} {:>9} {:>10.3} {median_ms:>10.1} {all_ms:>10.1} {late_ms:>10.1}",
        resident_kib(&master),
        resident_kib(&backup),
        held_us as f64 / 1e6
    )
}

/// Waits until `host` has advertised every virtual router and holds every address; returns when
/// the last one was advertised.
fn wait_all(capture: &Capture, host: &Host, count: u8) -> u64 {
    let limit = Duration::from_secs(60);
    let mut last_us = 0;
    wait_until(limit, &format!("{} advertises all", host.name()), || {
        let firsts = first_adverts(capture, host.name());
        last_us = firsts.iter().flatten().copied().max().unwrap_or(0);
        firsts.iter().flatten().count() == usize::from(count)
    });
    wait_until(limit, &format!("{} holds all", host.name()), || {
        let addresses = host.addresses();
        let held = addresses
            .iter()
            .filter(|address| address.starts_with("10.10.20."));
        held.count() == usize::from(count)
    });
    last_us
}

/// Waits until fridge, which has just started, has come to rest as a backup.
fn settle(capture: &Capture) {
    let until = Instant::now() + Duration::from_secs(8);
    let mut quiet = false;
    while Instant::now() < until || !quiet {
        capture.clear();
        std::thread::sleep(Duration::from_secs(1));
        quiet = capture.count(|seen| &*seen.host == "fridge" && seen.advert().is_some()) == 0;
        assert!(
            until.elapsed() < Duration::from_secs(60),
            "fridge does not come to rest"
        );
    }
}

/// CPU microseconds for each advertisement sent, and for each one received.
fn costs(capture: &Capture, master: &Daemon, backup: &Daemon) -> (f64, f64) {
    let look = |daemon: &Daemon| usage(daemon.pid()).expect("a running daemon");
    capture.clear();
    let (sender, receiver): (Usage, Usage) = (look(master), look(backup));
    std::thread::sleep(WATCH);
    let (sender_after, receiver_after) = (look(master), look(backup));
    let adverts = capture.count(|seen| seen.advert().is_some()) as f64;
    let wanted = WATCH.as_secs_f64();
    assert!(adverts > wanted, "hardly any advertisement was captured");
    (
        (sender_after.cpu_s - sender.cpu_s) * 1e6 / adverts,
        (receiver_after.cpu_s - receiver.cpu_s) * 1e6 / adverts,
    )
}

fn resident_kib(daemon: &Daemon) -> u64 {
    usage(daemon.pid()).expect("a running daemon").resident_kib
}

/// Cuts the master off. Returns the median and the longest time from the cut to fridge's first
/// advertisement, and by how much the latest exceeded its down timer.
fn takeover(capture: &Capture, clarinet: &Host, fridge: &Host, vrs: &[Vr]) -> (f64, f64, f64) {
    capture.clear();
    std::thread::sleep(Duration::from_millis(500));
    let cut_us = sys::now_us();
    clarinet.pull_cable();
    wait_all(capture, fridge, vrs.len() as u8);
    let firsts = first_adverts(capture, "fridge");
    let mut lasts = [None; 256];
    for seen in capture.find(|seen| &*seen.host == "clarinet") {
        if let Some(advert) = seen.advert() {
            lasts[usize::from(advert.vrid)] = Some(seen.at_us);
        }
    }
    let (mut times, mut late) = (Vec::new(), Vec::new());
    for vr in vrs {
        let vrid = usize::from(vr.vrid);
        let (Some(first), Some(last)) = (firsts[vrid], lasts[vrid]) else {
            continue;
        };
        times.push(first.saturating_sub(cut_us) as f64 / 1000.0);
        late.push((first as f64 - last as f64 - vr.down_time_us() as f64) / 1000.0);
    }
    (
        median(&times).unwrap_or(f64::NAN),
        times.iter().copied().fold(0.0, f64::max),
        late.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}

/// When `host` first advertised each VRID.
fn first_adverts(capture: &Capture, host: &str) -> [Option<u64>; 256] {
    let mut firsts = [None; 256];
    for seen in capture.find(|seen| &*seen.host == host) {
        if let Some(advert) = seen.advert() {
            firsts[usize::from(advert.vrid)].get_or_insert(seen.at_us);
        }
    }
    firsts
}
