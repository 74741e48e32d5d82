//! Route netlink: what is asked of the kernel and what it tells, as octets and back.

mod answers;
mod encode;
mod parse;
mod routing;
mod socket;

use encode::REPLACE;
pub(crate) use encode::{
    AddressRoute, Requests, address, address_and_route, blackhole, create_macvlan, delete_group,
    delete_link, delete_route, dump_addresses, dump_links, dump_routes_ipv4, dump_routes_ipv6,
    link_flags, link_named, link_route, link_settings, link_sysctls, link_with_counters,
    loopback_address, network_of, network_of_ipv6, network_route, renew_address,
};
pub(crate) use parse::{
    Address, Event, Link, RoutePlace, decode, messages, route_device, route_network, rule_priority,
};
use parse::{RTM_PROTOCOL, is_multipath, route_gateway, route_place};
pub(crate) use routing::{delete_rule, dump_rules_ipv4, dump_rules_ipv6, is_there, item, place_of};
pub(crate) use socket::{Monitor, Netlink};

/// The mark of our addresses (IFA_PROTO), routes (rtm_protocol) and rules (FRA_PROTOCOL): the IP protocol number of
/// VRRP, which no other user of these fields is known to use.
pub(crate) const OUR_PROTOCOL: u8 = 112;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
const RTM_NEWNETCONF: u16 = 80;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_GROUP: u16 = 27;
const IFLA_IFALIAS: u16 = 20;
const IFLA_STATS64: u16 = 23;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;

const NETCONFA_IFINDEX: u16 = 1;
const NETCONFA_IFINDEX_ALL: u32 = u32::MAX;
const NETCONFA_IFINDEX_DEFAULT: u32 = u32::MAX - 1;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_PROTOCOL: u16 = 21;

const AF_UNSPEC: u8 = libc::AF_UNSPEC as u8;
const AF_INET: u8 = libc::AF_INET as u8;
const AF_INET6: u8 = libc::AF_INET6 as u8;
