//! `vrrpctl wait`: waits until virtual routers are in a state.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use vrrp_control::{Answer, Request, State, VirtualRouter};
use vrrpd::ctl::filter::Filter;
use vrrpd::ctl::text;

use super::{Failure, UNDECIDED};

/// The time between two questions.
const STEP: Duration = Duration::from_millis(50);

/// A state to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// This host is master, and is not about to leave.
    Master,
    /// This host is backup.
    Backup,
    /// There is a master, here or elsewhere, and nobody is leaving.
    Settled,
}

impl Goal {
    /// The goal of a word.
    pub(super) fn read(word: &str) -> Option<Self> {
        match word {
            "master" => Some(Goal::Master),
            "backup" => Some(Goal::Backup),
            "settled" => Some(Goal::Settled),
            _ => None,
        }
    }

    fn is_reached(self, router: &VirtualRouter) -> bool {
        let serves = router.state == State::Master && !router.handing_over;
        let follows = router.state == State::Backup;
        let heard = router.peer.as_ref();
        let heard =
            heard.is_some_and(|p| p.priority != 0 && p.last_heard_s < router.down_interval_s);
        match self {
            Goal::Master => serves,
            Goal::Backup => follows,
            Goal::Settled => serves || follows && heard,
        }
    }
}

/// Returns when all virtual routers that are wanted have reached the goal: 0; 5: not in time.
pub(super) fn run(
    ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>,
    filter: &Filter,
    goal: Goal,
    timeout: Duration,
) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    loop {
        let status = super::answers::filtered_status(ask, filter)?;
        let routers = status.virtual_routers.iter();
        let late: Vec<String> = routers
            .filter(|router| !goal.is_reached(router))
            .map(|r| {
                let name = text::name(r.name.as_deref(), r.vrid, &r.interface, r.family);
                format!("{name} is {}: {}", r.state, text::reason(r))
            })
            .collect();
        if late.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        if began.elapsed() >= timeout {
            let message = format!("not within {} s: {}", timeout.as_secs(), late.join("; "));
            return Err((UNDECIDED, message.into()));
        }
        std::thread::sleep(STEP);
    }
}
