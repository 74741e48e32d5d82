//! Hosts that answer for the address of a silent master: they are alive, or have left it behind.

use std::collections::BTreeMap;

use vrrp_core::wire::Claim;
use vrrp_core::{Duration, Instant, OnConflict, Reason, State, VrKey};

use super::core::{Core, Notice, Vr};
use crate::event::Event;
use crate::report::{About, Holder, Warning};

/// How long a host that was found before a takeover is told of after it.
const REMEMBER: Duration = Duration::from_secs(180);

/// The host that has answered the last neighbour probe of each virtual router.
#[derive(Debug, Default)]
pub(super) struct Holders(BTreeMap<VrKey, (Claim, Instant)>);

impl Holders {
    /// Forgets a virtual router that is not there any more.
    pub(super) fn forget(&mut self, key: VrKey) {
        self.0.remove(&key);
    }
}

/// Whether a virtual router stays Backup for as long as a host answers.
fn waits(vr: &Vr) -> bool {
    let spec = vr.current.as_ref();
    spec.is_some_and(|spec| spec.settings.on_conflict == OnConflict::Wait)
}

impl Core {
    /// Takes in a claim, which may answer the neighbour probe of a virtual router.
    pub(super) fn hear_holder(&mut self, now: Instant, host_if: u32, claim: Claim) {
        let Some(key) = self.engine.handle_claim(host_if, &claim) else {
            return;
        };
        self.holders.0.insert(key, (claim, now));
        let notice = (key, claim.address, Notice::Unheard);
        if self.notices.note(now, notice).is_none() {
            return;
        }
        if let Some(vr) = self.vrs.get(&key) {
            self.events.push(Event::Unheard {
                id: vr.id.clone(),
                address: claim.address,
                mac: claim.mac,
            });
        }
    }

    /// The host that has the first address of a virtual router though no advertisement of it is heard.
    pub(super) fn holder(&self, now: Instant, key: VrKey) -> Option<Holder> {
        let &(Claim { address, mac }, at) = self.holders.0.get(&key)?;
        let status = self.engine.status(key)?;
        let heard_since = status.active.is_some_and(|active| active.last_heard > at);
        let holds = match status.state {
            State::Initialize => false,
            State::Backup => now.since(at) <= status.down_interval && !heard_since,
            State::Active => status.reason == Reason::ActiveUnheard && now.since(at) <= REMEMBER,
        };
        holds.then_some(Holder { address, mac })
    }

    /// Warns of hosts that have an address and are not heard. Where a peer is refused, or the host is a
    /// stranger without VRRP, another warning says so.
    pub(super) fn unheard_holders(&self, now: Instant, list: &mut Vec<Warning>) {
        if self.holders.0.is_empty() {
            // No need to go through all routers that are heard.
            return;
        }
        let refused = self.refused_peers(now);
        for &key in self.holders.0.keys() {
            let (Some(holder), Some(vr)) = (self.holder(now, key), self.vrs.get(&key)) else {
                continue;
            };
            let Holder { address, mac } = holder;
            if refused.contains_key(&key) || self.conflicts.is_stranger(key, mac) {
                continue;
            }
            let what = match vr.state {
                State::Active => "this host took over",
                State::Backup | State::Initialize if waits(vr) => "this host waits",
                // It takes over in a moment, and then says so.
                State::Backup | State::Initialize => continue,
            };
            list.push(Warning {
                about: About::VirtualRouter(vr.id.clone()),
                text: format!(
                    "a host with the MAC {mac} answers for {address}, and no advertisement of it is heard; {what}: \
                     look for a firewall, IGMP snooping or other settings between the two, or for a vrrpd there \
                     that was killed"
                ),
            });
        }
    }
}
