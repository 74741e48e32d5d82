//! A service behind a virtual address on two hosts, and the events that move it.

use std::time::Duration;

use super::{Account, CHECK_INTERVAL, Client, FALL, INTERVAL_CS, Service};
use crate::daemons::vrrpctl;
use crate::pair::LIMIT;
use crate::{Daemon, Host, PaperNetwork, Program, Segment, patience, wait_until};

/// The priorities of clarinet and fridge.
const PRIORITIES: [u8; 2] = [250, 100];

/// A reason for which the address leaves clarinet, and for which it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its cable is pulled, and plugged in again.
    Cable,
    /// The switch's port passes nothing, with the carrier up, and is mended.
    SwitchPort,
    /// The service is killed, and started again.
    ServiceKilled,
    /// Its priority is lowered, and raised again.
    Handover,
    /// vrrpd is stopped, and started again.
    Stop,
}

impl Event {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Cable,
        Self::SwitchPort,
        Self::ServiceKilled,
        Self::Handover,
        Self::Stop,
    ];

    /// Its name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cable => "cable",
            Self::SwitchPort => "switch port",
            Self::ServiceKilled => "service killed",
            Self::Handover => "handover",
            Self::Stop => "stop",
        }
    }

    /// Whether the old master serves until the new one is heard.
    pub fn is_planned(self) -> bool {
        matches!(self, Self::Handover | Self::Stop)
    }

    /// Whether its end is a planned move back: two masters that hear each other again are none.
    pub fn ends_planned(self) -> bool {
        self != Self::SwitchPort
    }

    /// The longest that the address takes to move: for a host that is gone the protocol's own limit, for a
    /// service that is gone `fall` failures, the last of which may have its own interval, and the skew time.
    pub fn limit(self) -> Duration {
        let interval = Duration::from_millis(u64::from(INTERVAL_CS) * 10);
        let skew = interval * (256 - u32::from(PRIORITIES[1])) / 256;
        match self {
            Self::Cable | Self::SwitchPort => interval * 3 + skew,
            Self::ServiceKilled => CHECK_INTERVAL * (FALL + 1) + skew,
            Self::Handover | Self::Stop => Duration::ZERO,
        }
    }
}

/// The accounts of a client.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Of the move away from clarinet.
    pub away: Account,
    /// Of the move back.
    pub back: Account,
}

/// A service on clarinet and on fridge, and vrrpd on both. clarinet is preferred.
#[derive(Debug)]
pub struct Served {
    /// The service.
    pub service: Service,
    /// vrrpd on clarinet and on fridge.
    pub vrrpds: [Daemon; 2],
    servers: [Vec<Daemon>; 2],
    /// The hosts.
    pub network: PaperNetwork,
}

impl Served {
    /// Starts everything, and waits until clarinet answers.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn start(service: Service) -> Self {
        let network = PaperNetwork::new(Segment::Switch);
        let hosts = [&network.clarinet, &network.fridge];
        // A silent address is on the host before the server binds it; the paper's scripts find a server.
        let early = (!service.is_silent()).then(|| hosts.map(|host| service.start(host)));
        let vrrpds = [0, 1].map(|index| {
            let vr = service.virtual_router(hosts[index]);
            hosts[index].start(Program::Vrrpd, &[vr.priority(PRIORITIES[index])])
        });
        let servers = early.unwrap_or_else(|| {
            for host in hosts {
                let there = || host.has_address(service.address());
                wait_until(LIMIT, "the address is there", there);
            }
            hosts.map(|host| service.start(host))
        });
        let served = Self {
            service,
            vrrpds,
            servers,
            network,
        };
        served.wait_settled();
        served
    }

    /// Waits until the checks pass on both hosts and clarinet answers.
    fn wait_settled(&self) {
        for host in [&self.network.clarinet, &self.network.fridge] {
            if !self.service.has_scripts() {
                wait_until(LIMIT, "the check passes", || passes(host));
            }
        }
        self.wait_served_by("clarinet");
    }

    /// Waits until a host answers.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn wait_served_by(&self, name: &'static str) {
        let client = self.network.jimbob.stack();
        wait_until(LIMIT, &format!("{name} answers"), || {
            self.service.ask(client, Duration::from_millis(500)) == Some(name)
        });
    }

    /// Has `event` happen, and end.
    pub fn suffer(&mut self, event: Event, within: Duration) -> Moved {
        let away = self.asked("fridge", within, |served| served.begin(event));
        let back = self.asked("clarinet", within, |served| served.end(event));
        self.wait_settled();
        Moved { away, back }
    }

    /// Asks while `happens`, and until `then` has answered for a moment.
    fn asked(
        &mut self,
        then: &'static str,
        within: Duration,
        happens: impl FnOnce(&mut Self),
    ) -> Account {
        let client = Client::start(self.service, &self.network.jimbob, within);
        std::thread::sleep(Duration::from_millis(200));
        happens(self);
        wait_until(LIMIT, &format!("{then} answers"), || {
            client.answered_by() == Some(then)
        });
        std::thread::sleep(Client::PERIOD * 5 * patience());
        client.stop()
    }

    fn begin(&mut self, event: Event) {
        let clarinet = &self.network.clarinet;
        match event {
            Event::Cable => clarinet.pull_cable(),
            Event::SwitchPort => clarinet.fail_port(),
            Event::ServiceKilled => self.servers[0][0].crash(),
            Event::Handover => drop(vrrpctl(clarinet, &["priority", "1", "50"])),
            Event::Stop => self.vrrpds[0].stop(),
        }
    }

    fn end(&mut self, event: Event) {
        let clarinet = &self.network.clarinet;
        match event {
            Event::Cable => clarinet.plug_cable(),
            Event::SwitchPort => clarinet.mend_port(),
            Event::ServiceKilled => {
                // Programs that it needs are started again with it, once their ports are free.
                self.servers[0].clear();
                self.servers[0] = self.service.start(clarinet);
            }
            Event::Handover => drop(vrrpctl(clarinet, &["priority", "1", "default"])),
            Event::Stop => self.vrrpds[0].start_again(clarinet),
        }
    }
}

/// Whether the check of a host was asked and passes.
fn passes(host: &Host) -> bool {
    let status = vrrpctl(host, &["status"]);
    status.contains("it passes") && !status.contains("not answered") && !status.contains("failed: ")
}
