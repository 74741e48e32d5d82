//! The routes and rules of an instance.

use std::path::{Path, PathBuf};

use vrrp_core::Family;
use vrrp_host::{MAX_ROUTING, Route, Rule};

use crate::diagnostic::found;
use crate::import::keepalived::Importer;
use crate::import::keepalived::tree::Statement;
use crate::import::output::Section;
use crate::import::report::At;

/// The priority that keepalived gives to the first rule of a family that has none; the next has one less.
const FIRST_PRIORITY: u32 = 16384;

/// Words of routes and rules that say what becomes of packets, and stand first here.
const KINDS: [&str; 4] = ["unicast", "blackhole", "unreachable", "prohibit"];

/// Writes the routes that come and go with the addresses.
pub(super) fn routes(
    lines: &[&Statement],
    interface: &str,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let mut items: Vec<(String, At)> = Vec::new();
    for line in lines {
        let mut remarks = Vec::new();
        let read = route(line, importer, &mut remarks);
        if let Ok((route, is_tracked)) = &read
            && *is_tracked
            && let Some(device) = route
                .device
                .as_deref()
                .filter(|device| *device != interface)
        {
            let text = format!(
                "route {}: keepalived gives up the addresses while {device} is down; with `trackinterface = {device}` vrrpd does, too",
                found(&line.text)
            );
            importer.report.differs(line.at, text);
        }
        note_all("route", line, remarks, importer);
        let read = read.map(|(route, _)| route.to_string());
        take("route", line, read, &mut items, section, importer);
    }
    section.put_list("route", items);
}

/// Writes the rules that come and go with the addresses.
pub(super) fn rules(lines: &[&Statement], section: &mut Section, importer: &mut Importer<'_>) {
    let mut next = [FIRST_PRIORITY; 2];
    let mut items: Vec<(String, At)> = Vec::new();
    for line in lines {
        let mut remarks = Vec::new();
        let read = rule(line, &mut next, importer, &mut remarks);
        note_all("rule", line, remarks, importer);
        let read = read.map(|(rule, chosen)| {
            if let Some(priority) = chosen {
                let text = format!(
                    "rule {} has no priority; keepalived takes {priority}",
                    found(&line.text)
                );
                importer.report.note(line.at, text);
            }
            rule.to_string()
        });
        take("rule", line, read, &mut items, section, importer);
    }
    section.put_list("rule", items);
}

/// The files that name routing tables, as ip(8) reads them. The first with a name counts.
const TABLES: [&str; 2] = ["/etc/iproute2/rt_tables", "/usr/share/iproute2/rt_tables"];
/// A folder with more of them, whose names end with `.conf`.
const MORE_TABLES: &str = "/etc/iproute2/rt_tables.d";

/// Notes words that change nothing here.
fn note_all(key: &str, line: &Statement, remarks: Vec<String>, importer: &mut Importer<'_>) {
    for remark in remarks {
        let text = format!("{key} {}: {remark}", found(&line.text));
        importer.report.note(line.at, text);
    }
}

/// Words of a route or a rule that have no effect here, and the remark about each; `None`: it is another.
fn idle<'w>(
    word: &str,
    words: &mut impl Iterator<Item = &'w str>,
    noun: &str,
) -> Option<Option<String>> {
    Some(match word {
        // The addresses say so.
        "inet" | "inet6" if noun == "route" => None,
        "no_track" => Some(format!(
            "no_track has no effect here, vrrpd never gives up addresses for the interface of a {noun}"
        )),
        "track_group" => Some(format!(
            "track_group {} has no effect here, vrrpd never gives up addresses for the interface of a {noun}",
            words.next().unwrap_or_default()
        )),
        "proto" | "protocol" => Some(format!(
            "protocol {} is left out, the {noun}s of vrrpd have the protocol 112 (vrrp), by which they are found after a crash; a filter of a routing daemon has to name that",
            words.next().unwrap_or_default()
        )),
        _ => return None,
    })
}

/// The number of a routing table with a name that ip(8) knows on this host.
fn table(name: &str, importer: &Importer<'_>, remarks: &mut Vec<String>) -> Option<String> {
    const KNOWN: [&str; 3] = ["main", "local", "default"];
    if KNOWN.contains(&name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let host = importer.surroundings;
    let more = host.names(Path::new(MORE_TABLES)).into_iter();
    let more = more.filter(|file| file.ends_with(".conf"));
    let more = more.map(|file| Path::new(MORE_TABLES).join(file));
    let mut files = TABLES.iter().map(PathBuf::from).chain(more);
    let (number, file) = files.find_map(|file| {
        let text = host.read(&file).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let number = text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let number = words.next().filter(|number| !number.starts_with('#'))?;
            (words.next() == Some(name)).then(|| number.to_owned())
        })?;
        Some((number, file))
    })?;
    remarks.push(format!(
        "table {name} is {number} in {}; vrrpd.conf has the number, the other hosts of the group may have another",
        file.display()
    ));
    Some(number)
}

/// Takes over one item, or says why not.
fn take(
    key: &str,
    line: &Statement,
    read: Result<String, String>,
    items: &mut Vec<(String, At)>,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let why = match read {
        Ok(item) if items.iter().any(|(other, _)| *other == item) => {
            let text = format!("{key} {} is given twice", found(&line.text));
            importer.error(line, text);
            return line.settle_all();
        }
        Ok(_) if items.len() >= MAX_ROUTING / 2 => {
            format!("vrrpd takes {} of them here", MAX_ROUTING / 2)
        }
        Ok(item) => {
            items.push((item, line.at));
            importer.carried(line);
            return line.settle_all();
        }
        Err(why) => why,
    };
    let text = format!(
        "{key} {}: {why}; let masterscript and backupscript set and remove it",
        found(&line.text)
    );
    section.remark_lost(line.at, &text);
    importer.lost(line, text);
    line.settle_all();
}

/// A route in our words, and whether keepalived tracks its interface.
fn route(
    line: &Statement,
    importer: &Importer<'_>,
    remarks: &mut Vec<String>,
) -> Result<(Route, bool), String> {
    let (mut kind, mut to, mut rest) = ("", "", Vec::new());
    let mut is_tracked = true;
    let mut words = line.words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        is_tracked &= word != "no_track";
        if let Some(remark) = idle(word, &mut words, "route") {
            remarks.extend(remark);
            continue;
        }
        match word {
            "to" => to = words.next().unwrap_or_default(),
            "onlink" => rest.push(word.to_owned()),
            "or" | "nexthop" => {
                return Err("vrrpd takes one next hop for a route".into());
            }
            _ if KINDS.contains(&word) => kind = word,
            "via" | "gw" | "dev" | "oif" | "table" | "metric" | "preference" | "priority"
            | "src" | "scope" | "mtu" => {
                let ours = match word {
                    "oif" => "dev",
                    "gw" => "via",
                    word => word,
                };
                let value = match words.next() {
                    // The family of an address says so itself.
                    Some("inet" | "inet6") => words.next(),
                    value => value,
                };
                let value = value.unwrap_or_default();
                let value = match (ours, value) {
                    ("table", name) => table(name, importer, remarks),
                    ("scope", "0") => Some("global".to_owned()),
                    ("scope", "253") => Some("link".to_owned()),
                    ("scope", "254") => Some("host".to_owned()),
                    _ => None,
                }
                .unwrap_or_else(|| value.to_owned());
                rest.extend([ours.to_owned(), value]);
            }
            _ if to.is_empty() => to = word,
            _ => rest.push(word.to_owned()),
        }
    }
    let text = format!("{kind} {to} {}", rest.join(" "));
    let route = text.parse().map_err(|error| format!("{error}"))?;
    Ok((route, is_tracked))
}

/// A rule in our words, and the priority that keepalived chooses for it, if it does.
fn rule(
    line: &Statement,
    next: &mut [u32; 2],
    importer: &Importer<'_>,
    remarks: &mut Vec<String>,
) -> Result<(Rule, Option<u32>), String> {
    let (mut begin, mut rest) = (Vec::<String>::new(), Vec::<String>::new());
    let mut has_priority = false;
    let mut words = line.words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if let Some(remark) = idle(word, &mut words, "rule") {
            remarks.extend(remark);
            continue;
        }
        match word {
            "inet" | "inet6" => begin.insert(0, word.to_owned()),
            "not" => begin.push(word.to_owned()),
            "priority" | "preference" | "order" | "pref" => {
                has_priority = true;
                rest.push("priority".to_owned());
                rest.extend(words.next().map(str::to_owned));
            }
            "table" | "lookup" => {
                let name = words.next().unwrap_or_default();
                let number = table(name, importer, remarks);
                rest.push("lookup".to_owned());
                rest.push(number.unwrap_or_else(|| name.to_owned()));
            }
            _ => rest.push(word.to_owned()),
        }
    }
    begin.extend(rest);
    let text = begin.join(" ");
    if has_priority {
        let rule = text.parse().map_err(|error| format!("{error}"))?;
        return Ok((rule, None));
    }
    // Any, to find out the family, and whether it is a rule at all.
    let read = |priority: u32| -> Result<Rule, String> {
        let text = format!("{text} priority {priority}");
        text.parse().map_err(|error| format!("{error}"))
    };
    let next = match read(1)?.family {
        Family::Ipv4 => &mut next[0],
        Family::Ipv6 => &mut next[1],
    };
    let priority = *next;
    *next = next.saturating_sub(1).max(1);
    Ok((read(priority)?, Some(priority)))
}
