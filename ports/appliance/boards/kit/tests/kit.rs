//! The parts that boards share, on the machine that builds them.
#![allow(missing_docs)]

use std::cell::RefCell;
use std::convert::Infallible;

use board_kit::w5500::HearAll;
use embassy_futures::block_on;
use embassy_net_wiznet::State;
use embassy_net_wiznet::chip::W5500;
use embedded_hal_async::digital::Wait;
use embedded_hal_async::spi::{ErrorType, Operation, SpiDevice};

/// The control octets of the W5500's blocks: common registers and socket 0, bit 2 for a write.
const READ_COMMON: u8 = 0b0000_0000;
const WRITE_SOCKET_0: u8 = 0b0000_1100;

/// Transactions as the chip would see them: its address, control octet, and what is written.
type Written = RefCell<Vec<(u16, u8, Vec<u8>)>>;

/// A W5500 that notes what it is told, and answers that it is one.
struct Chip<'w>(&'w Written);

impl ErrorType for Chip<'_> {
    type Error = Infallible;
}

impl SpiDevice for Chip<'_> {
    async fn transaction(
        &mut self,
        operations: &mut [Operation<'_, u8>],
    ) -> Result<(), Infallible> {
        let [Operation::Write(address), Operation::Write(control), data] = operations else {
            panic!("a W5500 is told an address, a control octet, and data");
        };
        let address = u16::from_be_bytes((*address).try_into().expect("two octets"));
        let [control] = **control else {
            panic!("one octet")
        };
        match data {
            Operation::Write(data) => {
                let written = (address, control, data.to_vec());
                self.0.borrow_mut().push(written);
            }
            Operation::TransferInPlace(data) if (address, control) == (0x39, READ_COMMON) => {
                // VERSIONR.
                data.fill(4);
            }
            _ => panic!("nothing else is read before the driver runs"),
        }
        Ok(())
    }
}

/// An interrupt that never comes, and a reset line that nothing is at.
struct Pin;

impl embedded_hal::digital::ErrorType for Pin {
    type Error = Infallible;
}

impl embedded_hal::digital::OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Wait for Pin {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        core::future::pending().await
    }

    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        core::future::pending().await
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        core::future::pending().await
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        core::future::pending().await
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        core::future::pending().await
    }
}

/// Opens a W5500 as embassy-net-wiznet does.
fn opened(wire: impl SpiDevice) {
    let mut state = State::<1, 1>::new();
    let mac = [2, 0, 0, 0, 0, 1];
    let opening = embassy_net_wiznet::new::<1, 1, W5500, _, _, _>(mac, &mut state, wire, Pin, Pin);
    assert!(block_on(opening).is_ok());
}

#[test]
fn the_w5500_is_opened_without_its_mac_filter_and_otherwise_as_ever() {
    let (plain, heard) = (Written::default(), Written::default());
    opened(Chip(&plain));
    opened(HearAll(Chip(&heard)));
    let (plain, mut heard) = (plain.into_inner(), heard.into_inner());

    // Sn_MR: MACRAW with MFEN as the driver has it, MACRAW alone behind the wrapper.
    let filtered = (0, WRITE_SOCKET_0, vec![0x84]);
    let unfiltered = (0, WRITE_SOCKET_0, vec![0x04]);
    assert_eq!(plain.iter().filter(|w| **w == filtered).count(), 1);
    let mode = heard.iter_mut().find(|w| **w == unfiltered);
    *mode.expect("a mode without the filter") = filtered;
    assert_eq!(plain, heard);
}

#[test]
fn a_frame_that_looks_like_the_mode_is_left_alone() {
    let written = Written::default();
    let mut wire = HearAll(Chip(&written));
    // One octet to the buffer for sending (block 2), at its beginning.
    let write = &mut [
        Operation::Write(&[0, 0]),
        Operation::Write(&[0b0001_0100]),
        Operation::Write(&[0x84]),
    ];
    let Ok(()) = block_on(wire.transaction(write));
    assert_eq!(written.into_inner(), [(0, 0b0001_0100, vec![0x84])]);
}

#[test]
fn a_mac_is_local_unicast_and_differs_with_the_chip() {
    let (one, other) = (
        board_kit::mac_from_id(&[0; 8]),
        board_kit::mac_from_id(&[1, 0, 0, 0, 0, 0, 0, 0]),
    );
    assert_eq!((one[0], other[0]), (0x02, 0x02));
    assert_ne!(one, other);
    assert_eq!(one, board_kit::mac_from_id(&[0; 8]));
}
