//! From the text of a value to a value, or to a sentence: what was expected and what was found.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use vrrp_core::{Duration, VirtualAddress};

use super::diagnostic::found;

/// The longest interface name, in octets: on Linux that of an alternative one.
const MAX_INTERFACE_NAME: usize = if cfg!(target_os = "linux") { 127 } else { 15 };

/// A decimal number in a range.
pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Result<u32, String> {
    number_as(text, range, Some)
}

/// A decimal number in a range, as the type that `make` makes of it.
pub(super) fn number_as<T>(
    text: &str,
    range: RangeInclusive<u32>,
    make: impl FnOnce(u32) -> Option<T>,
) -> Result<T, String> {
    digits(text)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| range.contains(number))
        .and_then(make)
        .ok_or_else(|| {
            let (first, last) = (range.start(), range.end());
            format!(
                "expected a number from {first} to {last}, found {}",
                found(text)
            )
        })
}

/// `yes` or `no`, in any case.
pub(super) fn yes_no(text: &str) -> Result<bool, String> {
    word(text, &[("yes", true), ("no", false)])
}

/// One of some words, in any case.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = words.iter().find(|(w, _)| w.eq_ignore_ascii_case(text)) {
        return Ok(*value);
    }
    let mut expected = String::new();
    for (index, (w, _)) in words.iter().enumerate() {
        if index > 0 {
            expected.push_str(if index + 1 == words.len() {
                " or "
            } else {
                ", "
            });
        }
        expected.push_str(&format!("`{w}`"));
    }
    Err(format!("expected {expected}, found {}", found(text)))
}

/// Seconds, with at most three decimals, in a range of milliseconds.
pub(super) fn seconds(text: &str, millis: RangeInclusive<u64>) -> Result<Duration, String> {
    decimal(text, 3)
        .filter(|value| millis.contains(value))
        .map(Duration::from_millis)
        .ok_or_else(|| {
            format!(
                "expected seconds from {} to {}, at most three decimals, found {}",
                in_seconds(*millis.start()),
                in_seconds(*millis.end()),
                found(text)
            )
        })
}

/// Seconds with at most two decimals, as centiseconds. `None`: it is not that, or over an hour.
pub(super) fn centiseconds(text: &str) -> Option<u16> {
    decimal(text, 2).and_then(|value| u16::try_from(value).ok())
}

/// The items of a list: between commas, without blanks. A comma after the last is forgiven.
/// An item is empty where two commas meet.
pub(super) fn list(text: &str) -> Vec<&str> {
    let text = text.trim_ascii();
    let text = text.strip_suffix(',').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Vec::new();
    }
    text.split(',').map(str::trim_ascii).collect()
}

/// The name of a network interface, as the kernel allows it.
pub(super) fn interface(text: &str) -> Result<String, String> {
    if text.len() > MAX_INTERFACE_NAME {
        return Err(format!(
            "expected the name of an interface, at most {MAX_INTERFACE_NAME} octets, found {}",
            found(text)
        ));
    }
    let bad = text.is_empty()
        || text == "."
        || text == ".."
        || text
            .chars()
            .any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
    if bad {
        return Err(format!(
            "expected the name of an interface without blanks, `/` and `:`, found {}",
            found(text)
        ));
    }
    Ok(text.to_owned())
}

/// One item of `addr`: an address with its prefix, and the interface named before it.
pub(super) fn virtual_address(text: &str) -> Result<(VirtualAddress, Option<String>), String> {
    let Some((place, prefix)) = text.rsplit_once('/') else {
        return Err(match interface_and_address(text) {
            Some((_, address)) => format!(
                "expected a prefix length after the address, as in `{address}/{}`, found {}",
                width(address),
                found(text)
            ),
            None => expected_address(text),
        });
    };
    let (name, address) =
        interface_and_address(place.trim_ascii()).ok_or_else(|| expected_address(text))?;
    let name = name.map(interface).transpose()?;
    let widest = width(address);
    let prefix_len = digits(prefix.trim_ascii())
        .and_then(|len| u8::try_from(len).ok())
        .filter(|len| (1..=widest).contains(len))
        .ok_or_else(|| {
            format!(
                "expected a prefix length from 1 to {widest} after `{address}/`, found {}",
                found(prefix.trim_ascii())
            )
        })?;
    unicast(address)?;
    let address = VirtualAddress {
        address,
        prefix_len,
    };
    Ok((address, name))
}

/// A unicast address that a host may have.
pub(super) fn host_address(text: &str) -> Result<IpAddr, String> {
    let address = text
        .parse()
        .map_err(|_| format!("expected an IPv4 or IPv6 address, found {}", found(text)))?;
    unicast(address)?;
    Ok(address)
}

/// Returns the oddity of an address under its prefix, if any.
pub(super) fn odd_address(virtual_address: VirtualAddress) -> Option<&'static str> {
    let IpAddr::V4(address) = virtual_address.address else {
        return None;
    };
    let host_bits = 32 - u32::from(virtual_address.prefix_len.min(32));
    if host_bits < 2 {
        return None;
    }
    let host_mask = u32::MAX.checked_shr(32 - host_bits).unwrap_or(0);
    match address.to_bits() & host_mask {
        0 => Some("is the number of its network, not of a host"),
        part if part == host_mask => Some("is the broadcast address of its network"),
        _ => None,
    }
}

/// Splits `dev:address`, `dev:[address]`, `[address]` and `address`. A text that is an IPv6 address
/// as a whole is taken as one.
fn interface_and_address(text: &str) -> Option<(Option<&str>, IpAddr)> {
    if let Ok(address) = text.parse() {
        return Some((None, address));
    }
    if let Some(address) = bracketed(text) {
        return Some((None, address));
    }
    let (name, rest) = text.split_once(':')?;
    let rest = rest.trim_ascii();
    let address = rest.parse().ok().or_else(|| bracketed(rest))?;
    Some((Some(name.trim_ascii()), address))
}

fn bracketed(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

fn expected_address(text: &str) -> String {
    format!(
        "expected `address/prefix` or `interface:address/prefix`, found {}",
        found(text)
    )
}

fn unicast(address: IpAddr) -> Result<(), String> {
    let kind = match address {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => kind_v6(v6),
    };
    match kind {
        None => Ok(()),
        Some(kind) => Err(format!(
            "expected the address of a host, found {kind} `{address}`"
        )),
    }
}

fn kind_v4(address: Ipv4Addr) -> Option<&'static str> {
    if address.is_multicast() {
        Some("the multicast address")
    } else if address.is_loopback() {
        Some("the loopback address")
    } else if address.octets()[0] == 0 || address.octets()[0] >= 240 {
        Some("the reserved address")
    } else {
        None
    }
}

fn kind_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_multicast() {
        Some("the multicast address")
    } else if address.is_loopback() {
        Some("the loopback address")
    } else if address.is_unspecified() {
        Some("the unspecified address")
    } else if address.to_ipv4_mapped().is_some() {
        Some("the IPv4-mapped address")
    } else {
        None
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// A number of at most 18 decimal digits, and nothing but digits.
fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// A decimal number times ten to the power of `places`, if it has no more decimals than that.
fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > places {
        return None;
    }
    let padded = format!("{fraction:0<places$}");
    let scale = 10u64.checked_pow(u32::try_from(places).ok()?)?;
    digits(whole)?
        .checked_mul(scale)?
        .checked_add(digits(&padded)?)
}

/// Milliseconds as seconds without needless decimals.
fn in_seconds(millis: u64) -> String {
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_hold_to_their_range_and_to_digits() {
        assert_eq!(number("1", 1..=255), Ok(1));
        assert_eq!(number("255", 1..=255), Ok(255));
        for text in [
            "0",
            "256",
            "300",
            "-1",
            "+1",
            "1.0",
            "0x10",
            "",
            "99999999999999999999",
        ] {
            assert_eq!(
                number(text, 1..=255),
                Err(format!(
                    "expected a number from 1 to 255, found {}",
                    found(text)
                ))
            );
        }
    }

    #[test]
    fn the_name_of_an_interface_is_one_that_the_kernel_takes() {
        let longest = "a".repeat(MAX_INTERFACE_NAME);
        assert_eq!(interface(&longest), Ok(longest.clone()));
        let error = interface(&format!("{longest}a")).unwrap_err();
        let expected = format!("at most {MAX_INTERFACE_NAME} octets, found");
        assert!(error.contains(&expected), "{error}");
        for text in ["", ".", "..", "a b", "a/b", "a:b", "a\u{7}"] {
            assert!(interface(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds("0.5", 0..=1000), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("1", 0..=1000), Ok(Duration::from_secs(1)));
        for text in ["1.001", "0.0001", "1.", ".5", "1e3", "-0", "5 s", ""] {
            assert_eq!(
                seconds(text, 0..=1000),
                Err(format!(
                    "expected seconds from 0 to 1, at most three decimals, found {}",
                    found(text)
                ))
            );
        }
        assert_eq!(centiseconds("40.95"), Some(4095));
        assert_eq!(centiseconds("0.1"), Some(10));
        assert_eq!(centiseconds("0.015"), None);
        assert_eq!(centiseconds("655.36"), None);
    }

    #[test]
    fn words_are_listed_when_none_fits() {
        assert_eq!(yes_no("YES"), Ok(true));
        assert_eq!(
            word("x", &[("a", 1), ("b", 2), ("c", 3)]),
            Err("expected `a`, `b` or `c`, found `x`".to_owned())
        );
    }

    #[test]
    fn lists_forgive_blanks_and_one_comma_at_the_end() {
        assert_eq!(list(" a ,b,\tc , "), ["a", "b", "c"]);
        assert_eq!(list("a,,b"), ["a", "", "b"]);
        assert_eq!(list("a,,"), ["a", ""]);
        assert!(list(" , ").is_empty());
        assert!(list("").is_empty());
    }

    #[test]
    fn addresses_come_with_and_without_an_interface() {
        let table = [
            ("10.0.0.1/24", None, "10.0.0.1", 24),
            ("vlan100:192.168.1.1/30", Some("vlan100"), "192.168.1.1", 30),
            (
                "vlan100 : 192.168.1.1 / 30",
                Some("vlan100"),
                "192.168.1.1",
                30,
            ),
            ("2001:db8::1/64", None, "2001:db8::1", 64),
            ("[2001:db8::1]/64", None, "2001:db8::1", 64),
            ("eth0:2001:db8::1/64", Some("eth0"), "2001:db8::1", 64),
            ("bad:[2001:db8::1]/64", Some("bad"), "2001:db8::1", 64),
            ("bad:2001:db8::1/64", None, "bad:2001:db8::1", 64),
        ];
        for (text, name, address, prefix_len) in table {
            let address = address.parse().unwrap();
            let expected = VirtualAddress {
                address,
                prefix_len,
            };
            assert_eq!(
                virtual_address(text),
                Ok((expected, name.map(str::to_owned))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_network_and_a_broadcast_address_are_odd_and_host_routes_are_not() {
        let odd = |text: &str| odd_address(virtual_address(text).unwrap().0).is_some();
        assert!(odd("10.0.0.0/24") && odd("10.0.0.255/24") && odd("10.0.0.4/30"));
        assert!(!odd("10.0.0.0/32") && !odd("10.0.0.0/31") && !odd("10.0.0.1/24"));
        assert!(odd("128.0.0.0/1") && !odd("2001:db8::/64"));
    }
}
