//! A W5500 that hears every MAC.
//!
//! embassy-net-wiznet sets the MAC filter (MFEN) when it opens the chip's socket, and has no call that
//! clears it. With it the chip drops what comes to a virtual MAC: the host is Active, answers ARP, and
//! never sees a packet.

use embedded_hal_async::spi::{ErrorType, Operation, SpiDevice};

/// Sn_MR, the mode of a socket: its address in the block of the socket.
const SOCKET_MODE: [u8; 2] = [0, 0];
/// The control phase of a write to the block of socket 0, of any length.
const WRITE_SOCKET_0: [u8; 1] = [0b0000_1100];
/// MACRAW, all frames as they are, in the lower half of the mode.
const MACRAW: u8 = 0b0100;
/// MFEN: only frames to the own MAC, to groups and to all.
const MAC_FILTER: u8 = 1 << 7;

/// The way to a W5500 on which the one write that sets the MAC filter goes without it.
#[derive(Debug)]
pub struct HearAll<S>(
    /// The way to the chip.
    pub S,
);

impl<S: ErrorType> ErrorType for HearAll<S> {
    type Error = S::Error;
}

impl<S: SpiDevice> SpiDevice for HearAll<S> {
    async fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), S::Error> {
        if let [Operation::Write(address), Operation::Write(control), last] = operations
            && *address == SOCKET_MODE
            && *control == WRITE_SOCKET_0
            && matches!(last, Operation::Write([mode]) if *mode == MACRAW | MAC_FILTER)
        {
            *last = Operation::Write(&[MACRAW]);
        }
        self.0.transaction(operations).await
    }
}
