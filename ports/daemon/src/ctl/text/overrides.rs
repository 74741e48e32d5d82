//! Overrides: a drain, a hold or a priority that an administrator has given.

use vrrp_control::{Family, GivenOverride, OverrideKind, VirtualRouter};
use vrrp_host::wording::{span, utc};

use super::user;

/// An override: `drained since 2026-11-30 14:02 UTC by root (uid 0), 1 h 12 min left: kernel update`.
pub fn given_override(given: &GivenOverride) -> String {
    let what = match (given.kind, given.priority) {
        (OverrideKind::Drain, _) if given.wait_left_s.is_some() => "being drained".to_owned(),
        (OverrideKind::Drain, _) => "drained".into(),
        (OverrideKind::Hold, _) => "held".into(),
        (OverrideKind::Priority, Some(priority)) => format!("priority {priority}"),
        (OverrideKind::Priority, None) => "another priority".into(),
    };
    let since = utc(given.time_ms);
    let since = since.get(..16).unwrap_or_default().replace('T', " ");
    let with = with_member(given);
    let mut text = format!("{what}{with} since {since} UTC by {}", giver(given));
    if let Some(left) = given.left_s {
        text += &format!(", {} left", span(left));
    }
    if let Some(left) = given.wait_left_s {
        text += &match given.connections {
            Some(1) => ", waits for 1 TCP connection".to_owned(),
            Some(count) => format!(", waits for {count} TCP connections"),
            None => ", waits for TCP connections that are not counted yet".into(),
        };
        text += &format!(", at most {} more", span(left));
    }
    if let Some(reason) = &given.reason {
        text += &format!(": {reason}");
    }
    text
}

/// A drain as the reason of a change of state.
pub fn drained_by(given: &GivenOverride) -> String {
    let reason = given.reason.as_deref().map(|reason| format!(": {reason}"));
    let with = with_member(given);
    format!(
        "drained{with} by {}{}",
        giver(given),
        reason.unwrap_or_default()
    )
}

fn with_member(given: &GivenOverride) -> String {
    let member = given.member.as_deref();
    member.map_or_else(String::new, |member| format!(" with {member} of its group"))
}

fn giver(given: &GivenOverride) -> String {
    match given.uid {
        0 => "root (uid 0)".into(),
        n => user(n, given.user.as_deref()),
    }
}

/// An override as a warning, with the command that ends it.
pub fn override_warning(router: &VirtualRouter, given: &GivenOverride) -> String {
    let meant = match &router.name {
        Some(name) => name.clone(),
        None => {
            let family = match router.family {
                Family::Ipv4 => 4,
                Family::Ipv6 => 6,
            };
            format!("-i {} -{family} {}", router.interface, router.vrid)
        }
    };
    let end = match given.kind {
        OverrideKind::Drain => format!("undrain {meant}"),
        OverrideKind::Hold => format!("release {meant}"),
        OverrideKind::Priority => format!("priority {meant} default"),
    };
    format!("{}; to end it: vrrpctl {end}", given_override(given))
}
