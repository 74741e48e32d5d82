//! The device of an embassy-net stack.

use core::cell::{Cell, RefCell};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::WakerRegistration;

use crate::Control;
use crate::frames::{FRAME_LEN, Slot, State, bit};

/// The state kept for one stack.
pub(crate) struct Seat {
    pub(crate) taken: Cell<bool>,
    ipv4: Cell<Option<Ipv4Addr>>,
    ipv6: Cell<Option<Ipv6Addr>>,
    serves_ipv4: Cell<bool>,
    serves_ipv6: Cell<bool>,
    waker: RefCell<WakerRegistration>,
}

impl Seat {
    pub(crate) const fn new() -> Self {
        Self {
            taken: Cell::new(false),
            ipv4: Cell::new(None),
            ipv6: Cell::new(None),
            serves_ipv4: Cell::new(false),
            serves_ipv6: Cell::new(false),
            waker: RefCell::new(WakerRegistration::new()),
        }
    }

    pub(crate) fn take(&self, ipv4: Option<Ipv4Addr>, ipv6: Option<Ipv6Addr>) {
        self.taken.set(true);
        self.ipv4.set(ipv4);
        self.ipv6.set(ipv6);
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.ipv4.get() == Some(v4),
            IpAddr::V6(v6) => self.ipv6.get() == Some(v6),
        }
    }

    /// An address of this stack is served from now on, or no longer.
    pub(crate) fn set_served(&self, address: IpAddr, on: bool) {
        match address {
            IpAddr::V4(_) => self.serves_ipv4.set(on),
            IpAddr::V6(_) => self.serves_ipv6.set(on),
        }
        self.wake();
    }

    pub(crate) fn serves(&self) -> bool {
        self.serves_ipv4.get() || self.serves_ipv6.get()
    }

    pub(crate) fn wake(&self) {
        if let Ok(mut waker) = self.waker.try_borrow_mut() {
            waker.wake();
        }
    }

    fn register(&self, cx: &Context<'_>) {
        if let Ok(mut waker) = self.waker.try_borrow_mut() {
            waker.register(cx.waker());
        }
    }
}

/// The device of one embassy-net stack, to be given to `embassy_net::new`.
///
/// The link of a stack for virtual addresses is up while one of them is served: its
/// `wait_link_up().await` waits for becoming Active, and `wait_link_down().await` for the end.
pub struct StackDriver<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize = FRAME_LEN> {
    pub(crate) control: Control<'d, VRS, ADDRS, FRAME>,
    pub(crate) index: u8,
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> core::fmt::Debug
    for StackDriver<'_, VRS, ADDRS, FRAME>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StackDriver")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize>
    StackDriver<'d, VRS, ADDRS, FRAME>
{
    fn seat(&self) -> Option<&'d Seat> {
        self.control.seats.get(usize::from(self.index))
    }

    fn register(&self, cx: &Context<'_>) {
        if let Some(seat) = self.seat() {
            seat.register(cx);
        }
    }
}

impl<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize> Driver
    for StackDriver<'d, VRS, ADDRS, FRAME>
{
    type RxToken<'a>
        = RxToken<'d, VRS, ADDRS, FRAME>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'d, VRS, ADDRS, FRAME>
    where
        Self: 'a;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.register(cx);
        let (control, index) = (self.control, self.index);
        let ours = |state| matches!(state, State::ToStacks(stacks) if stacks & bit(index) != 0);
        let slot = control.frames.first(ours)?;
        let received = RxToken {
            control,
            slot,
            index,
        };
        Some((received, TxToken::new(control)?))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        self.register(cx);
        TxToken::new(self.control)
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        self.register(cx);
        let serves = self.index == 0 || self.seat().is_some_and(Seat::serves);
        match self.control.inner.link_up.get() && serves {
            true => LinkState::Up,
            false => LinkState::Down,
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.control.inner.capabilities.clone()
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.control.inner.mac.get().0)
    }
}

/// A received frame.
pub struct RxToken<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize = FRAME_LEN> {
    control: Control<'d, VRS, ADDRS, FRAME>,
    slot: &'d Slot<FRAME>,
    index: u8,
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> core::fmt::Debug
    for RxToken<'_, VRS, ADDRS, FRAME>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RxToken")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> embassy_net_driver::RxToken
    for RxToken<'_, VRS, ADDRS, FRAME>
{
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        let result = self.slot.read(f);
        if self.slot.release(self.index) {
            self.control.room_was_made();
        }
        result
    }
}

/// Room for a frame to send.
pub struct TxToken<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize = FRAME_LEN> {
    control: Control<'d, VRS, ADDRS, FRAME>,
    slot: &'d Slot<FRAME>,
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> core::fmt::Debug
    for TxToken<'_, VRS, ADDRS, FRAME>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TxToken").finish_non_exhaustive()
    }
}

impl<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize> TxToken<'d, VRS, ADDRS, FRAME> {
    fn new(control: Control<'d, VRS, ADDRS, FRAME>) -> Option<Self> {
        let slot = control.frames.reserve()?;
        Some(Self { control, slot })
    }
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> embassy_net_driver::TxToken
    for TxToken<'_, VRS, ADDRS, FRAME>
{
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        let control = self.control;
        let result = self.slot.write(len, f);
        control.frames.put(self.slot, State::ToWire);
        control.wake_runner();
        result
    }
}

impl<const VRS: usize, const ADDRS: usize, const FRAME: usize> Drop
    for TxToken<'_, VRS, ADDRS, FRAME>
{
    fn drop(&mut self) {
        // Not used.
        if self.slot.state.get() == State::Reserved {
            self.slot.state.set(State::Free);
            self.control.room_was_made();
        }
    }
}
