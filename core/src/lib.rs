//! VRRP as a pure engine: bytes, time and facts go in; frames, effects and events come out.
//!
//! VRRPv2 (RFC 3768) and VRRPv3 (RFC 9568), IPv4 and IPv6. It has no clock, no I/O, no allocation
//! and no randomness: the same inputs always give the same outputs. The page [`rules`] holds the rules of
//! the protocol, with the ids such as `S-14` that this documentation, code and tests cite.
//!
//! # The contract
//!
//! - [`Engine`] is a table of virtual routers whose capacities are its parameters. It fits a
//!   `static`, and no call costs more for a fuller table than its documentation says.
//! - Inputs carry the time: [`Engine::handle_frame`] (or [`Engine::handle_datagram`]),
//!   [`Engine::handle_timeout`], [`Engine::handle_failure`], [`Engine::set_interface`], and what the
//!   administrator asks for by [`Engine::admin`]. A bad packet is a [`Verdict`], a misuse an [`Error`];
//!   neither changes anything.
//! - After any input the caller performs what [`Engine::poll_output`] gives until it is
//!   [`Done`](Poll::Done), in that order, and reports what it could not do by [`Engine::handle_failure`].
//! - [`Engine::poll_timeout`] says when to call [`Engine::handle_timeout`]. Frames that have arrived
//!   by then are handled first.
//!
//! # A loop that runs
//!
//! ```
//! use vrrp_core::*;
//!
//! let mut engine = Engine::<1, 4, 8>::new();
//! let mut now = Instant::from_micros(0);
//! let eth0 = InterfaceState {
//!     up: true,
//!     mac: MacAddr([2, 0, 0, 0, 0, 6]),
//!     ipv4: Some([10, 10, 10, 6].into()),
//!     ipv6: None,
//! };
//! engine.set_interface(now, 1, eth0)?;
//! let key = VrKey::new(1, Vrid::new(1).unwrap(), Family::Ipv4);
//! let service = VirtualAddress { address: [10, 10, 10, 80].into(), prefix_len: 32 };
//! engine.admin(now).insert(key, &VrConfig { addresses: &[service], ..VrConfig::DEFAULT })?;
//! engine.admin(now).set_enabled(key, true)?;
//!
//! let mut buf = [0; Engine::<1, 4, 8>::MAX_FRAME_LEN];
//! while engine.status(key).unwrap().state != State::Active {
//!     while let Poll::Output(output) = engine.poll_output(&mut buf) {
//!         match output {
//!             Output::Transmit(_) => {} // send its frame
//!             Output::SetMac { .. } | Output::SetAddress { .. } => {} // install or remove it
//!             Output::SetGroup { .. } => {} // join or leave it
//!             Output::StateChange(change) => println!("{} -> {}", change.from, change.to),
//!             Output::Removed { .. } => {}
//!         }
//!     }
//!     // Nobody else is there: sleep until the deadline, handling frames that arrive meanwhile.
//!     now = engine.poll_timeout().unwrap();
//!     engine.handle_timeout(now);
//! }
//! // Three intervals of a second, and (256 - 100) / 256 of one.
//! assert_eq!(now.as_micros(), 3_609_375);
//! # Ok::<(), Error>(())
//! ```
//!
//! `examples/failover.rs` is two engines and a cable that is pulled.
//!
//! # Without an operating system
//!
//! An IP stack that has one MAC needs something that gives it the virtual ones: [`gate`] is that,
//! for any stack that hands over its frames.
//!
//! # Features
//!
//! `log` and `defmt` write state changes and discarded packets to the logger of that name.
//!
//! `ipv6`, on by default, can be left out where the stack has none: virtual routers of that family are
//! then refused ([`Error::NoIpv6`]), and IPv6 frames are for somebody else.
//!
//! `hmac` signs advertisements and verifies them with keys, which the module `auth` describes. Without
//! it, as without keys, a signed advertisement is refused ([`DropReason::AuthenticationTrailer`]).
//!
//! `groups` keeps the virtual routers of a synchronisation group on one host: the module `group` decides, and
//! `Admin::set_group_state` tells.
//!
//! `large`, on by default, is for hosts. It adds speed for tables of many virtual routers, counters of
//! discarded packets that are 32 bits wide and not 16, and [`VrConfig::source`], all in exchange for
//! memory and code. A microcontroller does without: `default-features = false`. Features only add, as
//! Cargo asks: a program that needs `large` anywhere has it everywhere.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

/// Whether the engine knows IPv6. A constant and no `cfg`: code for it is compiled and left out.
pub(crate) const IPV6: bool = cfg!(feature = "ipv6");

#[cfg(feature = "hmac")]
pub mod auth;
mod config;
mod engine;
mod error;
pub mod gate;
#[cfg(feature = "groups")]
pub mod group;
mod log;
mod output;
#[doc = include_str!("../RULES.md")]
pub mod rules {}
mod status;
mod time;
mod types;
mod verdict;
pub mod wire;

#[cfg(feature = "hmac")]
pub use auth::{
    AntiReplay, AuthConfig, AuthKey, AuthMode, AuthSender, AuthSettings, AuthStatus, HeldBy,
    MAX_AUTH_KEYS, MAX_AUTH_SENDERS, Signed, WallClock,
};
pub use config::{Announce, MAX_TRACKS, Track, TrackEffect, VrConfig, VrSettings};
pub use engine::{Admin, Engine, Key};
pub use error::Error;
pub use output::{Failure, FrameKind, Output, Peer, Poll, Reason, State, StateChange, Transmit};
pub use status::{ActiveRouter, DropCounters, InterfaceState, Statistics, Status};
pub use time::{Duration, Instant};
pub use types::{
    AddressCheck, AdvertInterval, Auth, ChecksumMode, Family, MacAddr, MacMode, OnConflict,
    OwnerReceive, Priority, Version, VirtualAddress, VrKey, Vrid,
};
pub use verdict::{Accepted, DropReason, Dropped, Verdict};
