//! How exactly a backup takes over when the protocol says.

use std::time::Duration;

use vrrp_lab::{Pair, Program, Segment, Vr};

use crate::median;
use crate::outage::name;
use vrrp_lab::sayln;

/// Prints, for each program, by how much the successor's first advertisement came after three
/// intervals and the skew time from the dead master's last one, both seen at the hub.
pub(crate) fn run(runs: u32, only: &str) {
    sayln!("interval 0.1 s, priorities 250 and 100, {runs} runs\n");
    sayln!(
        "{:<12} {:<12} {:>12} {:>12} {:>12}",
        "MAC",
        "program",
        "median, ms",
        "least",
        "most"
    );
    for vmac in [true, false] {
        for program in [Program::Vrrpd, Program::Keepalived] {
            let mac = if vmac { "virtual" } else { "physical" };
            let label = format!("{mac:<12} {:<12}", name(program));
            if label.contains(only) {
                let late: Vec<f64> = (0..runs).map(|run| late_ms(program, vmac, run)).collect();
                sayln!(
                    "{label} {:>12.3} {:>12.3} {:>12.3}",
                    median(&late).unwrap_or(f64::NAN),
                    late.iter().copied().fold(f64::INFINITY, f64::min),
                    late.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                );
            }
        }
    }
}

fn late_ms(program: Program, vmac: bool, run: u32) -> f64 {
    let vr = Vr::new(1, "10.10.10.53").interval_cs(10).vmac(vmac);
    let mut pair = Pair::start(Segment::Hub, program, program, &vr);
    pair.capture.clear();
    // The moment of death is spread over the interval.
    std::thread::sleep(Duration::from_millis(200 + u64::from(run * 37 % 100)));
    pair.clarinet.crash();
    let capture = &pair.capture;
    let first = capture.wait_for(Duration::from_secs(5), "fridge takes over", |seen| {
        seen.is_advert("fridge", 1)
    });
    let last = capture.find(|seen| seen.is_advert("clarinet", 1));
    let last_us = last.last().expect("clarinet was the master").at_us;
    (first.at_us - last_us) as f64 / 1000.0 - vr.down_time_us() as f64 / 1000.0
}
