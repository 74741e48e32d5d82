//! A host: a namespace with one interface, `xl0` as in the paper, and a cable to the hub.

use std::io::{ErrorKind, Read, Write};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket,
};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::WorkDir;
use super::daemons::{Daemon, Program};
use super::decode::Mac;
use super::hub::Hub;
use super::netns::Netns;
use super::vr::Vr;
use crate::sys;

/// The interface of every host.
pub const INTERFACE: &str = "xl0";

/// The interface of a program that is a host's network stack: see [`Host::hand_over`].
pub const TAP: &str = "tap0";

/// The UDP port of the service that tells its host's name.
pub(crate) const ECHO_PORT: u16 = 7;

/// How often a service looks whether it should end.
const SERVICE_POLL: Duration = Duration::from_millis(50);

/// A host on the segment. Its services end with it; its daemons are their own values.
#[derive(Debug)]
pub struct Host {
    name: String,
    number: u8,
    ns: Netns,
    hub: Arc<Hub>,
    dir: Arc<WorkDir>,
    stop: Arc<AtomicBool>,
    services: Mutex<Vec<JoinHandle<()>>>,
}

impl Host {
    pub(crate) fn new(name: &str, number: u8, hub: Arc<Hub>, dir: Arc<WorkDir>) -> Self {
        let ns = Netns::new();
        // A new namespace takes some of these over from the machine; the lab is the same everywhere.
        for scope in ["all", "default"] {
            for name in ["arp_ignore", "arp_announce", "arp_filter", "rp_filter"] {
                ns.sysctl(&format!("net/ipv4/conf/{scope}/{name}"), "0");
            }
        }
        let host = Self {
            name: name.to_owned(),
            number,
            ns,
            hub,
            dir,
            stop: Arc::new(AtomicBool::new(false)),
            services: Mutex::new(Vec::new()),
        };
        let mac = format!("{:?}", host.mac());
        host.hub.plug(name, &host.ns, INTERFACE, &mac);
        // Duplicate address detection would hold the host's own IPv6 addresses back for a second.
        host.ns.sysctl("net/ipv6/conf/xl0/accept_dad", "0");
        host.ns.ip(&format!(
            "addr add 10.10.10.{number}/24 dev xl0\n\
             addr add fd00:10::{number}/64 dev xl0 nodad\n\
             link set xl0 up"
        ));
        host
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        &self.ns
    }

    /// The MAC of its interface.
    pub fn mac(&self) -> Mac {
        Mac([2, 0, 10, 10, 10, self.number])
    }

    /// Its own IPv4 address.
    pub fn v4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 10, 10, self.number)
    }

    /// Its link-local IPv6 address.
    pub fn link_local(&self) -> Ipv6Addr {
        let low = 0x0a00 | u16::from(self.number);
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x0aff, 0xfe0a, low)
    }

    /// A folder for this host's files.
    pub fn dir(&self) -> std::path::PathBuf {
        let dir = self.dir.path().join(&self.name);
        std::fs::create_dir_all(&dir).expect("create a host's folder");
        dir
    }

    /// Hands the cable over to a program with a network stack of its own, which finds it as the
    /// device [`TAP`]. The kernel keeps no address here, and the program may use this host's
    /// address and MAC. The carrier is that of `xl0`. Handed over already: nothing happens.
    pub fn hand_over(&self) {
        if self.interfaces().iter().any(|name| name == TAP) {
            return;
        }
        // The bridge would keep frames to the MAC of one of its ports to itself.
        let Mac([_, b, c, d, e, f]) = self.mac();
        let port = Mac([0x0a, b, c, d, e, f]);
        self.ns.ip(&format!(
            "addr flush dev {INTERFACE}\n\
             link set {INTERFACE} down\n\
             link set {INTERFACE} address {port:?} addrgenmode none\n\
             tuntap add dev {TAP} mode tap\n\
             link set {TAP} addrgenmode none\n\
             link add inside type bridge stp_state 0 forward_delay 0 ageing_time 0 mcast_snooping 0\n\
             link set inside addrgenmode none\n\
             link set {INTERFACE} master inside\n\
             link set {TAP} master inside\n\
             link set inside up\n\
             link set {TAP} up\n\
             link set {INTERFACE} up"
        ));
    }

    /// Pulls the cable out: the host loses its carrier.
    pub fn pull_cable(&self) {
        self.hub.set_cable(&self.name, false);
    }

    /// Plugs the cable in again.
    pub fn plug_cable(&self) {
        self.hub.set_cable(&self.name, true);
    }

    /// The hub's port ceases to pass frames; the host's carrier stays.
    pub fn fail_port(&self) {
        self.hub.set_port(&self.name, false);
    }

    /// The hub's port works again.
    pub fn mend_port(&self) {
        self.hub.set_port(&self.name, true);
    }

    /// Whether `address` is on any of its interfaces.
    pub fn has_address(&self, address: &str) -> bool {
        self.addresses().iter().any(|have| have == address)
    }

    /// Every address on its interfaces, without prefix lengths.
    pub fn addresses(&self) -> Vec<String> {
        self.run("ip -o addr")
            .lines()
            .filter_map(|line| {
                let mut words = line
                    .split_whitespace()
                    .skip_while(|w| !w.starts_with("inet"));
                let address = words.nth(1)?;
                Some(address.split('/').next().unwrap_or(address).to_owned())
            })
            .collect()
    }

    /// The names of its interfaces.
    pub fn interfaces(&self) -> Vec<String> {
        self.run("ip -o link")
            .lines()
            .filter_map(|line| {
                let name = line.split(": ").nth(1)?;
                Some(name.split('@').next().unwrap_or(name).to_owned())
            })
            .collect()
    }

    /// Forgets which MACs its neighbours have.
    pub fn forget_neighbours(&self) {
        self.ns
            .ip("neigh flush dev xl0\nneigh flush dev xl0 nud permanent");
    }

    /// Runs a command line of simple words inside the host and returns what it prints.
    pub fn run(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let program = words.next().expect("a program");
        self.ns.output(Command::new(program).args(words))
    }

    /// Asks the service at `address` for its host's name, from this host, for at most a second.
    /// `None`: nobody answered.
    pub fn ask(&self, address: &str) -> Option<String> {
        let address: IpAddr = address.parse().expect("an IP address");
        self.ns.enter(|| {
            let socket = UdpSocket::bind((any_address(address.is_ipv6()), 0)).ok()?;
            socket
                .set_read_timeout(Some(Duration::from_millis(100)))
                .ok()?;
            for _ in 0..10 {
                let mut answer = [0; 256];
                if socket.send_to(b"who?", (address, ECHO_PORT)).is_err() {
                    std::thread::sleep(Duration::from_millis(100));
                    continue;
                }
                match socket.recv_from(&mut answer) {
                    Ok((len, from)) if from.ip() == address => {
                        let name = answer[..len].strip_prefix(b"who?")?;
                        return Some(String::from_utf8_lossy(name).into_owned());
                    }
                    _ => {}
                }
            }
            None
        })
    }

    /// Makes the kernel ask who has `address`, afresh, and waits a moment for the answer.
    pub fn solicit(&self, address: IpAddr) {
        self.forget_neighbours();
        self.ns.enter(|| {
            // Whatever is sent, the question for the MAC goes first. Port 9 discards.
            let scope = sys::interface_index(INTERFACE).expect("every host has its interface");
            let to: SocketAddr = match address {
                IpAddr::V4(address) => (address, 9).into(),
                IpAddr::V6(address) => SocketAddrV6::new(address, 9, 0, scope).into(),
            };
            let socket = UdpSocket::bind((any_address(address.is_ipv6()), 0)).expect("a socket");
            // A host that cannot be reached is not asked: the capture shows it.
            let _ = socket.send_to(b"", to);
        });
        std::thread::sleep(Duration::from_millis(50));
    }

    /// Starts the service that tells this host's name, on every address the host has and will have.
    pub fn serve(&self) {
        for v6 in [false, true] {
            // Without this [::] would claim the port in IPv4 too.
            self.ns.sysctl("net/ipv6/bindv6only", "1");
            let socket = self
                .ns
                .enter(|| UdpSocket::bind((any_address(v6), ECHO_PORT)));
            self.ns.sysctl("net/ipv6/bindv6only", "0");
            let socket = socket.expect("bind the service");
            sys::want_destination(&socket, v6).expect("ask for destinations");
            socket
                .set_read_timeout(Some(SERVICE_POLL))
                .expect("set a timeout");
            let (stop, name) = (self.stop.clone(), self.name.clone());
            self.keep(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // Timeouts let us look at `stop`; an answer that cannot leave is a lost one.
                    let _ = sys::echo_once(&socket, name.as_bytes());
                }
            }));
        }
    }

    /// Starts a web server on port 80 that says hello from this host.
    pub fn serve_http(&self) {
        let listener = self.ns.enter(|| TcpListener::bind("0.0.0.0:80"));
        let listener = listener.expect("bind the web server");
        listener.set_nonblocking(true).expect("set non-blocking");
        let (stop, name) = (self.stop.clone(), self.name.clone());
        self.keep(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    // A client that went away gets no answer and needs none.
                    Ok((stream, _)) => drop(hello(stream, &name)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    Err(_) => {}
                }
            }
        }));
    }

    /// Fetches the front page of the web server at `address`, in at most `limit`. `None`: nobody
    /// answered.
    pub fn fetch(&self, address: &str, limit: Duration) -> Option<String> {
        let address: IpAddr = address.parse().expect("an IP address");
        self.ns.enter(|| {
            let mut stream = TcpStream::connect_timeout(&(address, 80).into(), limit).ok()?;
            stream.set_read_timeout(Some(limit)).ok()?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
            let mut page = String::new();
            stream.read_to_string(&mut page).ok()?;
            Some(page.split_once("\r\n\r\n")?.1.trim().to_owned())
        })
    }

    /// Starts `program` with these virtual routers on `xl0`.
    pub fn start(&self, program: Program, vrs: &[Vr]) -> Daemon {
        Daemon::start(program, self, &program.config(self, vrs), vrs)
    }

    fn keep(&self, service: JoinHandle<()>) {
        self.services
            .lock()
            .expect("no panic while services are held")
            .push(service);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let services = self
            .services
            .get_mut()
            .map(std::mem::take)
            .unwrap_or_default();
        for service in services {
            // A service that panicked has already been noticed by whoever asked it.
            let _ = service.join();
        }
    }
}

/// The address that stands for all of a family.
fn any_address(v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}

/// Answers one request, whatever it asks for.
fn hello(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    // One read takes in any request that a lab's client makes.
    if stream.read(&mut [0; 512])? == 0 {
        return Ok(());
    }
    let body = format!("hello from {name}\n");
    write!(
        stream,
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
