//! The process with the rights: what it does for the worker.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vrrp_host::{HostConfig, HostFacts, Platform, PlatformError, Waited};
use vrrp_port_kit::privsep::{self, Guard, Message, Place, Request};

use super::channel::{CHANNEL, Channel};
use crate::platform::FreebsdPlatform;
use crate::sys;

/// Requests that are carried out before others of the loop have their turn.
const MOST_REQUESTS: usize = 64;

/// The side with the rights.
#[derive(Debug)]
pub struct Parent {
    platform: FreebsdPlatform,
    guard: Guard,
    channel: Channel,
    /// The devices that the other side was given, and the serial number of each.
    given: BTreeMap<Place, u64>,
    /// The warnings that the other side knows, as octets. Empty: it knows of none.
    warned: Vec<u8>,
}

impl Parent {
    /// Serves a process at the other end of `stream`, which may ask for what `config` needs.
    pub fn new(
        mut platform: FreebsdPlatform,
        stream: UnixStream,
        config: HostConfig,
    ) -> io::Result<Self> {
        platform.leave_frames();
        let channel = Channel::new(stream);
        platform.queue_mut().add(channel.fd(), CHANNEL)?;
        Ok(Self {
            platform,
            guard: Guard::new(config),
            channel,
            given: BTreeMap::new(),
            warned: Vec::new(),
        })
    }

    /// Waits until [`handle`](Parent::handle) has something to do, which is `true`, one of `others`
    /// is ready or `timeout` has passed, or a little less.
    pub fn wait(&mut self, others: &mut [Waited], timeout: Option<Duration>) -> io::Result<bool> {
        self.platform.queue_mut().wait(others, timeout)
    }

    /// The facts that a new configuration is judged against.
    pub fn facts(&self) -> HostFacts {
        self.platform.facts()
    }

    /// From now on the other side may ask for what this configuration needs, too.
    pub fn allow(&mut self, config: HostConfig) {
        self.guard.allow(config);
    }

    /// The configuration that was allowed last is in force.
    pub fn adopt(&mut self) {
        self.guard.adopt();
    }

    /// Carries out what was asked, and tells what has happened. An error: there is no other side
    /// any more, or it makes no sense. What the network refused is in `trouble`.
    pub fn handle(&mut self, trouble: &mut dyn FnMut(io::Error)) -> io::Result<()> {
        let mut news = Vec::new();
        let received = self
            .platform
            .receive(&mut |incoming| news.extend(Message::of(incoming)));
        if let Err(error) = received {
            trouble(error);
        }
        // First what it needs to act on the news.
        self.give()?;
        for message in news {
            self.channel.send(&message.encode(), None)?;
        }
        for _ in 0..MOST_REQUESTS {
            let Some(datagram) = self.channel.receive()? else {
                break;
            };
            self.channel.refuse_passed();
            let request = Request::decode(&datagram).ok_or(io::ErrorKind::InvalidData)?;
            let result = match self.guard.admit(&request) {
                Ok(()) => privsep::perform(&mut self.platform, &request),
                Err(refused) => {
                    let error = io::Error::new(io::ErrorKind::PermissionDenied, refused);
                    Err(PlatformError::new("do what was asked", error))
                }
            };
            self.give()?;
            self.channel.send(&Message::Done(result).encode(), None)?;
        }
        self.warn()?;
        // When to look at the interfaces again.
        self.platform.set_wakeup(None)
    }

    /// Tells the warnings that hold now, if they are others than before.
    fn warn(&mut self) -> io::Result<()> {
        let message = Message::of_warnings(&self.platform);
        let octets = match &message {
            Message::Warnings(warnings) if warnings.is_empty() => Vec::new(),
            _ => message.encode(),
        };
        if octets != self.warned {
            self.channel.send(&message.encode(), None)?;
            self.warned = octets;
        }
        Ok(())
    }

    /// Hands over the devices that were opened, and says which were closed.
    fn give(&mut self) -> io::Result<()> {
        let mut there = BTreeMap::new();
        let table = self.platform.table();
        for (host_if, watched) in table.interfaces.iter() {
            let sockets = watched.sockets.as_ref();
            if let Some(device) = sockets.and_then(|sockets| sockets.bpf.as_ref()) {
                there.insert(Place::Interface(host_if), device);
            }
        }
        for (key, router) in table.routers.iter() {
            if let Some(carrier) = &router.mac.carrier {
                there.insert(Place::Carrier(*key, carrier.name.clone()), &carrier.bpf);
            }
        }
        let channel = &self.channel;
        let mut result = Ok(());
        self.given.retain(|place, serial| {
            let stays = there
                .get(place)
                .is_some_and(|device| device.serial == *serial);
            if !stays && result.is_ok() {
                result = channel.send(&Message::Close(place.clone()).encode(), None);
            }
            stays
        });
        result?;
        for (place, device) in there {
            if let Entry::Vacant(vacant) = self.given.entry(place) {
                let copy = device.try_clone()?;
                // The filter stays ours.
                sys::confine(&copy, &[])?;
                let open = Message::Open(vacant.key().clone());
                channel.send(&open.encode(), Some(&copy))?;
                vacant.insert(device.serial);
            }
        }
        Ok(())
    }
}
