//! Many virtual routers on one interface, each with one address or many.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vrrp_lab::capture::Seen;
use vrrp_lab::daemons::{Daemon, Usage, hmac_binary, usage, vrrpctl};
use vrrp_lab::sys;
use vrrp_lab::{Capture, Host, Lab, PaperNetwork, Program, Segment, Vr, wait_until};

use crate::median;
use crate::outage::name;
use vrrp_lab::sayln;

/// An interface of clarinet that goes nowhere.
const UPLINK: &str = "uplink";
/// How long costs are watched.
const WATCH: Duration = Duration::from_secs(20);
/// How long a whole event may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How long the wire is watched after an event has come to its end.
const AFTER: Duration = Duration::from_secs(2);

/// The columns: two lines of heading.
const COLUMNS: [[&str; 2]; 17] = [
    ["CPU us", "sent"],
    ["CPU us", "received"],
    ["RSS KiB", "master"],
    ["RSS KiB", "backup"],
    ["all held", "s"],
    ["takeover", "median ms"],
    ["takeover", "all ms"],
    ["late by", "most, ms"],
    ["served", "all ms"],
    ["silent ms", "start"],
    ["silent ms", "cut"],
    ["silent ms", "back"],
    ["silent ms", "reload"],
    ["silent ms", "resign"],
    ["silent ms", "disable"],
    ["silent ms", "fault"],
    ["silent ms", "stop"],
];

/// Prints the costs and times of `count` virtual routers of `addresses` addresses each, for each
/// program and MAC mode.
///
/// `late by` is how long after three intervals and the skew time a takeover was advertised, `served`
/// how long after them the last address was there. `silent` is the longest time for which any
/// virtual router that had a master was not advertised by anybody: while all start, are taken over
/// after a cut, are taken back when the cable returns, are changed by two reloads, and are handed
/// over by a graceful stop; with vrrpd also when all are told to resign, or to stop and to go on, and
/// when an interface goes and comes that all depend on.
///
/// With `signs` each advertisement is signed, by keepalived where there is one that can.
pub(crate) fn run(count: u8, addresses: u8, signs: bool, only: &str) {
    sayln!(
        "{count} virtual routers of {addresses} addresses, interval 0.1 s, priorities 250 and 100\n"
    );
    for (line, words) in [["", ""], ["MAC", "program"]].into_iter().enumerate() {
        let columns: String = COLUMNS.iter().map(|c| format!(" {:>9}", c[line])).collect();
        sayln!("{:<12} {:<12}{columns}", words[0], words[1]);
    }
    for vmac in [false, true] {
        for program in [Program::Vrrpd, Program::Keepalived] {
            let mac = if vmac { "virtual" } else { "physical" };
            let label = format!("{mac:<12} {:<12}", name(program));
            if !label.contains(only) {
                continue;
            }
            if signs && program == Program::Keepalived && hmac_binary().is_none() {
                sayln!(
                    "{label} not measured: Debian's has no auth_hmac; KEEPALIVED_HMAC=/path names one that has, of 2.4.2 or later"
                );
                continue;
            }
            sayln!("{label}{}", row(program, vmac, count, addresses, signs));
        }
    }
}

/// The virtual router `vrid` with its addresses, of which the first is 10.10.20.`vrid`.
fn vr(vrid: u8, addresses: u8, vmac: bool) -> Vr {
    let others = (1..addresses).map(|more| format!(",10.11.{more}.{vrid}"));
    let list: String = std::iter::once(format!("10.10.20.{vrid}"))
        .chain(others)
        .collect();
    Vr::new(vrid, &list).interval_cs(10).vmac(vmac)
}

/// Makes the file of a key.
fn key_file(lab: &Lab) -> PathBuf {
    let path = lab.dir().join("key");
    let key = format!("hex:{}\n", "5a".repeat(32));
    std::fs::write(&path, key).expect("write a key");
    let owner = Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, owner).expect("make a key its owner's");
    path
}

fn row(program: Program, vmac: bool, count: u8, addresses: u8, signs: bool) -> String {
    let PaperNetwork {
        clarinet,
        fridge,
        lab,
        ..
    } = &PaperNetwork::new(Segment::Hub);
    let key = signs.then(|| key_file(lab));
    let vrs = (1..=count).map(|vrid| {
        let vr = vr(vrid, addresses, vmac);
        match &key {
            Some(key) => vr.hmac_key(key.clone()),
            None => vr,
        }
    });
    let vrs: Vec<Vr> = vrs.collect();
    let depends = |vr: Vr| match program {
        Program::Vrrpd => vr.line(&format!("trackinterface = {UPLINK}")),
        _ => vr,
    };
    let masters = vrs.iter().map(|vr| depends(vr.clone().priority(250)));
    let masters: Vec<Vr> = masters.collect();
    clarinet.netns().ip(&format!(
        "link add {UPLINK} type veth peer name beyond\nlink set beyond up\nlink set {UPLINK} up"
    ));
    let capture = lab.capture();

    let started_us = sys::now_us();
    let mut master = clarinet.start(program, &masters);
    wait_all(&capture, clarinet, &masters);
    let held_us = last_first(&capture, clarinet, &masters).saturating_sub(started_us);
    std::thread::sleep(AFTER);
    let start = longest_silence_ms(&capture, |_| true);
    let backup = fridge.start(program, &vrs);
    settle(&capture);

    let (sent, received) = costs(&capture, &master, &backup);
    let resident = [resident_kib(&master), resident_kib(&backup)];

    let takeover = takeover(&capture, clarinet, fridge, &vrs);
    std::thread::sleep(AFTER);
    let cut = longest_silence_ms(&capture, |seen| &*seen.host == "fridge");
    let back = silence_of(&capture, || {
        clarinet.plug_cable();
        wait_all(&capture, clarinet, &masters);
        wait_none(fridge);
    });
    let reload = silence_of(&capture, || {
        reload_twice(&capture, &master, clarinet, &masters)
    });
    let asked = (program == Program::Vrrpd).then(|| {
        let changes: [[&dyn Fn(); 2]; 3] = [
            [&|| drop(vrrpctl(clarinet, &["resign", "--all"])), &|| {
                drop(vrrpctl(clarinet, &["priority", "--all", "251"]))
            }],
            [&|| drop(vrrpctl(clarinet, &["disable", "--all"])), &|| {
                drop(vrrpctl(clarinet, &["enable", "--all"]))
            }],
            [
                &|| clarinet.netns().ip(&format!("link set {UPLINK} down")),
                &|| clarinet.netns().ip(&format!("link set {UPLINK} up")),
            ],
        ];
        changes.map(|[leave, come_back]| {
            silence_of(&capture, || {
                leave();
                wait_held(fridge, &vrs);
                std::thread::sleep(AFTER);
                come_back();
                wait_held(clarinet, &masters);
                wait_none(fridge);
            })
        })
    });
    let stop = silence_of(&capture, || {
        master.ask_to_stop();
        wait_all(&capture, fridge, &vrs);
        master.wait_end();
    });

    let mut row = format!(
        " {sent:>9.1} {received:>9.1} {:>9} {:>9}",
        resident[0], resident[1]
    );
    row += &format!(" {:>9.3}", held_us as f64 / 1e6);
    for ms in [
        takeover.median_ms,
        takeover.all_ms,
        takeover.late_ms,
        takeover.served_ms,
    ] {
        row += &format!(" {ms:>9.1}");
    }
    let asked = asked.unwrap_or([f64::NAN; 3]);
    for ms in [start, cut, back, reload]
        .into_iter()
        .chain(asked)
        .chain([stop])
    {
        row += &format!(" {ms:>9.1}");
    }
    row
}

/// Every second virtual router goes, the others get other addresses in the place of half of theirs;
/// then all is as before.
fn reload_twice(capture: &Capture, master: &Daemon, host: &Host, masters: &[Vr]) {
    let changed: Vec<Vr> = masters
        .iter()
        .step_by(2)
        .map(|vr| {
            let mut vr = vr.clone();
            let kept = vr.addresses.len().div_ceil(2);
            for (other, address) in vr.addresses.iter_mut().enumerate().skip(kept) {
                *address = [10, 12, other as u8, vr.vrid].into();
            }
            vr
        })
        .collect();
    for vrs in [changed.as_slice(), masters] {
        master.reload(host, vrs);
        // To look at the addresses takes a processor's time.
        std::thread::sleep(AFTER);
        wait_held(host, vrs);
    }
    wait_all(capture, host, masters);
}

/// The longest silence of a virtual router while `event` happens and a little longer.
fn silence_of(capture: &Capture, event: impl FnOnce()) -> f64 {
    capture.clear();
    // So that each has been advertised once before it.
    std::thread::sleep(Duration::from_millis(500));
    event();
    std::thread::sleep(AFTER);
    longest_silence_ms(capture, |_| true)
}

/// The longest time between two advertisements of one virtual router, among those that `counts` is
/// true of.
fn longest_silence_ms(capture: &Capture, counts: impl Fn(&Seen) -> bool) -> f64 {
    let mut lasts = [None; 256];
    let mut longest_us = 0;
    each_advert(capture, |seen, vrid| {
        if !counts(seen) {
            return;
        }
        if let Some(last_us) = lasts[vrid].replace(seen.at_us) {
            longest_us = longest_us.max(seen.at_us.saturating_sub(last_us));
        }
    });
    longest_us as f64 / 1000.0
}

/// Shows `look` every advertisement so far and its VRID.
fn each_advert(capture: &Capture, mut look: impl FnMut(&Seen, usize)) {
    capture.count(|seen| {
        if let Some(advert) = seen.advert() {
            look(seen, advert.vrid.into());
        }
        false
    });
}

/// Waits until `host` has advertised every virtual router and holds every address.
fn wait_all(capture: &Capture, host: &Host, vrs: &[Vr]) {
    wait_until(LIMIT, &format!("{} advertises all", host.name()), || {
        let firsts = first_adverts(capture, host.name());
        firsts.iter().flatten().count() == vrs.len()
    });
    wait_held(host, vrs);
}

/// Waits until `host` holds the addresses of `vrs` and no other virtual one.
fn wait_held(host: &Host, vrs: &[Vr]) {
    let wanted: BTreeSet<String> = vrs
        .iter()
        .flat_map(|vr| vr.addresses.iter().map(ToString::to_string))
        .collect();
    wait_until(LIMIT, &format!("{} holds all", host.name()), || {
        held(host) == wanted
    });
}

fn wait_none(host: &Host) {
    wait_until(LIMIT, &format!("{} holds none", host.name()), || {
        held(host).is_empty()
    });
}

/// The virtual addresses that `host` has.
fn held(host: &Host) -> BTreeSet<String> {
    let own = host.v4().to_string();
    let addresses = host.addresses().into_iter();
    addresses
        .filter(|address| address.starts_with("10.") && *address != own)
        .collect()
}

/// When `host` first advertised the last of `vrs`.
fn last_first(capture: &Capture, host: &Host, vrs: &[Vr]) -> u64 {
    let firsts = first_adverts(capture, host.name());
    let firsts = vrs.iter().filter_map(|vr| firsts[usize::from(vr.vrid)]);
    firsts.max().unwrap_or(0)
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

/// The outcome of a cut.
struct Takeover {
    /// From the cut to fridge's first advertisement of a virtual router: the median, the longest.
    median_ms: f64,
    all_ms: f64,
    /// By how much fridge's first advertisement exceeded its down timer, at most.
    late_ms: f64,
    /// From the last down timer to the moment at which all addresses were there.
    served_ms: f64,
}

/// Cuts the master off.
fn takeover(capture: &Capture, clarinet: &Host, fridge: &Host, vrs: &[Vr]) -> Takeover {
    capture.clear();
    std::thread::sleep(Duration::from_millis(500));
    let cut_us = sys::now_us();
    clarinet.pull_cable();
    wait_all(capture, fridge, vrs);
    let held_us = sys::now_us();
    let firsts = first_adverts(capture, "fridge");
    let mut lasts = [None; 256];
    each_advert(capture, |seen, vrid| {
        if &*seen.host == "clarinet" {
            lasts[vrid] = Some(seen.at_us);
        }
    });
    let (mut times, mut late, mut last_due) = (Vec::new(), Vec::new(), 0);
    for vr in vrs {
        let vrid = usize::from(vr.vrid);
        let (Some(first), Some(last)) = (firsts[vrid], lasts[vrid]) else {
            continue;
        };
        times.push(first.saturating_sub(cut_us) as f64 / 1000.0);
        late.push((first as f64 - last as f64 - vr.down_time_us() as f64) / 1000.0);
        last_due = last_due.max(last + vr.down_time_us());
    }
    Takeover {
        median_ms: median(&times).unwrap_or(f64::NAN),
        all_ms: times.iter().copied().fold(0.0, f64::max),
        late_ms: late.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        served_ms: (held_us as f64 - last_due as f64) / 1000.0,
    }
}

/// When `host` first advertised each VRID.
fn first_adverts(capture: &Capture, host: &str) -> [Option<u64>; 256] {
    let mut firsts = [None; 256];
    each_advert(capture, |seen, vrid| {
        if &*seen.host == host {
            firsts[vrid].get_or_insert(seen.at_us);
        }
    });
    firsts
}
