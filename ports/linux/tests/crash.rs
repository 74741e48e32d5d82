//! A process that is killed leaves things behind; the next life removes them, and nothing else.
//! Needs root. Runs itself a second time as the process to be killed.

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::*;
use vrrp_core::{Family, MacMode};
use vrrp_host::{Platform, VrSetup};
use vrrp_linux::{LinuxPlatform, Options};
use vrrp_port_kit::privsep::PrivilegedPlatform;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let [_, word, directory, first] = words.as_slice()
        && word == "hold"
    {
        hold(directory, first.parse().unwrap());
        return;
    }
    let stories: [(&str, fn()); 4] = [
        (
            "killed_processes_are_cleaned_up_after",
            killed_processes_are_cleaned_up_after,
        ),
        ("a_lost_ledger_leaves_nothing", a_lost_ledger_leaves_nothing),
        (
            "a_process_without_a_ledger_keeps_what_is_its",
            a_process_without_a_ledger_keeps_what_is_its,
        ),
        (
            "a_ledger_of_a_stranger_undoes_nothing",
            a_ledger_of_a_stranger_undoes_nothing,
        ),
    ];
    for (name, story) in stories {
        // Each in a network namespace of its own.
        std::thread::spawn(story).join().unwrap();
        println!("test {name} ... ok");
    }
}

/// Three virtual routers from VRID `first` on.
fn setups(first: u8) -> [VrSetup; 3] {
    let on = |more: u8, mode| {
        let address = format!("10.0.0.{}", 100 + first + more);
        setup(key(Family::Ipv4, first + more), mode, vip(&address, 24))
    };
    let mut unaccepted = on(2, MacMode::Virtual);
    unaccepted.accept = false;
    let mut shared = on(1, MacMode::Interface);
    // It is there before us.
    shared.addresses.push((vip("10.0.0.2", 24), None));
    let mut silent = on(0, MacMode::Virtual);
    silent.silent = true;
    [silent, shared, unaccepted]
}

/// Takes everything up and waits to be killed.
fn hold(directory: &str, first: u8) {
    let runtime_dir = directory.into();
    let mut platform = LinuxPlatform::open(Options { runtime_dir }).unwrap();
    platform.watch(A0, "a0").unwrap();
    for setup in setups(first) {
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
    }
    println!("held");
    loop {
        std::thread::park();
    }
}

/// A process that holds its three virtual routers. Dropping it kills it.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn holder(runtime_dir: &Path, first: u8) -> Holder {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["hold", runtime_dir.to_str().unwrap(), &first.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let child = Holder(child);
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    child
}

/// Opens a platform, and gives what it said about that.
fn open_in(runtime_dir: &Path) -> Vec<String> {
    open_after(runtime_dir).0
}

/// Opens a platform, and gives what it said about that and the addresses that dead processes served.
fn open_after(runtime_dir: &Path) -> (Vec<String>, Vec<String>) {
    let runtime_dir = runtime_dir.to_path_buf();
    let platform = LinuxPlatform::open(Options { runtime_dir }).unwrap();
    let served = platform.left_served().iter();
    let served = served.map(|(device, address)| format!("{device} {address}"));
    (platform.remarks().to_vec(), served.collect())
}

fn killed_processes_are_cleaned_up_after() {
    let _wire = enter();
    let before = world();
    let runtime_dir = directory();
    let child = holder(&runtime_dir, 1);
    let held = world();
    for what in [
        "vr4.",
        "10.0.0.101/24",
        "10.0.0.102/24",
        "blackhole 10.0.0.103",
        "10.0.0.101/32",
    ] {
        assert!(held.contains(what), "{what} is not in {held}");
    }

    // While it lives nobody disturbs it.
    assert_eq!(open_in(&runtime_dir), [""; 0]);
    assert_eq!(world(), held);

    drop(child);
    assert_eq!(world(), held);
    // Things that others made meanwhile, some of them like ours.
    ip("address add 10.0.0.50/24 dev a0");
    ip("route add blackhole 10.0.0.51/32");
    ip("link add link a0 name vr4.9.9 address 00:00:5e:00:01:09 type macvlan mode bridge");
    let (remarks, served) = open_after(&runtime_dir);
    assert_eq!(remarks, [""; 0]);
    assert!(served.contains(&"a0 10.0.0.102".to_owned()), "{served:?}");
    // Not accepted, and on no interface.
    assert!(served.contains(&" 10.0.0.103".to_owned()), "{served:?}");
    ip("address del 10.0.0.50/24 dev a0");
    ip("route del blackhole 10.0.0.51/32");
    ip("link del vr4.9.9");
    assert_eq!(world(), before);
    assert_eq!(std::fs::read_dir(&runtime_dir).unwrap().count(), 0);
    std::fs::remove_dir(&runtime_dir).unwrap();
}

fn a_lost_ledger_leaves_nothing() {
    let _wire = enter();
    let directories = [directory(), directory(), directory()];
    // Another process of the same kind, whose directory is another, and everything of it stays.
    let other = holder(&directories[0], 11);
    let before = world();
    let child = holder(&directories[1], 1);
    assert_ne!(world(), before);
    drop(child);
    std::fs::remove_dir_all(&directories[1]).unwrap();
    // As it is for a moment before it bears its alias.
    ip("link add link a0 name vr4.9.9 address 00:00:5e:00:01:09 group 1073741825 type macvlan");
    // Any route with our protocol is ours.
    ip("route add unreachable 10.7.0.0/16 proto 112");
    let remarks = open_in(&directories[2]);
    assert_eq!(world(), before);
    assert_eq!(
        remarks,
        [
            "removed what bears the marks of vrrpd and belongs to no running one: 3 macvlans, \
             2 addresses, 2 routes"
        ]
    );
    assert_eq!(open_in(&directories[2]), [""; 0], "there is nothing left");
    drop(other);
    open_in(&directories[0]);
    assert!(!world().contains("10.0.0.111"));
    for directory in [&directories[0], &directories[2]] {
        std::fs::remove_dir(directory).unwrap();
    }
}

/// Its macvlans bear its mark. Whose an address or a route is nobody can tell, so that all stay.
fn a_process_without_a_ledger_keeps_what_is_its() {
    let _wire = enter();
    let (directory, another) = (directory(), directory());
    let child = holder(&directory, 1);
    let held = world();
    std::fs::remove_dir_all(&directory).unwrap();
    ip("link add link a0 name vr4.9.9 address 00:00:5e:00:01:09 group 1073741825 type macvlan");
    let remarks = open_in(&another);
    assert_eq!(world(), held);
    assert!(
        remarks[1].starts_with("left addresses, routes or rules"),
        "{remarks:?}"
    );
    drop(child);
    open_in(&another);
    for what in ["vr4.", "10.0.0.101/32", "10.0.0.102/24", "blackhole"] {
        assert!(!world().contains(what), "{what} is in {}", world());
    }
    std::fs::remove_dir(&another).unwrap();
}

fn a_ledger_of_a_stranger_undoes_nothing() {
    let _wire = enter();
    ip("link add link a0 name m0 type macvlan");
    let directory = directory();
    open_in(&directory);
    let namespace = std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
    let file = directory.join(format!("linux-{namespace}-1-1.ledger"));
    let target = directory.join("target");
    std::fs::write(&target, "0\n").unwrap();
    let up = "../".repeat(20);
    let lines = [
        format!("setting {up}{} x 1 0", target.display()),
        format!("setting a0 {up}{} 1 0", target.display()),
        "setting a0 forwarding 0 1".into(),
        "link a0 02:00:00:00:00:01".into(),
        "link m0 00:00:5e:00:01:01".into(),
        "address a0 10.0.0.2 24".into(),
        // Cut short by a full disk, and no reason to lose the next one.
        "setting a0 arp_ign+ setting a0 arp_ignore 0 1".into(),
        "setting a0 arp_announce 1 2".into(),
    ];
    let text: String = lines.iter().map(|line| format!("+ {line}\n")).collect();
    std::fs::write(&file, text + "+ setting a0 arp_ignore 0 1").unwrap();
    set("ipv4/conf/a0/arp_announce", "2");
    set("ipv4/conf/a0/arp_ignore", "1");
    set("ipv4/conf/a0/forwarding", "1");
    let before = world();
    let remarks = open_in(&directory);
    assert_eq!(remarks.len(), 5, "{remarks:?}");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "0\n");
    // The one line that makes sense, and an address that does not bear our mark.
    assert_eq!(setting("ipv4/conf/a0/arp_announce"), "1");
    set("ipv4/conf/a0/arp_announce", "2");
    assert_eq!(world(), before);
    assert_eq!(setting("ipv4/conf/a0/forwarding"), "1");
    assert!(!file.exists());

    // Opening it would wait for ever.
    run("mkfifo", file.to_str().unwrap());
    let remarks = open_in(&directory);
    assert!(remarks[0].contains("not a regular file"), "{remarks:?}");
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::create_dir(&directory).unwrap();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&directory, open).unwrap();
    let runtime_dir = directory.clone();
    let error = LinuxPlatform::open(Options { runtime_dir }).unwrap_err();
    assert!(
        error.to_string().contains("others may write to it"),
        "{error}"
    );
    std::fs::remove_dir(&directory).unwrap();
}

/// Links, addresses, routes and settings, as text.
fn world() -> String {
    let settings = ["arp_ignore", "arp_announce"].map(|s| setting(&format!("ipv4/conf/a0/{s}")));
    let addresses = ip("-brief address show");
    // Only what was configured: link-local addresses and states come and go with time.
    let words = |line: &str| -> String {
        let words = line.split_ascii_whitespace().enumerate();
        let words = words.filter(|(place, word)| *place != 1 && !word.starts_with("fe80"));
        words.map(|(_, word)| format!("{word} ")).collect()
    };
    let addresses: Vec<String> = addresses.lines().map(words).collect();
    let addresses = addresses.join("\n");
    format!("{addresses}{}{settings:?}", ip("-4 route show table all"))
}
