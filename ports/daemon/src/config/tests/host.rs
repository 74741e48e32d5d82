//! Good files on a host that they do not fit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{MINIMAL, good, lines};
use crate::config::{HostInterface, check_host, check_scripts};

const FILE: &str = "vrrpd.conf";

fn interface(name: &str, addresses: &[&str]) -> HostInterface {
    HostInterface {
        name: name.to_owned(),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
    }
}

fn check(more: &str, interfaces: &[HostInterface]) -> Vec<String> {
    let (config, _) = good(&format!("{MINIMAL}{more}"));
    lines(&check_host(&config, Path::new(FILE), interfaces))
}

#[test]
fn a_host_with_the_interface_and_an_address_fits() {
    assert_eq!(check("", &[interface("eth0", &["10.0.0.2"])]), [""; 0]);
}

#[test]
fn what_the_host_does_not_have_is_named() {
    assert_eq!(
        check("trackinterface = eth7\n", &[]),
        [
            "vrrpd.conf:3: warning: interface: this host has no interface `eth0`",
            "vrrpd.conf:5: warning: trackinterface: this host has no interface `eth7`",
        ]
    );
    assert_eq!(
        check("", &[interface("eth0", &["fe80::1"])]),
        ["vrrpd.conf:3: warning: interface: `eth0` has no IPv4 address to advertise from"]
    );
    let (config, _) = good(
        "[VRID]\nserverid = 1\ninterface = eth0\naddr = fe80::9/64, vlan5:2001:db8::1/64, 10.0.0.1/24\n",
    );
    let eth0 = interface("eth0", &["2001:db8::2"]);
    assert_eq!(
        lines(&check_host(&config, Path::new(FILE), &[eth0])),
        [
            "vrrpd.conf:3: warning: interface: `eth0` has no IPv4 address to advertise from",
            "vrrpd.conf:3: warning: interface: `eth0` has no IPv6 link-local address to advertise from",
            "vrrpd.conf:4: warning: addr: this host has no interface `vlan5`",
        ]
    );
}

#[test]
fn an_owner_has_its_addresses() {
    let priority = "priority = 255\n";
    assert_eq!(
        check(priority, &[interface("eth0", &["10.0.0.2"])]),
        [
            "vrrpd.conf:5: warning: priority: 255 says that this host owns the addresses, but it does not have `10.0.0.1`; no other router takes over from it unless it resigns, use 254 or less"
        ]
    );
    assert_eq!(
        check(priority, &[interface("eth0", &["10.0.0.1"])]),
        [""; 0]
    );
}

#[test]
fn a_host_is_not_its_own_peer() {
    assert_eq!(
        check(
            "peers = 10.0.0.2, 10.0.0.3\n",
            &[interface("eth0", &["10.0.0.2"])]
        ),
        ["vrrpd.conf:5: warning: peers: `10.0.0.2` is an address of this host"]
    );
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
    // Both families: said once.
    let (config, _) = good(&format!(
        "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24, fe80::1/64\n\
         masterscript = {shown}/runs with words\nbackupscript = {shown}/plain\n\
         faultscript = {shown}\nstopscript = {shown}/absent\n"
    ));
    let said = lines(&check_scripts(&config, Path::new(FILE)));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        said,
        [
            format!("vrrpd.conf:6: warning: backupscript: `{shown}/plain` is not executable"),
            format!("vrrpd.conf:7: warning: faultscript: `{shown}` is not a file"),
            format!(
                "vrrpd.conf:8: warning: stopscript: `{shown}/absent` cannot be run: No such file or directory (os error 2)"
            ),
        ]
    );
}
