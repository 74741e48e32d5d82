//! The server against well-behaved, clumsy and hostile clients.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::pieces::{PIECE, Pieces};
use super::server::unreachable;
use super::{BindError, ControlSocket, Reply, Server, allow_search};
use crate::logging::capture;
use crate::patience::patient;
use crate::poll::PollSet;
use crate::scratch::Directory;
use crate::sys;
use vrrp_control::{Answer, Event, HISTORY, Request, Status, VirtualRouter};

const PATIENCE: Duration = Duration::from_secs(5);

fn server(socket: &ControlSocket) -> Server {
    let listener = socket.listener().expect("a copy");
    Server::new(listener, sys::effective_uid())
}

struct Bench {
    dir: Directory,
    socket: ControlSocket,
    server: Server,
    set: PollSet,
    asked: Vec<Request>,
    /// The octets that each answer carries.
    load: usize,
}

impl Bench {
    fn new() -> Self {
        let dir = Directory::new("control");
        let socket = ControlSocket::bind(&dir.join("s"), None).expect("a socket");
        let server = server(&socket);
        Self {
            dir,
            socket,
            server,
            set: PollSet::default(),
            asked: Vec::new(),
            load: 2,
        }
    }

    fn connect(&mut self) -> BufReader<UnixStream> {
        let stream = UnixStream::connect(self.socket.path()).expect("connect");
        stream
            .set_read_timeout(Some(patient(PATIENCE)))
            .expect("a time limit");
        self.turn();
        BufReader::new(stream)
    }

    fn turn(&mut self) {
        self.turn_at(Instant::now());
    }

    fn turn_at(&mut self, now: Instant) {
        self.set.clear();
        self.server.register(&mut self.set);
        self.set.wait(Some(Duration::from_millis(2))).expect("poll");
        let (asked, load) = (&mut self.asked, self.load);
        self.server.handle(&self.set, now, &mut |request| {
            asked.push(request.clone());
            let answer = Answer::Done {
                messages: vec!["x".repeat(load)],
            };
            answer.into()
        });
    }

    fn turns(&mut self, n: usize) {
        (0..n).for_each(|_| self.turn());
    }
}

fn line(client: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).expect("an answer in time");
    line
}

fn say(client: &mut BufReader<UnixStream>, text: &str) {
    let said = client.get_mut().write_all(text.as_bytes());
    said.expect("room for a request");
}

fn event(n: u8) -> Event {
    Event {
        vrid: n,
        reason: "r".repeat(1000),
        ..Event::default()
    }
}

#[test]
fn a_request_may_come_in_pieces_and_several_in_one() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    for piece in ["{\"comm", "and\":\"sta", "tus\"}"] {
        say(&mut client, piece);
        bench.turns(2);
    }
    assert!(bench.asked.is_empty());
    say(
        &mut client,
        "\n{\"command\":\"who\"}\n{\"command\":\"stats\"}\n",
    );
    bench.turn();
    assert_eq!(bench.asked.len(), 1, "one in a turn");
    let now = Instant::now();
    assert_eq!(bench.server.deadline(now), Some(now), "more at once");
    bench.turns(3);
    assert_eq!(bench.asked, [Request::Status, Request::Who, Request::Stats]);
    for _ in 0..3 {
        assert_eq!(line(&mut client), "{\"done\":{\"messages\":[\"xx\"]}}\n");
    }
}

#[test]
fn nonsense_is_refused_and_the_connection_lives_on() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    say(&mut client, "\u{0}\u{1}{{{\n");
    bench.turns(2);
    assert!(line(&mut client).starts_with("{\"error\":{\"message\":\"not a request: "));
    say(&mut client, "{\"command\":\"status\"}\n");
    bench.turns(2);
    assert!(line(&mut client).starts_with("{\"done\""));
}

#[test]
fn a_request_without_end_is_cut_off() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    for _ in 0..6 {
        // Fails once the server has hung up.
        let _ = client.get_mut().write_all(&[b'x'; 1024]);
        bench.turn();
    }
    assert_eq!(
        line(&mut client),
        "{\"error\":{\"message\":\"a request has at most 4096 octets\"}}\n"
    );
    assert_eq!(bench.server.clients(), 0);
}

#[test]
fn the_seventeenth_client_is_told_and_a_place_becomes_free_again() {
    let mut bench = Bench::new();
    let mut clients: Vec<_> = (0..16).map(|_| bench.connect()).collect();
    assert_eq!(bench.server.clients(), 16);
    let mut one_more = bench.connect();
    assert_eq!(
        line(&mut one_more),
        "{\"error\":{\"message\":\"too many clients\"}}\n"
    );
    assert_eq!(one_more.read(&mut [0]).expect("the end"), 0);
    clients.pop();
    bench.turns(2);
    let mut late = bench.connect();
    say(&mut late, "{\"command\":\"status\"}\n");
    bench.turns(2);
    assert!(line(&mut late).starts_with("{\"done\""));
}

#[test]
fn a_client_that_does_not_read_blocks_nobody_and_gets_no_second_answer() {
    let mut bench = Bench::new();
    bench.load = 1 << 20;
    let mut slow = bench.connect();
    for _ in 0..8 {
        say(&mut slow, "{\"command\":\"status\"}\n");
    }
    bench.turns(5);
    assert_eq!(bench.asked.len(), 1, "the next waits for the first");
    bench.load = 2;
    let mut other = bench.connect();
    say(&mut other, "{\"command\":\"who\"}\n");
    bench.turns(2);
    assert!(line(&mut other).starts_with("{\"done\""));
    drop(other);
    bench.turn_at(Instant::now() + Duration::from_secs(31));
    assert_eq!(bench.server.clients(), 0, "hung up on after 30 s");
}

#[test]
fn who_says_nothing_is_hung_up_on() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    say(&mut client, "{\"command\":");
    let deadline = bench.server.deadline(Instant::now()).expect("a deadline");
    assert!(deadline <= Instant::now() + Duration::from_secs(30));
    bench.turn_at(deadline);
    assert_eq!(client.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn subscribers_get_numbered_events_and_may_wait_for_ever() {
    let mut bench = Bench::new();
    bench.server.publish(event(1), 0);
    let mut client = bench.connect();
    say(&mut client, "{\"command\":\"events\"}\n");
    bench.turns(2);
    assert_eq!(line(&mut client), "{\"events\":{\"next\":2}}\n");
    bench.turn_at(Instant::now() + Duration::from_secs(3600));
    bench.server.publish(event(2), 0);
    bench.server.publish(event(3), 0);
    bench.turn();
    for (seq, vrid) in [(2, 2), (3, 3)] {
        let text = line(&mut client);
        let answer = serde_json::from_str(&text).expect("JSON");
        let Answer::Event(event) = answer else {
            panic!("{text}");
        };
        assert_eq!((event.seq, event.vrid), (seq, vrid));
    }
    drop(client);
    bench.turns(2);
    assert_eq!(bench.server.clients(), 0, "its end is noticed");
}

fn seqs(client: &mut BufReader<UnixStream>, many: usize) -> Vec<u64> {
    let one = |_| {
        let text = line(client);
        match serde_json::from_str(&text).expect("JSON") {
            Answer::Event(event) => event.seq,
            Answer::Dropped { count } => 1_000_000 + count,
            other => panic!("{other:?}"),
        }
    };
    (0..many).map(one).collect()
}

#[test]
fn a_follower_that_comes_back_goes_on_where_it_was() {
    let mut bench = Bench::new();
    for n in 1..=4 {
        bench.server.publish(event(n), 0);
    }
    let mut client = bench.connect();
    say(&mut client, "{\"command\":\"events\",\"since\":2}\n");
    bench.turns(3);
    assert_eq!(line(&mut client), "{\"events\":{\"next\":5}}\n");
    bench.server.publish(event(5), 0);
    bench.turns(2);
    assert_eq!(seqs(&mut client, 3), [3, 4, 5]);

    // One that was away for too long is told how many it missed.
    let last = 10 + HISTORY as u64;
    for _ in 6..=last {
        bench.server.publish(event(6), 0);
        bench.turns(1);
    }
    let mut client = bench.connect();
    say(&mut client, "{\"command\":\"events\",\"since\":5}\n");
    bench.turns(3);
    line(&mut client);
    assert_eq!(seqs(&mut client, 2), [1_000_005, 11]);

    // One that knows the numbers of another life gets all.
    let mut bench = Bench::new();
    bench.server.publish(event(1), 0);
    let mut client = bench.connect();
    say(&mut client, "{\"command\":\"events\",\"since\":900}\n");
    bench.turns(3);
    assert_eq!(line(&mut client), "{\"events\":{\"next\":2}}\n");
    assert_eq!(seqs(&mut client, 1), [1]);
}

#[test]
fn the_log_is_what_is_remembered_from_a_number_on() {
    let mut bench = Bench::new();
    for n in 1..=50 {
        bench.server.publish(event(n), 1_000 * u64::from(n));
    }
    let mut client = bench.connect();
    for (since, first, many) in [
        ("", 1, 50),
        (",\"since\":48", 49, 2),
        (",\"within_s\":1", 0, 0),
    ] {
        say(&mut client, &format!("{{\"command\":\"log\"{since}}}\n"));
        bench.turns(20);
        let Answer::Log(log) = serde_json::from_str(&line(&mut client)).expect("JSON") else {
            panic!("no log");
        };
        assert_eq!((log.next, log.forgotten, log.records.len()), (51, 0, many));
        assert_eq!(log.records.first().map_or(0, |record| record.seq()), first);
    }
}

#[test]
fn events_for_a_subscriber_that_lags_are_dropped_and_counted() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    say(&mut client, "{\"command\":\"events\"}\n");
    bench.turns(2);
    line(&mut client);
    const SENT: u64 = 4 * HISTORY as u64;
    for number in 0..SENT {
        bench.server.publish(event(1), 0);
        if number % 32 == 0 {
            bench.turn();
        }
    }
    client
        .get_mut()
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a time limit");
    let (mut got, mut dropped) = (0, 0);
    // The count comes with the event after those that were dropped.
    for round in 0..2 {
        if round == 1 {
            bench.server.publish(event(2), 0);
        }
        loop {
            bench.turn();
            let mut text = String::new();
            match client.read_line(&mut text) {
                Ok(_) => match serde_json::from_str(&text).expect("JSON") {
                    Answer::Event(_) => got += 1,
                    Answer::Dropped { count } => dropped += count,
                    other => panic!("{other:?}"),
                },
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
    }
    assert!(dropped > 0);
    assert!(
        got < SENT / 2,
        "bounded by the history and the socket: {got}"
    );
    assert_eq!(got + dropped, SENT + 1);
}

#[test]
fn the_socket_is_for_its_owner_or_a_group_only() {
    let bench = Bench::new();
    let mode = |path: &PathBuf| {
        let meta = fs::metadata(path).expect("a socket");
        meta.permissions().mode() & 0o777
    };
    assert_eq!(mode(&bench.dir.join("s")), 0o600);
    let path = bench.dir.join("t");
    let group = fs::metadata(&*bench.dir).map(|meta| std::os::unix::fs::MetadataExt::gid(&meta));
    let group = group.expect("a group of ours").to_string();
    let server = ControlSocket::bind(&path, Some(&group)).expect("a server");
    assert_eq!(mode(&path), 0o660);
    drop(server);
    assert!(!path.exists(), "gone with the server");
    let below = bench.dir.join("made/s");
    let server = ControlSocket::bind(&below, Some(&group)).expect("a server");
    assert_eq!(
        mode(&bench.dir.join("made")),
        0o755,
        "the group gets through"
    );
    drop(server);
    assert!(ControlSocket::bind(&bench.dir.join("no/such/s"), None).is_err());
    let error = ControlSocket::bind(&path, Some("no-such-group")).expect_err("no group");
    assert!(matches!(error, BindError::NoSuchGroup(_)));
}

#[test]
fn a_directory_that_keeps_the_group_out_is_named_and_may_be_opened() {
    let bench = Bench::new();
    let folder = bench.dir.join("run");
    fs::create_dir(&folder).expect("a directory");
    let set = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&folder, mode).expect("a mode");
    };
    let mode = || {
        let meta = fs::metadata(&folder).expect("a directory");
        meta.permissions().mode() & 0o7777
    };
    set(0o700);
    let group = fs::metadata(&folder).map(|meta| std::os::unix::fs::MetadataExt::gid(&meta));
    let group = group.expect("a group of ours").to_string();
    capture::start();
    drop(ControlSocket::bind(&folder.join("s"), Some(&group)).expect("a server"));
    let shown = folder.display();
    assert_eq!(
        capture::take(),
        [format!(
            "WARN: controlgroup: its members cannot use the control socket: the directory {shown} has mode 700: chmod 710 {shown}"
        )]
    );
    assert_eq!(mode(), 0o700, "not ours to change");
    allow_search(&folder).expect("a directory of ours");
    assert_eq!(mode(), 0o711);
    capture::start();
    drop(ControlSocket::bind(&folder.join("s"), Some(&group)).expect("a server"));
    // A directory above that of the test may keep others out.
    let named = format!("the directory {shown} has");
    assert!(!capture::take().iter().any(|line| line.contains(&named)));
    let stranger = group.parse::<u32>().expect("a number") + 1;
    let kept_out =
        || unreachable(&folder.join("s"), stranger).is_some_and(|why| why.contains(&named));
    assert!(!kept_out());
    set(0o710);
    assert!(kept_out(), "of another group");
    set(0o755);
    allow_search(&folder).expect("a directory of ours");
    assert_eq!(mode(), 0o755);
    let link = bench.dir.join("link");
    std::os::unix::fs::symlink(&folder, &link).expect("a link");
    assert!(allow_search(&link).is_err());
    allow_search(&bench.dir.join("none")).expect("it is made later");
}

#[test]
fn a_socket_in_use_is_refused_and_one_left_behind_is_replaced() {
    let bench = Bench::new();
    let path = bench.dir.join("s");
    let error = ControlSocket::bind(&path, None).expect_err("in use");
    assert!(
        error.to_string().starts_with("another vrrpd runs"),
        "{error}"
    );
    UnixStream::connect(&path).expect("the first still listens");
    let left = bench.dir.join("left");
    drop(std::os::unix::net::UnixListener::bind(&left).expect("bind"));
    assert!(left.exists());
    ControlSocket::bind(&left, None).expect("replaced");
}

#[test]
fn the_socket_of_a_daemon_that_is_about_to_end_is_waited_for() {
    let bench = Bench::new();
    let path = bench.dir.join("t");
    let first = ControlSocket::bind(&path, None).expect("the first");
    let end = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(first);
    });
    ControlSocket::bind(&path, None).expect("free in time");
    end.join().expect("it ended");
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let bench = Bench::new();
    let path = bench.dir.join("passwd");
    fs::write(&path, "precious").expect("a file");
    let error = ControlSocket::bind(&path, None).expect_err("not a socket");
    assert!(
        error.to_string().ends_with("which is not a socket"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    // A lock that would be waited for for ever.
    let fifo = bench.dir.join("t.lock");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    ControlSocket::bind(&bench.dir.join("t"), None).expect_err("a FIFO");
}

#[test]
fn many_who_ask_at_once_are_answered_one_by_one_and_in_turn() {
    let mut bench = Bench::new();
    let mut clients: Vec<_> = (0..4).map(|_| bench.connect()).collect();
    let line = serde_json::to_string(&Request::Status).expect("JSON") + "\n";
    for client in &mut clients {
        let twice = line.repeat(2);
        client.get_mut().write_all(twice.as_bytes()).expect("room");
    }
    for turn in 1..=8 {
        bench.turn();
        assert_eq!(bench.asked.len(), turn, "one in a turn");
    }
    for client in &mut clients {
        let mut text = String::new();
        client.read_line(&mut text).expect("the first answer");
        client.read_line(&mut text).expect("the second answer");
    }
}

/// A list of so many routers, each of a kilobyte and a half.
fn long(many: u8) -> Reply {
    let status = Answer::Status(Status {
        file: "\"virtual_routers\":[".into(),
        ..Status::default()
    });
    let rows: Vec<u8> = (0..many).collect();
    Pieces::of_list(&status, "\"virtual_routers\":[", rows, |vrid| {
        VirtualRouter {
            vrid: *vrid,
            reason: "r".repeat(1_000),
            ..VirtualRouter::default()
        }
    })
}

#[test]
fn a_long_answer_is_made_piece_by_piece_and_keeps_nobody_waiting() {
    for many in [0, 1, 9, 200] {
        let mut bench = Bench::new();
        let mut clients: Vec<_> = (0..12).map(|_| bench.connect()).collect();
        for client in &mut clients {
            // Requests of the meantime wait.
            say(client, "{\"command\":\"status\"}\n{\"command\":\"who\"}\n");
            client.get_mut().set_nonblocking(true).expect("a mode");
        }
        let mut got = vec![Vec::new(); clients.len()];
        let mut made = 0;
        for _ in 0..12 * (usize::from(many) * 2_000 / PIECE + 6) {
            bench.set.clear();
            bench.server.register(&mut bench.set);
            bench
                .set
                .wait(Some(Duration::from_millis(2)))
                .expect("poll");
            let mut whole = 0;
            let now = Instant::now();
            bench
                .server
                .handle(&bench.set, now, &mut |request| match request {
                    Request::Status => {
                        made += 1;
                        long(many)
                    }
                    _ => {
                        whole += 1;
                        Answer::Who(Vec::new()).into()
                    }
                });
            let mut octets = 0;
            for (client, got) in clients.iter_mut().zip(&mut got) {
                let before = got.len();
                // It ends with "would block".
                let _ = client.get_mut().read_to_end(got);
                octets += got.len() - before;
            }
            assert!(octets <= PIECE + 2_000, "{octets} octets in a turn");
        }
        assert_eq!(made, 12);
        for got in got {
            let text = String::from_utf8(got).expect("text");
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 2, "{many}");
            let Ok(Answer::Status(status)) = serde_json::from_str(lines[0]) else {
                panic!("{text}");
            };
            let vrids = status.virtual_routers.iter().map(|router| router.vrid);
            assert!(vrids.eq(0..many), "each once and in order");
            assert_eq!(status.file, "\"virtual_routers\":[");
            assert_eq!(lines[1], "{\"who\":[]}");
        }
    }
}

#[test]
fn a_client_that_does_not_take_its_pieces_has_no_more_made() {
    let mut bench = Bench::new();
    let mut slow = bench.connect();
    say(&mut slow, "{\"command\":\"status\"}\n");
    let written = Arc::new(AtomicU32::new(0));
    let counted = written.clone();
    bench.set.clear();
    bench.server.register(&mut bench.set);
    bench
        .set
        .wait(Some(Duration::from_millis(50)))
        .expect("poll");
    bench.server.handle(&bench.set, Instant::now(), &mut |_| {
        let counted = counted.clone();
        let rows: Vec<u32> = (0..10_000).collect();
        let who = Answer::Who(Vec::new());
        Pieces::of_list(&who, "[", rows, move |number| {
            counted.store(*number, Ordering::Relaxed);
            "x".repeat(1_000)
        })
    });
    bench.turns(1_000);
    // The buffers of a socket hold some 200 kB, FreeBSD's some 60.
    let written = written.load(Ordering::Relaxed);
    assert!((30..2_000).contains(&written), "{written}");
    assert!(bench.server.deadline(Instant::now()) > Some(Instant::now()));
    drop(slow);
    bench.turns(3);
    assert_eq!(bench.server.clients(), 0);
}
