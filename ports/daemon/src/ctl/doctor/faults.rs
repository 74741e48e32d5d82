//! Virtual routers and groups that take no part, or wait, and whether another host serves meanwhile.

use vrrp_control::{Seen, State, Status, VirtualRouter};

use super::Finding;
use super::tracked::{look_at_check, look_at_interface};
use crate::ctl::text::{master_heard, name, obstacles, reason};

const MATTERS: &str =
    "This host takes over from nobody while it lasts: the addresses have one host less.";

/// Whether advertisements for a virtual router reach this host: it takes part, or another one of its
/// interface and family does and hears multicast.
fn is_listened_for(router: &VirtualRouter, all: &[VirtualRouter]) -> bool {
    let listens = |one: &VirtualRouter| {
        one.state != State::Init
            && one.interface == router.interface
            && one.family == router.family
            && (one.vrid == router.vrid || one.peers.is_empty() && router.peers.is_empty())
    };
    router.state != State::Init || all.iter().any(listens)
}

/// Whether another host serves, as far as this one can know.
fn served_by(router: &VirtualRouter, all: &[VirtualRouter], seen: &[Seen]) -> String {
    match master_heard(router, seen) {
        Some(seen) => format!("{} is heard as master", seen.address),
        None if router.interface_missing || !router.interface_up => {
            "other hosts cannot be heard there".into()
        }
        None if !is_listened_for(router, all) => {
            "it does not listen while it is in init: whether another host serves is not known here"
                .into()
        }
        None => "no master is heard: nobody serves the addresses, as far as this host knows".into(),
    }
}

/// The command that shows the first check or interface that is down and keeps it from taking part.
fn tracked(router: &VirtualRouter) -> Option<String> {
    let mut checks = router.checks.iter();
    let check = checks.find(|check| !check.passing && check.effect == "fault");
    let mut objects = router.tracked.iter();
    let interface = objects.find_map(|one| {
        let is_down = !one.up && one.effect == "fault";
        one.what.strip_prefix("interface ").filter(|_| is_down)
    });
    let check = check.map(|check| look_at_check(&check.name));
    check.or_else(|| interface.map(look_at_interface))
}

/// The command that shows the cause, by the cause.
fn todo(router: &VirtualRouter, word: &str) -> String {
    let interface = &router.interface;
    if router.interface_missing {
        return format!(
            "there is no interface {interface}: compare vrrpd.conf with what ip link shows"
        );
    }
    match router.cause.as_str() {
        "disabled" => format!("vrrpctl enable {word}"),
        "interface-down" => {
            format!("ip link show dev {interface}: look for the cable and the port of the switch")
        }
        "no-address" => format!("ip address show dev {interface}"),
        "tracked-fault" => tracked(router).unwrap_or_else(|| format!("vrrpctl explain {word}")),
        _ => format!("vrrpctl explain {word}"),
    }
}

/// A virtual router that takes no part for a cause of its own, or waits for its group where nobody serves.
pub(super) fn of_router(
    router: &VirtualRouter,
    status: &Status,
    seen: &[Seen],
    word: &str,
) -> Option<Finding> {
    let of = |id, found| Finding {
        id,
        about: String::new(),
        found,
        matters: MATTERS.to_owned(),
        todo: todo(router, word),
    };
    let served = served_by(router, &status.virtual_routers, seen);
    match (router.state, &router.group) {
        (State::Init, _) if router.leaving || router.cause == "group" => None,
        (State::Init, _) => Some(of(
            "fault",
            format!("it takes no part: {}; {served}", reason(router)),
        )),
        // Its warning says more. A group that has just begun to wait is no condition yet.
        (State::Backup, Some(group))
            if group.waits
                && router.warnings.is_empty()
                && group.since_s > 2.0 * router.down_interval_s
                && master_heard(router, seen).is_none() =>
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
            of.is_some_and(|of| of.name == group.name)
        });
        let (deaf, unserved): (Vec<_>, Vec<_>) = members
            .filter(|one| master_heard(one, seen).is_none())
            .partition(|one| !is_listened_for(one, &status.virtual_routers));
        let names = |all: &[&VirtualRouter]| {
            let all = all.iter();
            let all =
                all.map(|one| name(one.name.as_deref(), one.vrid, &one.interface, one.family));
            all.collect::<Vec<_>>().join(", ")
        };
        let mut served = Vec::new();
        if !unserved.is_empty() {
            served.push(format!("no master is heard of {}", names(&unserved)));
        }
        if !deaf.is_empty() {
            let names = names(&deaf);
            served.push(format!(
                "whether another host serves {names} is not known here: members in init do not listen"
            ));
        }
        if served.is_empty() {
            served.push("another host is heard as master of each".to_owned());
        }
        let served = served.join("; ");
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
    use vrrp_control::{Family, Group, TrackedObject, UsedCheck};

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
            let status = Status::default();
            let one = of_router(router, &status, seen, "1");
            one.map(|one| (one.id, one.found, one.todo))
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
        assert!(
            text.ends_with("whether another host serves is not known here"),
            "{text}"
        );
        let (_, text, _) = found(&failing, &[heard("eth1"), heard("eth0")]).expect("a finding");
        assert!(text.ends_with("10.0.0.2 is heard as master"), "{text}");
        let follows = router("eth0", "group", "group gw: ...");
        assert_eq!(found(&follows, &[]), None);
        let missing = VirtualRouter {
            interface_missing: true,
            ..router("dmz", "interface-down", "there is no interface dmz")
        };
        let (_, _, todo) = found(&missing, &[]).expect("a finding");
        assert_eq!(
            todo,
            "there is no interface dmz: compare vrrpd.conf with what ip link shows"
        );
    }

    #[test]
    fn silence_tells_something_only_where_a_virtual_router_listens() {
        let failing = router("eth0", "tracked-fault", "check web fails");
        let beside = |change: &dyn Fn(&mut VirtualRouter)| {
            let mut beside = VirtualRouter {
                vrid: 2,
                state: State::Backup,
                ..router("eth0", "", "")
            };
            change(&mut beside);
            let status = Status {
                virtual_routers: vec![failing.clone(), beside],
                ..Status::default()
            };
            let one = of_router(&failing, &status, &[], "1").expect("a finding");
            one.found.contains("nobody serves")
        };
        assert!(beside(&|_| ()));
        assert!(!beside(&|one| one.state = State::Init));
        assert!(!beside(&|one| one.interface = "eth1".into()));
        assert!(!beside(&|one| one.family = Family::Ipv6));
        assert!(!beside(&|one| one.peers.push("10.0.0.2".into())));
    }

    #[test]
    fn a_tracked_object_that_is_down_is_named() {
        let object = |what: &str, effect: &str, up| TrackedObject {
            what: what.into(),
            effect: effect.into(),
            up,
        };
        let pulled = VirtualRouter {
            tracked: vec![
                object("interface lan", "fault", false),
                object("interface wan", "fault", true),
                object("interface dmz", "-50", false),
            ],
            ..router("eth0", "tracked-fault", "a tracked object is down")
        };
        let one = of_router(&pulled, &Status::default(), &[], "1").expect("a finding");
        let text = "it takes no part: a tracked object is down: interface lan; it does not listen";
        assert!(one.found.starts_with(text), "{}", one.found);
        assert_eq!(one.todo, "ip link: is there lan, and has it a carrier?");
        let failing = VirtualRouter {
            checks: vec![UsedCheck {
                name: "db".into(),
                effect: "fault".into(),
                passing: false,
            }],
            ..pulled
        };
        let one = of_router(&failing, &Status::default(), &[], "1").expect("a finding");
        assert_eq!(one.todo, "vrrpctl check db");
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
            "none of its members takes part: VRID 1 on eth1 (ipv4) cannot take part; whether another host serves VRID 1 on eth1 (ipv4) is not known here: members in init do not listen"
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
        let of_router = |router: &VirtualRouter, seen: &[Seen]| {
            super::of_router(router, &Status::default(), seen, "1")
        };
        let one = of_router(&waiting, &[]).expect("a finding");
        assert_eq!(one.id, "waits");
        assert!(
            one.found.contains("was told to resign; no master is heard"),
            "{}",
            one.found
        );
        assert_eq!(of_router(&waiting, &[heard("eth0")]), None);
        waiting.warnings.push("no master is heard".into());
        assert_eq!(of_router(&waiting, &[]), None);
    }
}
