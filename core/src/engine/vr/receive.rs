//! The rules by which a received packet is believed: V-1 to V-18 of RFC 9568 section 7.1 and RFC
//! 3768 section 7.1. A packet that breaks one changes nothing but a counter.

use core::net::{IpAddr, Ipv6Addr};

use super::{SMALL, VirtualRouter};

use super::repeat::{CACHED, Heard};
use super::settings::{Settings, is_unicast};
use crate::IPV6;
use crate::status::{ActiveRouter, InterfaceState};
use crate::time::{Duration, Instant};
use crate::types::{AdvertInterval, Auth, ChecksumMode, Family, Version, is_link_local};
use crate::verdict::DropReason;
use crate::wire::Datagram;
use crate::wire::vrrp::{AUTH_LEN, ChecksumForm, View};

/// The source of a v2 advertisement is remembered as a v3 speaker for this many intervals.
const V3_REMEMBERED: u64 = 4;

/// The findings about a valid advertisement, for a [verdict](crate::Accepted).
#[derive(Clone, Copy)]
pub(in crate::engine) struct Found {
    pub(in crate::engine) repeated: bool,
    pub(in crate::engine) address_mismatch: bool,
    pub(in crate::engine) interval_mismatch: bool,
    #[cfg(feature = "hmac")]
    pub(in crate::engine) signed: Option<crate::auth::Signed>,
}

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Checks a packet and takes it in, or says why not.
    pub(in crate::engine) fn receive(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        datagram: &Datagram<'_>,
    ) -> Result<Found, DropReason> {
        match self.hear_repeated(now, datagram) {
            Some(found) => Ok(found),
            None => self.judge(now, iface, datagram),
        }
    }

    /// Takes in a packet that has to be checked.
    #[cfg_attr(not(feature = "large"), inline(never))]
    fn judge(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        datagram: &Datagram<'_>,
    ) -> Result<Found, DropReason> {
        self.check_way(iface, datagram)?;
        let view = View::new(datagram.message, self.key.family)?;
        self.check_version(&view)?;
        let proof = match self.auth.check(now, datagram, &view) {
            Ok(proof) => proof,
            Err(reason) => {
                if let Some(interval) = self.auth.take_hold() {
                    self.wait_for_refused(now, interval);
                }
                return Err(reason);
            }
        };
        let form = datagram.checksum(&view);
        if form == ChecksumForm::Wrong {
            // V-5
            return Err(DropReason::Checksum);
        }
        self.check_source(datagram.source)?;
        let doubted = self.auth.clock_is_in_doubt();
        let is_unicast = self.is_unicast();
        self.auth.believe(now, datagram.source, &proof, is_unicast);
        if doubted && !self.auth.clock_is_in_doubt() {
            // H-11: the clocks agree, so what is left to wait is shorter.
            self.reset_delays(now, self.preempt_delay());
        }
        let heard = self.check_message(now, datagram, &view)?;
        if self.is_idle() {
            return Err(DropReason::NotRunning);
        }
        if self.priority().is_owner() && self.settings.is_strict(Settings::OWNERS) {
            // V-7 as published; by erratum 8298 the election goes on.
            return Err(DropReason::Owner);
        }
        self.count_accepted(&heard, form);
        self.repeat.invalidate();
        // A signed one never repeats another octet for octet, and one that is not signed has to be
        // counted: with keys nothing is remembered (H-13).
        let repeats = CACHED
            && !self.is_unicast()
            && self.settings.version != Version::Both
            && !self.auth.is_on();
        if self.hear(now, iface, &heard) && repeats {
            self.remember(datagram.message, form);
        }
        Ok(Found {
            repeated: false,
            address_mismatch: heard.address_mismatch,
            interval_mismatch: heard.interval_mismatch,
            #[cfg(feature = "hmac")]
            signed: proof.signed(),
        })
    }

    /// The common case of a Backup: it hears from its Active router, octet for octet, what it heard
    /// last and set its timer by. Every check would end as before, so none is made again.
    fn hear_repeated(&mut self, now: Instant, datagram: &Datagram<'_>) -> Option<Found> {
        let (heard, active) = (self.repeat.heard()?, self.heard.active()?);
        let (header, body) = datagram.message.split_first_chunk()?;
        let repeated = u64::from_ne_bytes(*header) == u64::from_ne_bytes(heard.header)
            && active.address == datagram.source
            && active.mac == datagram.source_mac
            && datagram.destination == self.group()
            && datagram.ttl == 255
            && self.is_our_body(body);
        if !repeated {
            return None;
        }
        let (version, interval_mismatch) = (active.version, active.interval_mismatch);
        self.heard.repeat(now);
        self.count_form(version, heard.form);
        self.set_down_timer(now, Duration::from_micros(heard.down_interval.into()));
        Some(Found {
            repeated: true,
            // It ends as ours do.
            address_mismatch: false,
            interval_mismatch,
            #[cfg(feature = "hmac")]
            signed: None,
        })
    }

    fn remember(&mut self, message: &[u8], form: ChecksumForm) {
        if let Some((header, body)) = message.split_first_chunk()
            && self.is_our_body(body)
        {
            let down_interval = self.patience().as_micros() as u32;
            self.repeat.remember_heard(Heard {
                header: *header,
                form,
                down_interval,
            });
        }
    }

    /// Whether what follows the header of a message is what would follow it in ours, and no more.
    fn is_our_body(&self, mut body: &[u8]) -> bool {
        for entry in self.advertised() {
            let Some(rest) = entry.strip(self.key.family, body) else {
                return false;
            };
            body = rest;
        }
        match (self.settings.version, self.settings.auth) {
            (Version::V2, Auth::None) => body == [0; AUTH_LEN],
            (Version::V2, Auth::Simple(ours)) => body
                .try_into()
                .is_ok_and(|theirs| same_octets(&ours, theirs)),
            _ => body.is_empty(),
        }
    }

    /// Checks where the packet came from and how far.
    fn check_way(&self, iface: &InterfaceState, datagram: &Datagram<'_>) -> Result<(), DropReason> {
        if self.is_own(iface, datagram.source) {
            // V-18
            return Err(DropReason::OwnLoopedBack);
        }
        let (to_us, nearest) = if self.is_unicast() {
            if !self.peers().any(|peer| peer == datagram.source) {
                // G-5: without a group it is the source that limits who is heard.
                return Err(DropReason::UnknownPeer);
            }
            let to_us = self.is_own(iface, datagram.destination);
            (to_us, 0u8.wrapping_sub(self.settings.max_hops))
        } else {
            (datagram.destination == self.group(), 255)
        };
        if !to_us {
            return Err(DropReason::WrongDestination);
        }
        if datagram.ttl < nearest {
            // V-1
            return Err(DropReason::Ttl);
        }
        Ok(())
    }

    /// Whether a router can have this address. RFC 9568 section 5.1.2.1: in IPv6 it is link-local,
    /// unless unicast peers are further away.
    fn check_source(&self, source: IpAddr) -> Result<(), DropReason> {
        let plausible = match source {
            IpAddr::V6(v6) => IPV6 && (is_link_local(&v6) || self.is_unicast()),
            IpAddr::V4(_) => true,
        };
        let plausible = plausible && is_unicast(source);
        plausible.then_some(()).ok_or(DropReason::UnknownPeer)
    }

    fn check_version(&self, view: &View<'_>) -> Result<(), DropReason> {
        let spoken = match self.settings.version {
            Version::V2 => view.version() == 2,
            Version::V3 => view.version() == 3,
            //
            Version::Both => true,
        };
        // V-2
        spoken.then_some(()).ok_or(DropReason::Version)
    }

    /// The rules about the message itself.
    fn check_message(
        &self,
        now: Instant,
        datagram: &Datagram<'_>,
        view: &View<'_>,
    ) -> Result<ActiveRouter, DropReason> {
        if view.version() == 2 {
            self.check_v2(now, datagram, view)?;
        }
        if self.key.family.is_ipv6() {
            let first = view.address_octets().first_chunk::<16>();
            let link_local = first.is_some_and(|first| is_link_local(&Ipv6Addr::from(*first)));
            if !link_local {
                // V-9
                return Err(DropReason::NotLinkLocal);
            }
        }
        let interval = match view.version() {
            2 => AdvertInterval::from_secs((view.interval_cs() / 100) as u8),
            _ => AdvertInterval::from_centis(view.interval_cs()),
        };
        // V-10
        let interval = interval.ok_or(DropReason::ZeroInterval)?;
        let address_mismatch = !self.same_addresses(view);
        if address_mismatch
            && view.version() == 2
            && view.priority() != 255
            && self.settings.is_strict(Settings::ADDRESSES)
        {
            // V-14, V-20; RFC 3768 section 7.1. Otherwise, and in v3, it is only reported.
            return Err(DropReason::AddressMismatch);
        }
        Ok(ActiveRouter {
            address: datagram.source,
            mac: datagram.source_mac,
            priority: view.priority(),
            version: view.version(),
            interval,
            last_heard: now,
            address_mismatch,
            // V-13
            interval_mismatch: view.version() == 3 && interval != self.settings.advert_interval,
        })
    }

    /// Checks what RFC 3768 section 7.1 and RFC 2338 section 5.3.6 ask beyond the rules of v3.
    fn check_v2(
        &self,
        now: Instant,
        datagram: &Datagram<'_>,
        view: &View<'_>,
    ) -> Result<(), DropReason> {
        if !SMALL && view.count() == 0 && !self.advertised().is_empty() {
            // V-8: a router without addresses is believed by its like.
            return Err(DropReason::NoAddresses);
        }
        // V-17
        match (self.settings.auth, view.auth_type()) {
            (Auth::None, 0) => {}
            (Auth::Simple(password), 1) => {
                if !same_octets(&password, &view.auth_data()) {
                    return Err(DropReason::AuthFailure);
                }
            }
            _ => return Err(DropReason::AuthType),
        }
        let seconds = u16::from(self.settings.advert_interval.as_secs_rounded_up());
        if self.settings.version == Version::V2 {
            if view.interval_cs() != seconds * 100 {
                // V-16
                return Err(DropReason::IntervalMismatch);
            }
        } else if let Some(active) = self.heard.active()
            && active.version == 3
            && active.address == datagram.source
        {
            let interval = active.interval.duration().as_micros();
            if now.since(active.last_heard).as_micros() < V3_REMEMBERED * interval {
                //
                return Err(DropReason::V2ShadowedByV3);
            }
        }
        Ok(())
    }

    /// Whether the advertised addresses are ours, in any order (V-14).
    fn same_addresses(&self, view: &View<'_>) -> bool {
        let (family, ours) = (self.key.family, self.advertised());
        let is_ours = |theirs| ours.iter().any(|ours| ours.octets(family) == theirs);
        let mut theirs = view.address_octets().chunks_exact(family.address_len());
        usize::from(view.count()) == ours.len() && theirs.all(is_ours)
    }

    fn count_accepted(&mut self, heard: &ActiveRouter, form: ChecksumForm) {
        self.count_form(heard.version, form);
        let s = &mut self.statistics;
        if heard.priority == 0 {
            s.priority_zero_received = s.priority_zero_received.wrapping_add(1);
        }
        if self.key.family == Family::Ipv4 && heard.version == 3 {
            let pseudo_header = form == ChecksumForm::PseudoHeader;
            if self.settings.checksum == ChecksumMode::Auto {
                self.learned.set_pseudo_header(pseudo_header);
            }
        }
    }

    fn count_form(&mut self, version: u8, form: ChecksumForm) {
        let s = &mut self.statistics;
        s.adverts_received = s.adverts_received.wrapping_add(1);
        if self.key.family == Family::Ipv4 && version == 3 {
            let counter = match form {
                ChecksumForm::PseudoHeader => &mut s.checksum_pseudo,
                _ => &mut s.checksum_plain,
            };
            *counter = counter.wrapping_add(1);
        }
    }
}

/// Compares without telling by its time how far two passwords agree.
fn same_octets(a: &[u8; 8], b: &[u8; 8]) -> bool {
    u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b)
}
