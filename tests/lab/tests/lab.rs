//! The lab itself: what the scenarios rely on, without any daemon. Needs root or a user namespace.

use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use vrrp_lab::Lab;
use vrrp_lab::decode::What;
use vrrp_lab::probe::Ask;
use vrrp_lab::{HZ, PATIENCE, PaperNetwork, Probe, Segment, pause, wait_until};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_pulled_cable_is_seen_by_the_host_and_by_the_client() {
    let PaperNetwork {
        clarinet, jimbob, ..
    } = &PaperNetwork::new(Segment::Hub);
    assert_eq!(jimbob.ask("10.10.10.6").as_deref(), Some("clarinet"));
    assert_eq!(jimbob.ask("fd00:10::6").as_deref(), Some("clarinet"));
    clarinet.pull_cable();
    wait_until(SOON, "clarinet loses its carrier", || {
        !clarinet.has_carrier()
    });
    assert_eq!(jimbob.ask("10.10.10.6"), None);
    clarinet.plug_cable();
    wait_until(SOON, "clarinet answers again", || {
        jimbob.ask("10.10.10.6").as_deref() == Some("clarinet")
    });
}

#[test]
fn a_dead_port_passes_nothing_and_the_carrier_stays() {
    let PaperNetwork {
        clarinet, jimbob, ..
    } = &PaperNetwork::new(Segment::Switch);
    assert_eq!(jimbob.ask("10.10.10.6").as_deref(), Some("clarinet"));
    clarinet.fail_port();
    assert_eq!(jimbob.ask("10.10.10.6"), None);
    assert!(clarinet.has_carrier());
    clarinet.mend_port();
    assert_eq!(jimbob.ask("10.10.10.6").as_deref(), Some("clarinet"));
}

/// The segments of one host are apart, and a cable belongs to one interface.
#[cfg(target_os = "linux")]
#[test]
fn a_host_joins_two_segments() {
    let lan = Lab::new(Segment::Hub);
    let wan = lan.segment(Segment::Switch, 20);
    let (gateway, inside) = (lan.host("gateway", 1), lan.host("inside", 5));
    let outside = wan.host("outside", 5);
    let uplink = gateway.join(&wan, "xl1");
    gateway.serve();
    assert_eq!(gateway.interfaces(), ["xl0", "xl1"]);
    assert_eq!(inside.ask("10.10.10.1").as_deref(), Some("gateway"));
    assert_eq!(outside.ask("10.10.20.1").as_deref(), Some("gateway"));
    assert_eq!(outside.ask("fd00:20::1").as_deref(), Some("gateway"));
    assert_eq!(inside.ask("10.10.20.5"), None);
    uplink.pull_cable();
    assert_eq!(outside.ask("10.10.20.1"), None);
    assert_eq!(inside.ask("10.10.10.1").as_deref(), Some("gateway"));
    uplink.plug_cable();
    wait_until(SOON, "the gateway answers again", || {
        outside.ask("10.10.20.1").as_deref() == Some("gateway")
    });
}

#[test]
fn a_partition_divides_its_groups_and_nobody_else() {
    let network = PaperNetwork::new(Segment::Hub);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        lab,
    } = &network;
    lab.partition(&[&[clarinet], &[fridge]]);
    assert_eq!(clarinet.ask("10.10.10.2"), None);
    assert_eq!(fridge.ask("10.10.10.6"), None);
    assert_eq!(jimbob.ask("10.10.10.6").as_deref(), Some("clarinet"));
    assert_eq!(jimbob.ask("10.10.10.2").as_deref(), Some("fridge"));
    lab.heal();
    // An ARP request of the divided time may be waiting for its second to be over.
    wait_until(SOON, "clarinet hears fridge again", || {
        clarinet.ask("10.10.10.2").as_deref() == Some("fridge")
    });
}

#[test]
fn a_hub_floods_and_a_switch_learns() {
    for (segment, floods) in [(Segment::Hub, true), (Segment::Switch, false)] {
        let network = PaperNetwork::new(segment);
        let PaperNetwork { fridge, jimbob, .. } = &network;
        assert!(jimbob.ask("10.10.10.6").is_some());
        let before = fridge.received();
        for _ in 0..20 {
            assert!(jimbob.ask("10.10.10.6").is_some());
        }
        assert_eq!(fridge.received() >= before + 40, floods, "{segment:?}");
    }
}

#[test]
fn probes_count_what_is_lost_and_how_long_the_silence_was() {
    let PaperNetwork {
        clarinet, jimbob, ..
    } = &PaperNetwork::new(Segment::Hub);
    for (address, ask) in [
        ("10.10.10.6", Ask::Ping),
        ("fd00:10::6", Ask::Ping),
        ("10.10.10.6", Ask::Name),
        ("fd00:10::6", Ask::Name),
    ] {
        assert!(jimbob.ask(address).is_some());
        let probe = Probe::start(jimbob, address, HZ, ask);
        pause(Duration::from_millis(300));
        let start = Instant::now();
        clarinet.fail_port();
        pause(Duration::from_millis(200));
        clarinet.mend_port();
        // Setting a port takes time too.
        let most = start.elapsed() + Duration::from_millis(100) * PATIENCE;
        pause(Duration::from_millis(300));
        let report = probe.stop();
        let silence = Duration::from_micros(report.longest_silence_us());
        let lost = report.lost();
        let silent = Duration::from_secs(1) / HZ * lost as u32;
        let least = Duration::from_millis(100) * PATIENCE;
        assert!(
            (least..=most).contains(&silent),
            "{address} {ask:?}: {lost} lost in {most:?}"
        );
        assert!(
            (least..=most).contains(&silence),
            "{address} {ask:?}: {silence:?} of {most:?}"
        );
        assert_eq!(report.duplicates(), 0);
        let who = if ask == Ask::Name {
            "clarinet"
        } else {
            "somebody"
        };
        assert_eq!(report.answerers(), [who]);
    }
}

#[test]
fn the_capture_tells_who_put_a_frame_on_the_wire() {
    let network = PaperNetwork::new(Segment::Hub);
    let PaperNetwork {
        clarinet,
        jimbob,
        lab,
        ..
    } = &network;
    let capture = lab.capture();
    jimbob.forget_neighbours();
    assert!(jimbob.ask("10.10.10.6").is_some());
    let reply = capture.wait_for(SOON, "an ARP reply", |seen| {
        seen.arp()
            .is_some_and(|arp| arp.op == 2 && arp.spa == clarinet.v4())
    });
    assert_eq!(&*reply.host, "clarinet");
    assert_eq!(reply.frame.src, clarinet.mac());
    assert_eq!(reply.frame.dst, jimbob.mac());

    assert!(jimbob.ask("fd00:10::6").is_some());
    let advertised = capture.wait_for(SOON, "a neighbour advertisement", |seen| {
        seen.neighbour()
            .is_some_and(|neighbour| neighbour.kind == 136)
    });
    let neighbour = advertised.neighbour().expect("just matched");
    assert_eq!(neighbour.link, Some(clarinet.mac()));
    assert!(neighbour.checksum_ok);
    assert!(capture.count(|seen| seen.frame.what == What::Other(0x0800, 17)) >= 2);
}
