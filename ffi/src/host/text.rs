//! From the text of a configuration, in vrrpd's language, to what a host is to do.

use std::path::{Path, PathBuf};

use ::vrrp_host::{HostConfig, HostFacts};
use vrrp_config::{self as config, Parsed, Program};

use super::message::Refusal;
use super::numbers::VRRP_ERR_HOST_CONFIG;
use super::os;

/// A configuration that can be had.
pub(crate) struct Text {
    pub(crate) config: HostConfig,
    /// The directory that it names, or the default.
    pub(crate) runtime_dir: PathBuf,
    /// Remarks, a line each.
    pub(crate) remarks: Vec<String>,
}

/// Reads a text for a start or a reload: an error of the text refuses it, and what does not fit this host
/// is a remark, as the rest can be served. Everything is told at once, a line each.
pub(crate) fn read(
    name: &Path,
    octets: &[u8],
    own_runtime_dir: bool,
    facts: &HostFacts,
) -> Result<Text, Refusal> {
    text(judge(name, octets, own_runtime_dir, facts))
}

/// Reads a text for a check: what does not fit this host refuses it, too.
pub(crate) fn read_fitting(name: &Path, octets: &[u8]) -> Result<Text, Refusal> {
    let mut judged = judge(name, octets, false, &os::facts());
    if judged.has_errors() {
        judged.config = None;
    }
    text(judged)
}

fn judge(name: &Path, octets: &[u8], own_runtime_dir: bool, facts: &HostFacts) -> Parsed {
    let program = Program::Other { own_runtime_dir };
    config::judge(name, octets, program, facts)
}

fn text(judged: Parsed) -> Result<Text, Refusal> {
    let errors = judged.errors();
    let Some(config) = judged.config else {
        return Err(Refusal::new(VRRP_ERR_HOST_CONFIG, errors.join("\n")));
    };
    let remarks = judged.diagnostics.iter();
    Ok(Text {
        remarks: remarks.map(ToString::to_string).collect(),
        config: config.host(),
        runtime_dir: config.global.runtime_dir,
    })
}
