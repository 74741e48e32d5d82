//! The fixed words of answers: states, families and versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is none of the words that may stand in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    found: String,
    expected: &'static str,
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found `{}`", self.expected, self.found)
    }
}

impl std::error::Error for UnknownWord {}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $expected:literal, {
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its word in JSON and in text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let known = Self::ALL.iter().find(|word| word.as_str() == text);
                known.copied().ok_or_else(|| UnknownWord {
                    found: text.to_owned(),
                    expected: $expected,
                })
            }
        }
    };
}

words! {
    /// The state of a virtual router, in the words of administrators.
    State, "`master`, `backup` or `init`", {
        /// Active in RFC 9568: it serves the addresses.
        Master = "master",
        /// Backup.
        Backup = "backup",
        /// Initialize: it takes no part.
        #[default]
        Init = "init",
    }
}

words! {
    /// The family of the addresses of a virtual router.
    Family, "`ipv4` or `ipv6`", {
        /// IPv4.
        #[default]
        Ipv4 = "ipv4",
        /// IPv6.
        Ipv6 = "ipv6",
    }
}

words! {
    /// The versions of VRRP that a virtual router speaks.
    Versions, "`2`, `3` or `2+3`", {
        /// VRRPv2.
        V2 = "2",
        /// VRRPv3.
        #[default]
        V3 = "3",
        /// Both at once.
        Both = "2+3",
    }
}

words! {
    /// The kind of a record of the history that is no change of state.
    NoticeKind, "a kind of notice", {
        /// A request of an administrator.
        Command = "command",
        /// The configuration was read again, or was refused.
        Reload = "reload",
        /// Packets were refused.
        Refused = "refused",
        /// A condition that an administrator should know of began or ended.
        Warning = "warning",
        /// The operating system refused something, or somebody undid it.
        Problem = "problem",
        /// An interface changed.
        Interface = "interface",
        /// Another host that was master, too, is heard no more, as after a divided network has healed.
        Healed = "healed",
        /// A timer was handled late: this host was busy or stopped.
        Stall = "stall",
        /// The clock of this host was set.
        Clock = "clock",
        /// The daemon has started.
        Start = "start",
        /// The daemon stops.
        Stop = "stop",
        /// The worker process has ended unasked.
        Crash = "crash",
        /// Anything else.
        #[default]
        Other = "other",
    }
}

words! {
    /// The kind of an override.
    OverrideKind, "`drain`, `hold` or `priority`", {
        /// Every other host serves rather than this one.
        #[default]
        Drain = "drain",
        /// It stays as it is: a better host is no reason to move.
        Hold = "hold",
        /// Another priority than the configured one.
        Priority = "priority",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_in_json_and_in_text() {
        for state in State::ALL {
            let json = serde_json::to_string(state).expect("JSON");
            assert_eq!(json, format!("\"{state}\""));
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        assert_eq!(
            serde_json::to_string(&Versions::Both).ok().as_deref(),
            Some("\"2+3\"")
        );
        let error = "IPv4".parse::<Family>().expect_err("no such word");
        assert_eq!(error.to_string(), "expected `ipv4` or `ipv6`, found `IPv4`");
    }
}
