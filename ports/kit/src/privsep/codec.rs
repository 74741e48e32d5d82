//! Requests and messages as octets. The process with the rights reads what the other one wrote,
//! which may be anything.

use std::io;
use std::net::IpAddr;

use vrrp_core::{Failure, Family, InterfaceState, MacAddr, MacMode, VirtualAddress, VrKey, Vrid};

use super::{Link, LinkRole, MAX_DATAGRAM, Message, Place, Request, Unicast};
use vrrp_host::{
    HostIf, MAX_ADDRESSES, MAX_ROUTING, PlatformError, PlatformWarning, RoutingItem, Subject,
    VrSetup,
};

/// The longest name of an interface, with room to spare.
const MAX_NAME: usize = 255;
/// The longest text of an error; what is longer is cut.
const MAX_TEXT: usize = 2_000;

impl Request {
    /// Its octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Request::Watch { host_if, name } => w.tag(1).host_if(*host_if).text(name),
            Request::Unwatch { host_if } => w.tag(2).host_if(*host_if),
            Request::Prepare(setup) => w.tag(3).setup(setup),
            Request::Release { key } => w.tag(4).key(*key),
            Request::SetMac { key, mac, on } => w.tag(5).key(*key).mac(*mac).flag(*on),
            Request::SetAddress {
                key,
                address,
                accept,
                on,
            } => w.tag(6).key(*key).address(*address).flag(*accept).flag(*on),
            Request::SetGroup {
                host_if,
                family,
                on,
            } => w.tag(7).host_if(*host_if).family(*family).flag(*on),
            Request::Send(unicast) => w
                .tag(8)
                .key(unicast.key)
                .ip(unicast.to)
                .u16(unicast.ip_offset)
                .u16(unicast.payload_offset)
                .octets(&unicast.frame),
            Request::Flush => w.tag(9),
        };
        w.0
    }

    /// The request that these octets are. `None`: they are none.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut r = Reader::new(octets)?;
        let request = match r.u8()? {
            1 => Request::Watch {
                host_if: r.host_if()?,
                name: r.name()?,
            },
            2 => Request::Unwatch {
                host_if: r.host_if()?,
            },
            3 => Request::Prepare(r.setup()?),
            4 => Request::Release { key: r.key()? },
            5 => Request::SetMac {
                key: r.key()?,
                mac: r.mac()?,
                on: r.flag()?,
            },
            6 => Request::SetAddress {
                key: r.key()?,
                address: r.address()?,
                accept: r.flag()?,
                on: r.flag()?,
            },
            7 => Request::SetGroup {
                host_if: r.host_if()?,
                family: r.family()?,
                on: r.flag()?,
            },
            8 => Request::Send(Unicast {
                key: r.key()?,
                to: r.ip()?,
                ip_offset: r.u16()?,
                payload_offset: r.u16()?,
                frame: r.octets()?.to_vec(),
            }),
            9 => Request::Flush,
            _ => return None,
        };
        r.end(request)
    }
}

impl Message {
    /// Its octets; a descriptor goes beside them.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Message::Done(Ok(())) => w.tag(1),
            Message::Done(Err(error)) => w.tag(2).error(error),
            Message::Interface { host_if, state } => w.tag(3).host_if(*host_if).state(state),
            Message::Lost(Failure::Mac { key }) => w.tag(4).key(*key),
            Message::Lost(Failure::Address { key, address }) => w.tag(5).key(*key).ip(*address),
            Message::Lost(Failure::Group { ifindex, family }) => {
                w.tag(6).u32(*ifindex).family(*family)
            }
            Message::Open(place) => w.tag(7).place(place),
            Message::Close(place) => w.tag(8).place(place),
            Message::Warnings(warnings) => w.tag(9).warnings(warnings),
            Message::ConnectionsReset(more) => w.tag(12).raw(&more.to_ne_bytes()),
            Message::RoutingRestored(more) => w.tag(13).raw(&more.to_ne_bytes()),
            Message::Link { index, link } => w.tag(10).u32(*index).link(link.as_ref()),
            Message::Reached { key, reached } => w.tag(11).key(*key).tag(match reached {
                None => 0,
                Some(false) => 1,
                Some(true) => 2,
            }),
        };
        w.0
    }

    /// The message that these octets are. `None`: they are none.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut r = Reader::new(octets)?;
        let message = match r.u8()? {
            1 => Message::Done(Ok(())),
            2 => Message::Done(Err(r.error()?)),
            3 => Message::Interface {
                host_if: r.host_if()?,
                state: r.state()?,
            },
            4 => Message::Lost(Failure::Mac { key: r.key()? }),
            5 => Message::Lost(Failure::Address {
                key: r.key()?,
                address: r.ip()?,
            }),
            6 => Message::Lost(Failure::Group {
                ifindex: r.u32()?,
                family: r.family()?,
            }),
            7 => Message::Open(r.place()?),
            8 => Message::Close(r.place()?),
            9 => Message::Warnings(r.warnings()?),
            10 => Message::Link {
                index: r.u32()?,
                link: r.link()?,
            },
            11 => Message::Reached {
                key: r.key()?,
                reached: match r.u8()? {
                    0 => None,
                    1 => Some(false),
                    2 => Some(true),
                    _ => return None,
                },
            },
            12 => Message::ConnectionsReset(r.u64()?),
            13 => Message::RoutingRestored(r.u64()?),
            _ => return None,
        };
        r.end(message)
    }
}

/// Numbers are in the order of the machine: both ends are on one.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn raw(&mut self, octets: &[u8]) -> &mut Self {
        self.0.extend_from_slice(octets);
        self
    }

    fn tag(&mut self, tag: u8) -> &mut Self {
        self.raw(&[tag])
    }

    fn flag(&mut self, flag: bool) -> &mut Self {
        self.raw(&[u8::from(flag)])
    }

    fn u16(&mut self, number: u16) -> &mut Self {
        self.raw(&number.to_ne_bytes())
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.raw(&number.to_ne_bytes())
    }

    fn octets(&mut self, octets: &[u8]) -> &mut Self {
        self.u32(octets.len() as u32).raw(octets)
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.octets(text.as_bytes())
    }

    fn maybe(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.tag(1).text(text),
            None => self.tag(0),
        }
    }

    fn family(&mut self, family: Family) -> &mut Self {
        self.tag(match family {
            Family::Ipv4 => 4,
            Family::Ipv6 => 6,
        })
    }

    fn host_if(&mut self, host_if: HostIf) -> &mut Self {
        self.u32(host_if.number())
    }

    fn key(&mut self, key: VrKey) -> &mut Self {
        self.host_if(HostIf::of(key))
            .tag(key.vrid.get())
            .family(key.family)
    }

    fn mac(&mut self, mac: MacAddr) -> &mut Self {
        self.raw(&mac.0)
    }

    fn ip(&mut self, ip: IpAddr) -> &mut Self {
        match ip {
            IpAddr::V4(ip) => self.tag(4).raw(&ip.octets()),
            IpAddr::V6(ip) => self.tag(6).raw(&ip.octets()),
        }
    }

    fn address(&mut self, address: VirtualAddress) -> &mut Self {
        self.ip(address.address).tag(address.prefix_len)
    }

    fn setup(&mut self, setup: &VrSetup) -> &mut Self {
        self.key(setup.key)
            .flag(setup.mac_mode == MacMode::Virtual)
            .flag(setup.replace_mac)
            .flag(setup.accept)
            .flag(setup.silent)
            .flag(setup.reset_connections)
            .flag(setup.unicast)
            .maybe_ip(setup.group)
            .maybe_ip(setup.source)
            .placed(&setup.addresses)
            .placed(&setup.followers);
        self.u32(setup.routing.len() as u32);
        for item in &setup.routing {
            self.text(&item.to_string());
        }
        self
    }

    fn placed(&mut self, addresses: &[(VirtualAddress, Option<String>)]) -> &mut Self {
        self.u32(addresses.len() as u32);
        for (address, interface) in addresses {
            self.address(*address).maybe(interface.as_deref());
        }
        self
    }

    fn state(&mut self, state: &InterfaceState) -> &mut Self {
        self.flag(state.up).mac(state.mac);
        self.maybe_ip(state.ipv4.map(IpAddr::V4))
            .maybe_ip(state.ipv6.map(IpAddr::V6))
    }

    fn maybe_ip(&mut self, ip: Option<IpAddr>) -> &mut Self {
        match ip {
            Some(ip) => self.ip(ip),
            None => self.tag(0),
        }
    }

    fn warnings(&mut self, warnings: &[PlatformWarning]) -> &mut Self {
        self.u32(warnings.len() as u32);
        for warning in warnings {
            match warning.subject {
                Subject::Host => self.tag(0),
                Subject::Interface(host_if) => self.tag(1).host_if(host_if),
                Subject::VirtualRouter(key) => self.tag(2).key(key),
            };
            self.text(cut(&warning.text));
        }
        self
    }

    fn place(&mut self, place: &Place) -> &mut Self {
        match place {
            Place::Interface(host_if, number) => self.tag(1).host_if(*host_if).tag(*number),
            Place::Carrier(key, name) => self.tag(2).key(*key).text(name),
        }
    }

    fn link(&mut self, link: Option<&Link>) -> &mut Self {
        let Some(link) = link else {
            return self.tag(0);
        };
        match &link.role {
            LinkRole::Other => self.tag(1),
            LinkRole::Interface(host_if) => self.tag(2).host_if(*host_if),
            LinkRole::Carrier(key, name) => self.tag(3).key(*key).text(name),
        }
        .mac(link.mac)
    }

    /// The number of the operating system, or what is known instead.
    fn error(&mut self, error: &PlatformError) -> &mut Self {
        let denied = error.error.kind() == io::ErrorKind::PermissionDenied;
        self.text(cut(&error.what))
            .flag(denied)
            .u32(error.error.raw_os_error().unwrap_or(0) as u32)
            .text(cut(&error.error.to_string()))
    }
}

/// The most octets that a warning takes.
pub(super) fn warning_len(warning: &PlatformWarning) -> usize {
    16 + cut(&warning.text).len()
}

fn cut(text: &str) -> &str {
    let mut ends = (0..=text.len().min(MAX_TEXT)).rev();
    let end = ends.find(|&at| text.is_char_boundary(at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn new(octets: &'a [u8]) -> Option<Self> {
        (octets.len() <= MAX_DATAGRAM).then_some(Self(octets))
    }

    /// Nothing may follow.
    fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_ne_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn octets(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.octets()?.to_vec()).ok()
    }

    fn name(&mut self) -> Option<String> {
        self.text().filter(|name| name.len() <= MAX_NAME)
    }

    fn family(&mut self) -> Option<Family> {
        match self.u8()? {
            4 => Some(Family::Ipv4),
            6 => Some(Family::Ipv6),
            _ => None,
        }
    }

    fn host_if(&mut self) -> Option<HostIf> {
        self.u32().map(HostIf::new)
    }

    fn key(&mut self) -> Option<VrKey> {
        let host_if = self.host_if()?;
        let vrid = Vrid::new(self.u8()?)?;
        Some(host_if.key(vrid, self.family()?))
    }

    fn mac(&mut self) -> Option<MacAddr> {
        self.array().map(MacAddr)
    }

    /// `Some(None)`: none.
    fn maybe_ip(&mut self) -> Option<Option<IpAddr>> {
        Some(match self.u8()? {
            0 => None,
            4 => Some(IpAddr::from(self.array::<4>()?)),
            6 => Some(IpAddr::from(self.array::<16>()?)),
            _ => return None,
        })
    }

    fn ip(&mut self) -> Option<IpAddr> {
        self.maybe_ip()?
    }

    fn address(&mut self) -> Option<VirtualAddress> {
        Some(VirtualAddress {
            address: self.ip()?,
            prefix_len: self.u8()?,
        })
    }

    fn setup(&mut self) -> Option<VrSetup> {
        let key = self.key()?;
        let mac_mode = match self.flag()? {
            true => MacMode::Virtual,
            false => MacMode::Interface,
        };
        let (replace_mac, accept) = (self.flag()?, self.flag()?);
        let (silent, reset_connections, unicast) = (self.flag()?, self.flag()?, self.flag()?);
        let (group, source) = (self.maybe_ip()?, self.maybe_ip()?);
        let (addresses, followers) = (self.placed()?, self.placed()?);
        let count = self.u32()? as usize;
        if count > MAX_ROUTING {
            return None;
        }
        let mut routing: Vec<RoutingItem> = Vec::new();
        for _ in 0..count {
            routing.push(self.text()?.parse().ok()?);
        }
        Some(VrSetup {
            key,
            mac_mode,
            replace_mac,
            accept,
            silent,
            group,
            reset_connections,
            addresses,
            followers,
            unicast,
            source,
            routing,
        })
    }

    fn placed(&mut self) -> Option<Vec<(VirtualAddress, Option<String>)>> {
        let count = self.u32()? as usize;
        if count > MAX_ADDRESSES {
            return None;
        }
        let mut addresses = Vec::new();
        for _ in 0..count {
            let address = self.address()?;
            let interface = match self.flag()? {
                true => Some(self.name()?),
                false => None,
            };
            addresses.push((address, interface));
        }
        Some(addresses)
    }

    fn state(&mut self) -> Option<InterfaceState> {
        let (up, mac) = (self.flag()?, self.mac()?);
        let ipv4 = match self.maybe_ip()? {
            None => None,
            Some(IpAddr::V4(ip)) => Some(ip),
            Some(IpAddr::V6(_)) => return None,
        };
        let ipv6 = match self.maybe_ip()? {
            None => None,
            Some(IpAddr::V6(ip)) => Some(ip),
            Some(IpAddr::V4(_)) => return None,
        };
        Some(InterfaceState {
            up,
            mac,
            ipv4,
            ipv6,
        })
    }

    fn warnings(&mut self) -> Option<Vec<PlatformWarning>> {
        let mut warnings = Vec::new();
        for _ in 0..self.u32()? {
            let subject = match self.u8()? {
                0 => Subject::Host,
                1 => Subject::Interface(self.host_if()?),
                2 => Subject::VirtualRouter(self.key()?),
                _ => return None,
            };
            let text = self.text().filter(|text| text.len() <= MAX_TEXT)?;
            warnings.push(PlatformWarning { subject, text });
        }
        Some(warnings)
    }

    fn place(&mut self) -> Option<Place> {
        match self.u8()? {
            1 => Some(Place::Interface(self.host_if()?, self.u8()?)),
            2 => Some(Place::Carrier(self.key()?, self.name()?)),
            _ => None,
        }
    }

    /// `Some(None)`: it is gone.
    fn link(&mut self) -> Option<Option<Link>> {
        let role = match self.u8()? {
            0 => return Some(None),
            1 => LinkRole::Other,
            2 => LinkRole::Interface(self.host_if()?),
            3 => LinkRole::Carrier(self.key()?, self.name()?),
            _ => return None,
        };
        let mac = self.mac()?;
        Some(Some(Link { mac, role }))
    }

    fn error(&mut self) -> Option<PlatformError> {
        let what = self.text()?;
        let (denied, number, text) = (self.flag()?, self.u32()?, self.text()?);
        let error = match (number, denied) {
            (0, true) => io::Error::new(io::ErrorKind::PermissionDenied, text),
            (0, false) => io::Error::other(text),
            (number, _) => io::Error::from_raw_os_error(number as i32),
        };
        Some(PlatformError { what, error })
    }
}
