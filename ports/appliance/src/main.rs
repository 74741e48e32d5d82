//! Firmware
#![no_std]
#![no_main]

mod board;

use board::Board;
use embassy_executor::Spawner;
use embassy_net::{Config, StackResources};
use embassy_time::Timer;
use static_cell::StaticCell;

#[cortex_m_rt::entry]
fn main() -> ! {
    let board = Board::take();
    let mut buffer = [0; 1024];
    defmt::info!("settings: {}", board::command_line(&mut buffer));
    board::run(|spawner| {
        spawner.spawn(defmt::unwrap!(app(spawner, board)));
    })
}

#[embassy_executor::task]
async fn net(mut runner: embassy_net::Runner<'static, board::Ethernet>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn app(spawner: Spawner, mut board: Board) {
    static R: StaticCell<StackResources<4>> = StaticCell::new();
    let config = Config::ipv4_static(embassy_net::StaticConfigV4 {
        address: embassy_net::Ipv4Cidr::new([10, 10, 10, 9].into(), 24),
        gateway: None,
        dns_servers: Default::default(),
    });
    let (_stack, runner) = embassy_net::new(board.ethernet, config, R.init(StackResources::new()), 1);
    spawner.spawn(defmt::unwrap!(net(runner)));
    loop {
        Timer::after_millis(500).await;
        board.watchdog.feed();
        defmt::info!("slept {} us, stack {}, lost {}", board::slept().as_micros(), board::stack_high_water(), board::frames_lost());
    }
}
