//! Good files on a host that they do not fit.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use vrrp_core::Family;
use vrrp_host::{Facts, HostFacts, OwnAddress, OwnInterface, VrSpec};

use super::{MINIMAL, lines};
use crate::{Account, Accounts};
use crate::{Parsed, Program, judge};

const FILE: &str = "vrrpd.conf";

/// An interface with addresses and their prefixes, the first of each family that can be a source
/// being one.
fn interface(name: &str, addresses: &[&str]) -> OwnInterface {
    let mut own: Vec<OwnAddress> = Vec::new();
    for text in addresses {
        let (address, prefix_len) = text.split_once('/').unwrap();
        let address: std::net::IpAddr = address.parse().unwrap();
        let family = Family::of(address);
        let may = match address {
            std::net::IpAddr::V4(_) => true,
            std::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let first = !own
            .iter()
            .any(|o| o.advertises && Family::of(o.address) == family);
        own.push(OwnAddress {
            address,
            prefix_len: prefix_len.parse().unwrap(),
            advertises: may && first,
            duplicate: false,
        });
    }
    OwnInterface {
        name: name.to_owned(),
        other_names: Vec::new(),
        unfit: None,
        addresses: own,
    }
}

pub(crate) fn eth0() -> OwnInterface {
    interface("eth0", &["10.0.0.2/24"])
}

/// The accounts of a test: root runs, and there is one more user.
#[derive(Debug)]
struct TestAccounts;

impl Accounts for TestAccounts {
    fn user(&self, name: &str) -> Option<Account> {
        (name == "web").then_some(Account { uid: 33, gid: 33 })
    }

    fn group(&self, _: &str) -> Option<u32> {
        None
    }

    fn own_uid(&self) -> u32 {
        // The user of the files that the tests make.
        std::fs::metadata("/proc/self").map_or(0, |meta| meta.uid())
    }
}

pub(super) const PROGRAM: Program<'_> = Program::Vrrpd {
    checker_trouble: || None,
    accounts: &TestAccounts,
};

fn judged(text: &str, interfaces: &[OwnInterface]) -> Parsed {
    let facts: HostFacts = Ok(Box::new(interfaces.to_vec()));
    judge(Path::new(FILE), text, PROGRAM, &facts)
}

/// The diagnostics of a file that is good by itself.
fn said(text: &str, interfaces: &[OwnInterface]) -> Vec<String> {
    let judged = judged(text, interfaces);
    assert!(judged.config.is_some(), "{judged:?}");
    lines(&judged.diagnostics)
}

fn check(more: &str, interfaces: &[OwnInterface]) -> Vec<String> {
    said(&format!("{MINIMAL}{more}"), interfaces)
}

#[test]
fn a_host_with_the_interface_and_an_address_fits() {
    assert_eq!(check("", &[eth0()]), [""; 0]);
}

#[test]
fn what_the_host_does_not_have_is_named() {
    assert_eq!(
        check("trackinterface = eth7\nroute = 10.8.0.0/16 dev eth8\n", &[]),
        [
            "vrrpd.conf:3: warning: interface: this host has no interface `eth0`",
            "vrrpd.conf:5: warning: trackinterface: this host has no interface `eth7`",
            "vrrpd.conf:6: warning: route: this host has no interface `eth8`",
        ]
    );
    let routes = |source: &str| format!("route = 10.8.0.0/16 dev eth0 src {source}\n");
    assert_eq!(
        check(&routes("10.0.0.9"), &[eth0()]),
        [
            "vrrpd.conf:5: warning: route: this host does not have `10.0.0.9`, the `src` of a route, nor is it a virtual address: the kernel refuses the route until it is there"
        ]
    );
    for source in ["10.0.0.1", "10.0.0.2"] {
        assert_eq!(check(&routes(source), &[eth0()]), [""; 0]);
    }
    assert_eq!(
        check("", &[interface("eth0", &["fe80::1/64"])]),
        ["vrrpd.conf:3: warning: interface: `eth0` has no IPv4 address to advertise from"]
    );
    let text = "[VRID]\nserverid = 1\ninterface = eth0\naddr = fe80::9/64, vlan5:2001:db8::1/64, 10.0.0.1/24\n";
    assert_eq!(
        said(text, &[interface("eth0", &["2001:db8::2/64"])]),
        [
            "vrrpd.conf:3: warning: interface: `eth0` has no IPv4 address to advertise from",
            "vrrpd.conf:3: warning: interface: `eth0` has no IPv6 link-local address to advertise from",
            "vrrpd.conf:4: warning: addr: this host has no interface `vlan5`",
        ]
    );
}

#[test]
fn an_interface_is_known_by_each_of_its_names_and_used_by_one() {
    let mut named = eth0();
    named.other_names = vec!["enp3s0".into()];
    let section = |vrid: u8, name: &str, addr: &str| {
        format!("[VRID]\nserverid = {vrid}\ninterface = {name}\naddr = {addr}\n")
    };
    let alone = section(1, "enp3s0", "10.0.0.1/24");
    assert_eq!(said(&alone, &[named.clone()]), [""; 0]);
    let twice = alone + &section(2, "eth0", "10.0.0.3/24");
    assert_eq!(
        said(&twice, &[named.clone()]),
        [
            "vrrpd.conf:7: interface: expected one name for one interface, found `eth0`, which is `enp3s0` of line 3"
        ]
    );
    let carried = section(1, "eth0", "enp3s0:10.0.0.1/24");
    assert_eq!(
        said(&carried, &[named]),
        [
            "vrrpd.conf:4: addr: expected one name for one interface, found `enp3s0`, which is `eth0` of line 3"
        ]
    );
}

#[test]
fn an_interface_without_ethernet_is_an_error_of_the_host() {
    let mut tunnel = eth0();
    tunnel.unfit = Some("it is a tunnel".into());
    let judged = judged(MINIMAL, &[tunnel]);
    assert!(
        judged.config.is_some(),
        "a start leaves that virtual router down"
    );
    assert!(judged.has_errors());
    assert_eq!(
        judged.errors(),
        ["vrrpd.conf:3: interface: cannot use `eth0`: it is a tunnel"]
    );
}

#[test]
fn what_the_port_refuses_is_an_error() {
    struct Crowded(Vec<OwnInterface>);
    impl Facts for Crowded {
        fn interfaces(&self) -> &[OwnInterface] {
            &self.0
        }
        fn refusals(&self, spec: &VrSpec) -> Vec<String> {
            vec![format!("{} has no room", spec.id.interface)]
        }
    }
    // Both families: said once.
    let text = MINIMAL.replace("10.0.0.1/24", "10.0.0.1/24, fe80::1/64");
    let eth0 = interface("eth0", &["10.0.0.2/24", "fe80::2/64"]);
    let facts: HostFacts = Ok(Box::new(Crowded(vec![eth0])));
    let judged = judge(Path::new(FILE), text, PROGRAM, &facts);
    assert_eq!(judged.errors(), ["vrrpd.conf:1: eth0 has no room"]);
}

#[test]
fn a_host_that_cannot_be_looked_at_is_a_warning() {
    let facts: HostFacts = Err(io::ErrorKind::Unsupported.into());
    let judged = judge(Path::new(FILE), MINIMAL, PROGRAM, &facts);
    assert_eq!(
        lines(&judged.diagnostics),
        [
            "vrrpd.conf: warning: not compared with this host, whose interfaces cannot be listed: unsupported"
        ]
    );
}

#[test]
fn an_owner_has_its_addresses() {
    let priority = "priority = 255\n";
    assert_eq!(
        check(priority, &[eth0()]),
        [
            "vrrpd.conf:5: warning: priority: 255 says that this host owns the addresses, but it does not have `10.0.0.1`; no other router takes over from it unless it resigns, use 254 or less"
        ]
    );
    assert_eq!(
        check(priority, &[interface("eth0", &["10.0.0.1/24"])]),
        [""; 0]
    );
}

#[test]
fn only_an_owner_has_the_addresses_by_hand() {
    let by_hand = "vrrpd.conf:4: warning: addr: `eth0` has `10.0.0.1` already and answers for it while this host is backup, too; remove it there, or use priority 255 if it belongs to this host";
    let hosts = [
        vec![interface("eth0", &["10.0.0.1/24"])],
        vec![interface("eth0", &["10.0.0.2/24", "10.0.0.1/32"])],
    ];
    for host in hosts {
        assert_eq!(check("", &host), [by_hand]);
    }
    // Another interface of the host answers, too.
    let other = [eth0(), interface("lo", &["127.0.0.1/8", "10.0.0.1/32"])];
    assert_eq!(check("", &other), [by_hand.replace("`eth0`", "`lo`")]);
    let text = MINIMAL.replace("10.0.0.1/24", "fe80::1/64");
    let other_link = [
        interface("eth0", &["fe80::2/64"]),
        interface("eth1", &["fe80::1/64"]),
    ];
    assert_eq!(said(&text, &other_link), [""; 0]);
}

#[test]
fn an_address_that_another_host_has_too_is_named() {
    let mut doubled = interface("eth0", &["fe80::2/64", "2001:db8::2/64"]);
    doubled.addresses[0].duplicate = true;
    doubled.addresses[0].advertises = false;
    let text = MINIMAL.replace("10.0.0.1/24", "fe80::1/64");
    assert_eq!(
        said(&text, &[doubled]),
        [
            "vrrpd.conf:3: warning: interface: another host on `eth0` has `fe80::2`, too: duplicate address detection failed",
            "vrrpd.conf:3: warning: interface: `eth0` has no IPv6 link-local address to advertise from",
        ]
    );
}

#[test]
fn a_host_is_not_its_own_peer() {
    // U-5, whether there are others or not.
    for peers in ["peers = 10.0.0.2, 10.0.0.3\n", "peers = 10.0.0.2\n"] {
        assert_eq!(
            judged(&format!("{MINIMAL}{peers}"), &[eth0()]).errors(),
            [
                "vrrpd.conf:5: peers: expected the addresses of the other hosts alone, found `10.0.0.2`, which is an address of this host"
            ]
        );
    }
    assert_eq!(check("peers = 10.0.0.3\n", &[eth0()]), [""; 0]);
    // A link-local address is another one on another link.
    let text = MINIMAL.replace("10.0.0.1/24", "fe80::1/64") + "peers = fe80::2\n";
    let own = interface("eth0", &["fe80::2/64"]);
    assert_eq!(judged(&text, &[own]).errors().len(), 1);
    let other = [
        interface("eth0", &["fe80::9/64"]),
        interface("eth1", &["fe80::2/64"]),
    ];
    assert_eq!(judged(&text, &other).errors(), [""; 0]);
}

#[test]
fn peers_take_advertisements_from_the_address_that_they_know() {
    let two = interface("eth0", &["10.0.0.2/24", "10.0.1.2/24"]);
    assert_eq!(
        check("peers = 10.0.1.3\n", std::slice::from_ref(&two)),
        [
            "vrrpd.conf:5: warning: peers: `10.0.1.3` is on the network of `10.0.1.2`, but advertisements leave from `10.0.0.2`, and a peer takes them only from an address in its own list; see `source`"
        ]
    );
    let elsewhere = interface("eth1", &["10.9.0.2/24"]);
    assert_eq!(
        check("peers = 10.9.0.3\n", &[two.clone(), elsewhere]),
        [
            "vrrpd.conf:5: warning: peers: `10.9.0.3` is on the network of `eth1`, but advertisements leave by `eth0`"
        ]
    );
    // Beyond a router it is for others to know.
    for peer in ["10.0.0.3", "192.0.2.3"] {
        assert_eq!(
            check(&format!("peers = {peer}\n"), std::slice::from_ref(&two)),
            [""; 0]
        );
    }
}

#[test]
fn a_source_is_where_the_advertisements_leave_and_the_peers_are() {
    let two = interface("eth0", &["10.0.0.2/24", "10.0.1.2/24"]);
    let all = [two, interface("eth1", &["10.9.0.2/24"])];
    let fits = "source = 10.0.1.2\npeers = 10.0.1.3\n";
    assert_eq!(check(fits, &all), [""; 0]);
    assert_eq!(
        check("source = 10.0.1.2\npeers = 10.0.0.3\n", &all),
        [
            "vrrpd.conf:6: warning: peers: `10.0.0.3` is on the network of `10.0.0.2`, but advertisements leave from `10.0.1.2`, and a peer takes them only from an address in its own list; see `source`"
        ]
    );
    for (source, where_it_is) in [
        ("10.9.0.2", "`10.9.0.2` is on `eth1`, not on `eth0`"),
        ("10.0.0.7", "`eth0` does not have `10.0.0.7`"),
    ] {
        assert_eq!(
            check(&format!("source = {source}\n"), &all),
            [format!(
                "vrrpd.conf:5: warning: source: {where_it_is}: advertisements would come from an address that is not there"
            )]
        );
    }
    // It need not be one that would be chosen without.
    let global = interface("eth0", &["2001:db8::2/64"]);
    let text = MINIMAL.replace("10.0.0.1/24", "fe80::1/64");
    let text = format!("{text}source = 2001:db8::2\npeers = 2001:db8::3\nmaxhops = 2\n");
    assert_eq!(said(&text, &[global]), [""; 0]);
}

#[test]
fn scripts_are_files_that_can_be_run() {
    let folder = std::env::temp_dir().join(format!("vrrpd-config-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let shown = folder.display();
    for (name, mode) in [("runs", 0o755), ("plain", 0o644)] {
        let path = folder.join(name);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    // Both families: said once. In the order of the lines, whoever finds it.
    let text = format!(
        "[VRID]\nserverid = 1\ninterface = eth7\naddr = 10.0.0.1/24, fe80::1/64\n\
         masterscript = {shown}/runs with words\nbackupscript = {shown}/plain\n\
         faultscript = {shown}\nstopscript = {shown}/absent\n"
    );
    let said = said(&text, &[eth0()]);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        said,
        [
            "vrrpd.conf:3: warning: interface: this host has no interface `eth7`".to_owned(),
            format!("vrrpd.conf:6: warning: backupscript: `{shown}/plain` is not executable"),
            format!("vrrpd.conf:7: warning: faultscript: `{shown}` is not a file"),
            format!(
                "vrrpd.conf:8: warning: stopscript: `{shown}/absent` cannot be run: No such file or directory (os error 2)"
            ),
        ]
    );
}

#[test]
fn a_script_that_others_could_replace_is_an_error_unless_the_file_says_otherwise() {
    let folder = std::env::temp_dir().join(format!("vrrpd-insecure-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("script");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o775 | 0o002)).unwrap();
    let path = fs::canonicalize(&path).unwrap();
    let shown = path.display();
    let text = |global: &str| {
        format!(
            "[GLOBAL]\nloglevel = info\n{global}[VRID]\nserverid = 1\ninterface = eth0\n\
             addr = 10.0.0.1/24\nmasterscript = {shown}\n"
        )
    };
    let enforced = judged(&text("scriptuser = 0:0\n"), &[eth0()]);
    let warned = judged(&text("scriptsecurity = warn\n"), &[eth0()]);
    let unknown = judged(&text("scriptuser = ftp\n"), &[eth0()]);
    fs::remove_dir_all(&folder).unwrap();
    assert!(enforced.has_errors() && enforced.config.is_some());
    let why = format!("everybody can write {shown} (mode 777)");
    assert_eq!(
        lines(&enforced.diagnostics),
        [format!(
            "vrrpd.conf:8: masterscript: others could replace this script, so it is not run: {why}; see scriptsecurity in vrrpd.conf(5)"
        )]
    );
    assert_eq!(
        lines(&warned.diagnostics),
        [format!(
            "vrrpd.conf:8: warning: masterscript: others could replace this script: {why}"
        )]
    );
    assert_eq!(
        lines(&unknown.diagnostics),
        ["vrrpd.conf:4: scriptuser: there is no user `ftp` on this host"]
    );
}

#[test]
fn the_user_of_the_worker_exists_and_is_not_root() {
    let said = |user: &str| {
        let text = format!("[GLOBAL]\nuser = {user}\n{MINIMAL}");
        lines(&judged(&text, &[eth0()]).diagnostics)
    };
    assert_eq!(said("web"), [""; 0]);
    assert_eq!(
        said("ftp"),
        ["vrrpd.conf:2: user: there is no user `ftp` on this host"]
    );
    assert_eq!(
        said("0:0"),
        ["vrrpd.conf:2: user: expected a user without the rights of root, found `0:0`"]
    );
}

#[test]
fn a_password_that_others_can_read_is_a_warning() {
    let file = std::env::temp_dir().join(format!("vrrpd-secret-{}", std::process::id()));
    let secret = format!("{MINIMAL}version = 2\npassword = secret\n");
    let warned = |text: &str, mode| {
        std::fs::write(&file, text).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, mode).expect("its mode");
        let facts = Err(std::io::ErrorKind::Unsupported.into());
        let judged = judge(&file, text, PROGRAM, &facts);
        assert!(judged.config.is_some(), "{:?}", judged.diagnostics);
        let texts: Vec<String> = judged.diagnostics.iter().map(ToString::to_string).collect();
        texts
            .iter()
            .any(|t| t.contains("warning: password: others can read this file"))
    };
    assert!(warned(&secret, 0o644));
    assert!(warned(&secret, 0o604));
    assert!(!warned(&secret, 0o600));
    assert!(!warned(MINIMAL, 0o644), "there is nothing to read");
    std::fs::remove_file(file).expect("gone");
}
