//! What happened, in one line for people who read logs.
//!
//! The words are those of the configuration file: "master" and "backup", not the RFC's "Active".

use vrrp_core::{Duration, Instant, Peer, Reason, State, Status, Version};
use vrrp_host::{About, Event, VrId, Warning};

/// `master`, `backup` or `init`.
pub const fn state(state: State) -> &'static str {
    match state {
        State::Initialize => "init",
        State::Backup => "backup",
        State::Active => "master",
    }
}

/// `ipv4` or `ipv6`: the family in arguments and JSON.
pub fn family(id: &VrId) -> String {
    id.family.to_string().to_lowercase()
}

/// `VRID 1 on eth0 (IPv4)`.
pub fn name(id: &VrId) -> String {
    format!("VRID {} on {} ({})", id.vrid, id.interface, id.family)
}

/// Whole or with up to three decimals: `3.609 s`.
pub fn seconds(span: Duration) -> String {
    let text = format!("{:.3}", span.as_micros() as f64 / 1e6);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} s")
}

/// The silence after which the master counts as dead: Active_Down_Interval (RFC 9568 section 6.1),
/// Master_Down_Interval in v2.
pub fn down_interval(status: &Status) -> Duration {
    let interval = status.active_interval.duration().as_micros();
    let unit = match status.version {
        Version::V2 => 1_000_000,
        Version::V3 | Version::Both => interval,
    };
    let skew = u64::from(256 - u16::from(status.priority.get())) * unit / 256;
    Duration::from_micros(3 * interval + skew)
}

/// Why a state changed. `status` is how the virtual router stands after it.
pub fn reason(reason: Reason, peer: Option<Peer>, status: Option<&Status>) -> String {
    let from = |peer: Peer| format!("{} (priority {})", peer.address, peer.priority);
    let than = |status: &Status| format!(", ours is {}", status.priority);
    let ours = status.map(than).unwrap_or_default();
    match (reason, peer) {
        (Reason::ActiveTimeout, peer) => {
            let span = status.map(down_interval);
            let within = span.map(|span| format!(" within {}", seconds(span)));
            let within = within.unwrap_or_default();
            match peer {
                Some(peer) => format!("no advertisement{within} from {}", from(peer)),
                None => format!("no advertisement from anybody{within}"),
            }
        }
        (Reason::ActiveStopped, Some(peer)) => format!("{} has stopped", peer.address),
        (Reason::Preempted, Some(peer)) => {
            format!("we preempt {}{ours}", from(peer))
        }
        (Reason::HigherPriority, Some(peer)) => {
            format!("{} advertises{ours}", from(peer))
        }
        (Reason::HigherAddress, Some(peer)) => {
            format!(
                "{} advertises with our priority and a higher address",
                from(peer)
            )
        }
        (reason, _) => reason.to_string(),
    }
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Part of ordinary life.
    Info,
    /// Somebody should look.
    Warning,
    /// Only for those who look for a fault in vrrpd.
    Debug,
}

/// The line for an event. `status` is how its virtual router stands now, where it has one.
pub fn event(event: &Event, status: Option<&Status>) -> (Weight, String) {
    match event {
        Event::StateChange {
            id,
            from,
            to,
            reason: why,
            peer,
            ..
        } => {
            let why_text = reason(*why, *peer, status);
            let line = format!(
                "{}: {} -> {}: {why_text}",
                name(id),
                state(*from),
                state(*to)
            );
            let fault = matches!(
                why,
                Reason::InterfaceDown
                    | Reason::NoPrimaryAddress
                    | Reason::TrackedFault
                    | Reason::EffectFailed
            );
            (if fault { Weight::Warning } else { Weight::Info }, line)
        }
        Event::Interface { name, state } => (Weight::Info, interface(name, state)),
        Event::Rejected { .. } => (Weight::Warning, rejected(event)),
        Event::Problem { id: Some(id), text } => (Weight::Warning, format!("{}: {text}", name(id))),
        Event::Problem { id: None, text } => (Weight::Warning, text.clone()),
        Event::Stalled { late } => {
            let late = seconds(*late);
            let text = format!("this host stalled: a timer was handled {late} late");
            (Weight::Warning, text)
        }
        Event::Removed { id } => (Weight::Info, format!("{}: removed", name(id))),
        Event::Lost { count } => (Weight::Warning, format!("{count} events were lost")),
        // Warnings say it, for as long as it lasts.
        other => (Weight::Debug, format!("{other:?}")),
    }
}

/// `VRID 1 on eth0 (IPv4): cannot ...`.
pub fn warning(warning: &Warning) -> String {
    let text = &warning.text;
    match &warning.about {
        About::Host => text.clone(),
        About::Interface(interface) => format!("{interface}: {text}"),
        About::VirtualRouter(id) => format!("{}: {text}", name(id)),
    }
}

/// `3 s ago`, `5 min ago`.
pub fn ago(seconds: f64) -> String {
    if seconds < 1.0 {
        "just now".into()
    } else {
        format!("{} ago", span(seconds))
    }
}

/// `3 s`, `5 min`, `2 h 10 min`, `4 d 3 h`.
pub fn span(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    let two = |big: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {smaller}"),
    };
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => two(s / 60, "min", s % 60, "s"),
        3_600..86_400 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

/// How long ago `at` was, in seconds.
pub fn age(now: Instant, at: Instant) -> f64 {
    now.since(at).as_micros() as f64 / 1e6
}

fn interface(name: &str, state: &vrrp_core::InterfaceState) -> String {
    let updown = if state.up { "up" } else { "down" };
    let addresses = match (state.ipv4, state.ipv6) {
        (None, None) => "no address to advertise from".to_string(),
        (Some(ipv4), None) => ipv4.to_string(),
        (None, Some(ipv6)) => ipv6.to_string(),
        (Some(ipv4), Some(ipv6)) => format!("{ipv4}, {ipv6}"),
    };
    // It may be all that has changed.
    format!("{name}: {updown}, {addresses}, MAC {}", state.mac)
}

fn rejected(event: &Event) -> String {
    let Event::Rejected {
        interface,
        source,
        vrid,
        reason,
        count,
    } = event
    else {
        return String::new();
    };
    let of = vrid.map(|v| format!("VRID {v} on ")).unwrap_or_default();
    let from = source.map(|s| format!(" from {s}")).unwrap_or_default();
    match count {
        0 | 1 => format!("{of}{interface}: packet{from} rejected: {reason}"),
        n => format!("{of}{interface}: {n} packets rejected, the last{from}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_core::{AdvertInterval, Family, Priority, VrKey, Vrid};

    fn status(version: Version, priority: u8) -> Status {
        let vrid = Vrid::new(1).expect("not 0");
        Status {
            key: VrKey {
                ifindex: 1,
                vrid,
                family: Family::Ipv4,
            },
            state: State::Active,
            reason: Reason::ActiveTimeout,
            since: Instant::from_micros(0),
            enabled: true,
            handing_over: false,
            resigned: false,
            version,
            priority: Priority::new(priority).expect("not 0"),
            base_priority: Priority::new(priority).expect("not 0"),
            advert_interval: AdvertInterval::DEFAULT,
            active_interval: AdvertInterval::DEFAULT,
            active: None,
            pseudo_header: true,
        }
    }

    fn change(why: Reason, peer: Option<Peer>) -> String {
        let happened = Event::StateChange {
            id: VrId {
                interface: "eth0".into(),
                vrid: Vrid::new(1).expect("not 0"),
                family: Family::Ipv4,
            },
            from: State::Backup,
            to: State::Active,
            reason: why,
            peer,
            addresses: Vec::new(),
        };
        event(&happened, Some(&status(Version::V3, 100))).1
    }

    #[test]
    fn a_change_of_state_is_told_with_its_reason_in_one_line() {
        let peer = Peer {
            address: "10.10.10.6".parse().expect("an address"),
            priority: 250,
        };
        assert_eq!(
            change(Reason::ActiveTimeout, Some(peer)),
            "VRID 1 on eth0 (IPv4): backup -> master: no advertisement within 3.609 s from 10.10.10.6 (priority 250)"
        );
        assert_eq!(
            change(Reason::ActiveTimeout, None),
            "VRID 1 on eth0 (IPv4): backup -> master: no advertisement from anybody within 3.609 s"
        );
        assert_eq!(
            change(Reason::ActiveStopped, Some(peer)),
            "VRID 1 on eth0 (IPv4): backup -> master: 10.10.10.6 has stopped"
        );
        assert!(
            change(Reason::HigherPriority, Some(peer))
                .ends_with("10.10.10.6 (priority 250) advertises, ours is 100")
        );
        assert!(change(Reason::InterfaceDown, None).ends_with(": interface down"));
    }

    #[test]
    fn the_down_interval_is_that_of_the_version() {
        let micros = |version, priority| down_interval(&status(version, priority)).as_micros();
        assert_eq!(micros(Version::V3, 100), 3_609_375);
        assert_eq!(micros(Version::V2, 100), 3_609_375);
        let mut fast = status(Version::V3, 250);
        fast.active_interval = AdvertInterval::from_centis(10).expect("legal");
        assert_eq!(down_interval(&fast).as_micros(), 302_343);
        assert_eq!(seconds(down_interval(&fast)), "0.302 s");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        assert_eq!(ago(0.4), "just now");
        assert_eq!(ago(3.7), "3 s ago");
        assert_eq!(span(60.0), "1 min");
        assert_eq!(span(7_810.0), "2 h 10 min");
        assert_eq!(span(356_400.0), "4 d 3 h");
        assert_eq!(span(-1.0), "0 s");
    }

    #[test]
    fn rejections_name_what_is_known() {
        let rejection = |vrid, count| Event::Rejected {
            interface: "eth0".into(),
            source: "10.0.0.9".parse().ok(),
            vrid,
            reason: vrrp_core::DropReason::Checksum,
            count,
        };
        assert_eq!(
            event(&rejection(Some(3), 1), None).1,
            "VRID 3 on eth0: packet from 10.0.0.9 rejected: checksum-errors"
        );
        assert_eq!(
            event(&rejection(None, 12), None).1,
            "eth0: 12 packets rejected, the last from 10.0.0.9: checksum-errors"
        );
    }
}
