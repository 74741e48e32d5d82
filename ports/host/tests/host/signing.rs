//! Signed advertisements: keys, clocks, and who is believed.

use vrrp_core::{AntiReplay, AuthMode, AuthSettings, DropReason, State, VrSettings};
use vrrp_host::{
    AuthReport, ConfigCause, Event, HmacSpec, Host, HostConfig, KeySource, KeySpec, PathState,
    Secret, VrSpec,
};

use crate::sim::{Sim, advert, config, id, ip, spec};

fn key(id: u8, octet: u8) -> KeySpec {
    KeySpec {
        id,
        source: KeySource::File("/etc/vrrpd/key".into()),
        secret: Secret::new(vec![octet; 32]),
    }
}

fn signed(priority: u8, mode: AuthMode, keys: &[KeySpec], active_key: u8) -> VrSpec {
    VrSpec {
        hmac: Some(HmacSpec {
            settings: AuthSettings {
                mode,
                active_key,
                ..AuthSettings::DEFAULT
            },
            keys: keys.to_vec(),
        }),
        ..spec(1, priority)
    }
}

fn auth(sim: &Sim, host: usize) -> AuthReport {
    sim.report(host, &id("eth0", 1)).auth.expect("it has keys")
}

fn warnings(sim: &Sim, host: usize) -> Vec<String> {
    let all = sim.hosts[host].warnings().into_iter();
    all.map(|warning| warning.text).collect()
}

/// How often a host has told of another state.
fn changes(sim: &Sim, host: usize) -> usize {
    let all = sim.events[host].iter();
    all.filter(|(_, event)| matches!(event, Event::StateChange { .. }))
        .count()
}

/// Reloads the hosts one after the other, with time between them, and sees nobody change its state and
/// nobody refused.
fn sweep(sim: &mut Sim, steps: &[(AuthMode, &[KeySpec], u8)]) {
    for (mode, keys, active) in steps {
        for (host, priority) in [(0, 200), (1, 150), (2, 100)] {
            let new = config(&[signed(priority, *mode, keys, *active)]);
            let before: Vec<usize> = (0..3).map(|host| changes(sim, host)).collect();
            sim.hosts[host].reload(new).expect("a good configuration");
            let end = sim.now().as_micros() / 1000 + 10_000;
            sim.run_to(end);
            let after: Vec<usize> = (0..3).map(|host| changes(sim, host)).collect();
            assert_eq!(before, after, "{mode}, key {active}, host {host}");
        }
    }
    for host in 0..3 {
        let report = sim.report(host, &id("eth0", 1));
        let refused = report.statistics.drops.iter().any(|(_, n)| n > 0);
        assert!(!refused, "{:?}", report.statistics.drops);
    }
}

#[test]
fn a_group_goes_over_to_signatures_and_to_another_key_without_a_loss() {
    let mut sim = Sim::new(&[200, 150, 100].map(|priority| config(&[spec(1, priority)])));
    sim.run_to(10_000);
    let settled = [State::Active, State::Backup, State::Backup];
    assert_eq!(sim.states(1), settled);
    let (old, new) = (key(1, 7), key(2, 8));
    let (one, both) = (&[old.clone()][..], &[old.clone(), new.clone()][..]);
    sweep(&mut sim, &[(AuthMode::ReceiveOnly, one, 1)]);
    let [sender] = auth(&sim, 1).senders[..] else {
        panic!("one master is heard");
    };
    assert!(!sender.signed, "nobody signs yet: {sender:?}");
    assert_eq!(auth(&sim, 1).bare().count(), 1);
    sweep(&mut sim, &[(AuthMode::Permissive, one, 1)]);
    assert_eq!(auth(&sim, 1).bare().count(), 0);
    sweep(&mut sim, &[(AuthMode::Enforce, one, 1)]);
    sweep(
        &mut sim,
        &[
            (AuthMode::Enforce, both, 1),
            (AuthMode::Enforce, both, 2),
            (AuthMode::Enforce, &[new], 2),
        ],
    );
    assert_eq!(sim.states(1), settled);
    let [sender] = auth(&sim, 2).senders[..] else {
        panic!("one master is heard");
    };
    assert_eq!((sender.signed, sender.key_id), (true, Some(2)));
    assert_eq!(sender.skew, Some(0));
    assert_eq!(warnings(&sim, 2), [""; 0]);
}

#[test]
fn nothing_without_a_signature_is_believed_and_what_is_refused_is_told() {
    let one = [key(1, 7)];
    let mut sim = Sim::new(&[
        config(&[signed(200, AuthMode::Enforce, &one, 1)]),
        config(&[signed(100, AuthMode::Enforce, &one, 1)]),
    ]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    let before = (changes(&sim, 0), changes(&sim, 1));
    for step in 0..5u64 {
        let forged = advert("10.0.0.9", 1, 254, &["10.0.0.101"]);
        sim.machine(0).deliver("eth0", forged.clone());
        sim.machine(1).deliver("eth0", forged);
        sim.run_to(10_000 + 1_000 * (step + 1));
    }
    assert_eq!((changes(&sim, 0), changes(&sim, 1)), before);
    let drops = sim.report(1, &id("eth0", 1)).statistics.drops;
    assert_eq!(drops.count(DropReason::AuthMissing), 5);
    assert_eq!(
        warnings(&sim, 1),
        [
            "peer present but refused: 10.0.0.9: it does not sign its advertisements, and authmode is enforce"
        ]
    );
    let report = auth(&sim, 1);
    assert_eq!(report.status.bare_received, 5);
    let bare: Vec<_> = report.bare().map(|sender| sender.address).collect();
    assert_eq!(bare, [ip("10.0.0.9")]);
}

#[test]
fn another_key_is_named_and_both_are_master() {
    let mut sim = Sim::new(&[
        config(&[signed(200, AuthMode::Enforce, &[key(1, 7)], 1)]),
        config(&[signed(100, AuthMode::Enforce, &[key(1, 8)], 1)]),
        config(&[signed(90, AuthMode::Enforce, &[key(2, 7)], 2)]),
        config(&[spec(1, 80)]),
    ]);
    sim.run_to(20_000);
    let refused = |host: usize| {
        let all = warnings(&sim, host).into_iter();
        let all = all.filter_map(|text| {
            text.strip_prefix("peer present but refused: 10.0.0.1: ")
                .map(str::to_owned)
        });
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        refused(1),
        ["its signature is wrong: it has another key under the same id, or is forged"]
    );
    assert_eq!(
        refused(2),
        ["it signs with a key whose id we do not have (keyfile)"]
    );
    assert_eq!(
        refused(3),
        [
            "it signs its advertisements, and we have no key to tell them from forged ones (auth, keyfile)"
        ]
    );
    let report = auth(&sim, 1);
    let all: Vec<_> = report.refused().map(|(s, why)| (s.address, why)).collect();
    assert!(all.contains(&(ip("10.0.0.1"), DropReason::AuthInvalidHmac)));
    assert!(all.contains(&(ip("10.0.0.3"), DropReason::AuthUnknownKey)));
}

#[test]
fn a_host_with_a_wrong_clock_that_nobody_vouches_for_stays_backup() {
    let one = [key(1, 7)];
    let mut sim = Sim::new(&[
        config(&[signed(100, AuthMode::Enforce, &one, 1)]),
        config(&[signed(200, AuthMode::Enforce, &one, 1)]),
    ]);
    sim.frozen.insert(1);
    (sim.machine(1).clock_ahead, sim.machine(1).unsynchronised) = (-312, true);
    sim.run_to(10_000);
    sim.frozen.remove(&1);
    sim.run_to(40_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    // Whole seconds of both turn at different times.
    let found: Vec<String> = warnings(&sim, 1)
        .into_iter()
        .map(|text| text.replace("311 s", "312 s"))
        .collect();
    assert_eq!(
        found,
        [
            "it stays backup, as 10.0.0.1 is present and signs by another clock, and ours is not known to be right: set the clocks of both",
            "peer present but refused: 10.0.0.1: its signature is right, but its clock is 312 s ahead of ours, and timewindow is 5 s: set both clocks",
        ]
    );
    let held = auth(&sim, 1).status.held_by.expect("a peer that is there");
    assert_eq!(held.address, ip("10.0.0.1"));
    assert!((311..=312).contains(&held.skew), "{held:?}");
    // An NTP client sets the clock: it hears the other, and takes over as the better one.
    (sim.machine(1).clock_ahead, sim.machine(1).unsynchronised) = (0, false);
    sim.run_to(50_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    assert_eq!(warnings(&sim, 1), [""; 0]);
}

#[test]
fn a_master_whose_clock_is_set_wrong_is_not_said_to_stay_backup() {
    let one = [key(1, 7)];
    let mut sim = Sim::new(&[
        config(&[signed(200, AuthMode::Enforce, &one, 1)]),
        config(&[signed(100, AuthMode::Enforce, &one, 1)]),
    ]);
    sim.run_to(10_000);
    // As by settimeofday(2), after which the kernel knows the clock for unsynchronised.
    (sim.machine(0).clock_ahead, sim.machine(0).unsynchronised) = (-3_600, true);
    sim.run_to(30_000);
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    let found = warnings(&sim, 0).concat();
    assert!(found.contains("set both clocks"), "{found}");
    assert!(!found.contains("it stays backup"), "{found}");
    assert!(!found.contains("it takes over late"), "{found}");
}

#[test]
fn a_clock_that_nobody_sets_is_a_fault_of_a_backup_and_none_of_a_master() {
    let mut sim = Sim::new(&[config(&[signed(100, AuthMode::Enforce, &[key(1, 7)], 1)])]);
    sim.machine(0).unsynchronised = true;
    sim.run_to(3_000);
    assert_eq!(sim.states(1), [State::Backup]);
    assert_eq!(
        warnings(&sim, 0),
        [
            "it takes over late and from no master, as its clock is not synchronised and no signed advertisement has shown it right: let an NTP client set the clock"
        ]
    );
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Active]);
    assert!(auth(&sim, 0).status.waits_for_clock);
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

#[test]
fn a_step_of_the_clock_is_known_at_the_next_wake_up() {
    let one = [key(1, 7)];
    for ahead in [-3, -3600, 3600, 31_536_000] {
        let mut sim = Sim::new(&[
            config(&[signed(200, AuthMode::Enforce, &one, 1)]),
            config(&[signed(100, AuthMode::Enforce, &one, 1)]),
        ]);
        sim.run_to(10_000);
        // Both follow one server.
        for host in [0, 1] {
            sim.machine(host).clock_ahead = ahead;
        }
        sim.run_to(40_000);
        assert_eq!(sim.states(1), [State::Active, State::Backup], "{ahead}");
        assert_eq!((changes(&sim, 0), changes(&sim, 1)), (2, 1), "{ahead}");
    }
}

#[test]
fn a_key_that_was_not_read_is_refused_and_the_old_ones_stay() {
    let one = [key(1, 7)];
    let good = config(&[signed(200, AuthMode::Enforce, &one, 1)]);
    let mut sim = Sim::new(std::slice::from_ref(&good));
    sim.run_to(10_000);
    let unread = KeySpec {
        secret: None,
        ..key(2, 8)
    };
    let bad = config(&[signed(200, AuthMode::Enforce, &[key(1, 7), unread], 1)]);
    let error = sim.hosts[0].reload(bad.clone()).expect_err("refused");
    assert!(matches!(error.cause, ConfigCause::NoSecret(2)), "{error}");
    assert_eq!(
        error.to_string(),
        "VRID 1 on eth0 (ipv4): its key 2 was not read, so that nothing can be signed"
    );
    assert_eq!(auth(&sim, 0).status.keys, [1, 0, 0, 0]);
    let platform = sim.add_machine();
    assert!(Host::open(platform, bad).is_err());
    // A file is looked at before its keys are read, and one with an active key that is not there is bad.
    assert!(good.check().is_ok());
    let other = config(&[signed(200, AuthMode::Enforce, &one, 3)]);
    assert!(other.check().is_err());
    assert!(sim.hosts[0].reload(other).is_err());
}

#[test]
fn a_sender_whose_key_was_taken_away_is_told() {
    let (old, new) = (key(1, 7), key(2, 8));
    let both = [old.clone(), new.clone()];
    let mut sim = Sim::new(&[
        config(&[signed(200, AuthMode::Enforce, &both, 1)]),
        config(&[signed(100, AuthMode::Enforce, &both, 2)]),
    ]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(auth(&sim, 1).of_keys_that_are_gone().count(), 0);
    let without = config(&[signed(100, AuthMode::Enforce, &[new], 2)]);
    sim.hosts[1].reload(without).expect("a good configuration");
    let report = auth(&sim, 1);
    let gone: Vec<_> = report.of_keys_that_are_gone().collect();
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].0.address, gone[0].1), (ip("10.0.0.1"), 1));
    // The next one is refused, which says the same.
    sim.run_to(12_000);
    let report = auth(&sim, 1);
    assert_eq!(report.of_keys_that_are_gone().count(), 0);
    assert_eq!(report.refused().count(), 1);
}

#[test]
fn monotonic_numbers_need_no_clock_that_is_right() {
    let one = [key(1, 7)];
    let monotonic = |priority| {
        let mut spec = signed(priority, AuthMode::Enforce, &one, 1);
        if let Some(hmac) = &mut spec.hmac {
            hmac.settings.replay = AntiReplay::Monotonic;
        }
        HostConfig {
            boot_count: Some(1_796_000_000),
            ..config(&[spec])
        }
    };
    let mut sim = Sim::new(&[monotonic(200), monotonic(100)]);
    (sim.machine(1).clock_ahead, sim.machine(1).unsynchronised) = (-86_400, true);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim.machine(0).clock_ahead = -3_600;
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(changes(&sim, 1), 1);
    assert_eq!(warnings(&sim, 1), [""; 0]);
}

#[test]
fn a_boot_count_lets_a_host_restart_with_its_clock_set_back() {
    let one = [key(1, 7)];
    let counted = |priority, boot_count| {
        let mut spec = signed(priority, AuthMode::Enforce, &one, 1);
        if let Some(hmac) = &mut spec.hmac {
            hmac.settings.replay = AntiReplay::Monotonic;
        }
        HostConfig {
            boot_count: Some(boot_count),
            ..config(&[spec])
        }
    };
    let boots = 1_800_000_000;
    // With one that is not kept it is refused by the other for an hour, and both are master.
    for (next, both_masters) in [(boots - 3_600, true), (boots + 2, false)] {
        let mut sim = Sim::new(&[counted(200, boots), counted(100, boots)]);
        sim.run_to(10_000);
        assert_eq!(sim.states(1), [State::Active, State::Backup]);
        sim.hosts[0].shutdown();
        sim.run_to(15_000);
        assert!(sim.hosts[0].is_stopped());
        let platform = sim.hosts.remove(0).into_platform();
        sim.machine(0).clock_ahead = -3_600;
        let host = Host::open(platform, counted(200, next)).expect("a good configuration");
        sim.hosts.insert(0, host);
        sim.run_to(30_000);
        let second = [State::Backup, State::Active][usize::from(both_masters)];
        assert_eq!(sim.states(1), [State::Active, second], "{next}");
        let drops = sim.report(1, &id("eth0", 1)).statistics.drops;
        assert_eq!(drops.count(DropReason::AuthReplay) > 0, both_masters);
    }
}

#[test]
fn a_reload_gives_another_boot_count() {
    let one = [key(1, 7)];
    let of = |replay, boot_count| {
        let mut spec = signed(200, AuthMode::Enforce, &one, 1);
        if let Some(hmac) = &mut spec.hmac {
            hmac.settings.replay = replay;
        }
        HostConfig {
            boot_count,
            ..config(&[spec])
        }
    };
    let mut sim = Sim::new(&[of(AntiReplay::Time, None)]);
    sim.run_to(10_000);
    let uncounted = of(AntiReplay::Monotonic, None);
    let error = sim.hosts[0].reload(uncounted).expect_err("no boot count");
    assert!(matches!(error.cause, ConfigCause::NoBootCount), "{error}");
    assert_eq!(error.id, Some(id("eth0", 1)));
    for (millis, boots) in [(12_000, 1_900_000_000_u32), (14_000, 1_900_000_002)] {
        let new = of(AntiReplay::Monotonic, Some(boots));
        sim.hosts[0].reload(new).expect("a good configuration");
        sim.run_to(millis);
        assert_eq!(sim.machine(0).number, Some(boots));
    }
    // Without another one the last stays in force.
    let same = of(AntiReplay::Monotonic, None);
    sim.hosts[0].reload(same).expect("it is counted");
}

#[test]
fn a_password_gives_way_to_keys_and_comes_back() {
    let mut password = spec(1, 200);
    password.settings = VrSettings {
        version: vrrp_core::Version::V2,
        auth: vrrp_core::Auth::Simple(*b"12345678"),
        ..password.settings
    };
    let mut keys = signed(200, AuthMode::Enforce, &[key(1, 7)], 1);
    keys.settings.version = vrrp_core::Version::V2;
    let mut sim = Sim::new(&[config(std::slice::from_ref(&password))]);
    sim.run_to(10_000);
    for (spec, has_keys) in [(&keys, true), (&password, false)] {
        sim.hosts[0]
            .reload(config(std::slice::from_ref(spec)))
            .unwrap();
        let end = sim.now().as_micros() / 1000 + 5_000;
        sim.run_to(end);
        let report = sim.report(0, &id("eth0", 1));
        assert_eq!(report.auth.is_some(), has_keys);
        assert_eq!(report.status.state, State::Active);
    }
    assert_eq!(changes(&sim, 0), 2, "from the start on it stays master");
}

#[test]
fn copies_of_signed_advertisements_are_heard_on_a_second_path() {
    let both = [200, 100].map(|priority| {
        let with_path = VrSpec {
            heartbeat: Some("eth1".into()),
            ..signed(priority, AuthMode::Enforce, &[key(1, 7)], 1)
        };
        config(&[with_path])
    });
    let mut sim = Sim::new(&both);
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    let path = sim.report(1, &id("eth0", 1)).second_path;
    assert_eq!(path.map(|path| path.state), Some(PathState::Both));
    // The engine has judged none of them, so that none is a replay.
    let drops = sim.report(1, &id("eth0", 1)).statistics.drops;
    assert!(drops.iter().all(|(_, n)| n == 0), "{drops:?}");
    assert_eq!(warnings(&sim, 1), [""; 0]);
}
