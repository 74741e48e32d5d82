//! The state of a host's kernel, as far as a virtual router changes it, in lines that can be compared
//! with those of another host.

use std::path::Path;

use crate::Host;

/// Addresses, interfaces, routes, memberships and settings, sorted.
pub fn state(host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, line) in [
        ("address", "ip -o addr"),
        ("link", "ip -o link"),
        ("macvlan", "ip -d -o link show type macvlan"),
        ("route", "ip -4 route show table all"),
        ("route", "ip -6 route show table all"),
    ] {
        let text = host.run(line);
        lines.extend(text.lines().map(|line| format!("{name} {}", plain(line))));
    }
    lines.extend(memberships(&host.run("ip maddr")));
    lines.extend(settings(host));
    lines.sort();
    // A program that asks for both families at once gets some twice.
    lines.dedup();
    lines
}

/// The line without what differs from one life of an interface to the next: its number, times, and
/// the alias, which names the process.
fn plain(line: &str) -> String {
    let line = line.split("alias ").next().unwrap_or(line);
    let mut words = line.split_whitespace().peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "valid_lft" | "expires" | "group" | "link-netns" | "link-netnsid" | "promiscuity"
            | "allmulti" => {
                words.next();
            }
            _ if word.trim_end_matches(':').parse::<u32>().is_ok() && kept.is_empty() => {}
            // An address that gives a macvlan IPv4, by its number.
            _ if word.starts_with("127.112.") => kept.push("127.112."),
            // xl0@if7: the other end of a cable, in the segment's namespace.
            _ => kept.push(word.split("@if").next().unwrap_or(word)),
        }
    }
    kept.join(" ")
}

/// Interface and group, whatever number of sockets has joined it.
fn memberships(text: &str) -> Vec<String> {
    let mut interface = "";
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some(number), Some(name)) if number.ends_with(':') => interface = name,
            (Some(kind), Some(group)) => lines.push(format!("group {interface} {kind} {group}")),
            _ => {}
        }
    }
    lines
}

/// Everything below `net.ipv4.conf` and `net.ipv6.conf`.
fn settings(host: &Host) -> Vec<String> {
    host.netns().enter(|| {
        let mut lines = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let root = format!("/proc/sys/net/{family}/conf");
            for interface in names(Path::new(&root)) {
                let folder = format!("{root}/{interface}");
                for name in names(Path::new(&folder)) {
                    // Some cannot be read, and one has its value from the time.
                    if let Ok(value) = std::fs::read_to_string(format!("{folder}/{name}")) {
                        let value = value.trim();
                        lines.push(format!("setting {family} {interface} {name} {value}"));
                    }
                }
            }
        }
        lines
    })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}
