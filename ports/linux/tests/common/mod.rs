//! A network namespace for each test: `a0` is where the platform works, `a1` is the wire's other
//! end, where a neighbour without a stack says and hears raw frames. Needs root and iproute2.
#![allow(dead_code, unreachable_pub)]

#[path = "../../../host/tests/bench/mod.rs"]
mod bench;

use std::cell::RefCell;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use bench::*;
use vrrp_core::MacAddr;
use vrrp_host::Platform;
pub use vrrp_linux::testing::{RawPort, enter_new_namespace, wait_readable};
use vrrp_linux::{LinuxPlatform, Options};

/// Runs `ip`, panicking unless it works.
pub fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

pub fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program)
        .args(arguments.split_ascii_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {errors}");
    text
}

pub fn setting(name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap();
    text.trim().to_string()
}

pub fn set(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{name}"), value).unwrap();
}

/// Enters a namespace of this thread's own with `a0` (10.0.0.2/24) and `a1`, both up.
pub fn enter() -> RawPort {
    enter_new_namespace().expect("this test needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN)");
    ip("link set lo up");
    make_wire();
    RawPort::open("a1").unwrap()
}

pub fn make_wire() {
    ip("link add a0 address 02:00:00:00:00:01 type veth peer name a1");
    set("ipv6/conf/a1/disable_ipv6", "1");
    set("ipv4/conf/a1/arp_ignore", "8");
    ip("address add 10.0.0.2/24 dev a0");
    ip("link set a1 up");
    ip("link set a0 up");
    wait_up("a0");
}

/// Waits for the carrier of an interface: until the kernel has noticed it, nothing is sent.
pub fn wait_up(name: &str) {
    let patience = Instant::now() + Duration::from_secs(10);
    while !ip(&format!("link show dev {name}")).contains("state UP") {
        assert!(Instant::now() < patience, "{name} has no carrier");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A directory for ledgers that is this test's own. It is removed when the thread of the test ends.
pub fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("vrrp-linux-{}-{number}", std::process::id()));
    DIRECTORIES.with_borrow_mut(|directories| directories.0.push(path.clone()));
    path
}

/// The directories of a thread's tests.
#[derive(Default)]
struct Directories(Vec<PathBuf>);

thread_local! {
    static DIRECTORIES: RefCell<Directories> = RefCell::default();
}

impl Drop for Directories {
    fn drop(&mut self) {
        for path in &self.0 {
            // Some tests make none, or remove it themselves.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

pub fn open() -> LinuxPlatform {
    let runtime_dir = directory();
    let mut platform = LinuxPlatform::open(Options { runtime_dir }).unwrap();
    platform.watch(A0, "a0").unwrap();
    platform
}

/// Asks who has an IPv6 address. Gives the source MAC and the claimed MAC of each answer.
pub fn solicit(wire: &RawPort, target: &str) -> Vec<(MacAddr, MacAddr)> {
    let target: Ipv6Addr = target.parse().unwrap();
    wire.hear(Duration::ZERO).unwrap();
    wire.send(&solicitation("fe80::9".parse().unwrap(), target))
        .unwrap();
    neighbour_adverts(wire, target)
}
