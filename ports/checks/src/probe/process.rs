//! Processes, by the names of their programs or by the number in a file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use vrrp_config::Process;

use super::{Answer, Tools, Trace, Trouble, failed, words};

/// All checks share a list of processes that is no older than this.
const FRESH: Duration = Duration::from_millis(200);
/// The longest name that the kernel keeps of a program.
const KEPT: usize = if cfg!(target_os = "linux") { 15 } else { 19 };

/// The processes of this host, as they were a moment ago.
#[derive(Default)]
pub(super) struct Table {
    read: RefCell<Option<(Instant, Rc<Processes>)>>,
}

/// Numbers and whether they are alive, by the names of programs.
type Processes = HashMap<String, Vec<(u32, bool)>>;

/// Asks once.
pub(super) async fn ask(process: &Process, tools: &Tools, trace: &Trace) -> Answer {
    let processes = tools.processes.get();
    let processes = processes.map_err(|error| {
        Trouble::NotJudged(format!(
            "not judged: processes cannot be listed: {}",
            words(&error)
        ))
    })?;
    trace.say(|| format!("{} names of programs run on this host", processes.len()));
    match process {
        Process::Name(name) => {
            let kept: String = name.chars().take(KEPT).collect();
            let found = processes.get(&kept).map(Vec::as_slice).unwrap_or_default();
            let fits = |pid: u32| kept == *name || is_called(pid, name);
            let found = found.iter().filter(|(pid, _)| fits(*pid));
            let (mut alive, mut dead) = (0, 0);
            for (_, is_alive) in found {
                if *is_alive { alive += 1 } else { dead += 1 }
            }
            match (alive, dead) {
                (0, 0) => failed(format!("no process `{name}`")),
                (0, dead) => failed(format!("{dead} of `{name}`, stopped or dead")),
                (1, _) => Ok(format!("1 process `{name}`")),
                (alive, _) => Ok(format!("{alive} processes `{name}`")),
            }
        }
        Process::PidFile(path) => {
            let pid = match number_in(path) {
                Ok(pid) => pid,
                Err(error) => return failed(format!("{}: {}", path.display(), words(&error))),
            };
            let all = processes.values().flatten();
            let mut found = all.filter(|(number, _)| *number == pid);
            match found.next() {
                None => failed(format!("no process {pid} of {}", path.display())),
                Some((_, false)) => failed(format!("process {pid} is stopped or dead")),
                Some((_, true)) => Ok(format!("process {pid} runs")),
            }
        }
    }
}

/// The first line of a file, as a number.
fn number_in(path: &Path) -> io::Result<u32> {
    let mut text = String::new();
    File::open(path)?.take(64).read_to_string(&mut text)?;
    let number = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok());
    number.ok_or_else(|| io::Error::other("no number of a process"))
}

impl Table {
    fn get(&self) -> io::Result<Rc<Processes>> {
        let mut read = self.read.borrow_mut();
        let now = Instant::now();
        if let Some((at, processes)) = read.as_ref().filter(|(at, _)| now < *at + FRESH) {
            let _ = at;
            return Ok(processes.clone());
        }
        let mut processes = Processes::new();
        for (pid, name, alive) in list()? {
            processes.entry(name).or_default().push((pid, alive));
        }
        let processes = Rc::new(processes);
        *read = Some((now, processes.clone()));
        Ok(processes)
    }
}

#[cfg(target_os = "freebsd")]
use crate::sys::processes as list;

#[cfg(target_os = "linux")]
fn list() -> io::Result<Vec<(u32, String, bool)>> {
    let mut all = Vec::new();
    let mut stat = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        stat.clear();
        // It may have ended meanwhile.
        let file = File::open(format!("/proc/{pid}/stat"));
        let read = file.and_then(|file| file.take(1024).read_to_end(&mut stat));
        if read.is_ok()
            && let Some((name, alive)) = name_and_state(&stat)
        {
            all.push((pid, name, alive));
        }
    }
    Ok(all)
}

/// `1 (name) S ...`: the name may hold anything but is followed by the last parenthesis.
#[cfg(any(target_os = "linux", test))]
fn name_and_state(stat: &[u8]) -> Option<(String, bool)> {
    let text = String::from_utf8_lossy(stat);
    let (before, after) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let state = after.trim_start().chars().next()?;
    Some((name.to_owned(), !"TtZXx".contains(state)))
}

/// Whether a process was started with a program of this long name.
fn is_called(pid: u32, name: &str) -> bool {
    let mut line = Vec::new();
    let file = File::open(format!("/proc/{pid}/cmdline"));
    let read = file.and_then(|file| file.take(4096).read_to_end(&mut line));
    let first = line.split(|octet| *octet == 0).next().unwrap_or_default();
    let base = first.rsplit(|octet| *octet == b'/').next();
    read.is_ok() && base == Some(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let read = |text: &str| name_and_state(text.as_bytes());
        assert_eq!(read("7 (nginx) S 1"), Some(("nginx".into(), true)));
        assert_eq!(read("7 (a) Z (b) R 1"), Some(("a) Z (b".into(), true)));
        assert_eq!(read("7 (nginx) Z 1"), Some(("nginx".into(), false)));
        assert_eq!(read("7 (nginx) T 1"), Some(("nginx".into(), false)));
        for bad in ["", "7", "7 (a", "7 a) S", "7 (a)"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
