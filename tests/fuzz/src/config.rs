//! The configuration file: whatever is in it, something is said and nothing breaks.

use std::path::Path;

use vrrp_config::{CheckSpec, Program, Severity, judge, parse};
use vrrp_host::{HostFacts, OwnAddress, OwnInterface};

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
        let own = |name: &str, address: [u8; 4]| OwnInterface {
            name: name.into(),
            other_names: vec![format!("also-{name}")],
            unfit: (name == "lo").then(|| "it is the loopback".into()),
            addresses: vec![OwnAddress {
                address: address.into(),
                prefix_len: 24,
                advertises: true,
                duplicate: false,
            }],
        };
        let many = vec![
            own("eth0", [10, 0, 0, 7]),
            own("eth1", [10, 0, 1, 7]),
            own("lo", [127, 0, 0, 1]),
        ];
        for interfaces in [Vec::new(), many] {
            let facts: HostFacts = Ok(Box::new(interfaces));
            let program = Program::Other {
                own_runtime_dir: true,
                own_state_dir: Some(false),
            };
            let judged = judge(file, octets, program, &facts);
            for diagnostic in &judged.diagnostics {
                let text = diagnostic.to_string();
                assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
            }
        }
        let refused = config.host().check().err();
        assert!(refused.is_none(), "{refused:?}");
        assert_eq!(parse(file, octets).config.as_ref(), Some(config));
        // vrrp-checker is told what was read.
        for check in &config.checks {
            let text = serde_json::to_vec(&check.spec).expect("JSON");
            let told: CheckSpec = serde_json::from_slice(&text).expect("a check");
            assert_eq!(told, check.spec);
        }
    }
}
