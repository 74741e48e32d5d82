//! A pair of gateways between two segments: what clients behind it notice of all that can happen to
//! one of them. Needs root or a user namespace.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::probe::Ask;
use vrrp_lab::sys::now_us;
use vrrp_lab::{
    Capture, Daemon, HZ, Host, INTERVAL_CS, Lab, Nic, Probe, Program, Report, Segment, Vr,
    patience, pause, wait_until,
};

/// The server beyond the gateways, in both families.
const OUTSIDE: [&str; 2] = ["10.10.20.5", "fd00:20::5"];
/// Its port for [`Stream`].
const TCP_PORT: u16 = 7007;
/// Takeover takes 0.7 s by the protocol; the rest is for a busy machine.
const TAKEOVER_US: u64 = 3_000_000;
/// The probes that a busy machine may lose while the gateway changes: those on their way.
const ON_THEIR_WAY: usize = 10;

/// How the virtual routers of a pair serve.
#[derive(Clone, Copy, Debug)]
struct Mode {
    vmac: bool,
    accept: bool,
    tie: Tie,
}

/// The tie of the sides of a gateway.
#[derive(Clone, Copy, Debug)]
enum Tie {
    /// Each fails with the interface of the other.
    Tracks,
    /// They are a synchronisation group. Without preemption both hosts have the same priority.
    Group { preempt: bool },
}

impl Tie {
    /// The lines behind the last virtual router.
    const GROUP: &str = "\n[GROUP]\nname = gateway\nvrids = 1, 2, 3, 4\n\n\
        [CHECK]\nname = inside\nping = 10.10.10.5\ninterval = 0.2\nfall = 2\n\n\
        [CHECK]\nname = outside\nping = 10.10.20.5\ninterval = 0.2\nfall = 2";
}

/// Both sides of a gateway in both families: VRID, interface, addresses. The uplink fails with the
/// interface of the clients, and the other way round.
fn virtual_routers(mode: Mode, priority: u8) -> Vec<Vr> {
    [
        (1, "xl0", "10.10.10.1", "xl1"),
        (2, "xl0", "fe80::1,fd00:10::1", "xl1"),
        (3, "xl1", "10.10.20.1", "xl0"),
        (4, "xl1", "fe80::2,fd00:20::1", "xl0"),
    ]
    .map(|(vrid, interface, addresses, tracked)| {
        let vr = Vr::new(vrid, addresses)
            .on(interface)
            .priority(priority)
            .interval_cs(INTERVAL_CS)
            .vmac(mode.vmac)
            .line(&format!(
                "accept = {}",
                if mode.accept { "yes" } else { "no" }
            ));
        match mode.tie {
            Tie::Tracks => vr.line(&format!("trackinterface = {tracked}")),
            Tie::Group { preempt } => {
                // The port of either side may be silent while its carrier stays.
                let vr = match vrid {
                    1 => vr.line("check = inside:fault"),
                    3 => vr.line("check = outside:fault"),
                    _ => vr,
                };
                let vr = match preempt {
                    true => vr,
                    false => vr.priority(100).no_preempt(),
                };
                match vrid {
                    4 => vr.line(Tie::GROUP),
                    _ => vr,
                }
            }
        }
    })
    .into()
}

/// Two gateways, a client on the one side, and a server on the other.
struct Gateways {
    mode: Mode,
    /// Declared before the hosts, which are declared before the segments: they go in this order.
    daemons: [Daemon; 2],
    captures: [Capture; 2],
    clarinet: Host,
    fridge: Host,
    uplink: Nic,
    /// That of fridge.
    other_uplink: Nic,
    jimbob: Host,
    outside: Host,
    echo: Option<Echo>,
    _segments: [Lab; 2],
}

impl Gateways {
    /// Starts the daemons on gateways that `prepare` has made ready, and waits until clarinet is master
    /// of everything.
    fn start(mode: Mode, prepare: impl Fn(&Host)) -> Self {
        eprintln!("--- {mode:?}");
        let lan = Lab::new(Segment::Switch);
        let wan = lan.segment(Segment::Switch, 20);
        let [clarinet, fridge] = [("clarinet", 6), ("fridge", 2)].map(|(n, at)| lan.host(n, at));
        let (jimbob, outside) = (lan.host("jimbob", 5), wan.host("outside", 5));
        let uplink = clarinet.join(&wan, "xl1");
        let other_uplink = fridge.join(&wan, "xl1");
        for host in [&clarinet, &fridge] {
            host.netns().sysctl("net/ipv4/ip_forward", "1");
            host.netns().sysctl("net/ipv6/conf/all/forwarding", "1");
            prepare(host);
        }
        jimbob.netns().ip("route add default via 10.10.10.1\n\
             route add ::/0 via fe80::1 dev xl0");
        outside.netns().ip("route add default via 10.10.20.1\n\
             route add ::/0 via fe80::2 dev xl0");
        outside.serve();
        let captures = [lan.capture(), wan.capture()];
        let start =
            |host: &Host, priority| host.start(Program::Vrrpd, &virtual_routers(mode, priority));
        let first = start(&clarinet, 250);
        if matches!(mode.tie, Tie::Group { preempt: false }) {
            // Neither is the better one: the first to serve stays master.
            wait_until(LIMIT, "clarinet serves", || {
                vrrpctl(&clarinet, &["status"])
                    .matches("master for")
                    .count()
                    >= 4
            });
        }
        let gateways = Self {
            mode,
            daemons: [first, start(&fridge, 100)],
            captures,
            echo: Some(Echo::start(&outside)),
            clarinet,
            fridge,
            uplink,
            other_uplink,
            jimbob,
            outside,
            _segments: [lan, wan],
        };
        gateways.wait_master("clarinet");
        gateways
    }

    /// Waits until the host `name` alone advertises all four.
    fn wait_master(&self, name: &str) {
        let window = Duration::from_millis(u64::from(INTERVAL_CS) * 10 * 5 / 2);
        let start = Instant::now();
        loop {
            let from_us = now_us();
            pause(window);
            let alone = |vrid: u8| {
                let capture = &self.captures[usize::from(vrid > 2)];
                let seen = capture.find(|seen| {
                    let advert = seen.advert();
                    seen.at_us >= from_us && advert.is_some_and(|advert| advert.vrid == vrid)
                });
                !seen.is_empty() && seen.iter().all(|seen| &*seen.host == name)
            };
            if (1..=4).all(alone) {
                return;
            }
            assert!(
                start.elapsed() < LIMIT * patience(),
                "{name} is not the only master"
            );
        }
    }

    /// The client's losses, by UDP, while `happens` and until `then` is the only master. Its
    /// connections live on.
    fn probed(&mut self, then: &str, happens: impl FnOnce(&mut Self)) -> [Report; 2] {
        let streams = OUTSIDE.map(|address| Stream::open(&self.jimbob, address));
        let probes = OUTSIDE.map(|address| Probe::start(&self.jimbob, address, HZ, Ask::Name));
        pause(Duration::from_millis(300));
        happens(self);
        self.wait_master(then);
        let reports = probes.map(Probe::stop);
        streams.into_iter().for_each(Stream::finish);
        reports
    }

    /// An event that the protocol takes its time to notice.
    fn fails(&mut self, what: &str, then: &str, happens: impl FnOnce(&mut Self)) {
        for report in self.probed(then, happens) {
            let silence_us = report.longest_silence_us();
            assert!(
                silence_us < TAKEOVER_US,
                "{what}: silence of {silence_us} us"
            );
        }
    }

    /// An event that is planned, of which nobody notices anything.
    fn moves(&mut self, what: &str, then: &str, happens: impl FnOnce(&mut Self)) {
        for report in self.probed(then, happens) {
            let lost = report.lost();
            assert!(
                lost <= ON_THEIR_WAY,
                "{what}: {lost}: {:#?}",
                report.timeline()
            );
        }
    }

    /// Everything that can happen to clarinet.
    fn live_through(mut self) {
        self.moves("reload", "clarinet", |all| {
            let mut vrs = virtual_routers(all.mode, 240);
            for vr in &mut vrs {
                vr.lines.push("announcerefresh = 60".into());
            }
            all.daemons[0].reload(&all.clarinet, &vrs);
            pause(Duration::from_secs(1));
        });
        self.fails("the cable to the clients", "fridge", |all| {
            all.clarinet.pull_cable();
        });
        // The kernel may have asked for its neighbours in vain, and asks again after a second.
        self.fails("its return", "clarinet", |all| all.clarinet.plug_cable());
        self.fails("the uplink", "fridge", |all| all.uplink.pull_cable());
        self.fails("its return", "clarinet", |all| all.uplink.plug_cable());
        self.moves("stop", "fridge", |all| all.daemons[0].stop());
        self.moves("start", "clarinet", |all| {
            all.daemons[0].start_again(&all.clarinet);
        });
        self.fails("crash", "fridge", |all| all.daemons[0].crash());
        self.moves("start after a crash", "clarinet", |all| {
            all.daemons[0].start_again(&all.clarinet);
        });
        for host in [&self.clarinet, &self.fridge] {
            let status = vrrpctl(host, &["status"]);
            assert!(!status.contains("warning"), "{status}");
        }
    }
}

/// A change of the two gateways and their cables.
type Act = fn(&mut Gateways);

/// In a synchronisation group, which moves as one.
impl Gateways {
    /// Faults of clarinet, each with the way in which it is mended.
    const FAULTS: [(&str, Act, Act); 6] = [
        (
            "the cable to the clients",
            |all| all.clarinet.pull_cable(),
            |all| all.clarinet.plug_cable(),
        ),
        (
            "the uplink",
            |all| all.uplink.pull_cable(),
            |all| all.uplink.plug_cable(),
        ),
        (
            "both cables",
            |all| {
                all.clarinet.pull_cable();
                all.uplink.pull_cable();
            },
            |all| {
                all.uplink.plug_cable();
                all.clarinet.plug_cable();
            },
        ),
        (
            "a silent port to the clients",
            |all| all.clarinet.fail_port(),
            |all| all.clarinet.mend_port(),
        ),
        (
            "a silent port of the uplink",
            |all| all.uplink.fail_port(),
            |all| all.uplink.mend_port(),
        ),
        (
            "a crash",
            |all| all.daemons[0].crash(),
            |all| all.daemons[0].start_again(&all.clarinet),
        ),
    ];

    fn live_as_group(mut self, preempt: bool) {
        for (what, breaks, mends) in Self::FAULTS {
            self.fails(what, "fridge", breaks);
            // With preemption off the group stays where it is, and on one host.
            let then = if preempt { "clarinet" } else { "fridge" };
            self.fails(&format!("the end of {what}"), then, |all| {
                mends(all);
                pause(Duration::from_secs(1));
            });
            if !preempt {
                wait_until(LIMIT, "clarinet takes part again", || {
                    let status = vrrpctl(&self.clarinet, &["status"]);
                    status.matches("backup").count() >= 4
                });
                self.moves("resign", "clarinet", |all| {
                    vrrpctl(&all.fridge, &["resign", "3"]);
                });
            }
        }
        // The backup is the one that is cut off: nothing moves.
        self.moves("a silent port of the backup", "clarinet", |all| {
            all.other_uplink.fail_port();
            pause(Duration::from_secs(2));
            all.other_uplink.mend_port();
        });
        self.moves("drain", "fridge", |all| {
            vrrpctl(&all.clarinet, &["drain", "1"]);
        });
    }
}

impl Drop for Gateways {
    fn drop(&mut self) {
        drop(self.echo.take());
    }
}

/// The server's service over TCP: it sends back what it gets.
struct Echo {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Echo {
    fn start(host: &Host) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let any: [IpAddr; 2] = [[0_u8; 4].into(), [0_u16; 8].into()];
        let listen = |address: IpAddr| {
            // The one of IPv6 would claim the port in IPv4, too.
            host.netns().sysctl("net/ipv6/bindv6only", "1");
            let listener = host
                .netns()
                .enter(|| TcpListener::bind((address, TCP_PORT)));
            let listener = listener.expect("bind the service");
            listener.set_nonblocking(true).expect("set non-blocking");
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || serve(&listener, &stop))
        };
        let threads = any.map(listen).into();
        Self { stop, threads }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A client that was not answered has noticed a panic.
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, stop: &AtomicBool) {
    let mut clients: Vec<TcpStream> = Vec::new();
    let mut room = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((client, _)) = listener.accept() {
            client.set_nonblocking(true).expect("set non-blocking");
            clients.push(client);
        }
        clients.retain_mut(|client| match client.read(&mut room) {
            Ok(0) => false,
            Ok(len) => client.write_all(&room[..len]).is_ok(),
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A connection through the gateways on which something is always on its way.
struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, usize)>,
    connection: TcpStream,
}

impl Stream {
    fn open(host: &Host, address: &str) -> Self {
        let to = SocketAddr::new(address.parse().expect("an IP address"), TCP_PORT);
        let connect = || TcpStream::connect_timeout(&to, Duration::from_secs(5));
        let connection = host
            .netns()
            .enter(connect)
            .expect("connect through the gateways");
        connection.set_nonblocking(true).expect("set non-blocking");
        let stop = Arc::new(AtomicBool::new(false));
        let (mut pipe, stopped) = (
            connection.try_clone().expect("a second handle"),
            Arc::clone(&stop),
        );
        let thread = std::thread::spawn(move || {
            let (mut sent, mut echoed) = (0, 0);
            let mut end = None;
            let mut room = [0; 4096];
            loop {
                if stopped.load(Ordering::Relaxed) {
                    let end = *end.get_or_insert(Instant::now() + LIMIT);
                    if echoed == sent || Instant::now() > end {
                        return (sent, echoed);
                    }
                } else if let Ok(len) = pipe.write(&[7; 100]) {
                    sent += len;
                }
                match pipe.read(&mut room) {
                    Ok(0) => return (sent, echoed),
                    Ok(len) => echoed += len,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => return (sent, echoed),
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self {
            stop,
            thread,
            connection,
        }
    }

    /// Everything that was sent comes back.
    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (sent, echoed) = self.thread.join().expect("the thread of a connection");
        assert!(
            sent > 0 && echoed == sent,
            "{echoed} of {sent} octets came back"
        );
        assert!(self.connection.take_error().expect("its state").is_none());
    }
}

#[test]
fn a_gateway_of_virtual_macs_lives_through_everything() {
    let mode = Mode {
        vmac: true,
        accept: true,
        tie: Tie::Tracks,
    };
    Gateways::start(mode, |_| {}).live_through();
}

/// As it is where systemd sets the sysctls: every interface filters loosely.
#[test]
fn a_gateway_of_virtual_macs_that_accepts_nothing_lives_through_everything() {
    let mode = Mode {
        vmac: true,
        accept: false,
        tie: Tie::Tracks,
    };
    let filter = |host: &Host| {
        for scope in ["all", "default", "xl0", "xl1"] {
            host.netns()
                .sysctl(&format!("net/ipv4/conf/{scope}/rp_filter"), "2");
        }
    };
    Gateways::start(mode, filter).live_through();
}

#[test]
fn a_gateway_of_the_interfaces_own_macs_lives_through_everything() {
    let mode = Mode {
        vmac: false,
        accept: true,
        tie: Tie::Tracks,
    };
    Gateways::start(mode, |_| {}).live_through();
}

#[test]
fn a_gateway_of_own_macs_that_accepts_nothing_lives_through_everything() {
    let mode = Mode {
        vmac: false,
        accept: false,
        tie: Tie::Tracks,
    };
    Gateways::start(mode, |_| {}).live_through();
}

#[test]
fn a_gateway_that_is_a_group_moves_as_one() {
    for vmac in [true, false] {
        let mode = Mode {
            vmac,
            accept: true,
            tie: Tie::Group { preempt: true },
        };
        Gateways::start(mode, |_| {}).live_as_group(true);
    }
}

#[test]
fn a_gateway_that_is_a_group_without_preemption_moves_as_one() {
    let mode = Mode {
        vmac: true,
        accept: true,
        tie: Tie::Group { preempt: false },
    };
    Gateways::start(mode, |_| {}).live_as_group(false);
}

/// Sysctls of a firewall: forwarding of single interfaces, every filter, strict or loose, before the
/// start and meanwhile.
#[test]
fn a_gateway_forwards_whatever_filters_its_interfaces_have() {
    for (vmac, accept) in [(true, false), (true, true), (false, false)] {
        let single = |host: &Host| {
            let ns = host.netns();
            ns.sysctl("net/ipv4/ip_forward", "0");
            for interface in ["xl0", "xl1"] {
                ns.sysctl(&format!("net/ipv4/conf/{interface}/forwarding"), "1");
            }
            ns.sysctl("net/ipv4/conf/all/rp_filter", "1");
        };
        let all = Gateways::start(
            Mode {
                vmac,
                accept,
                tie: Tie::Tracks,
            },
            single,
        );
        let passes = |when: &str| {
            wait_until(LIMIT, when, || {
                all.jimbob.ask(OUTSIDE[0]).as_deref() == Some(all.outside.name())
            });
            let probe = Probe::start(&all.jimbob, OUTSIDE[0], HZ, Ask::Name);
            pause(Duration::from_millis(200));
            assert_eq!(probe.stop().lost(), 0, "{when}");
        };
        passes("strict from the start");
        let ns = all.clarinet.netns();
        for (scope, value) in [("all", "2"), ("all", "0"), ("xl0", "1"), ("xl0", "2")] {
            ns.sysctl(&format!("net/ipv4/conf/{scope}/rp_filter"), value);
            passes(&format!("{scope} {value} while it is master"));
        }
        // As a program does that knows nothing of us.
        for interface in all.clarinet.interfaces() {
            ns.sysctl(&format!("net/ipv4/conf/{interface}/rp_filter"), "1");
        }
        passes("strict on every interface");
        ns.sysctl("net/ipv4/ip_forward", "1");
        passes("with the forwarding of all");
        ns.sysctl("net/ipv4/ip_forward", "0");
        wait_until(LIMIT, "nothing is forwarded", || {
            all.jimbob.ask(OUTSIDE[0]).is_none()
        });
        let warns = || vrrpctl(&all.clarinet, &["status"]).contains("xl0.forwarding is 0");
        wait_until(LIMIT, "the status says so", || warns() != accept);
        for interface in ["xl0", "xl1"] {
            ns.sysctl(&format!("net/ipv4/conf/{interface}/forwarding"), "1");
        }
        passes("with that of single interfaces again");
        assert!(!warns());
    }
}

/// A gateway may have an address in another network alone: the virtual one is all that its clients know.
#[test]
fn a_gateway_without_an_address_of_its_own_in_the_network_of_its_clients_forwards() {
    let lan = Lab::new(Segment::Switch);
    let wan = lan.segment(Segment::Switch, 20);
    let (clarinet, jimbob) = (lan.host("clarinet", 6), lan.host("jimbob", 5));
    let outside = wan.host("outside", 5);
    clarinet.join(&wan, "xl1");
    let ns = clarinet.netns();
    ns.sysctl("net/ipv4/ip_forward", "1");
    ns.sysctl("net/ipv6/conf/all/forwarding", "1");
    ns.ip("addr del 10.10.10.6/24 dev xl0\n\
         addr del fd00:10::6/64 dev xl0\n\
         addr add 192.168.9.6/24 dev xl0");
    jimbob.netns().ip("route add default via 10.10.10.1\n\
         route add ::/0 via fe80::1 dev xl0");
    outside.netns().ip("route add default via 10.10.20.6\n\
         route add ::/0 via fd00:20::6");
    outside.serve();
    let before = [ns_routes(&clarinet, "-4"), ns_routes(&clarinet, "-6")];
    for vmac in [true, false] {
        for accept in [true, false] {
            for rp_filter in ["0", "1"] {
                let mode = Mode {
                    vmac,
                    accept,
                    tie: Tie::Tracks,
                };
                eprintln!("--- {mode:?}, rp_filter {rp_filter}");
                ns.sysctl("net/ipv4/conf/all/rp_filter", rp_filter);
                let vrs = &virtual_routers(mode, 100)[..2];
                let config = Program::Vrrpd.config(&clarinet, vrs);
                let config = config.replace("/32", "/24").replace("/128", "/64");
                let config = config.replace("fe80::1/64", "fe80::1/128");
                let mut daemon = Daemon::start(Program::Vrrpd, &clarinet, &config, vrs);
                for address in OUTSIDE {
                    wait_until(LIMIT, address, || {
                        jimbob.forget_neighbours();
                        jimbob.ask(address).as_deref() == Some("outside")
                    });
                }
                // An interface that was down has lost its routes.
                ns.ip("link set xl0 down\nlink set xl0 up");
                for address in OUTSIDE {
                    wait_until(LIMIT, address, || {
                        jimbob.ask(address).as_deref() == Some("outside")
                    });
                }
                // A host that gets an address of its own needs the route no more.
                ns.ip("addr add 10.10.10.6/24 dev xl0");
                let spare =
                    || ns_routes(&clarinet, "-4").contains("10.10.10.0/24 dev xl0 proto 112");
                wait_until(LIMIT, "one route is enough", || !spare());
                ns.ip("addr del 10.10.10.6/24 dev xl0");
                wait_until(LIMIT, "it is reached again", || {
                    jimbob.ask(OUTSIDE[0]).as_deref() == Some("outside")
                });
                daemon.stop();
                let after = [ns_routes(&clarinet, "-4"), ns_routes(&clarinet, "-6")];
                assert_eq!(after, before);
            }
        }
    }
    // The next process removes the leftovers of one that was killed.
    let vrs = &virtual_routers(
        Mode {
            vmac: true,
            accept: false,
            tie: Tie::Tracks,
        },
        100,
    )[..2];
    let config = Program::Vrrpd.config(&clarinet, vrs);
    let config = config.replace("/32", "/24").replace("/128", "/64");
    let mut daemon = Daemon::start(Program::Vrrpd, &clarinet, &config, vrs);
    wait_until(LIMIT, "a route", || {
        ns_routes(&clarinet, "-4").contains("10.10.10.0/24")
    });
    daemon.crash();
    daemon.start_again(&clarinet);
    wait_until(LIMIT, "it is master again", || {
        vrrpctl(&clarinet, &["status", "--brief"]).contains("master")
    });
    assert_eq!(jimbob.ask(OUTSIDE[0]).as_deref(), Some("outside"));
    daemon.stop();
    assert_eq!(ns_routes(&clarinet, "-4"), before[0]);
}

/// The routes of a family but for those that the kernel makes by itself and in its own time.
fn ns_routes(host: &Host, family: &str) -> String {
    let routes = host.run(&format!("ip {family} route show table main"));
    let lines = routes.lines().filter(|line| !line.contains("fe80::/64"));
    lines.map(|line| format!("{line}\n")).collect()
}
