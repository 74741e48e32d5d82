//! A list of deadlines that is searched from end to end: it takes the least memory and code.

use crate::time::Instant;

#[derive(Clone)]
pub(in crate::engine) struct Deadlines<const N: usize>([Instant; N]);

impl<const N: usize> Deadlines<N> {
    pub(in crate::engine) const fn new() -> Self {
        Self([Instant::NEVER; N])
    }

    /// Sets the deadline of entry `index`, replacing what was set; [`Instant::NEVER`] for none.
    pub(in crate::engine) fn set(&mut self, index: u16, deadline: Instant) {
        if let Some(entry) = self.0.get_mut(usize::from(index)) {
            *entry = deadline;
        }
    }

    /// The next deadline. `None`: nothing is set.
    pub(in crate::engine) fn next(&self) -> Option<Instant> {
        let next = self.0.iter().copied().min()?;
        (next != Instant::NEVER).then_some(next)
    }

    /// A list does not move with the time.
    #[inline]
    pub(in crate::engine) fn catch_up(&mut self, _: Instant) {}

    /// The same.
    pub(in crate::engine) fn advance(&mut self, _: Instant) {}

    /// A walk over all entries.
    pub(in crate::engine) fn walk(&self, _: Instant) -> Cursor {
        Cursor(0)
    }

    /// Steps the walk on and returns the entry that it stood on.
    pub(in crate::engine) fn step(&self, cursor: &mut Cursor) -> Option<(u16, Instant)> {
        let index = cursor.0;
        cursor.0 = index.wrapping_add(1);
        Some((index, *self.0.get(usize::from(index))?))
    }
}

/// The entry that a walk has come to.
pub(in crate::engine) struct Cursor(u16);
