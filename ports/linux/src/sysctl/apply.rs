//! Applies the sysctls, watches them, and puts back what was there before.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use vrrp_core::{Family, VrKey};
use vrrp_host::{HostIf, PlatformError};
use vrrp_port_kit::KernelIf;

use super::files;
use super::table::{
    Answers, DECISIVE, ELSEWHERE, MACVLAN, Place, SEGMENT, Surroundings, Sysctl, Values, Wanted,
    answers_on_device, answers_on_macvlan, inherited,
};
use crate::installer::Installer;
use crate::ledger::Entry;
use crate::netlink::{self, Netlink};
use crate::state::State;
use crate::sys::{self, Timer};

/// The time between two looks. The kernel gives notice of `forwarding` and `rp_filter` alone.
const LOOK: Duration = Duration::from_secs(1);
/// Macvlans that one look examines, of some 25 sysctls each: less than a millisecond. The others
/// have their turn with the next ones.
const EXAMINED: usize = 8;
/// The time between two looks while more macvlans than that are known to have changed.
const SOON: Duration = Duration::from_millis(5);

/// The sysctls of network interfaces: what is known of them, and what was changed.
#[derive(Debug)]
pub(crate) struct Sysctls {
    timer: Timer,
    /// When all of it was looked at last, on the monotonic clock.
    looked_us: u64,
    /// Those of "all", as last read.
    pub(super) all: Values,
    /// Those of the interfaces that virtual routers and their addresses are on, by the kernel's
    /// number, as last read. Our macvlans are not among them.
    pub(super) devices: BTreeMap<KernelIf, Values>,
    /// Interfaces of the host whose ARP is changed, and why.
    pub(super) segments: BTreeMap<KernelIf, Place>,
    /// An address of IPv4 is on the loopback.
    has_silent: bool,
    changed: Vec<Changed>,
    /// They may not be as the virtual routers want them.
    doubtful: bool,
    /// Macvlans that are to be examined first.
    due: BTreeSet<KernelIf>,
    /// The macvlan that was examined last in its turn.
    cursor: Option<KernelIf>,
    /// Values that were not as they should be when the interface was examined last.
    pub(super) wrong: BTreeMap<(KernelIf, Sysctl), Wrong>,
}

/// A sysctl of an interface of the host that we changed.
#[derive(Debug)]
struct Changed {
    index: KernelIf,
    sysctl: Sysctl,
    entry: Entry,
}

impl Changed {
    /// The value before, and that which we set.
    fn value(&self) -> Option<(i32, i32)> {
        match &self.entry {
            Entry::Setting { old, new, .. } => Some((old.parse().ok()?, new.parse().ok()?)),
            _ => None,
        }
    }
}

/// A value that was not as it should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wrong {
    pub(super) found: i32,
    pub(super) wanted: i32,
    /// We may not write it. Otherwise it is as it should be again.
    pub(super) refused: bool,
}

impl Sysctls {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            timer: Timer::new()?,
            looked_us: 0,
            all: Values::UNKNOWN,
            devices: BTreeMap::new(),
            segments: BTreeMap::new(),
            has_silent: false,
            changed: Vec::new(),
            doubtful: false,
            due: BTreeSet::new(),
            cursor: None,
            wrong: BTreeMap::new(),
        })
    }

    /// Expires when it is time to look.
    pub(crate) fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Sets the timer for the next look, if there is anything to look at.
    fn arm(&self, rest: Duration) -> io::Result<()> {
        let at = sys::monotonic_us() + rest.as_micros() as u64;
        self.timer.arm((!self.devices.is_empty()).then_some(at))
    }

    /// The values that a macvlan needs, apart from those that may be anything. `on`: it is up for the virtual
    /// MAC, or about to be.
    fn wanted(&self, key: VrKey, parent: KernelIf, on: bool) -> Vec<(Sysctl, i32)> {
        let around = Surroundings {
            all: &self.all,
            parent: self.devices.get(&parent).unwrap_or(&Values::UNKNOWN),
            family: key.family,
            on,
        };
        let rules = MACVLAN.iter();
        rules
            .filter_map(|(sysctl, wanted)| Some((*sysctl, around.value(*sysctl, *wanted)?)))
            .collect()
    }

    /// Whose ARP requests the kernel answers for addresses on an interface of the host, or, `None`, on
    /// a macvlan. The others are for us to answer.
    pub(crate) fn kernel_answers(&self, device: Option<KernelIf>) -> Answers {
        match device.and_then(|index| self.devices.get(&index)) {
            Some(values) => answers_on_device(&self.all, values),
            None => answers_on_macvlan(&self.all),
        }
    }

    /// The macvlan whose turn it is: one of those that are known to have changed, or the next.
    fn next_macvlan(&mut self, macvlans: &[KernelIf]) -> Option<KernelIf> {
        if let Some(index) = self.due.pop_first() {
            return Some(index);
        }
        let next = macvlans.iter().find(|index| Some(**index) > self.cursor);
        self.cursor = next.or(macvlans.first()).copied();
        self.cursor
    }
}

/// Sets IPv4 sysctls of an interface, by netlink: /proc/sys is read-only in most containers.
fn set_ipv4(netlink: &mut Netlink, index: KernelIf, sysctls: &[(u16, i32)]) -> io::Result<()> {
    if sysctls.is_empty() {
        return Ok(());
    }
    match netlink.perform(|to| netlink::link_sysctls(to, index, sysctls)) {
        // Gone meanwhile.
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        other => other,
    }
}

/// The IPv4 sysctls among them, as netlink takes them.
fn for_netlink(sysctls: &[(Sysctl, i32)]) -> Vec<(u16, i32)> {
    let numbered = sysctls.iter();
    numbered
        .filter_map(|(sysctl, value)| Some((sysctl.number()?, *value)))
        .collect()
}

/// Puts an IPv4 sysctl of an interface back to `old`, unless it is not the `new` any more that we had
/// set. Those that we never set on an interface of the host are left alone.
pub(crate) fn restore(
    netlink: &mut Netlink,
    (index, device): (KernelIf, &str),
    name: &str,
    old: &str,
    new: &str,
) -> io::Result<()> {
    let mut ours = SEGMENT.iter().chain(&ELSEWHERE).map(|rule| rule.sysctl);
    let ours = ours.find(|sysctl| sysctl.name() == name);
    let numbers = (old.parse(), new.parse::<i32>());
    let (Some(sysctl), (Ok(old), Ok(new))) = (ours, numbers) else {
        return Ok(());
    };
    let result = files::read(sysctl, device).and_then(|value| match value == new {
        true => set_ipv4(netlink, index, &for_netlink(&[(sysctl, old)])),
        false => Ok(()),
    });
    match result {
        // If we may not any more, the administrator wants it left alone.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// The setting by which the addresses of an interface stay when the first of their subnet goes, and its end,
/// as netlink takes them. Returns `None` if they stay anyway.
pub(crate) fn promotion(device: &str) -> Option<((u16, i32), (u16, i32))> {
    let sysctl = Sysctl::PromoteSecondaries;
    let number = sysctl.number()?;
    let is_off = files::read(sysctl, device).is_ok_and(|value| value == 0);
    is_off.then_some(((number, 1), (number, 0)))
}

impl Sysctls {
    /// Notes that sysctls may not be as the virtual routers want them.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Notes that a link of the host has come or changed, which may answer for silent addresses.
    pub(crate) fn note_link(&mut self) {
        self.doubtful |= self.has_silent;
    }

    /// Whether sysctls may not be as the virtual routers want them.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Makes the sysctls of the host's interfaces as the virtual routers want them.
    pub(crate) fn apply(
        &mut self,
        state: &State,
        installer: &mut Installer,
    ) -> Result<(), PlatformError> {
        self.learn(state);
        self.set_segments(state, installer)?;
        self.doubtful = false;
        Ok(())
    }

    /// Reads the sysctls that decide about others: the timer has expired. Returns whether all of them are
    /// to be looked at, and not only those that are known to have changed.
    pub(crate) fn begin_look(&mut self, state: &State) -> bool {
        self.timer.clear();
        self.doubtful |= self.learn(state);
        let now_us = sys::monotonic_us();
        let all = now_us - self.looked_us >= LOOK.as_micros() as u64;
        if all {
            self.looked_us = now_us;
        }
        all
    }

    /// Sets again what somebody has changed on the interfaces of the host.
    pub(crate) fn look_at_segments(
        &mut self,
        state: &State,
        installer: &mut Installer,
    ) -> Result<(), PlatformError> {
        let mut result = Ok(());
        for (index, place) in self.segments.clone() {
            result = result.and(self.set_segment(state, installer, index, place));
        }
        result
    }

    /// The macvlans that a look examines: those that are known to have changed, and of `all` the next.
    pub(crate) fn take_due(&mut self, state: &State, all: bool) -> Vec<KernelIf> {
        let mut macvlans: Vec<KernelIf> = state.macvlans().map(|(index, _)| index).collect();
        macvlans.sort_unstable();
        let count = if all { macvlans.len() } else { self.due.len() };
        let next = || self.next_macvlan(&macvlans);
        std::iter::from_fn(next).take(count.min(EXAMINED)).collect()
    }

    /// Sets the timer for the next look.
    pub(crate) fn end_look(&self) -> io::Result<()> {
        self.arm(if self.due.is_empty() { LOOK } else { SOON })
    }

    /// Takes note that a sysctl of an interface has changed; `None`: one of "all".
    pub(crate) fn note(&mut self, state: &State, index: Option<KernelIf>) {
        if let Some(index) = index {
            if state.is_macvlan(index) {
                self.due.insert(index);
            } else if !self.devices.contains_key(&index) {
                return;
            }
        }
        // A failure here would have shown when the timer was made.
        let _ = self.arm(Duration::ZERO);
    }

    /// Reads the sysctls that decide about others. Returns whether any has changed.
    fn learn(&mut self, state: &State) -> bool {
        let (mut indices, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (key, router) in state.table.routers.iter() {
            indices.extend(state.table.interfaces.index(HostIf::of(key)));
            let named = router.setup.addresses.iter();
            names.extend(named.filter_map(|(_, device)| device.as_deref()));
        }
        indices.extend(names.into_iter().filter_map(|name| state.links.find(name)));
        let mut devices = BTreeMap::new();
        for link in indices.iter().filter_map(|index| state.links.get(*index)) {
            let values = files::read_all(inherited().chain(DECISIVE), &link.name);
            devices.insert(link.index, values);
        }
        let all = match devices.is_empty() {
            true => Values::UNKNOWN,
            false => files::read_all(DECISIVE, "all"),
        };
        let links = &state.links;
        self.wrong
            .retain(|(index, _), _| links.get(*index).is_some());
        let begins = self.devices.is_empty() && !devices.is_empty();
        let is_other = |(index, values): (&KernelIf, &Values)| {
            let before = self.devices.get(index);
            before.is_some_and(|before| before != values)
        };
        let changed = all != self.all || devices.iter().any(is_other);
        (self.all, self.devices) = (all, devices);
        if changed && !begins {
            self.due.extend(state.macvlans().map(|(index, _)| index));
        }
        if changed || begins {
            // A failure here would have shown when the timer was made.
            let _ = self.arm(if begins { LOOK } else { SOON });
        }
        changed
    }

    /// The IPv4 sysctls that the macvlan of a virtual router needs, as netlink takes them.
    pub(crate) fn ipv4_sysctls(
        &mut self,
        state: &State,
        key: VrKey,
        parent: KernelIf,
        on: bool,
    ) -> Vec<(u16, i32)> {
        if !self.devices.contains_key(&parent) {
            self.learn(state);
        } else {
            // The notice of a change may not have been read yet.
            let all = files::read_all(DECISIVE, "all");
            if all != self.all {
                self.all = all;
                self.due.extend(state.macvlans().map(|(index, _)| index));
                self.doubtful = true;
            }
        }
        for_netlink(&self.wanted(key, parent, on))
    }

    /// Sets the IPv6 sysctls that a new macvlan needs.
    pub(crate) fn set_ipv6_sysctls(
        &mut self,
        key: VrKey,
        parent: KernelIf,
        (index, device): (KernelIf, &str),
    ) -> io::Result<()> {
        for (sysctl, wanted) in self.wanted(key, parent, false) {
            let found = files::read(sysctl, device);
            if sysctl.family() == Family::Ipv6
                && let Ok(found) = found
                && found != wanted
                && !files::write_if_allowed(sysctl, device, wanted)?
            {
                let refused = Wrong {
                    found,
                    wanted,
                    refused: true,
                };
                self.wrong.insert((index, sysctl), refused);
            }
        }
        Ok(())
    }

    /// Sets on a macvlan again what is not as it should be.
    pub(crate) fn examine(
        &mut self,
        state: &State,
        installer: &mut Installer,
        index: KernelIf,
    ) -> Result<(), PlatformError> {
        let Some(key) = state.of_macvlan(index) else {
            return Ok(());
        };
        let Ok((parent, _)) = state.table.interfaces.parent(key) else {
            return Ok(());
        };
        let device = state.link_label(index);
        let on = state
            .table
            .routers
            .get(key)
            .is_some_and(|router| router.mac_on);
        let wanted = self.wanted(key, parent, on).into_iter();
        let wrong: Vec<(Sysctl, i32, i32)> = wanted
            .filter_map(|(sysctl, wanted)| {
                let found = files::read(sysctl, &device).ok()?;
                (found != wanted).then_some((sysctl, found, wanted))
            })
            .collect();
        self.wrong.retain(|(of, _), _| *of != index);
        let what = || format!("set sysctls of {device}");
        let failed = |error| PlatformError::new(what(), error);
        let ipv4: Vec<_> = wrong.iter().map(|(s, _, wanted)| (*s, *wanted)).collect();
        set_ipv4(&mut installer.netlink, index, &for_netlink(&ipv4)).map_err(failed)?;
        for (sysctl, found, wanted) in wrong {
            let refused = sysctl.family() == Family::Ipv6
                && !files::write_if_allowed(sysctl, &device, wanted).map_err(failed)?;
            // One that follows from others has changed because they have.
            if refused || is_fixed(sysctl) {
                let wrong = Wrong {
                    found,
                    wanted,
                    refused,
                };
                self.wrong.insert((index, sysctl), wrong);
            }
        }
        Ok(())
    }

    /// The interface of an IPv4 virtual router, and any other that is in the subnet of its
    /// addresses, answer ARP for their own addresses only, and announce only those.
    fn set_segments(
        &mut self,
        state: &State,
        installer: &mut Installer,
    ) -> Result<(), PlatformError> {
        let (mut wanted, mut addresses) = (BTreeMap::new(), Vec::new());
        for (key, router) in state.table.routers.iter() {
            let Some(index) = state.table.interfaces.index(HostIf::of(key)) else {
                continue;
            };
            if key.family == Family::Ipv6 {
                continue;
            }
            wanted.insert(index, Place::Segment);
            let of_router = router.setup.addresses.iter();
            addresses.extend(of_router.filter_map(|(address, _)| match address.address {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            }));
        }
        addresses.sort_unstable();
        // Our macvlans were born so.
        wanted.retain(|index, _| !state.is_macvlan(*index));
        let known = |index| wanted.contains_key(&index) || state.is_macvlan(index);
        let beside = state.links.beside(&addresses, known);
        let beside: Vec<KernelIf> = beside.map(|link| link.index).collect();
        wanted.extend(beside.into_iter().map(|index| (index, Place::Segment)));
        self.has_silent = state
            .table
            .routers
            .silent_addresses()
            .any(|ip| ip.is_ipv4());
        let elsewhere = state.links.answering().map(|link| link.index);
        for index in elsewhere.filter(|_| self.has_silent) {
            if !state.is_macvlan(index) {
                wanted.entry(index).or_insert(Place::Elsewhere);
            }
        }
        let before = std::mem::take(&mut self.segments);
        for index in before.keys().filter(|index| !wanted.contains_key(index)) {
            self.restore(state, installer, *index);
        }
        self.segments = before;
        self.segments.retain(|index, _| wanted.contains_key(index));
        for (index, place) in wanted {
            if self.segments.get(&index) != Some(&place) {
                self.set_segment(state, installer, index, place)?;
                self.segments.insert(index, place);
            }
        }
        Ok(())
    }

    /// Sets on an interface of the host what is not as it should be, and notes what was there.
    fn set_segment(
        &mut self,
        state: &State,
        installer: &mut Installer,
        index: KernelIf,
        place: Place,
    ) -> Result<(), PlatformError> {
        let Some(link) = state.links.get(index) else {
            return Ok(());
        };
        let device = link.name.clone();
        self.wrong.retain(|(of, _), _| *of != index);
        for rule in place.rules() {
            let (sysctl, wanted) = (rule.sysctl, rule.value);
            let what = || format!("set {} to {wanted}", sysctl.path(&device));
            let failed = |error| PlatformError::new(what(), error);
            let found = match files::read(sysctl, &device) {
                Ok(found) => found,
                // The interface has just gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(failed(error)),
            };
            let ours = self
                .changed
                .iter()
                .find(|h| (h.index, h.sysctl) == (index, sysctl));
            let ours = ours.and_then(Changed::value);
            let is_ours = ours.is_some_and(|(_, new)| new == found);
            if found == wanted || rule.good.contains(&found) && !is_ours {
                continue;
            }
            let entry = |old: String| Entry::Setting {
                device: device.clone(),
                name: sysctl.name().into(),
                old,
                new: wanted.to_string(),
            };
            let mut changed = self.changed.iter_mut();
            let known = changed.find(|h| (h.index, h.sysctl) == (index, sysctl));
            match known.map(|known| (known.value(), known)) {
                // The interface has come to another place.
                Some((Some((old, new)), known)) if new == found => {
                    let entry = entry(old.to_string());
                    installer.ledger.add([entry.clone()]).map_err(failed)?;
                    let before = std::mem::replace(&mut known.entry, entry);
                    installer.ledger.remove(&before).map_err(failed)?;
                }
                Some(_) => {
                    // Somebody has changed it since.
                    let wrong = Wrong {
                        found,
                        wanted,
                        refused: false,
                    };
                    self.wrong.insert((index, sysctl), wrong);
                }
                None => {
                    let entry = entry(found.to_string());
                    installer.ledger.add([entry.clone()]).map_err(failed)?;
                    self.changed.push(Changed {
                        index,
                        sysctl,
                        entry,
                    });
                }
            }
            let set = for_netlink(&[(sysctl, wanted)]);
            set_ipv4(&mut installer.netlink, index, &set).map_err(failed)?;
        }
        Ok(())
    }

    /// Puts back what was there before, unless somebody has changed it since.
    fn restore(&mut self, state: &State, installer: &mut Installer, index: KernelIf) {
        // The interface may have another name by now; a new one of the old name is another one.
        let device = state.links.get(index).map(|link| link.name.clone());
        let changed = std::mem::take(&mut self.changed);
        let (over, changed) = changed.into_iter().partition(|one| one.index == index);
        self.changed = changed;
        let over: Vec<Changed> = over;
        for one in over {
            if let (Some(device), Entry::Setting { name, old, new, .. }) = (&device, &one.entry) {
                let restored = restore(&mut installer.netlink, (index, device), name, old, new);
                let what = || format!("set {} to {old} again", one.sysctl.path(device));
                if installer.retry_removal(restored, what).is_err() {
                    self.changed.push(one);
                    continue;
                }
            }
            // If the ledger cannot be written the next life restores it, or finds it restored.
            let _ = installer.ledger.remove(&one.entry);
        }
    }

    /// Puts back what could not be put back before.
    pub(crate) fn restore_rest(
        &mut self,
        state: &State,
        installer: &mut Installer,
    ) -> Result<(), PlatformError> {
        let over = self.changed.iter().map(|one| one.index);
        let over: BTreeSet<KernelIf> = over.filter(|i| !self.segments.contains_key(i)).collect();
        for &index in &over {
            self.restore(state, installer, index);
        }
        match self.changed.iter().find(|h| over.contains(&h.index)) {
            None => Ok(()),
            Some(one) => {
                let what = format!("put back what was before {}", one.entry);
                Err(PlatformError::new(what, io::ErrorKind::Other.into()))
            }
        }
    }
}

/// Whether a macvlan's value of a sysctl is always the same, so that another one is somebody's doing.
fn is_fixed(sysctl: Sysctl) -> bool {
    let is_fixed = |rule: &(Sysctl, Wanted)| matches!(rule.1, Wanted::Is(_)) && rule.0 == sysctl;
    MACVLAN.iter().any(is_fixed)
}
