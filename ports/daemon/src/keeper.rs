//! Writes files of the state directory beside the main loop.
//!
//! A write waits for the disk, and the loop serves the network. One thread does the waiting; it is made
//! for the first write.

use std::io;

use vrrp_port_kit::state::{StateDir, StateFile};

use crate::poll::PollSet;
use crate::work_thread::WorkThread;

/// Writes that may wait. More of them mean that the disk hangs.
const MOST_WAITING: usize = 64;

/// The outcome of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub name: &'static str,
    /// The number that the write had.
    pub ticket: u64,
    /// Done, or why not, in words.
    pub result: Result<(), String>,
}

/// The state directory with a thread that writes.
#[derive(Debug)]
pub struct Keeper {
    dir: StateDir,
    thread: Option<WorkThread<Job, Written>>,
    /// Outcomes of writes that never reached the thread.
    refused: Vec<Written>,
}

#[derive(Debug)]
struct Job {
    file: StateFile,
    ticket: u64,
    contents: Vec<u8>,
}

impl Keeper {
    /// Writes into `dir`.
    pub fn new(dir: StateDir) -> Self {
        Self {
            dir,
            thread: None,
            refused: Vec::new(),
        }
    }

    /// The directory, for reading.
    pub fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// Has a file replaced, after those that were asked for before. [`take`](Self::take) has the outcome.
    pub fn write(&mut self, file: StateFile, ticket: u64, contents: Vec<u8>) {
        let job = Job {
            file,
            ticket,
            contents,
        };
        if let Err(why) = self.hand_over(job) {
            self.refused.push(Written {
                name: file.name,
                ticket,
                result: Err(self.dir.refusal(&why)),
            });
        }
    }

    fn hand_over(&mut self, job: Job) -> io::Result<()> {
        let thread = match &mut self.thread {
            Some(thread) => thread,
            none => none.insert(writer(self.dir.clone())?),
        };
        if thread.in_flight() >= MOST_WAITING {
            return Err(io::Error::other("the disk does not answer"));
        }
        match thread.start(job) {
            true => Ok(()),
            false => Err(io::Error::other("the thread that writes has ended")),
        }
    }

    /// Adds the descriptor that is readable when [`take`](Self::take) has an outcome.
    pub fn register(&self, set: &mut PollSet) {
        if let Some(thread) = &self.thread {
            set.read(thread.fd());
        }
    }

    /// The outcome of a write.
    pub fn take(&mut self) -> Option<Written> {
        if let Some(refused) = self.refused.pop() {
            return Some(refused);
        }
        self.thread.as_mut()?.next()
    }
}

/// Makes the thread.
fn writer(dir: StateDir) -> io::Result<WorkThread<Job, Written>> {
    WorkThread::new("keeper", move |job: Job| Written {
        name: job.file.name,
        ticket: job.ticket,
        result: dir.write(job.file, &job.contents),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::patience::patient;
    use crate::scratch::Directory;

    const FILE: StateFile = StateFile {
        name: "things",
        format: 3,
        most: 20,
    };

    #[test]
    fn the_keeper_writes_in_order_and_tells_each_outcome() {
        let path = Directory::new("keeper");
        let mut keeper = Keeper::new(StateDir::new(&path));
        for ticket in 0..10 {
            keeper.write(FILE, ticket, format!("{ticket}").into_bytes());
        }
        keeper.write(FILE, 10, vec![0; 21]);
        let until = Instant::now() + patient(Duration::from_secs(20));
        let mut done: Vec<Written> = Vec::new();
        while done.len() < 11 {
            assert!(Instant::now() < until, "{done:?}");
            done.extend(keeper.take());
        }
        let tickets: Vec<u64> = done.iter().map(|one| one.ticket).collect();
        assert_eq!(tickets, (0..=10).collect::<Vec<_>>());
        assert!(done[..10].iter().all(|one| one.result.is_ok()));
        assert!(done[10].result.is_err());
        assert_eq!(keeper.dir().read(FILE), Some(b"9".to_vec()));
    }
}
