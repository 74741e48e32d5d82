//! The engine: a table of virtual routers, its inputs and its outputs.
//!
//! | file | content |
//! |---|---|
//! | `admin` | the calls of the administrator, tracked objects among them |
//! | `auth` | keys, clocks, and who signs |
//! | `input` | frames, time, interfaces and failures |
//! | `output` | the effects and frames for the port |
//! | `query` | status, counters, and how addresses are served |
//! | `table` | virtual routers by key, and the queues of those with something to say |
//! | `deadlines` | the next deadline of all |
//! | `interfaces` | interfaces and group memberships |
//! | `neighbor` | ARP requests and neighbour solicitations |
//! | `vr` | one virtual router |

mod admin;
#[cfg(feature = "hmac")]
mod auth;
mod deadlines;
mod input;
mod interfaces;
mod neighbor;
mod output;
mod query;
mod table;
mod vr;

use heapless::Vec;

use crate::error::Error;
use crate::status::DropCounters;
use crate::time::Duration;
use crate::types::VrKey;
use crate::wire::vrrp::TRAILER_LEN;
pub use admin::{Admin, Key};
use deadlines::Deadlines;
use interfaces::Interface;
pub(crate) use query::VirtualAddressState;
use table::{Lane, Table};
use vr::VirtualRouter;

/// Less memory and code rather than speed.
pub(crate) const SMALL: bool = !cfg!(feature = "large");

/// Up to `VRS` virtual routers on up to `IFS` interfaces, each with up to `ADDRS` virtual addresses
/// and unicast peers together. At most 65,000 virtual routers and 255 interfaces.
///
/// After any input the caller performs what [`poll_output`](Engine::poll_output) gives until it
/// is [`Done`](crate::Poll::Done), and calls [`handle_timeout`](Engine::handle_timeout) no later than
/// [`poll_timeout`](Engine::poll_timeout) says. Several inputs may come before their outputs are
/// taken.
///
/// `now` never goes back; should it, nothing expires twice.
///
/// A clone goes on from where the original stood: what a model checker needs.
#[derive(Clone)]
pub struct Engine<const IFS: usize, const VRS: usize, const ADDRS: usize> {
    interfaces: Vec<Interface, IFS>,
    table: Table<VRS, ADDRS>,
    deadlines: Deadlines<VRS>,
    /// The most that an advertisement of any virtual router may leave early.
    earliness: Duration,
    drops: DropCounters,
    #[cfg(feature = "hmac")]
    clock: vr::Clock,
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> core::fmt::Debug
    for Engine<IFS, VRS, ADDRS>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("interfaces", &self.interfaces.len())
            .field("virtual_routers", &self.table.iter().count())
            .finish_non_exhaustive()
    }
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Default for Engine<IFS, VRS, ADDRS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Engine<IFS, VRS, ADDRS> {
    /// The length in octets of the longest frame that [`poll_output`](Self::poll_output) and
    /// [`answer`](Self::answer) write: an IPv6 advertisement of `ADDRS` addresses, or a neighbour
    /// advertisement.
    pub const MAX_FRAME_LEN: usize = 14
        + 40
        + 8
        + 16 * if ADDRS < 2 { 2 } else { ADDRS }
        + if cfg!(feature = "hmac") {
            TRAILER_LEN
        } else {
            0
        };

    /// An empty table.
    pub const fn new() -> Self {
        const {
            assert!(IFS <= 255 && VRS <= 65_000 && VRS > 0);
        }
        Self {
            interfaces: Vec::new(),
            table: Table::new(),
            deadlines: Deadlines::new(),
            earliness: Duration::ZERO,
            drops: DropCounters::new(),
            #[cfg(feature = "hmac")]
            clock: vr::Clock::UNKNOWN,
        }
    }

    fn interface_index(&self, ifindex: u32) -> Option<u8> {
        let at = self.interfaces.iter().position(|i| i.ifindex == ifindex)?;
        Some(at as u8)
    }

    fn interface_slot(&mut self, ifindex: u32) -> Result<u8, Error> {
        if let Some(slot) = self.interface_index(ifindex) {
            return Ok(slot);
        }
        let slot = self.interfaces.len() as u8;
        self.interfaces
            .push(Interface::new(ifindex))
            .map_err(|_| Error::InterfaceTableFull)?;
        Ok(slot)
    }

    fn with<R>(
        &mut self,
        key: VrKey,
        change: impl FnOnce(&mut VirtualRouter<ADDRS>, &mut Interface) -> R,
    ) -> Result<R, Error> {
        let index = self.table.find(key).ok_or(Error::NotFound)?;
        self.with_index(index, change).ok_or(Error::NotFound)
    }

    /// A virtual router and its interface.
    #[cfg_attr(not(feature = "large"), inline(never))]
    fn at(&mut self, index: u16) -> Option<(&mut VirtualRouter<ADDRS>, &mut Interface)> {
        let vr = self.table.get_mut(index)?;
        let iface = self.interfaces.get_mut(vr.links().iface())?;
        Some((vr, iface))
    }

    /// Changes a virtual router, then keeps its deadline and its place in the queue up to date.
    fn with_index<R>(
        &mut self,
        index: u16,
        change: impl FnOnce(&mut VirtualRouter<ADDRS>, &mut Interface) -> R,
    ) -> Option<R> {
        let (vr, iface) = self.at(index)?;
        let result = change(vr, iface);
        self.settle(index);
        Some(result)
    }

    /// Keeps the deadline of a virtual router that may have changed, and its place in the queue, up to
    /// date.
    #[cfg_attr(not(feature = "large"), inline(never))]
    fn settle(&mut self, index: u16) {
        let Some(vr) = self.table.get(index) else {
            return;
        };
        let (deadline, urgent, differs) = (vr.deadline(), vr.is_urgent(), vr.differs());
        self.deadlines.set(index, deadline);
        if urgent && !SMALL {
            self.table.enqueue(index, Lane::Urgent);
        }
        if differs || (urgent && SMALL) {
            self.table.enqueue(index, Lane::Rest);
        }
    }
}
