//! Properties of imports that hold for any input, over mutated examples.

use std::path::Path;

use super::{examples, import};
use crate::import::{COMPLETE, Finding, INCOMPLETE, NOTHING, Verdict};
use crate::parse;

/// Numbers that look random, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }
}

/// Asserts what holds for every input.
fn check(text: &str) {
    let imported = import(text);
    let lines = text.split('\n').count();
    match &imported.text {
        Some(written) => {
            let parsed = parse(Path::new("vrrpd.conf"), written);
            assert!(
                !parsed.has_errors(),
                "{text}\n{:#?}\n{written}",
                parsed.errors()
            );
            if let Some(config) = &parsed.config {
                crate::tests::assert_printed(config, &parsed.diagnostics);
            }
            assert!(imported.virtual_routers > 0);
            assert!([COMPLETE, INCOMPLETE].contains(&imported.status()));
        }
        None => assert_eq!((imported.status(), imported.virtual_routers), (NOTHING, 0)),
    }
    for finding in &imported.findings {
        let shown = finding.to_string();
        assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
        let own = finding.file == Path::new("keepalived.conf");
        assert!(!own || finding.line <= lines, "{shown} of {lines} lines");
    }
    assert_eq!(import(text), imported);
}

#[test]
fn any_input_ends_with_a_status_and_an_output_without_errors() {
    let examples = examples();
    let words: Vec<&str> = examples
        .iter()
        .flat_map(|(_, text)| text.split_whitespace())
        .collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..600 {
        let (_, text) = &examples[random.below(examples.len())];
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for _ in 0..=random.below(4) {
            let at = random.below(lines.len());
            match random.below(7) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => {
                    let other = random.below(lines.len());
                    lines.swap(at, other);
                }
                3 => {
                    let word = words[random.below(words.len())];
                    let mut parts: Vec<&str> = lines[at].split(' ').collect();
                    let place = random.below(parts.len());
                    parts[place] = word;
                    lines[at] = parts.join(" ");
                }
                4 => {
                    let odd = [
                        "\"",
                        "'",
                        "{",
                        "}",
                        "\\",
                        "#",
                        "$",
                        "@",
                        "~SEQ(A,1,3)",
                        "\u{7}",
                        "é",
                        "-1",
                        "99999999999999999999",
                    ];
                    lines[at].push_str(odd[random.below(odd.len())]);
                }
                5 => {
                    let (_, other) = &examples[random.below(examples.len())];
                    lines.extend(other.lines().map(str::to_owned));
                }
                _ => {
                    let keep = random.below(lines[at].len() + 1);
                    let keep = (0..=keep).rev().find(|k| lines[at].is_char_boundary(*k));
                    lines[at].truncate(keep.unwrap_or(0));
                }
            }
            if lines.is_empty() {
                lines.push(String::new());
            }
        }
        let text = lines.join("\n");
        let result = std::panic::catch_unwind(|| check(&text));
        assert!(result.is_ok(), "round {round}:\n{text}");
    }
}

/// A word that keepalived does not know is reported, wherever it stands: nothing is lost in silence.
#[test]
fn a_line_that_nobody_knows_is_always_reported() {
    for (name, text) in examples() {
        let lines: Vec<&str> = text.lines().collect();
        for at in 0..=lines.len() {
            let mut with = lines.clone();
            with.insert(at, "xyzzy_plugh 1");
            let text = with.join("\n");
            let imported = import(&text);
            let line = at + 1;
            let said = imported
                .findings
                .iter()
                .any(|f| f.line == line || f.message.contains("xyzzy"));
            // Blocks that are reported as a whole, and what belongs to a definition.
            let within = enclosing(&with, at);
            let whole = within.iter().any(|outer| {
                imported
                    .findings
                    .iter()
                    .any(|f| f.verdict != Verdict::Note && mentions(f, *outer))
            });
            let defined = lines
                .get(..at)
                .unwrap_or_default()
                .iter()
                .rev()
                .take_while(|l| l.ends_with('\\'))
                .count()
                > 0;
            let notes = ["notification_email", "garp_group", "linkbeat_interfaces"];
            let harmless = within.iter().any(|outer| {
                with.get(outer - 1)
                    .is_some_and(|l| notes.iter().any(|word| l.trim_start().starts_with(word)))
            });
            assert!(
                said || whole || defined || harmless,
                "{name}, line {line}:\n{}\n{text}",
                imported.report()
            );
        }
    }
}

/// Whether a finding is about a line, also where it is about several.
fn mentions(finding: &Finding, line: usize) -> bool {
    let (_, lines) = finding.message.split_once("(lines ").unwrap_or_default();
    let (lines, _) = lines.split_once(')').unwrap_or_default();
    finding.line == line || lines.split(", ").any(|one| one == line.to_string())
}

/// The lines of the blocks around a line, from 1.
fn enclosing(lines: &[&str], at: usize) -> Vec<usize> {
    let mut open = Vec::new();
    let mut owner = 0;
    for (index, line) in lines.iter().enumerate().take(at) {
        let bare = line.split(['#', '!']).next().unwrap_or_default();
        if !bare.trim_start().starts_with(['{', '}']) && !bare.trim().is_empty() {
            owner = index + 1;
        }
        for c in bare.chars() {
            match c {
                '{' => open.push(owner),
                '}' => drop(open.pop()),
                _ => {}
            }
        }
    }
    open
}
