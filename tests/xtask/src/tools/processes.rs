//! Processes, found by a variable of their environment, which children inherit.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// A process that has the variable.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its number.
    pub(crate) pid: u32,
    /// Its command line, the arguments separated by spaces.
    pub(crate) command_line: String,
}

/// Finds the processes in whose environment the variable `name` is `value`.
///
/// A process that has just ended has no environment and is not found.
pub(crate) fn with_variable(name: &str, value: &OsStr) -> Vec<Found> {
    let wanted = [name.as_bytes(), b"=", value.as_encoded_bytes()].concat();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let found = entries.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let command_line = command_line_with(&entry.path(), &wanted)?;
        Some(Found { pid, command_line })
    });
    found.collect()
}

/// Returns `None` if the environment of the process has no entry `wanted`.
fn command_line_with(process: &Path, wanted: &[u8]) -> Option<String> {
    let environment = fs::read(process.join("environ")).ok()?;
    let mut variables = environment.split(|octet| *octet == 0);
    variables.find(|variable| *variable == wanted)?;
    let line = fs::read(process.join("cmdline")).ok()?;
    Some(String::from_utf8_lossy(&line).replace('\0', " "))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::process::Command;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_process_is_found_by_a_variable() {
        const NAME: &str = "XTASK_TEST_PROCESS";
        let value = OsString::from(format!("a test of {}", std::process::id()));
        assert!(with_variable(NAME, &value).is_empty());
        let mut child = Command::new("sleep")
            .arg("60")
            .env(NAME, &value)
            .spawn()
            .expect("sleep(1)");
        // spawn() returns at the exec, and the kernel shows the new environment a moment later.
        let started = Instant::now();
        let mut found = with_variable(NAME, &value);
        while found.is_empty() && started.elapsed() < Duration::from_secs(3) {
            thread::sleep(Duration::from_millis(1));
            found = with_variable(NAME, &value);
        }
        child.kill().expect("kill a child");
        child.wait().expect("wait for a child");
        let found: Vec<(u32, &str)> = found
            .iter()
            .map(|f| (f.pid, f.command_line.as_str()))
            .collect();
        assert_eq!(found, [(child.id(), "sleep 60 ")]);
    }
}
