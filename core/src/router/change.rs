//! What the administrator, tracked objects and interfaces change while a virtual router runs.

use core::net::IpAddr;

use super::SMALL;
use super::vr::{After, Entries, Entry, Settings, Tracks, VirtualRouter};
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
        let said = |vr: &Self| {
            (
                vr.priority(),
                vr.settings.advert_interval,
                vr.settings.version,
            )
        };
        let same_entries = self
            .entries
            .iter()
            .map(Entry::identity)
            .eq(entries.iter().map(Entry::identity));
        let before = said(self);
        if settings.checksum != self.settings.checksum {
            self.pseudo_header = settings.checksum != ChecksumMode::Rfc9568;
        }
        if settings.priority != self.settings.priority {
            self.resigned = false;
        }
        let announce = |s: &Settings| (s.repeats, s.repeat_interval, s.refresh);
        if announce(&settings) != announce(&self.settings) {
            self.announcing.repeats_left = 0;
        }
        self.settings = settings;
        self.set_entries(entries);
        self.tracks = tracks;
        self.forget();
        self.dirty = true;
        if self.settings.version == Version::V2 {
            self.active_interval = self.settings.advert_interval;
        }
        self.evaluate(now, iface);
        if !self.is_in_charge() {
            return;
        }
        if before != said(self) || !same_entries {
            let waits = !SMALL && !same_entries && self.owed.left == 0;
            self.advertise(now);
            if waits {
                self.owed.after = After::Changes;
            }
        }
        if !same_entries {
            self.announce(now, true);
        }
        if self.announcing.repeats_left == 0 {
            self.schedule_announcement(now);
        }
    }

    /// Forgets what was worked out from facts that have changed.
    pub(super) fn forget(&mut self) {
        self.heard.set(None);
        self.said.set(None);
    }

    /// Makes a change that may move the priority. While Active a new one is advertised at once.
    pub(super) fn change_priority(&mut self, now: Instant, change: impl FnOnce(&mut Self)) {
        let before = self.priority();
        change(self);
        self.forget();
        if self.priority() != before && self.is_in_charge() {
            self.advertise(now);
        }
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
