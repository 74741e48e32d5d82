//! FreeBSD: jails with network stacks of their own, and bpf(4).

use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::{check, enlarge, icmp};

/// A request of bpf(4) that the libc crate lacks.
const BIOCSTSTAMP: libc::c_ulong = 0x8004_4284;
const BPF_T_MICROTIME_MONOTONIC: libc::c_uint = 0x0200;
/// By its older name: with 0, only what comes in is seen.
const BIOCSDIRECTION: libc::c_ulong = libc::BIOCSSEESENT;

/// How many jails a jail of the lab that is in no other may hold.
const CHILDREN: i32 = 64;

/// Makes a jail with a network stack of its own and all files, inside the jail `parent` if there is
/// one. Returns its number and its only process, which ends with this one: nothing is left of the
/// jail however this process ends.
pub fn make_jail(name: &str, parent: Option<i32>) -> io::Result<(i32, Child)> {
    let name = CString::new(name)?;
    let (mut reader, writer) = io::pipe()?;
    let pipe = writer.as_raw_fd();
    let mut command = Command::new("sleep");
    let make = move || {
        if let Some(parent) = parent {
            // SAFETY: takes a plain number.
            check(unsafe { libc::jail_attach(parent) })?;
        }
        let jail = create_jail(&name, if parent.is_some() { 0 } else { CHILDREN })?.to_ne_bytes();
        // SAFETY: the octets outlive the call, which reads them.
        let written = unsafe { libc::write(pipe, jail.as_ptr().cast(), jail.len()) };
        check(written as libc::c_int)?;
        die_with_parent()
    };
    // SAFETY: `make` allocates nothing and takes no lock.
    unsafe { command.pre_exec(make) };
    let keeper = command
        .arg("1000000")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    drop(writer);
    let mut jail = [0; 4];
    reader.read_exact(&mut jail)?;
    Ok((i32::from_ne_bytes(jail), keeper))
}

/// Creates a jail and enters it.
fn create_jail(name: &CStr, children: i32) -> io::Result<i32> {
    let vnet = libc::JAIL_SYS_NEW.to_ne_bytes();
    let children = children.to_ne_bytes();
    let part = |octets: &[u8]| libc::iovec {
        iov_base: octets.as_ptr().cast_mut().cast(),
        iov_len: octets.len(),
    };
    let mut parts = [
        part(c"path".to_bytes_with_nul()),
        part(c"/".to_bytes_with_nul()),
        part(c"name".to_bytes_with_nul()),
        part(name.to_bytes_with_nul()),
        part(c"vnet".to_bytes_with_nul()),
        part(&vnet),
        part(c"children.max".to_bytes_with_nul()),
        part(&children),
        part(c"allow.raw_sockets".to_bytes_with_nul()),
        part(&[]),
    ];
    let flags = libc::JAIL_CREATE | libc::JAIL_ATTACH;
    // SAFETY: every part is one slice that outlives the call, which only reads them.
    check(unsafe { libc::jail_set(parts.as_mut_ptr(), parts.len() as libc::c_uint, flags) })
}

/// Ends a jail and what runs in it.
pub fn remove_jail(jail: i32) -> io::Result<()> {
    // SAFETY: takes a plain number.
    check(unsafe { libc::jail_remove(jail) }).map(drop)
}

/// The calling process is killed when the process that started it ends.
fn die_with_parent() -> io::Result<()> {
    let mut signal = libc::SIGKILL;
    // SAFETY: the number outlives the call; 0 is this process.
    check(unsafe {
        libc::procctl(
            libc::P_PID,
            0,
            libc::PROC_PDEATHSIG_CTL,
            (&raw mut signal).cast(),
        )
    })
    .map(drop)
}

/// Makes `command` start in `jail`, in a process group of its own, and die with this process.
pub fn start_in(command: &mut Command, jail: i32) {
    let before_exec = move || {
        // SAFETY: plain system calls on integers, allowed between fork and exec.
        unsafe {
            check(libc::jail_attach(jail))?;
            check(libc::setpgid(0, 0))?;
        }
        die_with_parent()
    };
    // SAFETY: `before_exec` allocates nothing and takes no lock.
    unsafe { command.pre_exec(before_exec) };
}

/// A descriptor that `open` opens in `jail`. A process cannot leave a jail: another one opens it
/// and hands it over. `open` must neither allocate nor take a lock.
fn opened_in(jail: i32, open: impl Fn() -> io::Result<RawFd>) -> io::Result<OwnedFd> {
    let mut pair = [0; 2];
    // SAFETY: there is room for the two descriptors.
    check(unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            0,
            pair.as_mut_ptr(),
        )
    })?;
    // SAFETY: both were just opened and nobody else has them.
    let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(pair[0]), OwnedFd::from_raw_fd(pair[1])) };
    // SAFETY: the child makes system calls only, and ends without coming back.
    match check(unsafe { libc::fork() })? {
        0 => {
            // SAFETY: takes a plain number.
            let entered = check(unsafe { libc::jail_attach(jail) });
            let opened = entered.and_then(|_| open());
            let sent = send_descriptor(theirs.as_raw_fd(), opened);
            // SAFETY: ends the process, running nothing of ours.
            unsafe { libc::_exit(i32::from(sent.is_err())) }
        }
        child => {
            drop(theirs);
            let received = receive_descriptor(ours.as_raw_fd());
            let mut status = 0;
            // SAFETY: the number outlives the call.
            unsafe { libc::waitpid(child, &mut status, 0) };
            received
        }
    }
}

/// A control message with one descriptor, and the number of the error that there was instead.
#[repr(C, align(8))]
struct Handover {
    control: [u8; 64],
    error: [u8; 4],
}

impl Handover {
    fn message(&mut self, iov: &mut libc::iovec) -> libc::msghdr {
        *iov = libc::iovec {
            iov_base: self.error.as_mut_ptr().cast(),
            iov_len: self.error.len(),
        };
        // SAFETY: plain data, for which zero is a value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = iov;
        message.msg_iovlen = 1;
        message.msg_control = self.control.as_mut_ptr().cast();
        // SAFETY: arithmetic only.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(4) };
        message
    }
}

fn send_descriptor(to: RawFd, opened: io::Result<RawFd>) -> io::Result<()> {
    let mut handover = Handover {
        control: [0; 64],
        error: [0; 4],
    };
    if let Err(error) = &opened {
        handover.error = error.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes();
    }
    let mut iov = libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    };
    let mut message = handover.message(&mut iov);
    match opened {
        // SAFETY: the control buffer has room for one message with one descriptor.
        Ok(fd) => unsafe {
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(4);
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        },
        Err(_) => message.msg_controllen = 0,
    }
    // SAFETY: every pointer of `message` is to memory of the length stated beside it.
    check(unsafe { libc::sendmsg(to, &message, 0) } as libc::c_int).map(drop)
}

fn receive_descriptor(from: RawFd) -> io::Result<OwnedFd> {
    let mut handover = Handover {
        control: [0; 64],
        error: [0; 4],
    };
    let mut iov = libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    };
    let mut message = handover.message(&mut iov);
    // SAFETY: every pointer of `message` is to memory of the length stated beside it.
    let got =
        check(unsafe { libc::recvmsg(from, &mut message, libc::MSG_CMSG_CLOEXEC) } as libc::c_int)?;
    // SAFETY: the kernel filled the control buffer; a message of this type holds a descriptor that
    // is ours from now on.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        if !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS {
            let fd = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
            return Ok(OwnedFd::from_raw_fd(fd));
        }
    }
    Err(match got {
        4 => io::Error::from_raw_os_error(i32::from_ne_bytes(handover.error)),
        _ => io::ErrorKind::UnexpectedEof.into(),
    })
}

/// A socket of the network stack of `jail`, which it belongs to for ever.
pub fn socket_in(
    jail: i32,
    family: libc::c_int,
    kind: libc::c_int,
    protocol: libc::c_int,
) -> io::Result<OwnedFd> {
    let open = || {
        // SAFETY: no memory is passed.
        check(unsafe { libc::socket(family, kind, protocol) })
    };
    opened_in(jail, open)
}

/// Makes an [`icmp_socket`](super::icmp_socket) in `jail`.
pub fn icmp_socket_in(jail: i32, v6: bool) -> io::Result<UdpSocket> {
    let (family, protocol) = icmp(v6);
    let fd = socket_in(jail, family, libc::SOCK_RAW, protocol)?;
    enlarge(&fd)?;
    Ok(UdpSocket::from(fd))
}

/// A socket for datagrams in `jail`, bound to every address and to `port`; 0: to any port.
pub fn udp_socket_in(jail: i32, v6: bool, port: u16) -> io::Result<UdpSocket> {
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    let fd = socket_in(jail, family, libc::SOCK_DGRAM, 0)?;
    let port = port.to_be();
    // SAFETY: plain data, for which zero is a value: the address that stands for all.
    let (mut four, mut six): (libc::sockaddr_in, libc::sockaddr_in6) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    (four.sin_family, four.sin_port) = (libc::AF_INET as u8, port);
    (six.sin6_family, six.sin6_port) = (libc::AF_INET6 as u8, port);
    let (address, len) = match v6 {
        true => ((&raw const six).cast(), size_of_val(&six)),
        false => ((&raw const four).cast(), size_of_val(&four)),
    };
    // SAFETY: the address outlives the call and its length is stated.
    check(unsafe { libc::bind(fd.as_raw_fd(), address, len as libc::socklen_t) })?;
    Ok(UdpSocket::from(fd))
}

/// A bpf descriptor that sees every frame that comes in on one interface of a jail.
#[derive(Debug)]
pub struct Tap(OwnedFd);

impl Tap {
    /// Opens it on the interface `name` of `jail`. Reading does not wait.
    pub fn open(jail: i32, name: &str) -> io::Result<Self> {
        // SAFETY: plain data, for which zero is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        let number = |fd, name, mut value: libc::c_uint| {
            // SAFETY: these requests read and write one number, which outlives the call.
            check(unsafe { libc::ioctl(fd, name, &raw mut value) })
        };
        let open = || {
            let flags = libc::O_RDWR | libc::O_NONBLOCK;
            // SAFETY: a terminated string.
            let fd = check(unsafe { libc::open(c"/dev/bpf".as_ptr(), flags) })?;
            number(fd, libc::BIOCSBLEN, Self::ROOM as libc::c_uint)?;
            number(fd, BIOCSTSTAMP, BPF_T_MICROTIME_MONOTONIC)?;
            number(fd, BIOCSDIRECTION, 0)?;
            number(fd, libc::BIOCIMMEDIATE, 1)?;
            // SAFETY: the request outlives the call, which reads it.
            check(unsafe { libc::ioctl(fd, libc::BIOCSETIF, &raw const request) })?;
            Ok(fd)
        };
        opened_in(jail, open).map(Self)
    }

    /// Octets that [`read`](Self::read) needs room for.
    pub const ROOM: usize = 256 * 1024;

    /// Calls `each` with every frame that has come in, and when the kernel received it in monotonic
    /// microseconds. `false`: the interface is gone.
    pub fn read(&self, room: &mut [u8], mut each: impl FnMut(u64, &[u8])) -> io::Result<bool> {
        // SAFETY: the buffer outlives the call and its length is stated.
        let got = unsafe { libc::read(self.0.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) };
        if got < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => Ok(true),
                Some(libc::ENXIO) => Ok(false),
                _ => Err(error),
            };
        }
        let mut rest = room.get(..got as usize).unwrap_or_default();
        while let Some((at_us, frame, whole)) = record(rest) {
            each(at_us, frame);
            rest = rest.get(whole.next_multiple_of(8)..).unwrap_or_default();
        }
        Ok(true)
    }
}

/// The first record of what bpf gives: seconds, microseconds, length kept, length, length of this.
fn record(octets: &[u8]) -> Option<(u64, &[u8], usize)> {
    let long = |at: usize| Some(u64::from_ne_bytes(octets.get(at..at + 8)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_ne_bytes(octets.get(at..at + 4)?.try_into().ok()?));
    let header = usize::from(u16::from_ne_bytes(octets.get(24..26)?.try_into().ok()?));
    let end = header + word(16)? as usize;
    Some((
        long(0)? * 1_000_000 + long(8)?,
        octets.get(header..end)?,
        end,
    ))
}

/// Waits until one of the descriptors can be read, at most 20 ms.
pub fn wait_taps<'a>(taps: impl Iterator<Item = &'a Tap>) {
    let mut polls: Vec<libc::pollfd> = taps
        .map(|tap| libc::pollfd {
            fd: tap.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    // SAFETY: the list outlives the call and its length is stated.
    unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, 20) };
}

/// The number of the interface `name` of `jail`.
pub fn interface_index_in(jail: i32, name: &str) -> io::Result<u32> {
    /// A name, and room for what is asked.
    const SIOCGIFINDEX: libc::c_ulong = 0xc020_6920;
    let fd = socket_in(jail, libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let mut request = [0u8; 32];
    for (to, from) in request.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    // SAFETY: the request is as long as its name says, and outlives the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), SIOCGIFINDEX, request.as_mut_ptr()) })?;
    Ok(u16::from_ne_bytes([request[16], request[17]]).into())
}
