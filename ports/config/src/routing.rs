//! The routes and rules of a section: `route` and `rule`.

use vrrp_core::Family;
use vrrp_host::{MAX_ROUTING, Route, RouteKind, RoutingItem};

use super::address::Addresses;
use super::keys::Key;
use super::reader::Reader;

/// Reads `route` and `rule`.
pub(super) fn read(reader: &mut Reader<'_, '_>, addresses: &Addresses) -> Vec<RoutingItem> {
    let on_freebsd = cfg!(target_os = "freebsd");
    let routes = reader.items(Key::Route, |text| route(text, on_freebsd));
    let rules = reader.items(Key::Rule, |text| rule(text, on_freebsd));
    let routes = routes.into_iter().map(|item| (Key::Route, item));
    let rules = rules.into_iter().map(|item| (Key::Rule, item));
    let mut items: Vec<RoutingItem> = Vec::new();
    for (key, item) in routes.chain(rules) {
        if addresses.none {
            reader.error(
                key,
                "expected no routes and rules beside `addr = none`: they come and go with addresses",
            );
            return Vec::new();
        }
        if items.contains(&item) {
            let noun = item.noun();
            reader.error(
                key,
                format!("expected each {noun} once, found `{item}` twice"),
            );
            continue;
        }
        items.push(item);
    }
    if items.len() > MAX_ROUTING {
        let count = items.len();
        reader.error(
            Key::Route,
            format!("expected at most {MAX_ROUTING} routes and rules together, found {count}"),
        );
    }
    items
}

/// The routes and rules of the virtual router of a family: its own, and those of a family that the section
/// has no address of.
pub(super) fn of(items: &[RoutingItem], family: Family, addresses: &Addresses) -> Vec<RoutingItem> {
    let is_elected = |family| {
        let [advertised, _] = addresses.of(family);
        !advertised.is_empty()
    };
    let items = items.iter();
    let own = items.filter(|item| item.family() == family || !is_elected(item.family()));
    own.cloned().collect()
}

fn route(text: &str, on_freebsd: bool) -> Result<RoutingItem, String> {
    let route: Route = text.parse().map_err(|error| format!("{error}"))?;
    if on_freebsd && let Some(word) = not_on_freebsd(&route) {
        return Err(format!("expected no `{word}`: FreeBSD has no such routes"));
    }
    Ok(RoutingItem::Route(route))
}

/// The word of a route that means nothing to FreeBSD.
fn not_on_freebsd(route: &Route) -> Option<&'static str> {
    const MAIN: u32 = 254;
    let words = [
        ("table", route.table != MAIN),
        ("metric", route.metric != 0),
        ("src", route.source.is_some()),
        ("scope", route.scope.is_some()),
        ("onlink", route.onlink),
        ("mtu", route.mtu != 0),
        ("prohibit", route.kind == RouteKind::Prohibit),
    ];
    let word = words.into_iter().find(|(_, there)| *there);
    word.map(|(word, _)| word)
}

fn rule(text: &str, on_freebsd: bool) -> Result<RoutingItem, String> {
    if on_freebsd {
        return Err("expected no rules: FreeBSD has no policy rules; ipfw(8) has `setfib`".into());
    }
    let rule = text.parse().map_err(|error| format!("{error}"))?;
    Ok(RoutingItem::Rule(rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freebsd_has_routes_without_tables_and_no_rules() {
        assert!(route("10.0.0.0/8 via 192.0.2.1", true).is_ok());
        assert!(route("blackhole 2001:db8::/32", true).is_ok());
        for word in ["table 7", "metric 7", "src 10.0.0.1", "scope link"] {
            let text = format!("10.0.0.0/8 dev em0 {word}");
            let (word, _) = word.split_once(' ').unwrap();
            assert_eq!(
                route(&text, true),
                Err(format!("expected no `{word}`: FreeBSD has no such routes"))
            );
            assert!(route(&text, false).is_ok());
        }
        assert!(rule("from all priority 1 lookup 7", true).is_err());
        assert!(rule("from all priority 1 lookup 7", false).is_ok());
    }
}
