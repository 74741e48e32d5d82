//! Queries of an engine. Nothing here changes it.

use core::ffi::c_int;
use core::mem::size_of;

use vrrp_core::{ActiveRouter, DropReason, InterfaceState, Statistics, Status, VrKey};

use crate::convert::{self, Legal};
use crate::engine::answer;
use crate::handle::{
    Engine, VRRP_MAX_ADDRESSES, VRRP_MAX_INTERFACES, VRRP_MAX_ROUTERS, content, vrrp,
};
use crate::numbers::*;
use crate::raw::{self, Plain};
use crate::types::*;

/// Describes a virtual router as it stands. Set `status->size` before.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_status(
    vrrp: *const vrrp,
    key: *const vrrp_key,
    status: *mut vrrp_status,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| write_status(content(vrrp)?, key, status)) }
}

/// Gives the counters of a virtual router. Set `statistics->size` before.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_statistics(
    vrrp: *const vrrp,
    key: *const vrrp_key,
    statistics: *mut vrrp_statistics,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| write_statistics(content(vrrp)?, key, statistics)) }
}

/// Writes to `count` how many packets were discarded for `reason`, one of `VRRP_DROP_*`: those for
/// the virtual router of `key`, or with a `key` of NULL those that belong to none. Counters wrap.
/// The reasons go from 1 to where `vrrp_drop_reason_name()` gives NULL.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_VALUE`: no legal key, or no such reason;
/// `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_drops(
    vrrp: *const vrrp,
    key: *const vrrp_key,
    reason: c_int,
    count: *mut u32,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| write_drops(content(vrrp)?, key, reason, count)) }
}

/// Answers how many virtual routers there are and writes their keys, in no order, to `keys`, which
/// has room for `capacity`. With a `keys` of NULL nothing is written.
///
/// Errors: `VRRP_ERR_BUFFER`: there are more than `capacity`, at most `vrrp_max_routers()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_keys(
    vrrp: *const vrrp,
    keys: *mut vrrp_key,
    capacity: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| list(|| Ok(content(vrrp)?.keys()), keys, capacity)) }
}

/// Answers how many virtual addresses a virtual router has and writes them to `addresses`, in the
/// order in which they are advertised. `addresses` has room for `capacity`; when it is NULL nothing
/// is written.
///
/// Errors: `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_BUFFER`: there are more
/// than `capacity`, at most `vrrp_max_addresses()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_addresses(
    vrrp: *const vrrp,
    key: *const vrrp_key,
    addresses: *mut vrrp_virtual_address,
    capacity: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content(vrrp)?;
            let key = raw::read(key)?.legal()?;
            engine.status(key).ok_or(VRRP_ERR_NOT_FOUND)?;
            list(|| Ok(engine.addresses(key)), addresses, capacity)
        })
    }
}

/// Gives back how an interface was last described. Set `interface->size` before.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`: it never was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_interface(
    vrrp: *const vrrp,
    ifindex: u32,
    interface: *mut vrrp_interface,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content(vrrp)?;
            let size = raw::check_sized(interface)?;
            let found = engine.interface(ifindex).ok_or(VRRP_ERR_NOT_FOUND)?;
            raw::write_sized(interface, size, found.into());
            Ok(VRRP_OK)
        })
    }
}

/// The interfaces that an engine of this library has room for.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_max_interfaces() -> usize {
    VRRP_MAX_INTERFACES
}

/// The virtual routers that an engine of this library has room for.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_max_routers() -> usize {
    VRRP_MAX_ROUTERS
}

/// The addresses and unicast peers together that a virtual router has room for.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_max_addresses() -> usize {
    VRRP_MAX_ADDRESSES
}

/// The length in octets of the longest frame that this library writes: `VRRP_MAX_FRAME_LEN` for its
/// own capacities.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_max_frame_len() -> usize {
    Engine::MAX_FRAME_LEN
}

/// The reason of a number.
pub(crate) fn legal_reason(reason: c_int) -> Result<DropReason, c_int> {
    let mut all = DropReason::ALL.iter().copied();
    all.find(|r| convert::drop_reason(*r) == reason)
        .ok_or(VRRP_ERR_VALUE)
}

/// The engine of a handle or of its gate.
type AnyEngine<const IFS: usize> = vrrp_core::Engine<IFS, VRRP_MAX_ROUTERS, VRRP_MAX_ADDRESSES>;

/// See `vrrp_status()`.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn write_status<const IFS: usize, C: Plain + Legal<K>, K: Into<VrKey>>(
    engine: &AnyEngine<IFS>,
    key: *const C,
    status: *mut vrrp_status,
) -> Answer {
    // SAFETY: the contract is the same.
    unsafe {
        let size = raw::check_sized(status)?;
        let key = raw::read(key)?.legal()?;
        let found = engine.status(key).ok_or(VRRP_ERR_NOT_FOUND)?;
        raw::write_sized(status, size, found.into());
    }
    Ok(VRRP_OK)
}

/// See `vrrp_statistics()`.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn write_statistics<const IFS: usize, C: Plain + Legal<K>, K: Into<VrKey>>(
    engine: &AnyEngine<IFS>,
    key: *const C,
    statistics: *mut vrrp_statistics,
) -> Answer {
    // SAFETY: the contract is the same.
    unsafe {
        let size = raw::check_sized(statistics)?;
        let key = raw::read(key)?.legal()?;
        let found = engine.statistics(key).ok_or(VRRP_ERR_NOT_FOUND)?;
        raw::write_sized(statistics, size, found.into());
    }
    Ok(VRRP_OK)
}

/// See `vrrp_drops()`.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn write_drops<const IFS: usize, C: Plain + Legal<K>, K: Into<VrKey>>(
    engine: &AnyEngine<IFS>,
    key: *const C,
    reason: c_int,
    count: *mut u32,
) -> Answer {
    raw::check(count)?;
    let reason = legal_reason(reason)?;
    // SAFETY: the contract is the same.
    unsafe {
        let dropped = if key.is_null() {
            engine.drops().count(reason)
        } else {
            let key = raw::read(key)?.legal()?;
            let statistics = engine.statistics(key).ok_or(VRRP_ERR_NOT_FOUND)?;
            statistics.drops.count(reason)
        };
        raw::write(count, dropped);
    }
    Ok(VRRP_OK)
}

/// Writes items to the caller's array and answers how many there are; the iterator is made twice.
///
/// # Safety
/// As [`raw::items_mut`].
pub(crate) unsafe fn list<T: Plain + From<I>, I, L: Iterator<Item = I>>(
    items: impl Fn() -> Result<L, c_int>,
    to: *mut T,
    capacity: usize,
) -> Answer {
    let count = items()?.count();
    if !to.is_null() {
        if count > capacity {
            return Err(VRRP_ERR_BUFFER);
        }
        // SAFETY: by the contract, for there is room for `capacity`.
        let to = unsafe { raw::items_mut(to, count)? };
        for (slot, item) in to.iter_mut().zip(items()?) {
            *slot = item.into();
        }
    }
    // At most 65,000.
    Ok(count as c_int)
}

impl From<Status> for vrrp_status {
    fn from(status: Status) -> Self {
        let own = Self {
            size: size_of::<Self>() as u32,
            key: status.key.into(),
            state: convert::state(status.state),
            reason: convert::reason(status.reason),
            enabled: status.enabled.into(),
            handing_over: status.handing_over.into(),
            since_us: status.since.as_micros(),
            resigned: status.resigned.into(),
            version: convert::version(status.version),
            priority: status.priority.get(),
            base_priority: status.base_priority.get(),
            advert_interval_cs: status.advert_interval.as_centis(),
            active_interval_cs: status.active_interval.as_centis(),
            pseudo_header: status.pseudo_header.into(),
            standing_back: status.standing_back.into(),
            ..Self::default()
        };
        let Some(active) = status.active else {
            return own;
        };
        let ActiveRouter {
            address,
            mac,
            priority,
            version,
            interval,
            last_heard,
            address_mismatch,
            interval_mismatch,
            ..
        } = active;
        Self {
            active_last_heard_us: last_heard.as_micros(),
            active: vrrp_peer {
                address: address.into(),
                priority,
            },
            active_version: version,
            active_advert_interval_cs: interval.as_centis(),
            active_has_mac: mac.is_some().into(),
            active_mac: mac.unwrap_or_default().0,
            active_address_mismatch: address_mismatch.into(),
            active_interval_mismatch: interval_mismatch.into(),
            ..own
        }
    }
}

impl From<&Statistics> for vrrp_statistics {
    fn from(s: &Statistics) -> Self {
        Self {
            size: size_of::<Self>() as u32,
            active_transitions: s.active_transitions,
            adverts_received: s.adverts_received,
            adverts_sent: s.adverts_sent,
            priority_zero_received: s.priority_zero_received,
            priority_zero_sent: s.priority_zero_sent,
            announcements_sent: s.announcements_sent,
            effect_failures: s.effect_failures,
            stalls: s.stalls,
            losing_adverts: s.losing_adverts,
            checksum_plain: s.checksum_plain,
            checksum_pseudo: s.checksum_pseudo,
        }
    }
}

impl From<&InterfaceState> for vrrp_interface {
    fn from(state: &InterfaceState) -> Self {
        Self {
            size: size_of::<Self>() as u32,
            up: state.up.into(),
            mac: state.mac.0,
            ipv4: state.ipv4.map_or([0; 4], |a| a.octets()),
            ipv6: state.ipv6.map_or([0; 16], |a| a.octets()),
            reserved: 0,
        }
    }
}
