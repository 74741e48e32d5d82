//! carp(4), from lines of rc.conf(5).

use std::net::IpAddr;
use std::path::Path;

use super::output::{Output, Section};
use super::report::{At, Report};
use super::values::{number, seconds};
use super::{Imported, Surroundings};
use crate::diagnostic::found;
use crate::values;

/// The most assignments that are looked at.
const MAX_LINES: usize = 20_000;

/// Reads the lines of an rc.conf that make virtual hosts of carp, and writes them as `vrrpd.conf`. Lines
/// without `vhid` are not looked at.
pub fn import(file: &Path, octets: &[u8], surroundings: &dyn Surroundings) -> Imported {
    let mut report = Report::default();
    report.add_file(file);
    let text = String::from_utf8_lossy(octets);
    let mut output = Output::new();
    let name = file.display();
    output.header = vec![format!(
        "Made by `vrrpd --import-carp` from {name}; see vrrpd.conf(5) and vrrpd_carp(7)."
    )];
    let mut hosts: Vec<VirtualHost> = Vec::new();
    for (at, variable, value) in assignments(&text).into_iter().take(MAX_LINES) {
        if let Some(interface) = interface_of(&variable) {
            for words in aliases(&variable, &value) {
                one(at, &interface, &words, &mut hosts, &mut report);
            }
        }
    }
    let preempts = preempts(file, surroundings);
    for host in &hosts {
        host.write(preempts, &mut output, &mut report);
    }
    if let Some(first) = hosts.iter().find(|host| host.version != 3) {
        let text = "carp and VRRP are different protocols: a host with the one does not hear a host with the other, so that all hosts of the group change at one time; with carpver 3 they change one by one, see vrrpd_carp(7)";
        report.differs(first.at, text);
    }
    if preempts && hosts.len() > 1 {
        let text = "net.inet.carp.preempt moves all virtual hosts when one interface fails: name them in vridsdep of each other, or track the interfaces";
        report.lost(At::default(), text);
    }
    let settled = output.settle(surroundings, &mut report);
    let (findings, carried) = report.finish();
    Imported {
        virtual_routers: settled.as_ref().map_or(0, |(_, count)| *count),
        text: settled.map(|(text, _)| text),
        findings,
        carried,
    }
}

/// The virtual host of a number on an interface.
#[derive(Debug)]
struct VirtualHost {
    at: At,
    interface: String,
    vhid: i64,
    skew: i64,
    base: i64,
    version: i64,
    priority: Option<i64>,
    centis: Option<i64>,
    addresses: Vec<String>,
    peers: Vec<String>,
    /// The lines of it.
    lines: usize,
}

impl VirtualHost {
    fn write(&self, preempts: bool, output: &mut Output, report: &mut Report) {
        let at = self.at;
        let title = format!("vhid {} on {}", self.vhid, self.interface);
        let mut section = Section::new(at, title.clone());
        section.put("serverid", self.vhid.to_string(), at);
        section.put("interface", self.interface.clone(), at);
        let own = self.priority.filter(|_| self.version == 3);
        let priority = own.unwrap_or_else(|| (254 - self.skew).clamp(1, 254));
        section.put("priority", priority.to_string(), at);
        section.put("version", "3", at);
        section.put("useVMAC", "yes", at);
        let centis = self
            .centis
            .filter(|_| self.version == 3)
            .unwrap_or(self.base * 100);
        let centis = u64::try_from(centis).unwrap_or(100);
        if centis > 4095 {
            report.differs(
                at,
                format!("{title}: an interval of 40.95 s, the longest of version 3"),
            );
        }
        if centis != 100 {
            section.put("advertinterval", seconds(centis.clamp(1, 4095) * 10), at);
        }
        if !preempts {
            section.put("preempt", "no", at);
            let remark = "preempt = no, as net.inet.carp.preempt is not 1 in the sysctl.conf beside the file";
            report.share(at, super::Verdict::Note, &title, remark);
        }
        if !self.peers.is_empty() {
            section.put("peers", self.peers.join(", "), at);
        }
        if self.addresses.is_empty() {
            report.lost(at, format!("{title}: it has no address"));
            report.carry_less(self.lines);
            return;
        }
        section.carried = self.lines;
        section.put("addr", self.addresses.join(", "), at);
        output.routers.push(section);
    }
}

/// Whether `net.inet.carp.preempt` is set beside the file.
fn preempts(file: &Path, surroundings: &dyn Surroundings) -> bool {
    let sysctl = file.with_file_name("sysctl.conf");
    let octets = surroundings.read(&sysctl).unwrap_or_default();
    let text = String::from_utf8_lossy(&octets);
    let mut values = text.lines().filter_map(|line| {
        let line = line.split('#').next()?;
        let (name, value) = line.split_once('=')?;
        (name.trim() == "net.inet.carp.preempt").then(|| value.trim().trim_matches('"') == "1")
    });
    values.next_back().unwrap_or(false)
}

/// Assignments of a shell: the line where each begins, the variable, and the value without its quotation
/// marks, which may have several lines.
fn assignments(text: &str) -> Vec<(At, String, String)> {
    let mut found = Vec::new();
    let mut lines = text.split('\n').enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_end_matches('\r').trim_start();
        let Some((name, rest)) = line.split_once('=').filter(|(n, _)| is_name(n)) else {
            continue;
        };
        let at = At {
            file: 0,
            line: index + 1,
        };
        let mark = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let mut value = rest.to_owned();
        if let Some(mark) = mark {
            value.remove(0);
            // Until the second mark, over the ends of lines.
            while !value.contains(mark) {
                let Some((_, more)) = lines.next() else { break };
                value = format!(
                    "{} {}",
                    value.trim_end_matches(['\\', '\r', '\n']),
                    more.trim_end_matches('\r')
                );
            }
            value.truncate(value.find(mark).unwrap_or(value.len()));
        } else {
            value.truncate(value.find([' ', '\t', ';', '#']).unwrap_or(value.len()));
        }
        found.push((at, name.to_owned(), value));
    }
    found
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The interface of a variable, as `em0` of `ifconfig_em0_alias3`.
fn interface_of(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix("ifconfig_")?;
    let rest = rest.strip_suffix("_aliases").unwrap_or(rest);
    let rest = rest.strip_suffix("_ipv6").unwrap_or(rest);
    let plain = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let rest = plain.strip_suffix("_alias").unwrap_or(rest);
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// The words of each alias of a value: `_aliases` has several, which begin with their families.
fn aliases(variable: &str, value: &str) -> Vec<Vec<String>> {
    let words = value.split_ascii_whitespace().map(str::to_owned);
    if !variable.ends_with("_aliases") {
        return vec![words.collect()];
    }
    let mut all: Vec<Vec<String>> = Vec::new();
    for word in words {
        if all.is_empty() || word == "inet" || word == "inet6" {
            all.push(Vec::new());
        }
        if let Some(last) = all.last_mut() {
            last.push(word);
        }
    }
    all
}

/// Reads the words of an alias.
fn one(
    at: At,
    interface: &str,
    words: &[String],
    hosts: &mut Vec<VirtualHost>,
    report: &mut Report,
) {
    if !words.iter().any(|word| word == "vhid") {
        return;
    }
    if interface.starts_with("carp") {
        let text = format!(
            "{interface}: an interface of carp as before FreeBSD 10: name the interface that it is on, as ifconfig_em0_alias0"
        );
        return report.lost(at, text);
    }
    if let Err(why) = values::interface(interface) {
        return report.error(at, why);
    }
    if interface.contains('_') {
        let text = format!(
            "`{interface}`: rc.conf writes `_` for `.`, `-`, `/` and `+` in the name of an interface; correct it if it has one of these"
        );
        report.differs(at, text);
    }
    let mut host = VirtualHost {
        at,
        interface: interface.to_owned(),
        vhid: 0,
        skew: 0,
        base: 1,
        version: 2,
        priority: None,
        centis: None,
        addresses: Vec::new(),
        peers: Vec::new(),
        lines: 1,
    };
    let (mut address, mut prefix): (Option<IpAddr>, Option<i64>) = (None, None);
    let mut words = words.iter().map(String::as_str);
    let mut set = false;
    while let Some(word) = words.next() {
        let mut value = |least: i64, most: i64, report: &mut Report| {
            let text = words.next().unwrap_or_default();
            let value = number(text).filter(|n| (least..=most).contains(n));
            if value.is_none() {
                report.error(
                    at,
                    format!(
                        "{word}: expected a number from {least} to {most}, found {}",
                        found(text)
                    ),
                );
            }
            value
        };
        match word {
            "inet" | "inet6" | "alias" | "add" | "up" => {}
            "vhid" => host.vhid = value(1, 255, report).unwrap_or(0),
            "advskew" => (host.skew, set) = (value(0, 254, report).unwrap_or(0), true),
            "advbase" => (host.base, set) = (value(1, 255, report).unwrap_or(1), true),
            "carpver" => (host.version, set) = (value(2, 3, report).unwrap_or(2), true),
            "vrrpprio" => (host.priority, set) = (value(1, 255, report), true),
            "vrrpinterval" => (host.centis, set) = (value(1, 4095, report), true),
            "prefixlen" => prefix = value(1, 128, report),
            "pass" => {
                words.next();
                let text = "pass: VRRP signs nothing with a password: `auth = hmac` with a keyfile stands for it, see vrrpd.conf(5)";
                report.lost(at, text);
            }
            "netmask" => {
                let text = words.next().unwrap_or_default();
                prefix = netmask(text);
                if prefix.is_none() {
                    report.error(
                        at,
                        format!("netmask: expected a mask, found {}", found(text)),
                    );
                }
            }
            "peer" | "peer6" => {
                let text = words.next().unwrap_or_default();
                match text.parse::<IpAddr>() {
                    Ok(peer) => host.peers.push(peer.to_string()),
                    Err(_) => report.error(
                        at,
                        format!("{word}: expected an address, found {}", found(text)),
                    ),
                }
            }
            "state" | "broadcast" | "mcast" | "mcast6" => {
                let text = words.next().unwrap_or_default();
                let text = format!("{word} {}: no effect here", found(text));
                report.note(at, text);
            }
            word => {
                let (text, length) = match word.split_once('/') {
                    Some((text, length)) => (text, Some(length)),
                    None => (word, None),
                };
                match text.parse() {
                    Ok(ip) => {
                        address = Some(ip);
                        prefix = length.map(|length| number(length).unwrap_or(0)).or(prefix);
                    }
                    Err(_) => {
                        report.lost(at, format!("{} is not known to this importer", found(word)))
                    }
                }
            }
        }
    }
    if host.vhid == 0 {
        return;
    }
    report.carry();
    let known = hosts
        .iter_mut()
        .find(|h| h.vhid == host.vhid && h.interface == host.interface);
    let host = match known {
        Some(known) => {
            if set {
                // ifconfig changes the virtual host by each line.
                (known.skew, known.base, known.version) = (host.skew, host.base, host.version);
                known.priority = host.priority.or(known.priority);
                known.centis = host.centis.or(known.centis);
            }
            known.peers.extend(host.peers);
            known.lines += 1;
            known
        }
        None => {
            hosts.push(host);
            let Some(last) = hosts.last_mut() else { return };
            last
        }
    };
    if let Some(address) = address {
        let width = if address.is_ipv6() { 128 } else { 32 };
        let len = prefix.filter(|p| (1..=width).contains(p)).unwrap_or(width);
        if prefix.is_some_and(|prefix| prefix != len) {
            let text = format!(
                "{address}: expected a prefix length from 1 to {width}; {width} is written"
            );
            report.error(at, text);
        }
        let value = format!("{address}/{len}");
        let same = |other: &String| other.split('/').next() == value.split('/').next();
        if host.addresses.iter().any(same) {
            report.error(at, format!("{address} is there already"));
        } else {
            host.addresses.push(value);
        }
    }
}

/// The length of a mask: `255.255.255.0` or `0xffffff00`.
fn netmask(text: &str) -> Option<i64> {
    let bits = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => text.parse::<std::net::Ipv4Addr>().ok()?.to_bits(),
    };
    (bits.leading_ones() == bits.count_ones() && bits > 0).then(|| i64::from(bits.leading_ones()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;

    fn imported(text: &str) -> Imported {
        import(Path::new("rc.conf"), text.as_bytes(), &host())
    }

    #[test]
    fn lines_of_rc_conf_become_sections() {
        let text = "\
# a comment with vhid 9
hostname=\"a\"
ifconfig_em0=\"inet 10.0.0.2/24\"
ifconfig_em0_alias0=\"inet vhid 1 advskew 100 pass s3cret alias 10.0.0.80/32\"
ifconfig_em0_alias1='inet vhid 1 10.0.0.81 netmask 255.255.255.0'
ifconfig_em1_aliases=\"inet vhid 2 advbase 3 alias 10.1.0.1/24 \\
  inet6 vhid 2 2001:db8::1 prefixlen 64\"
ifconfig_em2_alias0=\"inet vhid 3 carpver 3 vrrpprio 120 vrrpinterval 50 peer 10.2.0.3 alias 10.2.0.1/24\"
";
        let imported = imported(text);
        let written = imported.text.clone().unwrap();
        for expected in [
            "serverid = 1\ninterface = em0\npriority = 154\nversion = 3\nuseVMAC = yes\npreempt = no\naddr = 10.0.0.80/32, 10.0.0.81/24\n",
            "serverid = 2\ninterface = em1\npriority = 254\nversion = 3\nuseVMAC = yes\nadvertinterval = 3\npreempt = no\naddr = 10.1.0.1/24, 2001:db8::1/64\n",
            "priority = 120\nversion = 3\nuseVMAC = yes\nadvertinterval = 0.5\npreempt = no\npeers = 10.2.0.3\naddr = 10.2.0.1/24\n",
        ] {
            assert!(written.contains(expected), "{written}");
        }
        let report = imported.report();
        assert!(
            report.contains("rc.conf:4: not carried over: pass"),
            "{report}"
        );
        assert!(
            report.contains("rc.conf:4: differs: carp and VRRP are different"),
            "{report}"
        );
        assert!(!report.contains("s3cret") && !written.contains("s3cret"));
        assert_eq!((imported.status(), imported.virtual_routers), (1, 3));
    }

    #[test]
    fn what_is_no_virtual_host_gives_nothing() {
        for text in [
            "",
            "ifconfig_em0=\"inet 10.0.0.2/24\"\n",
            "ifconfig_carp0=\"vhid 1 10.0.0.1/24\"\n",
            "ifconfig_em0_alias0=\"inet vhid 0 10.0.0.1\"\n",
            "ifconfig_em0_alias0=\"inet vhid 1\"\n",
            "ifconfig_em0_alias0=\"inet vhid 1 alias 10.0.0.1/32",
        ] {
            let imported = imported(text);
            let open = text.ends_with("/32");
            assert_eq!(imported.status() == super::super::NOTHING, !open, "{text}");
        }
    }

    #[test]
    fn an_address_that_is_there_already_or_has_no_prefix_is_reported() {
        let text = "ifconfig_em0_alias0=\"inet vhid 1 alias 10.0.0.1/24\"\n\
                    ifconfig_em0_alias1=\"inet vhid 1 alias 10.0.0.1/32\"\n\
                    ifconfig_em0_alias2=\"inet vhid 1 alias 10.0.0.2/33\"\n\
                    ifconfig_em0_alias3=\"inet vhid 2\"\n";
        let imported = imported(text);
        let report = imported.report();
        assert!(
            imported
                .text
                .unwrap()
                .contains("addr = 10.0.0.1/24, 10.0.0.2/32\n")
        );
        for expected in [
            "rc.conf:2: error: 10.0.0.1 is there already",
            "rc.conf:3: error: 10.0.0.2: expected a prefix length from 1 to 32; 32 is written",
            "rc.conf:4: not carried over: vhid 2 on em0: it has no address",
            "1 virtual router: 3 carried over",
        ] {
            assert!(report.contains(expected), "{report}");
        }
    }

    #[test]
    fn masks_have_a_length() {
        assert_eq!(netmask("255.255.255.0"), Some(24));
        assert_eq!(netmask("0xffffff00"), Some(24));
        assert_eq!(netmask("255.0.255.0"), None);
        assert_eq!(netmask("x"), None);
    }

    #[test]
    fn names_of_interfaces_are_found() {
        for (variable, interface) in [
            ("ifconfig_em0", "em0"),
            ("ifconfig_em0_alias12", "em0"),
            ("ifconfig_em0_ipv6", "em0"),
            ("ifconfig_em0_aliases", "em0"),
        ] {
            assert_eq!(interface_of(variable).as_deref(), Some(interface));
        }
        assert_eq!(interface_of("hostname"), None);
    }
}
