//! The changes of administrator, tracked objects and interface while a virtual router runs.

use super::VirtualRouter;
#[cfg(feature = "hmac")]
use super::auth::Clock;
use super::entries::Entries;
use super::phase::{After, Phase};
use super::settings::{Micros, Settings};
use super::tracking::Tracking;
#[cfg(feature = "hmac")]
use crate::auth::AuthConfig;
use crate::config::VrConfig;
use crate::error::Error;
use crate::status::InterfaceState;
use crate::time::Instant;
use crate::types::{Auth, Priority, Version};

/// The values that a change may move: those of the next advertisement, and the delay before preemption.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Judged {
    version: Version,
    interval: u16,
    priority: Priority,
    preempt_delay: Micros,
    stands_back: bool,
}

impl Judged {
    fn says_as(&self, other: &Self) -> bool {
        let said = |j: &Self| (j.version, j.interval, j.priority);
        said(self) == said(other)
    }
}

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Takes over a configuration, or changes nothing.
    pub(in crate::engine) fn reconfigure(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        config: &VrConfig<'_>,
    ) -> Result<(), Error> {
        let settings = Settings::new(self.key, config)?;
        if settings.mac_mode != self.settings.mac_mode {
            return Err(Error::MacModeFixed);
        }
        if self.auth.is_on() && settings.auth != Auth::None {
            return Err(Error::AuthConflict);
        }
        let entries = self.entries.merged(self.key, config)?;
        let tracking = self.tracking.merged(config)?;
        self.take_over(now, iface, settings, entries, tracking);
        Ok(())
    }

    fn take_over(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        settings: Settings,
        entries: Entries<ADDRS>,
        tracking: Tracking,
    ) {
        let same_entries = self.entries.same_as(&entries)
            && self.settings.unadvertised() == settings.unadvertised()
            && self.settings.serves_addresses() == settings.serves_addresses();
        let before = self.judged_by();
        if settings.checksum != self.settings.checksum {
            self.learned.reset_checksum(settings.checksum);
        }
        if settings.priority != self.settings.priority {
            self.admin.resigned = false;
        }
        let same_announcements = settings.announcements() == self.settings.announcements();
        self.settings = settings;
        self.entries = entries;
        self.tracking = tracking;
        self.applied.set_differs(true);
        let learned = self.learned.interval();
        let is_learned = self.heard.active().is_some_and(|a| a.interval == learned);
        if self.settings.version == Version::V2 || !is_learned {
            // T-2: also with an Active router whose interval does not count (S-7).
            self.learned.set_interval(self.settings.advert_interval);
        }
        if let Phase::Initialize(_) = self.phase {
            // Effects that failed with another configuration are tried at once.
            self.phase = Phase::INITIALIZE;
        }
        self.evaluate(now, iface);
        let nothing_owed = self.owed.left == 0;
        self.judge_anew(now, before);
        if !self.is_in_charge() {
            return;
        }
        if !same_entries {
            let after = if nothing_owed {
                After::Changes
            } else {
                After::Nothing
            };
            self.advertise_after(now, after);
            self.announce(now, true);
        }
        if !same_announcements && let Phase::Active(active) = &mut self.phase {
            active.announcements.reschedule(now, &self.settings);
        }
    }

    fn judged_by(&self) -> Judged {
        Judged {
            version: self.settings.version,
            interval: self.settings.advert_interval.as_centis(),
            priority: self.priority(),
            preempt_delay: self.preempt_delay(),
            stands_back: self.stands_back(),
        }
    }

    /// Acts on settings that have changed since `before`: an Active router advertises, and a Backup
    /// waits on for what is left of the delays as they are now (T-9).
    fn judge_anew(&mut self, now: Instant, before: Judged) {
        self.repeat.invalidate();
        if self.stands_back() && !before.stands_back {
            self.restart_down_timer();
        }
        self.reset_delays(now, before.preempt_delay);
        if !self.judged_by().says_as(&before) {
            self.advertise(now);
        }
    }

    /// Makes a change that may move the priority.
    fn change_priority(&mut self, now: Instant, change: impl FnOnce(&mut Self)) {
        let before = self.judged_by();
        change(self);
        self.judge_anew(now, before);
    }

    /// Puts another priority in the place of the configured one.
    pub(in crate::engine) fn set_priority(&mut self, now: Instant, priority: Option<Priority>) {
        self.admin.resigned = false;
        self.change_priority(now, |vr| vr.admin.priority = priority);
    }

    pub(in crate::engine) fn set_tracked(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        object: u16,
        up: bool,
    ) {
        self.change_priority(now, |vr| vr.tracking.set(object, up));
        self.evaluate(now, iface);
    }

    /// Enables or disables it.
    pub(in crate::engine) fn set_enabled(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        on: bool,
    ) {
        self.admin.enabled = on;
        self.evaluate(now, iface);
    }

    /// Stops it for good: [`Step::Removed`](super::Step::Removed) comes last.
    pub(in crate::engine) fn remove(&mut self, now: Instant, iface: &InterfaceState) {
        self.admin.removing = true;
        self.applied.set_differs(true);
        self.set_enabled(now, iface, false);
    }

    /// The interface is described anew: starts, stops or goes on. In the last case neighbours and routers
    /// must learn of another source or MAC.
    pub(in crate::engine) fn interface_changed(
        &mut self,
        now: Instant,
        before: &InterfaceState,
        after: &InterfaceState,
    ) {
        self.evaluate(now, after);
        self.repeat.invalidate();
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

    /// Takes over the keys of signed advertisements, or changes nothing.
    #[cfg(feature = "hmac")]
    pub(in crate::engine) fn set_auth(
        &mut self,
        now: Instant,
        config: Option<&AuthConfig<'_>>,
        clock: Clock,
    ) -> Result<(), Error> {
        if config.is_some() && self.settings.auth != Auth::None {
            return Err(Error::AuthConflict);
        }
        self.auth.set(config, clock)?;
        // The cache has what is not signed, both ways.
        self.repeat.invalidate();
        if self.owed.left > 0 {
            self.auth.take_numbers(now, self.versions());
        }
        self.reset_delays(now, self.preempt_delay());
        Ok(())
    }

    /// Takes in the wall clock, by which a Backup may wait longer or no longer (H-11).
    #[cfg(feature = "hmac")]
    pub(in crate::engine) fn set_clock(&mut self, now: Instant, clock: Clock, stepped: bool) {
        let doubted = self.auth.clock_is_in_doubt();
        self.auth.set_clock(clock, stepped);
        if doubted && !self.auth.clock_is_in_doubt() {
            self.reset_delays(now, self.preempt_delay());
        }
    }

    /// The virtual MAC could not be taken up or was lost.
    pub(in crate::engine) fn mac_failed(&mut self, now: Instant) {
        if self.applied.set_mac(false) {
            self.effect_failed(now);
        }
    }

    /// A virtual address could not be installed or was lost.
    pub(in crate::engine) fn address_failed(&mut self, now: Instant, address: core::net::IpAddr) {
        if self.entries.was_lost(self.key.family, address) {
            self.effect_failed(now);
        }
    }

    /// The group could not be joined or the membership was lost.
    pub(in crate::engine) fn group_failed(&mut self, now: Instant) {
        self.applied.lost_group(now);
    }
}
