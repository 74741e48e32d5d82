//! Words an event in one line for readers of logs.
//!
//! The words are those of the configuration file: "master" and "backup", not the RFC's "Active".

use std::time::Duration;

use crate::{About, Ended, Event, GroupWhy, VrId, Warning, Why};
use vrrp_core::{Instant, InterfaceState, Peer, Reason, State};

/// `master`, `backup` or `init`.
pub const fn state(state: State) -> &'static str {
    match state {
        State::Initialize => "init",
        State::Backup => "backup",
        State::Active => "master",
    }
}

/// Whole or with up to three decimals: `3.609 s`.
pub fn seconds(span: Duration) -> String {
    let text = format!("{:.3}", span.as_secs_f64());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} s")
}

/// Why a state changed.
pub fn reason(why: &Why) -> String {
    if let Some(group) = &why.group {
        return group.to_string();
    }
    let from = |peer: Peer| format!("{} (priority {})", peer.address, peer.priority);
    let ours = why.priority;
    match (why.reason, why.peer) {
        (Reason::ActiveTimeout, peer) => silence(why.down_interval, peer),
        (Reason::ActiveUnheard, peer) => {
            let silence = silence(why.down_interval, peer);
            format!("{silence}, though a host answers for the address")
        }
        (Reason::ActiveStopped, Some(peer)) => gave_up(peer.address),
        (Reason::Preempted, Some(peer)) => format!("we preempt {}, ours is {ours}", from(peer)),
        (Reason::HigherPriority, Some(peer)) => {
            format!("{} advertises, ours is {ours}", from(peer))
        }
        (Reason::HigherAddress, Some(peer)) => {
            format!(
                "{} advertises with our priority and a higher address",
                from(peer)
            )
        }
        (Reason::Disabled, _) => ended(why.ended).into(),
        (reason, _) => reason.to_string(),
    }
}

/// The silence of a master, or of everybody.
fn silence(down_interval: Duration, peer: Option<Peer>) -> String {
    let within = seconds(down_interval);
    match peer {
        Some(Peer { address, priority }) => {
            format!("no advertisement within {within} from {address} (priority {priority})")
        }
        None => format!("no advertisement from anybody within {within}"),
    }
}

/// Why a virtual router takes no part any more.
pub const fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Disabled => "disabled",
        Ended::Removed => "removed from the configuration",
        Ended::Replaced => "configured anew",
        Ended::ShuttingDown => "shutting down",
    }
}

/// An advertisement of priority 0, which a router sends that stops, resigns or is disabled.
pub fn gave_up(address: impl std::fmt::Display) -> String {
    format!("{address} gave up mastership")
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Part of ordinary life.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody should look; a warning of [`Host::warnings`](crate::Host::warnings) says it, too,
    /// for as long as it lasts.
    Warned,
}

/// The line for a change of state: `VRID 1 on eth0 (ipv4): backup -> master: ...`.
pub fn change(id: &VrId, from: State, to: State, reason: &str) -> String {
    format!("{id}: {} -> {}: {reason}", state(from), state(to))
}

/// The line for an event.
pub fn event(event: &Event) -> (Weight, String) {
    match event {
        Event::StateChange {
            id, from, to, why, ..
        } => {
            let line = change(id, *from, *to, &reason(why));
            let fault = matches!(
                why.reason,
                Reason::InterfaceDown
                    | Reason::NoPrimaryAddress
                    | Reason::TrackedFault
                    | Reason::StandsBack
                    | Reason::ActiveUnheard
                    | Reason::EffectFailed
            );
            (if fault { Weight::Warning } else { Weight::Info }, line)
        }
        Event::Group {
            name,
            from,
            to,
            why,
            ..
        } => {
            let line = format!("group {name}: {} -> {}: {why}", state(*from), state(*to));
            let fault = matches!(why, GroupWhy::Fault(_));
            (if fault { Weight::Warning } else { Weight::Info }, line)
        }
        Event::GroupRemoved { name } => (Weight::Info, format!("group {name}: removed")),
        Event::Interface { name, state } => (Weight::Info, interface(name, state)),
        Event::Rejected { .. } => (Weight::Warning, rejected(event)),
        Event::Problem { id: Some(id), text } => (Weight::Warning, format!("{id}: {text}")),
        Event::Problem { id: None, text } => (Weight::Warning, text.clone()),
        Event::Stalled { late } => {
            let late = seconds(*late);
            let text = format!("this host stalled: a timer was handled {late} late");
            (Weight::Warning, text)
        }
        Event::Removed { id } => (Weight::Info, format!("{id}: removed")),
        Event::Lost { count } => (Weight::Warning, format!("{count} events were lost")),
        Event::IntervalMismatch {
            id,
            peer,
            ours,
            theirs,
        } => {
            let (ours, theirs) = (
                seconds(ours.duration().into()),
                seconds(theirs.duration().into()),
            );
            let text = format!("{peer} advertises an interval of {theirs}, ours is {ours}");
            (Weight::Warned, format!("{id}: {text}"))
        }
        Event::AddressMismatch {
            id,
            peer,
            ours,
            theirs,
        } => {
            let (ours, theirs) = (list(ours), list(theirs));
            let text = format!("{peer} advertises {theirs}, ours are {ours}");
            (Weight::Warned, format!("{id}: {text}"))
        }
        Event::DualOwner { id, peer } => {
            let text = format!("{peer} claims to own the addresses (priority 255), as we do");
            (Weight::Warned, format!("{id}: {text}"))
        }
        Event::Healed {
            id, peer, silence, ..
        } => {
            let address = peer.address;
            let seconds = silence.as_secs_f64();
            let text = format!(
                "{address} was master, too: no advertisement of it for {seconds:.1} s, so this host alone is master as far as it hears"
            );
            (Weight::Info, format!("{id}: {text}"))
        }
        Event::Prepare { id, peer, .. } => {
            let (address, priority) = (peer.address, peer.priority);
            let text = format!("to take over from {address} (priority {priority}) when prepared");
            (Weight::Info, format!("{id}: {text}"))
        }
        Event::Unheard { id, address, mac } => {
            let text = format!(
                "the master is silent, but a host with the MAC {mac} answers for {address}"
            );
            (Weight::Warned, format!("{id}: {text}"))
        }
        Event::Contested { id, peer } => {
            let (address, priority) = (peer.address, peer.priority);
            let text = format!("{address} goes on advertising with priority {priority}");
            (Weight::Warned, format!("{id}: {text}"))
        }
    }
}

fn list(addresses: &[std::net::IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// `VRID 1 on eth0 (ipv4): cannot ...`.
pub fn warning(warning: &Warning) -> String {
    let text = &warning.text;
    match &warning.about {
        About::Host => text.clone(),
        About::Interface(interface) => format!("{interface}: {text}"),
        About::VirtualRouter(id) => format!("{id}: {text}"),
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

/// A point in time, in milliseconds since 1970, as ISO 8601 has it: `2026-11-29T20:06:12.345Z`.
pub fn utc(time_ms: u64) -> String {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let (seconds, millis) = (time_ms / 1000, time_ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970 + days / DAYS_OF_400_YEARS * 400;
    let mut day = days % DAYS_OF_400_YEARS;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let days_of_year = |year| 365 + u64::from(is_leap(year));
    while day >= days_of_year(year) {
        day -= days_of_year(year);
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let day = day + 1;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// How long ago `at` was, in seconds.
pub fn age(now: Instant, at: Instant) -> f64 {
    now.since(at).as_micros() as f64 / 1e6
}

/// Whether an interface does not exist: its port says nothing about it then.
pub fn is_missing(state: &InterfaceState) -> bool {
    *state == InterfaceState::default()
}

fn interface(name: &str, state: &InterfaceState) -> String {
    if is_missing(state) {
        return format!("{name}: missing");
    }
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
    use crate::VrId;
    use vrrp_core::{Family, Priority, Vrid};

    fn change(why: Reason, peer: Option<Peer>) -> String {
        let happened = Event::StateChange {
            id: VrId {
                interface: "eth0".into(),
                vrid: Vrid::new(1).expect("not 0"),
                family: Family::Ipv4,
                name: None,
            },
            from: State::Backup,
            to: State::Active,
            why: Why {
                reason: why,
                peer,
                priority: Priority::DEFAULT,
                down_interval: Duration::from_micros(3_609_375),
                ended: Ended::Removed,
                group: None,
            },
            addresses: Vec::new(),
        };
        event(&happened).1
    }

    #[test]
    fn a_change_of_state_is_told_with_its_reason_in_one_line() {
        let peer = Peer {
            address: "10.10.10.6".parse().expect("an address"),
            priority: 250,
        };
        assert_eq!(
            change(Reason::ActiveTimeout, Some(peer)),
            "VRID 1 on eth0 (ipv4): backup -> master: no advertisement within 3.609 s from 10.10.10.6 (priority 250)"
        );
        assert_eq!(
            change(Reason::ActiveTimeout, None),
            "VRID 1 on eth0 (ipv4): backup -> master: no advertisement from anybody within 3.609 s"
        );
        assert_eq!(
            change(Reason::ActiveStopped, Some(peer)),
            "VRID 1 on eth0 (ipv4): backup -> master: 10.10.10.6 gave up mastership"
        );
        assert!(
            change(Reason::HigherPriority, Some(peer))
                .ends_with("10.10.10.6 (priority 250) advertises, ours is 100")
        );
        assert!(change(Reason::Disabled, None).ends_with(": removed from the configuration"));
        assert!(change(Reason::InterfaceDown, None).ends_with(": interface down"));
    }

    #[test]
    fn an_interface_that_does_not_exist_is_missing() {
        let told = |state| {
            let name = "em9".into();
            event(&Event::Interface { name, state }).1
        };
        assert_eq!(told(InterfaceState::default()), "em9: missing");
        let there = InterfaceState {
            mac: vrrp_core::MacAddr([2, 0, 0, 0, 0, 1]),
            ..InterfaceState::default()
        };
        assert_eq!(
            told(there),
            "em9: down, no address to advertise from, MAC 02:00:00:00:00:01"
        );
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
    fn points_in_time_are_those_of_the_calendar() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_795_982_772_345, "2026-11-29T20:06:12.345Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (13_569_465_600_000, "2400-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(ms), text);
        }
        assert!(utc(u64::MAX).ends_with('Z'));
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
            event(&rejection(Some(3), 1)).1,
            "VRID 3 on eth0: packet from 10.0.0.9 rejected: checksum-errors"
        );
        assert_eq!(
            event(&rejection(None, 12)).1,
            "eth0: 12 packets rejected, the last from 10.0.0.9: checksum-errors"
        );
    }
}
