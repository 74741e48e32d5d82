//! Programs of the administrator, run by the process that has kept the rights.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;
use vrrp_config::{ScriptSecurity, insecurity};

use super::{Answer, Trace, Trouble, failed, words};
use crate::sys;

/// As much of the output is kept.
const MAX_OUTPUT: usize = 1024;

/// How long output may still come after the end of a program.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Kills a process and all that it has started when it is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            sys::destroy_group(pid);
        }
    }
}

/// Asks once.
pub(super) async fn ask(command: &vrrp_config::Command, trace: &Trace) -> Answer {
    let path = command.script.path.as_path();
    let mut runs = prepare(command, path)?;
    trace.wait(&format!("{} did not end", path.display()));
    let child = runs.spawn();
    let mut child = child.map_err(|error| {
        Trouble::Failed(format!(
            "{} cannot be run: {}",
            path.display(),
            words(&error)
        ))
    })?;
    let mut group = Group(child.id());
    trace.say(|| format!("started {}", path.display()));
    let mut kept = Vec::new();
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let reading = async {
        if let (Some(mut output), Some(mut errors)) = (output, errors) {
            let (mut one, mut other) = ([0; 512], [0; 512]);
            let (mut more, mut more_errors) = (true, true);
            while more || more_errors {
                tokio::select! {
                    len = output.read(&mut one), if more => {
                        let len = len.unwrap_or(0);
                        more = len > 0;
                        keep(&mut kept, one.get(..len).unwrap_or_default());
                    }
                    len = errors.read(&mut other), if more_errors => {
                        let len = len.unwrap_or(0);
                        more_errors = len > 0;
                        keep(&mut kept, other.get(..len).unwrap_or_default());
                    }
                }
            }
        }
    };
    let status = {
        let mut reading = std::pin::pin!(reading);
        tokio::select! {
            biased;
            () = &mut reading => child.wait().await,
            status = child.wait() => {
                // A process that it leaves behind may hold the output.
                let _ = timeout(LAST_WORDS, &mut reading).await;
                status
            }
        }
    };
    group.0 = None;
    let status = match status {
        Ok(status) => status,
        Err(error) => return failed(format!("{}: {}", path.display(), words(&error))),
    };
    let text = String::from_utf8_lossy(&kept);
    let text = text.trim();
    let said = if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    };
    trace.say(|| format!("{status}{said}"));
    match status.success() {
        true => Ok(format!("{} succeeded{said}", path.display())),
        false => failed(format!("{} failed, {status}{said}", path.display())),
    }
}

fn keep(kept: &mut Vec<u8>, more: &[u8]) {
    let room = MAX_OUTPUT.saturating_sub(kept.len()).min(more.len());
    kept.extend_from_slice(more.get(..room).unwrap_or_default());
}

/// The process to start, as its user, unless others could have replaced it.
fn prepare(command: &vrrp_config::Command, path: &Path) -> Result<Command, Trouble> {
    let mut runs = Command::new(path);
    runs.args(&command.script.args);
    runs.stdin(Stdio::null()).stdout(Stdio::piped());
    runs.stderr(Stdio::piped()).process_group(0);
    let uid = match (&command.user, command.account) {
        (None, _) => sys::effective_uid(),
        (Some(_), Some(account)) => {
            // Without further groups: the standard library drops them with the user.
            runs.uid(account.uid).gid(account.gid);
            account.uid
        }
        (Some(user), None) => return failed(format!("there is no user {user}")),
    };
    if command.security == ScriptSecurity::Enforce
        && let Some(fault) = insecurity(path, uid)
    {
        let message = format!("{}: others could replace it: {fault}", path.display());
        return failed(message);
    }
    Ok(runs)
}
