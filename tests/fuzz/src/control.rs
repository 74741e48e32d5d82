//! The control socket: whatever a client says, it is answered or sent away, and others are served.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vrrp_control::{Answer, Event, Request, Seen, Stats, Status};
use vrrpd::control::pieces::Pieces;
use vrrpd::control::{ControlSocket, Server};
use vrrpd::poll::PollSet;
use vrrpd::sys;

use crate::octets::Octets;

/// More turns than any client can keep the server busy.
const TURNS: usize = 400;

struct Bench {
    server: Server,
    path: PathBuf,
    _socket: ControlSocket,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench::new());
}

impl Drop for Bench {
    fn drop(&mut self) {
        // The server leaves the file by which one keeps the other from its socket.
        let _ = std::fs::remove_file(self.path.with_extension("lock"));
    }
}

impl Bench {
    fn new() -> Self {
        let name = format!(
            "vrrp-fuzz-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
        let socket = ControlSocket::bind(&path, None).expect("a socket in the temporary folder");
        let server = Server::new(socket.listener().expect("a copy"), sys::effective_uid());
        Self {
            server,
            path,
            _socket: socket,
        }
    }

    fn turn(&mut self) {
        let now = Instant::now();
        let mut set = PollSet::default();
        self.server.register(&mut set);
        set.wait(Some(Duration::ZERO)).expect("poll");
        self.server.handle(&set, now, &mut |request| match request {
            Request::Status => Answer::Status(Status::default()).into(),
            Request::Who => {
                Pieces::of_list(&Answer::Who(Vec::new()), "[", vec![7], |_| Seen::default())
            }
            Request::Stats => Answer::Stats(Stats::default()).into(),
            Request::Reload => Answer::error("no").into(),
            _ => Answer::Done {
                messages: Vec::new(),
            }
            .into(),
        });
    }

    fn client(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).expect("connect");
        stream.set_nonblocking(true).expect("set non-blocking");
        stream
    }
}

/// One client says `octets`, in pieces of a length that the first of them decide; then a well-behaved
/// one asks for the status.
///
/// # Panics
/// When an answer is no line of JSON, the well-behaved client is not answered, or a client that has
/// gone is kept.
pub fn check(octets: &[u8]) {
    BENCH.with_borrow_mut(|bench| say(bench, octets));
}

fn say(bench: &mut Bench, octets: &[u8]) {
    let mut octets = Octets(octets);
    let piece = usize::from(octets.u8()) * 8 + 1;
    let mut wild = bench.client();
    let mut answers = Vec::new();
    bench.turn();
    while !octets.is_empty() {
        // A server that does not read more, or has hung up, is within its rights.
        if wild.write_all(octets.take(piece)).is_err() {
            break;
        }
        bench.turn();
        // Part of the answers, or none, are both fine.
        let _ = wild.read_to_end(&mut answers);
    }
    // Told to those alone who asked for it.
    bench.server.publish(Event::default(), 0);
    for _ in 0..TURNS {
        let before = answers.len();
        bench.turn();
        let _ = wild.read_to_end(&mut answers);
        if answers.len() == before {
            break;
        }
    }
    for line in answers.split_inclusive(|&octet| octet == b'\n') {
        let line = line.strip_suffix(b"\n").expect("answers are lines");
        serde_json::from_slice::<Answer>(line).expect("an answer");
    }

    let mut good = bench.client();
    bench.turn();
    good.write_all(b"{\"command\":\"status\"}\n").expect("ask");
    bench.turn();
    let mut answer = [0; 512];
    let len = good
        .read(&mut answer)
        .expect("the well-behaved client is answered");
    let line = answer[..len].strip_suffix(b"\n").expect("a line");
    let answer = serde_json::from_slice::<Answer>(line).expect("an answer");
    assert_eq!(answer, Answer::Status(Status::default()));
    drop((good, wild));
    for _ in 0..4 {
        bench.turn();
    }
    assert_eq!(bench.server.clients(), 0, "a client that has gone is kept");
}
