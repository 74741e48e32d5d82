//! The chip's registers: LM3S6965 data sheet.

/// One register of 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Register(usize);

impl Register {
    /// The register at an address that the data sheet gives. Private to the board, so that no other
    /// address is ever made into one.
    pub(crate) const fn at(address: usize) -> Self {
        Self(address)
    }

    pub(crate) fn read(self) -> u32 {
        // SAFETY: the address is a register of this chip (see `at`), aligned and always mapped.
        unsafe { core::ptr::read_volatile(self.0 as *const u32) }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: as in `read`; no register of the board's drivers changes memory.
        unsafe { core::ptr::write_volatile(self.0 as *mut u32, value) }
    }

    pub(crate) fn set_bits(self, bits: u32) {
        self.write(self.read() | bits);
    }

    pub(crate) fn clear_bits(self, bits: u32) {
        self.write(self.read() & !bits);
    }
}
