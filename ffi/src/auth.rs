//! Signed advertisements: keys, clocks and questions. A library without the feature `hmac` has the same
//! functions, which refuse.

use core::ffi::c_int;

#[cfg(not(feature = "hmac"))]
use crate::engine::answer;
use crate::handle::vrrp;
#[cfg(not(feature = "hmac"))]
use crate::handle::{Handle, content};
#[cfg(not(feature = "hmac"))]
use crate::numbers::*;
use crate::types::*;

#[cfg(feature = "hmac")]
pub(crate) mod with;

/// Answers that the library does not sign.
///
/// # Safety
/// As the functions of the header.
#[cfg(not(feature = "hmac"))]
pub(crate) unsafe fn refuse<H: Handle, A>(handle: *const H, _: A) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| content(handle).and(Err(VRRP_ERR_NO_HMAC))) }
}

/// Gives a virtual router keys for signed advertisements, in the place of those of before; with an `auth`
/// of NULL it has none. Call it before `vrrp_set_enabled()`, so that nothing is said or heard without a
/// signature. Its state stays, and a change of keys loses no advertisement: give the new key to every
/// host, then make it the active one on each, then take the old one away.
///
/// Errors: `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_AUTH_KEY`, `VRRP_ERR_AUTH_KEYS_FULL`, `VRRP_ERR_AUTH_WINDOW`,
/// `VRRP_ERR_AUTH_CONFLICT`, `VRRP_ERR_NO_CLOCK`, `VRRP_ERR_NO_HMAC`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE` for
/// what is none of the values that a field allows. The keys are then as before.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_set_auth(
    vrrp: *mut vrrp,
    now_us: u64,
    key: *const vrrp_key,
    auth: *const vrrp_auth,
) -> c_int {
    #[cfg(feature = "hmac")]
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        with::configure(vrrp, now_us, key, auth, |admin, key, config| {
            admin.set_auth(key, config)
        })
    }
    #[cfg(not(feature = "hmac"))]
    // SAFETY: as above.
    unsafe {
        refuse(vrrp, (now_us, key, auth))
    }
}

/// States what the wall clock says: microseconds since 1970-01-01 00:00 UTC, or `VRRP_NEVER` for none.
/// `synchronised` is not 0 if it is known to be right. Call it before the first keys, each few seconds,
/// when the clock was stepped and after the host slept; it goes on with `now_us` from there.
///
/// Errors: `VRRP_ERR_NO_HMAC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_set_wall_clock(
    vrrp: *mut vrrp,
    now_us: u64,
    unix_us: u64,
    synchronised: u8,
) -> c_int {
    #[cfg(feature = "hmac")]
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        let clock = with::clock(unix_us, synchronised);
        crate::admin::track(vrrp, now_us, |admin| admin.set_wall_clock(clock))
    }
    #[cfg(not(feature = "hmac"))]
    // SAFETY: as above.
    unsafe {
        refuse(vrrp, (now_us, unix_us, synchronised))
    }
}

/// States how often this host has booted, for `VRRP_REPLAY_MONOTONIC` without a clock: a number that is
/// greater after each boot, and is kept over them. `now_us` counts from the boot.
///
/// Errors: `VRRP_ERR_NO_HMAC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_set_boot_count(vrrp: *mut vrrp, now_us: u64, boots: u32) -> c_int {
    #[cfg(feature = "hmac")]
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        crate::admin::track(vrrp, now_us, |admin| admin.set_boot_count(boots))
    }
    #[cfg(not(feature = "hmac"))]
    // SAFETY: as above.
    unsafe {
        refuse(vrrp, (now_us, boots))
    }
}

/// Describes the authentication of a virtual router. Set `status->size` before.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`, also for one that has no keys;
/// `VRRP_ERR_NO_HMAC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_auth_status(
    vrrp: *const vrrp,
    key: *const vrrp_key,
    status: *mut vrrp_auth_status,
) -> c_int {
    #[cfg(feature = "hmac")]
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        with::write_status(vrrp, key, status)
    }
    #[cfg(not(feature = "hmac"))]
    // SAFETY: as above.
    unsafe {
        refuse(vrrp, (key, status))
    }
}

/// Answers how many routers were heard since a virtual router has keys, `VRRP_MAX_AUTH_SENDERS` at most,
/// and writes them, in no order, to `senders`, which has room for `capacity`. With a `senders` of NULL
/// nothing is written. A router whose last advertisement was not signed is not heard any more with
/// `VRRP_AUTH_MODE_ENFORCE`; one that has only been Backup has said nothing, and is not among them.
///
/// Errors: `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_BUFFER`: there are more than `capacity`; `VRRP_ERR_NO_HMAC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_auth_senders(
    vrrp: *const vrrp,
    key: *const vrrp_key,
    senders: *mut vrrp_auth_sender,
    capacity: usize,
) -> c_int {
    #[cfg(feature = "hmac")]
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        with::write_senders(vrrp, key, senders, capacity)
    }
    #[cfg(not(feature = "hmac"))]
    // SAFETY: as above.
    unsafe {
        refuse(vrrp, (key, senders, capacity))
    }
}
