//! The tracked objects of one virtual router as they stand.

use heapless::Vec;

use crate::config::{MAX_TRACKS, Track, TrackEffect, VrConfig};
use crate::error::Error;

/// The objects that a virtual router tracks.
#[derive(Clone)]
pub(super) struct Tracking(Vec<Tracked, MAX_TRACKS, u8>);

/// A [`Track`] that takes less room, and whether its object is up.
#[derive(Clone, Copy)]
struct Tracked {
    object: u16,
    /// The addend to the priority.
    weight: i16,
    when: When,
    up: bool,
}

/// When an object has its effect: [`TrackEffect`] without the weight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Fault,
    StandBack,
    Down,
    Up,
}

impl Tracking {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The tracked objects that `config` asks for. What is known of an object is kept; an unknown
    /// one counts as up.
    pub(super) fn merged(&self, config: &VrConfig<'_>) -> Result<Self, Error> {
        let mut merged = Vec::new();
        for &track in config.tracks {
            let known = self.0.iter().find(|t| t.object == track.object);
            let up = known.is_none_or(|t| t.up);
            merged
                .push(Tracked::new(track, up))
                .map_err(|_| Error::TrackTableFull)?;
        }
        Ok(Self(merged))
    }

    /// Notes how an object is.
    pub(super) fn set(&mut self, object: u16, up: bool) {
        for t in self.0.iter_mut().filter(|t| t.object == object) {
            t.up = up;
        }
    }

    /// Whether an object holds the virtual router in Initialize.
    pub(super) fn has_fault(&self) -> bool {
        self.lacks(When::Fault)
    }

    /// Whether an object makes the virtual router stand back.
    pub(super) fn stands_back(&self) -> bool {
        self.lacks(When::StandBack)
    }

    /// Whether an object is down that has this effect then.
    fn lacks(&self, when: When) -> bool {
        self.0.iter().any(|t| t.when == when && !t.up)
    }

    /// The sum of what the objects add to the priority.
    pub(super) fn weight(&self) -> i32 {
        let mut sum = 0_i32;
        for t in &self.0 {
            sum = sum.saturating_add(t.effect());
        }
        sum
    }
}

impl Tracked {
    fn new(track: Track, up: bool) -> Self {
        let (when, weight) = match track.effect {
            TrackEffect::Fault => (When::Fault, 0),
            TrackEffect::StandBack => (When::StandBack, 0),
            TrackEffect::WhileDown(weight) => (When::Down, weight),
            TrackEffect::WhileUp(weight) => (When::Up, weight),
        };
        Self {
            object: track.object,
            weight,
            when,
            up,
        }
    }

    fn effect(&self) -> i32 {
        match (self.when, self.up) {
            (When::Down, false) | (When::Up, true) => self.weight.into(),
            _ => 0,
        }
    }
}
