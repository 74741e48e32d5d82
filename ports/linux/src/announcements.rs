//! The sockets that hear other hosts announce an address of ours.
//!
//! The kernel drops all that is about other addresses. What is left wakes the host at most once a second
//! on each interface: a router with the MAC of its interface asks for the MACs of its clients in the name
//! of the virtual address, perhaps often, and that is none of our business.

use std::net::IpAddr;
use std::time::Duration;
use vrrp_host::{HostIf, PlatformWarning, Subject};

use crate::platform::LinuxPlatform;
use crate::sockets::{Announced, Sockets};
use crate::sys;

/// The time between two reads of a socket.
const REST: Duration = Duration::from_secs(1);

impl LinuxPlatform {
    /// Hears announcements of the addresses of virtual routers on their own interfaces, and of the
    /// addresses that these advertise from. Where that fails there is a warning.
    pub(crate) fn hear_announcements(&mut self) {
        let numbers: Vec<HostIf> = self.interfaces.keys().copied().collect();
        for host_if in numbers {
            let announced = self.announced_on(host_if);
            let Some(watched) = self.interfaces.get_mut(&host_if) else {
                continue;
            };
            let Some(sockets) = &mut watched.sockets else {
                self.deaf.remove(&host_if);
                continue;
            };
            match sockets.hear_announcements(&self.epoll, announced) {
                Ok(()) => drop(self.deaf.remove(&host_if)),
                Err(error) => {
                    let text = format!(
                        "cannot hear whether another host on {} announces our addresses: {error}",
                        watched.name
                    );
                    self.deaf.insert(host_if, text);
                }
            }
        }
        self.deaf
            .retain(|host_if, _| self.interfaces.contains_key(host_if));
    }

    /// Tries again to hear announcements where that has failed.
    pub(crate) fn retry_announcements(&mut self) {
        self.unannounced |= !self.deaf.is_empty();
    }

    fn announced_on(&self, host_if: HostIf) -> Announced {
        let mut announced = Announced::default();
        let mut add = |address| match address {
            IpAddr::V4(ip) => announced.ipv4.push(ip),
            IpAddr::V6(ip) => announced.ipv6.push(ip),
        };
        let Some(watched) = self.interfaces.get(&host_if) else {
            return announced;
        };
        let mut any = false;
        for (_, router) in self
            .routers
            .iter()
            .filter(|(k, _)| HostIf::of(*k) == host_if)
        {
            any = true;
            router.setup.source.into_iter().for_each(&mut add);
            for (address, device) in &router.setup.addresses {
                if device.as_ref().is_none_or(|device| *device == watched.name) {
                    add(address.address);
                }
            }
        }
        if let Some(index) = watched.index().filter(|_| any) {
            let state = self.links.state(index, |a| self.is_ours(a));
            let own = [state.ipv4.map(IpAddr::V4), state.ipv6.map(IpAddr::V6)];
            own.into_iter().flatten().for_each(add);
        }
        announced.ipv4.sort_unstable();
        announced.ipv6.sort_unstable();
        announced
    }

    /// Whether a frame comes from an interface of this host, perhaps one on the same segment.
    pub(crate) fn is_from_us(&self, frame: &[u8]) -> bool {
        let source = frame.get(6..12);
        self.links
            .iter()
            .any(|link| source == Some(&link.mac.0[..]))
    }

    /// Lets a socket of announcements rest that has been read.
    pub(crate) fn rest(&mut self, token: u64) -> std::io::Result<()> {
        let until_us = sys::monotonic_us() + REST.as_micros() as u64;
        let (host_if, place) = Sockets::split_token(token);
        let sockets = self
            .interfaces
            .get(&host_if)
            .and_then(|w| w.sockets.as_ref());
        let Some(fd) = sockets.and_then(|sockets| sockets.packet(place)) else {
            return Ok(());
        };
        self.epoll.set_reported(fd, token, false)?;
        self.resting.push((token, until_us));
        Ok(())
    }

    /// Waits again for sockets that have rested. The next call of the host will do: it need not be
    /// woken for that.
    pub(crate) fn end_rests(&mut self) -> std::io::Result<()> {
        if self.resting.is_empty() {
            return Ok(());
        }
        let now_us = sys::monotonic_us();
        let mut result = Ok(());
        let mut resting = std::mem::take(&mut self.resting);
        resting.retain(|&(token, until_us)| {
            if until_us > now_us {
                return true;
            }
            let (host_if, place) = Sockets::split_token(token);
            let sockets = self
                .interfaces
                .get(&host_if)
                .and_then(|w| w.sockets.as_ref());
            if let Some(fd) = sockets.and_then(|sockets| sockets.packet(place))
                && let Err(error) = self.epoll.set_reported(fd, token, true)
            {
                result = Err(error);
            }
            false
        });
        self.resting = resting;
        result
    }

    /// Appends the interfaces whose announcements cannot be heard.
    pub(crate) fn announcement_warnings(&self, list: &mut Vec<PlatformWarning>) {
        list.extend(self.deaf.iter().map(|(host_if, text)| PlatformWarning {
            subject: Subject::Interface(*host_if),
            text: text.clone(),
        }));
    }
}
