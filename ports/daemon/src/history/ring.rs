//! The records in memory.

use std::collections::VecDeque;

use vrrp_control::{HISTORY, Record, Since};

/// The last records, numbered without a gap.
#[derive(Debug)]
pub struct History {
    records: VecDeque<Record>,
    next: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            records: VecDeque::new(),
            next: 1,
        }
    }
}

impl History {
    /// Goes on after records of an earlier process. Only those are taken whose numbers rise.
    pub fn restore(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.take(record);
        }
    }

    /// Adds a record that has its number and time. Returns whether its number is new.
    pub fn take(&mut self, record: Record) -> bool {
        let seq = record.seq();
        if seq < self.next || seq == u64::MAX {
            return false;
        }
        self.next = seq + 1;
        if self.records.len() >= HISTORY {
            self.records.pop_front();
        }
        self.records.push_back(record);
        true
    }

    /// Adds a record, and returns it with its number.
    pub fn push(&mut self, mut record: Record, time_ms: u64) -> Record {
        record.stamp(self.next, time_ms);
        self.take(record.clone());
        record
    }

    /// The number that the next record will have.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// All records, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// The records from number `seq` on.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = &Record> {
        let first = self.records.partition_point(|record| record.seq() < seq);
        self.records.range(first..)
    }

    /// The number of the first record that is wanted.
    pub fn first(&self, since: &Since, now_ms: u64) -> Option<u64> {
        let by_number = since.since.map(|seq| seq.saturating_add(1));
        let by_age = since.within_s.map(|age| {
            let age_ms = (age.max(0.0) * 1e3) as u64;
            let oldest = now_ms.saturating_sub(age_ms);
            // Times need not rise: the clock may have been set.
            let mut records = self.records.iter();
            let first = records.find(|record| record.time_ms() >= oldest);
            first.map_or(self.next, Record::seq)
        });
        by_number.into_iter().chain(by_age).max()
    }

    /// The records before the first one that is remembered, from number `seq` on: they are forgotten.
    pub fn forgotten(&self, seq: u64) -> u64 {
        let oldest = self.records.front().map_or(self.next, Record::seq);
        oldest.saturating_sub(seq.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::Notice;

    fn notice() -> Record {
        Notice::default().into()
    }

    fn seqs<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<u64> {
        records.map(Record::seq).collect()
    }

    #[test]
    fn the_oldest_record_makes_room_and_numbers_go_on() {
        let mut history = History::default();
        for n in 1..=HISTORY as u64 + 5 {
            assert_eq!(history.push(notice(), 1000 * n).seq(), n);
        }
        let all = seqs(history.records());
        assert_eq!(all.len(), HISTORY);
        assert_eq!((all[0], history.next()), (6, HISTORY as u64 + 6));
        assert_eq!(history.forgotten(0), 5);
        assert_eq!(history.forgotten(4), 2, "4 and 5");
        assert_eq!(history.forgotten(6), 0);
        assert_eq!(seqs(history.from(1004)), [1004, 1005]);
        assert_eq!(seqs(history.from(2000)), [0; 0]);
    }

    #[test]
    fn another_process_goes_on_with_the_numbers() {
        let mut before = History::default();
        for time in [10, 20, 30] {
            before.push(notice(), time);
        }
        let mut history = History::default();
        // A number that does not rise is not believed.
        let records: Vec<Record> = before.records().chain(before.records()).cloned().collect();
        history.restore(records);
        assert_eq!(seqs(history.records()), [1, 2, 3]);
        assert_eq!(history.push(notice(), 40).seq(), 4);
        let mut greatest = notice();
        greatest.stamp(u64::MAX, 0);
        assert!(!history.take(greatest), "there would be no next");
    }

    #[test]
    fn a_piece_begins_at_a_number_or_an_age() {
        let mut history = History::default();
        for time in [10_000, 20_000, 30_000] {
            history.push(notice(), time);
        }
        let since = |since, within_s| Since { since, within_s };
        let first = |s| history.first(&s, 31_000);
        assert_eq!(first(since(None, None)), None);
        assert_eq!(first(since(Some(1), None)), Some(2));
        assert_eq!(first(since(None, Some(12.0))), Some(2));
        assert_eq!(first(since(None, Some(0.5))), Some(4), "none");
        assert_eq!(first(since(None, Some(1e9))), Some(1));
        assert_eq!(first(since(None, Some(-1.0))), Some(4));
        assert_eq!(first(since(Some(2), Some(1e9))), Some(3));
    }
}
