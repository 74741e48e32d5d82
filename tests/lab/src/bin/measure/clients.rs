//! The delay that clients of the control socket cause.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use vrrp_lab::daemons::vrrpd_control_socket;
use vrrp_lab::linux::flooder::Flooder;
use vrrp_lab::linux::frames::forged;
use vrrp_lab::{Capture, PaperNetwork, Program, Segment, Vr, wait_until};
use vrrp_lab::{sayln, sys};

/// Clients at once: as many as may look without being root.
const CLIENTS: usize = 12;
/// The time between two requests of one, when it has its answer by then.
const TICK_US: u64 = 10_000;
/// How long each row is watched.
const WATCH: Duration = Duration::from_secs(10);
/// Forged advertisements a second, of which each has another source and VRID in turn.
const FORGED: u64 = 1_000;

/// Prints how late the advertisements of `count` virtual routers at 0.1 s are while clients ask, and
/// while somebody forges thousands of masters.
pub(crate) fn run(count: u8) {
    let PaperNetwork { clarinet, lab, .. } = &PaperNetwork::new(Segment::Hub);
    let mallory = lab.host("mallory", 66);
    let vrs: Vec<Vr> = (1..=count)
        .map(|vrid| Vr::new(vrid, &format!("10.10.20.{vrid}")).interval_cs(10))
        .collect();
    let capture = lab.capture();
    let daemon = clarinet.start(Program::Vrrpd, &vrs);
    wait_until(Duration::from_secs(60), "all are advertised", || {
        let mut seen = [false; 256];
        for seen_one in capture.find(|seen| seen.advert().is_some()) {
            let vrid = seen_one.advert().map_or(0, |advert| advert.vrid);
            seen[usize::from(vrid)] = true;
        }
        seen.into_iter().filter(|seen| *seen).count() == usize::from(count)
    });
    // Nothing else of this machine delays it: what is late is late by its own doing.
    let pid = daemon.pid().to_string();
    let first = Command::new("chrt")
        .args(["-a", "-f", "-p", "1", &pid])
        .status();
    assert!(
        first.is_ok_and(|status| status.success()),
        "chrt is needed, and root"
    );
    std::thread::sleep(Duration::from_secs(2));
    sayln!("{count} virtual routers at 0.1 s, {CLIENTS} clients that ask each 10 ms\n");
    sayln!(
        "{:<8} {:<8} {:>10} {:>10} {:>12} {:>12} {:>12}",
        "asked",
        "forged",
        "answers/s",
        "kB",
        "late median",
        "late 99.9 %",
        "late most ms"
    );
    let foreign: Vec<Vec<u8>> = (0..20)
        .flat_map(|step| (100..=250).map(move |source| (step, source)))
        .map(|(step, source)| {
            let vrid = count + 1 + step;
            forged(
                &Vr {
                    vrid,
                    ..vrs[0].clone()
                },
                1,
                100,
                source,
            )
        })
        .collect();
    for storm in [false, true] {
        let flooder = storm.then(|| Flooder::start(&mallory, foreign.clone(), FORGED));
        std::thread::sleep(if storm {
            Duration::from_secs(4)
        } else {
            Duration::ZERO
        });
        for request in ["", "status", "stats", "who"] {
            let path = vrrpd_control_socket(clarinet);
            let clients = (!request.is_empty()).then(|| Clients::start(&path, request));
            let lateness = watch(&capture);
            let (answers, octets) = clients.map_or((0, 0), Clients::stop);
            let part = |of: usize| lateness[(lateness.len() - 1) * of / 1000] as f64 / 1000.0;
            sayln!(
                "{:<8} {:<8} {:>10} {:>10.1} {:>12.2} {:>12.2} {:>12.2}",
                if request.is_empty() {
                    "nothing"
                } else {
                    request
                },
                if storm { FORGED } else { 0 },
                answers / WATCH.as_secs(),
                octets as f64 / 1000.0 / answers.max(1) as f64,
                part(500),
                part(999),
                part(1000),
            );
        }
        let _ = flooder.map(Flooder::stop);
    }
}

/// By how many microseconds each advertisement comes more than an interval after the one before, from
/// the least to the most.
fn watch(capture: &Capture) -> Vec<u64> {
    capture.clear();
    std::thread::sleep(WATCH);
    let mut lasts = [None; 256];
    let mut late = Vec::new();
    capture.count(|seen| {
        if let Some(advert) = seen.advert().filter(|_| &*seen.host == "clarinet")
            && let Some(last_us) = lasts[usize::from(advert.vrid)].replace(seen.at_us)
        {
            late.push((seen.at_us - last_us).saturating_sub(100_000));
        }
        false
    });
    late.sort_unstable();
    assert!(!late.is_empty(), "nothing was advertised");
    late
}

/// Clients that ask until they are stopped.
struct Clients {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    octets: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    fn start(path: &Path, request: &str) -> Self {
        let (stop, answers, octets) =
            <(Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let line = format!("{{\"command\":\"{request}\"}}\n");
        let threads = (0..CLIENTS).map(|_| {
            let (stop, answers, octets) = (stop.clone(), answers.clone(), octets.clone());
            let (path, line): (PathBuf, String) = (path.to_owned(), line.clone());
            std::thread::spawn(move || {
                let stream = UnixStream::connect(path).expect("a control socket");
                let mut stream = BufReader::new(stream);
                let mut answer = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let next_us = sys::now_us() + TICK_US;
                    let said = stream.get_mut().write_all(line.as_bytes());
                    said.expect("ask");
                    answer.clear();
                    stream.read_until(b'\n', &mut answer).expect("an answer");
                    answers.fetch_add(1, Ordering::Relaxed);
                    octets.fetch_add(answer.len() as u64, Ordering::Relaxed);
                    sys::sleep_until_us(next_us);
                }
            })
        });
        let threads = threads.collect();
        Self {
            stop,
            answers,
            octets,
            threads,
        }
    }

    /// Returns how many answers they got, of how many octets.
    fn stop(self) -> (u64, u64) {
        let got = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let result = (got(&self.answers), got(&self.octets));
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a client");
        }
        result
    }
}
