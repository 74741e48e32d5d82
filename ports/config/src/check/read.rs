//! One `[CHECK]` section.

use std::path::PathBuf;
use std::time::Duration;

use regex_lite::Regex;

use super::{Check, CheckKind, CheckSpec, Command, Dns, Http, Place, Process, Tcp, Tls};
use crate::diagnostic::found;
use crate::keys::Key;
use crate::lexer::Section;
use crate::reader::Reader;
use crate::script::{self, Defaults};
use crate::script_security::ScriptSecurity;
use crate::values;

/// The longest name of a check.
const MAX_NAME: usize = 32;
/// The longest time between two questions, in milliseconds.
const HOUR: u64 = 3_600_000;

/// The kinds of checks.
const KINDS: [Key; 8] = [
    Key::Process,
    Key::Unit,
    Key::Tcp,
    Key::Http,
    Key::Dns,
    Key::Ping,
    Key::File,
    Key::Command,
];

/// The keys that belong to some kinds only.
const DETAILS: [(Key, Key); 10] = [
    (Key::Expect, Key::Tcp),
    (Key::Send, Key::Tcp),
    (Key::Status, Key::Http),
    (Key::Body, Key::Http),
    (Key::Host, Key::Http),
    (Key::Verify, Key::Http),
    (Key::Ca, Key::Http),
    (Key::Answer, Key::Dns),
    (Key::Absent, Key::File),
    (Key::ScriptUser, Key::Command),
];

/// Reads a section. `None`: it has errors, which were reported; its name all the same, if it has one.
pub(crate) fn read(
    section: &Section<'_>,
    reader: &mut Reader<'_, '_>,
    defaults: &Defaults,
    security: ScriptSecurity,
) -> (Option<String>, Option<Check>) {
    let name = reader.value(Key::Name, name);
    if reader.entry(Key::Name).is_none() && !reader.damaged() {
        reader.error(
            Key::Name,
            "missing in this [CHECK] section, expected a name",
        );
    }
    let kind = one_kind(reader);
    let kind = kind.and_then(|key| read_kind(reader, key, defaults, security));
    let interval = reader.value(Key::Interval, |text| span(text, 100));
    let interval = interval.unwrap_or(Duration::from_secs(1));
    let timeout = reader.value(Key::Timeout, |text| span(text, 10));
    let count = |text: &str| values::number(text, 1..=1000);
    let fall = reader.value(Key::Fall, count).unwrap_or(3);
    let rise = reader.value(Key::Rise, count).unwrap_or(2);
    let initially = reader.value(Key::Initially, |text| {
        values::word(text, &[("up", true), ("down", false)])
    });
    let failed = reader.failed() || section.damaged;
    let check = match (&name, kind) {
        (Some(name), Some(kind)) if !failed => {
            let spec = CheckSpec {
                name: name.clone(),
                kind,
                interval,
                timeout: timeout.unwrap_or(interval),
                fall,
                rise,
                initially_up: initially.unwrap_or(true),
            };
            Some(Check::new(spec, section))
        }
        _ => None,
    };
    (name, check)
}

/// A name that a log line, a metric and `check = a, b:-50` can hold.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(fits) {
        return Err(format!(
            "expected a name of up to {MAX_NAME} letters, digits, `-`, `_` and `.`, found {}",
            found(text)
        ));
    }
    Ok(text.to_owned())
}

/// The one key that says what is asked; and none of the details of another.
fn one_kind(reader: &mut Reader<'_, '_>) -> Option<Key> {
    let mut given = KINDS.into_iter().filter(|key| reader.entry(*key).is_some());
    let (first, second) = (given.next(), given.next());
    let Some(first) = first else {
        if !reader.damaged() {
            reader.section_error(
                "expected one of process, unit, tcp, http, dns, ping, file and command in this [CHECK] section, found none",
            );
        }
        return None;
    };
    if let Some(second) = second {
        let (first, second_name) = (first.name(), second.name());
        let message =
            format!("expected one question in a section, found {first} and {second_name}");
        reader.error(second, message);
        return None;
    }
    for (detail, of) in DETAILS {
        if of != first && reader.entry(detail).is_some() {
            let message = format!(
                "belongs to a check with {}, found {}",
                of.name(),
                first.name()
            );
            reader.error(detail, message);
        }
    }
    Some(first)
}

fn read_kind(
    reader: &mut Reader<'_, '_>,
    key: Key,
    defaults: &Defaults,
    security: ScriptSecurity,
) -> Option<CheckKind> {
    Some(match key {
        Key::Process => CheckKind::Process(reader.value(key, process)?),
        Key::Unit => CheckKind::Unit(reader.value(key, unit)?),
        Key::Tcp => {
            let at = reader.value(key, |text| Place::with_port(text, None));
            let send = reader.value(Key::Send, escaped);
            let expect = reader.value(Key::Expect, expression);
            let (place, port) = at?;
            CheckKind::Tcp(Tcp {
                place,
                port,
                send,
                expect,
            })
        }
        Key::Http => CheckKind::Http(http(reader)?),
        Key::Dns => {
            let question = reader.value(key, question);
            let answer = reader.value(Key::Answer, some_text);
            Dns {
                answer,
                ..question?
            }
            .into()
        }
        Key::Ping => CheckKind::Ping(reader.value(key, host)?),
        Key::File => {
            let path = reader.value(key, absolute);
            let absent = reader.value(Key::Absent, values::yes_no).unwrap_or(false);
            CheckKind::File {
                path: path?,
                absent,
            }
        }
        _ => {
            let script = script::script(reader, Key::Command);
            let user = defaults.read_user(reader);
            CheckKind::Command(Command {
                script: script?,
                user,
                account: None,
                security,
            })
        }
    })
}

impl From<Dns> for CheckKind {
    fn from(dns: Dns) -> Self {
        Self::Dns(dns)
    }
}

fn span(text: &str, least: u64) -> Result<Duration, String> {
    let span = values::seconds(text, least..=HOUR)?;
    Ok(Duration::from_micros(span.as_micros()))
}

fn some_text(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected some text, found nothing".to_owned()),
        text => Ok(text.to_owned()),
    }
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    if !text.starts_with('/') {
        return Err(format!("expected an absolute path, found {}", found(text)));
    }
    Ok(PathBuf::from(text))
}

fn process(text: &str) -> Result<Process, String> {
    if let Some(path) = text.strip_prefix("pidfile:") {
        return Ok(Process::PidFile(absolute(path.trim_ascii())?));
    }
    if text.is_empty() || text.len() > 255 || text.contains(['/', ' ', '\t']) {
        return Err(format!(
            "expected the name of a program, without its path, or `pidfile:/path`, found {}",
            found(text)
        ));
    }
    Ok(Process::Name(text.to_owned()))
}

/// The name of a unit must not be taken for an option, or for several.
fn unit(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if text.is_empty() || text.len() > 255 || text.starts_with('-') || !text.chars().all(fits) {
        let what = if cfg!(target_os = "linux") {
            "a unit, as `nginx.service`"
        } else {
            "a service, as `nginx`"
        };
        return Err(format!(
            "expected the name of {what}, found {}",
            found(text)
        ));
    }
    Ok(text.to_owned())
}

fn host(text: &str) -> Result<Place, String> {
    Place::parse(text).ok_or_else(|| {
        format!(
            "expected an address, a host's name, `self`, `virtual` or `localhost`, found {}",
            found(text)
        )
    })
}

fn expression(text: &str) -> Result<String, String> {
    some_text(text)?;
    match Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "expected a regular expression, found {}: {error}",
            found(text)
        )),
    }
}

/// Octets to send: `\r`, `\n`, `\t`, `\\` and `\xNN` are escapes, and the line is ended if it does not
/// end itself.
fn escaped(text: &str) -> Result<Vec<u8>, String> {
    some_text(text)?;
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    let wrong = || {
        let found = found(text);
        format!("expected `\\r`, `\\n`, `\\t`, `\\\\` or `\\xNN` after `\\`, found {found}")
    };
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        octets.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit(), digit());
                let value = high.zip(low).map(|(high, low)| high * 16 + low);
                value.and_then(|v| u8::try_from(v).ok()).ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        });
    }
    if octets.last() != Some(&b'\n') {
        octets.extend_from_slice(b"\r\n");
    }
    Ok(octets)
}

fn http(reader: &mut Reader<'_, '_>) -> Option<Http> {
    let url = reader.value(Key::Http, url);
    let host = reader.value(Key::Host, site);
    let statuses = reader.items(Key::Status, status);
    let body = reader.value(Key::Body, some_text);
    let verify = reader.value(Key::Verify, values::yes_no);
    let ca = reader.value(Key::Ca, absolute);
    let url = url?;
    for key in [Key::Verify, Key::Ca] {
        if !url.tls && reader.entry(key).is_some() {
            reader.error(key, "belongs to https, found http");
        }
    }
    if verify == Some(false) && ca.is_some() {
        reader.warning(Key::Ca, "has no effect beside `verify = no`");
    }
    let statuses = match statuses.is_empty() {
        true => (200..=399).collect(),
        false => statuses,
    };
    Some(Http {
        tls: url.tls.then(|| Tls {
            verify: verify.unwrap_or(true),
            ca,
        }),
        place: url.place,
        port: url.port,
        host: host.unwrap_or(url.host),
        path: url.path,
        statuses,
        body,
    })
}

struct Url {
    tls: bool,
    place: Place,
    port: u16,
    host: String,
    path: String,
}

fn url(text: &str) -> Result<Url, String> {
    let expected = || {
        let found = found(text);
        format!("expected `http://host/path` or `https://host/path`, found {found}")
    };
    let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return Err(expected()),
    };
    let (host, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let usual = if tls { 443 } else { 80 };
    let (place, port) = Place::with_port(host, Some(usual)).map_err(|_| expected())?;
    // An IPv6 address would be taken apart at its colons.
    if host.contains("::") && !host.starts_with('[') {
        return Err(expected());
    }
    if !path.bytes().all(|octet| octet.is_ascii_graphic()) || path.contains('#') {
        return Err(format!(
            "expected a path of printable characters without `#`, others as %XX, found {}",
            found(path)
        ));
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Url {
        tls,
        place,
        port,
        host: host.to_owned(),
        path: format!("{slash}{path}"),
    })
}

fn site(text: &str) -> Result<String, String> {
    match Place::with_port(text, Some(1)) {
        Ok((Place::Name(_) | Place::Address(_) | Place::Localhost, _)) => Ok(text.to_owned()),
        _ => Err(format!(
            "expected the name of a site, found {}",
            found(text)
        )),
    }
}

fn status(text: &str) -> Result<u16, String> {
    values::number_as(text, 100..=599, |number| u16::try_from(number).ok())
}

/// `server name type`.
fn question(text: &str) -> Result<Dns, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let &[server, name, kind] = words.as_slice() else {
        return Err(format!(
            "expected `server name type`, as `127.0.0.1 example.org SOA`, found {}",
            found(text)
        ));
    };
    let (place, port) = Place::with_port(server, Some(53))?;
    let labels = name.strip_suffix('.').unwrap_or(name).split('.');
    let plain = |c: char| c.is_ascii_graphic() && !"\\\"();".contains(c);
    let fits = name == "."
        || (name.len() <= 253
            && name.chars().all(plain)
            && labels.into_iter().all(|l| !l.is_empty() && l.len() <= 63));
    if !fits {
        return Err(format!("expected a name of DNS, found {}", found(name)));
    }
    const TYPES: [&str; 12] = [
        "A", "AAAA", "CAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "SVCB", "TXT",
    ];
    let kind = kind.to_ascii_uppercase();
    if !TYPES.contains(&kind.as_str()) {
        return Err(format!(
            "expected one of {}, found {}",
            TYPES.join(", "),
            found(&kind)
        ));
    }
    Ok(Dns {
        place,
        port,
        name: name.to_owned(),
        kind,
        answer: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_to_send_end_their_line() {
        assert_eq!(escaped("PING").unwrap(), b"PING\r\n");
        assert_eq!(escaped(r"PING\n").unwrap(), b"PING\n");
        assert_eq!(escaped(r"a\x00\\\tb\r\n").unwrap(), b"a\0\\\tb\r\n");
        for bad in ["", r"\", r"\q", r"\x1", r"\xgg", r"\x"] {
            assert!(escaped(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        let read = url("https://127.0.0.1/health?x=1").unwrap();
        assert_eq!(
            (read.tls, read.port, read.host.as_str(), read.path.as_str()),
            (true, 443, "127.0.0.1", "/health?x=1")
        );
        let read = url("http://[::1]:8080").unwrap();
        assert_eq!(
            (read.tls, read.port, read.path.as_str()),
            (false, 8080, "/")
        );
        assert_eq!(url("http://self?q").unwrap().path, "/?q");
        for bad in [
            "",
            "http://",
            "ftp://a/",
            "http://a:0/",
            "http://::1/",
            "http://a@b/",
            "http://a/ b",
            "http://a/#b",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_question_has_a_server_a_name_and_a_type() {
        let dns = question("127.0.0.1 who.ami txt").unwrap();
        assert_eq!(
            (dns.port, dns.name.as_str(), dns.kind.as_str()),
            (53, "who.ami", "TXT")
        );
        assert!(question("[::1]:5300 . NS").is_ok());
        for bad in [
            "",
            "127.0.0.1",
            "127.0.0.1 a",
            "127.0.0.1 a..b A",
            "127.0.0.1 a ANY",
            "127.0.0.1 a A IN",
        ] {
            assert!(question(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_units_are_no_options() {
        assert!(unit("nginx.service").is_ok() && unit("getty@tty1.service").is_ok());
        assert!(unit("--all").is_err() && unit("a b").is_err() && unit("").is_err());
    }
}
