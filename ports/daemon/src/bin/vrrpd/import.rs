//! `vrrpd --import` and `--import-carp`.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use vrrp_config::import::{self, Imported, Surroundings, ThisHost};
use vrrp_config::{Accounts, Diagnostic, Source, judge_source};
use vrrp_host::HostFacts;
use vrrpd::facts;
use vrrpd::scripts::PROGRAM;
use vrrpd::sys::{self, SystemAccounts};

use crate::BAD_CONFIG;

/// Imports a configuration of keepalived. Returns the exit status, the configuration, and the report.
pub(crate) fn keepalived(file: &Path, id: Option<&str>) -> (u8, String, String) {
    run(file, |octets, host| {
        import::from_keepalived(file, octets, id, host)
    })
}

/// Imports the lines of an rc.conf with carp. Returns as [`keepalived`].
pub(crate) fn carp(file: &Path) -> (u8, String, String) {
    run(file, |octets, host| import::from_carp(file, octets, host))
}

fn run(file: &Path, import: impl FnOnce(&[u8], &Host) -> Imported) -> (u8, String, String) {
    let octets = match ThisHost.read(file) {
        Ok(octets) => octets,
        Err(error) => {
            let report = format!("{}: {error}\n", file.display());
            return (BAD_CONFIG, String::new(), report);
        }
    };
    let host = Host(facts::read(&Source::new(file, "")));
    let imported = import(&octets, &host);
    let (status, report) = (imported.status(), imported.report());
    (status, imported.text.unwrap_or_default(), report)
}

/// This host, as far as an importer asks it.
struct Host(HostFacts);

impl Surroundings for Host {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        ThisHost.read(file)
    }

    fn begin(&self, file: &Path) -> io::Result<Vec<u8>> {
        ThisHost.begin(file)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        ThisHost.names(folder)
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        ThisHost.program(name)
    }

    fn has_user(&self, name: &str) -> bool {
        name.parse::<u32>().is_ok() || SystemAccounts.user(name).is_some()
    }

    fn host_name(&self) -> String {
        sys::host_name()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn networks(&self, interface: &str) -> Vec<(IpAddr, u8)> {
        let interfaces = self.0.iter().flat_map(|facts| facts.interfaces());
        let mut interfaces = interfaces.filter(|one| one.is_called(interface));
        let addresses = interfaces.next().map(|one| one.addresses.as_slice());
        let addresses = addresses.unwrap_or_default().iter();
        addresses.map(|own| (own.address, own.prefix_len)).collect()
    }

    fn judge(&self, text: &str) -> Vec<Diagnostic> {
        let source = Source::new(Path::new("vrrpd.conf"), text);
        judge_source(&source, PROGRAM, &self.0).diagnostics
    }
}
