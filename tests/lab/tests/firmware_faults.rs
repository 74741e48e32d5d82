//! Faults on QEMU's board, and its delays: `cargo xtask test firmware`.

use std::thread::sleep;
use std::time::Duration;

use vrrp_lab::pair::{LIMIT, wait_master};
use vrrp_lab::sys::{self, PacketSocket};
use vrrp_lab::{Board, Capture, Daemon, Host, Lab, Program, Segment, Vr, wait_until};

/// The question in the log of a board whose controller filters.
const FILTERS: &str = "does the device filter MACs?";

/// The protocol's limit may be passed by this much.
const LATE_US: u64 = 2_000;

fn vr() -> Vr {
    Vr::new(51, "10.10.10.80").interval_cs(20).vmac(true)
}

/// A board that serves and a vrrpd behind it.
struct Scene {
    oboe: Board,
    jimbob: Host,
    capture: Capture,
    vr: Vr,
    _daemon: Daemon,
    _fridge: Host,
    _lab: Lab,
}

impl Scene {
    fn start(vr: Vr) -> Self {
        let lab = Lab::new(Segment::Switch);
        let capture = lab.capture();
        let jimbob = lab.host("jimbob", 5);
        let fridge = lab.host("fridge", 2);
        fridge.serve();
        let mut oboe = lab.board("oboe", 9);
        oboe.start(&[vr.clone().priority(250)]);
        let scene = Self {
            oboe,
            jimbob,
            capture,
            _daemon: fridge.start(Program::Vrrpd, &[vr.clone().priority(100)]),
            vr,
            _fridge: fridge,
            _lab: lab,
        };
        scene.wait_master("oboe");
        scene
    }

    fn wait_master(&self, name: &str) {
        wait_master(&self.capture, &self.jimbob, &self.vr, name);
    }

    fn wait_restart(&self) {
        wait_until(LIMIT, "it is up again", || {
            self.oboe.times_said("oboe is up") == 2
        });
    }
}

/// A task that does not return is the end of all others, and the watchdog sees that nobody feeds it.
#[test]
fn a_board_that_hangs_is_reset_and_comes_back_as_backup() {
    let mut scene = Scene::start(vr().no_preempt());
    scene.oboe.type_line("hang");
    scene.wait_master("fridge");
    scene.wait_restart();
    scene.wait_master("fridge");
    scene.oboe.type_line("status");
    wait_until(LIMIT, "it is a backup", || {
        scene.oboe.has_said("vrid 51 IPv4: Backup")
    });
}

#[test]
fn a_panic_is_logged_and_the_board_starts_again() {
    let mut scene = Scene::start(vr());
    scene.oboe.type_line("panic");
    // The one where core is built for the firmware, the other with rustup's.
    wait_until(LIMIT, "it says that it panics", || {
        scene.oboe.has_said("hard fault or panic at") || scene.oboe.has_said("panic at src/")
    });
    scene.wait_restart();
    scene.wait_master("oboe");
    assert_eq!(scene.oboe.times_said("panic at"), 1);
}

/// Ten frames that are too long, and a flood.
fn send_bad_frames() -> std::io::Result<()> {
    let socket = PacketSocket::open()?;
    let ifindex = sys::interface_index("xl0")?;
    let [to, from] = [[2, 0, 10, 10, 10, 9], [2, 0, 10, 10, 10, 66]];
    // An Ethernet header with a VLAN tag is four octets more than the board has room for.
    let tagged = [&to[..], &from, &[0x81, 0, 0, 1, 8, 0]].concat();
    let long: Vec<u8> = tagged.into_iter().chain([0; 1500]).collect();
    for _ in 0..10 {
        socket.send(ifindex, &long)?;
        sleep(Duration::from_millis(5));
    }
    // To the host's own address, so that its stack has to look at them.
    let header = [&to[..], &from, &[8, 0, 0x45, 0, 0, 28]].concat();
    let question: Vec<u8> = header.into_iter().chain([0; 46]).collect();
    for _ in 0..20_000 {
        // The queue of the interface is full at times.
        let _ = socket.send(ifindex, &question);
    }
    Ok(())
}

/// More than the controller holds, and longer than a frame may be: it serves on, and tells how many
/// it lost.
#[test]
fn a_flood_and_frames_that_are_too_long() {
    let scene = Scene::start(vr());
    let mallory = scene._lab.host("mallory", 66);
    mallory.netns().enter(send_bad_frames).expect("send frames");
    scene.wait_master("oboe");
    let page = scene.jimbob.fetch(&scene.vr.service_address(), LIMIT);
    let page = page.expect("the page");
    println!("{page}");
    let lost = page.split_once("frames lost ").expect("the page has it").1;
    let (lost, _) = lost.split_once(',').expect("and more behind it");
    assert!(
        (1..=10).contains(&lost.parse().expect("a number")),
        "{page}"
    );
    assert_eq!(scene.oboe.times_said("oboe is up"), 1);
}

/// When a log line was written, in the board's own microseconds.
fn written_us(line: &str) -> u64 {
    let stamp = line.split_whitespace().next().expect("a line has a time");
    let (seconds, micros) = stamp.split_once('.').expect("seconds and microseconds");
    let number = |digits: &str| digits.parse::<u64>().expect("digits");
    number(seconds) * 1_000_000 + number(micros)
}

/// In the board's own time, which does not pass while this machine does something else: an
/// advertisement silences it, and it is back when three intervals and the skew are over.
#[test]
fn no_takeover_is_more_than_2_ms_late() {
    const SILENCED: &str = "Active -> Backup: HigherPriority";
    const BACK: &str = "Backup -> Active: ActiveTimeout";
    let lab = Lab::new(Segment::Switch);
    let clarinet = lab.host("clarinet", 6);
    let mut board = lab.board("oboe", 9);
    let vr = vr().priority(100);
    board.start_in_own_time(std::slice::from_ref(&vr));
    wait_until(LIMIT, "the board serves", || board.has_said(BACK));
    // Each of its advertisements comes after minutes of the board's time.
    let _daemon = clarinet.start(Program::Vrrpd, &[vr.clone().priority(250)]);
    wait_until(LIMIT, "ten takeovers", || board.times_said(BACK) > 10);

    let mut silenced_us = None;
    let mut late = Vec::new();
    for (_, line) in board.log() {
        if line.contains(SILENCED) {
            silenced_us = Some(written_us(&line));
        } else if let Some(since_us) = silenced_us.filter(|_| line.contains(BACK)) {
            silenced_us = None;
            let waited_us = written_us(&line) - since_us;
            late.push(i128::from(waited_us) - i128::from(vr.down_time_us()));
        }
    }
    println!("late by, in us: {late:?}");
    assert!(late.len() >= 10);
    // The advertisement was heard a moment before the line about it.
    let limits = -i128::from(LATE_US)..=i128::from(LATE_US);
    assert!(late.iter().all(|late| limits.contains(late)), "{late:?}");

    // By its own account, which counts from the deadline to the last frame, advertisements too.
    board.type_line("status");
    wait_until(LIMIT, "it says how late it was", || {
        board.has_said(" us at most")
    });
    let log = board.log();
    let (_, line) = log
        .iter()
        .find(|(_, line)| line.contains(" us at most"))
        .expect("it has said so");
    println!("{line}");
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "late");
    let worst_us: u64 = at
        .and_then(|at| words[at + 1].parse().ok())
        .expect("a number of microseconds");
    assert!(worst_us <= LATE_US, "{worst_us} us");
}

/// The board is Active, is asked and answers, and its controller drops what is sent to the virtual MAC.
#[test]
fn a_controller_that_filters_is_found_within_ten_seconds() {
    for (vr, address) in [
        (vr(), "10.10.10.80"),
        (
            Vr::new(51, "fe80::51,fd00:10::80").vmac(true),
            "fd00:10::80",
        ),
    ] {
        let lab = Lab::new(Segment::Switch);
        let capture = lab.capture();
        let jimbob = lab.host("jimbob", 5);
        let mut oboe = lab.board("oboe", 9);
        oboe.start(std::slice::from_ref(&vr));
        capture.wait_for(LIMIT, "the board is master", |seen| {
            seen.is_advert("oboe", vr.vrid)
        });
        // At first no host asks, and then one is served.
        sleep(Duration::from_secs(6));
        assert_eq!(jimbob.ask(address).as_deref(), Some("oboe"));
        sleep(Duration::from_secs(6));
        assert!(!oboe.has_said(FILTERS));

        oboe.filter_macs(true);
        jimbob.run("ip neigh flush all");
        let asked_us = sys::now_us();
        assert_eq!(jimbob.ask(address), None);
        wait_until(LIMIT, "the board finds out", || oboe.has_said(FILTERS));
        let took_us = sys::now_us() - asked_us;
        println!("{address}: found after {took_us} us");
        assert!(took_us < 10_000_000, "{took_us} us");
        oboe.type_line("status");
        wait_until(LIMIT, "the status says so, too", || {
            oboe.times_said("unheard: ") == 1
        });

        // It is said once, and is over with the first frame.
        assert_eq!(jimbob.ask(address), None);
        sleep(Duration::from_secs(6));
        assert_eq!(oboe.times_said(FILTERS), 2, "in the log and in the status");
        oboe.filter_macs(false);
        wait_until(LIMIT, "the board answers", || {
            jimbob.ask(address).as_deref() == Some("oboe")
        });
        oboe.type_line("status");
        wait_until(LIMIT, "it tells its status", || {
            oboe.times_said(" us at most") == 2
        });
        assert_eq!(oboe.times_said("unheard: "), 1);
    }
}
