//! The `[GLOBAL]` section.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::diagnostic::found;
use super::keys::Key;
use super::reader::Reader;
use super::script::{self, Defaults};
use super::script_security::{ScriptSecurity, ScriptUser};
use super::{source, values};

/// The control socket of vrrpd, unless `controlsocket` names another.
#[cfg(target_os = "linux")]
pub const DEFAULT_CONTROL_SOCKET: &str = "/run/vrrpd/vrrpd.sock";
/// The control socket of vrrpd, unless `controlsocket` names another.
#[cfg(not(target_os = "linux"))]
pub const DEFAULT_CONTROL_SOCKET: &str = "/var/run/vrrpd/vrrpd.sock";

/// The configuration file that vrrpd reads unless it is told another.
#[cfg(target_os = "linux")]
pub const DEFAULT_FILE: &str = "/etc/vrrpd.conf";
/// The configuration file that vrrpd reads unless it is told another.
#[cfg(not(target_os = "linux"))]
pub const DEFAULT_FILE: &str = "/usr/local/etc/vrrpd.conf";

/// The directory of the ledger, unless `runtimedir` names another.
#[cfg(target_os = "linux")]
const DEFAULT_RUNTIME_DIR: &str = "/run/vrrpd";
#[cfg(not(target_os = "linux"))]
const DEFAULT_RUNTIME_DIR: &str = "/var/run/vrrpd";

/// The directory of files that outlive a reboot, unless `statedir` names another.
#[cfg(target_os = "linux")]
const DEFAULT_STATE_DIR: &str = "/var/lib/vrrpd";
#[cfg(not(target_os = "linux"))]
const DEFAULT_STATE_DIR: &str = "/var/db/vrrpd";

/// The longest path of a local socket on every system that vrrpd knows, in octets.
const MAX_SOCKET_PATH: usize = 103;

/// The settings of the daemon as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// The control socket: an absolute path.
    pub control_socket: PathBuf,
    /// The group that may use the control socket, by name or number. `None`: root alone.
    pub control_group: Option<String>,
    /// The directory of the ledger, from which the next start cleans up after a crash. It is an absolute
    /// path to a directory that is empty after a reboot.
    pub runtime_dir: PathBuf,
    /// The directory of what outlives a reboot, such as the overrides that vrrpctl has given: an
    /// absolute path.
    pub state_dir: PathBuf,
    /// The socket that answers scrapers of metrics. `None`: there is none.
    pub metrics: Option<MetricsAddress>,
    /// The least important messages that are logged.
    pub log_level: LogLevel,
    /// The treatment of scripts that others could replace.
    pub script_security: ScriptSecurity,
    /// The user of the process that parses packets. `None`: that of the system's choice.
    pub user: Option<WorkerUser>,
    /// The seconds after which the kernel removes an address that is not renewed, 2 or more. `None`:
    /// addresses stay until they are removed.
    pub lease: Option<u32>,
}

/// The address of the socket that answers scrapers of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsAddress {
    /// At an address and port: of the loopback, unless the file says that others may read as well.
    Tcp(SocketAddr),
    /// At a UNIX stream socket: an absolute path.
    Unix(PathBuf),
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetricsAddress::Tcp(address) if address.ip().is_loopback() => address.fmt(f),
            MetricsAddress::Tcp(address) => write!(f, "public:{address}"),
            MetricsAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The value of `user`, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerUser {
    /// The user, and its group if it is not its own.
    pub user: ScriptUser,
    pub(super) line: usize,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            control_socket: PathBuf::from(DEFAULT_CONTROL_SOCKET),
            control_group: None,
            runtime_dir: PathBuf::from(DEFAULT_RUNTIME_DIR),
            state_dir: PathBuf::from(DEFAULT_STATE_DIR),
            metrics: None,
            log_level: LogLevel::Info,
            script_security: ScriptSecurity::Enforce,
            user: None,
            lease: None,
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Failures.
    Error,
    /// And what needs somebody's attention.
    Warning,
    /// And every change of state with its reason.
    Info,
    /// And what helps to find a fault in vrrpd.
    Debug,
}

/// Reads `controlsocket` alone. `None`: it is wrong.
pub(super) fn control_socket(reader: &mut Reader<'_, '_>) -> Option<PathBuf> {
    match reader.entry(Key::ControlSocket) {
        Some(_) => reader.value(Key::ControlSocket, socket),
        None => Some(DEFAULT_CONTROL_SOCKET.into()),
    }
}

/// Reads `runtimedir` alone. `None`: it is wrong, or not there.
pub(super) fn runtime_dir(reader: &mut Reader<'_, '_>) -> Option<PathBuf> {
    reader.value(Key::RuntimeDir, directory)
}

/// Reads `[GLOBAL]`, and beside it the defaults of the other sections.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> (Global, Defaults) {
    // Read before: see `Source`.
    reader.items(Key::Include, source::pattern);
    let default = Global::default();
    let global = Global {
        control_socket: reader
            .value(Key::ControlSocket, socket)
            .unwrap_or(default.control_socket),
        control_group: reader.value(Key::ControlGroup, group),
        runtime_dir: runtime_dir(reader).unwrap_or(default.runtime_dir),
        state_dir: reader
            .value(Key::StateDir, directory)
            .unwrap_or(default.state_dir),
        metrics: reader.value(Key::Metrics, metrics),
        log_level: reader
            .value(Key::LogLevel, log_level)
            .unwrap_or(default.log_level),
        script_security: reader
            .value(Key::ScriptSecurity, script_security)
            .unwrap_or(default.script_security),
        user: user(reader),
        lease: reader.value(Key::Lease, |text| lease(text, cfg!(target_os = "linux"))),
    };
    (global, Defaults::default().read(reader))
}

fn user(reader: &mut Reader<'_, '_>) -> Option<WorkerUser> {
    let line = reader.entry(Key::User)?.line;
    let user = reader.value(Key::User, script::user)?;
    Some(WorkerUser { user, line })
}

/// `127.0.0.1:9112`, `[::1]:9112`, `unix:/run/vrrpd/metrics`, or `public:` and any address and port.
fn metrics(text: &str) -> Result<MetricsAddress, String> {
    const EXPECTED: &str = "expected ADDRESS:PORT, public:ADDRESS:PORT or unix:PATH";
    if let Some(path) = text.strip_prefix("unix:") {
        return socket(path).map(MetricsAddress::Unix);
    }
    let (public, address) = match text.strip_prefix("public:") {
        Some(address) => (true, address),
        None => (false, text),
    };
    let address: SocketAddr = address
        .parse()
        .map_err(|_| format!("{EXPECTED}, found {}", found(text)))?;
    if address.port() == 0 {
        return Err(format!(
            "{EXPECTED} with a port from 1 to 65535, found {}",
            found(text)
        ));
    }
    if !public && !address.ip().is_loopback() {
        return Err(format!(
            "expected an address of the loopback, as 127.0.0.1:9112, found {}: whoever reaches another one could read; if that is wanted, write public:{address}",
            found(text)
        ));
    }
    Ok(MetricsAddress::Tcp(address))
}

/// The seconds of a lease. The kernel counts whole ones, and needs time to be told.
fn lease(text: &str, linux: bool) -> Result<u32, String> {
    if !linux {
        return Err(format!(
            "expected no lease, which only Linux can give to addresses, found {}; leave it out",
            found(text)
        ));
    }
    values::number_as(text, 2..=3_600, Some)
}

fn log_level(text: &str) -> Result<LogLevel, String> {
    values::word(
        text,
        &[
            ("error", LogLevel::Error),
            ("warning", LogLevel::Warning),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
        ],
    )
}

fn script_security(text: &str) -> Result<ScriptSecurity, String> {
    values::word(
        text,
        &[
            ("enforce", ScriptSecurity::Enforce),
            ("warn", ScriptSecurity::Warn),
        ],
    )
}

fn socket(text: &str) -> Result<PathBuf, String> {
    if !text.starts_with('/') || text.ends_with('/') || text.len() > MAX_SOCKET_PATH {
        return Err(format!(
            "expected an absolute path of at most {MAX_SOCKET_PATH} octets, found {}",
            found(text)
        ));
    }
    Ok(Path::new(text).to_path_buf())
}

fn directory(text: &str) -> Result<PathBuf, String> {
    if !text.starts_with('/') {
        return Err(format!("expected an absolute path, found {}", found(text)));
    }
    Ok(Path::new(text).to_path_buf())
}

fn group(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains([' ', '\t', ',', ':', '/']) {
        return Err(format!(
            "expected the name or number of a group, found {}",
            found(text)
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_whole_seconds_on_linux() {
        assert_eq!(lease("2", true), Ok(2));
        assert_eq!(lease("3600", true), Ok(3600));
        for bad in ["1", "0", "2.5", "3601", "yes", ""] {
            let message = lease(bad, true).unwrap_err();
            assert!(
                message.starts_with("expected a number from 2 to 3600, found "),
                "{message}"
            );
        }
        let elsewhere =
            "expected no lease, which only Linux can give to addresses, found `3`; leave it out";
        assert_eq!(lease("3", false), Err(elsewhere.to_owned()));
    }
}
