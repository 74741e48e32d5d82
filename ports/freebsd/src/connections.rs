//! TCP connections as the sysctls net.inet.tcp.pcblist and net.inet.tcp.drop have them, as octets: all that
//! there are, and one that is to be reset.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::abi::*;
use crate::request::sockaddr;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// Reads the octets of net.inet.tcp.pcblist: a struct xinpgen, a struct xtcpcb for each connection, and another
/// struct xinpgen, each of which begins with its own length. Sockets that listen are left out.
pub(crate) fn list(octets: &[u8]) -> Vec<Connection> {
    let mut found = Vec::new();
    let mut rest = octets;
    let mut is_first = true;
    while let Some(len) = rest.first_chunk::<8>() {
        let Ok(len) = usize::try_from(u64::from_ne_bytes(*len)) else {
            break;
        };
        // A length of nothing would be read for ever.
        let Some((one, after)) = rest.split_at_checked(len).filter(|_| len > 0) else {
            break;
        };
        if !is_first {
            if len <= XINPGEN_LEN {
                break;
            }
            found.extend(read(one));
        }
        is_first = false;
        rest = after;
    }
    found
}

/// Reads a struct xtcpcb. Later versions of it are longer, with the same beginning.
fn read(one: &[u8]) -> Option<Connection> {
    let port = |at: usize| {
        let octets = one.get(at..)?.first_chunk()?;
        Some(u16::from_be_bytes(*octets))
    };
    let is_ipv6 = one.get(XTCPCB_FLAGS)? & INC_ISIPV6 != 0;
    let address = |at: usize, at_ipv4: usize| -> Option<IpAddr> {
        Some(if is_ipv6 {
            let octets: [u8; 16] = *one.get(at..)?.first_chunk()?;
            Ipv6Addr::from(octets).into()
        } else {
            let octets: [u8; 4] = *one.get(at_ipv4..)?.first_chunk()?;
            Ipv4Addr::from(octets).into()
        })
    };
    let local = address(XTCPCB_LADDR, XTCPCB_LADDR_V4)?;
    let remote = address(XTCPCB_FADDR, XTCPCB_FADDR_V4)?;
    let (local_port, remote_port) = (port(XTCPCB_LPORT)?, port(XTCPCB_FPORT)?);
    (remote_port != 0).then(|| Connection {
        local: (local, local_port).into(),
        remote: (remote, remote_port).into(),
    })
}

/// Returns what net.inet.tcp.drop is set to in order to reset a connection: two struct sockaddr_storage, the
/// remote end first. A link-local address has its zone inside, as the kernel has listed it.
pub(crate) fn drop_request(connection: &Connection) -> [u8; 2 * SOCKADDR_STORAGE_LEN] {
    let mut request = [0; 2 * SOCKADDR_STORAGE_LEN];
    let ends = [connection.remote, connection.local];
    for (end, place) in ends.iter().zip(request.chunks_mut(SOCKADDR_STORAGE_LEN)) {
        let mut address = sockaddr(end.ip(), None);
        if let Some(port) = address.get_mut(SIN_PORT..SIN_PORT + 2) {
            port.copy_from_slice(&end.port().to_be_bytes());
        }
        if let Some(place) = place.get_mut(..address.len()) {
            place.copy_from_slice(&address);
        }
    }
    request
}

#[cfg(target_os = "freebsd")]
mod system {
    use std::io;
    use std::thread::JoinHandle;

    use vrrp_port_kit::{GivenUp, ResetConnections};

    use super::*;
    use crate::sys;

    /// A connection that is made while the kernel lists others is found by the next list, of which there are at
    /// most so many.
    const ROUNDS: usize = 4;

    /// Resets connections by net.inet.tcp.drop.
    #[derive(Debug)]
    pub(crate) struct Drops;

    impl ResetConnections for Drops {
        fn reset(&mut self, addresses: &[GivenUp], ended: &dyn Fn() -> bool) -> io::Result<u64> {
            let is_meant = |connection: &Connection| {
                addresses.iter().any(|given_up| {
                    connection.local.ip() == given_up.address
                        && !(given_up.stays && connection.remote.ip() == given_up.address)
                })
            };
            let mut count = 0;
            for _ in 0..ROUNDS {
                let mut all = list(&sys::sysctl_octets(c"net.inet.tcp.pcblist")?);
                all.retain(is_meant);
                let before = count;
                for connection in &all {
                    if ended() {
                        return Ok(count);
                    }
                    match sys::set_sysctl_octets(c"net.inet.tcp.drop", &drop_request(connection)) {
                        Ok(()) => count += 1,
                        // It is gone.
                        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                        Err(error) => return Err(error),
                    }
                }
                if count == before {
                    break;
                }
            }
            Ok(count)
        }
    }

    /// Starts the thread that resets connections.
    pub(crate) fn spawn(work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
        let builder = std::thread::Builder::new().name("resets".into());
        sys::without_signals(|| builder.spawn(work))
    }
}

#[cfg(target_os = "freebsd")]
pub(crate) use system::{Drops, spawn};

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of a struct xtcpcb.
    const XTCPCB_LEN: usize = 744;

    fn generation() -> Vec<u8> {
        let mut octets = vec![0x55; XINPGEN_LEN];
        octets[..8].copy_from_slice(&(XINPGEN_LEN as u64).to_ne_bytes());
        octets
    }

    /// A struct xtcpcb of this length.
    fn connection(local: &str, remote: &str, len: usize) -> Vec<u8> {
        let [local, remote]: [SocketAddr; 2] = [local, remote].map(|end| end.parse().unwrap());
        let mut octets = vec![0xaa; len];
        octets[..8].copy_from_slice(&(len as u64).to_ne_bytes());
        octets[XTCPCB_FLAGS] = if local.is_ipv6() { 1 | 2 } else { 2 };
        let mut put = |at: usize, value: &[u8]| octets[at..at + value.len()].copy_from_slice(value);
        for (end, at, at_ipv4, port) in [
            (local, XTCPCB_LADDR, XTCPCB_LADDR_V4, XTCPCB_LPORT),
            (remote, XTCPCB_FADDR, XTCPCB_FADDR_V4, XTCPCB_FPORT),
        ] {
            put(port, &end.port().to_be_bytes());
            match end.ip() {
                IpAddr::V4(ip) => put(at_ipv4, &ip.octets()),
                IpAddr::V6(ip) => put(at, &ip.octets()),
            }
        }
        octets
    }

    fn ends(local: &str, remote: &str) -> Connection {
        Connection {
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
        }
    }

    #[test]
    fn connections_are_listed_without_those_that_listen() {
        let octets = [
            generation(),
            connection("10.0.0.80:22", "10.0.0.5:50000", XTCPCB_LEN),
            connection("0.0.0.0:22", "0.0.0.0:0", XTCPCB_LEN),
            // Of a later kernel.
            connection("[fe80:2::1]:22", "[2001:db8::5]:50001", XTCPCB_LEN + 64),
            generation(),
            b"rest".to_vec(),
        ]
        .concat();
        let expected = [
            ends("10.0.0.80:22", "10.0.0.5:50000"),
            ends("[fe80:2::1]:22", "[2001:db8::5]:50001"),
        ];
        assert_eq!(list(&octets), expected);
    }

    #[test]
    fn any_octets_are_read_to_an_end() {
        let whole = [
            generation(),
            connection("10.0.0.80:22", "10.0.0.5:50000", XTCPCB_LEN),
            generation(),
        ]
        .concat();
        for len in 0..whole.len() {
            let found = list(&whole[..len]);
            assert_eq!(
                found.len(),
                usize::from(len >= XINPGEN_LEN + XTCPCB_LEN),
                "{len}"
            );
        }
        for length in [0, 1, 7, 8, 100, u64::MAX] {
            for at in [0, XINPGEN_LEN] {
                let mut octets = whole.clone();
                octets[at..at + 8].copy_from_slice(&length.to_ne_bytes());
                assert!(list(&octets).len() < 2, "{length} at {at}");
            }
        }
    }

    #[test]
    fn a_connection_is_named_by_its_ends() {
        let request = drop_request(&ends("10.0.0.80:22", "10.0.0.5:50000"));
        assert_eq!(request[..8], [16, 2, 0xc3, 0x50, 10, 0, 0, 5]);
        assert_eq!(request[128..136], [16, 2, 0, 22, 10, 0, 0, 80]);
        let request = drop_request(&ends("[fe80:2::1]:22", "[2001:db8::5]:50001"));
        assert_eq!(request[..4], [28, 28, 0xc3, 0x51]);
        assert_eq!(request[8..12], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(request[128..132], [28, 28, 0, 22]);
        assert_eq!(request[136..140], [0xfe, 0x80, 0, 2]);
        let used = |range: std::ops::Range<usize>| request[range].iter().any(|octet| *octet != 0);
        assert!(!used(28..128) && !used(156..256));
    }
}
