//! Listening at the hub: every frame that a host puts on its cable, with the kernel's time stamp.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::decode::{self, Advert, Arp, Frame, Neighbour, What};
use super::hub::Hub;
use crate::sys::PacketSocket;

/// Longer than any advertisement: 255 IPv6 addresses fit.
const SNAP_LEN: usize = 4200;

/// A frame that a host sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it came in, monotonic microseconds.
    pub at_us: u64,
    /// The host whose cable it came from.
    pub host: Arc<str>,
    /// What it was.
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

/// Somebody who is shown every frame; ends when dropped.
#[derive(Debug)]
pub struct Tap {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// Shows `take` each frame and its octets, in the order of arrival, in a thread of its own.
    pub(crate) fn start(hub: Arc<Hub>, take: impl FnMut(Seen, &[u8]) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let socket = hub
            .netns()
            .enter(PacketSocket::open)
            .expect("open a packet socket on the hub");
        let thread = {
            let stop = stop.clone();
            std::thread::spawn(move || listen(&socket, &hub, take, &stop))
        };
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
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
    pub(crate) fn start(hub: Arc<Hub>) -> Self {
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

    /// What satisfies `wanted` so far.
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
    /// When none comes within `limit`; the message names `what` was waited for.
    pub fn wait_for(
        &self,
        limit: Duration,
        what: &str,
        mut wanted: impl FnMut(&Seen) -> bool,
    ) -> Seen {
        let start = Instant::now();
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

fn listen(socket: &PacketSocket, hub: &Hub, mut take: impl FnMut(Seen, &[u8]), stop: &AtomicBool) {
    let mut octets = [0; SNAP_LEN];
    let mut hosts: Vec<(u32, Option<Arc<str>>)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Some(arrival) = socket.receive(&mut octets).expect("capture on the hub") else {
            continue;
        };
        let known = hosts
            .iter()
            .position(|(index, _)| *index == arrival.ifindex);
        let known = known.unwrap_or_else(|| {
            let host = hub.host_at(arrival.ifindex).map(Arc::from);
            hosts.push((arrival.ifindex, host));
            hosts.len() - 1
        });
        // The bridge itself hears what its ports do: once is enough.
        let Some(host) = &hosts[known].1 else {
            continue;
        };
        let octets = &octets[..arrival.len];
        if let Some(frame) = decode::frame(octets) {
            let seen = Seen {
                at_us: arrival.at_us,
                host: host.clone(),
                frame,
            };
            take(seen, octets);
        }
    }
}
