//! The calls of the administrator.

use super::Engine;
use super::table::Links;
use super::vr::{Settings, VirtualRouter, earliness};
use crate::config::VrConfig;
use crate::error::Error;
use crate::time::Instant;
use crate::types::{AdvertInterval, Priority, VrKey};

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Engine<IFS, VRS, ADDRS> {
    /// Adds a virtual router. It takes no part until it is enabled.
    ///
    /// # Errors
    /// [`Error::Exists`] for a key that is in the table or still being removed, one of the full
    /// tables, [`Error::InterfaceTableFull`] among them, or what is wrong with `config`.
    pub fn insert(&mut self, now: Instant, key: VrKey, config: &VrConfig<'_>) -> Result<(), Error> {
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

    /// Changes the configuration of a virtual router. Its state stays; what did not change is not
    /// disturbed, and while it is Active what did change is advertised at once. Delays that are
    /// running end as the new settings have it, at once if that has passed.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); [`Error::NotFound`]; [`Error::MacModeFixed`] for another MAC
    /// mode. The configuration is then as before.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        key: VrKey,
        config: &VrConfig<'_>,
    ) -> Result<(), Error> {
        self.widen_earliness(config.settings.advert_interval);
        self.with(key, |vr, iface| vr.reconfigure(now, &iface.state, config))?
    }

    /// Removes a virtual router, as gracefully as [`set_enabled`](Self::set_enabled) stops it. It
    /// is gone when [`Output::Removed`](crate::Output::Removed) comes.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn remove(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        self.with(key, |vr, iface| vr.remove(now, &iface.state))
    }

    /// Enables or disables a virtual router. An Active one that is disabled says so with priority 0
    /// and serves its addresses until its successor is heard: four intervals at most, or ten seconds
    /// if that is less; one and a half intervals if those are more than ten seconds.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for one that is being removed.
    pub fn set_enabled(&mut self, now: Instant, key: VrKey, on: bool) -> Result<(), Error> {
        self.with(key, |vr, iface| {
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
    pub fn set_priority(
        &mut self,
        now: Instant,
        key: VrKey,
        priority: Option<Priority>,
    ) -> Result<(), Error> {
        self.with(key, |vr, _| vr.set_priority(now, priority))
    }

    /// Gives up being Active in favour of whoever takes over; with nobody there it stays Active. A
    /// router that resigned does not preempt until it has been Active again or its priority is set.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn resign(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        self.with(key, |vr, _| vr.resign(now))
    }

    fn widen_earliness(&mut self, interval: AdvertInterval) {
        self.earliness = self.earliness.max(earliness(interval));
    }
}
