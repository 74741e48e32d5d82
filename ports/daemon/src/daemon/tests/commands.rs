//! Commands of administrators, and their subscribers.

use super::*;

#[test]
fn a_name_means_every_family_of_its_section_and_is_told() {
    let mut bench = Bench::with(|_| {
        "[VRID]\nserverid = 1\nname = web\ninterface = eth0\nadvertinterval = 0.05\npriority = 200\n\
         addr = 10.0.0.1/32, fe80::1/64\n"
            .to_owned()
    });
    // There is no address to advertise from in the other family.
    let serves = |b: &mut Bench| b.states() == [State::Master, State::Init];
    bench.until("master", serves);
    let log = capture::peek();
    let line = "INFO: web (VRID 1 on eth0, ipv4): backup -> master: ";
    assert!(log.iter().any(|l| l.starts_with(line)), "{log:?}");
    let named = |names: &[&str]| Which {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Which::default()
    };
    let Answer::Done { messages } = bench.ask(&Request::Disable(named(&["web"]))) else {
        panic!("refused");
    };
    assert_eq!(
        messages,
        [
            "web (VRID 1 on eth0, ipv4): disabled",
            "web (VRID 1 on eth0, ipv6): disabled"
        ]
    );
    for (which, why) in [
        (
            named(&["web", "mail"]),
            "there is no such virtual router: mail",
        ),
        (
            named(&[]),
            "which virtual router? Expected a VRID, a name, or all",
        ),
    ] {
        assert_eq!(bench.ask(&Request::Enable(which)), Answer::error(why));
    }
    // Another name, and nothing else, needs no interruption.
    let file = bench.dir.join("vrrpd.conf");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace("web", "www")).expect("a file");
    let Answer::Done { messages } = bench.ask(&Request::Reload) else {
        panic!("refused");
    };
    let last = messages.last().expect("a summary");
    assert!(
        last.ends_with(" reloaded: no virtual router changed; names taken in"),
        "{last}"
    );
    let names = bench.status().virtual_routers.into_iter().map(|r| r.name);
    assert!(names.into_iter().all(|name| name.as_deref() == Some("www")));
    bench.ask(&Request::Enable(named(&["www"])));
    bench.until("master again", serves);
}

#[test]
fn every_command_is_carried_out() {
    let mut bench = Bench::new();
    bench.until_masters();
    let Answer::Who(seen) = bench.ask(&Request::Who) else {
        panic!("who");
    };
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|s| s.is_self && s.ours));
    let Answer::Stats(stats) = bench.ask(&Request::Stats) else {
        panic!("stats");
    };
    assert_eq!(stats.virtual_routers[1].counters["active-transitions"], 1);

    let set = Request::SetPriority {
        which: which(2),
        priority: Some(50),
        terms: Terms::default(),
    };
    let why = bench.status().virtual_routers[1].reason.clone();
    bench.done(&set);
    let second = &bench.status().virtual_routers[1];
    assert_eq!((second.priority, second.base_priority), (50, 50));
    let set = (second.configured_priority, second.priority_override);
    assert_eq!(set, (100, Some(50)));
    // The skew, and with it the down interval, follow the priority; what has been does not change.
    assert_eq!(second.reason, why);
    let unset = Request::SetPriority {
        which: which(2),
        priority: None,
        terms: Terms::default(),
    };
    bench.done(&unset);
    let second = &bench.status().virtual_routers[1];
    assert_eq!((second.priority, second.priority_override), (100, None));

    bench.done(&Request::Disable(which(2)));
    bench.until("disabled", |b| b.states() == [State::Master, State::Init]);
    bench.until("stopscript", |b| b.scripts().contains("2:stop:"));
    bench.until_logged("INFO: VRID 2 on eth0 (ipv4): master -> init: disabled");
    bench.done(&Request::Enable(which(2)));
    bench.until_masters();
    bench.done(&Request::Resign(which(1)));
    let resigned = &bench.status().virtual_routers[0];
    assert!(resigned.handing_over || resigned.resigned, "{resigned:?}");
}

/// So many that their events and answers do not pass in one turn.
#[test]
fn hundreds_are_told_of_in_several_turns_and_to_the_end() {
    const MANY: usize = 250;
    let section = |vrid: usize| {
        format!(
            "[VRID]\nserverid = {vrid}\ninterface = eth0\naddr = 10.0.0.{vrid}/32\n\
             advertinterval = 0.05\n"
        )
    };
    let mut bench = Bench::with(|_| (1..=MANY).map(section).collect());
    let said = |what: &str| {
        let log = capture::peek();
        log.iter().filter(|line| line.contains(what)).count()
    };
    // The first turn of all has told of as many as there may be.
    let told = said("init -> backup");
    assert!(
        (1..=super::super::events::AT_ONCE).contains(&told),
        "{told}"
    );
    let mut events = UnixStream::connect(bench.dir.join("socket")).expect("another client");
    events
        .write_all(b"{\"command\":\"events\"}\n")
        .expect("room");
    let end = Instant::now() + patient(LONG);
    while said("backup -> master") < MANY {
        let before = said(" -> ");
        bench.turn();
        // They are taken twice in a turn.
        let taken = said(" -> ") - before;
        assert!(
            taken <= 2 * super::super::events::AT_ONCE,
            "{taken} in a turn"
        );
        assert!(Instant::now() < end, "{}", said("backup -> master"));
    }
    assert_eq!(said("init -> backup"), MANY);
    let long = [Request::Status, Request::Stats, Request::Who];
    for (request, least) in long.into_iter().zip([100_000, 50_000, 50_000]) {
        let line = serde_json::to_string(&request).expect("JSON") + "\n";
        let asked = bench.client.get_mut().write_all(line.as_bytes());
        asked.expect("room for a request");
        bench.turn();
        bench
            .client
            .get_mut()
            .set_nonblocking(true)
            .expect("a mode");
        let mut text = Vec::new();
        let mut most = 0;
        while text.last() != Some(&b'\n') {
            let before = text.len();
            // It ends with "would block".
            let _ = bench.client.read_to_end(&mut text);
            most = most.max(text.len() - before);
            bench.turn();
        }
        bench
            .client
            .get_mut()
            .set_nonblocking(false)
            .expect("a mode");
        assert!(text.len() > least, "{}", text.len());
        assert!(most < 2 * crate::control::pieces::PIECE, "{most}");
        let many = match serde_json::from_slice(&text).expect("JSON") {
            Answer::Status(status) => status.virtual_routers.len(),
            Answer::Stats(stats) => stats.virtual_routers.len(),
            Answer::Who(seen) => seen.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(many, MANY);
    }
    bench.daemon.stop(Instant::now());
    while bench.turn() {
        assert!(Instant::now() < end, "it does not stop");
    }
    assert_eq!(said("master -> init"), MANY, "the last one, too");
    events.set_nonblocking(true).expect("a mode");
    let mut told = Vec::new();
    let _ = events.read_to_end(&mut told);
    let told = String::from_utf8(told).expect("text");
    let ends = told.lines().filter(|line| line.contains("\"to\":\"init\""));
    assert!(ends.count() > 100, "as many as have room in the buffers");
    assert!(!told.contains("dropped"), "{told}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut bench = Bench::new();
    let mut refused = |request: Request| match bench.ask(&request) {
        Answer::Error { message, .. } => message,
        other => panic!("{other:?}"),
    };
    let nowhere = refused(Request::Resign(which(9)));
    assert_eq!(nowhere, "there is no such virtual router: VRID 9");
    let zero = Request::SetPriority {
        which: which(1),
        priority: Some(0),
        terms: Terms::default(),
    };
    assert_eq!(
        refused(zero),
        "VRID 1 on eth0 (ipv4): a priority is 1 to 255"
    );
    let elsewhere = Which {
        interface: Some("eth1".into()),
        ..which(1)
    };
    let elsewhere = refused(Request::Disable(elsewhere));
    assert_eq!(elsewhere, "there is no such virtual router: VRID 1");
}

#[test]
fn several_virtual_routers_are_told_at_once_or_none() {
    let mut bench = Bench::new();
    bench.until_masters();
    let both = Which {
        more: vec![2, 1],
        ..which(1)
    };
    let said = bench.done(&Request::Resign(both.clone()));
    assert_eq!(said.len(), 2, "each once: {said:?}");
    let serves_on = |text: &String| text.ends_with("serves on if nobody takes over");
    assert!(said.iter().all(serves_on), "{said:?}");
    let some = Which {
        more: vec![9],
        ..which(1)
    };
    let Answer::Error { message, .. } = bench.ask(&Request::Disable(some)) else {
        panic!("one of them does not exist");
    };
    assert_eq!(message, "there is no such virtual router: VRID 9");
    assert!(
        bench.status().virtual_routers[0].enabled,
        "nothing was done"
    );
    let all = Which {
        all: true,
        ..Which::default()
    };
    bench.done(&Request::Disable(all.clone()));
    bench.until("init", |b| b.states() == [State::Init, State::Init]);
    let said = bench.done(&Request::Resign(which(1)));
    assert!(said[0].ends_with("serves nothing"), "{said:?}");
    assert!(!bench.status().virtual_routers.iter().any(|r| r.enabled));
    bench.done(&Request::Enable(all.clone()));
    let set = Request::SetPriority {
        which: all.clone(),
        priority: Some(7),
        terms: Terms::default(),
    };
    bench.done(&set);
    let priorities = bench.status().virtual_routers.into_iter();
    assert!(priorities.map(|r| r.priority).all(|p| p == 7));
    let nowhere = Which {
        interface: Some("eth9".into()),
        ..all
    };
    assert!(matches!(
        bench.ask(&Request::Resign(nowhere)),
        Answer::Error { .. }
    ));
}

#[test]
fn subscribers_hear_of_changes() {
    let mut bench = Bench::new();
    bench.until_masters();
    let Answer::Events { next } = bench.ask(&Request::Events(Since::default())) else {
        panic!("events");
    };
    bench.daemon.stop(Instant::now());
    while bench.turn() {}
    let Answer::Notice(notice) = bench.answer() else {
        panic!("a notice");
    };
    assert_eq!((notice.seq, notice.kind), (next, NoticeKind::Stop));
    let Answer::Event(event) = bench.answer() else {
        panic!("an event");
    };
    assert_eq!(event.seq, next + 1);
    assert_eq!((event.from, event.to), (State::Master, State::Init));
    assert_eq!(event.reason, "shutting down");
}

#[test]
fn the_log_has_changes_commands_with_their_user_and_reloads() {
    let mut bench = Bench::new();
    bench.until_masters();
    let id = Which {
        vrid: 1,
        ..Which::default()
    };
    bench.done(&Request::Disable(id));
    bench.until("init", |b| b.states()[0] == State::Init);
    bench.done(&Request::Reload);
    fs::write(bench.dir.join("vrrpd.conf"), "[VRID]\n").expect("a file");
    assert!(matches!(bench.ask(&Request::Reload), Answer::Error { .. }));
    let warnings = bench.status().warnings;
    let refused = |text: &String| {
        text.contains("vrrpd.conf is not what runs: the reload at ") && text.contains("refused: ")
    };
    assert!(warnings.iter().any(refused), "{warnings:?}");
    bench
        .daemon
        .look_at_clock(Instant::now() + Duration::from_secs(100));
    let Answer::Log(log) = bench.ask(&Request::Log(Since::default())) else {
        panic!("no log");
    };
    let seqs: Vec<u64> = log.records.iter().map(Record::seq).collect();
    assert!(seqs.iter().copied().eq(1..log.next), "{seqs:?}");
    let lines: Vec<String> = log.records.iter().map(crate::ctl::text::record).collect();
    let user = match (sys::effective_uid(), sys::user_name(sys::effective_uid())) {
        (0, _) => "root".to_owned(),
        (uid, Some(name)) => format!("{name} (uid {uid})"),
        (uid, None) => format!("uid {uid}"),
    };
    for part in [
        "VRID 1 on eth0 (ipv4): init -> backup: started".to_owned(),
        "VRID 1 on eth0 (ipv4): backup -> master: no advertisement".to_owned(),
        format!("VRID 1 on eth0 (ipv4): command: disabled (by {user})"),
        "VRID 1 on eth0 (ipv4): master -> init: disabled".to_owned(),
        format!("unchanged (by {user})"),
        "reload: not reloaded: everything stays as it was: ".to_owned(),
        "clock: the clock of this host was set back by ".to_owned(),
    ] {
        assert!(
            lines.iter().any(|line| line.contains(&part)),
            "{part}: {lines:#?}"
        );
    }
}
