//! The engine in the caller's storage.

use core::ffi::{c_int, c_void};
use core::mem::{align_of, size_of};

use vrrp_core::Engine as CoreEngine;

use crate::numbers::*;
use crate::raw;

include!(concat!(env!("OUT_DIR"), "/capacity.rs"));

/// The engine with the capacities of this build.
pub(crate) type Engine = CoreEngine<VRRP_MAX_INTERFACES, VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES>;

/// An engine: a table of virtual routers that knows nothing of other tables. It lives in the storage
/// that `vrrp_init()` was given, and there is nothing to free.
pub struct vrrp {
    magic: u32,
    engine: Engine,
}

impl core::fmt::Debug for vrrp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("vrrp").finish_non_exhaustive()
    }
}

/// A type behind a pointer that C holds, in storage of the caller.
///
/// # Safety
/// `magic` and `content` give the places of these fields in the handle.
pub(crate) unsafe trait Handle: Sized {
    /// The first octets of initialised storage. It differs from type to type.
    const MAGIC: u32;
    /// The type behind the handle.
    type Content;

    /// A handle of new content.
    fn new(content: Self::Content) -> Self;

    /// Where the magic number is.
    fn magic(handle: *const Self) -> *const u32;

    /// Where the content is.
    fn content(handle: *mut Self) -> *mut Self::Content;
}

// SAFETY: the offsets are those of the fields.
unsafe impl Handle for vrrp {
    const MAGIC: u32 = 0x5652_5250;
    type Content = Engine;

    fn new(engine: Engine) -> Self {
        Self {
            magic: Self::MAGIC,
            engine,
        }
    }

    #[inline(always)]
    fn magic(handle: *const Self) -> *const u32 {
        handle
            .wrapping_byte_add(core::mem::offset_of!(Self, magic))
            .cast()
    }

    #[inline(always)]
    fn content(handle: *mut Self) -> *mut Engine {
        handle
            .wrapping_byte_add(core::mem::offset_of!(Self, engine))
            .cast()
    }
}

/// The octets of storage that the virtual routers take, by the formula of the header.
const fn router_table_size(routers: usize, addresses: usize) -> usize {
    routers * (((18 * addresses + 414 + 7) & !7) + 26 + HMAC * (40 * addresses + 968))
}

/// `VRRP_HMAC` of the header.
const HMAC: usize = cfg!(feature = "hmac") as usize;

/// `VRRP_STORAGE_SIZE` of the header, by the same formula.
pub const fn storage_size(interfaces: usize, routers: usize, addresses: usize) -> usize {
    (192 + 64 * HMAC + 44 * interfaces + router_table_size(routers, addresses) + 7) & !7
}

/// `VRRP_GATE_STORAGE_SIZE` of the header, by the same formula.
pub const fn gate_storage_size(routers: usize, addresses: usize) -> usize {
    storage_size(1, routers, addresses) + 552
}

const _: () = {
    let header = storage_size(VRRP_MAX_INTERFACES, VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES);
    assert!(
        size_of::<vrrp>() <= header,
        "VRRP_STORAGE_SIZE of the header is too small: see handle::storage_size"
    );
    assert!(
        align_of::<vrrp>() <= 8,
        "vrrp_storage is aligned to 8 octets"
    );
};

/// Makes a handle of `content` in storage of the caller. See `vrrp_init()`.
///
/// # Safety
/// `storage` points to `size` octets that nobody else uses, `out` is good by [`raw::check`].
pub(crate) unsafe fn init<H: Handle>(
    storage: *mut c_void,
    size: usize,
    abi: u32,
    out: *mut *mut H,
    content: impl FnOnce() -> H::Content,
) -> Result<c_int, c_int> {
    raw::check(out)?;
    if abi != VRRP_ABI {
        return Err(VRRP_ERR_ABI);
    }
    let handle = storage.cast::<H>();
    raw::check(handle)?;
    if size < size_of::<H>() {
        return Err(VRRP_ERR_STORAGE);
    }
    // SAFETY: the storage is there, large enough and aligned; `out` is neither NULL nor misaligned.
    unsafe {
        handle.write(H::new(content()));
        out.write(handle);
    }
    Ok(VRRP_OK)
}

/// Refuses what is no handle. A misaligned pointer cannot point at the magic number of a handle, so
/// alignment is not checked.
///
/// # Safety
/// `handle` is NULL or points to storage.
#[inline(always)]
unsafe fn check<H: Handle>(handle: *const H) -> Result<(), c_int> {
    if handle.is_null() {
        return Err(VRRP_ERR_NULL);
    }
    // SAFETY: it points to storage.
    if unsafe { H::magic(handle).read_unaligned() } == H::MAGIC {
        Ok(())
    } else {
        Err(VRRP_ERR_HANDLE)
    }
}

/// The content of a handle, to change it.
///
/// # Safety
/// `handle` is NULL or points to storage, and no other call on it is under way.
#[inline(always)]
pub(crate) unsafe fn content_mut<'a, H: Handle>(
    handle: *mut H,
) -> Result<&'a mut H::Content, c_int> {
    // SAFETY: `init` made the content here, and nobody else uses it.
    unsafe { check(handle).map(|()| &mut *H::content(handle)) }
}

/// The content of a handle, to ask it.
///
/// # Safety
/// `handle` is NULL or points to storage, and no other call that changes it is under way.
#[inline(always)]
pub(crate) unsafe fn content<'a, H: Handle>(handle: *const H) -> Result<&'a H::Content, c_int> {
    // SAFETY: `init` made the content here, and nobody changes it.
    unsafe { check(handle).map(|()| &*H::content(handle.cast_mut())) }
}
