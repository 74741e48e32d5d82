//! Descriptors: poll(2), non-blocking reads and writes, sizes of buffers.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vrrp_host::Waited;

use super::check;

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

/// Sets SO_SNDBUF: the octets that a peer may leave unread in the queue of a socket.
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
