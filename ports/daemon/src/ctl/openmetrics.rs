//! State and counters in the OpenMetrics text format, for a node exporter's text file collector or
//! anything else that reads it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::control::protocol::{Stats, Status, VirtualRouter};

/// The whole exposition, with its end mark. Writing to a `String` cannot fail.
pub fn render(status: &Status, stats: &Stats) -> String {
    let mut out = String::new();
    gauges(&mut out, status);
    let routers = stats.virtual_routers.iter();
    let names: BTreeSet<&String> = routers.flat_map(|r| r.counters.keys()).collect();
    for name in names {
        let metric = format!("vrrp_{}", name.replace('-', "_"));
        let _ = writeln!(out, "# TYPE {metric} counter");
        for router in &stats.virtual_routers {
            if let Some(n) = router.counters.get(name) {
                let labels = labels(router.vrid, &router.interface, &router.family);
                let _ = writeln!(out, "{metric}_total{{{labels}}} {n}");
            }
        }
    }
    out.push_str("# TYPE vrrp_rejected counter\n");
    for (interface, drops) in &stats.interfaces {
        for (reason, n) in drops {
            let (interface, reason) = (escaped(interface), escaped(reason));
            let _ = writeln!(
                out,
                "vrrp_rejected_total{{interface=\"{interface}\",reason=\"{reason}\"}} {n}"
            );
        }
    }
    out.push_str("# EOF\n");
    out
}

fn gauges(out: &mut String, status: &Status) {
    out.push_str("# TYPE vrrp_state stateset\n");
    for router in &status.virtual_routers {
        let labels = labels(router.vrid, &router.interface, &router.family);
        for state in ["master", "backup", "init"] {
            let holds = u8::from(router.state == state);
            let _ = writeln!(out, "vrrp_state{{{labels},vrrp_state=\"{state}\"}} {holds}");
        }
    }
    gauge(out, status, "vrrp_priority", |r| {
        Some(f64::from(r.priority))
    });
    gauge(out, status, "vrrp_state_age_seconds", |r| Some(r.since_s));
    gauge(out, status, "vrrp_warnings", |r| {
        Some(r.warnings.len() as f64)
    });
    gauge(out, status, "vrrp_refused_peers", |r| {
        Some(r.refused_peers as f64)
    });
    let host = status.warnings.len();
    let _ = writeln!(
        out,
        "# TYPE vrrp_host_warnings gauge\nvrrp_host_warnings {host}"
    );
    gauge(out, status, "vrrp_peer_age_seconds", |r| {
        r.peer.as_ref().map(|peer| peer.last_heard_s)
    });
}

fn gauge(
    out: &mut String,
    status: &Status,
    name: &str,
    value: impl Fn(&VirtualRouter) -> Option<f64>,
) {
    let _ = writeln!(out, "# TYPE {name} gauge");
    for router in &status.virtual_routers {
        if let Some(value) = value(router) {
            let labels = labels(router.vrid, &router.interface, &router.family);
            let _ = writeln!(out, "{name}{{{labels}}} {value}");
        }
    }
}

fn labels(vrid: u8, interface: &str, family: &str) -> String {
    let interface = escaped(interface);
    format!("vrid=\"{vrid}\",interface=\"{interface}\",family=\"{family}\"")
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
    use crate::control::protocol::VrStats;

    #[test]
    fn the_exposition_is_as_the_format_wants_it() {
        let status = Status {
            virtual_routers: vec![VirtualRouter {
                vrid: 1,
                interface: "eth0".into(),
                family: "ipv4".into(),
                state: "master".into(),
                priority: 250,
                since_s: 12.5,
                ..VirtualRouter::default()
            }],
            ..Status::default()
        };
        let stats = Stats {
            virtual_routers: vec![VrStats {
                vrid: 1,
                interface: "eth0".into(),
                family: "ipv4".into(),
                counters: [("advertisement-sent".to_owned(), 7)].into(),
                ..VrStats::default()
            }],
            interfaces: [(
                "a\"b".to_owned(),
                [("checksum-errors".to_owned(), 2)].into(),
            )]
            .into(),
        };
        let expected = r#"# TYPE vrrp_state stateset
vrrp_state{vrid="1",interface="eth0",family="ipv4",vrrp_state="master"} 1
vrrp_state{vrid="1",interface="eth0",family="ipv4",vrrp_state="backup"} 0
vrrp_state{vrid="1",interface="eth0",family="ipv4",vrrp_state="init"} 0
# TYPE vrrp_priority gauge
vrrp_priority{vrid="1",interface="eth0",family="ipv4"} 250
# TYPE vrrp_state_age_seconds gauge
vrrp_state_age_seconds{vrid="1",interface="eth0",family="ipv4"} 12.5
# TYPE vrrp_warnings gauge
vrrp_warnings{vrid="1",interface="eth0",family="ipv4"} 0
# TYPE vrrp_refused_peers gauge
vrrp_refused_peers{vrid="1",interface="eth0",family="ipv4"} 0
# TYPE vrrp_host_warnings gauge
vrrp_host_warnings 0
# TYPE vrrp_peer_age_seconds gauge
# TYPE vrrp_advertisement_sent counter
vrrp_advertisement_sent_total{vrid="1",interface="eth0",family="ipv4"} 7
# TYPE vrrp_rejected counter
vrrp_rejected_total{interface="a\"b",reason="checksum-errors"} 2
# EOF
"#;
        assert_eq!(render(&status, &stats), expected.replace("a\"b", "a\\\"b"));
    }
}
