//! The system calls that the standard library does not offer, each behind a safe function.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use crate::targets::zoned;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The socket that is this process's standard input.
pub(crate) fn standard_input() -> io::Result<UnixStream> {
    let input = io::stdin();
    Ok(UnixStream::from(input.as_fd().try_clone_to_owned()?))
}

/// Closes every descriptor that another program may have left open. At the start of the process, when
/// nothing of ours is open.
pub(crate) fn keep_only_standard_streams() {
    // SAFETY: no descriptor from 3 on belongs to anything in this process yet.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
    }
    // SAFETY: as above.
    #[cfg(target_os = "freebsd")]
    unsafe {
        libc::closefrom(3);
    }
}

/// Lets this process have as many descriptors as it may have.
pub(crate) fn allow_many_descriptors() {
    // SAFETY: the pointers are to a value of the right type.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            let most = limit.rlim_max.min(65_536);
            if limit.rlim_cur < most {
                limit.rlim_cur = most;
                libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
            }
        }
    }
}

/// A socket that sends and receives ICMP echoes, and whether the header of IP comes with what is
/// received. A UDP socket of the standard library sends and receives datagrams of any protocol.
pub(crate) fn echo_socket(ipv6: bool) -> io::Result<(UdpSocket, bool)> {
    let (family, protocol) = match ipv6 {
        false => (libc::AF_INET, libc::IPPROTO_ICMP),
        true => (libc::AF_INET6, libc::IPPROTO_ICMPV6),
    };
    let open = |kind| {
        // SAFETY: takes plain numbers; a descriptor that is returned is ours alone.
        let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
        // SAFETY: as above.
        Ok::<OwnedFd, io::Error>(unsafe { OwnedFd::from_raw_fd(fd) })
    };
    let (fd, raw) = match open(libc::SOCK_RAW) {
        Ok(fd) => (fd, true),
        // Linux allows this one to the groups of net.ipv4.ping_group_range.
        Err(error) => (open(libc::SOCK_DGRAM).map_err(|_| error)?, false),
    };
    if raw {
        accept_echo_replies(&fd, ipv6)?;
    }
    let socket = UdpSocket::from(fd);
    socket.set_nonblocking(true)?;
    Ok((socket, raw && !ipv6))
}

/// Keeps all other ICMP from a raw socket.
fn accept_echo_replies(fd: &OwnedFd, ipv6: bool) -> io::Result<()> {
    const ECHO_REPLY_V6: usize = 129;
    // ICMP6_FILTER: a bit for each type, which blocks it on Linux and lets it pass on FreeBSD.
    let (option, others) = match cfg!(target_os = "linux") {
        true => (1, u32::MAX),
        false => (18, 0),
    };
    let mut filter = [others; 8];
    if let Some(word) = filter.get_mut(ECHO_REPLY_V6 / 32) {
        *word ^= 1 << (ECHO_REPLY_V6 % 32);
    }
    // ICMP_FILTER of Linux: all but type 0.
    let filter_v4: u32 = !1;
    let (level, option, pointer, len) = match ipv6 {
        true => (
            libc::IPPROTO_ICMPV6,
            option,
            filter.as_ptr(),
            size_of_val(&filter),
        ),
        false if cfg!(target_os = "linux") => (255, 1, &raw const filter_v4, 4),
        // FreeBSD has none: what is no echo reply is passed over.
        false => return Ok(()),
    };
    // SAFETY: the pointer is to a value of the length that is given.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            pointer.cast(),
            len as libc::socklen_t,
        )
    };
    check(result).map(drop)
}

/// Gives up every right of root and every capability, for this process and all that it starts.
pub(crate) fn give_up_rights(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: the group is one value; the rest take plain numbers.
    unsafe {
        if libc::geteuid() == 0 {
            check(libc::setgroups(1, &gid))?;
            check(libc::setresgid(gid, gid, gid))?;
            check(libc::setresuid(uid, uid, uid))?;
        }
    }
    give_up_capabilities()
}

#[cfg(target_os = "linux")]
fn give_up_capabilities() -> io::Result<()> {
    /// _LINUX_CAPABILITY_VERSION_3, which has two sets of three words.
    const VERSION: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION, 0];
    let none = [0u32; 6];
    // SAFETY: the structures are of the sizes that this version of capset(2) has; prctl(2) takes plain
    // numbers.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        let result = libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr());
        check(result as libc::c_int).map(drop)
    }
}

#[cfg(not(target_os = "linux"))]
fn give_up_capabilities() -> io::Result<()> {
    /// PROC_NO_NEW_PRIVS_CTL and PROC_NO_NEW_PRIVS_ENABLE of sys/procctl.h.
    const CONTROL: libc::c_int = 19;
    let mut enable: libc::c_int = 1;
    // SAFETY: the pointer is to an integer, as this command wants it.
    let result = unsafe { libc::procctl(libc::P_PID, 0, CONTROL, (&raw mut enable).cast()) };
    match check(result) {
        // A kernel before 13.1.
        Err(error) if error.raw_os_error() != Some(libc::EINVAL) => Err(error),
        _ => Ok(()),
    }
}

/// The addresses of this host, each with its interface.
pub(crate) fn interface_addresses() -> io::Result<Vec<(String, SocketAddr)>> {
    let mut found = Vec::new();
    // SAFETY: getifaddrs fills in a list that is read until its end and then given back; addresses are
    // read as what their family says that they are.
    unsafe {
        let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
        check(libc::getifaddrs(&mut list))?;
        let mut next = list;
        while let Some(entry) = next.as_ref() {
            next = entry.ifa_next;
            let Some(address) = entry.ifa_addr.as_ref() else {
                continue;
            };
            let at = match i32::from(address.sa_family) {
                libc::AF_INET => {
                    let v4 = entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned();
                    let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                    SocketAddr::from((ip, 0))
                }
                libc::AF_INET6 => {
                    let v6 = entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned();
                    let mut octets = v6.sin6_addr.s6_addr;
                    // FreeBSD's kernel may leave the zone in a link-local address.
                    if octets.starts_with(&[0xfe, 0x80]) {
                        octets[2..4].fill(0);
                    }
                    zoned(Ipv6Addr::from(octets), v6.sin6_scope_id)
                }
                _ => continue,
            };
            let name = CStr::from_ptr(entry.ifa_name).to_string_lossy();
            found.push((name.into_owned(), at));
        }
        libc::freeifaddrs(list);
    }
    Ok(found)
}

/// The user that this process acts as.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: geteuid cannot fail.
    unsafe { libc::geteuid() }
}

/// Ends the process group `group` at once (SIGKILL).
pub(crate) fn destroy_group(group: u32) {
    if let Some(group) = i32::try_from(group).ok().filter(|&group| group > 1) {
        // SAFETY: kill(2) takes integers only; groups 0 and 1 are excluded above.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

/// The processes that run on FreeBSD: number, name, and whether each is alive.
#[cfg(target_os = "freebsd")]
pub(crate) fn processes() -> io::Result<Vec<(u32, String, bool)>> {
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PROC];
    let mut len = 0;
    let mut table: Vec<libc::kinfo_proc> = Vec::new();
    // SAFETY: the first call asks for the length, the second fills in at most as much as there is room
    // for and says how much it was; the entries before that are initialised.
    unsafe {
        let words = name.len() as libc::c_uint;
        let null = std::ptr::null_mut();
        check(libc::sysctl(name.as_ptr(), words, null, &mut len, null, 0))?;
        // Processes may have been started meanwhile.
        let room = len / size_of::<libc::kinfo_proc>() + 64;
        table.reserve(room);
        len = room * size_of::<libc::kinfo_proc>();
        let to = table.as_mut_ptr().cast();
        check(libc::sysctl(
            name.as_ptr(),
            words,
            to,
            &mut len,
            std::ptr::null_mut(),
            0,
        ))?;
        table.set_len(len / size_of::<libc::kinfo_proc>());
    }
    let read = |entry: &libc::kinfo_proc| {
        let name = entry.ki_comm.iter().take_while(|c| **c != 0);
        let name: Vec<u8> = name.map(|c| *c as u8).collect();
        let stat = i32::from(entry.ki_stat as u8);
        /// SSTOP and SZOMB of sys/proc.h.
        const DEAD: [i32; 2] = [4, 5];
        let name = String::from_utf8_lossy(&name).into_owned();
        (entry.ki_pid as u32, name, !DEAD.contains(&stat))
    };
    Ok(table.iter().map(read).collect())
}
