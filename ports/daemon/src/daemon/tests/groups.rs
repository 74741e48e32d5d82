//! Synchronisation groups as requests name them.

use super::*;

#[test]
fn the_name_of_a_group_means_its_members() {
    let mut bench = Bench::with(|_| {
        let section = |serverid: u8, name: &str| {
            format!(
                "[VRID]\nserverid = {serverid}\nname = {name}\ninterface = eth0\n\
                 advertinterval = 0.05\npriority = 200\naddr = 10.0.0.{serverid}/32\n\n"
            )
        };
        let sections = section(1, "web") + &section(2, "mail") + &section(3, "dns");
        sections + "[GROUP]\nname = gateway\nvrids = web, mail\n"
    });
    bench.until("all masters", |b| b.states() == [State::Master; 3]);
    let named = |name: &str| Which {
        names: vec![name.to_owned()],
        ..Which::default()
    };
    let drain = Request::Drain {
        which: named("gateway"),
        terms: Terms::default(),
        wait_s: None,
    };
    let drained = |bench: &mut Bench| {
        let routers = bench.status().virtual_routers.into_iter();
        routers.map(|r| !r.overrides.is_empty()).collect::<Vec<_>>()
    };
    bench.done(&drain);
    assert_eq!(drained(&mut bench), [true, true, false]);
    bench.done(&Request::Undrain(named("gateway")));
    assert_eq!(drained(&mut bench), [false; 3]);
    let Answer::Done { messages } = bench.ask(&Request::Disable(named("gateway"))) else {
        panic!("refused");
    };
    assert_eq!(
        messages,
        [
            "web (VRID 1 on eth0, ipv4): disabled",
            "mail (VRID 2 on eth0, ipv4): disabled"
        ]
    );
    bench.until("the rest serves", |b| {
        b.states() == [State::Init, State::Init, State::Master]
    });
    let elsewhere = Which {
        interface: Some("eth9".into()),
        ..named("gateway")
    };
    for which in [elsewhere, named("gate")] {
        let why = format!("there is no such virtual router: {}", which.names[0]);
        assert_eq!(bench.ask(&Request::Enable(which)), Answer::error(why));
    }
}

#[test]
fn a_comparison_follows_the_rules_of_groups() {
    let section = |serverid: u8, priority: u8| {
        format!(
            "[VRID]\nserverid = {serverid}\ninterface = eth0\nadvertinterval = 0.05\n\
             priority = {priority}\naddr = 10.0.0.{serverid}/32\n\n"
        )
    };
    let group = "[GROUP]\nname = gateway\nvrids = 1, 2\n";
    let text = |first, second| section(1, first) + &section(2, second) + group;
    let mut bench = Bench::with(|_| text(200, 200));
    bench.until("all masters", |b| b.states() == [State::Master; 2]);
    let file = bench.dir.join("vrrpd.conf");
    let stays = "no virtual router moves to another host by that";
    // Another host has to win both.
    fs::write(&file, text(50, 200)).expect("a file");
    let said = bench.done(&Request::Compare);
    assert_eq!(said.last().expect("a line"), stays);
    fs::write(&file, text(50, 60)).expect("a file");
    let said = bench.done(&Request::Compare);
    for vrid in [1, 2] {
        let line = format!(
            "VRID {vrid} on eth0 (ipv4): may move away: this host is master, and a backup with a priority above 60 takes over where it preempts"
        );
        assert!(said.contains(&line), "{said:?}");
    }
    // A group that is new brings its members together.
    let alone = section(1, 200) + &section(2, 200);
    fs::write(&file, &alone).expect("a file");
    bench.done(&Request::Reload);
    fs::write(&file, text(200, 200)).expect("a file");
    assert_eq!(bench.done(&Request::Compare).last().expect("a line"), stays);
    bench.done(&Request::Disable(one()));
    bench.until("one master", |b| b.states() == [State::Init, State::Master]);
    assert_eq!(
        bench.done(&Request::Compare).last().expect("a line"),
        "group gateway: members move: this host is master of VRID 2 on eth0 (ipv4) and not of VRID 1 on eth0 (ipv4), and is to be master of all or none"
    );
}
