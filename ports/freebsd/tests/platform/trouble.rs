//! Changes that others make to the system, and the rest that a killed process leaves.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use vrrp_core::{Failure, Family, InterfaceState, MacAddr, MacMode, Vrid};
use vrrp_freebsd::testing::{self, RawPort, wait_readable};
use vrrp_freebsd::{FreebsdFacts, FreebsdPlatform, Options};
use vrrp_host::{AddressSpec, Facts, Incoming, Platform, VrId, VrSetup, VrSpec};

use crate::common::*;

pub(crate) fn what_others_remove_is_reported() {
    let _wire = enter();
    let mut platform = open();
    let own = setup(
        key(Family::Ipv4, 7),
        MacMode::Interface,
        vip("10.0.0.100", 32),
    );
    let carried = setup(
        key(Family::Ipv4, 8),
        MacMode::Virtual,
        vip("10.0.0.101", 32),
    );
    for setup in [&own, &carried] {
        platform.prepare(setup).unwrap();
        take_up(&mut platform, setup);
    }
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
    testing::remove_address("a0", V4.into()).unwrap();
    let address = V4.into();
    let gone = [Failure::Address {
        key: own.key,
        address,
    }];
    assert_eq!(lost(&receive(&mut platform, Duration::from_secs(2))), gone);
    let name = platform.mac_interface(carried.key).unwrap();
    testing::set_up(&name, false).unwrap();
    let gone = [Failure::Mac { key: carried.key }];
    assert_eq!(lost(&receive(&mut platform, Duration::from_secs(2))), gone);
    take_up(&mut platform, &own);
    assert!(addresses("a0").contains(&"10.0.0.100/32".to_string()));
}

pub(crate) fn another_prefix_of_an_address_takes_nothing_away() {
    let _wire = enter();
    ifconfig("a0 inet6 2001:db8::2/64 no_dad");
    let mut platform = open();
    for mac_mode in [MacMode::Interface, MacMode::Virtual] {
        for (family, address, whole) in [
            (Family::Ipv4, "10.0.0.100", 32),
            (Family::Ipv6, "2001:db8::100", 128),
        ] {
            let of = |prefix_len| setup(key(family, 7), mac_mode, vip(address, prefix_len));
            platform.prepare(&of(24)).unwrap();
            take_up(&mut platform, &of(24));
            assert_eq!(lost(&receive(&mut platform, SOON)), []);
            // As a reload does, with no time for the notices of the kernel.
            for (prefix_len, on) in [(24, false), (25, true)] {
                let address = vip(address, prefix_len);
                platform
                    .set_address(key(family, 7), address, true, on)
                    .unwrap();
                let mut warnings = Vec::new();
                platform.warnings(&mut warnings);
                assert_eq!(warnings, [], "{mac_mode:?}, {prefix_len}, {on}");
            }
            let device = platform.mac_interface(key(family, 7));
            let device = device.as_deref().unwrap_or("a0");
            let there = || addresses(device).contains(&format!("{address}/{whole}"));
            assert!(there(), "{mac_mode:?}");
            assert_eq!(lost(&receive(&mut platform, SOON)), []);
            // One virtual router may take it before another has given it up.
            let other = setup(key(family, 8), MacMode::Interface, vip(address, 26));
            if mac_mode == MacMode::Interface {
                platform.prepare(&other).unwrap();
                take_up(&mut platform, &other);
            }
            give_up(&mut platform, &of(25));
            assert_eq!(there(), mac_mode == MacMode::Interface);
            platform.release(key(family, 8));
            platform.release(key(family, 7));
            assert!(!addresses("a0").contains(&format!("{address}/{whole}")));
        }
    }
}

pub(crate) fn an_interface_goes_and_comes_back() {
    let _wire = enter();
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    receive(&mut platform, SOON);
    testing::destroy("a0").unwrap();
    let came = receive(&mut platform, Duration::from_secs(1));
    assert_eq!(last_state(&came), Some(InterfaceState::default()));
    assert_eq!(names(), Vec::<String>::new(), "the carrier goes with it");
    enter();
    let came = receive(&mut platform, Duration::from_secs(1));
    assert!(last_state(&came).unwrap().up);
    take_up(&mut platform, &setup);
    // Away and back, perhaps under the same number, before anybody has looked.
    testing::destroy("a0").unwrap();
    let wire = enter();
    let came = receive(&mut platform, Duration::from_secs(1));
    assert!(came.contains(&Came::Interface(InterfaceState::default())));
    assert!(last_state(&came).unwrap().up);
    take_up(&mut platform, &setup);
    let mac = setup.key.virtual_mac();
    assert_eq!(ask(&wire, V4), [(mac, mac)]);
    testing::set_up("a0", false).unwrap();
    let came = receive(&mut platform, Duration::from_secs(1));
    assert!(!last_state(&came).unwrap().up);
}

pub(crate) fn an_address_that_was_there_stays() {
    let _wire = enter();
    testing::add_address("a0", V4.into(), 32).unwrap();
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Interface,
        vip("10.0.0.100", 32),
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    give_up(&mut platform, &setup);
    drop(platform);
    assert!(addresses("a0").contains(&"10.0.0.100/32".to_string()));
}

pub(crate) fn an_address_of_the_interface_is_no_virtual_one() {
    let _wire = enter();
    let mut platform = open();
    let setup = setup(key(Family::Ipv4, 7), MacMode::Virtual, vip("10.0.0.2", 24));
    let error = platform.prepare(&setup).unwrap_err().to_string();
    for part in [
        "a0 has 10.0.0.2 already",
        "rc.conf",
        "ifconfig a0 inet 10.0.0.2 -alias",
        "useVMAC = no",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

pub(crate) fn crash_setups() -> [VrSetup; 4] {
    let on = |vrid, mode, address| setup(key(Family::Ipv4, vrid), mode, vip(address, 24));
    let mut silent = on(3, MacMode::Virtual, "10.0.0.103");
    silent.accept = false;
    let v6 = setup(
        key(Family::Ipv6, 4),
        MacMode::Interface,
        vip("2001:db8::100", 64),
    );
    [
        on(1, MacMode::Virtual, "10.0.0.101"),
        on(2, MacMode::Interface, "10.0.0.102"),
        silent,
        v6,
    ]
}

/// Takes everything up and waits to be killed.
pub(crate) fn hold(directory: &str) -> ! {
    let mut platform = open_at(directory.into());
    for setup in crash_setups() {
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
    }
    println!("held");
    loop {
        std::thread::park();
    }
}

/// Starts this program with arguments, and waits until it says a line.
fn start(args: &[&str], line: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut said).unwrap();
    assert_eq!(said, line);
    child
}

pub(crate) fn what_a_killed_process_left_is_removed() {
    let wire = enter();
    let before = testing::world().unwrap();
    let runtime_dir = directory();
    let mut child = start(&["hold", runtime_dir.to_str().unwrap()], "held\n");
    let held = testing::world().unwrap();
    assert_eq!(held.len(), before.len() + 2, "{held:?}");

    // While it lives nobody disturbs it.
    let options = Options {
        runtime_dir: runtime_dir.clone(),
    };
    drop(FreebsdPlatform::open(options.clone()).unwrap());
    assert_eq!(testing::world().unwrap(), held);

    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(testing::world().unwrap(), held);
    // An address that somebody else added meanwhile stays.
    testing::add_address("a0", [10, 0, 0, 50].into(), 32).unwrap();
    let platform = FreebsdPlatform::open(options).unwrap();
    testing::remove_address("a0", [10, 0, 0, 50].into()).unwrap();
    assert_eq!(testing::world().unwrap(), before);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
    drop(platform);
    assert_eq!(std::fs::read_dir(&runtime_dir).unwrap().count(), 0);
    std::fs::remove_dir(&runtime_dir).unwrap();
}

/// Makes virtual routers until somebody puts an end to it.
pub(crate) fn make(directory: &str) -> ! {
    let mut platform = open_at(directory.into());
    println!("open");
    loop {
        for vrid in 1..=255 {
            let last = vrid.to_string();
            for (family, address) in [
                (Family::Ipv4, vip(&format!("10.0.1.{last}"), 32)),
                (Family::Ipv6, vip(&format!("fd00::1:{last}"), 128)),
            ] {
                let setup = setup(key(family, vrid), MacMode::Virtual, address);
                platform.prepare(&setup).unwrap();
                platform.release(setup.key);
            }
        }
    }
}

/// The output of a program of the base system.
fn said(program: &str, line: &str) -> String {
    let args = line.split_whitespace();
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {line}");
    String::from_utf8(output.stdout).unwrap()
}

/// The settings of a0 that a bridge changes: whether its node replaces sources, and whether it is promiscuous.
fn ways_of_a0() -> (bool, bool) {
    let answer = said("ngctl", "msg a0: getautosrc");
    let (_, auto_source) = answer.split_once("Args:").unwrap();
    let promiscuous = said("ifconfig", "a0").contains("PROMISC");
    (auto_source.trim() == "1", promiscuous)
}

pub(crate) fn a_process_killed_at_any_moment_leaves_nothing() {
    let wire = enter();
    let before = testing::world().unwrap();
    // As some versions of FreeBSD have it from the beginning.
    said("ngctl", "msg a0: setautosrc 1");
    assert_eq!(ways_of_a0(), (true, false));
    let runtime_dir = directory();
    let path = runtime_dir.to_str().unwrap();
    let mut left = 0;
    for round in 0..40 {
        let mut child = start(&["make", path], "open\n");
        // Each round ends at another moment of a birth, which takes 1 to 50 ms.
        std::thread::sleep(Duration::from_micros(100_000 + 2_370 * round));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        left += usize::from(testing::world().unwrap() != before);
        let mut platform = open_at(runtime_dir.clone());
        assert_eq!(testing::world().unwrap(), before, "round {round}");
        assert_eq!(ways_of_a0(), (true, false), "round {round}");
        // Nothing is joined to the interface any more.
        let setup = setup(key(Family::Ipv4, 7), MacMode::Virtual, vip("10.0.0.7", 32));
        platform.prepare(&setup).unwrap();
        assert_eq!(ways_of_a0(), (false, true), "round {round}");
        drop(platform);
        assert_eq!(testing::world().unwrap(), before, "round {round}");
        assert_eq!(ways_of_a0(), (true, false), "round {round}");
    }
    assert!(left > 0, "no round was ended in the middle of anything");
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
    assert_eq!(std::fs::read_dir(&runtime_dir).unwrap().count(), 0);
    std::fs::remove_dir(&runtime_dir).unwrap();
}

pub(crate) fn a_bridge_that_others_remove_is_built_again() {
    let wire = enter();
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    receive(&mut platform, SOON);
    let name = platform.mac_interface(setup.key).unwrap();
    let index = name.split('.').nth(1).unwrap();
    assert!(testing::shutdown_node(&format!("vrrp_{index}")).unwrap());
    let gone = [Failure::Mac { key: setup.key }];
    let long = Duration::from_secs(20);
    assert_eq!(lost(&receive(&mut platform, long)), gone);
    take_up(&mut platform, &setup);
    let mac = setup.key.virtual_mac();
    assert_eq!(ask(&wire, V4), [(mac, mac)]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
    // The carrier too, and its MAC.
    assert!(testing::shutdown_node(&format!("vrrp4_{index}_7")).unwrap());
    assert_eq!(lost(&receive(&mut platform, long))[..1], gone);
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), [(mac, mac)]);
    ifconfig(&format!("{name} ether 02:00:00:00:00:55"));
    assert_eq!(lost(&receive(&mut platform, long)), gone);
    take_up(&mut platform, &setup);
    receive(&mut platform, SOON);
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), [(mac, mac)]);
    drop(platform);
    assert_eq!(names(), ["a0", "a1"]);
}

/// The kernel tells of a node that ends before it is gone.
pub(crate) fn what_is_about_to_go_is_waited_for() {
    let wire = enter();
    let mut platform = open();
    let setups = [Family::Ipv4, Family::Ipv6].map(|family| {
        let address = match family {
            Family::Ipv4 => vip("10.0.0.100", 24),
            Family::Ipv6 => vip("fe80::100", 64),
        };
        setup(key(family, 7), MacMode::Virtual, address)
    });
    for setup in &setups {
        platform.prepare(setup).unwrap();
        take_up(&mut platform, setup);
    }
    receive(&mut platform, SOON);
    let name = platform.mac_interface(setups[0].key).unwrap();
    let index = name.split('.').nth(1).unwrap();
    let bridge = format!("vrrp_{index}");
    let carrier = format!("vrrp4_{index}_7");
    for (node, losses) in [(bridge, 2), (carrier, 1)].iter().cycle().take(16) {
        let ended = std::thread::spawn({
            let node = node.clone();
            move || testing::shutdown_node(&node).unwrap()
        });
        let (mut gone, begin) = (0, Instant::now());
        while gone < *losses {
            assert!(begin.elapsed() < Duration::from_secs(60), "{gone} losses");
            platform.set_wakeup(None).unwrap();
            wait_readable(platform.fd(), SOON).unwrap();
            let mut news = Vec::new();
            platform
                .receive(&mut |incoming| {
                    if let Incoming::Lost(Failure::Mac { key }) = incoming {
                        news.push(key);
                    }
                })
                .unwrap();
            gone += news.len();
            // At once, as the host does.
            for setup in setups.iter().filter(|setup| news.contains(&setup.key)) {
                take_up(&mut platform, setup);
            }
        }
        assert!(ended.join().unwrap());
        receive(&mut platform, SOON);
        for setup in &setups {
            take_up(&mut platform, setup);
        }
    }
    let mac = setups[0].key.virtual_mac();
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    drop(platform);
    assert_eq!(names(), ["a0", "a1"]);
}

/// A bridge keeps to where it has seen a MAC. So what a virtual router sends goes by its carrier or
/// not at all, and where somebody else has sent from its MAC the bridge is made anew.
pub(crate) fn no_frame_of_a_virtual_mac_goes_by_the_interface_below() {
    let wire = enter();
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    receive(&mut platform, SOON);
    let name = platform.mac_interface(setup.key).unwrap();
    let index = name.split('.').nth(1).unwrap();
    assert!(testing::shutdown_node(&format!("vrrp4_{index}_7")).unwrap());
    let long = Duration::from_secs(20);
    let gone = Failure::Mac { key: setup.key };
    assert_eq!(lost(&receive(&mut platform, long))[..1], [gone]);
    let mac = setup.key.virtual_mac();
    let advert = group_frame(mac, 1);
    speak(&mut platform, setup.key, &advert);
    assert!(!wire.hear(SOON).unwrap().contains(&advert));
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    give_up(&mut platform, &setup);
    let below = RawPort::open("a0").unwrap();
    below.send(&group_frame(mac, 2)).unwrap();
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
}

pub(crate) fn what_carp_has_is_refused() {
    enter();
    ifconfig("a0 vhid 7 pass secret 10.0.0.77/32 alias");
    let mut platform = open();
    assert!(
        platform
            .remarks()
            .iter()
            .any(|remark| remark.contains("carp(4)"))
    );
    let refused = |platform: &mut FreebsdPlatform, vrid, address| {
        let setup = setup(
            key(Family::Ipv4, vrid),
            MacMode::Interface,
            vip(address, 32),
        );
        platform.prepare(&setup).unwrap_err().to_string()
    };
    let error = refused(&mut platform, 7, "10.0.0.100");
    assert!(
        error.contains("vhid 7") && error.contains("choose another VRID"),
        "{error}"
    );
    let error = refused(&mut platform, 8, "10.0.0.77");
    assert!(error.contains("10.0.0.77 by carp, vhid 7"), "{error}");
    // The address of carp is no source of advertisements, and does no harm.
    let setup = setup(
        key(Family::Ipv4, 8),
        MacMode::Virtual,
        vip("10.0.0.100", 32),
    );
    platform.prepare(&setup).unwrap();
    let state = last_state(&receive(&mut platform, SOON)).unwrap();
    assert_eq!(state.ipv4, Some([10, 0, 0, 2].into()));
}

/// A check without the platform says what the platform refuses, and all of it.
pub(crate) fn a_check_knows_what_is_in_the_way() {
    enter();
    ifconfig("a0 vhid 7 pass secret 10.0.0.77/32 alias");
    ifconfig("a0 10.0.0.78/32 alias");
    ifconfig("vlan5 create vlan 5 vlandev a0");
    let refusals = |interface: &str, vrid, addresses: &[&str]| {
        let id = VrId {
            interface: interface.into(),
            vrid: Vrid::new(vrid).unwrap(),
            family: Family::Ipv4,
            name: None,
        };
        let addresses = addresses.iter().map(|address| AddressSpec {
            address: vip(address, 32),
            interface: None,
        });
        let spec = VrSpec::new(id, addresses.collect());
        FreebsdFacts::read(&directory()).unwrap().refusals(&spec)
    };
    assert_eq!(refusals("a0", 8, &["10.0.0.100"]), [""; 0]);
    let all = refusals("a0", 7, &["10.0.0.77", "10.0.0.78"]);
    assert_eq!(all.len(), 3, "{all:#?}");
    let all = refusals("vlan5", 8, &["10.0.5.100"]);
    assert!(all.len() == 1 && all[0].contains("vlan"), "{all:#?}");

    // Things that a running platform has put on the interface are in nobody's way.
    let mut platform = open();
    let served = setup(
        key(Family::Ipv4, 8),
        MacMode::Interface,
        vip("10.0.0.100", 32),
    );
    platform.prepare(&served).unwrap();
    receive(&mut platform, SOON);
    let address = vip("10.0.0.100", 32);
    platform
        .set_address(served.key, address, true, true)
        .unwrap();
    receive(&mut platform, SOON);
    assert_eq!(refusals("a0", 8, &["10.0.0.100"]), [""; 0]);
}

/// Conditions that come after the start, and end.
pub(crate) fn what_comes_in_the_way_later_is_warned_of() {
    enter();
    let mut platform = open();
    let backup = setup(
        key(Family::Ipv4, 8),
        MacMode::Virtual,
        vip("10.0.0.100", 32),
    );
    platform.prepare(&backup).unwrap();
    let mut warned = |words: &[&str]| {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            receive(&mut platform, SOON);
            let mut list = Vec::new();
            platform.warnings(&mut list);
            let texts: Vec<&str> = list.iter().map(|w| w.text.as_str()).collect();
            let all = texts.len() == words.len();
            if all
                && texts
                    .iter()
                    .zip(words)
                    .all(|(text, word)| text.contains(word))
            {
                break;
            }
            assert!(Instant::now() < end, "{texts:#?} instead of {words:?}");
        }
    };
    warned(&[]);
    ifconfig("a0 10.0.0.100/32 alias");
    warned(&["10.0.0.100 by itself"]);
    ifconfig("a0 inet 10.0.0.100 -alias");
    warned(&[]);
    ifconfig("a0 vhid 8 pass secret 10.0.0.77/32 alias");
    warned(&["carp with vhid 8"]);
    ifconfig("a0 inet 10.0.0.77 -alias");
    warned(&[]);
}

pub(crate) fn a_busy_hook_is_refused() {
    enter();
    let mut first = open();
    let one = seven(MacMode::Virtual);
    first.prepare(&one).unwrap();
    // A second vrrpd, for other virtual routers on the same interface.
    let mut second = open();
    let two = setup(
        key(Family::Ipv4, 8),
        MacMode::Virtual,
        vip("10.0.0.101", 24),
    );
    let error = second.prepare(&two).unwrap_err().to_string();
    assert!(
        error.contains("joined to the bridge node 'vrrp_"),
        "{error}"
    );
    drop(second);
    take_up(&mut first, &one);
}

pub(crate) fn a_changed_mac_is_noticed() {
    enter();
    let mut platform = open();
    receive(&mut platform, SOON);
    ifconfig("a0 ether 02:00:00:00:00:44");
    let came = receive(&mut platform, Duration::from_secs(20));
    assert_eq!(
        last_state(&came).unwrap().mac,
        MacAddr([2, 0, 0, 0, 0, 0x44])
    );
}
