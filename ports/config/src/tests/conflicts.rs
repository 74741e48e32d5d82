//! Keys and sections that do not go together, with every word that is said.

use super::{MINIMAL, check_more, said, to_owned};

#[test]
fn a_source_is_an_own_address_of_a_family_of_the_addresses() {
    check_more(&[
        ("source = 10.0.0.9", false, &[]),
        (
            "source = 10.0.0.9, 10.0.0.8",
            true,
            &["5: source: expected one IPv4 address, found `10.0.0.9` and `10.0.0.8`"],
        ),
        (
            "source = fe80::9",
            true,
            &[
                "5: source: expected an address of the family of the addresses, found `fe80::9`; there is no IPv6 address",
            ],
        ),
        (
            "source = 10.0.0.1",
            true,
            &[
                "5: source: expected an address that this host alone has, found the virtual address `10.0.0.1`",
            ],
        ),
        (
            "source = 10.0.0.9\npeers = 10.0.0.9",
            true,
            &["5: source: expected an address of this host, found the peer `10.0.0.9`"],
        ),
        (
            "source = eth0",
            true,
            &["5: source: expected an IPv4 or IPv6 address, found `eth0`"],
        ),
    ]);
    let v6 = |more: &str| said(MINIMAL.replace("10.0.0.1/24", "fe80::1/64") + more);
    assert_eq!(v6("source = fe80::9\n"), (false, Vec::new()));
    assert_eq!(
        v6("source = 2001:db8::9\n"),
        (
            true,
            to_owned(&[
                "5: source: expected a link-local address, as VRRP without peers needs it in IPv6, found `2001:db8::9`"
            ])
        )
    );
    let peer = "peers = 2001:db8::2\n";
    // U-6: a peer on the same link has a link-local address.
    assert_eq!(
        v6(&format!("source = 2001:db8::9\n{peer}")),
        (
            false,
            to_owned(&[
                "6: warning: peers: `2001:db8::2` is not link-local: a router on the way can forge what comes from it; list the link-local addresses of peers on the same link"
            ])
        )
    );
    for more in ["maxhops = 3\n", "maxhops = 255\n"] {
        let beyond = format!("source = 2001:db8::9\n{peer}{more}");
        assert_eq!(v6(&beyond), (false, Vec::new()));
    }
    assert_eq!(v6("peers = fe80::2, fe80::3\n"), (false, Vec::new()));
    assert_eq!(
        v6(peer),
        (
            false,
            to_owned(&[
                "5: warning: peers: `2001:db8::2` is not link-local, but advertisements leave from a link-local address, and a peer takes them only from an address in its own list; choose another with `source`"
            ])
        )
    );
}

#[test]
fn an_address_list_is_checked_in_version_2_alone() {
    check_more(&[
        ("version = 2\naddresscheck = strict", false, &[]),
        ("version = both\naddresscheck = strict", false, &[]),
        ("addresscheck = warn", false, &[]),
        (
            "addresscheck = strict",
            false,
            &[
                "5: warning: addresscheck: has no effect: VRRPv3 takes advertisements of other addresses, with a warning",
            ],
        ),
        (
            "addresscheck = yes",
            true,
            &["5: addresscheck: expected `warn` or `strict`, found `yes`"],
        ),
    ]);
}

#[test]
fn an_address_on_another_interface_is_accepted() {
    let text = |device: &str| {
        MINIMAL.replace("10.0.0.1/24", &format!("10.0.0.1/24, {device}:10.0.2.1/24"))
            + "accept = no\n"
    };
    let (refused, lines) = said(text("eth2"));
    assert!(refused);
    assert_eq!(
        lines,
        [
            "5: accept: expected `yes`, as `eth2:10.0.2.1` is on another interface than the virtual router, found `no`"
        ]
    );
    assert_eq!(said(text("eth0")), (false, Vec::new()));
}

#[test]
fn silent_addresses_are_accepted_ones() {
    assert_eq!(
        said(format!("{MINIMAL}silent = yes\n")),
        (false, Vec::new())
    );
    let (refused, lines) = said(format!("{MINIMAL}silent = yes\naccept = no\n"));
    assert!(refused);
    assert_eq!(
        lines,
        [
            "5: silent: expected `no` beside `accept = no`, with which no packet to the addresses is taken, found `yes`"
        ]
    );
    let link_local = MINIMAL.replace("10.0.0.1/24", "fe80::1/64");
    let (refused, lines) = said(format!("{link_local}silent = yes\n"));
    assert!(!refused);
    assert_eq!(
        lines,
        [
            "5: warning: silent: has no effect: a link-local address belongs to one interface, and is there while this host is master"
        ]
    );
}

#[test]
fn versions_and_passwords() {
    check_more(&[
        (
            "password = foobingbaz",
            false,
            &[
                "5: warning: password: expected at most 8 octets, found 10; only the first 8 are sent and compared",
            ],
        ),
        (
            "password = a # b",
            true,
            &[
                "5: password: expected the password alone, found `#` after a blank, which may begin a comment or belong to it; put the comment on a line of its own",
            ],
        ),
        ("password=#a", false, &[]),
        (
            "password = ab ",
            false,
            &[
                "5: warning: password: a blank at the end of the line is not part of the password here, but is for freevrrpd",
            ],
        ),
        (
            "password = a,b",
            false,
            &[
                "5: warning: password: a comma is part of the password here, but ends it for freevrrpd",
            ],
        ),
        (
            "password =",
            true,
            &["5: password: expected a password, found nothing"],
        ),
        (
            "password = x\nversion = 3",
            true,
            &[
                "5: password: expected no password beside `version = 3`: only VRRPv2 has passwords; leave out one of the two",
            ],
        ),
        (
            "password = x\nversion = both",
            false,
            &[
                "5: warning: password: VRRPv3 has no passwords: with `version = both` it keeps nobody out",
            ],
        ),
        (
            "password = x\nadvertinterval = 0.5",
            true,
            &[
                "6: advertinterval: expected whole seconds from 1 to 255, as password asks for VRRPv2, found `0.5`",
            ],
        ),
        (
            "version = 2\nadvertinterval = 256",
            true,
            &[
                "6: advertinterval: expected whole seconds from 1 to 255, as version asks for VRRPv2, found `256`",
            ],
        ),
        (
            "version = both\nadvertinterval = 0.5",
            false,
            &["6: note: advertinterval: VRRPv2 counts whole seconds: its routers are told 1"],
        ),
        (
            "checksum = rfc9568\nversion = 2",
            false,
            &[
                "5: warning: checksum: has no effect: only VRRPv3 over IPv4 has two forms of checksum",
            ],
        ),
    ]);
}

#[test]
fn settings_that_do_not_go_together() {
    check_more(&[
        (
            "preempt = no\npriority = 255",
            false,
            &[
                "5: warning: preempt: `no` has no effect at priority 255: the owner of the addresses always takes over",
            ],
        ),
        (
            "preempt = no\npreemptdelay = 5",
            false,
            &["6: warning: preemptdelay: has no effect beside `preempt = no`"],
        ),
        (
            "priority=255\npreemptdelay=5",
            false,
            &["6: warning: preemptdelay: has no effect at priority 255"],
        ),
        (
            "startdelay = 5\nspanningtreelatency = 40",
            true,
            &[
                "6: spanningtreelatency: expected either startdelay or spanningtreelatency, found both",
            ],
        ),
        (
            "maxhops = 2",
            true,
            &["5: maxhops: expected 1, as there are no peers, found `2`"],
        ),
        (
            "maxhops = 0",
            true,
            &["5: maxhops: expected a number from 1 to 255, found `0`"],
        ),
        // FreeBSD's port does it.
        #[cfg(target_os = "linux")]
        (
            "useVMAC = replace",
            true,
            &[
                "5: useVMAC: expected `yes` or `no`, found `replace`: `yes` adds the virtual MAC beside the interface's own, so that it need not be replaced",
            ],
        ),
        #[cfg(target_os = "linux")]
        (
            "useVMAC = maybe",
            true,
            &["5: useVMAC: expected `yes` or `no`, found `maybe`"],
        ),
        #[cfg(target_os = "freebsd")]
        (
            "useVMAC = maybe",
            true,
            &["5: useVMAC: expected `yes`, `no` or `replace`, found `maybe`"],
        ),
    ]);
}

#[test]
fn peers_and_tracked_objects() {
    check_more(&[
        (
            "peers = 10.0.0.1",
            true,
            &[
                "5: peers: expected the address of another router, found the virtual address `10.0.0.1`",
            ],
        ),
        (
            "peers = 10.0.0.2, 10.0.0.2",
            true,
            &["5: peers: expected each peer once, found `10.0.0.2` twice"],
        ),
        (
            "peers = fe80::2",
            true,
            &[
                "5: peers: expected an IPv4 peer too, as there is the address `10.0.0.1`, found none",
            ],
        ),
        (
            "peers = 10.0.0.2, fe80::2",
            true,
            &[
                "5: peers: expected peers of the family of the addresses, found `fe80::2`; there is no IPv6 address",
            ],
        ),
        (
            "peers = eth0",
            true,
            &["5: peers: expected an IPv4 or IPv6 address, found `eth0`"],
        ),
        (
            "peers =",
            true,
            &["5: peers: expected at least one item, found nothing"],
        ),
        (
            "peers = 224.0.0.18",
            true,
            &["5: peers: expected the address of a host, found the multicast address `224.0.0.18`"],
        ),
        (
            "trackinterface = eth1, eth1:5",
            true,
            &["5: trackinterface: expected each interface once, found `eth1` twice"],
        ),
        (
            "trackinterface = eth0",
            false,
            &[
                "5: warning: trackinterface: `eth0` is the interface of this virtual router, which is always watched",
            ],
        ),
        (
            "trackinterface = a/b",
            true,
            &[
                "5: trackinterface: expected the name of an interface without blanks, `/` and `:`, found `a/b`",
            ],
        ),
        (
            "trackinterface = eth1:0",
            true,
            &[
                "5: trackinterface: expected a weight from -254 to -1 or 1 to 254 after `eth1:`, found `0`",
            ],
        ),
        (
            "trackinterface=a,b,c,d,e,f,g,h,i",
            true,
            &[
                "1: VRID 1 on eth0 (ipv4) depends on 9 interfaces, virtual routers and checks, expected at most 8",
            ],
        ),
        (
            "vridsdep = 9, 8, 9",
            true,
            &[
                "5: vridsdep: expected the serverid of another section, found `9`",
                "5: vridsdep: expected the serverid of another section, found `8`",
            ],
        ),
        (
            "vridsdep = 0",
            true,
            &["5: vridsdep: expected a number from 1 to 255, found `0`"],
        ),
        (
            "vridsdep = 1",
            true,
            &["5: vridsdep: expected the serverid of another section, found `1`"],
        ),
    ]);
}

#[test]
fn what_freevrrpd_has_and_vrrpd_has_not() {
    check_more(&[
        (
            "monitoredcircuits = no",
            false,
            &[
                "5: warning: monitoredcircuits: `no` has no effect: the state of the interface is always watched",
            ],
        ),
        (
            "sendgratuitousarp = no",
            false,
            &[
                "5: warning: sendgratuitousarp: `no` has no effect: neighbours are always told where an address is",
            ],
        ),
        (
            "AHencryption = yes",
            true,
            &[
                "5: AHencryption: expected `no`, found `yes`: the authentication header of RFC 2338 is not offered",
            ],
        ),
        (
            "useIKE = yes",
            true,
            &[
                "5: useIKE: expected `no`, found `yes`: the authentication header of RFC 2338 is not offered",
            ],
        ),
        (
            "presharedkey = x",
            false,
            &["5: warning: presharedkey: has no effect: only AHencryption would use it"],
        ),
    ]);
}

#[test]
fn sections_that_contradict_each_other() {
    check_more(&[
        (
            "heartbeat = eth1\n[VRID]\nserverid = 1\ninterface = eth1\naddr = 10.1.0.1/24",
            true,
            &[
                "5: heartbeat: expected an interface on which no virtual router has this VRID, found `eth1`, where VRID 1 on eth1 (ipv4) is",
            ],
        ),
        (
            "heartbeat = eth9\n[VRID]\nserverid = 1\ninterface = eth1\naddr = 10.1.0.1/24\nheartbeat = eth9",
            true,
            &[
                "10: heartbeat: expected one virtual router with a VRID on each second path, found `eth9` again for VRID 1, first in line 5",
            ],
        ),
        (
            "heartbeat = eth1\n[VRID]\nserverid = 2\ninterface = eth1\naddr = 10.1.0.1/24\nheartbeat = eth0",
            false,
            &[],
        ),
        (
            "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.2/24",
            true,
            &[
                "6: serverid: expected each VRID once on an interface, found VRID 1 on eth0 (ipv4) again, first in line 2",
            ],
        ),
        (
            "[VRID]\nserverid = 1\ninterface = eth1\naddr = 10.0.0.1/24",
            false,
            &["8: warning: addr: `10.0.0.1` belongs to VRID 1 on eth0 (ipv4) too, in line 4"],
        ),
        (
            "[VRID]\nserverid = 2\ninterface = eth0\naddr = 10.0.0.1/24",
            true,
            &[
                "8: addr: expected each address in one virtual router, found `10.0.0.1` of VRID 1 on eth0 (ipv4) again, first in line 4",
            ],
        ),
        (
            "[VRID]\nserverid = 2\ninterface = eth0, eth1\naddr = 10.0.0.300/24",
            true,
            &[
                "7: interface: expected the name of one interface, found `eth0, eth1`",
                "8: addr: expected `address/prefix` or `interface:address/prefix`, found `10.0.0.300/24`",
            ],
        ),
    ]);
}

#[test]
fn limits() {
    let mut text = "[VRID]\nserverid = 1\ninterface = eth0\naddr = ".to_owned();
    for host in 1..=65 {
        text.push_str(&format!("10.0.0.{host}/32,"));
    }
    assert_eq!(
        said(&text),
        (
            true,
            to_owned(&[
                "4: addr: expected at most 64 IPv4 addresses, peers and source together, found 65"
            ])
        )
    );
    let mut text = String::new();
    for number in 0..1025 {
        let (interface, vrid) = (number / 255, number % 255 + 1);
        text.push_str(&format!(
            "[VRID]\nserverid={vrid}\ninterface=e{interface}\naddr=10.0.{interface}.{vrid}/32\n"
        ));
    }
    assert_eq!(
        said(&text),
        (
            true,
            to_owned(&[" expected at most 1024 virtual routers, found 1025"])
        )
    );
    let mut text = String::new();
    for number in 1..=65 {
        text.push_str(&format!(
            "[VRID]\nserverid=1\ninterface=e{number}\naddr=10.0.{number}.1/32\n"
        ));
    }
    assert_eq!(
        said(&text),
        (
            true,
            to_owned(&[" expected virtual routers on at most 64 interfaces, found 65"])
        )
    );
}

/// A check at an address that a backup does not have could never pass there again.
#[test]
fn a_check_at_virtual_addresses_finds_them_on_a_backup() {
    let check = "[CHECK]\nname = web\ntcp = virtual:80";
    let message = "expected `silent = yes` beside a check at `virtual`, or `localhost` or `self` in `web`: \
                   a backup without silent addresses has nobody to ask, and would never pass again";
    for effect in ["", ":-50", ":fault"] {
        let text = format!("{MINIMAL}check = web{effect}\n{check}\n");
        assert_eq!(said(text), (true, vec![format!("5: check: {message}")]));
    }
    for more in ["silent = yes", "priority = 255"] {
        let text = format!("{MINIMAL}check = web\n{more}\n{check}\n");
        assert_eq!(said(text), (false, Vec::new()), "{more}");
    }
    for place in ["localhost", "self"] {
        let check = check.replace("virtual", place);
        let text = format!("{MINIMAL}check = web\n{check}\n");
        assert_eq!(said(text), (false, Vec::new()), "{place}");
    }
    // One virtual router without it is enough.
    let other = "[VRID]\nserverid = 2\ninterface = eth0\naddr = 10.0.0.2/24\ncheck = web\n";
    let text = format!("{MINIMAL}check = web\nsilent = yes\n{other}{check}\n");
    assert_eq!(said(text), (true, vec![format!("11: check: {message}")]));
}
