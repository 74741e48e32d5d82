//! The ledger: a file that says what a port installed, so that a later life can clean up after a
//! crash.
//!
//! The file is locked for life. A ledger that can be locked belongs to a process that is dead.
//! Each line begins with `+` (about to be installed) or `-` (removed again).
//!
//! Root acts on what it reads here, so that nobody else may write it: the directory and its files
//! belong to the user of the process, and no other may write to them. A file that is no regular
//! one is left alone, a line that is none of a ledger's is passed over, and both are reported.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Lines about things that are no more before the file is written anew.
const STALE_LINES: usize = 1024;
/// A ledger is read up to this length.
const MAX_LEN: u64 = 4 * 1024 * 1024;
/// Lines of one ledger that are reported one by one.
const REPORTED: usize = 4;
/// How long a process that is about to end is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(10);
/// Write permission of the group and of others.
const WRITABLE: u32 = 0o022;

/// Something that a port installs, as one line of text.
///
/// Reading accepts a closed list: what a port does install, and how it was before. A line that asks
/// for anything else is none.
pub trait Entry: Clone + Ord + fmt::Display + FromStr {}

impl<T: Clone + Ord + fmt::Display + FromStr> Entry for T {}

/// The operating system, as far as the standard library does not have it.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// Locks a whole file for its open description, without waiting; `false`: another has it.
    pub lock: fn(&File) -> io::Result<bool>,
    /// `O_NOFOLLOW | O_NONBLOCK`.
    pub careful: i32,
    /// The effective user of this process.
    pub user: u32,
    /// Whether the process with this number is dead, or was killed and has not ended yet.
    pub is_ending: fn(u32) -> bool,
}

/// The content of a ledger.
#[derive(Debug)]
struct Parsed<E> {
    /// Entries that are not undone.
    entries: BTreeSet<E>,
    /// Lines that are none.
    foreign: Vec<String>,
}

/// Reads a ledger. The last line may be cut short: without its end it is none.
fn parse<E: Entry>(text: &str) -> Parsed<E> {
    let mut parsed = Parsed {
        entries: BTreeSet::new(),
        foreign: Vec::new(),
    };
    for line in text.split_inclusive('\n') {
        let read = line.strip_suffix('\n').and_then(|line| {
            let (sign, rest) = line.split_at_checked(2)?;
            Some((sign, rest.parse::<E>().ok()?))
        });
        match read {
            Some(("+ ", entry)) => drop(parsed.entries.insert(entry)),
            Some(("- ", entry)) => drop(parsed.entries.remove(&entry)),
            _ => parsed.foreign.push(line.trim_end().to_owned()),
        }
    }
    parsed
}

/// Our own ledger.
#[derive(Debug)]
pub struct Ledger<E> {
    directory: PathBuf,
    system: System,
    file: File,
    token: String,
    entries: BTreeSet<E>,
    stale: usize,
    /// The length of the file up to the end of its last whole line.
    len: u64,
    /// A line was cut short behind that.
    torn: bool,
}

impl<E: Entry> Ledger<E> {
    /// Makes and locks a ledger in `directory`, which is made when missing. `place` names the
    /// network that it is about: ledgers of other places are none of our business.
    ///
    /// # Errors
    /// Among others, when somebody else may write to the directory.
    pub fn create(directory: &Path, place: &str, system: System) -> io::Result<Self> {
        prepare_directory(directory, system)?;
        loop {
            let pid = std::process::id();
            let token = format!("{place}-{pid}-{}", now_us());
            let path = path(directory, &token);
            let file = match open_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            // Another may have found the file before we locked it, and taken it for a dead one's.
            if (system.lock)(&file)? && is_at(&file, &path) {
                return Ok(Self {
                    directory: directory.into(),
                    system,
                    file,
                    token,
                    entries: BTreeSet::new(),
                    stale: 0,
                    len: 0,
                    torn: false,
                });
            }
        }
    }

    /// What names this life: a mark for what can carry one.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Notes what is about to be installed: all of it, or after an error nothing.
    pub fn add(&mut self, entries: impl IntoIterator<Item = E>) -> io::Result<()> {
        let new: Vec<E> = entries
            .into_iter()
            .filter(|entry| !self.entries.contains(entry))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut lines = String::new();
        for entry in &new {
            let line = entry.to_string();
            debug_assert!(line.parse::<E>().ok().as_ref() == Some(entry), "{line}");
            lines += &format!("+ {line}\n");
        }
        if !is_at(&self.file, &path(&self.directory, &self.token)) {
            // Somebody emptied the directory.
            self.rewrite()?;
        }
        self.append(&lines)?;
        self.entries.extend(new);
        Ok(())
    }

    /// Notes what is removed again.
    pub fn remove(&mut self, entry: &E) -> io::Result<()> {
        if !self.entries.contains(entry) {
            return Ok(());
        }
        self.append(&format!("- {entry}\n"))?;
        self.entries.remove(entry);
        self.stale += 1;
        if self.stale.is_multiple_of(STALE_LINES) {
            // Where it fails the file goes on growing, and the next try is as far away.
            let _ = self.rewrite();
        }
        Ok(())
    }

    /// Notes that everything is removed for which `gone` says so.
    pub fn remove_where(&mut self, gone: impl Fn(&E) -> bool) -> io::Result<()> {
        let entries: Vec<E> = self.entries.iter().filter(|e| gone(e)).cloned().collect();
        entries.iter().try_for_each(|entry| self.remove(entry))
    }

    /// Whether there is a ledger, of the living or the dead, for the life with this token.
    pub fn is_known(&self, token: &str) -> bool {
        path(&self.directory, token).exists()
    }

    /// Whether the process that has, or had, this token is dead or about to end.
    pub fn is_ending(&self, token: &str) -> bool {
        is_ending(token, self.system)
    }

    /// Whether it is noted.
    pub fn contains(&self, entry: &E) -> bool {
        self.entries.contains(entry)
    }

    /// Removes the file, when everything in it is removed.
    pub fn close(&mut self) {
        // A file that stays is found by the next life, which has nothing to clean then.
        let _ = fs::remove_file(path(&self.directory, &self.token));
    }

    /// Writes whole lines, or after an error nothing.
    fn append(&mut self, lines: &str) -> io::Result<()> {
        if self.torn {
            // Makes a line of what was cut short, and one that is none.
            self.file.write_all(b"?\n")?;
            self.torn = false;
            self.len = self.file.metadata()?.len();
        }
        match self.file.write_all(lines.as_bytes()) {
            Ok(()) => {
                self.len += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.torn = self.file.set_len(self.len).is_err();
                Err(error)
            }
        }
    }

    fn rewrite(&mut self) -> io::Result<()> {
        prepare_directory(&self.directory, self.system)?;
        let fresh = self.directory.join(format!("{}.new", self.token));
        let lines: String = self.entries.iter().map(|e| format!("+ {e}\n")).collect();
        let file = self.replace_by(&fresh, &lines).inspect_err(|_| {
            let _ = fs::remove_file(&fresh);
        })?;
        self.file = file;
        self.stale = 0;
        self.len = lines.len() as u64;
        self.torn = false;
        Ok(())
    }

    /// Puts a new file, locked, in the place of the ledger.
    fn replace_by(&self, fresh: &Path, lines: &str) -> io::Result<File> {
        let _ = fs::remove_file(fresh);
        let mut file = open_new(fresh)?;
        (self.system.lock)(&file)?;
        file.write_all(lines.as_bytes())?;
        fs::rename(fresh, path(&self.directory, &self.token))?;
        Ok(file)
    }
}

/// A ledger that a dead process left. It is ours, locked, until it is dropped.
#[derive(Debug)]
pub struct Leftover<E> {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
    /// The mark of that life.
    pub token: String,
    /// What it had installed.
    pub entries: BTreeSet<E>,
}

impl<E> Leftover<E> {
    /// Removes the file, when everything in it has been dealt with.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path);
        // It died while it wrote the ledger anew.
        let _ = fs::remove_file(self.path.with_extension("new"));
    }
}

/// The ledgers that dead processes of this place left in `directory`, which is made when missing.
/// One that was just killed is waited for. What is odd about the files is added to `remarks`.
pub fn leftovers<E: Entry>(
    directory: &Path,
    place: &str,
    system: System,
    remarks: &mut Vec<String>,
) -> io::Result<Vec<Leftover<E>>> {
    prepare_directory(directory, system)?;
    let prefix = format!("{place}-");
    let mut found = Vec::new();
    let patience = Instant::now() + PATIENCE;
    for item in fs::read_dir(directory)? {
        let path = item?.path();
        let Some(token) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let is_ledger = path.extension().is_some_and(|e| e == "ledger");
        if !is_ledger || !token.starts_with(&prefix) {
            continue;
        }
        let file = match open_careful(&path, system) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(error) => {
                remarks.push(format!("{}: {error}; left alone", path.display()));
                continue;
            }
        };
        let mut locked = (system.lock)(&file)?;
        while !locked && Instant::now() < patience && pid(token).is_some_and(system.is_ending) {
            thread::sleep(PAUSE);
            locked = (system.lock)(&file)?;
        }
        // Gone meanwhile, or of the living: not ours.
        if !locked || !is_at(&file, &path) {
            continue;
        }
        let parsed = read(&file, &path, remarks)?;
        found.push(Leftover {
            token: token.into(),
            entries: parsed.entries,
            path,
            _file: file,
        });
    }
    Ok(found)
}

/// What the ledger of a living process says. `None`: it has none that can be read here.
pub fn entries_of<E: Entry>(directory: &Path, token: &str, system: System) -> Option<BTreeSet<E>> {
    let path = path(directory, token);
    let file = open_careful(&path, system).ok()??;
    let parsed = read(&file, &path, &mut Vec::new()).ok()?;
    Some(parsed.entries)
}

/// What the ledgers of this place in `directory` speak of, those of the living and of the dead.
/// Nothing is changed, and what cannot be read is left out.
pub fn entries_at<E: Entry>(directory: &Path, place: &str, system: System) -> BTreeSet<E> {
    let prefix = format!("{place}-");
    let paths = fs::read_dir(directory).into_iter().flatten();
    let paths = paths.flatten().map(|item| item.path());
    let ledgers = paths.filter(|path| path.extension().is_some_and(|e| e == "ledger"));
    let tokens = ledgers.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    tokens
        .filter(|token| token.starts_with(&prefix))
        .filter_map(|token| entries_of(directory, &token, system))
        .flatten()
        .collect()
}

/// Whether the process that has, or had, this token is dead or about to end.
pub fn is_ending(token: &str, system: System) -> bool {
    pid(token).is_some_and(system.is_ending)
}

fn read<E: Entry>(file: &File, path: &Path, remarks: &mut Vec<String>) -> io::Result<Parsed<E>> {
    let mut octets = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_LEN {
        octets.truncate(MAX_LEN as usize);
        let path = path.display();
        remarks.push(format!(
            "{path}: longer than {MAX_LEN} octets; the rest is skipped"
        ));
    }
    let parsed = parse(&String::from_utf8_lossy(&octets));
    for line in parsed.foreign.iter().take(REPORTED) {
        let line: String = line.chars().take(100).collect();
        remarks.push(format!(
            "{}: skipped {line:?}, which is no line of a ledger",
            path.display()
        ));
    }
    if let more @ 1.. = parsed.foreign.len().saturating_sub(REPORTED) {
        remarks.push(format!(
            "{}: skipped {more} more such lines",
            path.display()
        ));
    }
    Ok(parsed)
}

/// Makes the directory, or finds out whether what is written in it can be trusted.
fn prepare_directory(directory: &Path, system: System) -> io::Result<()> {
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(directory)?;
    if !meta.is_dir() {
        return refused("it is not a directory, or a symbolic link to one".into());
    }
    trust(&meta, system)?;
    // Where it is ours alone, nobody else need look into it. It may hold other files: /run.
    if meta.mode() & 0o077 != 0 && holds_ledgers_only(directory)? {
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn holds_ledgers_only(directory: &Path) -> io::Result<bool> {
    for item in fs::read_dir(directory)? {
        let path = item?.path();
        if path.extension().is_none_or(|e| e != "ledger" && e != "new") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether nobody but us can have written it.
fn trust(meta: &Metadata, system: System) -> io::Result<()> {
    let (owner, user, mode) = (meta.uid(), system.user, meta.mode() & 0o7777);
    if owner != user {
        return refused(format!(
            "it belongs to user {owner} and not to {user}, the user of this process"
        ));
    }
    if mode & WRITABLE != 0 {
        return refused(format!(
            "others may write to it (mode {mode:o}); it must be writable for its owner alone (chmod 700)"
        ));
    }
    Ok(())
}

fn refused<T>(why: String) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Opens a regular file that is ours, and nothing else: opening a FIFO or a device may wait, or do
/// something. `None`: it is gone.
fn open_careful(path: &Path, system: System) -> io::Result<Option<File>> {
    let check = |meta: &Metadata| match meta.is_file() {
        true => trust(meta, system),
        false => refused("it is not a regular file".into()),
    };
    let there = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(None),
        _ => Err(error),
    };
    match fs::symlink_metadata(path) {
        Ok(meta) => check(&meta)?,
        Err(error) => return there(error),
    }
    let mut options = OpenOptions::new();
    match options.read(true).custom_flags(system.careful).open(path) {
        Ok(file) => {
            check(&file.metadata()?)?;
            Ok(Some(file))
        }
        Err(error) => there(error),
    }
}

/// Microseconds that tell the lives of a process number apart.
fn now_us() -> u128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_micros()
}

/// The process number in a token.
fn pid(token: &str) -> Option<u32> {
    token.rsplit('-').nth(1)?.parse().ok()
}

fn path(directory: &Path, token: &str) -> PathBuf {
    directory.join(format!("{token}.ledger"))
}

fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;
    use std::sync::Mutex;

    use super::*;

    /// A number of an inode is used again, but not at the same time.
    type Place = (u64, u64, Option<SystemTime>);

    static HELD: Mutex<BTreeSet<Place>> = Mutex::new(BTreeSet::new());

    fn place(file: &File) -> Place {
        let meta = file.metadata().unwrap();
        (meta.dev(), meta.ino(), meta.created().ok())
    }

    /// As a port's lock: a second description of a file that is held does not get it.
    fn lock(file: &File) -> io::Result<bool> {
        Ok(HELD.lock().unwrap().insert(place(file)))
    }

    /// The life of a ledger ends.
    fn die(ledger: Ledger<u32>) -> String {
        HELD.lock().unwrap().remove(&place(&ledger.file));
        ledger.token.clone()
    }

    fn system() -> System {
        let mut careful = 0o4000;
        if cfg!(target_os = "linux") {
            careful |= 0o400_000;
        } else {
            careful = 0x104;
        }
        System {
            lock,
            careful,
            user: fs::metadata("/proc/self").map_or(0, |meta| meta.uid()),
            is_ending: |_| false,
        }
    }

    /// A directory that is not there yet.
    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("vrrp-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn create(directory: &Path) -> Ledger<u32> {
        Ledger::create(directory, "here", system()).unwrap()
    }

    /// The leftovers of dead processes, without tokens, and the remarks.
    fn find(directory: &Path) -> (Vec<Vec<u32>>, Vec<String>) {
        let mut remarks = Vec::new();
        let found = leftovers::<u32>(directory, "here", system(), &mut remarks).unwrap();
        for leftover in &found {
            HELD.lock().unwrap().remove(&place(&leftover._file));
        }
        let entries = found.iter().map(|l| l.entries.iter().copied().collect());
        (entries.collect(), remarks)
    }

    #[test]
    fn lines_that_are_taken_back_foreign_or_cut_short_do_not_count() {
        for (text, entries, foreign) in [
            ("+ 1\n+ 2\n- 1\n", vec![2], vec![]),
            ("+ 1\n+ 2", vec![1], vec!["+ 2"]),
            ("+ 1\n+ 2+ 3\n+ 4\n", vec![1, 4], vec!["+ 2+ 3"]),
            ("+ 1\n+\n\n+ 3\n", vec![1, 3], vec!["+", ""]),
            (
                "+ no\n- 7 8\nno\n-1\n+ 3\n",
                vec![3],
                vec!["+ no", "- 7 8", "no", "-1"],
            ),
        ] {
            let parsed = parse::<u32>(text);
            assert_eq!(parsed.entries, BTreeSet::from_iter(entries), "{text:?}");
            assert_eq!(parsed.foreign, foreign, "{text:?}");
        }
    }

    #[test]
    fn a_long_life_does_not_make_a_long_ledger() {
        let directory = directory("rewrite");
        let mut ledger = create(&directory);
        for _ in 0..2 * STALE_LINES {
            ledger.add([1, 2, 3]).unwrap();
            ledger.remove(&2).unwrap();
        }
        assert!(ledger.file.metadata().unwrap().len() < 20_000);
        assert_eq!(find(&directory), (vec![], vec![]));
        ledger.close();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir(&directory).unwrap();
    }

    #[test]
    fn a_note_that_cannot_be_written_is_none_and_spoils_no_other() {
        let directory = directory("full");
        let mut ledger = create(&directory);
        ledger.add([1]).unwrap();
        let path = path(&directory, &ledger.token);
        // As on a full file system that took a part of a line and lets nothing be cut off.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let file = std::mem::replace(&mut ledger.file, full);
        ledger.append("+ 2\n").unwrap_err();
        assert!(ledger.torn);
        ledger.append("+ 2\n").unwrap_err();
        (&file).write_all(b"+ 2").unwrap();
        ledger.file = file;
        ledger.add([3]).unwrap();
        ledger.add([2]).unwrap();
        assert!(ledger.contains(&2) && ledger.contains(&3));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "+ 1\n+ 2?\n+ 3\n+ 2\n");
        die(ledger);
        let (found, remarks) = find(&directory);
        assert_eq!(found, [[1, 2, 3]]);
        let skipped = "skipped \"+ 2?\", which is no line of a ledger";
        assert_eq!(remarks, [format!("{}: {skipped}", path.display())]);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_ledger_that_somebody_removes_is_written_again() {
        let directory = directory("removed");
        let mut ledger = create(&directory);
        ledger.add([1]).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        ledger.add([2]).unwrap();
        die(ledger);
        assert_eq!(find(&directory), (vec![vec![1, 2]], vec![]));
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn only_regular_files_that_are_ours_are_read() {
        let directory = directory("files");
        let ledger = create(&directory);
        let own = path(&directory, &ledger.token);
        let at = |name: &str| directory.join(name);
        let secret = at("secret");
        fs::write(&secret, "+ 9\n").unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        symlink(&secret, at("here-1-1.ledger")).unwrap();
        let fifo = Command::new("mkfifo").arg(at("here-1-2.ledger")).status();
        assert!(fifo.unwrap().success());
        fs::create_dir(at("here-1-3.ledger")).unwrap();
        let open = at("here-1-4.ledger");
        fs::write(&open, "+ 9\n").unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o666)).unwrap();
        // Those of another place, and what is no ledger, are not even looked at.
        fs::write(at("there-1-1.ledger"), "?").unwrap();
        let (found, mut remarks) = find(&directory);
        assert_eq!(found, [[0; 0]; 0]);
        remarks.sort();
        let regular = "it is not a regular file; left alone";
        let writable = "others may write to it (mode 666); \
                        it must be writable for its owner alone (chmod 700); left alone";
        let expected = [(1, regular), (2, regular), (3, regular), (4, writable)]
            .map(|(n, why)| format!("{}: {why}", at(&format!("here-1-{n}.ledger")).display()));
        assert_eq!(remarks, expected);
        assert!(own.exists() && secret.exists());
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        let directory = directory("trust");
        let mode = |mode| fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        let refusal = |system| {
            let error = Ledger::<u32>::create(&directory, "here", system).unwrap_err();
            let of_dead = leftovers::<u32>(&directory, "here", system, &mut Vec::new());
            assert_eq!(of_dead.unwrap_err().to_string(), error.to_string());
            error.to_string()
        };
        create(&directory).close();
        let made = fs::metadata(&directory).unwrap().mode() & 0o7777;
        assert_eq!(made, 0o700);
        for open in [0o777, 0o1777, 0o720, 0o702] {
            mode(open);
            let text = format!("others may write to it (mode {open:o})");
            assert!(refusal(system()).starts_with(&text));
        }
        mode(0o700);
        let stranger = System {
            user: system().user + 1,
            ..system()
        };
        assert!(refusal(stranger).starts_with("it belongs to user"));
        // Nobody else need look into it, unless there is something else in it.
        mode(0o755);
        create(&directory).close();
        let made = fs::metadata(&directory).unwrap().mode() & 0o7777;
        assert_eq!(made, 0o700);
        mode(0o755);
        fs::write(directory.join("other"), "").unwrap();
        create(&directory).close();
        let made = fs::metadata(&directory).unwrap().mode() & 0o7777;
        assert_eq!(made, 0o755);
        fs::remove_dir_all(&directory).unwrap();
        let real = directory.with_extension("real");
        fs::create_dir(&real).unwrap();
        symlink(&real, &directory).unwrap();
        assert!(refusal(system()).contains("symbolic link"));
        fs::remove_file(&directory).unwrap();
        fs::remove_dir(&real).unwrap();
    }

    #[test]
    fn a_process_that_was_just_killed_is_waited_for() {
        let directory = directory("wait");
        let mut ledger = create(&directory);
        ledger.add([5]).unwrap();
        let held = place(&ledger.file);
        let end = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            HELD.lock().unwrap().remove(&held);
        });
        let dying = System {
            is_ending: |pid| pid == std::process::id(),
            ..system()
        };
        let began = Instant::now();
        assert_eq!(
            find(&directory),
            (vec![], vec![]),
            "the living are left alone"
        );
        let found = leftovers::<u32>(&directory, "here", dying, &mut Vec::new()).unwrap();
        assert_eq!(found.len(), 1);
        assert!(began.elapsed() >= Duration::from_millis(90));
        end.join().unwrap();
        drop(ledger);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_makes_no_sense_is_reported_in_short() {
        let directory = directory("nonsense");
        let mut ledger = create(&directory);
        ledger.append(&"x\n".repeat(1000)).unwrap();
        ledger.append(&format!("{}\n", "y".repeat(10_000))).unwrap();
        ledger.add([1]).unwrap();
        die(ledger);
        let (found, remarks) = find(&directory);
        assert_eq!(found, [[1]]);
        assert_eq!(remarks.len(), REPORTED + 1);
        assert!(remarks.iter().all(|remark| remark.len() < 400));
        assert!(remarks[REPORTED].ends_with("skipped 997 more such lines"));
        fs::remove_dir_all(&directory).unwrap();
    }
}
