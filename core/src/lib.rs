//! VRRP as a pure engine.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod config;
mod error;
mod log;
mod output;
mod router;
mod status;
mod time;
mod types;
mod verdict;
pub mod wire;

pub use config::{Announce, MAX_TRACKS, Track, TrackEffect, VrConfig};
pub use error::Error;
pub use output::{Failure, FrameKind, Output, Peer, Reason, State, StateChange, Transmit};
pub use router::Router;
pub use status::{ActiveRouter, DropCounters, InterfaceState, PacketMeta, Statistics, Status};
pub use time::{Duration, Instant};
pub use types::{
    AdvertInterval, Auth, ChecksumMode, Family, MacAddr, MacMode, OwnerReceive, Priority, Version,
    VirtualAddress, VrKey, Vrid,
};
pub use verdict::{DropReason, Verdict};
