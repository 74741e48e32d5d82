//! Sysctls of the kernel that make an address unreachable, whoever sets them and whenever, as clients
//! notice it. Needs root or a user namespace.
#![cfg(target_os = "linux")]

use std::net::{SocketAddr, SocketAddrV6, TcpStream};
use std::process::Command;
use std::time::Duration;

use vrrp_lab::daemons::{vrrpctl, vrrpd_binary};
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Daemon, Host, INTERVAL_CS, Lab, PaperNetwork, Program, Segment, Vr, wait_until};

const V4: &str = "10.10.10.53";
const V6: &str = "fd00:10::53";
/// The first IPv6 address, which clients reach by their interface.
const LINK_LOCAL: &str = "fe80::53";

fn virtual_routers(vmac: bool, accept: bool) -> Vec<Vr> {
    [(1, V4.to_owned()), (2, format!("{LINK_LOCAL},{V6}"))]
        .map(|(vrid, addresses)| {
            Vr::new(vrid, &addresses)
                .interval_cs(INTERVAL_CS)
                .vmac(vmac)
                .line(&format!("accept = {}", if accept { "yes" } else { "no" }))
        })
        .into()
}

fn is_reached(network: &PaperNetwork, address: &str) -> bool {
    network.jimbob.forget_neighbours();
    network.jimbob.ask(address).as_deref() == Some("clarinet")
}

fn warnings(host: &Host) -> String {
    let status = vrrpctl(host, &["status"]);
    let warnings = status.lines().filter(|line| line.contains("warning"));
    warnings.map(|line| format!("{line}\n")).collect()
}

/// A server with a daemon, master of both virtual routers, and a client that reaches it.
fn serving(vmac: bool) -> (Daemon, PaperNetwork) {
    eprintln!("--- virtual MAC: {vmac}");
    let network = PaperNetwork::new(Segment::Switch);
    let daemon = network
        .clarinet
        .start(Program::Vrrpd, &virtual_routers(vmac, true));
    for address in [V4, V6] {
        wait_until(LIMIT, address, || is_reached(&network, address));
    }
    (daemon, network)
}

#[test]
fn arp_is_answered_whatever_all_interfaces_are_told() {
    for vmac in [true, false] {
        let (mut daemon, network) = serving(vmac);
        let ns = network.clarinet.netns();
        for (name, value) in [
            ("arp_filter", "1"),
            ("arp_ignore", "2"),
            ("arp_ignore", "8"),
        ] {
            let sysctl = format!("net/ipv4/conf/all/{name}");
            let cause = format!("net.ipv4.conf.all.{name} is {value}");
            ns.sysctl(&sysctl, value);
            let what = format!("{cause}, while it is master");
            wait_until(LIMIT, &what, || is_reached(&network, V4));
            // Where the kernel answers nobody the status says so.
            if vmac || value == "8" {
                let warns = || warnings(&network.clarinet).contains(&cause);
                wait_until(LIMIT, "a warning", warns);
            }
            daemon.stop();
            daemon.start_again(&network.clarinet);
            let what = format!("{cause}, from the start");
            wait_until(LIMIT, &what, || is_reached(&network, V4));
            ns.sysctl(&sysctl, "0");
            wait_until(LIMIT, "no warning", || {
                warnings(&network.clarinet).is_empty()
            });
            wait_until(LIMIT, name, || is_reached(&network, V4));
        }
    }
}

#[test]
fn a_link_local_address_answers_to_more_than_neighbour_discovery() {
    for vmac in [true, false] {
        let (_daemon, network) = serving(vmac);
        let PaperNetwork {
            clarinet, jimbob, ..
        } = &network;
        let ping = jimbob.run(&format!("ping -c 3 -i 0.2 -W 2 {LINK_LOCAL}%xl0"));
        assert!(ping.contains(" 0% packet loss"), "{ping}");
        let any = "[::]:80".parse::<SocketAddr>().expect("an address");
        let listener = clarinet.netns().enter(|| std::net::TcpListener::bind(any));
        let listener = listener.expect("listen");
        let scope = jimbob.netns().interface_index("xl0");
        let address = LINK_LOCAL.parse().expect("an address");
        let to = SocketAddr::from(SocketAddrV6::new(address, 80, 0, scope));
        let connect = || TcpStream::connect_timeout(&to, Duration::from_secs(5));
        jimbob.netns().enter(connect).expect("connect");
        let (_, peer) = listener.accept().expect("a connection");
        assert!(peer.ip().to_string().starts_with("fe80::"), "{peer}");
    }
}

/// Starts vrrpd where /proc/sys is mounted read-only, as in most containers.
fn start_confined(host: &Host, vrs: &[Vr]) -> Daemon {
    let config = host.dir().join("vrrpd.conf");
    std::fs::write(&config, Program::Vrrpd.config(host, vrs)).expect("write a file");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]).arg(format!(
        "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec {} -F -f {}",
        vrrpd_binary("vrrpd").display(),
        config.display(),
    ));
    Daemon::run(host, "vrrpd with a read-only /proc/sys", command)
}

#[test]
fn a_read_only_proc_sys_keeps_nothing_from_being_served() {
    for (vmac, accept) in [(true, true), (false, true), (true, false), (false, false)] {
        eprintln!("--- virtual MAC: {vmac}, accept: {accept}");
        let network = PaperNetwork::new(Segment::Switch);
        let PaperNetwork {
            clarinet, jimbob, ..
        } = &network;
        let beyond = beyond(&network.lab, clarinet);
        jimbob
            .netns()
            .ip(&format!("route add 10.10.20.0/24 via {V4}"));
        let mut daemon = start_confined(clarinet, &virtual_routers(vmac, accept));
        wait_until(LIMIT, "packets are forwarded", || {
            jimbob.ask("10.10.20.5").as_deref() == Some(beyond.0.name())
        });
        for address in [V4, V6] {
            if accept {
                wait_until(LIMIT, address, || is_reached(&network, address));
            }
        }
        let changes = daemon.log();
        let flaps = changes.iter().filter(|(_, line)| line.contains("-> init"));
        assert_eq!(flaps.count(), 0);
        // Those of IPv6 cannot be set; without a virtual MAC none has to be.
        let warned = warnings(clarinet);
        let wanted = "not permitted to write below /proc/sys: wanted net/ipv6/conf/vr6.";
        assert_eq!(warned.contains(wanted), vmac, "{warned}");
        assert_eq!(warned.is_empty(), !vmac, "{warned}");
        let xl0 = |name: &str| {
            let sysctl = format!("net/ipv4/conf/xl0/{name}");
            clarinet.netns().read_sysctl(&sysctl)
        };
        assert_eq!(xl0("arp_ignore").as_deref(), Some("1"));
        daemon.stop();
        assert_eq!(xl0("arp_ignore").as_deref(), Some("0"));
        assert_eq!(clarinet.interfaces(), ["xl0", "xl1"]);
    }
}

/// A host on a segment of its own, to which `gateway` forwards.
fn beyond(lan: &Lab, gateway: &Host) -> (Host, Lab) {
    let wan = lan.segment(Segment::Hub, 20);
    gateway.join(&wan, "xl1");
    gateway.netns().sysctl("net/ipv4/ip_forward", "1");
    gateway.netns().sysctl("net/ipv6/conf/all/forwarding", "1");
    let beyond = wan.host("beyond", 5);
    beyond.netns().ip("route add default via 10.10.20.6");
    beyond.serve();
    (beyond, wan)
}
