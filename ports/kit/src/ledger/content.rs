//! The lines of a ledger.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::Entry;

/// A ledger is read up to this length.
const MAX_LEN: u64 = 4 * 1024 * 1024;
/// Lines of one ledger that are reported one by one.
pub(super) const REPORTED: usize = 4;

/// The content of a ledger.
#[derive(Debug)]
pub(super) struct Parsed<E> {
    /// Entries that are not undone.
    pub(super) entries: BTreeSet<E>,
    /// Lines that are none.
    pub(super) foreign: Vec<String>,
}

/// Reads a ledger. The last line may be cut short: without its end it is none.
pub(super) fn parse<E: Entry>(text: &str) -> Parsed<E> {
    let mut parsed = Parsed {
        entries: BTreeSet::new(),
        foreign: Vec::new(),
    };
    for line in text.split_inclusive('\n') {
        let read = line.strip_suffix('\n').and_then(|line| {
            let (sign, rest) = line.split_at_checked(2)?;
            Some((sign, rest.parse::<E>().ok()?))
        });
        match read {
            Some(("+ ", entry)) => drop(parsed.entries.insert(entry)),
            Some(("- ", entry)) => drop(parsed.entries.remove(&entry)),
            _ => parsed.foreign.push(line.trim_end().to_owned()),
        }
    }
    parsed
}

/// Reads a ledger that is open. What is odd about it is added to `remarks`.
pub(super) fn read<E: Entry>(
    file: &File,
    path: &Path,
    remarks: &mut Vec<String>,
) -> io::Result<Parsed<E>> {
    let mut octets = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_LEN {
        octets.truncate(MAX_LEN as usize);
        let path = path.display();
        remarks.push(format!(
            "{path}: longer than {MAX_LEN} octets; the rest is skipped"
        ));
    }
    let parsed = parse(&String::from_utf8_lossy(&octets));
    for line in parsed.foreign.iter().take(REPORTED) {
        let line: String = line.chars().take(100).collect();
        remarks.push(format!(
            "{}: skipped {line:?}, which is no line of a ledger",
            path.display()
        ));
    }
    if let more @ 1.. = parsed.foreign.len().saturating_sub(REPORTED) {
        remarks.push(format!(
            "{}: skipped {more} more such lines",
            path.display()
        ));
    }
    Ok(parsed)
}
