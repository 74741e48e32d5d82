//! Reloads, and the comparison that tells what a reload would change.

use super::*;

#[test]
fn a_reload_changes_what_changed_and_nothing_else() {
    let mut bench = Bench::new();
    bench.until_masters();
    let before = bench.status().virtual_routers[1].since_s;
    fs::write(bench.dir.join("vrrpd.conf"), sections(&bench.dir, 210)).expect("a file");
    let said = bench.done(&Request::Reload);
    let last = said.last().expect("a summary");
    assert_eq!(bench.status().warnings, [""; 0]);
    assert!(
        last.ends_with("0 added, 1 changed, 0 removed, 1 unchanged"),
        "{last}"
    );
    let routers = bench.status().virtual_routers;
    assert_eq!(routers[0].priority, 210);
    assert!(routers[1].since_s >= before, "not disturbed");
    assert_eq!(bench.states(), [State::Master, State::Master]);
}

#[test]
fn a_reload_tells_what_changed_beside_virtual_routers() {
    let mut bench = Bench::new();
    bench.until_masters();
    let first = sections(&bench.dir, 200);
    let mut reloads = |text: &str, expected: &str| {
        fs::write(bench.dir.join("vrrpd.conf"), text).expect("a file");
        let said = bench.done(&Request::Reload);
        let last = said.last().expect("a summary");
        assert!(last.ends_with(&format!(" reloaded: {expected}")), "{last}");
        let line = format!("INFO: {last}");
        assert!(capture::take().contains(&line), "{line}");
    };
    let text = first;
    let same = "0 added, 0 changed, 0 removed, 2 unchanged";
    reloads(&text, same);
    let text = text.replacen("stopscript", "reclaimscript", 1);
    reloads(&text, "no virtual router changed; scripts taken in");
    let text = format!("[GLOBAL]\nlease = 9\n{text}check = web\n[CHECK]\nname = web\nping = ::1\n");
    let changed = "0 added, 1 changed, 0 removed, 1 unchanged";
    reloads(&text, &format!("{changed}; checks and lease taken in"));
    let text = text.replace("lease = 9", "lease = 8").replace("::1", "::2");
    let text = text.replacen("reclaimscript", "stopscript", 1);
    let all = "no virtual router changed; scripts, checks and lease taken in";
    reloads(&text, all);
    // The command line has the level of the log here, and another user takes a restart.
    let text = text.replace("lease = 8", "lease = 8\nloglevel = error\nuser = daemon");
    reloads(&text, same);
}

#[test]
fn a_comparison_tells_what_a_reload_would_change_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.until_masters();
    let file = bench.dir.join("vrrpd.conf");
    let same = bench.done(&Request::Compare);
    assert!(
        same.last()
            .is_some_and(|last| last.ends_with(": nothing is different"))
    );
    let before = bench.done(&Request::Config);

    let text = sections(&bench.dir, 150);
    let second = text.rfind("[VRID]").expect("two sections");
    fs::write(&file, &text[..second]).expect("a file");
    let told = [
        "VRID 1 on eth0 (ipv4): priority 200 -> 150",
        "VRID 2 on eth0 (ipv4): removed",
        "VRID 1 on eth0 (ipv4): may move away: this host is master, and a backup with a priority above 150 \
         takes over where it preempts",
        "VRID 2 on eth0 (ipv4): moves away: this host is master, and hands over",
    ];
    assert_eq!(bench.done(&Request::Compare), told);
    assert_eq!(bench.done(&Request::Config), before);
    assert_eq!(bench.states(), [State::Master, State::Master]);
    assert_eq!(bench.status().virtual_routers[0].priority, 200);
    // The parent has not let anything through, so that a reload is judged anew.
    capture::take();
    let said = bench.done(&Request::Reload);
    assert_eq!(said[..4], told);
    let log = capture::take();
    for line in told {
        assert!(log.contains(&format!("INFO: {line}")), "{line}: {log:?}");
    }
    let now = bench.done(&Request::Config);
    assert!(now.contains(&"priority = 150".to_owned()), "{now:?}");
    assert_eq!(now.iter().filter(|line| *line == "[VRID]").count(), 1);

    fs::write(&file, "[VRID]\npriority = 300\n").expect("a file");
    let Answer::Error { message, details } = bench.ask(&Request::Compare) else {
        panic!("refused");
    };
    assert!(message.contains("the file has errors"), "{message}");
    assert!(details.iter().any(|line| line.contains(":2: priority: ")));
}

#[test]
fn a_comparison_names_the_hosts_that_other_signatures_part_from() {
    let text = |dir: &Path, mode: &str| {
        let key = dir.join("key");
        fs::write(&key, format!("hex:{}\n", "07".repeat(32))).expect("a key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
        let key = key.display();
        sections(dir, 200) + &format!("auth = hmac\nkeyfile = 1:{key}\nauthmode = {mode}\n")
    };
    let mut bench = Bench::with(|dir| text(dir, "permissive"));
    fs::write(bench.dir.join("vrrpd.conf"), text(&bench.dir, "enforce")).expect("a file");
    assert_eq!(
        bench.done(&Request::Compare),
        [
            "VRID 2 on eth0 (ipv4): authmode permissive -> enforce",
            "VRID 2 on eth0 (ipv4): we refuse hosts that do not sign: with such a host there are two masters",
        ]
    );
}

#[test]
fn a_comparison_knows_that_a_held_master_does_not_move() {
    let mut bench = Bench::new();
    bench.until_masters();
    bench.done(&Request::Hold {
        which: one(),
        terms: Terms::default(),
    });
    fs::write(bench.dir.join("vrrpd.conf"), sections(&bench.dir, 150)).expect("a file");
    let said = bench.done(&Request::Compare);
    assert_eq!(
        said,
        [
            "VRID 1 on eth0 (ipv4): priority 200 -> 150",
            "no virtual router moves to another host by that"
        ]
    );
    bench.done(&Request::Reload);
    assert_eq!(bench.status().virtual_routers[0].priority, 254);
}

#[test]
fn a_file_with_errors_leaves_everything_and_every_error_is_told() {
    let mut bench = Bench::new();
    bench.until_masters();
    let text = sections(&bench.dir, 200).replace("priority = 100", "priority = 300\ncolour = red");
    fs::write(bench.dir.join("vrrpd.conf"), text).expect("a file");
    capture::take();
    let Answer::Error { message, details } = bench.ask(&Request::Reload) else {
        panic!("refused");
    };
    assert_eq!(message, "not reloaded: everything stays as it was");
    assert_eq!(details.len(), 2, "{details:?}");
    assert!(details[0].contains(":15: priority: "), "{details:?}");
    let log = capture::take();
    for detail in &details {
        assert!(log.contains(&format!("ERROR: {detail}")), "{log:?}");
    }
    assert_eq!(bench.status().virtual_routers[1].priority, 100);
    fs::remove_file(bench.dir.join("vrrpd.conf")).expect("there");
    assert!(matches!(bench.ask(&Request::Reload), Answer::Error { .. }));
    assert_eq!(bench.states(), [State::Master, State::Master]);
}

#[test]
fn a_reload_serves_what_fits_the_host_as_a_start_does() {
    let mut bench = Bench::new();
    bench.until_masters();
    let file = bench.dir.join("vrrpd.conf");
    let text = sections(&bench.dir, 200);
    fs::write(&file, text.replacen("eth0", "wg0", 1)).expect("a file");
    capture::take();
    let said = bench.done(&Request::Reload);
    let unfit = ":3: interface: cannot use `wg0`: it is a tunnel";
    assert!(said[0].contains(unfit), "{said:?}");
    assert!(said.last().is_some_and(|last| last.contains("tried again")));
    let log = capture::take();
    let logged = |line: &String| line.starts_with("ERROR: ") && line.contains(unfit);
    assert!(log.iter().any(logged), "{log:?}");
    bench.until("the other goes on", |b| {
        let routers = b.status().virtual_routers;
        let served = routers.iter().find(|r| r.interface == "eth0");
        let unfit = routers.iter().find(|r| r.interface == "wg0");
        routers.len() == 2
            && served.is_some_and(|r| r.vrid == 2 && r.state == State::Master)
            && unfit.is_some_and(|r| {
                r.vrid == 1
                    && r.state == State::Init
                    && r.reason == "not ready: cannot use wg0: it is a tunnel"
                    && r.warnings == ["cannot use wg0: it is a tunnel"]
            })
    });
    // A mistake of the file refuses it all the same, and everything is told.
    let wrong = text.replacen("eth0", "wg0", 1).replace("= 100", "= 300");
    fs::write(&file, wrong).expect("a file");
    assert!(matches!(bench.ask(&Request::Reload), Answer::Error { .. }));
    fs::write(&file, &text).expect("a file");
    bench.done(&Request::Reload);
    bench.until_masters();
    let missing = "warning: interface: this host has no interface `ehh0`";
    fs::write(&file, text.replacen("eth0", "ehh0", 1)).expect("a file");
    capture::take();
    let said = bench.done(&Request::Reload);
    assert!(said.iter().any(|line| line.contains(missing)), "{said:?}");
    let log = capture::take();
    let logged = |line: &String| line.starts_with("WARN: ") && line.contains("interface `ehh0`");
    assert!(log.iter().any(logged), "{log:?}");
}

#[test]
fn a_virtual_router_out_of_the_file_stops_and_its_scripts_are_told() {
    let mut bench = Bench::new();
    bench.until_masters();
    let text = sections(&bench.dir, 200);
    let second = text.rfind("[VRID]").expect("two sections");
    fs::write(bench.dir.join("vrrpd.conf"), &text[..second]).expect("a file");
    bench.done(&Request::Reload);
    bench.until("gone", |b| b.states() == [State::Master]);
    let line = "VRID 2 on eth0 (ipv4): master -> init: removed from the configuration";
    bench.until_logged(&format!("INFO: {line}"));
    bench.until("stopscript", |b| {
        b.scripts().matches("2:stop:").count() == 2
    });
    bench.until("forgotten", |b| {
        b.daemon.known.len() == 1 && b.daemon.parent.is_idle()
    });
    let script_lines = bench.scripts();
    assert!(!script_lines.contains("1:stop:"), "{script_lines}");
}
