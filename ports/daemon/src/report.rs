//! A host's reports in the words of the control socket.

use std::collections::BTreeMap;

use vrrp_core::{
    ActiveRouter, ChecksumMode, Family, Instant, MacMode, OnConflict, Reason, State, Statistics,
    Status, TrackEffect, Version,
};
use vrrp_host::{
    About, AuthReport, GroupReport, InterfaceReport, Lateness, RoutingItem, Sighting, TrackReport,
    Tracked, VrId, VrReport, Warning, Why,
};

use vrrp_control::{
    Auth, AuthSender, Conflict, Group, Heartbeat, Peer, RefusedPeer, Rejected, Seen, Term,
    TimerLate, TrackedObject, Versions, VirtualRouter, VrStats,
};
use vrrp_host::wording;

/// A family in the words of the control protocol.
pub const fn family(family: Family) -> vrrp_control::Family {
    match family {
        Family::Ipv4 => vrrp_control::Family::Ipv4,
        Family::Ipv6 => vrrp_control::Family::Ipv6,
    }
}

/// A state in the words of the control protocol.
pub const fn state(state: State) -> vrrp_control::State {
    match state {
        State::Initialize => vrrp_control::State::Init,
        State::Backup => vrrp_control::State::Backup,
        State::Active => vrrp_control::State::Master,
    }
}

/// The cause of a change as one word that does not change. The first four are the new-active-reason of
/// draft-ietf-rtgwg-vrrp-rfc8347bis, where that has the same.
pub const fn cause(why: &Why) -> &'static str {
    if why.group.is_some() {
        return "group";
    }
    match why.reason {
        Reason::ActiveTimeout => "no-response",
        Reason::ActiveUnheard => "unheard",
        Reason::Preempted => "preempted",
        Reason::Owner => "priority",
        Reason::Started => "not-active",
        Reason::ActiveStopped => "given-up",
        Reason::HigherPriority => "higher-priority",
        Reason::HigherAddress => "higher-address",
        Reason::Resigned => "resigned",
        Reason::Disabled => "disabled",
        Reason::InterfaceDown => "interface-down",
        Reason::NoPrimaryAddress => "no-address",
        Reason::TrackedFault => "tracked-fault",
        Reason::EffectFailed => "effect-failed",
        Reason::StandsBack => "stands-back",
    }
}

fn seconds(span: vrrp_core::Duration) -> f64 {
    span.as_micros() as f64 / 1e6
}

/// The group of a virtual router, as one of `groups`.
pub fn group(report: &VrReport, groups: &[GroupReport], now: Instant) -> Option<Group> {
    let name = report.group.as_ref()?;
    let group = groups.iter().find(|group| group.name == *name)?;
    Some(Group {
        name: group.name.to_string(),
        state: state(group.state),
        wanted: state(group.wanted),
        since_s: wording::age(now, group.since),
        reason: group.why.to_string(),
        members: group.members.iter().map(ToString::to_string).collect(),
        waits: report.status.due,
        obstacles: group.obstacles.iter().map(obstacle).collect(),
    })
}

/// A member that would not be master, and its cause.
fn obstacle((member, status): &(VrId, Status)) -> String {
    let ours = status.priority;
    let heard = status.active.filter(|active| active.priority != 0);
    let cause = match heard {
        _ if status.resigned => "was told to resign".to_owned(),
        Some(active) if active.priority >= ours.get() => format!(
            "hears {} (priority {}), its own is {ours}",
            active.address, active.priority
        ),
        _ if status.standing_back => "stands back".to_owned(),
        Some(active) => format!(
            "hears {} (priority {}), and has not preempted it",
            active.address, active.priority
        ),
        None if status.state == State::Initialize => "takes no part yet".to_owned(),
        None => "has not waited long enough for a master".to_owned(),
    };
    format!("{member} {cause}")
}

/// How a virtual router stands, with those of `warnings` that are about it, and why its state changed
/// last. Its checks are for the caller to add.
pub fn virtual_router(
    report: &VrReport,
    now: Instant,
    warnings: &[Warning],
    reason: &str,
) -> VirtualRouter {
    let (status, settings) = (&report.status, &report.settings);
    let source = report.source.map(|address| address.to_string());
    let missing = wording::is_missing(&report.interface);
    let (routes, rules) = routing(&report.routing);
    VirtualRouter {
        vrid: report.id.vrid.get(),
        name: report.id.name.as_deref().map(str::to_owned),
        // For the caller to add.
        group: None,
        interface: report.id.interface.clone(),
        family: family(report.id.family),
        state: state(status.state),
        since_s: wording::age(now, status.since),
        reason: match &report.refused {
            Some(why) => format!("not ready: {why}"),
            None if report.why.reason == Reason::InterfaceDown && missing => {
                "interface missing".into()
            }
            None => reason.to_owned(),
        },
        cause: cause(&report.why).into(),
        priority: status.priority.get(),
        base_priority: status.base_priority.get(),
        configured_priority: report.configured_priority.get(),
        priority_override: report.priority_override.map(vrrp_core::Priority::get),
        terms: terms(report),
        // For the caller to add.
        overrides: Vec::new(),
        enabled: status.enabled,
        resigned: status.resigned,
        handing_over: status.handing_over,
        standing_back: status.standing_back,
        leaving: report.leaving,
        version: match status.version {
            Version::V2 => Versions::V2,
            Version::V3 => Versions::V3,
            Version::Both => Versions::Both,
        },
        interval_s: seconds(status.advert_interval.duration()),
        down_interval_s: seconds(status.down_interval),
        source,
        peer: status.active.as_ref().map(|active| peer(active, now)),
        addresses: report.addresses.iter().map(address).collect(),
        routes,
        rules,
        mac: report.mac.to_string(),
        virtual_mac: report.mac_mode == MacMode::Virtual,
        mac_interface: report.mac_interface.clone(),
        interface_up: report.interface.up,
        interface_missing: missing,
        preempt: settings.preempt && !report.held,
        preempt_delay_s: seconds(settings.preempt_delay),
        preempt_left_s: report.preempts_at.map(|at| seconds(at.since(now))),
        start_delay_s: seconds(settings.start_delay),
        start_left_s: start_left(report, now),
        peers: report.peers.iter().map(ToString::to_string).collect(),
        checksum: match settings.checksum {
            ChecksumMode::Auto => "auto",
            ChecksumMode::Rfc9568 => "rfc9568",
            ChecksumMode::Rfc5798 => "rfc5798",
        }
        .into(),
        tracked: report.tracks.iter().map(tracked).collect(),
        checks: Vec::new(),
        warnings: texts(&report.id, warnings),
        notes: notes(report),
        refused_peers: report.refused_peers,
        conflict: report.holder.map(|holder| Conflict {
            address: holder.address.to_string(),
            mac: holder.mac.to_string(),
            waits: status.state == State::Backup && settings.on_conflict == OnConflict::Wait,
        }),
        heartbeat: report.second_path.as_ref().map(|path| Heartbeat {
            interface: path.interface.clone(),
            state: path.state.word().to_owned(),
            peer: path.peer.map(|peer| peer.to_string()),
            priority: path.priority,
            last_heard_s: path.last_heard.map(|at| wording::age(now, at)),
        }),
        refused: report
            .first_refused
            .iter()
            .map(|(address, reason)| RefusedPeer {
                address: address.to_string(),
                reason: reason.to_string(),
            })
            .collect(),
        scripts: Vec::new(),
        masters: report.masters,
        last_rejected: report.rejected.map(|last| Rejected {
            reason: last.reason.to_string(),
            source: Some(last.source.to_string()),
            age_s: wording::age(now, last.at),
            count: last.count,
        }),
        auth: report.auth.as_ref().map(|auth| Auth {
            // A master hears such a peer, too, and nothing holds it.
            held_by: auth
                .status
                .held_by
                .filter(|_| status.state == State::Backup)
                .map(|held| held.address.to_string()),
            ..signatures(auth, now)
        }),
    }
}

/// The signatures of a virtual router, and what stands in the way of refusing whoever has none.
fn signatures(report: &AuthReport, now: Instant) -> Auth {
    let status = &report.status;
    let heard = |at| wording::ago(wording::age(now, at));
    let bare = report.bare().map(|sender| {
        format!(
            "{} still sends bare advertisements (heard {})",
            sender.address,
            heard(sender.last_heard)
        )
    });
    let refused = report.refused().map(|(sender, reason)| {
        format!(
            "{} is refused: {reason} (heard {})",
            sender.address,
            heard(sender.last_heard)
        )
    });
    let gone = report.of_keys_that_are_gone().map(|(sender, id)| {
        format!(
            "{} signed with key {id}, which is not here any more (heard {})",
            sender.address,
            heard(sender.last_heard)
        )
    });
    let obstacles: Vec<String> = bare.chain(refused).chain(gone).collect();
    let senders = report.senders.iter().map(|sender| AuthSender {
        address: sender.address.to_string(),
        signed: sender.signed,
        key_id: sender.key_id,
        skew_s: sender.skew,
        last_heard_s: wording::age(now, sender.last_heard),
        refusal: sender.refusal.map(|(reason, _)| reason.to_string()),
        refused_s: sender.refusal.map(|(_, at)| wording::age(now, at)),
        believed: sender.believed,
        refused: sender.refused,
    });
    Auth {
        mode: status.settings.mode.to_string(),
        anti_replay: status.settings.replay.to_string(),
        window_s: status.settings.window,
        keys: status.keys.iter().copied().filter(|id| *id != 0).collect(),
        active_key: status.settings.active_key,
        synchronised: status.synchronised,
        waits_for_clock: status.waits_for_clock,
        // For the caller to add.
        held_by: None,
        signed_received: status.signed_received,
        bare_received: status.bare_received,
        ready: obstacles.is_empty(),
        obstacles,
        senders: senders.collect(),
        unheard: report.unheard.iter().map(ToString::to_string).collect(),
    }
}

/// The rest of the start delay. A Backup that has begun anew waits again.
fn start_left(report: &VrReport, now: Instant) -> Option<f64> {
    let delay = seconds(report.settings.start_delay);
    let left = delay - wording::age(now, report.status.since);
    (report.status.state == State::Backup && left > 0.0).then_some(left)
}

/// The routes and the rules, apart.
fn routing(items: &[RoutingItem]) -> (Vec<String>, Vec<String>) {
    let (mut routes, mut rules) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            RoutingItem::Route(route) => routes.push(route.to_string()),
            RoutingItem::Rule(rule) => rules.push(rule.to_string()),
        }
    }
    (routes, rules)
}

/// The name of a tracked object: `interface eth1`, `VRID 2 on eth0 (ipv4)` or `check web`.
pub fn object(what: &Tracked) -> String {
    match what {
        Tracked::Interface(name) => format!("interface {name}"),
        Tracked::VirtualRouter(id) => id.to_string(),
        Tracked::Named(name) => name.clone(),
    }
}

fn tracked(track: &TrackReport) -> TrackedObject {
    TrackedObject {
        what: object(&track.what),
        effect: match track.effect {
            TrackEffect::Fault => "fault".into(),
            TrackEffect::StandBack => "stand-back".into(),
            TrackEffect::WhileDown(weight) | TrackEffect::WhileUp(weight) => format!("{weight:+}"),
        },
        up: track.up,
    }
}

/// The sum that gives the priority.
fn terms(report: &VrReport) -> Vec<Term> {
    let term = |value: i32, what: String| Term { value, what };
    let configured = report.configured_priority;
    let serves = report.status.state == State::Active;
    let base = match report.priority_override {
        Some(_) if report.held && serves => format!("held as master, {configured} configured"),
        Some(_) => format!("set by vrrpctl, {configured} configured"),
        None => "configured".into(),
    };
    let mut terms = vec![term(report.status.base_priority.get().into(), base)];
    // The owner's is moved by nothing, and one that stands back has the lowest whatever is tracked.
    if report.status.base_priority.is_owner() || report.status.standing_back {
        return terms;
    }
    for track in &report.tracks {
        let (value, state) = match track.effect {
            TrackEffect::WhileDown(weight) if !track.up => (weight, "down"),
            TrackEffect::WhileUp(weight) if track.up => (weight, "up"),
            _ => continue,
        };
        let what = match &track.what {
            Tracked::Interface(name) => format!("{name} {state}"),
            Tracked::VirtualRouter(id) => format!("{id} {state}"),
            Tracked::Named(name) => match state {
                "down" => format!("{name} fails"),
                _ => format!("{name} passes"),
            },
        };
        terms.push(term(value.into(), what));
    }
    terms
}

/// A master on a segment. `listens`: some virtual router of this host listens there.
pub fn seen(sighting: &Sighting, name: Option<&str>, listens: bool) -> Seen {
    Seen {
        interface: sighting.interface.clone(),
        vrid: sighting.vrid.get(),
        name: name.map(str::to_owned),
        family: family(sighting.family),
        address: sighting.address.to_string(),
        mac: sighting.mac.to_string(),
        priority: sighting.priority,
        version: sighting.version,
        interval_s: seconds(sighting.interval.duration()),
        addresses: sighting.addresses.iter().map(ToString::to_string).collect(),
        last_heard_s: seconds(sighting.age.into()),
        stale: sighting.stale,
        deaf: sighting.stale && !listens,
        ours: sighting.ours,
        heartbeat: sighting.heartbeat,
        is_self: sighting.is_self,
        refused: sighting.refused.as_ref().map(|r| r.text.clone()),
    }
}

/// Discarded packets by interface and reason.
pub fn drops(interfaces: &[InterfaceReport]) -> BTreeMap<String, BTreeMap<String, u64>> {
    let drops = |report: &InterfaceReport| -> BTreeMap<String, u64> {
        let each = report.drops.iter();
        each.map(|(reason, n)| (reason.to_string(), *n)).collect()
    };
    let interfaces = interfaces.iter();
    interfaces
        .map(|report| (report.name.clone(), drops(report)))
        .collect()
}

/// An address as the configuration writes it: `10.0.0.1/32`, after a colon when it has an
/// interface of its own: `eth1:10.0.0.1/32`.
pub fn address(spec: &vrrp_host::AddressSpec) -> String {
    let address = prefixed(&spec.address);
    match &spec.interface {
        Some(interface) => format!("{interface}:{address}"),
        None => address,
    }
}

/// `10.0.0.1/32`.
pub fn prefixed(address: &vrrp_core::VirtualAddress) -> String {
    format!("{}/{}", address.address, address.prefix_len)
}

fn peer(active: &ActiveRouter, now: Instant) -> Peer {
    Peer {
        address: active.address.to_string(),
        priority: active.priority,
        mac: active.mac.map(|mac| mac.to_string()),
        version: active.version,
        interval_s: seconds(active.interval.duration()),
        last_heard_s: wording::age(now, active.last_heard),
    }
}

fn notes(report: &VrReport) -> Vec<String> {
    let unreached = report.mac_unreached.then(|| {
        format!(
            "no frame has ever arrived at the virtual MAC {}: a hypervisor or switch may reject it, see vrrpd_mac(7)",
            report.mac
        )
    });
    unreached.into_iter().collect()
}

fn texts(id: &VrId, all: &[Warning]) -> Vec<String> {
    let of = |warning: &&Warning| matches!(&warning.about, About::VirtualRouter(of) if of == id);
    let texts = all.iter().filter(of).map(|warning| warning.text.clone());
    texts.collect()
}

/// The warnings that belong to no virtual router.
pub fn warnings_of_host(all: &[Warning]) -> Vec<String> {
    let of_host = |warning: &&Warning| !matches!(warning.about, About::VirtualRouter(_));
    all.iter().filter(of_host).map(wording::warning).collect()
}

/// How late timers were handled.
pub fn timer_late(lateness: &Lateness) -> TimerLate {
    TimerLate {
        bounds_us: Lateness::BOUNDS.to_vec(),
        counts: lateness.counts.to_vec(),
        sum_us: u64::try_from(lateness.sum.as_micros()).unwrap_or(u64::MAX),
    }
}

/// The counters of a virtual router. Its changes of state are for the caller to add.
pub fn vr_stats(report: &VrReport) -> VrStats {
    let drops = report.statistics.drops.iter().filter(|(_, n)| *n > 0);
    VrStats {
        vrid: report.id.vrid.get(),
        name: report.id.name.as_deref().map(str::to_owned),
        interface: report.id.interface.clone(),
        family: family(report.id.family),
        master: report.status.state == State::Active,
        counters: counters(&report.statistics)
            .into_iter()
            .chain(report.auth.iter().flat_map(of_signatures))
            .map(|(name, n)| (name.to_owned(), u64::from(n)))
            .collect(),
        transitions: Vec::new(),
        drops: drops
            .map(|(reason, n)| (reason.to_string(), u64::from(n)))
            .collect(),
    }
}

fn of_signatures(report: &AuthReport) -> [(&'static str, u32); 2] {
    [
        ("signed-advertisement-rcvd", report.status.signed_received),
        ("bare-advertisement-rcvd", report.status.bare_received),
    ]
}

fn counters(s: &Statistics) -> [(&'static str, u32); 11] {
    [
        ("active-transitions", s.active_transitions),
        ("advertisement-rcvd", s.adverts_received),
        ("advertisement-sent", s.adverts_sent),
        ("priority-zero-pkts-rcvd", s.priority_zero_received),
        ("priority-zero-pkts-sent", s.priority_zero_sent),
        ("announcements-sent", s.announcements_sent),
        ("effect-failures", s.effect_failures),
        ("stalls", s.stalls),
        ("losing-advertisements", s.losing_adverts),
        ("checksum-rfc9568", s.checksum_plain),
        ("checksum-rfc5798", s.checksum_pseudo),
    ]
}

#[cfg(test)]
mod tests {
    use vrrp_control::Heartbeat;
    use vrrp_host::PathState;

    #[test]
    fn the_states_of_second_paths_have_the_same_words() {
        assert_eq!(PathState::ALL.map(PathState::word), Heartbeat::STATES);
    }
}
