//! The handle by which an application rules and asks.

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::task::{Poll, Waker};

use embassy_net_driver::Capabilities;
use embassy_sync::waitqueue::WakerRegistration;
use vrrp_core::gate::{DiscardCounters, Gate, GateKey, Reception};
use vrrp_core::{Admin, DropCounters, Error, Instant, MacAddr, Statistics, Status};

use crate::StackDriver;
use crate::frames::{FRAME_LEN, Frames};
use crate::stack::Seat;

/// Tasks that can wait for a change at once.
const WAITERS: usize = 8;

/// The state shared by the runner, the drivers and the handles.
pub(crate) struct Inner<const VRS: usize, const ADDRS: usize> {
    pub(crate) gate: RefCell<Gate<VRS, ADDRS>>,
    pub(crate) capabilities: Capabilities,
    pub(crate) mac: Cell<MacAddr>,
    pub(crate) link_up: Cell<bool>,
    pub(crate) own: Cell<OwnAddresses>,
    /// The runner waits for room for a received frame.
    pub(crate) wants_room: Cell<bool>,
    pub(crate) runner: RefCell<WakerRegistration>,
    /// The longest that what was due took until it was done, in microseconds.
    worst_delay_us: Cell<u32>,
    changes: Cell<u32>,
    waiters: RefCell<[Option<Waker>; WAITERS]>,
}

impl<const VRS: usize, const ADDRS: usize> Inner<VRS, ADDRS> {
    pub(crate) fn new(
        capabilities: Capabilities,
        mac: MacAddr,
        own: OwnAddresses,
        seed: u64,
    ) -> Self {
        Self {
            gate: RefCell::new(Gate::new(seed)),
            capabilities,
            mac: Cell::new(mac),
            link_up: Cell::new(false),
            own: Cell::new(own),
            wants_room: Cell::new(false),
            runner: RefCell::new(WakerRegistration::new()),
            worst_delay_us: Cell::new(0),
            changes: Cell::new(0),
            waiters: RefCell::new([const { None }; WAITERS]),
        }
    }

    /// Notes that the work due at `due` is done.
    pub(crate) fn done(&self, due: Instant, now: Instant) {
        let delay_us = now.as_micros().saturating_sub(due.as_micros());
        let delay_us = u32::try_from(delay_us).unwrap_or(u32::MAX);
        let worst = &self.worst_delay_us;
        worst.set(worst.get().max(delay_us));
    }

    /// A virtual router changed its state.
    pub(crate) fn changed(&self) {
        self.changes.set(self.changes.get().wrapping_add(1));
        self.wake_waiters();
    }

    fn wake_waiters(&self) {
        if let Ok(mut waiters) = self.waiters.try_borrow_mut() {
            for waiter in waiters.iter_mut().filter_map(Option::take) {
                waiter.wake();
            }
        }
    }

    /// Has a task woken by the next change.
    fn wait(&self, waker: &Waker) {
        if !self.add_waiter(waker) {
            self.wake_waiters();
            self.add_waiter(waker);
        }
    }

    /// Whether there was room.
    fn add_waiter(&self, waker: &Waker) -> bool {
        let Ok(mut waiters) = self.waiters.try_borrow_mut() else {
            return false;
        };
        if waiters.iter().flatten().any(|w| w.will_wake(waker)) {
            return true;
        }
        let free = waiters.iter_mut().find(|waiter| waiter.is_none());
        free.map(|free| *free = Some(waker.clone())).is_some()
    }
}

/// The addresses that the host has for itself, from which it advertises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OwnAddresses {
    /// Its IPv4 address. `None`: IPv4 virtual routers wait in Initialize.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 link-local address. `None`: IPv6 virtual routers wait in Initialize.
    pub ipv6: Option<Ipv6Addr>,
}

/// The handle: as many copies as are wanted, for any task of the executor.
///
/// Calls take effect when the [`Runner`](crate::Runner) task runs next, which they bring about.
pub struct Control<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize = FRAME_LEN> {
    pub(crate) inner: &'d Inner<VRS, ADDRS>,
    pub(crate) seats: &'d [Seat],
    pub(crate) frames: Frames<'d, FRAME>,
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> core::fmt::Debug
    for Control<'_, VRS, ADDRS, FRAME>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> Clone
    for Control<'_, VRS, ADDRS, FRAME>
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> Copy
    for Control<'_, VRS, ADDRS, FRAME>
{
}

/// The administrator's side.
impl<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize> Control<'d, VRS, ADDRS, FRAME> {
    /// Makes calls of the administrator: `control.admin(|admin| admin.resign(key))`.
    ///
    /// # Errors
    /// Those of the calls; [`Error::InUse`] from within another call of this method.
    pub fn admin<R>(
        &self,
        calls: impl FnOnce(&mut Admin<'_, 1, VRS, ADDRS, GateKey>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let done = self.with(|gate| calls(&mut gate.admin(crate::now())));
        self.wake_runner();
        done.unwrap_or(Err(Error::InUse))
    }

    /// States the host's own addresses, when they come from DHCP or change.
    pub fn set_own_addresses(&self, own: OwnAddresses) {
        self.inner.own.set(own);
        self.wake_runner();
    }

    /// The device for one more embassy-net stack, which is to have these virtual addresses: no more
    /// than one of each family, since a stack has no more. `None`: all stacks that the
    /// [`Resources`](crate::Resources) have room for are taken.
    pub fn stack_driver(
        &self,
        ipv4: Option<Ipv4Addr>,
        ipv6: Option<Ipv6Addr>,
    ) -> Option<StackDriver<'d, VRS, ADDRS, FRAME>> {
        let (index, seat) = self
            .seats
            .iter()
            .enumerate()
            .find(|(_, seat)| !seat.taken.get())?;
        seat.take(ipv4, ipv6);
        Some(StackDriver {
            control: *self,
            index: index as u8,
        })
    }
}

/// Questions.
impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> Control<'_, VRS, ADDRS, FRAME> {
    /// A virtual router as it stands. `None`: there is none with this key.
    pub fn status(&self, key: GateKey) -> Option<Status> {
        self.with(|gate| gate.engine().status(key))?
    }

    /// The keys and the clock of a virtual router that signs, which
    /// [`admin`](Self::admin) is given. `None`: it has no keys.
    #[cfg(feature = "hmac")]
    pub fn auth(&self, key: GateKey) -> Option<vrrp_core::AuthStatus> {
        self.with(|gate| gate.engine().auth(key))?
    }

    /// The counters of a virtual router. `None`: there is none with this key.
    pub fn statistics(&self, key: GateKey) -> Option<Statistics> {
        self.with(|gate| gate.engine().statistics(key).copied())?
    }

    /// How many VRRP packets were discarded that belong to no virtual router.
    pub fn drops(&self) -> DropCounters {
        let drops = self.with(|gate| *gate.engine().drops());
        drops.unwrap_or_default()
    }

    /// How many other frames were discarded.
    pub fn discards(&self) -> DiscardCounters {
        self.with(|gate| *gate.discards()).unwrap_or_default()
    }

    /// Whether frames to the virtual MACs come in. Within five seconds of an answer to a neighbour it
    /// says which virtual address is not heard, where the device filters its MAC; the log says it
    /// once, in words.
    pub fn reception(&self) -> Reception {
        self.with(|gate| gate.reception()).unwrap_or_default()
    }

    /// How late VRRP was at most, in microseconds: from the moment when something was due, such as an
    /// advertisement or a takeover, until the last frame of it had been handed to the device. Other
    /// tasks that keep the executor to themselves make it grow.
    pub fn worst_delay_us(&self) -> u32 {
        self.inner.worst_delay_us.get()
    }

    /// Waits until a virtual router has changed its state since this call. What a change was is in
    /// [`status`](Self::status).
    ///
    /// Eight tasks can wait at once. More of them keep each other awake.
    pub fn wait_for_change(&self) -> impl Future<Output = ()> {
        let inner = self.inner;
        let before = inner.changes.get();
        poll_fn(move |cx| {
            if inner.changes.get() != before {
                return Poll::Ready(());
            }
            inner.wait(cx.waker());
            Poll::Pending
        })
    }
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> Control<'_, VRS, ADDRS, FRAME> {
    /// Returns `None` if the gate is already borrowed, which no call ends with.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Gate<VRS, ADDRS>) -> R) -> Option<R> {
        self.inner
            .gate
            .try_borrow_mut()
            .ok()
            .map(|mut gate| f(&mut gate))
    }

    pub(crate) fn wake_runner(&self) {
        if let Ok(mut runner) = self.inner.runner.try_borrow_mut() {
            runner.wake();
        }
    }

    pub(crate) fn wake_stacks(&self) {
        for seat in self.seats {
            seat.wake();
        }
    }

    /// A slot has become free.
    pub(crate) fn room_was_made(&self) {
        if self.inner.wants_room.get() {
            self.wake_runner();
        }
    }
}
