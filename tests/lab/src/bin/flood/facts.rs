//! The fate of each kind of packet, and of the master under a flood of it.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use vrrp_lab::daemons::{usage, vrrpd_binary, vrrpd_control_socket};
use vrrp_lab::pair::{LIMIT, wait_master};
use vrrp_lab::probe::Ask;
use vrrp_lab::{Capture, Daemon, Host, Lab, Probe, Program, Segment, Vr, wait_until};

use vrrp_lab::linux::flooder::{Flooder, Sent};
use vrrp_lab::linux::frames::{self, Kind};
use vrrp_lab::sayln;

/// Slowly enough that no frame is lost.
const GENTLE: u64 = 1_000;
/// The most that a vrrpd may grow by: tables of the routers heard and the lines logged.
const GROWTH_KIB: u64 = 1024;
/// Lines that two daemons may log for a flood: one for each VRID and reason, and 151 VRIDs are used.
const LINES: usize = 2 * 151 + 20;
/// Advertisements of a master in an interval, when somebody who does not hear it makes it answer:
/// eight and its own.
const ANSWERS: u64 = 9;

/// Two hosts, a client and somebody who means ill.
struct Stage {
    master: Daemon,
    backup: Daemon,
    capture: Capture,
    vrs: [Vr; 2],
    clarinet: Host,
    fridge: Host,
    jimbob: Host,
    mallory: Host,
    _lab: Lab,
}

/// Floods with each kind for some seconds, and prints what came of it.
pub(crate) fn run(per_second: u64, seconds: u64) -> Result<(), String> {
    let stage = Stage::new();
    let before = stage.resident_kib();
    sayln!(
        "{:<28} {:>10} {:>10} {:>10} {:>7} {:>6} {:>8}",
        "",
        "sent",
        "a second",
        "counted",
        "lines",
        "asked",
        "answered"
    );
    for kind in frames::refused(&stage.vrs[0], stage.vrs[1].vrid, &stage.clarinet) {
        stage.count_each(&kind)?;
        stage.flood(&kind, per_second, seconds)?;
    }
    for (name, priority) in [("spoofed, priority 1", 1), ("spoofed, priority 0", 0)] {
        let kind = frames::spoofed(name, &stage.vrs[0], priority);
        stage.flood(&kind, per_second, seconds)?;
    }
    stage.higher(per_second, seconds)?;
    let after = stage.resident_kib();
    sayln!("resident memory, KiB: {before:?} before, {after:?} after");
    for (before, after) in before.iter().zip(after) {
        if after > before + GROWTH_KIB {
            return Err(format!("vrrpd has grown from {before} KiB to {after} KiB"));
        }
    }
    Ok(())
}

impl Stage {
    fn new() -> Self {
        let lab = Lab::new(Segment::Hub);
        let [clarinet, fridge, jimbob, mallory] = [
            ("clarinet", 6),
            ("fridge", 2),
            ("jimbob", 5),
            ("mallory", 66),
        ]
        .map(|(name, number)| lab.host(name, number));
        clarinet.serve();
        fridge.serve();
        jimbob
            .netns()
            .ip("route add 10.10.20.0/24 dev xl0\nroute add fd00:20::/64 dev xl0");
        let vrs = [
            Vr::new(1, "10.10.20.1").vmac(true),
            Vr::new(2, "fe80::20:2,fd00:20::2").vmac(true),
        ];
        let with = |priority| vrs.clone().map(|vr| vr.priority(priority));
        let capture = lab.capture();
        let stage = Self {
            master: clarinet.start(Program::Vrrpd, &with(200)),
            backup: fridge.start(Program::Vrrpd, &with(100)),
            capture,
            vrs,
            clarinet,
            fridge,
            jimbob,
            mallory,
            _lab: lab,
        };
        for vr in &stage.vrs {
            wait_master(&stage.capture, &stage.jimbob, vr, "clarinet");
        }
        stage.take_lines();
        stage
    }

    /// A few frames of a kind, each counted by its reason on both hosts, and nothing else.
    fn count_each(&self, kind: &Kind) -> Result<(), String> {
        let Some(reason) = kind.reason else {
            return Ok(());
        };
        let count = kind.frames.len() as u64;
        // To the other host it is no loop.
        let hosts = match reason {
            "own-looped-back" => &[&self.clarinet][..],
            _ => &[&self.clarinet, &self.fridge],
        };
        let before: Vec<_> = hosts.iter().map(|host| refused_by(host)).collect();
        Flooder::once(&self.mallory, &kind.frames, GENTLE);
        for (host, before) in hosts.iter().zip(before) {
            let mut wanted = before.clone();
            *wanted.entry(reason.to_owned()).or_default() += count;
            let mut found = before;
            wait_until(LIMIT, kind.name, || {
                found = refused_by(host);
                found.values().sum::<u64>() >= wanted.values().sum()
            });
            if found != wanted {
                let name = host.name();
                return Err(format!(
                    "{}: {name} should have counted {wanted:?}, has {found:?}",
                    kind.name
                ));
            }
        }
        Ok(())
    }

    /// A flood that must change nothing.
    fn flood(&self, kind: &Kind, per_second: u64, seconds: u64) -> Result<(), String> {
        let (sent, counted, lines) = self.under(kind, per_second, seconds, &["clarinet"])?;
        let changes: Vec<&String> = lines.iter().filter(|l| l.contains(" -> ")).collect();
        if !changes.is_empty() {
            return Err(format!("{}: {changes:?}", kind.name));
        }
        if kind.reason.is_some() && (counted == 0 || counted > sent.frames) {
            return Err(format!("{}: counted {counted} of {sent:?}", kind.name));
        }
        Ok(())
    }

    /// A host that advertises a higher priority is master, RFC 9568 section 6.4.3 says, and nothing
    /// protects VRRP from hosts of its own link (section 9): the master gives way for as long as
    /// that goes on, and comes back.
    fn higher(&self, per_second: u64, seconds: u64) -> Result<(), String> {
        let kind = frames::spoofed("spoofed, priority 250", &self.vrs[0], 250);
        let (_, _, lines) = self.under(&kind, per_second, seconds, &["clarinet"])?;
        wait_master(&self.capture, &self.jimbob, &self.vrs[0], "clarinet");
        let lines = [lines, self.take_lines()].concat();
        let changes: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.split_once(" -> "))
            .map(|(before, after)| {
                if before.contains("VRID 1") {
                    after
                } else {
                    before
                }
            })
            .map(|text| text.split(':').next().unwrap_or(text))
            .collect();
        if changes != ["backup", "master"] {
            return Err(format!("{}: {lines:#?}", kind.name));
        }
        Ok(())
    }

    /// Floods, with a client that asks, and returns what was sent, how much of it was refused and
    /// what was logged. Whoever answers must be one of `answerers`.
    fn under(
        &self,
        kind: &Kind,
        per_second: u64,
        seconds: u64,
        answerers: &[&str],
    ) -> Result<(Sent, u64, Vec<String>), String> {
        self.capture.clear();
        let before = refused_by(&self.clarinet);
        let probe = Probe::start(&self.jimbob, &self.vrs[0].service_address(), 100, Ask::Name);
        let flooder = Flooder::start(&self.mallory, kind.frames.clone(), per_second);
        // The capture sees the flood too, and keeps everything.
        let mut adverts = 0;
        for _ in 0..seconds * 10 {
            std::thread::sleep(Duration::from_millis(100));
            adverts += self.capture.count(|seen| seen.is_advert("clarinet", 1));
            self.capture.clear();
        }
        let sent = flooder.stop();
        let report = probe.stop();
        let after = refused_by(&self.clarinet);
        let counted = kind.reason.map_or(0, |reason| {
            let of = |counters: &BTreeMap<String, u64>| counters.get(reason).copied().unwrap_or(0);
            of(&after) - of(&before)
        });
        let lines = self.take_lines();
        let asked = report.sent_us.len();
        sayln!(
            "{:<28} {:>10} {:>10} {counted:>10} {:>7} {asked:>6} {:>8}",
            kind.name,
            sent.frames,
            sent.per_second,
            lines.len(),
            asked - report.lost(),
        );
        if lines.len() > LINES {
            return Err(format!("{}: {} lines in the logs", kind.name, lines.len()));
        }
        let who = report.answerers();
        if who.iter().any(|who| !answerers.contains(&who.as_str())) {
            return Err(format!("{}: {who:?} answered", kind.name));
        }
        let asked_for = if kind.each_answered { sent.frames } else { 0 };
        if adverts as u64 > asked_for + (seconds + 2) * ANSWERS {
            return Err(format!("{}: {adverts} advertisements", kind.name));
        }
        Ok((sent, counted, lines))
    }

    fn take_lines(&self) -> Vec<String> {
        let logs = [&self.master, &self.backup].map(Daemon::take_log);
        logs.into_iter().flatten().map(|(_, line)| line).collect()
    }

    fn resident_kib(&self) -> [u64; 2] {
        [&self.master, &self.backup]
            .map(|daemon| usage(daemon.pid()).expect("a running daemon").resident_kib)
    }
}

/// The packets that a host's vrrpd has refused, by reason.
fn refused_by(host: &Host) -> BTreeMap<String, u64> {
    let mut vrrpctl = Command::new(vrrpd_binary("vrrpctl"));
    vrrpctl
        .arg("-s")
        .arg(vrrpd_control_socket(host))
        .args(["stats", "--openmetrics"]);
    let text = host.netns().output(&mut vrrpctl);
    text.lines()
        .filter_map(|line| {
            let (_, rest) = line
                .strip_prefix("vrrp_rejected_total")?
                .split_once("reason=\"")?;
            let (reason, count) = rest.split_once("\"} ")?;
            Some((reason.to_owned(), count.parse().ok()?))
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}
