//! A client's view of each disturbance.

use std::time::Duration;

use vrrp_lab::probe::Ask;
use vrrp_lab::{Pair, PaperNetwork, Program, Report, Segment, Vr, wait_until};

use crate::median;
use vrrp_lab::sayln;

const ADDRESS: &str = "10.10.10.53";
const HZ: u32 = 500;
/// Probing before the disturbance.
const BEFORE: Duration = Duration::from_millis(300);
/// Probing after it: several times the longest takeover.
const AFTER: Duration = Duration::from_millis(1800);

/// A disturbance of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    CablePulled,
    CableBack,
    PortDead,
    DaemonKilled,
    PowerLost,
    PartitionHealed,
    GracefulStop,
    Restart,
    Reload,
}

impl Disturbance {
    const ALL: [Disturbance; 9] = [
        Disturbance::CablePulled,
        Disturbance::CableBack,
        Disturbance::PortDead,
        Disturbance::DaemonKilled,
        Disturbance::PowerLost,
        Disturbance::PartitionHealed,
        Disturbance::GracefulStop,
        Disturbance::Restart,
        Disturbance::Reload,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::CablePulled => "cable pulled",
            Self::CableBack => "cable back",
            Self::PortDead => "switch port dead",
            Self::DaemonKilled => "daemon killed",
            Self::PowerLost => "power lost",
            Self::PartitionHealed => "partition healed",
            Self::GracefulStop => "graceful stop",
            Self::Restart => "restart",
            Self::Reload => "handover by reload",
        }
    }
}

/// Prints the table: median and worst of `runs`.
pub(crate) fn run(runs: u32, only: &str) {
    sayln!(
        "interval 0.1 s, priorities 250 and 100, {HZ} probes a second, {runs} runs, on a switch\n"
    );
    sayln!(
        "{:<20} {:<12} {:<12} {:>24} {:>20}",
        "",
        "",
        "",
        "longest silence, ms",
        "probes lost"
    );
    sayln!(
        "{:<20} {:<12} {:<12} {:>14} {:>9} {:>10} {:>9}",
        "disturbance",
        "MAC",
        "program",
        "median",
        "worst",
        "median",
        "worst"
    );
    for disturbance in Disturbance::ALL {
        for vmac in [true, false] {
            for program in [Program::Vrrpd, Program::Keepalived] {
                let mac = if vmac { "virtual" } else { "physical" };
                let label = format!(
                    "{:<20} {mac:<12} {:<12}",
                    disturbance.words(),
                    name(program)
                );
                if label.contains(only) {
                    sayln!("{label} {}", row(disturbance, vmac, program, runs));
                }
            }
        }
    }
}

/// The program's name as its users write it.
pub(crate) fn name(program: Program) -> &'static str {
    match program {
        Program::Vrrpd => "vrrpd",
        Program::Keepalived => "keepalived",
        Program::Frr => "frr",
        Program::Poll => "poll.c",
        Program::Libevent => "libevent.c",
        Program::Lwip => "lwip",
        Program::Smoltcp => "smoltcp",
    }
}

fn row(disturbance: Disturbance, vmac: bool, program: Program, runs: u32) -> String {
    let (mut silences, mut losses) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let report = disturb(program, vmac, disturbance);
        silences.push(report.longest_silence_us() as f64 / 1000.0);
        losses.push(report.lost());
    }
    let worst = silences.iter().copied().fold(0.0, f64::max);
    match (median(&silences), median(&losses)) {
        (Some(silence), Some(lost)) => format!(
            "{silence:>14.1} {worst:>9.1} {lost:>10} {:>9}",
            losses.iter().max().copied().unwrap_or_default()
        ),
        _ => String::new(),
    }
}

fn disturb(program: Program, vmac: bool, disturbance: Disturbance) -> Report {
    let vr = Vr::new(1, ADDRESS).interval_cs(10).vmac(vmac);
    let segment = match disturbance {
        Disturbance::PartitionHealed => Segment::TwoSwitches,
        _ => Segment::Switch,
    };
    let mut pair = Pair::start(segment, program, program, &vr);
    prepare(&pair, disturbance);
    let probe = pair.probe(HZ, Ask::Ping);
    std::thread::sleep(BEFORE);
    let PaperNetwork {
        clarinet,
        fridge,
        lab,
        ..
    } = &pair.network;
    match disturbance {
        Disturbance::CablePulled => clarinet.pull_cable(),
        Disturbance::CableBack => clarinet.plug_cable(),
        Disturbance::PortDead => clarinet.fail_port(),
        Disturbance::DaemonKilled => pair.clarinet.crash(),
        Disturbance::PowerLost => {
            pair.clarinet.crash();
            clarinet.pull_cable();
        }
        Disturbance::PartitionHealed => lab.mend_trunk(),
        Disturbance::GracefulStop => pair.clarinet.stop(),
        Disturbance::Restart => {
            pair.clarinet.stop();
            pair.clarinet.start_again(clarinet);
        }
        Disturbance::Reload => pair.fridge.reload(fridge, &[vr.priority(254)]),
    }
    std::thread::sleep(AFTER);
    probe.stop()
}

/// Brings about the state that the measured disturbance needs.
fn prepare(pair: &Pair, disturbance: Disturbance) {
    let PaperNetwork {
        clarinet,
        jimbob,
        lab,
        ..
    } = &pair.network;
    match disturbance {
        Disturbance::CableBack => {
            clarinet.pull_cable();
            pair.wait_master("fridge");
        }
        Disturbance::PartitionHealed => {
            lab.cut_trunk();
            wait_until(Duration::from_secs(20), "fridge serves its part", || {
                jimbob.ask(ADDRESS).as_deref() == Some("fridge")
            });
        }
        _ => {}
    }
}
