//! Turns the host's events into log lines, scripts and events of the control socket.

use std::sync::Arc;
use std::time::Instant;

use vrrp_core::{Priority, Reason, State};
use vrrp_host::{Ended, Event, GroupWhy, Platform, VrId};

use super::Daemon;
use crate::report;
use crate::scripts::{Happening, Occasion, Subject};
use vrrp_control::Transition;
use vrrp_host::wording::{self, Weight};

/// Events taken in one turn. Each is a line of the log, a script and a line for those who asked for
/// events, and the protocol does not wait for thousands of them.
pub(super) const AT_ONCE: usize = 64;

impl<P: Platform> Daemon<P> {
    /// Takes the events that there are, up to [`AT_ONCE`]. True: a state changed.
    pub(super) fn take_events(&mut self, now: Instant) -> bool {
        let mut changed = false;
        self.backlog = true;
        for _ in 0..AT_ONCE {
            let Some(event) = self.host.next_event() else {
                self.backlog = false;
                break;
            };
            self.log_event(&event, now);
            self.note_event(&event, now);
            self.logged.note(&event);
            match &event {
                Event::StateChange { id, .. } => {
                    changed = true;
                    self.state_changed(&event);
                    self.follow_hold(id);
                }
                Event::Removed { id } => self.removed(id),
                Event::Group { .. } => {
                    changed = true;
                    self.group_changed(&event);
                }
                Event::GroupRemoved { name } => {
                    self.tell_group_stopped(name, Ended::Removed);
                    self.parent.remove_group(name);
                    self.groups.remove(name);
                }
                Event::Prepare { .. } | Event::Healed { .. } => self.request_script(&event),
                _ => {}
            }
        }
        changed
    }

    fn log_event(&mut self, event: &Event, now: Instant) {
        let (weight, line) = wording::event(event);
        // An order of an administrator is nothing that somebody has to look into.
        let is_drained = matches!(
            event,
            Event::StateChange { id, why, .. }
                if why.reason == Reason::StandsBack && self.drain_reason(id).is_some()
        );
        let level = match weight {
            Weight::Warning if is_drained => log::Level::Info,
            Weight::Info => log::Level::Info,
            Weight::Warning => log::Level::Warn,
            Weight::Warned => log::Level::Debug,
        };
        let line = match event {
            Event::StateChange {
                id, from, to, why, ..
            } => wording::change(id, *from, *to, &self.reason(id, why)),
            _ => line,
        };
        // A line that would not be written anyway does not count against the limit.
        if log::log_enabled!(level) && self.limit.admits(event, now) {
            log::log!(level, "{line}");
        }
    }

    /// At the end of a stop, when all events have been taken: those that never changed their state, because they were waiting for
    /// something, are told as well.
    pub(super) fn catch_up_scripts(&mut self) {
        let known: Vec<VrId> = self.known.iter().cloned().collect();
        for id in &known {
            self.tell_stopped(id, Ended::ShuttingDown);
        }
        for name in &self.groups.clone() {
            self.tell_group_stopped(name, Ended::ShuttingDown);
        }
    }

    fn group_changed(&mut self, event: &Event) {
        let Event::Group {
            name,
            from,
            to,
            why,
            priority,
        } = event
        else {
            return;
        };
        let happening = Happening {
            occasion: match (to, why) {
                (State::Active, _) => Occasion::Master,
                (State::Backup, _) => Occasion::Backup,
                (State::Initialize, GroupWhy::Stopped(_)) => Occasion::Stop,
                (State::Initialize, _) => Occasion::Fault,
            },
            old_state: wording::state(*from),
            new_state: wording::state(*to),
            reason: why.to_string(),
            addresses: Vec::new(),
            peer: None,
            priority: priority.map(Priority::get),
        };
        self.parent.submit(Subject::Group(name.clone()), &happening);
    }

    fn tell_group_stopped(&mut self, name: &Arc<str>, ended: Ended) {
        let subject = Subject::Group(name.clone());
        if self.parent.last_occasion(subject.clone()) != Some(Occasion::Stop) {
            self.parent.submit(subject, &stopped(ended));
        }
    }

    fn state_changed(&mut self, event: &Event) {
        let Event::StateChange {
            id,
            from,
            to,
            why,
            addresses,
        } = event
        else {
            return;
        };
        let reason = self.reason(id, why);
        self.count_transition(id, *to, report::cause(why));
        let happening = Happening {
            occasion: occasion(*to, why.reason),
            old_state: wording::state(*from),
            new_state: wording::state(*to),
            reason: reason.clone(),
            addresses: addresses.iter().map(report::prefixed).collect(),
            peer: why.peer,
            priority: Some(why.priority.get()),
        };
        self.parent.submit(id, &happening);
        let told = vrrp_control::Event {
            seq: 0,
            time_ms: 0,
            vrid: id.vrid.get(),
            name: id.name.as_deref().map(str::to_owned),
            interface: id.interface.clone(),
            family: report::family(id.family),
            from: report::state(*from),
            to: report::state(*to),
            reason,
            peer: why.peer.map(|p| p.address.to_string()),
        };
        self.record(told);
    }

    fn count_transition(&mut self, id: &VrId, to: State, cause: &str) {
        let to = report::state(to);
        let all = self.transitions.entry(id.clone()).or_default();
        match all
            .iter_mut()
            .find(|one| one.to == to && one.cause == cause)
        {
            Some(known) => known.count += 1,
            None => all.push(Transition {
                to,
                cause: cause.to_owned(),
                count: 1,
            }),
        }
    }

    /// Has a script run that follows no change of state.
    fn request_script(&mut self, event: &Event) {
        let (id, occasion, state, peer, priority, addresses) = match event {
            Event::Prepare {
                id,
                peer,
                priority,
                addresses,
            } => {
                let priority = Some(priority.get());
                (
                    id,
                    Occasion::Prepare,
                    State::Backup,
                    peer,
                    priority,
                    addresses,
                )
            }
            Event::Healed {
                id,
                peer,
                addresses,
                ..
            } => (id, Occasion::Reclaim, State::Active, peer, None, addresses),
            _ => return,
        };
        let (_, line) = wording::event(event);
        let reason = line.strip_prefix(&format!("{id}: ")).unwrap_or(&line);
        let happening = Happening {
            occasion,
            old_state: wording::state(state),
            new_state: wording::state(state),
            reason: reason.to_owned(),
            addresses: addresses.iter().map(report::prefixed).collect(),
            peer: Some(*peer),
            priority,
        };
        self.parent.submit(id, &happening);
    }

    /// Tells the host what has been prepared.
    pub(super) fn take_prepared(&mut self) {
        for (id, result) in self.parent.take_prepared() {
            if let Err(why) = &result {
                let id = self.configured.get(&id).unwrap_or(&id);
                log::warn!("{id}: stays backup: {why}");
            }
            // One that is gone needs nothing.
            let _ = self.host.set_prepared(&id, result);
            self.backlog = true;
        }
    }

    /// A virtual router is gone: out of the file, or to come again in another shape.
    fn removed(&mut self, id: &VrId) {
        if self.stop.is_some() || self.configured.contains(id) {
            return;
        }
        self.tell_stopped(id, Ended::Removed);
        self.parent.remove(id);
        self.known.remove(id);
        self.transitions.remove(id);
    }

    fn tell_stopped(&mut self, id: &VrId, ended: Ended) {
        if self.parent.last_occasion(id) == Some(Occasion::Stop) {
            return;
        }
        self.parent.submit(id, &stopped(ended));
    }
}

fn stopped(ended: Ended) -> Happening {
    let state = wording::state(State::Initialize);
    Happening {
        occasion: Occasion::Stop,
        old_state: state,
        new_state: state,
        reason: wording::ended(ended).into(),
        addresses: Vec::new(),
        peer: None,
        priority: None,
    }
}

fn occasion(to: State, reason: Reason) -> Occasion {
    match (to, reason) {
        (State::Active, _) => Occasion::Master,
        (State::Backup, _) => Occasion::Backup,
        (State::Initialize, Reason::Disabled) => Occasion::Stop,
        (State::Initialize, _) => Occasion::Fault,
    }
}
