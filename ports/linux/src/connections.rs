//! Resets TCP connections, with sock_diag(7).

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use vrrp_port_kit::{GivenUp, ResetConnections, explain};

use crate::netlink;
use crate::sys;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_BC_S_COND: u8 = 7;

/// The states of a TCP connection that somebody may wait on, as bits: all but closed, waiting for the
/// end, and listening.
const CONNECTED: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;
/// Octets of a struct inet_diag_sockid.
const ID: usize = 48;
/// Room for one datagram of a dump, which the kernel cuts to 32 KiB or less: some 300 connections.
const ROOM: usize = 64 * 1024;
/// A connection that is made during a dump may be missed by it, and one that is reset may hide another:
/// dumps are repeated while they find any, so often.
const ROUNDS: usize = 8;

/// Connections that are reset with one system call: a fraction of a millisecond.
const BATCH: usize = 64;

/// Lists connections and resets them.
#[derive(Debug)]
pub(crate) struct SockDiag {
    list: OwnedFd,
    reset: OwnedFd,
    room: Vec<u8>,
    out: Vec<u8>,
}

/// A connection, as the kernel names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connection {
    /// AF_INET or AF_INET6. The latter may be of IPv4, with mapped addresses.
    family: u8,
    id: [u8; ID],
}

impl SockDiag {
    /// For the network namespace of the calling thread. Finds out whether the kernel can do it.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = || -> io::Result<OwnedFd> {
            let fd = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_SOCK_DIAG)?;
            // Errors come without a copy of the request that they are about.
            sys::set_option_int(&fd, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1)?;
            Ok(fd)
        };
        let needed = |error| explain(error, "the kernel needs CONFIG_INET_DIAG_DESTROY");
        let mut opened = Self {
            list: socket().map_err(needed)?,
            reset: socket().map_err(needed)?,
            room: vec![0; ROOM],
            out: Vec::new(),
        };
        opened.probe().map_err(needed)?;
        Ok(opened)
    }

    /// Lists connections in no state, and resets one that is not there.
    fn probe(&mut self) -> io::Result<()> {
        let family = libc::AF_INET as u8;
        self.out.clear();
        list_request(&mut self.out, family, 0, None);
        sys::send(&self.list, &self.out)?;
        self.take_list(&mut |_| {})?;
        self.out.clear();
        let nobody = Connection {
            family,
            id: [0; ID],
        };
        reset_request(&mut self.out, &nobody, NLM_F_ACK);
        sys::send(&self.reset, &self.out)?;
        self.take_answers()
    }

    /// Takes what has come as answer to requests for resets. A connection that is gone is no error.
    fn take_answers(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        loop {
            let len = match sys::receive(&self.reset, &mut self.room) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return result,
                // Answers were lost, which is no reason to stop.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => continue,
                Err(error) => return Err(error),
            };
            for message in netlink::messages(self.room.get(..len).unwrap_or_default()) {
                if message.kind == NLMSG_ERROR
                    && let Some(error) = error_of(message.body)
                    && error.raw_os_error() != Some(libc::ENOENT)
                {
                    result = Err(error);
                }
            }
        }
    }

    /// Gives the connections of each datagram of a dump that was asked for.
    fn take_list(&mut self, sink: &mut dyn FnMut(&[Connection])) -> io::Result<()> {
        let mut found = Vec::new();
        loop {
            let len = sys::receive(&self.list, &mut self.room)?;
            let mut done = false;
            for message in netlink::messages(self.room.get(..len).unwrap_or_default()) {
                match message.kind {
                    NLMSG_DONE => done = true,
                    NLMSG_ERROR => return error_of(message.body).map_or(Ok(()), Err),
                    SOCK_DIAG_BY_FAMILY => found.extend(Connection::read(message.body)),
                    _ => {}
                }
            }
            sink(&found);
            found.clear();
            if done {
                return Ok(());
            }
        }
    }

    /// Resets the connections of one local address of sockets of a family. Returns how many.
    fn reset_of(
        &mut self,
        family: u8,
        given_up: &GivenUp,
        ended: &dyn Fn() -> bool,
    ) -> io::Result<u64> {
        let mut count = 0;
        for _ in 0..ROUNDS {
            self.out.clear();
            list_request(&mut self.out, family, CONNECTED, Some(given_up.address));
            sys::send(&self.list, &self.out)?;
            // Resetting while the kernel goes through its table would hide some from it.
            let mut all = Vec::new();
            let is_meant =
                |c: &&Connection| !given_up.stays || c.remote() != Some(given_up.address);
            self.take_list(&mut |found| all.extend(found.iter().filter(is_meant)))?;
            if all.is_empty() {
                break;
            }
            for batch in all.chunks(BATCH) {
                if ended() {
                    return Ok(count);
                }
                self.out.clear();
                for connection in batch {
                    reset_request(&mut self.out, connection, 0);
                }
                sys::send(&self.reset, &self.out)?;
                self.take_answers()?;
                count += batch.len() as u64;
            }
        }
        Ok(count)
    }
}

/// Counts the TCP connections of these local addresses in the network namespace of the calling thread.
/// It may take long.
///
/// # Errors
/// The kernel does not list them.
pub fn count_connections(addresses: &[IpAddr]) -> io::Result<u64> {
    let socket = || sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_SOCK_DIAG);
    let mut diag = SockDiag {
        list: socket()?,
        reset: socket()?,
        room: vec![0; ROOM],
        out: Vec::new(),
    };
    let mut count = 0;
    for &address in addresses {
        // Those of IPv4 may be of sockets for both families.
        let four = address.is_ipv4().then_some(libc::AF_INET);
        for family in four.into_iter().chain([libc::AF_INET6]) {
            diag.out.clear();
            list_request(&mut diag.out, family as u8, CONNECTED, Some(address));
            sys::send(&diag.list, &diag.out)?;
            match diag.take_list(&mut |found| count += found.len() as u64) {
                // A kernel without IPv6.
                Err(error)
                    if family == libc::AF_INET6 && error.raw_os_error() == Some(libc::ENOENT) => {}
                taken => taken?,
            }
        }
    }
    Ok(count)
}

/// Starts the thread that resets connections.
pub(crate) fn spawn(work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    let builder = std::thread::Builder::new().name("resets".into());
    let builder = builder.stack_size(128 * 1024);
    sys::without_signals(|| builder.spawn(work))
}

impl ResetConnections for SockDiag {
    fn reset(&mut self, addresses: &[GivenUp], ended: &dyn Fn() -> bool) -> io::Result<u64> {
        let mut count = 0;
        let mut seen = BTreeSet::new();
        for given_up in addresses.iter().filter(|g| seen.insert(g.address)) {
            if given_up.address.is_ipv4() {
                count += self.reset_of(libc::AF_INET as u8, given_up, ended)?;
            }
            // Those of IPv4 too, of programs that listen to both families with one socket.
            match self.reset_of(libc::AF_INET6 as u8, given_up, ended) {
                Ok(more) => count += more,
                // A kernel without IPv6.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

impl Connection {
    /// Reads a struct inet_diag_msg.
    fn read(body: &[u8]) -> Option<Self> {
        Some(Self {
            family: *body.first()?,
            id: body.get(4..4 + ID)?.try_into().ok()?,
        })
    }

    /// The address of the other end.
    fn remote(&self) -> Option<IpAddr> {
        let octets: [u8; 16] = self.id.get(20..36)?.try_into().ok()?;
        if self.family == libc::AF_INET as u8 {
            let [a, b, c, d, ..] = octets;
            return Some([a, b, c, d].into());
        }
        Some(Ipv6Addr::from(octets).to_canonical())
    }
}

/// The error in the body of an NLMSG_ERROR. `None`: success.
fn error_of(body: &[u8]) -> Option<io::Error> {
    let number = i32::from_ne_bytes(body.get(..4)?.try_into().ok()?);
    (number != 0).then(|| io::Error::from_raw_os_error(number.wrapping_neg()))
}

/// Appends a message with a struct inet_diag_req_v2.
fn message(
    out: &mut Vec<u8>,
    (kind, flags): (u16, u16),
    (family, states): (u8, u32),
    id: &[u8; ID],
    attributes: &[u8],
) {
    let len = (16 + 8 + ID + attributes.len()) as u32;
    out.extend(len.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    out.extend([0; 8]);
    out.extend([family, libc::IPPROTO_TCP as u8, 0, 0]);
    out.extend(states.to_ne_bytes());
    out.extend(id);
    out.extend(attributes);
}

/// Asks for the connections of a family in these states, with this local address.
fn list_request(out: &mut Vec<u8>, family: u8, states: u32, local: Option<IpAddr>) {
    let condition = local.map(filter).unwrap_or_default();
    let kind = (SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    message(out, kind, (family, states), &[0; ID], &condition);
}

/// An attribute with the program that lets connections with a local address pass: one condition, after
/// which the program ends, or jumps beyond its end.
fn filter(local: IpAddr) -> Vec<u8> {
    let (family, octets) = match local {
        IpAddr::V4(ip) => (libc::AF_INET as u8, ip.octets().to_vec()),
        IpAddr::V6(ip) => (libc::AF_INET6 as u8, ip.octets().to_vec()),
    };
    let program = 4 + 8 + octets.len();
    let mut out = Vec::new();
    out.extend(((4 + program) as u16).to_ne_bytes());
    out.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
    // struct inet_diag_bc_op: code, where to go if so, and if not.
    out.extend([INET_DIAG_BC_S_COND, program as u8]);
    out.extend(((program + 4) as u16).to_ne_bytes());
    // struct inet_diag_hostcond: any port.
    out.extend([family, (octets.len() * 8) as u8, 0, 0]);
    out.extend((-1_i32).to_ne_bytes());
    out.extend(octets);
    out
}

/// Asks for a connection to be reset.
fn reset_request(out: &mut Vec<u8>, connection: &Connection, flags: u16) {
    let (kind, family) = ((SOCK_DESTROY, flags), (connection.family, 0));
    message(out, kind, family, &connection.id, &[]);
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::testing::enter_new_namespace;

    fn run(program: &str, arguments: &str) {
        let status = std::process::Command::new(program)
            .args(arguments.split_ascii_whitespace())
            .status()
            .unwrap();
        assert!(status.success(), "{program} {arguments}");
    }

    /// Runs `story` in a network namespace of its own with addresses on lo. Needs root.
    fn in_namespace(story: impl FnOnce() + Send + 'static) {
        let thread = std::thread::spawn(move || {
            enter_new_namespace().expect("the tests of this crate need root");
            run("ip", "link set lo up");
            for address in [
                "10.0.0.1/32",
                "10.0.0.2/32",
                "2001:db8::1/128",
                "2001:db8::2/128",
            ] {
                run("ip", &format!("address add {address} dev lo"));
            }
            // A work queue of the kernel makes the IPv6 addresses usable, and adds their routes.
            await_usable("2001:db8::1");
            await_usable("2001:db8::2");
            story();
        });
        thread.join().unwrap();
    }

    fn await_usable(address: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        let try_it = || UdpSocket::bind((address, 0))?.connect((address, 9));
        while let Err(error) = try_it() {
            assert!(Instant::now() < end, "{address}: {error}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A connection of an address with itself: both ends.
    fn connect(address: &str) -> (TcpStream, TcpStream) {
        accept(&TcpListener::bind((address, 0)).unwrap(), address)
    }

    fn accept(listener: &TcpListener, to: &str) -> (TcpStream, TcpStream) {
        let port = listener.local_addr().unwrap().port();
        // The handshake needs no accept.
        let client = TcpStream::connect((to, port)).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn given_up(address: &str, stays: bool) -> [GivenUp; 1] {
        [GivenUp {
            address: address.parse().unwrap(),
            stays,
        }]
    }

    fn is_reset(stream: &mut TcpStream) -> bool {
        stream.set_nonblocking(true).unwrap();
        let error = stream.read(&mut [0]).map(|_| ErrorKind::Other);
        let error = error.unwrap_or_else(|error| error.kind());
        assert!(
            [
                ErrorKind::WouldBlock,
                ErrorKind::ConnectionReset,
                ErrorKind::ConnectionAborted
            ]
            .contains(&error),
            "{error}"
        );
        error != ErrorKind::WouldBlock
    }

    #[test]
    fn connections_of_the_address_are_reset_and_no_others() {
        in_namespace(|| {
            let mut diag = SockDiag::open().expect("CONFIG_INET_DIAG_DESTROY");
            for (one, other) in [("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")] {
                let mut meant = connect(one);
                let mut another = connect(other);
                let count = diag.reset(&given_up(one, true), &|| false).unwrap();
                assert_eq!(count, 0, "one of the host with itself");
                assert!(!is_reset(&mut meant.0));
                // Both ends are here.
                assert_eq!(count_connections(&[one.parse().unwrap()]).unwrap(), 2);
                let count = diag.reset(&given_up(one, false), &|| false).unwrap();
                assert!((1..=2).contains(&count), "{count}");
                assert!(is_reset(&mut meant.0) && is_reset(&mut meant.1));
                assert!(!is_reset(&mut another.0) && !is_reset(&mut another.1));
                assert_eq!(diag.reset(&given_up(one, false), &|| false).unwrap(), 0);
            }
        });
    }

    #[test]
    fn a_socket_of_both_families_is_reset_for_either() {
        in_namespace(|| {
            let mut diag = SockDiag::open().unwrap();
            let both = TcpListener::bind("[::]:0").unwrap();
            let mut four = accept(&both, "10.0.0.1");
            let mut six = accept(&both, "2001:db8::1");
            diag.reset(&given_up("10.0.0.1", false), &|| false).unwrap();
            assert!(is_reset(&mut four.1) && !is_reset(&mut six.1));
            diag.reset(&given_up("2001:db8::1", false), &|| false)
                .unwrap();
            assert!(is_reset(&mut six.1));
        });
    }

    #[test]
    fn thousands_are_reset_and_an_end_is_heeded() {
        in_namespace(|| {
            let mut diag = SockDiag::open().unwrap();
            let listener = TcpListener::bind("10.0.0.1:0").unwrap();
            let connect = |_| accept(&listener, "10.0.0.1");
            let mut all: Vec<_> = (0..400).map(connect).collect();
            assert_eq!(
                diag.reset(&given_up("10.0.0.1", false), &|| true).unwrap(),
                0
            );
            let began = Instant::now();
            diag.reset(&given_up("10.0.0.1", false), &|| false).unwrap();
            assert!(began.elapsed() < Duration::from_secs(20));
            assert!(
                all.iter_mut()
                    .all(|(client, server)| is_reset(client) && is_reset(server))
            );
        });
    }
}
