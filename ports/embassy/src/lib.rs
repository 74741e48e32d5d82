//! VRRP under embassy-net.
#![no_std]
#![forbid(unsafe_code)]

mod control;
mod frames;
mod runner;
mod stack;

use core::cell::Cell;

use embassy_net_driver::{Driver, HardwareAddress};
use vrrp_core::MacAddr;

pub use control::{Control, OwnAddresses};
pub use runner::Runner;
pub use stack::{RxToken, StackDriver, TxToken};
pub use vrrp_core;
pub use vrrp_core::gate::{Discard, DiscardCounters, key};

use control::Inner;
use frames::{FRAME_LEN, Frames, Slot};
use stack::Seat;

/// The longest frame that VRRP itself sends: an IPv6 advertisement of 28 addresses.
const MAX_FRAME_LEN: usize = 512;

/// The memory of VRRP on one device: for `VRS` virtual routers of `ADDRS` addresses each, for
/// `STACKS` embassy-net stacks, the host's own among them, and for `FRAMES` frames of 1,514 octets
/// on their way between the device and the stacks.
///
/// `ADDRS` is at most 28, `STACKS` 1 to 16, `FRAMES` at least 3.
pub struct Resources<
    const VRS: usize,
    const ADDRS: usize,
    const STACKS: usize = 2,
    const FRAMES: usize = 4,
> {
    inner: Option<Inner<VRS, ADDRS>>,
    seats: [Seat; STACKS],
    slots: [Slot; FRAMES],
    order: Cell<u32>,
}

impl<const VRS: usize, const ADDRS: usize, const STACKS: usize, const FRAMES: usize>
    Resources<VRS, ADDRS, STACKS, FRAMES>
{
    /// Memory that is not in use.
    pub const fn new() -> Self {
        const {
            assert!(vrrp_core::gate::max_frame_len(ADDRS) <= MAX_FRAME_LEN);
            assert!(STACKS >= 1 && STACKS <= 16 && FRAMES >= 3);
        }
        Self {
            inner: None,
            seats: [const { Seat::new() }; STACKS],
            slots: [const { Slot::new() }; FRAMES],
            order: Cell::new(0),
        }
    }
}

impl<const VRS: usize, const ADDRS: usize, const STACKS: usize, const FRAMES: usize> Default
    for Resources<VRS, ADDRS, STACKS, FRAMES>
{
    fn default() -> Self {
        Self::new()
    }
}

/// Puts VRRP between an Ethernet device and the embassy-net stacks above it.
///
/// `own` is what the host has for addresses of its own; `random_seed` any number that differs from
/// host to host. It gives the handle, the device for the host's own stack, and the task to run.
pub fn new<
    'd,
    D: Driver,
    const VRS: usize,
    const ADDRS: usize,
    const STACKS: usize,
    const FRAMES: usize,
>(
    device: D,
    own: OwnAddresses,
    resources: &'d mut Resources<VRS, ADDRS, STACKS, FRAMES>,
    random_seed: u64,
) -> (
    Control<'d, VRS, ADDRS>,
    StackDriver<'d, VRS, ADDRS>,
    Runner<'d, D, VRS, ADDRS>,
) {
    let mac = match device.hardware_address() {
        HardwareAddress::Ethernet(mac) => MacAddr(mac),
        // Such a device carries no frames that VRRP could use.
        _ => MacAddr::default(),
    };
    let mut capabilities = device.capabilities();
    let mtu = &mut capabilities.max_transmission_unit;
    *mtu = (*mtu).min(FRAME_LEN);
    let burst = capabilities.max_burst_size.unwrap_or(FRAMES);
    capabilities.max_burst_size = Some(burst.min(FRAMES - 1));
    let control = Control {
        inner: resources
            .inner
            .insert(Inner::new(capabilities, mac, own, random_seed)),
        seats: &resources.seats,
        frames: Frames {
            slots: &resources.slots,
            order: &resources.order,
        },
    };
    if let Some(seat) = control.seats.first() {
        seat.take(None, None);
    }
    let driver = StackDriver { control, index: 0 };
    let runner = Runner {
        device,
        control,
        waited: 0,
    };
    (control, driver, runner)
}

/// The time of embassy, as the engine counts it.
fn now() -> vrrp_core::Instant {
    vrrp_core::Instant::from_micros(embassy_time::Instant::now().as_micros())
}
