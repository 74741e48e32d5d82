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

/// The virtual routers, a hash index over their keys, and the queue of those that have something to
/// say. Index and queue are linked through the virtual routers themselves.
#[derive(Clone)]
pub(super) struct Table<const VRS: usize, const ADDRS: usize> {
    slots: Vec<Option<VirtualRouter<ADDRS>>, VRS>,
    heads: [u16; VRS],
    /// The ends of the queue; the last means something while there is a first.
    first: u16,
    last: u16,
}

impl<const VRS: usize, const ADDRS: usize> Table<VRS, ADDRS> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            heads: [NIL; VRS],
            first: NIL,
            last: NIL,
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

    /// Takes a virtual router out that is not queued.
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

    /// Puts a virtual router at the end of the queue unless it is in it.
    pub(super) fn enqueue(&mut self, index: u16) {
        let Some(vr) = self.get_mut(index) else {
            return;
        };
        if vr.queued {
            return;
        }
        vr.queued = true;
        vr.queue_next = NIL;
        match self.first {
            NIL => self.first = index,
            _ => {
                if let Some(last) = self.get_mut(self.last) {
                    last.queue_next = index;
                }
            }
        }
        self.last = index;
    }

    /// The first of the queue.
    pub(super) fn front(&self) -> Option<u16> {
        (self.first != NIL).then_some(self.first)
    }

    /// Takes the first out of the queue.
    pub(super) fn dequeue(&mut self) {
        let Some(vr) = self.get_mut(self.first) else {
            return;
        };
        vr.queued = false;
        self.first = core::mem::replace(&mut vr.queue_next, NIL);
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
