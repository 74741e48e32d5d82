//! Two servers in service for a client: where most scenarios begin.

use std::time::{Duration, Instant};

use super::probe::Ask;
use super::{
    Capture, Daemon, Host, PaperNetwork, Probe, Program, Report, Segment, Vr, patience, pause,
    wait_until,
};

/// Longer than any change of roles takes with the intervals of the scenarios.
pub const LIMIT: Duration = Duration::from_secs(20);

/// The paper's network with a daemon on both servers, listened to from the beginning.
#[derive(Debug)]
pub struct Pair {
    /// On clarinet, priority 250.
    pub clarinet: Daemon,
    /// On fridge, priority 100.
    pub fridge: Daemon,
    /// The virtual router that they serve; its own priority does not matter.
    pub vr: Vr,
    /// Everything on the wire since before they were started.
    pub capture: Capture,
    /// The hosts and the segment.
    pub network: PaperNetwork,
}

impl Pair {
    /// Starts `clarinet` on clarinet with priority 250 and `fridge` on fridge with priority 100,
    /// and waits until clarinet serves alone.
    ///
    /// # Panics
    ///
    /// When that does not come about.
    pub fn start(segment: Segment, clarinet: Program, fridge: Program, vr: &Vr) -> Self {
        let network = PaperNetwork::new(segment);
        let capture = network.lab.capture();
        let preferred = vr.clone().priority(250);
        let other = vr.clone().priority(100);
        let pair = Self {
            clarinet: network.clarinet.start(clarinet, &[preferred]),
            fridge: network.fridge.start(fridge, &[other]),
            vr: vr.clone(),
            capture,
            network,
        };
        pair.wait_master("clarinet");
        pair
    }

    /// The address that the client asks.
    pub fn address(&self) -> String {
        self.vr.service_address()
    }

    /// Begins to probe it from jimbob, `hz` times a second.
    pub fn probe(&self, hz: u32, ask: Ask) -> Probe {
        Probe::start(&self.network.jimbob, &self.address(), hz, ask)
    }

    /// Probes while `happens`, and until `then` is the only master.
    pub fn probed(&mut self, hz: u32, then: &str, happens: impl FnOnce(&mut Self)) -> Report {
        let probe = self.probe(hz, Ask::Name);
        pause(Duration::from_millis(300));
        happens(self);
        self.wait_master(then);
        probe.stop()
    }

    /// Starts clarinet's crashed daemon again and plugs the cable. A daemon that is killed leaves its
    /// addresses to the kernel, which would answer the client from the cable to the start.
    ///
    /// # Panics
    ///
    /// When the daemon does not remove them.
    pub fn clarinet_returns(&mut self) {
        let host = &self.network.clarinet;
        self.clarinet.start_again(host);
        let addresses: Vec<String> = self.vr.addresses.iter().map(|a| a.to_string()).collect();
        wait_until(LIMIT, "what the crash left is removed", || {
            let have = host.addresses();
            !addresses.iter().any(|address| have.contains(address))
        });
        host.plug_cable();
    }

    /// Waits until the host `name` answers the client and is the only one that advertises.
    ///
    /// # Panics
    ///
    /// When that does not come about within [`LIMIT`].
    pub fn wait_master(&self, name: &str) {
        wait_master(&self.capture, &self.network.jimbob, &self.vr, name);
    }

    /// Waits until the host `name` advertises as master from now on.
    ///
    /// # Panics
    ///
    /// When it does not within [`LIMIT`].
    pub fn wait_advert(&self, name: &str) {
        let from_us = crate::sys::now_us();
        self.capture
            .wait_for(LIMIT, &format!("{name} advertises"), |seen| {
                seen.at_us >= from_us && seen.is_advert(name, self.vr.vrid)
            });
    }
}

/// Waits until the host `name` answers the client at the service address of `vr` and is the only one
/// that advertises it.
///
/// # Panics
///
/// When that does not come about within [`LIMIT`].
pub fn wait_master(capture: &Capture, client: &Host, vr: &Vr, name: &str) {
    let interval = Duration::from_millis(u64::from(vr.interval_cs) * 10);
    let window = (interval * 5 / 2).max(Duration::from_millis(400));
    let start = Instant::now();
    loop {
        let from_us = crate::sys::now_us();
        std::thread::sleep(window);
        let adverts = capture.find(|seen| {
            seen.at_us >= from_us && seen.advert().is_some_and(|advert| advert.vrid == vr.vrid)
        });
        let answers = client.ask(&vr.service_address());
        let alone = adverts.len() >= 2 && adverts.iter().all(|seen| &*seen.host == name);
        if alone && answers.as_deref() == Some(name) {
            return;
        }
        assert!(
            start.elapsed() < LIMIT * patience(),
            "{name} is not the only master; {answers:?} answers; advertisements: {adverts:#?}; \
             everything:\n{}",
            capture.tail(30)
        );
    }
}
