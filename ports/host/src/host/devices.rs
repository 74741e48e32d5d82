//! Addresses on another interface than their virtual router's, `eth2:10.0.2.100/24`: the other
//! interface, here the device, answers for them with its own MAC.
//!
//! The engine knows nothing of devices. Its announcements of such an address are sent on the device
//! instead. A device that is down is no failure of the virtual router, which goes on with its other
//! addresses; it lowers the priority ([`VrSpec::track_devices`](crate::VrSpec)).

use std::collections::BTreeMap;
use std::net::IpAddr;

use vrrp_core::wire::{arp, ethernet, ndisc};
use vrrp_core::{Announce, Failure, FrameKind, Instant, MacAddr, State, Transmit, VrKey};

use super::Host;
use super::core::{Core, Effect, Vr};
use crate::config::VrSpec;
use crate::host_if::HostIf;
use crate::interfaces::{Interface, Interfaces};
use crate::platform::Platform;
use crate::report::{About, Warning};

/// The longest announcement: a neighbour advertisement.
const MAX_ANNOUNCEMENT: usize = 86;

/// Rounds of announcements on devices that have come up, by the number of the device.
#[derive(Debug, Default)]
pub(super) struct Rounds(BTreeMap<HostIf, Round>);

#[derive(Clone, Copy, Debug)]
struct Round {
    at: Instant,
    /// How many follow.
    repeats: u8,
}

impl Rounds {
    pub(super) fn begin(&mut self, now: Instant, host_if: HostIf) {
        let repeats = Announce::DEFAULT.repeats;
        self.0.insert(host_if, Round { at: now, repeats });
    }

    /// When the next round is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().map(|round| round.at).min()
    }

    /// Takes out a device whose round is due at `now`, and sets its next one.
    fn take_due(&mut self, now: Instant) -> Option<HostIf> {
        let due = self.0.iter_mut().find(|(_, round)| round.at <= now);
        let (&host_if, round) = due?;
        if round.repeats == 0 {
            self.0.remove(&host_if);
        } else {
            round.repeats -= 1;
            round.at = now + Announce::DEFAULT.repeat_interval;
        }
        Some(host_if)
    }
}

/// Where an announcement has to go.
pub(super) enum Way {
    /// Where the engine has it go.
    OwnInterface,
    /// Out of a device, for this address.
    Device(HostIf, IpAddr),
}

/// Finds the way of a frame of the engine's.
pub(super) fn way(
    vrs: &BTreeMap<VrKey, Vr>,
    interfaces: &Interfaces,
    transmit: &Transmit<'_>,
) -> Way {
    let find = || {
        let address = announced(transmit)?;
        let spec = vrs.get(&transmit.key)?.current.as_ref()?;
        let device = spec.device_of(address)?;
        Some((interfaces.number(device)?, address))
    };
    find().map_or(Way::OwnInterface, |(host_if, address)| {
        Way::Device(host_if, address)
    })
}

/// The address that a frame announces, if it is an announcement.
fn announced(transmit: &Transmit<'_>) -> Option<IpAddr> {
    let payload = transmit.frame.get(ethernet::HEADER_LEN..)?;
    match transmit.kind {
        FrameKind::GratuitousArp => Some(arp::Packet::new(payload)?.sender_ip.into()),
        FrameKind::UnsolicitedNa => Some(ndisc::Neighbour::new(payload)?.target.into()),
        FrameKind::Advertisement
        | FrameKind::ArpReply
        | FrameKind::NaReply
        | FrameKind::NeighborProbe => None,
    }
}

impl Core {
    /// Takes in the new state of an interface that may be a device. Neighbours hear of its addresses
    /// again when it comes up or gets another MAC; what could not be installed is tried again.
    pub(super) fn device_changed(
        &mut self,
        now: Instant,
        host_if: HostIf,
        before: (bool, MacAddr),
    ) {
        let Some(interface) = self.interfaces.get(host_if) else {
            return;
        };
        let state = interface.state;
        let name = interface.name.as_str();
        let on_device = self.vrs.iter().flat_map(|(&key, vr)| {
            let spec = vr.current.iter();
            let all = spec.flat_map(move |spec| spec.addresses.iter().map(move |a| (spec, a)));
            all.filter(|(spec, a)| spec.device_of(a.address.address) == Some(name))
                .map(move |(_, a)| (key, a.address.address))
        });
        let on_device: Vec<(VrKey, IpAddr)> = on_device.collect();
        let has_come = state.up && before != (state.up, state.mac);
        if has_come && !self.served_on(interface).is_empty() {
            self.rounds.begin(now, host_if);
        }
        for (key, address) in on_device {
            if self.is_refused(Effect::Address(key, address)) {
                self.engine
                    .handle_failure(now, Failure::Address { key, address });
            }
        }
    }

    /// Whether an address is to be on a device that is down or missing, so that the virtual router
    /// is not to blame if it cannot be installed.
    pub(super) fn waits_for_device(&self, key: VrKey, address: IpAddr) -> bool {
        let spec = self.vrs.get(&key).and_then(|vr| vr.current.as_ref());
        let device = spec.and_then(|spec| spec.device_of(address));
        device.is_some_and(|device| !self.is_up(device))
    }

    fn is_up(&self, name: &str) -> bool {
        self.interfaces.named(name).is_some_and(|i| i.state.up)
    }

    /// Whether the platform has told that an interface is down or missing. Before its first word nothing is
    /// known.
    fn is_told_down(&self, name: &str) -> bool {
        let device = self.interfaces.named(name);
        device.is_none_or(|device| device.reported && !device.state.up)
    }

    /// Devices that are down, with the addresses that nobody reaches there.
    pub(super) fn devices_down(&self, list: &mut Vec<Warning>) {
        for (key, vr) in &self.vrs {
            let Some(spec) = vr.current.as_ref().filter(|_| vr.enabled) else {
                continue;
            };
            for entry in &spec.addresses {
                let address = entry.address.address;
                let device = spec.device_of(address);
                let Some(device) = device.filter(|device| self.is_told_down(device)) else {
                    continue;
                };
                if !self.is_refused(Effect::Address(*key, address)) {
                    list.push(Warning {
                        about: About::VirtualRouter(vr.id.clone()),
                        text: format!(
                            "{device} is down or missing, so that {address} cannot be reached there"
                        ),
                    });
                }
            }
        }
    }

    /// The announced addresses of the virtual routers that are Active and have them on a device.
    fn served_on(&self, device: &Interface) -> Vec<IpAddr> {
        let active = self.vrs.values().filter(|vr| vr.state == State::Active);
        let specs = active.filter_map(|vr| vr.current.as_ref());
        let on_device = |spec: &'_ VrSpec| -> Vec<IpAddr> {
            let own = spec.addresses.iter().map(|a| a.address.address);
            let own = own.filter(|address| spec.device_of(*address) == Some(&device.name));
            let followers = spec.follower_places();
            let followers = followers.filter(|(name, _)| *name == device.name);
            own.chain(followers.map(|(_, address)| address)).collect()
        };
        specs.flat_map(on_device).collect()
    }
}

impl<P: Platform> Host<P> {
    /// Announces again on devices that have come up.
    pub(super) fn announce_on_devices(&mut self, now: Instant) {
        while let Some(host_if) = self.core.rounds.take_due(now) {
            let Some(device) = self.core.interfaces.get(host_if) else {
                continue;
            };
            for address in self.core.served_on(device) {
                announce(&mut self.platform, host_if, device, address);
            }
        }
    }
}

/// Says on a device that it has an address. Nobody hears it while the device is down, and one that
/// has no MAC, as a tunnel or the loopback, has no neighbours who would ask for it.
pub(super) fn announce<P: Platform>(
    platform: &mut P,
    host_if: HostIf,
    device: &Interface,
    address: IpAddr,
) {
    let mac = device.state.mac;
    if !device.state.up || mac == MacAddr::default() {
        return;
    }
    let mut buf = [0; MAX_ANNOUNCEMENT];
    let emitted = match address {
        IpAddr::V4(ip) => arp::emit_gratuitous(&mut buf, mac, ip),
        IpAddr::V6(ip) => ndisc::emit_unsolicited_na(&mut buf, mac, ip),
    };
    let frame = emitted.and_then(|emitted| buf.get(..emitted.len));
    if let Some(frame) = frame {
        platform.announce(host_if, frame);
    }
}
