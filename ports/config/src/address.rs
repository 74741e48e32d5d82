//! The addresses, peers and tracked interfaces of a section.

use std::net::IpAddr;

use vrrp_core::{Family, TrackEffect, VirtualAddress, Vrid};
use vrrp_host::{AddressSpec, MAX_ADDRESSES, TrackSpec, Tracked, link_local_of};

use super::diagnostic::found;
use super::keys::Key;
use super::reader::Reader;
use super::values;

/// The addresses of a section, none of them twice.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Those of `addr`, and then those of `extra`.
    pub(super) all: Vec<AddressSpec>,
    /// How many of them are of `extra`.
    pub(super) extra: usize,
    /// Those of `extra` that are of IPv6 where `addr` has IPv4 alone. They follow its virtual router.
    pub(super) followers: Vec<AddressSpec>,
    /// `addr = none`.
    pub(super) none: bool,
}

impl Addresses {
    /// The addresses of a family: of `addr`, and of `extra`.
    pub(super) fn of(&self, family: Family) -> [Vec<AddressSpec>; 2] {
        let (advertised, extra) = self.all.split_at(self.all.len() - self.extra);
        [advertised, extra].map(|list| {
            let list = list.iter();
            let of_family = list.filter(|spec| Family::of(spec.address.address) == family);
            of_family.cloned().collect()
        })
    }
}

/// Reads `addr` and `extra`.
pub(super) fn addresses(reader: &mut Reader<'_, '_>) -> Addresses {
    const NONE: &str = "none";
    let entry = reader.entry(Key::Addr);
    let none = entry.is_some_and(|entry| entry.value.trim_ascii().eq_ignore_ascii_case(NONE));
    let mut all = Vec::new();
    if !none {
        read_addresses(reader, Key::Addr, &mut all);
    }
    let advertised = all.len();
    read_addresses(reader, Key::Extra, &mut all);
    let has = |family| {
        let mut advertised = all.iter().take(advertised);
        advertised.any(|spec| Family::of(spec.address.address) == family)
    };
    let mut followers = Vec::new();
    if has(Family::Ipv4) && !has(Family::Ipv6) {
        let is_v6 = |spec: &AddressSpec| spec.address.address.is_ipv6();
        followers.extend(all.iter().filter(|spec| is_v6(spec)).cloned());
        all.retain(|spec| !is_v6(spec));
    }
    if followers.len() > MAX_ADDRESSES {
        let count = followers.len();
        let message = format!("expected at most {MAX_ADDRESSES} IPv6 addresses, found {count}");
        reader.error(Key::Extra, message);
    }
    let addresses = Addresses {
        extra: all.len() - advertised,
        all,
        followers,
        none,
    };
    if none && reader.entry(Key::Extra).is_some() {
        let message = "expected no further addresses beside `addr = none`; put them into `addr`";
        reader.error(Key::Extra, message);
        return addresses;
    }
    for family in [Family::Ipv4, Family::Ipv6] {
        let [advertised, extra] = addresses.of(family);
        if let Some(first) = extra.first().filter(|_| advertised.is_empty()) {
            let message = format!(
                "expected addresses of the family of `addr`, found `{}`; there is no {family} address in it: put one there, and {family} is elected by itself",
                first.address.address
            );
            reader.error(Key::Extra, message);
        }
    }
    addresses
}

fn read_addresses(reader: &mut Reader<'_, '_>, key: Key, specs: &mut Vec<AddressSpec>) {
    for (address, interface) in reader.items(key, values::virtual_address) {
        let seen = |spec: &AddressSpec| spec.address.address == address.address;
        if specs.iter().any(seen) {
            let message = format!(
                "expected each address once, found `{}` twice",
                address.address
            );
            reader.error(key, message);
            continue;
        }
        if let Some(oddity) = values::odd_address(address) {
            let VirtualAddress {
                address,
                prefix_len,
            } = address;
            reader.warning(key, format!("`{address}/{prefix_len}` {oddity}"));
        }
        specs.push(AddressSpec { address, interface });
    }
}

/// Puts a link-local address first, as VRRPv3 advertises IPv6 (RFC 9568 section 5.2.9): one that is
/// configured, or the one that belongs to the virtual MAC.
pub(super) fn link_local_first(
    reader: &mut Reader<'_, '_>,
    vrid: Vrid,
    addresses: &mut Vec<AddressSpec>,
) {
    match addresses.iter().position(is_link_local) {
        Some(0) => {}
        Some(at) => {
            addresses[..=at].rotate_right(1);
            let first = addresses[0].address.address;
            reader.note(
                Key::Addr,
                format!("`{first}` is advertised first, as VRRPv3 needs of a link-local address"),
            );
        }
        None => {
            let address = VirtualAddress {
                address: IpAddr::V6(link_local_of(vrid)),
                prefix_len: 64,
            };
            reader.note(
                Key::Addr,
                format!(
                    "`{}/64` is added, as VRRPv3 needs a link-local address first",
                    address.address
                ),
            );
            let interface = None;
            addresses.insert(0, AddressSpec { address, interface });
        }
    }
}

/// Reads `peers`. What is returned holds no peer twice.
pub(super) fn peers(reader: &mut Reader<'_, '_>) -> Vec<IpAddr> {
    let mut peers = Vec::new();
    for peer in reader.items(Key::Peers, values::host_address) {
        if peers.contains(&peer) {
            reader.error(
                Key::Peers,
                format!("expected each peer once, found `{peer}` twice"),
            );
        } else {
            peers.push(peer);
        }
    }
    peers
}

/// Judges the peers against the addresses: each family that has the one needs the other, since a
/// family without peers would quietly advertise to the multicast group.
pub(super) fn match_peers(
    reader: &mut Reader<'_, '_>,
    peers: &[IpAddr],
    addresses: &[AddressSpec],
) {
    if peers.is_empty() || addresses.is_empty() {
        return;
    }
    for family in [Family::Ipv4, Family::Ipv6] {
        let peer = peers.iter().find(|p| Family::of(**p) == family);
        let address = addresses
            .iter()
            .map(|a| a.address.address)
            .find(|a| Family::of(*a) == family);
        let message = match (peer, address) {
            (Some(peer), None) => format!(
                "expected peers of the family of the addresses, found `{peer}`; there is no {family} address"
            ),
            (None, Some(address)) => format!(
                "expected an {family} peer too, as there is the address `{address}`, found none"
            ),
            _ => continue,
        };
        reader.error(Key::Peers, message);
        break;
    }
    for peer in peers {
        if addresses.iter().any(|a| a.address.address == *peer) {
            reader.error(
                Key::Peers,
                format!(
                    "expected the address of another router, found the virtual address `{peer}`"
                ),
            );
        }
    }
}

/// Reads `source`: at most one address of each family of the addresses. Without one, advertisements
/// over IPv6 leave from a link-local address, which peers have to know each other by.
pub(super) fn sources(
    reader: &mut Reader<'_, '_>,
    peers: &[IpAddr],
    addresses: &[AddressSpec],
) -> Vec<IpAddr> {
    let link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let mut sources: Vec<IpAddr> = Vec::new();
    for source in reader.items(Key::Source, values::host_address) {
        let family = Family::of(source);
        let other = sources.iter().find(|s| Family::of(**s) == family);
        let of_family = |a: &AddressSpec| Family::of(a.address.address) == family;
        let message = if let Some(other) = other {
            format!("expected one {family} address, found `{other}` and `{source}`")
        } else if !addresses.is_empty() && !addresses.iter().any(of_family) {
            format!(
                "expected an address of the family of the addresses, found `{source}`; there is no {family} address"
            )
        } else if addresses.iter().any(|a| a.address.address == source) {
            format!(
                "expected an address that this host alone has, found the virtual address `{source}`"
            )
        } else if peers.contains(&source) {
            format!("expected an address of this host, found the peer `{source}`")
        } else if source.is_ipv6() && peers.is_empty() && !link_local(source) {
            format!(
                "expected a link-local address, as VRRP without peers needs it in IPv6, found `{source}`"
            )
        } else {
            sources.push(source);
            continue;
        };
        reader.error(Key::Source, message);
    }
    global_peers(reader, peers, link_local);
    sources
}

/// Warns of IPv6 peers that are not link-local (U-6). Beyond a router there are no others.
fn global_peers(
    reader: &mut Reader<'_, '_>,
    peers: &[IpAddr],
    link_local: impl Fn(IpAddr) -> bool,
) {
    let beyond = reader
        .entry(Key::MaxHops)
        .is_some_and(|hops| hops.value != "1");
    let Some(peer) = peers.iter().find(|p| p.is_ipv6() && !link_local(**p)) else {
        return;
    };
    let message = if reader.entry(Key::Source).is_none() {
        format!(
            "`{peer}` is not link-local, but advertisements leave from a link-local address, and a peer takes them only from an address in its own list; choose another with `source`"
        )
    } else if beyond {
        return;
    } else {
        format!(
            "`{peer}` is not link-local: a router on the way can forge what comes from it; list the link-local addresses of peers on the same link"
        )
    };
    reader.warning(Key::Peers, message);
}

/// Reads `group`: at most one of each family of the addresses.
pub(super) fn groups(
    reader: &mut Reader<'_, '_>,
    peers: &[IpAddr],
    addresses: &[AddressSpec],
) -> Vec<IpAddr> {
    let mut groups: Vec<IpAddr> = Vec::new();
    for group in reader.items(Key::Group, multicast) {
        let family = Family::of(group);
        let other = groups.iter().find(|known| Family::of(**known) == family);
        let of_family = |a: &AddressSpec| Family::of(a.address.address) == family;
        let message = if let Some(other) = other {
            format!("expected one {family} group, found `{other}` and `{group}`")
        } else if !addresses.is_empty() && !addresses.iter().any(of_family) {
            format!(
                "expected a group of the family of the addresses, found `{group}`; there is no {family} address"
            )
        } else if !peers.is_empty() {
            format!("expected no group beside `peers`, which are sent to instead, found `{group}`")
        } else {
            groups.push(group);
            continue;
        };
        reader.error(Key::Group, message);
    }
    groups
}

/// A multicast address; in IPv6 of the scope of a link, as the source is.
fn multicast(text: &str) -> Result<IpAddr, String> {
    let group = text.parse().ok().filter(|ip| match ip {
        IpAddr::V4(v4) => v4.is_multicast(),
        IpAddr::V6(v6) => matches!(v6.octets(), [0xff, flags, ..] if flags & 0x0f == 2),
    });
    group.ok_or_else(|| {
        format!(
            "expected a multicast address, 224.0.0.0 to 239.255.255.255 or ff02::, found {}",
            found(text)
        )
    })
}

/// Reads `trackinterface`. What is returned holds no interface twice.
pub(super) fn tracks(reader: &mut Reader<'_, '_>, own: Option<&str>) -> Vec<TrackSpec> {
    let mut tracks: Vec<TrackSpec> = Vec::new();
    for (name, effect) in reader.items(Key::TrackInterface, tracked) {
        if own == Some(name.as_str()) {
            reader.warning(
                Key::TrackInterface,
                format!(
                    "`{name}` is the interface of this virtual router, which is always watched"
                ),
            );
        }
        let what = Tracked::Interface(name.clone());
        if tracks.iter().any(|track| track.what == what) {
            reader.error(
                Key::TrackInterface,
                format!("expected each interface once, found `{name}` twice"),
            );
        } else {
            tracks.push(TrackSpec { what, effect });
        }
    }
    tracks
}

/// `eth1`, `eth1:-50` or `eth1:+20`.
fn tracked(text: &str) -> Result<(String, TrackEffect), String> {
    let Some((name, weight)) = text.split_once(':') else {
        return Ok((values::interface(text)?, TrackEffect::Fault));
    };
    let name = values::interface(name.trim_ascii())?;
    let written = weight.trim_ascii();
    let effect = self::weight(written).ok_or_else(|| {
        format!(
            "expected a weight from -254 to -1 or 1 to 254 after `{name}:`, found {}",
            found(written)
        )
    })?;
    Ok((name, effect))
}

/// A weight: `-50` counts while the object is down, `20` and `+20` while it is up.
pub(super) fn weight(text: &str) -> Option<TrackEffect> {
    let (digits, sign) = match text.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (text.strip_prefix('+').unwrap_or(text), 1),
    };
    let number = values::number(digits, 1..=254).ok()?;
    let number = i16::try_from(number).ok()?;
    Some(if sign < 0 {
        TrackEffect::WhileDown(-number)
    } else {
        TrackEffect::WhileUp(number)
    })
}

fn is_link_local(spec: &AddressSpec) -> bool {
    matches!(spec.address.address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_local_address_is_that_of_the_virtual_mac() {
        let vrid = Vrid::new(0x2a).unwrap();
        assert_eq!(link_local_of(vrid).to_string(), "fe80::200:5eff:fe00:22a");
    }

    #[test]
    fn a_tracked_interface_has_a_weight_or_is_a_condition() {
        let table = [
            ("eth1", Ok(("eth1".to_owned(), TrackEffect::Fault))),
            (
                "eth1:-50",
                Ok(("eth1".to_owned(), TrackEffect::WhileDown(-50))),
            ),
            (
                "eth1 : 20",
                Ok(("eth1".to_owned(), TrackEffect::WhileUp(20))),
            ),
            (
                "eth1:+254",
                Ok(("eth1".to_owned(), TrackEffect::WhileUp(254))),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(tracked(text), expected);
        }
        for weight in ["0", "-255", "255", "--1", "", "x"] {
            let expected = format!(
                "expected a weight from -254 to -1 or 1 to 254 after `eth1:`, found {}",
                found(weight)
            );
            assert_eq!(tracked(&format!("eth1:{weight}")), Err(expected));
        }
    }
}
