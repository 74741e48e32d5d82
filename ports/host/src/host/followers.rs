//! Addresses of another family than their virtual router's, which follow it: served while this host is
//! Active, and not advertised.
//!
//! The engine knows nothing of them. They come after its addresses and go after them. One that cannot be
//! served is a warning and tried again: it fails no election.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vrrp_core::{Duration, Failure, Instant, State, VirtualAddress, VrKey};

use super::Host;
use super::core::{Core, Effect};
use crate::config::VrSpec;
use crate::platform::{AddressChange, Platform};

/// The time between two tries of one that was refused.
const PAUSE: Duration = Duration::from_secs(1);

/// The addresses that follow their virtual routers.
#[derive(Debug, Default)]
pub(super) struct Followers {
    /// Those that are served.
    served: BTreeMap<VrKey, Vec<VirtualAddress>>,
    /// They may not be as they should.
    doubtful: bool,
    retry_at: Option<Instant>,
}

impl Followers {
    /// Notes that states or settings have changed.
    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Takes in that the platform has lost an address. It is served again.
    pub(super) fn lost(&mut self, failure: Failure) {
        if let Failure::Address { key, address } = failure
            && let Some(served) = self.served.get_mut(&key)
            && served.iter().any(|one| one.address == address)
        {
            served.retain(|one| one.address != address);
            self.doubtful = true;
        }
    }

    /// When they are to be looked at.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.doubtful {
            true => Some(Instant::default()),
            false => self.retry_at,
        }
    }
}

impl Core {
    /// Whether an address follows a virtual router, as it is configured now.
    pub(super) fn is_follower(&self, key: VrKey, address: IpAddr) -> bool {
        let spec = self.vrs.get(&key).and_then(|vr| vr.current.as_ref());
        spec.is_some_and(|spec| spec.followers.iter().any(|a| a.address.address == address))
    }

    /// The changes that are to be made for one virtual router: those that go come first.
    fn follower_changes(&self, key: VrKey, spec: Option<&VrSpec>) -> Vec<AddressChange> {
        let wanted = spec.map_or(&[][..], |spec| spec.followers.as_slice());
        let served = self.followers.served.get(&key);
        let served = served.map_or(&[][..], Vec::as_slice);
        let change = |address: VirtualAddress, on| AddressChange {
            address,
            accept: true,
            on,
        };
        let is_wanted = |one: &VirtualAddress| wanted.iter().any(|spec| spec.address == *one);
        let off = served.iter().filter(|one| !is_wanted(one));
        let on = wanted.iter().map(|spec| spec.address);
        let on = on.filter(|address| !served.contains(address));
        off.map(|address| change(*address, false))
            .chain(on.map(|address| change(address, true)))
            .collect()
    }
}

impl<P: Platform> Host<P> {
    /// Serves the followers of virtual routers that are Active, and gives up those of others.
    pub(super) fn follow(&mut self, now: Instant) {
        if self.core.followers.next().is_none_or(|at| at > now) {
            return;
        }
        self.core.followers.doubtful = false;
        self.core.followers.retry_at = None;
        let mut all: Vec<(VrKey, Vec<AddressChange>)> = Vec::new();
        for (key, vr) in &self.core.vrs {
            let spec = vr.current.as_ref();
            let spec = spec.filter(|_| vr.state == State::Active && vr.prepared.is_some());
            let changes = self.core.follower_changes(*key, spec);
            if !changes.is_empty() {
                all.push((*key, changes));
            }
        }
        for (key, changes) in all {
            for some in changes.chunks(self.platform.addresses_at_once().max(1)) {
                self.change_followers(now, key, some);
            }
        }
    }

    /// Gives up the followers of a virtual router that is to be released.
    pub(super) fn leave_followers(&mut self, now: Instant, key: VrKey) {
        let changes = self.core.follower_changes(key, None);
        if !changes.is_empty() {
            self.change_followers(now, key, &changes);
        }
        self.core.followers.served.remove(&key);
    }

    fn change_followers(&mut self, now: Instant, key: VrKey, changes: &[AddressChange]) {
        let results = self.platform.set_addresses(key, changes);
        for (change, result) in changes.iter().zip(results) {
            let address = change.address;
            let served = self.core.followers.served.entry(key).or_default();
            if !change.on {
                served.retain(|one| *one != address);
                if let Err(error) = result {
                    // The platform goes on trying, and warns.
                    self.core.problem(now, Some(key), error.to_string());
                }
                continue;
            }
            if result.is_ok() {
                served.push(address);
                self.announce_follower(now, key, address);
            } else {
                self.core.followers.retry_at = Some(now + PAUSE);
            }
            let effect = Effect::Address(key, address.address);
            self.core.note_effect(now, effect, &result);
        }
    }

    /// Begins to announce an address on the interface that carries it.
    fn announce_follower(&mut self, now: Instant, key: VrKey, address: VirtualAddress) {
        let vr = self.core.vrs.get(&key);
        let Some(spec) = vr.and_then(|vr| vr.current.as_ref()) else {
            return;
        };
        let mut carriers = spec.follower_places();
        let carrier = carriers.find(|(_, ip)| *ip == address.address);
        if let Some(host_if) = carrier.and_then(|(name, _)| self.core.interfaces.number(name)) {
            self.core.rounds.begin(now, host_if);
        }
    }
}
