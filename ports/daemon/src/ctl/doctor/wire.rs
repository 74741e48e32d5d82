//! Conditions that the daemon knows of.

use vrrp_control::{Auth, Family, Seen, State, Status, VirtualRouter};

use super::{Finding, Host, faults, refused, tracked};
use crate::ctl::text::{heartbeat, is_master_now, name};

pub(super) fn findings(status: &Status, seen: &[Seen], host: &Host) -> Vec<Finding> {
    let mut all: Vec<Finding> = status
        .warnings
        .iter()
        .map(|text| warning("", text, "vrrpctl log".into()))
        .collect();
    all.extend(faults::of_groups(status, seen));
    all.extend(tracked::findings(status));
    for router in &status.virtual_routers {
        let about = name(
            router.name.as_deref(),
            router.vrid,
            &router.interface,
            router.family,
        );
        let of_ours = seen.iter().filter(|seen| {
            !seen.is_self
                && !seen.stale
                && seen.vrid == router.vrid
                && seen.interface == router.interface
                && seen.family == router.family
        });
        let others: Vec<&Seen> = of_ours.collect();
        let mut of_router = of_router(router, &others, host);
        of_router.extend(faults::of_router(router, status, seen, &word(router)));
        let told = !of_router.is_empty();
        all.extend(of_router.into_iter().map(|finding| Finding {
            about: about.clone(),
            ..finding
        }));
        // A warning says most of these in other words.
        if !told {
            // An explanation has the same words.
            let todo = format!(
                "as the warning says; vrrpctl log {} has when it began",
                word(router)
            );
            let warnings = router.warnings.iter();
            all.extend(warnings.map(|text| warning(&about, text, todo.clone())));
        }
    }
    all
}

/// The word by which commands name a virtual router.
fn word(router: &VirtualRouter) -> String {
    let name = router.name.clone();
    name.unwrap_or_else(|| router.vrid.to_string())
}

/// The fault that the second path of a virtual router shows.
fn second_path(router: &VirtualRouter) -> Option<Finding> {
    let path = router.heartbeat.as_ref()?;
    let (here, there, family) = (&router.interface, &path.interface, protocol(router.family));
    let (id, matters, todo) = match path.state.as_str() {
        "down" | "missed" => (
            "second-path",
            "Without it a master that is dead cannot be told from one that is cut off.",
            format!(
                "vrrpctl config on both hosts; tcpdump -ni {there} {family} proto 112, here and there"
            ),
        ),
        "cut" => (
            "cut",
            "Both hosts live and one does not hear the other: both become master.",
            format!(
                "tcpdump -ni {here} {family} proto 112, on both hosts: look for the cable, the VLAN or the firewall between"
            ),
        ),
        "one-way" => (
            "one-way",
            "The other host does not hear this one, and serves the addresses, too.",
            format!(
                "tcpdump -ni {here} {family} proto 112, on the other host: does it see this one?"
            ),
        ),
        "frozen" => (
            "frozen",
            "Addresses that a host answers for beside the master lead clients astray.",
            "systemctl restart vrrpd on that host, or vrrpd --clean where it was killed".into(),
        ),
        "dead" => (
            "dead",
            "There is one host less to take over.",
            "look after that host".into(),
        ),
        _ => return None,
    };
    Some(finding(id, heartbeat(router, path), matters, todo))
}

/// The name of a family for tcpdump(1).
const fn protocol(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    }
}

/// Whether an advertisement from our own address has a priority that we do not send.
fn is_forged(router: &VirtualRouter, seen: &Seen) -> bool {
    match seen.priority {
        0 => !router.handing_over && !router.leaving,
        255 => router.priority != 255,
        _ => false,
    }
}

fn warning(about: &str, text: &str, todo: String) -> Finding {
    Finding {
        id: "warning",
        about: about.to_owned(),
        found: text.to_owned(),
        matters: "vrrpd warns of it for as long as it lasts.".into(),
        todo,
    }
}

fn finding(id: &'static str, found: String, matters: &str, todo: String) -> Finding {
    Finding {
        id,
        about: String::new(),
        found,
        matters: matters.to_owned(),
        todo,
    }
}

fn of_router(router: &VirtualRouter, others: &[&Seen], host: &Host) -> Vec<Finding> {
    let mut all = Vec::new();
    let is_own = |seen: &Seen| router.source.as_deref() == Some(seen.address.as_str());
    let accepted = others.iter().filter(|seen| seen.refused.is_none());
    let rivals = others.iter();
    let rivals = rivals.filter(|seen| !is_own(seen) && is_master_now(router, seen));
    let rivals: Vec<&str> = rivals.map(|seen| seen.address.as_str()).collect();
    if router.masters > 1 {
        let rivals = rivals.join(", ");
        all.push(finding(
            "two-masters",
            match router.state {
                State::Master => {
                    format!("this host is master, and {rivals} is heard as master, too")
                }
                State::Backup | State::Init => {
                    format!("{} masters are heard: {rivals}", router.masters)
                }
            },
            "Addresses are served twice; clients reach now the one, now the other.",
            format!("vrrpctl explain {}, on each of the hosts", word(router)),
        ));
    }
    for seen in others {
        let Some(why) = &seen.refused else { continue };
        let (address, reason) = (&seen.address, why);
        all.push(match is_own(seen) {
            true if is_forged(router, seen) => finding(
                "forged",
                format!("{address}, our own address, {reason}"),
                "Other hosts believe it: priority 0 makes a backup take over, 255 keeps every host from it. A loop of switches does not do that.",
                format!(
                    "tcpdump -eni {} {} proto 112 on each host: the MAC leads to the port of a switch",
                    router.interface,
                    protocol(router.family)
                ),
            ),
            true => finding(
                "own-frames",
                format!("advertisements from our own address {address} arrive"),
                "A loop or a mirrored port sends back what we send, or another host has the same address.",
                format!("arping -D -I {} {address}; look for a loop of switches", router.interface),
            ),
            false => refused::finding(router, address, reason, &word(router)),
        });
    }
    all.extend(second_path(router));
    let lonely = router.peer.is_none() && others.is_empty() && router.state != State::Init;
    if lonely {
        let strict = host.number(&format!(
            "proc/sys/net/ipv4/conf/{}/rp_filter",
            router.interface
        ));
        let strict = strict.max(host.number("proc/sys/net/ipv4/conf/all/rp_filter")) == Some(1);
        let more = if strict { "; rp_filter is 1 there" } else { "" };
        all.push(finding(
            "never-heard",
            format!("no other router was ever heard{more}"),
            "That is so on a master whose backups were never master, and where a cable, a VLAN or a firewall is in the way.",
            format!(
                "tcpdump -ni {} {} proto 112, here and on the other host",
                router.interface,
                protocol(router.family)
            ),
        ));
    }
    for seen in accepted {
        if seen.priority == router.priority && router.state != State::Init {
            let (id, matters) = match router.priority {
                255 => (
                    "two-owners",
                    "Two hosts claim to own the addresses; neither gives way.",
                ),
                _ => (
                    "equal-priority",
                    "The higher address decides, which nobody wrote down.",
                ),
            };
            all.push(finding(
                id,
                format!("{} has our priority, {}", seen.address, router.priority),
                matters,
                "give each host its own priority in vrrpd.conf".into(),
            ));
        }
    }
    all.extend(router.auth.iter().flat_map(|auth| of_auth(auth, router)));
    if router.priority_override.is_some() || router.resigned {
        all.push(finding(
            "override",
            match router.priority_override {
                Some(set) => format!("the priority is {set} by vrrpctl, {} by the file", router.configured_priority),
                None => "it was told to resign and does not compete".into(),
            },
            "A host that was taken out for maintenance and forgotten is missing when the other fails.",
            match router.resigned {
                true => format!("vrrpctl default {}", word(router)),
                false => format!("vrrpctl priority {} default", word(router)),
            },
        ));
    }
    all
}

fn of_auth(auth: &Auth, router: &VirtualRouter) -> Vec<Finding> {
    /// Advertisements of a router that was not heard for so long are of the past.
    const LATELY: f64 = 3_600.0;
    let mut all = Vec::new();
    if let Some(peer) = &auth.held_by {
        all.push(finding(
            "clocks-differ",
            format!("{peer} is present and signs by another clock, and ours is not known to be right"),
            "This host takes over from nobody while it hears that peer, and each refuses the other.",
            "timedatectl, or ntpq -p, on both hosts".into(),
        ));
    } else if auth.waits_for_clock {
        all.push(finding(
            "clock-in-doubt",
            "the clock is not synchronised, and signatures go by it".into(),
            "As a backup it takes over two intervals late and from no master, until a signed advertisement shows the clock right.",
            "let an NTP client set the clock; see vrrpd_auth(7), Clocks".into(),
        ));
    }
    for sender in auth.senders.iter().filter(|s| s.last_heard_s <= LATELY) {
        if !sender.signed && auth.mode != "receive-only" {
            all.push(finding(
                "bare-peer",
                format!(
                    "{} sends advertisements without a signature",
                    sender.address
                ),
                "authmode = enforce refuses them; without it anybody on the segment can send some.",
                format!(
                    "auth = hmac on {}; vrrpctl auth {}",
                    sender.address,
                    word(router)
                ),
            ));
        }
        if let Some(skew) = sender.skew_s
            && sender.signed
            && auth.anti_replay == "time"
            && skew.unsigned_abs() * 2 > auth.window_s.into()
            && skew.unsigned_abs() <= auth.window_s.into()
        {
            all.push(finding(
                "clock-skew",
                format!(
                    "the clock of {} differs by {} s, and timewindow is {} s",
                    sender.address,
                    skew.unsigned_abs(),
                    auth.window_s
                ),
                "Beyond the window both hosts refuse each other and become master.",
                "timedatectl, or ntpq -p, on both hosts".into(),
            ));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{AuthSender, Heartbeat, Peer};

    fn router() -> VirtualRouter {
        VirtualRouter {
            vrid: 1,
            interface: "eth0".into(),
            family: Family::Ipv4,
            state: State::Master,
            priority: 200,
            configured_priority: 200,
            enabled: true,
            since_s: 61.0,
            masters: 1,
            source: Some("10.0.0.2".into()),
            peer: Some(Peer::default()),
            ..VirtualRouter::default()
        }
    }

    fn seen(address: &str, refused: Option<&str>) -> Seen {
        Seen {
            interface: "eth0".into(),
            vrid: 1,
            family: Family::Ipv4,
            address: address.into(),
            priority: 100,
            refused: refused.map(str::to_owned),
            ..Seen::default()
        }
    }

    #[track_caller]
    fn found(router: VirtualRouter, seen: &[Seen]) -> Vec<(&'static str, String)> {
        let status = Status {
            virtual_routers: vec![router],
            ..Status::default()
        };
        let all = findings(&status, seen, &Host::of("/nonexistent"));
        let about = |finding: &Finding| finding.about == "VRID 1 on eth0 (ipv4)";
        assert!(all.iter().all(about), "{all:?}");
        all.into_iter().map(|one| (one.id, one.found)).collect()
    }

    #[test]
    fn a_healthy_one_has_no_findings() {
        assert_eq!(found(router(), &[]), []);
        let backup = VirtualRouter {
            state: State::Backup,
            masters: 1,
            ..router()
        };
        assert_eq!(found(backup, &[seen("10.0.0.3", None)]), []);
    }

    #[test]
    fn each_condition_of_the_wire_is_found() {
        let one = |id, text: &str| vec![(id, text.to_owned())];
        let two = VirtualRouter {
            masters: 2,
            ..router()
        };
        assert_eq!(
            found(two, &[seen("10.0.0.3", None)]),
            one(
                "two-masters",
                "this host is master, and 10.0.0.3 is heard as master, too"
            )
        );
        let backup = VirtualRouter {
            state: State::Backup,
            masters: 2,
            ..router()
        };
        assert_eq!(
            found(backup, &[seen("10.0.0.3", None), seen("10.0.0.4", None)]),
            one("two-masters", "2 masters are heard: 10.0.0.3, 10.0.0.4")
        );
        assert_eq!(
            found(router(), &[seen("10.0.0.2", Some("is a loop"))]),
            one(
                "own-frames",
                "advertisements from our own address 10.0.0.2 arrive"
            )
        );
        for priority in [0, 255] {
            let forged = Seen {
                priority,
                ..seen("10.0.0.2", Some("is advertised from with another"))
            };
            let expected = "10.0.0.2, our own address, is advertised from with another";
            assert_eq!(found(router(), &[forged]), one("forged", expected));
        }
        assert_eq!(
            found(
                router(),
                &[seen("10.0.0.3", Some("it has another password"))]
            ),
            one(
                "refused",
                "10.0.0.3 is heard and refused: it has another password"
            )
        );
        let lonely = || VirtualRouter {
            peer: None,
            ..router()
        };
        assert_eq!(
            found(lonely(), &[]),
            one("never-heard", "no other router was ever heard")
        );
        // Heard and refused is not never heard.
        assert_eq!(
            found(lonely(), &[seen("10.0.0.3", Some("x"))])[0].0,
            "refused"
        );
        for (state, id) in [
            ("down", Some("second-path")),
            ("missed", Some("second-path")),
            ("cut", Some("cut")),
            ("one-way", Some("one-way")),
            ("frozen", Some("frozen")),
            ("dead", Some("dead")),
            ("both", None),
            ("silent", None),
        ] {
            let with = VirtualRouter {
                heartbeat: Some(Heartbeat {
                    interface: "eth1".into(),
                    state: state.into(),
                    ..Heartbeat::default()
                }),
                ..router()
            };
            let ids: Vec<&str> = found(with, &[]).iter().map(|one| one.0).collect();
            assert_eq!(ids, id.into_iter().collect::<Vec<_>>(), "{state}");
        }
        let equal = VirtualRouter {
            priority: 100,
            ..router()
        };
        assert_eq!(
            found(equal, &[seen("10.0.0.3", None)]),
            one("equal-priority", "10.0.0.3 has our priority, 100")
        );
        let owner = VirtualRouter {
            priority: 255,
            ..router()
        };
        let other = Seen {
            priority: 255,
            ..seen("10.0.0.3", None)
        };
        assert_eq!(found(owner, &[other])[0].0, "two-owners");
        let set = VirtualRouter {
            priority_override: Some(50),
            ..router()
        };
        assert_eq!(
            found(set, &[]),
            one("override", "the priority is 50 by vrrpctl, 200 by the file")
        );
        let resigned = VirtualRouter {
            resigned: true,
            ..router()
        };
        assert_eq!(found(resigned, &[])[0].0, "override");
        let auth = |change: &dyn Fn(&mut Auth)| {
            let mut auth = Auth {
                mode: "permissive".into(),
                anti_replay: "time".into(),
                window_s: 5,
                senders: vec![AuthSender {
                    address: "10.0.0.3".into(),
                    signed: true,
                    skew_s: Some(2),
                    ..AuthSender::default()
                }],
                ..Auth::default()
            };
            change(&mut auth);
            VirtualRouter {
                auth: Some(auth),
                ..router()
            }
        };
        assert_eq!(found(auth(&|_| {}), &[]), []);
        for (id, text, change) in [
            (
                "clocks-differ",
                "10.0.0.3 is present and signs by another clock, and ours is not known to be right",
                (&|a: &mut Auth| a.held_by = Some("10.0.0.3".into())) as &dyn Fn(&mut Auth),
            ),
            (
                "clock-in-doubt",
                "the clock is not synchronised, and signatures go by it",
                &|a| a.waits_for_clock = true,
            ),
            (
                "bare-peer",
                "10.0.0.3 sends advertisements without a signature",
                &|a| a.senders[0].signed = false,
            ),
            (
                "clock-skew",
                "the clock of 10.0.0.3 differs by 3 s, and timewindow is 5 s",
                &|a| a.senders[0].skew_s = Some(-3),
            ),
        ] {
            assert_eq!(found(auth(change), &[]), one(id, text));
        }
        // Those of long ago, and a group that has just begun.
        assert_eq!(
            found(
                auth(&|a| (a.senders[0].signed, a.senders[0].last_heard_s) = (false, 9e3)),
                &[]
            ),
            []
        );
        assert_eq!(
            found(
                auth(&|a| (a.senders[0].signed, a.mode) = (false, "receive-only".into())),
                &[]
            ),
            []
        );
        let warned = VirtualRouter {
            warnings: vec!["somebody changed a sysctl".into()],
            ..router()
        };
        assert_eq!(
            found(warned, &[]),
            one("warning", "somebody changed a sysctl")
        );
    }

    #[test]
    fn the_advice_names_the_virtual_router_and_its_family() {
        #[track_caller]
        fn todo(router: VirtualRouter) -> String {
            let status = Status {
                virtual_routers: vec![router],
                ..Status::default()
            };
            let all = findings(&status, &[], &Host::of("/nonexistent"));
            let [one] = &all[..] else {
                panic!("{all:?}");
            };
            one.todo.clone()
        }
        let named = || VirtualRouter {
            name: Some("web".into()),
            ..router()
        };
        let lonely = |family| VirtualRouter {
            family,
            peer: None,
            ..router()
        };
        for (router, expected) in [
            (
                lonely(Family::Ipv4),
                "tcpdump -ni eth0 ip proto 112, here and on the other host",
            ),
            (
                lonely(Family::Ipv6),
                "tcpdump -ni eth0 ip6 proto 112, here and on the other host",
            ),
            (
                VirtualRouter {
                    warnings: vec!["x".into()],
                    ..named()
                },
                "as the warning says; vrrpctl log web has when it began",
            ),
            (
                VirtualRouter {
                    warnings: vec!["x".into()],
                    ..router()
                },
                "as the warning says; vrrpctl log 1 has when it began",
            ),
            (
                VirtualRouter {
                    resigned: true,
                    ..named()
                },
                "vrrpctl default web",
            ),
            (
                VirtualRouter {
                    priority_override: Some(50),
                    ..router()
                },
                "vrrpctl priority 1 default",
            ),
        ] {
            assert_eq!(todo(router), expected);
        }
    }
}
