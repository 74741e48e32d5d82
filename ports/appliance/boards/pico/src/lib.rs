//! WIZnet's W5500-EVB-Pico and W6100-EVB-Pico: an RP2040 with an Ethernet controller on SPI.
//!
//! The application uses only the public items of this file, which are the same on every board. CI
//! builds it; it has not been run on a board.
#![no_std]

use cortex_m::asm;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net_wiznet::{Device, State, chip};
use embassy_rp::flash::{self, Flash};
use embassy_rp::gpio::{Input, Level, Output, Pull};
#[cfg(feature = "hmac")]
use embassy_rp::peripherals;
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, PIN_0, PIN_1, SPI0, UART0};
use embassy_rp::spi::{self, Spi};
use embassy_rp::uart::{self, BufferedUart};
use embassy_rp::{Peri, bind_interrupts, dma};
use embassy_time::{Delay, Duration};
use embedded_hal_bus::spi::ExclusiveDevice;
// Its feature gives a processor without atomic exchange one.
use portable_atomic as _;
use static_cell::StaticCell;

pub use board_kit::{read_line, settings};

/// The store of the boot count.
#[cfg(feature = "hmac")]
pub type BootCount =
    vrrp_embassy::boot_count::BootCount<Flash<'static, peripherals::FLASH, flash::Blocking, FLASH>>;

#[cfg(not(any(feature = "w5500", feature = "w6100")))]
compile_error!("choose the Ethernet controller: --features w5500 or w6100");

#[cfg(not(feature = "w6100"))]
type Chip = chip::W5500;
#[cfg(feature = "w6100")]
type Chip = chip::W6100;

type Wire = ExclusiveDevice<Spi<'static, SPI0, spi::Async>, Output<'static>, Delay>;
/// The way to the controller: to a W5500 through the filter of its filter.
#[cfg(not(feature = "w6100"))]
type Bus = board_kit::w5500::HearAll<Wire>;
#[cfg(feature = "w6100")]
type Bus = Wire;

/// The watchdog resets the chip when it was not fed for so long.
const WATCHDOG: Duration = Duration::from_secs(4);
/// Both controllers take more; the wires of a breadboard may not.
const SPI_HZ: u32 = 30_000_000;
/// Frames that wait between the controller and the application, each way.
const QUEUE: usize = 4;
/// The flash of the board, in octets.
const FLASH: usize = 2 * 1024 * 1024;

bind_interrupts!(struct Interrupts {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>;
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

/// The driver of the network interface.
pub type Ethernet = Device<'static>;

/// The parts of the board that the application holds.
pub struct Board {
    /// The network interface.
    pub ethernet: Ethernet,
    /// To be fed.
    pub watchdog: Watchdog,
    /// The store of the boot count, in the flash that the program is in. Whatever runs waits for it: for a
    /// write half a millisecond, for an erase, once in 512 starts, up to 0.4 s.
    #[cfg(feature = "hmac")]
    pub boot_count: BootCount,
}

impl Board {
    /// Starts the board.
    ///
    /// # Panics
    ///
    /// When it is called twice, or the Ethernet controller does not answer.
    pub async fn take(spawner: Spawner) -> Self {
        let p = embassy_rp::init(Default::default());
        let watchdog = Watchdog::start(embassy_rp::watchdog::Watchdog::new(p.WATCHDOG));
        spawner.spawn(defmt::unwrap!(take_lines(p.UART0, p.PIN_0, p.PIN_1)));

        let mut id = [0; 8];
        let mut flash: Flash<'static, _, flash::Blocking, FLASH> = Flash::new_blocking(p.FLASH);
        defmt::assert!(
            flash.blocking_unique_id(&mut id).is_ok(),
            "the flash has no number"
        );
        let mut config = spi::Config::default();
        config.frequency = SPI_HZ;
        #[rustfmt::skip]
        let spi = Spi::new(
            p.SPI0, p.PIN_18, p.PIN_19, p.PIN_16, p.DMA_CH0, p.DMA_CH1, Interrupts, config,
        );
        let select = Output::new(p.PIN_17, Level::High);
        let wire = defmt::unwrap!(ExclusiveDevice::new(spi, select, Delay).ok());
        #[cfg(not(feature = "w6100"))]
        let wire = board_kit::w5500::HearAll(wire);

        static STATE: StaticCell<State<QUEUE, QUEUE>> = StaticCell::new();
        let started = embassy_net_wiznet::new(
            board_kit::mac_from_id(&id),
            STATE.init_with(State::new),
            wire,
            Input::new(p.PIN_21, Pull::Up),
            Output::new(p.PIN_20, Level::High),
        );
        let (ethernet, runner) = defmt::unwrap!(
            started.await.ok(),
            "the Ethernet controller does not answer"
        );
        spawner.spawn(defmt::unwrap!(run_controller(runner)));
        Self {
            ethernet,
            watchdog,
            #[cfg(feature = "hmac")]
            boot_count: BootCount::new(
                flash,
                board_kit::boot_count_sectors(flash::FLASH_BASE.addr()),
            ),
        }
    }
}

/// Moves frames between the controller and the queues, and asks it for the link every 500 ms.
#[embassy_executor::task]
async fn run_controller(
    runner: embassy_net_wiznet::Runner<'static, Chip, Bus, Input<'static>, Output<'static>>,
) -> ! {
    runner.run().await
}

/// Lines of text come in at UART 0, 115,200 baud: GP1 receives.
#[embassy_executor::task]
async fn take_lines(
    port: Peri<'static, UART0>,
    tx: Peri<'static, PIN_0>,
    rx: Peri<'static, PIN_1>,
) -> ! {
    let (mut outgoing, mut incoming) = ([0; 1], [0; 64]);
    let config = uart::Config::default();
    let port = BufferedUart::new(
        port,
        tx,
        rx,
        Interrupts,
        &mut outgoing,
        &mut incoming,
        config,
    );
    board_kit::take_lines(port).await
}

/// The running watchdog.
pub struct Watchdog(embassy_rp::watchdog::Watchdog);

impl Watchdog {
    fn start(mut watchdog: embassy_rp::watchdog::Watchdog) -> Self {
        watchdog.start(WATCHDOG);
        Self(watchdog)
    }

    /// Says that all is well; to be said again within four seconds.
    pub fn feed(&mut self) {
        self.0.feed(WATCHDOG);
    }
}

/// Frames that were lost in the controller: it does not count them.
pub fn frames_lost() -> u32 {
    0
}

/// Waits until a debug probe has fetched the log: some milliseconds.
pub fn flush() {
    asm::delay(1_000_000);
}
