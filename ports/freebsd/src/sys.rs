//! The system calls: thin wrappers that are safe to call. All that is `unsafe` in this crate.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};
use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::abi::*;
use crate::bpf::Instruction;
use crate::request::{Request, sockaddr};

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

/// A socket, close-on-exec and non-blocking.
pub(crate) fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes plain numbers.
    own(unsafe { libc::socket(domain, kind, protocol) })
}

/// Opens a bpf device, close-on-exec and non-blocking.
pub(crate) fn open_bpf() -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: the path ends with a zero and outlives the call.
    own(unsafe { libc::open(c"/dev/bpf".as_ptr(), flags) })
}

/// Performs a request; the answer replaces its argument.
pub(crate) fn ioctl(fd: &OwnedFd, request: &mut Request) -> io::Result<()> {
    if request.argument.len() != argument_len(request.number) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the kernel reads and writes as many octets as the request's number says, which are
    // there. None of the requests made by `request` holds a pointer.
    check(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            request.number as libc::c_ulong,
            request.argument.as_mut_ptr(),
        )
    })?;
    Ok(())
}

/// Performs a request whose argument is one number.
pub(crate) fn ioctl_number(fd: &OwnedFd, number: u64, value: u32) -> io::Result<u32> {
    let argument = value.to_ne_bytes().to_vec();
    let mut request = Request { number, argument };
    ioctl(fd, &mut request)?;
    Ok(crate::request::read_u32(&request.argument, 0))
}

/// Loads a filter program into a bpf device without dropping what it has, replacing the one before.
pub(crate) fn set_filter(fd: &OwnedFd, program: &[Instruction]) -> io::Result<()> {
    load_program(fd, BIOCSETFNR, program)
}

/// Loads the filter of what can be written to a bpf device.
pub(crate) fn set_write_filter(fd: &OwnedFd, program: &[Instruction]) -> io::Result<()> {
    load_program(fd, BIOCSETWF, program)
}

fn load_program(fd: &OwnedFd, number: u64, program: &[Instruction]) -> io::Result<()> {
    let mut argument = [0; BPF_PROGRAM_LEN];
    argument[..4].copy_from_slice(&(program.len() as u32).to_ne_bytes());
    let pointer = program.as_ptr() as usize;
    argument[BPF_PROGRAM_INSNS..].copy_from_slice(&pointer.to_ne_bytes());
    // SAFETY: the argument is a struct bpf_program, whose pointer and length are those of one
    // slice of instructions laid out as the kernel's, which the call copies.
    check(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            number as libc::c_ulong,
            argument.as_mut_ptr(),
        )
    })?;
    Ok(())
}

fn with_buffer(fd: &OwnedFd, number: u64, name: &str, buffer: &mut [u8]) -> io::Result<()> {
    let mut request = Request::about(number, name)?;
    let (len, pointer) = (buffer.len(), buffer.as_mut_ptr() as usize);
    crate::request::put(&mut request.argument, IFREQ_UNION, &len.to_ne_bytes());
    crate::request::put(&mut request.argument, IFREQ_POINTER, &pointer.to_ne_bytes());
    // SAFETY: the argument is a struct ifreq with a buffer, whose length and pointer are those of
    // one slice that the call may read and write.
    check(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            number as libc::c_ulong,
            request.argument.as_mut_ptr(),
        )
    })?;
    Ok(())
}

/// Sets the description of an interface.
pub(crate) fn describe(fd: &OwnedFd, name: &str, text: &str) -> io::Result<()> {
    let mut octets = CString::new(text)?.into_bytes_with_nul();
    with_buffer(fd, SIOCSIFDESCR, name, &mut octets)
}

/// The description of an interface; empty when it has none.
pub(crate) fn description(fd: &OwnedFd, name: &str) -> io::Result<String> {
    let mut buffer = [0; 256];
    match with_buffer(fd, SIOCGIFDESCR, name, &mut buffer) {
        Ok(()) => Ok(crate::netgraph::string(&buffer)),
        Err(error) if error.raw_os_error() == Some(libc::ENOMSG) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// The groups that an interface is in: one that was made by cloning is in that of its kind, under
/// any name.
pub(crate) fn groups(fd: &OwnedFd, name: &str) -> io::Result<Vec<String>> {
    // More than an interface is in; where there are yet more the call fails.
    let mut buffer = [0u8; 64 * IFG_REQ_LEN];
    let mut request = Request::about(SIOCGIFGROUP, name)?;
    let (len, pointer) = (buffer.len() as u32, buffer.as_mut_ptr() as usize);
    crate::request::put(&mut request.argument, IFGROUPREQ_SIZE, &len.to_ne_bytes());
    crate::request::put(
        &mut request.argument,
        IFGROUPREQ_POINTER,
        &pointer.to_ne_bytes(),
    );
    // SAFETY: the argument is a struct ifgroupreq, whose length and pointer are those of one slice
    // that the call may write.
    check(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            SIOCGIFGROUP as libc::c_ulong,
            request.argument.as_mut_ptr(),
        )
    })?;
    let names = buffer.chunks(IFG_REQ_LEN).map(crate::netgraph::string);
    Ok(names.take_while(|name| !name.is_empty()).collect())
}

/// Gives an interface another name.
pub(crate) fn rename(fd: &OwnedFd, name: &str, new: &str) -> io::Result<()> {
    let mut octets = CString::new(new)?.into_bytes_with_nul();
    if octets.len() > IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // The kernel copies as many octets as a name can have, if no zero comes before.
    octets.resize(IFNAMSIZ, 0);
    let mut request = Request::about(SIOCSIFNAME, name)?;
    let pointer = octets.as_ptr() as usize;
    crate::request::put(&mut request.argument, IFREQ_UNION, &pointer.to_ne_bytes());
    // SAFETY: the argument is a struct ifreq that points to IFNAMSIZ octets that end with a zero
    // and outlive the call.
    check(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            SIOCSIFNAME as libc::c_ulong,
            request.argument.as_mut_ptr(),
        )
    })?;
    Ok(())
}

/// Reads what there is. Zero: the end, or nothing is there.
pub(crate) fn read(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of one slice, which the call may write.
    check_len(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) })
}

/// Writes once.
pub(crate) fn write(fd: &OwnedFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of one slice, which the call only reads.
    check_len(unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len()) })
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

/// Leaves a descriptor that takes in what a network sends nothing but reading, writing, waiting
/// and these requests. A kernel without capabilities leaves it as it is.
pub(crate) fn confine(fd: &OwnedFd, requests: &[u64]) -> io::Result<()> {
    let version = libc::CAP_RIGHTS_VERSION;
    let end = 0u64;
    // SAFETY: zeros are valid rights, which the call makes none of; the list of rights to set ends
    // with a zero.
    let rights = unsafe {
        let mut rights: libc::cap_rights_t = zeroed();
        libc::__cap_rights_init(version, &mut rights, end);
        libc::__cap_rights_set(
            &mut rights,
            libc::CAP_READ,
            libc::CAP_WRITE,
            libc::CAP_EVENT,
            // Without any request allowed this one is of no use, and of no harm.
            libc::CAP_IOCTL,
            end,
        );
        rights
    };
    let requests: Vec<libc::c_ulong> = requests.iter().map(|r| *r as libc::c_ulong).collect();
    // SAFETY: both calls read one value or one slice, and outlive neither.
    let limited = unsafe {
        check(libc::cap_rights_limit(fd.as_raw_fd(), &rights)).and_then(|_| {
            check(libc::cap_ioctls_limit(
                fd.as_raw_fd(),
                requests.as_ptr(),
                requests.len(),
            ))
        })
    };
    match limited {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        other => other.map(drop),
    }
}

/// Sends octets and perhaps a descriptor with the first of them, without waiting.
pub(crate) fn send_with(
    fd: &UnixStream,
    octets: &[u8],
    passed: Option<&OwnedFd>,
) -> io::Result<usize> {
    let mut part = libc::iovec {
        iov_base: octets.as_ptr().cast_mut().cast(),
        iov_len: octets.len(),
    };
    // u64 so that the header in it is aligned.
    let mut control = [0u64; CONTROL];
    // SAFETY: zeros are a valid message; its parts outlive the call, which only reads them; the
    // control buffer has room for a header and one descriptor, and is aligned for it.
    let sent = unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        if let Some(passed) = passed {
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32);
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32);
            libc::CMSG_DATA(header)
                .cast::<RawFd>()
                .write_unaligned(passed.as_raw_fd());
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        libc::sendmsg(fd.as_raw_fd(), &message, flags)
    };
    check_len(sent)
}

/// Words of a control buffer with room for one descriptor.
const CONTROL: usize = 8;

/// Reads octets and perhaps a descriptor that came with them, without waiting. No octets: the end.
pub(crate) fn receive_with(
    fd: &UnixStream,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut control = [0u64; CONTROL];
    // SAFETY: zeros are a valid message; its parts outlive the call, which writes as much as their
    // lengths say. The header is read only where the kernel says that it wrote one, and the
    // descriptor in it is new, and ours.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32);
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        let len = check_len(libc::recvmsg(fd.as_raw_fd(), &mut message, flags))?;
        let header = libc::CMSG_FIRSTHDR(&message);
        let mut passed = None;
        if let Some(head) = header.as_ref()
            && (head.cmsg_level, head.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS)
            && head.cmsg_len >= libc::CMSG_LEN(size_of::<RawFd>() as u32)
        {
            let number = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
            passed = Some(OwnedFd::from_raw_fd(number));
        }
        Ok((len, passed))
    }
}

/// Joins or leaves a multicast group on an interface.
pub(crate) fn member(fd: &OwnedFd, group: IpAddr, index: u32, on: bool) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => {
            // struct ip_mreqn: group, local address (none), interface.
            let mut request = [0; 12];
            request[..4].copy_from_slice(&group.octets());
            request[8..].copy_from_slice(&index.to_ne_bytes());
            let (join, leave) = (libc::IP_ADD_MEMBERSHIP, libc::IP_DROP_MEMBERSHIP);
            let name = if on { join } else { leave };
            set_option(fd, libc::IPPROTO_IP, name, &request)
        }
        IpAddr::V6(group) => {
            // struct ipv6_mreq: group, interface.
            let mut request = [0; 20];
            request[..16].copy_from_slice(&group.octets());
            request[16..].copy_from_slice(&index.to_ne_bytes());
            let (join, leave) = (libc::IPV6_JOIN_GROUP, libc::IPV6_LEAVE_GROUP);
            let name = if on { join } else { leave };
            set_option(fd, libc::IPPROTO_IPV6, name, &request)
        }
    }
}

/// A raw socket that sends whole IPv4 packets and receives nothing.
pub(crate) fn raw_ipv4() -> io::Result<OwnedFd> {
    let fd = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)?;
    set_option_int(&fd, libc::IPPROTO_IP, libc::IP_HDRINCL, 1)?;
    Ok(fd)
}

/// A raw socket that sends the payload of VRRP packets over IPv6 with a hop limit of 255, and
/// whose receiving side is closed.
pub(crate) fn raw_ipv6() -> io::Result<OwnedFd> {
    let fd = socket(libc::AF_INET6, libc::SOCK_RAW, 112)?;
    set_option_int(&fd, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, 255)?;
    // SAFETY: takes plain numbers. Where it fails packets are queued and never read.
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RD) };
    Ok(fd)
}

/// Gives a socket its source address.
pub(crate) fn bind(fd: &OwnedFd, address: Ipv6Addr, scope: u32) -> io::Result<()> {
    let octets = sockaddr(address.into(), scope);
    // SAFETY: pointer and length are those of one slice that holds a socket address.
    check(unsafe {
        libc::bind(
            fd.as_raw_fd(),
            octets.as_ptr().cast(),
            octets.len() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Sends to an IP address without blocking.
pub(crate) fn send_to(fd: &OwnedFd, data: &[u8], to: IpAddr, scope: u32) -> io::Result<usize> {
    send_to_octets(fd, data, &sockaddr(to, scope))
}

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

fn send_to_octets(fd: &OwnedFd, data: &[u8], to: &[u8]) -> io::Result<usize> {
    // SAFETY: both pointers and lengths are those of one slice each, which the call only reads;
    // the second holds a socket address.
    check_len(unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            to.as_ptr().cast(),
            to.len() as libc::socklen_t,
        )
    })
}

/// The list of interfaces and addresses of this network stack.
pub(crate) fn interface_list() -> io::Result<Vec<u8>> {
    let name = [CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLISTL, 0];
    sysctl(&name)
}

/// The number of the jail that this process is in; 0: none.
pub(crate) fn jail() -> io::Result<i32> {
    let pid = std::process::id() as i32;
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, pid];
    let octets = sysctl(&name)?;
    let at = std::mem::offset_of!(libc::kinfo_proc, ki_jid);
    Ok(crate::request::read_u32(&octets, at) as i32)
}

fn sysctl(name: &[libc::c_int]) -> io::Result<Vec<u8>> {
    // It may grow between the two calls.
    for _ in 0..8 {
        let mut len = 0;
        sysctl_once(name, std::ptr::null_mut(), &mut len)?;
        len += len / 4 + 1024;
        let mut buffer = vec![0u8; len];
        match sysctl_once(name, buffer.as_mut_ptr().cast(), &mut len) {
            Ok(()) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

fn sysctl_once(name: &[libc::c_int], to: *mut c_void, len: &mut usize) -> io::Result<()> {
    // SAFETY: the name is one slice; `to` is null or has room for `len` octets, as both callers
    // above see to.
    check(unsafe {
        libc::sysctl(
            name.as_ptr(),
            name.len() as libc::c_uint,
            to,
            len,
            std::ptr::null(),
            0,
        )
    })?;
    Ok(())
}

/// A number that sysctl(8) knows by name. `None`: there is none.
pub(crate) fn sysctl_number(name: &CStr) -> Option<i32> {
    let mut value = 0i32;
    let mut len = size_of::<i32>();
    // SAFETY: the name ends with a zero; the value has as many octets as the length says.
    let result = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            (&raw mut value).cast(),
            &mut len,
            std::ptr::null(),
            0,
        )
    };
    (result == 0 && len == size_of::<i32>()).then_some(value)
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

/// Locks a whole file for this open description, without waiting. `false`: another has it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    // SAFETY: takes plain numbers.
    match check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a [`Queue`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// The timer has expired.
    Timer,
    /// The descriptor that was added with this token has something to read.
    Read(u64),
}

/// A kqueue: descriptors and a timer that are together one descriptor to wait on.
#[derive(Debug)]
pub(crate) struct Queue(OwnedFd);

const TIMER_IDENT: usize = 1;
const MOST_READY: usize = 64;

impl Queue {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes nothing.
        let fd = own(unsafe { libc::kqueue() })?;
        // SAFETY: takes plain numbers. A kqueue is not inherited by fork(2), but its number is.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        Ok(Self(fd))
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Adds a descriptor, to be reported as `token` when readable. It leaves when it is closed.
    pub(crate) fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        let mut event = event(fd.as_raw_fd() as usize, libc::EVFILT_READ, libc::EV_ADD);
        event.udata = token as usize as *mut c_void;
        self.change(&event)
    }

    /// Expires `after_us` from now, once; `None`: never. Replaces what was set.
    pub(crate) fn arm(&self, after_us: Option<u64>) -> io::Result<()> {
        let Some(after_us) = after_us else {
            let event = event(TIMER_IDENT, libc::EVFILT_TIMER, libc::EV_DELETE);
            return match self.change(&event) {
                // It had expired, or was never set.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
                other => other,
            };
        };
        let flags = libc::EV_ADD | libc::EV_ONESHOT;
        let mut event = event(TIMER_IDENT, libc::EVFILT_TIMER, flags);
        event.fflags = libc::NOTE_USECONDS;
        event.data = i64::try_from(after_us).unwrap_or(i64::MAX / 1_000_000);
        self.change(&event)
    }

    fn change(&self, event: &libc::kevent) -> io::Result<()> {
        // SAFETY: one event to read, none to write.
        check(unsafe {
            libc::kevent(
                self.raw(),
                event,
                1,
                std::ptr::null_mut(),
                0,
                std::ptr::null(),
            )
        })?;
        Ok(())
    }

    /// What is ready now, at most 64, into `ready`.
    pub(crate) fn ready(&self, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        // SAFETY: zeros are valid kevents and a valid timespec.
        let (mut events, now): ([libc::kevent; MOST_READY], libc::timespec) =
            unsafe { (zeroed(), zeroed()) };
        // SAFETY: the array has room for as many events as the call may write.
        let count = check(unsafe {
            libc::kevent(
                self.raw(),
                std::ptr::null(),
                0,
                events.as_mut_ptr(),
                MOST_READY as libc::c_int,
                &now,
            )
        })?;
        let found = events.iter().take(count as usize);
        ready.extend(found.map(|event| match event.filter {
            libc::EVFILT_TIMER => Ready::Timer,
            _ => Ready::Read(event.udata as usize as u64),
        }));
        Ok(())
    }
}

fn event(ident: usize, filter: i16, flags: u16) -> libc::kevent {
    // SAFETY: zeros are a valid kevent.
    let mut event: libc::kevent = unsafe { zeroed() };
    event.ident = ident;
    event.filter = filter;
    event.flags = flags;
    event
}

/// The number of the interface called `name`.
pub(crate) fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: `name` ends with a zero and outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Waits until `fd` is readable, `timeout_ms` at most. `false`: it was not.
pub(crate) fn wait_readable(fd: RawFd, timeout_ms: i32) -> io::Result<bool> {
    wait(fd, libc::POLLIN, timeout_ms)
}

/// Waits until `fd` takes octets, `timeout_ms` at most. `false`: it does not.
pub(crate) fn wait_writable(fd: RawFd, timeout_ms: i32) -> io::Result<bool> {
    wait(fd, libc::POLLOUT, timeout_ms)
}

fn wait(fd: RawFd, events: libc::c_short, timeout_ms: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one pollfd, as the count says.
    Ok(check(unsafe { libc::poll(&mut poll, 1, timeout_ms) })? > 0)
}

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
