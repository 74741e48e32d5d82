//! Settings and keys of a virtual router, and the rules by which it signs and believes.

use core::net::IpAddr;

use heapless::Vec;

use super::clock::{Clock, ahead, next_number, seconds_of};
use super::marks::{Marks, Of};
use super::senders::Senders;
use crate::auth::{
    AntiReplay, AuthConfig, AuthKey, AuthMode, AuthSender, AuthSettings, AuthStatus, HeldBy,
    MAX_AUTH_KEYS, Signed,
};
use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::types::AdvertInterval;
use crate::verdict::DropReason;
use crate::wire::trailer::{self, Trailer};
use crate::wire::vrrp::View;
use crate::wire::{Datagram, Emitted};

/// The least time from one look at the signature of a stale advertisement to the next, while our clock is
/// synchronised and the answer is for people only.
const DIAGNOSIS_PAUSE: Duration = Duration::from_secs(1);

/// The authentication of one virtual router.
#[derive(Clone)]
pub(in crate::engine) struct Auth<const ADDRS: usize> {
    on: Option<On<ADDRS>>,
    clock: Clock,
    /// The last number that was signed with. It outlasts the keys, so that it never comes again.
    last: Option<u64>,
    /// The number of the advertisement that is owed; that of its second version is the next one.
    owed: u64,
}

#[derive(Clone)]
struct On<const ADDRS: usize> {
    settings: AuthSettings,
    keys: Vec<AuthKey, MAX_AUTH_KEYS>,
    marks: Marks<ADDRS>,
    senders: Senders,
    /// A signed advertisement was found fresh since the last step of the clock: it is right enough.
    agreed: bool,
    held: Option<Held>,
    /// When the signature of a stale advertisement was last looked at.
    diagnosed_at: Option<Instant>,
    /// The signature of the last refusal, where it is right.
    genuine: Option<Signed>,
    signed: u32,
    bare: u32,
}

/// The peer that keeps a Backup from taking over (H-12).
#[derive(Clone, Copy)]
struct Held {
    by: HeldBy,
    /// The interval that the peer advertised, until it is taken.
    interval: Option<AdvertInterval>,
}

/// The reason to believe an advertisement.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Proof {
    /// Its signature and its number, or none.
    signed: Option<(Signed, u64)>,
}

impl Proof {
    pub(in crate::engine) fn signed(&self) -> Option<Signed> {
        self.signed.map(|(signed, _)| signed)
    }
}

impl<const ADDRS: usize> Auth<ADDRS> {
    pub(in crate::engine::vr) const NONE: Self = Self {
        on: None,
        clock: Clock::UNKNOWN,
        last: None,
        owed: 0,
    };

    /// Takes over settings and keys, or forgets them. Marks and senders stay from one configuration
    /// to the next.
    pub(in crate::engine::vr) fn set(
        &mut self,
        config: Option<&AuthConfig<'_>>,
        clock: Clock,
    ) -> Result<(), Error> {
        let Some(config) = config else {
            self.on = None;
            return Ok(());
        };
        config.check()?;
        if config.settings.replay == AntiReplay::Monotonic && !clock.has_numbers() {
            return Err(Error::NoClock);
        }
        self.clock = clock;
        let on = self.on.get_or_insert_with(|| On {
            settings: config.settings,
            keys: Vec::new(),
            marks: Marks::EMPTY,
            senders: Senders::EMPTY,
            agreed: false,
            held: None,
            diagnosed_at: None,
            genuine: None,
            signed: 0,
            bare: 0,
        });
        on.settings = config.settings;
        // Those of before are wiped as they are dropped.
        on.keys.clear();
        for key in config.keys {
            on.keys
                .push(key.clone())
                .map_err(|_| Error::AuthKeyTableFull)?;
        }
        Ok(())
    }

    /// Takes in the clock. `stepped`: it does not go on from where it was.
    pub(in crate::engine::vr) fn set_clock(&mut self, clock: Clock, stepped: bool) {
        self.clock = clock;
        if let Some(on) = &mut self.on {
            on.agreed &= !stepped;
            if !self.clock_is_in_doubt()
                && let Some(on) = &mut self.on
            {
                on.held = None;
            }
        }
    }

    /// Whether there are keys.
    pub(in crate::engine::vr) fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// Whether advertisements are signed.
    pub(in crate::engine::vr) fn signs(&self) -> bool {
        self.on.as_ref().is_some_and(|on| on.settings.mode.signs())
    }

    /// Whether the clock may be so wrong that advertisements of a healthy Active router are refused: it is
    /// not synchronised, and none was found fresh since it was stepped (H-11).
    pub(in crate::engine::vr) fn clock_is_in_doubt(&self) -> bool {
        self.on.as_ref().is_some_and(|on| {
            on.settings.replay == AntiReplay::Time && !self.clock.is_synchronised() && !on.agreed
        })
    }

    /// Takes the number of an advertisement that is now owed (H-8). All destinations get the same one. The
    /// messages of two versions have two, for a router that hears both takes equal ones for a replay.
    pub(in crate::engine::vr) fn take_numbers(&mut self, now: Instant, versions: u16) {
        if let Some(on) = &self.on {
            let settings = on.settings;
            self.number_next(now, &settings, versions);
        }
    }

    // Out of the way of what is not signed.
    #[cold]
    fn number_next(&mut self, now: Instant, settings: &AuthSettings, versions: u16) {
        let clock = self.clock.number(now, settings.replay);
        self.owed = next_number(self.last, clock, settings.replay, settings.window);
        let further = u64::from(versions).saturating_sub(1);
        self.last = Some(self.owed.wrapping_add(further));
    }

    /// Signs the frame in `buf`, the first or the second version of what is owed. Returns `None` if it does
    /// not fit.
    pub(in crate::engine::vr) fn sign(
        &self,
        second: bool,
        buf: &mut [u8],
        emitted: Emitted,
        addresses: (IpAddr, IpAddr),
    ) -> Option<Emitted> {
        let Some(on) = self.on.as_ref().filter(|on| on.settings.mode.signs()) else {
            return Some(emitted);
        };
        // Checked when the keys were set: without it nothing is sent, rather than something bare.
        let key = on.key(on.settings.active_key)?;
        let number = self.owed.wrapping_add(second.into());
        let secret = (key.id(), key.secret());
        trailer::sign(buf, emitted, addresses, secret, number)
    }

    /// Checks the signature of a message, or that it may do without (H-1 to H-7). Nothing is believed
    /// yet: see [`believe`](Self::believe).
    pub(in crate::engine::vr) fn check(
        &mut self,
        now: Instant,
        datagram: &Datagram<'_>,
        view: &View<'_>,
    ) -> Result<Proof, DropReason> {
        let trailer = Trailer::of(view, datagram.message);
        let Some(on) = &mut self.on else {
            return match trailer {
                // H-1
                Some(_) => Err(DropReason::AuthenticationTrailer),
                None => Ok(Proof { signed: None }),
            };
        };
        on.genuine = None;
        let checked = match trailer {
            None => on.check_bare(),
            Some(trailer) => on.check_signed(now, &self.clock, datagram, view, &trailer),
        };
        if let Err(reason) = checked {
            let source = datagram.source;
            on.senders.note_refused(now, source, reason, on.genuine);
        }
        checked
    }

    /// Believes a message that broke no rule: only now its number is spent.
    pub(in crate::engine::vr) fn believe(
        &mut self,
        now: Instant,
        source: IpAddr,
        proof: &Proof,
        is_unicast: bool,
    ) {
        let Some(on) = &mut self.on else {
            return;
        };
        let by_time = on.settings.replay == AntiReplay::Time;
        if let Some((_, number)) = proof.signed {
            // H-7
            on.marks.set(Of::Fresh, source, number, is_unicast);
            // A monotonic number says nothing of the clocks.
            on.agreed |= by_time;
            on.held = None;
            on.signed = on.signed.wrapping_add(1);
        }
        on.senders
            .note_believed(now, source, proof.signed(), by_time);
    }

    /// The interval of a router that is present though it was just refused, for a Backup that must not
    /// take over from it (H-12).
    pub(in crate::engine::vr) fn take_hold(&mut self) -> Option<AdvertInterval> {
        self.on.as_mut()?.held.as_mut()?.interval.take()
    }

    /// Lets it take over again: no peer keeps it from that.
    pub(in crate::engine::vr) fn release(&mut self) {
        if let Some(on) = &mut self.on {
            on.held = None;
        }
    }

    /// The signature of what was refused last, if it is right.
    pub(in crate::engine) fn genuine(&self) -> Option<Signed> {
        self.on.as_ref()?.genuine
    }

    pub(in crate::engine) fn status(&self) -> Option<AuthStatus> {
        let on = self.on.as_ref()?;
        let mut keys = [0; MAX_AUTH_KEYS];
        for (id, key) in keys.iter_mut().zip(&on.keys) {
            *id = key.id();
        }
        Some(AuthStatus {
            settings: on.settings,
            keys,
            synchronised: self.clock.is_synchronised(),
            waits_for_clock: self.clock_is_in_doubt(),
            held_by: on.held.map(|held| held.by),
            signed_received: on.signed,
            bare_received: on.bare,
        })
    }

    pub(in crate::engine) fn senders(&self) -> impl Iterator<Item = AuthSender> + '_ {
        self.on.iter().flat_map(|on| on.senders.iter())
    }
}

impl<const ADDRS: usize> On<ADDRS> {
    fn key(&self, id: u8) -> Option<&AuthKey> {
        self.keys.iter().find(|key| key.id() == id)
    }

    fn check_bare(&mut self) -> Result<Proof, DropReason> {
        // H-2: counted in each mode, so that it is known who is in the way of the strictest one.
        self.bare = self.bare.wrapping_add(1);
        match self.settings.mode {
            AuthMode::Enforce => Err(DropReason::AuthMissing),
            AuthMode::ReceiveOnly | AuthMode::Permissive => Ok(Proof { signed: None }),
        }
    }

    fn check_signed(
        &mut self,
        now: Instant,
        clock: &Clock,
        datagram: &Datagram<'_>,
        view: &View<'_>,
        trailer: &Trailer<'_>,
    ) -> Result<Proof, DropReason> {
        if !trailer.is_well_formed() {
            // H-3
            return Err(DropReason::AuthMalformed);
        }
        let (source, number) = (datagram.source, trailer.number());
        let mut signed = Signed {
            key_id: trailer.key_id(),
            skew: 0,
        };
        let mut window = None;
        if self.settings.replay == AntiReplay::Time {
            let seconds = clock.seconds(now);
            window = Some((seconds, self.settings.window));
            signed.skew = ahead(seconds_of(number), seconds);
            if signed.skew.unsigned_abs() > self.settings.window.into() {
                // H-4: before the digest, so that a flood of what was recorded costs nothing.
                self.diagnose(now, clock, datagram, view, trailer, signed);
                return Err(DropReason::AuthStale);
            }
        }
        // H-5
        let key = self.key(signed.key_id);
        let key = key.ok_or(DropReason::AuthUnknownKey)?;
        if !trailer.is_signed_with(key.secret(), view, source) {
            // H-6
            return Err(DropReason::AuthInvalidHmac);
        }
        if !self.marks.is_news(Of::Fresh, source, number, window) {
            // H-7
            return Err(DropReason::AuthReplay);
        }
        Ok(Proof {
            signed: Some((signed, number)),
        })
    }

    /// Finds out whether a stale advertisement is that of a peer whose clock is not ours (H-12). While our
    /// clock is in doubt each one is looked at, for a Backup must not take over from that peer; when
    /// it is not, one a second, for people.
    fn diagnose(
        &mut self,
        now: Instant,
        clock: &Clock,
        datagram: &Datagram<'_>,
        view: &View<'_>,
        trailer: &Trailer<'_>,
        signed: Signed,
    ) {
        let source = datagram.source;
        let in_doubt = !clock.is_synchronised() && !self.agreed;
        let paused = self
            .diagnosed_at
            .is_some_and(|at| now < at + DIAGNOSIS_PAUSE);
        if !in_doubt && paused {
            return;
        }
        self.diagnosed_at = Some(now);
        let Some(key) = self.key(signed.key_id) else {
            return;
        };
        if !trailer.is_signed_with(key.secret(), view, source) {
            return;
        }
        self.genuine = Some(signed);
        // Each recorded one counts once, and in its order: whoever sends them again holds nobody for
        // longer than was recorded.
        let number = trailer.number();
        if in_doubt && self.marks.is_news(Of::Stale, source, number, None) {
            let is_unicast = !datagram.destination.is_multicast();
            self.marks.set(Of::Stale, source, number, is_unicast);
            let by = HeldBy {
                address: source,
                skew: signed.skew,
            };
            // A router that stops holds nobody.
            if view.priority() != 0 {
                let interval = match view.version() {
                    2 => AdvertInterval::from_secs((view.interval_cs() / 100) as u8),
                    _ => AdvertInterval::from_centis(view.interval_cs()),
                };
                let interval = Some(interval.unwrap_or_default());
                self.held = Some(Held { by, interval });
            }
        }
    }
}
