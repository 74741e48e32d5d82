//! Failures of a host, and what a client notices of them. Each story is told with the virtual
//! MAC and with the interface's own. Needs root or a user namespace.

use std::time::Duration;

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::{LIMIT, wait_master};
use vrrp_lab::probe::Ask;
use vrrp_lab::{
    HZ, INTERVAL_CS, PATIENCE, Pair, PaperNetwork, Program, Report, Segment, Vr, pause, wait_until,
};

/// Takeover takes 0.72 s by the protocol; the rest is for a busy machine.
const TAKEOVER_US: u64 = 3_000_000 * PATIENCE as u64;

fn vr(vmac: bool) -> Vr {
    Vr::new(1, "10.10.10.53")
        .interval_cs(INTERVAL_CS)
        .vmac(vmac)
}

fn in_both_modes(story: impl Fn(Pair)) {
    for vmac in [true, false] {
        eprintln!("--- virtual MAC: {vmac}");
        story(Pair::start(
            Segment::Switch,
            Program::Vrrpd,
            Program::Vrrpd,
            &vr(vmac),
        ));
    }
}

fn assert_takeover(report: &Report, answerers: &[&str]) {
    let silence_us = report.longest_silence_us();
    assert!(silence_us < TAKEOVER_US, "silence of {silence_us} us");
    assert_eq!(report.answerers(), answerers);
}

/// The probes that a busy machine may lose while the address moves: those on their way
/// to the host that gives it up. Without the handover it would be the skew time, thirty.
const ON_THEIR_WAY: usize = 5;

fn assert_seamless(report: &Report, answerers: &[&str]) {
    assert_eq!(report.answerers(), answerers);
    assert_unbroken(report);
}

fn assert_unbroken(report: &Report) {
    let lost = report.lost();
    assert!(lost <= ON_THEIR_WAY, "{lost}: {:#?}", report.timeline());
}

#[test]
fn a_pulled_cable_and_its_return() {
    in_both_modes(|mut pair| {
        let report = pair.probed(HZ, "fridge", |pair| pair.network.clarinet.pull_cable());
        assert_takeover(&report, &["clarinet", "fridge"]);
        let PaperNetwork { clarinet, .. } = &pair.network;
        wait_until(LIMIT, "clarinet gives the address up", || {
            !clarinet.has_address("10.10.10.53")
        });
        let report = pair.probed(HZ, "clarinet", |pair| pair.network.clarinet.plug_cable());
        assert_takeover(&report, &["fridge", "clarinet"]);
    });
}

#[test]
fn a_dead_switch_port_and_its_return() {
    in_both_modes(|mut pair| {
        let report = probed_until_answer(&pair, "fridge", || pair.network.clarinet.fail_port());
        assert_takeover(&report, &["clarinet", "fridge"]);
        // Both are master now, and do not know. When they meet one gives way, unnoticed.
        let report = pair.probed(HZ, "clarinet", |pair| pair.network.clarinet.mend_port());
        assert_takeover(&report, &["fridge", "clarinet"]);
    });
}

/// As [`Pair::probed`], where the old master goes on advertising to nobody.
fn probed_until_answer(pair: &Pair, then: &str, happens: impl FnOnce()) -> Report {
    let probe = pair.probe(HZ, Ask::Name);
    pause(Duration::from_millis(300));
    happens();
    wait_until(LIMIT, &format!("{then} answers"), || {
        pair.network.jimbob.ask(&pair.address()).as_deref() == Some(then)
    });
    pause(Duration::from_millis(100));
    probe.stop()
}

#[test]
fn a_crash_of_the_daemon_and_its_return() {
    in_both_modes(|mut pair| {
        let report = pair.probed(HZ, "fridge", |pair| pair.clarinet.crash());
        // The crashed host's kernel may serve on: there is no gap to bound from below.
        assert!(report.longest_silence_us() < TAKEOVER_US);
        let Pair {
            clarinet, network, ..
        } = &mut pair;
        clarinet.start_again(&network.clarinet);
        pair.wait_master("clarinet");
        pair.clarinet.stop();
        let PaperNetwork { clarinet, .. } = &pair.network;
        assert!(!clarinet.has_address("10.10.10.53"));
        assert_eq!(clarinet.interfaces(), ["xl0"]);
    });
}

#[test]
fn a_crash_is_cleaned_up_without_another_start() {
    in_both_modes(|mut pair| {
        pair.clarinet.crash();
        let clarinet = &pair.network.clarinet;
        assert!(
            clarinet.has_address("10.10.10.53"),
            "nothing is left to be cleaned up"
        );
        pair.clarinet.clean_up();
        assert!(!clarinet.has_address("10.10.10.53"));
        assert_eq!(clarinet.interfaces(), ["xl0"]);
        pair.wait_master("fridge");
        // The one that serves loses nothing by it.
        pair.fridge.clean_up();
        pair.wait_master("fridge");
    });
}

#[test]
fn a_lost_host_and_its_return() {
    in_both_modes(|mut pair| {
        let report = pair.probed(HZ, "fridge", |pair| {
            pair.clarinet.crash();
            pair.network.clarinet.pull_cable();
        });
        assert_takeover(&report, &["clarinet", "fridge"]);
        pair.clarinet_returns();
        pair.wait_master("clarinet");
    });
}

#[test]
fn a_frozen_master_gives_way_and_comes_back() {
    in_both_modes(|mut pair| {
        pair.probed(HZ, "fridge", |pair| pair.clarinet.freeze());
        pair.clarinet.thaw();
        pair.wait_master("clarinet");
    });
}

#[test]
fn a_frozen_backup_does_not_take_over_when_it_thaws() {
    in_both_modes(|pair| {
        pause(Duration::from_secs(2));
        pair.capture.clear();
        pair.fridge.freeze();
        pause(Duration::from_secs(3));
        pair.fridge.thaw();
        pause(Duration::from_secs(1));
        let adverts = pair.capture.count(|seen| seen.is_advert("fridge", 1));
        assert_eq!(adverts, 0, "{}", pair.capture.tail(30));
    });
}

#[test]
fn a_healed_partition_loses_nothing() {
    for vmac in [true, false] {
        eprintln!("--- virtual MAC: {vmac}");
        let segment = Segment::TwoSwitches;
        let mut pair = Pair::start(segment, Program::Vrrpd, Program::Vrrpd, &vr(vmac));
        // The client is left with the backup.
        let report = probed_until_answer(&pair, "fridge", || pair.network.lab.cut_trunk());
        assert_takeover(&report, &["clarinet", "fridge"]);
        let report = pair.probed(HZ, "clarinet", |pair| pair.network.lab.mend_trunk());
        assert_seamless(&report, &["fridge", "clarinet"]);
    }
}

#[test]
fn two_that_could_not_hear_each_other_leave_the_client_with_one() {
    for vmac in [true, false] {
        eprintln!("--- virtual MAC: {vmac}");
        let pair = Pair::start(Segment::Hub, Program::Vrrpd, Program::Vrrpd, &vr(vmac));
        let PaperNetwork {
            clarinet,
            fridge,
            jimbob,
            lab,
        } = &pair.network;
        lab.partition(&[&[clarinet], &[fridge]]);
        pair.wait_advert("fridge");
        lab.heal();
        pair.wait_master("clarinet");
        jimbob.solicit(pair.vr.addresses[0]);
        assert_eq!(jimbob.ask(&pair.address()).as_deref(), Some("clarinet"));
    }
}

#[test]
fn a_graceful_stop_loses_nothing() {
    in_both_modes(|mut pair| {
        let report = pair.probed(HZ, "fridge", |pair| pair.clarinet.stop());
        assert_seamless(&report, &["clarinet", "fridge"]);
        let goodbye = pair.capture.find(|seen| {
            &*seen.host == "clarinet" && seen.advert().is_some_and(|advert| advert.priority == 0)
        });
        assert_eq!(goodbye.len(), 1);
        assert!(!pair.network.clarinet.has_address("10.10.10.53"));
        assert_eq!(pair.network.clarinet.interfaces(), ["xl0"]);
    });
}

#[test]
fn a_stopped_backup_says_nothing() {
    in_both_modes(|mut pair| {
        pair.capture.clear();
        pair.fridge.stop();
        assert_eq!(pair.capture.count(|seen| seen.is_advert("fridge", 1)), 0);
    });
}

#[test]
fn a_restart_loses_nothing() {
    in_both_modes(|mut pair| {
        let report = pair.probed(HZ, "clarinet", |pair| {
            pair.clarinet.stop();
            pair.clarinet.start_again(&pair.network.clarinet);
        });
        assert_unbroken(&report);
    });
}

#[test]
fn a_handover_by_reload_loses_nothing() {
    in_both_modes(|mut pair| {
        let raised = pair.vr.clone().priority(254);
        let report = pair.probed(HZ, "fridge", |pair| {
            pair.fridge.reload(&pair.network.fridge, &[raised]);
        });
        assert_seamless(&report, &["clarinet", "fridge"]);
        // "Once that is completed the original master can be brought down without impact."
        let report = pair.probed(HZ, "fridge", |pair| pair.clarinet.stop());
        assert_seamless(&report, &["fridge"]);
    });
}

#[test]
fn a_master_that_resigns_hands_over() {
    in_both_modes(|mut pair| {
        let report = pair.probed(HZ, "fridge", |pair| {
            vrrpctl(&pair.network.clarinet, &["resign", "1"]);
        });
        assert_seamless(&report, &["clarinet", "fridge"]);
    });
}

#[test]
fn a_reload_adds_an_address() {
    in_both_modes(|pair| {
        let two = Vr::new(1, "10.10.10.53,10.10.10.80")
            .interval_cs(INTERVAL_CS)
            .vmac(pair.vr.vmac);
        let PaperNetwork {
            clarinet,
            fridge,
            jimbob,
            ..
        } = &pair.network;
        let backup = two.clone().priority(100);
        pair.fridge.reload(fridge, &[backup]);
        let preferred = two.clone().priority(250);
        pair.clarinet.reload(clarinet, &[preferred]);
        wait_master(&pair.capture, jimbob, &two, "clarinet");
        assert_eq!(jimbob.ask("10.10.10.53").as_deref(), Some("clarinet"));
    });
}

#[test]
fn a_reload_of_the_same_file_is_not_noticed() {
    in_both_modes(|mut pair| {
        // Announcements after the start are over by then.
        pause(Duration::from_secs(6));
        pair.capture.clear();
        let same = pair.vr.clone().priority(250);
        let report = pair.probed(HZ, "clarinet", |pair| {
            for _ in 0..5 {
                pair.clarinet
                    .reload(&pair.network.clarinet, std::slice::from_ref(&same));
                pause(Duration::from_millis(130));
            }
        });
        assert_seamless(&report, &["clarinet"]);
        let announced = pair.capture.count(|seen| {
            seen.arp().is_some_and(|arp| arp.is_gratuitous()) && &*seen.host == "clarinet"
        });
        assert_eq!(announced, 0, "{}", pair.capture.tail(30));
        assert_even(&pair);
    });
}

#[test]
fn a_reload_of_a_file_with_errors_changes_nothing() {
    in_both_modes(|mut pair| {
        pair.capture.clear();
        let report = pair.probed(HZ, "clarinet", |pair| {
            pair.clarinet
                .reload_text("[VRID]\nserverid = 300\npriorty = 9\n");
            pause(Duration::from_millis(500));
        });
        assert_seamless(&report, &["clarinet"]);
        pair.clarinet.wait_said("serverid");
        pair.clarinet.wait_said("priorty");
        assert_even(&pair);
    });
}

/// Clarinet's advertisements came when they were due: an interval apart, none too many, and none left out.
/// An advertisement that a busy machine delays moves none of those after it.
fn assert_even(pair: &Pair) {
    let adverts = pair.capture.find(|seen| seen.is_advert("clarinet", 1));
    assert!(adverts.len() > 3);
    let interval_us = i128::from(pair.vr.interval_cs) * 10_000;
    let mut late_us: Vec<i128> = (0..)
        .zip(&adverts)
        .map(|(n, advert)| i128::from(advert.at_us) - n * interval_us)
        .collect();
    late_us.sort_unstable();
    let least_us = late_us[0];
    late_us.iter_mut().for_each(|late| *late -= least_us);
    let most_us = interval_us * i128::from(PATIENCE);
    assert!(late_us.iter().all(|late| *late < most_us), "{late_us:?}");
    // Most are in time: a reload that moved all that follow would show.
    let median_us = late_us[late_us.len() / 2];
    assert!(median_us < most_us / 4, "{late_us:?}");
}

#[test]
fn without_preempt_the_successor_stays() {
    for vmac in [true, false] {
        let vr = vr(vmac).no_preempt();
        let pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
        pair.network.clarinet.pull_cable();
        pair.wait_master("fridge");
        pair.network.clarinet.plug_cable();
        pause(Duration::from_secs(3));
        pair.wait_master("fridge");
        pair.network.fridge.pull_cable();
        pair.wait_master("clarinet");
    }
}

#[test]
fn an_address_taken_away_by_somebody_is_put_back() {
    in_both_modes(|pair| {
        let PaperNetwork { clarinet, .. } = &pair.network;
        clarinet.remove_address("10.10.10.53");
        wait_until(LIMIT, "the address is put back", || {
            clarinet.has_address("10.10.10.53")
        });
        pair.wait_master("clarinet");
    });
}
