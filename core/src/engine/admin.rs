//! The calls of the administrator.

use core::marker::PhantomData;

use super::Engine;
use super::table::Links;
use super::vr::{Settings, VirtualRouter, earliness};
use crate::config::VrConfig;
use crate::error::Error;
use crate::gate::GateKey;
use crate::time::Instant;
use crate::types::{AdvertInterval, Priority, VrKey};

/// The calls of the administrator, at one point in time. They are the same for an
/// [engine](Engine::admin), whose keys are [`VrKey`]s, and for a [gate](crate::gate::Gate::admin), whose
/// keys are [`GateKey`]s. Each takes effect with the outputs that follow.
#[derive(Debug)]
pub struct Admin<'e, const IFS: usize, const VRS: usize, const ADDRS: usize, K = VrKey> {
    engine: &'e mut Engine<IFS, VRS, ADDRS>,
    now: Instant,
    keys: PhantomData<K>,
}

/// The keys by which [`Admin`] knows virtual routers: [`VrKey`] and [`GateKey`].
pub trait Key: Copy + Into<VrKey> + sealed::Sealed {
    /// The keys are those of a gate.
    #[doc(hidden)]
    const OF_A_GATE: bool;
}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for VrKey {}

impl Key for VrKey {
    const OF_A_GATE: bool = false;
}

impl sealed::Sealed for GateKey {}

impl Key for GateKey {
    const OF_A_GATE: bool = true;
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Engine<IFS, VRS, ADDRS> {
    /// The calls of the administrator, as made at `now`.
    #[inline]
    pub fn admin(&mut self, now: Instant) -> Admin<'_, IFS, VRS, ADDRS> {
        self.admin_by(now)
    }

    /// The calls of the administrator for another kind of keys.
    #[inline]
    pub(crate) fn admin_by<K>(&mut self, now: Instant) -> Admin<'_, IFS, VRS, ADDRS, K> {
        self.deadlines.catch_up(now);
        Admin {
            engine: self,
            now,
            keys: PhantomData,
        }
    }

    fn insert(&mut self, now: Instant, key: VrKey, config: &VrConfig<'_>) -> Result<(), Error> {
        if self.table.find(key).is_some() {
            return Err(Error::Exists);
        }
        let known = self.interfaces.len();
        let iface = self.interface_slot(key.ifindex)?;
        self.widen_earliness(config.settings.advert_interval);
        let inserted = self.insert_on(now, key, iface, config);
        if inserted.is_err() {
            self.interfaces.truncate(known);
        }
        inserted
    }

    fn insert_on(
        &mut self,
        now: Instant,
        key: VrKey,
        iface: u8,
        config: &VrConfig<'_>,
    ) -> Result<(), Error> {
        let settings = Settings::new(key, config)?;
        let index = self
            .table
            .insert(VirtualRouter::new(now, key, Links::new(iface), settings))
            .map_err(|()| Error::VirtualRouterTableFull)?;
        let Some(vr) = self.table.get_mut(index) else {
            return Err(Error::NotFound);
        };
        let filled = vr.fill(config);
        if filled.is_err() {
            self.table.remove(index);
        }
        filled
    }

    fn widen_earliness(&mut self, interval: AdvertInterval) {
        self.earliness = self.earliness.max(earliness(interval));
    }
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize, K: Key> Admin<'_, IFS, VRS, ADDRS, K> {
    /// Adds a virtual router. In an engine it takes no part until it is enabled, for the port may have
    /// to prepare for it. A gate enables it at once.
    ///
    /// # Errors
    /// [`Error::Exists`] for a key that is in the table or still being removed, one of the full
    /// tables, [`Error::InterfaceTableFull`] among them, or what is wrong with `config`. A gate refuses
    /// unicast peers, which need a neighbour table: [`Error::NoPeers`].
    pub fn insert(&mut self, key: K, config: &VrConfig<'_>) -> Result<(), Error> {
        check_peers::<K>(config)?;
        self.engine.insert(self.now, key.into(), config)?;
        if K::OF_A_GATE {
            self.set_enabled(key, true)?;
        }
        Ok(())
    }

    /// Changes the configuration of a virtual router. Its state stays; what did not change is not
    /// disturbed, and while it is Active what did change is advertised at once. Delays that are
    /// running end as the new settings have it, at once if that has passed.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); [`Error::NotFound`]; [`Error::MacModeFixed`] for another MAC
    /// mode. The configuration is then as before.
    pub fn reconfigure(&mut self, key: K, config: &VrConfig<'_>) -> Result<(), Error> {
        check_peers::<K>(config)?;
        self.engine.widen_earliness(config.settings.advert_interval);
        let now = self.now;
        self.engine.with(key.into(), |vr, iface| {
            vr.reconfigure(now, &iface.state, config)
        })?
    }

    /// Removes a virtual router, as gracefully as [`set_enabled`](Self::set_enabled) stops it. It
    /// is gone when [`Output::Removed`](crate::Output::Removed) comes, of a gate
    /// [`Action::Removed`](crate::gate::Action::Removed).
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn remove(&mut self, key: K) -> Result<(), Error> {
        let now = self.now;
        self.engine
            .with(key.into(), |vr, iface| vr.remove(now, &iface.state))
    }

    /// Enables or disables a virtual router. An Active one that is disabled advertises priority 0, and
    /// serves its addresses until its successor is heard. It waits for four intervals at most, or for
    /// 10 s if that is less; for one and a half intervals where these are more than 10 s.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for one that is being removed.
    pub fn set_enabled(&mut self, key: K, on: bool) -> Result<(), Error> {
        let now = self.now;
        self.engine.with(key.into(), |vr, iface| {
            if vr.is_removing() {
                return Err(Error::NotFound);
            }
            vr.set_enabled(now, &iface.state, on);
            Ok(())
        })?
    }

    /// Puts another priority in the place of the configured one; `None` goes back to that.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn set_priority(&mut self, key: K, priority: Option<Priority>) -> Result<(), Error> {
        let now = self.now;
        self.engine
            .with(key.into(), |vr, _| vr.set_priority(now, priority))
    }

    /// Gives up being Active in favour of whoever takes over; with nobody there it stays Active. A
    /// router that resigned does not preempt until it has been Active again or its priority is set.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn resign(&mut self, key: K) -> Result<(), Error> {
        let now = self.now;
        self.engine.with(key.into(), |vr, _| vr.resign(now))
    }

    /// States the state of the synchronisation group that a virtual router is a member of, as
    /// [`group`](crate::group) decides it; `None`: it is in no group. With a group that is Backup it waits
    /// where it would become Active, and is [due](crate::Status::due); one that is Active hands over, and
    /// becomes Backup also if nobody takes over. When the group becomes Active one that is due does so at
    /// once, and takes part as if it was alone. A group in Initialize holds it there.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[cfg(feature = "groups")]
    pub fn set_group_state(
        &mut self,
        key: K,
        state: Option<crate::output::State>,
    ) -> Result<(), Error> {
        let now = self.now;
        self.engine.with(key.into(), |vr, iface| {
            vr.set_group_state(now, &iface.state, state);
        })
    }

    /// States whether a tracked object is up: a link, a sensor, the application's health. Objects that
    /// nobody tracks are ignored; one that was never described is up.
    pub fn set_tracked(&mut self, object: u16, up: bool) {
        let now = self.now;
        for index in self.engine.table.indices() {
            self.engine.with_index(index, |vr, iface| {
                vr.set_tracked(now, &iface.state, object, up);
            });
        }
    }
}

#[cfg(feature = "hmac")]
impl<const IFS: usize, const VRS: usize, const ADDRS: usize, K> Admin<'_, IFS, VRS, ADDRS, K> {
    /// The time of the calls, and the engine.
    pub(super) fn parts(&mut self) -> (Instant, &mut Engine<IFS, VRS, ADDRS>) {
        (self.now, self.engine)
    }
}

fn check_peers<K: Key>(config: &VrConfig<'_>) -> Result<(), Error> {
    if K::OF_A_GATE && !config.peers.is_empty() {
        return Err(Error::NoPeers);
    }
    if K::OF_A_GATE && config.settings.group.is_some() {
        return Err(Error::BadGroup);
    }
    Ok(())
}
