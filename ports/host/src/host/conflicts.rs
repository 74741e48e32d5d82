//! Address conflicts (RFC 5227): other hosts that have an address of ours without VRRP.
//!
//! They show by the sender of an ARP packet or the target of a neighbour advertisement. The routers of a
//! virtual router send the same, from the virtual MAC, or from a MAC that they also advertise from. So a
//! host counts as a stranger when nothing with its MAC has advertised around the time of its last claim.
//!
//! Everything is bounded: hosts per virtual router, addresses per host, claims per second. Nothing of it
//! happens when an advertisement is received or sent.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use vrrp_core::wire::Claim;
use vrrp_core::{Duration, Family, Instant, MacAddr, State, VrKey};

use super::core::Core;
use crate::host_if::HostIf;
use crate::interfaces::Interface;
use crate::report::{About, Warning};

/// Hosts remembered for each virtual router, and for the own addresses of each interface.
const MOST_HOSTS: usize = 4;
/// Addresses remembered of each host. The last one stands for more.
const MOST_ADDRESSES: usize = 5;
/// Claims looked at in a second; the rest is ignored.
const MOST_CLAIMS: u32 = 100;
/// A host that has made no claim for this long is forgotten, and its warning ends.
const FORGET: Duration = Duration::from_secs(180);
/// A router that has ceased to advertise may announce the addresses for this long, and four of its
/// intervals.
const FORMER: Duration = Duration::from_secs(30);
/// The shortest time for which a router may announce the addresses before its first advertisement is
/// heard. It is Active_Down_Interval where that is longer.
const SETTLED: Duration = Duration::from_secs(2);
/// The time between two reviews.
const REVIEW: Duration = Duration::from_secs(1);

/// The hosts that have made claims lately, routers included.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    claimed: BTreeMap<Owner, Vec<Claimant>>,
    reviewed: Instant,
    /// The claims of the second that began then.
    counted: (Instant, u32),
}

/// The part of the configuration that an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    VirtualRouter(VrKey),
    /// An address of an interface by itself.
    Interface(HostIf),
}

/// A host that says that it has addresses of ours.
#[derive(Debug)]
struct Claimant {
    mac: MacAddr,
    /// In the order in which they were heard.
    addresses: Vec<IpAddr>,
    last: Instant,
    /// Since when it has been a stranger. `None`: it is a router, or it has not been reviewed.
    stranger_since: Option<Instant>,
    /// When it was asked for last.
    asked: Instant,
}

impl Claimant {
    fn is_over(&self, now: Instant) -> bool {
        now.since(self.last) > FORGET
    }

    fn warning(&self, interface: &str, owner: Owner) -> String {
        let mac = self.mac;
        let named = self.addresses.iter().take(MOST_ADDRESSES - 1);
        let mut addresses = named.map(ToString::to_string).collect::<Vec<_>>().join(" ");
        if self.addresses.len() == MOST_ADDRESSES {
            addresses += " and more";
        }
        match owner {
            Owner::VirtualRouter(_) => format!(
                "another host on {interface} (MAC {mac}) has {addresses} without VRRP: remove the address from that host, or have it no longer answer for others (proxy ARP)"
            ),
            Owner::Interface(_) => format!(
                "another host on {interface} (MAC {mac}) has our own address {addresses}, too: give one of the two another address"
            ),
        }
    }
}

impl Conflicts {
    /// Whether another claim may be looked at in this second.
    fn has_time(&mut self, now: Instant) -> bool {
        let (begin, count) = &mut self.counted;
        if now.since(*begin) >= Duration::from_secs(1) {
            (*begin, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= MOST_CLAIMS
    }

    fn note(&mut self, now: Instant, owner: Owner, claim: Claim) {
        let hosts = self.claimed.entry(owner).or_default();
        hosts.retain(|host| !host.is_over(now));
        if let Some(host) = hosts.iter_mut().find(|host| host.mac == claim.mac) {
            host.last = now;
            let known = host.addresses.contains(&claim.address);
            if !known && host.addresses.len() < MOST_ADDRESSES {
                host.addresses.push(claim.address);
            }
            return;
        }
        if hosts.len() == MOST_HOSTS {
            // Routers make room for strangers.
            let router = hosts.iter().position(|host| host.stranger_since.is_none());
            let Some(router) = router else {
                return;
            };
            hosts.remove(router);
        }
        hosts.push(Claimant {
            mac: claim.mac,
            addresses: vec![claim.address],
            last: now,
            stranger_since: None,
            asked: Instant::default(),
        });
    }

    /// The stranger that was not asked for in `each` and for the longest time, by an address of a virtual
    /// router.
    pub(super) fn stranger_to_ask(&self, now: Instant, each: Duration) -> Option<(VrKey, IpAddr)> {
        let strangers = self.claimed.iter().flat_map(|(owner, hosts)| {
            let key = match owner {
                Owner::VirtualRouter(key) => Some(*key),
                Owner::Interface(_) => None,
            };
            let strangers = hosts.iter().filter(|host| host.stranger_since.is_some());
            strangers.filter_map(move |host| Some((host.asked, key?, *host.addresses.first()?)))
        });
        let (asked, key, address) = strangers.min()?;
        (now.since(asked) >= each).then_some((key, address))
    }

    /// Notes that strangers were asked for.
    pub(super) fn asked(&mut self, now: Instant, key: VrKey, address: IpAddr) {
        let hosts = self.claimed.get_mut(&Owner::VirtualRouter(key));
        for host in hosts.into_iter().flatten() {
            if host.addresses.first() == Some(&address) {
                host.asked = now;
            }
        }
    }

    /// Whether a host is known to have an address of a virtual router without VRRP.
    pub(super) fn is_stranger(&self, key: VrKey, mac: MacAddr) -> bool {
        let hosts = self.claimed.get(&Owner::VirtualRouter(key));
        let mut hosts = hosts.into_iter().flatten();
        hosts.any(|host| host.mac == mac && host.stranger_since.is_some())
    }

    /// Forgets the claims to the addresses of a virtual router, whose routers are heard anew.
    pub(super) fn forget(&mut self, key: VrKey) {
        self.claimed.remove(&Owner::VirtualRouter(key));
    }

    /// Forgets the claims to the own addresses of an interface.
    pub(super) fn forget_interface(&mut self, host_if: HostIf) {
        self.claimed.remove(&Owner::Interface(host_if));
    }
}

impl Core {
    /// Takes in a frame by which another host may claim an address of ours.
    pub(super) fn claimed(&mut self, now: Instant, host_if: HostIf, frame: &[u8]) {
        let Some(claim) = Claim::new(frame) else {
            return;
        };
        let is_ours = |(_, interface): (HostIf, &Interface)| interface.state.mac == claim.mac;
        if !self.conflicts.has_time(now) || self.interfaces.iter().any(is_ours) {
            return;
        }
        self.hear_holder(now, host_if.number(), claim);
        if let Some(owner) = self.owner(host_if, claim) {
            self.conflicts.note(now, owner, claim);
        }
    }

    /// The owner of an address that another host claims. Returns `None` if the claim is none, or cannot
    /// be judged. A virtual router in Initialize refuses the advertisements by which it would know the
    /// other routers, and no router advertises on another interface than the virtual router's own.
    fn owner(&self, host_if: HostIf, claim: Claim) -> Option<Owner> {
        let family = Family::of(claim.address);
        let on_it = self.vrs_on(host_if);
        let mut keys = on_it.filter(|(key, _)| key.family == family).map(|v| *v.0);
        let has = |key: &VrKey| {
            let mut addresses = self.engine.addresses(*key);
            addresses.any(|address| address.address == claim.address)
        };
        let Some(key) = keys.find(has) else {
            let owns = self.own_addresses(host_if).any(|own| own == claim.address);
            return owns.then_some(Owner::Interface(host_if));
        };
        let spec = self.vrs.get(&key)?.current.as_ref()?;
        let status = self.engine.status(key)?;
        let judged = status.state != State::Initialize
            && spec.device_of(claim.address).is_none()
            && claim.mac != key.virtual_mac();
        judged.then_some(Owner::VirtualRouter(key))
    }

    /// The addresses that virtual routers on an interface advertise from.
    fn own_addresses(&self, host_if: HostIf) -> impl Iterator<Item = IpAddr> {
        let state = self.interfaces.get(host_if).map(|i| i.state);
        let of_interface = state.into_iter().flat_map(|state| {
            let ipv4 = state.ipv4.map(IpAddr::V4);
            ipv4.into_iter().chain(state.ipv6.map(IpAddr::V6))
        });
        let vrs = self.vrs_on(host_if);
        of_interface.chain(vrs.filter_map(|(_, vr)| vr.current.as_ref()?.source))
    }

    /// Tells strangers from routers, about once a second while there are claims.
    pub(super) fn review_conflicts(&mut self, now: Instant) {
        let conflicts = &mut self.conflicts;
        if conflicts.claimed.is_empty() || now.since(conflicts.reviewed) < REVIEW {
            return;
        }
        conflicts.reviewed = now;
        // Until when a router may claim the addresses of a virtual router.
        let mut routers: HashMap<(VrKey, MacAddr), Instant> = HashMap::new();
        for (place, seen) in self.sightings.iter() {
            let interval = seen.interval.duration().as_micros();
            let until = seen.last_heard + FORMER + Duration::from_micros(4 * interval);
            let last = routers.entry((place.key, seen.mac)).or_insert(until);
            *last = until.max(*last);
        }
        let vrs = &self.vrs;
        conflicts.claimed.retain(|owner, hosts| {
            hosts.retain(|host| !host.is_over(now));
            for host in hosts.iter_mut() {
                let until = match owner {
                    Owner::VirtualRouter(key) => routers.get(&(*key, host.mac)),
                    Owner::Interface(_) => None,
                };
                if until.is_some_and(|until| host.last <= *until) {
                    host.stranger_since = None;
                } else {
                    host.stranger_since.get_or_insert(now);
                }
            }
            let exists = match owner {
                Owner::VirtualRouter(key) => vrs.contains_key(key),
                Owner::Interface(_) => true,
            };
            exists && !hosts.is_empty()
        });
    }

    /// Warns of strangers.
    pub(super) fn address_conflicts(&self, now: Instant, list: &mut Vec<Warning>) {
        for (&owner, hosts) in &self.conflicts.claimed {
            let (about, host_if, settled) = match owner {
                Owner::VirtualRouter(key) => {
                    let (Some(vr), Some(status)) = (self.vrs.get(&key), self.engine.status(key))
                    else {
                        continue;
                    };
                    if status.state == State::Initialize {
                        continue;
                    }
                    let about = About::VirtualRouter(vr.id.clone());
                    (about, HostIf::of(key), SETTLED.max(status.down_interval))
                }
                Owner::Interface(host_if) => (self.about_interface(host_if), host_if, SETTLED),
            };
            let interface = self.interfaces.name(host_if);
            let strangers = hosts.iter().filter(|host| {
                let since = host.stranger_since;
                !host.is_over(now) && since.is_some_and(|since| now.since(since) >= settled)
            });
            list.extend(strangers.map(|host| Warning {
                about: about.clone(),
                text: host.warning(interface, owner),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_bounded() {
        let mut conflicts = Conflicts::default();
        let owner = Owner::Interface(HostIf::new(1));
        let now = Instant::from_micros(5_000_000);
        for number in 0..=255 {
            for host in 0..=255 {
                let claim = Claim {
                    address: [10, 0, 0, number].into(),
                    mac: MacAddr([2, 0, 0, 0, 0, host]),
                };
                conflicts.note(now, owner, claim);
                for host in conflicts.claimed.get_mut(&owner).unwrap() {
                    host.stranger_since = Some(now);
                }
            }
        }
        let hosts = &conflicts.claimed[&owner];
        assert_eq!(hosts.len(), MOST_HOSTS);
        assert!(hosts.iter().all(|h| h.addresses.len() == MOST_ADDRESSES));
        let looked_at = |conflicts: &mut Conflicts, second: u64| {
            let times = (0..100_000u64)
                .filter(|n| conflicts.has_time(Instant::from_micros(second * 1_000_000 + n * 10)));
            times.count()
        };
        for second in 10..20 {
            assert_eq!(looked_at(&mut conflicts, second), MOST_CLAIMS as usize);
        }
    }
}
