//! The system calls: thin wrappers that are safe to call. All that is `unsafe` in this crate.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use vrrp_port_kit::KernelIf;

use crate::bpf::Instruction;

/// Frames that one call of [`ReceiveBatch::receive`] takes at most.
pub(crate) const RECEIVE_FRAMES: usize = 64;
/// Room for one received frame. What is longer is no VRRP that Ethernet carries.
const RECEIVE_ROOM: usize = 2048;
/// Frames that the send queue holds before it flushes itself.
const SEND_FRAMES: usize = 512;
/// Octets that the send queue holds before it flushes itself.
const SEND_ROOM: usize = 64 * 1024;
/// Messages given to the kernel in one call.
const CHUNK: usize = 64;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn own(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = check(fd)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Microseconds of CLOCK_MONOTONIC.
pub(crate) fn monotonic_us() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a timespec that the call fills. This clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}

/// Does `work` with all signals of the calling thread held back. A thread that it makes takes none.
pub(crate) fn without_signals<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the call fills the set, whatever it held.
    let mut all = unsafe { zeroed() };
    // SAFETY: as above.
    let mut before: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: both sets are valid; the mask is the calling thread's own and is put back below.
    unsafe {
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
    }
    let result = work();
    // SAFETY: `before` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    result
}

/// A socket, close-on-exec and non-blocking.
pub(crate) fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes plain numbers.
    own(unsafe {
        libc::socket(
            domain,
            kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            protocol,
        )
    })
}

/// Sets a socket option to the octets of its value.
pub(crate) fn set_option(fd: &OwnedFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are those of one slice, which the call only reads.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Sets a socket option that is a number.
pub(crate) fn set_option_int(fd: &OwnedFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_option(fd, level, name, &value.to_ne_bytes())
}

/// Attaches a classic BPF program, replacing the one before.
pub(crate) fn attach_filter(fd: &OwnedFd, program: &[Instruction]) -> io::Result<()> {
    let mut code: Vec<libc::sock_filter> = program
        .iter()
        .map(|i| libc::sock_filter {
            code: i.code,
            jt: i.jt,
            jf: i.jf,
            k: i.k,
        })
        .collect();
    let program = libc::sock_fprog {
        len: code.len() as u16,
        filter: code.as_mut_ptr(),
    };
    // SAFETY: `program` and the instructions that it points to outlive the call, which copies them.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

fn link_address(index: KernelIf, protocol: u16) -> libc::sockaddr_ll {
    // SAFETY: a sockaddr_ll of zeros is a valid one.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index.number() as i32;
    address
}

/// Binds an AF_PACKET socket to one interface and one Ethernet type.
pub(crate) fn bind_packet(fd: &OwnedFd, index: KernelIf, protocol: u16) -> io::Result<()> {
    let address = link_address(index, protocol);
    // SAFETY: `address` is a sockaddr_ll and its size is given.
    check(unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Binds a netlink socket to multicast groups (the old bit mask; 0: none).
pub(crate) fn bind_netlink(fd: &OwnedFd, groups: u32) -> io::Result<()> {
    // SAFETY: a sockaddr_nl of zeros is a valid one.
    let mut address: libc::sockaddr_nl = unsafe { zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = groups;
    // SAFETY: `address` is a sockaddr_nl and its size is given.
    check(unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_nl>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Sends without blocking.
pub(crate) fn send(fd: &OwnedFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of one slice, which the call only reads.
    check_len(unsafe {
        libc::send(
            fd.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    })
}

/// Sends an IP packet, header included, to `to` through a raw socket, without blocking.
pub(crate) fn send_ip(
    fd: &OwnedFd,
    packet: &[u8],
    to: IpAddr,
    scope: KernelIf,
) -> io::Result<usize> {
    // SAFETY: a sockaddr_storage of zeros is a valid one.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    let len = match to {
        IpAddr::V4(ip) => {
            let address = (&raw mut storage).cast::<libc::sockaddr_in>();
            // SAFETY: a sockaddr_storage has room and alignment for every socket address.
            unsafe {
                (*address).sin_family = libc::AF_INET as u16;
                (*address).sin_addr.s_addr = u32::from_ne_bytes(ip.octets());
            }
            size_of::<libc::sockaddr_in>()
        }
        IpAddr::V6(ip) => {
            let address = (&raw mut storage).cast::<libc::sockaddr_in6>();
            // SAFETY: as above.
            unsafe {
                (*address).sin6_family = libc::AF_INET6 as u16;
                (*address).sin6_addr.s6_addr = ip.octets();
                if ip.is_unicast_link_local() {
                    (*address).sin6_scope_id = scope.number();
                }
            }
            size_of::<libc::sockaddr_in6>()
        }
    };
    // SAFETY: the packet is one slice; `storage` holds an address of `len` octets.
    check_len(unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            packet.as_ptr().cast(),
            packet.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            (&raw const storage).cast(),
            len as libc::socklen_t,
        )
    })
}

/// Receives one datagram without blocking. More than `buffer` holds is an error (EMSGSIZE).
pub(crate) fn receive(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of one slice, which the call may write. MSG_TRUNC asks
    // for the true length; it does not make the call write more.
    let len = check_len(unsafe {
        libc::recv(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT | libc::MSG_TRUNC,
        )
    })?;
    if len > buffer.len() {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok(len)
}

/// A pool of buffers that AF_PACKET sockets receive into, many frames a call.
#[derive(Debug)]
pub(crate) struct ReceiveBatch {
    room: Vec<u8>,
    got: Vec<Got>,
}

#[derive(Clone, Copy, Debug)]
struct Got {
    len: usize,
    device: Option<KernelIf>,
    truncated: bool,
}

impl ReceiveBatch {
    pub(crate) fn new() -> Self {
        Self {
            room: vec![0; RECEIVE_FRAMES * RECEIVE_ROOM],
            got: Vec::with_capacity(RECEIVE_FRAMES),
        }
    }

    /// Takes what has arrived, at most [`RECEIVE_FRAMES`], in place of what was taken before.
    pub(crate) fn receive(&mut self, fd: &OwnedFd) -> io::Result<()> {
        self.got.clear();
        // SAFETY: zeros are valid values of these three structures.
        let mut names: [libc::sockaddr_ll; RECEIVE_FRAMES] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut parts: [libc::iovec; RECEIVE_FRAMES] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut heads: [libc::mmsghdr; RECEIVE_FRAMES] = unsafe { zeroed() };
        let rooms = self.room.chunks_exact_mut(RECEIVE_ROOM);
        for (((head, part), name), room) in
            heads.iter_mut().zip(&mut parts).zip(&mut names).zip(rooms)
        {
            part.iov_base = room.as_mut_ptr().cast();
            part.iov_len = room.len();
            head.msg_hdr.msg_iov = part;
            head.msg_hdr.msg_iovlen = 1;
            head.msg_hdr.msg_name = (&raw mut *name).cast();
            head.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        }
        // SAFETY: every header points to one iovec over its own part of `room` and to one name;
        // all of them outlive the call.
        let count = check(unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                heads.as_mut_ptr(),
                RECEIVE_FRAMES as u32,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        })?;
        let count = count as usize;
        self.got.extend(
            heads
                .iter()
                .zip(&names)
                .take(count)
                .map(|(head, name)| Got {
                    len: (head.msg_len as usize).min(RECEIVE_ROOM),
                    device: KernelIf::new(name.sll_ifindex as u32),
                    truncated: head.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                }),
        );
        Ok(())
    }

    /// The frames that were taken, each with the device that took it in. `None` stands for a frame that was
    /// too long.
    pub(crate) fn frames(&self) -> impl Iterator<Item = Option<(KernelIf, &[u8])>> {
        let rooms = self.room.chunks_exact(RECEIVE_ROOM);
        self.got.iter().zip(rooms).map(|(got, room)| {
            let device = got.device.filter(|_| !got.truncated)?;
            Some((device, room.get(..got.len).unwrap_or_default()))
        })
    }
}

/// Frames that wait to be sent in one call.
#[derive(Debug)]
pub(crate) struct SendBatch {
    octets: Vec<u8>,
    frames: Vec<Queued>,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    index: KernelIf,
    protocol: u16,
    start: usize,
    len: usize,
}

impl SendBatch {
    pub(crate) fn new() -> Self {
        Self {
            octets: Vec::with_capacity(SEND_ROOM),
            frames: Vec::with_capacity(SEND_FRAMES),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether a frame of `len` octets must wait for a flush.
    pub(crate) fn is_full(&self, len: usize) -> bool {
        self.frames.len() >= SEND_FRAMES || self.octets.len() + len > SEND_ROOM
    }

    /// Queues a frame for the interface with the kernel's `index`.
    pub(crate) fn push(&mut self, index: KernelIf, frame: &[u8]) {
        let protocol = match frame.get(12..14) {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            _ => 0,
        };
        self.frames.push(Queued {
            index,
            protocol,
            start: self.octets.len(),
            len: frame.len(),
        });
        self.octets.extend_from_slice(frame);
    }

    /// Sends everything. A frame that the kernel does not take is dropped. Returns how many were
    /// sent and how many dropped.
    pub(crate) fn flush(&mut self, fd: &OwnedFd) -> (u64, u64) {
        let (mut sent, mut dropped, mut from) = (0, 0, 0);
        while from < self.frames.len() {
            match self.send_chunk(fd, from) {
                Ok(n) if n > 0 => {
                    sent += n as u64;
                    from += n;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The first of the chunk was refused (interface down, queue full): the protocol
                // repeats itself, and those behind it may go to other interfaces.
                _ => {
                    dropped += 1;
                    from += 1;
                }
            }
        }
        self.frames.clear();
        self.octets.clear();
        (sent, dropped)
    }

    fn send_chunk(&self, fd: &OwnedFd, from: usize) -> io::Result<usize> {
        // SAFETY: zeros are valid values of these three structures.
        let mut names: [libc::sockaddr_ll; CHUNK] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut parts: [libc::iovec; CHUNK] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut heads: [libc::mmsghdr; CHUNK] = unsafe { zeroed() };
        let mut count = 0;
        let frames = self.frames.iter().skip(from);
        for (((head, part), name), queued) in
            heads.iter_mut().zip(&mut parts).zip(&mut names).zip(frames)
        {
            let frame = self.octets.get(queued.start..queued.start + queued.len);
            let frame = frame.unwrap_or_default();
            *name = link_address(queued.index, queued.protocol);
            part.iov_base = frame.as_ptr().cast_mut().cast();
            part.iov_len = frame.len();
            head.msg_hdr.msg_iov = part;
            head.msg_hdr.msg_iovlen = 1;
            head.msg_hdr.msg_name = (&raw mut *name).cast();
            head.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            count += 1;
        }
        // SAFETY: the first `count` headers each point to one iovec over octets that the call only
        // reads, and to one name; all of them outlive the call.
        let sent = check(unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                heads.as_mut_ptr(),
                count,
                (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
            )
        })?;
        Ok(sent as usize)
    }
}

/// A set of descriptors that is itself one descriptor to wait on.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes a plain number.
        Ok(Self(own(unsafe {
            libc::epoll_create1(libc::EPOLL_CLOEXEC)
        })?))
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Adds a descriptor, to be reported as `token` when readable. It leaves when it is closed.
    pub(crate) fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: token,
        };
        // SAFETY: `event` is an epoll_event that the call only reads.
        check(unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &mut event,
            )
        })?;
        Ok(())
    }

    /// Takes out a descriptor that somebody else may hold open.
    pub(crate) fn remove(&self, fd: &OwnedFd) {
        let (fd, none) = (fd.as_raw_fd(), std::ptr::null_mut());
        // SAFETY: takes plain numbers; the event is not looked at. One that is not there is as good.
        unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, none) };
    }

    /// Reports an added descriptor when it is readable, or does not.
    pub(crate) fn set_reported(&self, fd: &OwnedFd, token: u64, on: bool) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: if on { libc::EPOLLIN as u32 } else { 0 },
            u64: token,
        };
        // SAFETY: `event` is an epoll_event that the call only reads.
        check(unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                libc::EPOLL_CTL_MOD,
                fd.as_raw_fd(),
                &mut event,
            )
        })?;
        Ok(())
    }

    /// The tokens of what is readable now, at most 64, into `tokens`.
    pub(crate) fn ready(&self, tokens: &mut Vec<u64>) -> io::Result<()> {
        tokens.clear();
        // SAFETY: zeros are valid epoll_events.
        let mut events: [libc::epoll_event; 64] = unsafe { zeroed() };
        // SAFETY: the array has room for the 64 events that the call may write.
        let count =
            check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), 64, 0) })?;
        tokens.extend(events.iter().take(count as usize).map(|event| event.u64));
        Ok(())
    }
}

/// A timer of CLOCK_MONOTONIC that is a descriptor.
#[derive(Debug)]
pub(crate) struct Timer(OwnedFd);

impl Timer {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes plain numbers.
        Ok(Self(own(unsafe {
            libc::timerfd_create(
                libc::CLOCK_MONOTONIC,
                libc::TFD_CLOEXEC | libc::TFD_NONBLOCK,
            )
        })?))
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// Expires at `at_us` of the monotonic clock, at once if that has passed; `None`: never.
    pub(crate) fn arm(&self, at_us: Option<u64>) -> io::Result<()> {
        // SAFETY: an itimerspec of zeros is a valid one: disarmed.
        let mut spec: libc::itimerspec = unsafe { zeroed() };
        if let Some(at) = at_us {
            // Zero would disarm the timer instead of making it expire at once.
            let at = at.max(1);
            spec.it_value.tv_sec = (at / 1_000_000).try_into().unwrap_or(libc::time_t::MAX);
            spec.it_value.tv_nsec = ((at % 1_000_000) * 1_000) as _;
        }
        // SAFETY: `spec` is an itimerspec that the call only reads.
        check(unsafe {
            libc::timerfd_settime(
                self.0.as_raw_fd(),
                libc::TFD_TIMER_ABSTIME,
                &spec,
                std::ptr::null_mut(),
            )
        })?;
        Ok(())
    }

    /// Takes the expiry, so that the descriptor is not readable any more.
    pub(crate) fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: `count` has the 8 octets that a timer gives. Without an expiry the call fails,
        // which is as good.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), 8) };
    }
}

/// The number of the link called `name`.
pub(crate) fn interface_index(name: &str) -> io::Result<KernelIf> {
    let name = std::ffi::CString::new(name)?;
    // SAFETY: `name` ends with a zero and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    KernelIf::new(index).ok_or_else(io::Error::last_os_error)
}

/// The process behind the name of an abstract Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// There is none.
    Gone,
    /// A process of this user. The process number is 0 where it is in another PID namespace.
    Of { user: u32, pid: u32 },
    /// Somebody whose queue of connections is full.
    Busy,
}

/// Finds out who listens at an abstract Unix socket, without waiting.
pub(crate) fn abstract_listener(name: &[u8]) -> io::Result<Listener> {
    let fd = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    // SAFETY: a sockaddr_un of zeros is a valid one.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // The first octet stays 0: the name is no path.
    for (place, octet) in address.sun_path.iter_mut().skip(1).zip(name) {
        *place = *octet as libc::c_char;
    }
    let len = size_of::<libc::sa_family_t>() + 1 + name.len();
    let len = len.min(size_of::<libc::sockaddr_un>()) as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_un of at least `len` octets.
    let connected = unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), len) };
    match check(connected) {
        Ok(_) => {}
        Err(error) => {
            return match error.raw_os_error() {
                Some(libc::ECONNREFUSED) => Ok(Listener::Gone),
                Some(libc::EAGAIN) => Ok(Listener::Busy),
                _ => Err(error),
            };
        }
    }
    // SAFETY: a ucred of zeros is a valid one.
    let mut peer: libc::ucred = unsafe { zeroed() };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the pointers are to a ucred and to its length.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &mut len,
        )
    })?;
    Ok(Listener::Of {
        user: peer.uid,
        pid: peer.pid as u32,
    })
}

/// Whether a process is dead, is ending, or has been sent SIGKILL.
pub(crate) fn is_ending(pid: u32) -> bool {
    const PF_EXITING: u32 = 4;
    let of = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    let Ok(stat) = of("stat") else {
        return true;
    };
    // The name of the program, in parentheses, may hold anything.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let flags = fields.get(6).and_then(|flags| flags.parse::<u32>().ok());
    let killed = |line: &str| {
        let mask = ["SigPnd:", "ShdPnd:"]
            .iter()
            .find_map(|name| line.strip_prefix(name))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask >> (libc::SIGKILL - 1) & 1 != 0)
    };
    matches!(fields.first(), Some(&("Z" | "X" | "x")))
        || flags.is_some_and(|flags| flags & PF_EXITING != 0)
        || of("status").is_ok_and(|status| status.lines().any(killed))
}

/// The kernel's release, such as "6.1.0-18-amd64".
pub(crate) fn kernel_release() -> String {
    // SAFETY: a utsname of zeros is a valid one.
    let mut name: libc::utsname = unsafe { zeroed() };
    // SAFETY: `name` is a utsname that the call fills.
    unsafe { libc::uname(&mut name) };
    let octets: Vec<u8> = name.release.iter().map(|&c| c as u8).collect();
    let end = octets.iter().position(|&c| c == 0).unwrap_or(octets.len());
    String::from_utf8_lossy(octets.get(..end).unwrap_or_default()).into_owned()
}

/// Puts the calling thread into a new, empty network namespace.
pub(crate) fn unshare_network() -> io::Result<()> {
    // SAFETY: takes a plain number and changes the calling thread only.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
    Ok(())
}

/// Waits until `fd` is readable, `timeout_ms` at most. `false`: it was not.
pub(crate) fn wait_readable(fd: RawFd, timeout_ms: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd, as the count says.
    Ok(check(unsafe { libc::poll(&mut poll, 1, timeout_ms) })? > 0)
}
