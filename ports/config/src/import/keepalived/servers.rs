//! The checks of real servers, as proposals in comments: LVS itself stays with keepalived.

use std::net::IpAddr;

use super::Importer;
use super::tree::Statement;
use crate::import::output::Section;
use crate::import::values::{check_name, command, micros, number, seconds};

/// The most real servers that something is said about.
const MOST: usize = 16;

/// The blocks of a real server that check it, where vrrpd has a check of the kind.
const CHECKS: [&str; 5] = [
    "TCP_CHECK",
    "HTTP_GET",
    "SSL_GET",
    "MISC_CHECK",
    "PING_CHECK",
];

/// Proposes a check for each real server that is on this host, and names the line for the others.
pub(super) fn propose(virtual_servers: &[&Statement], importer: &mut Importer<'_>) {
    let own = own_addresses(importer);
    let mut names: Vec<String> = Vec::new();
    for check in &importer.output.checks {
        names.extend(check.get("name").map(str::to_owned));
    }
    let servers = virtual_servers.iter().flat_map(|virtual_server| {
        let servers = virtual_server.inner().iter();
        let servers = servers.filter(|inner| inner.keyword() == "real_server");
        servers.map(|server| (*virtual_server, server))
    });
    for (virtual_server, server) in servers.take(MOST) {
        let Ok(address) = server.word(1).parse::<IpAddr>() else {
            continue;
        };
        let place = place(address, server.word(2));
        let check = server.inner().iter();
        let check = check.filter(|inner| CHECKS.contains(&inner.keyword()));
        let found = check.filter_map(|check| Some((check, question(check, address, &place)?)));
        let Some((check, keys)) = found.into_iter().next() else {
            continue;
        };
        let title = format!("real_server {place}, {}", check.keyword());
        if !own.contains(&address) && !address.is_loopback() {
            let (key, value) = &keys[0];
            let text = format!(
                "{title}: stays with keepalived; if vrrpd is to go by it, a [CHECK] with {key} = {value}"
            );
            importer.output.remarks.push((server.at, text));
            continue;
        }
        let title = format!(
            "{title}: stays with keepalived; as the server is on this host, vrrpd could go by it: uncomment this, and name it with `check = `"
        );
        let mut section = Section::new(server.at, title);
        let name = check_name(&format!("server-{place}"), &names);
        section.put("name", name.clone(), server.at);
        names.push(name);
        for (key, value) in keys {
            section.put(key, value, check.at);
        }
        for (key, value) in timing(virtual_server, server, check) {
            section.put(key, value, check.at);
        }
        importer.output.proposals.push(section);
    }
}

/// The addresses of the interfaces that have virtual routers.
fn own_addresses(importer: &Importer<'_>) -> Vec<IpAddr> {
    let routers = importer.output.routers.iter();
    let interfaces = routers.filter_map(|router| router.get("interface"));
    let networks = interfaces.flat_map(|name| importer.surroundings.networks(name));
    networks.map(|(address, _)| address).collect()
}

/// An address and a port as `tcp` has them. Without a port: the address.
fn place(address: IpAddr, port: &str) -> String {
    let port = number(port).filter(|port| (1..=65535).contains(port));
    match (address, port) {
        (address, None) => address.to_string(),
        (IpAddr::V4(v4), Some(port)) => format!("{v4}:{port}"),
        (IpAddr::V6(v6), Some(port)) => format!("[{v6}]:{port}"),
    }
}

/// The value of a word in a block.
fn value<'s>(block: &'s Statement, word: &str) -> Option<&'s str> {
    let mut inner = block.inner().iter();
    let found = inner.find(|inner| inner.keyword() == word)?;
    Some(found.word(1)).filter(|value| !value.is_empty())
}

/// The keys that ask what a check asks. `None`: vrrpd has no such question.
fn question(
    check: &Statement,
    address: IpAddr,
    server: &str,
) -> Option<Vec<(&'static str, String)>> {
    let place = match (value(check, "connect_ip"), value(check, "connect_port")) {
        (None, None) => server.to_owned(),
        (ip, port) => {
            let address = ip.map_or(Some(address), |ip| ip.parse().ok())?;
            let port = port.or(server.rsplit_once(':').map(|(_, port)| port));
            place(address, port.unwrap_or_default())
        }
    };
    let has_port = place.parse::<IpAddr>().is_err();
    match check.keyword() {
        "TCP_CHECK" if has_port => Some(vec![("tcp", place)]),
        "PING_CHECK" => Some(vec![("ping", address.to_string())]),
        "MISC_CHECK" => {
            let path = check.inner().iter();
            let mut path = path.filter(|inner| inner.keyword() == "misc_path");
            let words = path.next()?.words.get(1..)?;
            // One word in quotation marks is a line.
            let words: Vec<String> = words
                .iter()
                .flat_map(|word| word.split_ascii_whitespace().map(str::to_owned))
                .collect();
            let is_absolute = words.first().is_some_and(|word| word.starts_with('/'));
            let line = is_absolute.then(|| command(&words).ok())??;
            Some(vec![("command", line)])
        }
        "HTTP_GET" | "SSL_GET" if has_port => {
            let is_tls = check.keyword() == "SSL_GET";
            let scheme = if is_tls { "https" } else { "http" };
            let mut urls = check.inner().iter();
            let url = urls.find(|inner| inner.keyword() == "url");
            let path = url.and_then(|url| value(url, "path")).unwrap_or("/");
            let mut keys = vec![("http", format!("{scheme}://{place}{path}"))];
            if let Some(status) = url.and_then(|url| value(url, "status_code")) {
                keys.push(("status", status.to_owned()));
            }
            let host = url.and_then(|url| value(url, "virtualhost"));
            if let Some(host) = host.or(value(check, "virtualhost")) {
                keys.push(("host", host.to_owned()));
            }
            if is_tls {
                // keepalived does not look at the certificate.
                keys.push(("verify", "no".to_owned()));
            }
            Some(keys)
        }
        _ => None,
    }
}

/// How often it is asked, and how long an answer may take; the innermost word counts.
fn timing(
    virtual_server: &Statement,
    server: &Statement,
    check: &Statement,
) -> Vec<(&'static str, String)> {
    let innermost = |word: &str| {
        let blocks = [check, server, virtual_server];
        blocks.into_iter().find_map(|block| value(block, word))
    };
    let seconds_of = |word: &str| {
        let micros = innermost(word).and_then(micros)?;
        let millis = micros / 1000;
        (100..=3_600_000).contains(&millis).then(|| seconds(millis))
    };
    let keys = [
        ("interval", seconds_of("delay_loop")),
        ("timeout", seconds_of("connect_timeout")),
    ];
    let keys = keys.into_iter();
    keys.filter_map(|(key, value)| Some((key, value?)))
        .collect()
}
