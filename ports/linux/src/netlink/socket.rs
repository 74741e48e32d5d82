//! The two netlink sockets: one to ask, one to be told.

use std::io;
use std::os::fd::OwnedFd;

use super::*;
use crate::sockets::set_buffer;
use crate::sys;

/// Room for one datagram. The kernel cuts dumps to 32 KiB or less.
const ROOM: usize = 64 * 1024;
const MONITOR_BUFFER: i32 = 4 * 1024 * 1024;
const RTMGRP_LINK: u32 = 1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
/// RTNLGRP_IPV4_NETCONF and RTNLGRP_IPV6_NETCONF, as bits.
const NETCONF_GROUPS: u32 = 1 << 23 | 1 << 24;
const DUMP_INTERRUPTED: u16 = 0x10;

fn route_socket(groups: u32) -> io::Result<OwnedFd> {
    let fd = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    sys::bind_netlink(&fd, groups)?;
    Ok(fd)
}

/// Asks the kernel and takes its answers, which are there when the request has been sent.
#[derive(Debug)]
pub(crate) struct Netlink {
    fd: OwnedFd,
    requests: Requests,
    room: Vec<u8>,
}

impl Netlink {
    pub(crate) fn open() -> io::Result<Self> {
        let fd = route_socket(0)?;
        // Errors come without a copy of the request that they are about.
        sys::set_option_int(&fd, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1)?;
        Ok(Self {
            fd,
            requests: Requests::default(),
            room: vec![0; ROOM],
        })
    }

    /// Lets the kernel leave out of dumps what is not asked for, where it can.
    pub(crate) fn filter_dumps(&self) {
        const NETLINK_GET_STRICT_CHK: i32 = 12;
        let _ = sys::set_option_int(&self.fd, libc::SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    }

    /// Performs the requests that `fill` makes, in order. All are tried; the first error is
    /// returned.
    pub(crate) fn perform(&mut self, fill: impl FnOnce(&mut Requests)) -> io::Result<()> {
        self.ask(fill, &mut |_| {})
    }

    /// As [`perform`](Self::perform), with what the kernel says besides.
    fn ask(
        &mut self,
        fill: impl FnOnce(&mut Requests),
        sink: &mut dyn FnMut(Event),
    ) -> io::Result<()> {
        self.requests.clear();
        fill(&mut self.requests);
        sys::send(&self.fd, self.requests.octets())?;
        let wanted = self.requests.sequences();
        let mut result = Ok(());
        let mut done = false;
        while !done {
            let len = sys::receive(&self.fd, &mut self.room)?;
            for message in messages(self.room.get(..len).unwrap_or_default()) {
                if !wanted.contains(&message.sequence) {
                    continue;
                }
                let errno = match decode(&message) {
                    Some(Event::Result(errno)) => errno,
                    Some(event) => {
                        sink(event);
                        continue;
                    }
                    None => continue,
                };
                if errno != 0 && result.is_ok() {
                    result = Err(io::Error::from_raw_os_error(errno));
                }
                done = message.sequence == *wanted.end();
            }
        }
        result
    }

    /// The link called `name`, as it is now. `None`: there is none.
    pub(crate) fn find_link(&mut self, name: &str) -> io::Result<Option<Link>> {
        let mut found = None;
        let result = self.ask(|to| link_named(to, name), &mut |event| {
            if let Event::Link(link) = event {
                found = Some(link);
            }
        });
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            other => other.map(|()| found),
        }
    }

    /// Everything that a dump gives. One that the kernel says was disturbed is asked for again.
    pub(crate) fn dump(&mut self, ask: fn(&mut Requests)) -> io::Result<Vec<Event>> {
        for _ in 0..8 {
            self.requests.clear();
            ask(&mut self.requests);
            sys::send(&self.fd, self.requests.octets())?;
            if let Some(events) = self.take_dump()? {
                return Ok(events);
            }
        }
        Err(io::Error::other(
            "the interfaces change faster than they can be listed",
        ))
    }

    fn take_dump(&mut self) -> io::Result<Option<Vec<Event>>> {
        let sequence = *self.requests.sequences().end();
        let (mut events, mut whole) = (Vec::new(), true);
        loop {
            let len = sys::receive(&self.fd, &mut self.room)?;
            for message in messages(self.room.get(..len).unwrap_or_default()) {
                if message.sequence != sequence {
                    continue;
                }
                whole &= message.flags & DUMP_INTERRUPTED == 0;
                match decode(&message) {
                    Some(Event::Done) => return Ok(whole.then_some(events)),
                    Some(Event::Result(errno)) if errno != 0 => {
                        return Err(io::Error::from_raw_os_error(errno));
                    }
                    Some(event) => events.push(event),
                    None => {}
                }
            }
        }
    }
}

/// Is told of every change of links and addresses, and of `forwarding` and `rp_filter`.
#[derive(Debug)]
pub(crate) struct Monitor {
    fd: OwnedFd,
    room: Vec<u8>,
}

impl Monitor {
    pub(crate) fn open() -> io::Result<Self> {
        let addresses = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
        let fd = route_socket(RTMGRP_LINK | addresses | NETCONF_GROUPS)?;
        set_buffer(&fd, [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF], MONITOR_BUFFER)?;
        Ok(Self {
            fd,
            room: vec![0; ROOM],
        })
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Gives the events of one datagram to `sink`. `Ok(false)`: there is none. An error of
    /// ENOBUFS or EMSGSIZE: something was lost, take a dump.
    pub(crate) fn receive(&mut self, sink: &mut dyn FnMut(Event)) -> io::Result<bool> {
        match sys::receive(&self.fd, &mut self.room) {
            Ok(len) => {
                let data = self.room.get(..len).unwrap_or_default();
                messages(data).filter_map(|m| decode(&m)).for_each(sink);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
