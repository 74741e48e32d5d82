//! The manual page says what the reader does.

use super::good;
use crate::config::keys::{Key, SectionKind};

const MANUAL: &str = include_str!("../../../man/vrrpd.conf.5");

#[test]
fn the_manual_page_has_every_key_where_it_belongs_and_no_other() {
    let (before, vrid) = MANUAL.split_once(".Sh VRID KEYS").unwrap();
    let (_, global) = before.split_once(".Sh GLOBAL KEYS").unwrap();
    for (text, section) in [(global, SectionKind::Global), (vrid, SectionKind::Vrid)] {
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

/// The page lists exactly the sysctls that the Linux port changes.
#[cfg(target_os = "linux")]
#[test]
fn the_manual_page_has_every_sysctl() {
    const VRRPD: &str = include_str!("../../../man/vrrpd.8");
    let (_, section) = VRRPD.split_once(".Ss Sysctls on Linux").unwrap();
    let (section, _) = section.split_once(".Ss ").unwrap();
    let lines = section.replace("\\\n", "");
    let items = lines
        .lines()
        .filter_map(|line| line.strip_prefix(".It Va "));
    let mut described: Vec<&str> = items.flat_map(|names| names.split(" , ")).collect();
    let mut changed = vrrp_linux::testing::sysctls();
    described.sort_unstable();
    changed.sort_unstable();
    assert_eq!(described, changed);
}

#[test]
fn the_examples_of_the_manual_page_are_read_without_a_remark() {
    let (_, examples) = MANUAL.split_once(".Sh EXAMPLES").unwrap();
    let examples: Vec<&str> = examples
        .split(".Bd -literal -offset indent\n")
        .skip(1)
        .map(|text| text.split_once(".Ed\n").unwrap().0)
        .collect();
    assert_eq!(examples.len(), 6);
    for example in examples {
        assert_eq!(good(example).1, [""; 0], "{example}");
    }
}
