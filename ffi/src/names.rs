//! Numbers in words.

use core::ffi::{CStr, c_char, c_int};
use core::ptr;

use crate::numbers::*;

/// The number of the library's interface: `VRRP_ABI` of the header that it was built with.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_abi() -> u32 {
    VRRP_ABI
}

/// The version of the library, such as "1.2.3". Static.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// An error in words, such as "no such virtual router or interface". Static, never NULL, whatever
/// the number.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_strerror(error: c_int) -> *const c_char {
    error_text(error).unwrap_or(c"unknown error").as_ptr()
}

/// The name of one of `VRRP_STATE_*` as logs and vrrpctl have it: "init", "backup" or "master".
/// Static; NULL for another number.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_state_name(state: u8) -> *const c_char {
    or_null(match state {
        VRRP_STATE_INITIALIZE => Some(c"init"),
        VRRP_STATE_BACKUP => Some(c"backup"),
        VRRP_STATE_ACTIVE => Some(c"master"),
        _ => None,
    })
}

/// One of `VRRP_REASON_*` in words, such as "the master gave up mastership". Static; NULL for
/// another number.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_reason_text(reason: u8) -> *const c_char {
    or_null(match reason {
        VRRP_REASON_STARTED => Some(c"started"),
        VRRP_REASON_OWNER => Some(c"started as owner of the addresses"),
        VRRP_REASON_ACTIVE_TIMEOUT => Some(c"no advertisement within the down interval"),
        VRRP_REASON_ACTIVE_STOPPED => Some(c"the master gave up mastership"),
        VRRP_REASON_PREEMPTED => Some(c"the master has a lower priority"),
        VRRP_REASON_HIGHER_PRIORITY => Some(c"a router of higher priority advertises"),
        VRRP_REASON_HIGHER_ADDRESS => {
            Some(c"a router of equal priority and higher address advertises")
        }
        VRRP_REASON_RESIGNED => Some(c"told to resign"),
        VRRP_REASON_DISABLED => Some(c"disabled"),
        VRRP_REASON_INTERFACE_DOWN => Some(c"interface down"),
        VRRP_REASON_NO_PRIMARY_ADDRESS => Some(c"interface has no address to advertise from"),
        VRRP_REASON_TRACKED_FAULT => Some(c"a tracked object is down"),
        VRRP_REASON_EFFECT_FAILED => Some(c"an address, MAC or group could not be installed"),
        VRRP_REASON_STANDS_BACK => Some(c"stands back"),
        VRRP_REASON_ACTIVE_UNHEARD => {
            Some(c"the master is silent, though a host answers for the address")
        }
        _ => None,
    })
}

/// A short name of one of `VRRP_DROP_*` for logs and statistics, such as "checksum-errors": where
/// RFC 8347 has a counter for it, the name of that. Static; NULL for another number.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_drop_reason_name(reason: c_int) -> *const c_char {
    or_null(match reason {
        VRRP_DROP_BAD_HEADER => Some(c"bad-header"),
        VRRP_DROP_IP_CHECKSUM => Some(c"ip-checksum-error"),
        VRRP_DROP_FRAGMENT => Some(c"fragment"),
        VRRP_DROP_WRONG_DESTINATION => Some(c"wrong-destination"),
        VRRP_DROP_TTL => Some(c"ip-ttl-errors"),
        VRRP_DROP_VERSION => Some(c"version-errors"),
        VRRP_DROP_TYPE => Some(c"invalid-type-pkts-rcvd"),
        VRRP_DROP_LENGTH => Some(c"packet-length-errors"),
        VRRP_DROP_CHECKSUM => Some(c"checksum-errors"),
        VRRP_DROP_UNKNOWN_VRID => Some(c"vrid-errors"),
        VRRP_DROP_OWNER => Some(c"owner"),
        VRRP_DROP_NO_ADDRESSES => Some(c"address-list-empty"),
        VRRP_DROP_NOT_LINK_LOCAL => Some(c"address-list-errors"),
        VRRP_DROP_ZERO_INTERVAL => Some(c"interval-zero"),
        VRRP_DROP_ADDRESS_MISMATCH => Some(c"address-list-mismatch"),
        VRRP_DROP_INTERVAL_MISMATCH => Some(c"interval-errors"),
        VRRP_DROP_AUTH_TYPE => Some(c"auth-type-mismatch"),
        VRRP_DROP_AUTH_FAILURE => Some(c"auth-failure"),
        VRRP_DROP_OWN_LOOPED_BACK => Some(c"own-looped-back"),
        VRRP_DROP_UNKNOWN_PEER => Some(c"unknown-peer"),
        VRRP_DROP_V2_SHADOWED_BY_V3 => Some(c"v2-shadowed-by-v3"),
        VRRP_DROP_NOT_RUNNING => Some(c"not-running"),
        VRRP_DROP_CARP => Some(c"carp, not VRRP"),
        VRRP_DROP_AUTHENTICATION_TRAILER => Some(c"authentication-trailer"),
        VRRP_DROP_AUTH_MISSING => Some(c"auth-missing"),
        VRRP_DROP_AUTH_MALFORMED => Some(c"auth-malformed"),
        VRRP_DROP_AUTH_STALE => Some(c"auth-stale"),
        VRRP_DROP_AUTH_UNKNOWN_KEY => Some(c"auth-unknown-key"),
        VRRP_DROP_AUTH_INVALID_HMAC => Some(c"auth-invalid-hmac"),
        VRRP_DROP_AUTH_REPLAY => Some(c"auth-replay"),
        _ => None,
    })
}

/// The name of one of `VRRP_FRAME_*`, such as "gratuitous ARP". Static; NULL for another number.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_frame_kind_name(kind: u8) -> *const c_char {
    or_null(match kind {
        VRRP_FRAME_ADVERTISEMENT => Some(c"advertisement"),
        VRRP_FRAME_GRATUITOUS_ARP => Some(c"gratuitous ARP"),
        VRRP_FRAME_UNSOLICITED_NA => Some(c"unsolicited neighbour advertisement"),
        VRRP_FRAME_ARP_REPLY => Some(c"ARP reply"),
        VRRP_FRAME_NA_REPLY => Some(c"neighbour advertisement"),
        VRRP_FRAME_NEIGHBOR_PROBE => Some(c"neighbour probe"),
        _ => None,
    })
}

fn or_null(name: Option<&'static CStr>) -> *const c_char {
    name.map_or(ptr::null(), CStr::as_ptr)
}

fn error_text(error: c_int) -> Option<&'static CStr> {
    Some(match error {
        VRRP_OK => c"success",
        VRRP_ERR_NULL => c"a pointer is NULL that must not be",
        VRRP_ERR_ABI => c"the program was compiled for another ABI of the library",
        VRRP_ERR_STORAGE => c"the storage is too small for the capacities of the library",
        VRRP_ERR_ALIGN => c"a pointer is not aligned",
        VRRP_ERR_HANDLE => c"no handle of an initialised engine",
        VRRP_ERR_SIZE => c"a struct does not say its size, or is too small or too new",
        VRRP_ERR_VALUE => c"a field or argument has no legal value",
        VRRP_ERR_BUFFER => c"the buffer is too small",
        VRRP_ERR_INTERFACES_FULL => c"the interface table is full",
        VRRP_ERR_ROUTERS_FULL => c"the table of virtual routers is full",
        VRRP_ERR_ADDRESSES_FULL => c"too many addresses and peers for one virtual router",
        VRRP_ERR_TRACKS_FULL => c"too many tracked objects for one virtual router",
        VRRP_ERR_EXISTS => c"this virtual router exists already",
        VRRP_ERR_NOT_FOUND => c"no such virtual router or interface",
        VRRP_ERR_IN_USE => c"the interface still has virtual routers",
        VRRP_ERR_NO_ADDRESSES => c"a virtual router needs at least one address",
        VRRP_ERR_BAD_ADDRESS => {
            c"an address is of the wrong family, not unicast, given twice, or its prefix is too long"
        }
        VRRP_ERR_FAMILY_VERSION => c"VRRPv2 carries IPv4 addresses only",
        VRRP_ERR_BAD_INTERVAL => {
            c"VRRPv2 needs an interval of whole seconds, VRRPv3 one of at most 40.95 seconds"
        }
        VRRP_ERR_AUTH_VERSION => c"a password needs VRRPv2",
        VRRP_ERR_MAC_MODE_FIXED => c"the MAC mode of a virtual router cannot change",
        VRRP_ERR_BAD_MAX_HOPS => c"more than one hop needs unicast peers",
        VRRP_ERR_PEERS => c"unicast peers need a neighbour table, which is not there",
        VRRP_ERR_SOURCE => c"this build advertises from the address of the interface only",
        VRRP_ERR_BAD_DELAY => c"a delay is longer than 4,294 seconds",
        VRRP_ERR_AUTH_KEY => {
            c"a key needs 32 to 64 octets and an id of its own, and the active key has to be one of them"
        }
        VRRP_ERR_AUTH_KEYS_FULL => c"more than four keys for one virtual router",
        VRRP_ERR_AUTH_WINDOW => c"a time window is 1 to 300 seconds",
        VRRP_ERR_AUTH_CONFLICT => c"a virtual router has keys or a password, not both",
        VRRP_ERR_NO_CLOCK => c"monotonic numbers need a boot count or a clock to begin with",
        VRRP_ERR_GROUP => c"a group is a multicast address of the family, and here perhaps the usual one only",
        VRRP_ERR_NO_HMAC => c"the library was built without signed advertisements",
        VRRP_ERR_OTHER => c"the engine refused",
        #[cfg(feature = "host")]
        _ => return crate::host::error_text(error),
        #[cfg(not(feature = "host"))]
        _ => return None,
    })
}
