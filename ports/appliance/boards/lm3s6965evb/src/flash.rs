//! Flash for the boot count: the file `flash.bin` in the folder that the emulator was started in, by
//! semihosting.
//!
//! QEMU has no model of the chip's flash controller, so the file stands in for two pages of its flash: it
//! outlasts the emulator, as flash does the power. It is made, blank, where there is none. A write clears
//! bits and sets none, and an erase sets those of a page.

use core::ffi::CStr;
use core::ops::Range;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// The pages of the chip's flash.
const PAGE: u32 = 1024;
/// Both pages.
pub(crate) const SECTORS: Range<u32> = 0..2 * PAGE;
const PATH: &CStr = c"flash.bin";
/// The most octets that are read or written at once.
const CHUNK: usize = 32;

const SYS_OPEN: u32 = 0x01;
const SYS_WRITE: u32 = 0x05;
const SYS_READ: u32 = 0x06;
const SYS_SEEK: u32 = 0x0a;
/// To read and write in a file that is there, and in a new one: "r+b" and "w+b" of fopen(3).
const UPDATE: usize = 3;
const CREATE: usize = 7;

/// The file, or none where it cannot be opened: then nothing can be read or written.
pub struct File {
    handle: Option<usize>,
}

impl File {
    pub(crate) fn open() -> Self {
        if let Some(handle) = open(UPDATE) {
            return Self {
                handle: Some(handle),
            };
        }
        let mut file = Self {
            handle: open(CREATE),
        };
        // Where it fails, so does the next read.
        let _ = file.erase(SECTORS.start, SECTORS.end);
        file
    }

    /// Goes to an offset, and reads or writes there.
    fn transfer(&mut self, operation: u32, offset: u32, octets: *mut u8, len: usize) -> Done {
        let handle = self.handle.ok_or(NorFlashErrorKind::Other)?;
        let moved = call(SYS_SEEK, &mut [handle, offset as usize]);
        // Otherwise the number of octets that are left.
        let left = call(operation, &mut [handle, octets.addr(), len]);
        if moved == 0 && left == 0 {
            Ok(())
        } else {
            Err(NorFlashErrorKind::Other)
        }
    }

    fn put(&mut self, offset: u32, octets: &[u8]) -> Done {
        self.transfer(SYS_WRITE, offset, octets.as_ptr().cast_mut(), octets.len())
    }
}

type Done = Result<(), NorFlashErrorKind>;

fn open(mode: usize) -> Option<usize> {
    let name = PATH.to_bytes();
    let handle = call(SYS_OPEN, &mut [name.as_ptr().addr(), mode, name.len()]);
    (handle != usize::MAX).then_some(handle)
}

/// Asks the emulator.
fn call(operation: u32, block: &mut [usize]) -> usize {
    // SAFETY: the blocks of this file are as each operation wants them: they name octets that live until the
    // call returns and, for SYS_READ alone, that may be written.
    unsafe {
        cortex_m::asm::semihosting_syscall(operation, block.as_mut_ptr().addr() as u32) as usize
    }
}

impl ErrorType for File {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for File {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Done {
        check_read(self, offset, octets.len())?;
        self.transfer(SYS_READ, offset, octets.as_mut_ptr(), octets.len())
    }

    fn capacity(&self) -> usize {
        SECTORS.end as usize
    }
}

impl NorFlash for File {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE as usize;

    fn erase(&mut self, from: u32, to: u32) -> Done {
        check_erase(self, from, to)?;
        (from..to)
            .step_by(CHUNK)
            .try_for_each(|offset| self.put(offset, &[0xff; CHUNK]))
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Done {
        check_write(self, offset, octets.len())?;
        let mut kept = [0; CHUNK];
        let offsets = (offset..).step_by(CHUNK);
        for (offset, octets) in offsets.zip(octets.chunks(CHUNK)) {
            let kept = kept.get_mut(..octets.len()).unwrap_or_default();
            self.read(offset, kept)?;
            for (kept, octet) in kept.iter_mut().zip(octets) {
                *kept &= octet;
            }
            self.put(offset, kept)?;
        }
        Ok(())
    }
}
