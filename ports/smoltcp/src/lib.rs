//! VRRP under smoltcp: a [`phy::Device`](smoltcp::phy::Device) middleware that owns the virtual MACs.
//!
//! Wrap the Ethernet device in [`Vrrp`], keep the `Interface` and its sockets, and call
//! [`Vrrp::poll`] in the place of `Interface::poll`. Virtual addresses appear in the `Interface` and
//! leave it as the election goes.
//!
//! ```text
//!       sockets                       your sockets, bound to a virtual address or to none
//!     Interface      own MAC, own addresses, and the virtual ones that are served and accepted
//!         |  ^
//!   ======|==|======  Vrrp: virtual MAC <-> own MAC; drops both ways what is not served;
//!         |  |              answers ARP and NS; advertises; announces; reports its groups
//!         v  |
//!   your Device       Ethernet, receiving frames to other MACs than its own as well
//! ```
//!
//! # A loop that runs
//!
//! ```
//! use smoltcp::iface::{Config, Interface, SocketSet};
//! use smoltcp::phy::{Loopback, Medium};
//! use smoltcp::time::Instant;
//! use smoltcp::wire::{EthernetAddress, IpCidr};
//! use vrrp_smoltcp::vrrp_core::{Family, State, VirtualAddress, VrConfig, VrSettings, Vrid};
//! use vrrp_smoltcp::{GateKey, Vrrp};
//!
//! let mut device = Vrrp::<_, 4, 8>::new(Loopback::new(Medium::Ethernet), 0x1234);
//! let mac = EthernetAddress([2, 0, 0, 0, 0, 6]);
//! let mut now = Instant::ZERO;
//! let mut iface = Interface::new(Config::new(mac.into()), &mut device, now);
//! iface.update_ip_addrs(|a| a.push("10.10.10.6/24".parse().unwrap()).unwrap());
//! let mut sockets = SocketSet::new(vec![]);
//!
//! let vr = GateKey::new(Vrid::new(1).unwrap(), Family::Ipv4);
//! let service = VirtualAddress { address: [10, 10, 10, 80].into(), prefix_len: 24 };
//! let settings = VrSettings { accept: true, ..VrSettings::DEFAULT };
//! let config = VrConfig { settings, addresses: &[service], ..VrConfig::DEFAULT };
//! device.admin(now).insert(vr, &config)?;
//!
//! while device.status(vr).unwrap().state != State::Active {
//!     device.poll(now, &mut iface, &mut sockets);
//!     // Nobody else is there: sleep until then, or until a frame arrives.
//!     now = device.poll_at(now, &mut iface, &sockets).unwrap();
//! }
//! device.poll(now, &mut iface, &mut sockets);
//! assert!(iface.has_ip_addr(smoltcp::wire::Ipv4Address::new(10, 10, 10, 80)));
//! # Ok::<(), vrrp_smoltcp::vrrp_core::Error>(())
//! ```
//!
//! # What it needs
//!
//! - **A device that hears more than its own MAC**: see below.
//! - **Room in the `Interface`** for its own addresses and for all virtual ones of virtual routers with
//!   Accept_Mode: smoltcp's feature `iface-max-addr-count-N`, 2 by default and 8 at most, or more by its
//!   variable `SMOLTCP_IFACE_MAX_ADDR_COUNT` in the environment of the build. An address that finds no
//!   room is a failed effect: the virtual router falls back to Initialize and tries again later. With
//!   smoltcp's feature `multicast` each IPv6 address also wants a place in
//!   `iface-max-multicast-group-count-N`.
//! - **An own address** of each family in the `Interface`: the first IPv4 address that is not
//!   virtual, and the first link-local IPv6 address, are what it advertises from. They may come
//!   and go, as with DHCP.
//!
//! # The filter of the device
//!
//! Nearly every Ethernet controller drops unicast frames to another MAC than its own. Then this host
//! becomes Active and answers ARP with the virtual MAC, and no packet arrives. smoltcp has no call for
//! it, so one of these is needed:
//!
//! - the controller lets everything in, or all virtual MACs, by registers that are written once after
//!   the driver has started ([`mac_filter::synopsys_registers`]);
//! - a [`MacFilter`], given to [`Vrrp::with_filter`], is told of all MACs that have to come in, whenever
//!   they change: 00:00:5e:00:01:VRID and 00:00:5e:00:02:VRID while they are taken up,
//!   01:00:5e:00:00:12, 33:33:00:00:00:12, and the solicited-node groups of the virtual addresses;
//! - virtual routers with [`MacMode::Interface`](vrrp_core::MacMode::Interface) have no other MAC than the
//!   interface's own, as keepalived without `use_vmac`: a controller needs no help, and neighbours learn
//!   of a move by gratuitous ARP and unsolicited NA. It is the only way for a station of Wi-Fi, for
//!   which an access point carries frames of one MAC.
//!
//! ```
//! # use smoltcp::phy::{Loopback, Medium};
//! # use vrrp_smoltcp::Vrrp;
//! use vrrp_smoltcp::mac_filter::Promiscuous;
//!
//! # struct Registers;
//! # impl Registers { fn set_promiscuous(&mut self, _: bool) {} }
//! # let mut registers = Registers;
//! # let device = Loopback::new(Medium::Ethernet);
//! let filter = Promiscuous(|_: &mut Loopback, on| registers.set_promiscuous(on));
//! let device = Vrrp::<_, 4, 8>::new(device, 0x1234).with_filter(filter);
//! # let _ = device;
//! ```
//!
//! Where frames to a virtual MAC do not come in all the same, the log says so within five seconds of an
//! answer to a neighbour, and so does [`Vrrp::reception`]. The neighbour is probed from both MACs for
//! this, and has to answer the interface's own.
//!
//! A device that fills in the checksums of IPv4 headers or of ICMPv6 (`DeviceCapabilities::checksum`)
//! finds zero there.
//!
//! # Accept_Mode
//!
//! Without it, the default, an address stays out of the `Interface`: it is answered for and leads
//! its packets here, where they are discarded. With it, or as owner (priority 255), sockets serve it.
//!
//! A TCP connection to a virtual address ends with the Active state: smoltcp closes the socket when
//! its address leaves the `Interface`. A socket that is told to send from an address that is gone
//! is ignored: what it sends is discarded.
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

mod control;
mod device;
mod poll;

use core::cell::{Cell, RefCell};
use core::net::IpAddr;

use heapless::Vec;
use smoltcp::config::IFACE_MAX_ADDR_COUNT;

pub use device::{RxToken, TxToken};
pub use poll::Polled;
pub use vrrp_core;
pub use vrrp_core::gate::{Discard, DiscardCounters, GateKey, MacFilter, Reception, mac_filter};

use mac_filter::Unfiltered;
use vrrp_core::gate::{Gate, max_frame_len};

/// An Ethernet device `D` with VRRP: `VRS` virtual routers of `ADDRS` addresses each. See the
/// [crate](self).
///
/// `FRAME` is the longest frame in octets, without FCS; two such frames are kept here. It limits
/// what the device can do, and must hold an IPv6 advertisement of `ADDRS` addresses, which takes
/// 62 octets and 16 for each.
pub struct Vrrp<D, const VRS: usize, const ADDRS: usize, const FRAME: usize = 1514, F = Unfiltered>
{
    device: D,
    filter: F,
    gate: RefCell<Gate<VRS, ADDRS>>,
    /// A frame as the stack is to see it, or an answer that waits to be sent, or one of the engine's
    /// frames: each for a moment.
    scratch: [u8; FRAME],
    /// How much of `scratch` is an answer.
    answer_len: Cell<usize>,
    /// A frame of the stack, before it is known whether it is sent.
    staged: [u8; FRAME],
    link_up: bool,
    /// The last poll has left frames in the device.
    behind: bool,
    /// The addresses in the `Interface` that this put there.
    installed: Vec<IpAddr, IFACE_MAX_ADDR_COUNT>,
}

impl<D, const VRS: usize, const ADDRS: usize, const FRAME: usize, F> core::fmt::Debug
    for Vrrp<D, VRS, ADDRS, FRAME, F>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vrrp")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

impl<D, const VRS: usize, const ADDRS: usize, const FRAME: usize>
    Vrrp<D, VRS, ADDRS, FRAME, Unfiltered>
{
    /// Wraps a device, which lets in the virtual MACs by itself: see
    /// [`with_filter`](Self::with_filter). `random_seed` is any number that differs from host to host, such as the one
    /// given to the `Interface`.
    pub const fn new(device: D, random_seed: u64) -> Self {
        const {
            assert!(FRAME >= max_frame_len(ADDRS));
        }
        Self {
            device,
            filter: Unfiltered,
            gate: RefCell::new(Gate::new(random_seed)),
            scratch: [0; FRAME],
            answer_len: Cell::new(0),
            staged: [0; FRAME],
            link_up: true,
            behind: false,
            installed: Vec::new(),
        }
    }

    /// Has a filter told which MACs the device has to let in, whenever that changes.
    #[must_use = "the device with the filter takes the place of this one"]
    pub fn with_filter<F: MacFilter<D>>(self, filter: F) -> Vrrp<D, VRS, ADDRS, FRAME, F> {
        Vrrp {
            device: self.device,
            filter,
            gate: self.gate,
            scratch: self.scratch,
            answer_len: self.answer_len,
            staged: self.staged,
            link_up: self.link_up,
            behind: self.behind,
            installed: self.installed,
        }
    }
}

impl<D, const VRS: usize, const ADDRS: usize, const FRAME: usize, F> Vrrp<D, VRS, ADDRS, FRAME, F> {
    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The device.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }
}

/// smoltcp's time as the engine counts it.
fn engine_time(now: smoltcp::time::Instant) -> vrrp_core::Instant {
    vrrp_core::Instant::from_micros(u64::try_from(now.total_micros()).unwrap_or(0))
}

/// The engine's time as smoltcp counts it.
fn smoltcp_time(at: vrrp_core::Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(at.as_micros()).unwrap_or(i64::MAX))
}
