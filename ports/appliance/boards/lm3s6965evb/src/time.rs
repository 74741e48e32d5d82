//! Time for embassy: SysTick is the clock, timer 0 the alarm.
//!
//! SysTick counts down from a power of two of microseconds and is never set anew, so the clock does
//! not drift with use; its interrupt, four times a second, counts the rounds. The alarm is exact
//! and only goes off when somebody waits.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::clocks::HZ;
use crate::registers::Register;

const CYCLES_PER_US: u32 = HZ / 1_000_000;
/// A round of SysTick is 2^18 microseconds.
const ROUND_SHIFT: u32 = 18;
const ROUND_CYCLES: u32 = CYCLES_PER_US << ROUND_SHIFT;

const TIMER_CONFIG: Register = Register::at(0x4003_0000);
const TIMER_MODE: Register = Register::at(0x4003_0004);
const ONE_SHOT: u32 = 1;
const TIMER_CONTROL: Register = Register::at(0x4003_000c);
const ENABLE: u32 = 1;
const TIMER_INTERRUPTS: Register = Register::at(0x4003_0018);
const TIMER_ACKNOWLEDGE: Register = Register::at(0x4003_0024);
const EXPIRED: u32 = 1;
const TIMER_LOAD: Register = Register::at(0x4003_0028);
/// The longest alarm: less than 32 bits of cycles.
const LONGEST_ALARM_US: u64 = 60_000_000;

struct Time {
    rounds: AtomicU32,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TIME: Time = Time {
    rounds: AtomicU32::new(0),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

pub(crate) fn start(mut systick: SYST) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(ROUND_CYCLES - 1);
    systick.clear_current();
    systick.enable_interrupt();
    systick.enable_counter();
    TIMER_CONFIG.write(0);
    TIMER_MODE.write(ONE_SHOT);
    TIMER_INTERRUPTS.write(EXPIRED);
}

impl Driver for Time {
    fn now(&self) -> u64 {
        critical_section::with(|_| {
            let mut left = SYST::get_current();
            let mut rounds = self.rounds.load(Ordering::Relaxed);
            if SCB::is_pendst_pending() {
                // It began another round that its interrupt has not counted yet.
                left = SYST::get_current();
                rounds = rounds.wrapping_add(1);
            }
            // A round begins with the zero, at which the interrupt is asked for.
            let cycles = if left == 0 { 0 } else { ROUND_CYCLES - left };
            (u64::from(rounds) << ROUND_SHIFT) + u64::from(cycles / CYCLES_PER_US)
        })
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            if self.queue.borrow(cs).borrow_mut().schedule_wake(at, waker) {
                self.set_alarm(cs);
            }
        });
    }
}

impl Time {
    /// Wakes who has waited long enough and sets the alarm for the next.
    fn set_alarm(&self, cs: CriticalSection<'_>) {
        let now = self.now();
        let next = self.queue.borrow(cs).borrow_mut().next_expiration(now);
        TIMER_CONTROL.clear_bits(ENABLE);
        if next == u64::MAX {
            return;
        }
        // Reading the clock took cycles, so the alarm comes after its time, never before.
        let wait_us = next.saturating_sub(now).clamp(1, LONGEST_ALARM_US) as u32;
        TIMER_LOAD.write(wait_us * CYCLES_PER_US);
        TIMER_CONTROL.set_bits(ENABLE);
    }
}

#[cortex_m_rt::exception]
fn SysTick() {
    TIME.rounds.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn alarm_interrupt() {
    TIMER_ACKNOWLEDGE.write(EXPIRED);
    critical_section::with(|cs| TIME.set_alarm(cs));
}
