//! The kernel's messages about interfaces and addresses: the list that sysctl(3) gives, and the
//! messages of a routing socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_core::MacAddr;
use vrrp_port_kit::KernelIf;

use crate::abi::*;
use crate::request::{read_u16, read_u32};

/// An interface, as a list tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: KernelIf,
    pub(crate) name: String,
    pub(crate) flags: u32,
    pub(crate) kind: u8,
    pub(crate) link_state: u8,
    pub(crate) mtu: u32,
    /// All zeros when it has none.
    pub(crate) mac: MacAddr,
}

impl Link {
    /// An interface of which nothing but its index is known.
    pub(crate) fn new(index: KernelIf) -> Self {
        Self {
            index,
            name: String::new(),
            flags: 0,
            kind: 0,
            link_state: 0,
            mtu: 0,
            mac: MacAddr::default(),
        }
    }
}

/// An address of an interface, as a list tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) index: KernelIf,
    pub(crate) address: IpAddr,
    pub(crate) prefix_len: u8,
    /// The virtual host of carp(4) that it belongs to; 0: none.
    pub(crate) vhid: u8,
}

/// An entry of the list of interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Link(Link),
    Address(Address),
}

/// A message of a routing socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Something about interfaces or addresses has changed.
    Changed,
    /// An interface went, or has another name. Its number may belong to another already.
    Gone(KernelIf),
    /// A route came or went: the only word of an address that went while another of its subnet
    /// stays.
    Route,
    /// Something else.
    Other,
}

/// The messages in a buffer, each as long as it says. Ends at the first that makes no sense.
fn messages(mut buffer: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let len = usize::from(read_u16(buffer, RTM_MSGLEN));
        if len <= RTM_TYPE {
            return None;
        }
        let (message, rest) = buffer.split_at_checked(len)?;
        buffer = rest;
        Some(message)
    })
}

/// The list that `NET_RT_IFLISTL` gives.
pub(crate) fn list(buffer: &[u8]) -> impl Iterator<Item = Item> {
    messages(buffer)
        .filter(|m| m.get(RTM_MSG_VERSION) == Some(&RTM_VERSION))
        .filter_map(|message| match *message.get(RTM_TYPE)? {
            RTM_IFINFO => link(message).map(Item::Link),
            RTM_NEWADDR => address(message).map(Item::Address),
            _ => None,
        })
}

/// The messages that one read(2) of a routing socket gave.
pub(crate) fn notices(buffer: &[u8]) -> impl Iterator<Item = Notice> {
    messages(buffer).map(|message| match message.get(RTM_TYPE) {
        Some(&RTM_IFANNOUNCE) if read_u16(message, IFAN_WHAT) == IFAN_DEPARTURE => {
            index(message, IFAN_INDEX).map_or(Notice::Other, Notice::Gone)
        }
        Some(&(RTM_IFINFO | RTM_NEWADDR | RTM_DELADDR | RTM_IFANNOUNCE)) => Notice::Changed,
        Some(&(RTM_ADD | RTM_DELETE)) => Notice::Route,
        _ => Notice::Other,
    })
}

/// The index of an interface at a place in a message.
fn index(message: &[u8], at: usize) -> Option<KernelIf> {
    KernelIf::new(read_u16(message, at).into())
}

fn link(message: &[u8]) -> Option<Link> {
    let data = usize::from(read_u16(message, IFM_DATA_OFF));
    let from = usize::from(read_u16(message, IFM_LEN));
    let mask = read_u32(message, IFM_ADDRS);
    let mut link = Link {
        flags: read_u32(message, IFM_FLAGS),
        kind: *message.get(data + IFI_TYPE)?,
        link_state: *message.get(data + IFI_LINK_STATE)?,
        mtu: read_u32(message, data + IFI_MTU),
        ..Link::new(index(message, IFM_INDEX)?)
    };
    let (_, name) = addresses(message, from, mask).find(|(bit, _)| *bit == RTA_IFP)?;
    (name.get(1) == Some(&AF_LINK)).then_some(())?;
    let name_len = usize::from(*name.get(SDL_NLEN)?);
    let mac_len = usize::from(*name.get(SDL_ALEN)?);
    let text = name.get(SDL_DATA..SDL_DATA + name_len)?;
    link.name = String::from_utf8_lossy(text).into_owned();
    let mac = name.get(SDL_DATA + name_len..SDL_DATA + name_len + mac_len);
    if let Some(mac) = mac.and_then(|octets| octets.try_into().ok()) {
        link.mac = MacAddr(mac);
    }
    Some(link)
}

fn address(message: &[u8]) -> Option<Address> {
    let data = usize::from(read_u16(message, IFAM_DATA_OFF));
    let from = usize::from(read_u16(message, IFAM_LEN));
    let mask = read_u32(message, IFAM_ADDRS);
    let (mut own, mut mask_octets) = (None, None);
    for (bit, octets) in addresses(message, from, mask) {
        match bit {
            RTA_NETMASK => mask_octets = Some(octets),
            RTA_IFA => own = ip(octets),
            _ => {}
        }
    }
    let address = own?;
    let (at, whole) = match address {
        IpAddr::V4(_) => (SIN_ADDR, 32),
        IpAddr::V6(_) => (SIN6_ADDR, 128),
    };
    Some(Address {
        index: index(message, IFAM_INDEX)?,
        address,
        prefix_len: mask_octets.map_or(whole, |octets| mask_len(octets, at)),
        vhid: *message.get(data + IFI_VHID)?,
    })
}

/// The socket addresses behind a header that ends at `from`, each with its bit of `mask`. Each
/// takes up a multiple of a long, and one of no length a long.
fn addresses(message: &[u8], from: usize, mask: u32) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = message.get(from..).unwrap_or_default();
    (0..32)
        .map(|n| 1u32 << n)
        .filter(move |bit| mask & bit != 0)
        .map_while(move |bit| {
            let len = usize::from(*rest.first()?);
            let octets = rest.get(..len)?;
            rest = rest
                .get(len.max(1).next_multiple_of(8)..)
                .unwrap_or_default();
            Some((bit, octets))
        })
}

fn ip(octets: &[u8]) -> Option<IpAddr> {
    match *octets.get(1)? {
        AF_INET => {
            let ip: [u8; 4] = octets.get(SIN_ADDR..SIN_ADDR + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(ip).into())
        }
        AF_INET6 => {
            let mut ip: [u8; 16] = octets.get(SIN6_ADDR..SIN6_ADDR + 16)?.try_into().ok()?;
            if ip[0] == 0xfe && ip[1] & 0xc0 == 0x80 {
                // The kernel's own form of a link-local address has the interface in it.
                ip[2..4].fill(0);
            }
            Some(Ipv6Addr::from(ip).into())
        }
        _ => None,
    }
}

/// The length of the prefix that a mask stands for, whose bits begin at `at`. Its octets end where
/// its ones do, and its family may be missing.
fn mask_len(octets: &[u8], at: usize) -> u8 {
    let ones = octets.iter().skip(at).take(16).map(|o| o.leading_ones());
    ones.sum::<u32>().min(128) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list that `sysctl net.routetable` gives on FreeBSD for an interface with two addresses, laid out
    /// by hand from net/if.h.
    fn golden() -> Vec<u8> {
        let mut out = Vec::new();
        // if_msghdrl: header 24, if_data 152, then a sockaddr_dl of 54 padded to 56.
        let mut link = vec![0; 176];
        link[2..4].copy_from_slice(&[5, 0x0e]);
        link[4..8].copy_from_slice(&0x10u32.to_ne_bytes());
        link[8..12].copy_from_slice(&0x8843u32.to_ne_bytes());
        link[12..14].copy_from_slice(&3u16.to_ne_bytes());
        link[16..18].copy_from_slice(&176u16.to_ne_bytes());
        link[18..20].copy_from_slice(&24u16.to_ne_bytes());
        link[24..30].copy_from_slice(&[6, 0, 6, 18, 2, 0]);
        link[32..36].copy_from_slice(&1500u32.to_ne_bytes());
        let mut name = vec![54, 18, 3, 0, 6, 3, 6, 0];
        name.extend(b"em0");
        name.extend([2, 0, 0, 0, 0, 1]);
        name.resize(56, 0);
        link.extend(name);
        push(&mut out, link);
        push(
            &mut out,
            addr(0, &[7, 0, 0, 0, 255, 255, 255], &[16, 2, 0, 0, 10, 0, 0, 2]),
        );
        push(&mut out, addr(9, &[0], &[16, 2, 0, 0, 10, 0, 0, 80]));
        let mut v6 = vec![28, 28, 0, 0, 0, 0, 0, 0, 0xfe, 0x80, 0, 3];
        v6.resize(23, 0);
        v6.push(1);
        v6.resize(28, 0);
        let mut mask = vec![28, 0, 0, 0, 0, 0, 0, 0];
        mask.resize(16, 255);
        mask.resize(28, 0);
        push(&mut out, addr(0, &mask, &v6));
        out
    }

    fn addr(vhid: u8, mask: &[u8], ip: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 176];
        message[2..4].copy_from_slice(&[5, 0x0c]);
        message[4..8].copy_from_slice(&0x24u32.to_ne_bytes());
        message[12..14].copy_from_slice(&3u16.to_ne_bytes());
        message[16..18].copy_from_slice(&176u16.to_ne_bytes());
        message[18..20].copy_from_slice(&24u16.to_ne_bytes());
        message[29] = vhid;
        for octets in [mask, ip] {
            let len = usize::from(octets[0]).max(1);
            message.extend(octets);
            let padded = message.len() - octets.len() + len.next_multiple_of(8);
            message.resize(padded, 0);
        }
        message
    }

    fn push(out: &mut Vec<u8>, mut message: Vec<u8>) {
        let len = (message.len() as u16).to_ne_bytes();
        message[..2].copy_from_slice(&len);
        out.extend(message);
    }

    #[test]
    fn links_and_addresses_are_read() {
        let items: Vec<Item> = list(&golden()).collect();
        let address = |ip: &str, prefix_len, vhid| {
            Item::Address(Address {
                index: KernelIf::new(3).unwrap(),
                address: ip.parse().unwrap(),
                prefix_len,
                vhid,
            })
        };
        let link = Link {
            index: KernelIf::new(3).unwrap(),
            name: "em0".into(),
            flags: 0x8843,
            kind: 6,
            link_state: 2,
            mtu: 1500,
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
        };
        let wanted = [
            Item::Link(link),
            address("10.0.0.2", 24, 0),
            address("10.0.0.80", 0, 9),
            address("fe80::1", 64, 0),
        ];
        assert_eq!(items, wanted);
    }

    #[test]
    fn notices_say_whether_to_look() {
        let mut buffer = Vec::new();
        for kind in [0x0e, 0x0c, 0x0d, 0x11, 0x01, 0x0f] {
            push(&mut buffer, vec![0, 0, 5, kind, 0, 0, 0, 0]);
        }
        let mut gone = vec![0, 0, 5, 0x11, 7, 0];
        gone.resize(22, 0);
        gone.extend([1, 0]);
        push(&mut buffer, gone);
        let found: Vec<Notice> = notices(&buffer).collect();
        let mut wanted = vec![Notice::Changed; 4];
        wanted.extend([
            Notice::Route,
            Notice::Other,
            Notice::Gone(KernelIf::new(7).unwrap()),
        ]);
        assert_eq!(found, wanted);
    }

    #[test]
    fn whatever_the_kernel_says_is_survived() {
        let golden = golden();
        let mut seed = 7u64;
        for _ in 0..50_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut broken = golden.clone();
            for step in 0..4 {
                let at = (seed >> (step * 8)) as usize % broken.len();
                broken[at] = (seed >> 32) as u8;
            }
            broken.truncate((seed >> 20) as usize % (golden.len() + 1));
            assert!(list(&broken).count() <= broken.len() / 4);
            assert!(notices(&broken).count() <= broken.len() / 4);
        }
    }
}
