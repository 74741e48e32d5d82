//! The inputs: facts about interfaces and tracked objects, frames, time, and failures.

use super::Engine;
use super::vr::{Packet, unwrap_frame};
use crate::error::Error;
use crate::log::packet_dropped;
use crate::output::Failure;
use crate::status::{InterfaceState, PacketMeta};
use crate::time::Instant;
use crate::types::{Family, VrKey, Vrid};
use crate::verdict::{DropReason, Verdict};
use crate::wire::vrrp;

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
        match unwrap_frame(ifindex, frame) {
            Ok(None) => Verdict::NotVrrp,
            Ok(Some(packet)) => self.take_in(now, &packet),
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
        self.take_in(now, &Packet { meta, message })
    }

    fn take_in(&mut self, now: Instant, packet: &Packet<'_>) -> Verdict {
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
                vr.count_drop(reason);
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
