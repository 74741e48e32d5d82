//! Jails, for tests.

use std::ffi::{CStr, CString};
use std::io;

use super::check;

/// Makes a jail with a network stack of its own, which ends with its last process, and gives its
/// number. It sees all files. With `enter` this process is its first. For tests.
#[doc(hidden)]
pub fn make_jail(name: &str, enter: bool) -> io::Result<i32> {
    const CREATE: libc::c_int = 1;
    const ATTACH: libc::c_int = 4;
    let name = CString::new(name)?;
    let vnet_of_its_own = 1i32.to_ne_bytes();
    let children = if enter { 16i32 } else { 0 }.to_ne_bytes();
    let pairs: [(&CStr, &[u8]); 6] = [
        (c"path", c"/".to_bytes_with_nul()),
        (c"name", name.to_bytes_with_nul()),
        (c"vnet", &vnet_of_its_own),
        (c"children.max", &children),
        (c"allow.raw_sockets", &[]),
        // Without a process it would end at once.
        (if enter { c"nopersist" } else { c"persist" }, &[]),
    ];
    let part = |octets: &[u8]| libc::iovec {
        iov_base: octets.as_ptr().cast_mut().cast(),
        iov_len: octets.len(),
    };
    let mut parts: Vec<libc::iovec> = Vec::new();
    for (key, value) in pairs {
        parts.push(part(key.to_bytes_with_nul()));
        parts.push(part(value));
    }
    let flags = if enter { CREATE | ATTACH } else { CREATE };
    // SAFETY: every part is one slice that outlives the call, which only reads them.
    check(unsafe { libc::jail_set(parts.as_mut_ptr(), parts.len() as libc::c_uint, flags) })
}

/// Puts this process into a jail. For tests.
#[doc(hidden)]
pub fn enter_jail(jail: i32) -> io::Result<()> {
    // SAFETY: takes a plain number.
    check(unsafe { libc::jail_attach(jail) }).map(drop)
}

/// Ends a jail and what runs in it. For tests.
#[doc(hidden)]
pub fn remove_jail(jail: i32) -> io::Result<()> {
    // SAFETY: takes a plain number.
    check(unsafe { libc::jail_remove(jail) }).map(drop)
}
