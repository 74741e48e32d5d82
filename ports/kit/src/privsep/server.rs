//! The parent's half: what the process with the rights does for the worker.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use vrrp_core::{AntiReplay, Duration as CoreDuration, InterfaceState, VirtualAddress, VrKey};
use vrrp_host::{
    AddressChange, FarewellClock, HostConfig, HostFacts, HostIf, Incoming, Platform, PlatformError,
    VrId, VrSpec, farewell,
};

use crate::clock::LatestClock;

use super::{Channel, Guard, Link, MAX_DATAGRAM, Message, Place, Request, perform};

/// Requests that are carried out before others of the loop have their turn.
const MOST_REQUESTS: usize = 64;
/// Octets of messages that may wait for the worker: those that list a thousand links take a tenth.
const MOST_QUEUED: usize = 1024 * 1024;

/// How long the next request of a burst, which a [`Request::Flush`] ends, is waited for, in milliseconds.
const NEXT_REQUEST_MS: u16 = 2;
/// The longest burst before others of the loop have their turn.
const BURST: Duration = Duration::from_millis(20);

/// How long the addresses of a worker that has ended are waited for to be gone.
const GIVING_UP: Duration = Duration::from_millis(20);

/// The time between two looks for warnings and the like.
const LOOK_REST: Duration = Duration::from_millis(500);

/// A [`Platform`] whose frames are heard and sent by another process.
pub trait PrivilegedPlatform: Platform + Sized {
    /// Leaves frames to the process that the descriptors are given to. Called before anything is watched.
    fn leave_frames(&mut self);

    /// Returns the descriptors that the worker needs now, each with a number that no other has had.
    fn devices(&self) -> BTreeMap<Place, u64>;

    /// Returns a copy of a descriptor for the worker.
    fn duplicate(&self, place: &Place) -> io::Result<OwnedFd>;

    /// Removes everything that was installed.
    ///
    /// # Errors
    /// Something is left, and noted for the next life.
    fn close(self) -> Result<(), PlatformError>;

    /// The addresses that dead processes served until this platform was opened, which removed them,
    /// with the interface of each. An address that was not accepted may have been on none: its name is empty.
    fn left_served(&self) -> &[(String, IpAddr)] {
        &[]
    }

    /// Sends the frames that are queued, and does nothing else.
    fn send_queued(&mut self) {}

    /// Keeps silent addresses for some seconds although their virtual routers are released: another
    /// worker is about to prepare them again, and services are not to notice.
    fn hold_silent(&mut self) {}

    /// Whether addresses that were given up are on this host yet, so that their connections can be reset.
    fn is_giving_up(&self) -> bool {
        false
    }

    /// Waits until addresses that were given up are gone, but not longer than `most`.
    fn finish_giving_up(&mut self, _most: Duration) {}

    /// Gives the addresses that are installed, and those to come, a lease of so many seconds: the system
    /// removes them by itself when they are not renewed. `None`: they stay until they are removed. A port
    /// whose system cannot do it does nothing.
    fn set_lease(&mut self, _seconds: Option<u32>) {}

    /// Renews the leases, where that is due. Called for each sign of life of the worker.
    ///
    /// # Errors
    /// The state of the system cannot be read.
    fn renew_leases(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// A number that changes with [`links`](Self::links).
    fn links_generation(&self) -> u64 {
        0
    }

    /// Returns the links of this host by the kernel's index, as far as the worker has to know them.
    fn links(&self) -> BTreeMap<u32, Link> {
        BTreeMap::new()
    }
}

/// Returns by how much a count is above the one that was told, which it then replaces. `None`: it is not.
fn increase(told: &mut u64, count: u64) -> Option<u64> {
    let more = count.checked_sub(*told).filter(|more| *more > 0)?;
    *told = count;
    Some(more)
}

/// Hands over what dead processes have served, as far as `config` says how: by the advertisements with
/// priority 0 that they have not sent. Returns the virtual routers.
pub fn hand_over_left<P: PrivilegedPlatform>(platform: &mut P, config: &HostConfig) -> Vec<VrId> {
    let left = platform.left_served();
    let holders = |address: IpAddr| {
        let specs = config.virtual_routers.iter();
        let has = |spec: &&VrSpec| spec.addresses.iter().any(|a| a.address.address == address);
        specs.filter(has).count()
    };
    let is_left = |spec: &&VrSpec| {
        spec.addresses.iter().any(|own| {
            let device = own.interface.as_ref().unwrap_or(&spec.id.interface);
            left.iter().any(|(name, address)| {
                // Without an interface only one virtual router may be meant.
                let at = match name.is_empty() {
                    true => holders(*address) == 1,
                    false => name == device || *name == spec.id.interface,
                };
                *address == own.address.address && at
            })
        })
    };
    let specs: Vec<&VrSpec> = config.virtual_routers.iter().filter(is_left).collect();
    let names: BTreeSet<&str> = specs.iter().map(|s| s.id.interface.as_str()).collect();
    let handles: BTreeMap<&str, HostIf> = names.into_iter().zip((1..).map(HostIf::new)).collect();
    for (name, host_if) in &handles {
        // An interface that cannot be watched is not up either.
        let _ = platform.watch(*host_if, name);
    }
    let mut states = BTreeMap::new();
    let _ = platform.receive(&mut |incoming| {
        if let Incoming::Interface { host_if, state } = incoming {
            states.insert(host_if, state);
        }
    });
    let mut handed_over = Vec::new();
    for spec in specs {
        let Some(host_if) = handles.get(spec.id.interface.as_str()) else {
            continue;
        };
        if let Some(state) = states.get(host_if) {
            let key = host_if.key(spec.id.vrid, spec.id.family);
            let clock = FarewellClock {
                since_epoch: platform.since_epoch(),
                boot_count: config.boot_count,
            };
            let said = farewell(spec, key, state, clock, &mut |transmit| {
                platform.transmit(transmit)
            });
            if said {
                handed_over.push(spec.id.clone());
            }
        }
    }
    platform.send_queued();
    handed_over
}

/// Serves a worker.
#[derive(Debug)]
pub struct Server<P> {
    platform: P,
    guard: Guard,
    channel: Channel,
    told: Told,
    /// The state of each interface that the worker was told last.
    states: BTreeMap<HostIf, InterfaceState>,
    taken_up: BTreeMap<VrKey, TakenUp>,
    /// The wall clock, as the worker may have read it for what it has signed.
    clock: LatestClock,
}

/// The MAC and the addresses that a virtual router has taken up: it is Active.
#[derive(Debug, Default)]
struct TakenUp {
    mac: bool,
    /// The addresses, and whether packets to each are accepted.
    addresses: Vec<(VirtualAddress, bool)>,
}

/// The facts that the worker knows.
#[derive(Debug, Default)]
struct Told {
    /// The descriptors that it was given, and the number of each.
    devices: BTreeMap<Place, u64>,
    links: BTreeMap<u32, Link>,
    generation: u64,
    reached: BTreeMap<VrKey, Option<bool>>,
    /// The warnings, as octets. Empty: it knows of none.
    warnings: Vec<u8>,
    /// Connections that had been reset before it began, and those that it was told of.
    connections_reset: u64,
    /// The same of routes and rules that were restored.
    routing_restored: u64,
    /// Warnings and the like may be others by now.
    is_doubtful: bool,
    /// When they were looked for last, or the worker began to ask.
    looked: Option<Instant>,
}

impl Told {
    /// Of a worker that begins now.
    fn since(platform: &impl Platform) -> Self {
        Self {
            connections_reset: platform.connections_reset(),
            routing_restored: platform.routing_restored(),
            ..Self::default()
        }
    }
}

impl<P: PrivilegedPlatform> Server<P> {
    /// Serves a process at the other end of `stream`, which may ask for what `config` needs.
    pub fn new(mut platform: P, stream: UnixStream, config: HostConfig) -> Self {
        platform.leave_frames();
        let told = Told::since(&platform);
        Self {
            platform,
            guard: Guard::new(config),
            channel: Channel::new(stream, MAX_DATAGRAM, MOST_QUEUED),
            told,
            states: BTreeMap::new(),
            taken_up: BTreeMap::new(),
            clock: LatestClock::default(),
        }
    }

    /// Takes back what a worker had taken up that has ended: the addresses and the MAC of each virtual
    /// router that is Active, which hands over by advertisements with priority 0. Returns those.
    ///
    /// Everything else that it had asked for takes the kernel long to undo, and is left to
    /// [`restart`](Self::restart).
    pub fn withdraw(&mut self) -> Vec<VrId> {
        let mut active = Vec::new();
        for (key, taken) in std::mem::take(&mut self.taken_up) {
            self.give_up(key, &taken);
            active.extend(self.guard.spec_of(key).map(|spec| spec.id.clone()));
        }
        // There is no worker to be served meanwhile.
        self.platform.finish_giving_up(GIVING_UP);
        self.platform.flush();
        // An error comes again when the platform is looked at next, and is told then.
        let _ = self.platform.set_wakeup(None);
        active
    }

    fn look_at_clock(&mut self) {
        if let Some(wall) = self.platform.since_epoch() {
            self.clock.look(self.platform.now(), wall);
        }
    }

    /// The addresses go first, that no other host may have them, too.
    fn give_up(&mut self, key: VrKey, taken: &TakenUp) {
        let changes: Vec<AddressChange> = taken
            .addresses
            .iter()
            .map(|&(address, accept)| AddressChange {
                address,
                accept,
                on: false,
            })
            .collect();
        for some in changes.chunks(self.platform.addresses_at_once()) {
            // The platform tries again where an address refuses to go.
            let _ = self.platform.set_addresses(key, some);
        }
        let state = self.states.get(&HostIf::of(key));
        if let (Some(spec), Some(state)) = (self.guard.spec_of(key), state) {
            let platform = &mut self.platform;
            let now = platform.now();
            let since_epoch = platform.since_epoch().map(|wall| {
                let time = spec.hmac.as_ref().map(|hmac| &hmac.settings);
                let time = time.filter(|settings| settings.replay == AntiReplay::Time);
                let window = time.map(|settings| CoreDuration::from_secs(settings.window.into()));
                self.clock.latest(now, wall, window)
            });
            let clock = FarewellClock {
                since_epoch,
                boot_count: self.guard.boot_count(),
            };
            farewell(spec, key, state, clock, &mut |transmit| {
                platform.transmit(transmit)
            });
        }
        self.platform.send_queued();
        if taken.mac {
            let _ = self.platform.set_mac(key, key.virtual_mac(), false);
        }
    }

    /// Serves another worker at the other end of `stream`, after [`withdraw`](Self::withdraw): it finds
    /// nothing watched and nothing prepared.
    pub fn restart(&mut self, stream: UnixStream, config: HostConfig) {
        self.platform.hold_silent();
        for key in self.guard.keys().collect::<Vec<_>>() {
            self.platform.release(key);
        }
        for host_if in self.guard.interfaces() {
            self.platform.unwatch(host_if);
        }
        self.states.clear();
        self.guard = Guard::new(config);
        self.channel = Channel::new(stream, MAX_DATAGRAM, MOST_QUEUED);
        self.told = Told::since(&self.platform);
    }

    /// Waits for the platform alone, while there is no worker.
    pub fn idle(&mut self, trouble: &mut dyn FnMut(io::Error)) -> io::Result<()> {
        if let Err(error) = self.platform.receive(&mut |_| {}) {
            trouble(error);
        }
        self.platform.set_wakeup(None)
    }

    /// Returns the platform.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// Returns the platform, to wait for it.
    pub fn platform_mut(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Lets go of the platform. The worker is served no more.
    pub fn into_platform(self) -> P {
        self.platform
    }

    /// The descriptor of the channel to the worker: [`handle`](Self::handle) is due when it is readable.
    pub fn fd(&self) -> RawFd {
        self.channel.fd()
    }

    /// Whether [`handle`](Self::handle) is due, too, when the channel has room.
    pub fn has_output(&self) -> bool {
        self.channel.has_output()
    }

    /// The facts that a new configuration is judged against.
    pub fn facts(&self) -> HostFacts {
        self.platform.facts()
    }

    /// See [`PrivilegedPlatform::is_giving_up`].
    pub fn is_giving_up(&self) -> bool {
        self.platform.is_giving_up()
    }

    /// See [`PrivilegedPlatform::set_lease`].
    pub fn set_lease(&mut self, seconds: Option<u32>) {
        self.platform.set_lease(seconds);
    }

    /// See [`PrivilegedPlatform::renew_leases`].
    ///
    /// # Errors
    /// The state of the system cannot be read.
    pub fn renew_leases(&mut self) -> io::Result<()> {
        self.look_at_clock();
        self.platform.renew_leases()
    }

    /// From now on the worker may ask for what this configuration needs, too.
    pub fn allow(&mut self, config: HostConfig) {
        self.guard.allow(config);
    }

    /// The configuration that was allowed last is in force.
    pub fn adopt(&mut self) {
        self.guard.adopt();
    }

    /// Carries out what was asked, and tells what has happened. `news`: the platform has something.
    ///
    /// # Errors
    /// There is no worker any more, or it makes no sense. What the network refused is in `trouble`.
    pub fn handle(&mut self, news: bool, trouble: &mut dyn FnMut(io::Error)) -> io::Result<()> {
        self.told.looked.get_or_insert_with(Instant::now);
        self.look_at_clock();
        let end = self.serve_burst()?;
        if news {
            self.told.is_doubtful = true;
            self.take_news(trouble)?;
        }
        self.look_around()?;
        self.channel.flush()?;
        // When to look at the interfaces again.
        self.platform.set_wakeup(None)?;
        end
    }

    /// Carries out requests for as long as one follows another: a virtual router that moves is several, and
    /// what the kernel tells meanwhile, of our own changes above all, would come between them. Returns
    /// the end of the channel.
    fn serve_burst(&mut self) -> io::Result<io::Result<()>> {
        let until = Instant::now() + BURST;
        loop {
            let (requests, end) = self.requests();
            let more_follow = requests.last().is_some_and(|last| *last != Request::Flush);
            self.told.is_doubtful |= !requests.is_empty();
            let answers = self.carry_out(requests);
            // First what the worker needs to act on the answers.
            self.give()?;
            for result in answers {
                self.channel.queue(&Message::Done(result).encode(), None)?;
            }
            if end.is_err() || !more_follow || Instant::now() >= until {
                return Ok(end);
            }
            self.channel.flush()?;
            if !self.channel.wait_to_receive(NEXT_REQUEST_MS)? {
                return Ok(end);
            }
        }
    }

    fn take_news(&mut self, trouble: &mut dyn FnMut(io::Error)) -> io::Result<()> {
        let mut news = Vec::new();
        let states = &mut self.states;
        let received = self.platform.receive(&mut |incoming| {
            if let Incoming::Interface { host_if, state } = incoming {
                states.insert(host_if, state);
            }
            news.extend(Message::of(incoming));
        });
        if let Err(error) = received {
            trouble(error);
        }
        // First what the worker needs to act on the news.
        self.give()?;
        for message in news {
            self.channel.queue(&message.encode(), None)?;
        }
        Ok(())
    }

    /// The requests that have come, and what is wrong with the channel.
    fn requests(&mut self) -> (Vec<Request>, io::Result<()>) {
        let mut requests = Vec::new();
        while requests.len() < MOST_REQUESTS {
            match self.channel.receive() {
                Ok(Some(datagram)) => match Request::decode(&datagram) {
                    Some(request) => requests.push(request),
                    None => return (requests, Err(io::ErrorKind::InvalidData.into())),
                },
                Ok(None) => break,
                Err(error) => return (requests, Err(error)),
            }
        }
        self.channel.refuse_passed();
        (requests, Ok(()))
    }

    /// Carries out requests in order, changes of addresses that come together at once.
    fn carry_out(&mut self, requests: Vec<Request>) -> Vec<Result<(), PlatformError>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut batch = Batch::default();
        let most = self.platform.addresses_at_once();
        for request in requests {
            let admitted = self.guard.admit(&request).map_err(|refused| {
                let error = io::Error::new(io::ErrorKind::PermissionDenied, refused);
                PlatformError::new("do what was asked", error)
            });
            if !(admitted.is_ok() && batch.has_room_for(&request, most)) {
                answers.extend(batch.perform(&mut self.platform));
            }
            if admitted.is_ok() {
                self.note(&request);
            }
            match admitted {
                Ok(()) if batch.take(&request) => {}
                Ok(()) => answers.push(perform(&mut self.platform, &request)),
                Err(error) => answers.push(Err(error)),
            }
        }
        answers.extend(batch.perform(&mut self.platform));
        answers
    }

    /// Notes what a request takes up or gives up, whatever becomes of it: to give up what was refused
    /// does no harm.
    fn note(&mut self, request: &Request) {
        let key = match *request {
            Request::SetMac { key, .. } | Request::SetAddress { key, .. } => key,
            Request::Release { key } => {
                self.taken_up.remove(&key);
                return;
            }
            _ => return,
        };
        let taken = self.taken_up.entry(key).or_default();
        match *request {
            Request::SetMac { on, .. } => taken.mac = on,
            Request::SetAddress {
                address,
                accept,
                on,
                ..
            } => {
                taken.addresses.retain(|(known, _)| *known != address);
                if on {
                    taken.addresses.push((address, accept));
                }
            }
            _ => {}
        }
        if !taken.mac && taken.addresses.is_empty() {
            self.taken_up.remove(&key);
        }
    }

    /// When [`handle`](Self::handle) is due though nothing has come.
    pub fn deadline(&self) -> Option<Instant> {
        let next = self.told.looked? + LOOK_REST;
        self.told.is_doubtful.then_some(next)
    }

    /// Tells what can be told late: warnings, and which virtual MACs have been reached. That goes through
    /// all virtual routers, and each of hundreds of requests may have changed it: it is done seldom.
    fn look_around(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if self.deadline().is_none_or(|at| at > now) {
            return Ok(());
        }
        self.told.looked = Some(now);
        self.told.is_doubtful = false;
        self.tell_reached()?;
        self.tell_counts()?;
        self.warn()
    }

    /// Tells how many more connections have been reset, and routes and rules restored.
    fn tell_counts(&mut self) -> io::Result<()> {
        let (told, platform) = (&mut self.told, &self.platform);
        let resets = increase(&mut told.connections_reset, platform.connections_reset());
        let restored = increase(&mut told.routing_restored, platform.routing_restored());
        let messages = [
            resets.map(Message::ConnectionsReset),
            restored.map(Message::RoutingRestored),
        ];
        for message in messages.into_iter().flatten() {
            self.channel.queue(&message.encode(), None)?;
        }
        Ok(())
    }

    /// Tells the warnings that hold now, if they are others than before.
    fn warn(&mut self) -> io::Result<()> {
        let message = Message::of_warnings(&self.platform);
        let octets = match &message {
            Message::Warnings(warnings) if warnings.is_empty() => Vec::new(),
            _ => message.encode(),
        };
        if octets != self.told.warnings {
            self.channel.queue(&message.encode(), None)?;
            self.told.warnings = octets;
        }
        Ok(())
    }

    /// Tells which virtual MACs have been reached, where that has changed.
    fn tell_reached(&mut self) -> io::Result<()> {
        for key in self.guard.keys() {
            let reached = self.platform.mac_was_reached(key);
            if self.told.reached.get(&key).copied().unwrap_or_default() != reached {
                self.told.reached.insert(key, reached);
                let message = Message::Reached { key, reached };
                self.channel.queue(&message.encode(), None)?;
            }
        }
        Ok(())
    }

    /// Hands over the descriptors that were opened, and says which were closed, and which links there
    /// are.
    fn give(&mut self) -> io::Result<()> {
        let there = self.platform.devices();
        let (channel, told) = (&mut self.channel, &mut self.told);
        if there != told.devices {
            for (place, number) in &told.devices {
                if there.get(place) != Some(number) {
                    channel.queue(&Message::Close(place.clone()).encode(), None)?;
                }
            }
            for (place, number) in &there {
                if told.devices.get(place) != Some(number) {
                    let copy = self.platform.duplicate(place)?;
                    let open = Message::Open(place.clone());
                    channel.queue(&open.encode(), Some(copy))?;
                }
            }
            told.devices = there;
        }
        let generation = self.platform.links_generation();
        if generation != told.generation {
            let links = self.platform.links();
            for (&index, _) in told.links.iter().filter(|(i, _)| !links.contains_key(i)) {
                let link = None;
                channel.queue(&Message::Link { index, link }.encode(), None)?;
            }
            for (&index, link) in &links {
                if told.links.get(&index) != Some(link) {
                    let link = Some(link.clone());
                    channel.queue(&Message::Link { index, link }.encode(), None)?;
                }
            }
            told.links = links;
            told.generation = generation;
        }
        Ok(())
    }
}

/// Changes of the addresses of one virtual router that come together.
#[derive(Default)]
struct Batch {
    key: Option<VrKey>,
    changes: Vec<AddressChange>,
}

impl Batch {
    fn has_room_for(&self, request: &Request, most: usize) -> bool {
        match request {
            Request::SetAddress { key, .. } => {
                self.changes.is_empty() || self.key == Some(*key) && self.changes.len() < most
            }
            _ => self.changes.is_empty(),
        }
    }

    /// Takes a change of an address. `false`: it is another request.
    fn take(&mut self, request: &Request) -> bool {
        let &Request::SetAddress {
            key,
            address,
            accept,
            on,
        } = request
        else {
            return false;
        };
        self.key = Some(key);
        self.changes.push(AddressChange {
            address,
            accept,
            on,
        });
        true
    }

    fn perform(&mut self, platform: &mut impl Platform) -> Vec<Result<(), PlatformError>> {
        let changes = std::mem::take(&mut self.changes);
        match self.key.take() {
            Some(key) => platform.set_addresses(key, &changes),
            None => Vec::new(),
        }
    }
}
