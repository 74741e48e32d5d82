//! The functions that ask a gate. None of them changes it.

use core::ffi::{c_char, c_int};
use core::mem::size_of;
use core::ptr;

use vrrp_core::gate::Discard;

use super::convert;
use super::handle::vrrp_gate;
use super::numbers::*;
use super::types::*;
use crate::engine::answer;
use crate::handle::content;
use crate::numbers::*;
use crate::raw;
use crate::status::{write_drops, write_statistics, write_status};
use crate::types::*;

/// Writes to `deadline_us` when `vrrp_gate_handle_timeout()` and `vrrp_gate_poll()` are to be called at
/// the latest; `VRRP_NEVER`: not before something else happens. Ask again after every input.
///
/// Errors: `VRRP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_poll_timeout(
    gate: *const vrrp_gate,
    deadline_us: *mut u64,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let gate = &content(gate)?.gate;
            raw::check(deadline_us)?;
            let deadline = gate.poll_timeout().map_or(VRRP_NEVER, |at| at.as_micros());
            raw::write(deadline_us, deadline);
            Ok(VRRP_OK)
        })
    }
}

/// Describes a virtual router as it stands. Set `status->size` before. `status->key.ifindex` means
/// nothing.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_status(
    gate: *const vrrp_gate,
    key: *const vrrp_gate_key,
    status: *mut vrrp_status,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| write_status(content(gate)?.gate.engine(), key, status)) }
}

/// Gives the counters of a virtual router. Set `statistics->size` before.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_statistics(
    gate: *const vrrp_gate,
    key: *const vrrp_gate_key,
    statistics: *mut vrrp_statistics,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| write_statistics(content(gate)?.gate.engine(), key, statistics)) }
}

/// Writes to `count` how many VRRP packets were discarded for `reason`, one of `VRRP_DROP_*`: see
/// `vrrp_drops()`.
///
/// Errors: as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_drops(
    gate: *const vrrp_gate,
    key: *const vrrp_gate_key,
    reason: c_int,
    count: *mut u32,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| write_drops(content(gate)?.gate.engine(), key, reason, count)) }
}

/// Writes to `count` how many other frames were discarded for `reason`, one of
/// `VRRP_GATE_DISCARD_*`. Counters wrap. The reasons go from 1 to where `vrrp_gate_discard_name()`
/// gives NULL.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_VALUE`: no such reason.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_discards(
    gate: *const vrrp_gate,
    reason: c_int,
    count: *mut u32,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let gate = &content(gate)?.gate;
            raw::check(count)?;
            let mut all = Discard::ALL.iter();
            let reason = all.find(|r| convert::discard(**r) == reason);
            let reason = *reason.ok_or(VRRP_ERR_VALUE)?;
            raw::write(count, gate.discards().count(reason));
            Ok(VRRP_OK)
        })
    }
}

/// Says whether the frames to the virtual MACs come in. Set `reception->size` before. A black hole is
/// found five seconds after a neighbour has asked for a virtual address: the gate probes it.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_reception(
    gate: *const vrrp_gate,
    reception: *mut vrrp_gate_reception,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let gate = &content(gate)?.gate;
            let size = raw::check_sized(reception)?;
            let found = gate.reception();
            let found = vrrp_gate_reception {
                size: size_of::<vrrp_gate_reception>() as u32,
                frames: found.frames,
                unheard: found.unheard.map_or_else(Default::default, Into::into),
                reserved: [0; 3],
            };
            raw::write_sized(reception, size, found);
            Ok(VRRP_OK)
        })
    }
}

/// Writes to `macs` the MACs that the driver has to let in besides its own, broadcast, and the groups
/// that the stack has joined, six octets each: the virtual MACs that are taken up, and groups. Answers
/// how many there are; one may come twice. `len` is the room for whole MACs: where it is below the
/// answer, that many were written, and a driver that has no more room lets everything in.
///
/// Errors: `VRRP_ERR_NULL`, also for `macs` if `len` is not 0; `VRRP_ERR_VALUE`: `len` is more than memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_macs(
    gate: *const vrrp_gate,
    macs: *mut u8,
    len: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let gate = &content(gate)?.gate;
            let octets = len.saturating_mul(6);
            let (room, _) = raw::items_mut(macs, octets)?.as_chunks_mut();
            for (place, mac) in room.iter_mut().zip(gate.macs()) {
                *place = mac.0;
            }
            // No more than some for each virtual router and address.
            Ok(gate.macs().count() as c_int)
        })
    }
}

/// A short name of one of `VRRP_GATE_DISCARD_*` for logs and statistics, such as "other-station".
/// Static; NULL for another number.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_gate_discard_name(reason: c_int) -> *const c_char {
    let name = match reason {
        VRRP_GATE_DISCARD_TRUNCATED => c"truncated",
        VRRP_GATE_DISCARD_OTHER_STATION => c"other-station",
        VRRP_GATE_DISCARD_MAC_NOT_TAKEN_UP => c"virtual-mac-not-taken-up",
        VRRP_GATE_DISCARD_TO_UNSERVED => c"to-address-not-served",
        VRRP_GATE_DISCARD_NOT_ACCEPTED => c"to-address-not-accepted",
        VRRP_GATE_DISCARD_BAD_SOLICITATION => c"bad-solicitation",
        VRRP_GATE_DISCARD_FROM_UNSERVED => c"from-address-not-served",
        VRRP_GATE_DISCARD_NO_ROOM => c"no-room",
        _ => return ptr::null(),
    };
    name.as_ptr()
}
