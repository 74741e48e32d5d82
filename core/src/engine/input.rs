//! The inputs: facts about interfaces, frames, time, and failures.

use super::Engine;
use super::vr::Found;
use crate::error::Error;
use crate::log::packet_dropped;
use crate::output::Failure;
use crate::status::InterfaceState;
use crate::time::Instant;
use crate::types::VrKey;
use crate::verdict::{Accepted, DropReason, Dropped, Verdict};
use crate::wire::{Claim, Datagram, vrrp};

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Engine<IFS, VRS, ADDRS> {
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
        self.deadlines.catch_up(now);
        for index in self.table.indices() {
            if self.table.is_on(index, slot) {
                self.with_index(index, |vr, iface| {
                    vr.interface_changed(now, &before, &iface.state);
                });
            }
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
        if self.table.on(slot).next().is_some() {
            return Err(Error::InUse);
        }
        self.interfaces.swap_remove(usize::from(slot));
        self.table.renumber(last, slot);
        Ok(())
    }

    /// Takes in a frame from its Ethernet header on, VLAN tag removed.
    ///
    /// [`Verdict::NotVrrp`] says that it is for somebody else.
    pub fn handle_frame<'f>(&mut self, now: Instant, ifindex: u32, frame: &'f [u8]) -> Verdict<'f> {
        match Datagram::new(frame) {
            Ok(None) => Verdict::NotVrrp,
            Ok(Some(datagram)) => self.handle_datagram(now, ifindex, &datagram),
            Err(reason) => {
                self.drops.add(reason);
                packet_dropped(ifindex, reason);
                Verdict::Dropped(Dropped {
                    reason,
                    datagram: None,
                    #[cfg(feature = "hmac")]
                    genuine: None,
                })
            }
        }
    }

    /// Takes in a VRRP message whose IP header the port has read and checked.
    pub fn handle_datagram<'f>(
        &mut self,
        now: Instant,
        ifindex: u32,
        datagram: &Datagram<'f>,
    ) -> Verdict<'f> {
        match self.take_in(now, ifindex, datagram) {
            Ok((key, found)) => Verdict::Accepted(Accepted {
                key,
                repeated: found.repeated,
                address_mismatch: found.address_mismatch,
                interval_mismatch: found.interval_mismatch,
                datagram: *datagram,
                #[cfg(feature = "hmac")]
                signed: found.signed,
            }),
            Err(reason) => {
                packet_dropped(ifindex, reason);
                Verdict::Dropped(Dropped {
                    reason,
                    datagram: Some(*datagram),
                    #[cfg(feature = "hmac")]
                    genuine: self.genuine(ifindex, datagram, reason),
                })
            }
        }
    }

    fn take_in(
        &mut self,
        now: Instant,
        ifindex: u32,
        datagram: &Datagram<'_>,
    ) -> Result<(VrKey, Found), DropReason> {
        if let Some(vrid) = datagram.vrid() {
            let key = VrKey {
                ifindex,
                vrid,
                family: datagram.family(),
            };
            if let Some(index) = self.table.find(key)
                && let Some((vr, iface)) = self.at(index)
            {
                let received = vr.receive(now, &iface.state, datagram);
                if let Err(reason) = received {
                    vr.count_drop(reason);
                }
                self.settle(index);
                return received.map(|found| (key, found));
            }
        }
        // V-6, or too short to tell.
        let reason = match datagram.message {
            message if vrrp::is_carp(message) => DropReason::Carp,
            [_, _, ..] => DropReason::UnknownVrid,
            _ => DropReason::Length,
        };
        self.drops.add(reason);
        Err(reason)
    }

    /// Takes in the claim of a host on an interface. Returns the virtual router whose neighbour probe
    /// it answers: its Active router is silent, and somebody has the address.
    ///
    /// It searches the virtual routers of the interface.
    pub fn handle_claim(&mut self, ifindex: u32, claim: &Claim) -> Option<VrKey> {
        let slot = self.interface_index(ifindex)?;
        let asks = |index: &u16| {
            let vr = self.table.get(*index);
            self.table.is_on(*index, slot) && vr.is_some_and(|vr| vr.asks_for(claim.address))
        };
        let index = self.table.indices().find(asks)?;
        let (vr, iface) = self.at(index)?;
        if claim.mac == iface.state.mac {
            return None;
        }
        vr.note_claim();
        Some(vr.key())
    }

    /// Does what has come due. To be called no later than [`poll_timeout`](Self::poll_timeout)
    /// says, and after the frames that have arrived by then were handled: a host that woke late
    /// must not take a healthy Active router for dead (T-8).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.deadlines.advance(now);
        let until = now + self.earliness;
        let mut cursor = self.deadlines.walk(until);
        while let Some((index, deadline)) = self.deadlines.step(&mut cursor) {
            if deadline > until {
                continue;
            }
            self.with_index(index, |vr, iface| vr.handle_due(now, &iface.state));
        }
    }

    /// Learns that an effect could not be performed or was undone by somebody else.
    pub fn handle_failure(&mut self, now: Instant, failure: Failure) {
        match failure {
            Failure::Mac { key } => {
                let _ = self.with(key, |vr, _| vr.mac_failed(now));
            }
            Failure::Address { key, address } => {
                let _ = self.with(key, |vr, _| vr.address_failed(now, address));
            }
            Failure::Group { ifindex, family } => {
                let Some(slot) = self.interface_index(ifindex) else {
                    return;
                };
                if let Some(interface) = self.interfaces.get_mut(usize::from(slot)) {
                    interface.membership(family).joined = false;
                }
                for index in self.table.indices() {
                    if self.table.is_on(index, slot) {
                        self.with_index(index, |vr, _| {
                            if vr.key().family == family {
                                vr.group_failed(now);
                            }
                        });
                    }
                }
            }
        }
    }
}
