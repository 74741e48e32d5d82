//! The Stellaris Ethernet controller: a FIFO of received frames, a FIFO for one frame to send.
//!
//! Nothing here waits in a loop: an interrupt wakes the network task when there is something to
//! do, and masks itself until the task has looked.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time::Timer;
use static_cell::ConstStaticCell;

use crate::registers::Register;

/// Interrupts that are pending; writing acknowledges.
const STATUS: Register = Register::at(0x4004_8000);
const RECEIVED: u32 = 1 << 0;
const SEND_ERROR: u32 = 1 << 1;
const SENT: u32 = 1 << 2;
const OVERRUN: u32 = 1 << 3;
const RECEIVE_ERROR: u32 = 1 << 4;
/// The interrupts of the receiver.
const RECEIVER: u32 = RECEIVED | OVERRUN | RECEIVE_ERROR;
const INTERRUPTS: Register = Register::at(0x4004_8004);

const RECEIVE: Register = Register::at(0x4004_8008);
const RECEIVE_ON: u32 = 1 << 0;
const ALL_GROUPS: u32 = 1 << 1;
const PROMISCUOUS: u32 = 1 << 2;
const REJECT_BAD_FCS: u32 = 1 << 3;
const RESET_FIFO: u32 = 1 << 4;
/// The controller filters for one unicast address, and for groups not at all. The virtual MACs are
/// more addresses, so everything has to come in; the software picks.
const RECEIVE_MODE: u32 = RECEIVE_ON | ALL_GROUPS | PROMISCUOUS | REJECT_BAD_FCS;

const SEND: Register = Register::at(0x4004_800c);
/// On, pad short frames, append the FCS, both directions at once.
const SEND_MODE: u32 = 0b1_0111;
const DATA: Register = Register::at(0x4004_8010);
const ADDRESS_LOW: Register = Register::at(0x4004_8014);
const ADDRESS_HIGH: Register = Register::at(0x4004_8018);
const PHY_CONTROL: Register = Register::at(0x4004_8020);
const PHY_READ_BASIC_STATUS: u32 = (1 << 3) | 1;
const PHY_BUSY: u32 = 1;
const PHY_DIVISOR: Register = Register::at(0x4004_8024);
const PHY_RECEIVED: Register = Register::at(0x4004_8030);
const PHY_LINK_UP: u32 = 1 << 2;
const FRAMES: Register = Register::at(0x4004_8034);
const FRAMES_MASK: u32 = 0x3f;
const SEND_REQUEST: Register = Register::at(0x4004_8038);

/// An Ethernet header and 1,500 octets.
const MTU: usize = 1514;
const HEADER_LEN: usize = 14;
/// The FIFO counts its own length field and the FCS in a frame's length.
const LENGTH_LEN: usize = 2;
const FCS_LEN: usize = 4;
/// More than the FIFO holds: its length field is not one, and we are out of step with it.
const FIFO_LEN: usize = 2048;
const WORDS: usize = (LENGTH_LEN + MTU + FCS_LEN).div_ceil(4);
/// Frames that are taken in before other tasks get their turn, whatever comes in.
const BUDGET: u8 = 8;

static RECEIVE_WAKER: AtomicWaker = AtomicWaker::new();
static SEND_WAKER: AtomicWaker = AtomicWaker::new();
static LINK_WAKER: AtomicWaker = AtomicWaker::new();
static LINK_UP: AtomicBool = AtomicBool::new(true);
/// Frames that were lost in the controller or thrown away for their length.
static LOST: AtomicU32 = AtomicU32::new(0);

/// Frames that were lost in the controller or thrown away for their length, since the start.
pub fn frames_lost() -> u32 {
    LOST.load(Ordering::Relaxed)
}

fn count_lost() {
    LOST.fetch_add(1, Ordering::Relaxed);
}

/// The controller, running.
pub struct Ethernet {
    mac: [u8; 6],
    /// Frames since other tasks had their turn.
    taken: u8,
    received: [u32; WORDS],
    to_send: [u8; MTU],
}

impl Ethernet {
    /// Takes the controller into service, with the MAC address that it holds.
    ///
    /// # Panics
    ///
    /// When it is called twice.
    pub(crate) fn start() -> &'static mut Self {
        // All zero, so that it costs no flash; and no stack on its way here.
        static ETHERNET: ConstStaticCell<Ethernet> = ConstStaticCell::new(Ethernet {
            mac: [0; 6],
            taken: 0,
            received: [0; WORDS],
            to_send: [0; MTU],
        });
        let [a, b, c, d] = ADDRESS_LOW.read().to_le_bytes();
        let [e, f, ..] = ADDRESS_HIGH.read().to_le_bytes();
        // 50 MHz / (2 * (9 + 1)) is the 2.5 MHz that a PHY can follow.
        PHY_DIVISOR.write(9);
        INTERRUPTS.write(0);
        SEND.write(SEND_MODE);
        reset_receiver();
        let ethernet = ETHERNET.take();
        ethernet.mac = [a, b, c, d, e, f];
        ethernet
    }
}

/// Empties the FIFO, which is all that helps after an overrun.
fn reset_receiver() {
    RECEIVE.write(RESET_FIFO);
    STATUS.write(RECEIVER);
    RECEIVE.write(RECEIVE_MODE);
}

/// Both conditions are levels: they stay masked until the task has looked and asks again.
pub(crate) fn interrupt() {
    let pending = STATUS.read() & INTERRUPTS.read();
    INTERRUPTS.clear_bits(pending);
    if pending & RECEIVER != 0 {
        RECEIVE_WAKER.wake();
    }
    if pending & SENT != 0 {
        SEND_WAKER.wake();
    }
}

/// Lets an interrupt tell of `condition` when it comes about anew.
fn ask_for(condition: u32) {
    // The handler changes the mask as well.
    critical_section::with(|_| INTERRUPTS.set_bits(condition));
}

/// Takes the next frame out of the FIFO. `None`: it was none that can be handled, and is gone.
fn take_frame(words: &mut [u32; WORDS]) -> Option<usize> {
    let first = DATA.read();
    let total = (first & 0xffff) as usize;
    if !(LENGTH_LEN..=FIFO_LEN).contains(&total) {
        count_lost();
        reset_receiver();
        return None;
    }
    let mut rest = words.iter_mut();
    for word in core::iter::once(first).chain((4..total).step_by(4).map(|_| DATA.read())) {
        if let Some(slot) = rest.next() {
            *slot = word;
        }
    }
    let len = total.checked_sub(LENGTH_LEN + FCS_LEN);
    let len = len.filter(|len| (HEADER_LEN..=MTU).contains(len));
    if len.is_none() {
        count_lost();
    }
    len
}

/// Whether the controller can take a frame; if not, the task is woken when it can.
fn can_send(cx: &mut Context<'_>) -> bool {
    if STATUS.read() & SEND_ERROR != 0 {
        // The FIFO ran dry or over; the acknowledgement empties it, and the frame is lost.
        STATUS.write(SEND_ERROR);
        count_lost();
    }
    if SEND_REQUEST.read() & 1 == 0 {
        return true;
    }
    SEND_WAKER.register(cx.waker());
    STATUS.write(SENT);
    ask_for(SENT);
    SEND_REQUEST.read() & 1 == 0
}

impl Driver for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = ToSend<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, ToSend<'_>)> {
        if self.taken == BUDGET {
            self.taken = 0;
            cx.waker().wake_by_ref();
            return None;
        }
        if !can_send(cx) {
            return None;
        }
        RECEIVE_WAKER.register(cx.waker());
        if STATUS.read() & (OVERRUN | RECEIVE_ERROR) != 0 {
            count_lost();
            reset_receiver();
        }
        STATUS.write(RECEIVED);
        let mut frames = FRAMES.read() & FRAMES_MASK;
        while frames > 0 && self.taken < BUDGET {
            self.taken += 1;
            if let Some(len) = take_frame(&mut self.received) {
                let received = Received {
                    words: &mut self.received,
                    len,
                };
                return Some((received, ToSend(&mut self.to_send)));
            }
            frames = FRAMES.read() & FRAMES_MASK;
        }
        if frames > 0 {
            cx.waker().wake_by_ref();
        }
        self.taken = 0;
        ask_for(RECEIVER);
        None
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<ToSend<'_>> {
        can_send(cx).then_some(ToSend(&mut self.to_send))
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        LINK_WAKER.register(cx.waker());
        match LINK_UP.load(Ordering::Relaxed) {
            true => LinkState::Up,
            false => LinkState::Down,
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}

/// A frame that has come in.
pub struct Received<'a> {
    words: &'a mut [u32; WORDS],
    len: usize,
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        // SAFETY: octets have no alignment and any value; the slice is borrowed for as long.
        let (_, octets, _) = unsafe { self.words.align_to_mut::<u8>() };
        let frame = octets.get_mut(LENGTH_LEN..).unwrap_or_default();
        take(frame.get_mut(..self.len).unwrap_or_default())
    }
}

/// Room for a frame to send.
pub struct ToSend<'a>(&'a mut [u8; MTU]);

impl TxToken for ToSend<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        // A longer one cannot be asked for: `capabilities` says how long they may be.
        let frame = self.0.get_mut(..len).unwrap_or_default();
        let result = fill(frame);
        send(frame);
        result
    }
}

/// Hands a frame to the controller.
fn send(frame: &[u8]) {
    let Some((&[a, b], rest)) = frame.split_first_chunk() else {
        return;
    };
    let Some(len) = frame.len().checked_sub(HEADER_LEN) else {
        return;
    };
    let [l, h] = (len as u16).to_le_bytes();
    DATA.write(u32::from_le_bytes([l, h, a, b]));
    for word in rest.chunks(4) {
        let mut octets = [0; 4];
        for (octet, from) in octets.iter_mut().zip(word) {
            *octet = *from;
        }
        DATA.write(u32::from_le_bytes(octets));
    }
    SEND_REQUEST.write(1);
}

/// Watches the cable for ever: asks the PHY ten times a second.
pub(crate) async fn watch_link() -> ! {
    loop {
        Timer::after_millis(100).await;
        if PHY_CONTROL.read() & PHY_BUSY == 0 {
            PHY_CONTROL.write(PHY_READ_BASIC_STATUS);
        }
        // 64 bits at 2.5 MHz are there in 26 microseconds.
        Timer::after_millis(1).await;
        let status = PHY_RECEIVED.read() & 0xffff;
        // No PHY has a status of zeros: an emulator without one is always plugged in.
        let up = status == 0 || status & PHY_LINK_UP != 0;
        if LINK_UP.swap(up, Ordering::Relaxed) != up {
            defmt::info!("cable {}", if up { "plugged in" } else { "pulled out" });
            LINK_WAKER.wake();
        }
    }
}
