//! The administrator's calls of an engine and of a gate: they have the same shapes.

use core::ffi::c_int;

use vrrp_core::{Admin, Error, Instant, VrConfig, VrKey};

use crate::convert::Legal;
use crate::engine::{answer, at, done, with_config};
use crate::handle::{
    Engine, Handle, VRRP_MAX_ADDRESSES, VRRP_MAX_INTERFACES, VRRP_MAX_ROUTERS, content_mut,
};
use crate::numbers::*;
use crate::raw::{self, Plain};
use crate::types::*;

/// The content of a handle that has virtual routers.
pub(crate) trait Administered {
    /// Their keys.
    type Key;
    /// The calls of the administrator.
    type Admin<'e>
    where
        Self: 'e;

    /// The calls of the administrator, as made at `now`.
    fn admin(&mut self, now: Instant) -> Self::Admin<'_>;
}

impl Administered for Engine {
    type Key = VrKey;
    type Admin<'e> = Admin<'e, VRRP_MAX_INTERFACES, VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES>;

    fn admin(&mut self, now: Instant) -> Self::Admin<'_> {
        Engine::admin(self, now)
    }
}

/// Does something to the virtual router of a key.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn administer<H, C>(
    handle: *mut H,
    now_us: u64,
    key: *const C,
    call: impl FnOnce(
        &mut <H::Content as Administered>::Admin<'_>,
        <H::Content as Administered>::Key,
    ) -> Result<(), Error>,
) -> c_int
where
    H: Handle<Content: Administered>,
    C: Plain + Legal<<H::Content as Administered>::Key>,
{
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let content = content_mut(handle)?;
            let key = raw::read(key)?.legal()?;
            done(call(&mut content.admin(at(now_us)), key))
        })
    }
}

/// Does something with a configuration to the virtual router of a key.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn configure<H, C>(
    handle: *mut H,
    now_us: u64,
    key: *const C,
    config: *const vrrp_config,
    call: impl FnOnce(
        &mut <H::Content as Administered>::Admin<'_>,
        <H::Content as Administered>::Key,
        &VrConfig<'_>,
    ) -> Result<(), Error>,
) -> c_int
where
    H: Handle<Content: Administered>,
    C: Plain + Legal<<H::Content as Administered>::Key>,
{
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let content = content_mut(handle)?;
            let key = raw::read(key)?.legal()?;
            let admin = &mut content.admin(at(now_us));
            with_config(config, |config| call(admin, key, config))
        })
    }
}

/// States how a tracked object is.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn track<H>(
    handle: *mut H,
    now_us: u64,
    call: impl FnOnce(&mut <H::Content as Administered>::Admin<'_>),
) -> c_int
where
    H: Handle<Content: Administered>,
{
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            call(&mut content_mut(handle)?.admin(at(now_us)));
            Ok(VRRP_OK)
        })
    }
}
