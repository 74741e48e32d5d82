//! The table of virtual routers and everything that can be done to it.

mod change;
mod holding;
#[cfg(feature = "small")]
mod list;
mod machine;
mod memo;
mod output;
mod question;
mod receive;
mod table;
#[cfg(not(feature = "small"))]
mod timers;
mod vr;

use core::net::IpAddr;

use heapless::Vec;

use crate::config::VrConfig;
use crate::error::Error;
use crate::log::packet_dropped;
use crate::output::{Failure, FrameKind, Output, Transmit};
use crate::status::{DropCounters, InterfaceState, PacketMeta, Statistics, Status};
use crate::time::{Duration, Instant};
use crate::types::{Family, Priority, VirtualAddress, VrKey, Vrid};
use crate::verdict::{DropReason, Verdict};
use crate::wire::{Emitted, vrrp};
pub(crate) use holding::Holding;
#[cfg(feature = "small")]
use list::Timers;
use output::{Next, Step};
use question::Question;
use receive::Packet;
use table::{Interface, Lane, Table};
#[cfg(not(feature = "small"))]
use timers::Timers;
use vr::{Settings, VirtualRouter};

/// Less memory and code rather than speed.
const SMALL: bool = cfg!(feature = "small");
/// Whether both ways in lead through the same copy of [`Router::take_in`].
const SHARED_DOOR: bool = SMALL;
/// How long after a failure a group is joined again.
const REJOIN_AFTER: Duration = Duration::from_secs(1);

/// Up to `VRS` virtual routers on up to `IFS` interfaces, each with up to `ADDRS` virtual addresses
/// and unicast peers together. At most 65,000 virtual routers and 255 interfaces.
///
/// After any input the caller performs what [`poll_output`](Router::poll_output) gives until it
/// gives `None`, and calls [`handle_timeout`](Router::handle_timeout) no later than
/// [`poll_timeout`](Router::poll_timeout) says. Several inputs may come before their outputs are
/// taken.
///
/// `now` never goes back; should it, nothing expires twice.
///
/// A clone goes on from where the original stood: what a model checker needs.
#[derive(Clone)]
pub struct Router<const IFS: usize, const VRS: usize, const ADDRS: usize> {
    interfaces: Vec<Interface, IFS>,
    table: Table<VRS, ADDRS>,
    timers: Timers<VRS>,
    /// The most that an advertisement of any virtual router may leave early.
    earliness: Duration,
    drops: DropCounters,
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Default for Router<IFS, VRS, ADDRS> {
    fn default() -> Self {
        Self::new()
    }
}

/// The administrator's side.
impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Router<IFS, VRS, ADDRS> {
    /// The length in octets of the longest frame that [`poll_output`](Self::poll_output) and
    /// [`answer`](Self::answer) write: an IPv6 advertisement of `ADDRS` addresses, or a neighbour
    /// advertisement.
    pub const MAX_FRAME_LEN: usize = 14 + 40 + 8 + 16 * if ADDRS < 2 { 2 } else { ADDRS };

    /// An empty table.
    pub const fn new() -> Self {
        const {
            assert!(IFS <= 255 && VRS <= 65_000 && VRS > 0);
        }
        Self {
            interfaces: Vec::new(),
            table: Table::new(),
            timers: Timers::new(),
            earliness: Duration::ZERO,
            drops: DropCounters::new(),
        }
    }

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
        self.earliness = self
            .earliness
            .max(machine::earliness(config.advert_interval));
        let inserted = Settings::of(key, config)
            .and_then(|settings| self.insert_settled(now, key, iface, settings, config));
        if inserted.is_err() {
            self.interfaces.truncate(known);
        }
        inserted
    }

    /// The lists are filled in place: a virtual router that is passed about costs stack.
    fn insert_settled(
        &mut self,
        now: Instant,
        key: VrKey,
        iface: u8,
        settings: Settings,
        config: &VrConfig<'_>,
    ) -> Result<(), Error> {
        let index = self
            .table
            .insert(VirtualRouter::new(now, key, iface, settings))
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
        self.earliness = self
            .earliness
            .max(machine::earliness(config.advert_interval));
        self.with(key, |vr, iface| {
            let settings = Settings::of(key, config)?;
            if settings.mac_mode != vr.settings.mac_mode {
                return Err(Error::MacModeFixed);
            }
            let entries = vr.merged_entries(config)?;
            let tracks = vr.merged_tracks(config)?;
            vr.reconfigure(now, &iface.state, settings, entries, tracks);
            Ok(())
        })?
    }

    /// Removes a virtual router, as gracefully as [`set_enabled`](Self::set_enabled) stops it. It
    /// is gone when [`Output::Removed`] comes.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn remove(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        self.with(key, |vr, iface| {
            vr.removing = true;
            vr.dirty = true;
            vr.enabled = false;
            vr.evaluate(now, &iface.state);
        })
    }

    /// Enables or disables a virtual router. An Active one that is disabled says so with priority 0
    /// and serves its addresses until its successor is heard: four intervals at most, or ten seconds
    /// if that is less; one and a half intervals if those are more than ten seconds.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for one that is being removed.
    pub fn set_enabled(&mut self, now: Instant, key: VrKey, on: bool) -> Result<(), Error> {
        self.with(key, |vr, iface| {
            if vr.removing {
                return Err(Error::NotFound);
            }
            vr.enabled = on;
            vr.evaluate(now, &iface.state);
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
        self.with(key, |vr, _| {
            vr.resigned = false;
            vr.change_priority(now, |vr| vr.priority_override = priority);
        })
    }

    /// Gives up being Active in favour of whoever takes over; with nobody there it stays Active. A
    /// router that resigned does not preempt until it has been Active again or its priority is set.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn resign(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        self.with(key, |vr, _| vr.resign(now))
    }
}

/// Facts and inputs.
impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Router<IFS, VRS, ADDRS> {
    /// States how an interface is. One that was never described is down.
    ///
    /// # Errors
    /// [`Error::InterfaceTableFull`].
    pub fn set_interface(
        &mut self,
        now: Instant,
        ifindex: u32,
        state: InterfaceState,
    ) -> Result<(), Error> {
        let slot = self.interface_slot(ifindex)?;
        let Some(interface) = self.interfaces.get_mut(usize::from(slot)) else {
            return Err(Error::NotFound);
        };
        let before = core::mem::replace(&mut interface.state, state);
        if before == state {
            return Ok(());
        }
        for index in self.table.indices() {
            self.with_index(index, |vr, iface| {
                if vr.iface != slot {
                    return;
                }
                vr.evaluate(now, &iface.state);
                vr.interface_changed(now, &before, &iface.state);
            });
        }
        Ok(())
    }

    /// Forgets an interface.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InUse`] while a virtual router is on it.
    pub fn remove_interface(&mut self, ifindex: u32) -> Result<(), Error> {
        let slot = self.interface_index(ifindex).ok_or(Error::NotFound)?;
        let last = self.interfaces.len().saturating_sub(1) as u8;
        if self.table.iter().any(|vr| vr.iface == slot) {
            return Err(Error::InUse);
        }
        self.interfaces.swap_remove(usize::from(slot));
        for index in self.table.indices() {
            if let Some(vr) = self.table.get_mut(index)
                && vr.iface == last
            {
                vr.iface = slot;
            }
        }
        Ok(())
    }

    /// States whether a tracked object is up. Objects that nobody tracks are ignored; one that was
    /// never described is up.
    pub fn set_tracked(&mut self, now: Instant, object: u16, up: bool) {
        for index in self.table.indices() {
            self.with_index(index, |vr, iface| {
                vr.set_tracked(now, &iface.state, object, up);
            });
        }
    }

    /// Takes in a frame from its Ethernet header on, VLAN tag removed.
    ///
    /// [`Verdict::NotVrrp`] says that it is for somebody else.
    pub fn handle_frame(&mut self, now: Instant, ifindex: u32, frame: &[u8]) -> Verdict {
        match receive::unwrap_frame(ifindex, frame) {
            Ok(None) => Verdict::NotVrrp,
            Ok(Some(packet)) => self.take_in::<true>(now, &packet),
            Err(reason) => {
                self.drops.add(reason);
                packet_dropped(ifindex, reason);
                Verdict::Dropped(reason)
            }
        }
    }

    /// Takes in a VRRP message whose IP header the port has read and checked.
    pub fn handle_packet(&mut self, now: Instant, meta: &PacketMeta, message: &[u8]) -> Verdict {
        let meta = *meta;
        self.take_in::<SHARED_DOOR>(now, &Packet { meta, message })
    }

    // A copy for each door, so that a program with both has the whole of it inline in each; one copy
    // where memory is scarce, see `SHARED_DOOR`.
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn take_in<const FRAME: bool>(&mut self, now: Instant, packet: &Packet<'_>) -> Verdict {
        let Some((index, key)) = self.addressee(packet) else {
            // V-6, or too short to tell.
            let reason = match packet.message {
                message if vrrp::is_carp(message) => DropReason::Carp,
                [_, _, ..] => DropReason::UnknownVrid,
                _ => DropReason::Length,
            };
            self.drops.add(reason);
            packet_dropped(packet.meta.ifindex, reason);
            return Verdict::Dropped(reason);
        };
        let received = self.with_index(index, |vr, iface| {
            let received = vr.receive(now, &iface.state, packet);
            if let Err(reason) = received {
                vr.statistics.drops.add(reason);
                packet_dropped(key.ifindex, reason);
            }
            received
        });
        match received {
            Some(Err(reason)) => Verdict::Dropped(reason),
            _ => Verdict::Accepted(key),
        }
    }

    fn addressee(&self, packet: &Packet<'_>) -> Option<(u16, VrKey)> {
        let key = VrKey {
            ifindex: packet.meta.ifindex,
            vrid: Vrid::new(vrrp::peek_vrid(packet.message)?)?,
            family: Family::of(packet.meta.source),
        };
        Some((self.table.find(key)?, key))
    }

    /// Does what has come due. To be called no later than [`poll_timeout`](Self::poll_timeout)
    /// says, and after the frames that have arrived by then were handled: a host that woke late
    /// must not take a healthy Active router for dead (T-8).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.timers.advance(now);
        let until = now + self.earliness;
        let mut cursor = self.timers.walk(until);
        while let Some((index, deadline)) = self.timers.step(&mut cursor) {
            if deadline > until {
                continue;
            }
            let Some(vr) = self.table.get_mut(index) else {
                continue;
            };
            if let Some(next) = vr.handle_adver_timer_alone(now) {
                let urgent = vr.is_urgent();
                self.timers.set(index, next);
                if urgent || SMALL {
                    self.table.enqueue(index, Lane::Urgent);
                }
            } else if vr.is_due(now) {
                let Some(iface) = self.interfaces.get(usize::from(vr.iface)) else {
                    continue;
                };
                vr.handle_due(now, &iface.state);
                self.settle(index);
            } else if !SMALL {
                // What was waited for has been sent meanwhile.
                self.timers.set(index, vr.deadline());
            }
        }
    }

    /// Learns that an effect could not be performed or was undone by somebody else.
    pub fn handle_failure(&mut self, now: Instant, failure: Failure) {
        match failure {
            Failure::Mac { key } => {
                let _ = self.with(key, |vr, _| {
                    if vr.mac_told {
                        vr.mac_told = false;
                        vr.effect_failed(now);
                    }
                });
            }
            Failure::Address { key, address } => {
                let _ = self.with(key, |vr, _| {
                    let told = vr
                        .entries
                        .iter_mut()
                        .find(|e| e.is_told() && e.ip(key.family) == address);
                    if let Some(entry) = told {
                        entry.give_up();
                        vr.effect_failed(now);
                    }
                });
            }
            Failure::Group { ifindex, family } => {
                let Some(slot) = self.interface_index(ifindex) else {
                    return;
                };
                if let Some(interface) = self.interfaces.get_mut(usize::from(slot)) {
                    interface.group(family).told = false;
                }
                for index in self.table.indices() {
                    self.with_index(index, |vr, _| {
                        if vr.iface == slot && vr.key.family == family && vr.group_held {
                            vr.rejoin_at = now + REJOIN_AFTER;
                        }
                    });
                }
            }
        }
    }
}

/// Outputs and questions.
impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Router<IFS, VRS, ADDRS> {
    /// The next thing to do, in order. `None`: nothing, or the next frame does not fit `buf`, which
    /// [`MAX_FRAME_LEN`](Self::MAX_FRAME_LEN) octets prevent.
    ///
    /// The outputs of a virtual router come in one piece, but for advertisements that wait for
    /// nothing: they come before everything else. So a port whose effects take long may stop after
    /// any output, take other inputs, call [`handle_timeout`](Self::handle_timeout), and go on here.
    #[inline]
    pub fn poll_output<'b>(&mut self, buf: &'b mut [u8]) -> Option<Output<'b>> {
        // Most inputs leave nothing to say.
        let (index, lane) = self.table.front()?;
        self.output(index, lane, buf)
    }

    /// The next thing to do, if it is an advertisement that waits for nothing: for a port in the
    /// midst of something long, whose outputs come later.
    pub fn poll_advertisement<'b>(&mut self, buf: &'b mut [u8]) -> Option<Transmit<'b>> {
        let (index, Lane::Urgent) = self.table.front()? else {
            return None;
        };
        match self.output(index, Lane::Urgent, buf)? {
            Output::Transmit(transmit) => Some(transmit),
            _ => None,
        }
    }

    /// Directly after an [`Output::SetAddress`] for `key`: the next thing to do, if it is another one
    /// for it. For a port that can install several addresses at once.
    pub fn poll_further_address(&mut self, key: VrKey) -> Option<Output<'static>> {
        let (index, Lane::Rest) = self.table.front()? else {
            return None;
        };
        let vr = self.table.get_mut(index).filter(|vr| vr.key == key)?;
        let Step::Address {
            address,
            accept,
            on,
        } = vr.address_step()?
        else {
            return None;
        };
        Some(Output::SetAddress {
            key,
            address,
            accept,
            on,
        })
    }

    /// Whether something is left to do. After [`poll_output`](Self::poll_output) gave `None` it is a
    /// frame that did not fit, and the next call gives it.
    pub fn has_output(&self) -> bool {
        self.table.front().is_some()
    }

    fn output<'b>(&mut self, index: u16, lane: Lane, buf: &'b mut [u8]) -> Option<Output<'b>> {
        if (SMALL || lane == Lane::Urgent)
            && let Some(vr) = self.table.get_mut(index)
            && let Some(iface) = self.interfaces.get(usize::from(vr.iface))
            && let Some(emitted) = vr.emit_periodic(iface, buf)
        {
            let key = vr.key;
            if vr.owed.left == 0 {
                self.table.dequeue(Lane::Urgent);
            }
            return transmit(key, emitted, FrameKind::Advertisement, None, buf);
        }
        self.any_output(buf)
    }

    #[inline(never)]
    fn any_output<'b>(&mut self, buf: &'b mut [u8]) -> Option<Output<'b>> {
        while let Some((index, lane)) = self.table.front() {
            let vr = self.table.get_mut(index)?;
            let iface = self.interfaces.get_mut(usize::from(vr.iface))?;
            let key = vr.key;
            let unicast = vr.next_destination();
            let step = if !SMALL && lane == Lane::Urgent {
                if !vr.owes(iface) {
                    self.table.dequeue(lane);
                    continue;
                }
                match vr.urgent_mac_step() {
                    Some(step) => step,
                    None => {
                        let emitted = vr.emit_owed(iface, unicast, buf)?;
                        if vr.owed.left == 0 {
                            self.table.dequeue(lane);
                        }
                        return transmit(key, emitted, FrameKind::Advertisement, unicast, buf);
                    }
                }
            } else {
                match vr.next_step(iface, buf) {
                    Next::Idle => {
                        self.table.dequeue(lane);
                        continue;
                    }
                    Next::BufferTooSmall => return None,
                    Next::Step(step) => step,
                }
            };
            return Some(match step {
                Step::Frame { emitted, kind } => {
                    let unicast = match kind {
                        FrameKind::Advertisement => unicast,
                        _ => None,
                    };
                    return transmit(key, emitted, kind, unicast, buf);
                }
                Step::Mac(on) => Output::SetMac {
                    key,
                    mac: vr.mac(&iface.state),
                    on,
                },
                Step::Address {
                    address,
                    accept,
                    on,
                } => Output::SetAddress {
                    key,
                    address,
                    accept,
                    on,
                },
                Step::Group(on) => Output::SetGroup {
                    ifindex: key.ifindex,
                    family: key.family,
                    on,
                },
                Step::StateChange(from) => Output::StateChange(vr.state_change(from)),
                Step::Removed => {
                    self.table.dequeue(lane);
                    self.timers.set(index, Instant::NEVER);
                    self.table.remove(index);
                    Output::Removed { key }
                }
            });
        }
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called at the latest. `None`: not
    /// before something else happens. Of many deadlines it may be a point before the first.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Writes the answer to an ARP request or a neighbour solicitation for an address that is
    /// served here, for ports whose own stack must not give it (M-3). `None`: no answer is due.
    ///
    /// It searches the addresses of the virtual routers of the interface.
    pub fn answer<'b>(
        &self,
        ifindex: u32,
        frame: &[u8],
        buf: &'b mut [u8],
    ) -> Option<Transmit<'b>> {
        let question = Question::new(frame)?;
        let slot = self.interface_index(ifindex)?;
        let iface = self.interfaces.get(usize::from(slot))?;
        let mut routers = self.table.iter().filter(|vr| vr.iface == slot);
        let (key, (emitted, kind)) =
            routers.find_map(|vr| Some((vr.key, vr.answer(iface, &question, buf)?)))?;
        Some(Transmit {
            key,
            frame: buf.get(..emitted.len)?,
            ip_offset: emitted.ip_offset,
            payload_offset: emitted.payload_offset,
            kind,
            unicast: None,
        })
    }

    /// How an interface was last described. `None`: never.
    pub fn interface(&self, ifindex: u32) -> Option<&InterfaceState> {
        let slot = self.interface_index(ifindex)?;
        self.interfaces.get(usize::from(slot)).map(|i| &i.state)
    }

    /// A virtual router as it stands. `None`: there is none with this key.
    pub fn status(&self, key: VrKey) -> Option<Status> {
        self.table.get(self.table.find(key)?).map(|vr| vr.status())
    }

    /// The keys of all virtual routers, in no order.
    pub fn keys(&self) -> impl Iterator<Item = VrKey> + '_ {
        self.table.iter().map(|vr| vr.key)
    }

    /// The virtual addresses of a virtual router in the order in which they are advertised.
    pub fn addresses(&self, key: VrKey) -> impl Iterator<Item = VirtualAddress> + '_ {
        let vr = self.table.find(key).and_then(|index| self.table.get(index));
        vr.into_iter().flat_map(move |vr| {
            let entries = vr.address_entries().iter();
            entries.map(move |e| e.virtual_address(key.family))
        })
    }

    /// The counters of a virtual router. `None`: there is none with this key.
    pub fn statistics(&self, key: VrKey) -> Option<&Statistics> {
        self.table
            .get(self.table.find(key)?)
            .map(|vr| &vr.statistics)
    }

    /// How many packets were discarded that belong to no virtual router.
    pub fn drops(&self) -> &DropCounters {
        &self.drops
    }
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Router<IFS, VRS, ADDRS> {
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
            .push(Interface::new(ifindex, InterfaceState::default()))
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

    /// Changes a virtual router, then keeps its deadline and its place in the queue up to date.
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn with_index<R>(
        &mut self,
        index: u16,
        change: impl FnOnce(&mut VirtualRouter<ADDRS>, &mut Interface) -> R,
    ) -> Option<R> {
        let vr = self.table.get_mut(index)?;
        let iface = self.interfaces.get_mut(usize::from(vr.iface))?;
        let result = change(vr, iface);
        self.settle(index);
        Some(result)
    }

    /// Keeps the deadline of a virtual router that may have changed, and its place in the queue, up to
    /// date.
    #[cfg_attr(not(feature = "small"), inline(always))]
    #[cfg_attr(feature = "small", inline(never))]
    fn settle(&mut self, index: u16) {
        let Some(vr) = self.table.get_mut(index) else {
            return;
        };
        let (deadline, urgent, dirty) = (vr.deadline(), vr.is_urgent(), vr.dirty);
        self.timers.set(index, deadline);
        if urgent && !SMALL {
            self.table.enqueue(index, Lane::Urgent);
        }
        if dirty || (urgent && SMALL) {
            self.table.enqueue(index, Lane::Rest);
        }
    }
}

#[inline]
fn transmit(
    key: VrKey,
    emitted: Emitted,
    kind: FrameKind,
    unicast: Option<IpAddr>,
    buf: &[u8],
) -> Option<Output<'_>> {
    Some(Output::Transmit(Transmit {
        key,
        frame: buf.get(..emitted.len)?,
        ip_offset: emitted.ip_offset,
        payload_offset: emitted.payload_offset,
        kind,
        unicast,
    }))
}
