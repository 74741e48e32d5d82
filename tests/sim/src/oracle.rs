//! The protocol a second time: one virtual router, written from the checklist (`core/RULES.md`)
//! as plainly as can be, to be compared with the engine step by step. Times are microseconds.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vrrp_core::{
    AddressCheck, Auth, Family, MacMode, OnConflict, OwnerReceive, State, TrackEffect, Version,
    VrKey,
};

use crate::config::Config;
use crate::message::{Message, Sum};
use crate::signature::Judge;

/// Never.
pub const NEVER: u64 = u64::MAX;

/// Why an Active router serves on though it has been told to leave, or has yielded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Stop,
    Resign,
    Offer,
    Yield,
}

/// Another router, as last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its address.
    pub source: IpAddr,
    /// The priority that it said.
    pub priority: u8,
    /// The version that it spoke.
    pub version: u8,
    /// The interval that it said, in centiseconds.
    pub interval_cs: u16,
    /// When.
    pub at: u64,
}

/// The neighbour probe of a Backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    At(u64),
    Sent,
    Answered,
}

/// An advertisement to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// 2 or 3.
    pub version: u8,
    /// The priority.
    pub priority: u8,
    /// The interval in the unit of the version.
    pub interval: u16,
}

/// The oracle.
#[derive(Clone, Debug)]
pub struct Oracle {
    key: VrKey,
    /// Its configuration.
    pub config: Config,
    /// The interface's address, if it has one.
    pub own: Option<IpAddr>,
    /// Whether the interface is up.
    pub up: bool,
    enabled: bool,
    set_priority: Option<u8>,
    resigned: bool,
    down_objects: BTreeMap<u16, bool>,
    /// Its state.
    pub state: State,
    leaving: Option<Leaving>,
    /// The router heard last.
    pub heard: Option<Heard>,
    learned_cs: u16,
    /// Adver_Timer, Active_Down_Timer or the end of leaving.
    timer: u64,
    preempt_at: u64,
    /// When it became Backup.
    backup_since: u64,
    listen_until: u64,
    stalled: bool,
    probe: Probe,
    /// When it answered last; `None` since it became Active.
    answered: Option<u64>,
    answer_due: bool,
    /// Advertisements until the next offer; 0 for none.
    until_offer: u64,
    /// The messages sent since they were last taken away.
    pub said: Vec<Said>,
    /// The probes sent since they were last taken away.
    pub probes: u32,
    /// The judge of signatures, and the second of Unix time at time 0. `None`: there are no keys.
    pub judge: Option<(Judge, u64)>,
}

impl Oracle {
    /// A disabled virtual router on an interface that is up.
    pub fn new(key: VrKey, config: &Config, own: IpAddr) -> Self {
        Self {
            key,
            config: config.clone(),
            own: Some(own),
            up: true,
            enabled: false,
            set_priority: None,
            resigned: false,
            down_objects: BTreeMap::new(),
            state: State::Initialize,
            leaving: None,
            heard: None,
            learned_cs: config.settings.advert_interval.as_centis(),
            timer: NEVER,
            preempt_at: NEVER,
            backup_since: 0,
            listen_until: 0,
            stalled: false,
            answered: None,
            answer_due: false,
            until_offer: 0,
            said: Vec::new(),
            probe: Probe::At(NEVER),
            probes: 0,
            judge: None,
        }
    }

    /// Whether it serves on though it is about to leave.
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// The interval that a Backup counts.
    pub fn learned_cs(&self) -> u16 {
        self.learned_cs
    }

    /// When something happens next.
    pub fn next(&self) -> u64 {
        let next = self.timer.min(self.preempt_at);
        match self.probe {
            Probe::At(at) if self.state == State::Backup => next.min(at),
            _ => next,
        }
    }

    /// Sets Active_Down_Timer, and G-8: an interval before its end the first address is asked for.
    fn wait_until(&mut self, at: u64) {
        self.timer = at;
        self.probe = Probe::At(at.saturating_sub(self.learned()));
    }

    /// G-8: somebody says that he has an address. Says whether that answers a probe.
    pub fn claim(&mut self, address: IpAddr) -> bool {
        let asked = self.config.addresses.first().map(|a| a.address) == Some(address);
        let answers = self.state == State::Backup && self.probe == Probe::Sent && asked;
        if answers {
            self.probe = Probe::Answered;
        }
        answers
    }

    fn is_down(&self, effect: TrackEffect) -> bool {
        let mut tracks = self.config.tracks.iter();
        tracks.any(|t| t.effect == effect && self.down_objects.get(&t.object) == Some(&true))
    }

    /// G-7: every other router is to serve rather than this one.
    pub fn stands_back(&self) -> bool {
        self.is_down(TrackEffect::StandBack)
    }

    /// The priority that is advertised.
    pub fn priority(&self) -> u8 {
        match self.stands_back() {
            true => 1,
            false => self.rank(),
        }
    }

    /// The priority of one that does not stand back: tracked objects move it within 1 to 254 (G-1).
    fn rank(&self) -> u8 {
        let base = self
            .set_priority
            .unwrap_or(self.config.settings.priority.get());
        let moved: i32 = self
            .config
            .tracks
            .iter()
            .map(|t| {
                let down = self.down_objects.get(&t.object) == Some(&true);
                match t.effect {
                    TrackEffect::WhileDown(w) if down => i32::from(w),
                    TrackEffect::WhileUp(w) if !down => i32::from(w),
                    _ => 0,
                }
            })
            .sum();
        match moved {
            0 => base,
            1.. if base == 255 => 255,
            _ => (i32::from(base) + moved).clamp(1, 254) as u8,
        }
    }

    fn interval(&self) -> u64 {
        u64::from(self.config.settings.advert_interval.as_centis()) * 10_000
    }

    fn learned(&self) -> u64 {
        u64::from(self.learned_cs) * 10_000
    }

    /// RFC 9568 and RFC 3768 section 6.1.
    fn skew(&self) -> u64 {
        let of = match self.config.settings.version {
            Version::V2 => 1_000_000,
            _ => self.learned(),
        };
        of * (256 - u64::from(self.rank())) / 256
    }

    /// The address that it advertises from.
    fn own(&self) -> Option<IpAddr> {
        self.config.source.or(self.own)
    }

    fn down(&self) -> u64 {
        3 * self.learned() + self.skew()
    }

    /// G-7: the silence after which it takes over.
    fn patience(&self) -> u64 {
        match self.stands_back() {
            true => self.down() + 2 * self.learned(),
            false => self.down(),
        }
    }

    fn may_run(&self) -> bool {
        let faulty = self.is_down(TrackEffect::Fault);
        self.enabled && self.up && self.own().is_some() && !faulty
    }

    fn mute(&self) -> bool {
        !self.up || self.own().is_none()
    }

    fn say(&mut self, priority: u8) {
        // Of two that are owed at once only the latter is sent.
        self.said.clear();
        if self.mute() {
            return;
        }
        let cs = match self.leaving {
            Some(Leaving::Yield) => self.learned_cs.min(4095),
            _ => self.config.settings.advert_interval.as_centis(),
        };
        let seconds = cs.div_ceil(100);
        let v3 = Said {
            version: 3,
            priority,
            interval: cs,
        };
        let v2 = Said {
            version: 2,
            priority,
            interval: seconds,
        };
        // X-2; to every peer, if there are any.
        for _ in 0..self.config.peers.len().max(1) {
            match self.config.settings.version {
                Version::V3 => self.said.push(v3),
                Version::V2 => self.said.push(v2),
                Version::Both => self.said.extend([v3, v2]),
            }
        }
    }

    fn advertise(&mut self, now: u64) {
        self.say(self.priority());
        self.timer = now + self.interval();
        if self.answer_due {
            self.answer_due = false;
            self.answered = Some(now);
        }
    }

    fn become_active(&mut self, now: u64) {
        self.state = State::Active;
        self.leaving = None;
        self.preempt_at = NEVER;
        self.resigned = false;
        self.answered = None;
        self.answer_due = false;
        self.until_offer = self.offers_after();
        self.advertise(now);
    }

    /// G-7: 5 s, or ten intervals if that is longer.
    fn offers_after(&self) -> u64 {
        match self.stands_back() {
            true => (5_000_000 / self.interval()).max(10),
            false => 0,
        }
    }

    fn become_backup(&mut self, now: u64) {
        self.state = State::Backup;
        self.leave_off();
        self.stalled = false;
        self.backup_since = now;
        self.listen_until = now;
        let heard = self.heard.map_or(now, |h| h.at);
        self.wait_until((heard + self.patience()).max(now + self.learned() + self.skew()));
    }

    fn initialize(&mut self) {
        self.state = State::Initialize;
        self.leave_off();
        self.timer = NEVER;
    }

    /// A router that is not Active sends nothing but that it stops.
    fn leave_off(&mut self) {
        self.leaving = None;
        self.preempt_at = NEVER;
        let mute = self.mute();
        self.said.retain(|said| said.priority == 0 && !mute);
    }

    /// S-1, S-2, S-3, S-8, S-14: starts or stops as the facts have it.
    fn reconsider(&mut self, now: u64) {
        match (self.state, self.may_run()) {
            (State::Initialize, true) => {
                self.heard = None;
                self.learned_cs = self.config.settings.advert_interval.as_centis();
                self.stalled = false;
                let delay = self.config.settings.start_delay.as_micros();
                self.listen_until = now + delay;
                if self.is_owner() && delay == 0 {
                    self.become_active(now);
                    return;
                }
                self.state = State::Backup;
                self.backup_since = now;
                let wait = match self.is_owner() {
                    true => 0,
                    false => self.patience(),
                };
                self.wait_until(self.listen_until + wait);
            }
            (State::Backup, false) => self.initialize(),
            (State::Active, false) if self.mute() => self.initialize(),
            (State::Active, false) => self.leave(now, Leaving::Stop),
            (State::Active, true) => match (self.leaving, self.stands_back()) {
                (Some(Leaving::Stop), _) | (Some(Leaving::Offer), false) => self.stay(now),
                (None, true) if self.until_offer == 0 => self.leave(now, Leaving::Offer),
                (None, false) => self.until_offer = 0,
                _ => {}
            },
            _ => {}
        }
    }

    fn leave(&mut self, now: u64, why: Leaving) {
        if self
            .leaving
            .is_some_and(|leaving| leaving != Leaving::Offer)
        {
            self.leaving = Some(why);
            return;
        }
        self.leaving = Some(why);
        self.say(0);
        // Four intervals of the slowest version that is spoken, but no more than ten seconds or, if
        // that is longer, an interval and a half.
        let patient = 4 * match self.config.settings.version {
            Version::V3 => self.interval(),
            Version::V2 | Version::Both => self.interval().div_ceil(1_000_000) * 1_000_000,
        };
        let cs = u64::from(self.config.settings.advert_interval.as_centis());
        let hasty = (cs + cs / 2) * 10_000;
        self.timer = now
            + match why {
                Leaving::Offer => 2 * self.interval(),
                _ => patient.min(hasty.max(10_000_000)),
            };
    }

    fn stay(&mut self, now: u64) {
        self.leaving = None;
        self.answered = None;
        self.answer_due = false;
        self.resigned = false;
        self.until_offer = self.offers_after();
        self.advertise(now);
    }

    fn left(&mut self, now: u64) {
        match self.leaving {
            Some(Leaving::Stop) => self.initialize(),
            _ => self.become_backup(now),
        }
    }

    /// The operator enables or disables it.
    pub fn enable(&mut self, now: u64, on: bool) {
        self.enabled = on;
        self.reconsider(now);
    }

    /// The interface is described anew.
    pub fn set_interface(&mut self, now: u64, up: bool, own: Option<IpAddr>) {
        let before = self.own();
        (self.up, self.own) = (up, own);
        let moved = self.own() != before;
        self.reconsider(now);
        if moved && self.state == State::Active && self.leaving.is_none() {
            self.advertise(now);
        }
    }

    fn change(&mut self, now: u64, change: impl FnOnce(&mut Self)) {
        let (before, delay) = (self.priority(), self.preempt_delay());
        let stood_back = self.stands_back();
        change(self);
        if self.priority() != before && self.state == State::Active && self.leaving.is_none() {
            self.advertise(now);
        }
        self.wait_on(now, delay, stood_back);
    }

    fn is_owner(&self) -> bool {
        self.priority() == 255 && !self.resigned
    }

    /// An owner does not wait.
    fn preempt_delay(&self) -> u64 {
        match self.priority() {
            255 => 0,
            _ => self.config.settings.preempt_delay.as_micros(),
        }
    }

    /// T-9: the start delay and the preempt delay of a Backup count from where they began; for an
    /// Active router it waits no longer than after a start now. `old_delay` is the preempt delay of
    /// before. G-7: one that begins to stand back gives all others their time from now on.
    fn wait_on(&mut self, now: u64, old_delay: u64, stood_back: bool) {
        if self.state != State::Backup {
            return;
        }
        if self.listen_until > now {
            self.listen_until = self.backup_since + self.config.settings.start_delay.as_micros();
        }
        if self.preempt_at != NEVER {
            let heard_first = (self.preempt_at - old_delay).min(now);
            let begin = heard_first.max(self.listen_until);
            self.preempt_at = (begin + self.preempt_delay()).max(now);
        }
        let wait = match self.heard {
            None if self.is_owner() => 0,
            _ => self.patience(),
        };
        let as_started = self.listen_until.max(now) + wait;
        let timer = self.timer.min(as_started).max(self.listen_until);
        if self.stands_back() && !stood_back {
            self.stalled = false;
            self.wait_until(as_started);
        } else if timer != self.timer {
            self.wait_until(timer);
        }
    }

    /// The operator sets a priority or takes it back.
    pub fn set_priority(&mut self, now: u64, priority: Option<u8>) {
        self.resigned = false;
        self.change(now, |o| o.set_priority = priority);
    }

    /// A tracked object changes.
    pub fn set_tracked(&mut self, now: u64, object: u16, up: bool) {
        self.change(now, |o| {
            if o.config.tracks.iter().any(|t| t.object == object) {
                o.down_objects.insert(object, !up);
            }
        });
        self.reconsider(now);
    }

    /// The operator wants somebody else to be Active.
    pub fn resign(&mut self, now: u64) {
        self.resigned = true;
        self.preempt_at = NEVER;
        let asked_already = self
            .leaving
            .is_some_and(|leaving| leaving != Leaving::Offer);
        if self.state == State::Active && !asked_already {
            self.leave(now, Leaving::Resign);
        }
    }

    /// The configuration changes.
    pub fn reconfigure(&mut self, now: u64, config: &Config) {
        let before = (self.priority(), self.config.clone());
        let (delay, stood_back) = (self.preempt_delay(), self.stands_back());
        let gone = |object: &u16| !config.tracks.iter().any(|t| t.object == *object);
        self.down_objects.retain(|object, _| !gone(object));
        self.config = config.clone();
        if before.1.settings.priority != config.settings.priority {
            self.resigned = false;
        }
        // The interval of a router that is discarded (S-7) was not learned.
        let is_learned = self.heard.is_some_and(|h| h.interval_cs == self.learned_cs);
        if config.settings.version == Version::V2 || !is_learned {
            self.learned_cs = config.settings.advert_interval.as_centis();
        }
        self.reconsider(now);
        let said = |c: &Config| {
            (
                c.settings.advert_interval,
                c.settings.version,
                c.addresses.clone(),
                c.source,
            )
        };
        let news = before.0 != self.priority() || said(&before.1) != said(config);
        if news && self.state == State::Active && self.leaving.is_none() {
            self.advertise(now);
        }
        self.wait_on(now, delay, stood_back);
    }

    /// Whether a message is believed: V-1 to V-18, X-4, and H-1 to H-7.
    pub fn believes(&self, now: u64, m: &Message) -> bool {
        self.is_genuine(now, m)
            && m.claimed() > 0
            && m.interval > 0
            && self.right_for_its_version(now, m)
            && self.state != State::Initialize
            && (self.priority() != 255 || self.config.settings.owner_receive == OwnerReceive::Elect)
    }

    /// Whether a message came the right way, can be read, and is signed as it should be: its number is spent,
    /// whatever else is wrong with it (H-7).
    fn is_genuine(&self, now: u64, m: &Message) -> bool {
        let family = Family::of(m.source);
        if family != self.key.family || m.vrid != self.key.vrid.get() {
            return false;
        }
        if Some(m.source) == self.own() || !self.came_right(m) {
            return false;
        }
        let version = match self.config.settings.version {
            Version::V2 => m.version == 2,
            Version::V3 => m.version == 3,
            Version::Both => m.version == 2 || m.version == 3,
        };
        let whole = m.missing == 0 && usize::from(m.claimed()) <= m.addresses.len();
        let sum = match (m.version, family) {
            (2, _) => m.sum == Sum::Plain,
            (_, Family::Ipv4) => m.sum != Sum::Wrong,
            (_, Family::Ipv6) => m.sum == Sum::Pseudo,
        };
        let counts = m.claimed() > 0 || m.version == 2;
        version && m.kind == 1 && whole && sum && counts && self.right_for_its_signature(now, m)
    }

    fn right_for_its_signature(&self, now: u64, m: &Message) -> bool {
        match &self.judge {
            // H-1
            None => m.trailer.is_none(),
            Some((judge, epoch)) => judge.believes(epoch + now / 1_000_000, m),
        }
    }

    fn came_right(&self, m: &Message) -> bool {
        let group = self.key.family.group();
        if !self.config.peers.is_empty() {
            return self.config.peers.contains(&m.source)
                && Some(m.destination) == self.own()
                && u16::from(m.ttl) + u16::from(self.config.settings.max_hops) >= 256;
        }
        let link_local = match m.source {
            IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
            IpAddr::V4(_) => true,
        };
        m.destination == group && m.ttl == 255 && link_local
    }

    fn right_for_its_version(&self, now: u64, m: &Message) -> bool {
        if m.version == 3 {
            return match m.addresses.first() {
                Some(IpAddr::V6(v6)) => v6.segments()[0] & 0xffc0 == 0xfe80,
                _ => self.key.family == Family::Ipv4,
            };
        }
        let authentic = match self.config.settings.auth {
            Auth::None => m.auth_type == 0,
            Auth::Simple(password) => m.auth_type == 1 && m.auth_data == password,
        };
        let ours = self.config.settings.advert_interval.as_centis();
        let timely = self.config.settings.version != Version::V2 || m.interval * 100 == ours;
        //
        let shadowed = self.config.settings.version == Version::Both
            && self.heard.is_some_and(|h| {
                let remembered = 4 * u64::from(h.interval_cs) * 10_000;
                h.version == 3 && h.source == m.source && now - h.at < remembered
            });
        let mut theirs = m.addresses.clone();
        theirs.truncate(m.claimed().into());
        let mine: Vec<IpAddr> = self.config.addresses.iter().map(|a| a.address).collect();
        let same = theirs.len() == mine.len() && theirs.iter().all(|a| mine.contains(a));
        let lenient = self.config.settings.address_check == AddressCheck::Warn;
        authentic && timely && !shadowed && (same || lenient || m.priority == 255)
    }

    /// Hears a message. Says whether it was believed.
    pub fn hear(&mut self, now: u64, m: &Message) -> bool {
        let (genuine, believed) = (self.is_genuine(now, m), self.believes(now, m));
        if let Some((judge, _)) = self.judge.as_mut().filter(|_| genuine) {
            judge.note(m);
        }
        if !believed {
            return false;
        }
        let heard = Heard {
            source: m.source,
            priority: m.priority,
            version: m.version,
            interval_cs: if m.version == 2 {
                m.interval * 100
            } else {
                m.interval
            },
            at: now,
        };
        match (self.state, self.leaving) {
            (State::Backup, _) => self.hear_as_backup(now, heard),
            (State::Active, None) => self.hear_as_active(now, heard),
            (State::Active, Some(_)) => self.hear_while_leaving(now, heard),
            (State::Initialize, _) => {}
        }
        true
    }

    /// T-3
    fn learn(&mut self, heard: Heard) {
        if self.config.settings.version != Version::V2 {
            self.learned_cs = heard.interval_cs;
        }
    }

    /// RFC 9568 section 6.4.2.
    fn hear_as_backup(&mut self, now: u64, heard: Heard) {
        self.heard = Some(heard);
        if heard.priority == 0 {
            self.preempt_at = NEVER;
            // G-7: one that stands back lets an offer pass.
            let wait = match self.stands_back() {
                true => self.down(),
                false => self.skew(),
            };
            self.timer = self.listen_until.max(now + wait);
            self.probe = Probe::At(NEVER);
            return;
        }
        if self.preempts(heard) {
            let delay = self.preempt_delay();
            if delay == 0 {
                return;
            }
            if self.preempt_at == NEVER {
                self.preempt_at = self.listen_until.max(now) + delay;
            }
        } else {
            self.preempt_at = NEVER;
        }
        self.learn(heard);
        self.stalled = false;
        self.wait_until(self.listen_until.max(now + self.patience()));
    }

    fn preempts(&self, heard: Heard) -> bool {
        let ours = self.priority();
        let may = !self.resigned && !self.stands_back();
        may && heard.priority < ours && (ours == 255 || self.config.settings.preempt)
    }

    /// RFC 9568 section 6.4.3.
    fn hear_as_active(&mut self, now: u64, heard: Heard) {
        let ours = self.priority();
        if heard.priority == 0 {
            // S-16: at most one answer each 10 ms.
            self.answer(now, 10_000);
        } else if self.loses_to(heard) {
            self.heard = Some(heard);
            self.learn(heard);
            if self.config.settings.mac_mode == MacMode::Virtual {
                self.become_backup(now);
            } else {
                self.leaving = Some(Leaving::Yield);
                self.say(ours);
                self.timer = now + 20_000;
            }
        } else {
            self.answer(now, self.interval() / 8);
        }
    }

    /// Advertises now, or when `pause` has passed since the last answer.
    fn answer(&mut self, now: u64, pause: u64) {
        self.answer_due = true;
        match self.answered.map(|last| last + pause) {
            Some(from) if from > now => self.timer = self.timer.min(from),
            _ => self.advertise(now),
        }
    }

    fn hear_while_leaving(&mut self, now: u64, heard: Heard) {
        if self.leaving == Some(Leaving::Yield) {
            // Only a better router counts, and its farewell.
            if heard.priority == 0 && self.heard.is_some_and(|h| h.source == heard.source) {
                self.stay(now);
            }
            if !self.loses_to(heard) {
                return;
            }
        }
        if heard.priority == 0 {
            return;
        }
        self.heard = Some(heard);
        self.learn(heard);
        self.left(now);
    }

    fn loses_to(&self, heard: Heard) -> bool {
        let ours = self.priority();
        let address = self.own().is_some_and(|own| heard.source > own);
        heard.priority > ours || heard.priority == ours && address
    }

    /// Handles what is due. An advertisement that is nearly due may be sent with it, and is when it
    /// was `sent_early`.
    pub fn handle_timeout(&mut self, now: u64, sent_early: bool) {
        if self.preempt_at <= now {
            self.preempt_at = NEVER;
            if self.heard.is_some_and(|heard| self.preempts(heard)) {
                self.become_active(now);
                return;
            }
        }
        let early = match sent_early {
            true => (u64::from(self.config.settings.advert_interval.as_centis()) * 100).min(10_000),
            false => 0,
        };
        match (self.state, self.leaving) {
            (State::Active, None) if self.timer <= now + early => {
                let planned = self.timer;
                if self.until_offer > 0 {
                    self.until_offer -= 1;
                    if self.until_offer == 0 {
                        self.leave(now, Leaving::Offer);
                        return;
                    }
                }
                self.advertise(now);
                // T-5: without drift, unless it is too late for that (T-8).
                if planned < now && now - planned < self.interval() {
                    self.timer = planned + self.interval();
                }
            }
            (State::Active, Some(Leaving::Resign | Leaving::Offer)) if self.timer <= now => {
                self.stay(now)
            }
            (State::Active, Some(_)) if self.timer <= now => self.left(now),
            (State::Backup, _) => {
                if self.timer <= now {
                    self.end_of_silence(now);
                }
                self.probe_if_due(now);
            }
            _ => {}
        }
    }

    fn end_of_silence(&mut self, now: u64) {
        if now - self.timer > self.learned() && !self.stalled {
            self.stalled = true;
            self.wait_until(now + self.learned() + self.skew());
            return;
        }
        let silent = match self.heard {
            None => self.priority() != 255,
            Some(h) => h.priority != 0 && now >= h.at + self.patience(),
        };
        let waits = self.config.settings.on_conflict == OnConflict::Wait;
        if silent && waits && self.probe != Probe::Sent {
            self.wait_until(now + self.learned());
        } else {
            self.become_active(now);
        }
    }

    /// G-8: not while the Active router is heard, which is about to be preempted.
    fn probe_if_due(&mut self, now: u64) {
        if self.state != State::Backup || !matches!(self.probe, Probe::At(at) if at <= now) {
            return;
        }
        if self.heard.is_none_or(|h| now >= h.at + 2 * self.learned()) {
            self.probe = Probe::Sent;
            self.probes += 1;
        } else {
            self.probe = Probe::At(NEVER);
        }
    }
}
