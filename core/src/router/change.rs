//! What the administrator, tracked objects and interfaces change while a virtual router runs.

use core::net::IpAddr;

use super::SMALL;
use super::vr::{After, Entries, Entry, Micros, Settings, Tracks, VirtualRouter};
use crate::output::State;
use crate::status::InterfaceState;
use crate::time::Instant;
use crate::types::{ChecksumMode, Version};

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Takes over a checked configuration.
    pub(super) fn reconfigure(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        settings: Settings,
        entries: Entries<ADDRS>,
        tracks: Tracks,
    ) {
        let same_entries = self
            .entries
            .iter()
            .map(Entry::identity)
            .eq(entries.iter().map(Entry::identity));
        let before = self.judged_by();
        if settings.checksum != self.settings.checksum {
            self.pseudo_header = settings.checksum != ChecksumMode::Rfc9568;
        }
        if settings.priority != self.settings.priority {
            self.resigned = false;
        }
        let announce = |s: &Settings| (s.repeats, s.repeat_interval, s.refresh);
        let same_announce = announce(&settings) == announce(&self.settings);
        self.settings = settings;
        self.set_entries(entries);
        self.tracks = tracks;
        self.dirty = true;
        if self.settings.version == Version::V2 || self.active.is_none() {
            // T-2
            self.active_interval = self.settings.advert_interval;
        }
        if self.state == State::Initialize {
            // What failed with another configuration is tried at once.
            self.timer = now;
        }
        self.evaluate(now, iface);
        let waits = !SMALL && self.owed.left == 0;
        self.judge_anew(now, before);
        if !self.is_in_charge() {
            return;
        }
        if !same_entries {
            self.advertise(now);
            if waits {
                self.owed.after = After::Changes;
            }
            self.announce(now, true);
        }
        if !same_announce {
            let left = self.announcing.repeats_left;
            self.announcing.repeats_left = left.min(self.settings.repeats);
            self.schedule_announcement(now);
        }
    }

    /// A summary of the last advertisement, and the delay before preemption.
    fn judged_by(&self) -> (u32, Micros) {
        let version = self.settings.version as u32;
        let interval = u32::from(self.settings.advert_interval.as_centis());
        let said = interval << 16 | version << 8 | u32::from(self.priority().get());
        (said, self.preempt_delay())
    }

    /// Acts on settings that have changed since `before`: an Active router advertises, and a Backup
    /// waits on for what is left of the delays as they are now (T-9).
    fn judge_anew(&mut self, now: Instant, before: (u32, Micros)) {
        self.forget();
        if self.state == State::Backup {
            self.reset_delays(now, before.1);
        } else if self.is_in_charge() && self.judged_by().0 != before.0 {
            self.advertise(now);
        }
    }

    /// Forgets what was worked out from facts that have changed.
    pub(super) fn forget(&mut self) {
        self.heard.set(None);
        self.said.set(None);
    }

    /// Makes a change that may move the priority.
    pub(super) fn change_priority(&mut self, now: Instant, change: impl FnOnce(&mut Self)) {
        let before = self.judged_by();
        change(self);
        self.judge_anew(now, before);
    }

    pub(super) fn set_tracked(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        object: u16,
        up: bool,
    ) {
        self.change_priority(now, |vr| {
            for t in vr.tracks.iter_mut().filter(|t| t.object == object) {
                t.up = up;
            }
        });
        self.evaluate(now, iface);
    }

    /// The interface is described anew and the virtual router goes on: neighbours and routers must
    /// learn of another source or MAC.
    pub(super) fn interface_changed(
        &mut self,
        now: Instant,
        before: &InterfaceState,
        after: &InterfaceState,
    ) {
        self.forget();
        if !self.is_in_charge() {
            return;
        }
        if self.mac(before) != self.mac(after) {
            self.announce(now, true);
        }
        if self.source(before) != self.source(after) {
            self.advertise(now);
        }
    }

    /// Whether `address` is where our own advertisements come from.
    pub(super) fn is_own(&self, iface: &InterfaceState, address: IpAddr) -> bool {
        self.source(iface) == Some(address)
    }
}
