//! Routes and policy rules that come and go with the addresses of a virtual router, in the words of
//! ip-route(8) and ip-rule(8).

mod route;
mod rule;
mod words;

use std::fmt;

use vrrp_core::Family;

pub use route::{Route, RouteKind, RouteScope};
pub use rule::{Rule, RuleAction};
pub use words::{Network, RoutingError};

/// Routes and rules of one virtual router.
pub const MAX_ROUTING: usize = 64;

/// A route or a policy rule of a virtual router. It is installed while this host serves an address of
/// the virtual router.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoutingItem {
    /// A route.
    Route(Route),
    /// A policy rule.
    Rule(Rule),
}

impl RoutingItem {
    /// Returns the family that it belongs to.
    pub fn family(&self) -> Family {
        match self {
            RoutingItem::Route(route) => Family::of(route.to.address),
            RoutingItem::Rule(rule) => rule.family,
        }
    }

    /// Returns "route" or "rule".
    pub fn noun(&self) -> &'static str {
        match self {
            RoutingItem::Route(_) => "route",
            RoutingItem::Rule(_) => "rule",
        }
    }
}

/// `route 10.0.0.0/8 via 192.0.2.1` or `rule from all priority 100 lookup 7`.
impl fmt::Display for RoutingItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RoutingItem::Route(route) => write!(f, "route {route}"),
            RoutingItem::Rule(rule) => write!(f, "rule {rule}"),
        }
    }
}

impl std::str::FromStr for RoutingItem {
    type Err = RoutingError;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, RoutingError> {
        match text.split_once(' ') {
            Some(("route", rest)) => rest.parse().map(RoutingItem::Route),
            Some(("rule", rest)) => rest.parse().map(RoutingItem::Rule),
            _ => Err(RoutingError::new("`route` or `rule`", text)),
        }
    }
}
