//! Netgraph's own addresses, and its modules.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

use super::check;
use super::sockets::send_to_octets;
use crate::abi::*;

/// Sends to the netgraph node at `path`.
pub(crate) fn send_to_node(fd: &OwnedFd, message: &[u8], path: &str) -> io::Result<()> {
    if path.len() >= SOCKADDR_NG_PATH {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut address = vec![0; SOCKADDR_NG_DATA];
    address.extend_from_slice(path.as_bytes());
    address.push(0);
    address[0] = address.len() as u8;
    address[1] = PF_NETGRAPH as u8;
    send_to_octets(fd, message, &address).map(drop)
}

/// Whether the kernel has a module of this name.
pub(crate) fn has_module(name: &str) -> bool {
    let Ok(name) = CString::new(name) else {
        return false;
    };
    // SAFETY: the name ends with a zero and outlives the call.
    unsafe { modfind(name.as_ptr()) >= 0 }
}

/// Loads a kernel module.
pub(crate) fn load_module(name: &str) -> io::Result<()> {
    let name = CString::new(name)?;
    // SAFETY: the name ends with a zero and outlives the call.
    match check(unsafe { kldload(name.as_ptr()) }) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

// SAFETY: as sys/module.h and sys/linker.h declare them.
unsafe extern "C" {
    fn modfind(name: *const libc::c_char) -> libc::c_int;
    fn kldload(file: *const libc::c_char) -> libc::c_int;
}
