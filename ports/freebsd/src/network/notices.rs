//! The notices of the routing socket about interfaces, and the questions that it leaves open.

use std::io;

use vrrp_core::{Duration, Family, InterfaceState};
use vrrp_host::HostIf;
use vrrp_port_kit::{KernelIf, Port as _};

use super::Network;
use crate::abi::*;
use crate::links::Links;
use crate::request::{self, Request};
use crate::route::{self, Notice};
use crate::sys;

/// The kernel does not tell when an address has passed duplicate address detection.
const DETECTION: Duration = Duration::from_millis(250);
/// How long after routes have changed the interfaces are looked at.
const ROUTES: Duration = Duration::from_secs(1);
/// How often they are looked at in any case: no notice tells of another MAC, or of a bridge that
/// somebody removed.
const NOW_AND_THEN: Duration = Duration::from_secs(5);

impl Network {
    /// Takes what the routing socket has.
    pub(crate) fn take_notices(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let (mut changed, mut routes, mut gone) = (false, false, Vec::new());
        // Bounded: what is left keeps the queue ready.
        for _ in 0..256 {
            match sys::read(self.installer.routing(), buffer) {
                Ok(0) => break,
                Ok(len) => {
                    let octets = buffer.get(..len).unwrap_or_default();
                    for notice in route::notices(octets) {
                        match notice {
                            Notice::Changed => changed = true,
                            Notice::Gone(index) => gone.push(index),
                            Notice::Route => routes = true,
                            Notice::Other => {}
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Notices were lost.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) => return Err(error),
            }
        }
        for index in gone {
            changed = true;
            self.detach_index(index);
        }
        if routes {
            // Where there is a routing daemon they may be many.
            self.look_again(ROUTES);
        }
        if changed { self.resync() } else { Ok(()) }
    }

    /// Lists the interfaces anew and compares them with what should be there.
    pub(crate) fn resync(&mut self) -> io::Result<()> {
        let list = sys::interface_list()?;
        self.state.links = Links::new(route::list(&list));
        self.resyncs += 1;
        self.state.table.unsettled = true;
        self.compare_later();
        for (index, name) in self.state.links.silent_about_carrier() {
            // Loopbacks and tunnels have no medium to ask for.
            let asked = Request::about(SIOCGIFMEDIA, &name).and_then(|mut request| {
                sys::ioctl(self.installer.any_requester()?, &mut request)?;
                Ok(request::media_active(&request.argument))
            });
            self.state.links.set_medium(index, asked.ok().flatten());
        }
        if !self.state.table.interfaces.is_empty() {
            self.look_again(NOW_AND_THEN);
        }
        self.ask_for_detection();
        self.state.find_losses();
        Ok(())
    }

    /// Learns which link-local addresses of watched interfaces cannot be used yet, or ever.
    fn ask_for_detection(&mut self) {
        let mut tentative = false;
        let names = self
            .state
            .table
            .interfaces
            .iter()
            .map(|(_, w)| w.name.clone());
        for name in names.collect::<Vec<_>>() {
            let Some(index) = self.state.links.find(&name) else {
                continue;
            };
            for ip in self.state.links.link_locals(index) {
                let asked = request::ask_address_flags(&name, ip).and_then(|mut request| {
                    sys::ioctl(self.installer.requester(Family::Ipv6)?, &mut request)?;
                    Ok(request::address_flags(&request.argument))
                });
                let flags = asked.unwrap_or(0);
                tentative |= flags & IN6_IFF_TENTATIVE != 0 && self.state.links.is_up(index);
                if flags & (IN6_IFF_TENTATIVE | IN6_IFF_DUPLICATED) != 0 {
                    self.state.links.set_unready(index, ip);
                }
            }
        }
        if tentative {
            self.look_again(DETECTION);
        }
    }

    /// Some drivers lose the link for a moment when their MAC is set. A link that we have done this
    /// to counts as up, lest it be given up and taken up for ever.
    pub(super) fn forgive(&mut self, host_if: HostIf, mut state: InterfaceState) -> InterfaceState {
        let now = self.now();
        let Some(watched) = self.state.table.interfaces.get_mut(host_if) else {
            return state;
        };
        let known_up = watched.is_known_up();
        let Some(sockets) = &mut watched.sockets else {
            return state;
        };
        let Some(until) = sockets.changing_until.filter(|until| *until > now) else {
            sockets.changing_until = None;
            return state;
        };
        if !state.up && self.state.links.is_up(sockets.index) && known_up {
            state.up = true;
            self.look_again(Duration::from_micros(until.as_micros() - now.as_micros()));
        }
        state
    }

    /// The interface of this index is gone.
    fn detach_index(&mut self, index: KernelIf) {
        let interfaces = self.state.table.interfaces.iter();
        let numbers = interfaces.filter(|(_, watched)| watched.index() == Some(index));
        let numbers: Vec<HostIf> = numbers.map(|(host_if, _)| host_if).collect();
        for host_if in numbers {
            self.detach(host_if);
        }
    }
}
