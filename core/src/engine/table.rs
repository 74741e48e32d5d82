//! The table of virtual routers: found by key in constant time, and queued while they have something
//! to say.

use heapless::Vec;

use super::vr::VirtualRouter;
use crate::types::{Family, VrKey};

/// No index. 0xFFFE, not 0xFFFF: with equal octets LLVM fills the whole table by memset, and so touches
/// pages of slots that are never used.
const NIL: u16 = u16::MAX - 1;

/// Two queues of virtual routers with something to say. A virtual router may be in both. Without
/// the feature `large` the second is the only one.
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

/// The links of a virtual router: it keeps them for the table.
#[derive(Clone)]
pub(super) struct Links {
    /// The interface that it is on, as the engine numbers them.
    iface: u8,
    next_in_bucket: u16,
    /// The next in each queue, or [`OUTSIDE`].
    #[cfg(feature = "large")]
    urgent: u16,
    rest: u16,
}

/// Not in the queue at all.
const OUTSIDE: u16 = NIL - 1;

impl Links {
    pub(super) const fn new(iface: u8) -> Self {
        Self {
            iface,
            next_in_bucket: NIL,
            #[cfg(feature = "large")]
            urgent: OUTSIDE,
            rest: OUTSIDE,
        }
    }

    /// The place of the interface among those that the engine knows.
    pub(super) fn iface(&self) -> usize {
        self.iface.into()
    }
}

/// The virtual routers, a hash index over their keys, and the queues of those that have something to
/// say. Index and queues are linked through the virtual routers
/// themselves.
#[derive(Clone)]
pub(super) struct Table<const VRS: usize, const ADDRS: usize> {
    slots: Vec<Option<VirtualRouter<ADDRS>>, VRS>,
    heads: [u16; VRS],
    #[cfg(feature = "large")]
    urgent: Queue,
    rest: Queue,
}

impl<const VRS: usize, const ADDRS: usize> Table<VRS, ADDRS> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            heads: [NIL; VRS],
            #[cfg(feature = "large")]
            urgent: Queue::EMPTY,
            rest: Queue::EMPTY,
        }
    }

    #[cfg_attr(not(feature = "large"), inline(never))]
    pub(super) fn get(&self, index: u16) -> Option<&VirtualRouter<ADDRS>> {
        self.slots.get(usize::from(index))?.as_ref()
    }

    #[cfg_attr(not(feature = "large"), inline(never))]
    pub(super) fn get_mut(&mut self, index: u16) -> Option<&mut VirtualRouter<ADDRS>> {
        self.slots.get_mut(usize::from(index))?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &VirtualRouter<ADDRS>> {
        self.slots.iter().flatten()
    }

    /// The virtual routers of an interface.
    pub(super) fn on(&self, iface: u8) -> impl Iterator<Item = &VirtualRouter<ADDRS>> {
        self.iter().filter(move |vr| vr.links().iface == iface)
    }

    /// Whether a slot holds a virtual router of this interface.
    pub(super) fn is_on(&self, index: u16, iface: u8) -> bool {
        self.get(index).is_some_and(|vr| vr.links().iface == iface)
    }

    /// The indices of all slots, used or not.
    pub(super) fn indices(&self) -> impl Iterator<Item = u16> + use<VRS, ADDRS> {
        0..self.slots.len() as u16
    }

    /// Gives the interface `from` the number `to`.
    pub(super) fn renumber(&mut self, from: u8, to: u8) {
        for vr in self.slots.iter_mut().flatten() {
            let links = vr.links_mut();
            if links.iface == from {
                links.iface = to;
            }
        }
    }

    pub(super) fn find(&self, key: VrKey) -> Option<u16> {
        let mut index = *self.heads.get(bucket::<VRS>(key))?;
        while let Some(vr) = self.get(index) {
            if vr.key() == key {
                return Some(index);
            }
            index = vr.links().next_in_bucket;
        }
        None
    }

    /// Adds a virtual router whose key is not in the table. Refuses it when the table is full.
    pub(super) fn insert(&mut self, mut vr: VirtualRouter<ADDRS>) -> Result<u16, ()> {
        let free = self.slots.iter().position(|s| s.is_none());
        let index = match free {
            Some(index) => index,
            None => {
                self.slots.push(None).map_err(|_| ())?;
                self.slots.len() - 1
            }
        };
        let head = self.heads.get_mut(bucket::<VRS>(vr.key())).ok_or(())?;
        vr.links_mut().next_in_bucket = core::mem::replace(head, index as u16);
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
        let (key, next) = (vr.key(), vr.links().next_in_bucket);
        let bucket = bucket::<VRS>(key);
        if self.heads.get(bucket) == Some(&index) {
            if let Some(head) = self.heads.get_mut(bucket) {
                *head = next;
            }
        } else {
            let mut at = self.heads.get(bucket).copied().unwrap_or(NIL);
            while let Some(vr) = self.get_mut(at) {
                let links = vr.links_mut();
                if links.next_in_bucket == index {
                    links.next_in_bucket = next;
                    break;
                }
                at = links.next_in_bucket;
            }
        }
        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
            *slot = None;
        }
    }

    /// Puts a virtual router at the end of a queue unless it is in it.
    pub(super) fn enqueue(&mut self, index: u16, lane: Lane) {
        let Some(next) = self.next_in(index, lane) else {
            return;
        };
        if *next != OUTSIDE {
            return;
        }
        *next = NIL;
        let queue = self.queue(lane);
        let last = core::mem::replace(&mut queue.last, index);
        if queue.first == NIL {
            queue.first = index;
        } else if let Some(next) = self.next_in(last, lane) {
            *next = index;
        }
    }

    /// The virtual router whose turn it is, and its queue.
    pub(super) fn front(&self) -> Option<(u16, Lane)> {
        #[cfg(feature = "large")]
        if self.urgent.first != NIL {
            return Some((self.urgent.first, Lane::Urgent));
        }
        (self.rest.first != NIL).then_some((self.rest.first, Lane::Rest))
    }

    /// Takes the first out of a queue.
    pub(super) fn dequeue(&mut self, lane: Lane) {
        let first = self.queue(lane).first;
        let Some(next) = self.next_in(first, lane) else {
            return;
        };
        let next = core::mem::replace(next, OUTSIDE);
        self.queue(lane).first = next;
    }

    fn queue(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            #[cfg(feature = "large")]
            Lane::Urgent => &mut self.urgent,
            _ => &mut self.rest,
        }
    }

    /// The link of a virtual router in a queue.
    fn next_in(&mut self, index: u16, lane: Lane) -> Option<&mut u16> {
        let links = self.get_mut(index)?.links_mut();
        Some(match lane {
            #[cfg(feature = "large")]
            Lane::Urgent => &mut links.urgent,
            _ => &mut links.rest,
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
