//! The administrator's side.

use smoltcp::time::Instant;
use vrrp_core::gate::DiscardCounters;
use vrrp_core::{DropCounters, Error, Priority, Statistics, Status, VrConfig, VrKey};

use crate::{Vrrp, engine_time};

/// Calls take effect with the next [`poll`](Vrrp::poll).
impl<D, const VRS: usize, const ADDRS: usize, const FRAME: usize> Vrrp<D, VRS, ADDRS, FRAME> {
    /// Adds a virtual router and enables it. Keys come from [`key`](crate::key).
    ///
    /// # Errors
    /// As [`vrrp_core::Engine::insert`]; [`Error::NoPeers`] for unicast peers, which need a
    /// neighbour table.
    pub fn insert(&mut self, now: Instant, key: VrKey, config: &VrConfig<'_>) -> Result<(), Error> {
        self.gate.get_mut().insert(engine_time(now), key, config)
    }

    /// Changes the configuration of a virtual router; its state stays.
    ///
    /// # Errors
    /// As [`vrrp_core::Engine::reconfigure`]; [`Error::NoPeers`] for unicast peers.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        key: VrKey,
        config: &VrConfig<'_>,
    ) -> Result<(), Error> {
        let gate = self.gate.get_mut();
        gate.reconfigure(engine_time(now), key, config)
    }

    /// Removes a virtual router, gracefully: it serves until its successor is heard, and is gone
    /// when [`status`](Self::status) gives `None`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn remove(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        let gate = self.gate.get_mut();
        gate.remove(engine_time(now), key)
    }

    /// Enables or disables a virtual router, gracefully.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn set_enabled(&mut self, now: Instant, key: VrKey, on: bool) -> Result<(), Error> {
        let gate = self.gate.get_mut();
        gate.set_enabled(engine_time(now), key, on)
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
        let gate = self.gate.get_mut();
        gate.set_priority(engine_time(now), key, priority)
    }

    /// Gives up being Active in favour of whoever takes over.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn resign(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        let gate = self.gate.get_mut();
        gate.resign(engine_time(now), key)
    }

    /// States whether a tracked object is up: another link, a sensor, the application's health.
    pub fn set_tracked(&mut self, now: Instant, object: u16, up: bool) {
        let gate = self.gate.get_mut();
        gate.set_tracked(engine_time(now), object, up);
    }

    /// States whether the device has a link, which smoltcp does not know. It has one until this
    /// says otherwise.
    pub fn set_link(&mut self, up: bool) {
        self.link_up = up;
    }

    /// A virtual router as it stands. `None`: there is none with this key.
    pub fn status(&self, key: VrKey) -> Option<Status> {
        self.gate.try_borrow().ok()?.engine().status(key)
    }

    /// The counters of a virtual router. `None`: there is none with this key.
    pub fn statistics(&self, key: VrKey) -> Option<Statistics> {
        let gate = self.gate.try_borrow().ok()?;
        gate.engine().statistics(key).copied()
    }

    /// How many VRRP packets were discarded that belong to no virtual router.
    pub fn drops(&self) -> DropCounters {
        let gate = self.gate.try_borrow();
        gate.map(|gate| *gate.engine().drops()).unwrap_or_default()
    }

    /// How many other frames were discarded.
    pub fn discards(&self) -> DiscardCounters {
        let gate = self.gate.try_borrow();
        gate.map(|gate| *gate.discards()).unwrap_or_default()
    }
}
