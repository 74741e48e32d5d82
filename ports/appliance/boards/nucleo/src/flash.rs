//! The chip's flash, for the boot count.
//!
//! The H5 and H7 have a code in each word that finds errors: to read a word that lost power in a write or an
//! erase is a fault of the bus on the H7 and an NMI on the H5. Here it is an error of [`Store::read`].

use embassy_stm32::Peri;
use embassy_stm32::flash::{Blocking, Error, FLASH_BASE, Flash};
use embassy_stm32::peripherals::FLASH;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use crate::BootCount;

/// Flash in which a word that cannot be read is no fault.
pub struct Store(Flash<'static, Blocking>);

/// The store of the boot count.
pub(crate) fn boot_count(flash: Peri<'static, FLASH>) -> BootCount {
    let sectors = board_kit::boot_count_sectors(FLASH_BASE);
    BootCount::new(Store(Flash::new_blocking(flash)), sectors)
}

impl ErrorType for Store {
    type Error = Error;
}

impl ReadNorFlash for Store {
    const READ_SIZE: usize = <Flash<'static, Blocking> as ReadNorFlash>::READ_SIZE;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), Error> {
        ecc::read(|| self.0.blocking_read(offset, octets))
    }

    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(&self.0)
    }
}

impl NorFlash for Store {
    const WRITE_SIZE: usize = <Flash<'static, Blocking> as NorFlash>::WRITE_SIZE;
    const ERASE_SIZE: usize = <Flash<'static, Blocking> as NorFlash>::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        self.0.blocking_erase(from, to)
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), Error> {
        self.0.blocking_write(offset, octets)
    }
}

/// The H7: with BFHFNMIGN a handler of the priority of FAULTMASK ignores faults of the bus by its own loads
/// (ARMv7-M B1.5.14), and the flash says that there was one (RM0433, FLASH_SR2).
#[cfg(feature = "h743")]
mod ecc {
    use core::arch::asm;

    use cortex_m::peripheral::SCB;
    use embassy_stm32::flash::Error;
    use embassy_stm32::pac;

    const BFHFNMIGN: u32 = 1 << 8;

    pub(super) fn read(read: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        // The store is in the second bank.
        let bank = pac::FLASH.bank(1);
        // SAFETY: a register of the processor that no one else writes. FAULTMASK is set for the reads alone,
        // which neither wait nor panic, and no critical section depends on it.
        let done = unsafe {
            (*SCB::PTR).ccr.modify(|ccr| ccr | BFHFNMIGN);
            asm!("cpsid f", "dsb", "isb");
            let done = read();
            asm!("dsb", "cpsie f", "isb");
            (*SCB::PTR).ccr.modify(|ccr| ccr & !BFHFNMIGN);
            done
        };
        let torn = bank.sr().read().dbeccerr();
        // The HAL takes old errors for those of a write.
        bank.ccr().write(|w| {
            w.set_clr_dbeccerr(true);
            w.set_clr_sneccerr(true);
        });
        if torn { Err(Error::Prog) } else { done }
    }
}

/// The H5: an NMI that the flash has a flag for (RM0481, FLASH_ECCDETR).
#[cfg(feature = "h563")]
mod ecc {
    use core::sync::atomic::{AtomicBool, Ordering};

    use cortex_m::asm;
    use cortex_m::peripheral::SCB;
    use embassy_stm32::flash::Error;
    use embassy_stm32::pac;

    static TORN: AtomicBool = AtomicBool::new(false);

    pub(super) fn read(read: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        TORN.store(false, Ordering::Relaxed);
        let done = read();
        asm::dsb();
        asm::isb();
        if TORN.load(Ordering::Relaxed) {
            Err(Error::Prog)
        } else {
            done
        }
    }

    #[cortex_m_rt::exception]
    unsafe fn NonMaskableInt() {
        let flag = pac::FLASH.eccdetr();
        if !flag.read().eccd() {
            SCB::sys_reset();
        }
        // Written as 1, it is cleared.
        flag.modify(|w| w.set_eccd(true));
        TORN.store(true, Ordering::Relaxed);
    }
}

/// The F7 has no such code.
#[cfg(feature = "f767")]
mod ecc {
    use embassy_stm32::flash::Error;

    pub(super) fn read(read: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        read()
    }
}
