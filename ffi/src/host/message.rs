//! Messages for people: why something was refused, or remarks on it.

use std::ffi::{CStr, c_char, c_int};
use std::io;

use ::vrrp_host::{ConfigCause, ConfigError, PlatformError};
use vrrp_core::Error;

use super::numbers::*;
use crate::convert;
use crate::names::vrrp_strerror;
use crate::numbers::*;
use crate::raw;

/// The end of a text that was cut.
const CUT: &str = "...";

/// An error with its words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: c_int,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(code: c_int, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { code, text }
    }

    /// A field, and the ordinary words for what is wrong with it.
    pub(crate) fn field(path: &str, code: c_int) -> Self {
        Self::new(code, format!("{path}: {}", words(code)))
    }
}

/// The words for an error of the host; `None`: it is none.
pub(crate) fn error_text(code: c_int) -> Option<&'static CStr> {
    Some(match code {
        VRRP_ERR_HOST_CONFIG => c"the configuration cannot be had",
        VRRP_ERR_HOST_DENIED => c"the operating system does not permit it",
        VRRP_ERR_HOST_SYSTEM => c"the operating system refused something",
        VRRP_ERR_HOST_FORKED => c"the handle belongs to another process",
        VRRP_ERR_HOST_BUSY => c"another thread is using the handle",
        VRRP_ERR_HOST_STOPPING => c"the host is shutting down",
        _ => return None,
    })
}

/// The words for an error.
pub(crate) fn words(code: c_int) -> &'static str {
    // SAFETY: the text is static, never NULL, and ends with a 0.
    let text = unsafe { CStr::from_ptr(vrrp_strerror(code)) };
    text.to_str().unwrap_or_default()
}

impl From<c_int> for Refusal {
    fn from(code: c_int) -> Self {
        Self::new(code, words(code))
    }
}

impl From<PlatformError> for Refusal {
    fn from(error: PlatformError) -> Self {
        let code = io_code(&error.error);
        let hint = match code {
            VRRP_ERR_HOST_DENIED => ": run as root, or with CAP_NET_ADMIN and CAP_NET_RAW",
            _ => "",
        };
        Self::new(code, format!("{error}{hint}"))
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        let id = error.id;
        match error.cause {
            ConfigCause::Platform(error) => {
                let refusal = Self::from(error);
                match id {
                    Some(id) => Self::new(refusal.code, format!("{id}: {}", refusal.text)),
                    None => refusal,
                }
            }
            ConfigCause::Engine(error) => Self::new(convert::error(error), text),
            ConfigCause::Twice => Self::new(VRRP_ERR_EXISTS, text),
            ConfigCause::NoSuchVirtualRouter(_) => Self::new(VRRP_ERR_NOT_FOUND, text),
            ConfigCause::TooManyVirtualRouters => {
                Self::new(convert::error(Error::VirtualRouterTableFull), text)
            }
            ConfigCause::TooManyInterfaces => {
                Self::new(convert::error(Error::InterfaceTableFull), text)
            }
            ConfigCause::ShuttingDown => Self::new(VRRP_ERR_HOST_STOPPING, text),
            _ => Self::new(VRRP_ERR_HOST_CONFIG, text),
        }
    }
}

/// The number for what an operating system said.
pub(crate) fn io_code(error: &io::Error) -> c_int {
    match error.kind() {
        io::ErrorKind::PermissionDenied => VRRP_ERR_HOST_DENIED,
        _ => VRRP_ERR_HOST_SYSTEM,
    }
}

/// Where the caller wants a message.
pub(crate) struct Out<'a>(&'a mut [u8]);

impl<'a> Out<'a> {
    /// # Safety
    /// `text` is NULL or points to `size` octets that nobody else uses during `'a`.
    pub(crate) unsafe fn new(text: *mut c_char, size: usize) -> Result<Self, c_int> {
        if text.is_null() {
            return Ok(Self(&mut []));
        }
        // SAFETY: the contract is the same.
        unsafe { raw::items_mut(text.cast::<u8>(), size).map(Self) }
    }

    pub(crate) fn write(&mut self, text: &str) {
        put(self.0, text);
    }

    /// Answers a result: a message is written in either case, and is empty where there is nothing
    /// to say.
    pub(crate) fn answer(mut self, result: Result<String, Refusal>) -> c_int {
        let (code, text) = match result {
            Ok(text) => (VRRP_OK, text),
            Err(refusal) => (refusal.code, refusal.text),
        };
        self.write(&text);
        code
    }
}

/// Writes `text` and a final 0, cut between two characters where it does not fit.
pub(crate) fn put(to: &mut [u8], text: &str) {
    let Some(room) = to.len().checked_sub(1) else {
        return;
    };
    let fits = |limit: usize| {
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        ends.take_while(|end| *end <= limit).last().unwrap_or(0)
    };
    let (len, mark) = match text.len() <= room {
        true => (text.len(), ""),
        false if room >= CUT.len() => (fits(room - CUT.len()), CUT),
        false => (fits(room), ""),
    };
    let kept = text.bytes().take(len).chain(mark.bytes());
    let octets = kept.map(|octet| if octet == 0 { b'?' } else { octet });
    for (slot, octet) in to.iter_mut().zip(octets.chain([0])) {
        *slot = octet;
    }
}

/// The same for a field of a struct, whose rest is zero.
pub(crate) fn field<const N: usize>(text: &str) -> [c_char; N] {
    let mut octets = [0; N];
    put(&mut octets, text);
    octets.map(|octet| octet as c_char)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_into(room: usize, text: &str) -> String {
        let mut octets = vec![b'x'; room];
        put(&mut octets, text);
        let end = octets.iter().position(|octet| *octet == 0).expect("a 0");
        String::from_utf8(octets[..end].to_vec()).expect("UTF-8")
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        assert_eq!(put_into(5, "four"), "four");
        assert_eq!(put_into(8, "12345678"), "1234...");
        assert_eq!(put_into(8, "123äöü"), "123...");
        assert_eq!(put_into(7, "äöüß"), "ä...");
        assert_eq!(put_into(3, "äöü"), "ä");
        assert_eq!(put_into(1, "a"), "");
        assert_eq!(put_into(4, "a\0b"), "a?b");
        put(&mut [], "nowhere");
    }

    #[test]
    fn permission_is_told_apart_and_how_to_get_it() {
        let denied = |kind: i32| {
            let error = io::Error::from_raw_os_error(kind);
            Refusal::from(PlatformError::new("open it", error))
        };
        assert_eq!(denied(libc::EPERM).code, VRRP_ERR_HOST_DENIED);
        assert!(denied(libc::EACCES).text.contains("CAP_NET_ADMIN"));
        assert_eq!(denied(libc::ENODEV).code, VRRP_ERR_HOST_SYSTEM);
        assert!(!denied(libc::ENODEV).text.contains("root"));
    }
}
