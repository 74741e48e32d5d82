//! VRRP on FreeBSD.
#![cfg_attr(not(target_os = "freebsd"), allow(dead_code))]
#[doc(hidden)]
pub mod abi;
mod bpf;
mod links;
mod netgraph;
mod request;
mod route;
