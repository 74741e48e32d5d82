//! The operations on a host that need Linux's own tools.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Netns;
use crate::decode::Mac;
use crate::host::{Host, INTERFACE};
use crate::{Lab, Nic};

/// The interface of a program that is a host's network stack: see [`Host::hand_over`].
pub const TAP: &str = "tap0";

impl Host {
    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        self.stack()
    }

    /// Plugs it in and gives it its addresses.
    pub(crate) fn set_up(&self) {
        let ns = self.netns();
        // A new namespace takes some of these over from the machine; the lab is the same everywhere.
        for scope in ["all", "default"] {
            for name in ["arp_ignore", "arp_announce", "arp_filter", "rp_filter"] {
                ns.sysctl(&format!("net/ipv4/conf/{scope}/{name}"), "0");
            }
        }
        self.wire(&self.nic);
    }

    /// Gives it another interface, plugged into another segment. Its addresses and MAC have the
    /// host's number: see [`Lab::host`].
    ///
    /// # Panics
    ///
    /// When the host has an interface of that name, or the segment a port for the host.
    pub fn join(&self, lab: &Lab, interface: &str) -> Nic {
        let number = self.nic.v4().octets()[3];
        let nic = Nic::new(self.name(), interface, lab, number);
        self.wire(&nic);
        nic
    }

    fn wire(&self, nic: &Nic) {
        let (ns, interface) = (self.netns(), nic.interface());
        let mac = format!("{:?}", nic.mac());
        nic.hub.plug(nic.host(), ns, interface, &mac);
        // Duplicate address detection would hold the host's own IPv6 addresses back for a second.
        ns.sysctl(&format!("net/ipv6/conf/{interface}/accept_dad"), "0");
        ns.ip(&format!(
            "addr add {}/24 dev {interface}\n\
             addr add {}/64 dev {interface} nodad\n\
             link set {interface} up",
            nic.v4(),
            nic.v6()
        ));
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
        self.netns().ip(&format!(
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
        self.nic.pull_cable();
    }

    /// Plugs the cable in again.
    pub fn plug_cable(&self) {
        self.nic.plug_cable();
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

    /// The names of its interfaces, but for the loopback.
    pub fn interfaces(&self) -> Vec<String> {
        self.run("ip -o link")
            .lines()
            .filter_map(|line| {
                let name = line.split(": ").nth(1)?;
                Some(name.split('@').next().unwrap_or(name).to_owned())
            })
            .filter(|name| name != "lo")
            .collect()
    }

    /// Forgets which MACs its neighbours have.
    pub fn forget_neighbours(&self) {
        let flush = |interface: &String| {
            format!("neigh flush dev {interface}\nneigh flush dev {interface} nud permanent\n")
        };
        let script: String = self.interfaces().iter().map(flush).collect();
        self.netns().ip(&script);
    }

    /// Whether it has a cable with somebody at the other end.
    pub fn has_carrier(&self) -> bool {
        self.run("ip link show xl0").contains("LOWER_UP")
    }

    /// How many packets its interface has received.
    pub fn received(&self) -> u64 {
        // The line after the one that names the columns begins with octets and packets.
        let text = self.run("ip -s link show xl0");
        let mut lines = text.lines().skip_while(|line| !line.contains("RX:"));
        let numbers = lines.nth(1).expect("counters of xl0");
        let packets = numbers.split_whitespace().nth(1).expect("packets received");
        packets.parse().expect("a number of packets")
    }

    /// Takes `address` from the interface that has it.
    ///
    /// # Panics
    ///
    /// When none has it.
    pub fn remove_address(&self, address: &str) {
        let line = self.run(&format!("ip -o addr show to {address}"));
        let interface = line.split_whitespace().nth(1).expect("the address is held");
        self.netns()
            .ip(&format!("addr del {address}/32 dev {interface}"));
    }

    /// Makes it find the hosts of `subnet` (10.10.1.0/24) on its segment.
    pub fn add_route(&self, subnet: &str) {
        self.netns().ip(&format!("route add {subnet} dev xl0"));
    }

    /// A line for a shell that prints on how many interfaces `address` is.
    pub fn count_address(address: &str) -> String {
        format!("ip -o addr show to {address} | wc -l")
    }

    /// Starts a web server on port 80 that says hello from this host.
    pub fn serve_http(&self) {
        let listener = self.netns().enter(|| TcpListener::bind("0.0.0.0:80"));
        let listener = listener.expect("bind the web server");
        listener.set_nonblocking(true).expect("set non-blocking");
        let (stop, name) = (self.stop.clone(), self.name().to_owned());
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
        self.netns().enter(|| {
            let mut stream = TcpStream::connect_timeout(&(address, 80).into(), limit).ok()?;
            stream.set_read_timeout(Some(limit)).ok()?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
            let mut page = String::new();
            stream.read_to_string(&mut page).ok()?;
            Some(page.split_once("\r\n\r\n")?.1.trim().to_owned())
        })
    }
}

impl Nic {
    /// Pulls the cable out: the interface loses its carrier.
    pub fn pull_cable(&self) {
        self.hub.set_cable(self.host(), false);
    }

    /// Plugs the cable in again.
    pub fn plug_cable(&self) {
        self.hub.set_cable(self.host(), true);
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
