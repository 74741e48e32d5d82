//! The processor, a Cortex-M, where it is the same on every board: sleep, memory, faults.

mod idle;
mod stack;

use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;

pub(crate) use idle::{run, slept};
pub(crate) use stack::{high_water as stack_high_water, static_memory};

/// Says why, and starts again. Where `core` is built for the firmware, a panic is an instruction that
/// faults: it comes to [`HardFault`], which says where.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    let (file, line) = info.location().map_or(("", 0), |l| (l.file(), l.line()));
    let message = info.message().as_str().unwrap_or_default();
    defmt::error!("panic at {=str}:{=u32}: {=str}", file, line, message);
    restart()
}

#[defmt::panic_handler]
fn defmt_panic() -> ! {
    restart()
}

#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    defmt::error!("hard fault or panic at {=u32:#x}", frame.pc());
    restart()
}

/// Starts the chip again when the log has left it.
pub(crate) fn restart() -> ! {
    board::flush();
    SCB::sys_reset()
}

/// Does nothing any more, until the watchdog bites.
pub(crate) fn hang() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}
