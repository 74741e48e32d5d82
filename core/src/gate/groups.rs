//! Group memberships as the switches and routers of the segment hear of them: IGMPv2 and MLDv2
//! reports, said on joining, repeated once, and said again when a querier asks.
//!
//! A report says all groups of its family, one a frame: 224.0.0.18, or ff02::12 and the
//! solicited-node groups of the addresses that are served. So nothing is remembered of each.

use core::net::{IpAddr, Ipv6Addr};

use crate::IPV6;
use crate::status::InterfaceState;
use crate::time::{Duration, Instant};
use crate::types::Family;
use crate::wire::{Emitted, igmp, mld};

/// How often a membership is reported without being asked (RFC 2236 section 8.10, RFC 3810 section
/// 9.1: the Robustness Variable).
const ROUNDS: u8 = 2;
/// The most between the two (RFC 2236 section 8.10: 10 s; RFC 3810 section 9.11: 1 s).
const REPEAT_IGMP: Duration = Duration::from_secs(10);
const REPEAT_MLD: Duration = Duration::from_secs(1);
/// A query is not answered sooner, so that many of them cost no more than one.
const LEAST_DELAY: Duration = Duration::from_millis(50);
/// How long a querier of version 1 is remembered (RFC 2236 section 4, RFC 3810 section 9.12).
const OLDER_IGMP: Duration = Duration::from_secs(400);
const OLDER_MLD: Duration = Duration::from_secs(260);

/// The memberships of one family.
struct Membership {
    joined: bool,
    /// The next group to report in this round.
    next: u16,
    rounds_left: u8,
    /// The round tells of a change; else it answers a query.
    change: bool,
    /// A round has begun.
    due: bool,
    /// When the next round begins. NEVER: none, or it has begun.
    at: Instant,
    /// Until when reports have the form of version 1.
    older_until: Instant,
}

impl Membership {
    const NONE: Membership = Membership {
        joined: false,
        next: 0,
        rounds_left: 0,
        change: false,
        due: false,
        at: Instant::NEVER,
        older_until: Instant::from_micros(0),
    };

    fn report_change(&mut self) {
        self.next = 0;
        self.rounds_left = ROUNDS;
        self.change = true;
        self.due = true;
        self.at = Instant::NEVER;
    }

    fn answer_query(&mut self, at: Instant) {
        if self.rounds_left == 0 {
            self.next = 0;
            self.rounds_left = 1;
            self.change = false;
            self.at = at;
        } else if !self.due {
            self.at = self.at.min(at);
        }
    }

    fn begin_if_due(&mut self, now: Instant) {
        if self.at <= now {
            self.due = true;
            self.at = Instant::NEVER;
        }
    }

    fn end_round(&mut self, repeat_at: Instant) {
        self.next = 0;
        self.due = false;
        self.rounds_left = self.rounds_left.saturating_sub(1);
        self.at = match self.rounds_left {
            0 => Instant::NEVER,
            _ => repeat_at,
        };
    }
}

pub(super) struct Groups {
    v4: Membership,
    v6: Membership,
    /// A group that was left and not yet reported so.
    leaving: Option<IpAddr>,
    random: u32,
}

impl Groups {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            v4: Membership::NONE,
            v6: Membership::NONE,
            leaving: None,
            random: match (seed ^ seed >> 32) as u32 {
                // Zero would stay zero.
                0 => u32::MAX,
                folded => folded,
            },
        }
    }

    /// The engine joins or leaves the group of its advertisements.
    pub(super) fn set(&mut self, family: Family, on: bool) {
        let membership = self.of(family);
        membership.joined = on;
        match on {
            true => membership.report_change(),
            false => self.leaving = Some(family.group()),
        }
    }

    /// Whether the group of the advertisements of a family is joined.
    pub(super) fn has_joined(&self, family: Family) -> bool {
        match family {
            Family::Ipv4 => self.v4.joined,
            Family::Ipv6 => self.v6.joined,
        }
    }

    /// An address is served from now on, or no longer. `shared`: another one that is served has the
    /// same solicited-node group.
    pub(super) fn set_address(&mut self, address: IpAddr, on: bool, shared: bool) {
        let IpAddr::V6(address) = address else {
            return;
        };
        match on {
            _ if !IPV6 => {}
            true => self.v6.report_change(),
            false if !shared => self.leaving = Some(mld::solicited_node(address).into()),
            false => {}
        }
    }

    /// The link has come up: whoever is there now has heard no report.
    pub(super) fn report_again(&mut self) {
        self.leaving = None;
        self.v4.report_change();
        if IPV6 {
            self.v6.report_change();
        }
    }

    pub(super) fn handle_igmp(&mut self, now: Instant, query: igmp::Query) {
        let asked = query.group.is_none_or(|g| Family::Ipv4.group() == g);
        if query.v1 {
            self.v4.older_until = now + OLDER_IGMP;
        }
        if asked {
            let at = now + self.delay(query.max_response);
            self.v4.answer_query(at);
        }
    }

    pub(super) fn handle_mld(&mut self, now: Instant, query: mld::Query) {
        if query.v1 {
            self.v6.older_until = now + OLDER_MLD;
        }
        let at = now + self.delay(query.max_response);
        self.v6.answer_query(at);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.v4.begin_if_due(now);
        self.v6.begin_if_due(now);
    }

    /// When the next round of reports begins. NEVER: none.
    pub(super) fn next_deadline(&self) -> Instant {
        self.v4.at.min(self.v6.at)
    }

    /// Writes the report of the group that was left last. `None`: none was, or it does not fit; then
    /// the routers find out by asking.
    pub(super) fn emit_leave(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        match (self.leaving.take()?, iface.ipv4, iface.ipv6) {
            // Version 1 knows no leaving.
            (IpAddr::V4(_), ..) if now < self.v4.older_until => None,
            (IpAddr::V4(group), Some(source), _) => {
                igmp::emit(buf, iface.mac, source, group, igmp::Message::Leave)
            }
            (IpAddr::V6(group), _, Some(source)) if IPV6 => {
                let v1 = now < self.v6.older_until;
                mld::emit(buf, iface.mac, source, group, mld::Message::Leave, v1)
            }
            _ => None,
        }
    }

    /// Writes the next report that is due. `None`: none is, or it does not fit.
    pub(super) fn emit_report(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        served: impl Iterator<Item = Ipv6Addr>,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        if self.v4.due {
            if self.v4.next == 0 && self.v4.joined && iface.up && iface.ipv4.is_some() {
                let emitted = self.emit_igmp(now, iface, buf)?;
                self.v4.next = 1;
                return Some(emitted);
            }
            let repeat_at = now + self.delay(REPEAT_IGMP);
            self.v4.end_round(repeat_at);
        }
        if IPV6 && self.v6.due {
            let own = self.v6.joined.then_some(Family::Ipv6.group());
            let own = own.into_iter().filter_map(|group| match group {
                IpAddr::V6(group) => Some(group),
                IpAddr::V4(_) => None,
            });
            let mut groups = own.chain(served.map(mld::solicited_node));
            let group = groups.nth(self.v6.next.into());
            if let (true, Some(group), Some(source)) = (iface.up, group, iface.ipv6) {
                let message = match self.v6.change {
                    true => mld::Message::Join,
                    false => mld::Message::Listening,
                };
                let v1 = now < self.v6.older_until;
                let emitted = mld::emit(buf, iface.mac, source, group, message, v1)?;
                self.v6.next = self.v6.next.saturating_add(1);
                return Some(emitted);
            }
            let repeat_at = now + self.delay(REPEAT_MLD);
            self.v6.end_round(repeat_at);
        }
        None
    }

    fn emit_igmp(&self, now: Instant, iface: &InterfaceState, buf: &mut [u8]) -> Option<Emitted> {
        let IpAddr::V4(group) = Family::Ipv4.group() else {
            return None;
        };
        let message = match now < self.v4.older_until {
            true => igmp::Message::ReportV1,
            false => igmp::Message::Report,
        };
        igmp::emit(buf, iface.mac, iface.ipv4?, group, message)
    }

    fn of(&mut self, family: Family) -> &mut Membership {
        match family {
            Family::Ipv4 => &mut self.v4,
            Family::Ipv6 => &mut self.v6,
        }
    }

    /// A random part of `most`, and a little more than nothing.
    fn delay(&mut self, most: Duration) -> Duration {
        // Marsaglia's xorshift: the hosts of a segment must only not answer all at once.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let most = most.as_micros().min(u64::from(u32::MAX));
        let part = (most * u64::from(self.random)) >> 32;
        Duration::from_micros(part).max(LEAST_DELAY)
    }
}
