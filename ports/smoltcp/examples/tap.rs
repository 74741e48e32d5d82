//! A host whose network stack is smoltcp, on a tap device. It shares addresses with other routers of
//! VRRP, and serves them: an echo that appends its name (UDP, port 7) and a page that names it (TCP,
//! port 80). The tests run it against daemons; see `tests/lab/tests/smoltcp.rs`.
//!
//! ```text
//! tap DEVICE NAME MAC OWN-IPV4 OWN-IPV6 VRID PRIORITY INTERVAL-CS ADDRESS...
//! ```
//!
//! The addresses are of one family, OWN-IPV6 is link-local, and the prefixes are /24 and /64.

use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::str::FromStr;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Medium, TunTapInterface, wait};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr};
use vrrp_smoltcp::vrrp_core::{
    AdvertInterval, Family, Priority, VirtualAddress, VrConfig, VrSettings, Vrid,
};
use vrrp_smoltcp::{GateKey, Vrrp};

const WHO_PORT: u16 = 7;
const HTTP_PORT: u16 = 80;

/// The prefix lengths of the segment.
const V4_LEN: u8 = 24;
const V6_LEN: u8 = 64;

/// One virtual router, with as many addresses as the `Interface` has room for beside its own.
type Device = Vrrp<TunTapInterface, 1, 6>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = Words(std::env::args().skip(1));
    let tap = TunTapInterface::new(&words.next::<String>()?, Medium::Ethernet)?;
    let fd = tap.as_raw_fd();
    let name: String = words.next()?;
    let mac: EthernetAddress = words.next::<String>()?.parse().map_err(|()| "not a MAC")?;
    let own: [IpCidr; 2] = [
        IpCidr::new(words.next::<Ipv4Addr>()?.into(), V4_LEN),
        IpCidr::new(words.next::<Ipv6Addr>()?.into(), V6_LEN),
    ];

    let mut device = Device::new(tap, mac_seed(mac));
    let mut iface = Interface::new(Config::new(mac.into()), &mut device, Instant::now());
    iface.update_ip_addrs(|addresses| addresses.extend(own));
    let key = insert(&mut device, &mut words)?;

    let mut sockets = SocketSet::new(Vec::new());
    let who = sockets.add(who_socket()?);
    let web = sockets.add(web_socket());
    let mut state = None;
    loop {
        let now = Instant::now();
        device.poll(now, &mut iface, &mut sockets);
        echo(sockets.get_mut(who), &name);
        serve(&mut sockets, web, &name)?;
        let status = device.status(key).map(|status| status.state);
        if state != status {
            state = status;
            writeln!(std::io::stdout(), "{state:?}")?;
        }
        let now = Instant::now();
        let at = device.poll_at(now, &mut iface, &sockets);
        wait(fd, at.map(|at| at - now.min(at)))?;
    }
}

/// The words of the command line, one after the other.
struct Words<I>(I);

impl<I: Iterator<Item = String>> Words<I> {
    fn next<T: FromStr<Err: Error + 'static>>(&mut self) -> Result<T, Box<dyn Error>> {
        let word = self.0.next().ok_or("too few words: see the source")?;
        Ok(word.parse()?)
    }
}

/// Differs from host to host.
fn mac_seed(mac: EthernetAddress) -> u64 {
    mac.0
        .iter()
        .fold(0, |seed, octet| seed << 8 | u64::from(*octet))
}

/// Adds the virtual router that the rest of the words tell of.
fn insert(
    device: &mut Device,
    words: &mut Words<impl Iterator<Item = String>>,
) -> Result<GateKey, Box<dyn Error>> {
    let vrid = Vrid::new(words.next()?).ok_or("VRID 1 to 255")?;
    let priority = Priority::new(words.next()?).ok_or("priority 1 to 255")?;
    let advert_interval = AdvertInterval::from_centis(words.next()?).ok_or("interval 1 to 4095")?;
    let mut addresses = vec![virtual_address(words.next()?)];
    for word in &mut words.0 {
        addresses.push(virtual_address(word.parse()?));
    }
    let key = GateKey::new(vrid, Family::of(addresses[0].address));
    let config = VrConfig {
        settings: VrSettings {
            priority,
            advert_interval,
            accept: true,
            ..VrSettings::DEFAULT
        },
        addresses: &addresses,
        ..VrConfig::DEFAULT
    };
    device.admin(Instant::now()).insert(key, &config)?;
    Ok(key)
}

fn virtual_address(address: IpAddr) -> VirtualAddress {
    let prefix_len = match address {
        IpAddr::V4(_) => V4_LEN,
        IpAddr::V6(_) => V6_LEN,
    };
    VirtualAddress {
        address,
        prefix_len,
    }
}

fn who_socket() -> Result<udp::Socket<'static>, udp::BindError> {
    let room = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 2048]);
    let mut socket = udp::Socket::new(room(), room());
    socket.bind(WHO_PORT)?;
    Ok(socket)
}

fn web_socket() -> tcp::Socket<'static> {
    let room = || tcp::SocketBuffer::new(vec![0; 1024]);
    tcp::Socket::new(room(), room())
}

/// Answers every question that has come, from the address that was asked.
fn echo(socket: &mut udp::Socket<'_>, name: &str) {
    while let Ok((question, from)) = socket.recv() {
        let mut answer = question.to_vec();
        answer.extend(name.as_bytes());
        // Without room it is lost, as a datagram may be.
        let _ = socket.send_slice(&answer, from);
    }
}

/// Serves the page to one client after the other.
fn serve(
    sockets: &mut SocketSet<'_>,
    handle: SocketHandle,
    name: &str,
) -> Result<(), tcp::ListenError> {
    let socket: &mut tcp::Socket<'_> = sockets.get_mut(handle);
    if !socket.is_open() {
        socket.listen(HTTP_PORT)?;
    }
    let ended = |octets: &mut [u8]| (octets.len(), octets.ends_with(b"\r\n\r\n"));
    if socket.can_recv() && socket.recv(ended) == Ok(true) {
        let page = format!("HTTP/1.0 200 OK\r\n\r\nhello from {name}");
        // An empty buffer has room for it.
        let _ = socket.send_slice(page.as_bytes());
        socket.close();
    }
    Ok(())
}
