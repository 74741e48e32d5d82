//! The tracked interfaces of an instance.

use vrrp_core::MAX_TRACKS;

use crate::diagnostic::found;
use crate::import::keepalived::Importer;
use crate::import::keepalived::trackers::{Weighting, is_full};
use crate::import::keepalived::tree::Statement;
use crate::import::output::Section;
use crate::values;

pub(super) fn track_interface(
    line: &Statement,
    own: &str,
    is_owner: bool,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let name = line.keyword().to_owned();
    if let Err(why) = values::interface(&name) {
        return importer.error(line, format!("track_interface: {why}"));
    }
    let Some(how) = Weighting::read(line, 0, false, importer) else {
        return;
    };
    if name == own {
        return importer.note(
            line,
            format!(
                "{} is the interface itself, which is watched in any case",
                found(&name)
            ),
        );
    }
    if how.weight != 0 && is_owner {
        return importer.note(
            line,
            format!(
                "{}: priority 255 has no weights, with keepalived neither",
                found(&name)
            ),
        );
    }
    if how.reverse {
        let text = format!(
            "track_interface {}: vrrpd has no weight in reverse",
            found(&name)
        );
        section.remark_lost(line.at, &text);
        return importer.lost(line, text);
    }
    if is_full(section) {
        let text = format!(
            "track_interface {}: a virtual router tracks at most {MAX_TRACKS} checks and interfaces",
            found(&name)
        );
        section.remark_lost(line.at, &text);
        return importer.lost(line, text);
    }
    let one = match how.weight {
        0 => name.clone(),
        weight => format!("{name}:{weight}"),
    };
    let before = section.get("trackinterface").unwrap_or_default();
    let mut items = before.split(", ");
    if items.any(|item| item.split(':').next() == Some(&name)) {
        return importer.error(
            line,
            format!("{} is tracked twice; the first counts", found(&name)),
        );
    }
    section.add_item("trackinterface", one, line.at);
    importer.carried(line);
}

/// Tracks an interface for a member of a group.
pub(in crate::import::keepalived) fn track_for_group(
    line: &Statement,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let own = section.get("interface").unwrap_or_default().to_owned();
    let is_owner = section.get("priority") == Some("255");
    track_interface(line, &own, is_owner, section, importer);
}
