//! The engine in the caller's storage.

use core::ffi::{c_int, c_void};
use core::mem::{align_of, size_of};

use vrrp_core::Router;

use crate::numbers::*;
use crate::raw;

include!(concat!(env!("OUT_DIR"), "/capacity.rs"));

/// The engine with the capacities of this build.
pub(crate) type Engine = Router<VRRP_MAX_INTERFACES, VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES>;

/// An engine: a table of virtual routers that knows nothing of other tables. It lives in the storage
/// that `vrrp_init()` was given, and there is nothing to free.
pub struct vrrp_t {
    magic: u32,
    engine: Engine,
}

/// What an initialised storage begins with.
const MAGIC: u32 = 0x5652_5250;

/// `VRRP_STORAGE_SIZE` of the header, by the same formula.
pub const fn storage_size(interfaces: usize, routers: usize, addresses: usize) -> usize {
    let router = ((18 * addresses + 398 + 7) & !7) + 26;
    (192 + 44 * interfaces + routers * router + 7) & !7
}

const _: () = {
    let header = storage_size(VRRP_MAX_INTERFACES, VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES);
    assert!(
        size_of::<vrrp_t>() <= header,
        "VRRP_STORAGE_SIZE of the header is too small: see handle::storage_size"
    );
    assert!(
        align_of::<vrrp_t>() <= 8,
        "vrrp_storage_t is aligned to 8 octets"
    );
};

/// Makes an engine. See `vrrp_init()`.
///
/// # Safety
/// `storage` points to `size` octets that nobody else uses, `out` is good by [`raw::check`].
pub(crate) unsafe fn init(
    storage: *mut c_void,
    size: usize,
    abi: u32,
    out: *mut *mut vrrp_t,
) -> Result<c_int, c_int> {
    raw::check(out)?;
    if abi != VRRP_ABI {
        return Err(VRRP_ERR_ABI);
    }
    let vrrp = storage.cast::<vrrp_t>();
    raw::check(vrrp)?;
    if size < size_of::<vrrp_t>() {
        return Err(VRRP_ERR_STORAGE);
    }
    let fresh = vrrp_t {
        magic: MAGIC,
        engine: Engine::new(),
    };
    // SAFETY: the storage is there, large enough and aligned; `out` is neither NULL nor misaligned.
    unsafe {
        vrrp.write(fresh);
        out.write(vrrp);
    }
    Ok(VRRP_OK)
}

/// Refuses what is no handle. One that is misaligned cannot begin with the magic number of a handle
/// either, so that this is not looked at.
///
/// # Safety
/// `vrrp` is NULL or points to storage.
#[inline(always)]
unsafe fn check(vrrp: *const vrrp_t) -> Result<(), c_int> {
    if vrrp.is_null() {
        return Err(VRRP_ERR_NULL);
    }
    // SAFETY: it points to storage.
    match unsafe { (&raw const (*vrrp).magic).read_unaligned() } {
        MAGIC => Ok(()),
        _ => Err(VRRP_ERR_HANDLE),
    }
}

/// The engine of a handle, to change it.
///
/// # Safety
/// `vrrp` is NULL or points to storage, and no other call on it is under way.
#[inline(always)]
pub(crate) unsafe fn engine_mut<'a>(vrrp: *mut vrrp_t) -> Result<&'a mut Engine, c_int> {
    // SAFETY: `init` made an engine here, and nobody else uses it.
    unsafe { check(vrrp).map(|()| &mut (*vrrp).engine) }
}

/// The engine of a handle, to ask it.
///
/// # Safety
/// `vrrp` is NULL or points to storage, and no other call that changes it is under way.
#[inline(always)]
pub(crate) unsafe fn engine<'a>(vrrp: *const vrrp_t) -> Result<&'a Engine, c_int> {
    // SAFETY: `init` made an engine here, and nobody changes it.
    unsafe { check(vrrp).map(|()| &(*vrrp).engine) }
}
