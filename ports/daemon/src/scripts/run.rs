//! One script from its start to its end.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use log::Level;

use super::output::Pipe;
use crate::sys;

/// Between SIGTERM and SIGKILL, and between SIGKILL and going on without it.
const GRACE: Duration = Duration::from_secs(2);

/// A script that was asked for and has not ended.
#[derive(Debug)]
pub(super) struct Run {
    /// The number of the request to start it.
    pub(super) ticket: u64,
    label: String,
    began: Instant,
    timeout: Duration,
    /// When the next harsher step is taken.
    next: Instant,
    step: Step,
    child: Option<Child>,
    pipes: Vec<Pipe>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Allowed,
    Terminated,
    Killed,
}

/// How a turn of [`Run::handle`] left it.
pub(super) enum Outcome {
    /// It goes on.
    Running,
    /// It has ended, and its status is logged.
    Ended(Ended),
    /// It does not even end when killed. It is to be reaped whenever it does.
    Abandoned(Option<Child>),
}

/// The end of a script.
pub(super) struct Ended {
    /// Why it counts as failed, if it does.
    pub(super) result: Result<(), String>,
    /// Its exit status. `None`: a signal ended it, or it could not be run.
    pub(super) exit: Option<i32>,
    /// Held by processes that it left.
    pub(super) pipes: Vec<Pipe>,
}

impl Run {
    pub(super) fn new(ticket: u64, label: String, timeout: Duration, now: Instant) -> Self {
        Self {
            ticket,
            label,
            began: now,
            timeout,
            next: now + timeout,
            step: Step::Allowed,
            child: None,
            pipes: Vec::new(),
        }
    }

    /// The process is there.
    pub(super) fn started(&mut self, mut child: Child, now: Instant) {
        let streams = [
            (child.stdout.take().map(OwnedFd::from), Level::Info),
            (child.stderr.take().map(OwnedFd::from), Level::Warn),
        ];
        for (fd, level) in streams {
            let pipe = fd.map(|fd| Pipe::new(fd, self.label.clone(), level, now));
            match pipe {
                Some(Ok(pipe)) => self.pipes.push(pipe),
                Some(Err(error)) => log::warn!("{}: output not logged: {error}", self.label),
                None => {}
            }
        }
        log::debug!("{}: started, process {}", self.label, child.id());
        self.child = Some(child);
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(super) fn pipes(&self) -> &[Pipe] {
        &self.pipes
    }

    pub(super) fn deadline(&self) -> Instant {
        let pipes = self.pipes.iter().filter_map(Pipe::deadline);
        pipes.fold(self.next, Instant::min)
    }

    /// Reads what `ready` says can be read.
    pub(super) fn read(&mut self, ready: &dyn Fn(&Pipe) -> bool, now: Instant) {
        self.pipes.retain_mut(|pipe| {
            if ready(pipe) {
                pipe.read(now)
            } else {
                pipe.tick(now);
                true
            }
        });
    }

    /// Looks whether it has ended, and takes harsher steps when its time is over.
    pub(super) fn handle(&mut self, now: Instant) -> Outcome {
        if let Some(status) = self.ended() {
            return Outcome::Ended(self.finish(status, now));
        }
        if now < self.next {
            return Outcome::Running;
        }
        self.next = now + GRACE;
        match (self.step, self.pid()) {
            (Step::Allowed, Some(pid)) => {
                log::warn!(
                    "{}: not done after {}: terminating it",
                    self.label,
                    secs(self.timeout)
                );
                sys::terminate_group(pid);
                self.step = Step::Terminated;
            }
            (Step::Terminated, Some(pid)) => {
                log::warn!(
                    "{}: still runs {} s after SIGTERM: killing it",
                    self.label,
                    GRACE.as_secs()
                );
                sys::destroy_group(pid);
                self.step = Step::Killed;
            }
            (Step::Killed, _) => {
                log::error!(
                    "{}: still runs {} s after it was killed, as a process does that waits for a disk or NFS: vrrpd waits no longer for it; look for it with ps",
                    self.label,
                    GRACE.as_secs()
                );
                return Outcome::Abandoned(self.child.take());
            }
            (Step::Allowed, None) => {
                log::error!(
                    "{}: the kernel has not started it within {}: it counts as failed",
                    self.label,
                    secs(self.timeout)
                );
                self.step = Step::Terminated;
            }
            (Step::Terminated, None) => {}
        }
        Outcome::Running
    }

    /// Another has taken its exit status (PID 1 reaps everything).
    pub(super) fn reaped(&mut self, status: ExitStatus, now: Instant) -> Ended {
        self.finish(status, now)
    }

    /// Kills its process group at once.
    pub(super) fn kill(&mut self) {
        if let Some(pid) = self.pid() {
            log::warn!("{}: killed because vrrpd stops", self.label);
            sys::destroy_group(pid);
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        if self.step != Step::Allowed && sys::has_ended(child.id()) {
            // While the leader is a zombie the number of its group cannot be anybody else's.
            sys::destroy_group(child.id());
        }
        child.try_wait().ok().flatten()
    }

    fn finish(&mut self, status: ExitStatus, now: Instant) -> Ended {
        let mut left: VecDeque<Pipe> = std::mem::take(&mut self.pipes).into();
        left.retain_mut(|pipe| pipe.drain(now));
        let took = secs(now - self.began);
        if status.success() {
            log::info!("{}: done in {took}", self.label);
        } else {
            log::warn!("{}: failed after {took}: {status}", self.label);
        }
        let result = match (status.success(), self.step) {
            (true, _) => Ok(()),
            (false, Step::Allowed) => Err(status.to_string()),
            (false, _) => Err(format!("not done after {}", secs(self.timeout))),
        };
        Ended {
            result,
            exit: status.code(),
            pipes: left.into(),
        }
    }
}

fn secs(span: Duration) -> String {
    let text = format!("{:.3}", span.as_secs_f64());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        assert_eq!(secs(Duration::from_secs(30)), "30 s");
        assert_eq!(secs(Duration::from_millis(1_250)), "1.25 s");
        assert_eq!(secs(Duration::from_micros(40)), "0 s");
    }
}
