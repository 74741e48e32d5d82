//! What a virtual router has to say next: the first difference between what its state wants and
//! what the port was told. Nothing is queued, so nothing can overflow, and a flap between two calls
//! leaves only its end.
//!
//! The order is that of the design: neighbours hear nothing of an address before it is served, and
//! the successor hears priority 0 before it is given up.

use core::net::IpAddr;

use super::SMALL;
use super::table::Interface;
use super::vr::{After, Role, VirtualRouter};
use crate::output::{FrameKind, State, StateChange};
use crate::time::Instant;
use crate::types::{Auth, Family, MacAddr, MacMode, Version, VirtualAddress};
use crate::wire::{self, Emitted, WireVersion};

/// An [`Output`](crate::Output) in short: a frame has been written to the buffer.
pub(super) enum Step {
    Frame {
        emitted: Emitted,
        kind: FrameKind,
    },
    Mac(bool),
    Address {
        address: VirtualAddress,
        accept: bool,
        on: bool,
    },
    Group(bool),
    /// Out of this state.
    StateChange(State),
    Removed,
}

/// What came of asking a virtual router for its next step.
pub(super) enum Next {
    Step(Step),
    /// It has nothing to say.
    Idle,
    /// Its next frame does not fit the buffer.
    BufferTooSmall,
}

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// The next step, marked as told.
    pub(super) fn next_step(&mut self, iface: &mut Interface, buf: &mut [u8]) -> Next {
        let next = match self.serves() {
            true => self.next_to_active(iface, buf),
            false => self.next_from_active(iface, buf),
        };
        if matches!(next, Next::Idle) {
            self.dirty = false;
        }
        next
    }

    /// Whether it owes an advertisement that waits for nothing.
    #[inline]
    pub(super) fn is_urgent(&self) -> bool {
        self.owed.left > 0 && (SMALL || self.owed.after == After::Nothing)
    }

    /// The MAC, where it has to be taken up before an urgent advertisement is sent from it.
    pub(super) fn urgent_mac_step(&mut self) -> Option<Step> {
        (self.dirty && self.serves()).then(|| self.mac_step())?
    }

    /// Group, MAC, addresses, advertisements, announcements, event.
    fn next_to_active(&mut self, iface: &mut Interface, buf: &mut [u8]) -> Next {
        let installed = self
            .join_group(iface)
            .or_else(|| self.mac_step())
            .or_else(|| self.address_step());
        if let Some(step) = installed {
            return Next::Step(step);
        }
        self.advert_step(iface, buf)
            .or_else(|| self.announcement_step(iface, buf))
            .or_else(|| self.event_step().map(Next::Step))
            .unwrap_or(Next::Idle)
    }

    /// Priority 0 if it is owed, addresses, MAC, event, group.
    fn next_from_active(&mut self, iface: &mut Interface, buf: &mut [u8]) -> Next {
        if let Some(next) = self.advert_step(iface, buf) {
            return next;
        }
        let step = self
            .address_step()
            .or_else(|| self.mac_step())
            .or_else(|| match self.state {
                State::Initialize => None,
                _ => self.join_group(iface),
            })
            .or_else(|| self.event_step())
            .or_else(|| self.last_steps(iface));
        step.map_or(Next::Idle, Next::Step)
    }

    fn join_group(&mut self, iface: &mut Interface) -> Option<Step> {
        if self.unicast() {
            return self.leave_group(iface);
        }
        let group = iface.group(self.key.family);
        if !self.group_held {
            self.group_held = true;
            group.users = group.users.saturating_add(1);
        }
        if group.told || self.rejoin_at != Instant::NEVER {
            return None;
        }
        group.told = true;
        Some(Step::Group(true))
    }

    fn leave_group(&mut self, iface: &mut Interface) -> Option<Step> {
        let group = iface.group(self.key.family);
        if self.group_held {
            self.group_held = false;
            group.users = group.users.saturating_sub(1);
        }
        if group.users > 0 || !group.told {
            return None;
        }
        group.told = false;
        Some(Step::Group(false))
    }

    fn mac_step(&mut self) -> Option<Step> {
        let wanted = self.serves() && self.settings.mac_mode == MacMode::Virtual;
        if self.mac_told == wanted {
            return None;
        }
        self.mac_told = wanted;
        Some(Step::Mac(wanted))
    }

    /// Addresses to give up come before addresses to serve. Only an Active router serves any.
    pub(super) fn address_step(&mut self) -> Option<Step> {
        let (serves, accepts, family) = (self.serves(), self.accepts(), self.key.family);
        let stays = |role| serves && role == Role::Address;
        for entry in &mut self.entries {
            let accept = entry.is_told_to_accept();
            if entry.is_told() && (!stays(entry.role()) || accept != accepts) {
                entry.give_up();
                return Some(Step::Address {
                    address: entry.virtual_address(family),
                    accept,
                    on: false,
                });
            }
        }
        for entry in &mut self.entries {
            if !entry.is_told() && stays(entry.role()) {
                entry.serve(accepts);
                return Some(Step::Address {
                    address: entry.virtual_address(family),
                    accept: accepts,
                    on: true,
                });
            }
        }
        self.entries
            .retain(|e| e.is_told() || e.role() != Role::Leaving);
        None
    }

    fn advert_step(&mut self, iface: &Interface, buf: &mut [u8]) -> Option<Next> {
        if !self.owes(iface) {
            return None;
        }
        Some(match self.emit_owed(iface, self.next_destination(), buf) {
            None => Next::BufferTooSmall,
            Some(emitted) => Next::Step(Step::Frame {
                emitted,
                kind: FrameKind::Advertisement,
            }),
        })
    }

    /// Whether an advertisement is owed. What cannot be sent is not owed any longer.
    #[inline]
    pub(super) fn owes(&mut self, iface: &Interface) -> bool {
        if self.owed.left > 0 && (!iface.state.up || self.source(&iface.state).is_none()) {
            self.owed.left = 0;
        }
        self.owed.left > 0
    }

    /// The peer that the next advertisement goes to. `None`: to the group.
    #[inline]
    pub(super) fn next_destination(&self) -> Option<IpAddr> {
        if !self.unicast() {
            return None;
        }
        let index = usize::from(self.owed.left).saturating_sub(1);
        self.peers().nth(match self.settings.version {
            Version::Both => index / 2,
            Version::V2 | Version::V3 => index,
        })
    }

    /// Writes the next advertisement that is owed. `None`: it does not fit. While a virtual router
    /// is not `dirty` this is all that it has to say.
    pub(super) fn emit_owed(
        &mut self,
        iface: &Interface,
        unicast: Option<IpAddr>,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        let emitted = self.compose_owed(iface, unicast, buf)?;
        self.owed.left -= 1;
        let s = &mut self.statistics;
        s.adverts_sent = s.adverts_sent.wrapping_add(1);
        if self.owed.priority_zero {
            s.priority_zero_sent = s.priority_zero_sent.wrapping_add(1);
        }
        Some(emitted)
    }

    /// The common case of what there is to say: the periodic advertisement and nothing else, the
    /// same as before. `None`: it is not that, or does not fit.
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub(super) fn emit_periodic(&mut self, iface: &Interface, buf: &mut [u8]) -> Option<Emitted> {
        if self.dirty || self.owed.left == 0 || self.owed.priority_zero {
            return None;
        }
        let said = self.said.get()?;
        // Each family by itself, so that what depends on it is decided once.
        let advert = |family| self.advert(family, iface, None);
        let emitted = match self.key.family {
            Family::Ipv4 => advert(Family::Ipv4)?.emit_with(Some(said), buf, self.addresses()),
            Family::Ipv6 => advert(Family::Ipv6)?.emit_with(Some(said), buf, self.addresses()),
        }?;
        self.owed.left -= 1;
        self.statistics.adverts_sent = self.statistics.adverts_sent.wrapping_add(1);
        Some(emitted)
    }

    /// Writes the next advertisement that is owed and remembers the header of a periodic one.
    fn compose_owed(
        &mut self,
        iface: &Interface,
        unicast: Option<IpAddr>,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        let emitted = self
            .advert(self.key.family, iface, unicast)?
            .emit(buf, self.addresses())?;
        let periodic =
            !SMALL && !self.owed.priority_zero && unicast.is_none() && self.is_in_charge();
        if periodic && self.settings.version != Version::Both {
            let message = buf.get(emitted.payload_offset.into()..)?;
            self.said.set(message.first_chunk().copied());
        }
        Some(emitted)
    }

    /// The next advertisement that is owed, from what is configured and known.
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn advert(
        &self,
        family: Family,
        iface: &Interface,
        unicast: Option<IpAddr>,
    ) -> Option<wire::Advert> {
        let version = match self.settings.version {
            Version::V2 => WireVersion::V2,
            Version::V3 => WireVersion::V3,
            // v3 first of each pair.
            Version::Both if self.owed.left.is_multiple_of(2) => WireVersion::V3,
            Version::Both => WireVersion::V2,
        };
        Some(wire::Advert {
            source_mac: self.mac(&iface.state),
            destination_mac: match unicast {
                Some(_) => MacAddr([0; 6]),
                None => family.group_mac(),
            },
            source: self.source(&iface.state)?,
            destination: unicast.unwrap_or(family.group()),
            ttl: 255,
            version,
            vrid: self.key.vrid,
            priority: match self.owed.priority_zero {
                true => 0,
                false => self.priority().get(),
            },
            interval: self.advertised_interval(),
            auth: match version {
                WireVersion::V2 => self.settings.auth,
                WireVersion::V3 => Auth::None,
            },
            pseudo_header: self.pseudo_header,
        })
    }

    /// M-5, M-6: only once MAC and addresses are in place, which is why it comes after them.
    fn announcement_step(&mut self, iface: &Interface, buf: &mut [u8]) -> Option<Next> {
        if self.handover.is_some() {
            return None;
        }
        let entry = self
            .address_entries()
            .get(usize::from(self.announcing.next))?;
        let mac = self.mac(&iface.state);
        let (emitted, kind) = match entry.ip(self.key.family) {
            IpAddr::V4(v4) => (
                wire::arp::emit_gratuitous(buf, mac, v4),
                FrameKind::GratuitousArp,
            ),
            IpAddr::V6(v6) => (
                wire::ndisc::emit_unsolicited_na(buf, mac, v6),
                FrameKind::UnsolicitedNa,
            ),
        };
        let Some(emitted) = emitted else {
            return Some(Next::BufferTooSmall);
        };
        self.announcing.next = self.announcing.next.saturating_add(1);
        let s = &mut self.statistics;
        s.announcements_sent = s.announcements_sent.wrapping_add(1);
        Some(Next::Step(Step::Frame { emitted, kind }))
    }

    fn event_step(&mut self) -> Option<Step> {
        if self.reported == self.state {
            return None;
        }
        let from = core::mem::replace(&mut self.reported, self.state);
        Some(Step::StateChange(from))
    }

    pub(super) fn state_change(&self, from: State) -> StateChange {
        StateChange {
            key: self.key,
            from,
            to: self.state,
            reason: self.reason,
            peer: self.peer(),
        }
    }

    fn last_steps(&mut self, iface: &mut Interface) -> Option<Step> {
        if self.state != State::Initialize {
            return None;
        }
        self.leave_group(iface)
            .or_else(|| self.removing.then_some(Step::Removed))
    }

    /// The answer to an ARP request or a neighbour solicitation for an address that is served here
    /// (M-3, A-3), written to `buf`.
    pub(super) fn answer(
        &self,
        iface: &Interface,
        question: &super::question::Question,
        buf: &mut [u8],
    ) -> Option<(Emitted, FrameKind)> {
        let target = question.target();
        let served = |e: &super::vr::Entry| e.is_told() && e.ip(self.key.family) == target;
        let ours = Family::of(target) == self.key.family && self.entries.iter().any(served);
        if !ours || !self.serves() {
            return None;
        }
        question.answer(buf, self.mac(&iface.state))
    }
}
