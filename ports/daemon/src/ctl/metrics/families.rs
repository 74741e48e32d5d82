//! The metric families, each with its help and its samples.

use vrrp_control::{Heartbeat, State, Stats, Status};

use super::page::{Page, Type, counted, labels, named, with};
use super::tables::{CHECKS, COUNTERS, GAUGES};

pub(super) fn daemon(out: &mut Page, status: &Status, stats: &Stats) {
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
    out.family(
        "vrrp_routing_restored",
        Type::Counter,
        "Routes and rules of virtual routers that another program had removed and that were installed again.",
    );
    out.sample("vrrp_routing_restored_total", "", stats.routing_restored);
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

pub(super) fn gauge(out: &mut Page, place: usize, status: &Status) {
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

pub(super) fn refused_peers(out: &mut Page, status: &Status) {
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

pub(super) fn heartbeats(out: &mut Page, status: &Status) {
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

pub(super) fn groups(out: &mut Page, status: &Status) {
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

pub(super) fn scripts(out: &mut Page, status: &Status) {
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

pub(super) fn transitions(out: &mut Page, stats: &Stats) {
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

pub(super) fn counter(out: &mut Page, place: usize, stats: &Stats) {
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

pub(super) fn rejected(out: &mut Page, stats: &Stats) {
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

pub(super) fn router_rejected(out: &mut Page, stats: &Stats) {
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

pub(super) fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

pub(super) fn states(out: &mut Page, status: &Status) {
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

pub(super) fn overrides(out: &mut Page, status: &Status) {
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

pub(super) fn checks(out: &mut Page, stats: &Stats) {
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
