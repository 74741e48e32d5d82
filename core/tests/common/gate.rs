//! The time and the frames of tests of the gate.

use vrrp_core::Instant;
use vrrp_core::wire::Emitted;

/// The time after so many milliseconds.
pub(crate) fn ms(ms: u64) -> Instant {
    Instant::from_micros(ms * 1_000)
}

/// The octets of a frame that has room in 172 of them.
pub(crate) fn written(write: impl FnOnce(&mut [u8]) -> Option<Emitted>) -> Vec<u8> {
    let mut buf = [0; 172];
    let emitted = write(&mut buf).expect("room");
    buf[..emitted.len].to_vec()
}
