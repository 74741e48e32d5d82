//! The filter of system calls in `without-scripts.conf`: it has to pass every call that vrrpd makes.

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

/// Fails when strace saw a call that the drop-in refuses. `trace` is what `strace -f` wrote.
pub(crate) fn check(drop_in: &Path, trace: &Path) -> Result<(), Failure> {
    let unit = fs::read_to_string(drop_in).map_err(failed(drop_in))?;
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
        let (count, file) = (calls.len(), drop_in.display());
        return Err(Failure(format!(
            "{file} refuses {refused:?} of the {count} system calls that vrrpd makes"
        )));
    }
    sayln!(
        "without-scripts.conf passes the {} system calls",
        calls.len()
    );
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

/// The system calls that the lines of a unit pass, which begin with an empty one.
fn passed(unit: &str, sets: &Sets) -> BTreeSet<String> {
    let mut passed = BTreeSet::new();
    for value in unit.lines().filter_map(|line| line.strip_prefix(KEY)) {
        if value.is_empty() {
            passed = members(ALWAYS, sets);
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
             @service\n    # Usual\n    @chown\n    read\n",
        );
        let unit = "SystemCallFilter=\nSystemCallFilter=@service\nSystemCallFilter=~@chown\n\
                    SystemCallFilter=fchown seccomp\n";
        let passed: Vec<String> = passed(unit, &sets).into_iter().collect();
        assert_eq!(passed, ["exit", "fchown", "read", "seccomp"]);
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
