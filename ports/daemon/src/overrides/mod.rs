//! Overrides: the wishes of administrators that last until they end by themselves or are taken back.
//!
//! The worker decides and the parent keeps: a change is written to the state directory before it takes
//! effect. Times are those of the wall clock, so that they outlive a reboot.

mod counting;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use vrrp_control::OverrideKind;
use vrrp_core::{Family, Priority, Vrid};
use vrrp_host::VrId;
use vrrp_port_kit::state::{StateDir, StateFile};

pub(crate) use counting::Counting;

/// The most octets of a reason.
pub const MAX_REASON: usize = 200;
/// The longest time that an override can be given for, in milliseconds.
pub const LONGEST_MS: u64 = 366 * 24 * 3600 * 1000;
/// Three for each virtual router that there can be.
const MOST: usize = 3 * vrrp_host::MAX_VIRTUAL_ROUTERS;

/// The file in the state directory: an [`Override`] in JSON on each line.
pub(crate) const FILE: StateFile = StateFile {
    name: "overrides",
    format: 1,
    most: MOST * 1024,
};

/// An override of a virtual router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    interface: String,
    vrid: u8,
    ipv6: bool,
    /// Its effect.
    pub kind: OverrideKind,
    /// Of a priority: the one to advertise.
    pub priority: Option<u8>,
    /// Of a priority: the configured one when it was given. It ends with that.
    pub configured: Option<u8>,
    /// The user who has given it.
    pub uid: u32,
    /// When it was given, in milliseconds since 1970.
    pub since_ms: u64,
    /// When it ends by itself.
    pub until_ms: Option<u64>,
    /// Why it was given.
    pub reason: Option<String>,
}

impl Override {
    /// One without an end, a reason and a priority.
    pub fn new(id: &VrId, kind: OverrideKind, uid: u32, now_ms: u64) -> Self {
        Self {
            interface: id.interface.clone(),
            vrid: id.vrid.get(),
            ipv6: id.family == Family::Ipv6,
            kind,
            priority: None,
            configured: None,
            uid,
            since_ms: now_ms,
            until_ms: None,
            reason: None,
        }
    }

    /// The virtual router.
    pub fn id(&self) -> Option<VrId> {
        Some(VrId {
            interface: self.interface.clone(),
            vrid: Vrid::new(self.vrid)?,
            family: if self.ipv6 {
                Family::Ipv6
            } else {
                Family::Ipv4
            },
            name: None,
        })
    }

    // There may be a thousand to be compared with a thousand others.
    pub(crate) fn is_of(&self, id: &VrId) -> bool {
        self.vrid == id.vrid.get()
            && self.ipv6 == (id.family == Family::Ipv6)
            && self.interface == id.interface
    }

    fn is_like(&self, other: &Self) -> bool {
        let who = |one: &Self| (one.kind, one.vrid, one.ipv6);
        who(self) == who(other) && self.interface == other.interface
    }

    /// Whether each value is one that vrrpd gives: the file or the worker may be damaged.
    fn is_sound(&self) -> bool {
        let has_priority = self.priority.and_then(Priority::new).is_some();
        let reason = self.reason.as_deref().unwrap_or_default();
        self.id().is_some()
            && has_priority == (self.kind == OverrideKind::Priority)
            && self.interface.len() <= 255
            && reason.len() <= MAX_REASON
            && !reason.contains(char::is_control)
    }

    /// The milliseconds that are left. A clock that is behind the time at which it was given, perhaps
    /// because it is not set yet after a reboot, does not make it longer.
    pub fn left_ms(&self, now_ms: u64) -> Option<u64> {
        let until = self.until_ms?;
        Some(until.saturating_sub(now_ms.max(self.since_ms)))
    }
}

/// The overrides that are in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book(Vec<Override>);

impl Book {
    /// With these overrides.
    pub fn new(all: Vec<Override>) -> Self {
        let mut book = Self::default();
        for one in all {
            book.set(one);
        }
        book
    }

    /// Reads the file. One that makes no sense is set aside.
    pub fn read(dir: &StateDir) -> Self {
        let Some(octets) = dir.read(FILE) else {
            return Self::default();
        };
        let lines = octets.split(|&octet| octet == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        let read: Result<Vec<Override>, _> = lines.map(serde_json::from_slice).collect();
        let sound = match read {
            Ok(all) if all.iter().all(Override::is_sound) => Ok(all),
            Ok(_) => Err("an override in it has a value that does not exist".to_owned()),
            Err(error) => Err(format!("not the overrides of vrrpctl: {error}")),
        };
        match sound {
            Ok(all) => Self::new(all),
            Err(why) => {
                dir.set_aside(FILE, &why);
                Self::default()
            }
        }
    }

    /// The contents of the file.
    pub fn lines(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        for one in &self.0 {
            // Our own types always have a JSON form.
            if serde_json::to_writer(&mut lines, one).is_ok() {
                lines.push(b'\n');
            }
        }
        lines
    }

    /// Every override.
    pub fn all(&self) -> &[Override] {
        &self.0
    }

    /// Those of a virtual router.
    pub fn of<'a>(&'a self, id: &'a VrId) -> impl Iterator<Item = &'a Override> {
        self.0.iter().filter(|one| one.is_of(id))
    }

    /// The one of a kind.
    pub fn find(&self, id: &VrId, kind: OverrideKind) -> Option<&Override> {
        self.0.iter().find(|one| one.kind == kind && one.is_of(id))
    }

    /// The virtual routers that have one.
    pub fn ids(&self) -> BTreeSet<VrId> {
        self.0.iter().filter_map(Override::id).collect()
    }

    /// Puts one in the place of another of its kind.
    pub fn set(&mut self, one: Override) {
        self.remove(&one);
        self.0.push(one);
    }

    /// Takes out the one of the same kind and virtual router.
    pub fn remove(&mut self, like: &Override) {
        self.0.retain(|one| !one.is_like(like));
    }

    /// Makes a change that the worker asks for. `configured`: whether a virtual router is. False: it is
    /// refused.
    pub(crate) fn take(
        &mut self,
        one: Override,
        on: bool,
        configured: impl Fn(&VrId) -> bool,
    ) -> bool {
        if !on {
            self.remove(&one);
            return true;
        }
        let fits = one.is_sound() && one.id().is_some_and(|id| configured(&id));
        if fits {
            self.set(one);
        }
        fits && self.0.len() <= MOST
    }

    /// The milliseconds until the next one ends by itself.
    pub fn next_end_ms(&self, now_ms: u64) -> Option<u64> {
        self.0.iter().filter_map(|one| one.left_ms(now_ms)).min()
    }

    /// Those that have ended.
    pub fn ended(&self, now_ms: u64) -> Vec<Override> {
        let ended = self.0.iter().filter(|one| one.left_ms(now_ms) == Some(0));
        ended.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Directory;

    fn id(vrid: u8) -> VrId {
        VrId {
            interface: "eth0".into(),
            vrid: Vrid::new(vrid).expect("not 0"),
            family: Family::Ipv4,
            name: None,
        }
    }

    fn drain(vrid: u8) -> Override {
        Override {
            until_ms: Some(5_000),
            reason: Some("kernel update".into()),
            ..Override::new(&id(vrid), OverrideKind::Drain, 0, 1_000)
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_makes_no_sense_is_set_aside() {
        let path = Directory::new("overrides");
        let dir = StateDir::new(&path);
        assert_eq!(Book::read(&dir), Book::default());
        let book = Book::new(vec![drain(1), drain(2)]);
        dir.write(FILE, &book.lines()).expect("written");
        assert_eq!(Book::read(&dir), book);
        let bad = |change: &dyn Fn(&mut Override)| {
            let mut one = drain(1);
            change(&mut one);
            Book(vec![one]).lines()
        };
        for contents in [
            b"{}\n".to_vec(),
            b"\xff\xfe".to_vec(),
            bad(&|one| one.vrid = 0),
            bad(&|one| one.priority = Some(7)),
            bad(&|one| one.kind = OverrideKind::Priority),
            bad(&|one| one.reason = Some("a\nb".into())),
            bad(&|one| one.reason = Some("a".repeat(MAX_REASON + 1))),
        ] {
            dir.write(FILE, &contents).expect("written");
            assert_eq!(Book::read(&dir), Book::default());
            assert!(path.join("overrides.bad").exists());
            assert_eq!(dir.take_aside().len(), 1);
        }
    }

    #[test]
    fn the_end_is_of_the_wall_clock_and_no_clock_makes_it_longer() {
        let book = Book::new(vec![drain(1)]);
        assert_eq!(book.next_end_ms(2_000), Some(3_000));
        assert_eq!(book.next_end_ms(0), Some(4_000), "a clock that is not set");
        assert_eq!(book.ended(4_999), []);
        assert_eq!(book.ended(5_000), [drain(1)]);
        let endless = Override::new(&id(1), OverrideKind::Hold, 0, 0);
        assert_eq!(Book::new(vec![endless]).next_end_ms(u64::MAX), None);
    }

    #[test]
    fn the_parent_takes_only_what_is_sound_and_configured() {
        let mut book = Book::default();
        let configured = |known: &VrId| *known == id(1);
        assert!(book.take(drain(1), true, configured));
        assert!(!book.take(drain(2), true, configured));
        let unsound = Override {
            priority: Some(3),
            ..drain(1)
        };
        assert!(!book.take(unsound, true, configured));
        assert_eq!(book.all(), [drain(1)]);
        assert!(book.take(drain(1), false, |_| false), "it may always go");
        assert_eq!(book, Book::default());
    }
}
