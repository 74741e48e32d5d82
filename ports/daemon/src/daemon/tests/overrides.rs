//! The overrides of administrators, and how long they stay in force.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use vrrp_control::{OverrideKind, VirtualRouter};

use super::*;

#[test]
fn an_override_is_written_before_it_takes_effect_and_ends_by_itself() {
    let mut bench = Bench::new();
    bench.until_masters();
    let terms = Terms {
        for_s: Some(3),
        reason: Some("kernel update".into()),
    };
    let Answer::Done { messages } = bench.ask(&drain(terms)) else {
        panic!("refused");
    };
    assert_eq!(
        messages,
        [
            "VRID 1 on eth0 (ipv4): drained: every other host serves rather than this one, for 3 s: kernel update"
        ]
    );
    let file = bench.dir.join("state/overrides");
    let written = fs::read_to_string(&file).expect("written");
    assert!(
        written.starts_with("vrrpd overrides 1\n{") && written.contains("kernel update"),
        "{written}"
    );
    let router = bench.status().virtual_routers.remove(0);
    assert_eq!(router.overrides[0].reason.as_deref(), Some("kernel update"));
    assert!(router.standing_back && router.priority == 1, "{router:?}");
    let warning = router.warnings.join("\n");
    assert!(
        warning.contains("drained since ") && warning.ends_with("vrrpctl undrain -i eth0 -4 1"),
        "{warning}"
    );
    // A reload is nothing to it.
    bench.done(&Request::Reload);
    assert_eq!(bench.status().virtual_routers[0].priority, 1);
    bench.until("its end", |b| {
        b.status().virtual_routers[0].overrides.is_empty()
    });
    assert_eq!(bench.status().virtual_routers[0].priority, 200);
    bench.until("an empty file", |_| {
        fs::read_to_string(&file).is_ok_and(|text| text == "vrrpd overrides 1\n")
    });
}

#[test]
fn what_cannot_be_written_is_not_done_and_can_be_taken_back_all_the_same() {
    let mut bench = Bench::new();
    bench.until_masters();
    bench.done(&drain(Terms::default()));
    let state = bench.dir.join("state");
    fs::remove_dir_all(&state).expect("the directory");
    fs::write(&state, "a file").expect("a file");
    let hold = Request::Hold {
        which: one(),
        terms: Terms::default(),
    };
    let Answer::Error { message, .. } = bench.ask(&hold) else {
        panic!("done");
    };
    assert!(
        message.starts_with("nothing was changed, as it would not last: the state directory "),
        "{message}"
    );
    let router = bench.status().virtual_routers.remove(0);
    assert_eq!(router.overrides.len(), 1);
    let Answer::Done { messages } = bench.ask(&Request::Undrain(one())) else {
        panic!("refused");
    };
    assert_eq!(messages[0], "VRID 1 on eth0 (ipv4): not drained any more");
    assert!(
        messages[1].starts_with("this holds until vrrpd is restarted"),
        "{messages:?}"
    );
    let status = bench.status();
    assert_eq!(status.virtual_routers[0].priority, 200);
    assert!(
        status
            .warnings
            .iter()
            .any(|w| w.contains("not a directory")),
        "{status:?}"
    );
}

#[test]
fn a_held_master_has_the_highest_priority_and_default_ends_everything() {
    let mut bench = Bench::new();
    bench.until_masters();
    let hold = Request::Hold {
        which: one(),
        terms: Terms::default(),
    };
    bench.done(&hold);
    let router = bench.status().virtual_routers.remove(0);
    assert_eq!(
        (router.priority, router.priority_override),
        (254, Some(254))
    );
    assert_eq!(router.terms[0].what, "held as master, 200 configured");
    bench.done(&Request::SetPriority {
        which: one(),
        priority: Some(7),
        terms: Terms::default(),
    });
    assert_eq!(bench.status().virtual_routers[0].priority, 254);
    // As a backup it advertises what it would anyway, if it has to take over.
    bench.done(&Request::Disable(one()));
    bench.until("its own priority", |b| {
        b.status().virtual_routers[0].priority_override == Some(7)
    });
    let all = Which {
        all: true,
        ..Which::default()
    };
    bench.done(&Request::Default(all));
    bench.until_masters();
    let router = bench.status().virtual_routers.remove(0);
    assert!(router.overrides.is_empty() && router.enabled);
    assert_eq!((router.priority, router.priority_override), (200, None));
}

#[test]
fn a_held_master_stops_without_an_error() {
    let mut bench = Bench::new();
    bench.until_masters();
    bench.done(&Request::Hold {
        which: one(),
        terms: Terms::default(),
    });
    capture::take();
    bench.daemon.stop(Instant::now());
    let end = Instant::now() + patient(LONG);
    while bench.turn() {
        assert!(Instant::now() < end, "{:?}", capture::peek());
    }
    let log = capture::take();
    assert!(log.iter().any(|line| line.contains("master -> init")));
    assert!(!log.iter().any(|line| line.contains("ERROR")), "{log:#?}");
}

#[test]
fn overrides_of_before_hold_from_the_start_and_go_with_what_they_are_about() {
    let state = |dir: &Path, lines: &str| {
        fs::create_dir_all(dir.join("state")).expect("a directory");
        fs::write(
            dir.join("state/overrides"),
            format!("vrrpd overrides 1\n{lines}"),
        )
        .expect("a file");
    };
    let line = |interface: &str, kind: &str, more: &str| {
        format!(
            "{{\"interface\":\"{interface}\",\"vrid\":1,\"ipv6\":false,\"kind\":\"{kind}\",\"uid\":0,\"since_ms\":5{more}}}\n"
        )
    };
    let lines = line("eth0", "drain", "")
        + &line("eth9", "hold", "")
        + &line("eth0", "priority", ",\"priority\":9,\"configured\":77")
        + &line("eth0", "hold", ",\"until_ms\":6");
    let mut bench = Bench::with(|dir| {
        state(dir, &lines);
        sections(dir, 200)
    });
    bench.until_masters();
    let log = capture::peek();
    for line in [
        "WARN: VRID 1 on eth9 (ipv4): the hold is over: it is not configured any more",
        "WARN: VRID 1 on eth0 (ipv4): the priority of vrrpctl is over: the configured priority is 200 now",
        "WARN: VRID 1 on eth0 (ipv4): the hold is over: its time has passed",
    ] {
        assert!(log.iter().any(|l| l == line), "{line}: {log:#?}");
    }
    let router = bench.status().virtual_routers.remove(0);
    assert_eq!(router.overrides.len(), 1);
    assert_eq!(router.priority, 1, "from the start");
}

#[test]
fn overrides_that_could_not_be_read_are_not_replaced_when_the_directory_is_mended() {
    let mode = |dir: &Path, mode: u32| {
        fs::set_permissions(dir.join("state"), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let kept = "vrrpd overrides 1\n{\"interface\":\"eth0\",\"vrid\":2,\"ipv6\":false,\"kind\":\"drain\",\"uid\":0,\"since_ms\":5}\n";
    let mut bench = Bench::with(|dir| {
        fs::create_dir_all(dir.join("state")).expect("a directory");
        fs::write(dir.join("state/overrides"), kept).expect("a file");
        mode(dir, 0o777);
        sections(dir, 200)
    });
    bench.until_masters();
    assert!(bench.status().virtual_routers[1].overrides.is_empty());
    mode(&bench.dir, 0o700);
    let Answer::Error { message, .. } = bench.ask(&drain(Terms::default())) else {
        panic!("accepted");
    };
    assert!(
        message.contains("others may write to it (mode 777)")
            && message.ends_with("mend this and restart vrrpd"),
        "{message}"
    );
    let warnings = bench.status().warnings.join("\n");
    assert!(
        warnings.contains("mend this and restart vrrpd; commands of vrrpctl"),
        "{warnings}"
    );
    let file = bench.dir.join("state/overrides");
    assert_eq!(fs::read_to_string(&file).expect("the file"), kept);
}

#[test]
fn overrides_that_make_no_sense_are_told_in_the_status_and_in_the_history() {
    let mut bench = Bench::with(|dir| {
        fs::create_dir_all(dir.join("state")).expect("a directory");
        fs::write(dir.join("state/overrides"), "vrrpd overrides 1\n{").expect("a file");
        sections(dir, 200)
    });
    let aside = bench.dir.join("state/overrides.bad");
    let expected = format!("; kept as {}", aside.display());
    let warnings = bench.status().warnings;
    assert!(
        warnings.iter().any(|line| line.ends_with(&expected)),
        "{warnings:?}"
    );
    let Answer::Log(log) = bench.ask(&Request::Log(Since::default())) else {
        panic!("no log");
    };
    let told = |record: &Record| matches!(record, Record::Notice(notice) if notice.kind == NoticeKind::Problem && notice.text.ends_with(&expected));
    assert!(log.records.iter().any(told), "{:?}", log.records);
}

/// Two members of a group.
fn group() -> Bench {
    let mut bench = Bench::with(|dir| {
        sections(dir, 100) + "[GROUP]\nname = gw\nvrids = 1, 2\nnotifyscript = none\n"
    });
    bench.until_masters();
    bench
}

fn priority(vrid: u8, priority: Option<u8>, terms: Terms) -> Request {
    Request::SetPriority {
        which: which(vrid),
        priority,
        terms,
    }
}

impl Bench {
    fn priorities(&mut self) -> Vec<u8> {
        let routers = self.status().virtual_routers.into_iter();
        routers.map(|router| router.priority).collect()
    }
}

#[test]
fn a_drained_member_keeps_its_group_drained_whatever_others_are_told() {
    let mut bench = group();
    bench.done(&drain(Terms::default()));
    let hold = Request::Hold {
        which: which(2),
        terms: Terms::default(),
    };
    for request in [
        hold,
        Request::Release(which(2)),
        priority(2, Some(150), Terms::default()),
        priority(2, None, Terms::default()),
        Request::Reload,
    ] {
        bench.done(&request);
        let routers = bench.status().virtual_routers;
        let drained = |router: &VirtualRouter| router.standing_back && router.priority == 1;
        assert!(routers.iter().all(drained), "{request:?} {routers:?}");
    }
    // A priority that ends by itself ends nothing else.
    let terms = Terms {
        for_s: Some(1),
        reason: None,
    };
    bench.done(&priority(2, Some(150), terms));
    bench.until("its end", |b| {
        let overrides = b.status().virtual_routers.remove(1).overrides;
        overrides.iter().all(|one| one.kind == OverrideKind::Drain)
    });
    assert_eq!(bench.priorities(), [1, 1]);
    // The other one names the cause.
    let router = bench.status().virtual_routers.remove(1);
    let warnings = router.warnings.join("\n");
    assert!(
        warnings.contains("drained with VRID 1 on eth0 (ipv4) of its group since ")
            && warnings.ends_with("vrrpctl undrain -i eth0 -4 2"),
        "{warnings}"
    );
    // And ends it.
    let said = bench.done(&Request::Undrain(which(2)));
    assert_eq!(said, ["VRID 2 on eth0 (ipv4): not drained any more"]);
    assert_eq!(bench.priorities(), [100, 100]);
    let routers = bench.status().virtual_routers;
    assert!(routers.iter().all(|router| router.overrides.is_empty()));
}

#[test]
fn the_last_priority_given_for_a_member_is_that_of_the_group() {
    let mut bench = group();
    bench.done(&priority(1, Some(150), Terms::default()));
    bench.done(&priority(2, Some(120), Terms::default()));
    assert_eq!(bench.priorities(), [120, 120]);
    bench.done(&priority(1, None, Terms::default()));
    assert_eq!(bench.priorities(), [100, 100]);
    // A priority of each in one command.
    let both = Which {
        all: true,
        ..Which::default()
    };
    bench.done(&Request::SetPriority {
        which: both,
        priority: Some(70),
        terms: Terms::default(),
    });
    assert_eq!(bench.priorities(), [70, 70]);
}

#[test]
fn a_virtual_router_that_leaves_its_group_leaves_its_drain() {
    let mut bench = group();
    bench.done(&drain(Terms::default()));
    assert_eq!(bench.priorities(), [1, 1]);
    fs::write(bench.dir.join("vrrpd.conf"), sections(&bench.dir, 100)).expect("a file");
    bench.done(&Request::Reload);
    assert_eq!(bench.priorities(), [1, 100]);
}
