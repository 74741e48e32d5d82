//! Signed advertisements: HMAC-SHA-256 in a trailer of 28 octets, as draft-cassen-vrrp-auth-hmac describes
//! it and keepalived 2.4.2 and later speak it. Rules H-1 to H-13 of [`rules`](crate::rules). Needs the
//! feature `hmac`.
//!
//! # How a port uses it
//!
//! ```
//! use vrrp_core::*;
//!
//! # let mut engine = Engine::<1, 4, 8>::new();
//! # let now = Instant::from_micros(0);
//! # let key = VrKey::new(1, Vrid::new(51).unwrap(), Family::Ipv4);
//! # let service = VirtualAddress { address: [10, 10, 10, 80].into(), prefix_len: 32 };
//! // The clock, whenever it was read: at the start, when it was stepped, and each few seconds.
//! let since_epoch = Duration::from_secs(1_796_000_000);
//! engine.set_wall_clock(now, Some(WallClock { since_epoch, synchronised: true }));
//!
//! engine.admin(now).insert(key, &VrConfig { addresses: &[service], ..VrConfig::DEFAULT })?;
//! let keys = [AuthKey::new(1, b"32 octets that an attacker knows not")?];
//! let settings = AuthSettings {
//!     mode: AuthMode::Permissive,
//!     window: AuthSettings::window_for(AdvertInterval::DEFAULT),
//!     active_key: 1,
//!     ..AuthSettings::DEFAULT
//! };
//! // Before it is enabled, so that nothing is said or heard without a signature.
//! engine.admin(now).set_auth(key, Some(&AuthConfig { settings, keys: &keys }))?;
//! engine.admin(now).set_enabled(key, true)?;
//!
//! // For status: the senders, and those that stand in the way of `AuthMode::Enforce`.
//! let _ = engine.auth(key).unwrap().waits_for_clock;
//! for sender in engine.auth_senders(key) {
//!     let _ = (sender.address, sender.signed, sender.key_id, sender.skew, sender.refusal);
//! }
//! let ready = engine.bare_senders(key, Instant::from_micros(0)).next().is_none();
//! # assert!(ready);
//! # Ok::<(), Error>(())
//! ```
//!
//! - [`Admin::set_auth`](crate::Admin::set_auth) replaces settings and keys as a whole, or changes nothing.
//!   Numbers and marks outlast it, so a reload or a change of keys loses no advertisement.
//! - A refusal is a [`Verdict::Dropped`](crate::Verdict::Dropped) with one of the reasons `Auth*` of
//!   [`DropReason`], counted in [`Statistics::drops`](crate::Statistics::drops). Its field
//!   [`genuine`](crate::Dropped::genuine) says "the peer is present and the clocks differ by so many
//!   seconds". [`Accepted::signed`](crate::Accepted::signed) has key id and skew of what was believed.
//! - Keys are neither printed nor compared, and wiped when they are dropped. The engine's copies go with
//!   the virtual router, with the next `set_auth`, and with the engine.

use core::fmt;
use core::net::IpAddr;

use zeroize::Zeroize;

use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::types::AdvertInterval;
use crate::verdict::DropReason;

/// Keys that one virtual router can have at once.
pub const MAX_AUTH_KEYS: usize = 4;
/// Senders of one virtual router that are remembered for [`Engine::auth_senders`](crate::Engine::auth_senders).
pub const MAX_AUTH_SENDERS: usize = 8;
/// The shortest and the longest key in octets.
const KEY_LEN: core::ops::RangeInclusive<usize> = 32..=64;
/// The longest time window in seconds.
const MAX_WINDOW: u16 = 300;

/// A secret with its id. It is wiped when it is dropped, and shows no more than its id.
#[derive(Clone)]
pub struct AuthKey {
    id: u8,
    len: u8,
    octets: [u8; 64],
}

impl AuthKey {
    /// A key of 32 to 64 octets; the id is 1 to 255. The caller wipes its own copy of `secret`.
    ///
    /// # Errors
    /// [`Error::BadAuthKey`].
    pub fn new(id: u8, secret: &[u8]) -> Result<Self, Error> {
        let mut octets = [0; 64];
        let slots = octets.get_mut(..secret.len());
        let Some(slots) = slots.filter(|_| id != 0 && KEY_LEN.contains(&secret.len())) else {
            return Err(Error::BadAuthKey);
        };
        slots.copy_from_slice(secret);
        let len = secret.len() as u8;
        Ok(Self { id, len, octets })
    }

    /// The id that trailers name.
    pub const fn id(&self) -> u8 {
        self.id
    }

    pub(crate) fn secret(&self) -> &[u8] {
        self.octets.get(..self.len.into()).unwrap_or_default()
    }
}

impl Drop for AuthKey {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret stays out of logs.
        write!(f, "AuthKey({}, ..)", self.id)
    }
}

/// Whether a virtual router signs, and whether it hears advertisements that are not signed. A bad
/// signature is refused in each mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AuthMode {
    /// Does not sign, hears both: the first of three sweeps over the hosts.
    ReceiveOnly,
    /// Signs, hears both: the second.
    Permissive,
    /// Signs, and hears signed advertisements only.
    #[default]
    Enforce,
}

impl AuthMode {
    /// Its name, such as `receive-only`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AuthMode::ReceiveOnly => "receive-only",
            AuthMode::Permissive => "permissive",
            AuthMode::Enforce => "enforce",
        }
    }

    pub(crate) const fn signs(self) -> bool {
        !matches!(self, AuthMode::ReceiveOnly)
    }
}

impl fmt::Display for AuthMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The protection against advertisements that were recorded and are sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AntiReplay {
    /// By the wall clock: an advertisement is refused that was signed longer ago than the window, or
    /// whose number is not after the last one.
    #[default]
    Time,
    /// By the number alone, for hosts without a clock: see
    /// [`Engine::set_boot_count`](crate::Engine::set_boot_count). Until a sender was heard once after our
    /// start, old advertisements of it are believed. Every router of the group has to use it.
    Monotonic,
}

impl AntiReplay {
    /// Its name: `time` or `monotonic`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AntiReplay::Time => "time",
            AntiReplay::Monotonic => "monotonic",
        }
    }
}

impl fmt::Display for AntiReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How advertisements are signed and verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AuthSettings {
    /// Whether to sign, and whether to hear what is not signed.
    pub mode: AuthMode,
    /// The protection against replays.
    pub replay: AntiReplay,
    /// How far in seconds the clock of a sender may be from ours with [`AntiReplay::Time`], 1 to 300.
    pub window: u16,
    /// The id of the key to sign with, one of the keys; in mode receive-only, too.
    pub active_key: u8,
}

impl AuthSettings {
    /// Enforce, time, and the window of an interval of a second: fill in `active_key`.
    pub const DEFAULT: AuthSettings = AuthSettings {
        mode: AuthMode::Enforce,
        replay: AntiReplay::Time,
        window: AuthSettings::window_for(AdvertInterval::DEFAULT),
        active_key: 0,
    };

    /// The usual window: three intervals of whole seconds, 5 seconds at least, 300 at most.
    pub const fn window_for(interval: AdvertInterval) -> u16 {
        let window = 3 * interval.as_secs_rounded_up() as u16;
        if window < 5 {
            5
        } else if window > MAX_WINDOW {
            MAX_WINDOW
        } else {
            window
        }
    }
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Settings and keys of one virtual router. The engine copies them.
#[derive(Clone, Copy, Debug)]
pub struct AuthConfig<'a> {
    /// The plain values.
    pub settings: AuthSettings,
    /// The keys, 1 to [`MAX_AUTH_KEYS`], each of another id.
    pub keys: &'a [AuthKey],
}

impl AuthConfig<'_> {
    /// Refuses what cannot be kept to (H-10). Nothing is signed with, or believed for, a key that is not there.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let settings = &self.settings;
        if self.keys.len() > MAX_AUTH_KEYS {
            return Err(Error::AuthKeyTableFull);
        }
        let ids = self.keys.iter().map(AuthKey::id);
        let twice = |(i, id): (usize, u8)| ids.clone().take(i).any(|other| other == id);
        if ids.clone().enumerate().any(twice) || !ids.clone().any(|id| id == settings.active_key) {
            return Err(Error::BadAuthKey);
        }
        if settings.window == 0 || settings.window > MAX_WINDOW {
            return Err(Error::BadAuthWindow);
        }
        Ok(())
    }
}

/// The wall clock of this host, as it was read at some [`Instant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WallClock {
    /// The time since 1970-01-01 00:00 UTC.
    pub since_epoch: Duration,
    /// Whether the clock is known to be right: Linux says so by adjtimex(2) without `STA_UNSYNC`.
    pub synchronised: bool,
}

/// The signature of an advertisement, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Signed {
    /// The id of its key.
    pub key_id: u8,
    /// The seconds by which the sender's clock is ahead of ours, below zero if it is behind; 0 with
    /// [`AntiReplay::Monotonic`].
    pub skew: i32,
}

/// The authentication of a virtual router as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthStatus {
    /// The settings in force.
    pub settings: AuthSettings,
    /// The ids of the keys; 0: none.
    pub keys: [u8; MAX_AUTH_KEYS],
    /// The wall clock was last said to be synchronised.
    pub synchronised: bool,
    /// With [`AntiReplay::Time`]: the clock is not known to be right, neither by itself nor because an
    /// advertisement was found fresh. A Backup takes over two intervals late and does not preempt (H-11).
    pub waits_for_clock: bool,
    /// The peer whose signature is right and whose clock is not ours, for which a Backup with an
    /// unsynchronised clock does not take over (H-12).
    pub held_by: Option<HeldBy>,
    /// Advertisements that were believed for their signature. It wraps.
    pub signed_received: u32,
    /// Advertisements without a signature, believed or not. It wraps.
    pub bare_received: u32,
}

/// A peer that is present although its advertisements are refused as stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// Its address.
    pub address: IpAddr,
    /// The seconds by which its clock is ahead of ours, below zero if it is behind.
    pub skew: i32,
}

/// A router that was heard by a virtual router with keys. A Backup says nothing, so it is not among
/// them until it was Active once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthSender {
    /// The source of its advertisements.
    pub address: IpAddr,
    /// When it was heard last, believed or not.
    pub last_heard: Instant,
    /// Whether the last one was signed, rightly or not.
    pub signed: bool,
    /// The key id of the last signature that was right. `None`: there was none.
    pub key_id: Option<u8>,
    /// The seconds by which its clock is ahead of ours, when last a right signature told. `None`: none
    /// did, or with [`AntiReplay::Monotonic`].
    pub skew: Option<i32>,
    /// Why an advertisement was refused last, by the rules of signatures, and when.
    pub refusal: Option<(DropReason, Instant)>,
    /// How many advertisements were believed. It wraps.
    pub believed: u32,
    /// How many were refused by the rules of signatures. It wraps.
    pub refused: u32,
}
