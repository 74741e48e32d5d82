//! Connections under way at a planned move: how soon their clients learn, and whether it costs the others.
//!
//! Services and clients are processes of their own, as a process may have some 20,000 descriptors.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::probe::Ask;
use vrrp_lab::{Daemon, Host, Pair, Program, Segment, Vr, pair, sayln, sys, wait_until};

const ADDRESS: &str = "10.10.10.22";
const FIRST_PORT: u16 = 1001;
/// Connections of one client, to one port.
const EACH: u32 = 16_000;
/// Clients are looked for that have not learned for no longer than this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Told by a client that has all of its connections, by one that has lost half of them, and by one that has lost
/// all.
const OPEN: &str = "all are open";
const HALF: &str = "half are reset";
const ALL: &str = "all are reset";

/// The words of a process that is a service, and of one that is its client.
pub(crate) const SERVICE: &str = "connections-service";
pub(crate) const CLIENT: &str = "connections-client";

/// Prints, for so many idle connections, what a handover does to them and to a client that asks 200 times a
/// second.
pub(crate) fn run(count: u32) {
    let vr = Vr::new(1, ADDRESS).interval_cs(10);
    let pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
    let network = &pair.network;
    let ports = FIRST_PORT..FIRST_PORT + count.div_ceil(EACH) as u16;
    let serve = |host| {
        ports
            .clone()
            .map(move |port| start(host, &[SERVICE, &port.to_string()]))
    };
    let services: Vec<Daemon> = [&network.clarinet, &network.fridge]
        .into_iter()
        .flat_map(serve)
        .collect();
    for service in &services {
        wait_until(PATIENCE, "a service listens", || {
            service.has_said("listens")
        });
    }
    let clients: Vec<Daemon> = ports
        .clone()
        .enumerate()
        .map(|(index, port)| {
            let of_it = EACH.min(count - EACH * index as u32);
            start(
                &network.jimbob,
                &[CLIENT, &port.to_string(), &of_it.to_string()],
            )
        })
        .collect();
    for client in &clients {
        wait_until(PATIENCE * 2, OPEN, || client.has_said(OPEN));
    }

    let probe = pair.probe(200, Ask::Name);
    std::thread::sleep(Duration::from_millis(300));
    let began_us = sys::now_us();
    vrrpctl(&network.clarinet, &["priority", "1", "50"]);
    for client in &clients {
        wait_until(PATIENCE, ALL, || client.has_said(ALL));
    }
    pair.wait_master("fridge");
    let report = probe.stop();
    let log = format!("reset {count} TCP connections");
    let said = wait_for_log(&pair.clarinet, &log);
    let latest = |words: &str| {
        let at = |client: &Daemon| {
            client
                .log()
                .iter()
                .find(|(_, line)| line == words)
                .map(|(at, _)| *at)
        };
        let latest = clients.iter().filter_map(at).max().unwrap_or_default();
        latest.saturating_sub(began_us) / 1000
    };
    sayln!("| connections | half are reset within | all within | asks lost | longest silence |");
    sayln!("| ----------: | --------------------: | ---------: | --------: | --------------: |");
    sayln!(
        "| {count} | {} ms | {} ms | {} | {} ms |\n{said}",
        latest(HALF),
        latest(ALL),
        report.lost(),
        report.longest_silence_us() / 1000
    );
}

/// Waits for the line about connections, which may be several, and returns them.
fn wait_for_log(daemon: &Daemon, all: &str) -> String {
    let started = Instant::now();
    while !daemon.has_said(all) && started.elapsed() < pair::LIMIT {
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = daemon.log();
    let lines = log.iter().map(|(_, line)| line.as_str());
    let lines: Vec<&str> = lines
        .filter(|line| line.contains("TCP connection"))
        .collect();
    lines.join("\n")
}

fn start(host: &Host, words: &[&str]) -> Daemon {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(words);
    Daemon::run(host, words[0], command)
}

/// A service that accepts connections and says nothing.
pub(crate) fn serve(port: u16) {
    let listener = TcpListener::bind(("0.0.0.0", port)).expect("a port");
    sayln!("listens");
    let mut sessions: Vec<TcpStream> = Vec::new();
    sessions.extend(listener.incoming().flatten());
}

/// A client with so many connections, which tells when they are reset.
pub(crate) fn hold(port: u16, count: u32) {
    let connect = |_| {
        let session = TcpStream::connect((ADDRESS, port)).expect("connect");
        session.set_nonblocking(true).expect("do not block");
        session
    };
    let mut sessions: Vec<TcpStream> = (0..count).map(connect).collect();
    sayln!("{OPEN}");
    let (half, mut told) = (sessions.len() / 2, false);
    while !sessions.is_empty() {
        sessions.retain_mut(|session| !is_reset(session));
        if sessions.len() <= half && !told {
            told = true;
            sayln!("{HALF}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    sayln!("{ALL}");
}

fn is_reset(session: &mut TcpStream) -> bool {
    let ended = session.peek(&mut [0]).err();
    ended.is_some_and(|error| error.kind() == ErrorKind::ConnectionReset)
}
