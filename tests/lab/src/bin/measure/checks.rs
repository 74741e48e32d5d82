//! The cost of checks.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use vrrp_lab::daemons::{Daemon, Usage, children_of, usage, vrrpctl};
use vrrp_lab::services::{name_servers, servers};
use vrrp_lab::{Host, PaperNetwork, Program, Segment, Vr, sayln, wait_until};

/// How long each row is watched.
const WATCH: Duration = Duration::from_secs(20);
const PORT: u16 = 80;

/// Prints what `count` checks at 1 s cost: the processor time of vrrpd and of its checker, in percent of
/// one processor, and the memory of the checker.
pub(crate) fn run(count: u32, only: &str) {
    sayln!("{count} checks at 1 s, {} s each\n", WATCH.as_secs());
    sayln!(
        "| {:<44} | vrrp-checker | vrrpd | memory of vrrp-checker |",
        "checks"
    );
    sayln!(
        "| {:-<44} | -----------: | ----: | ---------------------: |",
        ""
    );
    let network = PaperNetwork::new(Segment::Hub);
    let host = &network.clarinet;
    serve(host);
    let _servers = [
        servers::apache(host, true),
        name_servers::tinydns(host, "127.0.0.1"),
    ];
    let rows = [
        ("tcp", "tcp = 127.0.0.1:80"),
        (
            "tcp with a first line",
            "tcp = 127.0.0.1:80\nsend = GET / HTTP/1.0\\r\\n\nexpect = ^HTTP",
        ),
        ("http with a text", "http = http://127.0.0.1/\nbody = ok"),
        ("https", "http = https://127.0.0.1/whoami\nverify = no"),
        ("dns", "dns = 127.0.0.1 who.ami TXT"),
        ("ping", "ping = 127.0.0.1"),
        ("process", "process = vrrpd"),
        ("file", "file = /proc/self"),
    ];
    for (name, question) in rows.into_iter().filter(|(name, _)| name.contains(only)) {
        let checks = (0..count).map(|number| (format!("c{number}"), question));
        row(host, name, &[Vr::new(1, "10.10.10.80")], checks);
    }
    let shared = "255 virtual routers that share one tcp check";
    if shared.contains(only) {
        let vrs: Vec<Vr> = (1..=255)
            .map(|vrid| Vr::new(vrid, &format!("10.10.20.{vrid}")).line("check = c:-10"))
            .collect();
        let one = [("c".to_owned(), "tcp = 127.0.0.1:80")];
        row(host, shared, &vrs, one.into_iter());
    }
}

fn row<'a>(host: &Host, name: &str, vrs: &[Vr], checks: impl Iterator<Item = (String, &'a str)>) {
    let mut text = Program::Vrrpd.config(host, vrs);
    for (check, question) in checks {
        text += &format!("[CHECK]\nname = {check}\n{question}\n");
    }
    let daemon = Daemon::start(Program::Vrrpd, host, &text, vrs);
    wait_until(Duration::from_secs(30), "all are asked", || {
        let status = vrrpctl(host, &["status"]);
        status.contains("check c") && !status.contains("not answered yet")
    });
    std::thread::sleep(Duration::from_secs(2));
    let vrrpd = daemon.pid();
    let checker = children_of(vrrpd, "vrrp-checker");
    let checker = *checker.first().expect("a checker");
    let began = Instant::now();
    let before = [checker, vrrpd].map(used);
    std::thread::sleep(WATCH);
    let after = [checker, vrrpd].map(used);
    let took = began.elapsed().as_secs_f64();
    let percent = |index: usize| (after[index].cpu_s - before[index].cpu_s) / took * 100.0;
    let failing = vrrpctl(host, &["status"]).matches("fails for").count();
    assert_eq!(failing, 0, "checks fail");
    sayln!(
        "| {name:<44} | {:>12.1} | {:>5.1} | {:>18.1} MiB |",
        percent(0),
        percent(1),
        after[0].resident_kib as f64 / 1024.0
    );
}

fn used(pid: u32) -> Usage {
    usage(pid).expect("a running process")
}

/// A small web server on the host, with a thread for each connection of the moment.
fn serve(host: &Host) {
    let listener = host
        .stack()
        .enter(|| TcpListener::bind(("127.0.0.1", PORT)));
    let listener = listener.expect("a port");
    for _ in 0..8 {
        let listener = listener.try_clone().expect("another handle");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream);
            }
        });
    }
}

fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    // One who only connects hangs up.
    if matches!(stream.read(&mut request), Ok(1..)) {
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}
