//! The frames that are between the device and the stacks.
//!
//! One small pool serves both directions. A frame is copied once each way: a driver's tokens cannot
//! be kept, and whether a frame is sent at all is known when the stack has written it.

use core::cell::{Cell, RefCell};

/// The longest frame of Ethernet in octets, without FCS.
pub(crate) const FRAME_LEN: usize = 1514;

/// Room for one frame.
pub(crate) struct Slot<const FRAME: usize> {
    pub(crate) state: Cell<State>,
    /// Which of two frames came first.
    order: Cell<u32>,
    len: Cell<usize>,
    octets: RefCell<[u8; FRAME]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Free,
    /// Received, for the stacks of this bitmap.
    ToStacks(u16),
    /// A stack is to write it.
    Reserved,
    /// To be sent.
    ToWire,
}

impl<const FRAME: usize> Slot<FRAME> {
    pub(crate) const fn new() -> Self {
        Self {
            state: Cell::new(State::Free),
            order: Cell::new(0),
            len: Cell::new(0),
            octets: RefCell::new([0; FRAME]),
        }
    }

    /// Lets `f` see or write the first `len` octets, or all of a frame's.
    fn with<R>(&self, len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        match self.octets.try_borrow_mut() {
            Ok(mut octets) => match octets.get_mut(..len) {
                Some(part) => f(part),
                None => f(&mut []),
            },
            // A slot that is reserved or being read has no other holder.
            Err(_) => f(&mut []),
        }
    }

    /// Lets `f` see the frame.
    pub(crate) fn read<R>(&self, f: impl FnOnce(&mut [u8]) -> R) -> R {
        self.with(self.len.get(), f)
    }

    /// Lets `f` write a frame of `len` octets.
    pub(crate) fn write<R>(&self, len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let len = len.min(FRAME);
        self.len.set(len);
        self.with(len, f)
    }

    /// One of the stacks has read the frame. Whether that made the slot free.
    pub(crate) fn release(&self, stack: u8) -> bool {
        let State::ToStacks(stacks) = self.state.get() else {
            return false;
        };
        let left = stacks & !bit(stack);
        self.state.set(match left {
            0 => State::Free,
            _ => State::ToStacks(left),
        });
        left == 0
    }
}

/// The bit of a stack in [`State::ToStacks`].
pub(crate) fn bit(stack: u8) -> u16 {
    1u16.wrapping_shl(stack.into())
}

/// The pool.
#[derive(Clone, Copy)]
pub(crate) struct Frames<'d, const FRAME: usize> {
    pub(crate) slots: &'d [Slot<FRAME>],
    pub(crate) order: &'d Cell<u32>,
}

impl<'d, const FRAME: usize> Frames<'d, FRAME> {
    /// A slot for a stack to write to.
    pub(crate) fn reserve(&self) -> Option<&'d Slot<FRAME>> {
        let slot = self.free().next()?;
        slot.state.set(State::Reserved);
        Some(slot)
    }

    /// A slot for a received frame. The last free one is left to the stacks, which take no frame
    /// without being able to answer it.
    pub(crate) fn room(&self) -> Option<&'d Slot<FRAME>> {
        let mut free = self.free();
        let slot = free.next()?;
        free.next().map(|_| slot)
    }

    /// The frame that has waited longest of those in a state that `wanted` accepts.
    pub(crate) fn first(&self, wanted: impl Fn(State) -> bool) -> Option<&'d Slot<FRAME>> {
        let waiting = self.slots.iter().filter(|s| wanted(s.state.get()));
        // The order wraps; a frame never waits for half of its numbers.
        let newest = self.order.get();
        waiting.max_by_key(|s| newest.wrapping_sub(s.order.get()))
    }

    /// Puts a slot that was written behind all others.
    pub(crate) fn put(&self, slot: &Slot<FRAME>, state: State) {
        self.order.set(self.order.get().wrapping_add(1));
        slot.order.set(self.order.get());
        slot.state.set(state);
    }

    fn free(&self) -> impl Iterator<Item = &'d Slot<FRAME>> + use<'d, FRAME> {
        self.slots.iter().filter(|s| s.state.get() == State::Free)
    }
}
