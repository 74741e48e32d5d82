//! The other routers of the segment: rivals, refused ones, and those of the second path.

use vrrp_control::{Seen, State, VirtualRouter};
use vrrp_host::wording::ago;

use super::Facts;
use crate::ctl::text::is_master_now;

/// The other routers of the segment, as far as they matter.
pub(super) fn others(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    let mut all = Vec::new();
    let of_ours = facts.seen.iter().filter(|seen| {
        !seen.is_self
            && seen.vrid == router.vrid
            && seen.interface == router.interface
            && seen.family == router.family
    });
    let fresh: Vec<&Seen> = of_ours.filter(|seen| !seen.stale).collect();
    let is_alone = router.peer.is_none() && fresh.is_empty();
    let is_peer = |seen: &Seen| router.source.as_deref() != Some(seen.address.as_str());
    let refuses = fresh
        .iter()
        .any(|seen| seen.refused.is_some() && is_peer(seen));
    let mut before = Vec::new();
    if let Some(holder) = &router.conflict {
        let (mac, address) = (&holder.mac, &holder.address);
        before.push(match refuses {
            true => format!(
                "A host with the MAC {mac} answers for {address}: a router that is refused, it seems, serves it."
            ),
            false => format!(
                "A host with the MAC {mac} answers for {address}, and no advertisement of it is heard: the master may be alive and cut off in one direction, or has died and left the address behind."
            ),
        });
    }
    before.extend(second_path(router, is_alone));
    for seen in &fresh {
        let Some(why) = &seen.refused else { continue };
        // The sentence about our own frames begins with "is".
        if !is_peer(seen) {
            let todo = match seen.priority {
                0 | 255 if seen.priority != router.priority => {
                    "look for the host with that MAC: it forges advertisements"
                }
                _ => "look for a loop, a port that mirrors, or a host with the same address",
            };
            all.push(format!("Our own address, {}, {why}: {todo}.", seen.address));
        } else {
            all.push(format!(
                "{} (priority {}) is heard and refused: {why}. For the election it does not exist, nor do we for it.",
                seen.address, seen.priority
            ));
        }
    }
    // Routers that are refused explain the rest.
    let at = if refuses { all.len() } else { 0 };
    all.splice(at..at, before);
    let rivals = fresh.iter();
    let rivals = rivals.filter(|seen| seen.refused.is_none() && is_master_now(router, seen));
    if router.state == State::Master && !router.handing_over {
        for seen in rivals {
            all.push(format!(
                "There are two masters: {} (priority {}) advertises too, heard {}. One of the two does not hear the other, or refuses it: compare \"vrrpctl explain {}\" there.",
                seen.address,
                seen.priority,
                ago(seen.last_heard_s),
                router.vrid
            ));
        }
        if is_alone {
            let path = router.heartbeat.as_ref();
            let there = match path.and_then(|path| path.peer.as_ref()) {
                Some(_) => format!(" on {}", router.interface),
                None => String::new(),
            };
            all.push(format!(
                "No other router was ever heard{there}. A master hears no backups, so there may be some; but if another host should have been master before, look at the cable, the VLAN and the firewall (protocol 112)."
            ));
        }
    }
    if let Some(rejected) = &router.last_rejected
        && all.is_empty()
    {
        let source = rejected.source.as_deref().unwrap_or("an unreadable source");
        all.push(format!(
            "A packet from {source} was refused {}: {}; {} in all.",
            ago(rejected.age_s),
            rejected.reason,
            rejected.count
        ));
    }
    all
}

/// The second path, in sentences, where it tells anything. `is_alone`: no other router was ever heard on the
/// interface of the virtual router.
fn second_path(router: &VirtualRouter, is_alone: bool) -> Option<String> {
    let path = router.heartbeat.as_ref()?;
    let (here, there) = (&router.interface, &path.interface);
    let peer = path.peer.as_deref().unwrap_or("The master");
    let heard = path
        .last_heard_s
        .map_or_else(String::new, |age| format!(", last {}", ago(age)));
    Some(match path.state.as_str() {
        "down" => format!("The second path, {there}, is down or missing: it tells nothing."),
        "both" if is_alone => format!("{peer} is heard on the second path, {there}."),
        "both" => format!("{peer} is heard on the second path, {there}, as on {here}."),
        "missed" => format!(
            "{peer} is heard on {here}{heard}, and not on {there}: the second path is broken, or heartbeat is not set on that host."
        ),
        "cut" => format!(
            "{peer} is alive: it is heard on the second path, {there}{heard}, and not on {here}, where it is cut off from this host, in one direction at least. That is evidence for people; the election goes by {here} alone."
        ),
        "one-way" => format!(
            "{peer} is heard on {here} and on the second path, {there}, and goes on as master: our advertisements do not reach it on {here}, or it refuses them."
        ),
        "frozen" => format!(
            "{peer} is silent on {here} and on the second path, {there}{heard}, and its address is answered for: its vrrpd stands still, or was killed and left the address behind."
        ),
        "dead" => format!(
            "{peer} fell silent on {here} and on the second path, {there}, at once{heard}: it is dead, or cut off from both."
        ),
        _ => return None,
    })
}
