//! Octets and descriptors to and from another process.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use super::check_len;

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
