//! TI's LM3S6965 evaluation kit, as QEMU's `lm3s6965evb`: the board without a HAL.
//!
//! The application uses only the public items of this file, which are the same on every board.
#![no_std]

mod clocks;
mod command_line;
mod ethernet;
#[cfg(feature = "hmac")]
mod flash;
mod memmove;
mod registers;
mod serial;
mod time;
mod watchdog;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_executor::Spawner;

pub use command_line::read as settings;
pub use ethernet::frames_lost;
pub use serial::{flush, read_line};
pub use watchdog::Watchdog;

/// The store of the boot count.
#[cfg(feature = "hmac")]
pub type BootCount = vrrp_embassy::boot_count::BootCount<flash::File>;

/// The driver of the network interface.
pub type Ethernet = &'static mut ethernet::Ethernet;

/// The parts of the board that the application holds.
pub struct Board {
    /// The network interface.
    pub ethernet: Ethernet,
    /// To be fed.
    pub watchdog: Watchdog,
    /// The store of the boot count.
    #[cfg(feature = "hmac")]
    pub boot_count: BootCount,
}

impl Board {
    /// Starts the board.
    ///
    /// # Panics
    ///
    /// When it is called twice.
    // Boards whose controller is on a bus wait here; this one need not.
    pub async fn take(spawner: Spawner) -> Self {
        let core = defmt::unwrap!(cortex_m::Peripherals::take(), "the board was taken before");
        clocks::start();
        serial::start();
        time::start(core.SYST);
        spawner.spawn(defmt::unwrap!(watch_link()));
        let board = Self {
            ethernet: ethernet::Ethernet::start(),
            watchdog: Watchdog::start(),
            #[cfg(feature = "hmac")]
            boot_count: BootCount::new(flash::File::open(), flash::SECTORS),
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

#[embassy_executor::task]
async fn watch_link() -> ! {
    ethernet::watch_link().await
}
