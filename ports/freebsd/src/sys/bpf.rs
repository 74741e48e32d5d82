//! Devices that hear and send frames.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{check, own, perform};
use crate::abi::*;
use crate::bpf::Instruction;

/// Opens a bpf device, close-on-exec and non-blocking.
pub(crate) fn open_bpf() -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: the path ends with a zero and outlives the call.
    own(unsafe { libc::open(c"/dev/bpf".as_ptr(), flags) })
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
    unsafe { perform(fd, number, &mut argument) }
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
