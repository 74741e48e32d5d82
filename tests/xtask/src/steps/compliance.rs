//! The checklist, accounted for: which code keeps each rule of `core/RULES.md`, which tests show
//! it, which show where it ends, and which break of the code they were seen to notice.
//!
//! A rule is cited by its id: `V-1` beside the code and in a test that shows the rule, `not V-1` in
//! a test that shows where it ends. What is not cited has a written reason in `tests/rules.txt`.
//!
//! `core/RFC9568.md` leads from each clause of the RFC to its rule, or has the reason for none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::steps::mutations;
use crate::tools::run::{Failure, root};

const TABLE: &str = "tests/COMPLIANCE.md";
const REASONS: &str = "tests/rules.txt";
const CLAUSES: &str = "core/RFC9568.md";
/// Reasons why no rule keeps a clause begin with this.
const NO_RULE: &str = "none: ";
const CODE: &[&str] = &["core/src", "ports"];
const TESTS: &[&str] = &["core/tests", "tests/lab/tests", "tests/sim/tests", "ports"];

/// Where a rule is cited.
#[derive(Default)]
struct Rule {
    text: String,
    level: String,
    section: String,
    code: Vec<String>,
    shown: Vec<String>,
    ends: Vec<String>,
    reasons: BTreeMap<String, String>,
    broken: Vec<String>,
}

/// `cargo xtask compliance`: checks, and writes the table; `--mutate` first breaks the
/// code of every rule, or of those named, and sees the tests fail.
pub(crate) fn command(args: &[String]) -> Result<(), Failure> {
    match args.split_first() {
        None => {}
        Some((mutate, rules)) if mutate == "--mutate" => mutations::try_out(rules)?,
        Some((other, _)) => return Err(Failure(format!("compliance: what is {other}?"))),
    }
    let table = table()?;
    std::fs::write(root().join(TABLE), table).map_err(failure(TABLE))
}

/// Fails when something is missing or the committed table is not what would be written.
pub(crate) fn check() -> Result<(), Failure> {
    match read(&root().join(TABLE))? == table()? {
        true => Ok(()),
        false => Err(Failure(format!(
            "{TABLE} is stale: run `cargo xtask compliance` and read the change"
        ))),
    }
}

fn table() -> Result<String, Failure> {
    let rules = gather()?;
    let mut missing = Vec::new();
    for (id, rule) in &rules {
        let parts = [
            ("code", &rule.code),
            ("test", &rule.shown),
            ("limit", &rule.ends),
            ("break", &rule.broken),
        ];
        for (part, cited) in parts {
            let excused = rule.reasons.contains_key(part) || rule.reasons.contains_key("all");
            match (cited.is_empty(), excused) {
                (true, false) => missing.push(format!("{} has no {part}", id.0)),
                (false, true) => {
                    missing.push(format!("{} has a {part} and a reason for none", id.0))
                }
                _ => {}
            }
        }
    }
    check_clauses(&rules, &mut missing)?;
    if !missing.is_empty() {
        return Err(Failure(missing.join("\n")));
    }
    let mut text = String::from(
        "# Compliance\n\n\
         Written by `cargo xtask compliance`; CI fails when it is stale. The rules are those of\n\
         [core/RULES.md](../core/RULES.md). *Shown by* are tests of the rule, *ends* tests of where it ends,\n\
         *broken* a break of the code that was tried, and the tests that then failed.\n\n",
    );
    for (id, rule) in &rules {
        let _ = writeln!(text, "## {}\n\n{}\n", id.0, rule.text);
        let lists = [
            ("kept in", &rule.code),
            ("shown by", &rule.shown),
            ("ends", &rule.ends),
            ("broken", &rule.broken),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                let _ = writeln!(text, "- {name}: {}", list.join(", "));
            }
        }
        for (part, reason) in &rule.reasons {
            let part = match part.as_str() {
                "all" => "not kept here".to_owned(),
                part => format!("no {part}"),
            };
            let _ = writeln!(text, "- {part}: {reason}");
        }
        text.push('\n');
    }
    Ok(text)
}

/// Checks that each clause of the RFC has a rule or a reason, and each rule of the RFC a clause.
fn check_clauses(rules: &BTreeMap<Id, Rule>, missing: &mut Vec<String>) -> Result<(), Failure> {
    const LEVELS: [&str; 5] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"];
    let mut named = BTreeSet::new();
    let mut clauses = 0;
    for line in read(&root().join(CLAUSES))?.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", section, level, clause, kept_by, ""] = cells[..] else {
            continue;
        };
        if !section.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        clauses += 1;
        let place = format!("{CLAUSES}: section {section}, {clause:?}");
        if !LEVELS.contains(&level) {
            missing.push(format!("{place}: {level:?} is no level of RFC 2119"));
        }
        if let Some(reason) = kept_by.strip_prefix(NO_RULE) {
            if reason.is_empty() {
                missing.push(format!("{place} has no reason"));
            }
            continue;
        }
        if kept_by.is_empty() {
            missing.push(format!("{place} has neither rule nor reason"));
        }
        for id in kept_by
            .split(',')
            .map(str::trim)
            .filter(|id| !id.is_empty())
        {
            if !rules.contains_key(&Id(id.to_owned())) {
                missing.push(format!("{place}: there is no rule {id}"));
            }
            named.insert(id.to_owned());
        }
    }
    if clauses == 0 {
        missing.push(format!("{CLAUSES} has no clauses"));
    }
    for (id, rule) in rules {
        if rule.is_of_the_rfc() && !named.contains(&id.0) {
            missing.push(format!("{CLAUSES} does not name {}", id.0));
        }
    }
    Ok(())
}

impl Rule {
    /// Whether RFC 9568 asks for it, and not an older RFC or we ourselves.
    fn is_of_the_rfc(&self) -> bool {
        let asked = self.level.starts_with(['M', 'S', 'm']);
        let older = ["3768", "2338"]
            .iter()
            .any(|rfc| self.section.starts_with(rfc));
        asked && !older && self.section.contains(|c: char| c.is_ascii_digit())
    }
}

/// Sorts V-2 before V-10.
#[derive(PartialEq, Eq)]
struct Id(String);

impl Ord for Id {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        const CHAPTERS: &str = "VTSMAXGH";
        let key = |id: &Id| {
            let (chapter, number) = id.0.split_once('-').unwrap_or((&id.0, "0"));
            (CHAPTERS.find(chapter), number.parse::<u32>().ok())
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn gather() -> Result<BTreeMap<Id, Rule>, Failure> {
    let mut rules = BTreeMap::new();
    for line in read(&root().join("core/RULES.md"))?.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", id, level, section, text, ""] = cells[..]
            && citations(id).len() == 1
        {
            let place = match section {
                "" => String::new(),
                section => format!("; {section}"),
            };
            let text = format!("{text} ({level}{place})");
            rules.insert(
                Id(id.to_owned()),
                Rule {
                    text,
                    level: level.to_owned(),
                    section: section.to_owned(),
                    ..Rule::default()
                },
            );
        }
    }
    if rules.is_empty() {
        return Err(Failure("core/RULES.md has no rules".into()));
    }
    for (id, part, reason) in reasons()? {
        let rule = rules.get_mut(&Id(id.clone()));
        let rule = rule.ok_or(Failure(format!("{REASONS}: there is no rule {id}")))?;
        rule.reasons.insert(part, reason);
    }
    for folder in CODE {
        each_file(folder, &mut |path, text| {
            if is_test(path) {
                return Ok(());
            }
            // The unit tests begin there.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in code.lines() {
                for (id, _) in citations(line) {
                    cite(&mut rules, &id, path, |rule| &mut rule.code, relative(path))?;
                }
            }
            Ok(())
        })?;
    }
    for folder in TESTS {
        each_file(folder, &mut |path, text| {
            gather_tests(&mut rules, path, text)
        })?;
    }
    for mutation in mutations::all()? {
        let rule = rules.get_mut(&Id(mutation.rule.clone()));
        let rule = rule.ok_or(Failure(format!("mutation of no rule: {}", mutation.rule)))?;
        rule.broken.push(mutation.describe());
    }
    Ok(rules)
}

fn gather_tests(rules: &mut BTreeMap<Id, Rule>, path: &Path, text: &str) -> Result<(), Failure> {
    let within = match text.find("#[cfg(test)]") {
        _ if is_test(path) => 0,
        Some(at) => at,
        None => return Ok(()),
    };
    let lines: Vec<&str> = text[within..].lines().collect();
    let mut function = String::new();
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("//!") {
            continue;
        }
        let named = |line: &str| {
            let line = line.trim_start();
            // Where a list of tests is in another file than they are.
            let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
            let rest = line.strip_prefix("fn ")?;
            Some(rest.split(['(', '<']).next()?.to_owned())
        };
        if let Some(name) = named(line) {
            function = name;
        }
        // A comment above a function is about that one.
        let above = line.starts_with("//");
        let next = lines[at..].iter().take(6).find_map(|l| named(l));
        let name = match (above, next) {
            (true, Some(next)) => next,
            _ => function.clone(),
        };
        for (id, ends) in citations(line) {
            if name.is_empty() {
                let path = path.display();
                return Err(Failure(format!("{path}: {id} is cited beside no test")));
            }
            let cited = format!("`{name}` in {}", relative(path));
            cite(
                rules,
                &id,
                path,
                |rule| {
                    if ends {
                        &mut rule.ends
                    } else {
                        &mut rule.shown
                    }
                },
                cited,
            )?;
        }
    }
    Ok(())
}

fn cite(
    rules: &mut BTreeMap<Id, Rule>,
    id: &str,
    path: &Path,
    list: impl FnOnce(&mut Rule) -> &mut Vec<String>,
    what: String,
) -> Result<(), Failure> {
    let rule = rules.get_mut(&Id(id.to_owned()));
    let rule = rule.ok_or(Failure(format!(
        "{}: there is no rule {id}",
        path.display()
    )))?;
    let list = list(rule);
    if !list.contains(&what) {
        list.push(what);
    }
    Ok(())
}

/// The rules that a line names, and whether it says `not`. A range like V-1 to V-18 names its ends.
fn citations(line: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let bytes = line.as_bytes();
    for (at, _) in line.match_indices('-') {
        let letter = at.checked_sub(1).and_then(|a| bytes.get(a)).copied();
        let begins = at < 2 || !bytes[at - 2].is_ascii_alphanumeric() && bytes[at - 2] != b'-';
        let digits: String = line[at + 1..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let ends = line[at + 1 + digits.len()..].chars().next();
        let ended = ends.is_none_or(|c| !c.is_ascii_alphanumeric());
        if let Some(letter @ (b'V' | b'T' | b'S' | b'M' | b'A' | b'X' | b'G' | b'H')) = letter
            && begins
            && ended
            && (1..=2).contains(&digits.len())
        {
            let not = line[..at - 1].ends_with("not ");
            found.push((format!("{}-{digits}", letter as char), not));
        }
    }
    found
}

/// Lines of `id part: reason`.
fn reasons() -> Result<Vec<(String, String, String)>, Failure> {
    let text = read(&root().join(REASONS))?;
    let mut list = Vec::new();
    for line in text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        let wrong = || Failure(format!("{REASONS}: not 'id part: reason': {line}"));
        let (head, reason) = line.split_once(": ").ok_or_else(wrong)?;
        let (id, part) = head.split_once(' ').ok_or_else(wrong)?;
        if !["code", "test", "limit", "break", "all"].contains(&part) {
            return Err(wrong());
        }
        list.push((id.to_owned(), part.to_owned(), reason.to_owned()));
    }
    Ok(list)
}

fn is_test(path: &Path) -> bool {
    let tests = ["tests", "tests.rs"];
    let relative = relative(path);
    relative
        .split('/')
        .skip(1)
        .any(|part| tests.contains(&part))
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.display().to_string()
}

fn each_file(
    folder: &str,
    then: &mut dyn FnMut(&Path, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut folders = vec![root().join(folder)];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(failure(&folder.display().to_string()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let target = path.file_name().is_some_and(|name| name == "target");
            if path.is_dir() && !target {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    for path in files {
        then(&path, &read(&path)?)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(failure(&path.display().to_string()))
}

fn failure(what: &str) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure(format!("{what}: {error}"))
}
