//! The board: TI's LM3S6965 evaluation kit, as QEMU's `lm3s6965evb`. Everything that knows a
//! register is in this folder; another board replaces it and nothing else.
//!
//! The application uses only the public items of this file: [`Board::take`], [`run`],
//! [`restart`], [`hang`], the settings ([`command_line`]), the serial line ([`read_line`]), the cable
//! ([`watch_link`]), and the figures [`slept`], [`static_memory`], [`stack_high_water`] and
//! [`frames_lost`].

mod clocks;
mod command_line;
mod ethernet;
mod idle;
mod registers;
mod serial;
mod stack;
mod time;
mod watchdog;

use core::panic::PanicInfo;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::{NVIC, SCB};

pub(crate) use command_line::read as command_line;
pub(crate) use ethernet::{Ethernet, frames_lost, watch_link};
pub(crate) use idle::{run, slept};
pub(crate) use serial::read_line;
pub(crate) use stack::{high_water as stack_high_water, static_memory};
pub(crate) use watchdog::Watchdog;

/// The parts of the board that the application holds.
pub(crate) struct Board {
    /// The network interface.
    pub(crate) ethernet: &'static mut Ethernet,
    /// To be fed.
    pub(crate) watchdog: Watchdog,
}

impl Board {
    /// Starts the board.
    ///
    /// # Panics
    ///
    /// When it is called twice.
    pub(crate) fn take() -> Self {
        let core = defmt::unwrap!(cortex_m::Peripherals::take(), "the board was taken before");
        clocks::start();
        serial::start();
        time::start(core.SYST);
        let board = Self {
            ethernet: Ethernet::start(),
            watchdog: Watchdog::start(),
        };
        for interrupt in [Interrupt::Uart0, Interrupt::Timer0A, Interrupt::Ethernet] {
            // SAFETY: every part that the handlers touch has been started, and no critical section
            // is entered here that unmasking could break.
            unsafe { NVIC::unmask(interrupt) };
        }
        board
    }
}

/// The chip's interrupts that the board uses.
#[derive(Clone, Copy)]
enum Interrupt {
    Uart0 = 5,
    Timer0A = 19,
    Ethernet = 42,
}

// SAFETY: the numbers are the data sheet's, each its own.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// An entry of the vector table.
type Vector = Option<unsafe extern "C" fn()>;

unsafe extern "C" {
    fn DefaultHandler();
}

extern "C" fn uart0() {
    serial::interrupt();
}

extern "C" fn timer0a() {
    time::alarm_interrupt();
}

extern "C" fn ethernet() {
    ethernet::interrupt();
}

const VECTORS: usize = Interrupt::Ethernet as usize + 1;

/// The chip's part of the vector table, up to the last interrupt that the board uses.
// SAFETY: name and place are those that cortex-m-rt's linker script asks for.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [Vector; VECTORS] = {
    let mut table: [Vector; VECTORS] = [Some(DefaultHandler); VECTORS];
    table[Interrupt::Uart0 as usize] = Some(uart0);
    table[Interrupt::Timer0A as usize] = Some(timer0a);
    table[Interrupt::Ethernet as usize] = Some(ethernet);
    table
};

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
    serial::flush();
    SCB::sys_reset()
}

/// Does nothing any more, until the watchdog bites.
pub(crate) fn hang() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}
