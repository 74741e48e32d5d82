//! The paper's services behind a virtual address, one story for each: the address moves away from clarinet
//! and back for every reason there is, and the right host answers. Needs root and the packages of the lab's
//! services.

#![cfg(target_os = "linux")]

use std::net::IpAddr;
use std::time::Duration;

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::services::{
    Client, Event, INTERVAL_CS, Served, Service, certified_by, page, servers,
};
use vrrp_lab::{Daemon, PaperNetwork, Program, Segment, Vr, patience, wait_until};

/// An ask that takes longer is lost.
fn answered_within(service: Service, event: Event) -> Duration {
    let within = match event.is_planned() && !service.has_scripts() {
        // Nothing is lost, however busy this machine is.
        true => Duration::from_secs(1),
        false => Duration::from_millis(200),
    };
    within * patience()
}

/// Has every event happen that fits the service.
fn tell(service: Service) -> Served {
    let mut served = Served::start(service);
    for event in Event::ALL {
        if event == Event::ServiceKilled && service.has_scripts() {
            continue;
        }
        let within = answered_within(service, event);
        let moved = served.suffer(event, within);
        eprintln!("{} {}: {moved:?}", service.title(), event.title());
        let both = ["clarinet", "fridge"];
        for account in [&moved.away, &moved.back] {
            assert!(account.answers.keys().eq(&both), "{event:?}: {moved:?}");
        }
        if service.has_scripts() {
            // The server learns of the address after the host has it.
            continue;
        }
        if event.is_planned() {
            assert_eq!(moved.away.lost, 0, "{event:?}: {moved:?}");
            assert_eq!(moved.back.lost, 0, "{event:?}: {moved:?}");
        } else {
            let limit = (event.limit() + within + Client::PERIOD) * patience();
            let limit = limit + Duration::from_millis(500);
            assert!(
                moved.away.longest <= limit,
                "{limit:?}, {event:?}: {moved:?}"
            );
        }
        if event == Event::ServiceKilled {
            // Nothing is lost but in the time without it.
            assert!(moved.away.gaps <= 1, "{event:?}: {moved:?}");
            // Perhaps after the priority of fridge, which was heard in the same moment.
            let reason = service.failure();
            wait_until(LIMIT, &reason, || {
                let log = served.vrrpds[0].log();
                let moved =
                    |line: &str| line.contains("master -> backup: ") && line.ends_with(&reason);
                log.iter().any(|(_, line)| moved(line))
            });
        }
    }
    served
}

#[test]
fn apache() {
    tell(Service::Apache);
}

#[test]
fn apache_with_one_certificate_on_both_hosts() {
    tell(Service::ApacheTls);
}

#[test]
fn sendmail() {
    tell(Service::Sendmail);
}

#[test]
fn a_mail_server_under_tcpserver() {
    tell(Service::Tcpserver);
}

#[test]
fn sshd_with_a_certificate_for_each_host() {
    let served = tell(Service::Sshd);
    let client = &served.network.jimbob;
    for name in ["clarinet", "fridge"] {
        served.wait_served_by(name);
        let said = certified_by(client);
        assert!(said.contains(&format!("this is {name}")), "{said}");
        // The host was believed, the user was not.
        assert!(said.contains("Permission denied"), "{said}");
        vrrpctl(&served.network.clarinet, &["priority", "1", "50"]);
    }
}

#[test]
fn named() {
    tell(Service::Named);
}

#[test]
fn named_without_capabilities_on_a_silent_address() {
    tell(Service::NamedUnprivileged);
}

#[test]
fn named_that_event_scripts_reload() {
    tell(Service::NamedReloaded);
}

#[test]
fn tinydns_on_a_silent_address() {
    tell(Service::Tinydns);
}

#[test]
fn tinydns_that_event_scripts_start_and_stop() {
    tell(Service::TinydnsSupervised);
}

#[test]
fn axfrdns_on_a_silent_address() {
    tell(Service::Axfrdns);
}

#[test]
fn dnscache_on_a_silent_address() {
    tell(Service::Dnscache);
}

/// The paper's two virtual routers that share the load: when the web server of one host is killed, the other
/// host serves both addresses, and each has its own again afterwards.
#[test]
fn load_is_shared_until_a_web_server_is_killed() {
    let mut shared = SharedLoad::start();
    shared.wait_served_by(["clarinet", "fridge"]);
    for (killed, by) in [(0, ["fridge", "fridge"]), (1, ["clarinet", "clarinet"])] {
        shared.servers[killed].crash();
        shared.wait_served_by(by);
        shared.start_server(killed);
        shared.wait_served_by(["clarinet", "fridge"]);
    }
}

/// Web servers on both hosts behind two virtual routers, of which each host prefers one.
struct SharedLoad {
    _vrrpds: [Daemon; 2],
    servers: [Daemon; 2],
    network: PaperNetwork,
}

impl SharedLoad {
    const ADDRESSES: [&str; 2] = ["10.10.1.50", "10.10.1.55"];

    fn start() -> Self {
        let network = PaperNetwork::new(Segment::Switch);
        network.jimbob.add_route("10.10.1.0/24");
        let hosts = [&network.clarinet, &network.fridge];
        let servers = hosts.map(|host| servers::apache(host, false));
        let vrrpds = [[250, 100], [100, 250]];
        let vrrpds = [0, 1].map(|index| {
            let [one, other] = vrrpds[index];
            let vr = |vrid, address, priority| {
                let vr = Vr::new(vrid, address).interval_cs(INTERVAL_CS);
                vr.priority(priority).line("check = web")
            };
            let check =
                "[CHECK]\nname = web\ninterval = 0.2\nfall = 2\nhttp = http://localhost/whoami";
            let vrs = [
                vr(50, Self::ADDRESSES[0], one),
                vr(55, Self::ADDRESSES[1], other).line(check),
            ];
            hosts[index].start(Program::Vrrpd, &vrs)
        });
        Self {
            _vrrpds: vrrpds,
            servers,
            network,
        }
    }

    fn start_server(&mut self, index: usize) {
        let host = [&self.network.clarinet, &self.network.fridge][index];
        self.servers[index] = servers::apache(host, false);
    }

    fn wait_served_by(&self, names: [&str; 2]) {
        let limit = Duration::from_millis(500);
        let client = self.network.jimbob.stack();
        let served = |address: &str| {
            let at = (address.parse::<IpAddr>().expect("an address"), 80).into();
            client.enter(|| page(at, limit)).unwrap_or_default()
        };
        wait_until(LIMIT, &format!("{names:?} serve"), || {
            let pages = Self::ADDRESSES.map(served);
            pages
                .iter()
                .zip(names)
                .all(|(page, name)| page.contains(name))
        });
    }
}
