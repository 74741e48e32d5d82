//! The emulator's command line, by semihosting: where this board has its settings.
//!
//! A board without a debugger faults on the instruction that asks for it. Yours will have them in
//! its flash; see the README.

use core::ffi::CStr;

const SYS_GET_CMDLINE: usize = 0x15;
const LEN: usize = 1024;

/// The words that the emulator was given (`-semihosting-config arg=...`), spaces between them.
/// `None`: it has none, or they are longer than a kilobyte or no text.
pub fn read(buffer: &mut [u8; LEN]) -> Option<&str> {
    let mut block = [buffer.as_mut_ptr().addr(), LEN];
    // SAFETY: the call writes at most the octets that the block says, into the buffer it points to,
    // ended by a zero, and the block.
    let failed = unsafe {
        cortex_m::asm::semihosting_syscall(SYS_GET_CMDLINE as u32, block.as_mut_ptr().addr() as u32)
    };
    if failed != 0 {
        return None;
    }
    CStr::from_bytes_until_nul(buffer).ok()?.to_str().ok()
}
