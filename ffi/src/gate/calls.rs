//! The functions that change a gate: its making, the administrator's side, facts, frames and actions.

use core::ffi::{c_int, c_void};
use core::mem::{align_of, size_of};

use vrrp_core::gate::{Discard, Gate, GateKey, Received, max_frame_len};
use vrrp_core::{Priority, State};

use super::convert;
use super::handle::{Answers, Content, vrrp_gate};
use super::numbers::*;
use super::types::*;
use crate::admin::{administer, configure, track};
use crate::convert::Legal;
use crate::engine::{answer, at, done};
use crate::handle::{self, VRRP_MAX_ADDRESSES, VRRP_MAX_ROUTERS, content_mut};
use crate::numbers::*;
use crate::raw;
use crate::types::*;

/// The octets of storage that a gate of this library needs. `VRRP_GATE_STORAGE_SIZE` is as much or a
/// little more, for the capacities that the program was compiled with.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_gate_storage_size() -> usize {
    size_of::<vrrp_gate>()
}

/// The alignment that storage needs. `union vrrp_gate_storage` has it, and so has what malloc() gives.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_gate_storage_align() -> usize {
    align_of::<vrrp_gate>()
}

/// Makes a gate without virtual routers in `storage`, which is `size` octets long, and writes its
/// handle to `gate`. `abi` is `VRRP_ABI`. `seed` is any number that differs from host to host, such as
/// one made of the MAC: reports of group memberships are spread by it.
///
/// The storage is yours, as for `vrrp_init()`.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_ABI`: compile the program with the header of the library;
/// `VRRP_ERR_STORAGE`: `size` is below `vrrp_gate_storage_size()`; `VRRP_ERR_ALIGN`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_init(
    storage: *mut c_void,
    size: usize,
    abi: u32,
    seed: u64,
    gate: *mut *mut vrrp_gate,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| handle::init(storage, size, abi, gate, || Content::new(seed))) }
}

/// Adds a virtual router and enables it.
///
/// Errors: as `vrrp_insert()`; `VRRP_ERR_PEERS` for unicast peers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_insert(
    gate: *mut vrrp_gate,
    now_us: u64,
    key: *const vrrp_gate_key,
    config: *const vrrp_config,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        configure(gate, now_us, key, config, |admin, key, config| {
            admin.insert(key, config)
        })
    }
}

/// Changes the configuration of a virtual router: see `vrrp_reconfigure()`.
///
/// Errors: as there; `VRRP_ERR_PEERS` for unicast peers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_reconfigure(
    gate: *mut vrrp_gate,
    now_us: u64,
    key: *const vrrp_gate_key,
    config: *const vrrp_config,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        configure(gate, now_us, key, config, |admin, key, config| {
            admin.reconfigure(key, config)
        })
    }
}

/// Removes a virtual router, as gracefully as `vrrp_gate_set_enabled()` stops it. It is gone when
/// `VRRP_GATE_REMOVED` comes.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_remove(
    gate: *mut vrrp_gate,
    now_us: u64,
    key: *const vrrp_gate_key,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { administer(gate, now_us, key, |admin, key| admin.remove(key)) }
}

/// Enables (`on` is not 0) or disables a virtual router: see `vrrp_set_enabled()`.
///
/// Errors: `VRRP_ERR_NOT_FOUND`, also for one that is being removed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_set_enabled(
    gate: *mut vrrp_gate,
    now_us: u64,
    key: *const vrrp_gate_key,
    on: c_int,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        administer(gate, now_us, key, |admin, key| {
            admin.set_enabled(key, on != 0)
        })
    }
}

/// Puts `priority`, 1 to 255, in the place of the configured one; 0 goes back to that.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_set_priority(
    gate: *mut vrrp_gate,
    now_us: u64,
    key: *const vrrp_gate_key,
    priority: u8,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        administer(gate, now_us, key, |admin, key| {
            admin.set_priority(key, Priority::new(priority))
        })
    }
}

/// Gives up being Active in favour of another router: see `vrrp_resign()`.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_resign(
    gate: *mut vrrp_gate,
    now_us: u64,
    key: *const vrrp_gate_key,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { administer(gate, now_us, key, |admin, key| admin.resign(key)) }
}

/// Disables every virtual router, and answers how many of them still serve their addresses: a successor
/// has not been heard. Take the actions, let time pass, and ask again until it is 0 before you end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_shutdown(gate: *mut vrrp_gate, now_us: u64) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let gate = &mut content_mut(gate)?.gate;
            while let Some(key) = next_enabled(gate) {
                done(gate.admin(at(now_us)).set_enabled(key, false))?;
            }
            let statuses = gate.keys().filter_map(|key| gate.engine().status(key));
            let serving = statuses.filter(|vr| vr.state == State::Active).count();
            // At most 65,000.
            Ok(serving as c_int)
        })
    }
}

/// States whether a tracked object is up (`up` is not 0): see `vrrp_set_tracked()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_set_tracked(
    gate: *mut vrrp_gate,
    now_us: u64,
    object: u16,
    up: c_int,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { track(gate, now_us, |admin| admin.set_tracked(object, up != 0)) }
}

/// States how the interface is, whenever that changes: link, MAC, and the stack's own addresses. It is
/// down until it is described.
///
/// Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: `reserved` is not zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_set_interface(
    gate: *mut vrrp_gate,
    now_us: u64,
    interface: *const vrrp_interface,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let gate = &mut content_mut(gate)?.gate;
            let state = raw::read_sized(interface)?.legal()?;
            gate.set_interface(at(now_us), state);
            Ok(VRRP_OK)
        })
    }
}

/// Takes in a frame from its Ethernet header on, VLAN tag removed, before the stack sees it. Answers
/// `VRRP_GATE_STACK`: give it to the stack; or `VRRP_GATE_TAKEN`: do not. `frame` may be written to: the
/// MAC of the interface takes the place of a virtual one. `addressee` may be NULL; where several stacks
/// share the driver it says which one the frame is for.
///
/// Call `vrrp_gate_poll()` after each frame: an answer to it may be due, and the answer to the next one
/// takes its place.
///
/// Errors: `VRRP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_receive(
    gate: *mut vrrp_gate,
    now_us: u64,
    frame: *mut u8,
    len: usize,
    addressee: *mut vrrp_gate_addressee,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let Content { gate, answers } = content_mut(gate)?;
            let frame = raw::items_mut(frame, len)?;
            if answers.answer_len != 0 {
                gate.count_discard(Discard::NoRoom);
            }
            answers.clear();
            let begin = answers.octets.as_ptr().addr();
            match gate.receive(at(now_us), frame, &mut answers.octets) {
                Received::Stack { to, virtual_mac } => {
                    if virtual_mac {
                        gate.show_own_mac(frame);
                    }
                    raw::write_optional(addressee, to.into());
                    return Ok(VRRP_GATE_STACK);
                }
                Received::Answer { frame, lesson } => {
                    answers.answer_len = frame.len();
                    answers.hint = lesson.map(|(address, hint)| {
                        (
                            hint.as_ptr().addr().wrapping_sub(begin),
                            hint.len(),
                            address,
                        )
                    });
                }
                Received::Engine | Received::Discarded(_) => {}
            }
            Ok(VRRP_GATE_TAKEN)
        })
    }
}

/// Takes a frame that the stack sends, from its Ethernet header on, and writes the virtual MAC to it
/// wherever it names the sender, if that is a virtual address. Answers 0: send the frame; or one of
/// `VRRP_GATE_DISCARD_*`: the frame must not be sent, and was counted.
///
/// Errors: `VRRP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_send(
    gate: *mut vrrp_gate,
    frame: *mut u8,
    frame_len: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let gate = &mut content_mut(gate)?.gate;
            let frame = raw::items_mut(frame, frame_len)?;
            Ok(gate.send(frame).map_or_else(convert::discard, |()| VRRP_OK))
        })
    }
}

/// Does what has come due: see `vrrp_handle_timeout()`. Call it no later than
/// `vrrp_gate_poll_timeout()` says, and `vrrp_gate_poll()` afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_handle_timeout(gate: *mut vrrp_gate, now_us: u64) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            content_mut(gate)?.gate.handle_timeout(at(now_us));
            Ok(VRRP_OK)
        })
    }
}

/// Says that the stack did not take an address: hand back the action of kind `VRRP_GATE_SET_ADDRESS`.
/// When the stack lost it later, fill in `size`, `kind`, `key` and `address`. The gate asks again by
/// itself, and gives up being Active meanwhile where it cannot serve.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: another kind, or no legal key or address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_handle_failure(
    gate: *mut vrrp_gate,
    now_us: u64,
    action: *const vrrp_gate_action,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let gate = &mut content_mut(gate)?.gate;
            let action = raw::read_sized(action)?;
            if action.kind != VRRP_GATE_SET_ADDRESS {
                return Err(VRRP_ERR_VALUE);
            }
            let (key, address) = (action.key.legal()?, action.address.address.legal()?);
            gate.handle_address_failure(at(now_us), key, address);
            Ok(VRRP_OK)
        })
    }
}

/// Gives the next thing to do, in order. Answers 1 with `action` filled in, and with the frame of a
/// `VRRP_GATE_SEND` or a `VRRP_GATE_DELIVER` at the beginning of `buffer`; 0 when there is nothing to do. Call it until it
/// answers 0 after any input, and when the driver can send again. Set `action->size` before the first
/// call.
///
/// While `can_send` is 0 frames wait. One that has waited for 10 ms is discarded and counted: late it
/// would tell of a state that is over.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_BUFFER`: `len` is below
/// `VRRP_GATE_MAX_FRAME_LEN`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_poll(
    gate: *mut vrrp_gate,
    now_us: u64,
    can_send: c_int,
    buffer: *mut u8,
    len: usize,
    action: *mut vrrp_gate_action,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let Content { gate, answers } = content_mut(gate)?;
            let size = raw::check_sized(action)?;
            if len < max_frame_len(VRRP_MAX_ADDRESSES) {
                return Err(VRRP_ERR_BUFFER);
            }
            let buffer = raw::items_mut(buffer, len)?;
            let next = answers.next(can_send != 0, buffer);
            let next = next.or_else(|| Some(gate.poll(at(now_us), can_send != 0, buffer)?.into()));
            let Some(next) = next else {
                return Ok(0);
            };
            raw::write_sized(action, size, next);
            Ok(1)
        })
    }
}

impl Answers {
    /// The next action for an answer, with its frame at the beginning of `buffer`.
    fn next(&mut self, can_send: bool, buffer: &mut [u8]) -> Option<vrrp_gate_action> {
        if can_send && self.answer_len > 0 {
            let len = core::mem::take(&mut self.answer_len);
            return self.give(VRRP_GATE_SEND, 0, len, buffer);
        }
        let (begin, len, address) = self.hint.take()?;
        let address = vrrp_virtual_address {
            address: address.into(),
            prefix_len: 0,
        };
        let deliver = self.give(VRRP_GATE_DELIVER, begin, len, buffer)?;
        Some(vrrp_gate_action { address, ..deliver })
    }

    fn give(
        &self,
        kind: u8,
        begin: usize,
        len: usize,
        buffer: &mut [u8],
    ) -> Option<vrrp_gate_action> {
        let frame = self.octets.get(begin..)?.get(..len)?;
        for (to, from) in buffer.iter_mut().zip(frame) {
            *to = *from;
        }
        Some(vrrp_gate_action {
            frame_len: len as u32,
            ..vrrp_gate_action::of_kind(kind)
        })
    }
}

/// A virtual router that is enabled. `None`: there is none.
fn next_enabled(gate: &Gate<VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES>) -> Option<GateKey> {
    let enabled = |key: &GateKey| {
        let status = gate.engine().status(*key);
        status.is_some_and(|status| status.enabled)
    };
    gate.keys().find(enabled)
}
