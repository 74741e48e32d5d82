//! Storms of sound advertisements that somebody forges: how many lines of the log they cause, and that
//! what really happens is logged meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::linux::flooder::Flooder;
use vrrp_lab::linux::frames::forged;
use vrrp_lab::sayln;
use vrrp_lab::{Capture, Daemon, Host, PaperNetwork, Program, Segment, Vr, wait_until};

/// How long each storm lasts.
const STORM: Duration = Duration::from_secs(3);
/// On a busy machine.
const LIMIT: Duration = Duration::from_secs(20);
/// Lines of one kind about one virtual router that a daemon logs in the time of a test: 50 at once,
/// one in two seconds after that, and how many were left out.
const EACH: usize = 50 + 20;
/// Lines of all kinds about one virtual router.
const ALL: usize = 3 * EACH;

/// Two servers with VRIDs 1 and 2, of which clarinet is master, and somebody who forges.
struct Stage {
    clarinet: Daemon,
    fridge: Daemon,
    mallory: Host,
    capture: Capture,
    vrs: [Vr; 2],
    network: PaperNetwork,
}

impl Stage {
    fn new() -> Self {
        let network = PaperNetwork::new(Segment::Hub);
        let capture = network.lab.capture();
        let mallory = network.lab.host("mallory", 66);
        let vrs = [1, 2].map(|vrid| {
            Vr::new(vrid, &format!("10.10.10.10{vrid}"))
                .interval_cs(20)
                .vmac(true)
        });
        let start = |host: &Host, priority: u8| {
            let vrs = vrs.clone().map(|vr| vr.priority(priority));
            host.start(Program::Vrrpd, &vrs)
        };
        let stage = Self {
            clarinet: start(&network.clarinet, 250),
            fridge: start(&network.fridge, 100),
            mallory,
            capture,
            vrs,
            network,
        };
        wait_until(LIMIT, "clarinet is master", || {
            stage.states(&stage.network.clarinet) == ["master", "master"]
                && stage.states(&stage.network.fridge) == ["backup", "backup"]
        });
        // Conditions of the start end, and their ends are logged.
        std::thread::sleep(Duration::from_secs(2));
        stage
    }

    fn states(&self, host: &Host) -> Vec<String> {
        let text = vrrpctl(host, &["status", "--json"]);
        let lines = text.lines().filter_map(|line| {
            let state = line.trim().strip_prefix("\"state\": \"")?;
            Some(state.trim_end_matches(['"', ',']).to_owned())
        });
        lines.collect()
    }

    /// Sends `frames` for a while. In the midst of it VRID 2 changes its master, which both hosts have
    /// to log. Returns the lines of clarinet and fridge.
    fn storm(&self, frames: Vec<Vec<u8>>, per_second: u64) -> [Vec<String>; 2] {
        let daemons = [&self.clarinet, &self.fridge];
        daemons.iter().for_each(|daemon| drop(daemon.take_log()));
        let flooder = Flooder::start(&self.mallory, frames, per_second);
        std::thread::sleep(STORM);
        vrrpctl(&self.network.clarinet, &["resign", "2"]);
        wait_until(LIMIT, "the change of VRID 2 is logged", || {
            self.clarinet
                .has_said("VRID 2 on xl0 (ipv4): master -> backup")
                && self
                    .fridge
                    .has_said("VRID 2 on xl0 (ipv4): backup -> master")
        });
        let sent = flooder.stop();
        assert!(sent.frames > STORM.as_secs() * per_second / 2, "{sent:?}");
        // Back, for the next one; and whatever ends with the storm is logged.
        vrrpctl(&self.network.clarinet, &["priority", "2", "251"]);
        wait_until(LIMIT, "clarinet is master again", || {
            self.states(&self.network.clarinet) == ["master", "master"]
        });
        vrrpctl(&self.network.clarinet, &["priority", "2", "default"]);
        std::thread::sleep(Duration::from_secs(2));
        daemons.map(|daemon| {
            daemon
                .take_log()
                .into_iter()
                .map(|(_, line)| line)
                .collect()
        })
    }
}

/// The line without numbers, so that those of one kind are alike.
fn kind(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Asserts that a storm caused few lines of each kind and in total.
fn assert_few(what: &str, logs: &[Vec<String>; 2]) {
    for (host, log) in ["clarinet", "fridge"].iter().zip(logs) {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for line in log {
            *kinds.entry(kind(line)).or_default() += 1;
        }
        sayln!("{what}: {host} logged {} lines", log.len());
        let most = kinds.iter().max_by_key(|(_, many)| **many);
        assert!(
            most.is_none_or(|(_, many)| *many <= EACH) && log.len() <= ALL,
            "{what}: {host} logged {} lines, most of them {most:?}",
            log.len()
        );
        // A line about the winner has to be true.
        for line in log
            .iter()
            .filter(|line| line.contains("goes on advertising"))
        {
            let number = |before: &str| -> Option<u8> {
                let (_, rest) = line.split_once(before)?;
                let digits = rest.find(|c: char| !c.is_ascii_digit())?;
                rest[..digits].parse().ok()
            };
            let (theirs, ours) = (number("with priority "), number("though ours ("));
            assert!(theirs.is_some() && ours > theirs, "{what}: {host}: {line}");
        }
    }
}

/// The numbers of the hosts that frames come from.
fn sources() -> std::ops::RangeInclusive<u8> {
    100..=250
}

#[test]
fn a_forged_owner_that_comes_and_goes_fills_no_log() {
    let stage = Stage::new();
    // With so short an interval it is dead before the next frame: the states change each time.
    for (per_second, interval_cs) in [(25, 1), (1_000, 1), (25, 20)] {
        let frame = forged(&stage.vrs[0], 255, interval_cs, 66);
        let logs = stage.storm(vec![frame], per_second);
        assert_few(&format!("priority 255, {per_second} a second"), &logs);
        let frames = sources().map(|source| forged(&stage.vrs[0], 255, interval_cs, source));
        let logs = stage.storm(frames.collect(), per_second);
        assert_few(&format!("many owners, {per_second} a second"), &logs);
    }
}

#[test]
fn foreign_virtual_routers_fill_no_log() {
    let stage = Stage::new();
    for per_second in [25, 1_000] {
        let foreign = (3..=255).map(|vrid| {
            let vr = Vr {
                vrid,
                ..stage.vrs[0].clone()
            };
            forged(&vr, 255, 100, vrid)
        });
        let logs = stage.storm(foreign.collect(), per_second);
        assert_few(&format!("foreign VRIDs, {per_second} a second"), &logs);
    }
}

#[test]
fn routers_that_disagree_fill_no_log() {
    let stage = Stage::new();
    let other = Vr::new(1, "10.10.10.99");
    for per_second in [25, 1_000] {
        let frames = sources().map(|source| forged(&other, 1, 100, source));
        let logs = stage.storm(frames.collect(), per_second);
        assert_few(&format!("other addresses, {per_second} a second"), &logs);
    }
}

#[test]
fn a_worse_router_that_goes_on_is_told_of_once() {
    let stage = Stage::new();
    // With our own address list and interval: nothing is wrong with it but that it does not give way.
    let frame = forged(&stage.vrs[0], 7, 20, 66);
    let logs = stage.storm(vec![frame], 25);
    assert_few("priority 7, 25 a second", &logs);
    let told = |line: &&String| line.contains("10.10.10.66 goes on advertising with priority 7");
    let [clarinet, _] = &logs;
    // Its beginning and its end.
    assert_eq!(clarinet.iter().filter(told).count(), 2, "{clarinet:#?}");
}

#[test]
fn a_storm_of_priority_0_fills_no_log_and_is_answered_each_10_ms() {
    let stage = Stage::new();
    for per_second in [25, 1_000] {
        stage.capture.clear();
        let frame = forged(&stage.vrs[0], 0, 20, 66);
        let logs = stage.storm(vec![frame], per_second);
        assert_few(&format!("priority 0, {per_second} a second"), &logs);
        let forged = stage.capture.count(|seen| seen.is_advert("mallory", 1));
        let answers = stage.capture.count(|seen| seen.is_advert("clarinet", 1));
        // S-10, S-16: one for each, but no more than one in 10 ms, and those of its own time.
        let most = forged.min(forged * 100 / per_second as usize + 100) + 100;
        assert!(answers <= most, "{answers} advertisements for {forged}");
    }
}
