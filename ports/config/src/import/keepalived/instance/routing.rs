//! The routes and rules of an instance.

use vrrp_core::Family;
use vrrp_host::{MAX_ROUTING, Route, Rule};

use crate::diagnostic::found;
use crate::import::keepalived::Importer;
use crate::import::keepalived::tree::Statement;
use crate::import::output::Section;

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
    let mut items: Vec<String> = Vec::new();
    for line in lines {
        let read = route(line);
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
        let read = read.map(|(route, _)| route.to_string());
        take("route", line, read, &mut items, section, importer);
    }
    if let Some(first) = lines.first().filter(|_| !items.is_empty()) {
        section.put("route", items.join(", "), first.at);
    }
}

/// Writes the rules that come and go with the addresses.
pub(super) fn rules(lines: &[&Statement], section: &mut Section, importer: &mut Importer<'_>) {
    let mut next = [FIRST_PRIORITY; 2];
    let mut items: Vec<String> = Vec::new();
    for line in lines {
        let read = rule(line, &mut next).map(|(rule, chosen)| {
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
    if let Some(first) = lines.first().filter(|_| !items.is_empty()) {
        section.put("rule", items.join(", "), first.at);
    }
}

/// Takes over one item, or says why not.
fn take(
    key: &str,
    line: &Statement,
    read: Result<String, String>,
    items: &mut Vec<String>,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let why = match read {
        Ok(item) if items.contains(&item) => {
            let text = format!("{key} {} is given twice", found(&line.text));
            importer.error(line, text);
            return line.settle_all();
        }
        Ok(_) if items.len() >= MAX_ROUTING / 2 => {
            format!("vrrpd takes {} of them here", MAX_ROUTING / 2)
        }
        Ok(item) => {
            items.push(item);
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
fn route(line: &Statement) -> Result<(Route, bool), String> {
    let (mut kind, mut to, mut rest) = ("", "", Vec::new());
    let mut is_tracked = true;
    let mut words = line.words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "no_track" => is_tracked = false,
            // The destination says so.
            "inet" | "inet6" => {}
            // vrrpd marks its routes with a protocol of its own.
            "proto" | "protocol" => drop(words.next()),
            "to" => to = words.next().unwrap_or_default(),
            "gw" => rest.push("via"),
            "onlink" => rest.push(word),
            "or" | "nexthop" => {
                return Err("vrrpd takes one next hop for a route".into());
            }
            _ if KINDS.contains(&word) => kind = word,
            "via" | "dev" | "oif" | "table" | "metric" | "preference" | "priority" | "src"
            | "scope" | "mtu" => {
                rest.push(if word == "oif" { "dev" } else { word });
                match words.next() {
                    // The family of an address says so itself.
                    Some("inet" | "inet6") => rest.extend(words.next()),
                    value => rest.extend(value),
                }
            }
            _ if to.is_empty() => to = word,
            _ => rest.push(word),
        }
    }
    let text = format!("{kind} {to} {}", rest.join(" "));
    let route = text.parse().map_err(|error| format!("{error}"))?;
    Ok((route, is_tracked))
}

/// A rule in our words, and the priority that keepalived chooses for it, if it does.
fn rule(line: &Statement, next: &mut [u32; 2]) -> Result<(Rule, Option<u32>), String> {
    let (mut begin, mut rest) = (Vec::new(), Vec::new());
    let mut has_priority = false;
    let mut words = line.words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "no_track" => {}
            "proto" | "protocol" => drop(words.next()),
            "inet" | "inet6" => begin.insert(0, word),
            "not" => begin.push(word),
            "priority" | "preference" | "order" | "pref" => {
                has_priority = true;
                rest.push("priority");
                rest.extend(words.next());
            }
            _ => rest.push(word),
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
