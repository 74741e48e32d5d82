//! The reader as a whole. Single values are tested beside their parsers.

mod bad;
mod conflicts;
mod good;
mod groups;
mod hmac;
pub(super) mod host;
mod include;
mod manual;
mod print;
mod robust;

use std::path::Path;

pub(super) use robust::print as assert_printed;

use super::{Config, Diagnostic, Parsed, Severity};

/// The file that is installed beside the manual page.
const SAMPLE: &str = include_str!("../../daemon/etc/vrrpd.conf.sample");
const FREEBSD_SAMPLE: &str = include_str!("../../freebsd/port/files/vrrpd.conf.sample");

/// The smallest file, to which a test adds lines.
const MINIMAL: &str = "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24\n";

fn parse(octets: impl AsRef<[u8]>) -> Parsed {
    super::parse(Path::new("vrrpd.conf"), octets)
}

/// A configuration that must be good, and what else was said.
fn good(text: &str) -> (Config, Vec<String>) {
    let Parsed {
        config,
        diagnostics,
    } = parse(text);
    let said = lines(&diagnostics);
    (config.unwrap_or_else(|| panic!("refused: {said:#?}")), said)
}

pub(super) fn lines(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(Diagnostic::to_string).collect()
}

fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .count()
}

/// The diagnostics of a file, without its name, and whether it is refused.
fn said(octets: impl AsRef<[u8]>) -> (bool, Vec<String>) {
    let parsed = parse(octets);
    assert_eq!(parsed.config.is_none(), errors(&parsed.diagnostics) > 0);
    let lines = lines(&parsed.diagnostics)
        .iter()
        .map(|line| line.strip_prefix("vrrpd.conf:").unwrap().to_owned())
        .collect();
    (parsed.config.is_none(), lines)
}

/// A text, whether it is refused, and what is said.
type Case = (&'static str, bool, &'static [&'static str]);

/// Checks the smallest file with more lines, which begin at line 5.
fn check_more(table: &[Case]) {
    for (more, refused, expected) in table {
        let (is_refused, lines) = said(format!("{MINIMAL}{more}"));
        assert_eq!(lines, *expected, "{more}");
        assert_eq!(is_refused, *refused, "{more}");
    }
}

fn to_owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn the_sample_of_freebsd_is_that_of_linux_with_its_names() {
    let renamed = SAMPLE.replace("eth0", "em0").replace("eth1", "em1");
    assert_eq!(
        FREEBSD_SAMPLE,
        renamed.replace("/etc/vrrpd/", "/usr/local/etc/vrrpd/")
    );
}
