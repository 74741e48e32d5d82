//! Users, groups and the name of the host.

use std::ffi::{CStr, CString};

use vrrp_config::{Account, Accounts};
use vrrp_port_kit::trust::effective_uid;

/// The name of a user that is not root, as the host knows it.
pub fn user_name(uid: u32) -> Option<String> {
    let mut buffer = vec![0; 16 * 1024];
    // SAFETY: every pointer is valid for the call and the buffer's length is given; the entry is read
    // only when the call says that it filled it in, and its name ends with a zero in the buffer.
    let name = unsafe {
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut found = std::ptr::null_mut();
        let (room, len) = (buffer.as_mut_ptr(), buffer.len());
        libc::getpwuid_r(uid, &mut entry, room, len, &mut found);
        (!found.is_null()).then(|| CStr::from_ptr(entry.pw_name).to_owned())
    };
    let name = name?.into_string().ok()?;
    (uid != 0 && !name.contains(char::is_control)).then_some(name)
}

/// The users and groups of this host.
#[derive(Clone, Copy, Debug)]
pub struct SystemAccounts;

/// Returns the name of this host. Empty when the system does not tell it.
pub fn host_name() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: the pointer and the length are those of an array that outlives the call.
    let result = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let name = name.split(|octet| *octet == 0).next().unwrap_or_default();
    if result == 0 {
        String::from_utf8_lossy(name).into_owned()
    } else {
        String::new()
    }
}

impl Accounts for SystemAccounts {
    fn user(&self, name: &str) -> Option<Account> {
        let name = CString::new(name).ok()?;
        let mut buffer = vec![0; 16 * 1024];
        // SAFETY: every pointer is valid for the call and the buffer's length is given; the entry
        // is read only when the call says that it filled it in.
        unsafe {
            let mut entry: libc::passwd = std::mem::zeroed();
            let mut found = std::ptr::null_mut();
            let (room, len) = (buffer.as_mut_ptr(), buffer.len());
            libc::getpwnam_r(name.as_ptr(), &mut entry, room, len, &mut found);
            (!found.is_null()).then_some(Account {
                uid: entry.pw_uid,
                gid: entry.pw_gid,
            })
        }
    }

    fn group(&self, name: &str) -> Option<u32> {
        group_id(name)
    }

    fn own_uid(&self) -> u32 {
        effective_uid()
    }
}

/// The number of the group called `name`. `None`: there is no such group.
pub fn group_id(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    let mut buffer = vec![0; 16 * 1024];
    // SAFETY: every pointer is valid for the call and the buffer's length is given; the entry is
    // read only when the call says that it filled it in.
    unsafe {
        let mut entry: libc::group = std::mem::zeroed();
        let mut found = std::ptr::null_mut();
        libc::getgrnam_r(
            name.as_ptr(),
            &mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &mut found,
        );
        (!found.is_null()).then_some(entry.gr_gid)
    }
}

/// The user for a process that needs no rights: `_vrrp` where there is one, else `nobody`.
pub fn nobody() -> Account {
    let users = ["_vrrp", "nobody"].into_iter();
    let mut users = users.filter_map(|name| SystemAccounts.user(name));
    // As FreeBSD and most of Linux have it.
    let usual = Account {
        uid: 65_534,
        gid: 65_534,
    };
    users.find(|user| user.uid != 0).unwrap_or(usual)
}
