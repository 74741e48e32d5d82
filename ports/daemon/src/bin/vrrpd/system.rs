//! The port to the operating system.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use vrrp_host::PlatformError;

#[cfg(target_os = "freebsd")]
use vrrp_freebsd::{
    FreebsdFrames as Frames, FreebsdPlatform as ParentPlatform, Options, WorkerPlatform,
};
#[cfg(target_os = "linux")]
use vrrp_linux::{LinuxFrames as Frames, LinuxPlatform as ParentPlatform, Options, WorkerPlatform};

/// Opens the network, and says what was odd.
pub(crate) fn open_platform(runtime_dir: &Path) -> Result<ParentPlatform, PlatformError> {
    let runtime_dir = runtime_dir.to_path_buf();
    let platform = ParentPlatform::open(Options { runtime_dir })?;
    for remark in platform.remarks() {
        #[cfg(target_os = "linux")]
        log::warn!("{remark}");
        #[cfg(not(target_os = "linux"))]
        log::info!("{remark}");
    }
    Ok(platform)
}

/// The platform of a worker, which asks at the other end of `stream`.
pub(crate) fn worker_platform(stream: UnixStream) -> io::Result<WorkerPlatform> {
    WorkerPlatform::new(Frames::new()?, stream)
}

/// This program, to be executed as a worker.
pub(crate) fn program() -> io::Result<PathBuf> {
    // Even if the file was replaced since.
    #[cfg(target_os = "linux")]
    return Ok("/proc/self/exe".into());
    #[cfg(not(target_os = "linux"))]
    std::env::current_exe()
}
