//! A port without an operating system: it performs what the engine asks for in tables of its own
//! and checks after every step what must hold of any port at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use vrrp_core::{
    AuthConfig, AuthKey, AuthSettings, Error, Failure, Family, FrameKind, Instant, InterfaceState,
    MacAddr, MacMode, Output, Priority, Reason, State, StateChange, Status, Transmit, Verdict,
    VrKey,
};
use vrrp_core::{
    Poll,
    wire::{Claim, Datagram, ethernet, vrrp::TRAILER_LEN},
};

use crate::config::Config;

#[cfg(test)]
mod tests;

/// The engine under test: tables that some of the tests fill.
pub type Engine = vrrp_core::Engine<4, 24, 12>;

/// A rule that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule in a few words. It tells one finding from another.
    pub rule: &'static str,
    /// The observation.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.seen)
    }
}

/// `Err` with a [`Violation`].
pub type Checked<T = ()> = Result<T, Violation>;

pub(crate) fn check(holds: bool, rule: &'static str, seen: impl FnOnce() -> String) -> Checked {
    match holds {
        true => Ok(()),
        false => Err(Violation { rule, seen: seen() }),
    }
}

/// A frame to send.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The interface.
    pub ifindex: u32,
    /// The frame.
    pub frame: Vec<u8>,
    /// The destination of a unicast advertisement, whose MAC the port has to find.
    pub unicast: Option<IpAddr>,
}

/// The effects that the port has performed for a virtual router.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its configuration as last accepted.
    pub config: Config,
    /// The virtual MAC is taken up.
    pub mac: bool,
    /// The addresses that are served, with their Accept_Mode.
    pub addresses: BTreeMap<IpAddr, bool>,
    /// The state that was reported last.
    pub state: State,
    /// The priority that was advertised last. `None`: none since it became Active.
    said: Option<u8>,
    removing: bool,
}

/// The senders to a group whose last numbers the engine keeps.
const MARKS: usize = 4;

/// Decides whether an effect fails.
pub type Fails<'a> = &'a mut dyn FnMut() -> bool;

/// The port.
pub struct Port {
    engine: Box<Engine>,
    vrs: BTreeMap<VrKey, Held>,
    groups: BTreeSet<(u32, Family)>,
    /// Everything that was reported, for who wants to know.
    pub changes: Vec<(Instant, StateChange)>,
    /// Effects that failed since the port was made.
    pub failures: u64,
    /// The numbers of signed advertisements that were believed, by sender.
    believed: BTreeMap<VrKey, BTreeMap<IpAddr, BTreeSet<u64>>>,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl Default for Port {
    fn default() -> Self {
        Self::new()
    }
}

impl Port {
    /// A port whose engine knows nothing yet.
    pub fn new() -> Self {
        Self {
            engine: Box::new(Engine::new()),
            vrs: BTreeMap::new(),
            groups: BTreeSet::new(),
            changes: Vec::new(),
            failures: 0,
            believed: BTreeMap::new(),
        }
    }

    /// Forgets which numbers were believed: the wall clock was stepped, and old ones may be fresh again.
    pub(crate) fn forget_numbers(&mut self) {
        self.believed.clear();
    }

    /// Checks that no number of a sender is believed twice, as long as there are no more senders than
    /// the engine has marks for.
    fn check_number(&mut self, key: VrKey, message: &[u8], source: IpAddr) -> Checked {
        let at = message.len() - TRAILER_LEN + 4;
        let number = u64::from_be_bytes(std::array::from_fn(|i| message[at + i]));
        let senders = self.believed.entry(key).or_default();
        let new = senders.entry(source).or_default().insert(number);
        check(
            new || senders.len() > MARKS,
            "a signed advertisement is believed once",
            || format!("{key:?}: number {number:#x} of {source}"),
        )
    }

    /// The engine, to be asked.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to be told; [`settle`](Self::settle) is due afterwards.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The effects in force for each virtual router.
    pub fn held(&self) -> &BTreeMap<VrKey, Held> {
        &self.vrs
    }

    /// The groups that are joined.
    pub fn groups(&self) -> &BTreeSet<(u32, Family)> {
        &self.groups
    }

    /// As [`vrrp_core::Admin::insert`].
    pub fn insert(&mut self, now: Instant, key: VrKey, config: &Config) -> Result<(), Error> {
        self.engine.admin(now).insert(key, &config.as_vr_config())?;
        self.set_auth(now, key, config)?;
        self.believed.remove(&key);
        let held = Held {
            config: config.clone(),
            mac: false,
            addresses: BTreeMap::new(),
            state: State::Initialize,
            said: None,
            removing: false,
        };
        self.vrs.insert(key, held);
        Ok(())
    }

    /// As [`vrrp_core::Admin::reconfigure`].
    pub fn reconfigure(&mut self, now: Instant, key: VrKey, config: &Config) -> Result<(), Error> {
        self.engine
            .admin(now)
            .reconfigure(key, &config.as_vr_config())?;
        self.set_auth(now, key, config)?;
        if let Some(held) = self.vrs.get_mut(&key) {
            held.config = config.clone();
        }
        Ok(())
    }

    /// Gives a virtual router the key that its group has on this interface.
    fn set_auth(&mut self, now: Instant, key: VrKey, config: &Config) -> Result<(), Error> {
        if !config.signed {
            return Ok(());
        }
        let family = u8::from(key.family == Family::Ipv6);
        let secret = [key.vrid.get() ^ family ^ (key.ifindex as u8) << 4; 32];
        let keys = [AuthKey::new(1, &secret)?];
        let settings = AuthSettings {
            window: AuthSettings::window_for(config.settings.advert_interval),
            active_key: 1,
            ..AuthSettings::DEFAULT
        };
        let keys = &keys;
        let auth = AuthConfig { settings, keys };
        self.engine.admin(now).set_auth(key, Some(&auth))
    }

    /// As [`vrrp_core::Admin::remove`].
    pub fn remove(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        self.engine.admin(now).remove(key)?;
        if let Some(held) = self.vrs.get_mut(&key) {
            held.removing = true;
        }
        Ok(())
    }

    /// As [`Engine::handle_frame`], or by way of [`Engine::handle_datagram`] when `opened`. A frame
    /// that is refused must leave no trace.
    pub fn receive<'f>(
        &mut self,
        now: Instant,
        ifindex: u32,
        frame: &'f [u8],
        opened: bool,
    ) -> Checked<Verdict<'f>> {
        let key = addressee(ifindex, frame);
        let before = key.and_then(|key| self.engine.status(key));
        let verdict = match opened.then(|| open(frame)).flatten() {
            Some(datagram) => self.engine.handle_datagram(now, ifindex, &datagram),
            None => self.engine.handle_frame(now, ifindex, frame),
        };
        if verdict.accepted().is_none() {
            let after = key.and_then(|key| self.engine.status(key));
            check(before == after, "a refused packet changes nothing", || {
                format!("{verdict:?}: {before:?} became {after:?}")
            })?;
        }
        if let Verdict::Accepted(accepted) = &verdict
            && let Some(held) = self.vrs.get(&accepted.key)
            && held.config.signed
        {
            let datagram = accepted.datagram;
            check(
                accepted.signed.is_some(),
                "who hears signed advertisements hears no others",
                || format!("{datagram:?}"),
            )?;
            self.check_number(accepted.key, datagram.message, datagram.source)?;
        }
        Ok(verdict)
    }

    /// Undoes an effect as somebody else might, and tells the engine.
    pub fn undo(&mut self, now: Instant, failure: Failure) {
        match failure {
            Failure::Mac { key } => {
                let held = self.vrs.get_mut(&key);
                if let Some(held) = held {
                    held.mac = false;
                }
            }
            Failure::Address { key, address } => {
                if let Some(held) = self.vrs.get_mut(&key) {
                    held.addresses.remove(&address);
                }
            }
            Failure::Group { ifindex, family } => {
                self.groups.remove(&(ifindex, family));
            }
        }
        self.failures += 1;
        self.engine.handle_failure(now, failure);
    }

    /// Handles what is due, performs what is asked for and checks that it was right. Gives the
    /// frames to send, in order.
    pub fn settle(&mut self, now: Instant, fails: Fails<'_>) -> Checked<Vec<Sent>> {
        self.engine.handle_timeout(now);
        let sent = self.perform(now, fails)?;
        check_deadline(self.engine.poll_timeout(), now)?;
        Ok(sent)
    }

    /// As [`settle`](Self::settle), without handling timers.
    pub fn perform(&mut self, now: Instant, fails: Fails<'_>) -> Checked<Vec<Sent>> {
        let mut sent = Vec::new();
        let mut steps = 0;
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        while let Poll::Output(output) = self.engine.poll_output(&mut buf) {
            steps += 1;
            check_steps(steps, self.vrs.len(), &output)?;
            let doomed = !matches!(
                output,
                Output::Transmit(_) | Output::StateChange(_) | Output::Removed { .. }
            ) && fails();
            let status = key_of(&output).and_then(|key| self.engine.status(key));
            let tables = Tables {
                engine: &self.engine,
                vrs: &mut self.vrs,
                groups: &mut self.groups,
                changes: &mut self.changes,
                now,
            };
            // The engine is told before it is asked for more, as M-5 needs.
            if let Some(failure) = tables.perform(&output, status, doomed, &mut sent)? {
                self.failures += 1;
                self.engine.handle_failure(now, failure);
            }
        }
        self.check_at_rest()?;
        Ok(sent)
    }

    /// Checks the properties that hold whenever every output was performed.
    fn check_at_rest(&self) -> Checked {
        for (key, held) in &self.vrs {
            let Some(status) = self.engine.status(*key) else {
                return Err(Violation {
                    rule: "a virtual router goes only when it is removed",
                    seen: format!("{key:?} is gone"),
                });
            };
            let active = status.state == State::Active;
            check(
                held.state == status.state,
                "every change of state is reported",
                || format!("{key:?}: {} reported, {status:?}", held.state),
            )?;
            let virtual_mac = held.config.settings.mac_mode == MacMode::Virtual;
            check(
                held.mac == (active && virtual_mac),
                "the virtual MAC is held by an Active router and no other",
                || format!("{key:?}: held {}, {status:?}", held.mac),
            )?;
            let asked: BTreeSet<IpAddr> = match active {
                true => self.engine.addresses(*key).map(|a| a.address).collect(),
                false => BTreeSet::new(),
            };
            let served: BTreeSet<IpAddr> = held.addresses.keys().copied().collect();
            check(
                asked == served,
                "the addresses are served by an Active router and no other",
                || format!("{key:?}: {served:?} served, {status:?}"),
            )?;
            if active {
                self.check_active(*key, held, &status)?;
            }
        }
        self.check_groups()
    }

    /// A group is joined while somebody listens to it.
    fn check_groups(&self) -> Checked {
        let listens = |(_, held): &(&VrKey, &Held)| {
            held.state != State::Initialize && held.config.peers.is_empty()
        };
        let needed = self.vrs.iter().filter(listens);
        let needed: BTreeSet<_> = needed.map(|(k, _)| (k.ifindex, k.family)).collect();
        // A failed effect is tried again later.
        check(
            needed == self.groups || self.failures > 0,
            "a group is joined while somebody listens to it",
            || format!("{needed:?} needed, {:?} joined", self.groups),
        )
    }

    fn check_active(&self, key: VrKey, held: &Held, status: &Status) -> Checked {
        let accept = held.config.settings.accept || held.config.settings.priority.is_owner();
        check(
            held.addresses.values().all(|a| *a == accept),
            "Accept_Mode is that of the configuration",
            || format!("{key:?}: {:?}", held.addresses),
        )?;
        let next = self.engine.poll_timeout();
        check(next.is_some(), "an Active router has a deadline", || {
            format!("{status:?}")
        })?;
        check(
            held.said.is_some(),
            "an Active router has advertised",
            || format!("{status:?}"),
        )
    }
}

/// Checks that no deadline lies in the past.
fn check_deadline(deadline: Option<Instant>, now: Instant) -> Checked {
    check(
        deadline.is_none_or(|d| d > now),
        "no deadline lies in the past",
        || format!("{deadline:?} at {now:?}"),
    )
}

/// A failed effect is asked for again; patience is twice the addresses for each.
fn check_steps(steps: usize, vrs: usize, last: &Output<'_>) -> Checked {
    check(
        steps <= 64 + 400 * vrs,
        "the engine never livelocks",
        || format!("{steps} outputs after one input, the last {last:?}"),
    )
}

/// Whether who leaves for this reason says so, with priority 0.
fn is_voluntary(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Disabled | Reason::TrackedFault | Reason::Resigned | Reason::StandsBack
    )
}

/// The parts of a port that an output changes.
struct Tables<'a> {
    engine: &'a Engine,
    vrs: &'a mut BTreeMap<VrKey, Held>,
    groups: &'a mut BTreeSet<(u32, Family)>,
    changes: &'a mut Vec<(Instant, StateChange)>,
    now: Instant,
}

impl Tables<'_> {
    fn perform(
        self,
        output: &Output<'_>,
        status: Option<Status>,
        doomed: bool,
        sent: &mut Vec<Sent>,
    ) -> Checked<Option<Failure>> {
        if let Output::SetGroup {
            ifindex,
            family,
            on,
        } = *output
        {
            if doomed {
                return Ok(Some(Failure::Group { ifindex, family }));
            }
            match on {
                true => self.groups.insert((ifindex, family)),
                false => self.groups.remove(&(ifindex, family)),
            };
            return Ok(None);
        }
        let Some(key) = key_of(output) else {
            return Ok(None);
        };
        let Some(held) = self.vrs.get_mut(&key) else {
            return Err(Violation {
                rule: "outputs are for virtual routers of the table",
                seen: format!("{output:?}"),
            });
        };
        match *output {
            Output::Transmit(transmit) => {
                let status = status.ok_or(Violation {
                    rule: "outputs are for virtual routers of the table",
                    seen: format!("{output:?}"),
                })?;
                held.check_transmit(&transmit, &status, self.engine)?;
                sent.push(Sent {
                    ifindex: key.ifindex,
                    frame: transmit.frame.to_vec(),
                    unicast: transmit.unicast,
                });
            }
            Output::SetMac { mac, on, .. } => {
                check(
                    held.config.settings.mac_mode == MacMode::Virtual && mac == key.virtual_mac(),
                    "the virtual MAC is that of the RFC",
                    || format!("{output:?}"),
                )?;
                check(
                    on || held.addresses.is_empty(),
                    "addresses go before the MAC",
                    || format!("{output:?}, {:?} served", held.addresses),
                )?;
                if doomed {
                    held.mac = false;
                    return Ok(Some(Failure::Mac { key }));
                }
                held.mac = on;
            }
            Output::SetAddress {
                address,
                accept,
                on,
                ..
            } => {
                let active = status.is_some_and(|s| s.state == State::Active);
                check(
                    !on || active,
                    "an address is installed only by an Active router",
                    || format!("{output:?} {status:?}"),
                )?;
                if !on && !active && held.state == State::Active {
                    held.check_farewell(status)?;
                }
                let address = address.address;
                if doomed {
                    held.addresses.remove(&address);
                    return Ok(Some(Failure::Address { key, address }));
                }
                match on {
                    true => held.addresses.insert(address, accept),
                    false => held.addresses.remove(&address),
                };
            }
            Output::StateChange(change) => {
                held.check_change(&change, status)?;
                self.changes.push((self.now, change));
            }
            Output::Removed { .. } => {
                check(
                    held.removing && held.state == State::Initialize && held.addresses.is_empty(),
                    "a virtual router goes only when it is removed and at rest",
                    || format!("{key:?}: {held:?}"),
                )?;
                self.vrs.remove(&key);
            }
            Output::SetGroup { .. } => {}
        }
        Ok(None)
    }
}

impl Held {
    /// Nothing is said but by an Active router, and from the MAC that serves the addresses.
    fn check_transmit(&mut self, t: &Transmit<'_>, status: &Status, engine: &Engine) -> Checked {
        let broken = |rule, held: &Self| Violation {
            rule,
            seen: format!("{:?} {:02x?} while {status:?}, {held:?}", t.kind, t.frame),
        };
        let Some(frame) = ethernet::View::new(t.frame) else {
            return Err(broken("frames are whole", self));
        };
        let own = engine.interface(t.key.ifindex).map(|i| i.mac);
        if t.kind == FrameKind::NeighborProbe {
            let claims_nothing = Claim::new(t.frame).is_none_or(|c| c.address.is_unspecified());
            let right = status.state == State::Backup && Some(frame.source()) == own;
            return match right && claims_nothing {
                true => Ok(()),
                false => Err(broken(
                    "a Backup asks with its own MAC, and claims nothing",
                    self,
                )),
            };
        }
        let virtual_mac = self.config.settings.mac_mode == MacMode::Virtual;
        let stopping = status.state == State::Initialize && status.reason == Reason::EffectFailed;
        let from = match virtual_mac {
            true => Some(t.key.virtual_mac()),
            false => own,
        };
        if Some(frame.source()) != from {
            return Err(broken(
                "frames come from the MAC that serves the addresses",
                self,
            ));
        }
        if virtual_mac && !self.mac && !stopping {
            return Err(broken(
                "nothing is sent from a virtual MAC that is not held",
                self,
            ));
        }
        if t.kind != FrameKind::Advertisement {
            let all = engine
                .addresses(t.key)
                .all(|a| self.addresses.contains_key(&a.address));
            let in_place = status.state == State::Active && all;
            return match in_place && !status.handing_over {
                true => Ok(()),
                false => Err(broken("nothing is announced before it is served", self)),
            };
        }
        let sent = open(t.frame).and_then(|datagram| Some((datagram, datagram.advert().ok()?)));
        let Some((datagram, view)) = sent else {
            return Err(broken("an advertisement can be read", self));
        };
        if datagram.ttl != 255 || view.vrid() != t.key.vrid.get() {
            return Err(broken("an advertisement names its virtual router", self));
        }
        let right = match view.priority() {
            0 => {
                let leaves = self.state == State::Active && is_voluntary(status.reason);
                status.handing_over || stopping || leaves
            }
            _ => status.state == State::Active && view.priority() == status.priority.get(),
        };
        self.said = Some(view.priority());
        match right {
            true => Ok(()),
            false => Err(broken("a router advertises what it is", self)),
        }
    }

    /// Priority 0 precedes a voluntary leave.
    fn check_farewell(&self, status: Option<Status>) -> Checked {
        let Some(status) = status else { return Ok(()) };
        check(
            !is_voluntary(status.reason) || self.said == Some(0),
            "priority 0 precedes a voluntary leave",
            || format!("{:?} said last, {status:?}", self.said),
        )
    }

    fn check_change(&mut self, change: &StateChange, status: Option<Status>) -> Checked {
        check(
            change.from == self.state && change.from != change.to,
            "changes of state follow each other",
            || format!("{change:?} after {}", self.state),
        )?;
        check(
            status.is_some_and(|s| s.state == change.to && s.reason == change.reason),
            "a change of state is the state",
            || format!("{change:?}, {status:?}"),
        )?;
        if change.to == State::Active {
            check(
                self.said.is_some_and(|p| p > 0) && !self.addresses.is_empty(),
                "Active is reported once it serves and has advertised",
                || format!("{change:?} {self:?}"),
            )?;
        } else {
            check(
                self.addresses.is_empty() && !self.mac,
                "leaving is reported once everything is given up",
                || format!("{change:?} {self:?}"),
            )?;
            self.said = None;
        }
        self.state = change.to;
        Ok(())
    }
}

fn key_of(output: &Output<'_>) -> Option<VrKey> {
    match output {
        Output::Transmit(t) => Some(t.key),
        Output::SetMac { key, .. } | Output::SetAddress { key, .. } | Output::Removed { key } => {
            Some(*key)
        }
        Output::StateChange(change) => Some(change.key),
        Output::SetGroup { .. } => None,
    }
}

/// The virtual router that a frame speaks to, whether it is there or not.
fn addressee(ifindex: u32, frame: &[u8]) -> Option<VrKey> {
    let datagram = open(frame)?;
    Some(VrKey {
        ifindex,
        vrid: datagram.vrid()?,
        family: datagram.family(),
    })
}

/// The datagram in a frame. Returns `None` if it is no sound VRRP packet.
pub fn open(frame: &[u8]) -> Option<Datagram<'_>> {
    Datagram::new(frame).ok().flatten()
}

/// An interface that is up.
pub fn interface(mac: MacAddr, number: u8) -> InterfaceState {
    InterfaceState {
        up: true,
        mac,
        ipv4: Some([10, 0, 0, number].into()),
        ipv6: Some(std::net::Ipv6Addr::new(
            0xfe80,
            0,
            0,
            0,
            0,
            0,
            0,
            number.into(),
        )),
    }
}

/// A priority that is not 0.
pub fn priority(value: u8) -> Priority {
    Priority::new(value).unwrap_or(Priority::DEFAULT)
}
