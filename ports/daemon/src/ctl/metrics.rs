//! State and counters for monitoring: in the text format of Prometheus, and in OpenMetrics.
//!
//! The samples are the same in both. The forms differ in how a counter's family is named, in units
//! and in the end mark.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

use vrrp_control::{CheckStats, Family, State, Stats, Status, VirtualRouter, VrStats};

/// A form of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' text format, version 0.0.4, which a node exporter's textfile collector reads.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

/// The whole exposition.
pub fn render(form: Form, status: &Status, stats: &Stats) -> String {
    let mut out = Exposition {
        form,
        text: String::new(),
    };
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
        "vrrp_host_warnings",
        Type::Gauge,
        "Warnings of vrrpctl status about the host and its interfaces.",
    );
    out.sample("vrrp_host_warnings", "", status.warnings.len());
    states(&mut out, status);
    for (name, help, value) in GAUGES {
        out.family(name, Type::Gauge, help);
        for router in &status.virtual_routers {
            if let Some(value) = value(router) {
                out.sample(name, &labels(&named(router)), value);
            }
        }
    }
    overrides(&mut out, status);
    checks(&mut out, stats);
    out.family(
        "vrrp_connections_reset",
        Type::Counter,
        "TCP connections that were reset, as their address was given up in a planned move.",
    );
    out.sample("vrrp_connections_reset_total", "", stats.connections_reset);
    counters(&mut out, stats);
    if form == Form::OpenMetrics {
        out.text.push_str("# EOF\n");
    }
    out.text
}

type Value = fn(&VirtualRouter) -> Option<f64>;

/// The gauges of each virtual router: name, help, value.
const GAUGES: [(&str, &str, Value); 13] = [
    ("vrrp_priority", "Priority that is advertised.", |router| {
        Some(router.priority.into())
    }),
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
        "vrrp_peer_age_seconds",
        "Time since another master was last heard.",
        |router| router.peer.as_ref().map(|peer| peer.last_heard_s),
    ),
];

fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

fn states(out: &mut Exposition, status: &Status) {
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

fn overrides(out: &mut Exposition, status: &Status) {
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

fn checks(out: &mut Exposition, stats: &Stats) {
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

fn counters(out: &mut Exposition, stats: &Stats) {
    let routers = &stats.virtual_routers;
    let names: BTreeSet<&String> = routers.iter().flat_map(|r| r.counters.keys()).collect();
    for name in names {
        let metric = format!("vrrp_{}", name.replace('-', "_"));
        out.family(&metric, Type::Counter, help(name));
        for router in routers {
            if let Some(n) = router.counters.get(name) {
                out.sample(&format!("{metric}_total"), &labels(&counted(router)), n);
            }
        }
    }
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
    out.family(
        "vrrp_router_rejected",
        Type::Counter,
        "Packets discarded that were for a virtual router.",
    );
    for router in routers {
        for (reason, n) in &router.drops {
            let labels = labels(&with(counted(router), "reason", reason.clone()));
            out.sample("vrrp_router_rejected_total", &labels, n);
        }
    }
}

/// The help of a counter, by its name in the control protocol.
fn help(name: &str) -> &'static str {
    match name {
        "master-transitions" => "Times that the virtual router became master.",
        "advertisement-rcvd" => "Advertisements received.",
        "advertisement-sent" => "Advertisements sent.",
        "priority-zero-pkts-rcvd" => "Advertisements of priority 0 received.",
        "priority-zero-pkts-sent" => "Advertisements of priority 0 sent.",
        "announcements-sent" => "Gratuitous ARP and unsolicited neighbour advertisements sent.",
        "effect-failures" => "Times that an address, MAC or group could not be installed.",
        "stalls" => "Times that a timer was handled too late.",
        "losing-advertisements" => "Advertisements received that lose against ours.",
        "checksum-rfc9568" => "Advertisements received with the checksum of RFC 9568 over IPv4.",
        "checksum-rfc5798" => "Advertisements received with the checksum of RFC 5798 over IPv4.",
        _ => "See vrrpctl(8).",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Gauge,
    Counter,
}

/// The text that is being written. Writing to a `String` cannot fail.
struct Exposition {
    form: Form,
    text: String,
}

impl Exposition {
    /// Begins a family. `name` is without a counter's `_total`.
    fn family(&mut self, name: &str, kind: Type, help: &str) {
        let (suffix, word) = match (kind, self.form) {
            (Type::Gauge, _) => ("", "gauge"),
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

    fn rendered(form: Form) -> String {
        let status = Status {
            version: "0.1.0".into(),
            uptime_s: 13.25,
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
        };
        render(form, &status, &stats)
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
