//! The handle: a host on the heap, and who may use it.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::mem::offset_of;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ::vrrp_host::{Host, Sighting};

use super::numbers::*;
use super::os::{self, Os};
use crate::numbers::{VRRP_ERR_HANDLE, VRRP_OK};
use crate::raw;

/// A host: virtual routers on the interfaces of this machine. It is made by `vrrp_host_open()` or
/// `vrrp_host_open_config()` and freed by `vrrp_host_close()`.
pub struct vrrp_host(Handle);

impl core::fmt::Debug for vrrp_host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("vrrp_host").finish_non_exhaustive()
    }
}

#[repr(C)]
struct Handle {
    /// First, so that it can be looked for in memory of any size.
    magic: AtomicU32,
    busy: AtomicBool,
    process: u32,
    inner: UnsafeCell<Inner>,
}

const _: () = assert!(offset_of!(vrrp_host, 0) == 0);

/// The contents of a handle.
pub(crate) struct Inner {
    pub(crate) host: Host<Os>,
    pub(crate) runtime_dir: PathBuf,
    /// The program has chosen `runtime_dir`, whatever a configuration says.
    pub(crate) own_runtime_dir: bool,
    /// The directory of the boot count that the program has chosen, whatever a configuration says.
    pub(crate) own_state_dir: Option<PathBuf>,
    /// A boot count of this handle is on the disk.
    pub(crate) is_counted: bool,
    /// The name of the configuration's text in messages.
    pub(crate) config_name: PathBuf,
    pub(crate) trouble: Trouble,
    /// The masters at the last look of `vrrp_host_segment()`, until it has given the last of them.
    pub(crate) segment: Vec<Sighting>,
}

/// The failures of a step, for the next event.
#[derive(Default)]
pub(crate) struct Trouble {
    pub(crate) untold: Option<String>,
    last: Option<(String, Instant)>,
}

/// How often a lasting trouble is told in the same words.
const TELL_AGAIN: Duration = Duration::from_secs(60);

impl Trouble {
    pub(crate) fn note(&mut self, text: String) {
        let now = Instant::now();
        let known = self.last.as_ref().is_some_and(|(last, told)| {
            *last == text && now.saturating_duration_since(*told) < TELL_AGAIN
        });
        if !known {
            self.last = Some((text.clone(), now));
            self.untold = Some(text);
        }
    }
}

/// The first octets of a living handle.
const MAGIC: u32 = 0x5652_4854;

/// A handle that the caller is to close.
pub(crate) fn new(inner: Inner) -> *mut vrrp_host {
    Box::into_raw(Box::new(vrrp_host(Handle {
        magic: AtomicU32::new(MAGIC),
        busy: AtomicBool::new(false),
        process: process::id(),
        inner: UnsafeCell::new(inner),
    })))
}

/// The handle, if it is one.
///
/// # Safety
/// `handle` is NULL, misaligned, or points to a living handle or to four octets of something else.
unsafe fn check<'a>(handle: *const vrrp_host) -> Result<&'a Handle, c_int> {
    raw::check(handle)?;
    let handle = handle.cast::<Handle>();
    // SAFETY: it is neither NULL nor misaligned, so four octets are there, and any are an atomic.
    let magic = unsafe { &(*handle).magic };
    match magic.load(Ordering::Relaxed) {
        // SAFETY: `new` made a handle here.
        MAGIC => Ok(unsafe { &*handle }),
        _ => Err(VRRP_ERR_HANDLE),
    }
}

/// Does something with a host, unless another thread is at it or it is another process's.
///
/// # Safety
/// As for `check`, and nobody closes the handle meanwhile.
pub(crate) unsafe fn call<T, E: From<c_int>>(
    handle: *const vrrp_host,
    work: impl FnOnce(&mut Inner) -> Result<T, E>,
) -> Result<T, E> {
    // SAFETY: the contract is the same.
    let handle = unsafe { check(handle)? };
    if handle.process != process::id() {
        return Err(VRRP_ERR_HOST_FORKED.into());
    }
    if handle.busy.swap(true, Ordering::Acquire) {
        return Err(VRRP_ERR_HOST_BUSY.into());
    }
    // SAFETY: `busy` lets one call at a time come here.
    let result = work(unsafe { &mut *handle.inner.get() });
    handle.busy.store(false, Ordering::Release);
    result
}

/// Frees a handle, and removes what its host has installed unless that is another process's.
///
/// # Safety
/// As for `check`; the handle is not used again.
pub(crate) unsafe fn close(handle: *mut vrrp_host) -> Result<c_int, c_int> {
    if handle.is_null() {
        return Ok(VRRP_OK);
    }
    // SAFETY: the contract is the same.
    let living = unsafe { check(handle)? };
    if living.busy.swap(true, Ordering::Acquire) {
        return Err(VRRP_ERR_HOST_BUSY);
    }
    let foreign = living.process != process::id();
    living.magic.store(0, Ordering::Relaxed);
    // SAFETY: `new` made it with a Box, and the mark that is gone says that nobody has freed it.
    let boxed = unsafe { Box::from_raw(handle) };
    let platform = boxed.0.inner.into_inner().host.into_platform();
    match foreign {
        true => os::abandon(platform),
        false => drop(platform),
    }
    Ok(VRRP_OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_trouble_is_told_once_a_minute() {
        let mut trouble = Trouble::default();
        trouble.note("down".into());
        assert_eq!(trouble.untold.take().as_deref(), Some("down"));
        trouble.note("down".into());
        assert_eq!(trouble.untold, None);
        trouble.note("other".into());
        assert_eq!(trouble.untold.take().as_deref(), Some("other"));
        let long_ago = Instant::now().checked_sub(TELL_AGAIN).expect("a minute");
        trouble.last = Some(("other".into(), long_ago));
        trouble.note("other".into());
        assert_eq!(trouble.untold.as_deref(), Some("other"));
    }
}
