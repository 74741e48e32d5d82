//! The messages between the two processes that do not concern the network.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use vrrp_core::{Family, Peer, Vrid};
use vrrp_host::{Secret, VrId, octets_of_hex};

use zeroize::Zeroize;

use crate::checks::News;
use crate::overrides::Override;
use crate::scripts::{Happening, Occasion};
use vrrp_config::{Diagnostic, Severity};
use vrrp_control::Record;

/// The longest message of the worker, in octets.
pub(super) const MAX_TO_PARENT: usize = 32 * 1024;
/// The longest message of the parent: a configuration file in it may take twice its length.
pub(super) const MAX_TO_WORKER: usize = 64 * 1024 * 1024;
/// The longest argument of a script.
const MAX_TEXT: usize = 1_000;
/// Of addresses more than a virtual router can have.
const MAX_ADDRESSES: usize = 256;

/// From the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToParent {
    /// The start has succeeded.
    Ready,
    /// A reload begins.
    Reloading,
    /// The reload is over. The warning that it was refused, if it was: the next worker has it, too.
    Reloaded(Option<String>),
    /// A stop begins.
    Stopping,
    /// A line for the service manager.
    Status(String),
    /// The answer to [`ToWorker::Ping`].
    Pong(u64),
    /// The configuration file is to be read again.
    Configuration,
    /// The configuration file is to be read and judged, to be looked at alone.
    Look,
    /// The contents read last are in force.
    Adopted,
    /// Something happened that scripts may follow.
    Happened(WireId, WireHappening),
    /// A virtual router is gone.
    Forget(WireId),
    /// Something happened to the group of this name that scripts may follow.
    GroupHappened(String, WireHappening),
    /// The group of this name is gone.
    ForgetGroup(String),
    /// Scripts that still run are to be ended.
    KillScripts,
    /// The check of this name is to be run now.
    RunCheck(String),
    /// An override is to be kept, or no longer, with the next [`KeepOverrides`](Self::KeepOverrides).
    Override(Override, bool),
    /// The overrides are to be written; the number is that of the answer.
    KeepOverrides(u64),
    /// The TCP connections of a virtual router's addresses are to be counted.
    Count(WireId),
    /// A record of the history, to be kept.
    Record(Record),
}

/// From the parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToWorker {
    /// The first message.
    Begin(Beginning),
    /// To be answered, as a sign that the worker's loop turns.
    Ping(u64),
    /// Signals that have come, a bit for each.
    Signals(u32),
    /// The configuration file. Or why it cannot be read.
    Configuration(Result<FileRead, String>),
    /// News of checks.
    Checked(News),
    /// Overrides are written, or why they are not.
    Kept(u64, Result<(), String>),
    /// The number of TCP connections, or why it is not known.
    Counted(WireId, Result<u64, String>),
    /// The state directory cannot be used, for this reason; or it can.
    Stateless(Option<String>),
    /// The warnings about the boot count that hold from now on.
    CountWarnings(Vec<String>),
    /// Every script is done that follows from the first so many happenings.
    Done(u64),
    /// A virtual router has been prepared, or why not.
    Prepared(WireId, Result<(), String>),
    /// A script has ended: the key that names it, its exit status, the microseconds that it took, and
    /// whether it counts as failed.
    Ran(WireId, String, Option<i32>, u64, bool),
}

/// The facts that a worker has to know before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beginning {
    /// The version of the parent: a program that has been replaced since is another.
    pub(super) version: String,
    /// The configuration file.
    pub(super) file: PathBuf,
    /// Its contents, as [`characters`].
    pub(super) text: String,
    /// The keys that it names, in order.
    pub(super) secrets: Vec<WireSecret>,
    /// The process that stands for vrrpd.
    pub(super) pid: u32,
    /// The milliseconds since that process was started.
    pub(super) age_ms: u64,
    /// Workers that have ended unexpectedly since then.
    pub(super) crashes: u64,
    /// The user of the parent, who may do what root may by the control socket.
    pub(super) uid: u32,
    /// The name of that user, where it is not root.
    pub(super) user_name: Option<String>,
    /// The user and the group that the worker becomes. `None`: it stays what it is.
    pub(super) user: Option<(u32, u32)>,
    /// Debug lines were asked for.
    pub(super) debug: bool,
    /// A service manager listens to [`ToParent::Status`].
    pub(super) managed: bool,
    /// Why the state directory cannot be used, if that is so.
    pub(super) stateless: Option<String>,
    /// The boot count, where a virtual router signs with it, and the warnings about it.
    pub(super) boot_count: Option<u32>,
    pub(super) count_warnings: Vec<String>,
    /// A line about each file of the state directory that was set aside at the start, and about what else
    /// could not be done then.
    pub(super) lost: Vec<String>,
    /// The warning that the last reload was refused, if it was.
    pub(super) refused_reload: Option<String>,
    /// The overrides.
    pub(super) overrides: Vec<Override>,
    /// The history so far.
    pub(super) history: Vec<Record>,
}

/// The configuration file as the parent has read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRead {
    /// Its octets, as [`characters`].
    pub(super) text: String,
    /// The judgement of them.
    pub(super) remarks: Vec<Remark>,
    /// The keys that it names, in order. `None`: the file cannot be used.
    pub(super) secrets: Option<Vec<WireSecret>>,
    /// Another boot count, where a virtual router signs with it and it is to be put in force.
    pub(super) boot_count: Option<u32>,
}

/// The octets of a key, in hexadecimal digits. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WireSecret(String);

impl Drop for WireSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for WireSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WireSecret(..)")
    }
}

impl WireSecret {
    pub(super) fn new(secret: &Secret) -> Self {
        let mut text = String::with_capacity(2 * Secret::LONGEST);
        for octet in secret.octets() {
            for digit in [octet >> 4, octet & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        Self(text)
    }

    /// `None`: no key is like that.
    pub(super) fn secret(&self) -> Option<Secret> {
        let mut octets = octets_of_hex(self.0.as_bytes())?;
        Secret::new(std::mem::take(&mut *octets))
    }
}

/// A diagnostic, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remark(#[serde(with = "DiagnosticForm")] pub(super) Diagnostic);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Diagnostic")]
struct DiagnosticForm {
    #[serde(with = "SeverityForm")]
    severity: Severity,
    file: PathBuf,
    line: usize,
    key: Option<String>,
    message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Severity")]
enum SeverityForm {
    Note,
    Warning,
    Error,
}

/// A virtual router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WireId {
    interface: String,
    vrid: u8,
    ipv6: bool,
}

/// A happening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WireHappening {
    occasion: u8,
    old_state: u8,
    new_state: u8,
    reason: String,
    addresses: Vec<String>,
    peer: Option<(IpAddr, u8)>,
    priority: Option<u8>,
}

const OCCASIONS: [Occasion; 6] = [
    Occasion::Master,
    Occasion::Backup,
    Occasion::Fault,
    Occasion::Stop,
    Occasion::Prepare,
    Occasion::Reclaim,
];
const STATES: [&str; 3] = ["init", "backup", "master"];

impl WireId {
    pub(super) fn new(id: &VrId) -> Self {
        Self {
            interface: id.interface.clone(),
            vrid: id.vrid.get(),
            ipv6: id.family == Family::Ipv6,
        }
    }

    pub(super) fn id(self) -> Option<VrId> {
        Some(VrId {
            interface: self.interface,
            vrid: Vrid::new(self.vrid)?,
            family: match self.ipv6 {
                true => Family::Ipv6,
                false => Family::Ipv4,
            },
            name: None,
        })
    }
}

impl WireHappening {
    pub(super) fn new(happening: &Happening) -> Self {
        let state = |word| STATES.iter().position(|s| *s == word).unwrap_or(0) as u8;
        let occasion = OCCASIONS.iter().position(|o| *o == happening.occasion);
        Self {
            occasion: occasion.unwrap_or(0) as u8,
            old_state: state(happening.old_state),
            new_state: state(happening.new_state),
            reason: happening.reason.clone(),
            addresses: happening.addresses.clone(),
            peer: happening.peer.map(|peer| (peer.address, peer.priority)),
            priority: happening.priority,
        }
    }

    /// `None`: no virtual router has such a happening. WireHappening scripts see is in the environment: words
    /// of ours, numbers, addresses, and a reason of printable characters.
    pub(super) fn happening(self) -> Option<Happening> {
        let state = |number: u8| STATES.get(usize::from(number)).copied();
        let printable = |text: &str| !text.chars().any(char::is_control);
        let prefixed = |text: &String| {
            let parts = text.split_once('/');
            parts.is_some_and(|(ip, len)| ip.parse::<IpAddr>().is_ok() && len.parse::<u8>().is_ok())
        };
        let fits = self.reason.len() <= MAX_TEXT
            && printable(&self.reason)
            && self.addresses.len() <= MAX_ADDRESSES
            && self.addresses.iter().all(prefixed);
        fits.then_some(())?;
        Some(Happening {
            occasion: *OCCASIONS.get(usize::from(self.occasion))?,
            old_state: state(self.old_state)?,
            new_state: state(self.new_state)?,
            reason: self.reason,
            addresses: self.addresses,
            peer: self
                .peer
                .map(|(address, priority)| Peer { address, priority }),
            priority: self.priority,
        })
    }
}

/// Octets as characters, one for each, so that a file in any encoding arrives as it is.
pub(super) fn characters(octets: &[u8]) -> String {
    octets.iter().map(|&octet| char::from(octet)).collect()
}

/// The octets of [`characters`].
pub(super) fn octets(characters: &str) -> Vec<u8> {
    let octets = characters.chars().map(|c| u8::try_from(c).unwrap_or(b'?'));
    octets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening() -> Happening {
        Happening {
            occasion: Occasion::Master,
            old_state: "backup",
            new_state: "master",
            reason: "10.0.0.2 was not heard".into(),
            addresses: vec!["10.0.0.1/24".into(), "fe80::1/64".into()],
            peer: Some(Peer {
                address: [10, 0, 0, 2].into(),
                priority: 100,
            }),
            priority: Some(200),
        }
    }

    #[test]
    fn what_is_said_arrives() {
        let id = VrId {
            interface: "em0".into(),
            vrid: Vrid::new(7).unwrap(),
            family: Family::Ipv6,
            name: None,
        };
        let ask = ToParent::Happened(WireId::new(&id), WireHappening::new(&happening()));
        let text = serde_json::to_vec(&ask).unwrap();
        let ToParent::Happened(name, what) = serde_json::from_slice(&text).unwrap() else {
            panic!("another");
        };
        assert_eq!(name.id(), Some(id));
        assert_eq!(what.happening(), Some(happening()));
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(octets(&characters(&all)), all);
    }

    #[test]
    fn a_key_arrives_and_is_not_shown() {
        let secret = Secret::new((0x80..0xc0).collect()).unwrap();
        let sent = WireSecret::new(&secret);
        assert!(!format!("{sent:?}").contains("80"));
        let text = serde_json::to_vec(&sent).unwrap();
        let came: WireSecret = serde_json::from_slice(&text).unwrap();
        assert_eq!(came.secret(), Some(secret));
        for odd in [
            "",
            "8",
            "zz",
            &"8".repeat(65),
            &"80".repeat(31),
            &"80".repeat(65),
        ] {
            assert_eq!(WireSecret(odd.into()).secret(), None, "{odd}");
        }
    }

    #[test]
    fn what_no_script_should_see_is_refused() {
        let refused = |change: &dyn Fn(&mut WireHappening)| {
            let mut what = WireHappening::new(&happening());
            change(&mut what);
            assert_eq!(what.happening(), None);
        };
        refused(&|w| w.occasion = 6);
        refused(&|w| w.old_state = 3);
        refused(&|w| w.reason = "a\nb".into());
        refused(&|w| w.reason = "a".repeat(MAX_TEXT + 1));
        refused(&|w| w.addresses = vec!["$(reboot)".into()]);
        refused(&|w| w.addresses = vec!["10.0.0.1/24 x".into()]);
        refused(&|w| w.addresses = vec!["10.0.0.1/8".into(); MAX_ADDRESSES + 1]);
    }
}
