//! What the daemon remembers of a virtual router beyond its state: troubles, for `status`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vrrp_core::Priority;
use vrrp_host::{Event, VrId};

use crate::control::protocol::{Rejected, VirtualRouter};
use crate::words;

/// How long after it was last reported a trouble counts as one. Events repeat each minute while
/// their cause lasts.
const FRESH: Duration = Duration::from_secs(150);

/// Notes by virtual router. Only those of the configuration have any, so a network cannot make it
/// grow.
#[derive(Debug, Default)]
pub(super) struct Notes {
    routers: BTreeMap<VrId, Note>,
}

#[derive(Debug, Default)]
struct Note {
    rejected: Option<(Rejected, Instant)>,
    contested: Option<(vrrp_core::Peer, Instant)>,
    owner: Option<(String, Instant)>,
    problem: Option<(String, Instant)>,
}

impl Notes {
    /// Remembers what is worth it. `known` are the virtual routers that may have notes.
    pub(super) fn take(
        &mut self,
        event: &Event,
        known: &mut dyn Iterator<Item = &VrId>,
        now: Instant,
    ) {
        match event {
            Event::Rejected {
                interface,
                source,
                vrid: Some(vrid),
                reason,
                count,
            } => {
                let of = |id: &&VrId| id.interface == *interface && id.vrid.get() == *vrid;
                for id in known.filter(of) {
                    let note = self.routers.entry(id.clone()).or_default();
                    let before = note.rejected.take().map_or(0, |(r, _)| r.count);
                    let rejected = Rejected {
                        reason: reason.to_string(),
                        source: source.map(|s| s.to_string()),
                        age_s: 0.0,
                        count: before + count,
                    };
                    note.rejected = Some((rejected, now));
                }
            }
            Event::Contested { id, peer } => self.of(id).contested = Some((*peer, now)),
            Event::DualOwner { id, peer } => self.of(id).owner = Some((peer.to_string(), now)),
            Event::Problem { id: Some(id), text } => {
                self.of(id).problem = Some((text.clone(), now));
            }
            Event::Removed { id } => {
                self.routers.remove(id);
            }
            _ => {}
        }
    }

    /// Adds them to a status.
    pub(super) fn add_to(&self, id: &VrId, status: &mut VirtualRouter, now: Instant) {
        let Some(note) = self.routers.get(id) else {
            return;
        };
        let fresh = |at: Instant| now.saturating_duration_since(at) < FRESH;
        if let Some((peer, at)) = &note.contested
            && fresh(*at)
            && status.state == "master"
        {
            let ours = Priority::new(status.priority);
            status.warnings.push(words::contested(peer, ours));
        }
        if let Some((peer, at)) = &note.owner
            && fresh(*at)
        {
            let text = format!("{peer} claims to own the addresses, too (priority 255)");
            status.warnings.push(text);
        }
        if let Some((text, at)) = &note.problem
            && fresh(*at)
        {
            status.warnings.push(text.clone());
        }
        status.last_rejected = note.rejected.as_ref().map(|(rejected, at)| Rejected {
            age_s: now.saturating_duration_since(*at).as_secs_f64(),
            ..rejected.clone()
        });
    }

    fn of(&mut self, id: &VrId) -> &mut Note {
        self.routers.entry(id.clone()).or_default()
    }
}
