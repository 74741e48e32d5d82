//! The confinement of the worker process.

use std::io;

use vrrp_config::Account;

use super::check;
#[cfg(target_os = "freebsd")]
use super::enter_sandbox;

/// Gives up every right of root, the file system, and, in capability mode, everything but the
/// descriptors that are open. Returns what could not be given up, in words.
#[cfg(target_os = "freebsd")]
pub fn give_up_rights(user: Option<Account>, _parent: u32) -> io::Result<Vec<String>> {
    // SAFETY: the strings end with a zero and outlive the calls, the group is one value; the rest
    // take plain numbers.
    unsafe {
        libc::setproctitle(c"worker".as_ptr());
        if let Some(user) = user {
            let changed = check(libc::chroot(c"/var/empty".as_ptr())).map(drop);
            match changed {
                // Where somebody removed it capability mode has to do.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
            check(libc::chdir(c"/".as_ptr()))?;
            check(libc::setgroups(1, &user.gid))?;
            check(libc::setresgid(user.gid, user.gid, user.gid))?;
            check(libc::setresuid(user.uid, user.uid, user.uid))?;
        }
    }
    Ok(Vec::new())
}

/// Keeps the process to the descriptors that are open.
#[cfg(target_os = "freebsd")]
pub fn confine() -> io::Result<Vec<String>> {
    enter_sandbox().map(|()| Vec::new())
}

#[cfg(target_os = "linux")]
pub use linux::{confine, give_up_rights};

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsRawFd;

    use super::*;

    /// Gives up every right of root: the user, all groups, all capabilities, and the way to get any of
    /// them again. Ends with the parent `parent`, and is not looked into. Returns what could not be
    /// given up, in words.
    pub fn give_up_rights(user: Option<Account>, parent: u32) -> io::Result<Vec<String>> {
        let mut kept = Vec::new();
        // SAFETY: the name ends with a zero and outlives the call.
        unsafe { libc::prctl(libc::PR_SET_NAME, c"vrrpd-worker".as_ptr()) };
        // Those that the kernel does not know are refused, and none beyond is known.
        for capability in 0..64 {
            // Without CAP_SETPCAP it stays as it is: what is below takes the same away.
            if prctl(libc::PR_CAPBSET_DROP, capability).is_err() {
                break;
            }
        }
        if let Some(user) = user
            && let Err(error) = change_user(user)
        {
            match error.raw_os_error() {
                // A container without CAP_SETUID, or a user namespace without that user.
                Some(libc::EPERM | libc::EINVAL) => kept.push(format!(
                    "the worker process cannot become user {}: {error}; it has the user of vrrpd, without capabilities",
                    user.uid
                )),
                _ => return Err(error),
            }
        }
        drop_capabilities()?;
        // A kernel before 4.3 has none.
        let _ = prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong,
        );
        prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
        prctl(libc::PR_SET_DUMPABLE, 0)?;
        // After the change of the user, which forgets it.
        prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)?;
        // SAFETY: takes nothing and cannot fail.
        let now = unsafe { libc::getppid() };
        // In another PID namespace the parent has no number.
        if now != 0 && now as u32 != parent {
            return Err(io::Error::other("the parent process has ended"));
        }
        Ok(kept)
    }

    fn change_user(user: Account) -> io::Result<()> {
        // SAFETY: no group is looked at, as the count says; the rest take plain numbers.
        unsafe {
            check(libc::setgroups(0, std::ptr::null()))?;
            check(libc::setresgid(user.gid, user.gid, user.gid))?;
            check(libc::setresuid(user.uid, user.uid, user.uid)).map(drop)
        }
    }

    fn prctl(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
        let none: libc::c_ulong = 0;
        // SAFETY: none of the options used here takes a pointer.
        check(unsafe { libc::prctl(option, value, none, none, none) }).map(drop)
    }

    /// Empties the effective, permitted and inheritable sets.
    fn drop_capabilities() -> io::Result<()> {
        const VERSION_3: u32 = 0x2008_0522;
        let mut header = [VERSION_3, 0];
        let data = [0u32; 6];
        // SAFETY: the header is a struct of a version and a process number (0: this one), the data two
        // structs of three sets of 32 bits, as that version wants; both outlive the call.
        let result = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), data.as_ptr()) };
        check(result as libc::c_int).map(drop)
    }

    /// Keeps the process to the descriptors that it has and gets, and to the system calls that it needs.
    /// Returns what this kernel cannot do, in words.
    pub fn confine() -> io::Result<Vec<String>> {
        let mut kept = Vec::new();
        if let Err(error) = leave_files() {
            kept.push(format!(
                "the worker process is not kept from files: no Landlock here: {error}"
            ));
        }
        if let Err(error) = filter_calls() {
            kept.push(format!(
                "the worker process is not kept from system calls: no seccomp here: {error}"
            ));
        }
        Ok(kept)
    }

    /// Takes every path away from the process (Landlock), for what the kernel knows of files.
    fn leave_files() -> io::Result<()> {
        // Of the ABI 1: every kind of access to files. A later one only adds kinds, which the filter
        // of system calls refuses.
        const HANDLED: u64 = (1 << 13) - 1;
        let attributes = [HANDLED];
        // SAFETY: the attributes are a struct of one number, whose size is given.
        let ruleset = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                attributes.as_ptr(),
                size_of_val(&attributes),
                0,
            )
        };
        let ruleset = super::super::own(ruleset as libc::c_int)?;
        // SAFETY: takes plain numbers. No rule was added: nothing is allowed.
        let result =
            unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
        check(result as libc::c_int).map(drop)
    }

    /// Refuses every system call but those that the worker needs.
    #[cfg(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    ))]
    fn filter_calls() -> io::Result<()> {
        super::super::calls::install()
    }

    /// The filter's compiler does not know this processor.
    #[cfg(not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )))]
    fn filter_calls() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
