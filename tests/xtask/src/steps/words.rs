//! The lint of prose: no comment, no line of Markdown or of a manual page begins with a bare relative
//! pronoun, which hides the subject.

use std::path::Path;

use crate::tools::run::{Failure, root};

const BARE: &[&str] = &["What", "Who", "Whoever", "Whatever", "Nobody"];

/// Fails with a list of the lines that begin so.
pub(crate) fn check() -> Result<(), Failure> {
    let mut found = Vec::new();
    let mut files = 0;
    look(&root(), &mut found, &mut files)
        .map_err(|e| Failure(format!("cannot read the repository: {e}")))?;
    if files == 0 {
        return Err(Failure("no file to look at".into()));
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "begin with the thing that these lines are about, not with one of {}:\n{}",
        BARE.join(", "),
        found.join("\n")
    )))
}

fn look(folder: &Path, found: &mut Vec<String>, files: &mut usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str());
            if !name.is_some_and(|name| name.starts_with('.') || name == "target") {
                look(&path, found, files)?;
            }
            continue;
        }
        let begins_bare = match path.extension().and_then(|e| e.to_str()) {
            Some("rs") => comment_begins_bare,
            Some("md" | "3" | "5" | "7" | "8") => sentence_begins_bare,
            _ => continue,
        };
        *files += 1;
        for (number, line) in std::fs::read_to_string(&path)?.lines().enumerate() {
            if begins_bare(line) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    Ok(())
}

fn comment_begins_bare(line: &str) -> bool {
    let Some(comment) = line.trim_start().strip_prefix("//") else {
        return false;
    };
    begins_bare(comment.trim_start_matches(['/', '!']).trim_start())
}

/// A paragraph, a heading or an item of a list.
fn sentence_begins_bare(line: &str) -> bool {
    begins_bare(line.trim_start_matches(['#', '-', '*', '>', ' ']))
}

fn begins_bare(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_alphanumeric()).next();
    word.is_some_and(|word| BARE.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_hide_their_subject_are_found() {
        for line in [
            "/// What a host says.",
            "    //! Who asks;",
            "// Nobody is here.",
        ] {
            assert!(comment_begins_bare(line), "{line}");
        }
        for line in [
            "/// The report of a host.",
            "let what = 1; // What",
            "// Whole.",
        ] {
            assert!(!comment_begins_bare(line), "{line}");
        }
        assert!(sentence_begins_bare("- What is left"));
        assert!(sentence_begins_bare("## What was measured"));
        assert!(!sentence_begins_bare("The rest. What is left"));
    }
}
