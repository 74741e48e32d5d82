//! A configuration of another daemon: whatever is in it, the import ends, and what it writes is correct.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use vrrp_config::import::{Imported, NOTHING, Surroundings, from_carp, from_keepalived};
use vrrp_config::{Diagnostic, parse};

/// A host with one more file, and a user.
struct Host<'a>(&'a [u8]);

impl Surroundings for Host<'_> {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        if file.file_name().is_some_and(|name| name == "more.conf") {
            return Ok(self.0.to_vec());
        }
        Err(io::ErrorKind::NotFound.into())
    }

    fn begin(&self, file: &Path) -> io::Result<Vec<u8>> {
        self.read(file)
    }

    fn names(&self, _: &Path) -> Vec<String> {
        vec!["more.conf".into(), "other.conf".into()]
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        name.len()
            .is_multiple_of(2)
            .then(|| Path::new("/usr/bin").join(name))
    }

    fn has_user(&self, name: &str) -> bool {
        name.len().is_multiple_of(2)
    }

    fn host_name(&self) -> String {
        "web1".into()
    }

    fn variable(&self, name: &str) -> Option<String> {
        Some(name.to_ascii_lowercase())
    }

    fn networks(&self, _: &str) -> Vec<(IpAddr, u8)> {
        vec![("192.0.2.1".parse().expect("an address"), 24)]
    }

    fn judge(&self, text: &str) -> Vec<Diagnostic> {
        parse(Path::new("vrrpd.conf"), text).diagnostics
    }
}

/// Imports `octets`; what follows a NUL octet is a file that may be included.
///
/// # Panics
/// When what is written has an error, when a message is not one line or names a line that is not there, or
/// when a second import gives another result.
pub fn check(octets: &[u8]) {
    let mut parts = octets.splitn(2, |octet| *octet == 0);
    let (text, more) = (parts.next().unwrap_or_default(), parts.next());
    let host = Host(more.unwrap_or_default());
    let file = Path::new("keepalived.conf");
    judge(&from_keepalived(file, text, None, &host), text);
    judge(&from_carp(file, octets, &host), octets);
    assert_eq!(
        from_keepalived(file, text, Some("id"), &host),
        from_keepalived(file, text, Some("id"), &host)
    );
}

fn judge(imported: &Imported, octets: &[u8]) {
    match &imported.text {
        Some(text) => {
            let parsed = parse(Path::new("vrrpd.conf"), text);
            assert!(parsed.config.is_some(), "{:?}\n{text}", parsed.errors());
            assert!(imported.virtual_routers > 0);
        }
        None => assert_eq!(imported.status(), NOTHING),
    }
    let lines = octets.iter().filter(|octet| **octet == b'\n').count() + 1;
    for finding in &imported.findings {
        let text = finding.to_string();
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
        let own = finding.file == Path::new("keepalived.conf");
        assert!(!own || finding.line <= lines, "{text} of {lines} lines");
    }
}
