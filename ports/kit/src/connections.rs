//! Resets TCP connections of addresses that are given up, beside the protocol.
//!
//! A client of a host that gives an address up would wait for ever on a connection that nobody has any
//! more. There may be 100,000 of them, so that a thread resets them, in batches.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An address of which the connections are to be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The address.
    pub address: IpAddr,
    /// Whether it stays on the host, so that connections of the host with itself go on.
    pub stays: bool,
}

/// Resets connections in an operating system. It may block.
pub trait ResetConnections: Send + 'static {
    /// Resets the established TCP connections of these local addresses. Returns how many. It ends early
    /// when `ended` says so.
    ///
    /// # Errors
    /// The system cannot do it: some or all stay.
    fn reset(&mut self, addresses: &[GivenUp], ended: &dyn Fn() -> bool) -> io::Result<u64>;
}

/// Starts a thread for the work, with all signals blocked: they are for the threads of the caller.
pub type Spawn = fn(Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>;

/// The thread that resets connections, and its work. The thread is made when there is some.
#[derive(Debug)]
pub struct Resets<R> {
    system: Option<R>,
    spawn: Spawn,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    work: Mutex<Work>,
    changed: Condvar,
    ended: AtomicBool,
}

#[derive(Debug, Default)]
struct Work {
    waiting: Vec<GivenUp>,
    busy: bool,
    /// Connections that have been reset.
    count: u64,
    /// The error of the last attempt.
    failed: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        // Nothing panics while it is held.
        self.work.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl<R: ResetConnections> Resets<R> {
    /// With the way to do it in this system, or the error that says why it cannot be done.
    pub fn new(system: io::Result<R>, spawn: Spawn) -> Self {
        let shared = Arc::<Shared>::default();
        let system = system.map_err(|error| {
            shared.lock().failed = Some(error.to_string());
        });
        Self {
            system: system.ok(),
            spawn,
            shared,
            thread: None,
        }
    }

    /// Has the connections of addresses reset, soon. An address is to be one of this host until
    /// [`is_idle`](Self::is_idle), so that its clients are told.
    pub fn start(&mut self, addresses: Vec<GivenUp>) {
        if addresses.is_empty() {
            return;
        }
        if let Some(mut system) = self.system.take() {
            let shared = Arc::clone(&self.shared);
            match (self.spawn)(Box::new(move || shared.run(&mut system))) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => self.shared.lock().failed = Some(error.to_string()),
            }
        }
        if self.thread.is_some() {
            self.shared.lock().waiting.extend(addresses);
            self.shared.changed.notify_all();
        }
    }

    /// Whether nothing is left to be done.
    pub fn is_idle(&self) -> bool {
        let work = self.shared.lock();
        work.waiting.is_empty() && !work.busy
    }

    /// Waits until nothing is left to be done, but no longer than this.
    pub fn wait(&self, most: Duration) {
        let until = Instant::now() + most;
        let mut work = self.shared.lock();
        while !work.waiting.is_empty() || work.busy {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(work, rest);
            work = waited.unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    /// Returns why connections are not reset, if the last attempt failed.
    pub fn failure(&self) -> Option<String> {
        self.shared.lock().failed.clone()
    }

    /// Returns how many connections have been reset.
    pub fn count(&self) -> u64 {
        self.shared.lock().count
    }

    /// Ends the thread and leaves the rest undone.
    pub fn end(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // So that the thread does not fall asleep between its look and its wait.
        drop(self.shared.lock());
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It catches no panic, and there is none to catch.
            let _ = thread.join();
        }
    }

    /// Forgets the thread, which is another process's: neither it nor what it holds is waited for.
    pub fn abandon(&mut self) {
        if let Some(thread) = self.thread.take() {
            std::mem::forget(thread);
            std::mem::forget(std::mem::take(&mut self.shared));
        }
    }
}

impl<R> Drop for Resets<R> {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        drop(self.shared.lock());
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn run(&self, system: &mut impl ResetConnections) {
        let is_ended = || self.ended.load(Ordering::Relaxed);
        let mut work = self.lock();
        while !is_ended() {
            if work.waiting.is_empty() {
                work = self.changed.wait(work).unwrap_or_else(|e| e.into_inner());
                continue;
            }
            let addresses = std::mem::take(&mut work.waiting);
            work.busy = true;
            drop(work);
            let result = system.reset(&addresses, &is_ended);
            work = self.lock();
            work.busy = false;
            match result {
                Ok(count) => {
                    work.count += count;
                    work.failed = None;
                }
                Err(error) => work.failed = Some(error.to_string()),
            }
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Resets one connection of each address, when it is let.
    struct Fake {
        asked: Sender<Vec<GivenUp>>,
        may: Receiver<io::Result<()>>,
    }

    impl ResetConnections for Fake {
        fn reset(&mut self, addresses: &[GivenUp], _: &dyn Fn() -> bool) -> io::Result<u64> {
            self.asked.send(addresses.to_vec()).unwrap();
            self.may.recv().unwrap().map(|()| addresses.len() as u64)
        }
    }

    fn spawn(work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().spawn(work)
    }

    fn given_up(last: u8) -> GivenUp {
        GivenUp {
            address: [10, 0, 0, last].into(),
            stays: false,
        }
    }

    #[test]
    fn work_is_gathered_while_a_batch_is_under_way_and_failures_are_told() {
        let (asked, seen) = channel();
        let (let_go, may) = channel();
        let mut resets = Resets::new(Ok(Fake { asked, may }), spawn);
        assert!(resets.is_idle());
        resets.start(Vec::new());
        assert!(resets.thread.is_none(), "nothing to do");
        resets.start(vec![given_up(1)]);
        assert_eq!(seen.recv_timeout(LIMIT).unwrap(), [given_up(1)]);
        resets.start(vec![given_up(2)]);
        resets.start(vec![given_up(3)]);
        resets.wait(Duration::from_millis(1));
        assert!(!resets.is_idle());
        let_go.send(Ok(())).unwrap();
        assert_eq!(
            seen.recv_timeout(LIMIT).unwrap(),
            [given_up(2), given_up(3)]
        );
        let_go
            .send(Err(io::ErrorKind::PermissionDenied.into()))
            .unwrap();
        resets.wait(LIMIT);
        assert!(resets.is_idle());
        assert_eq!(resets.failure().as_deref(), Some("permission denied"));
        assert_eq!(resets.count(), 1);
        resets.end();
    }

    #[test]
    fn a_system_that_cannot_do_it_says_so_and_nothing_waits() {
        let error: io::Result<Fake> = Err(io::ErrorKind::Unsupported.into());
        let mut resets = Resets::new(error, spawn);
        resets.start(vec![given_up(1)]);
        assert!(resets.is_idle());
        assert_eq!(resets.failure().as_deref(), Some("unsupported"));
    }
}
