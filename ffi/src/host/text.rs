//! From the text of a configuration, in vrrpd's language, to what a host is to do.

use std::path::{Path, PathBuf};

use ::vrrp_host::{HostConfig, HostFacts};
use vrrp_config::{self as config, Parsed, Program, Source};
use vrrp_port_kit::boot_count;

use super::message::Refusal;
use super::numbers::VRRP_ERR_HOST_CONFIG;
use super::os;

/// A configuration that can be had.
pub(crate) struct Text {
    pub(crate) config: HostConfig,
    /// The directory that it names, or the default.
    pub(crate) runtime_dir: PathBuf,
    /// The directory of the boot count, where one is needed, unless the program has its own.
    pub(crate) state_dir: Option<PathBuf>,
    /// Remarks, a line each.
    pub(crate) remarks: Vec<String>,
}

impl Text {
    /// Takes a boot count, if a virtual router needs one, from the program's own directory or from that of the
    /// text. Returns whether one is on the disk; a remark says why not.
    pub(crate) fn count(&mut self, own: Option<&Path>, name: &Path) -> bool {
        let Some(dir) = &self.state_dir else {
            return false;
        };
        let taken = boot_count::take_from(own.unwrap_or(dir));
        self.config.boot_count = Some(taken.number);
        let warnings = taken.warnings.iter();
        let warnings = warnings.map(|why| format!("{}: warning: {why}", name.display()));
        self.remarks.extend(warnings);
        taken.is_kept
    }
}

/// Reads a text for a start or a reload: an error of the text refuses it, and what does not fit this host
/// is a remark, as the rest can be served. Everything is told at once, a line each.
pub(crate) fn read(
    name: &Path,
    octets: &[u8],
    own_runtime_dir: bool,
    own_state_dir: bool,
    facts: &HostFacts,
) -> Result<Text, Refusal> {
    let program = Program::Other {
        own_runtime_dir,
        own_state_dir: Some(own_state_dir),
    };
    text(config::judge(name, octets, program, facts))
}

/// Reads a text for a check: what does not fit this host refuses it, too.
pub(crate) fn read_fitting(name: &Path, octets: &[u8]) -> Result<Text, Refusal> {
    let program = Program::Other {
        own_runtime_dir: false,
        own_state_dir: None,
    };
    let mut judged = config::judge(name, octets, program, &facts(name, octets, None));
    if judged.has_errors() {
        judged.config = None;
    }
    text(judged)
}

/// Reads the facts that a text is judged by. `own`: a directory that the program uses in place of that of the
/// text.
pub(crate) fn facts(name: &Path, octets: &[u8], own: Option<&Path>) -> HostFacts {
    let of_text = || config::runtime_dir(&Source::new(name, octets));
    os::facts(|| own.map_or_else(of_text, Path::to_path_buf))
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
        state_dir: config.needs_boot_count().then_some(config.global.state_dir),
        runtime_dir: config.global.runtime_dir,
    })
}
