//! The manual page says what the reader does.

use super::good;
use crate::keys::{Key, SectionKind};

const MANUAL: &str = include_str!("../../../daemon/man/vrrpd.conf.5");

#[test]
fn the_manual_page_has_every_key_where_it_belongs_and_no_other() {
    let (before, check) = MANUAL.split_once(".Sh CHECK KEYS").unwrap();
    let (before, group) = before.split_once(".Sh GROUP KEYS").unwrap();
    let (before, vrid) = before.split_once(".Sh VRID KEYS").unwrap();
    let (_, global) = before.split_once(".Sh GLOBAL KEYS").unwrap();
    for (text, section) in [
        (global, SectionKind::Global),
        (vrid, SectionKind::Vrid),
        (group, SectionKind::Group),
        (check, SectionKind::Check),
    ] {
        let mut described: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix(".It Ic "))
            .flat_map(|names| names.split(" , Ic "))
            .collect();
        let mut known: Vec<&str> = section.keys().map(Key::name).collect();
        described.sort_unstable();
        known.sort_unstable();
        assert_eq!(described, known);
    }
}

#[test]
fn the_examples_of_the_manual_page_are_read_without_a_remark() {
    let (_, examples) = MANUAL.split_once(".Sh EXAMPLES").unwrap();
    let examples: Vec<&str> = examples
        .split(".Bd -literal -offset indent\n")
        .skip(1)
        .map(|text| text.split_once(".Ed\n").unwrap().0)
        .collect();
    assert_eq!(examples.len(), 7);
    for example in examples {
        assert_eq!(good(example).1, [""; 0], "{example}");
    }
}
