//! Signed advertisements in a library that has them.

use core::ffi::c_int;
use core::mem::size_of;

use vrrp_core::{
    AdvertInterval, AntiReplay, AuthConfig, AuthKey, AuthMode, AuthSender, AuthSettings,
    AuthStatus, Duration, Error, MAX_AUTH_KEYS, WallClock,
};

use crate::admin::Administered;
use crate::convert::{self, Legal};
use crate::engine::{answer, at, done};
use crate::handle::{Handle, content, content_mut, vrrp};
use crate::numbers::*;
use crate::raw::{self, Plain};
use crate::status::list;
use crate::types::*;

/// Does something with keys to the virtual router of a key.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn configure<H, C>(
    handle: *mut H,
    now_us: u64,
    key: *const C,
    auth: *const vrrp_auth,
    call: impl FnOnce(
        &mut <H::Content as Administered>::Admin<'_>,
        <H::Content as Administered>::Key,
        Option<&AuthConfig<'_>>,
    ) -> Result<(), Error>,
) -> c_int
where
    H: Handle<Content: Administered>,
    C: Plain + Legal<<H::Content as Administered>::Key>,
{
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let content = content_mut(handle)?;
            let key = raw::read(key)?.legal()?;
            let admin = &mut content.admin(at(now_us));
            if auth.is_null() {
                return done(call(admin, key, None));
            }
            let given = raw::read_sized(auth)?;
            let settings = given.legal()?;
            let items = raw::items(given.keys, given.keys_len)?;
            let mut keys = heapless::Vec::<AuthKey, MAX_AUTH_KEYS>::new();
            for item in items {
                let secret = raw::items(item.secret, item.secret_len)?;
                let made = AuthKey::new(item.id, secret).map_err(convert::error)?;
                keys.push(made).map_err(|_| VRRP_ERR_AUTH_KEYS_FULL)?;
            }
            let keys = &keys;
            done(call(admin, key, Some(&AuthConfig { settings, keys })))
        })
    }
}

/// A reading of the wall clock.
pub(crate) fn clock(unix_us: u64, synchronised: u8) -> Option<WallClock> {
    (unix_us != VRRP_NEVER).then_some(WallClock {
        since_epoch: Duration::from_micros(unix_us),
        synchronised: synchronised != 0,
    })
}

/// See `vrrp_auth_status()`.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn write_status(
    vrrp: *const vrrp,
    key: *const vrrp_key,
    status: *mut vrrp_auth_status,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content(vrrp)?;
            let size = raw::check_sized(status)?;
            let key = raw::read(key)?.legal()?;
            let found = engine.auth(key).ok_or(VRRP_ERR_NOT_FOUND)?;
            raw::write_sized(status, size, found.into());
            Ok(VRRP_OK)
        })
    }
}

/// See `vrrp_auth_senders()`.
///
/// # Safety
/// As the functions of the header.
pub(crate) unsafe fn write_senders(
    vrrp: *const vrrp,
    key: *const vrrp_key,
    senders: *mut vrrp_auth_sender,
    capacity: usize,
) -> c_int {
    // SAFETY: the caller keeps the contract of the header.
    unsafe {
        answer(|| {
            let engine = content(vrrp)?;
            let key = raw::read(key)?.legal()?;
            engine.status(key).ok_or(VRRP_ERR_NOT_FOUND)?;
            list(|| Ok(engine.auth_senders(key)), senders, capacity)
        })
    }
}

impl Legal<AuthSettings> for vrrp_auth {
    fn legal(&self) -> Result<AuthSettings, c_int> {
        if self.reserved != [0; 7] {
            return Err(VRRP_ERR_VALUE);
        }
        Ok(AuthSettings {
            mode: match self.mode {
                VRRP_AUTH_MODE_RECEIVE_ONLY => AuthMode::ReceiveOnly,
                VRRP_AUTH_MODE_PERMISSIVE => AuthMode::Permissive,
                VRRP_AUTH_MODE_ENFORCE => AuthMode::Enforce,
                _ => return Err(VRRP_ERR_VALUE),
            },
            replay: match self.replay {
                VRRP_REPLAY_TIME => AntiReplay::Time,
                VRRP_REPLAY_MONOTONIC => AntiReplay::Monotonic,
                _ => return Err(VRRP_ERR_VALUE),
            },
            window: match self.window_s {
                0 => AuthSettings::window_for(AdvertInterval::DEFAULT),
                seconds => seconds,
            },
            active_key: self.active_key,
        })
    }
}

impl From<AuthStatus> for vrrp_auth_status {
    fn from(status: AuthStatus) -> Self {
        let settings = status.settings;
        Self {
            size: size_of::<Self>() as u32,
            mode: match settings.mode {
                AuthMode::ReceiveOnly => VRRP_AUTH_MODE_RECEIVE_ONLY,
                AuthMode::Permissive => VRRP_AUTH_MODE_PERMISSIVE,
                AuthMode::Enforce => VRRP_AUTH_MODE_ENFORCE,
            },
            replay: match settings.replay {
                AntiReplay::Time => VRRP_REPLAY_TIME,
                AntiReplay::Monotonic => VRRP_REPLAY_MONOTONIC,
            },
            window_s: settings.window,
            active_key: settings.active_key,
            keys: status.keys,
            synchronised: status.synchronised.into(),
            waits_for_clock: status.waits_for_clock.into(),
            is_held: status.held_by.is_some().into(),
            held_skew_s: status.held_by.map_or(0, |held| held.skew),
            held_by: status
                .held_by
                .map_or_else(vrrp_address::default, |held| held.address.into()),
            signed_received: status.signed_received,
            bare_received: status.bare_received,
        }
    }
}

impl From<AuthSender> for vrrp_auth_sender {
    fn from(sender: AuthSender) -> Self {
        let refusal = sender.refusal;
        Self {
            address: sender.address.into(),
            is_signed: sender.signed.into(),
            key_id: sender.key_id.unwrap_or(0),
            has_skew: sender.skew.is_some().into(),
            skew_s: sender.skew.unwrap_or(0),
            refusal: refusal.map_or(0, |(reason, _)| convert::drop_reason(reason)),
            believed: sender.believed,
            refused: sender.refused,
            last_heard_us: sender.last_heard.as_micros(),
            refused_at_us: refusal.map_or(0, |(_, at)| at.as_micros()),
        }
    }
}
