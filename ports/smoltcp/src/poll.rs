//! The one call that moves everything.

use core::net::IpAddr;

use smoltcp::iface::{Interface, PollIngressSingleResult, PollResult, SocketSet};
use smoltcp::phy::Device;
use smoltcp::time::Instant;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Cidr;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Cidr};
use vrrp_core::gate::{Action, GateKey, MacFilter};
use vrrp_core::{InterfaceState, MacAddr, VirtualAddress};

use crate::device::{Inserts, send};
use crate::{Vrrp, engine_time, smoltcp_time};

/// Frames that one poll takes in at most, so that a flood leaves time for the timers. More than a
/// device's ring holds: an advertisement that has arrived is heard before a timer is believed (T-8).
const BURST: usize = 64;

/// The changes of a poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Polled {
    /// The state of a socket may be another, as smoltcp's `PollResult` says.
    pub sockets_changed: bool,
    /// A virtual router has changed its state or is gone.
    pub routers_changed: bool,
}

impl<D: Device, const VRS: usize, const ADDRS: usize, const FRAME: usize, F: MacFilter<D>>
    Vrrp<D, VRS, ADDRS, FRAME, F>
{
    /// Takes in what has arrived, does what has come due, and sends what is to be sent: the stack's
    /// poll and VRRP's. Virtual addresses are put into `iface` and taken from it here.
    ///
    /// To be called when a frame has arrived, no later than [`poll_at`](Self::poll_at) says, and
    /// after any other call that is to take effect.
    pub fn poll(
        &mut self,
        now: Instant,
        iface: &mut Interface,
        sockets: &mut SocketSet<'_>,
    ) -> Polled {
        let mut polled = Polled::default();
        self.look_at(now, iface);
        polled.routers_changed |= self.act(now, iface);
        iface.poll_maintenance(now);
        self.behind = true;
        for _ in 0..BURST {
            match iface.poll_ingress_single(now, self, sockets) {
                PollIngressSingleResult::None => {
                    self.behind = false;
                    break;
                }
                PollIngressSingleResult::PacketProcessed => {}
                PollIngressSingleResult::SocketStateChanged => polled.sockets_changed = true,
            }
            // The consequences of a frame come before the next one.
            self.send_answer(now);
            polled.routers_changed |= self.act(now, iface);
        }
        self.gate.get_mut().handle_timeout(engine_time(now));
        polled.routers_changed |= self.act(now, iface);
        while iface.poll_egress(now, self, sockets) == PollResult::SocketStateChanged {
            polled.sockets_changed = true;
        }
        polled
    }

    /// When to [`poll`](Self::poll) again at the latest. `None`: when a frame arrives.
    #[must_use]
    pub fn poll_at(
        &mut self,
        now: Instant,
        iface: &mut Interface,
        sockets: &SocketSet<'_>,
    ) -> Option<Instant> {
        if self.behind {
            return Some(now);
        }
        let ours = self.gate.get_mut().poll_timeout().map(smoltcp_time);
        match (ours, iface.poll_at(now, sockets)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Tells the engine of the interface's own addresses.
    fn look_at(&mut self, now: Instant, iface: &Interface) {
        let mac = match iface.hardware_addr() {
            HardwareAddress::Ethernet(mac) => mac,
            // Where smoltcp was built for other media too.
            #[allow(unreachable_patterns)]
            _ => return,
        };
        let mut state = InterfaceState {
            up: self.link_up,
            mac: MacAddr(mac.0),
            ipv4: None,
            ipv6: None,
        };
        for cidr in iface.ip_addrs() {
            if self.installed.contains(&cidr.address().into()) {
                continue;
            }
            match cidr.address() {
                IpAddress::Ipv4(v4) if state.ipv4.is_none() => state.ipv4 = Some(v4),
                #[cfg(feature = "ipv6")]
                IpAddress::Ipv6(v6) if state.ipv6.is_none() && v6.is_unicast_link_local() => {
                    state.ipv6 = Some(v6);
                }
                _ => {}
            }
        }
        let gate = self.gate.get_mut();
        if gate.interface() != state {
            gate.set_interface(engine_time(now), state);
        }
    }

    /// Does what the gate asks for. Whether a virtual router has changed its state.
    fn act(&mut self, now: Instant, iface: &mut Interface) -> bool {
        let mut changed = false;
        loop {
            let inserts = Inserts::of(&self.device);
            let token = match self.link_up {
                true => self.device.transmit(now),
                false => None,
            };
            let (can_send, now_us) = (token.is_some(), engine_time(now));
            let gate = self.gate.get_mut();
            match gate.poll(now_us, can_send, &mut self.scratch) {
                None => return changed,
                Some(Action::Send(frame)) => {
                    if let Some(token) = token {
                        send(token, frame, inserts);
                    }
                }
                Some(Action::SetFilter) => {
                    drop(token);
                    self.filter.set(&mut self.device, &mut gate.macs());
                }
                Some(Action::SetAddress { key, address, on }) => {
                    drop(token);
                    self.set_address(now, iface, key, address, on);
                }
                Some(Action::StateChange(_) | Action::Removed { .. }) => changed = true,
            }
        }
    }

    fn set_address(
        &mut self,
        now: Instant,
        iface: &mut Interface,
        key: GateKey,
        address: VirtualAddress,
        on: bool,
    ) {
        let ip = address.address;
        let Some(cidr) = cidr(address) else {
            return;
        };
        if !on {
            if !self.installed.contains(&ip) {
                // The owner's own.
                return;
            }
            self.installed.retain(|known| *known != ip);
            iface.update_ip_addrs(|addresses| addresses.retain(|a| a.address() != cidr.address()));
            return;
        }
        if iface.has_ip_addr(cidr.address()) {
            return;
        }
        let mut fits = false;
        if !self.installed.is_full() {
            iface.update_ip_addrs(|addresses| fits = addresses.push(cidr).is_ok());
        }
        if fits {
            // There is room: it was asked.
            let _ = self.installed.push(ip);
        } else {
            let gate = self.gate.get_mut();
            gate.handle_address_failure(engine_time(now), key, ip);
        }
    }
}

/// An address as the stack has it. Returns `None` if the stack has no IPv6, where the engine refuses such an
/// address.
fn cidr(address: VirtualAddress) -> Option<IpCidr> {
    // The engine has refused longer prefixes; this tells the compiler so.
    let len = address.prefix_len;
    match address.address {
        IpAddr::V4(v4) => Some(IpCidr::Ipv4(Ipv4Cidr::new(v4, len.min(32)))),
        #[cfg(feature = "ipv6")]
        IpAddr::V6(v6) => Some(IpCidr::Ipv6(Ipv6Cidr::new(v6, len.min(128)))),
        #[cfg(not(feature = "ipv6"))]
        IpAddr::V6(_) => None,
    }
}
