//! The consequences if this host failed: the next master, and how soon it would take over.

use vrrp_control::{Conflict, State, Versions, VirtualRouter};
use vrrp_core::{AdvertInterval, Priority, Version};
use vrrp_host::wording::{ago, seconds};

use super::{Facts, living};

/// The consequences if this host failed at this moment.
pub(super) fn failure(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    match (router.state, living(router)) {
        (State::Init, _) => vec!["Nothing would change: it takes no part.".into()],
        (State::Backup, Some(peer)) => vec![
            format!("Nothing would change: {} goes on serving.", peer.address),
            format!(
                "If {} failed, this host would take over {:.3} s after its last advertisement, unless a backup with a higher priority does so before: backups do not hear each other.",
                peer.address, router.down_interval_s
            ),
        ],
        (State::Backup, None) => vec![match &router.conflict {
            Some(Conflict { address, mac, .. }) => format!(
                "The host with the MAC {mac} goes on answering for {address}; whether it serves cannot be known from here."
            ),
            None if router.addresses.is_empty() => "Nobody is known who would be master.".into(),
            None => "Nobody is known who would serve the addresses.".into(),
        }],
        (State::Master, _) => failure_of_master(facts),
    }
}

fn failure_of_master(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    let mut all = vec![
        "A master hears no backups, so who would take over cannot be known from here.".to_owned(),
    ];
    let down = |priority: u8| down_interval(router, priority);
    if let (Some(quick), Some(slow)) = (down(254), down(1)) {
        all.push(format!(
            "A backup would, of whatever priority, {quick} to {slow} after our last advertisement; when vrrpd is stopped in an orderly way, {} to {}.",
            skew(router, 254),
            skew(router, 1)
        ));
    }
    if let Some(peer) = &router.peer
        && peer.priority > 0
        && let Some(after) = down(peer.priority)
    {
        all.push(format!(
            "{} was last heard as master {} with priority {}: if it is backup still, after {after}.",
            peer.address,
            ago(peer.last_heard_s),
            peer.priority
        ));
    }
    all.push("Ask \"vrrpctl status\" on the other hosts whether one of them is backup.".into());
    all
}

/// The engine's own Active_Down_Interval of a backup of this priority that hears us.
fn down_interval(router: &VirtualRouter, priority: u8) -> Option<String> {
    let (interval, version) = timing(router)?;
    let down = interval.down_interval(version, Priority::new(priority)?);
    Some(seconds(down.into()))
}

/// The skew: the part of the down interval that priority 0 leaves.
fn skew(router: &VirtualRouter, priority: u8) -> String {
    let skew = || {
        let (interval, version) = timing(router)?;
        let down = interval.down_interval(version, Priority::new(priority)?);
        let three = 3 * interval.duration().as_micros();
        let skew = down.as_micros().saturating_sub(three);
        Some(seconds(std::time::Duration::from_micros(skew)))
    };
    skew().unwrap_or_default()
}

fn timing(router: &VirtualRouter) -> Option<(AdvertInterval, Version)> {
    let centis = (router.interval_s * 100.0).round();
    let interval = AdvertInterval::from_centis(centis as u16)?;
    let version = match router.version {
        Versions::V2 => Version::V2,
        Versions::V3 => Version::V3,
        Versions::Both => Version::Both,
    };
    Some((interval, version))
}
