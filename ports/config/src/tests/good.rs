//! Files that are read, and what they mean.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration as StdDuration;

use vrrp_core::{
    AddressCheck, AdvertInterval, Auth, ChecksumMode, Duration, Family, MacMode, OnConflict,
    OwnerReceive, Priority, TrackEffect, Version,
};
use vrrp_host::{Tracked, VrSpec};

use super::{MINIMAL, SAMPLE, good};
use crate::{
    DEFAULT_SCRIPT_TIMEOUT, Global, LogLevel, MetricsAddress, Script, ScriptSecurity, Source,
};

const PAPER: &str = "\
[VRID]
serverid = 1
priority = 100
addr = 10.10.10.53/32,10.10.10.80/32,10.10.10.25/32,10.10.10.22/32
masterscript = /usr/local/etc/vrrp/vrid1_master.sh
backupscript = /usr/local/etc/vrrp/vrid1_backup.sh
password = foobingbaz
interface = xl0
";

const PAPER_LOAD_BALANCING: &str = "\
[VRID]
serverid = 50
# master for VRID 50: 10.10.1.50
priority = 250
addr = 10.10.1.50/32
masterscript = /usr/local/etc/vrrp/vrid50_master.sh
backupscript = /usr/local/etc/vrrp/vrid50_backup.sh
password = crashbangbump
interface = xl0

[VRID]
serverid = 55
# slave for VRID 55: 10.10.1.55
priority = 100
addr = 10.10.1.55/32
masterscript = /usr/local/etc/vrrp/vrid55_master.sh
backupscript = /usr/local/etc/vrrp/vrid55_backup.sh
password = whizzflump
interface = xl1
";

/// The virtual router of the smallest file with these lines more, about which nothing is said.
fn with(more: &str) -> VrSpec {
    let (config, said) = good(&format!("{MINIMAL}{more}"));
    assert_eq!(said, [""; 0], "{more}");
    config.virtual_routers[0].spec.clone()
}

fn addresses(spec: &VrSpec) -> Vec<String> {
    spec.addresses
        .iter()
        .map(|a| format!("{}/{}", a.address.address, a.address.prefix_len))
        .collect()
}

fn script(path: &str) -> Option<Script> {
    Some(Script {
        path: path.into(),
        args: Vec::new(),
    })
}

#[test]
fn the_papers_file_is_read_word_for_word() {
    let (config, said) = good(PAPER);
    assert_eq!(
        said,
        [
            "vrrpd.conf:7: warning: password: expected at most 8 octets, found 10; only the first 8 are sent and compared"
        ]
    );
    assert_eq!(config.global, Global::default());
    let [router] = config.virtual_routers.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(router.spec.id.to_string(), "VRID 1 on xl0 (ipv4)");
    assert_eq!(router.spec.settings.version, Version::V2);
    assert_eq!(router.spec.settings.priority.get(), 100);
    assert_eq!(router.spec.settings.auth, Auth::Simple(*b"foobingb"));
    assert_eq!(
        addresses(&router.spec),
        [
            "10.10.10.53/32",
            "10.10.10.80/32",
            "10.10.10.25/32",
            "10.10.10.22/32"
        ]
    );
    assert_eq!(
        router.master_script,
        script("/usr/local/etc/vrrp/vrid1_master.sh")
    );
    assert_eq!(
        router.backup_script,
        script("/usr/local/etc/vrrp/vrid1_backup.sh")
    );
    assert_eq!((&router.fault_script, &router.stop_script), (&None, &None));
    assert_eq!(router.section_line, 1);
}

#[test]
fn the_papers_load_balancing_file_makes_two_virtual_routers() {
    let (config, said) = good(PAPER_LOAD_BALANCING);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|line| line.contains("warning: password:")));
    let seen: Vec<_> = config
        .virtual_routers
        .iter()
        .map(|r| {
            (
                r.spec.id.to_string(),
                r.spec.settings.priority.get(),
                r.section_line,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("VRID 50 on xl0 (ipv4)".to_owned(), 250, 1),
            ("VRID 55 on xl1 (ipv4)".to_owned(), 100, 11)
        ]
    );
}

#[test]
fn everything_that_freevrrpd_accepts_is_accepted() {
    let text = "\
# freevrrpd
[VRID]
serverid = 1 \ninterface = rl0
carriertimeout = 10
spanningtreelatency = 40
priority = 254
addr = 10.0.0.1/32, vlan100:192.168.1.1/30, vlan101:192.168.10.1/30,
monitoredcircuits = yes
MCClearErrorsCount = 3600
masterscript = /usr/local/bin/master_script.sh
useVMAC = yes
sendgratuitousarp = yes
AHencryption = no
useIKE = no
vridsdep = 2, 3
password = vrid1
[VRID]
serverid = 2
interface = xl0
addr = 192.168.1.2/32
password = vrid2
[VRID]
serverid = 3
interface = bge0
addr = 192.168.2.2/32
password = vrid3
";
    let (config, said) = good(text);
    assert_eq!(
        said,
        [
            "vrrpd.conf:5: note: carriertimeout: has no effect: the interface is never reset, so that there is no carrier to wait for",
            "vrrpd.conf:6: note: spanningtreelatency: taken as startdelay: nothing else waits for the switch",
            "vrrpd.conf:10: note: MCClearErrorsCount: has no effect: an interface that works again is used again, however often it failed",
        ]
    );
    let first = &config.virtual_routers[0].spec;
    assert_eq!(first.settings.start_delay, Duration::from_secs(40));
    let names: Vec<_> = first
        .addresses
        .iter()
        .map(|a| a.interface.as_deref())
        .collect();
    assert_eq!(names, [None, Some("vlan100"), Some("vlan101")]);
    assert!(first.tracks.is_empty());
    for router in &config.virtual_routers[1..] {
        let [track] = router.spec.tracks.as_slice() else {
            panic!("{router:?}");
        };
        assert_eq!(track.what, Tracked::VirtualRouter(first.id.clone()));
        assert_eq!(track.effect, TrackEffect::Fault);
    }
}

#[test]
fn the_sample_is_read_without_a_remark() {
    let (config, said) = good(SAMPLE);
    assert_eq!(said, [""; 0]);
    assert_eq!(config.virtual_routers.len(), 2);
}

#[test]
fn what_is_not_said_is_the_default_of_the_host() {
    let (config, said) = good(MINIMAL);
    assert_eq!(said, [""; 0]);
    let router = &config.virtual_routers[0];
    let expected = VrSpec::new(router.spec.id.clone(), router.spec.addresses.clone());
    assert!(expected.settings.accept);
    assert_eq!(router.spec, expected);
    assert_eq!(router.script_timeout, DEFAULT_SCRIPT_TIMEOUT);
    assert_eq!(
        config.host().virtual_routers,
        std::slice::from_ref(&router.spec)
    );
}

#[test]
fn each_key_of_the_protocol_means_what_it_says() {
    assert_eq!(
        with("priority = 254").settings.priority,
        Priority::new(254).unwrap()
    );
    assert_eq!(with("priority = 255").settings.priority, Priority::OWNER);
    assert_eq!(with("version = 2").settings.version, Version::V2);
    assert_eq!(with("version = 3").settings.version, Version::V3);
    assert_eq!(with("version = both").settings.version, Version::Both);
    let interval = |text| with(text).settings.advert_interval;
    assert_eq!(
        interval("advertinterval = 0.01"),
        AdvertInterval::from_centis(1).unwrap()
    );
    assert_eq!(
        interval("advertinterval = 40.95"),
        AdvertInterval::from_centis(4095).unwrap()
    );
    assert_eq!(
        interval("version = 2\nadvertinterval = 255"),
        AdvertInterval::from_secs(255).unwrap()
    );
    assert!(!with("preempt = no").settings.preempt);
    assert_eq!(
        with("preemptdelay = 0.5").settings.preempt_delay,
        Duration::from_millis(500)
    );
    assert_eq!(
        with("startdelay = 30").settings.start_delay,
        Duration::from_secs(30)
    );
    assert!(!with("accept = no").settings.accept);
    assert!(with("silent = yes").silent && !with("").silent);
    assert!(with("").reset_connections && with("connections = reset").reset_connections);
    assert!(!with("connections = leave").reset_connections);
    assert_eq!(with("useVMAC = no").settings.mac_mode, MacMode::Interface);
    assert_eq!(with("useVMAC = yes").settings.mac_mode, MacMode::Virtual);
    assert_eq!(
        with("checksum = rfc9568").settings.checksum,
        ChecksumMode::Rfc9568
    );
    assert_eq!(
        with("checksum = rfc5798").settings.checksum,
        ChecksumMode::Rfc5798
    );
    assert_eq!(
        with("checksum = auto").settings.checksum,
        ChecksumMode::Auto
    );
    assert_eq!(
        with("ownerreceive = discard").settings.owner_receive,
        OwnerReceive::Discard
    );
    assert_eq!(
        with("ownerreceive = elect").settings.owner_receive,
        OwnerReceive::Elect
    );
    for (text, expected) in [
        ("priority = 1", OnConflict::TakeOver),
        ("onconflict = takeover", OnConflict::TakeOver),
        ("onconflict = wait", OnConflict::Wait),
    ] {
        assert_eq!(with(text).settings.on_conflict, expected, "{text}");
    }
    assert_eq!(with("heartbeat = eth1").heartbeat.as_deref(), Some("eth1"));
    assert_eq!(with("priority = 1").heartbeat, None);
    assert_eq!(
        with("version = 2\naddresscheck = strict")
            .settings
            .address_check,
        AddressCheck::Strict
    );
    assert_eq!(
        with("version = 2").settings.address_check,
        AddressCheck::Warn
    );
    assert_eq!(with("source = 10.0.0.9").source, Some([10, 0, 0, 9].into()));
    assert_eq!(
        with("password = secret").settings.auth,
        Auth::Simple(*b"secret\0\0")
    );
    let unicast = with("peers = 10.0.0.2, 10.0.0.3\nmaxhops = 3");
    let peers: [IpAddr; 2] = [[10, 0, 0, 2].into(), [10, 0, 0, 3].into()];
    assert_eq!(
        (unicast.peers.as_slice(), unicast.settings.max_hops),
        (&peers[..], 3)
    );
}

#[test]
fn announcements_and_tracked_interfaces_mean_what_they_say() {
    let announce = with("announcerepeats = 0\nannounceinterval = 0.1\nannouncerefresh = 60")
        .settings
        .announce;
    assert_eq!(announce.repeats, 0);
    assert_eq!(announce.repeat_interval, Duration::from_millis(100));
    assert_eq!(announce.refresh, Some(Duration::from_secs(60)));
    assert_eq!(with("announcerefresh = 0").settings.announce.refresh, None);

    let tracks: Vec<_> = with("trackinterface = eth1:-50, eth2, eth3:+20")
        .tracks
        .into_iter()
        .map(|track| (track.what, track.effect))
        .collect();
    let interface = |name: &str| Tracked::Interface(name.to_owned());
    assert_eq!(
        tracks,
        [
            (interface("eth1"), TrackEffect::WhileDown(-50)),
            (interface("eth2"), TrackEffect::Fault),
            (interface("eth3"), TrackEffect::WhileUp(20)),
        ]
    );
}

#[test]
fn scripts_have_words_and_a_time_limit_of_their_section_or_of_all() {
    let scripts = "\
masterscript = /a/master
backupscript = /a/event backup vrid=1 # the same for all
faultscript = /a/fault
stopscript = /a/stop
preparescript = /a/prepare
reclaimscript = /a/reclaim
notifyscript = /a/notify
preparetimeout = 2.5
";
    let (config, said) = good(&format!(
        "[GLOBAL]\nscripttimeout = 5\nscriptretry = yes\nnotifyscript = /a/all\n{MINIMAL}{scripts}scripttimeout = 1.5\nscriptretry = no\n\
         [VRID]\nserverid=2\ninterface=eth0\naddr=10.0.0.2/24\n"
    ));
    assert_eq!(said, [""; 0]);
    let [first, second] = config.virtual_routers.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(first.master_script, script("/a/master"));
    assert_eq!(
        first.backup_script,
        Some(Script {
            path: Path::new("/a/event").to_path_buf(),
            args: vec!["backup".to_owned(), "vrid=1".to_owned()],
        })
    );
    assert_eq!(first.fault_script, script("/a/fault"));
    assert_eq!(first.stop_script, script("/a/stop"));
    assert_eq!(first.prepare_script, script("/a/prepare"));
    assert_eq!(first.reclaim_script, script("/a/reclaim"));
    assert_eq!(first.notify_script, script("/a/notify"));
    assert_eq!(second.notify_script, script("/a/all"));
    assert_eq!(first.prepare_timeout, StdDuration::from_millis(2500));
    assert_eq!(second.prepare_timeout, StdDuration::from_secs(10));
    assert!(first.spec.prepares && !second.spec.prepares);
    assert!(second.script_retry && !first.script_retry);
    assert_eq!(first.script_timeout, StdDuration::from_millis(1500));
    assert_eq!(second.script_timeout, StdDuration::from_secs(5));
}

#[test]
fn the_runtimedir_is_found_in_a_file_with_errors() {
    let found = |text: &str| crate::runtime_dir(&Source::new(Path::new("vrrpd.conf"), text));
    let default = Global::default().runtime_dir;
    assert_eq!(found("[VRID]\nserverid = 300\n"), default);
    assert_eq!(found("[GLOBAL]\nloglevel = debug\n"), default);
    assert_eq!(
        found("[GLOBAL]\nruntimedir = v\n"),
        default,
        "no absolute path"
    );
    assert_eq!(
        found("[VRID]\nserverid = 300\n[GLOBAL]\nloglevel = x\nruntimedir = /run/v\n"),
        Path::new("/run/v")
    );
}

#[test]
fn the_global_section_may_come_last() {
    let lease = if cfg!(target_os = "linux") {
        "lease = 3\n"
    } else {
        ""
    };
    let (config, said) = good(&format!(
        "{MINIMAL}[GLOBAL]\ncontrolsocket = /run/a.sock\ncontrolgroup = adm\nruntimedir = /run/v\nstatedir = /var/v\nmetrics = 127.0.0.1:9112\nloglevel = debug\n\
         scriptsecurity = warn\nscriptuser = web:adm\nuser = guest\n{lease}"
    ));
    assert_eq!(said, [""; 0]);
    let expected = Global {
        control_socket: "/run/a.sock".into(),
        control_group: Some("adm".to_owned()),
        runtime_dir: "/run/v".into(),
        state_dir: "/var/v".into(),
        metrics: Some(MetricsAddress::Tcp(([127, 0, 0, 1], 9112).into())),
        log_level: LogLevel::Debug,
        script_security: ScriptSecurity::Warn,
        user: config.global.user.clone(),
        lease: cfg!(target_os = "linux").then_some(3),
    };
    assert_eq!(config.global, expected);
    let worker = config.global.user.as_ref().map(|worker| &worker.user);
    assert_eq!(worker.map(ToString::to_string).as_deref(), Some("guest"));
    let user = config.virtual_routers[0].script_user.as_ref();
    assert_eq!(user.map(ToString::to_string).as_deref(), Some("web:adm"));
}

#[test]
fn metrics_are_for_the_loopback_a_socket_or_whom_the_file_names() {
    let of = |value: &str| {
        let (config, _) = good(&format!("{MINIMAL}[GLOBAL]\nmetrics = {value}\n"));
        let address = config.global.metrics.expect("an address");
        assert_eq!(address.to_string(), value);
        address
    };
    let tcp = |address: &str| MetricsAddress::Tcp(address.parse().expect("an address"));
    assert_eq!(of("[::1]:9112"), tcp("[::1]:9112"));
    assert_eq!(of("public:0.0.0.0:9112"), tcp("0.0.0.0:9112"));
    assert_eq!(
        of("unix:/run/vrrpd/metrics"),
        MetricsAddress::Unix("/run/vrrpd/metrics".into())
    );
}

#[test]
fn addresses_of_both_families_make_two_virtual_routers() {
    let (config, said) = good(
        "[VRID]\nserverid = 10\ninterface = eth0\n\
         addr = 10.0.0.1/24, 2001:db8::1/64\npeers = 10.0.0.2, fe80::2\n",
    );
    assert_eq!(
        said,
        [
            "vrrpd.conf:4: note: addr: `fe80::200:5eff:fe00:20a/64` is added, as VRRPv3 needs a link-local address first"
        ]
    );
    let [v4, v6] = config.virtual_routers.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(
        (v4.spec.id.family, v6.spec.id.family),
        (Family::Ipv4, Family::Ipv6)
    );
    assert_eq!(addresses(&v4.spec), ["10.0.0.1/24"]);
    assert_eq!(
        addresses(&v6.spec),
        ["fe80::200:5eff:fe00:20a/64", "2001:db8::1/64"]
    );
    assert_eq!(v4.spec.peers, [IpAddr::from([10, 0, 0, 2])]);
    assert_eq!(v6.spec.peers, ["fe80::2".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_link_local_address_goes_first() {
    let (config, said) = good(
        "[VRID]\nserverid = 1\ninterface = eth0\n\
         addr = 2001:db8::1/64, 2001:db8::2/64, fe80::1/64\n",
    );
    assert_eq!(
        said,
        [
            "vrrpd.conf:4: note: addr: `fe80::1` is advertised first, as VRRPv3 needs of a link-local address"
        ]
    );
    assert_eq!(
        addresses(&config.virtual_routers[0].spec),
        ["fe80::1/64", "2001:db8::1/64", "2001:db8::2/64"]
    );
}

#[test]
fn the_form_of_a_line_is_forgiven() {
    let expected = good(MINIMAL).0;
    let table = [
        "[vrid]\nServerID=1\nINTERFACE\t=\teth0\n  addr   =   10.0.0.1/24,  ",
        "\u{feff}[VRID]\r\nserverid = 1\r\ninterface = eth0\r\naddr = 10.0.0.1/24\r\n",
        "\n\n  # c\n [ VRID ] # c\nserverid = 1 # c\ninterface = eth0\t# c\naddr = 10.0.0.1 / 24 #",
    ];
    for text in table {
        assert_eq!(good(text), (expected.clone(), Vec::new()), "{text}");
    }
    let latin = [b"# caf\xe9\n\x00#\n".as_slice(), MINIMAL.as_bytes()].concat();
    assert!(super::parse(&latin).config.is_none());
    let latin = [b"# caf\xe9\x00\n".as_slice(), MINIMAL.as_bytes()].concat();
    assert_eq!(super::parse(&latin).config, Some(expected));
}

#[test]
fn a_comment_more_changes_no_virtual_router() {
    let moved = format!("# moved\n{MINIMAL}");
    assert_eq!(good(&moved).0, good(MINIMAL).0);
    assert_ne!(good(&format!("{MINIMAL}priority = 99")).0, good(MINIMAL).0);
    assert_ne!(
        good(&format!("{MINIMAL}stopscript = /a")).0,
        good(MINIMAL).0
    );
}

#[test]
fn two_virtual_routers_may_depend_on_each_other_and_each_family_on_its_own() {
    let (config, _) = good(
        "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24, fe80::1/64\nvridsdep = 2\n\
         [VRID]\nserverid = 2\ninterface = eth1\naddr = 10.0.1.1/24, fe80::1/64\nvridsdep = 1\n",
    );
    let seen: Vec<_> = config
        .virtual_routers
        .iter()
        .map(|router| {
            let tracks: Vec<_> = router.spec.tracks.iter().map(|t| &t.what).collect();
            match tracks.as_slice() {
                [Tracked::VirtualRouter(other)] => format!("{} on {other}", router.spec.id),
                _ => panic!("{router:?}"),
            }
        })
        .collect();
    assert_eq!(
        seen,
        [
            "VRID 1 on eth0 (ipv4) on VRID 2 on eth1 (ipv4)",
            "VRID 1 on eth0 (ipv6) on VRID 2 on eth1 (ipv6)",
            "VRID 2 on eth1 (ipv4) on VRID 1 on eth0 (ipv4)",
            "VRID 2 on eth1 (ipv6) on VRID 1 on eth0 (ipv6)",
        ]
    );
}

#[test]
fn extra_addresses_follow_those_of_their_family() {
    let text = "[VRID]\nserverid=1\ninterface=eth0\naddr=10.0.0.1/24, 2001:db8::1/64\n\
                extra=10.0.0.2/24, eth1:10.1.0.2/16, 2001:db8::2/64\n";
    let (config, said) = good(text);
    assert_eq!(said.len(), 1, "the link-local address: {said:?}");
    let addresses: Vec<(Vec<String>, u8)> = config
        .virtual_routers
        .iter()
        .map(|router| {
            let all = router.spec.addresses.iter();
            let all = all.map(|spec| spec.address.address.to_string());
            (all.collect(), router.spec.settings.unadvertised)
        })
        .collect();
    let expected: [(&[&str], u8); 2] = [
        (&["10.0.0.1", "10.0.0.2", "10.1.0.2"], 2),
        (
            &["fe80::200:5eff:fe00:201", "2001:db8::1", "2001:db8::2"],
            1,
        ),
    ];
    for ((found, hidden), (wanted, count)) in addresses.iter().zip(expected) {
        assert_eq!(
            (
                found.iter().map(String::as_str).collect::<Vec<_>>(),
                *hidden
            ),
            (wanted.to_vec(), count)
        );
    }
    let printed = config.print();
    assert!(
        printed.contains("\nextra = 10.0.0.2/24, eth1:10.1.0.2/16, 2001:db8::2/64\n"),
        "{printed}"
    );
}

#[test]
fn extra_addresses_of_ipv6_follow_a_virtual_router_of_ipv4() {
    let text = "[VRID]\nserverid=1\ninterface=eth0\naddr=10.0.0.1/24\nversion=2\npeers=10.0.0.9\n\
                extra=10.0.0.2/24, 2001:db8::2/64, eth1:fe80::2/64\n";
    let (config, said) = good(text);
    assert_eq!(said, [""; 0]);
    let [router] = config.virtual_routers.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(router.spec.settings.unadvertised, 1);
    let followers = router.spec.followers.iter();
    let followers: Vec<_> = followers
        .map(|spec| (spec.address.address.to_string(), spec.interface.as_deref()))
        .collect();
    let expected = [("2001:db8::2", None), ("fe80::2", Some("eth1"))];
    assert_eq!(
        followers,
        expected.map(|(address, device)| (address.to_owned(), device))
    );
    let printed = config.print();
    let expected = "\nextra = 10.0.0.2/24, 2001:db8::2/64, eth1:[fe80::2]/64\n";
    assert!(printed.contains(expected), "{printed}");
    assert_eq!(good(&printed).0.virtual_routers, config.virtual_routers);
}

#[test]
fn routes_and_rules_go_with_the_addresses_of_their_family() {
    let text = "[VRID]\nserverid=1\ninterface=eth0\naddr=10.0.0.1/24, fe80::1/64\n\
                route=default via 10.0.0.9, default via fe80::9 dev eth0 table 7,\n\
                rule=from 10.0.0.1 pref 9 table 7, inet6 pref 9 prohibit\n";
    let routing = |config: &crate::Config| -> Vec<Vec<String>> {
        let routers = config.virtual_routers.iter();
        let texts = |router: &crate::VirtualRouter| -> Vec<String> {
            let items = router.spec.routing.iter();
            items.map(ToString::to_string).collect()
        };
        routers.map(texts).collect()
    };
    let (config, said) = good(text);
    assert_eq!(said, [""; 0]);
    assert_eq!(
        routing(&config),
        [
            [
                "route 0.0.0.0/0 via 10.0.0.9",
                "rule from 10.0.0.1/32 priority 9 lookup 7",
            ],
            [
                "route ::/0 via fe80::9 dev eth0 table 7",
                "rule inet6 from all priority 9 prohibit",
            ],
        ]
    );
    let printed = config.print();
    let expected = "\nroute = 0.0.0.0/0 via 10.0.0.9, ::/0 via fe80::9 dev eth0 table 7\n\
                    rule = from 10.0.0.1/32 priority 9 lookup 7, inet6 from all priority 9 prohibit\n";
    assert!(printed.contains(expected), "{printed}");
    assert_eq!(good(&printed).0.virtual_routers, config.virtual_routers);
    // Without an address of its family it goes with the others.
    let text = "[VRID]\nserverid=1\ninterface=eth0\naddr=10.0.0.1/24\n\
                route=2001:db8::/32 dev eth1\n";
    let (config, _) = good(text);
    assert_eq!(routing(&config), [["route 2001:db8::/32 dev eth1"]]);
    let changed = good(&text.replace("eth1", "eth2")).0;
    let differences = config.differences(&changed);
    assert_eq!(
        differences[0].text,
        "VRID 1 on eth0 (ipv4): route +2001:db8::/32 dev eth2 -2001:db8::/32 dev eth1"
    );
}

#[test]
fn an_election_without_addresses_is_of_the_family_of_its_source_and_peers() {
    let text = "[VRID]\nserverid=1\ninterface=eth0\naddr=none\n";
    for (more, family) in [
        ("", Family::Ipv4),
        ("version = 2\n", Family::Ipv4),
        ("peers = 10.0.0.2\nsource = 10.0.0.3\n", Family::Ipv4),
        ("source = fe80::1\n", Family::Ipv6),
        ("peers = fe80::2\n", Family::Ipv6),
    ] {
        let (config, said) = good(&format!("{text}{more}"));
        assert_eq!(said, [""; 0], "{more}");
        let [router] = config.virtual_routers.as_slice() else {
            panic!("{config:?}");
        };
        assert_eq!(router.spec.id.family, family, "{more}");
        assert!(router.spec.addresses.is_empty() && router.spec.settings.advertise_only);
        assert_eq!(router.spec.settings.mac_mode, MacMode::Interface);
        assert!(config.print().contains("\naddr = none\n"));
        assert_eq!(
            good(&config.print()).0.virtual_routers,
            config.virtual_routers
        );
    }
}

#[test]
fn a_group_is_of_its_family() {
    let text = "[VRID]\nserverid=1\ninterface=eth0\naddr=10.0.0.1/24, fe80::1/64\n\
                group=239.1.2.3, ff02::99\n";
    let (config, said) = good(text);
    assert_eq!(said, [""; 0]);
    let groups = config.virtual_routers.iter();
    let groups: Vec<String> = groups
        .filter_map(|router| Some(router.spec.settings.group?.to_string()))
        .collect();
    assert_eq!(groups, ["239.1.2.3", "ff02::99"]);
    assert!(config.print().contains("\ngroup = 239.1.2.3, ff02::99\n"));
    let alone = "[VRID]\nserverid=1\ninterface=eth0\naddr=none\ngroup=ff02::99\n";
    let (config, _) = good(alone);
    assert_eq!(config.virtual_routers[0].spec.id.family, Family::Ipv6);
}
