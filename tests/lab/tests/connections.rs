//! TCP connections of a host that gives an address up in a planned move: their clients learn at once.
//! Needs root or a user namespace.

#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::{LIMIT, Pair};
use vrrp_lab::probe::Ask;
use vrrp_lab::{Host, Program, Segment, Vr, pause, wait_until};

const V4: &str = "10.10.10.22";
const V6: &str = "fd00:10::22";
/// Sessions that are idle when the address moves, as those of ssh are most of the time.
const SESSIONS: usize = 16;
const PORT: u16 = 22;

/// A service that accepts connections and says nothing, as a shell does between two commands.
struct Idle {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Idle {
    fn start(host: &Host) -> Self {
        let listener = host.netns().enter(|| TcpListener::bind(("::", PORT)));
        let listener = listener.expect("listen");
        listener.set_nonblocking(true).expect("do not block");
        let stop = Arc::new(AtomicBool::new(false));
        let ended = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut sessions = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((session, _)) => sessions.push(session),
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Opens sessions from a client.
fn sessions(client: &Host, address: &str, count: usize) -> Vec<TcpStream> {
    let address: IpAddr = address.parse().expect("an address");
    let connect = || TcpStream::connect_timeout(&(address, PORT).into(), LIMIT).expect("connect");
    client
        .netns()
        .enter(|| (0..count).map(|_| connect()).collect())
}

/// The end of a session, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Reset,
    None,
}

/// Waits for the end of each session, all together no longer than this.
fn ends(sessions: &mut [TcpStream], most: Duration) -> Vec<End> {
    let until = Instant::now() + most;
    let end = |session: &mut TcpStream| {
        let rest = until.saturating_duration_since(Instant::now());
        let rest = rest.max(Duration::from_millis(1));
        session.set_read_timeout(Some(rest)).expect("set a timeout");
        match session.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                End::None
            }
            other => panic!("{other:?}"),
        }
    };
    sessions.iter_mut().map(end).collect()
}

struct Lab {
    pair: Pair,
    _services: [Idle; 2],
    address: &'static str,
}

impl Lab {
    fn start(address: &'static str, vmac: bool, lines: &[&str]) -> Self {
        let addresses = match address.contains(':') {
            true => format!("fe80::22,{address}"),
            false => address.to_owned(),
        };
        let vr = Vr::new(1, &addresses).interval_cs(10).vmac(vmac);
        let vr = lines.iter().fold(vr, |vr, line| vr.line(line));
        let pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
        let hosts = [&pair.network.clarinet, &pair.network.fridge];
        Self {
            _services: hosts.map(Idle::start),
            pair,
            address,
        }
    }

    fn open(&self) -> Vec<TcpStream> {
        let sessions = sessions(&self.pair.network.jimbob, self.address, SESSIONS);
        // The service has accepted them.
        pause(Duration::from_millis(50));
        sessions
    }

    /// Has the address moved, and returns how the sessions ended. None of them waits for long.
    fn moved(&mut self, to: &str, how: impl FnOnce(&mut Pair)) -> Vec<End> {
        let mut sessions = self.open();
        how(&mut self.pair);
        self.pair.wait_master(to);
        ends(&mut sessions, Duration::from_secs(2))
    }
}

fn all_are_reset(address: &'static str, vmac: bool, lines: &[&str]) {
    let mut lab = Lab::start(address, vmac, lines);
    let all = [End::Reset; SESSIONS];
    let lowered = lab.moved("fridge", |pair| {
        vrrpctl(&pair.network.clarinet, &["priority", "1", "50"]);
    });
    assert_eq!(lowered, all, "the priority was lowered");
    let log = format!("reset {SESSIONS} TCP connections of addresses that this host has given up");
    lab.pair.clarinet.wait_said(&log);
    let metrics = vrrpctl(&lab.pair.network.clarinet, &["stats", "--prometheus"]);
    let metric = format!("\nvrrp_connections_reset_total {SESSIONS}\n");
    assert!(metrics.contains(&metric), "{metrics}");
    let preempted = lab.moved("clarinet", |pair| {
        vrrpctl(&pair.network.clarinet, &["priority", "1", "default"]);
    });
    assert_eq!(preempted, all, "a better one has come");
    let disabled = lab.moved("fridge", |pair| {
        vrrpctl(&pair.network.clarinet, &["disable", "1"]);
    });
    assert_eq!(disabled, all, "it was disabled");
    vrrpctl(&lab.pair.network.clarinet, &["enable", "1"]);
    lab.pair.wait_master("clarinet");
    let stopped = lab.moved("fridge", |pair| pair.clarinet.stop());
    assert_eq!(stopped, all, "the daemon was stopped");
    let clarinet = &lab.pair.network.clarinet;
    wait_until(LIMIT, "nothing is left", || !clarinet.has_address(address));
}

#[test]
fn with_the_virtual_mac() {
    all_are_reset(V4, true, &[]);
}

#[test]
fn with_the_mac_of_the_interface() {
    all_are_reset(V4, false, &[]);
}

#[test]
fn over_ipv6() {
    all_are_reset(V6, true, &[]);
}

#[test]
fn of_silent_addresses() {
    all_are_reset(V4, true, &["silent = yes"]);
}

#[test]
fn of_silent_addresses_over_ipv6() {
    all_are_reset(V6, false, &["silent = yes"]);
}

/// As without this: a client that says nothing hears nothing.
#[test]
fn connections_that_are_left_hang() {
    for lines in [
        &["connections = leave"][..],
        &["connections = leave", "silent = yes"],
    ] {
        let mut lab = Lab::start(V4, true, lines);
        let left = lab.moved("fridge", |pair| {
            vrrpctl(&pair.network.clarinet, &["priority", "1", "50"]);
        });
        assert_eq!(left, [End::None; SESSIONS], "{lines:?}");
    }
}

/// A host that is cut off gives the address up, and must not reset what may still go on: when its cable is
/// back before anybody has taken over, its sessions live.
#[test]
fn a_host_that_is_cut_off_resets_nothing() {
    let mut lab = Lab::start(V4, true, &["silent = yes"]);
    lab.pair.fridge.stop();
    let mut sessions = lab.open();
    let clarinet = &lab.pair.network.clarinet;
    clarinet.pull_cable();
    wait_until(LIMIT, "clarinet gives up", || {
        vrrpctl(clarinet, &["status"]).contains("init")
    });
    pause(Duration::from_millis(200));
    clarinet.plug_cable();
    lab.pair.wait_master("clarinet");
    let ends = ends(&mut sessions, Duration::from_millis(500));
    assert_eq!(ends, [End::None; SESSIONS]);
}

/// Thousands of sessions neither delay a planned move nor lose an answer.
#[test]
fn thousands_of_sessions_delay_nothing() {
    const MANY: usize = 4_000;
    let lab = Lab::start(V4, true, &[]);
    let mut many = sessions(&lab.pair.network.jimbob, V4, MANY);
    let probe = lab.pair.probe(200, Ask::Name);
    pause(Duration::from_millis(300));
    vrrpctl(&lab.pair.network.clarinet, &["priority", "1", "50"]);
    lab.pair.wait_master("fridge");
    let report = probe.stop();
    eprintln!(
        "{} lost, silent for {} us",
        report.lost(),
        report.longest_silence_us()
    );
    assert_eq!(report.lost(), 0, "{report:?}");
    let ends = ends(&mut many, Duration::from_secs(10));
    assert_eq!(ends, [End::Reset; MANY]);
}
