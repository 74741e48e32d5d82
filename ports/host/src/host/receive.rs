//! Takes in facts about interfaces, losses and frames.

use std::net::IpAddr;

use vrrp_core::wire::Datagram;
use vrrp_core::wire::vrrp::{Addresses, ChecksumForm, peek_vrid};
use vrrp_core::{
    Accepted, AdvertInterval, DropReason, Dropped, Instant, InterfaceState, Peer, Priority, State,
    Verdict, VrKey,
};

use super::core::{Core, Notice};
use crate::config::Tracked;
use crate::event::Event;
use crate::host_if::HostIf;
use crate::platform::Incoming;
use crate::report::Rejection;
use crate::sightings::News;

/// Advertisements in a row that a router sends which should give way to us, before it is told. One
/// or two are normal when both have just started, or a cable has been mended.
pub(super) const CONTESTS: u32 = 3;

impl Core {
    pub(super) fn take_in(&mut self, now: Instant, incoming: Incoming<'_>) {
        match incoming {
            Incoming::Interface { host_if, state } => self.interface(now, host_if, state),
            Incoming::Lost(failure) => {
                let (key, what) = self.describe(failure);
                self.problem(now, key, format!("{what} was taken away; putting it back"));
                self.engine.handle_failure(now, failure);
                self.copies_lost(now, failure);
                self.followers.lost(failure);
                self.look_at_tracked = true;
            }
            Incoming::Frame { host_if, frame } => self.frame(now, host_if, frame),
            Incoming::Announcement { host_if, frame } => self.claimed(now, host_if, frame),
        }
    }

    fn interface(&mut self, now: Instant, host_if: HostIf, state: InterfaceState) {
        let Some(interface) = self.interfaces.get_mut(host_if) else {
            return;
        };
        if interface.reported && interface.state == state {
            return;
        }
        let came = interface.reported && interface.state == InterfaceState::default();
        let before = (interface.state.up, interface.state.mac);
        let own = |state: &InterfaceState| (state.ipv4, state.ipv6);
        let moved = own(&interface.state) != own(&state);
        interface.reported = true;
        interface.state = state;
        let name = interface.name.clone();
        if moved {
            self.conflicts.forget_interface(host_if);
        }
        if came {
            self.arrived.insert(host_if, None);
        }
        self.hasten_retries(now, host_if);
        if !self.arrived.contains_key(&host_if) {
            self.tell_engine(now, host_if);
        }
        self.device_changed(now, host_if, before);
        if let Some(number) = self.objects.find(&Tracked::Interface(name.clone())) {
            self.set_object(now, number, state.up);
        }
        self.look_at_tracked = true;
        self.events.push(Event::Interface { name, state });
    }

    /// Tells the engine the state of an interface that it knows.
    pub(super) fn tell_engine(&mut self, now: Instant, host_if: HostIf) {
        let interface = self.interfaces.get(host_if);
        let Some(interface) = interface.filter(|interface| interface.in_engine) else {
            return;
        };
        if let Err(error) = self
            .engine
            .set_interface(now, host_if.number(), interface.state)
        {
            let name = self.interfaces.name(host_if);
            self.problem(now, None, format!("the engine refused {name}: {error}"));
        }
    }

    fn frame(&mut self, now: Instant, host_if: HostIf, frame: &[u8]) {
        if self.take_copy(now, host_if, frame) {
            return;
        }
        match self.engine.handle_frame(now, host_if.number(), frame) {
            Verdict::NotVrrp => {
                self.claimed(now, host_if, frame);
                self.answer(host_if, frame);
            }
            Verdict::Accepted(accepted) => self.accepted(now, &accepted),
            Verdict::Dropped(dropped) => self.dropped(now, host_if, &dropped),
        }
    }

    /// Runs for every advertisement: constant time and no allocation for one that is repeated.
    fn accepted(&mut self, now: Instant, accepted: &Accepted<'_>) {
        let (key, peer) = (accepted.key, accepted.datagram.source);
        if accepted.repeated && self.sightings.repeat(now, key, peer) {
            return;
        }
        let (Some(vr), Ok(advert)) = (self.vrs.get(&key), accepted.datagram.advert()) else {
            return;
        };
        let priority = advert.priority();
        let is_active = vr.state == State::Active;
        let contested = is_active && priority > 0;
        let (seen, changed) = match self.sightings.accept(now, accepted, &advert) {
            News::Same(seen) => (seen, false),
            News::Changed(seen) => (seen, true),
        };
        seen.contests = if contested {
            seen.contests.saturating_add(1)
        } else {
            0
        };
        let (contests, interval) = (seen.contests, seen.interval);
        if changed && accepted.interval_mismatch {
            self.tell_interval(now, key, peer, interval);
        }
        if changed && accepted.address_mismatch {
            self.tell_addresses(now, key, peer, advert.addresses());
        }
        let peer = Peer {
            address: peer,
            priority,
        };
        if contests > 0 {
            self.contest(now, key, peer, contests);
        }
        if is_active {
            // One that gives way may say no more than that it stops.
            self.note_other_active(now, key, peer);
        }
    }

    // V-13
    fn tell_interval(&mut self, now: Instant, key: VrKey, peer: IpAddr, theirs: AdvertInterval) {
        let Some(vr) = self.vrs.get(&key) else {
            return;
        };
        let Some(ours) = vr
            .current
            .as_ref()
            .map(|spec| spec.settings.advert_interval)
        else {
            return;
        };
        let notice = (key, peer, Notice::Interval);
        if self.notices.note(now, notice).is_some() {
            self.events.push(Event::IntervalMismatch {
                id: vr.id.clone(),
                peer,
                ours,
                theirs,
            });
        }
    }

    // V-14
    fn tell_addresses(&mut self, now: Instant, key: VrKey, peer: IpAddr, theirs: Addresses<'_>) {
        let Some(vr) = self.vrs.get(&key) else {
            return;
        };
        let notice = (key, peer, Notice::Addresses);
        if self.notices.note(now, notice).is_some() {
            self.events.push(Event::AddressMismatch {
                id: vr.id.clone(),
                peer,
                ours: self.engine.addresses(key).map(|a| a.address).collect(),
                theirs: theirs.collect(),
            });
        }
    }

    /// Somebody advertises although we are Active.
    fn contest(&mut self, now: Instant, key: VrKey, peer: Peer, contests: u32) {
        let owner = Priority::OWNER.get();
        let ours = self.engine.status(key).map(|status| status.priority.get());
        let both_own = peer.priority == owner && ours == Some(owner);
        let Some(id) = self.vrs.get(&key).map(|vr| vr.id.clone()) else {
            return;
        };
        let address = peer.address;
        if both_own
            && self
                .notices
                .note(now, (key, address, Notice::DualOwner))
                .is_some()
        {
            self.events.push(Event::DualOwner { id, peer: address });
        } else if contests >= CONTESTS
            && self
                .notices
                .note(now, (key, address, Notice::Contested))
                .is_some()
        {
            self.events.push(Event::Contested { id, peer });
        }
    }

    fn dropped(&mut self, now: Instant, host_if: HostIf, dropped: &Dropped<'_>) {
        let (reason, datagram) = (dropped.reason, dropped.datagram);
        // One that is left over from an interface that is not watched any more is of no interest.
        let Some(interface) = self.interfaces.get_mut(host_if) else {
            return;
        };
        interface.count_drop(reason);
        if let Some(datagram) = &datagram
            && let Some(vrid) = datagram.vrid()
        {
            let key = host_if.key(vrid, datagram.family());
            if reason == DropReason::UnknownVrid {
                self.foreign(now, key, datagram);
            }
            self.refused_by_us(now, key, datagram, dropped);
        }
        if is_ordinary(reason) {
            return;
        }
        let vrid = datagram.and_then(|datagram| peek_vrid(datagram.message));
        // Forged VRIDs fill the table of others, and not that of ours.
        let is_ours = |key: &VrKey| (HostIf::of(key), Some(key.vrid.get())) == (host_if, vrid);
        let limiter = match self.vrs.keys().any(is_ours) {
            true => &mut self.rejected_ours,
            false => &mut self.rejected,
        };
        if let Some(count) = limiter.note(now, (host_if, vrid, reason)) {
            self.events.push(Event::Rejected {
                interface: self.interfaces.name(host_if).to_owned(),
                source: datagram.map(|datagram| datagram.source),
                vrid,
                reason,
                count,
            });
        }
    }

    /// Remembers who is refused, where it is about a virtual router of ours.
    fn refused_by_us(
        &mut self,
        now: Instant,
        key: VrKey,
        datagram: &Datagram<'_>,
        dropped: &Dropped<'_>,
    ) {
        let reason = dropped.reason;
        let Some(vr) = self.vrs.get_mut(&key) else {
            return;
        };
        if !is_ordinary(reason) {
            let count = vr.rejected.map_or(0, |rejected| rejected.count);
            vr.rejected = Some(Rejection {
                reason,
                source: datagram.source,
                at: now,
                count: count.saturating_add(1),
            });
        }
        if !is_ordinary(reason) || reason == DropReason::OwnLoopedBack {
            let skew = dropped.genuine.map(|signed| signed.skew);
            self.sightings.refuse(now, key, datagram, reason, skew);
        }
    }

    /// Remembers the master of a virtual router that is not ours, if it could be one: its message
    /// came from this link (V-1) with a good checksum (V-5).
    pub(super) fn foreign(&mut self, now: Instant, key: VrKey, datagram: &Datagram<'_>) {
        if let Ok(advert) = datagram.advert()
            && datagram.ttl == 255
            && datagram.checksum(&advert) != ChecksumForm::Wrong
        {
            self.sightings.hear_foreign(now, key, datagram, &advert);
        }
    }
}

/// Discarded in the normal course of things: our own frames coming back, what a virtual router that
/// takes no part does not want, and the old version of a router that speaks both.
fn is_ordinary(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::OwnLoopedBack | DropReason::NotRunning | DropReason::V2ShadowedByV3
    )
}
