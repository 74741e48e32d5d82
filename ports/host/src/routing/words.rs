//! The words of routes and rules, and what is wrong with them.

use std::fmt;
use std::net::IpAddr;
use std::str::SplitAsciiWhitespace;

use vrrp_core::Family;

/// The longest name of an interface, in octets: that of an alternative one.
const MAX_DEVICE: usize = 127;

/// The names of tables that every host has.
const TABLES: [(&str, u32); 3] = [("main", 254), ("local", 255), ("default", 253)];

/// The table of routes that do not name another.
pub(super) const MAIN: u32 = 254;

/// A fault in a route or a rule: what was expected, and the word that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingError(String);

impl RoutingError {
    /// A word that is not what was expected. An empty one: the text ended.
    pub(super) fn new(expected: impl fmt::Display, found: &str) -> Self {
        const SHOWN: usize = 60;
        let shown: String = found.chars().take(SHOWN).flat_map(printable).collect();
        let more = if found.chars().nth(SHOWN).is_some() {
            "..."
        } else {
            ""
        };
        match shown.as_str() {
            "" => Self(format!("expected {expected}, found nothing")),
            shown => Self(format!("expected {expected}, found `{shown}{more}`")),
        }
    }

    /// A fault of the whole.
    pub(super) fn whole(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A control character would break the line of a log.
fn printable(c: char) -> Vec<char> {
    match c.is_control() {
        true => c.escape_default().collect(),
        false => vec![c],
    }
}

impl fmt::Display for RoutingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RoutingError {}

/// A network: its address, without bits of a host, and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// The length of the prefix in bits: 0 to 32 or to 128.
    pub prefix_len: u8,
}

impl Network {
    /// The network that every address of a family is in.
    pub(super) fn all(family: Family) -> Self {
        let address = match family {
            Family::Ipv4 => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            Family::Ipv6 => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        Self {
            address,
            prefix_len: 0,
        }
    }

    /// An address, or one with a prefix; `word` is before it.
    pub(super) fn read(word: &str, text: &str) -> Result<Self, RoutingError> {
        let expected = || {
            RoutingError::new(
                format!("a network such as `10.0.0.0/8` or `2001:db8::/32` {word}"),
                text,
            )
        };
        let (address, len) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let widest = width(address);
        let prefix_len = match text.contains('/') {
            true => number(len).and_then(|len| u8::try_from(len).ok()),
            false => Some(widest),
        };
        let prefix_len = prefix_len
            .filter(|len| *len <= widest)
            .ok_or_else(|| RoutingError::new(format!("a prefix length up to {widest}"), text))?;
        let network = Self {
            address: masked(address, prefix_len),
            prefix_len,
        };
        if network.address != address {
            return Err(RoutingError::new(
                format!("a network without bits of a host, as in `{network}`"),
                text,
            ));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(address: IpAddr, len: u8) -> IpAddr {
    let len = u32::from(len);
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - len.min(32)).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - len.min(128)).unwrap_or(0);
            IpAddr::V6((ip.to_bits() & mask).into())
        }
    }
}

/// The words that are left.
pub(super) struct Words<'a> {
    rest: SplitAsciiWhitespace<'a>,
    seen: Vec<&'static str>,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text.split_ascii_whitespace(),
            seen: Vec::new(),
        }
    }

    /// Takes the next word.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.rest.next()
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let mut ahead = self.rest.clone();
        let is_next = ahead.next() == Some(word);
        if is_next {
            self.rest = ahead;
        }
        is_next
    }

    /// Notes a word that may stand once.
    pub(super) fn once(&mut self, word: &'static str) -> Result<(), RoutingError> {
        if self.seen.contains(&word) {
            let text = format!("expected `{word}` once, found it twice");
            return Err(RoutingError::whole(text));
        }
        self.seen.push(word);
        Ok(())
    }

    /// Whether a word was noted.
    pub(super) fn has(&self, word: &'static str) -> bool {
        self.seen.contains(&word)
    }

    /// The word after one that needs it. Empty: there is none.
    fn value(&mut self) -> &'a str {
        self.next().unwrap_or_default()
    }

    /// A number after `word`; with `0x` a hexadecimal one.
    pub(super) fn number(&mut self, word: &str, first: u32) -> Result<u32, RoutingError> {
        let text = self.value();
        let found = number(text).filter(|number| *number >= first);
        found.ok_or_else(|| {
            let last = u32::MAX;
            RoutingError::new(
                format!("a number from {first} to {last} after `{word}`"),
                text,
            )
        })
    }

    /// A table after `word`.
    pub(super) fn table(&mut self, word: &str) -> Result<u32, RoutingError> {
        let text = self.value();
        if let Some((_, table)) = TABLES.iter().find(|(name, _)| *name == text) {
            return Ok(*table);
        }
        number(text).filter(|table| *table > 0).ok_or_else(|| {
            let expected = format!(
                "`main`, `local`, `default` or the number of a table, 1 to {}, after `{word}`",
                u32::MAX
            );
            RoutingError::new(expected, text)
        })
    }

    /// The name of an interface after `word`.
    pub(super) fn device(&mut self, word: &str) -> Result<String, RoutingError> {
        let text = self.value();
        let bad = |c: char| c == '/' || c == ':' || c == ',' || c.is_control() || c.is_whitespace();
        if text.is_empty()
            || text.len() > MAX_DEVICE
            || matches!(text, "." | "..")
            || text.chars().any(bad)
        {
            let expected = format!("the name of an interface after `{word}`");
            return Err(RoutingError::new(expected, text));
        }
        Ok(text.to_owned())
    }

    /// The address of a host after `word`.
    pub(super) fn host(&mut self, word: &str) -> Result<IpAddr, RoutingError> {
        let text = self.value();
        let address = text.parse().ok();
        let address = address.filter(|ip: &IpAddr| !ip.is_multicast() && !ip.is_unspecified());
        address
            .ok_or_else(|| RoutingError::new(format!("the address of a host after `{word}`"), text))
    }

    /// A network after `word`; `None`: all of them.
    pub(super) fn network(&mut self, word: &str) -> Result<Option<Network>, RoutingError> {
        match self.value() {
            "all" | "any" | "default" => Ok(None),
            text => {
                let network = Network::read(&format!("after `{word}`"), text)?;
                Ok(Some(network))
            }
        }
    }
}

/// A number, decimal or after `0x` hexadecimal.
pub(super) fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // A sign is no digit.
    let plain = digits.chars().all(|c| c.is_digit(radix));
    plain.then(|| u32::from_str_radix(digits, radix).ok())?
}

/// The name of a table, or its number.
pub(super) struct Table(pub(super) u32);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TABLES.iter().find(|(_, table)| *table == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}
