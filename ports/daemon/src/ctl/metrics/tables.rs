//! The families that are one value of a virtual router or a check: name, help, value.

use vrrp_control::{CheckStats, VirtualRouter};

use super::families::flag;
use super::page::Type;

/// The counters of each virtual router by their names in the control protocol, and their help.
pub const COUNTERS: [(&str, &str); 13] = [
    (
        "active-transitions",
        "Times that the virtual router became master.",
    ),
    ("advertisement-rcvd", "Advertisements received."),
    ("advertisement-sent", "Advertisements sent."),
    (
        "priority-zero-pkts-rcvd",
        "Advertisements of priority 0 received.",
    ),
    (
        "priority-zero-pkts-sent",
        "Advertisements of priority 0 sent.",
    ),
    (
        "announcements-sent",
        "Gratuitous ARP and unsolicited neighbour advertisements sent.",
    ),
    (
        "effect-failures",
        "Times that an address, MAC or group could not be installed.",
    ),
    ("stalls", "Times that a timer was handled too late."),
    (
        "losing-advertisements",
        "Advertisements received that lose against ours.",
    ),
    (
        "checksum-rfc9568",
        "Advertisements received with the checksum of RFC 9568 over IPv4.",
    ),
    (
        "checksum-rfc5798",
        "Advertisements received with the checksum of RFC 5798 over IPv4.",
    ),
    (
        "signed-advertisement-rcvd",
        "Advertisements believed for their signature.",
    ),
    (
        "bare-advertisement-rcvd",
        "Advertisements without a signature, believed or not, where there are keys.",
    ),
];

type Value = fn(&VirtualRouter) -> Option<f64>;

/// The gauges of each virtual router: name, help, value.
pub(super) const GAUGES: [(&str, &str, Value); 17] = [
    (
        "vrrp_effective_priority",
        "Priority that is advertised.",
        |router| Some(router.priority.into()),
    ),
    (
        "vrrp_configured_priority",
        "Priority of the configuration file.",
        |router| Some(router.configured_priority.into()),
    ),
    (
        "vrrp_priority_override",
        "Priority that vrrpctl has put in place of the configured one.",
        |router| router.priority_override.map(f64::from),
    ),
    (
        "vrrp_enabled",
        "Whether the virtual router takes part.",
        |router| Some(flag(router.enabled)),
    ),
    (
        "vrrp_resigned",
        "Whether it was told to resign and does not preempt.",
        |router| Some(flag(router.resigned)),
    ),
    (
        "vrrp_handing_over",
        "Whether it has given up mastership and serves until the successor is heard.",
        |router| Some(flag(router.handing_over)),
    ),
    (
        "vrrp_standing_back",
        "Whether a check fails by which every other host is to serve rather than this one.",
        |router| Some(flag(router.standing_back)),
    ),
    ("vrrp_leaving", "Whether it is being removed.", |router| {
        Some(flag(router.leaving))
    }),
    (
        "vrrp_state_age_seconds",
        "Time since the last change of state.",
        |router| Some(router.since_s),
    ),
    ("vrrp_warnings", "Warnings in vrrpctl status.", |router| {
        Some(router.warnings.len() as f64)
    }),
    (
        "vrrp_masters_heard",
        "Routers that are master now, as far as they are heard: this host, and others that are accepted or refused. More than 1: split brain.",
        |router| Some(router.masters as f64),
    ),
    (
        "vrrp_refused_peers",
        "Routers that are heard and whose advertisements are refused.",
        |router| Some(router.refused_peers as f64),
    ),
    (
        "vrrp_address_conflict",
        "Whether a host answers for the first address though no advertisement of it is heard.",
        |router| Some(flag(router.conflict.is_some())),
    ),
    (
        "vrrp_auth_ready",
        "Whether nothing that was heard stands in the way of authmode = enforce.",
        |router| router.auth.as_ref().map(|auth| flag(auth.ready)),
    ),
    (
        "vrrp_auth_clock_in_doubt",
        "Whether the clock that signatures go by is not known to be right.",
        |router| router.auth.as_ref().map(|auth| flag(auth.waits_for_clock)),
    ),
    (
        "vrrp_auth_held_by_clock",
        "Whether it stays backup beside a peer that signs by another clock.",
        |router| {
            router
                .auth
                .as_ref()
                .map(|auth| flag(auth.held_by.is_some()))
        },
    ),
    (
        "vrrp_peer_age_seconds",
        "Time since another master was last heard.",
        |router| router.peer.as_ref().map(|peer| peer.last_heard_s),
    ),
];

pub(super) type Number = fn(&CheckStats) -> f64;

/// The metrics of each check: name, type, help, value.
pub(super) const CHECKS: [(&str, Type, &str, Number); 4] = [
    (
        "vrrp_check_up",
        Type::Gauge,
        "Whether the check passes.",
        |check| flag(check.passing),
    ),
    (
        "vrrp_check_duration_seconds",
        Type::Gauge,
        "Time that the last answer took.",
        |check| check.took_us as f64 / 1e6,
    ),
    (
        "vrrp_check_runs",
        Type::Counter,
        "Times that the check was asked.",
        |check| check.runs as f64,
    ),
    (
        "vrrp_check_changes",
        Type::Counter,
        "Times that the state of the check has changed.",
        |check| check.changes as f64,
    ),
];
