//! The checks themselves: an engine that did what it must not would be seen.

use vrrp_core::wire::arp;

use super::*;

const NOW: Instant = Instant::from_micros(20_000_000);

fn key() -> VrKey {
    VrKey {
        ifindex: 1,
        vrid: vrrp_core::Vrid::new(7).unwrap(),
        family: Family::Ipv4,
    }
}

/// A port whose virtual router has become Active, or is a Backup that has heard nothing yet.
fn port(active: bool) -> Port {
    let mut port = Port::new();
    let start = Instant::from_micros(1_000_000);
    let up = interface(MacAddr([2, 0, 0, 0, 0, 1]), 1);
    let address = vrrp_core::VirtualAddress {
        address: [10, 0, 0, 80].into(),
        prefix_len: 24,
    };
    let engine = port.engine_mut();
    engine.set_interface(start, 1, up).unwrap();
    port.insert(start, key(), &Config::new(vec![address]))
        .unwrap();
    port.engine_mut()
        .admin(start)
        .set_enabled(key(), true)
        .unwrap();
    let mut now = start;
    port.settle(now, &mut || false).unwrap();
    while active && port.held()[&key()].state != State::Active {
        now = port.engine().poll_timeout().unwrap();
        port.settle(now, &mut || false).unwrap();
    }
    port
}

/// The check's answer to an output while the engine is in `status`, or as it is.
fn perform(port: &mut Port, output: &Output<'_>, status: Option<Status>) -> &'static str {
    let status = status.or_else(|| port.engine.status(key()));
    let tables = Tables {
        engine: &port.engine,
        vrs: &mut port.vrs,
        groups: &mut port.groups,
        changes: &mut port.changes,
        now: NOW,
    };
    let performed = tables.perform(output, status, false, &mut Vec::new());
    performed.err().map_or("", |violation| violation.rule)
}

fn at_rest(port: &Port) -> &'static str {
    port.check_at_rest().err().map_or("", |v| v.rule)
}

/// The frames that become Active sends, each with its kind.
fn frames(source: MacAddr, priority: u8) -> [(FrameKind, Vec<u8>); 2] {
    let mut buf = [0; 128];
    let ip = [10, 0, 0, 80].into();
    let arp = arp::emit_gratuitous(&mut buf, source, ip).unwrap().len;
    let arp = buf[..arp].to_vec();
    let config = Config::new(Vec::new());
    let advert = vrrp_core::wire::Advert {
        source_mac: source,
        destination_mac: Family::Ipv4.group_mac(),
        source: [10, 0, 0, 1].into(),
        destination: Family::Ipv4.group(),
        ttl: 255,
        version: vrrp_core::wire::WireVersion::V3,
        vrid: key().vrid,
        priority,
        interval: config.settings.advert_interval,
        auth: config.settings.auth,
        pseudo_header: true,
    };
    let addresses = [IpAddr::V4(ip)].into_iter();
    let len = advert.emit(&mut buf, addresses).unwrap().len;
    [
        (FrameKind::GratuitousArp, arp),
        (FrameKind::Advertisement, buf[..len].to_vec()),
    ]
}

fn transmit(kind: FrameKind, frame: &[u8]) -> Output<'_> {
    Output::Transmit(Transmit {
        key: key(),
        frame,
        ip_offset: 14,
        payload_offset: 34,
        kind,
        unicast: None,
    })
}

const ASKS: &str = "a Backup asks with its own MAC, and claims nothing";

#[test]
fn a_backup_that_speaks_is_seen() {
    for (kind, frame) in frames(key().virtual_mac(), 100) {
        let rule = perform(&mut port(false), &transmit(kind, &frame), None);
        assert_eq!(rule, "nothing is sent from a virtual MAC that is not held");
        // The same by a router that is Active is fine.
        assert_eq!(perform(&mut port(true), &transmit(kind, &frame), None), "");
    }
    // Unless it asks, with its own MAC.
    let own = MacAddr([2, 0, 0, 0, 0, 1]);
    for (active, source, ip, expected) in [
        (false, own, [0; 4], ""),
        (false, own, [10, 0, 0, 80], ASKS),
        (false, key().virtual_mac(), [0; 4], ASKS),
        (true, own, [0; 4], ASKS),
    ] {
        let mut buf = [0; 128];
        let emitted = arp::emit_request(&mut buf, source, ip.into(), [10, 0, 0, 80].into());
        let frame = &buf[..emitted.unwrap().len];
        let probe = transmit(FrameKind::NeighborProbe, frame);
        assert_eq!(perform(&mut port(active), &probe, None), expected);
    }
    // Not even with the MAC in its hands.
    let [announcement, advert] = frames(key().virtual_mac(), 100);
    for ((kind, frame), expected) in [
        (announcement, "nothing is announced before it is served"),
        (advert, "a router advertises what it is"),
    ] {
        let mut port = port(false);
        port.vrs.get_mut(&key()).unwrap().mac = true;
        assert_eq!(perform(&mut port, &transmit(kind, &frame), None), expected);
    }
    for (kind, frame) in frames(MacAddr([2, 0, 0, 0, 0, 1]), 100) {
        let rule = perform(&mut port(true), &transmit(kind, &frame), None);
        assert_eq!(rule, "frames come from the MAC that serves the addresses");
    }
}

#[test]
fn priority_0_is_for_those_who_leave_on_their_own() {
    let [_, (kind, frame)] = frames(key().virtual_mac(), 0);
    let mut port = port(true);
    let active = port.engine.status(key()).unwrap();
    let left = |state, reason| {
        let mut status = active;
        (status.state, status.reason) = (state, reason);
        status
    };
    for (status, expected) in [
        (active, "a router advertises what it is"),
        (
            left(State::Backup, Reason::HigherPriority),
            "a router advertises what it is",
        ),
        (left(State::Initialize, Reason::Disabled), ""),
        (left(State::Initialize, Reason::TrackedFault), ""),
        (left(State::Initialize, Reason::EffectFailed), ""),
    ] {
        let rule = perform(&mut port, &transmit(kind, &frame), Some(status));
        assert_eq!(rule, expected, "{status:?}");
    }
}

#[test]
fn who_leaves_without_a_word_is_seen() {
    let mut port = port(true);
    let mut status = port.engine.status(key()).unwrap();
    (status.state, status.reason) = (State::Initialize, Reason::Disabled);
    let gives_up = Output::SetAddress {
        key: key(),
        address: port.engine.addresses(key()).next().unwrap(),
        accept: false,
        on: false,
    };
    let rule = perform(&mut port, &gives_up, Some(status));
    assert_eq!(rule, "priority 0 precedes a voluntary leave");
    port.vrs.get_mut(&key()).unwrap().said = Some(0);
    assert_eq!(perform(&mut port, &gives_up, Some(status)), "");
}

#[test]
fn an_address_that_is_kept_or_taken_without_right_is_seen() {
    let served: IpAddr = [10, 0, 0, 80].into();
    let mut backup = port(false);
    let takes = Output::SetAddress {
        key: key(),
        address: backup.engine.addresses(key()).next().unwrap(),
        accept: false,
        on: true,
    };
    let rule = perform(&mut backup, &takes, None);
    assert_eq!(rule, "an address is installed only by an Active router");

    assert_eq!(at_rest(&backup), "");
    let held = backup.vrs.get_mut(&key()).unwrap();
    held.addresses.insert(served, false);
    assert_eq!(
        at_rest(&backup),
        "the addresses are served by an Active router and no other"
    );

    let mut active = port(true);
    assert_eq!(at_rest(&active), "");
    active.vrs.get_mut(&key()).unwrap().addresses.clear();
    assert_eq!(
        at_rest(&active),
        "the addresses are served by an Active router and no other"
    );
    let gives_up_mac = Output::SetMac {
        key: key(),
        mac: key().virtual_mac(),
        on: false,
    };
    active
        .vrs
        .get_mut(&key())
        .unwrap()
        .addresses
        .insert(served, false);
    let rule = perform(&mut active, &gives_up_mac, None);
    assert_eq!(rule, "addresses go before the MAC");
}

#[test]
fn a_mac_or_a_group_that_is_kept_is_seen() {
    let mut backup = port(false);
    backup.vrs.get_mut(&key()).unwrap().mac = true;
    assert_eq!(
        at_rest(&backup),
        "the virtual MAC is held by an Active router and no other"
    );
    let mut backup = port(false);
    backup.groups.clear();
    assert_eq!(
        at_rest(&backup),
        "a group is joined while somebody listens to it"
    );
    let mut backup = port(false);
    backup.groups.insert((2, Family::Ipv6));
    assert_eq!(
        at_rest(&backup),
        "a group is joined while somebody listens to it"
    );
}

#[test]
fn a_deadline_that_has_passed_is_seen() {
    let late = check_deadline(Some(NOW), NOW);
    assert_eq!(
        late.map_err(|v| v.rule),
        Err("no deadline lies in the past")
    );
    assert!(check_deadline(Some(NOW + vrrp_core::Duration::from_micros(1)), NOW).is_ok());
    assert!(check_deadline(None, NOW).is_ok());
}

#[test]
fn an_engine_without_end_is_seen() {
    // Every effect fails, and the engine is told of none: it would ask for the same for ever.
    let last = transmit(FrameKind::Advertisement, &[]);
    let steps = (0..).map(|step| check_steps(step, 1, &last));
    let allowed = steps.take_while(Result::is_ok).count();
    assert!((64..1_000).contains(&allowed), "{allowed}");
}
