//! Virtual routers and groups that take no part, or wait, and whether another host serves meanwhile.

use vrrp_control::{Seen, State, Status, VirtualRouter};

use super::Finding;
use crate::ctl::text::{name, obstacles};

const MATTERS: &str =
    "This host takes over from nobody while it lasts: the addresses have one host less.";

/// The master that is heard for a virtual router.
fn master<'a>(router: &VirtualRouter, seen: &'a [Seen]) -> Option<&'a Seen> {
    seen.iter().find(|seen| {
        !seen.is_self
            && !seen.stale
            && seen.priority != 0
            && seen.vrid == router.vrid
            && seen.interface == router.interface
            && seen.family == router.family
    })
}

/// Whether another host serves, as far as this one can know.
fn served_by(router: &VirtualRouter, seen: &[Seen]) -> String {
    match master(router, seen) {
        Some(seen) => format!("{} is heard as master", seen.address),
        None if router.interface_missing || !router.interface_up => {
            "other hosts cannot be heard there".into()
        }
        None => "no master is heard: nobody serves the addresses, as far as this host knows".into(),
    }
}

/// The command that shows the cause, by the cause.
fn todo(router: &VirtualRouter, word: &str) -> String {
    let interface = &router.interface;
    match router.cause.as_str() {
        "disabled" => format!("vrrpctl enable {word}"),
        "interface-down" => {
            format!("ip link show dev {interface}: look for the cable and the port of the switch")
        }
        "no-address" => format!("ip address show dev {interface}"),
        _ => format!("vrrpctl explain {word}"),
    }
}

/// A virtual router that takes no part for a cause of its own, or waits for its group where nobody serves.
pub(super) fn of_router(router: &VirtualRouter, seen: &[Seen], word: &str) -> Option<Finding> {
    let of = |id, found| Finding {
        id,
        about: String::new(),
        found,
        matters: MATTERS.to_owned(),
        todo: todo(router, word),
    };
    let served = served_by(router, seen);
    match (router.state, &router.group) {
        (State::Init, _) if router.leaving || router.cause == "group" => None,
        (State::Init, _) => Some(of(
            "fault",
            format!("it takes no part: {}; {served}", router.reason),
        )),
        // Its warning says more. A group that has just begun to wait is no condition yet.
        (State::Backup, Some(group))
            if group.waits
                && router.warnings.is_empty()
                && group.since_s > 2.0 * router.down_interval_s
                && master(router, seen).is_none() =>
        {
            let held = obstacles(group);
            let called = &group.name;
            let text = format!("it would be master, and waits for its group {called}{held}");
            Some(of("waits", format!("{text}; {served}")))
        }
        _ => None,
    }
}

/// The groups that take no part, each with its cause and the members that nobody serves.
pub(super) fn of_groups(status: &Status, seen: &[Seen]) -> Vec<Finding> {
    let mut all: Vec<Finding> = Vec::new();
    for router in &status.virtual_routers {
        let Some(group) = &router.group else { continue };
        let about = format!("group {}", group.name);
        let is_known = all.iter().any(|finding| finding.about == about);
        if group.wanted != State::Init || is_known || status.stopping {
            continue;
        }
        let members = status.virtual_routers.iter().filter(|one| {
            let of = one.group.as_ref();
            of.is_some_and(|of| of.name == group.name) && master(one, seen).is_none()
        });
        let unserved: Vec<String> = members
            .map(|one| name(one.name.as_deref(), one.vrid, &one.interface, one.family))
            .collect();
        let served = match unserved.as_slice() {
            [] => "another host is heard as master of each".to_owned(),
            some => format!("no master is heard of {}", some.join(", ")),
        };
        all.push(Finding {
            id: "group-fault",
            about,
            found: format!("none of its members takes part: {}; {served}", group.reason),
            matters: MATTERS.to_owned(),
            todo: format!("vrrpctl explain {}", group.name),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{Family, Group};

    fn router(interface: &str, cause: &str, reason: &str) -> VirtualRouter {
        VirtualRouter {
            vrid: 1,
            interface: interface.into(),
            family: Family::Ipv4,
            state: State::Init,
            cause: cause.into(),
            reason: reason.into(),
            interface_up: cause != "interface-down",
            down_interval_s: 3.0,
            ..VirtualRouter::default()
        }
    }

    fn heard(interface: &str) -> Seen {
        Seen {
            vrid: 1,
            interface: interface.into(),
            family: Family::Ipv4,
            address: "10.0.0.2".into(),
            priority: 100,
            ..Seen::default()
        }
    }

    #[test]
    fn a_virtual_router_in_fault_is_found_with_its_cause_and_who_serves() {
        let found = |router: &VirtualRouter, seen: &[Seen]| {
            of_router(router, seen, "1").map(|one| (one.id, one.found, one.todo))
        };
        let pulled = router("eth0", "interface-down", "interface down");
        let (id, text, todo) = found(&pulled, &[]).expect("a finding");
        assert_eq!(id, "fault");
        assert_eq!(
            text,
            "it takes no part: interface down; other hosts cannot be heard there"
        );
        assert!(todo.starts_with("ip link show dev eth0"), "{todo}");
        let failing = router("eth0", "tracked-fault", "check web fails");
        let (_, text, _) = found(&failing, &[]).expect("a finding");
        assert!(text.contains("nobody serves"), "{text}");
        let (_, text, _) = found(&failing, &[heard("eth1"), heard("eth0")]).expect("a finding");
        assert!(text.ends_with("10.0.0.2 is heard as master"), "{text}");
        let follows = router("eth0", "group", "group gw: ...");
        assert_eq!(found(&follows, &[]), None);
    }

    #[test]
    fn a_group_in_fault_is_found_once_with_the_members_that_nobody_serves() {
        let group = Group {
            name: "gw".into(),
            wanted: State::Init,
            reason: "VRID 1 on eth1 (ipv4) cannot take part".into(),
            ..Group::default()
        };
        let member = |interface: &str, cause: &str| VirtualRouter {
            group: Some(group.clone()),
            ..router(interface, cause, "")
        };
        let mut status = Status {
            virtual_routers: vec![member("eth0", "group"), member("eth1", "interface-down")],
            ..Status::default()
        };
        let all = of_groups(&status, &[heard("eth0")]);
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].id, all[0].about.as_str()),
            ("group-fault", "group gw")
        );
        assert_eq!(
            all[0].found,
            "none of its members takes part: VRID 1 on eth1 (ipv4) cannot take part; no master is heard of VRID 1 on eth1 (ipv4)"
        );
        for router in &mut status.virtual_routers {
            router.group.as_mut().expect("a group").wanted = State::Backup;
        }
        assert_eq!(of_groups(&status, &[]), []);
    }

    #[test]
    fn a_member_that_waits_where_nobody_serves_is_found() {
        let mut waiting = VirtualRouter {
            state: State::Backup,
            group: Some(Group {
                name: "gw".into(),
                wanted: State::Backup,
                waits: true,
                since_s: 60.0,
                obstacles: vec!["VRID 1 on eth1 (ipv4) was told to resign".into()],
                ..Group::default()
            }),
            ..router("eth0", "not-active", "started")
        };
        let one = of_router(&waiting, &[], "1").expect("a finding");
        assert_eq!(one.id, "waits");
        assert!(
            one.found.contains("was told to resign; no master is heard"),
            "{}",
            one.found
        );
        assert_eq!(of_router(&waiting, &[heard("eth0")], "1"), None);
        waiting.warnings.push("no master is heard".into());
        assert_eq!(of_router(&waiting, &[], "1"), None);
    }
}
