//! Reading the configuration file again.

use vrrp_host::{Platform, Reload};

use super::Daemon;
use super::compare::Differences;
use vrrp_config::{self as config, Config, Diagnostic, LogLevel, Severity};

/// Follows the errors about this host that do not refuse a reload.
const UNFIT: &str =
    "what this host cannot do now stays down and is tried again: see vrrpctl status";

impl<P: Platform> Daemon<P> {
    /// Goes over to what the file says now, wholly, or, when it has a mistake of its own, not at all.
    /// A virtual router that does not fit this host stays down by itself, as at a start. Either
    /// way everything there is to say is logged, and returned.
    /// `uid`: the user who asked for it by vrrpctl.
    pub(super) fn reload(&mut self, uid: Option<u32>) -> Result<Vec<String>, Vec<String>> {
        self.parent.reloading();
        let result = self.reload_file();
        self.note_reload(&result, uid);
        if let Err(errors) = &result {
            for error in errors {
                log::error!("{error}");
            }
            let file = self.file.display();
            log::error!("{file}: not reloaded: everything stays as it was");
        }
        self.parent.reloaded(self.refused_reload.as_deref());
        result
    }

    fn reload_file(&mut self) -> Result<Vec<String>, Vec<String>> {
        let file = self.file.clone();
        let read = self.parent.configuration().map_err(|e| vec![e])?;
        let (octets, judged) = read.parse(&file);
        let errors = judged.errors();
        let Some(new) = judged.config else {
            return Err(errors);
        };
        let Differences {
            settings,
            moves,
            mut other_parts,
        } = self.differences(&new);
        let reload = self
            .host
            .reload(new.host())
            .map_err(|e| vec![e.to_string()])?;
        let mut said = Vec::new();
        for remark in &judged.diagnostics {
            log_remark(remark);
            said.push(remark.to_string());
        }
        for line in settings.into_iter().chain(moves) {
            log::info!("{line}");
            said.push(line);
        }
        if let Some(text) = self.restart_needed(&new) {
            log::warn!("{text}");
            said.push(text);
        }
        self.text = octets;
        self.secrets = new.secrets();
        self.configure(new);
        self.review_overrides();
        self.parent.adopted();
        if !self.log_level_of_file {
            // The command line has the level.
            other_parts.retain(|part| *part != "loglevel");
        }
        let summary = summary(&reload, &other_parts);
        let summary = format!("{} reloaded: {summary}", file.display());
        log::info!("{summary}");
        said.push(summary);
        if !errors.is_empty() {
            log::warn!("{UNFIT}");
            said.push(UNFIT.to_owned());
        }
        Ok(said)
    }

    pub(super) fn restart_needed(&self, new: &Config) -> Option<String> {
        let (old, new) = (&self.global, &new.global);
        let places = |g: &config::Global| {
            (
                g.control_socket.clone(),
                g.control_group.clone(),
                g.runtime_dir.clone(),
                g.state_dir.clone(),
                g.metrics.clone(),
                g.user.as_ref().map(|user| user.user.clone()),
            )
        };
        let text = "controlsocket, controlgroup, runtimedir, statedir, metrics and user change when vrrpd is restarted";
        (places(old) != places(new)).then(|| text.to_owned())
    }
}

/// Logs a remark about the file at its own level, which says already what the remark's own word says.
pub fn log_remark(remark: &Diagnostic) {
    let (level, word) = match remark.severity {
        Severity::Error => (log::Level::Error, ""),
        Severity::Warning => (log::Level::Warn, " warning:"),
        Severity::Note => (log::Level::Info, " note:"),
    };
    log::log!(level, "{}", remark.to_string().replacen(word, "", 1));
}

/// Logs lines from `level` on.
pub fn apply_log_level(level: LogLevel) {
    log::set_max_level(match level {
        LogLevel::Error => log::LevelFilter::Error,
        LogLevel::Warning => log::LevelFilter::Warn,
        LogLevel::Info => log::LevelFilter::Info,
        LogLevel::Debug => log::LevelFilter::Debug,
    });
}

/// The outcome of a reload in words: `1 added, 0 changed, 0 removed, 3 unchanged; checks and lease taken in`.
fn summary(reload: &Reload, other_parts: &[&str]) -> String {
    let counts = format!(
        "{} added, {} changed, {} removed, {} unchanged",
        reload.added.len(),
        reload.changed.len(),
        reload.removed.len(),
        reload.unchanged.len()
    );
    let is_same = reload.added.is_empty() && reload.changed.is_empty() && reload.removed.is_empty();
    let routers = match is_same {
        true => "no virtual router changed".to_owned(),
        false => counts.clone(),
    };
    match other_parts {
        [] => counts,
        [one] => format!("{routers}; {one} taken in"),
        [first @ .., last] => format!("{routers}; {} and {last} taken in", first.join(", ")),
    }
}
