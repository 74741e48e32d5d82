//! The watchdog: resets the chip when the executor has not come round for two periods.

use crate::clocks::HZ;
use crate::registers::Register;

const LOAD: Register = Register::at(0x4000_0000);
const CONTROL: Register = Register::at(0x4000_0008);
const COUNT_AND_RESET: u32 = 0b11;
const CLEAR: Register = Register::at(0x4000_000c);

/// The first period that passes raises an interrupt that nobody takes, the second one resets.
const PERIOD_CYCLES: u32 = HZ * 2;

/// The running watchdog.
pub struct Watchdog(());

impl Watchdog {
    pub(crate) fn start() -> Self {
        LOAD.write(PERIOD_CYCLES);
        CONTROL.write(COUNT_AND_RESET);
        Self(())
    }

    /// Says that all is well; to be said again within two seconds.
    pub fn feed(&mut self) {
        CLEAR.write(1);
    }
}
