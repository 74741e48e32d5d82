//! The administrator's side.

use smoltcp::time::Instant;
use vrrp_core::gate::{DiscardCounters, GateKey, Reception};
use vrrp_core::{Admin, DropCounters, Statistics, Status};

use crate::{Vrrp, engine_time};

impl<D, const VRS: usize, const ADDRS: usize, const FRAME: usize, F> Vrrp<D, VRS, ADDRS, FRAME, F> {
    /// The calls of the administrator, as made at `now`. They take effect with the next
    /// [`poll`](Vrrp::poll).
    pub fn admin(&mut self, now: Instant) -> Admin<'_, 1, VRS, ADDRS, GateKey> {
        self.gate.get_mut().admin(engine_time(now))
    }

    /// States whether the device has a link, which smoltcp does not know. It has one until this
    /// says otherwise.
    pub fn set_link(&mut self, up: bool) {
        self.link_up = up;
    }

    /// A virtual router as it stands. `None`: there is none with this key.
    pub fn status(&self, key: GateKey) -> Option<Status> {
        self.gate.try_borrow().ok()?.engine().status(key)
    }

    /// The keys and the clock of a virtual router that signs, which
    /// [`admin`](Self::admin) is given. `None`: it has no keys.
    #[cfg(feature = "hmac")]
    pub fn auth(&self, key: GateKey) -> Option<vrrp_core::AuthStatus> {
        self.gate.try_borrow().ok()?.engine().auth(key)
    }

    /// The counters of a virtual router. `None`: there is none with this key.
    pub fn statistics(&self, key: GateKey) -> Option<Statistics> {
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

    /// Whether frames to the virtual MACs come in. Within five seconds of an answer to a neighbour it
    /// says which virtual address is not heard, where the device filters its MAC; the log says it
    /// once, in words.
    pub fn reception(&self) -> Reception {
        let gate = self.gate.try_borrow();
        gate.map(|gate| gate.reception()).unwrap_or_default()
    }
}
