//! The endpoint against scrapers that are well-behaved, slow, many and hostile.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Kind, Listener, MAX_CLIENTS, MetricsSocket, PATIENCE, Scraper};
use crate::ctl::metrics::Snapshot;
use crate::patience::patient;
use crate::poll::PollSet;
use vrrp_config::MetricsAddress;
use vrrp_control::{Status, VirtualRouter};

const LONG: Duration = Duration::from_secs(20);
const GET: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

struct Bench {
    socket: MetricsSocket,
    scraper: Scraper,
    set: PollSet,
    /// How often the numbers were taken.
    taken: usize,
    routers: usize,
}

impl Bench {
    fn new(address: &MetricsAddress) -> Self {
        let socket = MetricsSocket::bind(address).expect("a socket");
        let (kind, fd) = socket.share().expect("a copy");
        Self {
            socket,
            scraper: Scraper::new(Listener::from_fd(kind, fd)),
            set: PollSet::default(),
            taken: 0,
            routers: 1,
        }
    }

    fn tcp() -> Self {
        Self::new(&MetricsAddress::Tcp(([127, 0, 0, 1], 0).into()))
    }

    fn connect(&self) -> TcpStream {
        let port = self.socket.port().expect("a port");
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        stream.set_nonblocking(true).expect("non-blocking");
        stream
    }

    fn turn_at(&mut self, now: Instant) {
        self.set.clear();
        self.scraper.register(&mut self.set);
        self.set.wait(Some(Duration::from_millis(2))).expect("poll");
        let (taken, routers) = (&mut self.taken, self.routers);
        self.scraper.serve(&self.set, now, || {
            *taken += 1;
            Snapshot {
                status: Status {
                    virtual_routers: vec![VirtualRouter::default(); routers],
                    ..Status::default()
                },
                ..Snapshot::default()
            }
        });
    }

    /// Takes turns until the server has closed the connection.
    fn answer(&mut self, stream: &mut impl Read) -> String {
        let end = Instant::now() + patient(LONG);
        let mut octets = Vec::new();
        let mut buffer = [0; 65_536];
        loop {
            assert!(Instant::now() < end, "an answer");
            self.turn_at(Instant::now());
            match stream.read(&mut buffer) {
                Ok(0) => return String::from_utf8(octets).expect("text"),
                Ok(n) => octets.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn ask(&mut self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("room");
        self.answer(&mut stream)
    }
}

/// The body of an answer in chunks, which must be whole.
fn unchunked(answer: &str) -> String {
    let (head, mut rest) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("\r\nTransfer-Encoding: chunked"), "{head}");
    let mut body = String::new();
    loop {
        let (size, more) = rest.split_once("\r\n").expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a number");
        if size == 0 {
            assert_eq!(more, "\r\n");
            return body;
        }
        body += &more[..size];
        rest = more[size..].strip_prefix("\r\n").expect("an end");
    }
}

#[test]
fn a_scrape_is_answered_in_the_form_that_is_asked_for() {
    let mut bench = Bench::tcp();
    let answer = bench.ask(GET);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Type: text/plain; version=0.0.4;"));
    let body = unchunked(&answer);
    assert!(body.starts_with("# HELP vrrpd_build_info "), "{body}");
    assert!(body.contains("\nvrrp_state{"), "{body}");
    let answer = bench
        .ask("GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n");
    assert!(answer.contains("\r\nContent-Type: application/openmetrics-text; version=1.0.0;"));
    assert!(unchunked(&answer).ends_with("\n# EOF\n"));
    let answer = bench.ask("GET /metrics HTTP/1.0\r\n\r\n");
    let (head, old) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("chunked"), "{head}");
    assert!(old.starts_with("# HELP vrrpd_build_info "), "{old}");
    assert!(
        bench
            .ask("GET / HTTP/1.1\r\n\r\n")
            .starts_with("HTTP/1.1 404 Not Found\r\n")
    );
    assert!(
        bench
            .ask("POST /metrics HTTP/1.1\r\n\r\n")
            .starts_with("HTTP/1.1 405 ")
    );
}

#[test]
fn a_unix_socket_does_as_well_and_goes_with_its_owner() {
    let path = PathBuf::from(format!("/tmp/vrrpd-metrics-{}", std::process::id()));
    let address = MetricsAddress::Unix(path.clone());
    drop(std::os::unix::net::UnixListener::bind(&path).expect("one left behind"));
    let mut bench = Bench::new(&address);
    assert_eq!(bench.socket.share().expect("a copy").0, Kind::Unix);
    let mut stream = UnixStream::connect(&path).expect("connect");
    stream.set_nonblocking(true).expect("non-blocking");
    stream.write_all(GET.as_bytes()).expect("room");
    let answer = bench.answer(&mut stream);
    assert!(unchunked(&answer).contains("vrrp_state"), "{answer}");
    drop(bench);
    assert!(!path.exists());
    std::fs::write(&path, "").expect("a file");
    assert!(MetricsSocket::bind(&address).is_err(), "no socket");
    std::fs::remove_file(&path).expect("the file");
}

#[test]
fn one_that_dawdles_is_hung_up_on_and_keeps_nobody_waiting() {
    let mut bench = Bench::tcp();
    bench.routers = 2_000;
    let mut silent = bench.connect();
    let mut deaf = bench.connect();
    deaf.write_all(GET.as_bytes()).expect("room");
    for _ in 0..50 {
        bench.turn_at(Instant::now());
    }
    let answer = bench.ask(GET);
    assert_eq!(unchunked(&answer).matches("\nvrrp_state{").count(), 6_000);
    let later = Instant::now() + PATIENCE + Duration::from_secs(1);
    for _ in 0..3 {
        bench.turn_at(later);
    }
    assert!(bench.scraper.clients.is_empty());
    assert_eq!(silent.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn many_wait_in_the_kernel_and_share_the_numbers() {
    let mut bench = Bench::tcp();
    let mut streams: Vec<TcpStream> = (0..3 * MAX_CLIENTS).map(|_| bench.connect()).collect();
    for stream in &mut streams {
        stream.write_all(GET.as_bytes()).expect("room");
    }
    let now = Instant::now();
    for _ in 0..20 {
        bench.turn_at(now);
        assert!(bench.scraper.clients.len() <= MAX_CLIENTS);
    }
    for stream in &mut streams {
        assert!(bench.answer(stream).starts_with("HTTP/1.1 200 "));
    }
    let most = 1 + now.elapsed().as_millis() / super::FRESH.as_millis();
    assert!(bench.taken as u128 <= most + 1, "{} of {most}", bench.taken);
}

/// One piece of an answer a turn, however many there are to make.
#[test]
fn a_turn_makes_one_piece() {
    let mut bench = Bench::tcp();
    bench.routers = 255;
    let mut stream = bench.connect();
    stream.write_all(GET.as_bytes()).expect("room");
    let end = Instant::now() + patient(LONG);
    while !bench.scraper.clients.iter().any(super::Client::has_work) {
        assert!(Instant::now() < end, "a request");
        bench.turn_at(Instant::now());
    }
    bench.turn_at(Instant::now());
    let mut buffer = vec![0; 1 << 20];
    let first = stream.read(&mut buffer).expect("a beginning");
    assert!(first < 4_096, "{first}");
    let now = Instant::now();
    assert_eq!(bench.scraper.deadline(now), Some(now), "more at once");
}
