//! The last packet of each virtual router that was refused, for `status`.

use std::collections::BTreeMap;
use std::time::Instant;

use vrrp_host::{Event, VrId};

use crate::control::protocol::{Rejected, VirtualRouter};

/// Rejections by virtual router. Only those of the configuration have any, so a network cannot make
/// it grow.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    routers: BTreeMap<VrId, (Rejected, Instant)>,
}

impl Rejections {
    /// Remembers a rejection. `known` are the virtual routers that may have one.
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
                    let before = self.routers.get(id).map_or(0, |(r, _)| r.count);
                    let rejected = Rejected {
                        reason: reason.to_string(),
                        source: source.map(|s| s.to_string()),
                        age_s: 0.0,
                        count: before + count,
                    };
                    self.routers.insert(id.clone(), (rejected, now));
                }
            }
            Event::Removed { id } => drop(self.routers.remove(id)),
            _ => {}
        }
    }

    /// Adds it to a status.
    pub(super) fn add_to(&self, id: &VrId, status: &mut VirtualRouter, now: Instant) {
        let last = self.routers.get(id);
        status.last_rejected = last.map(|(rejected, at)| Rejected {
            age_s: now.saturating_duration_since(*at).as_secs_f64(),
            ..rejected.clone()
        });
    }
}
