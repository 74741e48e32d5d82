//! The gate in the caller's storage.

use core::mem::{align_of, offset_of, size_of};
use core::net::IpAddr;

use vrrp_core::gate::{Gate, GateKey};
use vrrp_core::{Admin, Instant};

use crate::admin::Administered;
use crate::handle::{Handle, VRRP_MAX_ADDRESSES, VRRP_MAX_ROUTERS, gate_storage_size};

/// The room for an answer and a hint, each a frame of 86 octets at most.
pub(super) const ANSWERS_LEN: usize = 172;

/// A gate with the capacities of this build, and the answer that waits for `vrrp_gate_poll()`.
pub(crate) struct Content {
    pub(super) gate: Gate<VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES>,
    pub(super) answers: Answers,
}

impl Content {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            gate: Gate::new(seed),
            answers: Answers::NONE,
        }
    }
}

impl Administered for Content {
    type Key = GateKey;
    type Admin<'e> = Admin<'e, 1, VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES, GateKey>;

    fn admin(&mut self, now: Instant) -> Self::Admin<'_> {
        self.gate.admin(now)
    }
}

/// The answer to the last request for a virtual address, and the hint for the stack.
pub(super) struct Answers {
    pub(super) octets: [u8; ANSWERS_LEN],
    /// How many octets at the beginning are an answer that has not been sent; 0: there is none.
    pub(super) answer_len: usize,
    /// A frame that has not been delivered: where it begins, its length, and its stack's address.
    pub(super) hint: Option<(usize, usize, IpAddr)>,
}

impl Answers {
    const NONE: Self = Self {
        octets: [0; ANSWERS_LEN],
        answer_len: 0,
        hint: None,
    };

    /// Forgets both.
    pub(super) fn clear(&mut self) {
        (self.answer_len, self.hint) = (0, None);
    }
}

/// A gate: an engine with one interface, and the way of that interface's frames. It lives in the
/// storage that `vrrp_gate_init()` was given, and there is nothing to free.
pub struct vrrp_gate {
    magic: u32,
    content: Content,
}

impl core::fmt::Debug for vrrp_gate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("vrrp_gate").finish_non_exhaustive()
    }
}

// SAFETY: the offsets are those of the fields.
unsafe impl Handle for vrrp_gate {
    const MAGIC: u32 = 0x5652_4754;
    type Content = Content;

    fn new(content: Content) -> Self {
        Self {
            magic: Self::MAGIC,
            content,
        }
    }

    #[inline(always)]
    fn magic(handle: *const Self) -> *const u32 {
        handle.wrapping_byte_add(offset_of!(Self, magic)).cast()
    }

    #[inline(always)]
    fn content(handle: *mut Self) -> *mut Content {
        handle.wrapping_byte_add(offset_of!(Self, content)).cast()
    }
}

const _: () = {
    assert!(
        size_of::<vrrp_gate>() <= gate_storage_size(VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES),
        "VRRP_GATE_STORAGE_SIZE of the header is too small: see handle::gate_storage_size"
    );
    assert!(
        align_of::<vrrp_gate>() <= 8,
        "vrrp_gate_storage is aligned to 8 octets"
    );
};
