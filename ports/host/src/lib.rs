//! Drives the VRRP engine over an operating system: one pollable descriptor, events, reload.
//!
//! A [`Host`] owns a [`Platform`] (sockets, addresses, MACs of one operating system) and the engine.
//! Its user waits on [`Host::fd`], calls [`Host::step`] when it is readable, and then takes what
//! happened from [`Host::next_event`]:
//!
//! ```no_run
//! # fn wait_readable(_: std::os::fd::RawFd) {}
//! # fn run<P: vrrp_host::Platform>(platform: P, config: vrrp_host::HostConfig)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let mut host = vrrp_host::Host::open(platform, config)?;
//! loop {
//!     host.step()?;
//!     while let Some(event) = host.next_event() {
//!         println!("{event:?}");
//!     }
//!     if host.is_stopped() {
//!         break;
//!     }
//!     wait_readable(host.fd());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Nothing blocks, and nothing that a network sends makes memory grow.

mod config;
mod error;
mod event;
mod facts;
mod farewell;
mod hmac;
mod host;
mod host_if;
mod interfaces;
mod limiter;
mod limits;
mod objects;
mod platform;
mod queue;
mod report;
mod routing;
mod setup;
mod sightings;
pub mod wording;

pub use config::{
    AddressSpec, ConfigCause, ConfigError, GroupCause, GroupSpec, HostConfig, TrackSpec, Tracked,
    VrId, VrSpec, family_word, full_name, link_local_of,
};
pub use error::PlatformError;
pub use event::{Ended, Event, Why};
pub use facts::{Facts, HostFacts, OwnAddress, OwnInterface};
pub use farewell::{FarewellClock, farewell};
pub use hmac::{HmacSpec, KeySource, KeySpec, Secret, octets_of_hex};
pub use host::Host;
pub use host_if::HostIf;
pub use limits::{MAX_ADDRESSES, MAX_INTERFACES, MAX_VIRTUAL_ROUTERS};
pub use platform::{AddressChange, Incoming, Platform, PlatformWarning, Subject, Waited};
pub use report::{
    About, AuthReport, GroupReason, GroupReport, GroupWhy, Holder, InterfaceReport, Lateness,
    PathState, Refused, Rejection, Reload, SecondPath, Sighting, TrackReport, VrReport, Warning,
};
pub use routing::{
    MAX_ROUTING, Network, Route, RouteKind, RouteScope, RoutingError, RoutingItem, Rule, RuleAction,
};
pub use setup::VrSetup;
