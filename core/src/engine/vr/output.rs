//! The next step of a virtual router: the first difference between what its phase wants and what is
//! applied. Nothing is queued, so nothing can overflow, and a flap between two calls leaves only its
//! end.
//!
//! The order is that of the design: neighbours hear nothing of an address before it is served, and
//! the successor hears priority 0 before it is given up.

use core::net::{IpAddr, Ipv4Addr};

use super::entries::AddressChange;
use super::phase::{After, Phase};
use super::probe::PROBES;
use super::repeat::CACHED;
use super::{SMALL, VirtualRouter};
use crate::IPV6;
use crate::engine::interfaces::Interface;
use crate::engine::neighbor::NeighborRequest;
use crate::output::{FrameKind, Output, State, StateChange, Transmit};
use crate::types::{Auth, Family, MacAddr, MacMode, Version, VrKey};
use crate::wire::vrrp::HEADER_LEN;
use crate::wire::{self, Emitted, WireVersion};

/// An [`Output`] in short: a frame has been written to the buffer.
pub(in crate::engine) enum Step {
    Frame {
        emitted: Emitted,
        kind: FrameKind,
        unicast: Option<IpAddr>,
    },
    Mac(bool),
    Address(AddressChange),
    Group(bool),
    /// Out of this state.
    StateChange(State),
    Removed,
}

/// The answer of a virtual router that was asked for its next step.
pub(in crate::engine) enum Next {
    Step(Step),
    /// It has nothing to say.
    Idle,
    /// Its next frame does not fit the buffer.
    BufferTooSmall,
}

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// The next step, noted as applied.
    pub(in crate::engine) fn next_step(&mut self, iface: &mut Interface, buf: &mut [u8]) -> Next {
        let next = if self.serves() {
            self.next_to_active(iface, buf)
        } else {
            self.next_from_active(iface, buf)
        };
        if matches!(next, Next::Idle) {
            self.applied.set_differs(false);
        }
        next
    }

    /// Whether the MAC was lost, and has to be taken up before an advertisement is sent from it.
    pub(in crate::engine) fn lacks_mac(&self) -> bool {
        let virtual_mac = self.settings.mac_mode == MacMode::Virtual;
        virtual_mac && self.serves() && !self.applied.mac()
    }

    /// The MAC, where it has to be taken up before an urgent advertisement is sent from it.
    pub(in crate::engine) fn urgent_mac_step(&mut self) -> Option<Step> {
        if self.applied.differs() && self.serves() {
            self.mac_step()
        } else {
            None
        }
    }

    /// Whether it owes an advertisement that waits for nothing.
    pub(in crate::engine) fn is_urgent(&self) -> bool {
        let waits = match &self.phase {
            Phase::Active(active) => !SMALL && active.after != After::Nothing,
            _ => false,
        };
        self.owed.left > 0 && !waits
    }

    /// The output of a step.
    pub(in crate::engine) fn output<'b>(
        &self,
        iface: &Interface,
        step: Step,
        buf: &'b [u8],
    ) -> Output<'b> {
        let key = self.key;
        match step {
            Step::Frame {
                emitted,
                kind,
                unicast,
            } => Output::Transmit(transmit(key, emitted, kind, unicast, buf)),
            Step::Mac(on) => Output::SetMac {
                key,
                mac: self.mac(&iface.state),
                on,
            },
            Step::Address(change) => change.output(key),
            Step::Group(on) => Output::SetGroup {
                ifindex: key.ifindex,
                family: key.family,
                on,
            },
            Step::StateChange(from) => Output::StateChange(StateChange {
                key,
                from,
                to: self.phase.state(),
                reason: self.reason,
                peer: self.peer(),
            }),
            Step::Removed => Output::Removed { key },
        }
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
            .or_else(|| {
                if self.is_idle() {
                    None
                } else {
                    self.join_group(iface)
                }
            })
            .or_else(|| self.event_step())
            .or_else(|| self.last_steps(iface));
        if PROBES && step.is_none() {
            return self.probe_step(iface, buf);
        }
        step.map_or(Next::Idle, Next::Step)
    }

    /// The neighbour probe of a Backup, from the interface's own MAC and without a source address: it
    /// teaches nobody where the address is (G-8).
    //= RFC 5227 section 1.1, RFC 4862 section 5.4.2
    fn probe_step(&mut self, iface: &Interface, buf: &mut [u8]) -> Next {
        let target = self.addresses().next();
        let (Phase::Backup(backup), Some(target)) = (&mut self.phase, target) else {
            return Next::Idle;
        };
        if !backup.probe.is_owed() {
            return Next::Idle;
        }
        let mac = iface.state.mac;
        let emitted = match target {
            IpAddr::V4(target) => wire::arp::emit_request(buf, mac, Ipv4Addr::UNSPECIFIED, target),
            IpAddr::V6(_) if !IPV6 => return Next::Idle,
            IpAddr::V6(target) => wire::ndisc::emit_probe(buf, mac, target),
        };
        let Some(emitted) = emitted else {
            return Next::BufferTooSmall;
        };
        backup.probe.note_sent();
        Next::Step(Step::Frame {
            emitted,
            kind: FrameKind::NeighborProbe,
            unicast: None,
        })
    }

    fn join_group(&mut self, iface: &mut Interface) -> Option<Step> {
        // A group of its own is for the port to join, by the settings.
        if self.is_unicast() || self.settings.has_own_group() {
            return self.leave_group(iface);
        }
        let join = self.applied.join(iface.membership(self.key.family));
        join.then_some(Step::Group(true))
    }

    fn leave_group(&mut self, iface: &mut Interface) -> Option<Step> {
        let leave = self.applied.leave(iface.membership(self.key.family));
        leave.then_some(Step::Group(false))
    }

    fn mac_step(&mut self) -> Option<Step> {
        let wanted = self.serves() && self.settings.mac_mode == MacMode::Virtual;
        self.applied.set_mac(wanted).then_some(Step::Mac(wanted))
    }

    fn address_step(&mut self) -> Option<Step> {
        self.next_address_change().map(Step::Address)
    }

    /// The next address to give up or to serve, noted as applied.
    pub(in crate::engine) fn next_address_change(&mut self) -> Option<AddressChange> {
        let (serves, accepts) = (
            self.serves() && self.settings.serves_addresses(),
            self.accepts(),
        );
        self.entries.next_change(serves, accepts)
    }

    fn advert_step(&mut self, iface: &Interface, buf: &mut [u8]) -> Option<Next> {
        if self.owed.left == 0 {
            return None;
        }
        let unicast = self.next_destination();
        Some(match self.emit_advert(iface, unicast, buf) {
            None => Next::BufferTooSmall,
            Some(emitted) => Next::Step(Step::Frame {
                emitted,
                kind: FrameKind::Advertisement,
                unicast,
            }),
        })
    }

    /// The peer that the next advertisement goes to. Returns `None` if that is the group.
    pub(in crate::engine) fn next_destination(&self) -> Option<IpAddr> {
        if !self.is_unicast() {
            return None;
        }
        let index = usize::from(self.owed.left).saturating_sub(1);
        self.peers().nth(match self.settings.version {
            Version::Both => index / 2,
            Version::V2 | Version::V3 => index,
        })
    }

    /// Writes the next advertisement that is owed. Returns `None` if it does not fit.
    pub(in crate::engine) fn emit_advert(
        &mut self,
        iface: &Interface,
        unicast: Option<IpAddr>,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        let periodic = CACHED
            && !self.owed.priority_zero
            && unicast.is_none()
            && self.settings.version != Version::Both
            && !self.settings.has_own_group()
            && self.is_in_charge()
            // H-13: each signed one has another number, and over IPv6 another checksum.
            && !self.auth.signs();
        let said = if periodic { self.repeat.said() } else { None };
        let emitted = if said.is_some() {
            // Each family by itself, so that its branches are decided once: saves 38 instructions.
            match self.key.family {
                Family::Ipv4 => self.emit_again(Family::Ipv4, iface, said, buf)?,
                Family::Ipv6 => self.emit_again(Family::Ipv6, iface, said, buf)?,
            }
        } else {
            let emitted = self.emit_anew(iface, unicast, buf)?;
            if periodic {
                let message = buf.get(emitted.payload_offset.into()..)?;
                self.repeat.remember_said(message.first_chunk().copied());
            }
            emitted
        };
        self.owed.left -= 1;
        let s = &mut self.statistics;
        s.adverts_sent = s.adverts_sent.wrapping_add(1);
        if self.owed.priority_zero {
            s.priority_zero_sent = s.priority_zero_sent.wrapping_add(1);
        }
        Some(emitted)
    }

    /// Writes a periodic advertisement to the RFC's group, with the message that was said before.
    #[cfg_attr(feature = "large", inline(always))]
    fn emit_again(
        &self,
        family: Family,
        iface: &Interface,
        said: Option<[u8; HEADER_LEN]>,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        let group = (family.group(), family.group_mac());
        let advert = self.advert(iface, group)?;
        advert.emit_with(said, buf, self.addresses())
    }

    /// Writes and signs an advertisement. Out of the way of periodic ones: that saves 215 instructions.
    #[cfg_attr(feature = "large", inline(never))]
    #[cfg_attr(not(feature = "large"), inline(always))]
    fn emit_anew(
        &self,
        iface: &Interface,
        unicast: Option<IpAddr>,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        let family = self.key.family;
        let destination = match (unicast, self.own_group()) {
            (Some(peer), _) => (peer, MacAddr([0; 6])),
            (None, None) => (family.group(), family.group_mac()),
            (None, Some(IpAddr::V4(group))) => (group.into(), wire::igmp::group_mac(group)),
            (None, Some(IpAddr::V6(group))) => (group.into(), wire::mld::group_mac(group)),
        };
        let advert = self.advert(iface, destination)?;
        let emitted = advert.emit(buf, self.addresses())?;
        if !self.auth.signs() {
            return Some(emitted);
        }
        let second = self.settings.version == Version::Both && !self.owed.left.is_multiple_of(2);
        let addresses = (advert.source, advert.destination);
        self.auth.sign(second, buf, emitted, addresses)
    }

    /// The next advertisement that is owed, from what is configured and known.
    #[cfg_attr(feature = "large", inline(always))]
    fn advert(
        &self,
        iface: &Interface,
        (destination, destination_mac): (IpAddr, MacAddr),
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
            destination_mac,
            source: self.source(&iface.state)?,
            destination,
            ttl: 255,
            version,
            vrid: self.key.vrid,
            priority: if self.owed.priority_zero {
                0
            } else {
                self.priority().get()
            },
            interval: self.advertised_interval(),
            auth: match version {
                WireVersion::V2 => self.settings.auth,
                WireVersion::V3 => Auth::None,
            },
            pseudo_header: self.learned.pseudo_header(),
        })
    }

    /// M-5, M-6: only once MAC and addresses are in place, which is why it comes after them.
    fn announcement_step(&mut self, iface: &Interface, buf: &mut [u8]) -> Option<Next> {
        if !self.settings.serves_addresses() {
            return None;
        }
        let mac = self.mac(&iface.state);
        let Phase::Active(active) = &mut self.phase else {
            return None;
        };
        let announcements = &mut active.announcements;
        let entry = self.entries.addresses().get(announcements.next_address())?;
        let (emitted, kind) = match entry.ip(self.key.family) {
            IpAddr::V4(v4) => (
                wire::arp::emit_gratuitous(buf, mac, v4),
                FrameKind::GratuitousArp,
            ),
            IpAddr::V6(_) if !IPV6 => return None,
            IpAddr::V6(v6) => (
                wire::ndisc::emit_unsolicited_na(buf, mac, v6),
                FrameKind::UnsolicitedNa,
            ),
        };
        let Some(emitted) = emitted else {
            return Some(Next::BufferTooSmall);
        };
        announcements.advance();
        let s = &mut self.statistics;
        s.announcements_sent = s.announcements_sent.wrapping_add(1);
        Some(Next::Step(Step::Frame {
            emitted,
            kind,
            unicast: None,
        }))
    }

    fn event_step(&mut self) -> Option<Step> {
        let from = self.applied.report(self.phase.state());
        from.map(Step::StateChange)
    }

    fn last_steps(&mut self, iface: &mut Interface) -> Option<Step> {
        if !self.is_idle() {
            return None;
        }
        self.leave_group(iface)
            .or_else(|| self.admin.removing.then_some(Step::Removed))
    }

    /// The answer to a neighbour request for an address that is served here (M-3, A-3), written to
    /// `buf`.
    pub(in crate::engine) fn answer(
        &self,
        iface: &Interface,
        request: &NeighborRequest,
        buf: &mut [u8],
    ) -> Option<(Emitted, FrameKind)> {
        let target = request.target();
        if Family::of(target) != self.key.family || !self.serves() {
            return None;
        }
        let mut entries = self.entries.iter();
        let ours = entries.any(|e| e.is_served() && e.ip(self.key.family) == target);
        if !ours {
            return None;
        }
        request.answer(buf, self.mac(&iface.state))
    }
}

/// The frame that was written to `buf`.
pub(in crate::engine) fn transmit(
    key: VrKey,
    emitted: Emitted,
    kind: FrameKind,
    unicast: Option<IpAddr>,
    buf: &[u8],
) -> Transmit<'_> {
    Transmit {
        key,
        // It was written there: there are as many.
        frame: buf.get(..emitted.len).unwrap_or_default(),
        ip_offset: emitted.ip_offset,
        payload_offset: emitted.payload_offset,
        kind,
        unicast,
    }
}
