//! Properties that hold once nothing was disturbed for as long as the protocol needs.

use std::collections::BTreeSet;

use vrrp_core::{AddressCheck, OwnerReceive, State, Status, Version};

use crate::host::Power;
use crate::lan::{Micros, Node, Noise};
use crate::plan::Group;
use crate::port::{Checked, check};
use crate::world::World;

/// The longest wait of the engine before it tries a failed effect again.
const LONGEST_BACKOFF: Micros = 64_000_000;
/// The delay that wake-ups, the way over a few switches and unlike clocks add.
const SLACK: Micros = 100_000;

impl World<'_> {
    /// Checks every virtual router that has had its time. Says whether that was all of them.
    pub(crate) fn expect(&mut self) -> Checked<bool> {
        let mut all = true;
        for index in 0..self.plan.groups.len() {
            all &= self.expect_group(index)?;
        }
        Ok(all)
    }

    /// Checks one virtual router. Says whether it has had its time.
    pub(crate) fn expect_group(&mut self, index: usize) -> Checked<bool> {
        let noisy = self
            .lans
            .iter()
            .any(|lan| lan.noise != Noise::NONE || lan.is_lopsided());
        if noisy || self.hosts.iter().any(|h| h.is_unfit()) {
            return Ok(false);
        }
        if self.now < self.disturbed + self.bound(index) {
            return Ok(false);
        }
        let group = self.plan.groups[index];
        let mut all = true;
        for part in self.lans[group.lan].partitions() {
            all &= self.expect_of(&group, &part)?;
        }
        Ok(all)
    }

    /// How long a virtual router may take after a disturbance: the longest Active_Down_Interval or
    /// handover and what answers to losers may be put off, the delays that were configured, the pause
    /// between offers, and what a failed effect adds.
    pub(crate) fn bound(&self, group: usize) -> Micros {
        let slowest = &self.slowest[group];
        let interval = slowest.interval.max(slowest.handover).as_micros();
        let mut bound = 4 * interval + interval / 4 + SLACK;
        bound += slowest.preempt_delay.as_micros() + slowest.start_delay.as_micros();
        bound += slowest.offers.as_micros();
        if self.hosts.iter().any(|h| h.has_failed) {
            bound += LONGEST_BACKOFF + slowest.interval.as_micros();
        }
        // A client asks a few times before it looks for its neighbour anew.
        bound + 8 * self.plan.ask_every
    }

    fn expect_of(&mut self, group: &Group, part: &[Node]) -> Checked<bool> {
        let hosts = part.iter().filter_map(|node| match node {
            Node::Host(host) => Some(*host),
            _ => None,
        });
        let hosts: Vec<usize> = hosts.collect();
        let able: Vec<usize> = hosts
            .iter()
            .copied()
            .filter(|h| self.hosts[*h].is_able(group.key()))
            .collect();
        if !self.understand_each_other(group, &able) {
            return Ok(false);
        }
        let seen = |world: &Self| {
            let mut text = format!("{group:?} in {part:?}");
            for host in &able {
                text.push_str(&format!(
                    "\n  host {host}: {:?}",
                    world.hosts[*host].status(group.key())
                ));
            }
            text
        };
        let actives = self.actives(group, &hosts);
        self.outcome.verdicts += 1;
        if able.is_empty() {
            check(
                actives.is_empty(),
                "who cannot take part is not Active",
                || seen(self),
            )?;
            return Ok(true);
        }
        check(!actives.is_empty(), "somebody is Active", || seen(self))?;
        let [active] = actives[..] else {
            return check(false, "nobody else is Active", || seen(self)).map(|()| true);
        };
        for host in &able {
            let status = self.status_of(*host, group);
            let takes_part = status.is_some_and(|s| {
                s.state != State::Initialize && (s.standing_back || !s.handing_over)
            });
            check(takes_part, "who can takes part", || seen(self))?;
        }
        self.expect_best(group, &able, active, &seen)?;
        self.expect_followers(group, &able, active, &seen)?;
        self.expect_answers(group, part, active)?;
        Ok(true)
    }

    fn status_of(&self, host: usize, group: &Group) -> Option<Status> {
        self.hosts[host].status(group.key())
    }

    /// No host that would preempt has a higher priority than the Active router, which does not stand
    /// back while another host that does not could serve.
    fn expect_best(
        &self,
        group: &Group,
        able: &[usize],
        active: usize,
        seen: &dyn Fn(&Self) -> String,
    ) -> Checked {
        let Some(best) = self.status_of(active, group) else {
            return Ok(());
        };
        for host in able {
            let Some(status) = self.status_of(*host, group) else {
                continue;
            };
            check(
                !best.standing_back || status.standing_back,
                "one that stands back leaves the addresses to who does not",
                || seen(self),
            )?;
            let wish = &self.hosts[*host].wishes[&group.key()];
            let may = !status.resigned && !status.standing_back;
            let preempts = may && (wish.config.settings.preempt || status.priority.is_owner());
            check(
                !preempts || status.priority <= best.priority,
                "the highest priority is Active",
                || seen(self),
            )?;
        }
        Ok(())
    }

    /// Every Backup knows its Active router and counts its interval.
    fn expect_followers(
        &self,
        group: &Group,
        able: &[usize],
        active: usize,
        seen: &dyn Fn(&Self) -> String,
    ) -> Checked {
        let Some(best) = self.status_of(active, group) else {
            return Ok(());
        };
        for host in able.iter().filter(|host| **host != active) {
            let Some(status) = self.status_of(*host, group) else {
                continue;
            };
            let follows = status.active.is_some_and(|a| {
                self.hosts[active].advertises_from(group.key(), a.address)
                    && (a.priority == best.priority.get() || best.standing_back && a.priority == 0)
            });
            check(follows, "a Backup knows its Active router", || seen(self))?;
            let learned = status.version == Version::V2
                || best.version == Version::V2
                || status.active_interval == best.advert_interval;
            check(
                learned,
                "a Backup counts the Active router's interval",
                || seen(self),
            )?;
        }
        Ok(())
    }

    /// The client is answered by the Active router, address by address.
    fn expect_answers(&self, group: &Group, part: &[Node], active: usize) -> Checked {
        if !part.contains(&Node::Client(group.lan)) {
            return Ok(());
        }
        // A kernel whose daemon is frozen answers for what it holds.
        if self.hosts.iter().any(|h| h.power() == Power::Frozen) {
            return Ok(());
        }
        for address in self.hosts[active].engine().addresses(group.key()) {
            let Some(target) = self.clients[group.lan].targets.get(&address.address) else {
                continue;
            };
            check(
                target.answers.iter().all(|a| *a == Some(active as u8)),
                "the client is answered by the Active router",
                || {
                    format!(
                        "{group:?} {address:?}: {:?} answered, Active is {active}",
                        target.answers
                    )
                },
            )?;
        }
        Ok(())
    }

    /// Whether the rules of the versions let these hosts hear each other at all.
    fn understand_each_other(&self, group: &Group, able: &[usize]) -> bool {
        let configs: Vec<_> = able
            .iter()
            .map(|h| &self.hosts[*h].wishes[&group.key()].config)
            .collect();
        let has = |version| configs.iter().any(|c| c.settings.version == version);
        if has(Version::V2) && has(Version::V3) {
            return false;
        }
        let owners = configs
            .iter()
            .filter(|c| c.settings.owner_receive == OwnerReceive::Discard);
        let discarding_owners = owners.filter(|c| c.settings.priority.is_owner()).count();
        if discarding_owners > 0 && able.len() > 1 {
            let owners = able.iter().filter(|h| {
                let status = self.status_of(**h, group);
                status.is_some_and(|s| s.priority.is_owner() || s.resigned)
            });
            if owners.count() > 1 {
                return false;
            }
        }
        // Signatures are as good as the clocks.
        let signed = configs.iter().any(|c| c.signed);
        if signed && !able.iter().all(|h| self.hosts[*h].has_right_clock()) {
            return false;
        }
        let unicast = configs.iter().filter(|c| !c.peers.is_empty()).count();
        let moved = |h: &usize| !self.hosts[*h].is_where_peers_think(group.lan);
        if unicast != 0 && (unicast != configs.len() || able.iter().any(moved)) {
            return false;
        }
        if !has(Version::V2) {
            return true;
        }
        // RFC 3768 section 7.1: interval and authentication agree, and addresses where that is asked.
        let mut checks = configs.iter().map(|c| c.settings.address_check);
        let strict = checks.any(|check| check == AddressCheck::Strict);
        let said: BTreeSet<_> = configs
            .iter()
            .map(|c| {
                let mut addresses: Vec<_> = c.addresses.iter().map(|a| a.address).collect();
                addresses.sort();
                (
                    c.settings.advert_interval.as_centis(),
                    strict.then_some(addresses),
                    format!("{:?}", c.settings.auth),
                )
            })
            .collect();
        said.len() == 1
    }
}
