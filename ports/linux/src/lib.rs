//! VRRP on Linux: [`LinuxPlatform`] is the [`Platform`](vrrp_host::Platform) of `vrrp-host` on
//! AF_PACKET, route netlink and macvlan.
//!
//! - One descriptor to wait on: packet sockets, netlink monitor and timer in one epoll.
//! - A virtual MAC is a macvlan interface `vr4.<ifindex>.<vrid>` or `vr6...`, made when the virtual
//!   router is prepared and up only while it is Active. Down it is deaf and silent. It is taken down
//!   a moment after its addresses, by a thread, as that takes the kernel long.
//! - What is installed is written to a ledger first. What a killed process left is removed when the
//!   next platform is opened, and nothing else.
//!
//! Needs CAP_NET_ADMIN and CAP_NET_RAW, and Linux 5.1 or newer (5.18 to recognise its addresses
//! without help of the ledger).

#[cfg(not(target_os = "linux"))]
compile_error!("vrrp-linux is for Linux");

mod announcements;
mod bpf;
mod connections;
mod facts;
mod fitness;
mod flood_polling;
mod installer;
mod instances;
mod ledger;
mod leftovers;
mod links;
mod loopback;
mod macvlan_reaper;
mod names;
mod neighbor_requests;
mod netlink;
mod network;
mod platform;
mod precedence;
mod reached;
mod reception;
mod routes;
mod sockets;
mod state;
mod strays;
mod sys;
mod sysctl;
#[doc(hidden)]
pub mod testing;
mod warnings;
mod worker;

pub use connections::count_connections;
pub use facts::LinuxFacts;
pub use platform::{LinuxPlatform, Options};
pub use vrrp_port_kit::Counters;
pub use worker::{LinuxFrames, WorkerPlatform};
