//! Listening at the hub: every frame that a host puts on its cable, with the kernel's time stamp.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::decode::{self, Advert, Arp, Frame, Neighbour, What};
use super::patience;
use super::system::Hub;

/// Longer than any advertisement: 255 IPv6 addresses fit.
#[cfg(target_os = "linux")]
pub(super) const SNAP_LEN: usize = 4200;

/// A frame that a host sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it came in, monotonic microseconds.
    pub at_us: u64,
    /// The host whose cable it came from.
    pub host: Arc<str>,
    /// The frame, decoded.
    pub frame: Frame,
}

impl Seen {
    /// The advertisement in it.
    pub fn advert(&self) -> Option<&Advert> {
        match &self.frame.what {
            What::Advert(advert) => Some(advert),
            _ => None,
        }
    }

    /// The ARP message in it.
    pub fn arp(&self) -> Option<&Arp> {
        match &self.frame.what {
            What::Arp(arp) => Some(arp),
            _ => None,
        }
    }

    /// The neighbour solicitation or advertisement in it.
    pub fn neighbour(&self) -> Option<&Neighbour> {
        match &self.frame.what {
            What::Neighbour(neighbour) => Some(neighbour),
            _ => None,
        }
    }

    /// Whether `host` sent it as an advertisement for `vrid`.
    pub fn is_advert(&self, host: &str, vrid: u8) -> bool {
        &*self.host == host && self.advert().is_some_and(|advert| advert.vrid == vrid)
    }
}

/// The consumer of a frame and its octets.
type Take = dyn FnMut(Seen, &[u8]) + Send;

/// Somebody who is shown what a hub hears, until nobody wants it any more.
pub(crate) struct Listener {
    take: Mutex<Box<Take>>,
    unwanted: AtomicBool,
}

impl Listener {
    pub(super) fn is_wanted(&self) -> bool {
        !self.unwanted.load(Ordering::Relaxed)
    }

    /// Shows a frame that came from `host` at `at_us`, if the lab can read it.
    pub(super) fn hear(&self, at_us: u64, host: &Arc<str>, octets: &[u8]) {
        let Some(frame) = decode::frame(octets) else {
            return;
        };
        let host = host.clone();
        let mut take = self.take.lock().expect("no panic while a frame is shown");
        take(Seen { at_us, host, frame }, octets);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// Somebody who is shown every frame; ends when dropped.
#[derive(Debug)]
pub struct Tap {
    listener: Arc<Listener>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// Shows `take` each frame and its octets, in the order of arrival, in a thread of its own.
    pub(crate) fn start(hub: &Arc<Hub>, take: impl FnMut(Seen, &[u8]) + Send + 'static) -> Self {
        let listener = Arc::new(Listener {
            take: Mutex::new(Box::new(take)),
            unwanted: AtomicBool::new(false),
        });
        let thread = Some(hub.listen(listener.clone()));
        Self { listener, thread }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.listener.unwanted.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A listener that died has already made its scenario fail.
            let _ = thread.join();
        }
    }
}

/// A running capture; ends when dropped.
#[derive(Debug)]
pub struct Capture {
    seen: Arc<Mutex<Vec<Seen>>>,
    _tap: Tap,
}

impl Capture {
    pub(crate) fn start(hub: &Arc<Hub>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let keep = move |frame, _: &[u8]| {
            kept.lock()
                .expect("no panic while a capture is held")
                .push(frame);
        };
        Self {
            seen,
            _tap: Tap::start(hub, keep),
        }
    }

    /// Everything so far, in the order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    /// The frames so far that satisfy `wanted`.
    pub fn find(&self, mut wanted: impl FnMut(&Seen) -> bool) -> Vec<Seen> {
        self.lock()
            .iter()
            .filter(|seen| wanted(seen))
            .cloned()
            .collect()
    }

    /// How many frames so far satisfy `wanted`.
    pub fn count(&self, mut wanted: impl FnMut(&Seen) -> bool) -> usize {
        self.lock().iter().filter(|seen| wanted(seen)).count()
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Waits for a frame that satisfies `wanted`, also among those already seen.
    ///
    /// # Panics
    ///
    /// When none comes within `limit` (times [`patience()`](super::patience)); the message names `what` was waited for.
    pub fn wait_for(
        &self,
        limit: Duration,
        what: &str,
        mut wanted: impl FnMut(&Seen) -> bool,
    ) -> Seen {
        let (start, limit) = (Instant::now(), limit * patience());
        let mut looked_at = 0;
        loop {
            {
                let seen = self.lock();
                if let Some(found) = seen.iter().skip(looked_at).find(|seen| wanted(seen)) {
                    return found.clone();
                }
                looked_at = seen.len();
            }
            assert!(
                start.elapsed() < limit,
                "did not see within {:.1} s: {what}\nlast seen:\n{}",
                limit.as_secs_f64(),
                self.tail(20)
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The last `count` frames, a line each.
    pub fn tail(&self, count: usize) -> String {
        let seen = self.lock();
        seen[seen.len().saturating_sub(count)..]
            .iter()
            .map(|seen| format!("{:>14} {:<10} {:?}\n", seen.at_us, seen.host, seen.frame))
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().expect("no panic while a capture is held")
    }
}
