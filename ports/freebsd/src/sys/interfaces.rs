//! Interfaces: requests whose argument points elsewhere, numbers, and the list of them all.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

use vrrp_port_kit::KernelIf;

use super::perform;
use super::system::sysctl;
use crate::abi::*;
use crate::netgraph::string;
use crate::request::{Request, put};
use crate::route::Link;

fn with_buffer(fd: &OwnedFd, number: u64, name: &str, buffer: &mut [u8]) -> io::Result<()> {
    let mut request = Request::about(number, name)?;
    let (len, pointer) = (buffer.len(), buffer.as_mut_ptr() as usize);
    put(&mut request.argument, IFREQ_UNION, &len.to_ne_bytes());
    put(&mut request.argument, IFREQ_POINTER, &pointer.to_ne_bytes());
    // SAFETY: the argument is a struct ifreq with a buffer, whose length and pointer are those of
    // one slice that the call may read and write.
    unsafe { perform(fd, number, &mut request.argument) }
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
        Ok(()) => Ok(string(&buffer)),
        Err(error) if error.raw_os_error() == Some(libc::ENOMSG) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// The groups that an interface is in: one that was made by cloning is in that of its kind, under
/// any name.
fn groups(fd: &OwnedFd, name: &str) -> io::Result<Vec<String>> {
    // More than an interface is in; where there are yet more the call fails.
    let mut buffer = [0u8; 64 * IFG_REQ_LEN];
    let mut request = Request::about(SIOCGIFGROUP, name)?;
    let (len, pointer) = (buffer.len() as u32, buffer.as_mut_ptr() as usize);
    put(&mut request.argument, IFGROUPREQ_SIZE, &len.to_ne_bytes());
    put(
        &mut request.argument,
        IFGROUPREQ_POINTER,
        &pointer.to_ne_bytes(),
    );
    // SAFETY: the argument is a struct ifgroupreq, whose length and pointer are those of one slice
    // that the call may write.
    unsafe { perform(fd, SIOCGIFGROUP, &mut request.argument)? };
    let names = buffer.chunks(IFG_REQ_LEN).map(string);
    Ok(names.take_while(|name| !name.is_empty()).collect())
}

/// The type of an interface, [`IFT_LAGG`] for a lagg: that says that it is Ethernet, and its ports that
/// they are a lagg.
pub(crate) fn interface_kind(fd: &OwnedFd, link: &Link) -> u8 {
    let is_lagg = |groups: Vec<String>| groups.iter().any(|group| group == "lagg");
    match groups(fd, &link.name).is_ok_and(is_lagg) {
        true => IFT_LAGG,
        false => link.kind,
    }
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
    put(&mut request.argument, IFREQ_UNION, &pointer.to_ne_bytes());
    // SAFETY: the argument is a struct ifreq that points to IFNAMSIZ octets that end with a zero
    // and outlive the call.
    unsafe { perform(fd, SIOCSIFNAME, &mut request.argument) }
}

/// The list of interfaces and addresses of this network stack.
pub(crate) fn interface_list() -> io::Result<Vec<u8>> {
    let name = [CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLISTL, 0];
    sysctl(&name)
}

/// The number of the interface called `name`.
pub(crate) fn interface_index(name: &str) -> io::Result<KernelIf> {
    let name = CString::new(name)?;
    // SAFETY: `name` ends with a zero and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    KernelIf::new(index).ok_or_else(io::Error::last_os_error)
}
