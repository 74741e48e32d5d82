//! A table of what `vrrpd --import` carries over of a folder of configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::run::{self, Failure, failed, target_dir};

/// The result of the import of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Everything, and nothing to say.
    Whole,
    /// Everything, with notes of what has no effect here.
    WithNotes,
    /// Everything that keepalived acts on; it passes over the rest, too.
    WithErrors,
    /// Everything but for programs and users that this host does not have: it is that of another.
    OtherHost,
    /// Something works otherwise.
    Approximate,
    /// Something is missing.
    Incomplete,
    /// No configuration was written.
    Nothing,
}

const RESULTS: [(Outcome, &str); 7] = [
    (Outcome::Whole, "completely, nothing to say"),
    (Outcome::WithNotes, "completely, with notes"),
    (Outcome::WithErrors, "completely but for errors of the file"),
    (
        Outcome::OtherHost,
        "completely, on a host with its programs and users",
    ),
    (Outcome::Approximate, "approximately"),
    (Outcome::Incomplete, "not completely"),
    (Outcome::Nothing, "not at all"),
];

/// A file, and what its import says.
#[derive(Debug)]
struct Import {
    result: Outcome,
    /// It configures LVS, which stays with keepalived.
    has_lvs: bool,
    /// Verdict and subject of each finding.
    findings: BTreeSet<(String, String)>,
}

/// `cargo xtask imports FOLDER`.
pub(crate) fn command(rest: &[String]) -> Result<(), Failure> {
    let [folder] = rest else {
        let text = "usage: cargo xtask imports FOLDER, whose *.conf are of keepalived";
        return Err(Failure(text.into()));
    };
    let folder = Path::new(folder);
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        files.push(entry.map_err(failed(folder))?.path());
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "conf"));
    files.sort();
    if files.is_empty() {
        return Err(Failure(format!("{}: it has no *.conf", folder.display())));
    }
    run::build(&["build", "-q", "-p", "vrrpd"])?;
    let program = target_dir().join("debug/vrrpd");
    let mut imports = Vec::new();
    for file in &files {
        let import = import(&program, file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let (_, words) = RESULTS[import.result as usize];
        sayln!("{name}: {words}");
        imports.push(import);
    }
    sayln!("");
    say!("{}", table(&imports));
    Ok(())
}

fn import(program: &Path, file: &Path) -> Result<Import, Failure> {
    let output = Command::new(program).arg("--import").arg(file).output();
    let output = output.map_err(failed(program))?;
    let text = std::fs::read(file).map_err(failed(file))?;
    let has_lvs = String::from_utf8_lossy(&text)
        .lines()
        .any(|line| line.trim_start().starts_with("virtual_server"));
    let report = String::from_utf8_lossy(&output.stderr);
    judge(output.status.code(), &report, has_lvs)
        .ok_or_else(|| Failure(format!("{}: {report}", file.display())))
}

/// `None`: the import itself has failed.
fn judge(status: Option<i32>, report: &str, has_lvs: bool) -> Option<Import> {
    const VERDICTS: [&str; 4] = ["note", "differs", "not carried over", "error"];
    let findings: BTreeSet<(String, String)> = report
        .lines()
        .filter_map(|line| {
            let mut parts = line.split(": ").skip(1);
            let verdict = parts.next().filter(|part| VERDICTS.contains(part))?;
            let subject = parts.next()?.split([' ', ',']).next()?;
            Some((verdict.to_owned(), subject.to_owned()))
        })
        .collect();
    // Those of another host: a program or a user that this one does not have.
    let is_elsewhere = |line: &str| {
        let absent = ["cannot be run: No such file", "this host has no user"];
        absent.iter().any(|words| line.contains(words))
    };
    let mut lines = report.lines();
    let is_lost = |line: &str| line.contains(": not carried over: ");
    let is_missing = lines.any(|line| is_lost(line) && !is_elsewhere(line));
    let has = |verdict: &str| findings.iter().any(|(known, _)| known == verdict);
    let result = match status? {
        78 => Outcome::Nothing,
        0 | 1 if is_missing => Outcome::Incomplete,
        0 | 1 if has("differs") => Outcome::Approximate,
        0 | 1 if has("not carried over") => Outcome::OtherHost,
        0 | 1 if has("error") => Outcome::WithErrors,
        0 if has("note") => Outcome::WithNotes,
        0 => Outcome::Whole,
        _ => return None,
    };
    Some(Import {
        result,
        has_lvs,
        findings,
    })
}

fn table(imports: &[Import]) -> String {
    let all: Vec<&Import> = imports.iter().collect();
    let without: Vec<&Import> = imports.iter().filter(|import| !import.has_lvs).collect();
    let mut text = format!(
        "| | all {} | without LVS, {} |\n| --- | --: | --: |\n",
        all.len(),
        without.len()
    );
    for (result, words) in RESULTS {
        let cell = |imports: &[&Import]| {
            let count = imports.iter().filter(|i| i.result == result).count();
            match count * 100 / imports.len().max(1) {
                _ if count == 0 => "0".to_owned(),
                percent => format!("{count} ({percent} %)"),
            }
        };
        text += &format!("| {words} | {} | {} |\n", cell(&all), cell(&without));
    }
    let mut subjects: BTreeMap<&(String, String), usize> = BTreeMap::new();
    for finding in imports.iter().flat_map(|import| &import.findings) {
        *subjects.entry(finding).or_default() += 1;
    }
    let mut subjects: Vec<_> = subjects.into_iter().collect();
    subjects.sort_by(|(a, many), (b, more)| (&a.0, more, &a.1).cmp(&(&b.0, many, &b.1)));
    text += "\n| verdict | subject | files |\n| --- | --- | --: |\n";
    for ((verdict, subject), count) in subjects {
        text += &format!("| {verdict} | `{subject}` | {count} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_judged_by_its_worst_finding() {
        let note = "k.conf:3: note: router_id, smtp_server (lines 3, 5): no effect here\n";
        let differs = "k.conf:3: differs: notify x\n";
        let lost = "k.conf:9: not carried over: virtual_server: LVS stays\n";
        let absent = "k.conf:1: not carried over: vrrp_script x: command: `/y` cannot be run: No such file or directory (os error 2)\n";
        let error = "k.conf:9: error: `foo`: keepalived passes over it\n";
        let count = "1 virtual router: 9 carried over, 1 note\n";
        for (status, lines, expected) in [
            (0, count.to_owned(), Outcome::Whole),
            (0, format!("{note}{count}"), Outcome::WithNotes),
            (1, format!("{note}{error}{count}"), Outcome::WithErrors),
            (1, format!("{differs}{error}"), Outcome::Approximate),
            (1, format!("{differs}{lost}"), Outcome::Incomplete),
            (1, format!("{absent}{error}"), Outcome::OtherHost),
            (1, format!("{absent}{lost}"), Outcome::Incomplete),
            (78, lost.to_owned(), Outcome::Nothing),
        ] {
            let import = judge(Some(status), &lines, false).expect("an import");
            assert_eq!(import.result, expected, "{lines}");
        }
        assert!(judge(Some(2), "", false).is_none() && judge(None, "", false).is_none());
    }

    #[test]
    fn the_table_counts_files() {
        let lost = "k.conf:9: not carried over: virtual_server: LVS stays\n";
        let imports = [
            judge(Some(1), lost, true).expect("an import"),
            judge(Some(0), "", false).expect("an import"),
        ];
        let text = table(&imports);
        for expected in [
            "| | all 2 | without LVS, 1 |\n",
            "| completely, nothing to say | 1 (50 %) | 1 (100 %) |\n",
            "| not completely | 1 (50 %) | 0 |\n",
            "| not carried over | `virtual_server` | 1 |\n",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }
}
