//! From the text of a configuration, in vrrpd's language, to what a host is to do.

use std::path::{Path, PathBuf};

use vrrp_host::HostConfig;
use vrrpd::config::{self, Severity};
use vrrpd::sys;

use super::message::Refusal;
use super::numbers::VRRP_ERR_HOST_CONFIG;

/// A configuration that can be had.
pub(crate) struct Text {
    pub(crate) config: HostConfig,
    /// The directory that it names, or the default.
    pub(crate) runtime_dir: PathBuf,
    /// What there is to know, a line each.
    pub(crate) remarks: Vec<String>,
}

/// Reads a text. What is wrong with it is told all at once, a line each.
pub(crate) fn read(name: &Path, octets: &[u8], own_runtime_dir: bool) -> Result<Text, Refusal> {
    let parsed = config::parse_for_library(name, octets, own_runtime_dir);
    let Some(config) = parsed.config else {
        let errors = parsed.diagnostics.iter();
        let errors = errors.filter(|d| d.severity == Severity::Error);
        let lines: Vec<String> = errors.map(ToString::to_string).collect();
        return Err(Refusal::new(VRRP_ERR_HOST_CONFIG, lines.join("\n")));
    };
    let host = config::check_host(&config, name, &sys::interfaces());
    let remarks = parsed.diagnostics.iter().chain(&host);
    Ok(Text {
        remarks: remarks.map(ToString::to_string).collect(),
        config: config.host(),
        runtime_dir: config.global.runtime_dir,
    })
}
