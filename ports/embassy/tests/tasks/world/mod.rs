//! Hosts on a segment in memory, run by an executor that polls a task only when it was woken, over
//! a clock that is moved by hand.

pub(crate) mod host;
#[path = "../../../../smoltcp/tests/middleware/world/nic.rs"]
pub(crate) mod nic;
#[path = "../../../../smoltcp/tests/middleware/world/wire.rs"]
pub(crate) mod wire;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use embassy_net::driver::{
    Capabilities, Checksum, Driver, HardwareAddress, LinkState, RxToken as RxTokenOf,
    TxToken as TxTokenOf,
};
use embassy_time::{Duration, Instant, MockDriver};
use vrrp_embassy::vrrp_core::MacAddr;

use nic::Nic;

/// embassy-time has one clock for the process: one test at a time.
static CLOCK: Mutex<()> = Mutex::new(());

/// The segment with everybody on it.
pub(crate) struct World {
    pub(crate) hub: Rc<Hub>,
    tasks: Vec<Task>,
    /// How often any task was polled.
    pub(crate) polls: u64,
    _clock: MutexGuard<'static, ()>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Flag>,
    done: bool,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = CLOCK
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        MockDriver::get().reset();
        Self {
            hub: Rc::new(Hub::default()),
            tasks: Vec::new(),
            polls: 0,
            _clock: clock,
        }
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.tasks.push(Task {
            future: Box::pin(future),
            woken: Arc::new(Flag(AtomicBool::new(true))),
            done: false,
        });
    }

    /// Runs what was woken until nobody is.
    pub(crate) fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "somebody wakes itself for ever");
            let mut ran = false;
            for task in &mut self.tasks {
                if task.done || !task.woken.0.swap(false, Ordering::SeqCst) {
                    continue;
                }
                ran = true;
                self.polls += 1;
                let waker = Waker::from(task.woken.clone());
                let mut cx = Context::from_waker(&waker);
                task.done = task.future.as_mut().poll(&mut cx) == Poll::Ready(());
            }
            if !ran {
                return;
            }
        }
    }

    /// Lets time pass, a millisecond at a time.
    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.settle();
        for _ in 0..ms {
            MockDriver::get().advance(Duration::from_millis(1));
            self.settle();
        }
    }

    /// Lets time pass until something is so. The milliseconds that it took; panics after `limit`.
    pub(crate) fn run_until(&mut self, limit_ms: u64, so: impl Fn() -> bool) -> u64 {
        self.settle();
        for ms in 0..=limit_ms {
            if so() {
                return ms;
            }
            self.run_ms(1);
        }
        panic!("not within {limit_ms} ms");
    }
}

/// A repeater: every frame reaches every other plug, whoever it is for; its controller may not let it
/// in.
#[derive(Default)]
pub(crate) struct Hub {
    plugs: RefCell<Vec<Plug>>,
    /// Every frame that was sent: by which plug, and when.
    pub(crate) sent: RefCell<Vec<Sent>>,
    /// Frames of one half of the plugs do not reach the other.
    pub(crate) parted: Cell<bool>,
}

#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) plug: usize,
    pub(crate) at_ms: u64,
    pub(crate) frame: Vec<u8>,
}

#[derive(Default)]
struct Plug {
    arrived: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
    pulled: bool,
    side: bool,
    deaf: bool,
    nic: Nic,
}

impl Hub {
    /// A device for one more host.
    pub(crate) fn plug(self: &Rc<Self>, last_octet: u8) -> Device {
        let mac = [2, 0, 0, 0, 0, last_octet];
        let mut plug = Plug::default();
        plug.nic.own = mac;
        self.plugs.borrow_mut().push(plug);
        Device {
            hub: self.clone(),
            plug: self.plugs.borrow().len() - 1,
            mac,
        }
    }

    /// Changes a host's controller.
    pub(crate) fn set_nic(&self, plug: usize, change: impl FnOnce(&mut Nic)) {
        change(&mut self.plugs.borrow_mut()[plug].nic);
    }

    /// Pulls a host's cable, or puts it back.
    pub(crate) fn set_cable(&self, plug: usize, connected: bool) {
        let mut plugs = self.plugs.borrow_mut();
        plugs[plug].pulled = !connected;
        plugs[plug].waker.take().inspect(Waker::wake_by_ref);
    }

    /// Which side a host is on while the segment is parted.
    pub(crate) fn set_side(&self, plug: usize, side: bool) {
        self.plugs.borrow_mut()[plug].side = side;
    }

    /// A host whose transmitter takes nothing any more.
    pub(crate) fn set_deaf(&self, plug: usize, deaf: bool) {
        let mut plugs = self.plugs.borrow_mut();
        plugs[plug].deaf = deaf;
        plugs[plug].waker.take().inspect(Waker::wake_by_ref);
    }

    /// Puts a frame on the wire as if a stranger had sent it.
    pub(crate) fn inject(&self, frame: &[u8]) {
        self.carry(usize::MAX, frame.to_vec());
    }

    fn carry(&self, from: usize, mut frame: Vec<u8>) {
        let mut plugs = self.plugs.borrow_mut();
        if let Some(plug) = plugs.get(from) {
            plug.nic.fill_in(&mut frame);
        }
        let side = plugs.get(from).map(|p| p.side);
        for (index, plug) in plugs.iter_mut().enumerate() {
            let apart = self.parted.get() && side.is_some_and(|side| side != plug.side);
            if index == from || plug.pulled || apart || !plug.nic.lets_in(&frame) {
                continue;
            }
            plug.arrived.push_back(frame.clone());
            plug.waker.take().inspect(Waker::wake_by_ref);
        }
        let at_ms = Instant::now().as_millis();
        let plug = from;
        self.sent.borrow_mut().push(Sent { plug, at_ms, frame });
    }
}

/// A host's Ethernet device. One waker for all that it can wait for, as many have.
pub(crate) struct Device {
    hub: Rc<Hub>,
    pub(crate) plug: usize,
    mac: [u8; 6],
}

impl Driver for Device {
    type RxToken<'a> = Received;
    type TxToken<'a> = Transmitter;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received, Transmitter)> {
        let mut plugs = self.hub.plugs.borrow_mut();
        let plug = &mut plugs[self.plug];
        plug.waker = Some(cx.waker().clone());
        let frame = plug.arrived.pop_front()?;
        drop(plugs);
        Some((Received(frame), self.transmitter()))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Transmitter> {
        let plug = &mut self.hub.plugs.borrow_mut()[self.plug];
        plug.waker = Some(cx.waker().clone());
        (!plug.deaf).then(|| self.transmitter())
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        let plug = &mut self.hub.plugs.borrow_mut()[self.plug];
        plug.waker = Some(cx.waker().clone());
        match plug.pulled {
            true => LinkState::Down,
            false => LinkState::Up,
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        if self.hub.plugs.borrow()[self.plug].nic.fills_in {
            capabilities.checksum.ipv4 = Checksum::Rx;
            capabilities.checksum.icmpv6 = Checksum::Rx;
        }
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}

/// The driver's part: tells the controller which MACs to let in.
pub(crate) fn set_filter(device: &mut Device, macs: &mut dyn Iterator<Item = MacAddr>) {
    let hub = device.hub.clone();
    hub.set_nic(device.plug, |nic| nic.set_let_in(macs.map(|mac| mac.0)));
}

impl Device {
    fn transmitter(&self) -> Transmitter {
        Transmitter {
            hub: self.hub.clone(),
            plug: self.plug,
        }
    }
}

pub(crate) struct Received(Vec<u8>);

impl RxTokenOf for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

pub(crate) struct Transmitter {
    hub: Rc<Hub>,
    plug: usize,
}

impl TxTokenOf for Transmitter {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        if !self.hub.plugs.borrow()[self.plug].pulled {
            self.hub.carry(self.plug, frame);
        }
        result
    }
}
