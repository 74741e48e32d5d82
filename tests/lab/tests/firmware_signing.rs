//! The firmware with a key and a boot count, beside vrrpd: `cargo xtask test firmware`.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use vrrp_lab::daemons::{vrrpctl, vrrpctl_drops as drops, vrrpctl_state as state};
use vrrp_lab::linux::flooder::Flooder;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Board, Capture, Daemon, Host, Lab, Program, Segment, Vr, wait_until};

const VRID: u8 = 51;
/// The octets of the key, and of another one with the same id.
const KEY: &str = "5a";
const OTHER_KEY: &str = "a5";
/// The most octets of memory that the firmware with keys may have for itself, its stack included.
const MEMORY: u64 = 42 * 1024;
const BOARD_ACTIVE: &str = "Backup -> Active";
const BOARD_BACKUP: &str = "Active -> Backup";

/// The file of a key.
fn key_file(dir: &Path, octet: &str) -> PathBuf {
    let path = dir.join(format!("key-{octet}"));
    let mut options = std::fs::OpenOptions::new();
    let options = options.create(true).write(true).truncate(true).mode(0o600);
    let mut file = options.open(&path).expect("make a key");
    let line = format!("hex:{}\n", octet.repeat(32));
    std::io::Write::write_all(&mut file, line.as_bytes()).expect("write a key");
    path
}

fn bare(address: &str, priority: u8) -> Vr {
    Vr::new(VRID, address)
        .interval_cs(20)
        .vmac(true)
        .priority(priority)
}

/// The same with a key, for a host whose files are in `dir`.
fn signed(address: &str, priority: u8, dir: &Path, octet: &str) -> Vr {
    bare(address, priority)
        .hmac_key(key_file(dir, octet))
        .line("antireplay = monotonic")
}

/// A board that is preferred, and a vrrpd; both have the key.
struct Scene {
    oboe: Board,
    fridge: Host,
    daemon: Daemon,
    capture: Capture,
    board: Vr,
    lab: Lab,
}

impl Scene {
    fn start(address: &str) -> Self {
        let lab = Lab::new(Segment::Hub);
        let capture = lab.capture();
        let fridge = lab.host("fridge", 2);
        fridge.serve();
        let daemon = fridge.start(Program::Vrrpd, &[signed(address, 100, &fridge.dir(), KEY)]);
        wait_until(LIMIT, "fridge serves alone", || state(&fridge) == "master");
        let mut oboe = lab.board("oboe", 9);
        let board = signed(address, 200, &fridge.dir(), KEY);
        oboe.start(std::slice::from_ref(&board));
        let scene = Self {
            oboe,
            fridge,
            daemon,
            capture,
            board,
            lab,
        };
        scene.wait_board_believed();
        scene
    }

    /// The board is master, and the other one believes so.
    fn wait_board_believed(&self) {
        wait_until(LIMIT, "fridge believes the board", || {
            state(&self.fridge) == "backup"
        });
        let board_alone = |host: &str| host == "oboe";
        self.wait_adverts(5, board_alone);
    }

    /// Waits for advertisements from now on; all are of hosts that `may` send them.
    fn wait_adverts(&self, count: usize, may: impl Fn(&str) -> bool) {
        let from_us = vrrp_lab::sys::now_us();
        wait_until(LIMIT, "advertisements", || {
            let adverts = self.capture.find(|seen| {
                seen.at_us >= from_us && seen.advert().is_some_and(|advert| advert.vrid == VRID)
            });
            let other = adverts.iter().find(|seen| !may(&seen.host));
            assert!(other.is_none(), "{other:#?}");
            adverts.len() >= count
        });
    }

    /// The emulator is killed, and started anew when the other host has taken over.
    fn restart_board(&mut self) {
        self.oboe.power_off();
        wait_until(LIMIT, "fridge takes over", || {
            state(&self.fridge) == "master"
        });
        let starts = self.oboe.times_said(BOARD_ACTIVE);
        self.oboe.start(std::slice::from_ref(&self.board));
        wait_until(LIMIT, "the board is Active", || {
            self.oboe.times_said(BOARD_ACTIVE) > starts
        });
    }

    /// The counts of all starts of the board, in their order.
    fn boot_counts(&self) -> Vec<u32> {
        let log = self.oboe.log();
        let counts = log.iter().filter_map(|(_, line)| {
            let (_, rest) = line.split_once("boot count ")?;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        counts.collect()
    }

    /// Nothing in the log of the board is a part of the key.
    fn assert_no_key_is_shown(&self) {
        let key = KEY.repeat(4);
        let log = self.oboe.log();
        let shown = log.iter().find(|(_, line)| line.contains(&key));
        assert!(shown.is_none(), "{shown:?}");
    }
}

/// Some advertisements of the board, as they are on the wire.
fn record(lab: &Lab) -> Vec<Vec<u8>> {
    let recorded: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = Arc::clone(&recorded);
    let tap = lab.tap(move |seen, octets| {
        if seen.is_advert("oboe", VRID) {
            kept.lock().expect("no panic").push(octets.to_vec());
        }
    });
    wait_until(LIMIT, "advertisements", || {
        recorded.lock().expect("no panic").len() >= 5
    });
    drop(tap);
    let recorded = recorded.lock().expect("no panic");
    recorded.clone()
}

/// Has the board tell its status.
fn ask_status(board: &mut Board) {
    let asked = board.times_said("late ");
    board.type_line("status");
    wait_until(LIMIT, "it tells its status", || {
        board.times_said("late ") > asked
    });
}

/// The number behind a word, where the board has said it last.
fn figure(board: &Board, word: &str) -> u64 {
    let log = board.log();
    let line = log.iter().rfind(|(_, line)| line.contains(word));
    let (_, line) = line.expect("it has said so");
    let number = line.rsplit_once(word).expect("a number").1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

/// The number of refused advertisements that the board tells in its status.
fn refused(board: &mut Board) -> u64 {
    ask_status(board);
    figure(board, ", refused ")
}

#[test]
fn a_board_with_the_key_elects_and_who_has_not_the_key_changes_nothing() {
    for address in ["10.10.10.80", "fe80::51,fd00:10::80"] {
        let mut scene = Scene::start(address);
        let auth = vrrpctl(&scene.fridge, &["auth"]);
        assert!(auth.contains("signed, key 1"), "{auth}");
        // Hosts that would be preferred: without a key, and with another one of the same id.
        let mallory = scene.lab.host("mallory", 66);
        for other in [
            bare(address, 254),
            signed(address, 254, &mallory.dir(), OTHER_KEY),
        ] {
            let before = refused(&mut scene.oboe);
            let forger = mallory.start(Program::Vrrpd, std::slice::from_ref(&other));
            wait_until(LIMIT, "the board refuses the other", || {
                refused(&mut scene.oboe) >= before + 5
            });
            assert_eq!(state(&mallory), "master", "it believes nobody");
            scene.wait_adverts(20, |host| host != "fridge");
            drop(forger);
        }
        // And what the board says, again and with another last bit.
        let frames: Vec<Vec<u8>> = record(&scene.lab)
            .into_iter()
            .flat_map(|frame| {
                let mut altered = frame.clone();
                *altered.last_mut().expect("a frame has octets") ^= 1;
                [frame, altered]
            })
            .collect();
        Flooder::once(&mallory, &frames, 200);
        for reason in ["auth-replay", "auth-invalid-hmac"] {
            wait_until(LIMIT, reason, || drops(&scene.fridge).contains_key(reason));
        }
        assert_eq!(state(&scene.fridge), "backup");
        assert_eq!(scene.oboe.times_said(BOARD_BACKUP), 0);
        let (memory, stack) = (
            figure(&scene.oboe, "memory "),
            figure(&scene.oboe, "stack "),
        );
        println!("{memory} octets of memory, {stack} of stack");
        assert!(memory + stack <= MEMORY, "{memory} and {stack}");
        assert_eq!(figure(&scene.oboe, "boot count "), 1);
        scene.assert_no_key_is_shown();
        assert!(scene.daemon.is_running());
    }
}

#[test]
fn after_each_start_the_board_is_believed_again() {
    let mut scene = Scene::start("10.10.10.80");
    for _ in 0..3 {
        scene.restart_board();
        scene.wait_board_believed();
    }
    // By itself, too: the watchdog, a panic and `restart` are this.
    scene.oboe.type_line("restart");
    wait_until(LIMIT, "it has started again", || {
        scene.boot_counts().len() == 5
    });
    scene.wait_board_believed();
    assert_eq!(drops(&scene.fridge), BTreeMap::new());
    let counts = scene.boot_counts();
    assert!(counts.is_sorted_by(|one, next| one < next), "{counts:?}");
    assert!(
        scene
            .oboe
            .has_said("none was stored, as at the first start")
    );
    assert_eq!(scene.oboe.times_said("none was stored"), 1);
    scene.assert_no_key_is_shown();
}

#[test]
fn a_lost_count_is_told_and_an_administrator_sets_another_one() {
    let mut scene = Scene::start("10.10.10.80");
    scene.restart_board();
    scene.wait_board_believed();
    let lost = scene.boot_counts();
    scene.oboe.power_off();
    std::fs::remove_file(scene.oboe.boot_count_store()).expect("the store was there");
    scene.restart_board();
    assert_eq!(scene.oboe.times_said("others refuse it (auth-replay)"), 2);
    wait_until(LIMIT, "fridge refuses the board", || {
        drops(&scene.fridge).contains_key("auth-replay")
    });
    let auth = vrrpctl(&scene.fridge, &["auth"]);
    assert!(auth.contains("10.10.10.9"), "{auth}");
    assert!(auth.contains("auth-replay"), "{auth}");
    assert_eq!(state(&scene.fridge), "master", "there are two");

    let next = lost.last().expect("it had one") + 1_000;
    scene.oboe.set_least_boot_count(next);
    scene.restart_board();
    scene.wait_board_believed();
    assert_eq!(scene.boot_counts().last(), Some(&next));
}

/// Without a count that is sure to be new nothing is signed, and nothing is sent.
#[test]
fn a_damaged_count_is_told_and_keeps_the_board_silent() {
    let mut scene = Scene::start("10.10.10.80");
    scene.oboe.power_off();
    std::fs::write(scene.oboe.boot_count_store(), [0x5a; 2048]).expect("write the store");
    scene.oboe.start(std::slice::from_ref(&scene.board));
    wait_until(LIMIT, "it tells", || {
        scene
            .oboe
            .has_said("no virtual router with a key is started")
    });
    wait_until(LIMIT, "it refuses the virtual router", || {
        scene.oboe.has_said("vrid 51: NoClock")
    });
    wait_until(LIMIT, "fridge serves", || state(&scene.fridge) == "master");
    scene.wait_adverts(10, |host| host == "fridge");

    scene.oboe.set_least_boot_count(5_000);
    scene.restart_board();
    scene.wait_board_believed();
    assert_eq!(scene.boot_counts().last(), Some(&5_000));
}

#[test]
fn settings_of_keys_that_are_wrong_are_named_without_the_key() {
    let lab = Lab::new(Segment::Hub);
    let mut board = lab.board("oboe", 9);
    let digits = "5a".repeat(32);
    let start = "own=10.10.10.9/24 vrid=51 address=10.10.10.80";
    let a_key = "an id from 1 to 255, a colon, and 32 to 64 octets";
    for (words, complaint) in [
        (
            format!("key=0:hex:{digits}"),
            format!("key: expected {a_key}"),
        ),
        (
            format!("key=1:hex:{digits}5"),
            format!("key: expected {a_key}"),
        ),
        (
            "key=1:hex:5a5a".to_owned(),
            format!("key: expected {a_key}"),
        ),
        (
            "key=1:5a5a5a5a".to_owned(),
            format!("key: expected {a_key}"),
        ),
        (
            format!("keys=1:hex:{digits}"),
            "keys: expected one of vrid".to_owned(),
        ),
        (format!("1:hex:{digits}"), ": expected KEY=VALUE".to_owned()),
        (
            "authmode=permissive".to_owned(),
            "key: expected a key for each vrid".to_owned(),
        ),
        (
            format!("key=1:hex:{digits} authmode=none"),
            "authmode=none: expected enforce, permissive or receive-only".to_owned(),
        ),
        (
            format!("key=1:hex:{digits} password=secret"),
            "password: expected no password where there is a key".to_owned(),
        ),
        (
            format!("key=1:hex:{digits} activekey=2"),
            "vrid 51: BadAuthKey".to_owned(),
        ),
    ] {
        board.start_signing_with(&format!("{start} {words}"));
        wait_until(LIMIT, &complaint, || board.has_said(&complaint));
        board.power_off();
    }
    let shown = board.log().into_iter().find(|(_, l)| l.contains("5a5a"));
    assert!(shown.is_none(), "{shown:?}");
}
