//! The history as the parent keeps it: for the next worker, and in the state directory for the next start.

use std::time::{Duration, Instant};

use vrrp_control::{HISTORY, Record};
use vrrp_port_kit::state::{StateDir, StateFile};

use super::History;
use crate::keeper::{Keeper, Written};

/// A record on each line, as JSON.
const FILE: StateFile = StateFile {
    name: "history",
    format: 1,
    most: HISTORY * LONGEST,
};
/// The longest record, in octets. The worker's are no longer.
const LONGEST: usize = 4 * 1024;
/// The time that a record waits for others before the file is written.
const WAIT: Duration = Duration::from_secs(1);
/// The least time between two writes, whatever happens.
const REST: Duration = Duration::from_secs(10);
/// The time between two attempts at a directory that cannot be written.
const RETRY: Duration = Duration::from_secs(60);

/// A copy of the history, and when it is to be written.
#[derive(Debug, Default)]
pub struct Archive {
    history: History,
    /// The number of the last record that the file has.
    kept: u64,
    /// A write is under way.
    writing: bool,
    /// When the file is to be written. `None`: there is nothing new.
    due: Option<Instant>,
    /// No write is to begin before this.
    not_before: Option<Instant>,
}

impl Archive {
    /// Reads what an earlier process has kept. A file that makes no sense is set aside.
    pub fn open(dir: &StateDir) -> Self {
        let mut archive = Self::default();
        let octets = dir.read(FILE).unwrap_or_default();
        let lines = octets.split(|&octet| octet == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        for (place, line) in lines.enumerate() {
            match serde_json::from_slice(line) {
                Ok(record) => {
                    archive.history.take(record);
                }
                Err(error) => {
                    // Records before it are good.
                    dir.set_aside(FILE, &format!("record {}: {error}", place + 1));
                    break;
                }
            }
        }
        archive.kept = archive.last();
        archive
    }

    /// Takes a record of the worker, if it makes sense.
    pub fn take(&mut self, record: Record) -> bool {
        let fits = json(&record).is_some_and(|json| json.len() <= LONGEST);
        let taken = fits && self.history.take(record);
        if taken {
            self.have_written(Instant::now());
        }
        taken
    }

    /// Adds a record of the parent's own.
    pub fn push(&mut self, record: impl Into<Record>) -> Record {
        let record = self.history.push(record.into(), super::now_ms());
        self.have_written(Instant::now());
        record
    }

    /// All records, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.history.records()
    }

    /// When [`write`](Self::write) has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let due = self.due.filter(|_| !self.writing)?;
        Some(self.not_before.map_or(due, |at| at.max(due)))
    }

    /// Has the file written, if that is due.
    pub fn write(&mut self, keeper: &mut Keeper, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.due = None;
            self.writing = true;
            self.not_before = Some(now + REST);
            keeper.write(FILE, self.last(), self.contents());
        }
    }

    /// Takes the outcome of a write, if it is one of the history.
    pub fn written(&mut self, written: &Written, now: Instant) {
        if written.name != FILE.name {
            return;
        }
        self.writing = false;
        if written.result.is_ok() {
            self.kept = written.ticket;
        } else {
            self.not_before = Some(now + RETRY);
        }
        if self.kept != self.last() {
            self.have_written(now);
        }
    }

    /// Writes at the end of the process, when nothing else is waited for.
    pub fn close(&self, dir: &StateDir) {
        if self.kept != self.last()
            && let Err(why) = dir.write(FILE, &self.contents())
        {
            log::warn!("the history is not kept: {why}");
        }
    }

    fn have_written(&mut self, now: Instant) {
        self.due.get_or_insert(now + WAIT);
    }

    fn last(&self) -> u64 {
        self.history.next() - 1
    }

    fn contents(&self) -> Vec<u8> {
        let lines = self.records().filter_map(json);
        lines.map(|line| line + "\n").collect::<String>().into()
    }
}

fn json(record: &Record) -> Option<String> {
    serde_json::to_string(record).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patience::patient;
    use crate::scratch::Directory;
    use vrrp_control::{Notice, NoticeKind};

    struct Place(Directory);

    impl Place {
        fn new() -> Self {
            Self(Directory::new("history"))
        }

        fn dir(&self) -> StateDir {
            let dir = StateDir::new(&self.0.join("state"));
            dir.probe().expect("a directory of ours");
            dir
        }
    }

    fn notice(text: &str) -> Notice {
        Notice {
            kind: NoticeKind::Command,
            text: text.into(),
            ..Notice::default()
        }
    }

    fn texts(archive: &Archive) -> Vec<(u64, String)> {
        let text = |record: &Record| match record {
            Record::Notice(notice) => (notice.seq, notice.text.clone()),
            other => panic!("{other:?}"),
        };
        archive.records().map(text).collect()
    }

    #[test]
    fn the_next_process_finds_the_history_and_goes_on() {
        let place = Place::new();
        let mut archive = Archive::open(&place.dir());
        archive.push(notice("one"));
        archive.push(notice("two"));
        archive.close(&place.dir());
        let mut archive = Archive::open(&place.dir());
        assert_eq!(texts(&archive), [(1, "one".into()), (2, "two".into())]);
        assert_eq!(archive.deadline(), None, "nothing new");
        assert_eq!(archive.push(notice("three")).seq(), 3);
        archive.close(&place.dir());
        assert_eq!(texts(&Archive::open(&place.dir())).len(), 3);
    }

    #[test]
    fn a_flood_is_written_once_in_ten_seconds() {
        let place = Place::new();
        let mut keeper = Keeper::new(place.dir());
        let mut archive = Archive::default();
        let begin = Instant::now();
        let mut writes = 0;
        for tenth in 0..600 {
            let now = begin + Duration::from_millis(100 * tenth);
            for _ in 0..10 {
                archive.push(notice("again"));
            }
            archive.write(&mut keeper, now);
            let end = Instant::now() + patient(Duration::from_secs(10));
            while archive.writing {
                assert!(Instant::now() < end, "a disk");
                if let Some(written) = keeper.take() {
                    written.result.as_ref().expect("written");
                    archive.written(&written, now);
                    writes += 1;
                }
            }
        }
        assert!((5..=7).contains(&writes), "{writes} in a minute");
        let kept = texts(&Archive::open(keeper.dir()));
        assert_eq!(kept.len(), HISTORY);
        assert_eq!(kept.last().map(|(seq, _)| *seq), Some(archive.kept));
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_tried_again_after_a_minute() {
        let mut archive = Archive::default();
        archive.push(notice("one"));
        let now = archive.deadline().expect("due");
        let mut keeper = Keeper::new(StateDir::new("/nonexistent/vrrpd".as_ref()));
        archive.write(&mut keeper, now);
        let failed = Written {
            name: FILE.name,
            ticket: 1,
            result: Err("a full disk".into()),
        };
        archive.written(&failed, now);
        assert_eq!(archive.deadline(), Some(now + RETRY));
    }

    #[test]
    fn a_file_with_a_fault_is_set_aside_and_its_good_part_kept() {
        let place = Place::new();
        let mut archive = Archive::default();
        archive.push(notice("one"));
        let mut octets = archive.contents();
        octets.extend_from_slice(b"{\"notice\":7}\n");
        place.dir().write(FILE, &octets).expect("written");
        let dir = place.dir();
        let archive = Archive::open(&dir);
        assert_eq!(texts(&archive), [(1, "one".into())]);
        assert!(place.0.join("state/history.bad").exists());
        let aside = dir.take_aside();
        assert!(
            aside.iter().any(|line| line.contains("record 2: ")),
            "{aside:?}"
        );
    }

    #[test]
    fn the_worker_is_believed_within_limits() {
        let mut archive = Archive::default();
        let of_worker = |seq, text: &str| {
            let mut record = Record::from(notice(text));
            record.stamp(seq, 5);
            record
        };
        assert!(archive.take(of_worker(7, "one")));
        assert!(!archive.take(of_worker(7, "again")));
        assert!(!archive.take(of_worker(8, &"x".repeat(LONGEST))));
        assert!(!archive.take(of_worker(u64::MAX, "the last of all")));
        assert_eq!(archive.push(notice("ours")).seq(), 8);
        assert_eq!(texts(&archive), [(7, "one".into()), (8, "ours".into())]);
    }
}
