//! Lines and values that are refused or remarked on, with every word that is said.

use super::{Case, MINIMAL, check_more, said, to_owned};

#[test]
fn a_line_that_is_no_key_of_its_section() {
    check_more(&[
        (
            "priorty = 100",
            true,
            &["5: expected a key of [VRID], found `priorty`; did you mean `priority`?"],
        ),
        (
            "prio = 100",
            true,
            &["5: expected a key of [VRID], found `prio`; did you mean `priority`?"],
        ),
        (
            "wibble = 1",
            true,
            &["5: expected a key of [VRID], found `wibble`"],
        ),
        (
            "loglevel = info",
            true,
            &["5: loglevel: belongs in [GLOBAL], found in [VRID]"],
        ),
        (
            "priority = 1\npriority = 2",
            true,
            &["6: priority: given twice in one section, first in line 5; expected it once"],
        ),
        (
            "hello",
            true,
            &["5: expected `key = value`, found `hello` and no `=`"],
        ),
        (
            "smtp_server 10.0.0.1",
            true,
            &["5: expected `key = value`, found `smtp_server` and no `=`"],
        ),
        (
            "\u{1} = 2",
            true,
            &["5: expected text, found the control character `\\u{1}` at octet 1"],
        ),
        (
            "priority = 1\u{b}0",
            true,
            &["5: expected text, found the control character `\\u{b}` at octet 13"],
        ),
        (
            "[GLOBL]\nx = 1",
            true,
            &[
                "5: expected `[VRID]`, `[GROUP]`, `[CHECK]` or `[GLOBAL]`, found `[GLOBL]`; did you mean `[GLOBAL]`?",
            ],
        ),
        (
            "[VRRP]\nx = 1",
            true,
            &["5: expected `[VRID]`, `[GROUP]`, `[CHECK]` or `[GLOBAL]`, found `[VRRP]`"],
        ),
        (
            "[VRID",
            true,
            &["5: expected `[VRID]`, `[GROUP]`, `[CHECK]` or `[GLOBAL]`, found `[VRID`"],
        ),
        (
            "[VRID] x\nserverid=2\ninterface=eth0\naddr=10.0.0.9/32",
            true,
            &["5: expected nothing after `]`, found `x`"],
        ),
        (
            "[GLOBAL]\ncontrolsocket = a\ncontrolgroup = a b\nloglevel = loud\nscripttimeout = 0\npriority = 5\nruntimedir = run\nstatedir = lib",
            true,
            &[
                "6: controlsocket: expected an absolute path of at most 103 octets, found `a`",
                "7: controlgroup: expected the name or number of a group, found `a b`",
                "8: loglevel: expected `error`, `warning`, `info` or `debug`, found `loud`",
                "9: scripttimeout: expected seconds from 0.1 to 86400, at most three decimals, found `0`",
                "10: priority: belongs in [VRID], found in [GLOBAL]",
                "11: runtimedir: expected an absolute path, found `run`",
                "12: statedir: expected an absolute path, found `lib`",
            ],
        ),
        (
            "[VRID]\nserverid=2\ninterface=eth0\naddr=10.0.0.9/32\nname = 7th\n[VRID]\nserverid=3\ninterface=eth0\naddr=10.0.0.8/32\nname = default",
            true,
            &[
                "9: name: expected at most 32 of the characters A-Z, a-z, 0-9, `-`, `_` and `.`, a letter first, and none of the words `all`, `default`, `on`, `off`, found `7th`",
                "14: name: expected at most 32 of the characters A-Z, a-z, 0-9, `-`, `_` and `.`, a letter first, and none of the words `all`, `default`, `on`, `off`, found `default`",
            ],
        ),
        (
            "[VRID]\nserverid=2\ninterface=eth0\naddr=10.0.0.9/32,fe80::1/64\nname = web\n[VRID]\nserverid=3\ninterface=eth0\naddr=10.0.0.8/32\nname = web",
            true,
            &["14: name: expected each name once, found `web` again, first in line 9"],
        ),
        (
            "[GLOBAL]\nmetrics = 10.0.0.1:9112",
            true,
            &[
                "6: metrics: expected an address of the loopback, as 127.0.0.1:9112, found `10.0.0.1:9112`: whoever reaches another one could read; if that is wanted, write public:10.0.0.1:9112",
            ],
        ),
        (
            "[GLOBAL]\nmetrics = 9112",
            true,
            &["6: metrics: expected ADDRESS:PORT, public:ADDRESS:PORT or unix:PATH, found `9112`"],
        ),
        (
            "[GLOBAL]\nmetrics = 127.0.0.1:0",
            true,
            &[
                "6: metrics: expected ADDRESS:PORT, public:ADDRESS:PORT or unix:PATH with a port from 1 to 65535, found `127.0.0.1:0`",
            ],
        ),
        (
            "[GLOBAL]\nmetrics = unix:m",
            true,
            &["6: metrics: expected an absolute path of at most 103 octets, found `m`"],
        ),
        (
            "[GLOBAL]\n[GLOBAL]",
            true,
            &["6: expected one [GLOBAL], the first is in line 5"],
        ),
        (
            "[VRID]",
            true,
            &[
                "5: serverid: missing in this [VRID] section, expected a number from 1 to 255",
                "5: interface: missing in this [VRID] section, expected the name of an interface",
                "5: addr: missing in this [VRID] section, expected `address/prefix`, or `none`",
            ],
        ),
    ]);
}

#[test]
fn a_value_that_cannot_be_meant() {
    check_more(&[
        (
            "priority = 300",
            true,
            &["5: priority: expected a number from 1 to 255, found `300`"],
        ),
        (
            "priority = 0",
            true,
            &[
                "5: priority: expected a number from 1 to 255, found `0`, with which a master says that it stops",
            ],
        ),
        (
            "priority = high",
            true,
            &["5: priority: expected a number from 1 to 255, found `high`"],
        ),
        (
            "priority =",
            true,
            &["5: priority: expected a number from 1 to 255, found nothing"],
        ),
        (
            "version = 4",
            true,
            &["5: version: expected `2`, `3` or `both`, found `4`"],
        ),
        (
            "advertinterval = 0",
            true,
            &[
                "5: advertinterval: expected seconds from 0.01 to 40.95, at most two decimals, found `0`",
            ],
        ),
        (
            "advertinterval = 41",
            true,
            &[
                "5: advertinterval: expected seconds from 0.01 to 40.95, at most two decimals, found `41`",
            ],
        ),
        (
            "advertinterval = 0.015",
            true,
            &[
                "5: advertinterval: expected seconds from 0.01 to 40.95, at most two decimals, found `0.015`",
            ],
        ),
        (
            "preempt = maybe",
            true,
            &["5: preempt: expected `yes` or `no`, found `maybe`"],
        ),
        (
            "startdelay = 4000",
            true,
            &[
                "5: startdelay: expected seconds from 0 to 3600, at most three decimals, found `4000`",
            ],
        ),
        (
            "checksum = crc",
            true,
            &["5: checksum: expected `auto`, `rfc9568` or `rfc5798`, found `crc`"],
        ),
        (
            "ownerreceive = x",
            true,
            &["5: ownerreceive: expected `elect` or `discard`, found `x`"],
        ),
        (
            "onconflict = x",
            true,
            &["5: onconflict: expected `takeover` or `wait`, found `x`"],
        ),
        (
            "heartbeat = a b",
            true,
            &[
                "5: heartbeat: expected the name of an interface without blanks, `/` and `:`, found `a b`",
            ],
        ),
        (
            "heartbeat = eth0",
            true,
            &[
                "5: heartbeat: expected another interface than that of the virtual router, `eth0`: a second path",
            ],
        ),
        (
            "announcerepeats = 256",
            true,
            &["5: announcerepeats: expected a number from 0 to 255, found `256`"],
        ),
        (
            "announceinterval = 0",
            true,
            &[
                "5: announceinterval: expected seconds from 0.1 to 3600, at most three decimals, found `0`",
            ],
        ),
        (
            "announcerefresh = 0.5",
            true,
            &["5: announcerefresh: expected 0 or seconds from 1 to 86400, found `0.5`"],
        ),
        (
            "scripttimeout = 0",
            true,
            &[
                "5: scripttimeout: expected seconds from 0.1 to 86400, at most three decimals, found `0`",
            ],
        ),
        (
            "carriertimeout = soon",
            true,
            &["5: carriertimeout: expected a number from 0 to 4294967295, found `soon`"],
        ),
        (
            "accept = 1",
            true,
            &["5: accept: expected `yes` or `no`, found `1`"],
        ),
        (
            "connections = drop",
            true,
            &["5: connections: expected `reset` or `leave`, found `drop`"],
        ),
    ]);
}

#[test]
fn addresses_that_cannot_be_virtual() {
    let table: &[Case] = &[
        (
            "10.0.0.1",
            true,
            &[
                "4: addr: expected a prefix length after the address, as in `10.0.0.1/32`, found `10.0.0.1`",
            ],
        ),
        (
            "10.0.0.1/33",
            true,
            &["4: addr: expected a prefix length from 1 to 32 after `10.0.0.1/`, found `33`"],
        ),
        (
            "10.0.0.1/0",
            true,
            &["4: addr: expected a prefix length from 1 to 32 after `10.0.0.1/`, found `0`"],
        ),
        (
            "10.0.0.1/",
            true,
            &["4: addr: expected a prefix length from 1 to 32 after `10.0.0.1/`, found nothing"],
        ),
        (
            "10.0.0.1/255.255.255.0",
            true,
            &[
                "4: addr: expected a prefix length from 1 to 32 after `10.0.0.1/`, found `255.255.255.0`",
            ],
        ),
        (
            "10.0.0.0/24",
            false,
            &["4: warning: addr: `10.0.0.0/24` is the number of its network, not of a host"],
        ),
        (
            "10.0.0.255/24",
            false,
            &["4: warning: addr: `10.0.0.255/24` is the broadcast address of its network"],
        ),
        (
            "10.0.0.1/24,,10.0.0.2/24",
            true,
            &["4: addr: expected `address/prefix` or `interface:address/prefix`, found nothing"],
        ),
        (
            "10.0.0.1/24, 10.0.0.1/32",
            true,
            &["4: addr: expected each address once, found `10.0.0.1` twice"],
        ),
        (
            "224.0.0.18/32",
            true,
            &["4: addr: expected the address of a host, found the multicast address `224.0.0.18`"],
        ),
        (
            "127.0.0.1/8",
            true,
            &["4: addr: expected the address of a host, found the loopback address `127.0.0.1`"],
        ),
        (
            "::1/128",
            true,
            &["4: addr: expected the address of a host, found the loopback address `::1`"],
        ),
        (
            "::ffff:1.2.3.4/128",
            true,
            &[
                "4: addr: expected the address of a host, found the IPv4-mapped address `::ffff:1.2.3.4`",
            ],
        ),
        (
            "fe80::1%eth0/64",
            true,
            &[
                "4: addr: expected `address/prefix` or `interface:address/prefix`, found `fe80::1%eth0/64`",
            ],
        ),
        (
            "host/24",
            true,
            &["4: addr: expected `address/prefix` or `interface:address/prefix`, found `host/24`"],
        ),
        (
            "a b:10.0.0.1/24",
            true,
            &[
                "4: addr: expected the name of an interface without blanks, `/` and `:`, found `a b`",
            ],
        ),
        (
            "fe80::1/129",
            true,
            &["4: addr: expected a prefix length from 1 to 128 after `fe80::1/`, found `129`"],
        ),
        (
            "",
            true,
            &["4: addr: expected at least one item, found nothing"],
        ),
        (
            "fe80::1",
            true,
            &[
                "4: addr: expected a prefix length after the address, as in `fe80::1/128`, found `fe80::1`",
            ],
        ),
        (
            ", ",
            true,
            &["4: addr: expected at least one item, found nothing"],
        ),
    ];
    for (address, refused, expected) in table {
        let (is_refused, lines) = said(format!(
            "[VRID]\nserverid = 1\ninterface = eth0\naddr = {address}\n"
        ));
        assert_eq!(lines, *expected, "{address}");
        assert_eq!(is_refused, *refused, "{address}");
    }
}

#[test]
fn scripts() {
    check_more(&[
        (
            "masterscript = run.sh",
            false,
            &[
                "5: warning: masterscript: expected an absolute path, found `run.sh`: it depends on where vrrpd is started",
            ],
        ),
        (
            "masterscript = /a; /b",
            true,
            &[
                "5: masterscript: expected a program and plain words, as no shell reads them, found `;` in `/a; /b`; put the command into a script",
            ],
        ),
        (
            "masterscript = ",
            true,
            &["5: masterscript: expected the path of a program, found nothing"],
        ),
    ]);
}

#[test]
fn files_as_a_whole() {
    let table: &[Case] = &[
        (
            "",
            true,
            &[" expected at least one [VRID] section, found none"],
        ),
        (
            "# nothing\n",
            true,
            &[" expected at least one [VRID] section, found none"],
        ),
        (
            "[GLOBAL]\n",
            true,
            &[" expected at least one [VRID] section, found none"],
        ),
        (
            "serverid = 1\npriority = 1\n[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24\n",
            true,
            &[
                "1: expected `[VRID]`, `[GROUP]`, `[CHECK]` or `[GLOBAL]` before the first key, found `serverid`",
            ],
        ),
        (
            "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24, 2001:db8::1/64\npassword = x\n",
            true,
            &[
                "4: addr: expected IPv4 addresses, as password asks for VRRPv2, found `2001:db8::1`; give IPv6 addresses a section of their own",
            ],
        ),
        (
            "[VRID]\nserverid = 0\ninterface = \naddr = x\npriority = 300\nfoo = bar\nadvertinterval = 99\n",
            true,
            &[
                "2: serverid: expected a number from 1 to 255, found `0`",
                "3: interface: expected the name of one interface, found nothing",
                "4: addr: expected `address/prefix` or `interface:address/prefix`, found `x`",
                "5: priority: expected a number from 1 to 255, found `300`",
                "6: expected a key of [VRID], found `foo`",
                "7: advertinterval: expected seconds from 0.01 to 40.95, at most two decimals, found `99`",
            ],
        ),
    ];
    for (text, refused, expected) in table {
        assert_eq!(said(text), (*refused, to_owned(expected)), "{text}");
    }
}

#[test]
fn octets_that_are_no_text() {
    assert_eq!(
        said(b"\xff\xfe[\0"),
        (true, to_owned(&[" expected UTF-8 text, found UTF-16"]))
    );
    let octets = [MINIMAL.as_bytes(), b"priority = \xff\n"].concat();
    assert_eq!(
        said(octets),
        (
            true,
            to_owned(&["5: expected UTF-8 text, found the octet 0xff at octet 12"])
        )
    );
    let octets = [MINIMAL.as_bytes(), b"priority = 1\x000\n"].concat();
    assert_eq!(
        said(octets),
        (
            true,
            to_owned(&["5: expected text, found the control character `\\u{0}` at octet 13"])
        )
    );
    assert_eq!(
        said(vec![b'#'; 5 << 20]),
        (
            true,
            to_owned(&[" expected at most 4194304 octets, found 5242880"])
        )
    );
    // The key may be in the line that was not read: it is not called missing.
    let text = format!(
        "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/32{}\n",
        " ".repeat(65_536)
    );
    assert_eq!(
        said(text),
        (
            true,
            to_owned(&["4: expected a line of at most 65536 octets, found 65554"])
        )
    );
}

#[test]
fn extra_addresses() {
    check_more(&[
        (
            "extra = 10.0.0.2",
            true,
            &[
                "5: extra: expected a prefix length after the address, as in `10.0.0.2/32`, found `10.0.0.2`",
            ],
        ),
        (
            "extra = 10.0.0.1/24",
            true,
            &["5: extra: expected each address once, found `10.0.0.1` twice"],
        ),
        (
            "extra = 2001:db8::1/64\naccept = no",
            true,
            &[
                "6: accept: expected `yes`, as `2001:db8::1` of `extra` is on an interface of the host, found `no`",
            ],
        ),
        (
            "extra = 2001:db8::1/64, 2001:db8::1/64",
            true,
            &["5: extra: expected each address once, found `2001:db8::1` twice"],
        ),
        (
            "extra =",
            true,
            &["5: extra: expected at least one item, found nothing"],
        ),
    ]);
}

#[test]
fn an_election_without_addresses() {
    let table: &[(&str, &str)] = &[
        (
            "extra = 10.0.0.2/24",
            "extra: expected no further addresses beside `addr = none`; put them into `addr`",
        ),
        (
            "useVMAC = yes",
            "useVMAC: expected `no` beside `addr = none`: no address is reached by a virtual MAC",
        ),
        (
            "silent = yes",
            "silent: expected `no` beside `addr = none`, as there is no address to hold, found `yes`",
        ),
        (
            "peers = 10.0.0.2, fe80::2",
            "peers: expected peers, source and group of one family beside `addr = none`; give the other a section of its own",
        ),
        (
            "source = 10.0.0.2, fe80::2",
            "source: expected peers, source and group of one family beside `addr = none`; give the other a section of its own",
        ),
        (
            "group = ff02::99\nsource = 10.0.0.2",
            "group: expected peers, source and group of one family beside `addr = none`; give the other a section of its own",
        ),
    ];
    for (more, expected) in table {
        let (is_refused, lines) = said(format!(
            "[VRID]\nserverid = 1\ninterface = eth0\naddr = none\n{more}\n"
        ));
        assert!(is_refused, "{more}");
        assert_eq!(lines, [format!("5: {expected}")], "{more}");
    }
}

#[test]
fn routes_and_rules() {
    check_more(&[
        (
            "route = 10.8.0.0/16 via 10.0.0.9, 10.9.0.1/16 dev eth0",
            true,
            &[
                "5: route: expected a network without bits of a host, as in `10.9.0.0/16`, found `10.9.0.1/16`",
            ],
        ),
        (
            "route = 10.8.0.0/16 dev eth0, to 10.8.0.0/16 dev eth0",
            true,
            &["5: route: expected each route once, found `route 10.8.0.0/16 dev eth0` twice"],
        ),
        (
            "accept = no\nroute = 10.8.0.0/16 via 10.0.0.9, 10.9.0.0/16 dev eth0 src 10.0.0.1",
            true,
            &[
                "6: route: expected `src` to be an address that this host takes packets for, found `10.0.0.1` of VRID 1 on eth0 (ipv4), which has `accept = no`: use `accept = yes` there, or leave `src` out",
            ],
        ),
        (
            "accept = no\nroute = 10.9.0.0/16 dev eth0 src 10.0.0.5",
            false,
            &[],
        ),
        (
            "accept = no\npriority = 255\nroute = 10.9.0.0/16 dev eth0 src 10.0.0.1",
            false,
            &[],
        ),
        (
            "route =",
            true,
            &["5: route: expected at least one item, found nothing"],
        ),
        (
            "rule = from 10.0.0.1 table 7",
            true,
            &[
                "5: rule: expected `priority` and a number: without one the place of the rule among the others is left to chance, found nothing",
            ],
        ),
    ]);
    let many: Vec<String> = (0..65).map(|n| format!("10.{n}.0.0/16 dev e")).collect();
    let (is_refused, lines) = said(format!("{MINIMAL}route = {}\n", many.join(",")));
    assert!(is_refused);
    assert_eq!(
        lines,
        ["5: route: expected at most 64 routes and rules together, found 65"]
    );
    let (is_refused, lines) =
        said("[VRID]\nserverid = 1\ninterface = eth0\naddr = none\nrule = priority 7 table 7\n");
    assert!(is_refused);
    assert_eq!(
        lines,
        [
            "5: rule: expected no routes and rules beside `addr = none`: they come and go with addresses"
        ]
    );
}

#[test]
fn groups() {
    let expected = "expected a multicast address, 224.0.0.0 to 239.255.255.255 or ff02::, found";
    for bad in ["10.0.0.1", "ff05::12", "fe80::1", "all", "240.0.0.1"] {
        let (is_refused, lines) = said(format!("{MINIMAL}group = {bad}\n"));
        assert!(is_refused, "{bad}");
        assert_eq!(lines, [format!("5: group: {expected} `{bad}`")]);
    }
    check_more(&[
        (
            "group = ff02::12",
            true,
            &[
                "5: group: expected a group of the family of the addresses, found `ff02::12`; there is no IPv6 address",
            ],
        ),
        (
            "group = 224.0.0.1, 224.0.0.2",
            true,
            &["5: group: expected one IPv4 group, found `224.0.0.1` and `224.0.0.2`"],
        ),
        (
            "peers = 10.0.0.2\ngroup = 224.0.0.99",
            true,
            &[
                "6: group: expected no group beside `peers`, which are sent to instead, found `224.0.0.99`",
            ],
        ),
    ]);
}
