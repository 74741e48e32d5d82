//! Signed advertisements: the keys of the file, and the secrets that they name.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use vrrp_core::{AdvertInterval, AntiReplay, AuthMode, AuthSettings, MAX_AUTH_KEYS};
use vrrp_host::{HmacSpec, KeySource, KeySpec, Secret, octets_of_hex};
use zeroize::Zeroizing;

use super::diagnostic::Report;
use super::keys::Key;
use super::reader::Reader;
use super::script_security::insecurity;
use super::values;
use crate::Config;

/// The longest file of a key: `hex:`, two digits an octet, and ends of lines.
const LONGEST_FILE: usize = 4 + 2 * Secret::LONGEST + 2;
/// The most seconds by which clocks may differ.
const LONGEST_WINDOW: u16 = 300;
/// The variable in which systemd tells where the credentials of a service are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The keys that belong to `auth = hmac`.
const DETAILS: [Key; 6] = [
    Key::KeyFile,
    Key::Credential,
    Key::ActiveKey,
    Key::AuthMode,
    Key::AntiReplay,
    Key::TimeWindow,
];

/// Reads the keys of a section; `None`: advertisements are not signed. Nothing is opened.
pub(super) fn read(reader: &mut Reader<'_, '_>, interval: AdvertInterval) -> Option<HmacSpec> {
    let words = [("none", false), ("hmac", true)];
    let wanted = reader.value(Key::Auth, |text| values::word(text, &words));
    if wanted != Some(true) {
        // A wrong word of `auth` may have been meant to be this one.
        if wanted.is_some() || reader.entry(Key::Auth).is_none() {
            for key in DETAILS {
                if reader.entry(key).is_some() {
                    reader.error(
                        key,
                        "expected `auth = hmac` in this section, as it signs no advertisements without",
                    );
                }
            }
        }
        return None;
    }
    if reader.entry(Key::Password).is_some() {
        reader.error(
            Key::Password,
            "expected no password beside `auth = hmac`: leave out one of the two",
        );
    }
    let keys = keys(reader);
    let active_key = active_key(reader, &keys);
    let modes = [
        AuthMode::ReceiveOnly,
        AuthMode::Permissive,
        AuthMode::Enforce,
    ];
    let modes = modes.map(|mode| (mode.as_str(), mode));
    let mode = reader.value(Key::AuthMode, |text| values::word(text, &modes));
    let kinds = [AntiReplay::Time, AntiReplay::Monotonic].map(|kind| (kind.as_str(), kind));
    let anti_replay = reader.value(Key::AntiReplay, |text| values::word(text, &kinds));
    let anti_replay = anti_replay.unwrap_or_default();
    let window = reader.value(Key::TimeWindow, |text| {
        values::number_as(text, 1..=u32::from(LONGEST_WINDOW), |number| {
            u16::try_from(number).ok()
        })
    });
    if window.is_some() && anti_replay == AntiReplay::Monotonic {
        reader.warning(
            Key::TimeWindow,
            "has no effect beside `antireplay = monotonic`, which looks at no clock",
        );
    }
    Some(HmacSpec {
        settings: AuthSettings {
            mode: mode.unwrap_or_default(),
            replay: anti_replay,
            window: window.unwrap_or(AuthSettings::window_for(interval)),
            active_key: active_key?,
        },
        keys,
    })
}

/// Reads `keyfile` and `credential`. An id is there once.
fn keys(reader: &mut Reader<'_, '_>) -> Vec<KeySpec> {
    let mut keys: Vec<KeySpec> = Vec::new();
    let mut any = false;
    for key in [Key::KeyFile, Key::Credential] {
        any |= reader.entry(key).is_some();
        for (id, source) in reader.items(key, |item| place(key, item)) {
            if let Some(other) = keys.iter().find(|known| known.id == id) {
                let message = format!(
                    "expected each key once, found key {id} twice: {} and {source}",
                    other.source
                );
                reader.error(key, message);
                continue;
            }
            let secret = None;
            keys.push(KeySpec { id, source, secret });
        }
    }
    if !any && !reader.damaged() {
        reader.error(
            Key::Auth,
            "expected `keyfile = ID:/path` or `credential = ID:NAME` in this section, found neither: without a key nothing is signed",
        );
    }
    if keys.len() > MAX_AUTH_KEYS {
        let message = format!(
            "expected at most {MAX_AUTH_KEYS} keys, found {}",
            keys.len()
        );
        reader.error(Key::Auth, message);
    }
    keys.sort_by_key(|key| key.id);
    keys
}

/// `1:/etc/vrrpd/key1`, or `1:NAME`.
fn place(key: Key, item: &str) -> Result<(u8, KeySource), String> {
    let form = match key {
        Key::Credential => "`ID:NAME`, as in `1:vrrp51`",
        _ => "`ID:/path`, as in `1:/etc/vrrpd/key1`",
    };
    // An item that is the key itself must not go to a log.
    let Some((id, place)) = item.split_once(':') else {
        return Err(format!(
            "expected {form}, found no `:`; a key is never in the configuration itself"
        ));
    };
    let (id, place) = (id.trim_ascii(), place.trim_ascii());
    let number = values::number_as(id, 1..=255, |number| u8::try_from(number).ok());
    let Ok(id) = number else {
        return Err(format!(
            "expected {form}, with an ID from 1 to 255, found another text before the `:`; a key is never in the configuration itself"
        ));
    };
    let source = match key {
        Key::Credential => {
            let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let fits = !place.is_empty()
                && place.len() <= 255
                && place.chars().all(inner)
                && !place.starts_with('.');
            if !fits {
                return Err(format!(
                    "expected the name of a credential after `{id}:`, of letters, digits, `-`, `_` and `.`, found another text"
                ));
            }
            KeySource::Credential(place.to_owned())
        }
        _ if place.starts_with('/') => KeySource::File(PathBuf::from(place)),
        _ => {
            return Err(format!(
                "expected an absolute path after `{id}:`, found a text that does not begin with `/`; a key is never in the configuration itself"
            ));
        }
    };
    Ok((id, source))
}

/// Reads `activekey`. `None`: it is wrong, which was said. It has to be there where there are several keys.
fn active_key(reader: &mut Reader<'_, '_>, keys: &[KeySpec]) -> Option<u8> {
    let ids: Vec<String> = keys.iter().map(|key| key.id.to_string()).collect();
    let ids = ids.join(", ");
    if reader.entry(Key::ActiveKey).is_none() {
        return match keys {
            [one] => Some(one.id),
            [] => None,
            _ => {
                let message = format!(
                    "expected `activekey = ID` in this section, as there are several keys ({ids})"
                );
                reader.error(Key::ActiveKey, message);
                None
            }
        };
    }
    let id = reader.value(Key::ActiveKey, |text| {
        values::number_as(text, 1..=255, |number| u8::try_from(number).ok())
    })?;
    if keys.iter().any(|key| key.id == id) {
        return Some(id);
    }
    if !keys.is_empty() {
        let message = format!("expected the ID of one of the keys ({ids}), found `{id}`");
        reader.error(Key::ActiveKey, message);
    }
    None
}

/// Reads the secrets of a configuration, of which only root and `user` may have written the files; `None`:
/// only root and their owner. False: one cannot be used, which is an error. Opens files.
pub(super) fn load(config: &mut Config, user: Option<u32>, report: &mut Report) -> bool {
    let folder = std::env::var_os(CREDENTIALS);
    let mut all = true;
    for router in &mut config.virtual_routers {
        let Some(hmac) = &mut router.spec.hmac else {
            continue;
        };
        for key in &mut hmac.keys {
            match secret(&key.source, folder.as_deref(), user) {
                Ok(secret) => {
                    if is_bare_hex(secret.octets()) {
                        let place = place_of(&key.source);
                        let message = format!(
                            "key {}, {}: the hexadecimal digits are a text of {BARE_DIGITS} octets here, as there is no `hex:` before them; all hosts of the group have to agree on that",
                            key.id, key.source
                        );
                        report.warning_once(
                            router.lines.of_key(place),
                            Some(place.name()),
                            message,
                        );
                    }
                    key.secret = Some(secret);
                }
                Err(why) => {
                    all = false;
                    let place = place_of(&key.source);
                    let message = format!("key {}, {}: {why}", key.id, key.source);
                    report.error_once(router.lines.of_key(place), Some(place.name()), message);
                }
            }
        }
    }
    all
}

/// The digits of 32 octets, as `openssl rand -hex 32` writes them.
const BARE_DIGITS: usize = 64;

/// Whether a key is a text that looks like the digits of another one, whose `hex:` was left out.
fn is_bare_hex(key: &[u8]) -> bool {
    key.len() == BARE_DIGITS && key.iter().all(u8::is_ascii_hexdigit)
}

/// The key of the configuration that names a source.
fn place_of(source: &KeySource) -> Key {
    match source {
        KeySource::File(_) => Key::KeyFile,
        KeySource::Credential(_) => Key::Credential,
    }
}

/// The octets of a key, or why there are none. No message has any of them.
fn secret(source: &KeySource, folder: Option<&OsStr>, user: Option<u32>) -> Result<Secret, String> {
    match source {
        KeySource::File(path) => {
            let owner = || fs::metadata(path).map_or(0, |meta| meta.uid());
            if let Some(fault) = insecurity(path, user.unwrap_or_else(owner)) {
                return Err(format!(
                    "expected a file that no other user can replace: {fault}"
                ));
            }
            read_file(path, false)
        }
        KeySource::Credential(name) => {
            let folder = folder.ok_or_else(|| {
                format!(
                    "expected the variable {CREDENTIALS}, which systemd sets for a service with LoadCredential=, found none"
                )
            })?;
            read_file(&Path::new(folder).join(name), true)
        }
    }
}

/// Reads the file of a key. The service manager lets root's group read a credential where it lets one user
/// more read it: the bits are those of an access control list.
fn read_file(path: &Path, is_credential: bool) -> Result<Secret, String> {
    const GROUP: u32 = 0o040;
    const NOT_THE_OWNER: u32 = 0o077;
    let said = |error: io::Error| format!("cannot be read: {error}");
    // A pipe is not opened: it might never end.
    if !fs::metadata(path).map_err(said)?.is_file() {
        return Err("expected a regular file".into());
    }
    let file = File::open(path).map_err(said)?;
    let meta = file.metadata().map_err(said)?;
    let mode = meta.mode() & 0o7777;
    let allowed = if is_credential && meta.gid() == 0 {
        GROUP
    } else {
        0
    };
    if mode & NOT_THE_OWNER & !allowed != 0 {
        return Err(format!(
            "expected a file that its owner alone can read, found mode {mode:o}: chmod 600 {}",
            path.display()
        ));
    }
    let mut octets = Zeroizing::new(Vec::with_capacity(LONGEST_FILE + 1));
    let limit = u64::try_from(LONGEST_FILE + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut octets).map_err(said)?;
    if octets.len() > LONGEST_FILE {
        return Err(format!(
            "expected at most {LONGEST_FILE} octets, found more"
        ));
    }
    key(&octets)
}

/// The key that a file holds: one line, of `hex:` and digits or of the octets themselves.
fn key(octets: &[u8]) -> Result<Secret, String> {
    let end = octets.iter().rposition(|o| !matches!(o, b'\n' | b'\r'));
    let line = octets.get(..end.map_or(0, |end| end + 1)).unwrap_or(octets);
    if line.iter().any(|o| matches!(o, b'\n' | b'\r' | 0)) {
        return Err("expected one line, found more, or an octet of zero".into());
    }
    let mut key = match line.strip_prefix(b"hex:") {
        Some(digits) => octets_of_hex(digits)
            .ok_or("expected pairs of hexadecimal digits after `hex:`, found something else")?,
        None => Zeroizing::new(line.to_vec()),
    };
    let len = key.len();
    Secret::new(std::mem::take(&mut *key)).ok_or_else(|| {
        format!(
            "expected a key of {} to {} octets, found {len}",
            Secret::SHORTEST,
            Secret::LONGEST
        )
    })
}

/// The words of a configuration, for `print`.
pub(super) fn printed(hmac: &HmacSpec) -> Vec<(Key, String)> {
    let of = |wanted: Key| -> Vec<String> {
        let keys = hmac.keys.iter();
        keys.filter_map(|key| match (&key.source, wanted) {
            (KeySource::File(path), Key::KeyFile) => Some(format!("{}:{}", key.id, path.display())),
            (KeySource::Credential(name), Key::Credential) => Some(format!("{}:{name}", key.id)),
            _ => None,
        })
        .collect()
    };
    let mut pairs = vec![(Key::Auth, "hmac".to_owned())];
    for key in [Key::KeyFile, Key::Credential] {
        let items = of(key);
        if !items.is_empty() {
            pairs.push((key, items.join(", ")));
        }
    }
    let settings = &hmac.settings;
    pairs.push((Key::ActiveKey, settings.active_key.to_string()));
    pairs.push((Key::AuthMode, settings.mode.to_string()));
    pairs.push((Key::AntiReplay, settings.replay.to_string()));
    if settings.replay == AntiReplay::Time {
        pairs.push((Key::TimeWindow, settings.window.to_string()));
    }
    pairs
}
