//! The filters of system calls of the unit, alone and with `without-scripts.conf`: they have to pass every call that
//! vrrpd makes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tools::run::{self, Failure, failed};

/// The sets of system calls that systemd has a name for: what each lists, other sets among it.
type Sets = BTreeMap<String, Vec<String>>;

/// The key of a unit.
const KEY: &str = "SystemCallFilter=";

/// The set that systemd adds to every list of calls to pass.
const ALWAYS: &str = "@default";

/// The calls that a list to refuse begins with.
const ALL: &str = "@known";

/// Settings that refuse system calls, too.
const OTHERS: [(&str, &[&str]); 5] = [
    ("PrivateDevices=yes", &["@raw-io"]),
    ("ProtectClock=yes", &["@clock"]),
    ("ProtectHostname=yes", &["sethostname", "setdomainname"]),
    ("ProtectKernelLogs=yes", &["syslog"]),
    ("ProtectKernelModules=yes", &["@module"]),
];

/// Fails when strace saw a call that the unit refuses, whose files these are. `trace` is what `strace -f` wrote.
pub(crate) fn check(files: &[&Path], trace: &Path) -> Result<(), Failure> {
    let mut unit = String::new();
    for file in files {
        unit += &fs::read_to_string(file).map_err(failed(file))?;
    }
    let trace = fs::read_to_string(trace).map_err(failed(trace))?;
    let sets = run::stdout(Command::new("systemd-analyze").args(["--no-pager", "syscall-filter"]))?;
    let passed = passed(&unit, &parse(&sets));
    let calls: BTreeSet<&str> = trace.lines().filter_map(call).collect();
    let refused: Vec<&str> = calls
        .iter()
        .copied()
        .filter(|call| !passed.contains(*call))
        .collect();
    if calls.is_empty() || !refused.is_empty() {
        let count = calls.len();
        return Err(Failure(format!(
            "{files:?} refuse {refused:?} of the {count} system calls that vrrpd makes"
        )));
    }
    let last = files.last().and_then(|file| file.file_name());
    let last = last.unwrap_or_default().display();
    sayln!("{last} passes the {} system calls", calls.len());
    Ok(())
}

/// The name of the system call that a line of strace is about, the first of its lines.
fn call(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// Reads what `systemd-analyze syscall-filter` prints: a set, and its members one a line and indented.
fn parse(text: &str) -> Sets {
    let mut sets = Sets::new();
    let mut last = String::new();
    for line in text.lines() {
        let word = line.trim();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        if line.starts_with(' ') {
            sets.entry(last.clone()).or_default().push(word.to_owned());
        } else {
            last = word.to_owned();
        }
    }
    sets
}

/// The system calls that the lines of a unit pass. The first one, and the first after an empty one, says whether
/// the list is one of calls to pass.
fn passed(unit: &str, sets: &Sets) -> BTreeSet<String> {
    let mut passed = BTreeSet::new();
    let mut begins = true;
    for value in unit.lines().filter_map(|line| line.strip_prefix(KEY)) {
        if value.is_empty() {
            begins = true;
            continue;
        }
        if begins {
            let first = if value.starts_with('~') { ALL } else { ALWAYS };
            passed = members(first, sets);
            begins = false;
        }
        let (refuses, names) = match value.strip_prefix('~') {
            Some(names) => (true, names),
            None => (false, value),
        };
        for call in names
            .split_whitespace()
            .flat_map(|name| members(name, sets))
        {
            if refuses {
                passed.remove(&call);
            } else {
                passed.insert(call);
            }
        }
    }
    for (setting, refused) in OTHERS {
        if unit.lines().any(|line| line == setting) {
            for call in refused.iter().flat_map(|name| members(name, sets)) {
                passed.remove(&call);
            }
        }
    }
    passed
}

/// The system calls of a set, and of the sets in it; a call is its own member.
fn members(name: &str, sets: &Sets) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return [name.to_owned()].into();
    }
    let listed = sets.get(name).into_iter().flatten();
    listed.flat_map(|member| members(member, sets)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_as_systemd_reads_it() {
        let sets = parse(
            "@default\n    # Always\n    exit\n@chown\n    chown\n    fchown\n\
             @clock\n    adjtimex\n    settimeofday\n\
             @known\n    adjtimex\n    chown\n    exit\n    fchown\n    read\n    seccomp\n    settimeofday\n\
             @service\n    # Usual\n    @chown\n    read\n",
        );
        let unit = "SystemCallFilter=\nSystemCallFilter=@service\nSystemCallFilter=~@chown\n\
                    SystemCallFilter=fchown seccomp\n";
        let calls = |unit: &str| passed(unit, &sets).into_iter().collect::<Vec<String>>();
        assert_eq!(calls(unit), ["exit", "fchown", "read", "seccomp"]);
        // A list of calls to refuse, with an exception.
        let refuses = "SystemCallFilter=~@clock @chown\nSystemCallFilter=adjtimex\n";
        assert_eq!(calls(refuses), ["adjtimex", "exit", "read", "seccomp"]);
        let both = format!("{refuses}{unit}");
        assert_eq!(calls(&both), ["exit", "fchown", "read", "seccomp"]);
        // ProtectClock= has no exceptions.
        let protected = format!("ProtectClock=yes\n{refuses}");
        assert_eq!(calls(&protected), ["exit", "read", "seccomp"]);
    }

    #[test]
    fn a_line_of_strace_names_its_call_once() {
        assert_eq!(call("12    read(3, \"\", 1) = 0"), Some("read"));
        assert_eq!(
            call("12345 landlock_create_ruleset({"),
            Some("landlock_create_ruleset")
        );
        for other in ["12 <... read resumed>) = 0", "12 +++ exited with 0 +++", ""] {
            assert_eq!(call(other), None, "{other}");
        }
    }
}
