//! From the host that a check names to addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

use vrrp_config::Place;

use crate::sys;

/// Addresses of a name that are tried, one after the other.
const MOST_TRIED: usize = 4;

/// The addresses to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    /// Each of them has to pass.
    All(Vec<SocketAddr>),
    /// One of them has to pass, and each has its share of the time.
    Any(Vec<SocketAddr>),
    /// The second counts where the first says at once that it is not there.
    Either([SocketAddr; 2]),
    /// There is nobody to ask here, and nothing is wrong.
    Elsewhere,
}

/// Finds the addresses of a place. An error says in words why there is none.
pub(crate) async fn find(place: &Place, port: u16) -> Result<Targets, String> {
    let at = |ip: IpAddr| SocketAddr::new(ip, port);
    Ok(match place {
        Place::Address(ip) => Targets::All(vec![at(*ip)]),
        Place::Localhost => Targets::Either([
            at(Ipv4Addr::LOCALHOST.into()),
            at(Ipv6Addr::LOCALHOST.into()),
        ]),
        Place::Name(name) => {
            let found = tokio::net::lookup_host((name.as_str(), port)).await;
            let found = found.map_err(|error| format!("{name} has no address: {error}"))?;
            let found: Vec<SocketAddr> = found.take(MOST_TRIED).collect();
            if found.is_empty() {
                return Err(format!("{name} has no address"));
            }
            Targets::Any(found)
        }
        Place::Own { of, except } => Targets::All(own(of, except, port)?),
        Place::Virtual(addresses) => {
            let here = addresses.iter().copied().filter(|ip| is_here(*ip));
            let here: Vec<SocketAddr> = here.map(at).collect();
            match here.is_empty() {
                true => Targets::Elsewhere,
                false => Targets::All(here),
            }
        }
    })
}

/// Whether this host has an address: the kernel would send to it from itself.
fn is_here(ip: IpAddr) -> bool {
    let unspecified: SocketAddr = match ip {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // A UDP socket is connected without a packet.
    let from = UdpSocket::bind(unspecified).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == ip)
}

fn own(of: &[(String, bool)], except: &[IpAddr], port: u16) -> Result<Vec<SocketAddr>, String> {
    let addresses = sys::interface_addresses();
    let addresses = addresses.map_err(|error| format!("addresses cannot be listed: {error}"))?;
    let mut found = Vec::new();
    for (interface, ipv6) in of {
        let here = addresses.iter().filter(|(name, at)| {
            name == interface && at.is_ipv6() == *ipv6 && !except.contains(&at.ip())
        });
        let mut here: Vec<SocketAddr> = here.map(|(_, at)| *at).collect();
        // One that is known beyond its link is what clients use.
        here.sort_by_key(is_link_local);
        let Some(first) = here.first() else {
            let family = if *ipv6 { "IPv6" } else { "IPv4" };
            return Err(format!("{interface} has no {family} address of its own"));
        };
        let mut first = *first;
        first.set_port(port);
        if !found.contains(&first) {
            found.push(first);
        }
    }
    match found.is_empty() {
        true => Err("no virtual router names this check, so `self` is nobody".to_owned()),
        false => Ok(found),
    }
}

fn is_link_local(at: &SocketAddr) -> bool {
    matches!(at, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local())
}

/// An address with the zone that a link-local one needs.
pub(crate) fn zoned(ip: Ipv6Addr, zone: u32) -> SocketAddr {
    let zone = if ip.is_unicast_link_local() { zone } else { 0 };
    SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_its_own_addresses_and_no_others() {
        assert!(is_here(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_here([192, 0, 2, 1].into()));
    }
}
