//! The operating system: all that is different between them.

use std::path::{Path, PathBuf};

use ::vrrp_host::{HostFacts, PlatformError};

/// Where it is noted what is installed, unless somebody says otherwise: where vrrpd does, too.
#[cfg(target_os = "linux")]
pub(crate) const RUNTIME_DIR: &str = "/run/vrrpd";

#[cfg(target_os = "linux")]
pub(crate) type Os = vrrp_linux::LinuxPlatform;

#[cfg(target_os = "linux")]
pub(crate) fn open(runtime_dir: &Path) -> Result<Os, PlatformError> {
    let runtime_dir = runtime_dir.to_path_buf();
    Os::open(vrrp_linux::Options { runtime_dir })
}

/// Where it is noted what is installed, unless somebody says otherwise: where vrrpd does, too.
#[cfg(target_os = "freebsd")]
pub(crate) const RUNTIME_DIR: &str = "/var/run/vrrpd";

#[cfg(target_os = "freebsd")]
pub(crate) type Os = vrrp_freebsd::FreebsdPlatform;

#[cfg(target_os = "freebsd")]
pub(crate) fn open(runtime_dir: &Path) -> Result<Os, PlatformError> {
    let runtime_dir = runtime_dir.to_path_buf();
    Os::open(vrrp_freebsd::Options { runtime_dir })
}

/// Reads the facts of this host, without privileges, for a program that notes in this directory what it
/// installs. On Linux the kernel knows that, and no directory is asked for.
#[cfg(target_os = "linux")]
pub(crate) fn facts(_: impl FnOnce() -> PathBuf) -> HostFacts {
    Ok(Box::new(vrrp_linux::LinuxFacts::read()?))
}

/// Reads the facts of this host, without privileges, for a program that notes in this directory what it
/// installs.
#[cfg(target_os = "freebsd")]
pub(crate) fn facts(runtime_dir: impl FnOnce() -> PathBuf) -> HostFacts {
    Ok(Box::new(vrrp_freebsd::FreebsdFacts::read(&runtime_dir())?))
}

/// Closes what the child of a fork has inherited, and leaves the network as it is.
#[cfg(target_os = "linux")]
pub(crate) fn abandon(os: Os) {
    os.abandon();
}

/// Leaves the network as it is. A kqueue is not inherited, and its number may be another's by now:
/// nothing is closed before the child executes a program or ends.
#[cfg(target_os = "freebsd")]
pub(crate) fn abandon(os: Os) {
    std::mem::forget(os);
}

/// Does `work` with all signals of the calling thread held back: a thread that is made meanwhile
/// takes none from the program.
pub(crate) fn without_signals<T>(work: impl FnOnce() -> T) -> T {
    use std::mem::MaybeUninit;
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the first call fills `all`, the second reads it and fills `before`. The mask is the
    // calling thread's own and is put back below.
    let changed = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr())
    };
    let result = work();
    if changed == 0 {
        // SAFETY: `before` was filled when the mask was changed.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    }
    result
}
