//! VRRP under embassy-net: a driver wrapper, a [`Runner`] task and a [`Control`] handle.
//!
//! ```text
//!   embassy-net Stack      embassy-net Stack      one more for each virtual address of a family
//!   own addresses          10.10.10.80 ...
//!      |  ^                   |  ^
//!   StackDriver            StackDriver            link up while the address is served
//!      |  |                   |  |
//!      v  |                   v  |
//!   ===================================== Runner task: virtual MACs; drops both ways what is not
//!               |  ^                      served; answers ARP and NS; advertises; announces;
//!               v  |                      reports its groups
//!          your Ethernet Driver
//! ```
//!
//! # One line more
//!
//! ```
//! # use vrrp_embassy::vrrp_core::*;
//! use embassy_net::{Config, StackResources, driver::Driver};
//! use vrrp_embassy::{GateKey, OwnAddresses, Resources};
//!
//! # fn setup<E: Driver + 'static>(
//! #     ethernet: E, own: Config, virtual_one: Config, seed: u64,
//! #     vrrp_memory: &'static mut Resources<4, 8>,
//! #     memory: &'static mut StackResources<3>, more_memory: &'static mut StackResources<3>,
//! # ) -> Option<()> {
//! // The line: it gives another `device` for the stack that there was, and a task to spawn that
//! // runs `runner.run().await`.
//! let addresses = OwnAddresses { ipv4: Some([10, 10, 10, 6].into()), ipv6: None };
//! let (vrrp, device, runner) = vrrp_embassy::new(ethernet, addresses, vrrp_memory, seed);
//! let (stack, net_runner) = embassy_net::new(device, own, memory, seed);
//!
//! // What to share with others, and a stack to serve it from.
//! let vr = GateKey::new(Vrid::new(1)?, Family::Ipv4);
//! let service = VirtualAddress { address: [10, 10, 10, 80].into(), prefix_len: 24 };
//! let settings = VrSettings { accept: true, ..VrSettings::DEFAULT };
//! let config = VrConfig { settings, addresses: &[service], ..VrConfig::DEFAULT };
//! vrrp.admin(|admin| admin.insert(vr, &config)).ok()?;
//! let device = vrrp.stack_driver(Some([10, 10, 10, 80].into()), None)?;
//! let (service, service_runner) = embassy_net::new(device, virtual_one, more_memory, seed);
//! # let _ = (runner, net_runner, service_runner, stack, service);
//! # Some(())
//! # }
//! ```
//!
//! `virtual_one` is an ordinary static configuration with the virtual address. Sockets on that stack
//! are bound to it, answer from it, and send with the virtual MAC. `service.wait_link_up().await` waits
//! until this host serves the address, and [`Control::wait_for_change`] for any change of state.
//!
//! # Why a stack for each virtual address
//!
//! An embassy-net stack holds one IPv4 address and one static IPv6 address. To fold several virtual
//! addresses into one by translating them would need a table of connections, would run out of it
//! when somebody wants it to, and would hide from the application which address was asked for. A
//! second stack has none of this: it costs about a kilobyte and its sockets. An IPv4 and an IPv6
//! address share one.
//!
//! Virtual addresses without Accept_Mode need no stack: the runner answers ARP and NS for them, and
//! discards their packets. So do those that only lead somewhere else.
//!
//! # What it needs
//!
//! - **A device that hears more than its own MAC**: see below.
//! - **Memory**: [`Resources`], of which the frames are most. A frame is copied once each way.
//! - **Every stack's own runner spawned.** Frames for one that does not run give way to newer ones.
//!
//! # The filter of the device
//!
//! Nearly every Ethernet controller drops unicast frames to another MAC than its own. Then this host
//! becomes Active and answers ARP with the virtual MAC, and no packet arrives. embassy-net's driver
//! trait has no call for it, so one of these is needed; the README says which for the drivers that there
//! are:
//!
//! - the controller lets everything in, or all virtual MACs, by registers that are written once after
//!   the driver has started ([`mac_filter::synopsys_registers`]);
//! - a [`MacFilter`], given to [`Runner::with_filter`], is told of all MACs that have to come in,
//!   whenever they change: 00:00:5e:00:01:VRID and 00:00:5e:00:02:VRID while they are taken up,
//!   01:00:5e:00:00:12, 33:33:00:00:00:12, and the solicited-node groups of the virtual addresses;
//! - virtual routers with [`MacMode::Interface`](vrrp_core::MacMode::Interface) have no other MAC than the
//!   interface's own, as keepalived without `use_vmac`: a controller needs no help, and neighbours learn
//!   of a move by gratuitous ARP and unsolicited NA. It is the only way for a station of Wi-Fi, for
//!   which an access point carries frames of one MAC.
//!
//! Where frames to a virtual MAC do not come in all the same, the log says so within five seconds of an
//! answer to a neighbour, and so does [`Control::reception`]. The neighbour is probed from both MACs for
//! this, and has to answer the interface's own.
//!
//! A device that fills in the checksums of IPv4 headers or of ICMPv6 (`Capabilities::checksum`) finds
//! zero there.
//!
//! A stack hears broadcasts and groups only if it is the host's own. No stack reaches another one of
//! the same host.
//!
//! # Features
//!
//! `log` and `defmt` write state changes and discarded packets to the logger of that name. Neither
//! is on by default.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

pub mod boot_count;
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
pub use vrrp_core::gate::{Discard, DiscardCounters, GateKey, MacFilter, Reception, mac_filter};

use control::Inner;
use frames::{FRAME_LEN, Frames, Slot};
use mac_filter::Unfiltered;
use stack::Seat;

/// The longest frame that VRRP itself sends: an IPv6 advertisement of 28 addresses.
const MAX_FRAME_LEN: usize = 512;

/// An Ethernet header and the octets that every host of IPv4 takes (RFC 791 section 3.1).
const SHORTEST_FRAME_LEN: usize = 14 + 576;

/// The memory of VRRP on one device.
///
/// It has room for `VRS` virtual routers of `ADDRS` addresses each, and for `STACKS` embassy-net stacks,
/// the host's own among them. `FRAMES` frames of up to `FRAME` octets, without FCS, can be on their way
/// between the device and the stacks.
///
/// `ADDRS` is at most 28, `STACKS` 1 to 16, `FRAMES` at least 3, `FRAME` at least 590: the least MTU of
/// IPv4 and the header. Longer frames to a stack are discarded and counted, so that less than 1,514 is
/// for networks or services with a smaller MTU; with IPv6 it is 1,294 at least (RFC 8200 section 5).
pub struct Resources<
    const VRS: usize,
    const ADDRS: usize,
    const STACKS: usize = 2,
    const FRAMES: usize = 4,
    const FRAME: usize = FRAME_LEN,
> {
    inner: Option<Inner<VRS, ADDRS>>,
    seats: [Seat; STACKS],
    slots: [Slot<FRAME>; FRAMES],
    order: Cell<u32>,
}

impl<
    const VRS: usize,
    const ADDRS: usize,
    const STACKS: usize,
    const FRAMES: usize,
    const FRAME: usize,
> core::fmt::Debug for Resources<VRS, ADDRS, STACKS, FRAMES, FRAME>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Resources")
            .field("used", &self.inner.is_some())
            .finish_non_exhaustive()
    }
}

impl<
    const VRS: usize,
    const ADDRS: usize,
    const STACKS: usize,
    const FRAMES: usize,
    const FRAME: usize,
> Resources<VRS, ADDRS, STACKS, FRAMES, FRAME>
{
    /// Memory that is not in use.
    pub const fn new() -> Self {
        const {
            assert!(vrrp_core::gate::max_frame_len(ADDRS) <= MAX_FRAME_LEN);
            assert!(STACKS >= 1 && STACKS <= 16 && FRAMES >= 3);
            assert!(FRAME >= SHORTEST_FRAME_LEN);
        }
        Self {
            inner: None,
            seats: [const { Seat::new() }; STACKS],
            slots: [const { Slot::new() }; FRAMES],
            order: Cell::new(0),
        }
    }
}

impl<
    const VRS: usize,
    const ADDRS: usize,
    const STACKS: usize,
    const FRAMES: usize,
    const FRAME: usize,
> Default for Resources<VRS, ADDRS, STACKS, FRAMES, FRAME>
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
    const FRAME: usize,
>(
    device: D,
    own: OwnAddresses,
    resources: &'d mut Resources<VRS, ADDRS, STACKS, FRAMES, FRAME>,
    random_seed: u64,
) -> (
    Control<'d, VRS, ADDRS, FRAME>,
    StackDriver<'d, VRS, ADDRS, FRAME>,
    Runner<'d, D, VRS, ADDRS, FRAME>,
) {
    let mac = match device.hardware_address() {
        HardwareAddress::Ethernet(mac) => MacAddr(mac),
        // Such a device carries no frames that VRRP could use.
        _ => MacAddr::default(),
    };
    let mut capabilities = device.capabilities();
    let mtu = &mut capabilities.max_transmission_unit;
    *mtu = (*mtu).min(FRAME);
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
        filter: Unfiltered,
        control,
        waited: 0,
    };
    (control, driver, runner)
}

/// The time of embassy, as the engine counts it.
fn now() -> vrrp_core::Instant {
    vrrp_core::Instant::from_micros(embassy_time::Instant::now().as_micros())
}
