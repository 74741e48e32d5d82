//! A repeater in memory, and the devices that are plugged into it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use vrrp_smoltcp::vrrp_core::MacAddr;

use super::nic::Nic;

/// Every frame reaches every other plug, whoever it is for; its controller may not let it in.
pub(crate) struct Hub {
    plugs: RefCell<Vec<Plug>>,
    /// Every frame that was sent.
    pub(crate) sent: RefCell<Vec<Sent>>,
    pub(crate) now: Cell<Instant>,
    /// Frames do not pass from one side to the other.
    pub(crate) parted: Cell<bool>,
}

#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) plug: usize,
    pub(crate) at: Instant,
    pub(crate) frame: Vec<u8>,
}

#[derive(Default)]
struct Plug {
    arrived: VecDeque<Vec<u8>>,
    pulled: bool,
    side: bool,
    stuck: bool,
    nic: Nic,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            plugs: RefCell::default(),
            sent: RefCell::default(),
            now: Cell::new(Instant::ZERO),
            parted: Cell::new(false),
        }
    }

    /// A device for one more host.
    pub(crate) fn plug(self: &Rc<Self>) -> Device {
        self.plugs.borrow_mut().push(Plug::default());
        Device {
            hub: self.clone(),
            plug: self.plugs.borrow().len() - 1,
        }
    }

    /// Pulls a host's cable, or puts it back.
    pub(crate) fn set_cable(&self, plug: usize, connected: bool) {
        let mut plugs = self.plugs.borrow_mut();
        plugs[plug].pulled = !connected;
        plugs[plug].arrived.clear();
    }

    /// Which side a host is on while the segment is parted.
    pub(crate) fn set_side(&self, plug: usize, side: bool) {
        self.plugs.borrow_mut()[plug].side = side;
    }

    /// Whether a host's transmitter takes nothing any more.
    pub(crate) fn set_stuck(&self, plug: usize, stuck: bool) {
        self.plugs.borrow_mut()[plug].stuck = stuck;
    }

    /// Changes a host's controller.
    pub(crate) fn set_nic(&self, plug: usize, change: impl FnOnce(&mut Nic)) {
        change(&mut self.plugs.borrow_mut()[plug].nic);
    }

    pub(crate) fn has_arrived(&self, plug: usize) -> bool {
        !self.plugs.borrow()[plug].arrived.is_empty()
    }

    /// Puts a frame on the wire. A stranger has no plug: `usize::MAX`.
    pub(crate) fn carry(&self, from: usize, mut frame: Vec<u8>) {
        let mut plugs = self.plugs.borrow_mut();
        if let Some(plug) = plugs.get(from) {
            plug.nic.fill_in(&mut frame);
        }
        if plugs.get(from).is_some_and(|plug| plug.pulled) {
            return;
        }
        let side = plugs.get(from).map(|plug| plug.side);
        for (index, plug) in plugs.iter_mut().enumerate() {
            let apart = self.parted.get() && side.is_some_and(|side| side != plug.side);
            if index != from && !plug.pulled && !apart && plug.nic.lets_in(&frame) {
                plug.arrived.push_back(frame.clone());
            }
        }
        let (plug, at) = (from, self.now.get());
        self.sent.borrow_mut().push(Sent { plug, at, frame });
    }
}

pub(crate) struct Device {
    hub: Rc<Hub>,
    pub(crate) plug: usize,
}

impl phy::Device for Device {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken;

    fn receive(&mut self, _: Instant) -> Option<(RxToken, TxToken)> {
        let frame = self.hub.plugs.borrow_mut()[self.plug].arrived.pop_front()?;
        Some((RxToken(frame), self.token()))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken> {
        let stuck = self.hub.plugs.borrow()[self.plug].stuck;
        (!stuck).then(|| self.token())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        if self.hub.plugs.borrow()[self.plug].nic.fills_in {
            capabilities.checksum.ipv4 = Checksum::Rx;
            capabilities.checksum.icmpv6 = Checksum::Rx;
        }
        capabilities
    }
}

/// The driver's part: tells the controller which MACs to let in.
pub(crate) fn set_filter(device: &mut Device, macs: &mut dyn Iterator<Item = MacAddr>) {
    let hub = device.hub.clone();
    hub.set_nic(device.plug, |nic| nic.set_let_in(macs.map(|mac| mac.0)));
}

impl Device {
    fn token(&self) -> TxToken {
        TxToken {
            hub: self.hub.clone(),
            plug: self.plug,
        }
    }
}

pub(crate) struct RxToken(Vec<u8>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(crate) struct TxToken {
    hub: Rc<Hub>,
    plug: usize,
}

impl phy::TxToken for TxToken {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.hub.carry(self.plug, frame);
        result
    }
}
