//! Breaking the code, rule by rule, to see the tests notice. `tests/mutations.txt` says what is
//! broken and which tests failed when that was last tried.

use std::path::Path;
use std::process::Command;

use crate::tools::apart::{lay_out, write};
use crate::tools::run::{Failure, cargo, root};

const LIST: &str = "tests/mutations.txt";
const HEAD: &str = "\
# Breaks of the code, one for each rule: the rule, the file, what stands there, what is put in its
# place, and the tests of vrrp-core that failed. `cargo xtask compliance --mutate` tries them all again and
# writes the last column. A line of code ends with ⏎.
";
const LINE_END: &str = "⏎";

pub(crate) struct Mutation {
    pub(crate) rule: String,
    file: String,
    from: String,
    to: String,
    failed: String,
}

impl Mutation {
    pub(crate) fn describe(&self) -> String {
        let short = |text: &str| text.split_whitespace().collect::<Vec<&str>>().join(" ");
        let (from, to) = (short(&self.from), short(&self.to));
        format!("`{from}` made `{to}` in {}: {}", self.file, self.failed)
    }

    fn line(&self) -> String {
        let cells = [&self.rule, &self.file, &self.from, &self.to, &self.failed];
        let cells: Vec<String> = cells.iter().map(|c| c.replace('\n', LINE_END)).collect();
        cells.join(" ¦ ") + "\n"
    }
}

/// Reads the committed mutations.
pub(crate) fn all() -> Result<Vec<Mutation>, Failure> {
    let path = root().join(LIST);
    let text = std::fs::read_to_string(&path).map_err(|e| Failure(format!("{LIST}: {e}")))?;
    let lines = text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mutations: Result<Vec<Mutation>, Failure> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split('¦').map(str::trim).collect();
            let (rule, file, from, to, failed) = match cells[..] {
                [rule, file, from, to] => (rule, file, from, to, ""),
                [rule, file, from, to, failed] => (rule, file, from, to, failed),
                _ => return Err(Failure(format!("{LIST}: {line}"))),
            };
            Ok(Mutation {
                rule: rule.into(),
                file: file.into(),
                from: from.replace(LINE_END, "\n"),
                to: to.replace(LINE_END, "\n"),
                failed: failed.into(),
            })
        })
        .collect();
    let mutations = mutations?;
    for mutation in &mutations {
        // A break of code that is no longer there proves nothing.
        mutation.applied(&root())?;
    }
    Ok(mutations)
}

impl Mutation {
    /// The file's text with the break in it.
    fn applied(&self, root: &Path) -> Result<String, Failure> {
        let text = std::fs::read_to_string(root.join(&self.file));
        let text = text.map_err(|e| Failure(format!("{}: {e}", self.file)))?;
        match text.matches(&self.from).count() {
            1 => Ok(text.replacen(&self.from, &self.to, 1)),
            found => Err(Failure(format!(
                "{LIST}: {} of {}: '{}' stands there {found} times",
                self.rule, self.file, self.from
            ))),
        }
    }
}

/// Tries the breaks of these rules, or of all, in a copy of the engine, and notes which tests
/// failed.
pub(crate) fn try_out(rules: &[String]) -> Result<(), Failure> {
    let copy = crate::tools::run::target_dir().join("mutations");
    let mut mutations = all()?;
    let mut survivors = Vec::new();
    for at in 0..mutations.len() {
        let mutation = &mut mutations[at];
        if !rules.is_empty() && !rules.contains(&mutation.rule) {
            continue;
        }
        lay_out(&copy)?;
        let broken = mutation.applied(&copy)?;
        write(&copy.join(&mutation.file), &broken)?;
        mutation.failed = some_of(&failed_tests(&copy)?);
        sayln!("{}: {}", mutation.rule, mutation.failed);
        if mutation.failed.is_empty() {
            survivors.push(mutation.line());
        }
        let text: String = mutations.iter().map(Mutation::line).collect();
        write(&root().join(LIST), &format!("{HEAD}{text}"))?;
    }
    match survivors.is_empty() {
        true => Ok(()),
        false => Err(Failure(format!("no test failed:\n{}", survivors.concat()))),
    }
}

/// The first few names, and how many more there are.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = &names[..names.len().min(SHOWN)];
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Runs the engine's tests in the copy.
fn failed_tests(copy: &Path) -> Result<Vec<String>, Failure> {
    let mut command: Command = cargo();
    command
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .args([
            "test",
            "--offline",
            "--package",
            "vrrp-core",
            "--features",
            "hmac",
            "--no-fail-fast",
        ])
        .args(["--lib", "--tests", "--", "--test-threads", "2"]);
    let output = command
        .output()
        .map_err(|e| Failure(format!("cannot run cargo: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("could not compile") {
        let errors = errors.lines().filter(|l| l.starts_with("error"));
        let errors: Vec<&str> = errors.collect();
        return Err(Failure(format!("a break does not compile: {errors:?}")));
    }
    let failed = text.lines().filter_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.to_owned())
    });
    let mut failed: Vec<String> = failed.collect();
    failed.sort();
    failed.dedup();
    Ok(failed)
}
