//! Conditions of this host, from the files of its kernel.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use vrrp_control::{State, Status};

use super::{Finding, firewall};

/// Ports of services that clients ask at a virtual address.
const SERVICES: [(u16, &str); 9] = [
    (25, "SMTP"),
    (53, "DNS"),
    (80, "HTTP"),
    (110, "POP3"),
    (143, "IMAP"),
    (443, "HTTPS"),
    (587, "submission"),
    (993, "IMAPS"),
    (995, "POP3S"),
];
/// Ports of services over UDP that answer.
const ANSWERING: [(u16, &str); 5] = [
    (53, "DNS"),
    (69, "TFTP"),
    (161, "SNMP"),
    (1812, "RADIUS"),
    (5060, "SIP"),
];
/// Open files that vrrpd may need, with its clients, scripts and checkers.
const FILES: u64 = 512;

/// A host, as its files show it.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    /// The rules of the firewall, as nft(8) or iptables-save(8) print them, where they could be read.
    pub firewall: Option<String>,
    /// Whether the kernel knows that its clock is synchronised. `None`: it cannot be asked.
    pub synchronised: Option<bool>,
}

/// An address and port that something listens at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The address; unspecified: all of them.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl Host {
    /// The host whose files are below `root`.
    pub fn of(root: impl AsRef<Path>) -> Self {
        Self {
            root: root.as_ref().to_path_buf(),
            firewall: None,
            synchronised: None,
        }
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// The number that a file of the kernel holds.
    pub(super) fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.trim().parse().ok()
    }

    /// Whether systemd runs here, as sd_booted(3) knows: in the images of most containers there are no units.
    fn has_units(&self) -> bool {
        self.root.join("run/systemd/system").is_dir()
    }

    /// Whether the service manager may give a process a negative oom_score_adj: most containers may not.
    fn may_lower_oom_scores(&self) -> bool {
        const CAP_SYS_RESOURCE: u64 = 1 << 24;
        let status = self.text("proc/1/status").unwrap_or_default();
        let bounding = status
            .lines()
            .find_map(|line| line.strip_prefix("CapBnd:"))
            .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
        bounding.is_none_or(|set| set & CAP_SYS_RESOURCE != 0)
    }

    /// The sockets in a table of the kernel that listen: state 0A of TCP, 07 of UDP.
    fn listening(&self, protocol: &str) -> Vec<Listening> {
        let tables = [protocol.to_owned(), format!("{protocol}6")];
        let texts = tables
            .iter()
            .filter_map(|table| self.text(&format!("proc/net/{table}")));
        let state = if protocol == "udp" { "07" } else { "0A" };
        texts
            .flat_map(|text| {
                let lines = text.lines().skip(1);
                lines
                    .filter_map(|line| socket(line, state))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// The bridge that an interface is a port of, or is.
    fn bridge(&self, interface: &str) -> Option<String> {
        let is_bridge = |name: &str| {
            let path = format!("sys/class/net/{name}/bridge/multicast_snooping");
            self.root.join(path).exists()
        };
        if is_bridge(interface) {
            return Some(interface.to_owned());
        }
        let link = self.root.join(format!("sys/class/net/{interface}/master"));
        let master = fs::read_link(link).ok()?;
        let master = master.file_name()?.to_str()?.to_owned();
        is_bridge(&master).then_some(master)
    }
}

fn socket(line: &str, state: &str) -> Option<Listening> {
    let mut words = line.split_whitespace().skip(1);
    let (local, _) = (words.next()?, words.next()?);
    if words.next()? != state {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let word = |at: usize| {
        let digits = address.get(8 * at..8 * at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let octets: Vec<u8> = (0..4).filter_map(word).flatten().collect();
            let octets: [u8; 16] = octets.try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    Some(Listening {
        address,
        port: u16::from_str_radix(port, 16).ok()?,
    })
}

fn finding(id: &'static str, about: &str, found: String, matters: &str, todo: String) -> Finding {
    Finding {
        id,
        about: about.to_owned(),
        found,
        matters: matters.to_owned(),
        todo,
    }
}

pub(super) fn findings(status: &Status, host: &Host) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(firewall::findings(status, host));
    snooping(status, host, &mut all);
    services(status, host, &mut all);
    process(status, host, &mut all);
    if host.synchronised == Some(false) {
        all.push(finding(
            "clock",
            "",
            "the clock of this host is not synchronised".into(),
            "Times in the logs of two hosts cannot be compared.",
            "timedatectl status; start chrony, ntpd or systemd-timesyncd".into(),
        ));
    }
    all
}

/// A bridge that learns who wants multicast, with nobody who asks.
fn snooping(status: &Status, host: &Host, all: &mut Vec<Finding>) {
    let mut seen = Vec::new();
    for router in &status.virtual_routers {
        let Some(bridge) = host.bridge(&router.interface) else {
            continue;
        };
        let number = |name: &str| host.number(&format!("sys/class/net/{bridge}/bridge/{name}"));
        let deaf =
            number("multicast_snooping") == Some(1) && number("multicast_querier") == Some(0);
        if deaf && !seen.contains(&bridge) {
            all.push(finding(
                "snooping",
                &bridge,
                "IGMP snooping is on, and the bridge does not ask (multicast_querier = 0)".into(),
                "Where no router of the segment asks either, the bridge forgets who listens after some minutes, and advertisements arrive nowhere: two masters.",
                format!("echo 1 > /sys/class/net/{bridge}/bridge/multicast_querier"),
            ));
            seen.push(bridge);
        }
    }
}

/// Services that do not answer at a virtual address, or from the wrong one.
fn services(status: &Status, host: &Host, all: &mut Vec<Finding>) {
    let addresses = status.virtual_routers.iter().flat_map(|r| &r.addresses);
    // `eth1:10.0.0.1/32`, or without the interface.
    let virtual_addresses: Vec<IpAddr> = addresses
        .filter_map(|text| {
            let (address, _) = text.rsplit_once('/')?;
            let parsed = address.parse().ok();
            parsed.or_else(|| address.split_once(':')?.1.parse().ok())
        })
        .collect();
    let is_virtual = |address: &IpAddr| virtual_addresses.contains(address);
    let tcp = host.listening("tcp");
    for (port, service) in SERVICES {
        let at: Vec<&Listening> = tcp.iter().filter(|one| one.port == port).collect();
        let everywhere = at.iter().any(|one| one.address.is_unspecified());
        let ours = at.iter().any(|one| is_virtual(&one.address));
        if at.is_empty() || everywhere || ours || virtual_addresses.is_empty() {
            continue;
        }
        let places: Vec<String> = at.iter().map(|one| one.address.to_string()).collect();
        all.push(finding(
            "bound-elsewhere",
            "",
            format!("{service} listens at {} only", places.join(", ")),
            "It does not answer at a virtual address.",
            "have it listen at all addresses, or at the virtual ones: see vrrpd_services(7)".into(),
        ));
    }
    // Silent addresses are there on a backup, too.
    let backup = status
        .virtual_routers
        .iter()
        .any(|r| r.state == State::Backup);
    let bound: Vec<&Listening> = tcp.iter().filter(|one| is_virtual(&one.address)).collect();
    if let Some(one) = bound.first()
        && !backup
        && host.number("proc/sys/net/ipv4/ip_nonlocal_bind") == Some(0)
    {
        all.push(finding(
            "nonlocal-bind",
            "",
            format!("a service listens at {} port {}, and net.ipv4.ip_nonlocal_bind is 0", one.address, one.port),
            "On a backup, which does not have the address, it cannot start, unless silent = yes.",
            "sysctl -w net.ipv4.ip_nonlocal_bind=1, silent = yes in vrrpd.conf, or listen at all addresses".into(),
        ));
    }
    let udp = host.listening("udp");
    for (port, service) in ANSWERING {
        let at: Vec<&Listening> = udp.iter().filter(|one| one.port == port).collect();
        let everywhere = at.iter().any(|one| one.address.is_unspecified());
        let ours = at.iter().any(|one| is_virtual(&one.address));
        if everywhere && !ours && !virtual_addresses.is_empty() {
            all.push(finding(
                "udp-wildcard",
                "",
                format!("{service} over UDP listens at all addresses with one socket"),
                "Unless the program minds the address that it was asked at (IP_PKTINFO), it answers from another one, and clients drop the answer.",
                "bind it to each address: see vrrpd_services(7)".into(),
            ));
        }
    }
}

/// Limits of the daemon's process.
fn process(status: &Status, host: &Host, all: &mut Vec<Finding>) {
    let pid = status.pid;
    let limits = host.text(&format!("proc/{pid}/limits")).unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files = line.and_then(|line| line.split_whitespace().nth(3));
    if let Some(files) = files
        .and_then(|word| word.parse::<u64>().ok())
        .filter(|n| *n < FILES)
    {
        all.push(finding(
            "limits",
            "",
            format!("vrrpd may open {files} files"),
            "With many clients, scripts and checks it runs out of descriptors.",
            match host.has_units() {
                true => "LimitNOFILE=4096 in the unit: systemctl edit vrrpd",
                false => "ulimit -n 4096 in the service, or --ulimit nofile=4096:4096 of podman and docker",
            }
            .into(),
        ));
    }
    if let Some(score) = host
        .number(&format!("proc/{pid}/oom_score_adj"))
        .filter(|n| *n >= 0)
    {
        let todo = match (host.has_units(), host.may_lower_oom_scores()) {
            (false, true) => {
                "choom -n -900 -p $(pidof vrrpd) in the service, or --oom-score-adj=-900 of podman and docker"
            }
            (false, false) => "--oom-score-adj=-900 of podman and docker, for this container",
            (true, true) => "OOMScoreAdjust=-900 in the unit: systemctl edit vrrpd",
            (true, false) => {
                "give this container CAP_SYS_RESOURCE, without which OOMScoreAdjust= of the unit has no effect"
            }
        };
        all.push(finding(
            "oom",
            "",
            format!("the kernel may kill vrrpd when memory is short (oom_score_adj {score})"),
            "Its addresses move when this host needs them least.",
            todo.into(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Directory;
    use vrrp_control::VirtualRouter;

    struct Root(Directory);

    impl Root {
        fn new() -> Self {
            Self(Directory::new("doctor"))
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            fs::write(path, text).expect("a file");
        }
    }

    fn status() -> Status {
        Status {
            pid: 42,
            virtual_routers: vec![VirtualRouter {
                vrid: 1,
                interface: "eth0".into(),
                state: State::Master,
                addresses: vec!["10.0.0.80/32".into(), "eth1:10.0.1.80/32".into()],
                ..VirtualRouter::default()
            }],
            ..Status::default()
        }
    }

    fn ids(host: &Host) -> Vec<&'static str> {
        let all = findings(&status(), host);
        all.iter().map(|finding| finding.id).collect()
    }

    /// A line of the kernel's table of sockets.
    fn line(address: [u8; 4], port: u16, state: &str) -> String {
        let word = u32::from_ne_bytes(address);
        format!("   0: {word:08X}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:0 0 0 1\n")
    }

    fn table(lines: &[String]) -> String {
        format!("  sl  local_address rem_address   st\n{}", lines.concat())
    }

    #[test]
    fn a_host_without_files_has_no_findings() {
        assert_eq!(ids(&Host::of("/nonexistent")), [""; 0]);
    }

    #[test]
    fn services_are_judged_by_where_they_listen() {
        let root = Root::new();
        let host = Host::of(&*root.0);
        root.write("proc/sys/net/ipv4/ip_nonlocal_bind", "0\n");
        let tcp = |address, port| table(&[line(address, port, "0A")]);
        for (address, expected) in [
            ([0, 0, 0, 0], &[][..]),
            ([127, 0, 0, 1], &["bound-elsewhere"]),
            ([10, 0, 0, 2], &["bound-elsewhere"]),
            ([10, 0, 0, 80], &["nonlocal-bind"]),
            ([10, 0, 1, 80], &["nonlocal-bind"]),
        ] {
            root.write("proc/net/tcp", &tcp(address, 80));
            assert_eq!(ids(&host), expected, "{address:?}");
        }
        // A connection does not listen, and other ports are nobody's concern.
        root.write(
            "proc/net/tcp",
            &table(&[
                line([127, 0, 0, 1], 80, "01"),
                line([127, 0, 0, 1], 8125, "0A"),
            ]),
        );
        assert_eq!(ids(&host), [""; 0]);
        root.write("proc/net/tcp", &tcp([10, 0, 0, 80], 80));
        root.write("proc/sys/net/ipv4/ip_nonlocal_bind", "1\n");
        assert_eq!(ids(&host), [""; 0]);
        // A wildcard of IPv6 serves IPv4 as well.
        root.write("proc/net/tcp", &tcp([127, 0, 0, 1], 443));
        let zeros = "0".repeat(32);
        root.write(
            "proc/net/tcp6",
            &table(&[format!("   0: {zeros}:01BB {zeros}:0000 0A 0\n")]),
        );
        assert_eq!(ids(&host), [""; 0]);
        let udp = |lines: &[String]| root.write("proc/net/udp", &table(lines));
        udp(&[line([0, 0, 0, 0], 53, "07")]);
        assert_eq!(ids(&host), ["udp-wildcard"]);
        udp(&[line([0, 0, 0, 0], 53, "07"), line([10, 0, 0, 80], 53, "07")]);
        assert_eq!(ids(&host), [""; 0]);
    }

    #[test]
    fn a_bridge_that_listens_and_does_not_ask_is_found() {
        let root = Root::new();
        let host = Host::of(&*root.0);
        root.write("sys/class/net/br0/bridge/multicast_snooping", "1\n");
        root.write("sys/class/net/br0/bridge/multicast_querier", "0\n");
        assert_eq!(ids(&host), [""; 0], "of another interface");
        root.write("sys/class/net/eth0/mtu", "1500\n");
        symlink("../br0", root.0.join("sys/class/net/eth0/master")).expect("a link");
        assert_eq!(ids(&host), ["snooping"]);
        root.write("sys/class/net/br0/bridge/multicast_querier", "1\n");
        assert_eq!(ids(&host), [""; 0]);
    }

    #[test]
    fn limits_of_the_process_and_the_clock_are_found() {
        let root = Root::new();
        let mut host = Host::of(&*root.0);
        let limits = |n| {
            format!("Limit   Soft Limit  Hard Limit  Units\nMax open files   {n}   4096   files\n")
        };
        let todo = |host: &Host| {
            let all = findings(&status(), host);
            all.last().expect("a finding").todo.clone()
        };
        root.write("proc/42/oom_score_adj", "0\n");
        assert!(todo(&host).starts_with("choom"), "{}", todo(&host));
        root.write("proc/1/status", "CapBnd:\t00000000fcecbfff\n");
        assert!(
            todo(&host).starts_with("--oom-score-adj"),
            "{}",
            todo(&host)
        );
        root.write("proc/1/status", "");
        root.write("run/systemd/system/a", "");
        root.write("proc/42/limits", &limits(256));
        root.write("proc/42/oom_score_adj", "0\n");
        assert_eq!(ids(&host), ["limits", "oom"]);
        assert!(
            todo(&host).starts_with("OOMScoreAdjust=-900"),
            "{}",
            todo(&host)
        );
        root.write("proc/1/status", "CapBnd:\t00000000fcecbfff\n");
        assert!(todo(&host).contains("CAP_SYS_RESOURCE"), "{}", todo(&host));
        root.write("proc/1/status", "CapBnd:\t000001ffffffffff\n");
        assert!(
            todo(&host).starts_with("OOMScoreAdjust=-900"),
            "{}",
            todo(&host)
        );
        root.write("proc/42/limits", &limits(1024));
        root.write("proc/42/oom_score_adj", "-900\n");
        assert_eq!(ids(&host), [""; 0]);
        host.synchronised = Some(false);
        assert_eq!(ids(&host), ["clock"]);
    }
}
