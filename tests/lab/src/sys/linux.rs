//! Linux: namespaces, and packet sockets.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{check, clock_ns, set_option, socket};

/// Moves the calling thread to a network namespace of its own.
pub fn unshare_net() -> io::Result<()> {
    // SAFETY: changes only which network the calling thread sees.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// Moves the process to a user namespace. Works while the process has one thread only.
pub fn unshare_user() -> io::Result<()> {
    // SAFETY: changes only the credentials of the calling process.
    check(unsafe { libc::unshare(libc::CLONE_NEWUSER) }).map(drop)
}

/// The effective user and group of the process.
pub fn user_and_group() -> (u32, u32) {
    // SAFETY: these calls have no argument and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Moves the calling thread to the network namespace `ns`.
pub fn set_netns(ns: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: `ns` is open for the length of the call; only the calling thread moves.
    check(unsafe { libc::setns(ns.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// Makes `command` start in the network namespace `ns` (which must stay open until then), in a
/// process group of its own, and die with the thread that starts it.
pub fn start_in(command: &mut Command, ns: RawFd) {
    let before_exec = move || {
        // SAFETY: plain system calls on integers, allowed between fork and exec.
        unsafe {
            check(libc::setns(ns, libc::CLONE_NEWNET))?;
            check(libc::setpgid(0, 0))?;
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        }
        Ok(())
    };
    // SAFETY: `before_exec` allocates nothing and takes no lock.
    unsafe { command.pre_exec(before_exec) };
}

/// Makes this process the parent of what its children leave behind, for [`reap`]: in a container
/// process 1 may be nobody who does.
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: takes plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Takes the exit status of the child `pid`, so that nothing of it is left. `false`: it has not ended.
pub fn reap(pid: u32) -> bool {
    // SAFETY: no status is asked for.
    let ended = unsafe { libc::waitpid(pid as libc::pid_t, std::ptr::null_mut(), libc::WNOHANG) };
    // An error: it is no child of this process, and not its to reap.
    ended != 0
}

/// Locks `file` for this process, which waits for others. The lock ends with the file's descriptor.
pub fn lock(file: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }).map(drop)
}

/// The number of the interface `name` in the calling thread's namespace.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name)?;
    // SAFETY: `name` is a terminated string that outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// How many clock ticks /proc/PID/stat counts in a second.
pub fn ticks_per_second() -> u64 {
    // SAFETY: no memory is passed.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) as u64 }
}

/// A packet socket that sees every frame that comes in on any interface of its namespace.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

/// One frame's circumstances; its octets are in the caller's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// How many octets of the buffer it fills.
    pub len: usize,
    /// The interface that it came in on.
    pub ifindex: u32,
    /// When the kernel received it, monotonic microseconds.
    pub at_us: u64,
}

impl PacketSocket {
    /// Opens the socket in the calling thread's namespace. [`receive`](Self::receive) waits 20 ms.
    pub fn open() -> io::Result<Self> {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        let fd = socket(libc::AF_PACKET, libc::SOCK_RAW, protocol.into())?;
        let raw = fd.as_raw_fd();
        let on: libc::c_int = 1;
        let bytes: libc::c_int = 32 << 20;
        let timeout = libc::timeval {
            tv_sec: 0,
            tv_usec: 20_000,
        };
        set_option(raw, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on)?;
        set_option(raw, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &on)?;
        set_option(raw, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &timeout)?;
        // In a user namespace the limit cannot be exceeded; take what is given.
        if set_option(raw, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &bytes).is_err() {
            set_option(raw, libc::SOL_SOCKET, libc::SO_RCVBUF, &bytes)?;
        }
        Ok(Self(fd))
    }

    /// Sends one frame, whatever it says, on an interface of the socket's namespace.
    pub fn send(&self, ifindex: u32, frame: &[u8]) -> io::Result<()> {
        // SAFETY: plain data, for which zero is a value.
        let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_ifindex = ifindex as i32;
        // SAFETY: both pointers are to memory of the length stated beside them.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const to).cast(),
                mem::size_of_val(&to) as libc::socklen_t,
            )
        };
        match sent {
            0.. => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Takes one frame, cut to the length of `frame`. `None`: nothing came for 20 ms.
    pub fn receive(&self, frame: &mut [u8]) -> io::Result<Option<Arrival>> {
        let mut control = [0u64; 16];
        // SAFETY: both structures are plain data, for which zero is a value.
        let (mut from, mut message): (libc::sockaddr_ll, libc::msghdr) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        let mut iov = libc::iovec {
            iov_base: frame.as_mut_ptr().cast(),
            iov_len: frame.len(),
        };
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = mem::size_of_val(&from) as libc::socklen_t;
        message.msg_iov = &mut iov;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = mem::size_of_val(&control);
        // SAFETY: every pointer of `message` is to memory of the length stated beside it.
        let got = unsafe { libc::recvmsg(self.0.as_raw_fd(), &mut message, 0) };
        if got < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        }
        let mut at_ns = clock_ns(libc::CLOCK_MONOTONIC);
        // SAFETY: the kernel filled `control`; a control message of this type holds a timespec.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&message);
            if !header.is_null() && (*header).cmsg_type == libc::SCM_TIMESTAMPNS {
                let stamp = libc::CMSG_DATA(header)
                    .cast::<libc::timespec>()
                    .read_unaligned();
                let stamp_ns = stamp.tv_sec * 1_000_000_000 + stamp.tv_nsec;
                at_ns -= clock_ns(libc::CLOCK_REALTIME) - stamp_ns;
            }
        }
        Ok(Some(Arrival {
            len: got as usize,
            ifindex: from.sll_ifindex as u32,
            at_us: (at_ns / 1000) as u64,
        }))
    }
}

/// A packet socket that sends on one interface, many frames a call, and hears nothing.
#[derive(Debug)]
pub struct FrameSender {
    socket: OwnedFd,
    to: libc::sockaddr_ll,
}

/// The most frames of one call of [`FrameSender::send`].
pub const SEND_FRAMES: usize = 64;

impl FrameSender {
    /// Opens the socket in the calling thread's namespace.
    pub fn open(ifindex: u32) -> io::Result<Self> {
        // SAFETY: plain data, for which zero is a value.
        let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_ifindex = ifindex as i32;
        let socket = socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        Ok(Self { socket, to })
    }

    /// Sends the first [`SEND_FRAMES`] of `frames` and returns how many the kernel took.
    pub fn send<'a>(&self, frames: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
        // SAFETY: zeros are valid values of these structures.
        let (mut heads, mut parts): ([libc::mmsghdr; SEND_FRAMES], [libc::iovec; SEND_FRAMES]) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        let mut count = 0;
        for ((head, part), frame) in heads.iter_mut().zip(&mut parts).zip(frames) {
            part.iov_base = frame.as_ptr().cast_mut().cast();
            part.iov_len = frame.len();
            head.msg_hdr.msg_iov = part;
            head.msg_hdr.msg_iovlen = 1;
            head.msg_hdr.msg_name = (&raw const self.to).cast_mut().cast();
            head.msg_hdr.msg_namelen = mem::size_of_val(&self.to) as libc::socklen_t;
            count += 1;
        }
        // SAFETY: each of the `count` headers points to one part over a frame that outlives the
        // call, and to the address; the kernel writes to none of them.
        let sent = check(unsafe {
            libc::sendmmsg(self.socket.as_raw_fd(), heads.as_mut_ptr(), count, 0)
        })?;
        Ok(sent as usize)
    }
}

/// Makes a pseudo-terminal of so many rows and columns: the end that plays the person at it, whose reads
/// do not wait, and the terminal itself.
pub fn terminal(rows: u16, columns: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut person, mut terminal) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: both numbers and the size outlive the call; no name and no settings are asked for.
    check(unsafe { libc::openpty(&mut person, &mut terminal, none, none.cast(), &size) })?;
    // SAFETY: both were just opened and nobody else has them.
    let (person, terminal) =
        unsafe { (OwnedFd::from_raw_fd(person), OwnedFd::from_raw_fd(terminal)) };
    // SAFETY: plain numbers.
    check(unsafe { libc::fcntl(person.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
    for fd in [&person, &terminal] {
        // SAFETY: plain numbers.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok((person, terminal))
}

/// Whether a terminal gives its lines to programs when they are complete, and shows what is typed.
pub fn is_cooked(terminal: &OwnedFd) -> io::Result<bool> {
    // SAFETY: plain data, for which zero is a value.
    let mut settings: libc::termios = unsafe { mem::zeroed() };
    // SAFETY: `settings` outlives the call.
    check(unsafe { libc::tcgetattr(terminal.as_raw_fd(), &mut settings) })?;
    let cooked = libc::ICANON | libc::ECHO;
    Ok(settings.c_lflag & cooked == cooked)
}
