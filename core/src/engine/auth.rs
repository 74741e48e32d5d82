//! Keys, clocks, and who signs. See [`auth`](crate::auth).

use core::net::IpAddr;

use super::Engine;
use super::admin::{Admin, Key};
use crate::auth::{AuthConfig, AuthSender, AuthStatus, Signed, WallClock};
use crate::error::Error;
use crate::time::Instant;
use crate::types::VrKey;
use crate::verdict::DropReason;
use crate::wire::Datagram;

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Engine<IFS, VRS, ADDRS> {
    /// States what the wall clock says at `now`; `None` takes it back. It goes on with the monotonic clock
    /// from there, so a reading costs next to nothing unless the clock was stepped or its
    /// synchronisation changed. To be called with the first keys, each few seconds, and after the host
    /// slept: a step that is told late is late for every signature.
    pub fn set_wall_clock(&mut self, now: Instant, clock: Option<WallClock>) {
        let Some(stepped) = self.clock.set_wall(now, clock) else {
            return;
        };
        self.spread_clock(now, stepped);
    }

    /// States how often this host has booted, for [`AntiReplay::Monotonic`](crate::AntiReplay::Monotonic)
    /// on hosts without a clock: each boot has a greater number, which the port keeps over the boots
    /// (one write a boot). `now` then counts from the boot.
    pub fn set_boot_count(&mut self, now: Instant, boots: u32) {
        self.clock.set_boots(boots);
        self.spread_clock(now, false);
    }

    fn spread_clock(&mut self, now: Instant, stepped: bool) {
        let clock = self.clock;
        for index in self.table.indices() {
            self.with_index(index, |vr, _| vr.set_clock(now, clock, stepped));
        }
    }

    /// The authentication of a virtual router. `None`: there is none with this key, or it has no keys.
    pub fn auth(&self, key: impl Into<VrKey>) -> Option<AuthStatus> {
        self.table
            .get(self.table.find(key.into())?)?
            .auth()
            .status()
    }

    /// The routers that were heard since a virtual router has keys,
    /// [`MAX_AUTH_SENDERS`](crate::MAX_AUTH_SENDERS) at most, in no order.
    pub fn auth_senders<K: Into<VrKey>>(
        &self,
        key: K,
    ) -> impl Iterator<Item = AuthSender> + use<'_, K, IFS, VRS, ADDRS> {
        let vr = self.table.find(key.into());
        let vr = vr.and_then(|index| self.table.get(index));
        vr.into_iter().flat_map(|vr| vr.auth().senders())
    }

    /// The routers heard at `since` or later whose last advertisement was not signed: those that
    /// [`AuthMode::Enforce`](crate::AuthMode::Enforce) would not hear. A router that has only been Backup
    /// has said nothing, and is not among them.
    pub fn bare_senders<K: Into<VrKey>>(
        &self,
        key: K,
        since: Instant,
    ) -> impl Iterator<Item = IpAddr> + use<'_, K, IFS, VRS, ADDRS> {
        self.auth_senders(key)
            .filter(move |sender| !sender.signed && sender.last_heard >= since)
            .map(|sender| sender.address)
    }

    /// The signature of a datagram that was just refused, if it is known to be right.
    pub(super) fn genuine(
        &self,
        ifindex: u32,
        datagram: &Datagram<'_>,
        reason: DropReason,
    ) -> Option<Signed> {
        if reason != DropReason::AuthStale {
            return None;
        }
        let key = VrKey {
            ifindex,
            vrid: datagram.vrid()?,
            family: datagram.family(),
        };
        self.table.get(self.table.find(key)?)?.auth().genuine()
    }
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize, K: Key> Admin<'_, IFS, VRS, ADDRS, K> {
    /// Gives a virtual router settings and keys for signed advertisements, in the place of those of
    /// before, or takes them away. What it knows of its senders and of their numbers stays from one
    /// configuration to the next, and so does its state.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::BadAuthKey`] for an id that comes twice or an active key that is not
    /// there; [`Error::AuthKeyTableFull`]; [`Error::BadAuthWindow`]; [`Error::AuthConflict`] if it has a
    /// password; [`Error::NoClock`] for monotonic numbers before
    /// [`set_boot_count`](Engine::set_boot_count) or [`set_wall_clock`](Engine::set_wall_clock). Nothing
    /// is changed then.
    pub fn set_auth(&mut self, key: K, config: Option<&AuthConfig<'_>>) -> Result<(), Error> {
        let (now, engine) = self.parts();
        let clock = engine.clock;
        engine.with(key.into(), |vr, _| vr.set_auth(now, config, clock))?
    }

    /// As [`Engine::set_wall_clock`], for whoever has this face of the engine alone.
    pub fn set_wall_clock(&mut self, clock: Option<WallClock>) {
        let (now, engine) = self.parts();
        engine.set_wall_clock(now, clock);
    }

    /// As [`Engine::set_boot_count`].
    pub fn set_boot_count(&mut self, boots: u32) {
        let (now, engine) = self.parts();
        engine.set_boot_count(now, boots);
    }
}
