//! The control protocol of vrrpd: one JSON object a line, a [`Request`], then its [`Answer`].
//!
//! `{"command":"status"}` is answered with `{"status":{...}}`, and every refusal is
//! `{"error":{"message":...}}`. Times are seconds, and ages rather than points in time, because the
//! two ends need not agree on a clock; `time_ms` of an event is milliseconds since 1970.
//!
//! A [`Connection`] asks a running daemon.

mod connection;
mod history;
mod protocol;
mod words;

pub use connection::{ConnectError, Connection};
pub use history::{HISTORY, Log, Notice, Record, Since};
pub use protocol::{
    Answer, Auth, AuthSender, Check, CheckEvent, CheckStats, Conflict, Event, GivenOverride, Group,
    Heartbeat, Peer, RefusedPeer, Rejected, Reloads, Request, SCHEMA, Script, Seen, Stats, Status,
    Term, Terms, TimerLate, TrackedObject, Transition, UsedCheck, VirtualRouter, VrStats, Which,
};
pub use words::{Family, NoticeKind, OverrideKind, State, UnknownWord, Versions};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
