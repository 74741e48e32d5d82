//! UART 0 at 115,200 baud: what defmt says goes out, lines of text come in.
//!
//! No task waits for the line: octets beyond the chip's own buffer wait in a ring and are sent by
//! interrupt. When the ring is full, words are lost and the log says so.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::Poll;

use critical_section::{CriticalSection, Mutex, RestoreState};
use embassy_sync::waitqueue::AtomicWaker;
use heapless::{Deque, String};

use crate::registers::Register;

const DATA: Register = Register::at(0x4000_c000);
const FLAGS: Register = Register::at(0x4000_c018);
const RX_EMPTY: u32 = 1 << 4;
const TX_FULL: u32 = 1 << 5;
const TX_BUSY: u32 = 1 << 3;
const DIVISOR: Register = Register::at(0x4000_c024);
const FRACTION: Register = Register::at(0x4000_c028);
const LINE: Register = Register::at(0x4000_c02c);
const EIGHT_BITS_WITH_FIFO: u32 = 0x70;
const CONTROL: Register = Register::at(0x4000_c030);
const ENABLE: u32 = 0x301;
const INTERRUPTS: Register = Register::at(0x4000_c038);
const ACKNOWLEDGE: Register = Register::at(0x4000_c044);
const RX: u32 = 1 << 4;
const TX: u32 = 1 << 5;
const RX_TIMEOUT: u32 = 1 << 6;

/// Octets that wait to be sent: several full lines of log.
const RING: usize = 384;
/// The longest line that is taken.
pub(crate) const LINE_LEN: usize = 64;

static RING_OUT: Mutex<RefCell<Deque<u8, RING>>> = Mutex::new(RefCell::new(Deque::new()));
/// The line that is being typed, and whether it is complete.
static TYPED: Mutex<RefCell<(String<LINE_LEN>, bool)>> =
    Mutex::new(RefCell::new((String::new(), false)));
static TYPED_WAKER: AtomicWaker = AtomicWaker::new();

pub(crate) fn start() {
    CONTROL.write(0);
    // 50 MHz / (16 * 115,200) is 27 and 8/64.
    DIVISOR.write(27);
    FRACTION.write(8);
    LINE.write(EIGHT_BITS_WITH_FIFO);
    INTERRUPTS.write(RX | RX_TIMEOUT);
    CONTROL.write(ENABLE);
}

/// Moves octets from the ring to the chip for as long as it takes them.
fn pump(cs: CriticalSection<'_>) {
    let mut ring = RING_OUT.borrow(cs).borrow_mut();
    while FLAGS.read() & TX_FULL == 0 {
        let Some(octet) = ring.pop_front() else {
            INTERRUPTS.clear_bits(TX);
            return;
        };
        DATA.write(octet.into());
    }
    INTERRUPTS.set_bits(TX);
}

pub(crate) fn interrupt() {
    ACKNOWLEDGE.write(RX | TX | RX_TIMEOUT);
    critical_section::with(|cs| {
        pump(cs);
        let mut typed = TYPED.borrow(cs).borrow_mut();
        let (line, complete) = &mut *typed;
        // The chip holds sixteen.
        for _ in 0..16 {
            if FLAGS.read() & RX_EMPTY != 0 {
                break;
            }
            match char::from(DATA.read() as u8) {
                _ if *complete => {}
                '\r' | '\n' => *complete = !line.is_empty(),
                // A line that is too long is cut, and will not be understood.
                typed => drop(line.push(typed)),
            }
        }
        if *complete {
            TYPED_WAKER.wake();
        }
    });
}

/// The next line of text that comes in, without its end. Meant for one task.
pub async fn read_line() -> String<LINE_LEN> {
    poll_fn(|cx| {
        TYPED_WAKER.register(cx.waker());
        critical_section::with(|cs| {
            let mut typed = TYPED.borrow(cs).borrow_mut();
            let (line, complete) = &mut *typed;
            if !core::mem::take(complete) {
                return Poll::Pending;
            }
            Poll::Ready(core::mem::take(line))
        })
    })
    .await
}

/// Waits until everything has left the chip: before a reset.
pub fn flush() {
    critical_section::with(|cs| {
        while !RING_OUT.borrow(cs).borrow().is_empty() {
            pump(cs);
        }
        while FLAGS.read() & TX_BUSY != 0 {}
    });
}

#[defmt::global_logger]
struct Logger;

struct Frame {
    critical: Cell<RestoreState>,
    encoder: RefCell<defmt::Encoder>,
}

static FRAME: Mutex<Frame> = Mutex::new(Frame {
    critical: Cell::new(RestoreState::invalid()),
    encoder: RefCell::new(defmt::Encoder::new()),
});

fn put(octets: &[u8]) {
    critical_section::with(|cs| {
        let mut ring = RING_OUT.borrow(cs).borrow_mut();
        for &octet in octets {
            // A full ring: this frame will not decode, and defmt's framing finds the next.
            if ring.push_back(octet).is_err() {
                break;
            }
        }
    });
}

// SAFETY: a frame is written inside one critical section, from `acquire` to `release`, so frames
// do not mix and defmt's rule of one writer at a time holds.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: released by `release`, which defmt calls after each `acquire`.
        unsafe {
            let restore = critical_section::acquire();
            let cs = CriticalSection::new();
            FRAME.borrow(cs).critical.set(restore);
            FRAME.borrow(cs).encoder.borrow_mut().start_frame(put);
        }
    }

    unsafe fn flush() {
        flush();
    }

    unsafe fn release() {
        // SAFETY: inside the critical section of `acquire`, which ends here.
        unsafe {
            let cs = CriticalSection::new();
            FRAME.borrow(cs).encoder.borrow_mut().end_frame(put);
            pump(cs);
            critical_section::release(FRAME.borrow(cs).critical.get());
        }
    }

    unsafe fn write(octets: &[u8]) {
        // SAFETY: inside the critical section of `acquire`.
        let cs = unsafe { CriticalSection::new() };
        FRAME.borrow(cs).encoder.borrow_mut().write(octets, put);
    }
}
