//! The executor's loop: runs what is ready, sleeps otherwise, and counts the sleep.

use core::cell::Cell;

use critical_section::Mutex;
use embassy_executor::{Spawner, raw};
use embassy_time::{Duration, Instant};
use static_cell::StaticCell;

static SLEPT: Mutex<Cell<Duration>> = Mutex::new(Cell::new(Duration::from_ticks(0)));

/// For how long the processor has slept since the start.
pub(crate) fn slept() -> Duration {
    critical_section::with(|cs| SLEPT.borrow(cs).get())
}

/// Runs the tasks that `start` spawns, for ever.
pub(crate) fn run(start: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    start(executor.spawner());
    loop {
        // SAFETY: only here, and not from a task.
        unsafe { executor.poll() };
        sleep();
    }
}

/// Sleeps until an interrupt, unless one has made something ready since the last poll.
///
/// The usual WFE would do as well on hardware, but an emulator may run it as a no-operation and keep a
/// processor busy. So this is WFI, which is woken by a masked interrupt, too.
fn sleep() {
    critical_section::with(|cs| {
        if PENDING.borrow(cs).take() {
            return;
        }
        let before = Instant::now();
        cortex_m::asm::dsb();
        cortex_m::asm::wfi();
        let slept = SLEPT.borrow(cs);
        slept.set(slept.get() + before.elapsed());
    });
}

static PENDING: Mutex<Cell<bool>> = Mutex::new(Cell::new(false));

/// Embassy calls this when a task became ready.
// SAFETY: the name is what the executor declares, and its only definition.
#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    critical_section::with(|cs| PENDING.borrow(cs).set(true));
}
