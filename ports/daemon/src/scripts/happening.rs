//! The arguments and the environment of an event script.

use std::fmt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use vrrp_core::Peer;
use vrrp_host::{VrId, family_word};

use vrrp_config::{Script, ScriptSecurity, ScriptUser};

/// The key of the script that has the arguments of keepalived's.
pub(super) const NOTIFY: &str = "notifyscript";

/// The virtual router or the group that scripts belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A virtual router.
    VirtualRouter(VrId),
    /// The synchronisation group of this name.
    Group(Arc<str>),
}

impl From<&VrId> for Subject {
    fn from(id: &VrId) -> Self {
        Subject::VirtualRouter(id.clone())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::VirtualRouter(id) => id.fmt(f),
            Subject::Group(name) => write!(f, "group {name}"),
        }
    }
}

/// The scripts of one virtual router or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptSet {
    /// `masterscript`: it has become master.
    pub master: Option<Script>,
    /// `backupscript`: it has ceased to be master, or has started as backup.
    pub backup: Option<Script>,
    /// `faultscript`: something that it cannot do without is missing.
    pub fault: Option<Script>,
    /// `stopscript`: it has stopped.
    pub stop: Option<Script>,
    /// `preparescript`: it is about to take over from a master that is well.
    pub prepare: Option<Script>,
    /// `reclaimscript`: it stays master, and another one has given way.
    pub reclaim: Option<Script>,
    /// `notifyscript`: its state has changed.
    pub notify: Option<Script>,
    /// How long each may run, but for `prepare`.
    pub timeout: Duration,
    /// How long `prepare` may run.
    pub prepare_timeout: Duration,
    /// Whether `master`, `backup`, `reclaim` and `notify` are run again until they succeed.
    pub retry: bool,
    /// The user that they run as. `None`: the user of this process.
    pub user: Option<ScriptUser>,
    /// The treatment of a script that others could replace.
    pub security: ScriptSecurity,
}

impl ScriptSet {
    /// Whether there is no script to run.
    pub(super) fn is_empty(&self) -> bool {
        let scripts = [
            &self.master,
            &self.backup,
            &self.fault,
            &self.stop,
            &self.prepare,
            &self.reclaim,
            &self.notify,
        ];
        scripts.iter().all(|script| script.is_none())
    }
}

/// The kind of an event: the third argument of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// It is master, and its addresses are in place.
    Master,
    /// It is backup.
    Backup,
    /// It takes no part because something is missing.
    Fault,
    /// It was stopped.
    Stop,
    /// It is backup, and is to be made ready to take over from a master that is well.
    Prepare,
    /// It stays master, and another master has given way.
    Reclaim,
}

impl Occasion {
    /// Whether it is a change of state.
    pub const fn is_change(self) -> bool {
        !matches!(self, Occasion::Prepare | Occasion::Reclaim)
    }

    /// The word that scripts and logs use.
    pub const fn word(self) -> &'static str {
        match self {
            Occasion::Master => "master",
            Occasion::Backup => "backup",
            Occasion::Fault => "fault",
            Occasion::Stop => "stop",
            Occasion::Prepare => "prepare",
            Occasion::Reclaim => "reclaim",
        }
    }
}

/// A change of state, as scripts are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The kind of the event.
    pub occasion: Occasion,
    /// The state before: `master`, `backup` or `init`.
    pub old_state: &'static str,
    /// The state now.
    pub new_state: &'static str,
    /// Why, in words.
    pub reason: String,
    /// The virtual addresses, with prefix lengths.
    pub addresses: Vec<String>,
    /// The other router, where one decided it.
    pub peer: Option<Peer>,
    /// Our priority.
    pub priority: Option<u8>,
}

impl Happening {
    /// The arguments that vrrpd's own scripts have: VRID, interface, event and family; of a group `GROUP`, the
    /// name and the event.
    fn arguments(&self, subject: &Subject) -> Vec<String> {
        let event = self.occasion.word().to_owned();
        match subject {
            Subject::VirtualRouter(id) => vec![
                id.vrid.to_string(),
                id.interface.clone(),
                event,
                family_word(id.family).to_owned(),
            ],
            Subject::Group(name) => vec!["GROUP".to_owned(), name.to_string(), event],
        }
    }

    /// The arguments that keepalived gives to the script of its `notify`: type, name, state, priority.
    fn notify_arguments(&self, subject: &Subject) -> Vec<String> {
        let (kind, name) = match subject {
            Subject::VirtualRouter(id) => {
                let name = id.name.as_deref().map(str::to_owned);
                ("INSTANCE", name.unwrap_or_else(|| id.vrid.to_string()))
            }
            Subject::Group(name) => ("GROUP", name.to_string()),
        };
        vec![
            kind.to_owned(),
            name,
            self.occasion.word().to_ascii_uppercase(),
            self.priority.unwrap_or_default().to_string(),
        ]
    }

    /// The command that runs `script` with all this in its arguments and environment. `name` is the key
    /// that names the script.
    pub(super) fn command(&self, subject: &Subject, name: &str, script: &Script) -> Command {
        let arguments = if name == NOTIFY {
            self.notify_arguments(subject)
        } else {
            self.arguments(subject)
        };
        let (id, group) = match subject {
            Subject::VirtualRouter(id) => (Some(id), None),
            Subject::Group(name) => (None, Some(&**name)),
        };
        let family = id.map_or("", |id| family_word(id.family));
        let called = id.and_then(|id| id.name.as_deref()).or(group);
        let mut command = Command::new(&script.path);
        command
            .args(&script.args)
            .args(arguments)
            .env("VRRP_VRID", word(id.map(|id| id.vrid)))
            .env("VRRP_NAME", called.unwrap_or_default())
            .env("VRRP_GROUP", group.unwrap_or_default())
            .env("VRRP_INTERFACE", id.map_or("", |id| &id.interface))
            .env("VRRP_FAMILY", family)
            .env("VRRP_EVENT", self.occasion.word())
            .env("VRRP_OLD_STATE", self.old_state)
            .env("VRRP_NEW_STATE", self.new_state)
            .env("VRRP_REASON", &self.reason)
            .env("VRRP_ADDRESSES", self.addresses.join(" "))
            .env("VRRP_PRIORITY", word(self.priority))
            .env("VRRP_PEER_ADDRESS", word(self.peer.map(|p| p.address)))
            .env("VRRP_PEER_PRIORITY", word(self.peer.map(|p| p.priority)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        // These are between the service manager and vrrpd.
        for name in [
            "NOTIFY_SOCKET",
            "WATCHDOG_PID",
            "WATCHDOG_USEC",
            "JOURNAL_STREAM",
        ] {
            command.env_remove(name);
        }
        command
    }
}

/// Empty where there is nothing to say, so that `set -u` in a script holds.
fn word(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}
