//! VRRP on the next form of embassy-net's drivers, `xarxa-driver`: owned packet buffers, one stack with
//! many addresses, and a filter of groups in the driver. vrrp-embassy stays on what embassy-net has
//! released; this shows how little of it the move touches.
//!
//! The gate of vrrp-core is used as it is. What goes away: stacks for virtual addresses, frame slots
//! between tasks, and both copies of a frame. What comes: the groups of VRRP in the list that the stack
//! gives its driver.
//!
//! `cargo run -p vrrp-embassy --example xarxa` lets it take an address up on a device in memory.

use core::task::Waker;
use std::collections::VecDeque;

use vrrp_embassy::GateKey;
use vrrp_embassy::vrrp_core::gate::{Action, Gate, Received, max_frame_len, zero_checksums};
use vrrp_embassy::vrrp_core::{
    Family, Instant, InterfaceState, MacAddr, Priority, State, VirtualAddress, VrConfig,
    VrSettings, Vrid,
};
use xarxa_driver::{Capabilities, Driver, HardwareAddress, LinkState, NotSupported, PacketBuf};

/// A driver with VRRP in it, for `VRS` virtual routers of `ADDRS` addresses each.
struct Vrrp<D, const VRS: usize, const ADDRS: usize> {
    device: D,
    gate: Gate<VRS, ADDRS>,
    /// The groups that the stack wants.
    groups: Vec<[u8; 6]>,
    /// The trait has no clock.
    now: fn() -> Instant,
    own_ipv4: [u8; 4],
}

impl<D: Driver, const VRS: usize, const ADDRS: usize> Vrrp<D, VRS, ADDRS> {
    /// Does what is due: called by a task at [`Gate::poll_timeout`], and after each input. `address`
    /// has the stack take an address up, or give it back.
    fn poll(&mut self, mut address: impl FnMut(VirtualAddress, bool)) {
        let now = (self.now)();
        self.look_at_interface(now);
        self.gate.handle_timeout(now);
        let mut frame = [0; max_frame_len(28)];
        loop {
            let can_send = self.device.can_transmit();
            match self.gate.poll(now, can_send, &mut frame) {
                Some(Action::Send(frame)) => send(&mut self.device, frame),
                Some(Action::SetAddress {
                    address: which, on, ..
                }) => address(which, on),
                Some(Action::SetFilter) => self.set_filter(),
                Some(Action::StateChange(_) | Action::Removed { .. }) => {}
                None => return,
            }
        }
    }

    /// Has the device hear the groups of the stack and those of VRRP: a hash filter set from the
    /// stack's list alone would cut advertisements off. For virtual MACs the trait has no call; they
    /// are let in by registers that are written once, or by promiscuous mode.
    fn set_filter(&mut self) {
        let is_group = |mac: &[u8; 6]| mac[0] & 1 == 1;
        let ours = self.gate.macs().map(|mac| mac.0).filter(is_group);
        let mut all: Vec<[u8; 6]> = self.groups.iter().copied().chain(ours).collect();
        all.sort_unstable();
        all.dedup();
        self.device.set_multicast_filter(&all);
    }

    fn look_at_interface(&mut self, now: Instant) {
        let HardwareAddress::Ethernet(mac) = self.device.hardware_address() else {
            return;
        };
        let state = InterfaceState {
            up: self.device.link_state() == LinkState::Up,
            mac: MacAddr(mac),
            ipv4: Some(self.own_ipv4.into()),
            ipv6: None,
        };
        if self.gate.interface() != state {
            self.gate.set_interface(now, state);
        }
    }
}

/// The driver that the stack sees.
impl<D: Driver, const VRS: usize, const ADDRS: usize> Driver for Vrrp<D, VRS, ADDRS> {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.device.hardware_address()
    }

    fn link_state(&mut self) -> LinkState {
        self.device.link_state()
    }

    fn register_waker(&mut self, waker: &Waker) -> Result<(), NotSupported> {
        self.device.register_waker(waker)
    }

    fn receive(&mut self) -> Option<PacketBuf> {
        loop {
            let mut packet = self.device.receive()?;
            let mut answer = [0; max_frame_len(0)];
            match self.gate.receive((self.now)(), &packet, &mut answer) {
                Received::Stack { virtual_mac, .. } => {
                    if virtual_mac {
                        self.gate.show_own_mac(&mut packet);
                    }
                    return Some(packet);
                }
                Received::Answer { frame, lesson } => {
                    send(&mut self.device, frame);
                    if let Some(packet) = lesson.and_then(|(_, lesson)| packet_of(lesson)) {
                        return Some(packet);
                    }
                }
                Received::Engine | Received::Discarded(_) => {}
            }
        }
    }

    fn can_transmit(&mut self) -> bool {
        self.device.can_transmit()
    }

    fn transmit(&mut self, mut packet: PacketBuf) -> Result<(), PacketBuf> {
        match self.gate.send(&mut packet) {
            Ok(()) => self.device.transmit(packet),
            // From an address that is not served: it goes nowhere, and the gate has counted it.
            Err(_) => Ok(()),
        }
    }

    fn set_multicast_filter(&mut self, groups: &[[u8; 6]]) {
        self.groups = groups.to_vec();
        self.set_filter();
    }
}

/// A frame in a buffer of its own. `None`: the pool is empty.
fn packet_of(frame: &[u8]) -> Option<PacketBuf> {
    let mut packet = PacketBuf::try_new()?;
    packet.set_len(frame.len());
    packet.copy_from_slice(frame);
    Some(packet)
}

/// Sends a frame of VRRP's own. A device that fills in checksums is promised zero in their place.
fn send(device: &mut impl Driver, frame: &[u8]) {
    let Some(mut packet) = packet_of(frame) else {
        return;
    };
    let fills_in = device.capabilities().checksum;
    zero_checksums(&mut packet, fills_in.ipv4.tx, fills_in.icmpv6.tx);
    // It was asked whether it can; a frame that is lost all the same is repeated by the protocol.
    let _ = device.transmit(packet);
}

/// A device in memory: what was sent, and which groups it was told to hear.
#[derive(Default)]
struct Wire {
    sent: VecDeque<Vec<u8>>,
    groups: Vec<[u8; 6]>,
}

impl Driver for Wire {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([0x02, 0, 0, 0, 0, 0x01])
    }

    fn receive(&mut self) -> Option<PacketBuf> {
        None
    }

    fn can_transmit(&mut self) -> bool {
        true
    }

    fn transmit(&mut self, packet: PacketBuf) -> Result<(), PacketBuf> {
        self.sent.push_back(packet.to_vec());
        Ok(())
    }

    fn set_multicast_filter(&mut self, groups: &[[u8; 6]]) {
        self.groups = groups.to_vec();
    }
}

fn main() {
    let key = GateKey::new(Vrid::new(51).expect("1 to 255"), Family::Ipv4);
    let service = VirtualAddress {
        address: [10, 10, 10, 80].into(),
        prefix_len: 24,
    };
    let mut vrrp = Vrrp::<_, 1, 4> {
        device: Wire::default(),
        gate: Gate::new(1),
        groups: Vec::new(),
        now: || Instant::from_micros(1_000_000),
        own_ipv4: [10, 10, 10, 6],
    };
    vrrp.set_multicast_filter(&[[0x01, 0, 0x5e, 0, 0, 1]]);

    // The owner of an address takes it up at once.
    vrrp.poll(|_, _| {});
    let settings = VrSettings {
        priority: Priority::OWNER,
        accept: true,
        ..VrSettings::DEFAULT
    };
    let config = VrConfig {
        settings,
        addresses: &[service],
        ..VrConfig::DEFAULT
    };
    let now = (vrrp.now)();
    let inserted = vrrp.gate.admin(now).insert(key, &config);
    inserted.expect("a configuration that is right");
    vrrp.poll(|which, on| println!("the stack has {}: {on}", which.address));
    let status = vrrp.gate.engine().status(key);
    let is_active = status.is_some_and(|status| status.state == State::Active);
    println!("the device hears {} groups", vrrp.device.groups.len());
    println!("Active: {is_active}, {} frames", vrrp.device.sent.len());
}
