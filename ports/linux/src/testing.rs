//! The needs of tests, of this and other crates, of the operating system: a network namespace of their
//! own, a neighbour that says and hears raw frames, and the reader of what the kernel says. No part
//! of the API.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::netlink;
use crate::sys;
pub use crate::sysctl::table::names as sysctls;

const ETH_P_ALL: u16 = 3;

/// Puts the calling thread, and what it starts from now on, into a new network namespace, which
/// ends with them. Needs root.
pub fn enter_new_namespace() -> io::Result<()> {
    sys::unshare_network()
}

/// Waits until a descriptor is readable. `false`: it was not within the time.
pub fn wait_readable(fd: std::os::fd::RawFd, timeout: Duration) -> io::Result<bool> {
    sys::wait_readable(fd, timeout.as_millis() as i32)
}

/// How many events a datagram of the routing socket holds.
pub fn events_in(datagram: &[u8]) -> usize {
    let messages = netlink::messages(datagram);
    messages
        .filter_map(|message| netlink::decode(&message))
        .count()
}

/// A neighbour on the wire: sends and hears whole Ethernet frames on one interface.
#[derive(Debug)]
pub struct RawPort {
    fd: OwnedFd,
}

impl RawPort {
    /// Opens the interface called `name`. What this host sends out of it is not
    /// heard, what arrives is.
    pub fn open(name: &str) -> io::Result<Self> {
        let fd = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        sys::set_option_int(
            &fd,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            16 * 1024 * 1024,
        )?;
        sys::set_option_int(&fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        sys::bind_packet(&fd, sys::interface_index(name)?, ETH_P_ALL)?;
        Ok(Self { fd })
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        sys::send(&self.fd, frame).map(drop)
    }

    /// The frames that are heard within `time`.
    pub fn hear(&self, time: Duration) -> io::Result<Vec<Vec<u8>>> {
        let end = Instant::now() + time;
        let mut frames = Vec::new();
        let mut room = vec![0; 65536];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if !sys::wait_readable(self.fd.as_raw_fd(), left.as_millis() as i32)? {
                return Ok(frames);
            }
            let len = sys::receive(&self.fd, &mut room)?;
            frames.push(room.get(..len).unwrap_or_default().to_vec());
        }
    }
}
