//! The state of the host, apart from the platform.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use vrrp_core::{
    DropReason, Duration, Error, Failure, Family, FrameKind, Instant, Priority, Reason, State,
    Status, Transmit, VrKey, Vrid,
};

use super::conflicts::Conflicts;
use super::devices::Rounds;
use super::followers::Followers;
use super::groups::Groups;
use super::healing::Healing;
use super::holders::Holders;
use super::partings::Partings;
use super::preparation::Preparations;
use super::probes::{Probed, Probes};
use super::second_path::SecondPaths;
use super::signing::ClockReader;
use super::wishes::Wishes;
use crate::config::{Tracked, VrId, VrSpec};
use crate::error::PlatformError;
use crate::event::{Ended, Event, Why};
use crate::host_if::HostIf;
use crate::interfaces::Interfaces;
use crate::limiter::Limiter;
use crate::limits::{HostEngine, MAX_FRAME};
use crate::objects::Objects;
use crate::queue::Queue;
use crate::report::Lateness;
use crate::report::Rejection;
use crate::setup::VrSetup;
use crate::sightings::Sightings;

/// Answers to ARP and NS kept between receiving and sending. Whoever is not answered asks again.
const MAX_ANSWERS: usize = 64;
/// An ARP answer has 42 octets, a neighbour advertisement 86.
const MAX_ANSWER: usize = 128;

pub(super) struct Core {
    pub(super) engine: Box<HostEngine>,
    pub(super) buf: Box<[u8; MAX_FRAME]>,
    pub(super) interfaces: Interfaces,
    pub(super) objects: Objects,
    pub(super) vrs: BTreeMap<VrKey, Vr>,
    /// Virtual routers that the platform is not ready for.
    pub(super) retries: BTreeMap<VrKey, Retry>,
    /// Virtual routers that are to stop when it is their turn.
    pub(super) partings: Partings,
    pub(super) sightings: Sightings,
    pub(super) conflicts: Conflicts,
    pub(super) probes: Probes,
    pub(super) healing: Healing,
    pub(super) groups: Groups,
    pub(super) holders: Holders,
    pub(super) preparations: Preparations,
    pub(super) clock: ClockReader,
    pub(super) second_paths: SecondPaths,
    pub(super) events: Queue,
    pub(super) answers: Vec<Answer>,
    /// Of VRIDs that are not ours.
    pub(super) rejected: Limiter<(HostIf, Option<u8>, DropReason)>,
    pub(super) rejected_ours: Limiter<(HostIf, Option<u8>, DropReason)>,
    pub(super) notices: Limiter<(VrKey, IpAddr, Notice)>,
    problems: Limiter<(Option<VrKey>, String)>,
    /// The platform's last refusal of each effect, until it is done, in the platform's words.
    refused: BTreeMap<Effect, String>,
    stalls: Limiter<()>,
    pub(super) lateness: Lateness,
    /// The shortest interval of all: being later than this is worth telling.
    pub(super) shortest: Duration,
    pub(super) rounds: Rounds,
    /// Addresses of the other family that follow their virtual routers.
    pub(super) followers: Followers,
    /// Tracked virtual routers may have changed.
    pub(super) look_at_tracked: bool,
    /// Interfaces that have come. The platform has to be asked again for their virtual routers
    /// before the engine is told of their state: the one that it was asked for last, if any.
    pub(super) arrived: BTreeMap<HostIf, Option<VrKey>>,
}

/// The notices about a peer that are given at most once a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Notice {
    Interval,
    Addresses,
    DualOwner,
    Contested,
    Unheard,
}

/// Something that the platform was asked to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    Prepare(VrKey),
    Mac(VrKey),
    Address(VrKey, IpAddr),
    Group(HostIf, Family),
}

impl Effect {
    /// The virtual router that needs it, where it is one.
    pub(super) fn key(self) -> Option<VrKey> {
        match self {
            Effect::Prepare(key) | Effect::Mac(key) | Effect::Address(key, _) => Some(key),
            Effect::Group(..) => None,
        }
    }
}

/// A virtual router, in the engine or on its way there.
pub(super) struct Vr {
    pub(super) id: VrId,
    /// As the engine knows it. `None`: it is not in the engine.
    pub(super) current: Option<VrSpec>,
    /// To be inserted when the engine has let go of `current` and has room.
    pub(super) next: Option<VrSpec>,
    /// The engine was told to remove `current`.
    pub(super) leaving: bool,
    /// The setup that the platform was told. `None`: it is not ready for it.
    pub(super) prepared: Option<VrSetup>,
    /// The last packet for it that was refused.
    pub(super) rejected: Option<Rejection>,
    /// The administrator's wish.
    pub(super) enabled: bool,
    /// The administrator's override.
    pub(super) priority: Option<Priority>,
    /// The administrator's wishes that move or hold it.
    pub(super) wishes: Wishes,
    /// The state of its group that the engine was told. `None`: it is in none.
    pub(super) told_group: Option<State>,
    /// As last reported.
    pub(super) state: State,
    /// The reason of the last change of state.
    pub(super) why: Option<Why>,
    /// Since when it stands back, if it does.
    pub(super) standing_back: Option<Instant>,
    pub(super) probed: Probed,
}

impl Vr {
    pub(super) fn new(id: VrId) -> Self {
        Self {
            id,
            current: None,
            next: None,
            leaving: false,
            prepared: None,
            rejected: None,
            enabled: true,
            priority: None,
            wishes: Wishes::default(),
            told_group: None,
            state: State::Initialize,
            why: None,
            standing_back: None,
            probed: Probed::default(),
        }
    }

    /// Notes whether it stands back.
    pub(super) fn note_standing_back(&mut self, now: Instant, status: Option<&Status>) {
        self.standing_back = match status {
            Some(status) if status.standing_back => self.standing_back.or(Some(now)),
            _ => None,
        };
    }

    /// The wish that ends it, if one does.
    pub(super) fn ended(&self, stopping: bool) -> Ended {
        match (stopping, self.leaving, &self.next) {
            (true, ..) => Ended::ShuttingDown,
            (false, true, None) => Ended::Removed,
            (false, true, Some(_)) => Ended::Replaced,
            (false, false, _) => Ended::Disabled,
        }
    }

    /// Forgets the administrator's wishes that do not outlive what was wanted until now: the priority
    /// stays until the configured one changes, and one that was removed begins anew.
    pub(super) fn forget_wishes(&mut self, next: &VrSpec) {
        let before = self.wanted().map(|spec| spec.settings.priority);
        if before != Some(next.settings.priority) {
            self.priority = None;
        }
        self.enabled |= before.is_none();
    }

    /// The entry that it is to have in the end. `None`: gone.
    pub(super) fn wanted(&self) -> Option<&VrSpec> {
        let current = self.current.as_ref().filter(|_| !self.leaving);
        self.next.as_ref().or(current)
    }
}

/// When the platform is asked for a virtual router that it is not ready for.
pub(super) struct Retry {
    pub(super) at: Instant,
    back_off: Duration,
}

impl Retry {
    const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
    const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

    /// The retry after a refusal at `now`, which came upon `before`.
    fn new(now: Instant, before: Option<&Self>) -> Self {
        let longer = |before: &Self| Duration::from_micros(2 * before.back_off.as_micros());
        let back_off = before.map_or(Duration::ZERO, longer);
        let back_off = back_off.clamp(Self::FIRST_BACK_OFF, Self::LONGEST_BACK_OFF);
        let at = now + back_off;
        Self { at, back_off }
    }

    /// The first time of asking, or a retry that does not wait, since something has changed.
    pub(super) fn at_once(now: Instant) -> Self {
        Self {
            at: now,
            back_off: Duration::ZERO,
        }
    }
}

/// An answer to an ARP request or a neighbour solicitation.
pub(super) struct Answer {
    key: VrKey,
    bytes: [u8; MAX_ANSWER],
    len: usize,
    ip_offset: u16,
    payload_offset: u16,
    kind: FrameKind,
}

impl Answer {
    pub(super) fn transmit(&self) -> Transmit<'_> {
        Transmit {
            key: self.key,
            frame: self.bytes.get(..self.len).unwrap_or_default(),
            ip_offset: self.ip_offset,
            payload_offset: self.payload_offset,
            kind: self.kind,
            unicast: None,
        }
    }
}

impl Core {
    /// # Errors
    /// There is no memory, or no thread, to build the engine.
    pub(super) fn new() -> Result<Self, PlatformError> {
        Ok(Self {
            engine: new_engine()?,
            buf: Box::new([0; MAX_FRAME]),
            interfaces: Interfaces::default(),
            objects: Objects::default(),
            vrs: BTreeMap::new(),
            retries: BTreeMap::new(),
            partings: Partings::default(),
            sightings: Sightings::default(),
            conflicts: Conflicts::default(),
            probes: Probes::default(),
            healing: Healing::default(),
            groups: Groups::default(),
            holders: Holders::default(),
            preparations: Preparations::default(),
            clock: ClockReader::default(),
            second_paths: SecondPaths::default(),
            events: Queue::default(),
            answers: Vec::new(),
            rejected: Limiter::new(),
            rejected_ours: Limiter::new(),
            notices: Limiter::new(),
            problems: Limiter::new(),
            refused: BTreeMap::new(),
            stalls: Limiter::new(),
            lateness: Lateness::default(),
            shortest: Duration::ZERO,
            rounds: Rounds::default(),
            followers: Followers::default(),
            look_at_tracked: false,
            arrived: BTreeMap::new(),
        })
    }

    /// The address that a virtual router advertises from.
    pub(super) fn source(&self, key: VrKey, spec: &VrSpec) -> Option<IpAddr> {
        let state = self.interfaces.get(HostIf::of(key))?.state;
        spec.source.or(match key.family {
            Family::Ipv4 => state.ipv4.map(IpAddr::V4),
            Family::Ipv6 => state.ipv6.map(IpAddr::V6),
        })
    }

    /// The key of a virtual router that is in the engine to stay, or is to come.
    pub(super) fn find(&self, id: &VrId) -> Result<VrKey, Error> {
        let host_if = self.interfaces.number(&id.interface);
        let key = host_if.ok_or(Error::NotFound)?.key(id.vrid, id.family);
        let vr = self.vrs.get(&key).ok_or(Error::NotFound)?;
        vr.wanted().map(|_| key).ok_or(Error::NotFound)
    }

    /// The key of a virtual router that the engine can be told something about.
    pub(super) fn in_engine(&self, key: VrKey) -> bool {
        let vr = self.vrs.get(&key);
        vr.is_some_and(|vr| vr.current.is_some() && !vr.leaving)
    }

    /// Reports a trouble, at most once a minute in the same words.
    pub(super) fn problem(&mut self, now: Instant, key: Option<VrKey>, text: String) {
        if self.problems.note(now, (key, text.clone())).is_some() {
            let id = key
                .and_then(|key| self.vrs.get(&key))
                .map(|vr| vr.id.clone());
            self.events.push(Event::Problem { id, text });
        }
    }

    /// Notes what became of an effect. An error is a problem, and for as long as the effect is wanted
    /// and not achieved it is a warning.
    pub(super) fn note_effect(
        &mut self,
        now: Instant,
        effect: Effect,
        result: &Result<(), PlatformError>,
    ) {
        match result {
            Ok(()) => drop(self.refused.remove(&effect)),
            Err(error) => {
                let text = error.to_string();
                let before = self.refused.insert(effect, text.clone());
                // A question that is asked again and again is no news.
                if !matches!(effect, Effect::Prepare(_)) || before.as_ref() != Some(&text) {
                    self.problem(now, effect.key(), text);
                }
            }
        }
    }

    /// The effects that the platform refused and that are still wanted, with its words.
    pub(super) fn refused(&self) -> impl Iterator<Item = (Effect, &str)> {
        let refused = self.refused.iter();
        refused
            .filter(|(effect, _)| self.is_wanting(**effect))
            .map(|(effect, text)| (*effect, text.as_str()))
    }

    /// Forgets refused effects that nothing wants any more.
    pub(super) fn forget_refused(&mut self) {
        let mut refused = std::mem::take(&mut self.refused);
        refused.retain(|effect, _| self.is_wanting(*effect));
        self.refused = refused;
    }

    /// Whether an effect is wanted and was refused.
    pub(super) fn is_refused(&self, effect: Effect) -> bool {
        self.refused.contains_key(&effect) && self.is_wanting(effect)
    }

    /// Whether an effect that was refused is still wanted: a virtual router that is Backup wants
    /// neither MAC nor addresses, whatever became of them before.
    fn is_wanting(&self, effect: Effect) -> bool {
        let serving = |key| {
            self.engine.status(key).is_some_and(|status| {
                status.state == State::Active
                    || status.state == State::Initialize && status.reason == Reason::EffectFailed
            })
        };
        match effect {
            Effect::Prepare(key) => {
                let vr = self.vrs.get(&key);
                vr.is_some_and(|vr| vr.wanted().is_some() && vr.prepared.is_none())
            }
            Effect::Mac(key) => serving(key),
            Effect::Address(key, address) => {
                if self.is_follower(key, address) {
                    return serving(key);
                }
                serving(key) && self.engine.addresses(key).any(|a| a.address == address)
            }
            Effect::Group(host_if, family) => {
                let on = |key: &&VrKey| HostIf::of(*key) == host_if && key.family == family;
                self.vrs.keys().any(|key| on(&key))
            }
        }
    }

    /// Notes whether the platform is ready for a virtual router. If not, it is asked again.
    pub(super) fn note_readiness(
        &mut self,
        now: Instant,
        key: VrKey,
        result: &Result<(), PlatformError>,
    ) {
        let before = self.retries.remove(&key);
        if result.is_err() {
            self.retries.insert(key, Retry::new(now, before.as_ref()));
        }
        self.note_effect(now, Effect::Prepare(key), result);
        self.look_at_tracked = true;
    }

    /// The platform's words, while it is not ready for a virtual router.
    pub(super) fn why_not_ready(&self, key: VrKey) -> Option<&str> {
        let refused = self.refused.get(&Effect::Prepare(key));
        let refused = refused.filter(|_| self.is_wanting(Effect::Prepare(key)));
        refused.map(String::as_str)
    }

    /// The virtual routers on an interface.
    pub(super) fn vrs_on(&self, host_if: HostIf) -> impl Iterator<Item = (&VrKey, &Vr)> {
        // The least key of an interface.
        let first = Vrid::new(1).map(|vrid| host_if.key(vrid, Family::Ipv4));
        let from_it_on = first.into_iter().flat_map(|first| self.vrs.range(first..));
        from_it_on.take_while(move |(key, _)| HostIf::of(*key) == host_if)
    }

    /// Has the platform asked at once for the virtual routers of an interface that it refused.
    pub(super) fn hasten_retries(&mut self, now: Instant, host_if: HostIf) {
        let retries = self.retries.iter_mut();
        for (_, retry) in retries.filter(|(key, _)| HostIf::of(*key) == host_if) {
            *retry = Retry::at_once(now);
        }
    }

    /// When the platform is to be asked for a virtual router that it is not ready for.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retries.values().map(|retry| retry.at).min()
    }

    /// Reports that the engine refused what was checked before: a fault of this program, of which
    /// somebody should hear.
    pub(super) fn engine_refused(&mut self, now: Instant, key: VrKey, result: Result<(), Error>) {
        if let Err(error) = result {
            self.problem(now, Some(key), format!("the engine refused: {error}"));
        }
    }

    /// Reports that a timer due at `deadline` is only looked at now.
    pub(super) fn note_stall(&mut self, now: Instant, deadline: Instant) {
        let late = now.since(deadline);
        self.lateness.note(late);
        if late > self.shortest && self.stalls.note(now, ()).is_some() {
            self.events.push(Event::Stalled { late: late.into() });
        }
    }

    /// Keeps the engine's answer to this frame, if it has one.
    pub(super) fn answer(&mut self, host_if: HostIf, frame: &[u8]) {
        if self.answers.len() >= MAX_ANSWERS {
            return;
        }
        let mut bytes = [0; MAX_ANSWER];
        let Some(answer) = self.engine.answer(host_if.number(), frame, &mut bytes) else {
            return;
        };
        let (key, len) = (answer.key, answer.frame.len());
        let (ip_offset, payload_offset) = (answer.ip_offset, answer.payload_offset);
        let kind = answer.kind;
        self.answers.push(Answer {
            key,
            bytes,
            len,
            ip_offset,
            payload_offset,
            kind,
        });
    }

    /// Tells the engine of an object's state, if that is news.
    pub(super) fn set_object(&mut self, now: Instant, number: u16, up: bool) {
        if self.objects.set(number, up) {
            self.engine.admin(now).set_tracked(number, up);
            for (key, vr) in &mut self.vrs {
                vr.note_standing_back(now, self.engine.status(*key).as_ref());
            }
        }
    }

    /// Looks at the tracked virtual routers again. Whether the engine was told anything.
    pub(super) fn refresh_tracked(&mut self, now: Instant) -> bool {
        if !std::mem::take(&mut self.look_at_tracked) {
            return false;
        }
        let news: Vec<(u16, bool)> = self
            .objects
            .iter()
            .filter_map(|(number, object)| match &object.what {
                Tracked::VirtualRouter(id) => {
                    let up = !self.has_own_fault(id);
                    (up != object.up).then_some((number, up))
                }
                _ => None,
            })
            .collect();
        for &(number, up) in &news {
            self.set_object(now, number, up);
        }
        !news.is_empty()
    }

    /// Whether a virtual router cannot work for reasons of its own. What it tracks is no such
    /// reason, or two that depend on each other would never come up again.
    fn has_own_fault(&self, id: &VrId) -> bool {
        let Ok(key) = self.find(id) else {
            return false;
        };
        if !self.vrs.get(&key).is_some_and(|vr| vr.enabled) {
            return false;
        }
        let interface = self.interfaces.get(HostIf::of(key));
        if interface.is_none_or(|interface| !interface.serves(key.family)) {
            return true;
        }
        self.why_not_ready(key).is_some()
            || self.engine.status(key).is_some_and(|status| {
                status.state == State::Initialize && status.reason == Reason::EffectFailed
            })
    }

    /// The undone effect, in words, and its virtual router.
    pub(super) fn describe(&self, failure: Failure) -> (Option<VrKey>, String) {
        match failure {
            Failure::Mac { key } => (Some(key), format!("the MAC {}", key.virtual_mac())),
            Failure::Address { key, address } => (Some(key), format!("the address {address}")),
            Failure::Group { ifindex, family } => {
                let name = self.interfaces.name(HostIf::new(ifindex));
                (None, format!("the {family} group membership on {name}"))
            }
        }
    }
}

/// An engine is nearly 2 MB, and on its way to the heap it passes over the stack, where the caller may
/// not have so much: so it gets a stack of its own. Some of it is copied several times when nothing
/// is optimized.
fn new_engine() -> Result<Box<HostEngine>, PlatformError> {
    let cannot = |error| PlatformError::new("build the engine", error);
    std::thread::Builder::new()
        .stack_size(8 * size_of::<HostEngine>())
        .spawn(|| Box::new(HostEngine::new()))
        .map_err(cannot)?
        .join()
        .map_err(|_| cannot(io::Error::other("its thread ended early")))
}
