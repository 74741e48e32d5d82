//! `vrrpctl resign --wait`: resigns, and waits until another host has taken over or none has.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use vrrp_control::{Answer, Family, Request, State, Status, VirtualRouter, Which};
use vrrpd::ctl::text;

use super::commands::Form;
use super::{Failure, REFUSED, UNDECIDED, UNREACHABLE, print};

/// The time between two questions.
const STEP: Duration = Duration::from_millis(20);
/// How long a virtual router may wait for its turn to resign. Many leave one after the other.
const TURN: Duration = Duration::from_secs(5);

/// The outcome for one virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Another host is master now; its address, if it is known.
    HandedOver(Option<String>),
    /// No host took over: this one serves on.
    TakenBack,
}

/// A virtual router that was master.
#[derive(Debug)]
struct Leaving {
    name: (String, u8, Family),
    label: String,
    /// The group that it belongs to. Its outcome is that of all members.
    group: Option<String>,
    began: bool,
    outcome: Option<Outcome>,
    /// It came back while other members of its group were with another host.
    held_back: bool,
}

/// Resigns, and returns when all is decided: 0 where other hosts are master now, 1 where an address was
/// taken back.
pub(super) fn run(
    ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>,
    request: &Request,
    wait: Duration,
    form: Form,
) -> Result<ExitCode, Failure> {
    let before = status(ask)?;
    let (Request::Resign(which) | Request::Failover(which)) = request else {
        return Err((REFUSED, "there is no outcome to wait for".to_owned().into()));
    };
    ask(request)?;
    // With a member its whole group moves.
    let chosen = before.virtual_routers.iter().filter(|r| {
        let mut fitting = before.virtual_routers.iter().filter(|one| fits(which, one));
        let group = |one: &VirtualRouter| one.group.as_ref().map(|group| group.name.clone());
        fitting.any(|one| name(one) == name(r) || group(one).is_some() && group(one) == group(r))
    });
    let mut all: Vec<Leaving> = chosen
        .map(|router| Leaving {
            name: name(router),
            label: text::name(
                router.name.as_deref(),
                router.vrid,
                &router.interface,
                router.family,
            ),
            group: router.group.as_ref().map(|group| group.name.clone()),
            began: false,
            outcome: (router.state != State::Master).then(|| Outcome::HandedOver(master(router))),
            held_back: false,
        })
        .collect();
    let asked = Instant::now();
    while !is_decided(&all) {
        let late = asked.elapsed() >= TURN;
        let now = status(ask)?;
        look(&mut all, &now.virtual_routers, late);
        if is_decided(&all) {
            break;
        }
        if asked.elapsed() >= wait {
            show(&all, form)?;
            let seconds = wait.as_secs();
            let message = format!("no other host has taken over within {seconds} s");
            return Err((UNDECIDED, message.into()));
        }
        std::thread::sleep(STEP);
    }
    show(&all, form)?;
    let back = all.iter().any(|l| l.outcome == Some(Outcome::TakenBack));
    Ok(ExitCode::from(if back { REFUSED } else { 0 }))
}

/// Takes in the state of all. That of a member of a group may change until all members agree: a host that
/// finds no successor for one takes all back.
fn look(all: &mut [Leaving], routers: &[VirtualRouter], late: bool) {
    for leaving in all.iter_mut() {
        let router = routers.iter().find(|r| name(r) == leaving.name);
        if leaving.group.is_some() {
            leaving.outcome = None;
        }
        if leaving.outcome.is_none() {
            leaving.look(router, late);
        }
    }
    if is_mixed(all) {
        for leaving in all.iter_mut().filter(|one| one.group.is_some()) {
            leaving.held_back |= leaving.outcome == Some(Outcome::TakenBack);
        }
    }
}

/// Whether each has an outcome, and no group is divided.
fn is_decided(all: &[Leaving]) -> bool {
    all.iter().all(|one| one.outcome.is_some()) && !is_mixed(all)
}

/// Whether this host has members of a group, and another host has others.
fn is_mixed(all: &[Leaving]) -> bool {
    let back = |one: &Leaving| one.outcome == Some(Outcome::TakenBack);
    let mut backs = all.iter().filter(|one| one.group.is_some() && back(one));
    backs.any(|one| {
        let others = all.iter().filter(|other| other.group == one.group);
        let mut gone = others.filter_map(|other| other.outcome.as_ref());
        gone.any(|outcome| matches!(outcome, Outcome::HandedOver(_)))
    })
}

impl Leaving {
    /// Takes in what has become of it. `late`: its turn has come by now. `None`: it is gone.
    fn look(&mut self, router: Option<&VirtualRouter>, late: bool) {
        let Some(router) = router else {
            self.outcome = Some(Outcome::HandedOver(None));
            return;
        };
        if router.state != State::Master {
            // A group may have left a member that nobody has taken over yet.
            if self.group.is_none() || is_served(router) {
                self.outcome = Some(Outcome::HandedOver(master(router)));
            }
        } else if router.handing_over || router.resigned {
            self.began = true;
        } else if self.began || late {
            self.outcome = Some(Outcome::TakenBack);
        }
    }
}

fn status(ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>) -> Result<Status, Failure> {
    match ask(&Request::Status)? {
        Answer::Status(status) => Ok(status),
        _ => Err(super::answers::other_answer()),
    }
}

fn fits(which: &Which, router: &VirtualRouter) -> bool {
    let group = router.group.as_ref().map(|group| &group.name);
    let mut names = router.name.iter().chain(group);
    let by_name = names.any(|name| which.names.contains(name));
    let by_number = which.vrid == router.vrid || which.more.contains(&router.vrid);
    let named = which.all || by_number || by_name;
    let on = which
        .interface
        .as_ref()
        .is_none_or(|i| *i == router.interface);
    named && on && which.family.is_none_or(|family| family == router.family)
}

fn name(router: &VirtualRouter) -> (String, u8, Family) {
    (router.interface.clone(), router.vrid, router.family)
}

/// Whether another host advertises it.
fn is_served(router: &VirtualRouter) -> bool {
    let mut peer = router.peer.iter();
    peer.any(|peer| peer.priority != 0 && peer.last_heard_s < router.down_interval_s)
}

fn master(router: &VirtualRouter) -> Option<String> {
    router.peer.as_ref().map(|peer| peer.address.clone())
}

fn show(all: &[Leaving], form: Form) -> Result<(), Failure> {
    let mut text = String::new();
    let mut said: Vec<&str> = Vec::new();
    for leaving in all {
        if form != Form::Json
            && let Some(group) = leaving.group.as_deref()
        {
            if !said.contains(&group) {
                said.push(group);
                let members = all.iter().filter(|one| one.group.as_deref() == Some(group));
                let members: Vec<&Leaving> = members.collect();
                let _ = writeln!(text, "group {group}: {}", of_group(&members));
            }
            continue;
        }
        let (interface, vrid, family) = &leaving.name;
        let (word, successor) = match &leaving.outcome {
            Some(Outcome::HandedOver(successor)) => ("handed-over", successor.as_deref()),
            Some(Outcome::TakenBack) => ("taken-back", None),
            None => ("undecided", None),
        };
        // Writing to a `String` cannot fail.
        let _ = if form == Form::Json {
            let line = serde_json::json!({
                "vrid": vrid,
                "interface": interface,
                "family": family.to_string(),
                "outcome": word,
                "successor": successor,
            });
            writeln!(text, "{line}")
        } else {
            let outcome = match (&leaving.outcome, successor) {
                (Some(Outcome::HandedOver(_)), Some(address)) => format!("{address} is master"),
                (Some(Outcome::HandedOver(_)), None) => "another host is master".into(),
                (Some(Outcome::TakenBack), _) => {
                    "no other host took over: this one serves on".into()
                }
                (None, _) => "no other host has taken over yet".into(),
            };
            writeln!(text, "{}: {outcome}", leaving.label)
        };
    }
    print(&text)
        .map(drop)
        .map_err(|(_, why)| (UNREACHABLE, why))
}

/// The outcome of the members of a group, in words.
fn of_group(members: &[&Leaving]) -> String {
    let labels = |members: &mut dyn Iterator<Item = &&Leaving>| -> String {
        let labels: Vec<&str> = members.map(|one| one.label.as_str()).collect();
        labels.join(", ")
    };
    let mut open = members.iter().filter(|one| {
        let outcome = one.outcome.as_ref();
        !matches!(outcome, Some(Outcome::HandedOver(_)))
    });
    let is_back = |one: &&Leaving| one.outcome == Some(Outcome::TakenBack);
    if members.iter().all(is_back) {
        let held_back = labels(&mut members.iter().filter(|one| one.held_back));
        return match held_back.as_str() {
            "" => "no other host took over: this one serves on".into(),
            labels => format!(
                "no other host took over {labels}, so this host has taken all members back and serves on"
            ),
        };
    }
    match open.clone().next() {
        None => {
            let mut masters: Vec<&str> = Vec::new();
            for one in members {
                if let Some(Outcome::HandedOver(Some(address))) = &one.outcome
                    && !masters.contains(&address.as_str())
                {
                    masters.push(address);
                }
            }
            match masters.as_slice() {
                [] => "another host is master".into(),
                masters => format!("handed over to {}", masters.join(" and ")),
            }
        }
        Some(_) => format!(
            "not decided yet: no other host has taken over {}",
            labels(&mut open)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::Group;

    fn member(vrid: u8, state: State) -> VirtualRouter {
        VirtualRouter {
            vrid,
            state,
            interface: "eth0".into(),
            down_interval_s: 3.6,
            peer: (state != State::Master).then(|| vrrp_control::Peer {
                address: "192.0.2.2".into(),
                priority: 100,
                ..vrrp_control::Peer::default()
            }),
            ..VirtualRouter::default()
        }
    }

    #[test]
    fn the_outcome_of_a_group_is_that_of_all_members() {
        let leaving = |vrid: u8| Leaving {
            name: ("eth0".into(), vrid, Family::default()),
            label: format!("VRID {vrid}"),
            group: Some("gateway".into()),
            began: false,
            outcome: None,
            held_back: false,
        };
        let mut all = [leaving(1), leaving(2)];
        let mut text = |first: State, second: State, handing_over: bool| {
            let mut routers = [member(1, first), member(2, second)];
            routers[1].handing_over = handing_over;
            look(&mut all, &routers, false);
            let is_decided = is_decided(&all);
            let members: Vec<&Leaving> = all.iter().collect();
            (is_decided, of_group(&members))
        };
        use State::{Backup, Master};
        let open = "not decided yet: no other host has taken over VRID 2";
        assert_eq!(text(Backup, Master, true), (false, open.into()));
        let given = (true, "handed over to 192.0.2.2".into());
        assert_eq!(text(Backup, Backup, false), given);
        // The second comes back, and then the first.
        assert_eq!(text(Backup, Master, false), (false, open.into()));
        let (is_decided, _) = text(Master, Master, true);
        assert!(!is_decided);
        all[0].began = true;
        let mut routers = [member(1, Master), member(2, Master)];
        look(&mut all, &routers, false);
        let members: Vec<&Leaving> = all.iter().collect();
        assert_eq!(
            of_group(&members),
            "no other host took over VRID 2, so this host has taken all members back and serves on"
        );
        // A member that nobody advertises is not handed over.
        routers[0] = member(1, Backup);
        routers[0].peer = None;
        look(&mut all, &routers, false);
        assert_eq!(all[0].outcome, None);
    }

    #[test]
    fn the_name_of_a_group_fits_its_members() {
        let router = VirtualRouter {
            vrid: 7,
            name: Some("web".into()),
            group: Some(Group {
                name: "gateway".into(),
                ..Group::default()
            }),
            ..VirtualRouter::default()
        };
        for (name, expected) in [("web", true), ("gateway", true), ("mail", false)] {
            let which = Which {
                names: vec![name.into()],
                ..Which::default()
            };
            assert_eq!(fits(&which, &router), expected, "{name}");
        }
    }
}
