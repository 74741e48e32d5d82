//! The state of a check from its answers: `fall` failures in a row, `rise` successes in a row.

/// The state of a check, and the answers in a row that speak against it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    up: bool,
    against: u32,
}

impl Tally {
    pub(crate) fn new(up: bool) -> Self {
        Self { up, against: 0 }
    }

    pub(crate) fn is_up(self) -> bool {
        self.up
    }

    /// Counts an answer. True: the state has changed.
    pub(crate) fn count(&mut self, passed: bool, fall: u32, rise: u32) -> bool {
        if passed == self.up {
            self.against = 0;
            return false;
        }
        self.against = self.against.saturating_add(1);
        let needed = if self.up { fall } else { rise };
        if self.against < needed {
            return false;
        }
        *self = Self::new(passed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The states after each answer: `+` passed, `-` failed.
    fn states(up: bool, fall: u32, rise: u32, answers: &str) -> String {
        let mut tally = Tally::new(up);
        let mut states = String::new();
        for answer in answers.chars() {
            let before = tally.is_up();
            let changed = tally.count(answer == '+', fall, rise);
            assert_eq!(changed, before != tally.is_up());
            states.push(if tally.is_up() { 'U' } else { 'D' });
        }
        states
    }

    #[test]
    fn only_answers_in_a_row_change_the_state() {
        assert_eq!(states(true, 3, 2, "--+---+-++-"), "UUUUUDDDDUU");
        assert_eq!(states(true, 1, 1, "-+-+"), "DUDU");
        assert_eq!(states(false, 3, 2, "+-+++"), "DDDUU");
        assert_eq!(states(false, 1, 3, "--++-+++"), "DDDDDDDU");
    }
}
