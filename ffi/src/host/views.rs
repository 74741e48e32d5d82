//! Queries of a host. Nothing here changes it.

use std::ffi::{c_char, c_int};

use ::vrrp_host::{Sighting, VrReport};
use vrrp_core::MacMode;

use super::event;
use super::handle::{call, vrrp_host};
use super::message;
use super::numbers::*;
use super::spec;
use super::types::*;
use crate::convert;
use crate::engine::answer;
use crate::numbers::*;
use crate::raw::{self, Plain, string};
use crate::status::legal_reason;
use crate::types::*;

/// Writes to `now_us` the time of the host's clock, which `since_us` and `active_last_heard_us` of
/// a status are by.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_now(host: *mut vrrp_host, now_us: *mut u64) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            raw::check(now_us)?;
            call(host, |inner| {
                raw::write(now_us, inner.host.now().as_micros());
                Ok(VRRP_OK)
            })
        })
    }
}

/// Answers how many virtual routers there are, those that are being removed included, and writes
/// their names to `ids`, which has room for `capacity`. With an `ids` of NULL nothing is written.
///
/// Errors: `VRRP_ERR_BUFFER`: there are more than `capacity`, at most `VRRP_HOST_MAX_ROUTERS`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_routers(
    host: *mut vrrp_host,
    ids: *mut vrrp_host_id,
    capacity: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            call(host, |inner| {
                let reports = inner.host.statuses();
                list(reports.iter().map(|r| event::id(&r.id)), ids, capacity)
            })
        })
    }
}

/// Describes a virtual router as it stands. `status->key.ifindex` is a number of the host, not of
/// the operating system. Set `status->size` before.
///
/// Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_status(
    host: *mut vrrp_host,
    id: *const vrrp_host_id,
    status: *mut vrrp_status,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let size = raw::check_sized(status)?;
            let found = report(host, id)?;
            raw::write_sized(status, size, found.status.into());
            Ok(VRRP_OK)
        })
    }
}

/// Gives the counters of a virtual router. Set `statistics->size` before.
///
/// Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_statistics(
    host: *mut vrrp_host,
    id: *const vrrp_host_id,
    statistics: *mut vrrp_statistics,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let size = raw::check_sized(statistics)?;
            let found = report(host, id)?;
            raw::write_sized(statistics, size, (&found.statistics).into());
            Ok(VRRP_OK)
        })
    }
}

/// Tells how the host serves a virtual router: with which MAC, on which interface, from which
/// address. Set `service->size` before.
///
/// Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_service(
    host: *mut vrrp_host,
    id: *const vrrp_host_id,
    service: *mut vrrp_host_service,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let size = raw::check_sized(service)?;
            let found = report(host, id)?;
            raw::write_sized(service, size, (&found).into());
            Ok(VRRP_OK)
        })
    }
}

/// Answers how many virtual addresses a virtual router has and writes them to `addresses`, in the
/// order in which they are advertised. `addresses` has room for `capacity`; when it is NULL nothing
/// is written.
///
/// Errors: `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_BUFFER`: there are more than `capacity`, at most
/// `VRRP_HOST_MAX_ADDRESSES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_addresses(
    host: *mut vrrp_host,
    id: *const vrrp_host_id,
    addresses: *mut vrrp_virtual_address,
    capacity: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let found = report(host, id)?;
            let all = found.addresses.iter().map(|a| a.address.into());
            list(all, addresses, capacity)
        })
    }
}

/// Writes to `count` how many packets were discarded for `reason`, one of `VRRP_DROP_*`: those for
/// the virtual router `id`, or with an `id` of NULL those that belong to none. Counters wrap.
///
/// Errors: `VRRP_ERR_VALUE`: no such reason; `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_drops(
    host: *mut vrrp_host,
    id: *const vrrp_host_id,
    reason: c_int,
    count: *mut u32,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            raw::check(count)?;
            let reason = legal_reason(reason)?;
            let dropped = match id.is_null() {
                true => call(host, |inner| {
                    Ok::<_, c_int>(inner.host.drops().count(reason))
                })?,
                false => report(host, id)?.statistics.drops.count(reason),
            };
            raw::write(count, dropped);
            Ok(VRRP_OK)
        })
    }
}

/// Answers how many interfaces are watched and writes their names to `names`, which has room for
/// `capacity`. With a `names` of NULL nothing is written.
///
/// Errors: `VRRP_ERR_BUFFER`: there are more than `capacity`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_interfaces(
    host: *mut vrrp_host,
    names: *mut vrrp_host_name,
    capacity: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            call(host, |inner| {
                let all = inner.host.interfaces();
                let names_of = all.iter().map(|i| vrrp_host_name {
                    name: message::field(&i.name),
                });
                list(names_of, names, capacity)
            })
        })
    }
}

/// Tells how a watched interface is. Set `interface->size` before.
///
/// Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`: it is not watched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_interface(
    host: *mut vrrp_host,
    name: *const c_char,
    interface: *mut vrrp_interface,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let size = raw::check_sized(interface)?;
            let name = string(name)?;
            let all = call(host, |inner| Ok::<_, c_int>(inner.host.interfaces()))?;
            let found = all.iter().find(|i| i.name == name);
            raw::write_sized(
                interface,
                size,
                (&found.ok_or(VRRP_ERR_NOT_FOUND)?.state).into(),
            );
            Ok(VRRP_OK)
        })
    }
}

/// Writes to `count` how many packets that came in by a watched interface were discarded for
/// `reason`, one of `VRRP_DROP_*`.
///
/// Errors: `VRRP_ERR_VALUE`: no such reason; `VRRP_ERR_NOT_FOUND`: it is not watched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_interface_drops(
    host: *mut vrrp_host,
    name: *const c_char,
    reason: c_int,
    count: *mut u64,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            raw::check(count)?;
            let name = string(name)?;
            let reason = legal_reason(reason)?;
            let all = call(host, |inner| Ok::<_, c_int>(inner.host.interfaces()))?;
            let found = all.iter().find(|i| i.name == name);
            let drops = &found.ok_or(VRRP_ERR_NOT_FOUND)?.drops;
            let dropped = drops.iter().find(|(r, _)| *r == reason);
            raw::write(count, dropped.map_or(0, |(_, count)| *count));
            Ok(VRRP_OK)
        })
    }
}

/// Writes to `sighting` one of the masters that are, or lately were, heard on our segments, ourselves
/// included, and answers 1; 0: there is none with this `index`. They count from 0. With an `index` of 0
/// the library takes a new look, and with any other it goes on in that, so that none is told twice or
/// left out. Set `sighting->size` before.
///
/// Errors: `VRRP_ERR_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_segment(
    host: *mut vrrp_host,
    index: usize,
    sighting: *mut vrrp_host_sighting,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let size = raw::check_sized(sighting)?;
            call(host, |inner| {
                if index == 0 {
                    inner.segment = inner.host.segment();
                }
                let Some(found) = inner.segment.get(index) else {
                    inner.segment = Vec::new();
                    return Ok(0);
                };
                raw::write_sized(sighting, size, found.into());
                Ok(1)
            })
        })
    }
}

/// The report on one virtual router.
///
/// # Safety
/// The pointers are as the header asks.
unsafe fn report(host: *mut vrrp_host, id: *const vrrp_host_id) -> Result<VrReport, c_int> {
    // SAFETY: the contract is the same.
    unsafe {
        let id = spec::id(id)?;
        call(host, |inner| {
            inner.host.status(&id).ok_or(VRRP_ERR_NOT_FOUND)
        })
    }
}

/// Counts, and writes unless the pointer is NULL.
///
/// # Safety
/// `to` is NULL or has room for `capacity`.
unsafe fn list<T: Plain>(
    all: impl ExactSizeIterator<Item = T>,
    to: *mut T,
    capacity: usize,
) -> Result<c_int, c_int> {
    let count = all.len();
    if !to.is_null() {
        if count > capacity {
            return Err(VRRP_ERR_BUFFER);
        }
        // SAFETY: there is room for as many.
        let to = unsafe { raw::items_mut(to, count)? };
        to.iter_mut().zip(all).for_each(|(slot, item)| *slot = item);
    }
    number(count)
}

fn number(count: usize) -> Result<c_int, c_int> {
    c_int::try_from(count).map_err(|_| VRRP_ERR_OTHER)
}

impl From<&VrReport> for vrrp_host_service {
    fn from(report: &VrReport) -> Self {
        Self {
            size: size_of::<Self>() as u32,
            mac_mode: match report.mac_mode {
                MacMode::Virtual => VRRP_MAC_VIRTUAL,
                MacMode::Interface => VRRP_MAC_INTERFACE,
            },
            mac: report.mac.0,
            leaving: report.leaving.into(),
            mac_interface: message::field(report.mac_interface.as_deref().unwrap_or_default()),
            source: report.source.map_or_else(Default::default, Into::into),
            interface_up: report.interface.up.into(),
            refused: report.refused.is_some().into(),
        }
    }
}

impl From<&Sighting> for vrrp_host_sighting {
    fn from(seen: &Sighting) -> Self {
        let mut addresses = [vrrp_address::default(); VRRP_HOST_MAX_ADDRESSES];
        let theirs = seen.addresses.iter().map(|&address| address.into());
        let addresses_len = event::copy(&mut addresses, theirs);
        let id = ::vrrp_host::VrId {
            interface: seen.interface.clone(),
            vrid: seen.vrid,
            family: seen.family,
            name: None,
        };
        Self {
            size: size_of::<Self>() as u32,
            id: event::id(&id),
            mac: seen.mac.0,
            router: vrrp_peer {
                address: seen.address.into(),
                priority: seen.priority,
            },
            version: seen.version,
            stale: seen.stale.into(),
            ours: seen.ours.into(),
            is_self: seen.is_self.into(),
            interval_cs: seen.interval.as_centis(),
            addresses_len,
            age_us: vrrp_core::Duration::from(seen.age).as_micros(),
            addresses,
            refused: seen.refused.is_some().into(),
            reserved: [0; 5],
            drop_reason: seen
                .refused
                .as_ref()
                .map_or(0, |refused| convert::drop_reason(refused.reason) as u16),
        }
    }
}
