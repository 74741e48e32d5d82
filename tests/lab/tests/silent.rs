//! Services that bind a silent address once and are never told of anything: BIND's named as it comes,
//! and tinydns. Needs root or a user namespace, and Debian's bind9 and tinydns.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::services::name_servers;
use vrrp_lab::{Daemon, Host, PaperNetwork, Program, Segment, Vr, pause, wait_until};

const ADDRESS_V4: &str = "10.10.10.53";
const ADDRESS_V6: &str = "fd00:10::53";
/// Between two questions.
const PERIOD: Duration = Duration::from_millis(10);
/// An answer that takes longer is lost to a resolver.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// A name server that answers `who.ami TXT` with the name of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Named,
    Tinydns,
}

impl Server {
    /// Starts it, with no address to listen on but this one.
    fn start(self, host: &Host, address: &str) -> Daemon {
        match self {
            Self::Named => {
                let (listen, none) = match address.contains(':') {
                    true => ("listen-on-v6", "listen-on"),
                    false => ("listen-on", "listen-on-v6"),
                };
                let options = format!("{listen} {{ {address}; }}; {none} {{ none; }};");
                name_servers::named(host, &options)
            }
            Self::Tinydns => name_servers::tinydns(host, address),
        }
    }
}

/// The question `who.ami TXT`.
fn question(id: u16) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    packet.extend(b"\x03who\x03ami\x00\x00\x10\x00\x01");
    packet
}

/// A client that asks again and again.
struct Client {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Account>,
}

/// The answers that a client got.
#[derive(Debug, Default)]
struct Account {
    asked: usize,
    answers: BTreeMap<String, usize>,
    /// Questions that were answered twice.
    twice: usize,
    lost: usize,
    longest: Duration,
}

impl Client {
    fn start(host: &Host, address: &str) -> Self {
        let to: IpAddr = address.parse().expect("an address");
        let socket = host.stack().datagrams(to.is_ipv6(), 0).expect("a socket");
        socket
            .set_read_timeout(Some(PERIOD))
            .expect("set a timeout");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let asking = std::thread::spawn(move || {
            let mut account = Account::default();
            let mut open: HashMap<u16, Instant> = HashMap::new();
            let (mut id, mut next, mut last) = (0_u16, Instant::now(), Instant::now());
            let mut until = None;
            loop {
                let now = Instant::now();
                if stopped.load(Ordering::Relaxed) {
                    let end = *until.get_or_insert(now + ANSWERED_WITHIN);
                    if open.is_empty() || now >= end {
                        break;
                    }
                } else if now >= next {
                    next += PERIOD;
                    id += 1;
                    account.asked += 1;
                    if socket.send_to(&question(id), (to, 53)).is_ok() {
                        open.insert(id, now);
                    } else {
                        account.lost += 1;
                    }
                }
                let mut answer = [0; 512];
                let Ok((len, _)) = socket.recv_from(&mut answer) else {
                    continue;
                };
                let answered = u16::from_be_bytes([answer[0], answer[1]]);
                let Some(asked) = open.remove(&answered) else {
                    account.twice += 1;
                    continue;
                };
                if asked.elapsed() > ANSWERED_WITHIN {
                    account.lost += 1;
                }
                account.longest = account.longest.max(last.elapsed());
                last = Instant::now();
                let text = String::from_utf8_lossy(&answer[..len]).into_owned();
                let names = ["clarinet", "fridge"];
                let who = names.iter().find(|name| text.contains(**name));
                let who = who.map_or("refused", |name| name);
                *account.answers.entry(who.to_owned()).or_default() += 1;
            }
            account.lost += open.len();
            account
        });
        Self { stop, asking }
    }

    fn stop(self) -> Account {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.join().expect("a client")
    }
}

/// Both hosts with vrrpd, a silent address, and a name server that was started once it was there.
struct Lab {
    vrrpds: [Daemon; 2],
    servers: [Daemon; 2],
    address: &'static str,
    network: PaperNetwork,
}

impl Lab {
    fn start(server: Server, address: &'static str, vmac: bool) -> Self {
        let network = PaperNetwork::new(Segment::Switch);
        let addresses = match address.contains(':') {
            true => format!("fe80::53,{address}"),
            false => address.to_owned(),
        };
        let vr = Vr::new(1, &addresses).interval_cs(10).vmac(vmac);
        let vr = vr.line("silent = yes");
        let hosts = [&network.clarinet, &network.fridge];
        let vrrpds = [250, 100].map(|priority| vr.clone().priority(priority));
        let vrrpds = [0, 1].map(|i| hosts[i].start(Program::Vrrpd, &vrrpds[i..=i]));
        for host in hosts {
            let there = || host.run("ip -brief address show dev lo").contains(address);
            wait_until(LIMIT, "the address is on the loopback", there);
        }
        let lab = Self {
            servers: hosts.map(|host| server.start(host, address)),
            vrrpds,
            address,
            network,
        };
        lab.wait_served_by("clarinet");
        lab
    }

    fn wait_served_by(&self, name: &str) {
        wait_until(LIMIT, &format!("{name} answers"), || {
            let client = Client::start(&self.network.jimbob, self.address);
            pause(Duration::from_millis(100));
            client.stop().answers.keys().eq([name])
        });
    }

    /// Asks while `happens`, and until `then` answers.
    fn asked(&self, then: &str, happens: impl FnOnce()) -> Account {
        let client = Client::start(&self.network.jimbob, self.address);
        pause(Duration::from_millis(500));
        happens();
        self.wait_served_by(then);
        pause(Duration::from_millis(300));
        client.stop()
    }
}

fn serves_without_a_script(server: Server, address: &'static str, vmac: bool) {
    let lab = Lab::start(server, address, vmac);
    let PaperNetwork {
        clarinet, fridge, ..
    } = &lab.network;
    let both = |account: &Account| account.answers.keys().eq(["clarinet", "fridge"]);

    // Planned moves: away, and back by preemption.
    let away = lab.asked("fridge", || {
        vrrpctl(clarinet, &["priority", "1", "50"]);
    });
    assert_eq!((away.lost, away.twice), (0, 0), "{away:?}");
    assert!(both(&away), "{away:?}");
    let back = lab.asked("clarinet", || {
        vrrpctl(clarinet, &["priority", "1", "default"]);
    });
    assert_eq!((back.lost, back.twice), (0, 0), "{back:?}");
    assert!(both(&back), "{back:?}");

    // A cable that is pulled: three intervals and the skew time.
    let pulled = lab.asked("fridge", || clarinet.pull_cable());
    assert!(both(&pulled) && pulled.twice == 0, "{pulled:?}");
    let plugged = lab.asked("clarinet", || clarinet.plug_cable());
    assert_eq!((plugged.lost, plugged.twice), (0, 0), "{plugged:?}");
    eprintln!("away {away:?}\nback {back:?}\npulled {pulled:?}\nplugged {plugged:?}");

    // On the backup the service itself answers at its own address.
    let own = Client::start(fridge, address);
    pause(Duration::from_millis(100));
    let own = own.stop();
    assert!(own.answers.keys().eq(["fridge"]), "{own:?}");
    for named in lab.servers.iter().filter(|_| server == Server::Named) {
        let log = named.log();
        let bound = log
            .iter()
            .filter(|(_, line)| line.contains("listening on IP"));
        assert_eq!(bound.count(), 1, "named has bound the address once");
        assert!(!named.has_said("no longer listening"), "{named:?}");
    }
}

#[test]
fn named_with_the_virtual_mac() {
    serves_without_a_script(Server::Named, ADDRESS_V4, true);
}

#[test]
fn named_with_the_mac_of_the_interface() {
    serves_without_a_script(Server::Named, ADDRESS_V4, false);
}

#[test]
fn named_over_ipv6() {
    serves_without_a_script(Server::Named, ADDRESS_V6, true);
}

#[test]
fn tinydns_with_the_virtual_mac() {
    serves_without_a_script(Server::Tinydns, ADDRESS_V4, true);
}

#[test]
fn tinydns_with_the_mac_of_the_interface() {
    serves_without_a_script(Server::Tinydns, ADDRESS_V4, false);
}

/// Without it neither can serve: the address is not there when it is bound.
#[test]
fn a_service_cannot_bind_what_is_not_there() {
    let network = PaperNetwork::new(Segment::Switch);
    let host = &network.clarinet;
    let mut command = Command::new("/usr/sbin/tinydns");
    command.env("IP", ADDRESS_V4).env("ROOT", host.dir());
    command
        .env("UID", "0")
        .env("GID", "0")
        .stderr(Stdio::piped());
    let said = host
        .netns()
        .enter(|| command.output().expect("run tinydns"));
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("unable to bind"), "{said}");
}

/// When the process that parses packets dies, the address is handed over; it stays on the loopback, so
/// that a service which cannot bind it again goes on.
#[test]
fn a_worker_that_dies_takes_no_silent_address_with_it() {
    let lab = Lab::start(Server::Named, ADDRESS_V4, true);
    let worker = lab.vrrpds[0].worker();
    vrrp_lab::sys::signal(worker, libc::SIGKILL).expect("kill the worker");
    let gone = || !std::path::Path::new(&format!("/proc/{worker}")).exists();
    wait_until(LIMIT, "the worker is gone", gone);
    lab.wait_served_by("clarinet");
    assert!(!lab.servers[0].has_said("no longer listening"));
    // Nor does a stop leave it.
    let Lab {
        mut vrrpds,
        network,
        ..
    } = lab;
    vrrpds[0].stop();
    assert!(!network.clarinet.has_address(ADDRESS_V4));
    assert!(network.fridge.has_address(ADDRESS_V4));
}
