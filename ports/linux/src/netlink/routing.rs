//! Requests about the routes and rules of virtual routers.

use vrrp_core::Family;
use vrrp_host::{Network, Route, RouteKind, RouteScope, RoutingItem, Rule, RuleAction};
use vrrp_port_kit::KernelIf;

use super::encode::{
    ACK, CREATE, DUMP, EXCLUSIVE, REQUEST, RT_SCOPE_HOST, RT_SCOPE_LINK, RTN_BLACKHOLE,
    RTN_UNICAST, Requests, ip_attribute,
};
use super::*;

const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_TABLE_UNSPEC: u8 = 0;
const RTN_UNREACHABLE: u8 = 7;
const RTN_PROHIBIT: u8 = 8;
const RTNH_F_ONLINK: u32 = 4;
const RTAX_MTU: u16 = 2;

const FR_ACT_TO_TBL: u8 = 1;
const FR_ACT_BLACKHOLE: u8 = 6;
const FR_ACT_UNREACHABLE: u8 = 7;
const FR_ACT_PROHIBIT: u8 = 8;
const FIB_RULE_INVERT: u32 = 2;

/// The metric of an IPv6 route that names none. To remove one without it would remove any.
const IPV6_METRIC: u32 = 1024;

/// Adds or removes a route or a rule; `index` is the interface that a route leads out by, where it names
/// one. Our mark is part of the request: none but ours is removed.
pub(crate) fn item(to: &mut Requests, item: &RoutingItem, index: Option<KernelIf>, add: bool) {
    match item {
        RoutingItem::Route(one) => route(to, one, index, add),
        RoutingItem::Rule(one) => rule(to, one, add),
    }
}

/// The place of a route, in which the kernel has one at most that was added as ours are.
pub(crate) fn place_of(route: &Route) -> RoutePlace {
    RoutePlace {
        address: route.to.address,
        prefix_len: route.to.prefix_len,
        table: route.table,
        metric: metric_of(route),
    }
}

/// Whether a route is among those that bear our mark, as dumps told them; `index` is the interface that
/// it was added with, if any.
pub(crate) fn is_there(route: &Route, index: Option<KernelIf>, marked: &[Vec<u8>]) -> bool {
    const KIND: usize = 7;
    marked.iter().any(|found| {
        route_place(found) == Some(place_of(route))
            && found.get(KIND) == Some(&kind_of(route))
            // Another IPv6 route that was added beside ours is told with it, as one.
            && (is_multipath(found)
                || route_gateway(found) == route.via
                    && index.is_none_or(|index| route_device(found) == Some(index)))
    })
}

fn kind_of(route: &Route) -> u8 {
    match route.kind {
        RouteKind::Unicast => RTN_UNICAST,
        RouteKind::Blackhole => RTN_BLACKHOLE,
        RouteKind::Unreachable => RTN_UNREACHABLE,
        RouteKind::Prohibit => RTN_PROHIBIT,
    }
}

fn metric_of(route: &Route) -> u32 {
    match route.metric {
        0 if route.to.address.is_ipv6() => IPV6_METRIC,
        metric => metric,
    }
}

fn route(to: &mut Requests, route: &Route, index: Option<KernelIf>, add: bool) {
    let is_ipv4 = route.to.address.is_ipv4();
    let kind = kind_of(route);
    let scope = match route.scope {
        Some(RouteScope::Host) => RT_SCOPE_HOST,
        Some(RouteScope::Link) => RT_SCOPE_LINK,
        Some(RouteScope::Global) => RT_SCOPE_UNIVERSE,
        None if is_ipv4 && kind == RTN_UNICAST && route.via.is_none() => RT_SCOPE_LINK,
        None => RT_SCOPE_UNIVERSE,
    };
    let metric = metric_of(route);
    let mut body = [0; 12];
    body[..8].copy_from_slice(&[
        family_of(Family::of(route.to.address)),
        route.to.prefix_len,
        0,
        0,
        // The attribute has room for all numbers.
        RT_TABLE_UNSPEC,
        OUR_PROTOCOL,
        scope,
        kind,
    ]);
    if route.onlink {
        body[8..].copy_from_slice(&RTNH_F_ONLINK.to_ne_bytes());
    }
    let (message, flags) = if add {
        (RTM_NEWROUTE, REQUEST | ACK | CREATE | EXCLUSIVE)
    } else {
        (RTM_DELROUTE, REQUEST | ACK)
    };
    to.message(message, flags, &body, |m| {
        network(m, RTA_DST, route.to);
        m.attribute(RTA_TABLE, &route.table.to_ne_bytes());
        if let Some(via) = route.via {
            ip_attribute(m, RTA_GATEWAY, via);
        }
        if let Some(index) = index {
            m.attribute(RTA_OIF, &index.number().to_ne_bytes());
        }
        if metric != 0 {
            m.attribute(RTA_PRIORITY, &metric.to_ne_bytes());
        }
        if let Some(source) = route.source {
            ip_attribute(m, RTA_PREFSRC, source);
        }
        if route.mtu != 0 {
            m.nest(RTA_METRICS, |m| {
                m.attribute(RTAX_MTU, &route.mtu.to_ne_bytes());
            });
        }
    });
}

fn rule(to: &mut Requests, rule: &Rule, add: bool) {
    let len = |network: Option<Network>| network.map_or(0, |network| network.prefix_len);
    let (action, table) = match rule.action {
        RuleAction::Lookup(table) => (FR_ACT_TO_TBL, Some(table)),
        RuleAction::Blackhole => (FR_ACT_BLACKHOLE, None),
        RuleAction::Unreachable => (FR_ACT_UNREACHABLE, None),
        RuleAction::Prohibit => (FR_ACT_PROHIBIT, None),
    };
    let mut body = [0; 12];
    body[..8].copy_from_slice(&[
        family_of(rule.family),
        len(rule.to),
        len(rule.from),
        0,
        RT_TABLE_UNSPEC,
        0,
        0,
        action,
    ]);
    if rule.not {
        body[8..].copy_from_slice(&FIB_RULE_INVERT.to_ne_bytes());
    }
    let (message, flags) = if add {
        (RTM_NEWRULE, REQUEST | ACK | CREATE | EXCLUSIVE)
    } else {
        (RTM_DELRULE, REQUEST | ACK)
    };
    to.message(message, flags, &body, |m| {
        for (kind, prefix) in [(FRA_DST, rule.to), (FRA_SRC, rule.from)] {
            if let Some(prefix) = prefix {
                network(m, kind, prefix);
            }
        }
        for (kind, device) in [(FRA_IIFNAME, &rule.input), (FRA_OIFNAME, &rule.output)] {
            if let Some(device) = device {
                m.text(kind, device);
            }
        }
        if let Some((mark, mask)) = rule.mark {
            m.attribute(FRA_FWMARK, &mark.to_ne_bytes());
            m.attribute(FRA_FWMASK, &mask.to_ne_bytes());
        }
        m.attribute(FRA_PRIORITY, &rule.priority.to_ne_bytes());
        if let Some(table) = table {
            m.attribute(FRA_TABLE, &table.to_ne_bytes());
        }
        m.attribute(FRA_PROTOCOL, &[OUR_PROTOCOL]);
    });
}

/// A prefix without bits is every address, and is left out.
fn network(to: &mut Requests, kind: u16, network: Network) {
    if network.prefix_len > 0 {
        ip_attribute(to, kind, network.address);
    }
}

fn family_of(family: Family) -> u8 {
    match family {
        Family::Ipv4 => AF_INET,
        Family::Ipv6 => AF_INET6,
    }
}

/// Removes a rule, given as a dump told it.
pub(crate) fn delete_rule(to: &mut Requests, rule: &[u8]) {
    to.message(RTM_DELRULE, REQUEST | ACK, rule, |_| {});
}

/// Asks for every rule of IPv4.
pub(crate) fn dump_rules_ipv4(to: &mut Requests) {
    dump_rules(to, AF_INET);
}

/// Asks for every rule of IPv6.
pub(crate) fn dump_rules_ipv6(to: &mut Requests) {
    dump_rules(to, AF_INET6);
}

fn dump_rules(to: &mut Requests, family: u8) {
    let body = [family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    to.message(RTM_GETRULE, REQUEST | DUMP, &body, |_| {});
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    fn made(text: &str, index: Option<u32>, add: bool) -> Vec<u8> {
        let mut requests = Requests::default();
        let index = index.and_then(KernelIf::new);
        item(&mut requests, &text.parse().unwrap(), index, add);
        requests.octets().to_vec()
    }

    // Laid out by hand after linux/rtnetlink.h.
    #[test]
    fn a_route_carries_its_table_metric_source_and_our_mark() {
        let text = "route 10.0.0.0/8 via 192.0.2.1 dev e table 300 metric 50 src 192.0.2.9 onlink";
        #[rustfmt::skip]
        let expected = [
            76, 0, 0, 0, 24, 0, 5, 6, 1, 0, 0, 0, 0, 0, 0, 0, // header
            2, 8, 0, 0, 0, 112, 0, 1, 4, 0, 0, 0, // rtmsg
            8, 0, 1, 0, 10, 0, 0, 0, // RTA_DST
            8, 0, 15, 0, 44, 1, 0, 0, // RTA_TABLE
            8, 0, 5, 0, 192, 0, 2, 1, // RTA_GATEWAY
            8, 0, 4, 0, 3, 0, 0, 0, // RTA_OIF
            8, 0, 6, 0, 50, 0, 0, 0, // RTA_PRIORITY
            8, 0, 7, 0, 192, 0, 2, 9, // RTA_PREFSRC
        ];
        assert_eq!(made(text, Some(3), true), expected);
    }

    #[test]
    fn a_route_is_there_with_its_next_hop_and_interface() {
        let text = "route 10.0.0.0/8 via 192.0.2.1 dev e table 300 metric 50 src 192.0.2.9 onlink";
        let told = vec![made(text, Some(3), true)[16..].to_vec()];
        let there = |text: &str, index| match text.parse().unwrap() {
            RoutingItem::Route(route) => is_there(&route, KernelIf::new(index), &told),
            RoutingItem::Rule(_) => false,
        };
        assert!(there(text, 3));
        assert!(!there(text, 4), "by another interface");
        for (other, by) in [("192.0.2.1", "192.0.2.2"), ("300", "301"), ("50", "51")] {
            assert!(!there(&text.replace(other, by), 3), "{by}");
        }
        assert!(!there("route blackhole 10.0.0.0/8 table 300 metric 50", 0));
    }

    // Laid out by hand after linux/fib_rules.h.
    #[test]
    fn a_rule_carries_its_priority_and_our_mark() {
        let text = "rule not from 10.0.0.0/8 fwmark 0x1/0xff priority 9 lookup main";
        #[rustfmt::skip]
        let expected = [
            76, 0, 0, 0, 33, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, // header
            2, 0, 8, 0, 0, 0, 0, 1, 2, 0, 0, 0, // fib_rule_hdr
            8, 0, 2, 0, 10, 0, 0, 0, // FRA_SRC
            8, 0, 10, 0, 1, 0, 0, 0, // FRA_FWMARK
            8, 0, 16, 0, 255, 0, 0, 0, // FRA_FWMASK
            8, 0, 6, 0, 9, 0, 0, 0, // FRA_PRIORITY
            8, 0, 15, 0, 254, 0, 0, 0, // FRA_TABLE
            5, 0, 21, 0, 112, 0, 0, 0, // FRA_PROTOCOL
        ];
        assert_eq!(made(text, None, false), expected);
    }
}
