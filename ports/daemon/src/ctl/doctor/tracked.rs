//! Checks that fail and tracked objects that are down, where the virtual routers take part all the same.

use std::collections::BTreeMap;

use vrrp_control::{State, Status, VirtualRouter};
use vrrp_host::wording::span;

use super::Finding;
use crate::ctl::text::name;

const MATTERS: &str = "While it lasts, this host takes over only where no other host does, or with a lower priority: the addresses \
     have one host less.";

/// The effect on a virtual router that takes part. Returns `None` if there is none.
fn effect(router: &VirtualRouter, effect: &str) -> Option<String> {
    let called = name(
        router.name.as_deref(),
        router.vrid,
        &router.interface,
        router.family,
    );
    match (effect, router.state) {
        // A finding of the virtual router has the cause.
        (_, State::Init) | ("fault", _) => None,
        ("stand-back", State::Master) => Some(format!("{called} is to stand back, and is master")),
        ("stand-back", State::Backup) => Some(format!("{called} stands back")),
        // The owner's priority does not move.
        _ if router.base_priority == 255 => None,
        (weight, _) => {
            let weight = weight.trim_start_matches(['+', '-']);
            Some(format!("the priority of {called} is lower by {weight}"))
        }
    }
}

/// The command that shows how a check is.
pub(super) fn look_at_check(name: &str) -> String {
    format!("vrrpctl check {name}")
}

/// The command that shows how an interface is.
pub(super) fn look_at_interface(name: &str) -> String {
    format!("ip link: is there {name}, and has it a carrier?")
}

/// The tracked objects that are down, checks among them, each with its effects.
pub(super) fn findings(status: &Status) -> Vec<Finding> {
    let mut down: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for router in &status.virtual_routers {
        for object in router.tracked.iter().filter(|object| !object.up) {
            let effects = effect(router, &object.effect);
            down.entry(&object.what).or_default().extend(effects);
        }
    }
    down.retain(|_, effects| !effects.is_empty());
    let all = down.into_iter().map(|(what, effects)| {
        let effects = effects.join("; ");
        let of = |id, found, todo| Finding {
            id,
            about: what.to_owned(),
            found,
            matters: MATTERS.to_owned(),
            todo,
        };
        let mut checks = status.checks.iter();
        if let Some(check) = checks.find(|check| what.strip_prefix("check ") == Some(&check.name)) {
            let answer = check.answer.as_deref().unwrap_or("not answered yet");
            let since = span(check.since_s);
            let found = format!("it has failed for {since}: {answer}: {effects}");
            return of("check-fails", found, look_at_check(&check.name));
        }
        let interface = what.strip_prefix("interface ").map(look_at_interface);
        let todo = interface.unwrap_or_else(|| "vrrpctl status".to_owned());
        of("tracked-down", format!("it is down: {effects}"), todo)
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{Check, TrackedObject};

    fn router(vrid: u8, state: State, what: &str, effect: &str) -> VirtualRouter {
        VirtualRouter {
            vrid,
            interface: "eth0".into(),
            state,
            base_priority: 100,
            tracked: vec![TrackedObject {
                what: what.into(),
                effect: effect.into(),
                up: false,
            }],
            ..VirtualRouter::default()
        }
    }

    fn found(routers: &[VirtualRouter], answer: Option<&str>) -> Vec<(String, String, String)> {
        let status = Status {
            virtual_routers: routers.to_vec(),
            checks: vec![Check {
                name: "web".into(),
                since_s: 61.0,
                answer: answer.map(str::to_owned),
                ..Check::default()
            }],
            ..Status::default()
        };
        let all = super::super::examine(&status, &[], &super::super::Host::of("/nonexistent"));
        let all = all.into_iter();
        let all = all.filter(|one| one.about.starts_with("check ") || one.about.starts_with("int"));
        all.map(|one| {
            (
                format!("{}: {}", one.about, one.found),
                one.id.to_owned(),
                one.todo,
            )
        })
        .collect()
    }

    #[test]
    fn a_check_that_fails_on_a_backup_is_found_once_with_its_answer_and_its_effects() {
        let routers = [
            router(1, State::Backup, "check web", "stand-back"),
            router(2, State::Backup, "check web", "-50"),
            router(3, State::Master, "check web", "+20"),
        ];
        let all = found(&routers, Some("127.0.0.1:80 connection refused"));
        let text = "check web: it has failed for 1 min 1 s: 127.0.0.1:80 connection refused: \
                    VRID 1 on eth0 (ipv4) stands back; the priority of VRID 2 on eth0 (ipv4) is lower by 50; \
                    the priority of VRID 3 on eth0 (ipv4) is lower by 20";
        let expected = (
            text.into(),
            "check-fails".into(),
            "vrrpctl check web".into(),
        );
        assert_eq!(all, [expected]);
        let all = found(&routers[..1], None);
        assert!(
            all[0].0.contains("1 s: not answered yet: VRID 1"),
            "{all:?}"
        );
    }

    #[test]
    fn an_interface_that_only_lowers_a_priority_is_found() {
        let down = router(1, State::Backup, "interface eth1", "-50");
        let all = found(&[down], None);
        let text =
            "interface eth1: it is down: the priority of VRID 1 on eth0 (ipv4) is lower by 50";
        assert_eq!(
            (all[0].0.as_str(), all[0].1.as_str()),
            (text, "tracked-down")
        );
    }

    #[test]
    fn objects_without_an_effect_are_not_found() {
        let fails = router(1, State::Backup, "check web", "-50");
        let mut passes = fails.clone();
        passes.tracked[0].up = true;
        let owner = VirtualRouter {
            base_priority: 255,
            ..fails
        };
        // Its fault is a finding of its own.
        let in_fault = router(2, State::Init, "check web", "fault");
        assert_eq!(found(&[passes, owner, in_fault], None), []);
    }
}
