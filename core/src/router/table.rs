//! Finding things in constant time: virtual routers by key, those with something to say, and the
//! interfaces.

use heapless::Vec;

use super::vr::VirtualRouter;
use crate::status::InterfaceState;
use crate::types::{Family, VrKey};

/// No index. Its two octets differ on purpose: a compiler that may fill memory with one octet also
/// fills the slots beside, which need no value, and so touches what may never be used.
pub(super) const NIL: u16 = u16::MAX - 1;

/// An interface as the port described it, and its group memberships.
#[derive(Clone)]
pub(super) struct Interface {
    pub(super) ifindex: u32,
    pub(super) state: InterfaceState,
    groups: [Group; 2],
}

/// The membership of one family's group.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    /// Virtual routers that need it.
    pub(super) users: u16,
    /// The port was told to join.
    pub(super) told: bool,
}

impl Interface {
    pub(super) fn new(ifindex: u32, state: InterfaceState) -> Self {
        Self {
            ifindex,
            state,
            groups: [Group::default(); 2],
        }
    }

    pub(super) fn group(&mut self, family: Family) -> &mut Group {
        let [v4, v6] = &mut self.groups;
        match family {
            Family::Ipv4 => v4,
            Family::Ipv6 => v6,
        }
    }
}

/// Two queues of virtual routers with something to say. A virtual router may be in both. With the
/// feature `small` the second is the only one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Advertisements that wait for nothing. They never stand behind what is installed for others.
    Urgent,
    /// Everything else.
    Rest,
}

/// The ends of a queue; the last means something while there is a first.
#[derive(Clone)]
struct Queue {
    first: u16,
    last: u16,
}

impl Queue {
    const EMPTY: Self = Self {
        first: NIL,
        last: NIL,
    };
}

/// A virtual router's place in a queue.
#[derive(Clone)]
pub(super) struct Place {
    queued: bool,
    next: u16,
}

impl Place {
    /// Outside the queue.
    pub(super) const NONE: Self = Self {
        queued: false,
        next: NIL,
    };
}

/// The virtual routers, a hash index over their keys, and the queues of those that have something to
/// say. Index and queues are linked through the virtual routers themselves.
#[derive(Clone)]
pub(super) struct Table<const VRS: usize, const ADDRS: usize> {
    slots: Vec<Option<VirtualRouter<ADDRS>>, VRS>,
    heads: [u16; VRS],
    #[cfg(not(feature = "small"))]
    urgent: Queue,
    rest: Queue,
}

impl<const VRS: usize, const ADDRS: usize> Table<VRS, ADDRS> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            heads: [NIL; VRS],
            #[cfg(not(feature = "small"))]
            urgent: Queue::EMPTY,
            rest: Queue::EMPTY,
        }
    }

    #[cfg_attr(feature = "small", inline(never))]
    pub(super) fn get(&self, index: u16) -> Option<&VirtualRouter<ADDRS>> {
        self.slots.get(usize::from(index))?.as_ref()
    }

    #[cfg_attr(feature = "small", inline(never))]
    pub(super) fn get_mut(&mut self, index: u16) -> Option<&mut VirtualRouter<ADDRS>> {
        self.slots.get_mut(usize::from(index))?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &VirtualRouter<ADDRS>> {
        self.slots.iter().flatten()
    }

    /// The indices of all slots, used or not.
    pub(super) fn indices(&self) -> impl Iterator<Item = u16> + use<VRS, ADDRS> {
        0..self.slots.len() as u16
    }

    pub(super) fn find(&self, key: VrKey) -> Option<u16> {
        let mut index = *self.heads.get(bucket::<VRS>(key))?;
        while let Some(vr) = self.get(index) {
            if vr.key == key {
                return Some(index);
            }
            index = vr.hash_next;
        }
        None
    }

    /// Adds a virtual router whose key is not in the table. Gives it back when the table is full.
    pub(super) fn insert(&mut self, mut vr: VirtualRouter<ADDRS>) -> Result<u16, ()> {
        let free = self.slots.iter().position(|s| s.is_none());
        let index = match free {
            Some(index) => index,
            None => {
                self.slots.push(None).map_err(|_| ())?;
                self.slots.len() - 1
            }
        };
        let Some(head) = self.heads.get_mut(bucket::<VRS>(vr.key)) else {
            return Err(());
        };
        vr.hash_next = core::mem::replace(head, index as u16);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(vr);
        }
        Ok(index as u16)
    }

    /// Takes a virtual router out that is in no queue.
    pub(super) fn remove(&mut self, index: u16) {
        let Some(vr) = self.get(index) else {
            return;
        };
        let (key, next) = (vr.key, vr.hash_next);
        let bucket = bucket::<VRS>(key);
        if self.heads.get(bucket) == Some(&index) {
            if let Some(head) = self.heads.get_mut(bucket) {
                *head = next;
            }
        } else {
            let mut at = self.heads.get(bucket).copied().unwrap_or(NIL);
            while let Some(vr) = self.get_mut(at) {
                if vr.hash_next == index {
                    vr.hash_next = next;
                    break;
                }
                at = vr.hash_next;
            }
        }
        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
            *slot = None;
        }
    }

    /// Puts a virtual router at the end of a queue unless it is in it.
    pub(super) fn enqueue(&mut self, index: u16, lane: Lane) {
        let Some(place) = self.place(index, lane) else {
            return;
        };
        if place.queued {
            return;
        }
        *place = Place {
            queued: true,
            next: NIL,
        };
        let queue = self.queue(lane);
        let last = core::mem::replace(&mut queue.last, index);
        if queue.first == NIL {
            queue.first = index;
        } else if let Some(last) = self.place(last, lane) {
            last.next = index;
        }
    }

    /// The virtual router whose turn it is, and why.
    pub(super) fn front(&self) -> Option<(u16, Lane)> {
        #[cfg(not(feature = "small"))]
        if self.urgent.first != NIL {
            return Some((self.urgent.first, Lane::Urgent));
        }
        (self.rest.first != NIL).then_some((self.rest.first, Lane::Rest))
    }

    /// Takes the first out of a queue.
    pub(super) fn dequeue(&mut self, lane: Lane) {
        let first = self.queue(lane).first;
        let Some(place) = self.place(first, lane) else {
            return;
        };
        let next = core::mem::replace(place, Place::NONE).next;
        self.queue(lane).first = next;
    }

    fn queue(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            #[cfg(not(feature = "small"))]
            Lane::Urgent => &mut self.urgent,
            _ => &mut self.rest,
        }
    }

    fn place(&mut self, index: u16, lane: Lane) -> Option<&mut Place> {
        let vr = self.get_mut(index)?;
        Some(match lane {
            #[cfg(not(feature = "small"))]
            Lane::Urgent => &mut vr.urgent,
            _ => &mut vr.rest,
        })
    }
}

/// Neighbouring VRIDs fall into neighbouring buckets, so that a table of one interface never
/// collides while it fits.
fn bucket<const VRS: usize>(key: VrKey) -> usize {
    let family = match key.family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 255,
    };
    let number = (key.ifindex as usize)
        .wrapping_mul(510)
        .wrapping_add(family)
        .wrapping_add(usize::from(key.vrid.get()));
    number.checked_rem(VRS).unwrap_or(0)
}
