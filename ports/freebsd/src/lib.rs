//! VRRP on FreeBSD: `FreebsdPlatform` is the [`Platform`](vrrp_host::Platform) of `vrrp-host` on
//! bpf(4), the routing socket and netgraph(4).
//!
//! - One descriptor to wait on: bpf devices, routing socket and timer in one kqueue. Or one call,
//!   which waits for the descriptors of the caller in the same queue.
//! - A virtual MAC is an ng_eiface interface `vr4.<ifindex>.<vrid>` or `vr6...`, made when the
//!   virtual router is prepared, and up and joined to an ng_bridge on the interface only while it is
//!   Active. Or it replaces the MAC of the interface itself, for one virtual router.
//! - Packets go through bpf(4) alone, so that neither a packet filter nor carp(4) comes between.
//! - What is installed is written to a ledger first. What a killed process left is removed when the
//!   next platform is opened, and nothing else.
//! - `Parent` and `WorkerPlatform` are the same in two processes: one with the rights, and one that
//!   hears and sends frames, and asks for the rest.
//!
//! Needs root, in a jail also vnet, a /dev/bpf, and for virtual MACs modules that the host has
//! loaded. FreeBSD 14 or newer on a 64-bit machine.
//!
//! On other systems only the halves that make and read octets are compiled, for their tests.

#![cfg_attr(not(target_os = "freebsd"), allow(dead_code))]

#[cfg(all(target_os = "freebsd", not(target_pointer_width = "64")))]
compile_error!("vrrp-freebsd knows the structures of 64-bit systems only");

#[doc(hidden)]
pub mod abi;
mod bpf;
mod connections;
#[doc(hidden)]
pub mod fuzz_api;
mod ledger;
mod left_served;
mod links;
mod names;
mod netgraph;
mod refusals;
mod request;
mod route;

#[cfg(target_os = "freebsd")]
mod facts;
#[cfg(target_os = "freebsd")]
mod graph;
#[cfg(target_os = "freebsd")]
mod hearing;
#[cfg(target_os = "freebsd")]
mod installer;
#[cfg(target_os = "freebsd")]
mod leftovers;
#[cfg(target_os = "freebsd")]
mod loopback;
#[cfg(target_os = "freebsd")]
mod network;
#[cfg(target_os = "freebsd")]
mod platform;
#[cfg(target_os = "freebsd")]
mod sockets;
#[cfg(target_os = "freebsd")]
mod state;
#[cfg(target_os = "freebsd")]
mod sys;
#[cfg(target_os = "freebsd")]
#[doc(hidden)]
pub mod testing;
#[cfg(target_os = "freebsd")]
mod warnings;
#[cfg(target_os = "freebsd")]
mod worker;

#[cfg(target_os = "freebsd")]
pub use facts::FreebsdFacts;
#[cfg(target_os = "freebsd")]
pub use platform::{FreebsdPlatform, Options};
pub use vrrp_port_kit::Counters;
#[cfg(target_os = "freebsd")]
pub use worker::{FreebsdFrames, WorkerPlatform};
