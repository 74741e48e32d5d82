//! Interfaces of every sort: those that cannot have virtual routers, those that carry addresses of
//! others, and what switches remember. Needs root or a user namespace.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::decode::Mac;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::probe::Ask;
use vrrp_lab::{
    Capture, Host, INTERVAL_CS, Lab, Nic, PaperNetwork, Probe, Program, Segment, Vr, pause,
    wait_until,
};

fn status(host: &Host) -> String {
    vrrpctl(host, &["status"])
}

/// The part of a status that is about a VRID; empty while vrrpd starts.
fn status_of(host: &Host, vrid: u8) -> String {
    let text = status(host);
    let begin = format!("VRID {vrid} ");
    let mut parts = text.split("\n\n");
    let part = parts.find(|part| part.starts_with(&begin));
    part.unwrap_or_default().to_owned()
}

fn wait_for(host: &Host, vrid: u8, words: &str) {
    wait_until(LIMIT, &format!("VRID {vrid}: {words}"), || {
        status_of(host, vrid).contains(words)
    });
}

#[test]
fn interfaces_that_will_not_do_are_named_and_keep_no_other_from_serving() {
    let network = PaperNetwork::new(Segment::Hub);
    let (host, client) = (&network.clarinet, &network.jimbob);
    host.netns().ip("tuntap add tun0 mode tun\n\
         addr add 10.20.0.1/24 dev tun0\n\
         link set tun0 up\n\
         link add br0 type bridge\n\
         link add port0 type veth peer name port1\n\
         link set port0 master br0\n\
         link set port0 up\n\
         addr add 10.30.0.1/24 dev port0");
    let quick = |vrid, interface: &str, address: &str| {
        Vr::new(vrid, address)
            .on(interface)
            .interval_cs(INTERVAL_CS)
    };
    let vrs = [
        quick(1, "xl0", "10.10.10.80").vmac(true),
        quick(2, "tun0", "10.20.0.100").vmac(true),
        quick(3, "port0", "10.30.0.100"),
        quick(4, "lo", "10.40.0.100"),
        quick(5, "late0", "10.50.0.100").vmac(true),
    ];
    let mut daemon = host.start(Program::Vrrpd, &vrs);
    wait_until(LIMIT, "the good interface serves", || {
        client.ask("10.10.10.80").as_deref() == Some("clarinet")
    });
    for (vrid, words) in [
        (
            2,
            "cannot use tun0: it is an interface of the kind tun, without Ethernet",
        ),
        (3, "cannot use port0: it is a port of the bridge br0"),
        (4, "cannot use lo: it is the loopback interface"),
    ] {
        let text = status_of(host, vrid);
        assert!(text.contains("): init"), "{text}");
        let warned = text.lines().filter(|line| line.contains("warning"));
        let warned: Vec<&str> = warned.filter(|line| line.contains(words)).collect();
        assert_eq!(warned.len(), 1, "{text}");
    }
    // Later, too: an interface that comes, one that is replaced, one that leaves its bridge.
    host.netns()
        .ip("tuntap add late0 mode tun\nlink set late0 up\naddr add 10.50.0.1/24 dev late0");
    wait_for(
        host,
        5,
        "cannot use late0: it is an interface of the kind tun",
    );
    host.netns().ip("link delete late0\n\
         link add late0 type veth peer name late1\n\
         addr add 10.50.0.1/24 dev late0\n\
         link set late1 up\n\
         link set late0 up\n\
         link set port0 nomaster\n\
         link set port1 up");
    for vrid in [3, 5] {
        wait_for(host, vrid, "): master");
        assert!(!status_of(host, vrid).contains("warning"));
    }
    host.netns().ip("link set port0 master br0");
    wait_for(host, 3, "cannot use port0: it is a port of the bridge br0");
    assert!(status_of(host, 3).contains("): init"));
    assert_eq!(client.ask("10.10.10.80").as_deref(), Some("clarinet"));
    daemon.stop();
    assert!(!host.has_address("10.10.10.80"));
}

#[test]
fn a_reload_with_an_interface_that_will_not_do_serves_the_rest_as_a_start_does() {
    let network = PaperNetwork::new(Segment::Hub);
    let (host, client) = (&network.clarinet, &network.jimbob);
    host.netns().ip("tuntap add tun0 mode tun\n\
         addr add 10.20.0.1/24 dev tun0\n\
         link set tun0 up\n\
         link add busy0 type veth peer name busy1\n\
         addr add 10.60.0.1/24 dev busy0\n\
         link set busy1 up\n\
         link set busy0 up\n\
         link add link busy0 name pass0 type macvlan mode passthru");
    let quick = |vrid, interface: &str, address: &str| {
        Vr::new(vrid, address)
            .on(interface)
            .interval_cs(INTERVAL_CS)
    };
    let good = quick(1, "xl0", "10.10.10.80");
    let daemon = host.start(Program::Vrrpd, std::slice::from_ref(&good));
    let serves = |vr: &Vr| client.ask(&vr.service_address()).as_deref() == Some("clarinet");
    wait_until(LIMIT, "it serves", || serves(&good));
    let added = quick(5, "xl0", "10.10.10.81");
    let all = [
        good.clone(),
        quick(2, "tun0", "10.20.0.100"),
        // Found out when the macvlan is made, and by no look at the interface before.
        quick(3, "busy0", "10.60.0.100").vmac(true),
        quick(4, "lo", "10.40.0.100"),
        added.clone(),
    ];
    let probe = Probe::start(client, &good.service_address(), 100, Ask::Name);
    daemon.write_config(&Program::Vrrpd.config(host, &all));
    let said = vrrpctl(host, &["reload"]);
    assert!(said.contains("interface: cannot use `tun0`"), "{said}");
    assert!(said.contains("interface: cannot use `lo`"), "{said}");
    assert!(said.contains("4 added"), "{said}");
    wait_until(LIMIT, "what is new serves", || serves(&added));
    for (vrid, words) in [
        (2, "warning    cannot use tun0: "),
        (3, "set `useVMAC = no` to do without the virtual MAC"),
        (4, "warning    cannot use lo: "),
    ] {
        wait_for(host, vrid, words);
        assert!(status_of(host, vrid).contains("): init"));
    }
    // It is tried again, without another reload.
    host.netns().ip("link delete pass0");
    wait_for(host, 3, "): master");
    let report = probe.stop();
    assert_eq!(report.lost(), 0, "{report:?}");
    // A mistake of the file refuses all of it.
    let wrong = Program::Vrrpd.config(host, &[good.clone().line("colour = red")]);
    daemon.write_config(&wrong);
    vrrpctl(host, &["reload"]);
    wait_until(LIMIT, "it is told", || daemon.has_said("not reloaded"));
    assert!(serves(&added));
}

/// Two servers with two interfaces, a client on each of the segments.
struct TwoSegments {
    clarinet: Host,
    fridge: Host,
    near: Host,
    far: Host,
    on_far: [Nic; 2],
    capture: Capture,
    _lan: Lab,
    _wan: Lab,
}

impl TwoSegments {
    fn new() -> Self {
        let lan = Lab::new(Segment::Switch);
        let wan = lan.segment(Segment::Switch, 20);
        let (clarinet, fridge) = (lan.host("clarinet", 6), lan.host("fridge", 2));
        let (near, far) = (lan.host("near", 5), wan.host("far", 5));
        let on_far = [&clarinet, &fridge].map(|host| {
            host.serve();
            host.join(&wan, "xl1")
        });
        Self {
            capture: wan.capture(),
            clarinet,
            fridge,
            near,
            far,
            on_far,
            _lan: lan,
            _wan: wan,
        }
    }

    /// Waits until a host answers both clients at both addresses.
    fn wait_for(&self, name: &str, near: &str, far: &str) {
        wait_until(
            LIMIT,
            &format!("{name} answers at {near} and {far}"),
            || {
                let asked = [(&self.near, near), (&self.far, far)];
                asked
                    .iter()
                    .all(|(client, at)| client.ask(at).as_deref() == Some(name))
            },
        );
    }

    /// Waits until the MAC of a host is announced for an address on the far segment.
    fn wait_announced(&self, host: usize, address: &str) {
        let (mac, name) = (self.on_far[host].mac(), ["clarinet", "fridge"][host]);
        let address: IpAddr = address.parse().unwrap();
        self.capture
            .wait_for(LIMIT, "an announcement on the device", |seen| {
                let told = match address {
                    IpAddr::V4(ip) => seen
                        .arp()
                        .is_some_and(|arp| arp.spa == ip && arp.tpa == ip && arp.sha == mac),
                    IpAddr::V6(ip) => seen.neighbour().is_some_and(|na| {
                        na.kind == 136 && na.target == ip && na.link == Some(mac)
                    }),
                };
                told && &*seen.host == name && seen.frame.src == mac
            });
    }
}

fn address_on_another_interface(vmac: bool, near: &str, far: &str, first: &str) {
    let net = TwoSegments::new();
    let vr = |priority| {
        let addresses = [first, near].into_iter().filter(|a| !a.is_empty());
        Vr::new(1, &addresses.collect::<Vec<_>>().join(","))
            .elsewhere("xl1", far)
            .interval_cs(INTERVAL_CS)
            .vmac(vmac)
            .priority(priority)
    };
    let mut on_clarinet = net.clarinet.start(Program::Vrrpd, &[vr(200)]);
    net.wait_for("clarinet", near, far);
    net.wait_announced(0, far);
    let _on_fridge = net.fridge.start(Program::Vrrpd, &[vr(100)]);
    wait_for(&net.fridge, 1, "): backup");

    // The client on the far segment, which knows clarinet's MAC, is told of each move.
    net.capture.clear();
    on_clarinet.stop();
    net.wait_for("fridge", near, far);
    net.wait_announced(1, far);
    net.capture.clear();
    on_clarinet.start_again(&net.clarinet);
    net.wait_for("clarinet", near, far);
    net.wait_announced(0, far);
    assert!(!status(&net.clarinet).contains("warning"));

    // The far segment is lost alone: who has both takes over.
    net.on_far[0].pull_cable();
    net.wait_for("fridge", near, far);
    wait_for(&net.clarinet, 1, "xl1 is down or missing");
    net.on_far[0].plug_cable();
    net.wait_for("clarinet", near, far);
    wait_until(LIMIT, "the warning ends", || {
        !status(&net.clarinet).contains("warning")
    });

    // With the far device missing, the near address is served on, and the far one announced when it is back.
    for nic in &net.on_far {
        nic.pull_cable();
    }
    wait_for(&net.fridge, 1, "xl1 is down or missing");
    wait_until(LIMIT, "somebody serves the near segment", || {
        net.near.ask(near).is_some()
    });
    net.capture.clear();
    for nic in &net.on_far {
        nic.plug_cable();
    }
    net.wait_for("clarinet", near, far);
    net.wait_announced(0, far);

    // The interface goes and comes back under the master, as one of a hypervisor does.
    net.clarinet.netns().ip("link set xl1 name gone1");
    net.wait_for("fridge", near, far);
    net.clarinet
        .netns()
        .ip("link set gone1 down\nlink set gone1 name xl1\nlink set xl1 up");
    if far.contains(':') {
        let own = net.on_far[0].v6();
        // The kernel has dropped the address of an interface that was down.
        net.clarinet
            .netns()
            .ip(&format!("addr replace {own}/64 dev xl1 nodad"));
    }
    net.wait_for("clarinet", near, far);
    on_clarinet.stop();
    assert!(!net.clarinet.has_address(far));
    assert!(net.clarinet.has_address(&net.on_far[0].v4().to_string()));
}

#[test]
fn an_address_on_another_interface_with_the_virtual_mac() {
    address_on_another_interface(true, "10.10.10.80", "10.10.20.80", "");
}

#[test]
fn an_address_on_another_interface_with_the_interfaces_own_mac() {
    address_on_another_interface(false, "10.10.10.80", "10.10.20.80", "");
}

#[test]
fn an_ipv6_address_on_another_interface_with_the_virtual_mac() {
    address_on_another_interface(true, "fd00:10::80", "fd00:20::80", "fe80::80");
}

#[test]
fn an_ipv6_address_on_another_interface_with_the_interfaces_own_mac() {
    address_on_another_interface(false, "fd00:10::80", "fd00:20::80", "fe80::80");
}

#[test]
fn addresses_on_the_loopback_a_bridge_and_a_tunnel() {
    let network = PaperNetwork::new(Segment::Hub);
    let (host, client) = (&network.clarinet, &network.jimbob);
    host.netns().ip("link set lo up\n\
         link add br0 type bridge\n\
         link add port0 type veth peer name port1\n\
         link set port0 master br0\n\
         link set port0 up\n\
         link set port1 up\n\
         link set br0 up\n\
         tuntap add tun0 mode tun\n\
         link set tun0 up");
    let vr = Vr::new(1, "10.10.10.80")
        .elsewhere("lo", "10.99.0.1")
        .elsewhere("br0", "10.99.0.2")
        .elsewhere("tun0", "10.99.0.3")
        .elsewhere("late0", "10.99.0.4")
        .interval_cs(INTERVAL_CS)
        .vmac(true);
    let mut daemon = host.start(Program::Vrrpd, &[vr]);
    wait_until(LIMIT, "it serves", || client.ask("10.10.10.80").is_some());
    client
        .netns()
        .ip("route add 10.99.0.0/24 via 10.10.10.80 dev xl0");
    for address in ["10.99.0.1", "10.99.0.2", "10.99.0.3"] {
        assert_eq!(
            client.ask(address).as_deref(),
            Some("clarinet"),
            "{address}"
        );
    }
    let text = status(host);
    // A tunnel has no carrier until a program opens it.
    assert!(text.contains("tun0 is down or missing"), "{text}");
    assert!(text.contains("late0"), "{text}");
    assert!(
        !text.contains("br0 is down") && !text.contains("lo is down"),
        "{text}"
    );
    host.netns().ip("link add late0 type veth peer name late1");
    wait_until(LIMIT, "late0 has its address", || {
        host.has_address("10.99.0.4")
    });
    daemon.stop();
    let left: Vec<String> = host
        .addresses()
        .into_iter()
        .filter(|a| a.starts_with("10.99"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The host answers nothing, so that a switch learns where the virtual MAC is from vrrpd alone.
#[test]
fn a_switch_does_not_forget_the_virtual_mac_of_unicast_peers() {
    let network = PaperNetwork::new(Segment::Switch);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        lab,
    } = &network;
    let ageing = Duration::from_secs(2);
    lab.set_ageing(ageing);
    let third = lab.host("third", 9);
    let capture = lab.capture();
    let vr = |peer: Ipv4Addr, priority| {
        Vr::new(1, "10.10.10.80")
            .vmac(true)
            .priority(priority)
            .interval_cs(50)
            .line(&format!("peers = {peer}"))
    };
    let _on_clarinet = clarinet.start(Program::Vrrpd, &[vr(fridge.v4(), 200)]);
    let _on_fridge = fridge.start(Program::Vrrpd, &[vr(clarinet.v4(), 100)]);
    wait_until(LIMIT, "clarinet serves", || {
        jimbob.ask("10.10.10.80").as_deref() == Some("clarinet")
    });
    let mac = Mac([0, 0, 0x5e, 0, 1, 1]);
    jimbob.netns().ip(&format!(
        "neigh replace 10.10.10.80 lladdr {mac:?} dev xl0 nud permanent"
    ));
    clarinet.netns().ip("route add blackhole 10.10.10.5/32");
    // The last of what is said to all at the takeover, and then some.
    pause(Duration::from_secs(6) + ageing);
    let (before, mut sent) = (third.received(), 0);
    for _ in 0..300 {
        jimbob.run("ping -c 1 -W 0.01 -q 10.10.10.80 -i 0.01");
        sent += 1;
    }
    let flooded = third.received() - before;
    assert!(flooded < 60, "{flooded} of {sent} and some advertisements");
    // The peers hear nothing of it.
    let learning = |seen: &vrrp_lab::Seen| seen.frame.src == mac && seen.frame.dst == mac;
    assert!(capture.count(learning) >= 10);
    assert!(
        !capture
            .find(learning)
            .iter()
            .any(|seen| &*seen.host != "clarinet")
    );
}

/// Hosts whose own addresses are in another network than their clients.
fn network_without_own_addresses(vmac: bool) {
    let network = PaperNetwork::new(Segment::Switch);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        ..
    } = &network;
    jimbob
        .netns()
        .ip("addr add 192.168.50.9/24 dev xl0\naddr add fd00:50::9/64 dev xl0 nodad");
    let start = |host: &Host, priority: u8| {
        let mode = if vmac { "yes" } else { "no" };
        let text = Program::Vrrpd.config(host, &[])
            + &format!(
                "[VRID]\nserverid = 1\ninterface = xl0\npriority = {priority}\n\
                 advertinterval = 0.2\nuseVMAC = {mode}\n\
                 addr = 192.168.50.1/24, fe80::1/64, fd00:50::1/64\n"
            );
        vrrp_lab::Daemon::start(Program::Vrrpd, host, &text, &[])
    };
    let answers = |name: &str| {
        wait_until(LIMIT, &format!("{name} answers"), || {
            ["192.168.50.1", "fd00:50::1"]
                .iter()
                .all(|address| jimbob.ask(address).as_deref() == Some(name))
        });
    };
    let routes = |host: &Host| {
        host.run("ip route show 192.168.50.0/24") + &host.run("ip -6 route show fd00:50::/64")
    };
    let mut on_clarinet = start(clarinet, 200);
    answers("clarinet");
    let _on_fridge = start(fridge, 100);
    on_clarinet.stop();
    assert_eq!(routes(clarinet), "");
    answers("fridge");
    on_clarinet.start_again(clarinet);
    answers("clarinet");
    wait_until(LIMIT, "fridge has no route left", || {
        routes(fridge).is_empty()
    });
}

#[test]
fn a_network_without_own_addresses_with_the_virtual_mac() {
    network_without_own_addresses(true);
}

#[test]
fn a_network_without_own_addresses_with_the_interfaces_own_mac() {
    network_without_own_addresses(false);
}

#[test]
fn a_virtual_mac_that_the_switch_rejects_is_suspected() {
    let network = PaperNetwork::new(Segment::Switch);
    let (host, client) = (&network.clarinet, &network.jimbob);
    let vrs = [
        Vr::new(1, "10.10.10.80")
            .interval_cs(INTERVAL_CS)
            .vmac(true),
        Vr::new(2, "fe80::53,fd00:10::53")
            .interval_cs(INTERVAL_CS)
            .vmac(true),
    ];
    host.confine_port(true);
    let _daemon = host.start(Program::Vrrpd, &vrs);
    for vrid in [1, 2] {
        wait_for(host, vrid, "): master");
    }
    client.forget_neighbours();
    assert_eq!(client.ask("10.10.10.80"), None);
    assert_eq!(client.ask("fd00:10::53"), None);
    // It is no news in the first half minute.
    assert!(!status(host).contains("note "));
    for vr in &vrs {
        let note = format!(
            "note       no frame has ever arrived at the virtual MAC {:?}: a hypervisor or switch may reject it, see vrrpd_mac(7)",
            vr.virtual_mac()
        );
        wait_until(LIMIT * 3, &note, || {
            status_of(host, vr.vrid).contains(&note)
        });
        assert!(!status_of(host, vr.vrid).contains("warning"));
    }
    host.confine_port(false);
    client.forget_neighbours();
    for vr in &vrs {
        let reached = || client.ask(&vr.service_address()).is_some();
        wait_until(LIMIT, "it is reached", reached);
        wait_until(LIMIT, "no note", || {
            !status_of(host, vr.vrid).contains("note ")
        });
    }
}
