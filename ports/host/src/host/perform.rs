//! Performs the engine's outputs, and sets the next wake-up.
//!
//! Effects take long, thousands of them hundreds of milliseconds. So they are performed in slices:
//! between two of them the host receives, handles timers and sends the advertisements that are due.

use std::collections::BTreeMap;
use std::io;

use vrrp_core::{
    Duration, Failure, FrameKind, Instant, Output, Poll, State, StateChange, Transmit, VrKey,
};

use super::Host;
use super::core::{Effect, Vr};
use super::devices::{self, Way};
use super::learning::LearningFrame;
use crate::error::PlatformError;
use crate::event::{Event, Why};
use crate::host_if::HostIf;
use crate::interfaces::Interfaces;
use crate::platform::{AddressChange, Platform};

/// Outputs performed before the host receives again, should the clock stand still.
const MAX_OUTPUTS: usize = 16_384;
/// The longest time for which effects are performed before the host receives again. A deadline of a
/// virtual router ends a slice before that.
const SLICE: Duration = Duration::from_millis(2);

/// A slice of time in which effects are performed. It has room for one at least, so that they come
/// to an end however busy the host is.
#[derive(Default)]
pub(super) struct Slice {
    /// Its end. `None`: nothing has been performed.
    until: Option<Instant>,
}

impl<P: Platform> Host<P> {
    /// Brings everything to where it belongs after any input.
    pub(super) fn settle(&mut self, now: Instant) -> io::Result<()> {
        self.perform(now);
        self.arm()
    }

    /// Like [`settle`](Self::settle), for calls that have no error of the kind to give.
    pub(super) fn settle_or_tell(&mut self, now: Instant) {
        self.perform(now);
        self.arm_or_tell(now);
    }

    /// Performs a slice of what is to be done.
    fn perform(&mut self, now: Instant) {
        let mut slice = Slice::default();
        self.prepare_arrived(now, &mut slice);
        loop {
            self.retry(now, &mut slice);
            self.drain(now, &mut slice);
            // The last outputs may have made room for another virtual router.
            let more = self.core.next_retry().is_some_and(|at| at <= now);
            if !more || self.unfinished || self.is_over(&mut slice) {
                break;
            }
        }
        self.follow(now);
        if self.reap_due && !self.unfinished {
            self.reap_due = false;
            self.reap(now);
        }
    }

    /// Whether a slice, in which something has been performed, is over: its time is, or a deadline of
    /// a virtual router has come.
    pub(super) fn is_over(&self, slice: &mut Slice) -> bool {
        let now = self.platform.now();
        let until = *slice.until.get_or_insert(now + SLICE);
        until <= now || self.core.engine.poll_timeout().is_some_and(|at| at <= now)
    }

    /// Sends the advertisements that wait for nothing.
    pub(super) fn advertise(&mut self) {
        let mut any = false;
        while let Some(transmit) = self.core.engine.poll_advertisement(&mut self.core.buf[..]) {
            let (vrs, interfaces) = (&self.core.vrs, &self.core.interfaces);
            send(&mut self.platform, vrs, interfaces, &transmit);
            let paths = &self.core.second_paths;
            paths.send_copy(&mut self.platform, interfaces, &transmit);
            any = true;
        }
        if any {
            self.platform.flush();
        }
    }

    /// In the midst of something long: sends the advertisements that have come due. What else
    /// follows from the timers, and from what is received before them (T-8), comes later.
    pub(super) fn keep_up(&mut self) {
        let now = self.platform.now();
        if self.core.engine.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        // An error comes again in the next step, and is told then.
        let _ = self.receive(now);
        self.core.engine.handle_timeout(now);
        self.advertise();
    }

    /// Performs all outputs, for what cannot go on before. Advertisements are not late.
    pub(super) fn drain_all(&mut self, now: Instant) {
        loop {
            self.drain(now, &mut Slice::default());
            if !self.unfinished {
                return;
            }
            self.keep_up();
        }
    }

    /// Performs outputs until there are none, or the slice is over.
    fn drain(&mut self, now: Instant, slice: &mut Slice) {
        // Frames wait to be flushed.
        let mut queued = !self.core.answers.is_empty();
        for answer in &self.core.answers {
            self.platform.transmit(&answer.transmit());
        }
        self.core.answers.clear();
        self.unfinished = true;
        for _ in 0..MAX_OUTPUTS {
            let Poll::Output(output) = self.core.engine.poll_output(&mut self.core.buf[..]) else {
                if self.core.refresh_tracked(now) || self.core.review_groups(now, self.stopping) {
                    continue;
                }
                self.core.report_groups(now);
                self.unfinished = false;
                break;
            };
            if queued && !matches!(output, Output::Transmit(_)) {
                // Frames do not wait for effects that take long.
                self.platform.flush();
                queued = false;
            }
            match output {
                Output::Transmit(transmit) => {
                    let (vrs, interfaces) = (&self.core.vrs, &self.core.interfaces);
                    send(&mut self.platform, vrs, interfaces, &transmit);
                    let paths = &self.core.second_paths;
                    paths.send_copy(&mut self.platform, interfaces, &transmit);
                    queued = true;
                    if transmit.kind == FrameKind::Advertisement {
                        continue;
                    }
                }
                Output::SetMac { key, mac, on } => {
                    let result = self.platform.set_mac(key, mac, on);
                    self.performed(now, Effect::Mac(key), on, result, Failure::Mac { key });
                }
                Output::SetAddress {
                    key,
                    address,
                    accept,
                    on,
                } => {
                    let first = AddressChange {
                        address,
                        accept,
                        on,
                    };
                    self.set_addresses(now, key, first);
                }
                Output::SetGroup {
                    ifindex,
                    family,
                    on,
                } => {
                    let host_if = HostIf::new(ifindex);
                    if !on && self.core.second_paths.needs(host_if, family) {
                        continue;
                    }
                    let result = self.platform.set_group(host_if, family, on);
                    let effect = Effect::Group(host_if, family);
                    self.performed(now, effect, on, result, Failure::Group { ifindex, family });
                }
                Output::StateChange(change) => self.state_changed(change),
                Output::Removed { key } => self.removed(now, key),
            }
            if self.is_over(slice) {
                break;
            }
        }
        self.platform.flush();
    }

    /// Performs a change of an address, with those that follow it as far as the platform can do
    /// several at once.
    fn set_addresses(&mut self, now: Instant, key: VrKey, first: AddressChange) {
        let mut changes = vec![first];
        let most = self.platform.addresses_at_once();
        while changes.len() < most
            && let Some(Output::SetAddress {
                address,
                accept,
                on,
                ..
            }) = self.core.engine.poll_further_address(key)
        {
            changes.push(AddressChange {
                address,
                accept,
                on,
            });
        }
        let results = self.platform.set_addresses(key, &changes);
        debug_assert_eq!(results.len(), changes.len());
        for (change, result) in changes.iter().zip(results) {
            let address = change.address.address;
            let effect = Effect::Address(key, address);
            let failure = Failure::Address { key, address };
            self.performed(now, effect, change.on, result, failure);
        }
    }

    fn performed(
        &mut self,
        now: Instant,
        effect: Effect,
        on: bool,
        result: Result<(), PlatformError>,
        failure: Failure,
    ) {
        if on {
            self.core.note_effect(now, effect, &result);
        } else if let Err(error) = &result {
            // The platform goes on trying, and warns.
            self.core.problem(now, effect.key(), error.to_string());
        }
        let excused = match effect {
            Effect::Address(key, address) if on => self.core.waits_for_device(key, address),
            _ => false,
        };
        if let Err(error) = result
            && !excused
        {
            self.core.engine.handle_failure(now, failure);
            self.core.look_at_tracked = true;
            if let Effect::Mac(key) = effect
                && error.error.kind() == io::ErrorKind::AddrInUse
            {
                self.leave_mac_to_its_holder(now, key);
            }
        }
    }

    /// Lets a virtual router wait for the end of the Active router that has its MAC on the same card. To
    /// preempt that router would fail again and again, and the back-off would delay the takeover.
    fn leave_mac_to_its_holder(&mut self, now: Instant, key: VrKey) {
        let status = self.core.engine.status(key);
        if status.is_some_and(|status| status.state == State::Initialize) {
            let result = self.core.engine.admin(now).resign(key);
            self.core.engine_refused(now, key, result);
        }
    }

    fn state_changed(&mut self, change: StateChange) {
        self.core.look_at_tracked = true;
        let Some(vr) = self.core.vrs.get_mut(&change.key) else {
            return;
        };
        vr.state = change.to;
        self.core.followers.doubt();
        self.core.healing.forget(change.key);
        let Some(vr) = self.core.vrs.get_mut(&change.key) else {
            return;
        };
        let ended = vr.ended(self.stopping);
        let status = self.core.engine.status(change.key);
        let Some(status) = status else {
            return;
        };
        let why = Why::new(&status, change.reason, change.peer, ended);
        let group = self
            .core
            .decided_by_group(change.key, &status, change.reason);
        let why = why.of_group(group);
        let Some(vr) = self.core.vrs.get_mut(&change.key) else {
            return;
        };
        vr.why = Some(why.clone());
        let event = Event::StateChange {
            id: vr.id.clone(),
            from: change.from,
            to: change.to,
            why,
            addresses: self.core.engine.addresses(change.key).collect(),
        };
        self.core.events.push(event);
    }

    /// The engine has let go of a virtual router: undo its setup, and put in its place what waits
    /// for it.
    fn removed(&mut self, now: Instant, key: VrKey) {
        self.leave_followers(now, key);
        let Some(vr) = self.core.vrs.get_mut(&key) else {
            return;
        };
        vr.current = None;
        vr.leaving = false;
        vr.told_group = None;
        self.core.retries.remove(&key);
        if vr.prepared.take().is_some() {
            self.platform.release(key);
            // It may have been in the way of another.
            self.core.hasten_retries(now, HostIf::of(key));
        }
        let Some(vr) = self.core.vrs.get_mut(&key) else {
            return;
        };
        if vr.next.is_none() {
            let id = vr.id.clone();
            self.core.vrs.remove(&key);
            self.core.events.push(Event::Removed { id });
        }
        self.core.sightings.judge_anew(key);
        self.core.conflicts.forget(key);
        self.core.holders.forget(key);
        self.reap_due = true;
        self.admit(now);
    }

    /// Sets the next wake-up, after everything else: any call of the platform may want one, too.
    fn arm(&mut self) -> io::Result<()> {
        let deadline = self.deadline();
        self.platform.set_wakeup(deadline)
    }

    /// Like [`arm`](Self::arm), for calls that have no error of the kind to give.
    pub(super) fn arm_or_tell(&mut self, now: Instant) {
        if let Err(error) = self.arm() {
            self.core
                .problem(now, None, format!("cannot set the wake-up: {error}"));
        }
    }

    /// When the next [`step`](Self::step) has something to do, if nothing comes before.
    fn deadline(&self) -> Option<Instant> {
        if self.unfinished || !self.core.arrived.is_empty() {
            // A deadline that has passed is due at once.
            return Some(Instant::default());
        }
        let deadline = self.core.engine.poll_timeout();
        let others = self
            .core
            .next_retry()
            .into_iter()
            .chain(self.core.rounds.next())
            .chain(self.core.followers.next())
            .chain(self.core.healing.next())
            .chain(self.core.groups.next())
            .chain(self.core.partings.next())
            .chain(self.core.second_paths.next());
        deadline.into_iter().chain(others).min()
    }

    /// Panics in debug builds if the platform has lost the wake-up that it was told to set.
    pub(super) fn assert_armed(&self) {
        let deadline = self.deadline();
        debug_assert!(
            deadline.is_none_or(|at| self.platform.wakeup().is_some_and(|armed| armed <= at)),
            "the timer is set to {:?} and not to {deadline:?}",
            self.platform.wakeup(),
        );
    }
}

/// Sends a frame of the engine's: an announcement of an address that is on a device there, and with
/// advertisements to unicast peers what keeps switches from forgetting the virtual MAC.
fn send<P: Platform>(
    platform: &mut P,
    vrs: &BTreeMap<VrKey, Vr>,
    interfaces: &Interfaces,
    transmit: &Transmit<'_>,
) {
    if let Way::Device(host_if, address) = devices::way(vrs, interfaces, transmit) {
        if let Some(device) = interfaces.get(host_if) {
            devices::announce(platform, host_if, device, address);
        }
        return;
    }
    if transmit.kind == FrameKind::NeighborProbe {
        platform.probe(HostIf::of(transmit.key), transmit.frame);
        return;
    }
    platform.transmit(transmit);
    let learning = transmit.unicast.and_then(|_| vrs.get(&transmit.key));
    let learning = learning.and_then(|vr| LearningFrame::for_advertisement(vr, transmit));
    if let Some(learning) = learning {
        platform.transmit(&learning.transmit(transmit));
    }
}
