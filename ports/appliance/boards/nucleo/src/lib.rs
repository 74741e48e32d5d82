//! ST's Nucleo-144 boards with Ethernet: NUCLEO-H743ZI2, NUCLEO-H563ZI and NUCLEO-F767ZI.
//!
//! The application uses only the public items of this file, which are the same on every board. CI
//! builds it; it has not been run on a board.
#![no_std]

mod clocks;
mod filter;
#[cfg(feature = "hmac")]
mod flash;

use cortex_m::asm;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_stm32::eth::{self, GenericPhy, PacketQueue, Sma};
use embassy_stm32::peripherals::{ETH, ETH_SMA, PD8, PD9, USART3};
use embassy_stm32::usart::{self, BufferedUart};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Peri, bind_interrupts};
use embassy_time::Duration;
use static_cell::ConstStaticCell;

pub use board_kit::{read_line, settings};

/// The store of the boot count.
#[cfg(feature = "hmac")]
pub type BootCount = vrrp_embassy::boot_count::BootCount<flash::Store>;

#[cfg(not(any(feature = "h743", feature = "h563", feature = "f767")))]
compile_error!("choose the chip: --features h743, h563 or f767");

#[cfg(feature = "h743")]
type WatchdogTimer = embassy_stm32::peripherals::IWDG1;
#[cfg(not(feature = "h743"))]
type WatchdogTimer = embassy_stm32::peripherals::IWDG;

/// The watchdog resets the chip when it was not fed for so long. An erase of the largest sectors, for a boot
/// count, takes up to 8 s, and the watchdog's clock may be fast by half.
const WATCHDOG_US: u32 = if cfg!(all(feature = "hmac", not(feature = "h563"))) {
    16_000_000
} else {
    4_000_000
};
/// How often the PHY is asked for the link. embassy-stm32 asks every 500 ms.
const LINK_INTERVAL: Duration = Duration::from_millis(100);
/// Frames that the controller's DMA has room for, each way.
const QUEUE: usize = 4;

bind_interrupts!(struct Interrupts {
    ETH => eth::InterruptHandler;
    USART3 => usart::BufferedInterruptHandler<USART3>;
});

/// The driver of the network interface.
pub type Ethernet = eth::Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;

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
    /// When it is called twice, or the PHY does not answer.
    // Boards whose controller is on a bus wait here; this one need not.
    pub async fn take(spawner: Spawner) -> Self {
        let p = embassy_stm32::init(clocks::config());
        #[cfg(feature = "h743")]
        let watchdog = Watchdog::start(p.IWDG1);
        #[cfg(not(feature = "h743"))]
        let watchdog = Watchdog::start(p.IWDG);
        spawner.spawn(defmt::unwrap!(take_lines(p.USART3, p.PD9, p.PD8)));

        #[cfg(feature = "h563")]
        let txd1 = p.PB15;
        #[cfg(not(feature = "h563"))]
        let txd1 = p.PB13;
        let mut phy = GenericPhy::new_auto(Sma::new(p.ETH_SMA, p.PA2, p.PC1));
        phy.set_poll_interval(LINK_INTERVAL);
        static PACKETS: ConstStaticCell<PacketQueue<QUEUE, QUEUE>> =
            ConstStaticCell::new(PacketQueue::new());
        let mac = board_kit::mac_from_id(&embassy_stm32::uid::uid());
        #[rustfmt::skip]
        let ethernet = Ethernet::new_with_phy(
            PACKETS.take(), p.ETH, Interrupts,
            p.PA1, p.PA7, p.PC4, p.PC5, p.PG13, txd1, p.PG11,
            mac, phy,
        );
        filter::let_virtual_macs_in();
        Self {
            ethernet,
            watchdog,
            #[cfg(feature = "hmac")]
            boot_count: flash::boot_count(p.FLASH),
        }
    }
}

/// Lines of text come in at the ST-LINK's serial port, 115,200 baud.
#[embassy_executor::task]
async fn take_lines(
    port: Peri<'static, USART3>,
    rx: Peri<'static, PD9>,
    tx: Peri<'static, PD8>,
) -> ! {
    let (mut outgoing, mut incoming) = ([0; 1], [0; 64]);
    let config = usart::Config::default();
    let port = BufferedUart::new(
        port,
        rx,
        tx,
        &mut outgoing,
        &mut incoming,
        Interrupts,
        config,
    );
    board_kit::take_lines(defmt::unwrap!(port.ok(), "115,200 baud")).await
}

/// The running watchdog.
pub struct Watchdog(IndependentWatchdog<'static, WatchdogTimer>);

impl Watchdog {
    fn start(timer: Peri<'static, WatchdogTimer>) -> Self {
        let mut watchdog = IndependentWatchdog::new(timer, WATCHDOG_US);
        watchdog.unleash();
        Self(watchdog)
    }

    /// Says that all is well; to be said again within [`WATCHDOG_US`].
    pub fn feed(&mut self) {
        self.0.pet();
    }
}

/// Frames that were lost in the controller: the HAL does not count them.
pub fn frames_lost() -> u32 {
    0
}

/// Waits until a debug probe has fetched the log: some milliseconds.
pub fn flush() {
    asm::delay(4_000_000);
}
