//! The service manager's word: systemctl(1) on Linux, service(8) on FreeBSD.

use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::{Answer, Trace, Trouble, failed, printable, words};

/// Managers that are asked at the same time.
const AT_ONCE: usize = 4;
/// The longest answer that is read.
const MAX_ANSWER: u64 = 4096;

/// The turns of those who ask.
pub(super) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

/// Asks once.
pub(super) async fn ask(unit: &str, turns: &Turns, trace: &Trace) -> Answer {
    trace.wait("the service manager did not answer");
    // Never closed.
    let _turn = turns.0.acquire().await;
    let mut command = if cfg!(target_os = "linux") {
        let mut command = Command::new("systemctl");
        command.args(["show", "--property=ActiveState", "--value", "--", unit]);
        command
    } else {
        let mut command = Command::new("service");
        command.args([unit, "status"]);
        command
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::null()).kill_on_drop(true);
    let asked = async {
        let mut child = command.spawn()?;
        let mut text = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(MAX_ANSWER).read_to_end(&mut text).await?;
        }
        Ok::<_, std::io::Error>((child.wait().await?, text))
    };
    let (status, text) = asked.await.map_err(|error| {
        Trouble::Failed(format!(
            "the service manager cannot be asked: {}",
            words(&error)
        ))
    })?;
    let text = String::from_utf8_lossy(&text);
    let text = printable(text.trim(), 80);
    trace.say(|| format!("the service manager says `{text}`, {status}"));
    let active = match cfg!(target_os = "linux") {
        true => status.success() && text == "active",
        false => status.success(),
    };
    match (active, status.success()) {
        (true, _) => Ok(format!("{unit} is active")),
        (false, true) => failed(format!("{unit} is {text}")),
        (false, false) => failed(format!("{unit}: {status} {text}")),
    }
}
