//! The kernel refuses one system call after the other, and in the end nothing is left behind. Needs
//! root and strace, which makes the kernel refuse. Runs itself a second time as the process that is
//! refused.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::patience::patient;
use common::*;
use vrrp_core::{Family, MacMode};
use vrrp_host::{Platform, PlatformError, VrSetup};
use vrrp_linux::{LinuxPlatform, Options};

/// System calls that are refused, with what, and each which of them: without these no descriptor is
/// made and nothing is asked of the kernel or written. `VRRP_REFUSE_ALL` in the environment makes it
/// each of them, which takes minutes: files are opened hundreds of times, to read sysctls.
const REFUSED: &[(&str, &str, usize)] = &[
    ("sendto", "ENOBUFS", 1),
    ("recvfrom", "ENOBUFS", 3),
    ("socket", "EMFILE", 1),
    ("openat", "EMFILE", 23),
    ("write", "ENOSPC", 2),
    ("setsockopt", "ENOMEM", 3),
    ("bind", "ENOMEM", 2),
    ("epoll_ctl", "ENOSPC", 2),
    ("clone3", "EAGAIN", 1),
    ("flock", "ENOLCK", 1),
    ("timerfd_settime", "ECANCELED", 3),
];

/// Lives at the same time: most of each is spent waiting.
const AT_ONCE: usize = 4;

/// The kernel's limits of descriptors that are tried.
const LIMITS: std::ops::Range<u32> = 3..32;

/// As often an engine tries what fails before it waits.
const TRIES: usize = 3;
/// How long it may take until nothing is served any more.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "live", directory] => return live(directory),
        [_, "one", call, nth] => {
            let _wire = enter();
            let error = REFUSED.iter().find(|(of, ..)| *of == call).unwrap().1;
            return refuse(call, error, nth.parse().unwrap());
        }
        _ => {}
    }
    for (name, story) in [
        ("no_descriptor_is_left", no_descriptor_is_left as fn()),
        ("each_system_call_is_refused", each_system_call_is_refused),
    ] {
        std::thread::spawn(story).join().unwrap();
        println!("test {name} ... ok");
    }
}

fn setups() -> Vec<VrSetup> {
    let on = |family, vrid, mode, address, len| setup(key(family, vrid), mode, vip(address, len));
    let mut silent = on(Family::Ipv4, 3, MacMode::Virtual, "10.0.0.103", 24);
    silent.accept = false;
    vec![
        on(Family::Ipv4, 1, MacMode::Virtual, "10.0.0.101", 24),
        on(Family::Ipv4, 2, MacMode::Interface, "10.0.0.102", 24),
        silent,
        on(Family::Ipv6, 4, MacMode::Virtual, "fe80::104", 64),
    ]
}

/// Tries as an engine does. Returns whether it has worked.
fn attempt(mut step: impl FnMut() -> Result<(), PlatformError>) -> bool {
    (0..TRIES).any(|_| match step() {
        Ok(()) => true,
        Err(error) => {
            eprintln!("  {error}");
            false
        }
    })
}

/// Serves, ceases to serve, says so, and ends when it is told to.
fn live(directory: &str) {
    let runtime_dir = directory.into();
    let mut platform = match LinuxPlatform::open(Options { runtime_dir }) {
        Ok(platform) => platform,
        Err(error) => {
            eprintln!("  {error}");
            std::process::exit(3);
        }
    };
    let watched = attempt(|| platform.watch(A0, "a0"));
    let setups = setups();
    for setup in &setups {
        let key = setup.key;
        if !watched || !attempt(|| platform.prepare(setup)) {
            platform.release(key);
            continue;
        }
        let address = setup.addresses[0].0;
        if setup.mac_mode == MacMode::Virtual {
            attempt(|| platform.set_mac(key, key.virtual_mac(), true));
        }
        attempt(|| platform.set_address(key, address, setup.accept, true));
        platform.flush();
    }
    let _ = platform.receive(&mut |_| {});
    for setup in &setups {
        let (key, address) = (setup.key, setup.addresses[0].0);
        // An engine does not ask again for what fails now.
        for result in [
            platform.set_address(key, address, setup.accept, false),
            platform.set_mac(key, key.virtual_mac(), false),
        ] {
            if let Err(error) = result {
                eprintln!("  {error}");
            }
        }
        platform.flush();
    }
    // This, too, may be refused.
    let _ = writeln!(std::io::stdout(), "given up");
    while !wait_readable(0, Duration::ZERO).unwrap_or(true) {
        let _ = platform.set_wakeup(None);
        let _ = wait_readable(platform.fd(), Duration::from_millis(20));
        let _ = platform.receive(&mut |_| {});
    }
    platform.release(setups[0].key);
    if let Err(error) = platform.close() {
        eprintln!("  {error}");
        std::process::exit(4);
    }
}

/// The process that is refused, behind a program that sees to that.
struct Victim {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Victim {
    fn begin(by: &[&str], directory: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(by[0])
            .args(&by[1..])
            .arg(program)
            .args(["live", directory.to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", by[0]));
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Whether it has begun, and has ceased to serve.
    fn has_given_up(&mut self) -> bool {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line == "given up\n"
    }

    /// Lets it end. Gives its exit status.
    fn end(mut self) -> Option<i32> {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = stdin.write_all(b"\n");
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// The installation that is in use: addresses, routes, and macvlans that are up.
fn served() -> String {
    let addresses = ip("-oneline address show");
    let addresses = addresses.lines().filter(|line| {
        let ours = ["10.0.0.10", "fe80::104"];
        ours.iter().any(|ours| line.contains(ours))
    });
    let links = ip("-oneline link show up type macvlan");
    let addresses: Vec<&str> = addresses.collect();
    format!(
        "{}{links}{}",
        addresses.join("\n"),
        ip("route show proto 112")
    )
}

/// The rest when all have ended.
fn left() -> String {
    let settings = ["arp_ignore", "arp_announce"].map(|s| setting(&format!("ipv4/conf/a0/{s}")));
    let links = ip("-oneline link show type macvlan");
    format!("{}{links}{settings:?}", served())
}

/// One life from beginning to end, whatever it is refused.
fn survive(what: &str, by: &[&str], runtime_dir: &Path, before: &str) -> Option<i32> {
    let mut victim = Victim::begin(by, runtime_dir);
    if victim.has_given_up() {
        let until = Instant::now() + patient(PATIENCE);
        while !served().is_empty() {
            assert!(Instant::now() < until, "{what}: still served: {}", served());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let status = victim.end();
    let notes = std::fs::read_dir(runtime_dir).map_or(0, Iterator::count);
    match status {
        Some(0) => {
            assert_eq!(left(), before, "{what}: it said that all is gone");
            assert_eq!(notes, 0, "{what}: there is nothing to note");
        }
        Some(4) => assert!(notes > 0, "{what}: what is left is noted"),
        // It could not begin.
        Some(3) | Some(1) | None => {}
        Some(127) => {}
        other => panic!("{what}: status {other:?}"),
    }
    // In any case the next life finds nothing in its way, and leaves nothing.
    let next = Victim::begin(&["env"], runtime_dir);
    assert_eq!(next.end(), Some(0), "{what}: the next life");
    assert_eq!(left(), before, "{what}: after the next life");
    let _ = std::fs::remove_dir_all(runtime_dir);
    status
}

fn no_descriptor_is_left() {
    let _wire = enter();
    let (before, runtime_dir) = (left(), directory());
    let mut lived = 0;
    for limit in LIMITS {
        let option = format!("--nofile={limit}");
        let what = format!("{limit} descriptors");
        let status = survive(&what, &["prlimit", &option], &runtime_dir, &before);
        lived += u32::from(status == Some(0));
    }
    assert!(lived > 2, "it never had enough");
}

fn each_system_call_is_refused() {
    let _wire = enter();
    let all = std::env::var_os("VRRP_REFUSE_ALL").is_some();
    let calls = REFUSED.iter().flat_map(|&(call, error, step)| {
        let places = (1..=count(call)).step_by(if all { 1 } else { step });
        places.map(move |nth| (call, error, nth))
    });
    let calls = Mutex::new(calls.collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let _wire = enter();
                loop {
                    let Some((call, error, nth)) = calls.lock().unwrap().pop() else {
                        break;
                    };
                    refuse(call, error, nth);
                }
            });
        }
    });
}

fn refuse(call: &str, error: &str, nth: usize) {
    let (before, runtime_dir) = (left(), directory());
    let inject = format!("inject={call}:error={error}:when={nth}");
    let by = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
    let what = format!("{call} number {nth}");
    survive(&what, &by, &runtime_dir, &before);
}

/// How often a life calls it.
fn count(call: &str) -> usize {
    let runtime_dir = directory();
    let file = runtime_dir.with_extension("trace");
    let trace = format!("trace={call}");
    let by = [
        "strace",
        "-f",
        "-qq",
        "-o",
        file.to_str().unwrap(),
        "-e",
        &trace,
    ];
    let mut victim = Victim::begin(&by, &runtime_dir);
    assert!(victim.has_given_up());
    assert_eq!(victim.end(), Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    let _ = std::fs::remove_dir_all(runtime_dir);
    text.lines()
        .filter(|line| line.contains(&format!("{call}(")))
        .count()
}
