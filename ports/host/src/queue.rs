//! Events that wait to be fetched: bounded, and never at the cost of a virtual router's last state.

use std::collections::{HashMap, VecDeque};

use crate::config::VrId;
use crate::event::Event;
use crate::limits::MAX_VIRTUAL_ROUTERS;

/// Events kept, of any kind.
const LIMIT: usize = 2 * MAX_VIRTUAL_ROUTERS + OTHERS;
/// Events kept that are neither changes of state nor removals.
const OTHERS: usize = 512;

/// The events that were not fetched yet.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    events: VecDeque<Event>,
    others: usize,
    lost: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, event: Event) {
        if virtual_router(&event).is_some() {
            if self.events.len() >= LIMIT {
                self.merge();
            }
            if self.events.len() >= LIMIT {
                self.pop();
                self.lost += 1;
            }
        } else {
            if self.others >= OTHERS {
                self.lost += 1;
                return;
            }
            self.others += 1;
        }
        self.events.push_back(event);
    }

    pub(crate) fn next(&mut self) -> Option<Event> {
        if self.lost > 0 {
            let count = std::mem::take(&mut self.lost);
            return Some(Event::Lost { count });
        }
        self.pop()
    }

    fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if virtual_router(&event).is_none() {
            self.others -= 1;
        }
        Some(event)
    }

    /// Makes one of all changes of a virtual router: from the first state to the last, at the place
    /// of the last. What went before a removal is dropped.
    fn merge(&mut self) {
        let mut last: HashMap<VrId, usize> = HashMap::new();
        let mut kept: Vec<Option<Event>> = Vec::with_capacity(self.events.len());
        for mut event in self.events.drain(..) {
            if let Some(id) = virtual_router(&event)
                && let Some(place) = last.insert(id.clone(), kept.len())
            {
                let earlier = kept.get_mut(place).and_then(Option::take);
                join(earlier, &mut event);
            }
            kept.push(Some(event));
        }
        self.events.extend(kept.into_iter().flatten());
    }
}

/// Lets `event` begin where `earlier` began.
fn join(earlier: Option<Event>, event: &mut Event) {
    if let (Some(Event::StateChange { from: first, .. }), Event::StateChange { from, .. }) =
        (earlier, event)
    {
        *from = first;
    }
}

/// The virtual router whose fate the event tells.
fn virtual_router(event: &Event) -> Option<&VrId> {
    match event {
        Event::StateChange { id, .. } | Event::Removed { id } => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vrrp_core::{Family, Priority, Reason, State, Vrid};

    use crate::event::{Ended, Why};

    use super::*;

    fn id(interface: usize, vrid: u8) -> VrId {
        VrId {
            interface: format!("eth{interface}"),
            vrid: Vrid::new(vrid).unwrap(),
            family: Family::Ipv4,
            name: None,
        }
    }

    fn change(id: &VrId, from: State, to: State) -> Event {
        Event::StateChange {
            id: id.clone(),
            from,
            to,
            why: Why {
                reason: Reason::Started,
                peer: None,
                priority: Priority::DEFAULT,
                down_interval: Duration::ZERO,
                ended: Ended::Disabled,
                group: None,
            },
            addresses: Vec::new(),
        }
    }

    #[test]
    fn every_last_state_survives_a_flood() {
        let ids: Vec<VrId> = (0..4)
            .flat_map(|interface| (1..=255).map(move |vrid| id(interface, vrid)))
            .collect();
        let mut queue = Queue::default();
        for _ in 0..20 {
            for id in &ids {
                queue.push(change(id, State::Backup, State::Active));
                queue.push(change(id, State::Active, State::Backup));
                queue.push(Event::Problem {
                    id: None,
                    text: String::new(),
                });
            }
        }
        for id in &ids {
            queue.push(change(id, State::Backup, State::Active));
        }
        assert!(queue.events.len() <= LIMIT);
        assert!(matches!(queue.next(), Some(Event::Lost { count }) if count > 19_000));
        let mut last = HashMap::new();
        while let Some(event) = queue.next() {
            if let Event::StateChange { id, from, to, .. } = event
                && let Some(before) = last.insert(id, to)
            {
                assert_eq!(
                    before, from,
                    "changes of one virtual router follow each other"
                );
            }
        }
        assert_eq!(last.len(), ids.len());
        assert!(last.values().all(|&state| state == State::Active));
        assert_eq!(queue.others, 0);
    }

    #[test]
    fn in_order_and_nothing_lost_when_fetched() {
        let mut queue = Queue::default();
        let eth0 = id(0, 1);
        queue.push(change(&eth0, State::Initialize, State::Backup));
        queue.push(change(&eth0, State::Backup, State::Active));
        queue.push(Event::Removed { id: eth0.clone() });
        assert_eq!(
            queue.next(),
            Some(change(&eth0, State::Initialize, State::Backup))
        );
        assert_eq!(
            queue.next(),
            Some(change(&eth0, State::Backup, State::Active))
        );
        assert_eq!(queue.next(), Some(Event::Removed { id: eth0 }));
        assert_eq!(queue.next(), None);
    }
}
