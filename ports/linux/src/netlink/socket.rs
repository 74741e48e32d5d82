//! The two netlink sockets: one to ask, one to be told.

use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;

use vrrp_port_kit::KernelIf;
use vrrp_port_kit::bpf::{ACCEPT, DROP, Instruction, JUMP_EQUAL, LOAD_BYTE, LOAD_HALF, jump, load};

use super::answers::Answers;
use super::*;
use crate::sockets::set_buffer;
use crate::sys;

/// Room for one datagram. The kernel cuts dumps to 32 KiB or less.
const ROOM: usize = 64 * 1024;
/// Requests that are sent with one system call. Their answers, each some 1,300 octets as the kernel
/// counts them, have room in the smallest receive buffer that is common.
const BATCH: usize = 64;
const MONITOR_BUFFER: i32 = 4 * 1024 * 1024;
const RTMGRP_LINK: u32 = 1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
/// RTNLGRP_IPV4_NETCONF and RTNLGRP_IPV6_NETCONF, as bits.
const NETCONF_GROUPS: u32 = 1 << 23 | 1 << 24;
/// RTNLGRP_IPV4_ROUTE and RTNLGRP_IPV6_ROUTE.
const ROUTE_GROUPS: [i32; 2] = [7, 11];
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
        self.perform_each(fill).into_iter().collect()
    }

    /// Performs the requests that `fill` makes, in order, many with one system call. All are tried.
    /// Returns the result of each.
    pub(crate) fn perform_each(&mut self, fill: impl FnOnce(&mut Requests)) -> Vec<io::Result<()>> {
        self.ask(fill, &mut |_| {})
    }

    /// As [`perform_each`](Self::perform_each), with what the kernel says besides.
    fn ask(
        &mut self,
        fill: impl FnOnce(&mut Requests),
        sink: &mut dyn FnMut(Event),
    ) -> Vec<io::Result<()>> {
        self.requests.clear();
        fill(&mut self.requests);
        let Self { fd, requests, room } = self;
        let mut answers = Answers::new(requests);
        let mut send = |places: Range<usize>, answers: &mut Answers| match sys::send(
            fd,
            requests.part(places.clone()),
        ) {
            Ok(_) => answers.collect(places, room, |room| sys::receive(fd, room), sink),
            Err(error) => answers.refuse(places, &error),
        };
        let mut place = 0;
        while place < requests.len() {
            let end = requests.len().min(place + BATCH);
            send(place..end, &mut answers);
            place = end;
        }
        // An answer that had no room: to be asked again does no harm.
        for place in answers.missing() {
            send(place..place + 1, &mut answers);
        }
        answers.results()
    }

    /// The link called `name`, as it is now. `None`: there is none.
    pub(crate) fn find_link(&mut self, name: &str) -> io::Result<Option<Link>> {
        let mut found = None;
        let results = self.ask(|to| link_named(to, name), &mut |event| {
            if let Event::Link(link) = event {
                found = Some(link);
            }
        });
        match results.into_iter().collect::<io::Result<()>>() {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            other => other.map(|()| found),
        }
    }

    /// Unicast frames that a link has received. `None`: it is gone, or the kernel does not tell.
    pub(crate) fn unicast_received(&mut self, index: KernelIf) -> io::Result<Option<u64>> {
        let mut found = None;
        let results = self.ask(|to| link_with_counters(to, index), &mut |event| {
            if let Event::Link(link) = event {
                found = link.unicast_received;
            }
        });
        match results.into_iter().collect::<io::Result<()>>() {
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

/// The filter of the monitor. It takes all notices, but of routes those of replacements and of the removal
/// of ours alone: a routing daemon may add and remove thousands in a second.
fn notices() -> Vec<Instruction> {
    // Netlink has numbers in the order of the host, a program loads them in that of the network.
    let kind = |kind: u16| u32::from(u16::from_be_bytes(kind.to_ne_bytes()));
    // The octet of the flags of RTM_NEWROUTE. The notice of a replacement has no other than that.
    let flags = if cfg!(target_endian = "little") { 7 } else { 6 };
    vec![
        load(LOAD_HALF, 4),
        jump(JUMP_EQUAL, kind(RTM_DELROUTE), 4, 0),
        jump(JUMP_EQUAL, kind(RTM_NEWROUTE), 1, 0),
        ACCEPT,
        load(LOAD_BYTE, flags),
        jump(JUMP_EQUAL, u32::from(REPLACE >> 8), 2, 3),
        load(LOAD_BYTE, 16 + RTM_PROTOCOL as u32),
        jump(JUMP_EQUAL, OUR_PROTOCOL.into(), 0, 1),
        ACCEPT,
        DROP,
    ]
}

/// Is told of every change of links and addresses, of `forwarding` and `rp_filter`, and on request of
/// routes that are replaced and of ours that are removed.
#[derive(Debug)]
pub(crate) struct Monitor {
    fd: OwnedFd,
    room: Vec<u8>,
    hears_routes: bool,
}

impl Monitor {
    pub(crate) fn open() -> io::Result<Self> {
        let addresses = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
        let fd = route_socket(RTMGRP_LINK | addresses | NETCONF_GROUPS)?;
        set_buffer(&fd, [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF], MONITOR_BUFFER)?;
        sys::attach_filter(&fd, &notices())?;
        Ok(Self {
            fd,
            room: vec![0; ROOM],
            hears_routes: false,
        })
    }

    /// Begins or ceases to hear of routes: where there are none of ours, those of a routing daemon are not
    /// heard either.
    pub(crate) fn hear_routes(&mut self, on: bool) -> io::Result<()> {
        if self.hears_routes == on {
            return Ok(());
        }
        let option = if on {
            libc::NETLINK_ADD_MEMBERSHIP
        } else {
            libc::NETLINK_DROP_MEMBERSHIP
        };
        for group in ROUTE_GROUPS {
            sys::set_option_int(&self.fd, libc::SOL_NETLINK, option, group)?;
        }
        self.hears_routes = on;
        Ok(())
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

#[cfg(test)]
mod tests {
    use vrrp_core::VirtualAddress;

    use super::*;
    use crate::testing::enter_new_namespace;

    /// The loopback of every network namespace.
    const LO: KernelIf = KernelIf::new(1).unwrap();

    fn addresses(count: u8) -> impl Iterator<Item = VirtualAddress> {
        (1..=count).map(|last| VirtualAddress {
            address: [10, 9, 8, last].into(),
            prefix_len: 32,
        })
    }

    /// How many addresses of 10.9.8.0/24 there are.
    fn count(netlink: &mut Netlink) -> usize {
        let events = netlink.dump(dump_addresses).unwrap();
        let ours = |event: &&Event| matches!(event, Event::Address(a) if a.protocol == 112);
        events.iter().filter(ours).count()
    }

    /// Runs `story` in a network namespace of its own. Needs root.
    fn in_namespace(story: impl FnOnce(Netlink) + Send + 'static) {
        let thread = std::thread::spawn(move || {
            enter_new_namespace().expect("the tests of this crate need root");
            story(Netlink::open().unwrap());
        });
        thread.join().unwrap();
    }

    #[test]
    fn of_routes_the_monitor_hears_replacements_and_removals_of_ours() {
        let hears = |kind: u16, flags: u16, protocol: u8| {
            let mut notice = vec![0; 28];
            notice[4..6].copy_from_slice(&kind.to_ne_bytes());
            notice[6..8].copy_from_slice(&flags.to_ne_bytes());
            notice[21] = protocol;
            vrrp_port_kit::bpf::run(&notices(), &notice, |_| None).unwrap()
        };
        assert!(hears(RTM_NEWROUTE, REPLACE, 3) && hears(RTM_NEWROUTE, REPLACE, 112));
        assert!(!hears(RTM_NEWROUTE, 0x400, 3) && !hears(RTM_NEWROUTE, 0x400, 112));
        assert!(hears(RTM_DELROUTE, 0, 112) && !hears(RTM_DELROUTE, 0, 3));
        for kind in [
            RTM_NEWLINK,
            RTM_DELLINK,
            RTM_NEWADDR,
            RTM_DELADDR,
            RTM_NEWNETCONF,
        ] {
            assert!(hears(kind, 0, 0), "{kind}");
        }
    }

    #[test]
    fn a_batch_is_performed_in_order_and_each_request_has_its_own_result() {
        in_namespace(|mut netlink| {
            let results = netlink.perform_each(|to| {
                for one in addresses(200) {
                    address(to, LO, one, true);
                    if one.address == std::net::IpAddr::from([10, 9, 8, 150]) {
                        // Added twice, and removed once more than added.
                        address(to, LO, one, true);
                        address(to, LO, one, false);
                        address(to, LO, one, false);
                    }
                }
            });
            assert_eq!(results.len(), 203);
            let results = results.iter().enumerate();
            let errors: Vec<_> = results
                .filter_map(|(place, result)| Some((place, result.as_ref().err()?.raw_os_error())))
                .collect();
            assert_eq!(
                errors,
                [(150, Some(libc::EEXIST)), (152, Some(libc::EADDRNOTAVAIL))]
            );
            assert_eq!(count(&mut netlink), 199);
        });
    }

    #[test]
    fn answers_for_which_there_is_no_room_are_asked_for_again() {
        in_namespace(|mut netlink| {
            // The least that the kernel allows: room for a few answers.
            sys::set_option_int(&netlink.fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 1).unwrap();
            let results = netlink.perform_each(|to| {
                for one in addresses(200) {
                    address(to, LO, one, true);
                }
            });
            assert_eq!(results.len(), 200);
            let errors = results.iter().filter_map(|result| result.as_ref().err());
            let errors: Vec<_> = errors.map(io::Error::raw_os_error).collect();
            assert!(!errors.is_empty(), "no answer was lost");
            assert!(
                errors.iter().all(|e| *e == Some(libc::EEXIST)),
                "{errors:?}"
            );
            assert_eq!(count(&mut netlink), 200);
            // One more is answered as usual.
            let again = netlink.perform(|to| address(to, LO, addresses(1).next().unwrap(), false));
            again.unwrap();
        });
    }
}
