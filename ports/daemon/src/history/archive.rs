//! The history as the parent keeps it: for the next worker, and in a file for the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use vrrp_control::{HISTORY, Record};

use super::History;
use crate::sys;

/// The name of the file in the state directory.
const FILE: &str = "history.json";
/// The longest line of the file, in octets. The worker's records are no longer.
const LONGEST: usize = 4 * 1024;
/// The largest file that is read: the greatest number of lines that are written, all of them long.
const LARGEST: u64 = (2 * HISTORY * LONGEST) as u64;
/// Records that may wait for the disk. More are left out of the file.
const WAITING: usize = 2 * HISTORY;
/// The time between two writes.
const REST: Duration = Duration::from_secs(1);
/// How long a slow disk is waited for at the end.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// A copy of the history. A thread of its own writes the file, since a disk can be slow.
#[derive(Debug, Default)]
pub struct Archive {
    history: History,
    writer: Option<Writer>,
    /// Records that the file lacks because the disk was too slow.
    left_out: u64,
}

#[derive(Debug)]
struct Writer {
    lines: SyncSender<String>,
    /// Hangs up when the last line is written.
    done: Receiver<()>,
}

impl Archive {
    /// Reads what an earlier process has kept in `folder`, and keeps there what follows.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let mut history = History::default();
        let mut rewrite = false;
        match read(&path) {
            Ok(lines) => {
                let (records, bad) = parse(&lines);
                history.restore(records);
                if let Some(why) = bad {
                    set_aside(&path, &why);
                    rewrite = true;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                set_aside(&path, &error.to_string());
                rewrite = true;
            }
        }
        let kept = rewrite.then(|| history.records().filter_map(line).collect());
        let writer = start(path, kept);
        Self {
            history,
            writer: Some(writer),
            left_out: 0,
        }
    }

    /// Takes a record of the worker, if it makes sense.
    pub fn take(&mut self, record: Record) -> bool {
        let Some(line) = line(&record).filter(|line| line.len() <= LONGEST) else {
            return false;
        };
        let taken = self.history.take(record);
        if taken {
            self.keep(line);
        }
        taken
    }

    /// Adds a record of the parent's own.
    pub fn push(&mut self, record: impl Into<Record>) -> Record {
        let record = self.history.push(record.into(), super::now_ms());
        if let Some(line) = line(&record) {
            self.keep(line);
        }
        record
    }

    /// All records, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.history.records()
    }

    fn keep(&mut self, line: String) {
        let Some(writer) = &self.writer else { return };
        match writer.lines.try_send(line) {
            Ok(()) if self.left_out > 0 => {
                let count = std::mem::take(&mut self.left_out);
                log::warn!("the disk is slow: {count} records of the history were not kept");
            }
            Ok(()) => {}
            Err(_) => self.left_out += 1,
        }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if let Some(Writer { lines, done }) = self.writer.take() {
            drop(lines);
            // Nothing is ever sent.
            let _ = done.recv_timeout(END_PATIENCE);
        }
    }
}

fn line(record: &Record) -> Option<String> {
    let json = serde_json::to_string(record).ok()?;
    Some(json + "\n")
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(sys::CAREFUL)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut octets = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut octets)?;
    match octets.len() as u64 > LARGEST {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(octets),
    }
}

/// The records of a file, and its first fault. An end without a line feed is none: that is how a loss of
/// power leaves it.
fn parse(octets: &[u8]) -> (Vec<Record>, Option<String>) {
    let mut records = Vec::new();
    let mut bad = None;
    for (place, line) in octets.split_inclusive(|&octet| octet == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else {
            continue;
        };
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            Err(error) => {
                bad.get_or_insert_with(|| format!("line {}: {error}", place + 1));
            }
        }
    }
    (records, bad)
}

fn set_aside(path: &Path, why: &str) {
    let aside = path.with_extension("json.bad");
    let renamed = fs::rename(path, &aside);
    let (path, aside) = (path.display(), aside.display());
    match renamed {
        Ok(()) => log::warn!("{path}: {why}: the file is now {aside}, and a new one is begun"),
        Err(error) => log::warn!("{path}: {why}; it cannot be renamed: {error}"),
    }
}

/// Starts the thread that writes. `kept`: the file is to be begun with these lines.
fn start(path: PathBuf, kept: Option<Vec<String>>) -> Writer {
    let (lines, to_write) = sync_channel(WAITING);
    let (alive, done) = sync_channel(0);
    let thread = thread::Builder::new().name("history".to_owned());
    let started = thread.spawn(move || {
        let _alive = alive;
        Pen::new(path).write_all(kept, &to_write);
    });
    if let Err(error) = started {
        log::warn!("the history is not kept in a file: no thread: {error}");
    }
    Writer { lines, done }
}

/// The hand that writes the file.
struct Pen {
    path: PathBuf,
    /// Lines in the file. `None`: not counted yet.
    lines: Option<usize>,
    /// The last fault, logged once.
    fault: Option<String>,
}

impl Pen {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            lines: None,
            fault: None,
        }
    }

    /// Writes what comes, at most once a second, until nobody sends any more.
    fn write_all(&mut self, kept: Option<Vec<String>>, lines: &Receiver<String>) {
        if let Some(kept) = kept {
            let result = self.replace(&kept.concat());
            self.note(result);
        }
        while let Ok(first) = lines.recv() {
            let began = Instant::now();
            let mut text = first;
            let mut many = 1;
            text.extend(lines.try_iter().inspect(|_| many += 1));
            let result = self.append(&text, many);
            self.note(result);
            // Lines that come meanwhile are written at once after it.
            let mut rest = String::new();
            let mut waiting = 0;
            let closed = loop {
                let left = REST.saturating_sub(began.elapsed());
                match lines.recv_timeout(left) {
                    Ok(line) => {
                        rest += &line;
                        waiting += 1;
                    }
                    Err(RecvTimeoutError::Timeout) => break false,
                    Err(RecvTimeoutError::Disconnected) => break true,
                }
                if waiting >= HISTORY {
                    thread::sleep(REST.saturating_sub(began.elapsed()));
                    break false;
                }
            };
            if !rest.is_empty() {
                let result = self.append(&rest, waiting);
                self.note(result);
            }
            if closed {
                return;
            }
        }
    }

    fn append(&mut self, text: &str, many: usize) -> io::Result<()> {
        let lines = match self.lines {
            Some(lines) => lines,
            None => match fs::read(&self.path) {
                Ok(octets) => {
                    // A line that a loss of power has cut must not be gone on with.
                    if octets.last().is_some_and(|&last| last != b'\n') {
                        self.lines = Some(usize::MAX);
                        return self.append(text, many);
                    }
                    octets.iter().filter(|&&octet| octet == b'\n').count()
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(error),
            },
        };
        if lines.saturating_add(many) > 2 * HISTORY {
            let before = fs::read(&self.path).unwrap_or_default();
            let mut all: Vec<&[u8]> = before
                .split_inclusive(|&octet| octet == b'\n')
                .filter(|line| line.ends_with(b"\n"))
                .collect();
            all.extend(text.as_bytes().split_inclusive(|&octet| octet == b'\n'));
            let last = all.len().saturating_sub(HISTORY);
            let kept = all.get(last..).unwrap_or_default().concat();
            return self.replace(&String::from_utf8_lossy(&kept));
        }
        let mut file = careful().append(true).create(true).open(&self.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.lines = Some(lines + many);
        Ok(())
    }

    /// Puts another file in the place of the one that is there, or of none.
    fn replace(&mut self, text: &str) -> io::Result<()> {
        let new = self.path.with_extension("json.new");
        let mut file: File = careful()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, &self.path)?;
        self.lines = Some(text.lines().count());
        Ok(())
    }

    fn note(&mut self, result: io::Result<()>) {
        let fault = result.err().map(|error| error.to_string());
        if let Some(why) = &fault
            && self.fault != fault
        {
            let path = self.path.display();
            log::warn!("{path}: the history cannot be kept: {why}");
        }
        self.fault = fault;
    }
}

fn careful() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o640).custom_flags(sys::CAREFUL);
    options
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::logging::capture;
    use vrrp_control::{Notice, NoticeKind};

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("vrrpd-history-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join(FILE)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
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
        let folder = Folder::new();
        let mut archive = Archive::open(&folder.0);
        archive.push(notice("one"));
        archive.push(notice("two"));
        drop(archive);
        let mut archive = Archive::open(&folder.0);
        assert_eq!(texts(&archive), [(1, "one".into()), (2, "two".into())]);
        assert_eq!(archive.push(notice("three")).seq(), 3);
        drop(archive);
        assert_eq!(texts(&Archive::open(&folder.0)).len(), 3);
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

    #[test]
    fn a_line_that_was_cut_is_forgotten_and_a_file_with_a_fault_is_set_aside() {
        let folder = Folder::new();
        let mut archive = Archive::open(&folder.0);
        archive.push(notice("one"));
        drop(archive);
        let whole = fs::read_to_string(folder.file()).expect("the file");
        fs::write(folder.file(), format!("{whole}{{\"notice\":{{\"se")).expect("a file");
        let mut archive = Archive::open(&folder.0);
        archive.push(notice("two"));
        drop(archive);
        let archive = Archive::open(&folder.0);
        assert_eq!(texts(&archive), [(1, "one".into()), (2, "two".into())]);
        drop(archive);
        assert!(!folder.0.join("history.json.bad").exists());

        capture::start();
        let whole = fs::read_to_string(folder.file()).expect("the file");
        fs::write(folder.file(), format!("rubbish\n{whole}")).expect("a file");
        let mut archive = Archive::open(&folder.0);
        assert_eq!(texts(&archive).len(), 2, "what is good is kept");
        archive.push(notice("three"));
        drop(archive);
        assert!(folder.0.join("history.json.bad").exists());
        let log = capture::take();
        assert!(log.iter().any(|line| line.contains("line 1: ")), "{log:?}");
        assert_eq!(texts(&Archive::open(&folder.0)).len(), 3);
    }

    #[test]
    fn a_flood_is_written_seldom_and_the_file_is_bounded() {
        let folder = Folder::new();
        let mut archive = Archive::open(&folder.0);
        for number in 0..6 * HISTORY {
            archive.push(notice(&number.to_string()));
            if number % HISTORY == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(archive.left_out > 0, "the disk is not waited for");
        drop(archive);
        let text = fs::read_to_string(folder.file()).expect("the file");
        let lines = text.lines().count();
        assert!((1..=2 * HISTORY).contains(&lines), "{lines}");
        let archive = Archive::open(&folder.0);
        assert!(texts(&archive).len() <= HISTORY);
    }

    #[test]
    fn a_folder_that_is_not_there_costs_the_file_alone() {
        let mut archive = Archive::open(Path::new("/nonexistent/vrrpd"));
        archive.push(notice("one"));
        assert_eq!(texts(&archive).len(), 1);
    }
}
