//! Writes files of the state directory beside the main loop.
//!
//! A write waits for the disk, and the loop serves the network. One thread does the waiting; it is made
//! for the first write.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::{StateDir, StateFile};
use crate::poll::PollSet;
use crate::sys;

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
    thread: Option<Writer>,
    in_flight: usize,
    /// Outcomes of writes that never reached the thread.
    refused: Vec<Written>,
}

#[derive(Debug)]
struct Job {
    file: StateFile,
    ticket: u64,
    contents: Vec<u8>,
}

#[derive(Debug)]
struct Writer {
    jobs: Sender<Job>,
    results: Receiver<Written>,
    wake: PipeReader,
}

impl Keeper {
    /// Writes into `dir`.
    pub fn new(dir: StateDir) -> Self {
        Self {
            dir,
            thread: None,
            in_flight: 0,
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
        if self.in_flight >= MOST_WAITING {
            return Err(io::Error::other("the disk does not answer"));
        }
        let writer = match &mut self.thread {
            Some(writer) => writer,
            none => none.insert(Writer::new(self.dir.clone())?),
        };
        let sent = writer.jobs.send(job);
        sent.map_err(|_| io::Error::other("the thread that writes has ended"))?;
        self.in_flight += 1;
        Ok(())
    }

    /// Adds the descriptor that is readable when [`take`](Self::take) has an outcome.
    pub fn register(&self, set: &mut PollSet) {
        if let Some(writer) = &self.thread {
            set.read(writer.wake.as_raw_fd());
        }
    }

    /// The outcome of a write.
    pub fn take(&mut self) -> Option<Written> {
        if let Some(refused) = self.refused.pop() {
            return Some(refused);
        }
        let writer = self.thread.as_ref()?;
        let _ = (&writer.wake).read(&mut [0; 64]);
        let written = writer.results.try_recv().ok()?;
        self.in_flight -= 1;
        Some(written)
    }
}

impl Writer {
    /// Makes the thread. It ends when the writer is dropped.
    fn new(dir: StateDir) -> io::Result<Self> {
        let (jobs, work) = channel::<Job>();
        let (done, results) = channel();
        let (wake, signal): (PipeReader, PipeWriter) = io::pipe()?;
        sys::set_nonblocking(&wake)?;
        sys::set_nonblocking(&signal)?;
        thread::Builder::new()
            .name("keeper".into())
            .stack_size(128 * 1024)
            .spawn(move || {
                for job in work {
                    let written = Written {
                        name: job.file.name,
                        ticket: job.ticket,
                        result: dir.write(job.file, &job.contents),
                    };
                    if done.send(written).is_err() {
                        break;
                    }
                    // A full pipe wakes as well as one octet more.
                    let _ = (&signal).write(&[0]);
                }
            })?;
        Ok(Self {
            jobs,
            results,
            wake,
        })
    }
}
