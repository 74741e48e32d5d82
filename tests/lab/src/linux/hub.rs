//! The segment: a bridge, or two with a trunk, in a namespace of its own, with a port for each host.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::netns::Netns;
use crate::Segment;
use crate::capture::{Listener, SNAP_LEN};
use crate::sys::PacketSocket;

/// The bridge that every segment has.
const NEAR: &str = "hub";
/// The second switch of two.
const FAR: &str = "hub.far";

/// The bridges and their ports. A port has the name of its host, cut to what the kernel takes.
#[derive(Debug)]
pub struct Hub {
    segment: Segment,
    ns: Netns,
    ports: Mutex<Vec<(u32, String)>>,
}

impl Hub {
    pub(crate) fn new(segment: Segment) -> Self {
        let ns = Netns::new();
        let snooping = u8::from(segment == Segment::SnoopingSwitch);
        let ageing = if segment == Segment::Hub { 0 } else { 30000 };
        let bridge = |name| {
            format!(
                "link add {name} type bridge stp_state 0 forward_delay 0 ageing_time {ageing} \
                 mcast_snooping {snooping} mcast_querier {snooping}\n\
                 link set {name} addrgenmode none\n\
                 link set {name} up\n"
            )
        };
        ns.ip(&bridge(NEAR));
        // Where the machine's bridges filter IP, they drop what is no sound IP. A switch does not look.
        for family in ["iptables", "ip6tables"] {
            let filter = format!("net/bridge/bridge-nf-call-{family}");
            if ns.read_sysctl(&filter).is_some() {
                ns.sysctl(&filter, "0");
            }
        }
        if segment == Segment::TwoSwitches {
            ns.ip(&bridge(FAR));
            ns.ip(&format!(
                "link add trunk.near type veth peer name trunk.far\n\
                 link set trunk.near addrgenmode none\n\
                 link set trunk.far addrgenmode none\n\
                 link set trunk.near master {NEAR}\n\
                 link set trunk.far master {FAR}\n\
                 link set trunk.near up\n\
                 link set trunk.far up"
            ));
        }
        Self {
            segment,
            ns,
            ports: Mutex::new(Vec::new()),
        }
    }

    /// The network stack of a new host.
    pub(crate) fn stack(&self, _name: &str) -> Netns {
        Netns::new()
    }

    #[cfg(feature = "firmware")]
    pub(crate) fn netns(&self) -> &Netns {
        &self.ns
    }

    /// Lays a cable to the namespace `host`, where its end is called `interface`.
    pub(crate) fn plug(&self, name: &str, host: &Netns, interface: &str, mac: &str) {
        let port = port_name(name);
        self.ns.ip(&format!(
            "link add {port} type veth peer name {interface} address {mac} netns {}",
            host.path()
        ));
        self.take_port(name);
    }

    /// Makes a port whose cable goes to an emulator.
    #[cfg(feature = "firmware")]
    pub(crate) fn plug_tap(&self, name: &str) {
        self.ns
            .ip(&format!("tuntap add dev {} mode tap", port_name(name)));
        self.take_port(name);
    }

    /// Puts an interface of the hub's namespace on the bridge.
    fn take_port(&self, name: &str) {
        let port = port_name(name);
        let first = self.lock().is_empty();
        let far = self.segment == Segment::TwoSwitches && !first;
        let bridge = if far { FAR } else { NEAR };
        self.ns.ip(&format!(
            "link set {port} addrgenmode none\n\
             link set {port} master {bridge}\n\
             link set {port} up"
        ));
        let index = self.ns.interface_index(&port);
        self.lock().push((index, name.to_owned()));
    }

    /// Listens to what comes in on any port until nobody wants it.
    pub(crate) fn listen(self: &Arc<Self>, listener: Arc<Listener>) -> JoinHandle<()> {
        let socket = self.ns.enter(PacketSocket::open);
        let socket = socket.expect("open a packet socket on the hub");
        let hub = self.clone();
        std::thread::spawn(move || hub.pass_on(&socket, &listener))
    }

    fn pass_on(&self, socket: &PacketSocket, listener: &Listener) {
        let mut octets = [0; SNAP_LEN];
        let mut hosts: Vec<(u32, Option<Arc<str>>)> = Vec::new();
        while listener.is_wanted() {
            let Some(arrival) = socket.receive(&mut octets).expect("capture on the hub") else {
                continue;
            };
            let known = hosts
                .iter()
                .position(|(index, _)| *index == arrival.ifindex);
            let known = known.unwrap_or_else(|| {
                let host = self.host_at(arrival.ifindex).map(Arc::from);
                hosts.push((arrival.ifindex, host));
                hosts.len() - 1
            });
            // The bridge itself hears what its ports do: once is enough.
            if let Some(host) = &hosts[known].1 {
                listener.hear(arrival.at_us, host, &octets[..arrival.len]);
            }
        }
    }

    /// The host at the port `ifindex`; `None` for the bridge itself.
    fn host_at(&self, ifindex: u32) -> Option<String> {
        self.lock()
            .iter()
            .find(|(index, _)| *index == ifindex)
            .map(|(_, name)| name.clone())
    }

    /// Pulls the cable out of the port, or plugs it in: the host sees its carrier go and come.
    pub(crate) fn set_cable(&self, name: &str, plugged: bool) {
        let state = if plugged { "up" } else { "down" };
        self.ns.ip(&format!("link set {} {state}", port_name(name)));
    }

    /// Makes the port pass nothing, or work again, with the carrier on throughout.
    pub(crate) fn set_port(&self, name: &str, works: bool) {
        let state = if works { "3" } else { "0" };
        let port = port_name(name);
        self.ns.feed(
            Command::new("bridge").args(["link", "set", "dev", &port, "state", state]),
            "",
        );
    }

    /// Has the port deliver frames to this MAC and to groups alone, as hypervisors do, or to any again.
    pub(crate) fn confine_port(&self, name: &str, mac: &str, on: bool) {
        let (port, state) = (port_name(name), if on { "off" } else { "on" });
        let bridge = |words: &str| {
            let words = words.split(' ');
            self.ns.feed(Command::new("bridge").args(words), "");
        };
        if on {
            bridge(&format!("fdb replace {mac} dev {port} master static"));
        }
        bridge(&format!(
            "link set dev {port} learning {state} flood {state}"
        ));
        if on {
            // Other MACs that it has learned there.
            self.ns
                .ip(&format!("link set {port} type bridge_slave fdb_flush"));
        } else {
            bridge(&format!("fdb del {mac} dev {port} master"));
        }
    }

    /// Sets the ageing time of the switches.
    pub(crate) fn set_ageing(&self, time: Duration) {
        assert_ne!(self.segment, Segment::Hub, "a hub learns nothing");
        let centis = time.as_millis() / 10;
        for bridge in [NEAR, FAR] {
            if bridge == NEAR || self.segment == Segment::TwoSwitches {
                self.ns.ip(&format!(
                    "link set {bridge} type bridge ageing_time {centis}"
                ));
            }
        }
    }

    /// Cuts the trunk between two switches, or mends it.
    pub(crate) fn set_trunk(&self, works: bool) {
        assert_eq!(self.segment, Segment::TwoSwitches, "there is no trunk");
        let state = if works { "up" } else { "down" };
        self.ns.ip(&format!("link set trunk.near {state}"));
    }

    /// Drops what would go from a host of one group to a host of another.
    pub(crate) fn partition(&self, groups: &[Vec<&str>]) {
        // A switch would learn where a MAC lives from frames that are then dropped.
        assert_eq!(
            self.segment,
            Segment::Hub,
            "only a hub has nothing to learn"
        );
        let mut rules = String::from(
            "table bridge partition {\n chain forward {\n  type filter hook forward priority 0;\n",
        );
        for (i, from) in groups.iter().enumerate() {
            for (j, to) in groups.iter().enumerate() {
                if i != j {
                    rules += &format!(
                        "  iifname {{ {} }} oifname {{ {} }} drop\n",
                        quoted(from),
                        quoted(to)
                    );
                }
            }
        }
        rules += " }\n}\n";
        self.heal();
        self.ns.feed(Command::new("nft").args(["-f", "-"]), &rules);
    }

    /// Drops the advertisements of one host to another, and nothing else.
    pub(crate) fn drop_advertisements(&self, from: &str, to: &str) {
        let way = format!("iifname {} oifname {}", quoted(&[from]), quoted(&[to]));
        let rules = format!(
            "table bridge partition {{\n chain forward {{\n  type filter hook forward priority 0;\n\
             \x20 {way} ether type ip ip protocol 112 drop\n\
             \x20 {way} ether type ip6 ip6 nexthdr 112 drop\n }}\n}}\n"
        );
        self.heal();
        self.ns.feed(Command::new("nft").args(["-f", "-"]), &rules);
    }

    pub(crate) fn heal(&self) {
        let nothing = "add table bridge partition\ndelete table bridge partition\n";
        self.ns.feed(Command::new("nft").args(["-f", "-"]), nothing);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u32, String)>> {
        self.ports
            .lock()
            .expect("no panic while the ports are held")
    }
}

/// Interface names hold 15 characters.
fn port_name(host: &str) -> String {
    host.chars().take(15).collect()
}

fn quoted(hosts: &[&str]) -> String {
    hosts
        .iter()
        .map(|host| format!("\"{}\"", port_name(host)))
        .collect::<Vec<_>>()
        .join(", ")
}
