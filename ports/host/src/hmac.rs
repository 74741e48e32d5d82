//! Settings of signed advertisements, and keys that are never shown.

use std::fmt;
use std::path::PathBuf;

use vrrp_core::{AuthConfig, AuthKey, AuthSettings, Error};
use zeroize::Zeroizing;

/// How one virtual router signs its advertisements, and judges those of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacSpec {
    /// The plain values.
    pub settings: AuthSettings,
    /// The keys, each id once, at most [`MAX_AUTH_KEYS`](vrrp_core::MAX_AUTH_KEYS).
    pub keys: Vec<KeySpec>,
}

impl HmacSpec {
    /// Whether every secret was read.
    pub fn is_complete(&self) -> bool {
        self.keys.iter().all(|key| key.secret.is_some())
    }

    /// Calls `f` with the engine's form; the copies of the keys are wiped after it.
    ///
    /// # Errors
    /// A secret was not read, or that of `f`.
    pub(crate) fn with_engine_form<R>(
        &self,
        f: impl FnOnce(&AuthConfig<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let keys = self.keys.iter().map(|key| {
            let secret = key.secret.as_ref().ok_or(Error::BadAuthKey)?;
            AuthKey::new(key.id, secret.octets())
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        f(&AuthConfig {
            settings: self.settings,
            keys: &keys,
        })
    }
}

/// One key: its id, where it is kept, and the secret once that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// The id by which the group knows it, from 1.
    pub id: u8,
    /// The place that it is read from.
    pub source: KeySource,
    /// The key itself. `None`: it was not read.
    pub secret: Option<Secret>,
}

/// The place of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySource {
    /// A file.
    File(PathBuf),
    /// A credential of the service manager, by its name.
    Credential(String),
}

/// The octets of a key. They are wiped when it is dropped, and `Debug` does not show them.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The shortest key, in octets.
    pub const SHORTEST: usize = 32;
    /// The longest key, in octets.
    pub const LONGEST: usize = 64;

    /// Takes the octets of a key. `None`: they are too few or too many.
    pub fn new(octets: Vec<u8>) -> Option<Self> {
        let octets = Zeroizing::new(octets);
        (Self::SHORTEST..=Self::LONGEST)
            .contains(&octets.len())
            .then_some(Self(octets))
    }

    /// Returns the octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// The octets that pairs of hexadecimal digits stand for, in memory that is wiped and does not grow, which would
/// leave copies. `None`: they are not such pairs.
pub fn octets_of_hex(digits: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    let digit = |octet: u8| char::from(octet).to_digit(16);
    for pair in digits.chunks(2) {
        let [high, low] = *pair else {
            return None;
        };
        octets.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
    }
    Some(octets)
}

impl PartialEq for Secret {
    /// Compares all octets, whichever differ: how long it takes tells nothing but the length.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.octets(), other.octets());
        let differing = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
        a.len() == b.len() && std::hint::black_box(differing) == 0
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::File(path) => path.display().fmt(f),
            KeySource::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_32_to_64_octets_and_is_not_shown() {
        assert_eq!(Secret::new(vec![7; 31]), None);
        assert_eq!(Secret::new(vec![7; 65]), None);
        let secret = Secret::new(vec![b'K'; 32]).expect("long enough");
        assert_eq!(secret.octets(), [b'K'; 32]);
        let key = KeySpec {
            id: 3,
            source: KeySource::File("/etc/vrrpd.key".into()),
            secret: Some(secret.clone()),
        };
        assert!(!format!("{key:?} {secret:?}").contains("KK"));
        assert!(!format!("{key:#?}").contains("75"));
    }

    #[test]
    fn secrets_are_equal_octet_for_octet() {
        let secret = |octets: Vec<u8>| Secret::new(octets).expect("long enough");
        let mut other = vec![1; 40];
        assert_eq!(secret(other.clone()), secret(other.clone()));
        other[39] = 2;
        assert_ne!(secret(other.clone()), secret(vec![1; 40]));
        assert_ne!(secret(vec![1; 41]), secret(vec![1; 40]));
    }
}
