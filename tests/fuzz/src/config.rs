//! The configuration file: whatever is in it, something is said and nothing breaks.

use std::path::Path;

use vrrpd::config::{HostInterface, Severity, check_host, parse};

/// Reads `octets` as a configuration file.
///
/// # Panics
/// When a file without errors gives no configuration, or one with errors gives one, or one that the
/// host would refuse; when a message is not one line, or names a line that the file does not have.
pub fn check(octets: &[u8]) {
    let file = Path::new("vrrpd.conf");
    let parsed = parse(file, octets);
    let errors = parsed.diagnostics.iter();
    let errors = errors.filter(|d| d.severity == Severity::Error).count();
    assert_eq!(parsed.config.is_none(), errors > 0, "{parsed:?}");
    let lines = octets.iter().filter(|&&octet| octet == b'\n').count() + 1;
    for diagnostic in &parsed.diagnostics {
        let text = diagnostic.to_string();
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
        assert!(diagnostic.line <= lines, "{text} of {lines} lines");
    }
    if let Some(config) = &parsed.config {
        assert!(!config.virtual_routers.is_empty());
        let host = |name: &str, address: [u8; 4]| HostInterface {
            name: name.into(),
            addresses: vec![address.into()],
        };
        check_host(config, file, &[]);
        check_host(
            config,
            file,
            &[host("eth0", [10, 0, 0, 7]), host("eth1", [10, 0, 1, 7])],
        );
        let refused = config.host().check().err();
        assert!(refused.is_none(), "{refused:?}");
        assert_eq!(parse(file, octets).config.as_ref(), Some(config));
    }
}
