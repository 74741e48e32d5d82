//! Lines of text, put together without the formatting of `core`, which is 3 KB of flash.

use heapless::String;

/// Room for a few lines of the status.
const LEN: usize = if cfg!(feature = "hmac") { 240 } else { 168 };

/// Text that grows. What does not fit is left out.
pub(crate) struct Text(String<LEN>);

impl Text {
    pub(crate) const fn new() -> Self {
        Self(String::new())
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds words.
    pub(crate) fn say(&mut self, words: &str) -> &mut Self {
        let _ = self.0.push_str(words);
        self
    }

    /// Adds a number in decimal digits.
    pub(crate) fn number(&mut self, number: u32) -> &mut Self {
        if number > 9 {
            self.number(number / 10);
        }
        let digit = char::from(b'0' + (number % 10) as u8);
        let _ = self.0.push(digit);
        self
    }
}
