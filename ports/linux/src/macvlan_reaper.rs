//! Closing and deleting macvlans beside the protocol.
//!
//! The kernel waits for a grace period of about ten milliseconds when a macvlan is closed or
//! deleted, with the lock held that every change of links and addresses needs. A host that loses
//! many virtual routers at once must neither wait for that nor make others wait, so it is done by a
//! thread, a little later and with pauses. Until then the macvlan bears no address and answers
//! nothing.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vrrp_port_kit::KernelIf;

use crate::netlink::{self, Netlink};
use crate::sys;

/// How long a macvlan that is given up stays open: the successor, which may need the same lock on
/// the same machine, comes first.
const DELAY: Duration = Duration::from_millis(250);
/// While the host takes up or gives up others, closing waits for it to come to rest, but no longer
/// than this: each holds for a grace period the lock that they need.
const LONGEST: Duration = Duration::from_secs(3);
/// The pause between two.
const PAUSE: Duration = Duration::from_millis(10);

/// The thread and what it has to do. Dropping it leaves the rest undone.
#[derive(Debug)]
pub(crate) struct Reaper {
    shared: Arc<Shared>,
    /// For the thread, which is made when there is something to do: then it may be too late to open
    /// a socket.
    netlink: Option<Netlink>,
    thread: Option<JoinHandle<()>>,
    /// Macvlans that are to be deleted, by name.
    leaving: HashMap<String, KernelIf>,
}

#[derive(Debug, Default)]
struct Shared {
    work: Mutex<Work>,
    changed: Condvar,
    /// A link refused, since this was last asked.
    failed: AtomicBool,
}

#[derive(Debug, Default)]
struct Work {
    tasks: VecDeque<Task>,
    /// The host has needed the lock shortly before.
    calm_at: Option<Instant>,
    /// The link that is being closed or deleted.
    busy: Option<KernelIf>,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Task {
    index: KernelIf,
    delete: bool,
    due: Instant,
    /// Somebody waits for it.
    hurried: bool,
}

impl Reaper {
    /// For the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            shared: Arc::default(),
            netlink: Some(Netlink::open()?),
            thread: None,
            leaving: HashMap::new(),
        })
    }

    /// Whether a link has refused since this was last asked.
    pub(crate) fn has_failed(&self) -> bool {
        self.shared.failed.swap(false, Ordering::Relaxed)
    }

    /// Whether something is still to be done to a link, or being done.
    pub(crate) fn has(&self, index: KernelIf) -> bool {
        let work = self.shared.lock();
        work.busy == Some(index) || work.tasks.iter().any(|task| task.index == index)
    }

    /// Ends the thread and leaves the rest undone.
    pub(crate) fn end(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared = Arc::default();
    }

    /// Sees to it that a link is closed.
    pub(crate) fn close(&mut self, index: KernelIf) -> io::Result<()> {
        self.add(index, false)
    }

    /// Sees to it that a link is deleted.
    pub(crate) fn delete(&mut self, index: KernelIf, name: String) -> io::Result<()> {
        self.settle(index);
        self.add(index, true)?;
        self.leaving.insert(name, index);
        Ok(())
    }

    /// Whether a link has been left to be deleted.
    pub(crate) fn has_deleted(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Forgets the thread, which is another process's: neither it nor what it holds is waited for.
    pub(crate) fn abandon(&mut self) {
        if let Some(thread) = self.thread.take() {
            std::mem::forget(thread);
            std::mem::forget(std::mem::take(&mut self.shared));
        }
    }

    fn add(&mut self, index: KernelIf, delete: bool) -> io::Result<()> {
        if self.thread.is_none() {
            let netlink = match self.netlink.take() {
                Some(netlink) => netlink,
                None => Netlink::open()?,
            };
            let shared = Arc::clone(&self.shared);
            let builder = std::thread::Builder::new()
                .name("reaper".into())
                .stack_size(128 * 1024);
            // Signals are for the threads of whoever uses us: one may wait to be interrupted.
            let thread = sys::without_signals(|| builder.spawn(move || shared.run(netlink)))?;
            self.thread = Some(thread);
        }
        let due = Instant::now() + DELAY;
        let task = Task {
            index,
            delete,
            due,
            hurried: false,
        };
        self.shared.lock().tasks.push_back(task);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// The host takes up or gives up something: what can wait does.
    pub(crate) fn postpone(&self) {
        if self.thread.is_some() {
            self.shared.lock().calm_at = Some(Instant::now() + DELAY);
        }
    }

    /// Takes back what is to be done to a link, and waits for what is being done.
    pub(crate) fn settle(&self, index: KernelIf) {
        let mut work = self.shared.lock();
        work.tasks.retain(|task| task.index != index);
        while work.busy == Some(index) {
            work = self.shared.wait(work, None);
        }
    }

    /// Has the link of this name deleted at once, if it is to be, and waits for it.
    pub(crate) fn hurry(&mut self, name: &str) {
        let Some(index) = self.leaving.remove(name) else {
            return;
        };
        let mut work = self.shared.lock();
        for task in work.tasks.iter_mut().filter(|task| task.index == index) {
            task.due = Instant::now();
            task.hurried = true;
        }
        work.tasks
            .make_contiguous()
            .sort_by_key(|task| (!task.hurried, task.due));
        self.shared.changed.notify_all();
        while work.busy == Some(index) || work.tasks.iter().any(|task| task.index == index) {
            work = self.shared.wait(work, None);
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        // Nothing panics while it is held.
        self.work
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    fn wait<'a>(&self, work: MutexGuard<'a, Work>, most: Option<Duration>) -> MutexGuard<'a, Work> {
        match most {
            None => self.changed.wait(work).unwrap_or_else(|e| e.into_inner()),
            Some(most) => {
                let waited = self.changed.wait_timeout(work, most);
                waited.unwrap_or_else(|e| e.into_inner()).0
            }
        }
    }

    fn run(&self, mut netlink: Netlink) {
        let mut work = self.lock();
        while !work.ended {
            let now = Instant::now();
            let Some(task) = work.tasks.front().copied() else {
                work = self.wait(work, None);
                continue;
            };
            let calm = work.calm_at.map(|calm| calm.min(task.due + LONGEST));
            let due = calm.map_or(task.due, |calm| calm.max(task.due));
            if due > now && !task.hurried {
                work = self.wait(work, Some(due - now));
                continue;
            }
            work.tasks.pop_front();
            work.busy = Some(task.index);
            drop(work);
            let result = netlink.perform(|to| match task.delete {
                true => netlink::delete_link(to, task.index),
                false => netlink::link_flags(to, task.index, false),
            });
            // One that is gone needs nothing.
            if result.is_err_and(|error| error.raw_os_error() != Some(libc::ENODEV)) {
                self.failed.store(true, Ordering::Relaxed);
            }
            work = self.lock();
            work.busy = None;
            self.changed.notify_all();
            let rested = Instant::now() + PAUSE;
            while !work.ended && Instant::now() < rested {
                work = self.wait(work, Some(PAUSE));
            }
        }
    }
}
