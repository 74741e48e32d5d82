use super::*;
use vrrp_control::{Auth, AuthSender, Event, GivenOverride, Heartbeat, OverrideKind, Status};

use super::auth::{readiness, sender_line};
use vrrp_control::{Peer, Rejected, Term, TrackedObject, Versions};

fn router() -> VirtualRouter {
    VirtualRouter {
        vrid: 1,
        interface: "eth0".into(),
        family: Family::Ipv4,
        state: State::Backup,
        since_s: 130.0,
        reason: "10.10.10.6 (priority 250) advertises, ours is 90".into(),
        priority: 90,
        base_priority: 100,
        terms: vec![term(100, "configured"), term(-10, "eth2 down")],
        enabled: true,
        version: Versions::V2,
        interval_s: 1.0,
        down_interval_s: 3.648,
        source: Some("10.10.10.5".into()),
        peer: Some(Peer {
            address: "10.10.10.6".into(),
            priority: 250,
            last_heard_s: 3.2,
            ..Peer::default()
        }),
        addresses: vec!["10.10.10.53/32".into(), "10.10.10.80/32".into()],
        routes: vec!["10.0.0.0/8 dev eth1".into(), "::/0 dev eth1".into()],
        rules: vec!["from all priority 7 lookup 7".into()],
        mac: "00:00:5e:00:01:01".into(),
        virtual_mac: true,
        mac_interface: Some("vr4.2.1".into()),
        interface_up: true,
        interface_missing: false,
        warnings: vec!["10.10.10.6 advertises another interval (2s) than ours (1s)".into()],
        notes: vec!["no frame has ever arrived".into()],
        last_rejected: Some(Rejected {
            reason: "auth-failure".into(),
            source: Some("10.10.10.9".into()),
            age_s: 61.0,
            count: 12,
        }),
        ..VirtualRouter::default()
    }
}

fn term(value: i32, what: &str) -> Term {
    let what = what.to_owned();
    Term { value, what }
}

fn of(router: VirtualRouter) -> Status {
    Status {
        version: "0.1.0".into(),
        pid: 42,
        uptime_s: 131.0,
        virtual_routers: vec![router],
        ..Status::default()
    }
}

#[test]
fn status_tells_everything() {
    let expected = "vrrpd 0.1.0, process 42, running for 2 min 11 s

VRID 1 on eth0 (ipv4): backup for 2 min 10 s
  why        10.10.10.6 (priority 250) advertises, ours is 90
  priority   90 = 100 configured - 10 eth2 down
  master     10.10.10.6, priority 250, heard 3 s ago
  addresses  10.10.10.53/32 10.10.10.80/32
  routes     10.0.0.0/8 dev eth1, ::/0 dev eth1
  rules      from all priority 7 lookup 7
  mac        00:00:5e:00:01:01 (virtual, vr4.2.1)
  interface  eth0 is up, 10.10.10.5
  protocol   VRRPv2, every 1 s, down after 3.648 s
  rejected   auth-failure from 10.10.10.9, 1 min 1 s ago, 12 in all
  warning    10.10.10.6 advertises another interval (2s) than ours (1s)
  note       no frame has ever arrived
";
    assert_eq!(status(&of(router()), false), expected);
}

#[test]
fn an_election_without_addresses_has_none() {
    let none = VirtualRouter {
        addresses: Vec::new(),
        ..router()
    };
    let text = status(&of(none), false);
    assert!(text.contains("\n  addresses  none\n"), "{text}");
}

#[test]
fn the_second_path_has_a_line_for_each_state() {
    for (state, expected) in [
        ("down", "eth1: down: it is down or missing"),
        ("silent", "eth1: silent: no other master is heard there"),
        (
            "both",
            "eth1: both: 10.10.10.6, priority 250, is heard there and on eth0",
        ),
        (
            "missed",
            "eth1: missed: 10.10.10.6, priority 250, is heard on eth0 and not there",
        ),
        (
            "cut",
            "eth1: cut: 10.10.10.6, priority 250, is heard there and not on eth0",
        ),
        (
            "one-way",
            "eth1: one-way: 10.10.10.6, priority 250, is heard there and on eth0, and does not hear us",
        ),
        (
            "frozen",
            "eth1: frozen: 10.10.10.6, priority 250, is silent there and on eth0, and its address is answered for",
        ),
        (
            "dead",
            "eth1: dead: 10.10.10.6, priority 250, is silent there and on eth0",
        ),
    ] {
        assert!(Heartbeat::STATES.contains(&state));
        let path = Heartbeat {
            interface: "eth1".into(),
            state: state.into(),
            peer: Some("10.10.10.6".into()),
            priority: Some(250),
            last_heard_s: Some(0.5),
        };
        assert_eq!(heartbeat(&router(), &path), expected);
        let with = VirtualRouter {
            heartbeat: Some(path),
            ..router()
        };
        let line = format!("\n  heartbeat  {expected}\n");
        let text = status(&of(with), false);
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn a_lonely_master_says_that_it_never_heard_a_peer() {
    let lonely = VirtualRouter {
        state: State::Master,
        peer: None,
        resigned: true,
        ..router()
    };
    let text = status(&of(lonely), false);
    assert!(text.contains("master for 2 min 10 s, resigned\n"), "{text}");
    assert!(
        text.contains("  master     this host, 10.10.10.5\n"),
        "{text}"
    );
    assert!(text.contains("  others     never heard a peer\n"), "{text}");
}

#[test]
fn a_priority_is_shown_as_the_sum_that_it_is() {
    let line = |priority: u8, terms: Vec<Term>| {
        super::status::priority(&VirtualRouter {
            priority,
            terms,
            ..router()
        })
    };
    assert_eq!(
        line(250, vec![term(250, "configured")]),
        "250 = 250 configured"
    );
    let terms = vec![
        term(250, "configured"),
        term(-50, "eth2 down"),
        term(-50, "check dns fails"),
    ];
    assert_eq!(
        line(150, terms.clone()),
        "150 = 250 configured - 50 eth2 down - 50 check dns fails"
    );
    let set = vec![
        term(10, "set by vrrpctl, 100 configured"),
        term(-50, "eth2 down"),
    ];
    assert_eq!(
        line(1, set),
        "1, as near to 10 set by vrrpctl, 100 configured - 50 eth2 down as can be"
    );
    let drained = VirtualRouter {
        priority: 1,
        standing_back: true,
        terms: vec![term(250, "configured")],
        ..router()
    };
    assert_eq!(
        super::status::priority(&drained),
        "1 while it stands back, otherwise 250 configured"
    );
    assert!(
        brief(&of(VirtualRouter {
            priority_override: Some(10),
            ..router()
        }))
        .contains(" 90 (set) ")
    );
}

#[test]
fn verbose_shows_the_settings_in_force() {
    let router = VirtualRouter {
        preempt: true,
        preempt_delay_s: 300.0,
        preempt_left_s: Some(42.0),
        start_delay_s: 60.0,
        start_left_s: Some(12.0),
        peers: vec!["10.10.10.6".into(), "10.10.10.7".into()],
        checksum: "auto".into(),
        tracked: vec![TrackedObject {
            what: "interface eth2".into(),
            effect: "-50".into(),
            up: false,
        }],
        ..router()
    };
    let expected = "
  preempt    yes, after 5 min, 42 s left
  start      only listens for 12 s more
  peers      10.10.10.6 10.10.10.7
  checksum   auto
  tracked    interface eth2 is down (-50)
";
    let text = status(&of(router.clone()), true);
    assert!(text.ends_with(expected), "{text}");
    let text = status(&of(router), false);
    assert!(!text.contains("preempt"), "{text}");
}

#[test]
fn an_override_says_since_when_by_whom_for_how_long_and_how_to_end_it() {
    let mut given = GivenOverride {
        time_ms: 1_795_982_772_345,
        left_s: Some(4_320.0),
        reason: Some("kernel update".into()),
        ..GivenOverride::default()
    };
    assert_eq!(
        given_override(&given),
        "drained since 2026-11-29 20:06 UTC by root (uid 0), 1 h 12 min left: kernel update"
    );
    given.member = Some("outside".into());
    assert!(given_override(&given).starts_with("drained with outside of its group since "));
    assert!(drained_by(&given).starts_with("drained with outside of its group by root"));
    given.member = None;
    given.wait_left_s = Some(25.0);
    given.connections = Some(3);
    given.uid = 7;
    given.left_s = None;
    assert!(drained_by(&given).ends_with("drained by uid 7: kernel update"));
    given.user = Some("alice".into());
    assert!(drained_by(&given).ends_with("drained by alice (uid 7): kernel update"));
    assert_eq!(
        override_warning(&router(), &given),
        "being drained since 2026-11-29 20:06 UTC by alice (uid 7), waits for 3 TCP connections, at most 25 s more: kernel update; to end it: vrrpctl undrain -i eth0 -4 1"
    );
    let named = VirtualRouter {
        name: Some("web".into()),
        overrides: vec![given],
        ..router()
    };
    let held = GivenOverride {
        kind: OverrideKind::Hold,
        ..GivenOverride::default()
    };
    assert!(override_warning(&named, &held).ends_with("; to end it: vrrpctl release web"));
    let set = GivenOverride {
        kind: OverrideKind::Priority,
        priority: Some(7),
        ..GivenOverride::default()
    };
    let text = override_warning(&named, &set);
    assert!(
        text.starts_with("priority 7 since 1970-01-01 00:00 UTC by root"),
        "{text}"
    );
    assert!(
        text.ends_with("; to end it: vrrpctl priority web default"),
        "{text}"
    );
    assert!(status(&of(named), false).contains(": backup for 2 min 10 s, drained\n"));
}

#[test]
fn brief_shows_the_same_marks() {
    let leaving = VirtualRouter {
        state: State::Master,
        leaving: true,
        handing_over: true,
        ..router()
    };
    let text = brief(&of(leaving));
    assert!(
        text.contains("master, being removed, handing over  "),
        "{text}"
    );
}

#[test]
fn an_event_has_its_number_and_time() {
    let happened = Event {
        seq: 17,
        time_ms: 1_795_982_772_345,
        vrid: 1,
        name: Some("web".into()),
        interface: "eth0".into(),
        family: Family::Ipv4,
        from: State::Backup,
        to: State::Master,
        reason: "10.10.10.6 gave up mastership".into(),
        peer: None,
    };
    assert_eq!(
        event(&happened),
        "17 2026-11-29T20:06:12.345Z web (VRID 1 on eth0, ipv4): backup -> master: 10.10.10.6 gave up mastership"
    );
}

#[test]
fn tables_are_aligned() {
    let expected = "\
VRID  INTERFACE  FAMILY  STATE   SINCE       PRIO  MASTER                                    WARNINGS
1     eth0       ipv4    backup  2 min 10 s  90    10.10.10.6, priority 250, heard 3 s ago  1
";
    let got = brief(&of(router()));
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(&got), squeeze(expected));
    let column = |line: &str| line.find("MASTER").or(line.find("10.10.10.6"));
    let columns: Vec<_> = got.lines().map(column).collect();
    assert_eq!(columns[0], columns[1]);
}

#[test]
fn a_name_comes_first_and_has_a_column_where_there_is_one() {
    let mut both = of(router());
    both.virtual_routers.push(VirtualRouter {
        name: Some("web".into()),
        vrid: 2,
        ..router()
    });
    let text = status(&both, false);
    assert!(text.contains("\nVRID 1 on eth0 (ipv4): backup"), "{text}");
    assert!(
        text.contains("\nweb (VRID 2 on eth0, ipv4): backup"),
        "{text}"
    );
    let table = brief(&both);
    let first = |line: &str| {
        line.split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let rows: Vec<String> = table.lines().map(first).collect();
    assert_eq!(rows, ["NAME VRID", "- 1", "web 2"]);
}

#[test]
fn signatures_are_told_with_who_stands_in_the_way() {
    let router = |auth: Option<Auth>| VirtualRouter {
        vrid: 7,
        interface: "eth0".into(),
        auth,
        ..VirtualRouter::default()
    };
    let status = |auth| Status {
        virtual_routers: vec![router(auth)],
        ..Status::default()
    };
    assert_eq!(
        auth(&status(None)),
        "no virtual router has keys (auth = hmac)\n"
    );
    let sender = |address: &str, signed| AuthSender {
        address: address.into(),
        signed,
        last_heard_s: 0.4,
        ..AuthSender::default()
    };
    let mut group = Auth {
        mode: "permissive".into(),
        anti_replay: "time".into(),
        window_s: 5,
        keys: vec![1, 2],
        active_key: 2,
        ready: true,
        ..Auth::default()
    };
    assert_eq!(
        auth(&status(Some(group.clone()))),
        "VRID 7 on eth0 (ipv4): permissive, key 2 of 1, 2, time window 5 s\n\
         \u{20} senders    none was heard since it has keys\n\
         \u{20} ready      for enforce: unknown, no other router was heard\n"
    );
    group.senders = vec![
        AuthSender {
            key_id: Some(2),
            skew_s: Some(-312),
            refusal: Some("auth-stale".into()),
            refused_s: Some(0.4),
            ..sender("192.0.2.2", true)
        },
        sender("192.0.2.3", false),
    ];
    assert_eq!(
        readiness(&group),
        "for enforce: yes, as far as was heard; a backup says nothing until it is master"
    );
    group.unheard = vec!["192.0.2.4".into()];
    group.ready = false;
    group.obstacles = vec!["192.0.2.3 still sends bare advertisements (heard 0.4 s ago)".into()];
    let ago = ago(0.4);
    assert_eq!(
        auth(&status(Some(group))),
        format!(
            "VRID 7 on eth0 (ipv4): permissive, key 2 of 1, 2, time window 5 s\n\
             \u{20} sender     192.0.2.2 signed, key 2, clock 312 s behind, heard {ago}, refused: auth-stale\n\
             \u{20} sender     192.0.2.3 bare, heard {ago}\n\
             \u{20} unheard    192.0.2.4\n\
             \u{20} ready      for enforce: no, 192.0.2.3 still sends bare advertisements (heard 0.4 s ago)\n"
        )
    );
}

#[test]
fn a_sender_is_shown_by_its_last_advertisement() {
    let sender = AuthSender {
        address: "192.0.2.2".into(),
        signed: false,
        key_id: Some(1),
        skew_s: Some(0),
        last_heard_s: 0.4,
        ..AuthSender::default()
    };
    let heard = ago(0.4);
    assert_eq!(
        sender_line(&sender),
        format!("192.0.2.2 bare, heard {heard}")
    );
    let believed = AuthSender {
        signed: true,
        refusal: Some("auth-missing".into()),
        refused_s: Some(90.0),
        ..sender
    };
    assert_eq!(
        sender_line(&believed),
        format!(
            "192.0.2.2 signed, key 1, same clock, heard {heard}, believed since it was refused {}: auth-missing",
            ago(90.0)
        )
    );
}

#[test]
fn who_marks_strangers_and_the_silent() {
    let seen = Seen {
        interface: "eth0".into(),
        vrid: 9,
        family: Family::Ipv4,
        address: "10.10.10.7".into(),
        priority: 120,
        version: 3,
        interval_s: 0.1,
        last_heard_s: 9.0,
        stale: true,
        ..Seen::default()
    };
    let text = who(std::slice::from_ref(&seen));
    assert!(text.contains("9 (not ours)"), "{text}");
    assert!(text.contains("0.1 s"), "{text}");
    assert!(text.contains("9 s ago, silent"), "{text}");
    let text = who(&[Seen { deaf: true, ..seen }]);
    assert!(
        text.contains("9 s ago, unknown since: not listening"),
        "{text}"
    );
}
