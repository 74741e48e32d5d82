//! The routes and rules of an instance.

use crate::diagnostic::found;
use crate::import::keepalived::Importer;
use crate::import::keepalived::tree::Statement;
use crate::import::output::Section;

/// Writes routes or rules that come and go with the addresses.
pub(super) fn routes(
    lines: &[&Statement],
    key: &'static str,
    interface: &str,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let _ = interface;
    for line in lines {
        let text = format!(
            "{key} {}: vrrpd has no {key}s; let masterscript and backupscript set and remove it",
            found(&line.text)
        );
        section.remark_lost(line.at, &text);
        importer.lost(line, text);
        line.settle_all();
    }
}
