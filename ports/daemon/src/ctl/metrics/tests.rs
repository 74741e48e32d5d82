use super::*;
use vrrp_control::{CheckStats, Family, Heartbeat, State, VirtualRouter, VrStats};
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
        routing_restored: 17,
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
            format!("vrrp_refused_peer{{{router},peer=\"10.0.0.9\",reason=\"auth-failure\"}} 1"),
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
    const PAGE: &str = include_str!("../../../man/vrrpd_metrics.7");
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
        "# TYPE vrrp_routing_restored_total counter\nvrrp_routing_restored_total 17\n",
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
