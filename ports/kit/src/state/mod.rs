//! The state directory: what outlives a restart of a program and a reboot of the host.
//!
//! A [`StateDir`] waits for the disk, which may take seconds: it is for the start of a program, and for a
//! thread beside the loop.
//!
//! A file begins with a line of its name and the number of its format; a file with another line is set
//! aside and not read. It is replaced as a whole: written to another name, flushed to the disk, renamed.
//!
//! A file that could not be read at the start is not written until vrrpd is restarted: what stands in it
//! is not known, and would be lost.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::ledger::try_lock;
use crate::trust;

/// How often the lock is tried: a process that was killed may leave it to a child process for a moment.
const TRIES: u32 = 10;
/// The time between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// A kind of file in the state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// Its name.
    pub name: &'static str,
    /// The number of its format.
    pub format: u32,
    /// The most octets of its contents.
    pub most: usize,
}

impl StateFile {
    fn head(self) -> String {
        format!("vrrpd {} {}\n", self.name, self.format)
    }
}

/// The state directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
    /// The lock that keeps other processes out, once it is held.
    lock: Arc<Mutex<Option<Lock>>>,
    read: Arc<Mutex<Reading>>,
}

/// The files that were not read.
#[derive(Debug, Default)]
struct Reading {
    /// The reason for each file that may be there and must not be replaced.
    unread: BTreeMap<&'static str, String>,
    /// A line about each file that was set aside.
    aside: Vec<String>,
}

impl StateDir {
    /// The directory at an absolute path. Touches nothing yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            lock: Arc::default(),
            read: Arc::default(),
        }
    }

    /// Makes the directory, and finds out whether it can be written.
    ///
    /// # Errors
    /// It cannot be used, for a reason in words.
    pub fn probe(&self) -> Result<(), String> {
        let probe = self.path.join("probe.new");
        let probed = self.prepare().and_then(|()| {
            open_new(&probe)?;
            fs::remove_file(&probe)
        });
        probed.map_err(|error| self.refusal(&error))
    }

    /// Reads the contents of a file. Returns `None` if there is none, if it is damaged, in which case it
    /// is set aside and [`take_aside`](Self::take_aside) says so, or if the directory cannot be used. In the
    /// last case the file is not written until it has been read.
    pub fn read(&self, file: StateFile) -> Option<Vec<u8>> {
        // That of another process says nothing about this one.
        if let Err(error) = self.prepare() {
            let why = self.refusal(&error);
            self.reading().unread.insert(file.name, why);
            return None;
        }
        self.reading().unread.remove(file.name);
        let path = self.path.join(file.name);
        match read_whole(&path, file) {
            Ok(contents) => contents,
            Err(why) => {
                self.set_aside(file, &why);
                None
            }
        }
    }

    /// Returns why a file must not be written: it was not read, and may hold what nobody knows.
    pub fn unread(&self, file: StateFile) -> Option<String> {
        let reading = self.reading();
        let why = reading.unread.get(file.name)?;
        Some(format!(
            "{why}; this was so when vrrpd started: files in it were not read and are not written before a restart; mend this and restart vrrpd"
        ))
    }

    /// The path of a file in it.
    pub fn path_of(&self, file: StateFile) -> PathBuf {
        self.path.join(file.name)
    }

    /// Returns a line about each file that was set aside since the last call.
    pub fn take_aside(&self) -> Vec<String> {
        std::mem::take(&mut self.reading().aside)
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        // Nothing panics while it is held.
        self.read.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Renames a file whose contents make no sense, so that it is not read again, and notes it for
    /// [`take_aside`](Self::take_aside).
    pub fn set_aside(&self, file: StateFile, why: &str) {
        let path = self.path.join(file.name);
        let aside = self.path.join(format!("{}.bad", file.name));
        let shown = path.display();
        let text = match fs::rename(&path, &aside) {
            Ok(()) => format!("{shown} is not used: {why}; kept as {}", aside.display()),
            Err(error) => {
                let text = format!("{shown} is not used: {why}; it cannot be renamed: {error}");
                self.reading().unread.insert(file.name, text.clone());
                text
            }
        };
        self.reading().aside.push(text);
    }

    /// Replaces a file as a whole. When this returns well the disk has it.
    ///
    /// # Errors
    /// The file is as it was; the reason in words. One that could not be read is never replaced.
    pub fn write(&self, file: StateFile, contents: &[u8]) -> Result<(), String> {
        if let Some(why) = self.unread(file) {
            return Err(why);
        }
        let written = self.prepare().and_then(|()| self.replace(file, contents));
        written.map_err(|error| self.refusal(&error))
    }

    fn replace(&self, file: StateFile, contents: &[u8]) -> io::Result<()> {
        if contents.len() > file.most {
            let why = format!("more than {} octets for {}", file.most, file.name);
            return Err(io::Error::other(why));
        }
        let new = self.path.join(format!("{}.new", file.name));
        let written = open_new(&new).and_then(|mut opened| {
            opened.write_all(file.head().as_bytes())?;
            opened.write_all(contents)?;
            opened.sync_all()?;
            fs::rename(&new, self.path.join(file.name))?;
            // The new name, too, has to be on the disk.
            File::open(&self.path)?.sync_all()
        });
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }

    fn prepare(&self) -> io::Result<()> {
        trust::own_directory(&self.path, trust::effective_uid())?;
        self.hold_lock()
    }

    /// Takes the lock, unless it is held already. The kernel lets go of it however this process ends.
    fn hold_lock(&self) -> io::Result<()> {
        // Nothing panics while it is held.
        let mut lock = self.lock.lock().unwrap_or_else(|e| e.into_inner());
        if lock.is_some() {
            return Ok(());
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(trust::CAREFUL)
            .open(self.path.join("lock"))?;
        for _ in 0..TRIES {
            // A file system without locks is used without.
            if try_lock(&file).unwrap_or(true) {
                *lock = Some(Lock(file));
                return Ok(());
            }
            thread::sleep(TRY_AGAIN);
        }
        trust::distrusted(
            "another process uses it, a vrrpd or a program of libvrrp: give each a statedir of its own"
                .into(),
        )
    }

    /// The words of an error, with the path.
    pub fn refusal(&self, error: &io::Error) -> String {
        format!("the state directory {}: {error}", self.path.display())
    }
}

/// The lock of a state directory.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A child process that is about to run another program may have the file open, too.
        let _ = self.0.unlock();
    }
}

/// Opens a file for writing that is ours alone, in the place of what a crash has left.
fn open_new(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// The contents of a file without its first line. `None`: there is no file.
fn read_whole(path: &Path, file: StateFile) -> Result<Option<Vec<u8>>, String> {
    // Opening a FIFO would wait.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(trust::CAREFUL)
        .open(path);
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(error.to_string()),
            };
        }
    };
    let words = |error: io::Error| error.to_string();
    let meta = opened.metadata().map_err(words)?;
    if !meta.is_file() {
        return Err("it is not a regular file".into());
    }
    trust::trust(&meta, trust::effective_uid()).map_err(words)?;
    let head = file.head();
    let most = head.len() + file.most;
    let mut octets = Vec::new();
    let mut bounded = opened.take(most as u64 + 1);
    bounded.read_to_end(&mut octets).map_err(words)?;
    if octets.len() > most {
        return Err(format!("it has more than {most} octets"));
    }
    match octets.strip_prefix(head.as_bytes()) {
        Some(contents) => Ok(Some(contents.to_vec())),
        None => Err(format!("it does not begin with `{}`", head.trim_end())),
    }
}
