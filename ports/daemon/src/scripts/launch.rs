//! The start of a script: its user, and the check that no other could have replaced it.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use vrrp_config::{Accounts, ScriptSecurity, ScriptUser, insecurity};

use crate::sys::{self, SystemAccounts};

/// A script to be started. Looking up a user and walking to a program may wait for a server.
#[derive(Debug)]
pub(crate) struct Launch {
    /// Its name in the log.
    pub(super) label: String,
    pub(super) command: Command,
    /// The user that it runs as. `None`: the user of this process.
    pub(super) user: Option<ScriptUser>,
    /// The treatment of a script that others could replace. `None`: it is a program of ours, which is as
    /// safe as the one that runs.
    pub(super) security: Option<ScriptSecurity>,
}

impl Launch {
    /// A program of ours, which runs as this process does.
    pub(crate) fn own(label: String, command: Command) -> Self {
        Self {
            label,
            command,
            user: None,
            security: None,
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// The system's; that there is no such user; and that others could replace the script.
    pub(super) fn spawn(mut self) -> io::Result<Child> {
        let mut uid = SystemAccounts.own_uid();
        if let Some(user) = &self.user {
            let account = user.resolve(&SystemAccounts).map_err(io::Error::other)?;
            // Without further groups: the standard library drops them with the user.
            self.command.uid(account.uid).gid(account.gid);
            uid = account.uid;
        }
        if let Some(security) = self.security
            && let Some(fault) = insecurity(Path::new(self.command.get_program()), uid)
        {
            let message = format!("others could replace it: {fault}");
            if security == ScriptSecurity::Enforce {
                return Err(io::Error::other(message));
            }
            log::warn!("{}: {message}", self.label);
        }
        sys::with_ordinary_priority(&mut self.command);
        self.command.spawn()
    }
}
