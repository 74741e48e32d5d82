//! Child processes: starting, waiting, ending.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use super::check;
use super::signals::ignore_signals;

/// Asks the process group `group` to end (SIGTERM).
pub fn terminate_group(group: u32) {
    kill_group(group, libc::SIGTERM);
}

/// Ends the process group `group` at once (SIGKILL).
pub fn destroy_group(group: u32) {
    kill_group(group, libc::SIGKILL);
}

fn kill_group(group: u32, signal: libc::c_int) {
    if let Some(group) = i32::try_from(group).ok().filter(|&g| g > 1) {
        // SAFETY: kill(2) takes integers only; groups 0 and 1 are excluded above.
        unsafe { libc::kill(-group, signal) };
    }
}

/// Whether the child `pid` has ended. It stays a zombie, so that its process group's number
/// cannot belong to anybody else.
pub fn has_ended(pid: u32) -> bool {
    // SAFETY: a zeroed siginfo_t is a valid value for waitid to fill in.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_PID, pid as libc::id_t, &mut info, flags) == 0 && info.si_pid() != 0
    }
}

/// Takes the exit status of a child that has ended, unless it is `kept`: for PID 1, which inherits
/// orphans. The end of `kept` hides those that come after it, until that is taken.
pub fn reap_other(kept: u32) -> Option<(u32, ExitStatus)> {
    // SAFETY: a zeroed siginfo_t is a valid value for waitid to fill in.
    let ended = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        check(libc::waitid(libc::P_ALL, 0, &mut info, flags)).ok()?;
        info.si_pid()
    };
    let pid = u32::try_from(ended)
        .ok()
        .filter(|pid| ![0, kept].contains(pid))?;
    let status = self::ended(pid).ok().flatten()?;
    Some((pid, status))
}

/// The first of the descriptors that a program started by [`spawn_with`] finds open.
const FIRST_PASSED: RawFd = 3;

/// Starts a program that has nothing but these descriptors, which it gets by [`passed`], and takes no
/// signals that vrrpd listens to. Returns its process number.
pub fn spawn_with<const N: usize>(
    program: &Path,
    args: &[&str],
    descriptors: [OwnedFd; N],
) -> io::Result<u32> {
    let mut command = Command::new(program);
    command
        .arg0("vrrpd")
        .args(args)
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let numbers = descriptors.each_ref().map(AsRawFd::as_raw_fd);
    // SAFETY: the closure runs in the child between fork and exec and makes system calls only, on
    // descriptors that are open there; it allocates nothing.
    unsafe {
        command.pre_exec(move || {
            ignore_signals();
            // Out of the way first: the numbers that they get may be those of others of them.
            let mut above = numbers;
            for number in &mut above {
                let least = FIRST_PASSED + N as RawFd;
                *number = check(libc::fcntl(*number, libc::F_DUPFD_CLOEXEC, least))?;
            }
            for (place, number) in (FIRST_PASSED..).zip(above) {
                check(libc::dup2(number, place))?;
            }
            Ok(())
        });
    }
    command.spawn().map(|child| child.id())
}

/// Has a program run with ordinary priority, though vrrpd may have that of a real-time process, and without
/// vrrpd's protection from the OOM killer: it may use up the memory, and may leave a service running.
#[cfg(target_os = "linux")]
pub fn with_ordinary_priority(command: &mut Command) {
    // SAFETY: the closure runs in the child between fork and exec and makes system calls only, which
    // read the parameter that is its own; zeros are a valid one.
    unsafe {
        command.pre_exec(|| {
            let parameter: libc::sched_param = std::mem::zeroed();
            // Where that is not allowed it runs as it is.
            libc::sched_setscheduler(0, libc::SCHED_OTHER, &parameter);
            give_up_protection();
            Ok(())
        });
    }
}

/// Raises a negative oom_score_adj of this process to 0, where that is allowed. A score that is not negative
/// stays. Allocates nothing.
#[cfg(target_os = "linux")]
fn give_up_protection() {
    let mut first = [0_u8];
    // SAFETY: the path ends with a zero, the buffers live through the calls that are given their lengths, and
    // the descriptor is the one that was just opened.
    unsafe {
        let flags = libc::O_RDWR | libc::O_CLOEXEC;
        let fd = libc::open(c"/proc/self/oom_score_adj".as_ptr(), flags);
        if fd < 0 {
            return;
        }
        if libc::pread(fd, first.as_mut_ptr().cast(), first.len(), 0) == 1 && first == *b"-" {
            libc::pwrite(fd, b"0".as_ptr().cast(), 1, 0);
        }
        libc::close(fd);
    }
}

/// rc.d starts vrrpd with ordinary priority.
#[cfg(not(target_os = "linux"))]
pub fn with_ordinary_priority(_: &mut Command) {}

/// Takes the descriptors that [`spawn_with`] has passed, and closes all others.
pub fn passed<const N: usize>() -> io::Result<[OwnedFd; N]> {
    let last = FIRST_PASSED + N as RawFd;
    close_from(last);
    for number in FIRST_PASSED..last {
        // SAFETY: takes plain numbers.
        check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    // SAFETY: they are open, as the calls above have shown, and nothing else in this process, which
    // has just begun, knows them.
    Ok(std::array::from_fn(|place| unsafe {
        OwnedFd::from_raw_fd(FIRST_PASSED + place as RawFd)
    }))
}

/// Closes what the program that started this one has left open.
fn close_from(first: RawFd) {
    // SAFETY: takes plain numbers; nothing in this process, which has just begun, knows them. Where the
    // kernel cannot do it they stay.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::syscall(libc::SYS_close_range, first, u32::MAX, 0);
    }
    // SAFETY: as above.
    #[cfg(target_os = "freebsd")]
    unsafe {
        libc::closefrom(first);
    }
}

/// How the child `pid` ended. `None`: it has not yet.
pub fn ended(pid: u32) -> io::Result<Option<ExitStatus>> {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is valid for the call.
        match check(unsafe { libc::waitpid(pid as libc::pid_t, &mut status, libc::WNOHANG) }) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(ExitStatus::from_raw(status))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Ends the child `pid` at once (SIGKILL).
///
/// # Errors
/// It has another user, and this process no CAP_KILL.
pub fn kill(pid: u32) -> io::Result<()> {
    signal(pid, libc::SIGKILL)
}

/// Whether [`kill`] may end the child `pid`.
///
/// # Errors
/// As those of [`kill`].
pub fn may_kill(pid: u32) -> io::Result<()> {
    signal(pid, 0)
}

fn signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let Some(pid) = i32::try_from(pid).ok().filter(|&pid| pid > 1) else {
        return Ok(());
    };
    // SAFETY: kill(2) takes integers only.
    match check(unsafe { libc::kill(pid, signal) }) {
        // Its end was taken already.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other.map(drop),
    }
}
