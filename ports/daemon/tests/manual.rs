//! The manual page says what the daemon does.
#![cfg(target_os = "linux")]

/// The page lists exactly the sysctls that the Linux port changes.
#[test]
fn the_manual_page_has_every_sysctl() {
    const VRRPD: &str = include_str!("../man/vrrpd.8");
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
