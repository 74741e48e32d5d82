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
    began: bool,
    outcome: Option<Outcome>,
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
    let chosen = before.virtual_routers.iter().filter(|r| fits(which, r));
    let mut all: Vec<Leaving> = chosen
        .map(|router| Leaving {
            name: name(router),
            label: text::name(
                router.name.as_deref(),
                router.vrid,
                &router.interface,
                router.family,
            ),
            began: false,
            outcome: (router.state != State::Master).then(|| Outcome::HandedOver(master(router))),
        })
        .collect();
    let asked = Instant::now();
    loop {
        let late = asked.elapsed() >= TURN;
        let now = status(ask)?;
        for leaving in all.iter_mut().filter(|l| l.outcome.is_none()) {
            let router = now.virtual_routers.iter().find(|r| name(r) == leaving.name);
            leaving.look(router, late);
        }
        if all.iter().all(|leaving| leaving.outcome.is_some()) {
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

impl Leaving {
    /// Takes in what has become of it. `late`: its turn has come by now. `None`: it is gone.
    fn look(&mut self, router: Option<&VirtualRouter>, late: bool) {
        let Some(router) = router else {
            self.outcome = Some(Outcome::HandedOver(None));
            return;
        };
        if router.state != State::Master {
            self.outcome = Some(Outcome::HandedOver(master(router)));
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

fn master(router: &VirtualRouter) -> Option<String> {
    router.peer.as_ref().map(|peer| peer.address.clone())
}

fn show(all: &[Leaving], form: Form) -> Result<(), Failure> {
    let mut text = String::new();
    for leaving in all {
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

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::Group;

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
