//! Parts that boards with a HAL share: settings in a page of flash, a MAC, lines of text from a serial
//! port, and a W5500 that hears every MAC.
#![no_std]

pub mod w5500;

#[cfg(feature = "hmac")]
use core::ops::Range;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embedded_io_async::Read;
use heapless::String;

/// The longest settings that are read, in octets.
const SETTINGS_LEN: usize = 1024;
/// The longest line that is taken.
pub const LINE_LEN: usize = 64;

unsafe extern "C" {
    /// The page of flash that holds the settings, at least a kilobyte: from the board's `memory.x`.
    static _settings: u8;
    /// The two sectors of the boot count, from its beginning to behind its end.
    #[cfg(feature = "hmac")]
    static _boot_count: u8;
    #[cfg(feature = "hmac")]
    static _boot_count_end: u8;
}

/// Reads the settings from their page of flash: text that ends where the page is erased (0xff), or
/// with a zero. `None`: they are longer than a kilobyte, or no text.
pub fn settings(buffer: &mut [u8; SETTINGS_LEN]) -> Option<&str> {
    let page = &raw const _settings;
    for (offset, octet) in buffer.iter_mut().enumerate() {
        // SAFETY: `memory.x` reserves the page in flash, which can always be read, and nothing that
        // is linked lies there. Volatile, because it is written by a programmer, not by the program.
        *octet = unsafe { page.wrapping_add(offset).read_volatile() };
    }
    let mut parts = buffer.split(|&octet| octet == 0xff || octet == 0);
    let text = parts.next()?;
    // Without an end it goes on behind the buffer.
    parts.next()?;
    core::str::from_utf8(text).ok()
}

/// The two sectors of flash that `memory.x` reserves for the boot count, by their offset in a flash that
/// begins at this address.
#[cfg(feature = "hmac")]
pub fn boot_count_sectors(flash: usize) -> Range<u32> {
    let offset = |at: *const u8| (at.addr() - flash) as u32;
    offset(&raw const _boot_count)..offset(&raw const _boot_count_end)
}

/// A MAC of the board's own, from the number that its maker gave the chip: locally administered (a
/// chip without a MAC has none that is unique in the world).
pub fn mac_from_id(id: &[u8]) -> [u8; 6] {
    // FNV-1a: chips of one wafer differ in few bits.
    let hash = id.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    let [a, b, c, d, e, ..] = hash.to_be_bytes();
    [0x02, a, b, c, d, e]
}

static LINES: Channel<CriticalSectionRawMutex, String<LINE_LEN>, 1> = Channel::new();

/// The next line of text that comes in, without its end. Meant for one task.
pub async fn read_line() -> String<LINE_LEN> {
    LINES.receive().await
}

/// Puts lines together from what a serial port receives, for ever: see [`read_line`]. A line that is
/// too long is cut, and will not be understood.
pub async fn take_lines(mut serial: impl Read) -> ! {
    let mut line = String::new();
    let mut octets = [0; 16];
    loop {
        // After an error (a framing error, an overrun) the next octets come as ever.
        let len = serial.read(&mut octets).await.unwrap_or(0);
        for &octet in octets.iter().take(len) {
            match char::from(octet) {
                '\r' | '\n' if line.is_empty() => {}
                '\r' | '\n' => LINES.send(core::mem::take(&mut line)).await,
                typed => drop(line.push(typed)),
            }
        }
    }
}
