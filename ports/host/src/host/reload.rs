//! From one configuration to the next.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;

use vrrp_core::{Instant, VrKey};

use super::core::{Retry, Vr};
use super::partings::Parting;
use super::perform::Slice;
use super::signing::set_auth;
use super::{Host, groups, plan};
use crate::config::{ConfigCause, ConfigError, GroupSpec, HostConfig, Tracked, VrSpec};
use crate::host_if::HostIf;
use crate::limits::MAX_VIRTUAL_ROUTERS;
use crate::platform::Platform;
use crate::report::Reload;
use crate::setup::VrSetup;

/// The steps of a reload.
#[derive(Default)]
struct Work {
    /// Not there: to be inserted.
    add: Vec<(VrKey, VrSpec)>,
    /// To be reconfigured in place.
    change: Vec<(VrKey, VrSpec)>,
    /// To be removed and inserted anew, or on its way out and wanted again.
    replace: Vec<(VrKey, VrSpec)>,
    /// To be removed.
    remove: Vec<VrKey>,
    /// The name that each virtual router has from now on.
    names: Vec<(VrKey, Option<Arc<str>>)>,
    report: Reload,
}

impl<P: Platform> Host<P> {
    /// Goes over to `config`, without performing what follows from it. After an error nothing is
    /// different.
    pub(super) fn apply(
        &mut self,
        now: Instant,
        config: HostConfig,
    ) -> Result<Reload, ConfigError> {
        let known = self.core.interfaces.iter();
        let occupied = known.filter_map(|(_, i)| i.in_engine.then_some(i.name.as_str()));
        plan::check(&config, occupied)?;
        plan::check_secrets(&config)?;
        plan::check_boot_count(&config, self.core.clock.is_counted)?;
        let shortest = config
            .virtual_routers
            .iter()
            .map(|spec| spec.settings.advert_interval);
        let shortest = shortest.min().map(|interval| interval.duration());
        self.watch(&config)?;
        let mut config = config;
        groups::share_tracks(&config.groups, &mut config.virtual_routers);
        for spec in &mut config.virtual_routers {
            spec.track_devices();
        }
        // These too, as far as there is room.
        groups::share_tracks(&config.groups, &mut config.virtual_routers);
        let groups = std::mem::take(&mut config.groups);
        // Keys are of no use without the time.
        self.core.clock.wanted |= config
            .virtual_routers
            .iter()
            .any(|spec| spec.hmac.is_some());
        self.read_clock(now);
        if let Some(boots) = config.boot_count {
            self.core.engine.set_boot_count(now, boots);
            self.core.clock.is_counted = true;
        }
        let work = self.sort_out(config);
        self.core.shortest = shortest.unwrap_or_default();
        Ok(self.commit(now, work, groups))
    }

    /// Begins to watch every interface that is new.
    fn watch(&mut self, config: &HostConfig) -> Result<(), ConfigError> {
        let mut watched = Vec::new();
        for spec in &config.virtual_routers {
            for name in spec.interfaces() {
                let (host_if, new) = self.core.interfaces.add(name);
                if !new {
                    continue;
                }
                watched.push(host_if);
                if let Err(error) = self.platform.watch(host_if, name) {
                    watched.pop();
                    self.core.interfaces.remove(host_if);
                    self.unwatch(&watched);
                    return Err(ConfigError {
                        id: Some(spec.id.clone()),
                        cause: ConfigCause::Platform(error),
                    });
                }
            }
        }
        Ok(())
    }

    fn unwatch(&mut self, watched: &[HostIf]) {
        for &host_if in watched {
            self.platform.unwatch(host_if);
            self.core.interfaces.remove(host_if);
        }
    }

    /// Compares what is wanted with what there is.
    fn sort_out(&self, config: HostConfig) -> Work {
        let mut work = Work::default();
        let mut named = HashSet::new();
        for spec in config.virtual_routers {
            let id = spec.id.clone();
            let Some(host_if) = self.core.interfaces.number(&id.interface) else {
                continue;
            };
            let key = host_if.key(id.vrid, id.family);
            named.insert(key);
            work.names.push((key, id.name.clone()));
            let vr = self.core.vrs.get(&key);
            match (vr, vr.and_then(Vr::wanted)) {
                (_, Some(old)) if *old == spec => work.report.unchanged.push(id),
                (Some(vr), old) => {
                    let list = match old {
                        Some(_) => &mut work.report.changed,
                        None => &mut work.report.added,
                    };
                    list.push(id);
                    let stays = |old: &VrSpec| !vr.leaving && !old.is_replaced_by(&spec);
                    if vr.current.as_ref().is_some_and(stays) {
                        work.change.push((key, spec));
                    } else {
                        work.replace.push((key, spec));
                    }
                }
                (None, _) => {
                    work.report.added.push(id);
                    work.add.push((key, spec));
                }
            }
        }
        for (&key, vr) in &self.core.vrs {
            if !named.contains(&key) && vr.wanted().is_some() {
                work.report.removed.push(vr.id.clone());
                work.remove.push(key);
            }
        }
        work
    }

    fn commit(&mut self, now: Instant, work: Work, groups: Vec<GroupSpec>) -> Reload {
        for (key, name) in work.names {
            if let Some(vr) = self.core.vrs.get_mut(&key) {
                vr.id.name = name;
            }
        }
        for key in work.remove {
            self.remove(now, key, None);
        }
        for (key, spec) in work.replace {
            self.remove(now, key, Some(spec));
        }
        self.keep_up();
        for (key, spec) in work.add {
            let mut vr = Vr::new(spec.id.clone());
            vr.next = Some(spec);
            self.core.vrs.insert(key, vr);
        }
        self.core.set_groups(now, groups);
        self.reconfigure_all(now, work.change);
        self.admit(now);
        self.configure_second_paths(now);
        self.core.look_at_tracked = true;
        self.reap_due = true;
        work.report
    }

    /// Reconfigures so that an address that moves from one virtual router to another is given up
    /// before it is taken, unless they exchange addresses in a circle.
    fn reconfigure_all(&mut self, now: Instant, mut change: Vec<(VrKey, VrSpec)>) {
        let mut held: HashMap<(String, IpAddr), VrKey> = HashMap::new();
        for (key, spec) in &change {
            let current = self.core.vrs.get(key).and_then(|vr| vr.current.as_ref());
            let current = current.into_iter().flat_map(VrSpec::places);
            let kept: HashSet<_> = spec.places().collect();
            let given = current.filter(|place| !kept.contains(place));
            held.extend(given.map(|(name, address)| ((name.to_owned(), address), *key)));
        }
        while !change.is_empty() {
            let waits = |(key, spec): &(VrKey, VrSpec)| {
                let mut takes = spec.places();
                takes.any(|(name, address)| {
                    let holder = held.get(&(name.to_owned(), address));
                    holder.is_some_and(|holder| holder != key)
                })
            };
            let (mut later, mut ready): (Vec<_>, Vec<_>) = change.into_iter().partition(waits);
            if ready.is_empty() {
                ready.append(&mut later);
            }
            for (key, spec) in ready {
                held.retain(|_, holder| *holder != key);
                self.reconfigure(now, key, spec);
                self.keep_up();
            }
            if !later.is_empty() {
                self.drain_all(now);
            }
            change = later;
        }
    }

    /// Removes a virtual router gracefully; `next` takes its place when it is gone.
    pub(super) fn remove(&mut self, now: Instant, key: VrKey, next: Option<VrSpec>) {
        let Some(vr) = self.core.vrs.get_mut(&key) else {
            return;
        };
        let gone = next.is_none();
        if let Some(next) = &next {
            vr.forget_wishes(next);
        }
        vr.next = next;
        if vr.leaving {
            return;
        }
        self.core.retries.remove(&key);
        if vr.current.is_some() {
            vr.leaving = true;
            let result = self.part(now, key, Parting::Remove);
            self.core.engine_refused(now, key, result);
        }
        if gone
            && !self.core.vrs.get(&key).is_some_and(|vr| vr.leaving)
            && let Some(vr) = self.core.vrs.remove(&key)
        {
            self.core.events.push(crate::Event::Removed { id: vr.id });
        }
    }

    fn reconfigure(&mut self, now: Instant, key: VrKey, spec: VrSpec) {
        let setup = spec.setup(key);
        let before = self.core.vrs.get(&key).and_then(|vr| vr.prepared.clone());
        if let Some(before) = before.filter(|before| *before != setup)
            && self.platform.prepare(&setup).is_err()
        {
            // An address that is served is given up with the setup that it was installed with. Then the new
            // one is refused again, and that is told.
            if let Err(error) = self.platform.prepare(&before) {
                self.core.problem(now, Some(key), error.to_string());
            }
            self.remove(now, key, Some(spec));
            return;
        }
        let core = &mut self.core;
        let Some(vr) = core.vrs.get_mut(&key) else {
            return;
        };
        let objects = &mut core.objects;
        let engine = &mut core.engine;
        let form = vr.wishes.form(core.preparations.holds_back(key, &spec));
        let mut result = spec.with_engine_form(
            form,
            |what| objects.number(what),
            |config| {
                if spec.hmac.is_none() {
                    // It may have got a password instead.
                    engine.admin(now).set_auth(key, None)?;
                }
                engine.admin(now).reconfigure(key, config)
            },
        );
        if result.is_ok() {
            result = set_auth(engine, now, key, &spec);
        }
        if result.is_err() {
            // Old and new addresses do not fit the table together.
            self.remove(now, key, Some(spec));
            return;
        }
        let moved = vr
            .current
            .as_ref()
            .is_some_and(|old| old.settings.priority != spec.settings.priority);
        if let Some(prepared) = &mut vr.prepared {
            *prepared = setup;
        }
        core.sightings.judge_anew(key);
        core.conflicts.forget(key);
        core.preparations.retry(key);
        core.followers.doubt();
        vr.current = Some(spec);
        if moved && vr.priority.take().is_some() {
            let result = engine.admin(now).set_priority(key, None);
            core.engine_refused(now, key, result);
        }
        self.state_objects(now, key);
        if self.prepared(key).is_none() {
            let retry = Retry::at_once(now);
            self.core.retries.insert(key, retry);
        }
    }

    fn prepared(&self, key: VrKey) -> Option<&VrSetup> {
        self.core.vrs.get(&key)?.prepared.as_ref()
    }

    /// Inserts what waits, as far as the engine has room. The platform is asked for it later, see
    /// [`retry`](Self::retry).
    pub(super) fn admit(&mut self, now: Instant) {
        let vrs = &self.core.vrs;
        let mut room = MAX_VIRTUAL_ROUTERS - vrs.values().filter(|vr| vr.current.is_some()).count();
        let waiting: Vec<VrKey> = vrs
            .iter()
            .filter(|(_, vr)| vr.current.is_none() && vr.next.is_some())
            .map(|(&key, _)| key)
            .collect();
        for key in waiting {
            if room == 0 {
                return;
            }
            room -= 1;
            self.insert(now, key);
            self.keep_up();
        }
    }

    fn insert(&mut self, now: Instant, key: VrKey) {
        let core = &mut self.core;
        if let Some(interface) = core.interfaces.get_mut(HostIf::of(key))
            && !interface.in_engine
        {
            interface.in_engine = true;
            let result = core.engine.set_interface(now, key.ifindex, interface.state);
            core.engine_refused(now, key, result);
        }
        let Some(vr) = core.vrs.get_mut(&key) else {
            return;
        };
        let Some(spec) = vr.next.take() else {
            return;
        };
        let (objects, engine) = (&mut core.objects, &mut core.engine);
        let form = vr.wishes.form(core.preparations.holds_back(key, &spec));
        let mut result = spec.with_engine_form(
            form,
            |what| objects.number(what),
            |config| engine.admin(now).insert(key, config),
        );
        if result.is_ok() {
            result = set_auth(engine, now, key, &spec);
        }
        if vr.priority.is_some() {
            result = result.and(engine.admin(now).set_priority(key, vr.priority));
        }
        vr.current = Some(spec);
        core.engine_refused(now, key, result);
        core.retries.insert(key, Retry::at_once(now));
        core.tell_group_of(now, key);
        self.state_objects(now, key);
    }

    /// States what is known of the objects that a virtual router tracks: one that nothing else
    /// tracks may be new to the engine.
    fn state_objects(&mut self, now: Instant, key: VrKey) {
        let core = &mut self.core;
        let spec = core.vrs.get(&key).and_then(|vr| vr.current.as_ref());
        for track in spec.iter().flat_map(|spec| &spec.tracks) {
            let Some(number) = core.objects.find(&track.what) else {
                continue;
            };
            if let Tracked::Interface(name) = &track.what {
                let up = core.interfaces.named(name).is_some_and(|i| i.state.up);
                core.objects.set(number, up);
            }
            let up = core.objects.is_up(number);
            core.engine.admin(now).set_tracked(number, up);
        }
        core.state_drained(now, key);
        let status = core.engine.status(key);
        if let Some(vr) = core.vrs.get_mut(&key) {
            vr.note_standing_back(now, status.as_ref());
        }
        core.look_at_tracked = true;
    }

    /// Enables a virtual router in the engine, once the platform is ready for it.
    fn start(&mut self, now: Instant, key: VrKey) {
        let Some(vr) = self.core.vrs.get(&key).filter(|vr| !vr.leaving) else {
            self.core.retries.remove(&key);
            return;
        };
        let enabled = vr.enabled;
        if !self.make_ready(now, key) {
            self.platform.release(key);
            return;
        }
        if enabled && self.core.is_armed(key) {
            let result = self.core.engine.admin(now).set_enabled(key, true);
            self.core.engine_refused(now, key, result);
        }
        self.core.look_at_tracked = true;
    }

    /// Asks the platform to make ready for a virtual router that is in the engine. `false`: it
    /// refused, and the virtual router is to be released.
    fn make_ready(&mut self, now: Instant, key: VrKey) -> bool {
        let Some(vr) = self.core.vrs.get_mut(&key) else {
            return true;
        };
        let Some(spec) = &vr.current else {
            return true;
        };
        let setup = spec.setup(key);
        let result = self.platform.prepare(&setup);
        vr.prepared = result.is_ok().then_some(setup);
        self.core.note_readiness(now, key, &result);
        result.is_ok()
    }

    /// Asks the platform again for the virtual routers of interfaces that have come, since one may
    /// be of another kind than before. Then tells the engine that the interfaces are there.
    pub(super) fn prepare_arrived(&mut self, now: Instant, slice: &mut Slice) {
        while let Some((&host_if, &last)) = self.core.arrived.first_key_value() {
            let after = last.map_or(Bound::Unbounded, Bound::Excluded);
            let mut vrs = self.core.vrs.range((after, Bound::Unbounded));
            let next = vrs.find(|(key, _)| HostIf::of(*key) == host_if);
            let Some((key, is_ready)) =
                next.map(|(key, vr)| (*key, vr.prepared.is_some() && !vr.leaving))
            else {
                self.core.arrived.remove(&host_if);
                self.core.tell_engine(now, host_if);
                continue;
            };
            self.core.arrived.insert(host_if, Some(key));
            if !is_ready {
                continue;
            }
            if !self.make_ready(now, key) {
                // Addresses on the interface that went are given up first.
                self.drain_all(now);
                let result = self.core.engine.admin(now).set_enabled(key, false);
                self.core.engine_refused(now, key, result);
                self.platform.release(key);
            }
            if self.is_over(slice) {
                return;
            }
        }
    }

    /// Asks the platform for every virtual router at once, while none advertises yet.
    pub(super) fn prepare_all(&mut self) {
        loop {
            let now = self.platform.now();
            if self.core.next_retry().is_none_or(|at| at > now) {
                return;
            }
            self.retry(now, &mut Slice::default());
        }
    }

    /// Asks the platform for what it is not ready for, when it is time.
    pub(super) fn retry(&mut self, now: Instant, slice: &mut Slice) {
        let retries = self.core.retries.iter();
        let due = retries.filter(|(_, retry)| retry.at <= now);
        for key in due.map(|(&key, _)| key).collect::<Vec<_>>() {
            self.start(now, key);
            if self.is_over(slice) {
                return;
            }
        }
    }

    /// Forgets interfaces and tracked objects that nothing names any more.
    pub(super) fn reap(&mut self, now: Instant) {
        self.configure_second_paths(now);
        let core = &mut self.core;
        core.forget_refused();
        let specs = || {
            core.vrs
                .values()
                .flat_map(|vr| vr.current.iter().chain(&vr.next))
        };
        let names: HashSet<&str> = specs().flat_map(VrSpec::interfaces).collect();
        let tracks = specs().flat_map(|spec| &spec.tracks);
        core.objects
            .retain(&tracks.map(|track| &track.what).collect());
        core.clock.wanted = specs().any(|spec| spec.hmac.is_some());
        let known = core.interfaces.iter();
        let unused = known.filter(|(_, interface)| !names.contains(interface.name.as_str()));
        for host_if in unused.map(|(host_if, _)| host_if).collect::<Vec<_>>() {
            if core.interfaces.get(host_if).is_some_and(|i| i.in_engine)
                && let Err(error) = core.engine.remove_interface(host_if.number())
            {
                core.problem(now, None, format!("the engine refused: {error}"));
                continue;
            }
            self.platform.unwatch(host_if);
            core.interfaces.remove(host_if);
            core.sightings.forget_interface(host_if);
            core.conflicts.forget_interface(host_if);
        }
    }
}
