//! State and counters for monitoring: in the text format of Prometheus, and in OpenMetrics.
//!
//! The samples are the same in both. The forms differ in how a counter's family is named, in units
//! and in the end mark.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use vrrp_control::{CheckStats, Family, Heartbeat, State, Stats, Status, VirtualRouter, VrStats};

/// A form of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' text format, version 0.0.4, which a node exporter's textfile collector reads.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Form {
    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Form::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The numbers of one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// State.
    pub status: Status,
    /// Counters.
    pub stats: Stats,
}

/// The whole exposition.
pub fn render(form: Form, status: Status, stats: Stats) -> String {
    Exposition::new(form, Arc::new(Snapshot { status, stats })).collect()
}

/// The exposition, family by family.
#[derive(Debug)]
pub struct Exposition {
    form: Form,
    numbers: Arc<Snapshot>,
    parts: std::vec::IntoIter<Part>,
}

/// A piece of the exposition: a family, or a few small ones.
#[derive(Clone, Copy, Debug)]
enum Part {
    Daemon,
    States,
    Gauge(usize),
    RefusedPeers,
    Heartbeats,
    Groups,
    Overrides,
    Checks,
    Scripts,
    Transitions,
    Counter(usize),
    Rejected,
    RouterRejected,
    End,
}

impl Exposition {
    /// Of the numbers of one moment.
    pub fn new(form: Form, numbers: Arc<Snapshot>) -> Self {
        let first = [Part::Daemon, Part::States];
        let gauges = (0..GAUGES.len()).map(Part::Gauge);
        let middle = [
            Part::RefusedPeers,
            Part::Heartbeats,
            Part::Groups,
            Part::Overrides,
            Part::Checks,
            Part::Scripts,
            Part::Transitions,
        ];
        let counters = (0..COUNTERS.len()).map(Part::Counter);
        let last = [Part::Rejected, Part::RouterRejected, Part::End];
        let parts = first.into_iter().chain(gauges).chain(middle);
        let parts: Vec<Part> = parts.chain(counters).chain(last).collect();
        Self {
            form,
            numbers,
            parts: parts.into_iter(),
        }
    }
}

impl Iterator for Exposition {
    type Item = String;

    /// The next piece, which is not empty.
    fn next(&mut self) -> Option<String> {
        loop {
            let part = self.parts.next()?;
            let mut out = Page {
                form: self.form,
                text: String::new(),
            };
            write(part, &mut out, &self.numbers.status, &self.numbers.stats);
            if !out.text.is_empty() {
                return Some(out.text);
            }
        }
    }
}

fn write(part: Part, out: &mut Page, status: &Status, stats: &Stats) {
    match part {
        Part::Daemon => daemon(out, status, stats),
        Part::States => states(out, status),
        Part::Gauge(place) => gauge(out, place, status),
        Part::RefusedPeers => refused_peers(out, status),
        Part::Heartbeats => heartbeats(out, status),
        Part::Groups => groups(out, status),
        Part::Overrides => overrides(out, status),
        Part::Checks => checks(out, stats),
        Part::Scripts => scripts(out, status),
        Part::Transitions => transitions(out, stats),
        Part::Counter(place) => counter(out, place, stats),
        Part::Rejected => rejected(out, stats),
        Part::RouterRejected => router_rejected(out, stats),
        Part::End if out.form == Form::OpenMetrics => out.text.push_str("# EOF\n"),
        Part::End => {}
    }
}

fn daemon(out: &mut Page, status: &Status, stats: &Stats) {
    out.family("vrrpd_build_info", Type::Gauge, "The running vrrpd.");
    let version = [("version", status.version.as_str())];
    out.sample("vrrpd_build_info", &labels(&version), 1);
    out.family(
        "vrrpd_uptime_seconds",
        Type::Gauge,
        "Time since vrrpd was started.",
    );
    out.sample("vrrpd_uptime_seconds", "", status.uptime_s);
    out.family(
        "vrrpd_worker_crashes",
        Type::Counter,
        "Times that the worker process has ended unexpectedly since vrrpd was started.",
    );
    out.sample("vrrpd_worker_crashes_total", "", status.worker_crashes);
    out.family(
        "vrrp_host_warnings",
        Type::Gauge,
        "Warnings of vrrpctl status about the host and its interfaces.",
    );
    out.sample("vrrp_host_warnings", "", status.warnings.len());
    out.family(
        "vrrpd_reload_success",
        Type::Gauge,
        "Whether the configuration was accepted when it was last read.",
    );
    let last = flag(stats.reloads.last_accepted);
    out.sample("vrrpd_reload_success", "", last);
    out.family(
        "vrrpd_reloads",
        Type::Counter,
        "Times that the configuration was read again.",
    );
    for (result, n) in [
        ("accepted", stats.reloads.accepted),
        ("refused", stats.reloads.refused),
    ] {
        out.sample("vrrpd_reloads_total", &labels(&[("result", result)]), n);
    }
    out.family(
        "vrrp_connections_reset",
        Type::Counter,
        "TCP connections that were reset, as their address was given up in a planned move.",
    );
    out.sample("vrrp_connections_reset_total", "", stats.connections_reset);
    timer(out, stats);
}

/// How late timers were handled. The bounds are cumulated, as the format wants.
fn timer(out: &mut Page, stats: &Stats) {
    const NAME: &str = "vrrpd_timer_late_seconds";
    let late = &stats.timer_late;
    if late.counts.is_empty() {
        return;
    }
    out.family(NAME, Type::Histogram, "How late timers were handled.");
    let mut sum = 0;
    let bounds = late.bounds_us.iter().map(|&us| Some(us as f64 / 1e6));
    for (bound, n) in bounds.chain([None]).zip(&late.counts) {
        sum += n;
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| format!("{bound:?}"));
        out.sample(&format!("{NAME}_bucket"), &labels(&[("le", bound)]), sum);
    }
    out.sample(&format!("{NAME}_sum"), "", late.sum_us as f64 / 1e6);
    out.sample(&format!("{NAME}_count"), "", sum);
}

fn gauge(out: &mut Page, place: usize, status: &Status) {
    let Some((name, help, value)) = GAUGES.get(place) else {
        return;
    };
    let routers = status.virtual_routers.iter();
    let values = routers.filter_map(|router| Some((router, value(router)?)));
    let mut values = values.peekable();
    if values.peek().is_some() || status.virtual_routers.is_empty() {
        out.family(name, Type::Gauge, help);
    }
    for (router, value) in values {
        out.sample(name, &labels(&named(router)), value);
    }
}

fn refused_peers(out: &mut Page, status: &Status) {
    const NAME: &str = "vrrp_refused_peer";
    out.family(
        NAME,
        Type::Gauge,
        "A router that is heard now and whose advertisements are refused: three of each virtual router.",
    );
    for router in &status.virtual_routers {
        for peer in &router.refused {
            let named = with(named(router), "peer", peer.address.clone());
            let labels = labels(&with(named, "reason", peer.reason.clone()));
            out.sample(NAME, &labels, 1);
        }
    }
}

fn heartbeats(out: &mut Page, status: &Status) {
    const NAME: &str = "vrrp_heartbeat";
    let routers = &status.virtual_routers;
    if routers.iter().all(|router| router.heartbeat.is_none()) {
        return;
    }
    out.family(
        NAME,
        Type::Gauge,
        "Comparison of the interface with the second path: 1 for the state that holds.",
    );
    for router in routers {
        let Some(path) = &router.heartbeat else {
            continue;
        };
        for state in Heartbeat::STATES {
            let named = with(named(router), "path", path.interface.clone());
            let labels = labels(&with(named, "state", state.to_owned()));
            out.sample(NAME, &labels, u8::from(path.state == state));
        }
    }
}

fn groups(out: &mut Page, status: &Status) {
    type Number = fn(&vrrp_control::Group) -> bool;
    const ALL: [(&str, &str, Number); 2] = [
        (
            "vrrp_group_master",
            "Whether the synchronisation group is master on this host: all its members are.",
            |group| group.state == State::Master,
        ),
        (
            "vrrp_group_waiting",
            "Whether the member would be master and waits for the others of its synchronisation group.",
            |group| group.waits,
        ),
    ];
    for (name, help, value) in ALL {
        out.family(name, Type::Gauge, help);
        for router in &status.virtual_routers {
            if let Some(group) = &router.group {
                let labels = labels(&with(named(router), "group", group.name.clone()));
                out.sample(name, &labels, flag(value(group)));
            }
        }
    }
}

fn scripts(out: &mut Page, status: &Status) {
    if status.virtual_routers.iter().all(|r| r.scripts.is_empty()) {
        return;
    }
    type Number = fn(&vrrp_control::Script) -> f64;
    const ALL: [(&str, Type, &str, Number); 4] = [
        (
            "vrrp_script_last_exit_code",
            Type::Gauge,
            "Exit status of the script when it last ran: 0 if it was good, -1 if it was ended or could not start.",
            |script| script.exit.map_or(-1.0, f64::from),
        ),
        (
            "vrrp_script_duration_seconds",
            Type::Gauge,
            "Time that the script took when it last ran.",
            |script| script.took_s,
        ),
        (
            "vrrp_script_runs",
            Type::Counter,
            "Times that the script has ended.",
            |script| script.runs as f64,
        ),
        (
            "vrrp_script_failures",
            Type::Counter,
            "Times that the script has failed.",
            |script| script.failures as f64,
        ),
    ];
    for (name, kind, help, value) in ALL {
        out.family(name, kind, help);
        let suffix = if kind == Type::Counter { "_total" } else { "" };
        for router in &status.virtual_routers {
            for script in &router.scripts {
                let labels = labels(&with(named(router), "script", script.name.clone()));
                out.sample(&format!("{name}{suffix}"), &labels, value(script));
            }
        }
    }
}

fn transitions(out: &mut Page, stats: &Stats) {
    out.family(
        "vrrp_transitions",
        Type::Counter,
        "Changes of state, by the state that was entered and the reason: those that occurred.",
    );
    for router in &stats.virtual_routers {
        for change in &router.transitions {
            let counted = with(counted(router), "state", change.to.to_string());
            let labels = labels(&with(counted, "reason", change.cause.clone()));
            out.sample("vrrp_transitions_total", &labels, change.count);
        }
    }
}

fn counter(out: &mut Page, place: usize, stats: &Stats) {
    let Some((name, help)) = COUNTERS.get(place) else {
        return;
    };
    let metric = format!("vrrp_{}", name.replace('-', "_"));
    out.family(&metric, Type::Counter, help);
    for router in &stats.virtual_routers {
        if let Some(n) = router.counters.get(*name) {
            out.sample(&format!("{metric}_total"), &labels(&counted(router)), n);
        }
    }
}

fn rejected(out: &mut Page, stats: &Stats) {
    out.family(
        "vrrp_rejected",
        Type::Counter,
        "Packets discarded on an interface, of virtual routers configured here or not.",
    );
    for (interface, drops) in &stats.interfaces {
        for (reason, n) in drops {
            let labels = labels(&[("interface", interface), ("reason", reason)]);
            out.sample("vrrp_rejected_total", &labels, n);
        }
    }
}

fn router_rejected(out: &mut Page, stats: &Stats) {
    out.family(
        "vrrp_router_rejected",
        Type::Counter,
        "Packets discarded that were for a virtual router.",
    );
    for router in &stats.virtual_routers {
        for (reason, n) in &router.drops {
            let labels = labels(&with(counted(router), "reason", reason.clone()));
            out.sample("vrrp_router_rejected_total", &labels, n);
        }
    }
}

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
const GAUGES: [(&str, &str, Value); 17] = [
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

fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

fn states(out: &mut Page, status: &Status) {
    out.family(
        "vrrp_state",
        Type::Gauge,
        "State of the virtual router: 1 for the state that it is in.",
    );
    for router in &status.virtual_routers {
        for state in State::ALL {
            let labels = labels(&with(named(router), "state", state.to_string()));
            out.sample("vrrp_state", &labels, u8::from(router.state == *state));
        }
    }
}

fn overrides(out: &mut Page, status: &Status) {
    let routers = &status.virtual_routers;
    if routers.iter().all(|router| router.overrides.is_empty()) {
        return;
    }
    out.family(
        "vrrp_override",
        Type::Gauge,
        "Override that vrrpctl has given: drain, hold or priority.",
    );
    for router in routers {
        for one in &router.overrides {
            let labels = labels(&with(named(router), "override", one.kind.to_string()));
            out.sample("vrrp_override", &labels, 1);
        }
    }
}

type Number = fn(&CheckStats) -> f64;

/// The metrics of each check: name, type, help, value.
const CHECKS: [(&str, Type, &str, Number); 4] = [
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

fn checks(out: &mut Page, stats: &Stats) {
    for (name, kind, help, value) in CHECKS {
        if stats.checks.is_empty() {
            continue;
        }
        out.family(name, kind, help);
        let suffix = if kind == Type::Counter { "_total" } else { "" };
        for check in &stats.checks {
            let labels = labels(&[("check", &check.name)]);
            out.sample(&format!("{name}{suffix}"), &labels, value(check));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Gauge,
    Counter,
    Histogram,
}

/// The text that is being written. Writing to a `String` cannot fail.
struct Page {
    form: Form,
    text: String,
}

impl Page {
    /// Begins a family. `name` is without a counter's `_total`.
    fn family(&mut self, name: &str, kind: Type, help: &str) {
        let (suffix, word) = match (kind, self.form) {
            (Type::Gauge, _) => ("", "gauge"),
            (Type::Histogram, _) => ("", "histogram"),
            (Type::Counter, Form::Prometheus) => ("_total", "counter"),
            (Type::Counter, Form::OpenMetrics) => ("", "counter"),
        };
        let _ = writeln!(self.text, "# HELP {name}{suffix} {help}");
        let _ = writeln!(self.text, "# TYPE {name}{suffix} {word}");
        if self.form == Form::OpenMetrics && name.ends_with("_seconds") {
            let _ = writeln!(self.text, "# UNIT {name} seconds");
        }
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

/// The labels that name a virtual router.
type Named = Vec<(&'static str, String)>;

fn named(router: &VirtualRouter) -> Named {
    name(
        router.vrid,
        router.name.as_deref(),
        &router.interface,
        router.family,
    )
}

fn counted(router: &VrStats) -> Named {
    name(
        router.vrid,
        router.name.as_deref(),
        &router.interface,
        router.family,
    )
}

fn name(vrid: u8, name: Option<&str>, interface: &str, family: Family) -> Named {
    let mut labels = vec![
        ("vrid", vrid.to_string()),
        ("interface", interface.to_owned()),
        ("family", family.to_string()),
    ];
    labels.extend(name.map(|name| ("name", name.to_owned())));
    labels
}

/// The labels of a virtual router and one more.
fn with(mut labels: Named, name: &'static str, value: String) -> Named {
    labels.push((name, value));
    labels
}

fn labels(pairs: &[(&str, impl AsRef<str>)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value.as_ref())));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// Interface names may hold anything but a slash and a space.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{RefusedPeer, Reloads, Script, TimerLate, Transition};

    fn rendered(form: Form) -> String {
        let status = Status {
            version: "0.1.0".into(),
            uptime_s: 13.25,
            worker_crashes: 2,
            virtual_routers: vec![VirtualRouter {
                vrid: 1,
                interface: "eth0".into(),
                family: Family::Ipv4,
                state: State::Master,
                priority: 250,
                configured_priority: 100,
                priority_override: Some(250),
                enabled: true,
                since_s: 12.5,
                name: Some("web".into()),
                overrides: vec![vrrp_control::GivenOverride::default()],
                auth: Some(vrrp_control::Auth::default()),
                masters: 2,
                group: Some(vrrp_control::Group {
                    name: "gw".into(),
                    state: State::Master,
                    ..vrrp_control::Group::default()
                }),
                heartbeat: Some(Heartbeat {
                    interface: "eth1".into(),
                    state: "cut".into(),
                    ..Heartbeat::default()
                }),
                refused: vec![RefusedPeer {
                    address: "10.0.0.9".into(),
                    reason: "auth-failure".into(),
                }],
                scripts: vec![Script {
                    name: "masterscript".into(),
                    exit: Some(3),
                    took_s: 0.25,
                    runs: 4,
                    failures: 1,
                }],
                ..VirtualRouter::default()
            }],
            ..Status::default()
        };
        let stats = Stats {
            virtual_routers: vec![VrStats {
                vrid: 1,
                interface: "eth0".into(),
                family: Family::Ipv4,
                counters: [("advertisement-sent".to_owned(), 7)].into(),
                transitions: vec![Transition {
                    to: State::Master,
                    cause: "no-response".into(),
                    count: 3,
                }],
                drops: [("auth-failure".to_owned(), 3)].into(),
                ..VrStats::default()
            }],
            interfaces: [(
                "a\"b".to_owned(),
                [("checksum-errors".to_owned(), 2)].into(),
            )]
            .into(),
            checks: vec![CheckStats {
                name: "web".into(),
                passing: true,
                took_us: 1_500,
                runs: 9,
                changes: 2,
            }],
            connections_reset: 16,
            timer_late: TimerLate {
                bounds_us: vec![1_000, 1_000_000],
                counts: vec![5, 2, 1],
                sum_us: 2_500_000,
            },
            reloads: Reloads {
                accepted: 2,
                refused: 1,
                last_accepted: true,
            },
        };
        render(form, status, stats)
    }

    #[test]
    fn checks_have_their_names() {
        for form in [Form::Prometheus, Form::OpenMetrics] {
            let text = rendered(form);
            for line in [
                "vrrp_check_up{check=\"web\"} 1",
                "vrrp_check_duration_seconds{check=\"web\"} 0.0015",
                "vrrp_check_runs_total{check=\"web\"} 9",
                "vrrp_check_changes_total{check=\"web\"} 2",
            ] {
                assert!(text.contains(&format!("\n{line}\n")), "{text}");
            }
        }
    }

    #[test]
    fn each_fact_has_a_series() {
        let router = r#"vrid="1",interface="eth0",family="ipv4",name="web""#;
        let counted = r#"vrid="1",interface="eth0",family="ipv4""#;
        for form in [Form::Prometheus, Form::OpenMetrics] {
            let text = rendered(form);
            for line in [
                format!("vrrp_effective_priority{{{router}}} 250"),
                format!("vrrp_masters_heard{{{router}}} 2"),
                format!(
                    "vrrp_transitions_total{{{counted},state=\"master\",reason=\"no-response\"}} 3"
                ),
                format!(
                    "vrrp_refused_peer{{{router},peer=\"10.0.0.9\",reason=\"auth-failure\"}} 1"
                ),
                format!("vrrp_heartbeat{{{router},path=\"eth1\",state=\"cut\"}} 1"),
                format!("vrrp_heartbeat{{{router},path=\"eth1\",state=\"dead\"}} 0"),
                format!("vrrp_group_master{{{router},group=\"gw\"}} 1"),
                format!("vrrp_group_waiting{{{router},group=\"gw\"}} 0"),
                format!("vrrp_script_last_exit_code{{{router},script=\"masterscript\"}} 3"),
                format!("vrrp_script_duration_seconds{{{router},script=\"masterscript\"}} 0.25"),
                format!("vrrp_script_failures_total{{{router},script=\"masterscript\"}} 1"),
                "vrrpd_timer_late_seconds_bucket{le=\"0.001\"} 5".to_owned(),
                "vrrpd_timer_late_seconds_bucket{le=\"1.0\"} 7".to_owned(),
                "vrrpd_timer_late_seconds_bucket{le=\"+Inf\"} 8".to_owned(),
                "vrrpd_timer_late_seconds_count 8".to_owned(),
                "vrrpd_timer_late_seconds_sum 2.5".to_owned(),
                "vrrpd_worker_crashes_total 2".to_owned(),
                "vrrpd_reload_success 1".to_owned(),
                "vrrpd_reloads_total{result=\"refused\"} 1".to_owned(),
            ] {
                assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
            }
        }
    }

    /// The manual page and the exposition have the same families.
    #[test]
    fn the_manual_page_has_every_family_with_its_type() {
        const PAGE: &str = include_str!("../../man/vrrpd_metrics.7");
        let described = PAGE.lines().filter_map(|line| line.strip_prefix(".It Li "));
        let mut described: Vec<String> = described.map(str::to_owned).collect();
        let text = rendered(Form::Prometheus);
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let mut found: Vec<String> = types.map(|line| line.replacen(' ', " , ", 1)).collect();
        // Only with a peer.
        found.push("vrrp_peer_age_seconds , gauge".to_owned());
        described.sort_unstable();
        found.sort_unstable();
        assert_eq!(described, found);
    }

    #[test]
    fn the_text_format_names_counters_whole_and_has_no_state_set() {
        let text = rendered(Form::Prometheus);
        for lines in [
            "# TYPE vrrp_state gauge\n\
             vrrp_state{vrid=\"1\",interface=\"eth0\",family=\"ipv4\",name=\"web\",state=\"master\"} 1\n\
             vrrp_state{vrid=\"1\",interface=\"eth0\",family=\"ipv4\",name=\"web\",state=\"backup\"} 0\n",
            "# TYPE vrrp_advertisement_sent_total counter\n\
             vrrp_advertisement_sent_total{vrid=\"1\",interface=\"eth0\",family=\"ipv4\"} 7\n",
            "# TYPE vrrp_priority_override gauge\n\
             vrrp_priority_override{vrid=\"1\",interface=\"eth0\",family=\"ipv4\",name=\"web\"} 250\n",
            "# TYPE vrrp_override gauge\n\
             vrrp_override{vrid=\"1\",interface=\"eth0\",family=\"ipv4\",name=\"web\",override=\"drain\"} 1\n",
            "# TYPE vrrp_connections_reset_total counter\nvrrp_connections_reset_total 16\n",
            "vrrp_rejected_total{interface=\"a\\\"b\",reason=\"checksum-errors\"} 2\n",
            "family=\"ipv4\",reason=\"auth-failure\"} 3\n",
        ] {
            assert!(text.contains(lines), "{lines}\nis not in\n{text}");
        }
        assert!(!text.contains("EOF") && !text.contains("UNIT"), "{text}");
    }

    #[test]
    fn openmetrics_has_the_same_samples_an_end_and_units() {
        let text = rendered(Form::OpenMetrics);
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        assert!(text.contains("# TYPE vrrp_advertisement_sent counter\n"));
        assert!(text.contains("# UNIT vrrp_state_age_seconds seconds\n"));
        let samples = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(samples(&text), samples(&rendered(Form::Prometheus)));
    }
}
