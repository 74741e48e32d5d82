//! Routes, in the words of ip-route(8).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use vrrp_core::Family;

use super::words::{MAIN, Network, RoutingError, Table, Words};

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The fate of packets.
    pub kind: RouteKind,
    /// Their destination.
    pub to: Network,
    /// The next hop.
    pub via: Option<IpAddr>,
    /// The interface that they leave by. `None`: that through which the next hop is reached.
    pub device: Option<String>,
    /// The number of the routing table, not 0.
    pub table: u32,
    /// The metric; of several routes to a network the lowest counts. 0: the system's default.
    pub metric: u32,
    /// The source address of packets that this host begins.
    pub source: Option<IpAddr>,
    /// The distance of the destination. `None`: universe with a next hop, else link. IPv4 only.
    pub scope: Option<RouteScope>,
    /// Whether the next hop is a neighbour although no network of the interface has it.
    pub onlink: bool,
    /// The path MTU in octets. 0: that of the interface.
    pub mtu: u32,
}

/// The fate of the packets of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// They are sent on.
    #[default]
    Unicast,
    /// They are discarded without a word.
    Blackhole,
    /// They are answered with ICMP "host unreachable".
    Unreachable,
    /// They are answered with ICMP "administratively prohibited".
    Prohibit,
}

/// The distance of the destination of an IPv4 route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteScope {
    /// Anywhere.
    Global,
    /// On the link.
    Link,
    /// On this host.
    Host,
}

const KINDS: [(&str, RouteKind); 4] = [
    ("unicast", RouteKind::Unicast),
    ("blackhole", RouteKind::Blackhole),
    ("unreachable", RouteKind::Unreachable),
    ("prohibit", RouteKind::Prohibit),
];

const SCOPES: [(&str, RouteScope); 3] = [
    ("global", RouteScope::Global),
    ("link", RouteScope::Link),
    ("host", RouteScope::Host),
];

impl FromStr for Route {
    type Err = RoutingError;

    fn from_str(text: &str) -> Result<Self, RoutingError> {
        let mut words = Words::new(text);
        let kind = KINDS.iter().find(|(name, _)| words.take(name));
        let kind = kind.map_or(RouteKind::Unicast, |(_, kind)| *kind);
        words.take("to");
        // The destination `default` is of the family of the next hop.
        let to = match words.next().unwrap_or_default() {
            "default" => None,
            word => Some(Network::read("to begin with", word)?),
        };
        let mut route = Route {
            kind,
            to: to.unwrap_or(Network::all(Family::Ipv4)),
            via: None,
            device: None,
            table: MAIN,
            metric: 0,
            source: None,
            scope: None,
            onlink: false,
            mtu: 0,
        };
        while let Some(word) = words.next() {
            route.take(word, &mut words)?;
        }
        if to.is_none()
            && let Some(named) = route.via.or(route.source)
        {
            route.to = Network::all(Family::of(named));
        }
        route.check()?;
        Ok(route)
    }
}

impl Route {
    /// Takes one word and what belongs to it.
    fn take(&mut self, word: &str, words: &mut Words<'_>) -> Result<(), RoutingError> {
        match word {
            "via" => {
                words.once("via")?;
                self.via = Some(words.host("via")?);
            }
            "dev" => {
                words.once("dev")?;
                self.device = Some(words.device("dev")?);
            }
            "table" => {
                words.once("table")?;
                self.table = words.table("table")?;
            }
            "metric" | "preference" | "priority" => {
                words.once("metric")?;
                self.metric = words.number(word, 0)?;
            }
            "src" => {
                words.once("src")?;
                self.source = Some(words.host("src")?);
            }
            "scope" => {
                words.once("scope")?;
                let text = words.next().unwrap_or_default();
                let scope = SCOPES.iter().find(|(name, _)| *name == text);
                let (_, scope) = scope.ok_or_else(|| {
                    RoutingError::new("`global`, `link` or `host` after `scope`", text)
                })?;
                self.scope = Some(*scope);
            }
            "onlink" => {
                words.once("onlink")?;
                self.onlink = true;
            }
            "mtu" => {
                words.once("mtu")?;
                self.mtu = words.number("mtu", 68)?;
            }
            other => {
                return Err(RoutingError::new(
                    "`via`, `dev`, `table`, `metric`, `src`, `scope`, `onlink` or `mtu`",
                    other,
                ));
            }
        }
        Ok(())
    }

    /// Checks what the parts make together.
    fn check(&self) -> Result<(), RoutingError> {
        let fail = |text: String| Err(RoutingError::whole(text));
        let family = Family::of(self.to.address);
        for (word, address) in [("via", self.via), ("src", self.source)] {
            if let Some(address) = address.filter(|address| Family::of(*address) != family) {
                let expected = format!(
                    "an {family} address after `{word}`, as `{}` is of {family}",
                    self.to
                );
                return Err(RoutingError::new(expected, &address.to_string()));
            }
        }
        if self.kind != RouteKind::Unicast {
            let leads = [
                ("via", self.via.is_some()),
                ("dev", self.device.is_some()),
                ("src", self.source.is_some()),
                ("onlink", self.onlink),
                ("mtu", self.mtu != 0),
            ];
            if let Some((word, _)) = leads.iter().find(|(_, there)| *there) {
                let kind = name_of(&KINDS, self.kind);
                return fail(format!(
                    "expected no `{word}` beside `{kind}`, which sends nothing on"
                ));
            }
            return Ok(());
        }
        if self.via.is_none() && self.device.is_none() {
            return fail(format!(
                "expected `via` and a next hop or `dev` and an interface after `{}`, found neither",
                self.to
            ));
        }
        if self.onlink && (self.via.is_none() || self.device.is_none()) {
            return fail("expected `via` and `dev` beside `onlink`".into());
        }
        if let Some(IpAddr::V6(via)) = self.via
            && via.is_unicast_link_local()
            && self.device.is_none()
        {
            return fail(format!(
                "expected `dev` and an interface, as `{via}` is link-local: it is of one link"
            ));
        }
        if self.scope.is_some() && family == Family::Ipv6 {
            return fail("expected no `scope`: it is of IPv4 alone".into());
        }
        Ok(())
    }
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    let mut names = names.iter();
    let name = names.find(|(_, known)| *known == value);
    name.map_or("", |(name, _)| name)
}

/// The route in the words of ip-route(8); what is at its default is left out.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != RouteKind::Unicast {
            write!(f, "{} ", name_of(&KINDS, self.kind))?;
        }
        self.to.fmt(f)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if let Some(device) = &self.device {
            write!(f, " dev {device}")?;
        }
        if self.table != MAIN {
            write!(f, " table {}", Table(self.table))?;
        }
        if self.metric != 0 {
            write!(f, " metric {}", self.metric)?;
        }
        if let Some(source) = self.source {
            write!(f, " src {source}")?;
        }
        if let Some(scope) = self.scope {
            write!(f, " scope {}", name_of(&SCOPES, scope))?;
        }
        if self.onlink {
            f.write_str(" onlink")?;
        }
        if self.mtu != 0 {
            write!(f, " mtu {}", self.mtu)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_read_and_written_in_the_words_of_ip_route() {
        let table = [
            (
                "10.0.0.0/8 via 192.0.2.1 dev eth0 table 100 metric 50 src 192.0.2.10",
                "10.0.0.0/8 via 192.0.2.1 dev eth0 table 100 metric 50 src 192.0.2.10",
            ),
            ("default via 192.0.2.1", "0.0.0.0/0 via 192.0.2.1"),
            (
                "default via 2001:db8::1 onlink dev eth0",
                "::/0 via 2001:db8::1 dev eth0 onlink",
            ),
            ("default dev eth0", "0.0.0.0/0 dev eth0"),
            ("  to 192.0.2.7   dev  eth0 ", "192.0.2.7/32 dev eth0"),
            (
                "2001:db8::7 dev eth0 preference 5",
                "2001:db8::7/128 dev eth0 metric 5",
            ),
            ("blackhole 10.0.0.0/8 metric 0", "blackhole 10.0.0.0/8"),
            (
                "unreachable 2001:db8::/32 table 7",
                "unreachable 2001:db8::/32 table 7",
            ),
            ("prohibit ::/0", "prohibit ::/0"),
            (
                "unicast 10.0.0.0/24 dev e scope link table main mtu 1400",
                "10.0.0.0/24 dev e scope link mtu 1400",
            ),
            (
                "10.0.0.0/24 dev e table local",
                "10.0.0.0/24 dev e table local",
            ),
        ];
        for (text, written) in table {
            let route: Route = text.parse().unwrap();
            assert_eq!(route.to_string(), written);
            assert_eq!(written.parse(), Ok(route));
        }
    }

    #[test]
    fn an_error_names_the_word() {
        let network = "expected a network such as `10.0.0.0/8` or `2001:db8::/32` to begin with";
        let table = [
            ("", format!("{network}, found nothing")),
            ("via 10.0.0.1", format!("{network}, found `via`")),
            (
                "10.0.0.1/8 dev e",
                "expected a network without bits of a host, as in `10.0.0.0/8`, found `10.0.0.1/8`"
                    .into(),
            ),
            (
                "10.0.0.0/33 dev e",
                "expected a prefix length up to 32, found `10.0.0.0/33`".into(),
            ),
            (
                "10.0.0.0/8 dev",
                "expected the name of an interface after `dev`, found nothing".into(),
            ),
            (
                "10.0.0.0/8 via eth0",
                "expected the address of a host after `via`, found `eth0`".into(),
            ),
            (
                "10.0.0.0/8 via 2001:db8::1",
                "expected an IPv4 address after `via`, as `10.0.0.0/8` is of IPv4, found `2001:db8::1`"
                    .into(),
            ),
            (
                "10.0.0.0/8 dev e dev f",
                "expected `dev` once, found it twice".into(),
            ),
            (
                "10.0.0.0/8 dev e proto static",
                "expected `via`, `dev`, `table`, `metric`, `src`, `scope`, `onlink` or `mtu`, found `proto`"
                    .into(),
            ),
            (
                "10.0.0.0/8 dev e table office",
                "expected `main`, `local`, `default` or the number of a table, 1 to 4294967295, after `table`, found `office`"
                    .into(),
            ),
            (
                "10.0.0.0/8 dev e metric -1",
                "expected a number from 0 to 4294967295 after `metric`, found `-1`".into(),
            ),
            (
                "10.0.0.0/8 metric 5",
                "expected `via` and a next hop or `dev` and an interface after `10.0.0.0/8`, found neither"
                    .into(),
            ),
            (
                "blackhole 10.0.0.0/8 dev e",
                "expected no `dev` beside `blackhole`, which sends nothing on".into(),
            ),
            (
                "default via fe80::1",
                "expected `dev` and an interface, as `fe80::1` is link-local: it is of one link"
                    .into(),
            ),
            (
                "10.0.0.0/8 dev e onlink",
                "expected `via` and `dev` beside `onlink`".into(),
            ),
            (
                "2001:db8::/32 dev e scope link",
                "expected no `scope`: it is of IPv4 alone".into(),
            ),
        ];
        for (text, error) in table {
            let found = text.parse::<Route>().map_err(|error| error.to_string());
            assert_eq!(found, Err(error), "{text}");
        }
    }
}
