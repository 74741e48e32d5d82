//! The system calls that the standard library does not offer, each behind a safe function.
#![allow(unsafe_code)]

#[cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
))]
mod calls;
mod confine;

use std::ffi::{CStr, CString};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use vrrp_config::{Account, Accounts};
use vrrp_host::Waited;

pub use confine::{confine, give_up_rights};

/// The signals that vrrpd listens to.
const HEARD: [libc::c_int; 5] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGCHLD,
];

/// One bit for each signal that has come and was not taken yet.
static PENDING: AtomicU32 = AtomicU32::new(0);
/// The end of the self-pipe that the handler writes to; -1 before [`Signals::install`].
static WAKE: AtomicI32 = AtomicI32::new(-1);

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(target_os = "linux")]
fn own(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = check(fd)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Signals turned into something that poll(2) sees.
#[derive(Debug)]
pub struct Signals {
    read: OwnedFd,
}

/// The signals that came since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken(u32);

impl Taken {
    /// Restores the value from [`bits`](Taken::bits) of another process.
    pub fn of(bits: u32) -> Self {
        Self(bits)
    }

    /// One bit for each signal.
    pub fn bits(self) -> u32 {
        self.0
    }

    fn has(self, signal: libc::c_int) -> bool {
        self.0 & (1 << signal) != 0
    }

    /// SIGTERM or SIGINT.
    pub fn stop(self) -> bool {
        self.has(libc::SIGTERM) || self.has(libc::SIGINT)
    }

    /// SIGHUP.
    pub fn reload(self) -> bool {
        self.has(libc::SIGHUP)
    }

    /// SIGUSR1.
    pub fn dump(self) -> bool {
        self.has(libc::SIGUSR1)
    }

    /// SIGCHLD.
    pub fn child(self) -> bool {
        self.has(libc::SIGCHLD)
    }
}

impl Signals {
    /// Installs the handlers, once in the life of a process. As PID 1 this is also what makes the
    /// kernel deliver SIGTERM at all.
    pub fn install() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        let (read, write) = (OwnedFd::from(read), OwnedFd::from(write));
        set_nonblocking(&read)?;
        set_nonblocking(&write)?;
        // The write end lives as long as the handlers, which are never taken back.
        WAKE.store(write.into_raw_fd(), Ordering::SeqCst);
        for signal in HEARD {
            // SAFETY: a zeroed sigaction is a valid value; the handler is an extern "C" function
            // that touches atomics and calls write(2) only, both async-signal-safe.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
                action.sa_flags = libc::SA_RESTART;
                libc::sigemptyset(&mut action.sa_mask);
                check(libc::sigaction(signal, &action, std::ptr::null_mut()))?;
            }
        }
        Ok(Self { read })
    }

    /// Hears nothing, and leaves the handlers of a process of tests alone.
    #[cfg(test)]
    pub(crate) fn deaf() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        let read = OwnedFd::from(read);
        set_nonblocking(&read)?;
        std::mem::forget(write);
        Ok(Self { read })
    }

    /// The descriptor that becomes readable when a signal has come.
    pub fn fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// Takes the signals that came since the last call.
    pub fn take(&self) -> Taken {
        let mut sink = [0u8; 64];
        // SAFETY: the buffer is ours and its length is given.
        while unsafe { libc::read(self.fd(), sink.as_mut_ptr().cast(), sink.len()) } > 0 {}
        Taken(PENDING.swap(0, Ordering::SeqCst))
    }
}

extern "C" fn on_signal(signal: libc::c_int) {
    let errno = errno_location();
    // SAFETY: the pointer names this thread's errno, which the interrupted code may be about to
    // read; write(2) on the non-blocking self-pipe is async-signal-safe, and a full pipe is as
    // good as a byte written.
    unsafe {
        let saved = *errno;
        PENDING.fetch_or(1 << signal, Ordering::SeqCst);
        libc::write(WAKE.load(Ordering::SeqCst), [0u8].as_ptr().cast(), 1);
        *errno = saved;
    }
}

fn errno_location() -> *mut libc::c_int {
    // SAFETY: returns the address of the calling thread's errno and cannot fail.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::__errno_location()
    }
    // SAFETY: as above.
    #[cfg(not(target_os = "linux"))]
    unsafe {
        libc::__error()
    }
}

/// Waits until one of `waited` is ready or `timeout` has passed. `None`: for ever. A signal ends the
/// wait early with nothing ready. `room` is for the kernel's form of them.
pub fn poll(
    waited: &mut [Waited],
    room: &mut Vec<libc::pollfd>,
    timeout: Option<Duration>,
) -> io::Result<()> {
    // Rounded up: waking a little early would spin until the deadline.
    let millis = timeout.map_or(-1, |t| {
        i32::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    room.clear();
    room.extend(waited.iter().map(|one| match one.write {
        true => polled(one.fd, libc::POLLOUT),
        false => polled(one.fd, libc::POLLIN),
    }));
    poll_once(room, millis)?;
    for (one, polled) in waited.iter_mut().zip(room) {
        one.ready = polled.revents != 0;
    }
    Ok(())
}

fn polled(fd: RawFd, events: libc::c_short) -> libc::pollfd {
    let revents = 0;
    libc::pollfd {
        fd,
        events,
        revents,
    }
}

fn poll_once(polled: &mut [libc::pollfd], millis: i32) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of one slice.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, millis) };
    match check(result) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            polled.iter_mut().for_each(|one| one.revents = 0);
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Waits until `input` can be read, or nobody reads from `output` any more: which of both is so.
pub fn wait_for_input(input: RawFd, output: RawFd) -> io::Result<(bool, bool)> {
    // An error of the descriptor is told without being asked for.
    let mut both = [polled(input, libc::POLLIN), polled(output, 0)];
    loop {
        poll_once(&mut both, -1)?;
        if both.iter().any(|one| one.revents != 0) {
            return Ok((both[0].revents != 0, both[1].revents != 0));
        }
    }
}

/// Whether a write of up to 4096 octets to `fd` would be taken without waiting.
pub fn writable_now(fd: RawFd) -> bool {
    let mut one = [polled(fd, libc::POLLOUT)];
    poll_once(&mut one, 0).is_ok() && one[0].revents & libc::POLLOUT != 0
}

/// Sets O_NONBLOCK.
pub fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    // SAFETY: fcntl on a descriptor that the caller holds open, with integer arguments.
    unsafe {
        let flags = check(libc::fcntl(fd, libc::F_GETFL))?;
        check(libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK)).map(drop)
    }
}

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

/// The user at the other end of a UNIX socket, as the kernel knows it.
pub fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    #[cfg(target_os = "linux")]
    // SAFETY: the pointers are to a ucred and to its length.
    unsafe {
        let mut cred: libc::ucred = std::mem::zeroed();
        let mut len = size_of::<libc::ucred>() as libc::socklen_t;
        check(libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut cred).cast(),
            &mut len,
        ))?;
        Ok(cred.uid)
    }
    #[cfg(not(target_os = "linux"))]
    // SAFETY: both pointers are valid for the call.
    unsafe {
        let (mut uid, mut gid) = (0, 0);
        check(libc::getpeereid(stream.as_raw_fd(), &mut uid, &mut gid))?;
        Ok(uid)
    }
}

/// Lets as many octets that are sent wait for who is at the other end of a socket.
pub fn set_send_buffer(socket: &impl AsRawFd, octets: libc::c_int) -> io::Result<()> {
    // SAFETY: the pointer is to an integer of the length that is given.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const octets).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
    .map(drop)
}

/// The user that this process acts as.
pub fn effective_uid() -> u32 {
    // SAFETY: geteuid cannot fail.
    unsafe { libc::geteuid() }
}

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

/// Sets the file mode creation mask and returns the one before.
pub fn umask(mask: libc::mode_t) -> libc::mode_t {
    // SAFETY: umask cannot fail.
    unsafe { libc::umask(mask) }
}

/// Flags to open a file with that somebody else may have put there: no symbolic link is followed,
/// and a FIFO does not wait for its other end.
pub const CAREFUL: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// CLOCK_MONOTONIC in microseconds, as service managers read it.
pub fn monotonic_us() -> u64 {
    // SAFETY: the pointer is valid for the call; CLOCK_MONOTONIC always exists.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time);
        time
    };
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// The rest of a [`daemonize`] in the background process: the word to its parent, which waits.
#[derive(Debug)]
pub struct Background {
    report: OwnedFd,
}

impl Background {
    /// Lets the waiting parent end with `code`. After success the standard streams are closed.
    pub fn report(self, code: u8) -> io::Result<()> {
        // SAFETY: one octet of a live buffer to a descriptor that we own.
        unsafe { libc::write(self.report.as_raw_fd(), [code].as_ptr().cast(), 1) };
        match code {
            0 => close_streams(),
            _ => Ok(()),
        }
    }
}

/// Puts nothing in the place of the standard streams.
pub fn close_streams() -> io::Result<()> {
    let mut null = OpenOptions::new();
    let null = null.read(true).write(true).open("/dev/null")?;
    for stream in 0..=2 {
        // SAFETY: dup2 over the standard streams, which nobody holds as an OwnedFd.
        check(unsafe { libc::dup2(null.as_raw_fd(), stream) })?;
    }
    Ok(())
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

/// Has a program run with ordinary priority, though vrrpd may have that of a real-time process.
#[cfg(target_os = "linux")]
pub fn with_ordinary_priority(command: &mut Command) {
    // SAFETY: the closure runs in the child between fork and exec and makes one system call, which
    // reads the parameter that is its own; zeros are a valid one.
    unsafe {
        command.pre_exec(|| {
            let parameter: libc::sched_param = std::mem::zeroed();
            // Where that is not allowed it runs as it is.
            libc::sched_setscheduler(0, libc::SCHED_OTHER, &parameter);
            Ok(())
        });
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
pub fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().filter(|&pid| pid > 1) {
        // SAFETY: kill(2) takes integers only.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

/// From now on the signals that vrrpd listens to are for another process to take.
fn ignore_signals() {
    for signal in HEARD.into_iter().filter(|&signal| signal != libc::SIGCHLD) {
        // SAFETY: takes plain numbers; nothing is called when such a signal comes.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Goes into the background: the caller returns in a process without terminal, session leader's
/// child, while the original waits for [`Background::report`] and ends with that code; or with 1
/// when the background process dies without a word.
///
/// Must come before the first thread is made: fork(2) would lose it.
pub fn daemonize() -> io::Result<Background> {
    let (read, write) = io::pipe()?;
    // SAFETY: the process has one thread, so the child of fork may do anything.
    if check(unsafe { libc::fork() })? > 0 {
        drop(write);
        let mut code = [1u8];
        // SAFETY: one octet into a live buffer; _exit runs nothing of ours twice.
        unsafe {
            while libc::read(read.as_raw_fd(), code.as_mut_ptr().cast(), 1) < 0
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
            libc::_exit(i32::from(code[0]));
        }
    }
    drop(read);
    // SAFETY: setsid takes nothing; the second fork, as above, has one thread to copy.
    unsafe {
        check(libc::setsid())?;
        if check(libc::fork())? > 0 {
            libc::_exit(0);
        }
    }
    std::env::set_current_dir("/")?;
    Ok(Background {
        report: OwnedFd::from(write),
    })
}

/// Gives memory that is free back to the system, where the allocator keeps it otherwise.
pub fn release_memory() {
    // SAFETY: malloc_trim takes an integer and locks the allocator itself.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Keeps the memory of this process out of core dumps and debuggers, until it executes another program.
pub fn hide_memory() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let none: libc::c_ulong = 0;
        // SAFETY: PR_SET_DUMPABLE takes plain numbers.
        check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, none, none, none, none) }).map(drop)
    }
    #[cfg(target_os = "freebsd")]
    {
        let mut mode = libc::PROC_TRACE_CTL_DISABLE;
        let own = libc::id_t::from(std::process::id());
        // SAFETY: PROC_TRACE_CTL reads one integer, which outlives the call.
        check(unsafe {
            libc::procctl(
                libc::P_PID,
                own,
                libc::PROC_TRACE_CTL,
                (&raw mut mode).cast(),
            )
        })
        .map(drop)
    }
}

/// Sends without waiting and without SIGPIPE; how many octets were taken.
pub fn send_now(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the pointer and the length are those of one slice.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            flags,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Gives up everything but the descriptors that are open, where the system can do that.
pub fn enter_sandbox() -> io::Result<()> {
    // SAFETY: takes nothing.
    #[cfg(target_os = "freebsd")]
    match check(unsafe { libc::cap_enter() }) {
        // A kernel without it.
        Err(error) if error.raw_os_error() != Some(libc::ENOSYS) => return Err(error),
        _ => {}
    }
    Ok(())
}

/// A terminal whose keys are read one by one and not shown, until it is dropped.
pub struct RawTerminal {
    input: RawFd,
    before: libc::termios,
}

impl RawTerminal {
    /// Reads every key of `input`, Ctrl-C too. `None`: `input` or `output` is no terminal.
    pub fn enter(input: &impl AsRawFd, output: &impl AsRawFd) -> io::Result<Option<Self>> {
        let (input, output) = (input.as_raw_fd(), output.as_raw_fd());
        // SAFETY: zeros are a valid value, which the call overwrites; the rest take plain numbers.
        unsafe {
            if libc::isatty(input) != 1 || libc::isatty(output) != 1 {
                return Ok(None);
            }
            let mut before: libc::termios = std::mem::zeroed();
            check(libc::tcgetattr(input, &mut before))?;
            let mut raw = before;
            raw.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG);
            check(libc::tcsetattr(input, libc::TCSANOW, &raw))?;
            Ok(Some(Self { input, before }))
        }
    }
}

impl std::fmt::Debug for RawTerminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawTerminal").finish_non_exhaustive()
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // SAFETY: the settings are those that the terminal had.
        unsafe { libc::tcsetattr(self.input, libc::TCSANOW, &self.before) };
    }
}

/// The rows and columns of a terminal.
pub fn terminal_size(terminal: &impl AsRawFd) -> Option<(usize, usize)> {
    let fd = terminal.as_raw_fd();
    // SAFETY: the kernel fills the struct, which outlives the call; zeros are a valid value.
    let (result, size) = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(fd, libc::TIOCGWINSZ, &mut size), size)
    };
    let known = result == 0 && size.ws_row > 0 && size.ws_col > 0;
    known.then(|| (size.ws_row.into(), size.ws_col.into()))
}

/// Whether the kernel knows that its clock is synchronised. `None`: it cannot be asked.
#[cfg(target_os = "linux")]
pub fn clock_is_synchronised() -> Option<bool> {
    // SAFETY: zeros are a valid request: nothing is changed; the struct outlives the call.
    let state = unsafe {
        let mut request: libc::timex = std::mem::zeroed();
        libc::adjtimex(&mut request)
    };
    (state >= 0).then_some(state != libc::TIME_ERROR)
}

/// Whether the kernel knows that its clock is synchronised. `None`: it cannot be asked.
#[cfg(target_os = "freebsd")]
pub fn clock_is_synchronised() -> Option<bool> {
    None
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

#[cfg(all(test, target_os = "freebsd"))]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn hidden_memory_is_in_no_core_dump() {
        let is_dumped = || {
            let none: libc::c_ulong = 0;
            // SAFETY: PR_GET_DUMPABLE takes nothing.
            unsafe { libc::prctl(libc::PR_GET_DUMPABLE, none, none, none, none) }
        };
        hide_memory().expect("hidden");
        assert_eq!(is_dumped(), 0);
    }

    #[test]
    fn what_is_sent_waits_as_far_as_there_is_room() {
        let (sender, receiver) = UnixDatagram::pair().expect("a pair");
        set_nonblocking(&sender).expect("no waiting");
        let fill = || {
            let line = [b'x'; 100];
            (0..).find(|_| sender.send(&line).is_err()).unwrap_or(0)
        };
        let by_default = fill();
        set_send_buffer(&sender, 1024 * 1024).expect("more room");
        let more = fill();
        assert!(by_default + more > 2_000, "{by_default} and {more} lines");
        drop(receiver);
    }
}
