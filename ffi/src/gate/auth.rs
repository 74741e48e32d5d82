//! Signed advertisements of a gate.

use core::ffi::c_int;

use super::handle::vrrp_gate;
use super::types::*;
use crate::types::*;

/// Gives a virtual router keys for signed advertisements: see `vrrp_set_auth()`.
///
/// Errors: as there.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_set_auth(
    gate: *mut vrrp_gate,
    now_us: u64,
    key: *const vrrp_gate_key,
    auth: *const vrrp_auth,
) -> c_int {
    #[cfg(feature = "hmac")]
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        crate::auth::with::configure(gate, now_us, key, auth, |admin, key, config| {
            admin.set_auth(key, config)
        })
    }
    #[cfg(not(feature = "hmac"))]
    // SAFETY: as above.
    unsafe {
        crate::auth::refuse(gate, (now_us, key, auth))
    }
}

/// States what the wall clock says: see `vrrp_set_wall_clock()`.
///
/// Errors: `VRRP_ERR_NO_HMAC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_set_wall_clock(
    gate: *mut vrrp_gate,
    now_us: u64,
    unix_us: u64,
    synchronised: u8,
) -> c_int {
    #[cfg(feature = "hmac")]
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        let clock = crate::auth::with::clock(unix_us, synchronised);
        crate::admin::track(gate, now_us, |admin| admin.set_wall_clock(clock))
    }
    #[cfg(not(feature = "hmac"))]
    // SAFETY: as above.
    unsafe {
        crate::auth::refuse(gate, (now_us, unix_us, synchronised))
    }
}

/// States how often this host has booted: see `vrrp_set_boot_count()`.
///
/// Errors: `VRRP_ERR_NO_HMAC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_gate_set_boot_count(
    gate: *mut vrrp_gate,
    now_us: u64,
    boots: u32,
) -> c_int {
    #[cfg(feature = "hmac")]
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        crate::admin::track(gate, now_us, |admin| admin.set_boot_count(boots))
    }
    #[cfg(not(feature = "hmac"))]
    // SAFETY: as above.
    unsafe {
        crate::auth::refuse(gate, (now_us, boots))
    }
}
