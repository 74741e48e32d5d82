//! The keys of virtual routers, and the boot count that their signatures begin with.
//!
//! A board has no clock: `antireplay = monotonic` is what the others of its group have to use.

use defmt::intern;
use heapless::Vec;
use vrrp_embassy::boot_count::Found;
use vrrp_embassy::vrrp_core::{
    self, Admin, AntiReplay, AuthConfig, AuthKey, AuthMode, AuthSettings, DropReason, Error,
    Statistics,
};
use vrrp_embassy::{Control, GateKey};
use zeroize::Zeroize;

use crate::settings::{Words, number};
use crate::text::Text;

/// Keys of one virtual router: the one in use, and its successor during a change.
const KEYS: usize = 2;
/// The longest key in octets.
const KEY_LEN: usize = 64;
/// A word of the settings that is as long may hold a key.
const SECRET_LEN: usize = 32;

/// The keys of one virtual router. They are wiped when they are dropped.
#[derive(Default)]
pub(crate) struct Keys {
    keys: Vec<AuthKey, KEYS>,
    mode: Option<AuthMode>,
    active: Option<u8>,
}

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it is told how to sign, and has no key.
    pub(crate) fn lacks_a_key(&self) -> bool {
        self.keys.is_empty() && (self.mode.is_some() || self.active.is_some())
    }

    /// Takes a word of the settings. `None`: it is none of these.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Option<Result<(), Words>> {
        match key {
            "key" => Some(self.add(value)),
            "activekey" => {
                self.active = number(value);
                let id = self.active.map(drop);
                Some(id.ok_or(intern!("the id of a key")))
            }
            "authmode" => {
                let modes = [
                    AuthMode::Enforce,
                    AuthMode::Permissive,
                    AuthMode::ReceiveOnly,
                ];
                self.mode = modes.into_iter().find(|mode| mode.as_str() == value);
                let mode = self.mode.map(drop);
                Some(mode.ok_or(intern!("enforce, permissive or receive-only")))
            }
            _ => None,
        }
    }

    fn add(&mut self, value: &str) -> Result<(), Words> {
        let key = value
            .split_once(':')
            .and_then(|(id, secret)| read(number(id)?, secret));
        let key = key.ok_or(intern!(
            "an id from 1 to 255, a colon, and 32 to 64 octets: hex: and digits, or the octets themselves"
        ))?;
        let full = self.keys.push(key);
        full.map_err(|_| intern!("no more than two keys for a virtual router"))
    }

    /// Gives a virtual router these keys.
    pub(crate) fn give<const VRS: usize, const ADDRS: usize>(
        &self,
        admin: &mut Admin<'_, 1, VRS, ADDRS, GateKey>,
        vr: GateKey,
    ) -> Result<(), Error> {
        let Some(first) = self.keys.first() else {
            return Ok(());
        };
        let settings = AuthSettings {
            mode: self.mode.unwrap_or_default(),
            replay: AntiReplay::Monotonic,
            active_key: self.active.unwrap_or(first.id()),
            ..AuthSettings::DEFAULT
        };
        let keys = &self.keys;
        admin.set_auth(vr, Some(&AuthConfig { settings, keys }))
    }
}

/// The key of a word, with its id.
fn read(id: u8, secret: &str) -> Option<AuthKey> {
    let mut octets = [0; KEY_LEN];
    let key = match secret.strip_prefix("hex:") {
        Some(digits) => from_hex(digits.as_bytes(), &mut octets),
        None => Some(secret.as_bytes()),
    };
    let key = key.and_then(|key| AuthKey::new(id, key).ok());
    octets.zeroize();
    key
}

fn from_hex<'o>(digits: &[u8], octets: &'o mut [u8; KEY_LEN]) -> Option<&'o [u8]> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let octets = octets.get_mut(..pairs.len())?;
    for (octet, pair) in octets.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *octet = (high? << 4 | low?) as u8;
    }
    rest.is_empty().then_some(octets)
}

/// A word of the settings as the log may show it: nothing that could be a key.
pub(crate) fn without_secret(word: &str) -> &str {
    let (name, _) = word.split_once('=').unwrap_or_default();
    if word.len() >= SECRET_LEN || name.starts_with("key") {
        name
    } else {
        word
    }
}

/// Takes the count of this start, and tells the engine. `None`: there is none, and whatever has a key
/// is refused by the engine.
pub(crate) fn count_boot<const VRS: usize, const ADDRS: usize, const FRAME: usize>(
    vrrp: Control<'static, VRS, ADDRS, FRAME>,
    store: &mut board::BootCount,
    least: u32,
) -> Option<u32> {
    let taken = match store.take(least) {
        Ok(taken) => taken,
        Err(error) => {
            defmt::error!(
                "the store of the boot count: {}: no virtual router with a key is started, because others would take its signatures for old ones; see bootcount= in the guide",
                error
            );
            return None;
        }
    };
    let count = taken.count;
    match taken.found {
        Found::Count => defmt::info!("boot count {=u32}", count),
        Found::Nothing | Found::Damaged => defmt::warn!(
            "boot count {=u32}: none was stored, as at the first start; if this host has signed before, others refuse it (auth-replay) and there are two masters: set bootcount= to a greater one",
            count
        ),
    }
    let told = vrrp.admin(|admin| {
        admin.set_boot_count(count);
        Ok(())
    });
    told.is_ok().then_some(count)
}

/// Tells how a virtual router with keys stands.
pub(crate) fn status(auth: &vrrp_core::AuthStatus, counted: &Statistics, out: &mut Text) {
    let refused = [
        DropReason::AuthMissing,
        DropReason::AuthMalformed,
        DropReason::AuthUnknownKey,
        DropReason::AuthInvalidHmac,
        DropReason::AuthReplay,
    ];
    let refused = refused.map(|reason| counted.drops.count(reason));
    out.say("  key ").number(auth.settings.active_key.into());
    out.say(" ").say(auth.settings.mode.as_str());
    out.say(", signed ").number(auth.signed_received);
    out.say(", bare ").number(auth.bare_received);
    let sum = refused.into_iter().fold(0, u32::wrapping_add);
    out.say(", refused ").number(sum).say("\n");
}
