//! Route netlink: what is asked of the kernel and what it tells, as octets and back.

mod answers;
mod encode;
mod parse;
mod socket;

pub(crate) use encode::{
    AddressRoute, Requests, address, address_and_route, blackhole, create_macvlan, delete_group,
    delete_link, delete_route, dump_addresses, dump_links, dump_routes_ipv4, dump_routes_ipv6,
    link_flags, link_named, link_route, link_settings, link_sysctls, link_with_counters,
    loopback_address, network_of, network_of_ipv6, network_route, renew_address,
};
pub(crate) use parse::{Address, Event, Link, decode, messages, route_device, route_target};
pub(crate) use socket::{Monitor, Netlink};

/// The mark of our addresses (IFA_PROTO) and routes (rtm_protocol): the IP protocol number of
/// VRRP, which no other user of either field is known to use.
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
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;

const AF_UNSPEC: u8 = libc::AF_UNSPEC as u8;
const AF_INET: u8 = libc::AF_INET as u8;
const AF_INET6: u8 = libc::AF_INET6 as u8;
