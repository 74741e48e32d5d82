//! The configuration file: freevrrpd's, as it is, and what has been added in its manner.
//!
//! [`parse`] is pure and reports everything that it finds at once, each with file, line and key.
//! Nothing is dropped or given a default in silence: what cannot be meant is an error, what has no
//! effect is said to have none.
//!
//! [`judge`] is what `vrrpd --check`, a start, a reload and libvrrp go by: it parses a file and
//! compares it with the host. After an error `--check` fails. A start fails, and a reload changes
//! nothing, only when [`Parsed::config`] is `None`, which is when the file by itself has the error:
//! what does not fit the host keeps no other virtual router from serving.
//!
//! ```
//! let text = "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/32\npriority = 300\n";
//! let parsed = vrrp_config::parse("vrrpd.conf".as_ref(), text);
//! assert!(parsed.config.is_none());
//! assert_eq!(
//!     parsed.diagnostics[0].to_string(),
//!     "vrrpd.conf:5: priority: expected a number from 1 to 255, found `300`"
//! );
//! ```

mod address;
mod check;
mod cross;
mod diagnostic;
mod global;
mod group;
mod hmac;
mod host;
pub mod import;
mod keys;
mod legacy;
mod lexer;
mod library;
mod print;
mod reader;
mod router;
mod routing;
mod script;
mod script_security;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod values;
mod vrid;

use std::path::{Path, PathBuf};

use vrrp_host::{HostConfig, HostFacts, Secret};

use keys::{Key, SectionKind};
use lexer::Section;
use reader::Reader;
use script::Defaults;

pub use check::{
    Check, CheckKind, CheckSpec, Command, Dns, Http, MAX_CHECKS, MAX_MESSAGE, Order, Outcome,
    Place, Process, Report, Tcp, Tls, check_name, tracked_name, unresolved,
};
pub use diagnostic::{Diagnostic, Severity};
pub use global::{
    DEFAULT_CONTROL_SOCKET, DEFAULT_FILE, Global, LogLevel, MetricsAddress, WorkerUser,
};
pub use group::Group;
pub use print::Difference;
pub use router::VirtualRouter;
pub use script::{DEFAULT_SCRIPT_TIMEOUT, Script};
pub use script_security::{Account, Accounts, ScriptSecurity, ScriptUser, insecurity};
pub use source::Source;

/// A configuration without errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The settings of the daemon as a whole.
    pub global: Global,
    /// The virtual routers in the order of the file, at least one.
    pub virtual_routers: Vec<VirtualRouter>,
    /// The synchronisation groups in the order of the file.
    pub groups: Vec<Group>,
    /// The checks in the order of the file.
    pub checks: Vec<Check>,
    /// The boot count of the host, which no file has: see [`HostConfig::boot_count`].
    pub boot_count: Option<u32>,
}

impl Config {
    /// Whether a virtual router signs with numbers that begin with a boot count: `antireplay = monotonic`.
    pub fn needs_boot_count(&self) -> bool {
        let mut routers = self.virtual_routers.iter();
        routers.any(|router| router.spec.needs_boot_count())
    }

    /// Forgets every password and secret, as [`print_without_passwords`](Self::print_without_passwords) does.
    pub fn forget_passwords(&mut self) {
        for router in &mut self.virtual_routers {
            router.spec.settings.auth = vrrp_core::Auth::None;
            let keys = router.spec.hmac.iter_mut().flat_map(|hmac| &mut hmac.keys);
            keys.for_each(|key| key.secret = None);
        }
    }

    /// Reads the keys that the configuration of `source` names. Returns an error for each that cannot be used.
    pub fn read_secrets(&mut self, source: &Source, accounts: &dyn Accounts) -> Vec<Diagnostic> {
        let mut report = diagnostic::Report::new(source);
        hmac::load(self, Some(accounts.own_uid()), &mut report);
        report.into_sorted()
    }

    /// Returns every secret that was read, in the order of the virtual routers and their keys.
    pub fn secrets(&self) -> Vec<Secret> {
        let hmacs = self.virtual_routers.iter();
        let hmacs = hmacs.filter_map(|router| router.spec.hmac.as_ref());
        let keys = hmacs.flat_map(|hmac| &hmac.keys);
        keys.filter_map(|key| key.secret.clone()).collect()
    }

    /// Puts in the secrets that another process has read for the same file, as
    /// [`secrets`](Self::secrets) gave them. False: they are not as many as there are keys.
    pub fn put_secrets(&mut self, secrets: Vec<Secret>) -> bool {
        let mut secrets = secrets.into_iter();
        let hmacs = self.virtual_routers.iter_mut();
        let hmacs = hmacs.filter_map(|router| router.spec.hmac.as_mut());
        for key in hmacs.flat_map(|hmac| &mut hmac.keys) {
            key.secret = secrets.next();
            if key.secret.is_none() {
                return false;
            }
        }
        secrets.next().is_none()
    }

    /// Returns the configuration of the host.
    pub fn host(&self) -> HostConfig {
        HostConfig {
            virtual_routers: self
                .virtual_routers
                .iter()
                .map(|router| router.spec.clone())
                .collect(),
            boot_count: self.boot_count,
            groups: self.groups.iter().map(|group| group.spec.clone()).collect(),
        }
    }
}

/// The result of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The configuration. `None`: the diagnostics hold at least one error of the file by itself.
    pub config: Option<Config>,
    /// Everything there is to say, in the order of the lines.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        let mut diagnostics = self.diagnostics.iter();
        diagnostics.any(|d| d.severity == Severity::Error)
    }

    /// The errors, one line each.
    pub fn errors(&self) -> Vec<String> {
        let errors = self.diagnostics.iter();
        let errors = errors.filter(|d| d.severity == Severity::Error);
        errors.map(Diagnostic::to_string).collect()
    }
}

/// A program that reads a configuration file.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// vrrpd itself.
    Vrrpd {
        /// The accounts of this host, for `user` and `scriptuser`.
        accounts: &'a dyn Accounts,
        /// Says why the program that runs checks cannot be started, if it cannot.
        checker_trouble: fn() -> Option<String>,
    },
    /// Another, by way of libvrrp: event scripts are errors, as nobody would run them, and keys of
    /// the daemon are said to have no effect.
    Other {
        /// It has a directory of its own, so that `runtimedir` has no effect either.
        own_runtime_dir: bool,
        /// It has a directory of its own for the boot count, so that `statedir` has no effect either. False:
        /// only `statedir` can name one. `None`: that is not known.
        own_state_dir: Option<bool>,
    },
}

/// Reads the octets of a file and compares it with the host that it is to run on. `file` is its name
/// in messages. Event scripts are looked for in the file system.
pub fn judge(
    file: &Path,
    octets: impl AsRef<[u8]>,
    program: Program<'_>,
    facts: &HostFacts,
) -> Parsed {
    judge_source(&Source::new(file, octets.as_ref()), program, facts)
}

/// Reads a file and those that it includes, and compares them with the host that they are to run on. Event
/// scripts are looked for in the file system.
pub fn judge_source(source: &Source, program: Program<'_>, facts: &HostFacts) -> Parsed {
    let mut names_state_dir = false;
    let mut parsed = match program {
        Program::Vrrpd { .. } => read(source, |_, _| {}),
        Program::Other {
            own_runtime_dir,
            own_state_dir,
        } => read(source, |section, report| {
            library::judge(section, own_runtime_dir, own_state_dir, report);
            names_state_dir |= section.entries.iter().any(|e| e.key == Key::StateDir);
        }),
    };
    let Some(config) = &parsed.config else {
        return parsed;
    };
    let mut report = diagnostic::Report::new(source);
    match facts {
        Ok(facts) => host::judge(config, facts.as_ref(), &mut report),
        Err(error) => {
            let message =
                format!("not compared with this host, whose interfaces cannot be listed: {error}");
            report.warning(0, None, message);
        }
    }
    if let Program::Vrrpd {
        accounts,
        checker_trouble,
    } = program
    {
        host::judge_user(config, accounts, &mut report);
        host::judge_scripts(config, accounts, &mut report);
        check::judge(config, accounts, &mut report);
        check::judge_checker(config, checker_trouble, &mut report);
        host::judge_secrecy(config, source, &mut report);
    }
    let user = match program {
        Program::Vrrpd { accounts, .. } => Some(accounts.own_uid()),
        Program::Other { .. } => None,
    };
    let mut usable = load_keys(&mut parsed, user, &mut report);
    if let (Program::Other { own_state_dir, .. }, Some(config)) = (program, &parsed.config) {
        usable &= library::judge_boot_count(config, names_state_dir, own_state_dir, &mut report);
    }
    if !usable {
        parsed.config = None;
    }
    parsed.diagnostics.extend(report.into_sorted());
    source.sort(&mut parsed.diagnostics);
    parsed
}

/// Reads the files of keys. False: one cannot be used, and so neither can the configuration, which would
/// leave advertisements unsigned.
fn load_keys(parsed: &mut Parsed, user: Option<u32>, report: &mut diagnostic::Report) -> bool {
    parsed
        .config
        .as_mut()
        .is_none_or(|config| hmac::load(config, user, report))
}

/// Returns the control socket of the vrrpd that has this file, also where the rest of the file has errors.
/// `None`: its `controlsocket` is wrong.
pub fn control_socket(file: &Path, octets: impl AsRef<[u8]>) -> Option<PathBuf> {
    let source = Source::new(file, octets.as_ref());
    of_global(&source, global::control_socket).unwrap_or(Some(DEFAULT_CONTROL_SOCKET.into()))
}

/// Returns the directory where the vrrpd that has this file notes what is installed, also where the rest of
/// the file has errors. A `runtimedir` that is wrong counts as one that is not there.
pub fn runtime_dir(source: &Source) -> PathBuf {
    let named = of_global(source, global::runtime_dir).flatten();
    named.unwrap_or_else(|| Global::default().runtime_dir)
}

/// Reads something of `[GLOBAL]` alone. Returns `None` if the file has no such section.
fn of_global<T>(source: &Source, read: fn(&mut Reader<'_, '_>) -> T) -> Option<T> {
    let mut report = diagnostic::Report::new(source);
    let sections = lexer::split(source.text(), &mut report);
    let mut of_global = sections.iter().filter(|s| s.kind == SectionKind::Global);
    let section = of_global.next()?;
    Some(read(&mut Reader::new(section, &mut report)))
}

/// Reads the octets of a file. `file` is its name in messages; nothing is opened.
pub fn parse(file: &Path, octets: impl AsRef<[u8]>) -> Parsed {
    read(&Source::new(file, octets.as_ref()), |_, _| {})
}

/// Reads a file; `more` may add diagnostics about each section.
fn read(source: &Source, mut more: impl FnMut(&Section<'_>, &mut diagnostic::Report)) -> Parsed {
    let mut report = diagnostic::Report::new(source);
    source.judge(&mut report);
    let sections = lexer::split(source.text(), &mut report);
    let well_formed = !report.has_errors();
    for section in &sections {
        more(section, &mut report);
    }

    let of_kind = |kind| sections.iter().filter(move |s| s.kind == kind);
    let mut global = Global::default();
    let mut defaults = Defaults::default();
    for section in of_kind(SectionKind::Global) {
        (global, defaults) = global::read(&mut Reader::new(section, &mut report));
    }
    let mut vrids = Vec::new();
    for section in of_kind(SectionKind::Vrid) {
        let mut reader = Reader::new(section, &mut report);
        vrids.push(vrid::read(section, &mut reader, &defaults));
    }
    if vrids.is_empty() && well_formed {
        report.error(0, None, "expected at least one [VRID] section, found none");
    }
    let mut groups = Vec::new();
    let unclear_groups = !well_formed || vrids.iter().any(vrid::VridSection::has_failed);
    for section in of_kind(SectionKind::Group) {
        let mut reader = Reader::new(section, &mut report);
        groups.extend(group::read(section, &mut reader, &defaults));
    }
    let (mut names, mut checks) = (Vec::new(), Vec::new());
    let mut unclear = !well_formed;
    for section in of_kind(SectionKind::Check) {
        let mut reader = Reader::new(section, &mut report);
        let (name, check) = check::read(section, &mut reader, &defaults, global.script_security);
        // It may be the one that is named.
        unclear |= name.is_none();
        names.extend(name);
        checks.extend(check);
    }
    let virtual_routers = cross::join(vrids, &mut report);
    let groups = group::join(groups, &virtual_routers, unclear_groups, &mut report);
    check::join(&mut checks, &names, &virtual_routers, unclear, &mut report);
    let config = Config {
        global,
        virtual_routers,
        groups,
        checks,
        boot_count: None,
    };
    // Found by nobody before: the host is the last to say what it takes.
    if !report.has_errors()
        && let Err(error) = config.host().check()
    {
        let routers = config.virtual_routers.iter();
        let mut routers = routers.filter(|router| Some(&router.spec.id) == error.id.as_ref());
        let line = routers.next().map_or(0, |router| router.section_line);
        report.error(line, None, error.to_string());
    }
    Parsed {
        config: (!report.has_errors()).then_some(config),
        diagnostics: report.into_sorted(),
    }
}
