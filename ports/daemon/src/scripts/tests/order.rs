//! Which scripts run, in which order, and how often.

use super::*;

#[test]
fn scripts_of_a_loss_wait_until_the_addresses_are_gone() {
    let mut bench = Bench::new();
    for vrid in [7, 8] {
        let set = bench.recording("");
        bench.scripts.configure(&id(vrid), set);
    }
    bench.scripts.submit(&id(7), happening(Occasion::Master));
    bench.until_idle();
    bench.scripts.hold_losses(true, bench.now);
    bench.scripts.submit(&id(7), happening(Occasion::Backup));
    bench.scripts.submit(&id(8), happening(Occasion::Master));
    bench.until("the other virtual router is not held up", |bench| {
        bench.scripts.running == 0 && bench.read("log") == "master:master\nmaster:master\n"
    });
    assert!(!bench.scripts.is_idle());
    bench.scripts.hold_losses(false, bench.now);
    bench.until_idle();
    assert!(bench.read("log").ends_with("backup:backup\n"));
}

#[test]
fn addresses_that_stay_hold_up_no_script_for_long() {
    let mut bench = Bench::new();
    let set = bench.recording("");
    bench.scripts.configure(&id(7), set);
    bench.scripts.submit(&id(7), happening(Occasion::Master));
    bench.until_idle();
    bench.scripts.hold_losses(true, bench.now);
    bench.scripts.submit(&id(7), happening(Occasion::Fault));
    bench.turn();
    assert_eq!(bench.read("log"), "master:master\n");
    let deadline = bench.scripts.deadline();
    assert_eq!(deadline, Some(bench.now + LONGEST_HOLD));
    bench.now += LONGEST_HOLD;
    bench.until_idle();
    assert_eq!(
        bench.read("log"),
        "master:master\nbackup:fault\nfault:fault\n"
    );
    // It is not held up once more.
    bench.scripts.hold_losses(true, bench.now);
    assert_eq!(bench.scripts.deadline(), None);
}

#[test]
fn scripts_of_a_group_are_told_its_name() {
    let mut bench = Bench::new();
    let out = bench.dir.join("out");
    let text = format!(
        "echo \"$*\" $VRRP_GROUP $VRRP_NAME $VRRP_EVENT [$VRRP_VRID$VRRP_INTERFACE$VRRP_FAMILY] >>{}",
        out.display()
    );
    let mut set = bench.recording("");
    set.master = bench.script("m", &text);
    set.notify = bench.script("n", &text);
    let group = || Subject::Group("gw".into());
    bench.scripts.configure(group(), set);
    bench.scripts.submit(group(), happening(Occasion::Master));
    bench.until_idle();
    assert_eq!(
        bench.read("out"),
        "GROUP gw master gw gw master []\nGROUP gw MASTER 100 gw gw master []\n"
    );
    assert_eq!(bench.scripts.last_occasion(group()), Some(Occasion::Master));
    // Another of the same name, which is a virtual router, has nothing to do with it.
    assert_eq!(bench.scripts.last_occasion(&id(7)), None);
}

#[test]
fn arguments_and_environment_say_what_happened() {
    let mut bench = Bench::new();
    let out = bench.dir.join("out");
    let text = format!(
        "echo \"$*\" >{0}; env | grep ^VRRP_ | sort >>{0}",
        out.display()
    );
    let mut set = bench.recording("");
    set.master = bench.script("m", &text);
    let named = VrId {
        name: Some("web".into()),
        ..id(7)
    };
    bench.scripts.configure(&named, set);
    bench.scripts.submit(&id(7), happening(Occasion::Master));
    bench.until_idle();
    let expected = "7 eth0 master ipv4
VRRP_ADDRESSES=10.10.10.53/32 10.10.10.80/32
VRRP_EVENT=master
VRRP_FAMILY=ipv4
VRRP_GROUP=
VRRP_INTERFACE=eth0
VRRP_NAME=web
VRRP_NEW_STATE=master
VRRP_OLD_STATE=init
VRRP_PEER_ADDRESS=10.10.10.6
VRRP_PEER_PRIORITY=250
VRRP_PRIORITY=100
VRRP_REASON=because
VRRP_VRID=7
";
    assert_eq!(bench.read("out"), expected);
}

#[test]
fn backupscript_runs_at_every_loss_and_none_twice_for_one_state() {
    use Occasion::{Backup, Fault, Master, Stop};
    let mut bench = Bench::new();
    let set = bench.recording("");
    bench.scripts.configure(&id(1), set);
    for occasion in [
        Backup, Master, Master, Fault, Backup, Master, Backup, Stop, Stop,
    ] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.until_idle();
    }
    let expected = "backup:backup
master:master
backup:fault
fault:fault
master:master
backup:backup
stop:stop
";
    assert_eq!(bench.read("log"), expected);
}

#[test]
fn the_latest_state_wins_and_what_it_supersedes_is_skipped() {
    use Occasion::{Backup, Fault, Master};
    let mut bench = Bench::new();
    let set = bench.recording(&bench.at_the_gate());
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Master));
    bench.until("running", |b| !b.read("log").is_empty());
    for occasion in [Backup, Fault, Master, Backup] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.turn();
    }
    assert_eq!(bench.read("log"), "master:master\n", "one at a time");
    bench.open_gate();
    bench.until_idle();
    assert_eq!(bench.read("log"), "master:master\nbackup:backup\n");
    let skipped = capture::take().into_iter();
    let skipped: Vec<_> = skipped.filter(|line| line.contains("skipped")).collect();
    assert_eq!(skipped.len(), 3);
    let expected =
        "INFO: VRID 1 on eth0 (ipv4): scripts for \"backup\" skipped: the state has changed again";
    assert_eq!(skipped[0], expected);
}

#[test]
fn a_state_that_came_back_while_its_script_ran_is_not_told_again() {
    use Occasion::{Backup, Master};
    let mut bench = Bench::new();
    let set = bench.recording(&bench.at_the_gate());
    bench.scripts.configure(&id(1), set);
    for occasion in [Master, Backup, Master] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.turn();
    }
    bench.open_gate();
    bench.until_idle();
    assert_eq!(bench.read("log"), "master:master\n");
}

#[test]
fn virtual_routers_do_not_wait_for_each_other() {
    let mut bench = Bench::new();
    let slow = bench.recording("sleep 1000");
    bench.scripts.configure(&id(1), slow);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until("slow one running", |b| !b.read("log").is_empty());
    let quick = bench.recording("");
    bench.scripts.configure(&id(2), quick);
    bench.scripts.submit(&id(2), happening(Occasion::Backup));
    bench.until("quick one done", |b| b.read("log").contains("backup"));
    let is_running = bench.scripts.lines[&(&id(1)).into()].run.is_some();
    assert!(is_running, "the slow one was not waited for");
}

#[test]
fn hundreds_run_a_few_at_a_time_and_all_get_their_turn() {
    let mut bench = Bench::new();
    let set = bench.recording("sleep 0.05");
    for vrid in 1..=60 {
        bench.scripts.configure(&id(vrid), set.clone());
        bench.scripts.submit(&id(vrid), happening(Occasion::Master));
        bench.scripts.remove(&id(vrid));
    }
    bench.turn();
    assert_eq!(bench.scripts.running, MAX_RUNNING);
    bench.until_idle();
    assert_eq!(bench.read("log").lines().count(), 60);
    assert!(bench.scripts.lines.is_empty(), "removed ones are forgotten");
}

#[test]
fn a_preparation_has_a_result_and_no_state() {
    use Occasion::{Backup, Master, Prepare};
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    let log = bench.dir.join("log");
    let prepare = format!("echo prepare:$3 >>{0}; test -e {0}.ready", log.display());
    set.prepare = bench.script("prepare", &prepare);
    set.prepare_timeout = Duration::from_secs(3);
    bench.scripts.configure(&id(1), set);
    for occasion in [Backup, Prepare] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.until_idle();
    }
    let failed = Err("preparescript failed: exit status: 1".to_owned());
    assert_eq!(bench.scripts.take_prepared(), [(id(1), failed)]);
    fs::write(log.with_extension("ready"), "").expect("a file");
    bench.scripts.submit(&id(1), happening(Prepare));
    bench.until_idle();
    assert_eq!(bench.scripts.take_prepared(), [(id(1), Ok(()))]);
    assert_eq!(bench.scripts.last_occasion(&id(1)), Some(Backup));
    // It is not run again at the takeover, but at one that did not wait for it.
    for occasion in [Master, Backup, Master] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.until_idle();
    }
    let expected = "backup:backup
prepare:prepare
prepare:prepare
master:master
backup:backup
prepare:master
master:master
";
    assert_eq!(bench.read("log"), expected);
    assert!(bench.scripts.take_prepared().is_empty());
}

#[test]
fn a_preparation_that_takes_too_long_has_failed() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    let wait = bench.at_the_gate();
    set.prepare = bench.script(
        "prepare",
        &format!("echo here >{}/began; {wait}", bench.dir.display()),
    );
    set.prepare_timeout = Duration::from_secs(3);
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Prepare));
    bench.until("running", |b| !b.read("began").is_empty());
    bench.reach_deadline(Duration::from_secs(3));
    bench.until_idle();
    let failed = Err("preparescript failed: not done after 3 s".to_owned());
    assert_eq!(bench.scripts.take_prepared(), [(id(1), failed)]);
}

#[test]
fn what_is_done_again_after_healing_is_no_change_of_state() {
    use Occasion::{Backup, Master, Reclaim};
    let mut bench = Bench::new();
    let set = bench.recording("");
    bench.scripts.configure(&id(1), set);
    for occasion in [Reclaim, Master, Reclaim, Reclaim, Backup, Reclaim] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.until_idle();
    }
    let expected = "master:master\nreclaim:reclaim\nreclaim:reclaim\nbackup:backup\n";
    assert_eq!(bench.read("log"), expected);
    // A request waits for what runs, and goes with the state that it was made in.
    let set = bench.recording(&bench.at_the_gate());
    bench.scripts.configure(&id(2), set);
    bench.scripts.submit(&id(2), happening(Master));
    bench.turn();
    bench.scripts.submit(&id(2), happening(Reclaim));
    bench.scripts.submit(&id(2), happening(Backup));
    bench.open_gate();
    bench.until_idle();
    assert!(
        bench
            .read("log")
            .ends_with("master:master\nbackup:backup\n")
    );
}

#[test]
fn a_script_that_fails_is_repeated_until_it_succeeds_or_the_state_changes() {
    use Occasion::{Backup, Master};
    let mut bench = Bench::new();
    let ready = bench.dir.join("ready");
    let mut set = bench.recording(&format!("test -e {}", ready.display()));
    set.retry = true;
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Master));
    bench.until_idle();
    for seconds in [1, 2, 4] {
        bench.reach_deadline(Duration::from_secs(seconds));
        bench.until_idle();
    }
    assert_eq!(bench.read("log"), "master:master\n".repeat(4));
    // Another state has its own scripts, and begins anew.
    bench.scripts.submit(&id(1), happening(Backup));
    bench.until_idle();
    fs::write(&ready, "").expect("a file");
    bench.reach_deadline(Duration::from_secs(1));
    bench.until_idle();
    let expected = "master:master\n".repeat(4) + &"backup:backup\n".repeat(2);
    assert_eq!(bench.read("log"), expected);
    assert_eq!(bench.scripts.deadline(), None, "it has succeeded");
}

#[test]
fn the_notifyscript_hears_every_change_with_the_arguments_of_keepalived() {
    use Occasion::{Backup, Fault, Master, Prepare, Reclaim, Stop};
    let mut bench = Bench::new();
    let out = bench.dir.join("out");
    let mut set = bench.recording("");
    let text = format!("echo \"$*:$VRRP_EVENT:$VRRP_VRID\" >>{}", out.display());
    set.notify = bench.script("n", &text);
    let named = VrId {
        name: Some("web".into()),
        ..id(7)
    };
    bench.scripts.configure(&named, set.clone());
    for occasion in [
        Backup, Prepare, Master, Master, Reclaim, Fault, Backup, Stop, Stop,
    ] {
        bench.scripts.submit(&id(7), happening(occasion));
        bench.until_idle();
    }
    let expected = "INSTANCE web BACKUP 100:backup:7
INSTANCE web MASTER 100:master:7
INSTANCE web FAULT 100:fault:7
INSTANCE web BACKUP 100:backup:7
INSTANCE web STOP 100:stop:7
";
    assert_eq!(bench.read("out"), expected);

    // Without a name its VRID; without a priority of its own the last one.
    bench.scripts.configure(&id(8), set);
    bench.scripts.submit(&id(8), happening(Master));
    bench.until_idle();
    let mut removed = happening(Stop);
    removed.priority = None;
    bench.scripts.submit(&id(8), removed);
    bench.until_idle();
    let expected = "INSTANCE 8 MASTER 100:master:8\nINSTANCE 8 STOP 100:stop:8\n";
    assert!(
        bench.read("out").ends_with(expected),
        "{}",
        bench.read("out")
    );
}

#[test]
fn the_notifyscript_comes_after_the_others_and_each_is_repeated_by_itself() {
    use Occasion::{Fault, Master, Stop};
    let mut bench = Bench::new();
    let (ready, log) = (bench.dir.join("ready"), bench.dir.join("log"));
    let fails = format!("test -e {}", ready.display());
    let mut set = bench.recording(&fails);
    set.retry = true;
    let text = format!("echo notify:$3 >>{}\n{fails}", log.display());
    set.notify = bench.script("n", &text);
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Master));
    bench.until_idle();
    let once = "master:master\nnotify:MASTER\n";
    assert_eq!(bench.read("log"), once);
    bench.reach_deadline(Duration::from_secs(1));
    bench.until_idle();
    assert_eq!(bench.read("log"), once.repeat(2));

    // A faultscript is not repeated; the script before it is, and not the other in its place.
    bench.scripts.submit(&id(1), happening(Fault));
    bench.until_idle();
    fs::write(&ready, "").expect("a file");
    bench.reach_deadline(Duration::from_secs(1));
    bench.until_idle();
    let fault = "backup:fault\nfault:fault\nnotify:FAULT\nbackup:fault\nnotify:FAULT\n";
    assert_eq!(bench.read("log"), once.repeat(2) + fault);
    assert_eq!(bench.scripts.deadline(), None);

    // One that fails as it stops has no state to be repeated in.
    fs::remove_file(&ready).expect("remove a file");
    bench.scripts.submit(&id(1), happening(Stop));
    bench.until_idle();
    assert_eq!(bench.scripts.deadline(), None);
}
