//! Verdicts about received frames.

use core::fmt;

use crate::types::VrKey;
use crate::wire::Datagram;

/// The verdict about a received frame or datagram, with what the engine found out about it: nobody
/// above has to parse it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a frame that is not VRRP is for somebody else"]
pub enum Verdict<'f> {
    /// Not VRRP: for somebody else.
    NotVrrp,
    /// A valid advertisement.
    Accepted(Accepted<'f>),
    /// Discarded and counted. The counter is its only trace.
    Dropped(Dropped<'f>),
}

/// A valid advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Accepted<'f> {
    /// The virtual router that it is for.
    pub key: VrKey,
    /// It is the last one once more, octet for octet and from the same router and MAC, to a Backup
    /// that set Active_Down_Timer by it: no more news than that the Active router is well. Not every
    /// repetition is recognised.
    pub repeated: bool,
    /// Its address list differs from ours (V-14).
    pub address_mismatch: bool,
    /// Its interval differs from ours (V-13).
    pub interval_mismatch: bool,
    /// The datagram itself.
    pub datagram: Datagram<'f>,
    /// The signature that it was believed for. `None`: it has none, or there are no keys.
    #[cfg(feature = "hmac")]
    pub signed: Option<crate::auth::Signed>,
}

/// A packet that was discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Dropped<'f> {
    /// Why.
    pub reason: DropReason,
    /// The datagram. `None`: its headers could not be read.
    pub datagram: Option<Datagram<'f>>,
    /// With [`DropReason::AuthStale`], the signature if it was found to be right: the peer is present, and the
    /// clocks differ. It is looked at once a second at most, unless our own clock is in doubt.
    #[cfg(feature = "hmac")]
    pub genuine: Option<crate::auth::Signed>,
}

impl Verdict<'_> {
    /// The virtual router that accepted it, if one did.
    pub fn accepted(&self) -> Option<VrKey> {
        match self {
            Verdict::Accepted(accepted) => Some(accepted.key),
            Verdict::NotVrrp | Verdict::Dropped(_) => None,
        }
    }

    /// Why it was discarded, if it was.
    pub fn dropped(&self) -> Option<DropReason> {
        match self {
            Verdict::Dropped(dropped) => Some(dropped.reason),
            Verdict::NotVrrp | Verdict::Accepted(_) => None,
        }
    }
}

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a packet was discarded. RFC 8347 has a counter for some of them, which the
        /// description names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum DropReason {
            $($(#[$doc])* $name,)*
        }

        impl DropReason {
            const EVERY: &'static [DropReason] = &[$(DropReason::$name,)*];
            /// Every reason that this build gives, in the order of the counters.
            pub const ALL: &'static [DropReason] = if cfg!(feature = "hmac") {
                DropReason::EVERY
            } else {
                DropReason::EVERY.split_at(DropReason::AuthMissing as usize).0
            };
            /// How many reasons, the first of [`ALL`](Self::ALL), no single virtual router counts: such a
            /// packet is for none.
            pub(crate) const BEFORE_ADDRESSEE: usize = DropReason::UnknownVrid as usize + 1;

            /// A short name for logs and statistics, such as `checksum-error`.
            pub const fn as_str(self) -> &'static str {
                match self { $(DropReason::$name => $text,)* }
            }
        }
    };
}

drop_reasons! {
    /// The Ethernet, IPv4 or IPv6 header is cut short or contradicts itself.
    BadHeader = "bad-header",
    /// The IPv4 header checksum is wrong.
    IpChecksum = "ip-checksum-error",
    /// The packet is a fragment.
    Fragment = "fragment",
    /// The VRID is not configured on this interface and family (V-6; `vrid-errors`).
    UnknownVrid = "vrid-errors",
    // The reasons above come before a virtual router is found: see `BEFORE_ADDRESSEE`.
    /// It was sent neither to the group nor, for unicast peers, to us.
    WrongDestination = "wrong-destination",
    /// TTL or hop limit is not 255, or further away than unicast peers may be (V-1; `ip-ttl-errors`).
    Ttl = "ip-ttl-errors",
    /// The version is none that this virtual router speaks (V-2; `version-errors`).
    Version = "version-errors",
    /// The type is not ADVERTISEMENT (V-3; `invalid-type-pkts-rcvd`).
    Type = "invalid-type-pkts-rcvd",
    /// Shorter than its own address list asks (V-4; `packet-length-errors`).
    Length = "packet-length-errors",
    /// The checksum is wrong (V-5; `checksum-errors`).
    Checksum = "checksum-errors",
    /// We own the addresses and discard what others advertise (V-7, as published).
    Owner = "owner",
    /// The address list is empty (V-8).
    NoAddresses = "address-list-empty",
    /// The first IPv6 address is not link-local (V-9; `address-list-errors`).
    NotLinkLocal = "address-list-errors",
    /// The v3 interval is zero (V-10).
    ZeroInterval = "interval-zero",
    /// The v2 address list is not ours and the sender is not the owner (V-14).
    AddressMismatch = "address-list-mismatch",
    /// The v2 interval is not ours (V-16; `interval-errors`).
    IntervalMismatch = "interval-errors",
    /// The v2 authentication type is unknown or not ours (V-17).
    AuthType = "auth-type-mismatch",
    /// The v2 password is not ours (V-17).
    AuthFailure = "auth-failure",
    /// Our own advertisement came back (V-18).
    OwnLoopedBack = "own-looped-back",
    /// The source is none of the configured unicast peers, or no address that a router can have.
    UnknownPeer = "unknown-peer",
    /// A v2 advertisement of a router that also sends v3.
    V2ShadowedByV3 = "v2-shadowed-by-v3",
    /// The virtual router is disabled or its interface is down.
    NotRunning = "not-running",
    /// An advertisement of carp(4) of the BSDs, which shares protocol number and group with VRRP, has
    /// the version and type of VRRPv2, and no address list. Its `carpver 3` on FreeBSD is VRRPv3.
    Carp = "carp, not VRRP",
    /// It is signed (a trailer of 28 octets follows the message), and this virtual router has no key: it
    /// cannot be told from a forged one (H-1).
    AuthenticationTrailer = "authentication-trailer",
    // The reasons below need the feature `hmac`: see `ALL`.
    /// It is not signed, and this virtual router hears signed advertisements only.
    AuthMissing = "auth-missing",
    /// The scheme of its signature is unknown, or reserved octets are not zero.
    AuthMalformed = "auth-malformed",
    /// It was signed longer ago than the time window, or our clock or the sender's is wrong.
    AuthStale = "auth-stale",
    /// It is signed with a key whose id is not known here.
    AuthUnknownKey = "auth-unknown-key",
    /// The signature is not that of the key.
    AuthInvalidHmac = "auth-invalid-hmac",
    /// Its number is not after that of the last one: it was recorded and sent again.
    AuthReplay = "auth-replay",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
