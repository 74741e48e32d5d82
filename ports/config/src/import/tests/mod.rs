//! Imports as files: `NAME.conf` beside `NAME.expected`, which has the configuration, a line of dashes and
//! the report. `UPDATE_EXPECTED=1 cargo test -p vrrp-config import` writes what is expected anew.

mod properties;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Imported, Surroundings, Verdict, from_keepalived};
use crate::{Diagnostic, parse};

/// A host that has what a test gives it.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// The files by their paths.
    files: BTreeMap<PathBuf, String>,
    users: Vec<String>,
    networks: Vec<(IpAddr, u8)>,
}

impl Surroundings for Host {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let text = self.files.get(file);
        let text = text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(text.clone().into_bytes())
    }

    fn begin(&self, file: &Path) -> io::Result<Vec<u8>> {
        if file.starts_with("/usr/bin") || file.starts_with("/bin") {
            return Ok(b"\x7fELF".to_vec());
        }
        self.read(file)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let inner = self.files.keys().filter_map(|path| {
            let rest = path.strip_prefix(folder).ok()?;
            Some(rest.iter().next()?.to_str()?.to_owned())
        });
        inner.collect()
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        let known = [
            "killall",
            "pidof",
            "pgrep",
            "curl",
            "grep",
            "systemctl",
            "true",
            "logger",
        ];
        known
            .contains(&name)
            .then(|| Path::new("/usr/bin").join(name))
    }

    fn has_user(&self, name: &str) -> bool {
        name == "root" || self.users.iter().any(|user| user == name)
    }

    fn host_name(&self) -> String {
        "web1.example.org".into()
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "SITE").then(|| "north".into())
    }

    fn networks(&self, interface: &str) -> Vec<(IpAddr, u8)> {
        if interface == "eth0" {
            self.networks.clone()
        } else {
            Vec::new()
        }
    }

    fn judge(&self, text: &str) -> Vec<Diagnostic> {
        parse(Path::new("vrrpd.conf"), text).diagnostics
    }
}

/// The host of the examples.
pub(super) fn host() -> Host {
    let files = [
        (
            "/etc/keepalived/stops.sh",
            "#!/bin/sh\n# killall keepalived\npidof nginx || systemctl stop keepalived\nexit 0\n",
        ),
        (
            "/etc/keepalived/check.sh",
            "#!/bin/sh\ncurl -s http://localhost/ || exit 1\n",
        ),
        (
            "conf.d/b.conf",
            "vrrp_instance B {\n interface eth0\n virtual_router_id 2\n priority ${BEST}\n virtual_ipaddress { 10.0.0.2 }\n}\n",
        ),
        (
            "/etc/iproute2/rt_tables",
            "# names of tables\n255 local\n  300\toffice # of the house\n",
        ),
        ("/etc/iproute2/rt_tables.d/lab.conf", "301 lab\n"),
        ("conf.d/a.conf", "$BEST=200\n"),
        ("conf.d/.hidden.conf", "error\n"),
    ];
    let files = files.map(|(name, text)| (PathBuf::from(name), text.to_owned()));
    Host {
        files: files.into(),
        users: vec!["monitor".into()],
        networks: vec![
            ("192.0.2.10".parse().unwrap(), 24),
            ("fe80::10".parse().unwrap(), 64),
        ],
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/tests/keepalived")
}

/// The examples: names and texts.
pub(super) fn examples() -> Vec<(String, String)> {
    let entries = fs::read_dir(folder()).expect("the examples");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let examples = paths.filter(|path| path.extension().is_some_and(|e| e == "conf"));
    let mut examples: Vec<(String, String)> = examples
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).expect("an example"))
        })
        .collect();
    examples.sort();
    examples
}

pub(super) fn import(text: &str) -> Imported {
    let file = Path::new("keepalived.conf");
    from_keepalived(file, text.as_bytes(), None, &host())
}

/// A text with lines in an instance that is complete without them.
fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance A {{\n interface eth0\n virtual_router_id 1\n priority 100\n virtual_ipaddress {{\n 10.0.0.1/24\n }}\n{lines}\n}}\n"
    )
}

/// The configuration that an import gives.
fn written(text: &str) -> String {
    let imported = import(text);
    imported
        .text
        .unwrap_or_else(|| panic!("{:#?}", imported.findings))
}

#[test]
fn examples_give_what_is_expected() {
    let examples = examples();
    assert!(examples.len() >= 10);
    let mut wrong = Vec::new();
    for (name, text) in examples {
        let imported = import(&text);
        let written = imported.text.as_deref().unwrap_or_default();
        let found = format!(
            "{written}----- {}\n{}",
            imported.status(),
            imported.report()
        );
        let path = folder().join(format!("{name}.expected"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&path, &found).expect("written");
        }
        if fs::read_to_string(&path).ok().as_deref() != Some(&found) {
            wrong.push(format!("{name}:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_line_of_an_example_is_unknown_to_the_importer() {
    for (name, text) in examples() {
        for finding in import(&text).findings {
            let left = finding.message.contains("not known to this importer");
            assert!(!left, "{name}: {finding}");
        }
    }
}

#[test]
fn what_decides_an_election_is_what_keepalived_makes_of_it() {
    let table = [
        ("", "version = 2\nuseVMAC = no\n"),
        ("version 3", "version = 3\n"),
        ("use_vmac", "useVMAC = yes\n"),
        ("advert_int 1.5", "advertinterval = 2\n"),
        ("advert_int 0.4", "version = 2\n"),
        ("version 3\nadvert_int 0.25", "advertinterval = 0.25\n"),
        ("version 3\nadvert_int 50", "advertinterval = 40.95\n"),
        ("nopreempt", "preempt = no\n"),
        ("state BACKUP\npreempt_delay 5.5", "preemptdelay = 5.5\n"),
        ("no_accept", "accept = no\n"),
        (
            "authentication {\nauth_type PASS\nauth_pass abcdefghij\n}",
            "password = abcdefgh\n",
        ),
        (
            "authentication {\nauth_type PASS\nauth_pass \"#1\"\n}",
            "password=#1\n",
        ),
        (
            "unicast_src_ip 192.0.2.10\nunicast_peer {\n192.0.2.11\n}",
            "source = 192.0.2.10\npeers = 192.0.2.11\n",
        ),
        ("unicast_peer {\n198.51.100.1\n}", "maxhops = 255\n"),
        ("garp_master_refresh 60", "announcerefresh = 60\n"),
        ("garp_master_delay 0", "announcerepeats = 0\n"),
        (
            "track_interface {\neth1\neth2 weight -20\n}",
            "trackinterface = eth1, eth2:-20\n",
        ),
        ("strict_mode", "accept = no\n"),
        ("strict_mode\naccept", "accept = no\n"),
        ("strict_mode\nnopreempt\nstate MASTER", "preempt = no\n"),
        ("owner_ignore_adverts", "ownerreceive = discard\n"),
        ("version 3\nv3_checksum_as_v2", "checksum = rfc9568\n"),
    ];
    for (lines, expected) in table {
        let text = written(&instance(lines));
        assert!(text.contains(expected), "{lines}\n{text}");
    }
    let absent = [
        ("advert_int 0.4", "advertinterval"),
        ("state MASTER\nnopreempt", "preempt ="),
        ("state MASTER\npreempt_delay 5", "preemptdelay"),
        ("nopreempt\npreempt_delay 5", "preemptdelay"),
        (
            "version 3\nauthentication {\nauth_type PASS\nauth_pass abc\n}",
            "password",
        ),
        (
            "strict_mode\nauthentication {\nauth_type PASS\nauth_pass abc\n}",
            "password",
        ),
        ("authentication {\nauth_pass abc\n}", "password"),
        ("unicast_peer {\n192.0.2.11\n}", "maxhops"),
        ("auth_hmac {\nkey 1 file:/k\nmode enforce\n}", "auth"),
        ("accept", "accept"),
        ("track_interface {\neth0\n}", "trackinterface"),
    ];
    for (lines, key) in absent {
        let text = written(&instance(lines));
        assert!(!text.contains(key), "{lines}\n{text}");
    }
}

#[test]
fn the_priority_that_is_absent_depends_on_the_state() {
    let without = instance("").replace(" priority 100\n", "");
    assert!(written(&without).contains("priority = 100\n"));
    let master = without.replace("interface eth0", "interface eth0\nstate MASTER");
    assert!(written(&master).contains("priority = 255\n"));
    let wrong = without.replace("interface eth0", "interface eth0\npriority 300");
    assert!(written(&wrong).contains("priority = 100\n"));
    let twice = without.replace("interface eth0", "interface eth0\npriority 20\npriority 30");
    let imported = import(&twice);
    assert!(imported.text.unwrap().contains("priority = 30\n"));
    assert!(
        imported
            .findings
            .iter()
            .any(|f| f.line == 3 && f.verdict == Verdict::Error)
    );
}

#[test]
fn what_the_others_would_not_hear_is_not_written() {
    let lines = [
        "authentication {\nauth_type AH\nauth_pass abc\n}",
        "authentication {\nauth_type PASS\nauth_pass \"a\u{7}\"\n}",
        "authentication {\nauth_type PASS\nauth_pass \" a\"\n}",
        "auth_hmac {\nkey 1 0123456789abcdef0123456789abcdef\nactive_key 2\n}",
    ];
    for lines in lines {
        let imported = import(&instance(lines));
        assert_eq!(imported.text, None, "{lines}");
        assert_eq!(imported.status(), super::NOTHING);
    }
}

/// A key that this vrrpd lacks is reported, one that it has is used.
#[test]
fn keys_are_used_as_far_as_they_are_there() {
    use super::output::knows;
    let given = |known: bool, text: &str, key: &str| {
        let imported = import(text);
        let written = imported.text.clone().unwrap_or_default();
        let line = format!("\n{key}");
        assert_eq!(
            written.contains(&line),
            known,
            "{}\n{written}",
            imported.report()
        );
        assert!(known || imported.status() != super::COMPLETE, "{text}");
    };
    let v4 = instance("mcast_dst_ip 224.0.0.99");
    given(knows("group = 224.0.0.99"), &v4, "group = 224.0.0.99\n");
    let extra = instance("virtual_ipaddress_excluded {\n10.0.0.2/24\n}");
    given(
        knows("extra = 10.0.0.2/24"),
        &extra,
        "extra = 10.0.0.2/24\n",
    );
    let none = instance("").replace(" 10.0.0.1/24\n", "");
    given(knows("addr = none"), &none, "addr = none\n");
    let script = instance("notify /bin/true");
    given(
        knows("notifyscript = /bin/true"),
        &script,
        "notifyscript = /bin/true\n",
    );
    let signed = instance("auth_hmac {\nkey 1 file:/k\nactive_key 1\n}");
    given(
        knows("auth = hmac\nkeyfile = 1:/k"),
        &signed,
        "auth = hmac\n",
    );
    let routes = instance("virtual_routes {\ndefault via 10.0.0.9\n}");
    given(
        knows("route = 10.0.0.0/8 via 10.0.0.9"),
        &routes,
        "route = 0.0.0.0/0 via 10.0.0.9\n",
    );
    let rules = instance("virtual_rules {\nfrom 10.0.0.1 table 7 pref 9\n}");
    given(
        knows("rule = from all priority 9 lookup 7"),
        &rules,
        "rule = from 10.0.0.1/32 priority 9 lookup 7\n",
    );
}

#[test]
#[cfg(target_os = "linux")]
fn routes_and_rules_are_carried_over_in_the_words_of_ip() {
    let lines = "virtual_routes {\n\
                 src 10.0.0.1 to 10.9.0.0/16 via 10.0.0.9 dev eth0 no_track\n\
                 0.0.0.0/0 gw 10.0.0.9 table 100 protocol static\n\
                 blackhole 10.8.0.0/16\n\
                 inet6 2001:db8::/32 via inet6 fe80::9 dev eth0 metric 5\n\
                 10.7.0.0/16 via 10.0.0.9 or 10.0.0.8 dev eth0\n\
                 10.6.0.0/16 dev eth0 table small\n\
                 10.5.0.1/16 dev eth0\n\
                 10.4.0.0/16 dev eth2\n\
                 10.3.0.0/16 dev eth0 table office track_group G\n\
                 gw 10.0.0.9 to 10.2.0.0/16 table lab scope 0\n\
                 10.1.0.0/16 dev eth0 tos 4\n\
                 10.1.0.0/16 dev eth0 mtu lock 1400\n\
                 10.1.0.0/16 dev eth0 hoplimit 4\n\
                 10.1.0.0/16 nexthop via 10.0.0.9 dev eth0 weight 1\n}\n\
                 virtual_rules {\n\
                 from 10.0.0.0/24 table 7 no_track\n\
                 to 10.0.0.0/24 table 7\n\
                 from 2001:db8::/32 table 7\n\
                 not from 10.0.0.0/24 preference 9 prohibit protocol 12\n\
                 from 10.0.0.0/24 table office priority 8\n\
                 from 10.0.0.0/24 tos 22 table 7\n}";
    let imported = import(&instance(lines));
    let (report, text) = (imported.report(), imported.text.clone().unwrap());
    for expected in [
        "route = 10.9.0.0/16 via 10.0.0.9 dev eth0 src 10.0.0.1, \
         0.0.0.0/0 via 10.0.0.9 table 100, blackhole 10.8.0.0/16, \
         2001:db8::/32 via fe80::9 dev eth0 metric 5, 10.4.0.0/16 dev eth2, \
         10.3.0.0/16 dev eth0 table 300, \
         10.2.0.0/16 via 10.0.0.9 table 301 scope global\n",
        "rule = from 10.0.0.0/24 priority 16384 lookup 7, \
         from all to 10.0.0.0/24 priority 16383 lookup 7, \
         from 2001:db8::/32 priority 16384 lookup 7, \
         not from 10.0.0.0/24 priority 9 prohibit, \
         from 10.0.0.0/24 priority 8 lookup 300\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    for expected in [
        "not carried over: route `10.7.0.0/16 via 10.0.0.9 or 10.0.0.8 dev eth0`: vrrpd takes one next hop for a route; let masterscript",
        "not carried over: route `10.6.0.0/16 dev eth0 table small`: expected `main`, `local`",
        "not carried over: route `10.5.0.1/16 dev eth0`: expected a network without bits of a host, as in `10.5.0.0/16`",
        "differs: route `10.4.0.0/16 dev eth2`: keepalived gives up the addresses while eth2 is down",
        "note: rule `to 10.0.0.0/24 table 7` has no priority; keepalived takes 16383",
        "note: route `src 10.0.0.1 to 10.9.0.0/16 via 10.0.0.9 dev eth0 no_track`: no_track has no effect here",
        "note: route `0.0.0.0/0 gw 10.0.0.9 table 100 protocol static`: protocol static is left out",
        "note: route `10.3.0.0/16 dev eth0 table office track_group G`: table office is 300 in /etc/iproute2/rt_tables;",
        "table office track_group G`: track_group G has no effect here",
        "table lab is 301 in /etc/iproute2/rt_tables.d/lab.conf;",
        "not carried over: route `10.1.0.0/16 dev eth0 tos 4`: expected `via`",
        "not carried over: route `10.1.0.0/16 dev eth0 mtu lock 1400`: expected a number",
        "not carried over: route `10.1.0.0/16 dev eth0 hoplimit 4`: expected `via`",
        "not carried over: route `10.1.0.0/16 nexthop via 10.0.0.9 dev eth0 weight 1`: vrrpd takes one",
        "note: rule `from 10.0.0.0/24 table 7 no_track`: no_track has no effect here",
        "note: rule `not from 10.0.0.0/24 preference 9 prohibit protocol 12`: protocol 12 is left out",
        "note: rule `from 10.0.0.0/24 table office priority 8`: table office is 300",
        "not carried over: rule `from 10.0.0.0/24 tos 22 table 7`: expected `from`",
    ] {
        assert!(report.contains(expected), "{report}");
    }
    assert_eq!(imported.status(), super::INCOMPLETE);
    // Without addresses they have nothing to go with.
    let none = instance("virtual_routes {\n10.9.0.0/16 via 10.0.0.9\n}");
    let imported = import(&none.replace(" 10.0.0.1/24\n", ""));
    assert_eq!(imported.virtual_routers, 1, "{}", imported.report());
    assert_eq!(imported.status(), super::INCOMPLETE);
}

#[test]
#[cfg(target_os = "linux")]
fn of_routes_the_refused_alone_are_left_out_and_each_is_reported() {
    let lines = "no_accept\nvirtual_routes {\n\
                 blackhole 10.66.0.0/16\n\
                 10.67.0.0/16 via 10.0.0.9 dev eth0 src 10.0.0.1\n\
                 10.68.0.0/16 via 10.0.0.9 dev eth0\n\
                 default via 10.0.0.9 dev eth0 table 4000 metric 5 src 10.0.0.1\n}";
    let imported = import(&instance(lines));
    let (report, text) = (imported.report(), imported.text.clone().unwrap());
    let expected = "route = blackhole 10.66.0.0/16, 10.68.0.0/16 via 10.0.0.9 dev eth0\n";
    assert!(text.contains(expected), "{text}");
    for (line, item) in [
        (11, "10.67.0.0/16 via 10.0.0.9 dev eth0 src 10.0.0.1"),
        (
            13,
            "0.0.0.0/0 via 10.0.0.9 dev eth0 table 4000 metric 5 src 10.0.0.1",
        ),
    ] {
        let why = format!("route `{item}`: expected `src` to be an address that this host takes");
        let said = format!("keepalived.conf:{line}: not carried over: {why}");
        assert!(report.contains(&said), "{report}");
        let remark = format!("# line {line}: NOT CARRIED OVER: {why}");
        assert!(text.contains(&remark), "{text}");
    }
    let ends = "1 virtual router: 8 carried over, 2 not carried over\n";
    assert!(report.ends_with(ends), "{report}");
    // Where none is left the key goes, and each is still reported.
    let lines = "no_accept\nvirtual_routes {\n\
                 10.67.0.0/16 via 10.0.0.9 src 10.0.0.1\n\
                 10.68.0.0/16 via 10.0.0.9 src 10.0.0.1\n}";
    let imported = import(&instance(lines));
    assert!(!imported.text.clone().unwrap().contains("\nroute"));
    let ends = "1 virtual router: 6 carried over, 2 not carried over\n";
    assert!(imported.report().ends_with(ends), "{}", imported.report());
}

#[test]
fn of_further_addresses_the_refused_alone_are_left_out() {
    let other = instance("virtual_ipaddress_excluded {\n10.0.0.7\n10.0.0.1\n10.0.0.8\n}")
        .replace("vrrp_instance A", "vrrp_instance B")
        .replace("virtual_router_id 1", "virtual_router_id 2")
        .replace("10.0.0.1/24", "10.0.0.2/24");
    let imported = import(&format!("{}{other}", instance("")));
    let (report, text) = (imported.report(), imported.text.clone().unwrap());
    assert!(
        text.contains("extra = 10.0.0.7/32, 10.0.0.8/32\n"),
        "{text}"
    );
    let said = "not carried over: extra `10.0.0.1/32`: expected each address in one virtual router";
    assert!(report.contains(said), "{report}");
    assert_eq!((imported.virtual_routers, imported.carried), (2, 12));
}

#[test]
fn a_section_that_is_a_comment_is_not_carried_over() {
    let one = instance("");
    let alone = import(&one);
    let mut all = one.clone();
    for vrid in [2, 3] {
        let lines = "track_script {\nup\n}\nnotify_master /bin/true\nvirtual_ipaddress {\n10.0.0.5\n10.0.0.6\n}";
        let other = instance(lines)
            .replace("vrrp_instance A", &format!("vrrp_instance B{vrid}"))
            .replace("virtual_router_id 1", &format!("virtual_router_id {vrid}"));
        all.push_str(&other);
    }
    all.push_str("vrrp_script up {\nscript /bin/true\nfall 2\n}\n");
    let imported = import(&all);
    let (report, text) = (imported.report(), imported.text.clone().unwrap());
    assert_eq!(imported.virtual_routers, 1, "{report}");
    assert!(
        text.contains("# addr = 10.0.0.1/24, 10.0.0.5/32, 10.0.0.6/32\n"),
        "{text}"
    );
    // The check is written and has two statements in its block.
    assert_eq!(imported.carried, alone.carried + 2, "{report}\n{text}");
    for vrid in [2, 3] {
        let said = format!("not carried over: vrrp_instance B{vrid}: addr: expected each address");
        assert!(report.contains(&said), "{report}");
    }
}

#[test]
fn a_check_that_is_refused_is_reported_with_the_lines_that_track_it() {
    let long = "p".repeat(5000);
    let text = format!(
        "{}vrrp_track_process up {{\nprocess {long}\n}}\nvrrp_script good {{\nscript /bin/true\n}}\n",
        instance("track_process {\nup\n}\ntrack_script {\ngood\n}")
    );
    let imported = import(&text);
    let (report, text) = (imported.report(), imported.text.clone().unwrap());
    assert!(text.contains("check = good:fault\n"), "{text}");
    let said = "keepalived.conf:9: not carried over: check = up:fault of vrrp_instance A: vrrp_track_process up is refused";
    assert!(report.contains(said), "{report}");
}

#[test]
fn a_check_that_nothing_tracks_is_not_carried_over() {
    let alone = import(&instance(""));
    let text = format!(
        "{}vrrp_script up {{\nscript /bin/true\nfall 2\n}}\n",
        instance("")
    );
    assert_eq!(import(&text).carried, alone.carried);
}

#[test]
fn a_lost_name_is_reported_and_an_address_of_ipv6_carried_over() {
    let named = import(&instance("use_vmac vrrp61"));
    let report = named.report();
    assert!(
        report.contains("differs: use_vmac `vrrp61`: vrrpd names the interface"),
        "{report}"
    );
    assert!(named.text.unwrap_or_default().contains("useVMAC = yes\n"));
    let report = import(&instance("use_vmac")).report();
    assert!(!report.contains("use_vmac"), "{report}");
    let other = import(&instance("virtual_ipaddress_excluded {\n2001:db8::7/64\n}"));
    let report = other.report();
    assert!(!report.contains("2001:db8::7"), "{report}");
    let text = other.text.unwrap_or_default();
    assert!(text.contains("\nextra = 2001:db8::7/64\n"), "{text}");
    // The other way round it is elected by itself.
    let other = instance("virtual_ipaddress_excluded {\n10.0.0.7/24\n}");
    let report = import(&other.replace(" 10.0.0.1/24\n", " fe80::1/64\n")).report();
    assert!(
        report.contains(
            "10.0.0.7: `extra` has no IPv4 addresses beside `addr` of IPv6; give it a section of its own"
        ),
        "{report}"
    );
}

#[test]
fn checks_of_real_servers_are_proposed_in_comments() {
    let servers = "virtual_server 10.0.0.1 80 {\ndelay_loop 6\n\
        real_server 127.0.0.1 80 {\nHTTP_GET {\nurl {\npath /up\nstatus_code 200\n}\nconnect_timeout 3\n}\n}\n\
        real_server 127.0.0.2 443 {\nSSL_GET {\nurl {\npath /\n}\n}\n}\n\
        real_server 127.0.0.3 25 {\nTCP_CHECK {\nconnect_port 26\nconnect_timeout 2\n}\n}\n\
        real_server ::1 80 {\nMISC_CHECK {\nmisc_path \"/bin/true x\"\n}\n}\n\
        real_server 127.0.0.5 80 {\nSMTP_CHECK {\n}\n}\n\
        real_server 192.0.2.7 80 {\nTCP_CHECK {\n}\n}\n}\n";
    let imported = import(&format!("{}{servers}", instance("")));
    assert_eq!(imported.status(), super::INCOMPLETE, "LVS stays");
    let text = imported.text.unwrap();
    for expected in [
        "# [CHECK]\n# name = server-127.0.0.1_80\n# http = http://127.0.0.1:80/up\n# status = 200\n# interval = 6\n# timeout = 3\n",
        "# http = https://127.0.0.2:443/\n# verify = no\n# interval = 6\n",
        "# tcp = 127.0.0.3:26\n# interval = 6\n# timeout = 2\n",
        "# command = /bin/true x\n",
        "real_server 192.0.2.7:80, TCP_CHECK: stays with keepalived; if vrrpd is to go by it, a [CHECK] with tcp = 192.0.2.7:80\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(!text.contains("127.0.0.5"), "{text}");
    // They are a configuration when they are no comments any more.
    let (before, proposals) = text.split_once("# real_server 127.0.0.1:80").unwrap();
    let keys: String = proposals
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            line.starts_with('[') || line.contains(" = ") && !line.contains("real_server")
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let whole = parse("x".as_ref(), format!("{before}\n{keys}"));
    assert!(whole.config.is_some(), "{:?}", whole.diagnostics);
}

#[test]
fn no_report_tells_a_secret() {
    let secrets = [
        "authentication {\nauth_type PASS\nauth_pass s3cret more\n}",
        "authentication {\nauth_type AH\nauth_pass s3cret\n}",
        "version 3\nauthentication {\nauth_type PASS\nauth_pass s3cret\n}",
        "authentication {\nauth_pass s3cret\n}",
        "authentication {\nauth_type FOO\nauth_pass \"s3cret\n}",
        "auth_hmac {\nkey 1 s3cret\nkey 0 s3cret\nactive_key 1\n}",
    ];
    for lines in secrets {
        let report = import(&instance(lines)).report();
        assert!(!report.contains("s3cret"), "{report}");
    }
}

#[test]
fn an_id_chooses_lines() {
    let text = instance("@web1 nopreempt\n@^web1 use_vmac\n@web2 no_accept");
    let host = host();
    let with = |id| {
        from_keepalived(Path::new("k"), text.as_bytes(), id, &host)
            .text
            .unwrap()
    };
    let own = with(None);
    assert!(
        own.contains("preempt = no") && own.contains("useVMAC = no") && !own.contains("accept")
    );
    let other = with(Some("web2"));
    assert!(other.contains("useVMAC = yes") && other.contains("accept = no"));
    let none = with(Some("x"));
    assert!(none.contains("useVMAC = yes") && !none.contains("accept"));
}

#[test]
fn what_never_ends_is_cut_off() {
    let texts = [
        "$A=$A x\n$A\n".to_owned(),
        "$A= \\\n $A \\\n $A \\\n\n$A\n".to_owned(),
        "~SEQ(A,1,1000000000000) $X=1\n".to_owned(),
        "~SEQ(A,1,100000) ~SEQ(B,1,100000) ~SEQ(C,1,100000) x\n".to_owned(),
        "include keepalived.conf\ninclude *\n".to_owned(),
        "{".repeat(100_000),
        "}".repeat(100_000),
        "a {\n".repeat(50_000),
        format!("{}\n", "$A".repeat(8_000)),
        format!("$A={}\n{}\n", "x".repeat(900), "$A ".repeat(4_000)),
        "include {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}\n".to_owned(),
    ];
    for text in texts {
        let begin = std::time::Instant::now();
        let imported = import(&text);
        assert_eq!(imported.status(), super::NOTHING);
        assert!(!imported.findings.is_empty());
        println!("{:?} {}", begin.elapsed(), &text[..text.len().min(60)]);
        assert!(
            begin.elapsed().as_secs() < 60,
            "{}",
            &text[..text.len().min(60)]
        );
    }
}

#[test]
fn more_than_vrrpd_serves_is_said_in_time() {
    let definition = "$VI= \\\nvrrp_script S${N} { \\\n script /bin/true \\\n} \\\nvrrp_instance V${N} { \\\n interface eth${I} \\\n virtual_router_id ${V} \\\n track_script { \\\n S${N} \\\n } \\\n virtual_ipaddress { \\\n 10.1.${I}.${V}/24 \\\n } \\\n}\n\n";
    let text = format!("{definition}~SEQ(I,0,40) ~SEQ(V,1,254) $VI\n");
    let many = text.replace("${N}", "${I}x${V}");
    let imported = import(&many);
    assert_eq!(
        imported.virtual_routers,
        1024,
        "{}",
        imported.findings.len()
    );
    assert_eq!(imported.status(), super::INCOMPLETE);
}

#[test]
fn a_whole_fleet_is_imported() {
    let text = "~SEQ(N,1,200) $VI\n";
    let definition = "$VI= \\\nvrrp_instance V${N} { \\\n interface eth0 \\\n virtual_router_id ${N} \\\n priority 100 \\\n virtual_ipaddress { \\\n 10.1.${N}.1/24 \\\n } \\\n}\n\n";
    let imported = import(&format!("{definition}{text}"));
    assert_eq!(imported.virtual_routers, 200, "{}", imported.report());
    assert!(imported.text.unwrap().contains("addr = 10.1.200.1/24"));
}
