//! What the host says becomes log lines, scripts and events of the control socket.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use vrrp_core::{Reason, State, Status};
use vrrp_host::{Event, Platform, VrId, VrReport};

use super::Daemon;
use crate::control::protocol;
use crate::report;
use crate::scripts::{Happening, Occasion};
use crate::words::{self, Weight};

impl<P: Platform> Daemon<P> {
    /// Takes every event. True: a state changed.
    pub(super) fn take_events(&mut self, now: Instant) -> bool {
        let mut reports: Option<Vec<VrReport>> = None;
        let mut changed = false;
        while let Some(event) = self.host.next_event() {
            // Asked once for all events of a turn: after a cut there may be hundreds.
            let id = subject(&event);
            let reports = match id {
                Some(_) => reports.get_or_insert_with(|| self.host.statuses()),
                None => &mut Vec::new(),
            };
            let status = id.and_then(|id| reports.iter().find(|r| r.id == *id));
            let status = status.map(|report| report.status);
            self.log_event(&event, status.as_ref());
            self.logged.note(&event);
            match &event {
                Event::StateChange { .. } => {
                    changed = true;
                    self.state_changed(&event, status.as_ref(), now);
                }
                Event::Removed { id } => self.removed(id),
                _ => {}
            }
        }
        changed
    }

    /// At the end of a stop: those that never changed their state, because they were waiting for
    /// something, are told as well.
    pub(super) fn catch_up_scripts(&mut self) {
        let known: Vec<VrId> = self.known.iter().cloned().collect();
        for id in &known {
            self.tell_stopped(id);
        }
    }

    fn log_event(&self, event: &Event, status: Option<&Status>) {
        let (weight, line) = words::event(event, status);
        match weight {
            Weight::Info => log::info!("{line}"),
            Weight::Warning => log::warn!("{line}"),
            Weight::Debug => log::debug!("{line}"),
        }
    }

    fn state_changed(&mut self, event: &Event, status: Option<&Status>, now: Instant) {
        let Event::StateChange {
            id,
            from,
            to,
            reason,
            peer,
            addresses,
        } = event
        else {
            return;
        };
        let why = words::reason(*reason, *peer, status);
        let happening = Happening {
            occasion: occasion(*to, *reason),
            old_state: words::state(*from),
            new_state: words::state(*to),
            reason: why.clone(),
            addresses: addresses.iter().map(report::prefixed).collect(),
            peer: *peer,
            priority: status.map(|s| s.priority.get()),
        };
        self.runner().submit(id, happening);
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let told = protocol::Event {
            seq: 0,
            time_ms: since_1970.map_or(0, |t| t.as_millis() as u64),
            vrid: id.vrid.get(),
            interface: id.interface.clone(),
            family: words::family(id),
            from: words::state(*from).into(),
            to: words::state(*to).into(),
            reason: why,
            peer: peer.map(|p| p.address.to_string()),
        };
        if let Some(control) = &mut self.control {
            control.publish(told, now);
        }
    }

    /// A virtual router is gone: out of the file, or to come again in another shape.
    fn removed(&mut self, id: &VrId) {
        if self.stop.is_some() || self.configured.contains(id) {
            return;
        }
        self.tell_stopped(id);
        self.runner().remove(id);
        self.known.remove(id);
    }

    fn tell_stopped(&mut self, id: &VrId) {
        if self.runner().last_occasion(id) == Some(Occasion::Stop) {
            return;
        }
        let state = words::state(State::Initialize);
        let happening = Happening {
            occasion: Occasion::Stop,
            old_state: state,
            new_state: state,
            reason: Reason::Disabled.to_string(),
            addresses: Vec::new(),
            peer: None,
            priority: None,
        };
        self.runner().submit(id, happening);
    }
}

fn subject(event: &Event) -> Option<&VrId> {
    match event {
        Event::StateChange { id, .. } => Some(id),
        _ => None,
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
