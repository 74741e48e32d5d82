//! The host that a check asks.

use std::net::{IpAddr, Ipv6Addr};

use vrrp_core::Family;

use crate::diagnostic::found;

/// The host that a check asks. Interfaces and addresses are those of the virtual routers that use the
/// check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Place {
    /// An address.
    Address(IpAddr),
    /// A name, looked up each time.
    Name(String),
    /// `localhost`: 127.0.0.1, or ::1 where only that answers.
    Localhost,
    /// `self`: the own address of each interface, and of the family: whether it is IPv6.
    Own {
        /// The interfaces.
        of: Vec<(String, bool)>,
        /// Virtual addresses, which are nobody's own.
        except: Vec<IpAddr>,
    },
    /// `virtual`: each virtual address that this host has at the moment.
    Virtual(Vec<IpAddr>),
}

impl Place {
    /// A host as the file writes it: an address, in brackets or not, a name, or one of our words.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Some(inner) = bare {
            return inner
                .parse::<Ipv6Addr>()
                .ok()
                .map(|v6| Self::Address(v6.into()));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address));
        }
        Some(match text.to_ascii_lowercase().as_str() {
            "localhost" => Self::Localhost,
            "self" => Self::Own {
                of: Vec::new(),
                except: Vec::new(),
            },
            "virtual" => Self::Virtual(Vec::new()),
            _ if is_name(text) => Self::Name(text.to_owned()),
            _ => return None,
        })
    }

    /// A host and a port, which `default` stands for where it may be left out.
    pub(crate) fn with_port(text: &str, default: Option<u16>) -> Result<(Self, u16), String> {
        let expected = || {
            let port = if default.is_some() {
                "host or host:port"
            } else {
                "host:port"
            };
            format!(
                "expected `{port}`, an IPv6 address in brackets, found {}",
                found(text)
            )
        };
        if let (Some(port), Ok(address)) = (default, text.parse()) {
            return Ok((Self::Address(address), port));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, Some(port.ok_or_else(expected)?))
            }
            _ => (text, default),
        };
        let unclear = host.contains(':') && !host.starts_with('[');
        let place = Self::parse(host).filter(|_| !unclear);
        Ok((place.ok_or_else(expected)?, port.ok_or_else(expected)?))
    }

    /// Adds a virtual router that uses the check.
    pub(super) fn used_by(&mut self, interface: &str, family: Family, addresses: &[IpAddr]) {
        match self {
            Self::Own { of, except } => {
                let own = (interface.to_owned(), family == Family::Ipv6);
                if !of.contains(&own) {
                    of.push(own);
                }
                add(except, addresses);
            }
            Self::Virtual(all) => add(all, addresses),
            Self::Address(_) | Self::Name(_) | Self::Localhost => {}
        }
    }
}

fn add(all: &mut Vec<IpAddr>, more: &[IpAddr]) {
    for address in more {
        if !all.contains(address) {
            all.push(*address);
        }
    }
}

/// The name of a host: letters, digits and hyphens between dots.
fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    let numeric = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let labels = || text.trim_end_matches('.').split('.');
    !text.is_empty()
        && text.len() <= 253
        && !numeric
        && text.chars().all(fits)
        && labels().all(|label| !label.is_empty() && label.len() <= 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(text: &str) -> Result<(Place, u16), String> {
        Place::with_port(text, None)
    }

    #[test]
    fn a_host_has_a_port_unless_there_is_a_usual_one() {
        let address = |text: &str| Place::Address(text.parse().unwrap());
        assert_eq!(port("127.0.0.1:25"), Ok((address("127.0.0.1"), 25)));
        assert_eq!(port("[::1]:25"), Ok((address("::1"), 25)));
        assert_eq!(port("localhost:1"), Ok((Place::Localhost, 1)));
        assert_eq!(
            port("Virtual:65535"),
            Ok((Place::Virtual(Vec::new()), 65535))
        );
        assert_eq!(
            port("mail.example:25"),
            Ok((Place::Name("mail.example".into()), 25))
        );
        for bad in [
            "", "25", ":25", "::1:25", "a:0", "a:65536", "a:b", "[::1]", "a b:1", "1.2.3:4",
        ] {
            let error = port(bad).unwrap_err();
            assert!(error.starts_with("expected `host:port`"), "{bad}: {error}");
        }
        let dns = |text| Place::with_port(text, Some(53));
        assert_eq!(dns("::1"), Ok((address("::1"), 53)));
        assert_eq!(dns("[::1]:5353"), Ok((address("::1"), 5353)));
        assert_eq!(dns("10.0.0.1"), Ok((address("10.0.0.1"), 53)));
        assert!(dns("10.0.0.1:x").is_err());
    }

    #[test]
    fn names_are_those_of_hosts() {
        for good in ["a", "a.b.", "x-1.example", "_dmarc.example"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "a..b", "a b", "é", "10.0.0.1", &"a".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
