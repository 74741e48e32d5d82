//! Hosts and a client on a segment in memory. Time jumps from one deadline to the next.
//!
//! After every poll of a host the frames that it has sent are held against the rules that no story
//! may break: nothing leaves from a virtual MAC unless its virtual router is Active, and nothing that
//! speaks for a virtual address names another MAC than the virtual one.

pub(crate) mod hub;
pub(crate) mod nic;
pub(crate) mod wire;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use hub::{Device, Hub};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::{icmp, tcp, udp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{
    EthernetAddress, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress, IpCidr,
    IpEndpoint,
};
use vrrp_smoltcp::vrrp_core::{
    AdvertInterval, Family, MacAddr, MacMode, Priority, Reason, State, VirtualAddress, VrConfig,
    VrSettings, Vrid,
};
use vrrp_smoltcp::{GateKey, Vrrp};

/// The port of the service that answers with its host's number.
const WHO: u16 = 7;
/// The port of the service that keeps a connection.
pub(crate) const TALK: u16 = 80;
/// The client asks this often.
pub(crate) const EVERY: Duration = Duration::from_millis(10);

/// The driver's function for the filter of its controller.
type SetFilter = fn(&mut Device, &mut dyn Iterator<Item = MacAddr>);
pub(crate) type Middleware = Vrrp<Device, 4, 8, 1514, SetFilter>;

/// A virtual router as all hosts have it.
#[derive(Clone)]
pub(crate) struct Vr {
    pub(crate) vrid: u8,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) config: VrConfig<'static>,
}

impl Vr {
    /// Version 3, an interval of 100 ms, accepting.
    pub(crate) fn new(vrid: u8, addresses: &[&str]) -> Self {
        Self {
            vrid,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            config: VrConfig {
                settings: VrSettings {
                    advert_interval: AdvertInterval::from_centis(10).unwrap(),
                    accept: true,
                    ..VrSettings::DEFAULT
                },
                ..VrConfig::DEFAULT
            },
        }
    }

    pub(crate) fn key(&self) -> GateKey {
        let family = Family::of(self.addresses[0]);
        GateKey::new(Vrid::new(self.vrid).unwrap(), family)
    }
}

pub(crate) struct Host {
    pub(crate) number: u8,
    pub(crate) vrrp: Middleware,
    pub(crate) iface: Interface,
    pub(crate) sockets: SocketSet<'static>,
    who: SocketHandle,
    pub(crate) talk: SocketHandle,
    /// It does nothing for now.
    pub(crate) frozen: bool,
    seen: usize,
}

impl Host {
    pub(crate) fn plug(&self) -> usize {
        self.vrrp.device().plug
    }

    pub(crate) fn state(&self, vr: &Vr) -> State {
        self.vrrp
            .status(vr.key())
            .map_or(State::Initialize, |s| s.state)
    }

    pub(crate) fn has(&self, address: &str) -> bool {
        self.iface
            .has_ip_addr(address.parse::<IpAddress>().unwrap())
    }

    /// The virtual MACs that it may send from.
    fn macs(&self, vrs: &[Vr]) -> BTreeSet<wire::Mac> {
        let serves = |vr: &&Vr| {
            let status = self.vrrp.status(vr.key());
            // A host that could not install an address was Active for a moment, and says that it stops.
            status.is_some_and(|s| {
                let failed = s.reason == Reason::EffectFailed;
                s.state == State::Active || s.handing_over || failed
            })
        };
        let serving = vrs.iter().filter(serves);
        serving.map(|vr| vr.key().virtual_mac().0).collect()
    }
}

pub(crate) struct Client {
    pub(crate) device: Device,
    pub(crate) iface: Interface,
    pub(crate) sockets: SocketSet<'static>,
    asking: SocketHandle,
    pinging: SocketHandle,
    pub(crate) talking: SocketHandle,
    /// Whom to ask, and since when who answers. Nobody is asked while it is `None`.
    target: Option<IpAddress>,
    next: Instant,
    /// The host that answered each request so far; 0: none.
    pub(crate) answers: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) hub: Rc<Hub>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) client: Client,
    pub(crate) vrs: Vec<Vr>,
}

impl World {
    /// As many hosts as there are priorities, all with these virtual routers, and a client.
    pub(crate) fn new(priorities: &[u8], vrs: &[Vr]) -> Self {
        let now = Instant::ZERO;
        let hub = Rc::new(Hub::new());
        let client = client(&hub, now);
        let mut world = Self {
            now,
            hub,
            hosts: Vec::new(),
            client,
            vrs: vrs.to_vec(),
        };
        for (index, &priority) in priorities.iter().enumerate() {
            let mut host = host(&world.hub, now, index as u8 + 1);
            for vr in vrs {
                insert(&mut host, now, vr, priority);
            }
            world.hosts.push(host);
        }
        world
    }

    /// The only host that is Active. Panics if there are none or two.
    pub(crate) fn active(&self, vr: &Vr) -> u8 {
        let active: Vec<u8> = self
            .hosts
            .iter()
            .filter(|host| host.state(vr) == State::Active)
            .map(|host| host.number)
            .collect();
        assert_eq!(active.len(), 1, "{active:?} are Active at {}", self.now);
        active[0]
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        self.settle();
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.go_to(next.max(self.now + Duration::from_micros(1)));
            self.settle();
        }
        self.go_to(end);
        self.settle();
    }

    fn go_to(&mut self, now: Instant) {
        self.now = now;
        self.hub.now.set(now);
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let now = self.now;
        let awake = self.hosts.iter_mut().filter(|host| !host.frozen);
        let hosts = awake.filter_map(|h| h.vrrp.poll_at(now, &mut h.iface, &h.sockets));
        let client = &mut self.client;
        let asks = client.target.map(|_| client.next);
        let polls = client.iface.poll_at(now, &client.sockets);
        hosts.chain(asks).chain(polls).min()
    }

    /// Polls everybody at this point in time until the wire is quiet.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 1_000, "the segment does not come to rest");
            let before = self.hub.sent.borrow().len();
            let mut busy = false;
            for host in self.hosts.iter_mut().filter(|host| !host.frozen) {
                let may = host.macs(&self.vrs);
                host.vrrp.poll(self.now, &mut host.iface, &mut host.sockets);
                host.serve();
                host.vrrp.poll(self.now, &mut host.iface, &mut host.sockets);
                let may = &may | &host.macs(&self.vrs);
                host.check(&self.hub, &self.vrs, &may);
                busy |= self.hub.has_arrived(host.plug());
            }
            self.client.poll(self.now);
            self.check_client(before);
            busy |= self.hub.has_arrived(self.client.device.plug);
            if !busy && self.hub.sent.borrow().len() == before {
                return;
            }
        }
    }

    /// A client's packets to a virtual address go to the virtual MAC: it knows no other.
    fn check_client(&self, from: usize) {
        let sent = self.hub.sent.borrow();
        let plug = self.client.device.plug;
        for sent in sent[from..].iter().filter(|sent| sent.plug == plug) {
            let to = wire::destination(&sent.frame);
            let vr = self
                .vrs
                .iter()
                .find(|vr| to.is_some_and(|to| vr.addresses.contains(&to)));
            if let Some(vr) = vr.filter(|vr| vr.config.settings.mac_mode == MacMode::Virtual) {
                let expected = vr.key().virtual_mac().0;
                assert_eq!(
                    wire::destination_mac(&sent.frame),
                    expected,
                    "at {}",
                    sent.at
                );
            }
        }
    }

    /// Has the client ask for who serves an address from now on, and forgets earlier answers.
    pub(crate) fn ask(&mut self, address: &str) {
        self.client.target = Some(address.parse().unwrap());
        self.client.next = self.now;
        self.client.answers.clear();
    }

    /// Has the client ask on, and forgets earlier answers.
    pub(crate) fn ask_afresh(&mut self) {
        self.client.answers.clear();
    }

    /// Asks for a while and gives who answered, every question being answered by one.
    pub(crate) fn who(&mut self, address: &str) -> u8 {
        // Early questions may go to who served before, and smoltcp asks for one MAC a second.
        self.ask(address);
        self.run_ms(1_200);
        let last = *self.client.answers.last().expect("it has asked");
        self.client.target = None;
        last
    }

    /// Whether an echo request is answered within a while.
    pub(crate) fn is_pinged(&mut self, address: &str) -> bool {
        (0..3).any(|sequence| {
            self.client.ping(address.parse().unwrap(), sequence);
            self.run_ms(600);
            self.client.has_echo(sequence)
        })
    }
}

fn cidr(text: &str) -> IpCidr {
    text.parse().unwrap()
}

fn interface(
    device: &mut (impl smoltcp::phy::Device + ?Sized),
    now: Instant,
    number: u8,
) -> Interface {
    let mac = EthernetAddress([2, 0, 0, 0, 0, number]);
    let mut iface = Interface::new(Config::new(mac.into()), device, now);
    iface.update_ip_addrs(|addresses| {
        for own in [
            format!("10.0.0.{number}/24"),
            format!("fe80::{number}/64"),
            format!("2001:db8::{number}/64"),
        ] {
            addresses.push(cidr(&own)).unwrap();
        }
    });
    iface
}

fn udp_socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 256]);
    udp::Socket::new(buffer(), buffer())
}

fn tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; 1024]);
    tcp::Socket::new(buffer(), buffer())
}

pub(crate) fn host(hub: &Rc<Hub>, now: Instant, number: u8) -> Host {
    let vrrp = Vrrp::<_, 4, 8>::new(hub.plug(), number.into());
    let mut vrrp = vrrp.with_filter(hub::set_filter as SetFilter);
    hub.set_nic(vrrp.device().plug, |nic| nic.own = [2, 0, 0, 0, 0, number]);
    let iface = interface(&mut vrrp, now, number);
    let mut sockets = SocketSet::new(Vec::new());
    let mut who = udp_socket();
    who.bind(WHO).unwrap();
    let mut talk = tcp_socket();
    talk.listen(TALK).unwrap();
    let (who, talk) = (sockets.add(who), sockets.add(talk));
    Host {
        number,
        vrrp,
        iface,
        sockets,
        who,
        talk,
        frozen: false,
        seen: 0,
    }
}

pub(crate) fn insert(host: &mut Host, now: Instant, vr: &Vr, priority: u8) {
    let of = |address: &IpAddr| VirtualAddress {
        address: *address,
        prefix_len: if address.is_ipv4() { 24 } else { 64 },
    };
    let addresses: Vec<VirtualAddress> = vr.addresses.iter().map(of).collect();
    let config = VrConfig {
        settings: VrSettings {
            priority: Priority::new(priority).unwrap(),
            ..vr.config.settings
        },
        addresses: &addresses,
        ..vr.config
    };
    host.vrrp.admin(now).insert(vr.key(), &config).unwrap();
}

impl Host {
    /// Answers who asks for its number.
    fn serve(&mut self) {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.who);
        while let Ok((_, meta)) = socket.recv() {
            // From the address that was asked.
            let _ = socket.send_slice(&[self.number], meta);
        }
    }

    /// Holds what it has sent since the last time against the rules.
    fn check(&mut self, hub: &Hub, vrs: &[Vr], may: &BTreeSet<wire::Mac>) {
        let sent = hub.sent.borrow();
        let plug = self.plug();
        for sent in sent[self.seen..].iter().filter(|sent| sent.plug == plug) {
            let (frame, at) = (&sent.frame, sent.at);
            let source = wire::source_mac(frame);
            let virtual_mac = source[..4] == [0, 0, 0x5e, 0];
            assert!(
                !virtual_mac || may.contains(&source),
                "{source:02x?} at {at}: {frame:02x?}"
            );
            for (address, mac) in wire::claims(frame) {
                let vr = vrs.iter().find(|vr| vr.addresses.contains(&address));
                if let Some(vr) = vr.filter(|vr| vr.config.settings.mac_mode == MacMode::Virtual) {
                    let expected = vr.key().virtual_mac().0;
                    let own = self
                        .vrrp
                        .status(vr.key())
                        .is_some_and(|s| s.priority.is_owner());
                    assert!(mac == expected || own, "{address} at {at}: {frame:02x?}");
                }
            }
        }
        self.seen = sent.len();
    }
}

fn client(hub: &Rc<Hub>, now: Instant) -> Client {
    let mut device = hub.plug();
    let iface = interface(&mut device, now, 99);
    let mut sockets = SocketSet::new(Vec::new());
    let mut asking = udp_socket();
    asking.bind(5_000).unwrap();
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 8], vec![0; 512]);
    let mut pinging = icmp::Socket::new(buffer(), buffer());
    pinging.bind(icmp::Endpoint::Ident(77)).unwrap();
    Client {
        device,
        iface,
        asking: sockets.add(asking),
        pinging: sockets.add(pinging),
        talking: sockets.add(tcp_socket()),
        sockets,
        target: None,
        next: now,
        answers: Vec::new(),
    }
}

impl Client {
    fn poll(&mut self, now: Instant) {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.asking);
        if let Some(target) = self.target.filter(|_| self.next <= now) {
            self.answers.push(0);
            self.next = now + EVERY;
            let _ = socket.send_slice(b"who?", IpEndpoint::new(target, WHO));
        }
        self.iface.poll(now, &mut self.device, &mut self.sockets);
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.asking);
        while let Ok((answer, _)) = socket.recv() {
            if let Some(last) = self.answers.last_mut() {
                *last = answer[0];
            }
        }
    }

    fn ping(&mut self, address: IpAddress, seq_no: u16) {
        let source = self.iface.get_source_address(&address).unwrap();
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(self.pinging);
        while socket.recv().is_ok() {}
        let (ident, data) = (77, &b"echo"[..]);
        match (source, address) {
            (IpAddress::Ipv6(source), IpAddress::Ipv6(destination)) => {
                let echo = Icmpv6Repr::EchoRequest {
                    ident,
                    seq_no,
                    data,
                };
                let buffer = socket.send(echo.buffer_len(), address).unwrap();
                let mut packet = Icmpv6Packet::new_unchecked(buffer);
                echo.emit(&source, &destination, &mut packet, &Default::default());
            }
            _ => {
                let echo = Icmpv4Repr::EchoRequest {
                    ident,
                    seq_no,
                    data,
                };
                let buffer = socket.send(echo.buffer_len(), address).unwrap();
                echo.emit(
                    &mut Icmpv4Packet::new_unchecked(buffer),
                    &Default::default(),
                );
            }
        }
    }

    fn has_echo(&mut self, sequence: u16) -> bool {
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(self.pinging);
        socket
            .recv()
            .is_ok_and(|(reply, _)| reply[6..8] == sequence.to_be_bytes())
    }

    /// Opens a connection.
    pub(crate) fn connect(&mut self, address: &str) {
        let address: IpAddress = address.parse().unwrap();
        let cx = self.iface.context();
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.talking);
        socket.connect(cx, (address, TALK), 6_000).unwrap();
    }
}

/// Numbers that are the same in every run.
pub(crate) struct Random(pub(crate) u32);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % limit
    }
}
