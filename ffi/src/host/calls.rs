//! Opening, running, changing and closing a host.

use std::ffi::{c_char, c_int};
use std::path::{Path, PathBuf};

use ::vrrp_host::{Host, HostConfig, Reload};
use vrrp_core::Priority;

use super::event;
use super::handle::{self, Inner, Trouble, call, vrrp_host};
use super::message::{self, Out, Refusal};
use super::os;
use super::spec;
use super::text;
use super::types::*;
use crate::convert;
use crate::engine::{answer, vrrp_config_init};
use crate::numbers::*;
use crate::raw::{self, string};
use crate::types::vrrp_config;
use ::vrrp_host::Platform;

/// Opens a host in the network namespace of the calling thread and makes everything ready for the
/// virtual routers of `config`. What a killed process has left there is removed first. Nothing is
/// sent or received before the first `vrrp_host_step()`: until then, `vrrp_host_set_tracked()` can
/// say that something is not up yet, and `vrrp_host_set_enabled()` can hold a virtual router back.
///
/// A virtual router whose interface cannot do what is needed, such as a tunnel without Ethernet,
/// keeps no other from starting: it waits in Initialize, a `VRRP_HOST_EVENT_PROBLEM` says why, `refused`
/// of `vrrp_host_service()` is 1, and it is tried again, at the latest a minute later.
///
/// `abi` is `VRRP_ABI`. `options` may be NULL: the default of each. On success the handle is written
/// to `host`; close it with `vrrp_host_close()`. `message` may be NULL; else it points to
/// `message_size` octets, and in case of an error they say what is wrong with which field, or what
/// the operating system refused; otherwise they become an empty string. The texts end with a 0 and
/// are cut with "..." where they are too long.
///
/// Errors: `VRRP_ERR_ABI`: compile the program with the header of the library;
/// `VRRP_ERR_HOST_DENIED`; `VRRP_ERR_HOST_SYSTEM`; what is wrong with `config`: the errors of
/// `vrrp_insert()`, `VRRP_ERR_EXISTS` for a virtual router that is named twice,
/// `VRRP_ERR_NOT_FOUND` for a tracked one that does not exist, `VRRP_ERR_HOST_CONFIG` for an address
/// that two have, or one that tracks itself.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_open(
    abi: u32,
    config: *const vrrp_host_config,
    options: *const vrrp_host_options,
    host: *mut *mut vrrp_host,
    message: *mut c_char,
    message_size: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        explain(message, message_size, || {
            let options = Options::read(abi, options, host)?;
            let config = spec::config(config)?;
            let runtime_dir = options.runtime_dir.clone();
            let runtime_dir = runtime_dir.unwrap_or(os::RUNTIME_DIR.into());
            host.write(open(config, runtime_dir, options, false)?);
            Ok(String::new())
        })
    }
}

/// Writes the defaults of vrrpd to `settings`, which is `size` octets long: sizeof(struct vrrp_config).
/// They are those of `vrrp_config_init()` but for `accept`, which is 1: the host takes packets to its
/// addresses. There is no default for `addresses`.
///
/// Errors: `VRRP_ERR_NULL`, `VRRP_ERR_ALIGN`; `VRRP_ERR_SIZE`: `size` is less than the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_settings_init(settings: *mut vrrp_config, size: usize) -> c_int {
    // SAFETY: the caller keeps the contract of the header, which is the same for both; after a
    // success all of the struct is there.
    unsafe {
        let done = vrrp_config_init(settings, size);
        if done == VRRP_OK {
            (&raw mut (*settings).accept).write(1);
        }
        done
    }
}

/// Opens a host as `vrrp_host_open()` does, with the `text_len` octets of `text` as its
/// configuration: the language of vrrpd.conf(5). Event scripts are refused, for it is the program
/// that acts on events; keys that only a daemon has a use for are said to have no effect.
///
/// On success `message` holds what there is to know about the text, a warning or note a line; it is
/// empty when there is nothing. With `antireplay = monotonic` a boot count is taken from the disk, and
/// a warning says when it does not go on from the one before or cannot be kept. In case of an error it holds everything that is wrong, a line each:
/// "config:12: priority: expected a number from 1 to 255, found `300`".
///
/// Errors: `VRRP_ERR_HOST_CONFIG`: the text; else as `vrrp_host_open()`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_open_config(
    abi: u32,
    text: *const c_char,
    text_len: usize,
    options: *const vrrp_host_options,
    host: *mut *mut vrrp_host,
    message: *mut c_char,
    message_size: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        explain(message, message_size, || {
            let options = Options::read(abi, options, host)?;
            let octets = raw::items(text.cast::<u8>(), text_len)?;
            let own = options.runtime_dir.clone();
            let name = &options.config_name;
            let facts = text::facts(name, octets, own.as_deref());
            let own_state_dir = options.state_dir.as_deref();
            let mut text =
                text::read(name, octets, own.is_some(), own_state_dir.is_some(), &facts)?;
            let is_counted = text.count(own_state_dir, name);
            let runtime_dir = own.unwrap_or(text.runtime_dir);
            host.write(open(text.config, runtime_dir, options, is_counted)?);
            Ok(text.remarks.join("\n"))
        })
    }
}

/// Reads a text as `vrrp_host_open_config()` does and opens nothing: for a program's own check of its
/// configuration. What cannot work on this host as it is now is an error, too; opening and reloading leave
/// only that virtual router down. `config_name` is what messages call it; NULL: "config".
/// `message` is filled in as there.
///
/// Errors: `VRRP_ERR_HOST_CONFIG`: the text.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_check_config(
    text: *const c_char,
    text_len: usize,
    config_name: *const c_char,
    message: *mut c_char,
    message_size: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        explain(message, message_size, || {
            let name = optional("config_name", config_name)?.unwrap_or(DEFAULT_NAME);
            let octets = raw::items(text.cast::<u8>(), text_len)?;
            let text = text::read_fitting(Path::new(name), octets)?;
            Ok(text.remarks.join("\n"))
        })
    }
}

/// The descriptor to wait for: it is readable when `vrrp_host_step()` has something to do, timers
/// included. It is the same for the life of the host; poll, epoll, kqueue and every event loop take
/// it, level-triggered (with EPOLLET or EV_CLEAR you would miss what a step leaves for the next). Do
/// not read from it, and do not close it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_fd(host: *mut vrrp_host) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| call(host, |inner| Ok(inner.host.fd()))) }
}

/// Receives what has arrived, does what has come due, and performs what follows. Call it once after
/// opening, and then whenever the descriptor is readable. It does not block; the work of one call is
/// bounded, and what remains keeps the descriptor readable.
///
/// Errors: `VRRP_ERR_HOST_SYSTEM` and `VRRP_ERR_HOST_DENIED`: a part of it failed, and the next
/// event, a `VRRP_HOST_EVENT_PROBLEM`, says what, once a minute when it lasts. The host goes on: step
/// again as ever, but 20 ms later, lest a lasting fault become a busy loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_step(host: *mut vrrp_host) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            call(host, |inner| {
                let Err(error) = inner.host.step() else {
                    return Ok(VRRP_OK);
                };
                let text = format!("the network cannot be read: {error}");
                inner.trouble.note(text);
                Err(message::io_code(&error))
            })
        })
    }
}

/// Takes the next thing that happened. Answers 1 with `event` filled in, 0 when there is nothing
/// new. Take events until it answers 0 after `vrrp_host_step()`, and after every call that changes
/// something. Set `event->size` before the first.
///
/// A program that does not keep up loses events, and is told so by a `VRRP_HOST_EVENT_LOST`; memory stays
/// bounded, and the last state of every virtual router is kept.
///
/// Errors: `VRRP_ERR_SIZE`. No event is lost by it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_next_event(
    host: *mut vrrp_host,
    event: *mut vrrp_host_event,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let size = raw::check_sized(event)?;
            call(host, |inner| {
                if let Some(text) = inner.trouble.untold.take() {
                    raw::write_sized(event, size, event::problem(&text));
                    return Ok(1);
                }
                let Some(next) = inner.host.next_event() else {
                    return Ok(0);
                };
                raw::write_sized(event, size, event::event(&next));
                Ok(1)
            })
        })
    }
}

/// Goes over to another configuration, wholly or, with an error, not at all. Virtual routers that
/// did not change are not touched; those that are gone stop gracefully, and a `VRRP_HOST_EVENT_REMOVED`
/// follows. A priority that was set by `vrrp_host_set_priority()` stays until the configured one
/// changes. On success `message` says how many were added, changed, removed and left alone.
///
/// Errors: as `vrrp_host_open()`; `VRRP_ERR_HOST_STOPPING`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_reload(
    host: *mut vrrp_host,
    config: *const vrrp_host_config,
    message: *mut c_char,
    message_size: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        explain(message, message_size, || {
            call(host, |inner| {
                let reload = inner.host.reload(spec::config(config)?)?;
                Ok(summary(&reload))
            })
        })
    }
}

/// Goes over to the configuration of a text, as `vrrp_host_reload()` does. Remarks about the text
/// come before the summary in `message`, a line each. The directory of `runtimedir` stays the one
/// that the host was opened with. A boot count is taken if there is none yet, or the last one is not on
/// the disk, which this call then waits for.
///
/// Errors: as `vrrp_host_open_config()`; `VRRP_ERR_HOST_STOPPING`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_reload_config(
    host: *mut vrrp_host,
    text: *const c_char,
    text_len: usize,
    message: *mut c_char,
    message_size: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        explain(message, message_size, || {
            let octets = raw::items(text.cast::<u8>(), text_len)?;
            call(host, |inner| {
                let (name, own) = (&inner.config_name, inner.own_runtime_dir);
                let own_state_dir = inner.own_state_dir.as_deref();
                let facts = inner.host.platform().facts();
                let mut text = text::read(name, octets, own, own_state_dir.is_some(), &facts)?;
                let is_counted = inner.is_counted || text.count(own_state_dir, name);
                let mut said = text.remarks;
                let reload = inner.host.reload(text.config)?;
                // The host has it: a reload that was refused has not given it.
                inner.is_counted = is_counted;
                if !inner.own_runtime_dir && text.runtime_dir != inner.runtime_dir {
                    let name = inner.config_name.display();
                    let stays = inner.runtime_dir.display();
                    said.push(format!(
                        "{name}: warning: runtimedir: stays {stays} until the host is opened anew"
                    ));
                }
                said.push(summary(&reload));
                Ok(said.join("\n"))
            })
        })
    }
}

/// Puts `priority`, 1 to 255, in the place of the configured one; 0 goes back to that.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_set_priority(
    host: *mut vrrp_host,
    id: *const vrrp_host_id,
    priority: u8,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let id = spec::id(id)?;
            call(host, |inner| {
                let result = inner.host.set_priority(&id, Priority::new(priority));
                result.map_or_else(|error| Err(convert::error(error)), |()| Ok(VRRP_OK))
            })
        })
    }
}

/// Gives up being Active in favour of whoever takes over; with nobody there it stays Active. A
/// router that resigned does not preempt until it has been Active again or its priority is set.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_resign(host: *mut vrrp_host, id: *const vrrp_host_id) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let id = spec::id(id)?;
            call(host, |inner| {
                let result = inner.host.resign(&id);
                result.map_or_else(|error| Err(convert::error(error)), |()| Ok(VRRP_OK))
            })
        })
    }
}

/// Stops a virtual router gracefully (`on` is 0), or starts it again.
///
/// Errors: `VRRP_ERR_NOT_FOUND`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_set_enabled(
    host: *mut vrrp_host,
    id: *const vrrp_host_id,
    on: c_int,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let id = spec::id(id)?;
            call(host, |inner| {
                let result = inner.host.set_enabled(&id, on != 0);
                result.map_or_else(|error| Err(convert::error(error)), |()| Ok(VRRP_OK))
            })
        })
    }
}

/// States whether the `VRRP_HOST_OBJECT_NAMED` of this name is up (`up` is not 0): your database,
/// your readiness to serve. Until it is stated first, it is up.
///
/// Errors: `VRRP_ERR_NOT_FOUND`: no virtual router tracks it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_set_tracked(
    host: *mut vrrp_host,
    name: *const c_char,
    up: c_int,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let name = string(name)?;
            call(host, |inner| match inner.host.set_tracked(name, up != 0) {
                true => Ok(VRRP_OK),
                false => Err(VRRP_ERR_NOT_FOUND),
            })
        })
    }
}

/// Begins to stop every virtual router gracefully: those that are Active say so with priority 0 and
/// serve their addresses until the successor is heard, four intervals at most, as with
/// `vrrp_set_enabled()`. Go on stepping until `vrrp_host_is_stopped()` answers 1, then close; or close
/// when you cannot wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_shutdown(host: *mut vrrp_host) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            call(host, |inner| {
                inner.host.shutdown();
                Ok(VRRP_OK)
            })
        })
    }
}

/// Answers 1 when a shutdown is complete, else 0. An address whose TCP connections are being reset may still
/// be on the loopback then; it goes soon, and when the host is closed at the latest. Ask before you wait
/// again: a host that has stopped makes its descriptor readable no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_is_stopped(host: *mut vrrp_host) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| call(host, |inner| Ok(inner.host.is_stopped().into()))) }
}

/// Removes at once everything that the host has installed, and frees the handle; NULL is no harm.
/// Others are not told: without a shutdown before it they take over when they miss us. Removing
/// takes some tens of milliseconds. What cannot be removed, the next life removes.
///
/// In a fork of the process that opened the host it closes the descriptors, frees the memory and
/// leaves the network to the parent.
///
/// Errors: `VRRP_ERR_HANDLE`; `VRRP_ERR_HOST_BUSY`: nothing was done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vrrp_host_close(host: *mut vrrp_host) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe { answer(|| handle::close(host)) }
}

/// The default name of a configuration in messages.
const DEFAULT_NAME: &str = "config";

/// How a host is opened.
struct Options {
    runtime_dir: Option<PathBuf>,
    config_name: PathBuf,
    state_dir: Option<PathBuf>,
}

impl Options {
    /// Checks what both ways of opening are given besides the configuration.
    ///
    /// # Safety
    /// The pointers are as the header asks.
    unsafe fn read(
        abi: u32,
        options: *const vrrp_host_options,
        host: *mut *mut vrrp_host,
    ) -> Result<Self, Refusal> {
        if abi != VRRP_ABI {
            return Err(VRRP_ERR_ABI.into());
        }
        raw::check(host).map_err(|code| Refusal::field("host", code))?;
        let mut read = Self {
            runtime_dir: None,
            config_name: DEFAULT_NAME.into(),
            state_dir: None,
        };
        if options.is_null() {
            return Ok(read);
        }
        // SAFETY: the contract is the same; strings end with a 0.
        unsafe {
            let given = raw::read_sized(options).map_err(|code| Refusal::field("options", code))?;
            read.runtime_dir = directory("options.runtime_dir", given.runtime_dir)?;
            read.state_dir = directory("options.state_dir", given.state_dir)?;
            if let Some(name) = optional("options.config_name", given.config_name)? {
                read.config_name = name.into();
            }
        }
        Ok(read)
    }
}

/// A string, unless it is NULL.
///
/// # Safety
/// It is NULL, or ends with a 0.
unsafe fn optional<'a>(path: &str, text: *const c_char) -> Result<Option<&'a str>, Refusal> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the contract is the same.
    let text = unsafe { string(text) };
    text.map(Some).map_err(|code| Refusal::field(path, code))
}

/// An absolute path, unless it is NULL.
///
/// # Safety
/// It is NULL, or ends with a 0.
unsafe fn directory(field: &str, text: *const c_char) -> Result<Option<PathBuf>, Refusal> {
    // SAFETY: the contract is the same.
    let Some(path) = (unsafe { optional(field, text)? }) else {
        return Ok(None);
    };
    if !Path::new(path).is_absolute() {
        let text = format!("{field}: expected an absolute path, found `{path}`");
        return Err(Refusal::new(VRRP_ERR_VALUE, text));
    }
    Ok(Some(path.into()))
}

fn open(
    config: HostConfig,
    runtime_dir: PathBuf,
    options: Options,
    is_counted: bool,
) -> Result<*mut vrrp_host, Refusal> {
    // The engine is built by a thread of its own.
    let host =
        os::without_signals(|| Host::open(os::open(&runtime_dir)?, config).map_err(Refusal::from))?;
    Ok(handle::new(Inner {
        host,
        runtime_dir,
        own_runtime_dir: options.runtime_dir.is_some(),
        own_state_dir: options.state_dir,
        is_counted,
        config_name: options.config_name,
        trouble: Trouble::default(),
        segment: Vec::new(),
    }))
}

/// Does `work` and answers its number, with its words in the caller's message.
///
/// # Safety
/// `message` is NULL or points to `size` octets that nobody else uses.
unsafe fn explain(
    message: *mut c_char,
    size: usize,
    work: impl FnOnce() -> Result<String, Refusal>,
) -> c_int {
    // SAFETY: the contract is the same.
    match unsafe { Out::new(message, size) } {
        Ok(out) => out.answer(work()),
        Err(code) => code,
    }
}

fn summary(reload: &Reload) -> String {
    format!(
        "{} added, {} changed, {} removed, {} unchanged",
        reload.added.len(),
        reload.changed.len(),
        reload.removed.len(),
        reload.unchanged.len()
    )
}
