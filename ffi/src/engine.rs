//! The calls that change an engine: its making, the administrator's side, facts, inputs and outputs.

use core::ffi::{c_int, c_void};
use core::mem::{align_of, size_of};
use core::net::{IpAddr, Ipv4Addr};

use vrrp_core::wire::Claim;
use vrrp_core::{
    Instant, Output, Poll, Priority, Track, TrackEffect, Verdict, VirtualAddress, VrConfig,
};

use crate::admin::{administer, configure, track};
use crate::convert::{self, Legal};
use crate::handle::{self, Engine, VRRP_MAX_ADDRESSES, content, content_mut, vrrp};
use crate::numbers::*;
use crate::raw;
use crate::raw::Sized32;
use crate::types::*;

/// The result of a call as a number.
#[inline(always)]
pub(crate) fn answer(work: impl FnOnce() -> Answer) -> c_int {
    match work() {
        Ok(number) | Err(number) => number,
    }
}

/// The octets of storage that an engine of this library needs. `VRRP_STORAGE_SIZE` is as much or a
/// little more, for the capacities that the program was compiled with.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_storage_size() -> usize {
    size_of::<vrrp>()
}

/// The alignment that storage needs. `union vrrp_storage` has it, and so has what malloc() gives.
#[unsafe(no_mangle)]
pub extern "C" fn vrrp_storage_align() -> usize {
    align_of::<vrrp>()
}

/// Makes an empty engine in `storage`, which is `size` octets long, and writes its handle to
/// `vrrp`. `abi` is `VRRP_ABI`.
///
/// The storage is yours: it must stay where it is while the handle is used, and may be reused or
/// freed afterwards without a further call. To start over, initialise it again.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_ABI`: compile the program with the header of the library;
/// `VRRP_ERR_STORAGE`: `size` is below `vrrp_storage_size()`; `VRRP_ERR_ALIGN`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_init(
    storage: *mut c_void,
    size: usize,
    abi: u32,
    vrrp: *mut *mut vrrp,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| handle::init(storage, size, abi, vrrp, Engine::new)) }
}

/// Writes the defaults of the RFC to `config`, which is `size` octets long: sizeof(struct vrrp_config).
/// There is no default for `addresses`.
///
/// Errors: `VRRP_ERR_NULL`, `VRRP_ERR_ALIGN`; `VRRP_ERR_SIZE`: `size` is less than the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_config_init(config: *mut vrrp_config, size: usize) -> c_int {
    // SAFETY: the caller keeps the contract of the header; what is written lies within `size`.
    unsafe {
        answer(|| {
            raw::check(config)?;
            let whole = u32::try_from(size).map_err(|_| VRRP_ERR_SIZE)?;
            if size < vrrp_config::FIRST {
                return Err(VRRP_ERR_SIZE);
            }
            config.cast::<u8>().write_bytes(0, size);
            raw::write_sized(config, size, vrrp_config::with_defaults(whole));
            raw::write(&raw mut (*config).size, whole);
            Ok(VRRP_OK)
        })
    }
}

/// Adds a virtual router. It takes no part until `vrrp_set_enabled()`.
///
/// Errors: `VRRP_ERR_EXISTS`, also while one with this key is being removed: wait for
/// `VRRP_OUTPUT_REMOVED`; `VRRP_ERR_ROUTERS_FULL`, `VRRP_ERR_INTERFACES_FULL`,
/// `VRRP_ERR_ADDRESSES_FULL`, `VRRP_ERR_TRACKS_FULL`: build the library with larger capacities; what
/// is wrong with `config`: `VRRP_ERR_SIZE`, `VRRP_ERR_NO_ADDRESSES`, `VRRP_ERR_BAD_ADDRESS`,
/// `VRRP_ERR_FAMILY_VERSION`, `VRRP_ERR_BAD_INTERVAL`, `VRRP_ERR_BAD_DELAY`, `VRRP_ERR_AUTH_VERSION`,
/// `VRRP_ERR_BAD_MAX_HOPS`, `VRRP_ERR_SOURCE`, and `VRRP_ERR_VALUE` for what is none of the values
/// that a field allows.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_insert(
    vrrp: *mut vrrp,
    now_us: u64,
    key: *const vrrp_key,
    config: *const vrrp_config,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        configure(vrrp, now_us, key, config, |admin, key, config| {
            admin.insert(key, config)
        })
    }
}

/// Changes the configuration of a virtual router. Its state stays, what did not change is not
/// disturbed, and while it is Active what did change is advertised at once.
///
/// Errors: as `vrrp_insert()`, but `VRRP_ERR_NOT_FOUND` for `VRRP_ERR_EXISTS`;
/// `VRRP_ERR_MAC_MODE_FIXED`. The configuration is then as before.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_reconfigure(
    vrrp: *mut vrrp,
    now_us: u64,
    key: *const vrrp_key,
    config: *const vrrp_config,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        configure(vrrp, now_us, key, config, |admin, key, config| {
            admin.reconfigure(key, config)
        })
    }
}

/// Removes a virtual router, as gracefully as `vrrp_set_enabled()` stops it. It is gone when
/// `VRRP_OUTPUT_REMOVED` comes.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_remove(vrrp: *mut vrrp, now_us: u64, key: *const vrrp_key) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { administer(vrrp, now_us, key, |admin, key| admin.remove(key)) }
}

/// Enables (`on` is not 0) or disables a virtual router. An Active one that is disabled says so with
/// priority 0 and serves its addresses until its successor is heard: four intervals at most, or ten
/// seconds if that is less; one and a half intervals if those are more than ten seconds.
///
/// Errors: `VRRP_ERR_NOT_FOUND`, also for one that is being removed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_set_enabled(
    vrrp: *mut vrrp,
    now_us: u64,
    key: *const vrrp_key,
    on: c_int,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        administer(vrrp, now_us, key, |admin, key| {
            admin.set_enabled(key, on != 0)
        })
    }
}

/// Puts `priority`, 1 to 255, in the place of the configured one; 0 goes back to that.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_set_priority(
    vrrp: *mut vrrp,
    now_us: u64,
    key: *const vrrp_key,
    priority: u8,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        administer(vrrp, now_us, key, |admin, key| {
            admin.set_priority(key, Priority::new(priority))
        })
    }
}

/// Gives up being Active in favour of whoever takes over; with nobody there it stays Active. A
/// router that resigned does not preempt until it has been Active again or its priority is set.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_resign(vrrp: *mut vrrp, now_us: u64, key: *const vrrp_key) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { administer(vrrp, now_us, key, |admin, key| admin.resign(key)) }
}

/// States how an interface is, whenever that changes. One that was never described is down.
///
/// Errors: `VRRP_ERR_INTERFACES_FULL`: remove one, or build the library with larger capacities;
/// `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: `reserved` is not zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_set_interface(
    vrrp: *mut vrrp,
    now_us: u64,
    ifindex: u32,
    interface: *const vrrp_interface,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content_mut(vrrp)?;
            let state = raw::read_sized(interface)?.legal()?;
            done(engine.set_interface(at(now_us), ifindex, state))
        })
    }
}

/// Forgets an interface.
///
/// Errors: `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_IN_USE`: remove its virtual routers first, and wait for
/// `VRRP_OUTPUT_REMOVED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_remove_interface(vrrp: *mut vrrp, ifindex: u32) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| done(content_mut(vrrp)?.remove_interface(ifindex))) }
}

/// States whether a tracked object is up (`up` is not 0): a link, a process, whatever the number
/// means to you. Objects that nobody tracks are ignored; one that was never described is up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_set_tracked(
    vrrp: *mut vrrp,
    now_us: u64,
    object: u16,
    up: c_int,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { track(vrrp, now_us, |admin| admin.set_tracked(object, up != 0)) }
}

/// Takes in a frame from its Ethernet header on, VLAN tag and FCS removed.
///
/// Answers `VRRP_ACCEPTED`; `VRRP_NOT_VRRP`: it is for somebody else; or why it was discarded and
/// counted, one of `VRRP_DROP_*`. Nothing that a frame holds is an error of the caller. When
/// `accepted` is not NULL the key of the virtual router that accepted it is written there.
///
/// Errors: `VRRP_ERR_NULL`: `frame` is NULL and `len` is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_handle_frame(
    vrrp: *mut vrrp,
    now_us: u64,
    ifindex: u32,
    frame: *const u8,
    len: usize,
    accepted: *mut vrrp_key,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content_mut(vrrp)?;
            let frame = raw::items(frame, len)?;
            Ok(tell(
                &engine.handle_frame(at(now_us), ifindex, frame),
                accepted,
            ))
        })
    }
}

/// Takes in a VRRP message, that is the payload of an IP packet of protocol 112, when your stack has
/// read and checked the IP header itself. Answers as `vrrp_handle_frame()`.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: the addresses are of no family, or of
/// two.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_handle_packet(
    vrrp: *mut vrrp,
    now_us: u64,
    packet: *const vrrp_packet,
    message: *const u8,
    len: usize,
    accepted: *mut vrrp_key,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content_mut(vrrp)?;
            let (ifindex, datagram) =
                convert::datagram(&raw::read_sized(packet)?, raw::items(message, len)?)?;
            Ok(tell(
                &engine.handle_datagram(at(now_us), ifindex, &datagram),
                accepted,
            ))
        })
    }
}

/// Does what has come due. Call it no later than `vrrp_poll_timeout()` says, and after the frames
/// that have arrived by then were handled: a host that woke late must not take a healthy Active
/// router for dead. Calling it too early or too often is no harm.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_handle_timeout(vrrp: *mut vrrp, now_us: u64) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            content_mut(vrrp)?.handle_timeout(at(now_us));
            Ok(VRRP_OK)
        })
    }
}

/// Says that an effect could not be performed: hand back the output of kind `VRRP_OUTPUT_SET_MAC`,
/// `VRRP_OUTPUT_SET_ADDRESS` or `VRRP_OUTPUT_SET_GROUP`, unchanged. When somebody else undid it
/// later, fill in `size`, `kind`, `key` and, for an address, `address`. The engine asks again by
/// itself, and gives up being Active meanwhile where it cannot serve. What it did not ask for is
/// ignored.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: another kind, or no legal key or
/// address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_handle_failure(
    vrrp: *mut vrrp,
    now_us: u64,
    output: *const vrrp_output,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content_mut(vrrp)?;
            let output = raw::read_sized(output)?;
            engine.handle_failure(at(now_us), output.legal()?);
            Ok(VRRP_OK)
        })
    }
}

/// Gives the next thing to do, in order. Answers 1 with `output` filled in, and with the frame of
/// a `VRRP_OUTPUT_TRANSMIT` at the beginning of `buffer`; 0 when there is nothing to do. Set
/// `output->size` before the first call.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_BUFFER`: the next frame does not fit. Nothing
/// is lost: the next call gives it. `VRRP_MAX_FRAME_LEN` octets are always enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_poll_output(
    vrrp: *mut vrrp,
    buffer: *mut u8,
    len: usize,
    output: *mut vrrp_output,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content_mut(vrrp)?;
            let size = raw::check_sized(output)?;
            if !engine.has_output() {
                // Most inputs leave nothing to do: the buffer is not looked at.
                return Ok(0);
            }
            match engine.poll_output(raw::items_mut(buffer, len)?) {
                // Inline, for it is what almost all others are.
                Poll::Output(Output::Transmit(frame)) => {
                    raw::write_sized(output, size, frame.into())
                }
                Poll::Output(other) => raw::write_sized(output, size, other.into()),
                Poll::BufferTooSmall => return Err(VRRP_ERR_BUFFER),
                Poll::Done => return Ok(0),
            }
            Ok(1)
        })
    }
}

/// Writes to `deadline_us` when `vrrp_handle_timeout()` is to be called at the latest, by the clock
/// of your `now_us`; `VRRP_NEVER`: not before something else happens. It may lie in the past, and a
/// little before anything is due. Ask again after every input.
///
/// Errors: `VRRP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_poll_timeout(vrrp: *const vrrp, deadline_us: *mut u64) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content(vrrp)?;
            raw::check(deadline_us)?;
            let deadline = engine.poll_timeout().map_or(VRRP_NEVER, Instant::as_micros);
            raw::write(deadline_us, deadline);
            Ok(VRRP_OK)
        })
    }
}

/// For stacks that must not answer for the virtual addresses themselves: takes an ARP request or a
/// neighbour solicitation in `frame`, and answers 1 with the frame to send in `buffer`, described by
/// `output` as a `VRRP_OUTPUT_TRANSMIT`; 0 when no answer is due, whatever the frame is. `buffer`
/// and `frame` must not overlap.
///
/// Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_BUFFER`: the answer does not fit;
/// `VRRP_MAX_FRAME_LEN` octets are always enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_answer(
    vrrp: *const vrrp,
    ifindex: u32,
    frame: *const u8,
    frame_len: usize,
    buffer: *mut u8,
    len: usize,
    output: *mut vrrp_output,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content(vrrp)?;
            let size = raw::check_sized(output)?;
            let frame = raw::items(frame, frame_len)?;
            let buffer = raw::items_mut(buffer, len)?;
            if let Some(reply) = engine.answer(ifindex, frame, buffer) {
                raw::write_sized(output, size, reply.into());
                return Ok(1);
            }
            // Was none due, or did it not fit?
            let due = len < ANSWER_LEN
                && engine
                    .answer(ifindex, frame, &mut [0; ANSWER_LEN])
                    .is_some();
            if due { Err(VRRP_ERR_BUFFER) } else { Ok(0) }
        })
    }
}

/// Takes in an ARP packet or a neighbour advertisement of another host, from its Ethernet header on.
/// Answers 1 with `key` when it answers a `VRRP_FRAME_NEIGHBOR_PROBE` of that virtual router: the Active
/// router is silent, and somebody has the address; 0 otherwise, whatever the frame is. An engine that
/// never hears of claims takes over as if nobody had answered.
///
/// Errors: `VRRP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_handle_claim(
    vrrp: *mut vrrp,
    ifindex: u32,
    frame: *const u8,
    frame_len: usize,
    key: *mut vrrp_key,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content_mut(vrrp)?;
            raw::check(key)?;
            let claim = Claim::new(raw::items(frame, frame_len)?);
            let answered = claim.and_then(|claim| engine.handle_claim(ifindex, &claim));
            let Some(answered) = answered else {
                return Ok(0);
            };
            raw::write(key, answered.into());
            Ok(1)
        })
    }
}

/// The longest answer: Ethernet, IPv6, and a neighbour advertisement with its option.
const ANSWER_LEN: usize = 14 + 40 + 32;

#[inline]
pub(crate) fn at(now_us: u64) -> Instant {
    Instant::from_micros(now_us)
}

pub(crate) fn done(result: Result<(), vrrp_core::Error>) -> Answer {
    result.map(|()| VRRP_OK).map_err(convert::error)
}

/// Does `work` with the legal values of a configuration.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn with_config(
    config: *const vrrp_config,
    work: impl FnOnce(&VrConfig<'_>) -> Result<(), vrrp_core::Error>,
) -> Answer {
    // SAFETY: the contract is the same.
    let (config, addresses, peers, tracks) = unsafe {
        let config = raw::read_sized(config)?;
        let addresses = raw::items(config.addresses, config.addresses_len)?;
        let peers = raw::items(config.peers, config.peers_len)?;
        let tracks = raw::items(config.tracks, config.tracks_len)?;
        (config, addresses, peers, tracks)
    };
    let (mut a, mut p, mut t) = (NO_ADDRESSES, NO_PEERS, NO_TRACKS);
    done(work(&VrConfig {
        addresses: list(addresses, &mut a, VRRP_ERR_ADDRESSES_FULL)?,
        peers: list(peers, &mut p, VRRP_ERR_ADDRESSES_FULL)?,
        tracks: list(tracks, &mut t, VRRP_ERR_TRACKS_FULL)?,
        source: convert::source(config.source)?,
        settings: config.settings(|_, code| code)?,
    }))
}

const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const NO_PEERS: [IpAddr; VRRP_MAX_ADDRESSES] = [UNSPECIFIED; VRRP_MAX_ADDRESSES];
const NO_ADDRESSES: [VirtualAddress; VRRP_MAX_ADDRESSES] = [VirtualAddress {
    address: UNSPECIFIED,
    prefix_len: 0,
}; VRRP_MAX_ADDRESSES];
const NO_TRACKS: [Track; VRRP_MAX_TRACKS] = [Track {
    object: 0,
    effect: TrackEffect::Fault,
}; VRRP_MAX_TRACKS];

/// The legal values of what C has written, in `space`. `full`: the error of too many.
fn list<'s, T: Copy, C: Legal<T>>(
    given: &[C],
    space: &'s mut [T],
    full: c_int,
) -> Result<&'s [T], c_int> {
    let space = space.get_mut(..given.len()).ok_or(full)?;
    for (slot, given) in space.iter_mut().zip(given) {
        *slot = given.legal()?;
    }
    Ok(space)
}

/// The number of a verdict, and its key where the caller asked for it.
///
/// # Safety
/// As [`raw::write_optional`].
#[inline]
unsafe fn tell(verdict: &Verdict<'_>, accepted: *mut vrrp_key) -> c_int {
    if let Some(key) = verdict.accepted() {
        // SAFETY: by the contract.
        unsafe { raw::write_optional(accepted, key.into()) };
    }
    convert::verdict(verdict)
}
