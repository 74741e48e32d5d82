//! The event scripts: how they are written in the file, and whether they can run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::diagnostic::found;
use super::keys::Key;
use super::reader::Reader;
use super::script_security::ScriptUser;
use super::values;

/// How long a script may run unless `scripttimeout` says otherwise.
pub const DEFAULT_SCRIPT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long `preparescript` may run unless `preparetimeout` says otherwise.
pub(crate) const DEFAULT_PREPARE_TIMEOUT: Duration = Duration::from_secs(10);

/// A program to run at an event, and the words given to it before those that vrrpd adds.
///
/// freevrrpd hands the value to a shell; vrrpd runs the program itself, so that its exit status is
/// the script's and nothing of an event is ever read as a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Script {
    /// The program.
    pub path: PathBuf,
    /// Words from the configuration file.
    pub args: Vec<String>,
}

/// The scripts of one virtual router, in the order of the manual page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scripts {
    pub(super) master: Option<Script>,
    pub(super) backup: Option<Script>,
    pub(super) fault: Option<Script>,
    pub(super) stop: Option<Script>,
    pub(super) prepare: Option<Script>,
    pub(super) reclaim: Option<Script>,
    pub(super) prepare_timeout: Duration,
}

/// Reads the scripts of a section.
pub(super) fn scripts(reader: &mut Reader<'_, '_>) -> Scripts {
    Scripts {
        master: script(reader, Key::MasterScript),
        backup: script(reader, Key::BackupScript),
        fault: script(reader, Key::FaultScript),
        stop: script(reader, Key::StopScript),
        prepare: script(reader, Key::PrepareScript),
        reclaim: script(reader, Key::ReclaimScript),
        prepare_timeout: timeout(reader, Key::PrepareTimeout).unwrap_or(DEFAULT_PREPARE_TIMEOUT),
    }
}

/// The settings of scripts that `[GLOBAL]` gives to all sections.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    pub(super) timeout: Duration,
    pub(super) user: Option<ScriptUser>,
    pub(super) retry: bool,
    /// `notifyscript`, and its line.
    pub(super) notify: Option<(Script, usize)>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            timeout: DEFAULT_SCRIPT_TIMEOUT,
            user: None,
            retry: false,
            notify: None,
        }
    }
}

impl Defaults {
    /// Reads `notifyscript`, `scripttimeout`, `scriptuser` and `scriptretry` of a section that may change
    /// them.
    pub(super) fn read(&self, reader: &mut Reader<'_, '_>) -> Self {
        let notify = script(reader, Key::NotifyScript);
        let line = reader.entry(Key::NotifyScript).map(|entry| entry.line);
        let notify = notify.zip(line).or_else(|| self.notify.clone());
        let retry = reader.value(Key::ScriptRetry, values::yes_no);
        Self {
            timeout: timeout(reader, Key::ScriptTimeout).unwrap_or(self.timeout),
            user: self.read_user(reader),
            retry: retry.unwrap_or(self.retry),
            notify,
        }
    }

    /// Reads `scriptuser` of a section that may change it.
    pub(super) fn read_user(&self, reader: &mut Reader<'_, '_>) -> Option<ScriptUser> {
        let user = reader.value(Key::ScriptUser, user);
        user.or_else(|| self.user.clone())
    }
}

/// Reads a user, and perhaps a group.
pub(super) fn user(text: &str) -> Result<ScriptUser, String> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let is_name = |name: &str| !name.is_empty() && !name.contains([' ', '\t', ',', ':', '/']);
    if !is_name(user) || !group.is_none_or(is_name) {
        return Err(format!(
            "expected `USER` or `USER:GROUP`, found {}",
            found(text)
        ));
    }
    Ok(ScriptUser {
        user: user.to_owned(),
        group: group.map(str::to_owned),
    })
}

fn timeout(reader: &mut Reader<'_, '_>, key: Key) -> Option<Duration> {
    let timeout = reader.value(key, |text| values::seconds(text, 100..=86_400_000))?;
    Some(Duration::from_micros(timeout.as_micros()))
}

/// Why a script could not be run if its event came now. `None`: it could.
pub(super) fn trouble(path: &Path) -> Option<String> {
    if !path.is_absolute() {
        // Said when the file was read.
        return None;
    }
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) => Some(format!("`{shown}` cannot be run: {error}")),
        Ok(meta) if !meta.is_file() => Some(format!("`{shown}` is not a file")),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => {
            Some(format!("`{shown}` is not executable"))
        }
        Ok(_) => None,
    }
}

pub(super) fn script(reader: &mut Reader<'_, '_>, key: Key) -> Option<Script> {
    let script = reader.value(key, parse)?;
    if !script.path.is_absolute() {
        reader.warning(
            key,
            format!(
                "expected an absolute path, found {}: it depends on where vrrpd is started",
                found(&script.path.to_string_lossy())
            ),
        );
    }
    Some(script)
}

fn parse(text: &str) -> Result<Script, String> {
    // Characters of a shell's language; they would reach the program as plain letters.
    const SHELL: &[char] = &[
        ';', '|', '&', '<', '>', '$', '`', '"', '\'', '\\', '*', '?', '(', ')', '{', '}', '~',
    ];
    if let Some(c) = text.chars().find(|c| SHELL.contains(c)) {
        return Err(format!(
            "expected a program and plain words, as no shell reads them, found `{c}` in {}; put the command into a script",
            found(text)
        ));
    }
    let mut words = text.split_ascii_whitespace();
    let Some(path) = words.next() else {
        return Err("expected the path of a program, found nothing".to_owned());
    };
    Ok(Script {
        path: PathBuf::from(path),
        args: words.map(str::to_owned).collect(),
    })
}
