//! The daemon: service addresses that survive a failing host.

mod check;
mod import;
mod parent;
mod system;
mod worker;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;

use vrrp_config::{self as config, Config, DEFAULT_FILE, Global, Source};
use vrrp_host::{ConfigCause, ConfigError, PlatformError};
use vrrp_port_kit::boot_count;
use vrrp_port_kit::privsep::{PrivilegedPlatform, hand_over_left};
use vrrpd::control::BindError;
use vrrpd::daemon::log_remark;
use vrrpd::facts;
use vrrpd::logging::{self, Target};
use vrrpd::output;
use vrrpd::scrape::Kind;
use vrrpd::scripts::PROGRAM;
use vrrpd::sys::{self, Background, SystemAccounts};

use system::open_platform;

const USAGE: &str = "\
usage: vrrpd [-F] [-d] [-f FILE] [-p PIDFILE]
       vrrpd --check [--print | --against-running] [FILE]
       vrrpd --clean [-f FILE]
       vrrpd --import FILE [--config-id ID]
       vrrpd --import-carp FILE

  -f FILE       the configuration file
  -F            stay in the foreground
  -p PIDFILE    write the number of the process there
  -d, --debug   log what helps to find a fault in vrrpd
  --check FILE  say what is wrong with a configuration file, and do nothing else
  --print       with --check: print the file with every value that is in force
  --against-running
                with --check: say what is different from the vrrpd that runs
  --import FILE print a configuration made from one of keepalived, and what is lost
  --import-carp FILE
                the same from the lines of an rc.conf with carp of FreeBSD
  --config-id ID
                with --import: the id for lines with @, instead of the host's name
  --clean       remove what a vrrpd that was killed has left, and do nothing else
  --version, --help

exit status: 0 stopped as asked, 1 failed, 2 usage, 77 not permitted, 78 configuration
";

const FAILED: u8 = 1;
const USAGE_ERROR: u8 = 2;
/// EX_NOPERM and EX_CONFIG of sysexits(3).
const NOT_PERMITTED: u8 = 77;
const BAD_CONFIG: u8 = 78;

#[cfg(target_os = "linux")]
const RIGHTS: &str = "run vrrpd as root, or with CAP_NET_ADMIN and CAP_NET_RAW";
#[cfg(not(target_os = "linux"))]
const RIGHTS: &str = "run vrrpd as root, in a jail with vnet";

/// Why vrrpd ends: the exit status and what to say, if anything.
type Failure = (u8, String);

#[derive(Debug)]
struct Args {
    file: PathBuf,
    foreground: bool,
    debug: bool,
    pid_file: Option<PathBuf>,
}

#[derive(Debug)]
enum Command {
    Run(Args),
    Check(PathBuf, Look),
    Clean(PathBuf),
    Import(PathBuf, Option<String>),
    ImportCarp(PathBuf),
    Worker(Option<Kind>),
    Print(String),
}

/// The work of `--check` beside the judgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    #[default]
    Judge,
    /// Print what is in force.
    Print,
    /// Compare with the vrrpd that runs.
    Compare,
}

fn main() -> ExitCode {
    logging::install(Target::of_stderr(), false);
    std::panic::set_hook(Box::new(|panic| log::error!("internal error: {panic}")));
    let result = match parse() {
        Ok(Command::Run(args)) => run(args),
        Ok(Command::Check(file, look)) => {
            let (code, text) = check::run(&file, look);
            return print(&text, code);
        }
        Ok(Command::Import(file, id)) => return show(import::keepalived(&file, id.as_deref())),
        Ok(Command::ImportCarp(file)) => return show(import::carp(&file)),
        Ok(Command::Clean(file)) => clean(&file),
        Ok(Command::Worker(scraped)) => worker::run(scraped),
        Ok(Command::Print(text)) => return print(&text, 0),
        Err(error) => {
            if !is_supervised() {
                // The terminal of a start at boot may have no reader.
                logging::install(Target::Starting, false);
            }
            log::error!("{error}");
            output::complain(format_args!("\n{USAGE}"));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            if !message.is_empty() {
                log::error!("{message}");
            }
            ExitCode::from(code)
        }
    }
}

fn parse() -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut args = Args {
        file: DEFAULT_FILE.into(),
        foreground: false,
        debug: false,
        pid_file: None,
    };
    let (mut checks, mut cleans, mut works, mut imports) = (false, false, false, false);
    let (mut id, mut of_carp) = (None, false);
    let mut checked: Option<OsString> = None;
    let mut look = Look::default();
    let mut scraped = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('f') | Long("file") => args.file = parser.value()?.into(),
            Short('F') | Long("foreground") => args.foreground = true,
            Short('d') | Long("debug") => args.debug = true,
            Short('p') | Long("pidfile") => args.pid_file = Some(parser.value()?.into()),
            Long("check") => {
                checks = true;
                checked = parser.optional_value().or(checked);
            }
            Long("import") => {
                imports = true;
                checked = parser.optional_value().or(checked);
            }
            Long("import-carp") => {
                (imports, of_carp) = (true, true);
                checked = parser.optional_value().or(checked);
            }
            Long("config-id") => id = Some(parser.value()?.string()?),
            Long("print") | Long("against-running") if look != Look::Judge => {
                return Err("--print and --against-running do not go together".into());
            }
            Long("print") => look = Look::Print,
            Long("against-running") => look = Look::Compare,
            Value(file) if checked.is_none() => checked = Some(file),
            Long("clean") => cleans = true,
            // For vrrpd itself.
            Long("worker") => works = true,
            Long("metrics") => scraped = Kind::of(&parser.value()?.string()?),
            Short('V') | Long("version") => {
                return Ok(Command::Print(format!(
                    "vrrpd {}\n",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            Short('h') | Long("help") => return Ok(Command::Print(USAGE.into())),
            other => return Err(other.unexpected()),
        }
    }
    Ok(match checked.map(PathBuf::from) {
        _ if checks && cleans => return Err("--check and --clean do not go together".into()),
        _ if imports && (checks || cleans) => {
            return Err("--import does not go with --check or --clean".into());
        }
        _ if id.is_some() && of_carp => return Err("--config-id goes with --import".into()),
        Some(file) if of_carp => Command::ImportCarp(file),
        _ if id.is_some() && !imports => return Err("--config-id goes with --import".into()),
        None if imports => return Err("--import needs the file to read".into()),
        Some(file) if imports => Command::Import(file, id),
        file if checks => Command::Check(file.unwrap_or(args.file), look),
        Some(file) => {
            let text = format!(
                "a file without -f goes with --check alone: {}",
                file.display()
            );
            return Err(text.into());
        }
        None if look != Look::Judge => {
            return Err("--print and --against-running go with --check".into());
        }
        None if works => Command::Worker(scraped),
        None if cleans => Command::Clean(args.file),
        None => Command::Run(args),
    })
}

/// Shows an import: the configuration and the report.
fn show((code, text, report): (u8, String, String)) -> ExitCode {
    let code = print(&text, code);
    output::complain(report);
    code
}

/// Writes a text to the standard output, and ends with `code` unless it cannot be written. A reader
/// that has seen enough changes nothing.
fn print(text: &str, code: u8) -> ExitCode {
    match output::print(text) {
        Ok(_) => ExitCode::from(code),
        Err(message) => {
            output::complain(format_args!("vrrpd: {message}\n"));
            ExitCode::from(FAILED)
        }
    }
}

/// `--clean`: removes what dead processes have left that kept their ledgers where `file` says, and hands
/// over what they served. Those that live are left alone.
fn clean(file: &Path) -> Result<(), Failure> {
    let source = Source::read(file).unwrap_or_else(|_| Source::new(file, []));
    let mut config = config::parse(file, source.text()).config;
    let global = config.as_ref().map(|config| config.global.clone());
    let global = global.unwrap_or_else(|| {
        log::warn!(
            "{}: has errors (see vrrpd --check), so vrrpd cleans up by the default runtimedir, {}",
            file.display(),
            Global::default().runtime_dir.display()
        );
        Global::default()
    });
    // Opening removes them; the platform has installed nothing itself.
    let cleaned = open_platform(&global.runtime_dir);
    let mut platform = cleaned.map_err(|error| (platform_code(&error), hint(&error)))?;
    // After a stop there is nothing to sign, and systemd shows this command no credentials.
    if platform.left_served().is_empty() {
        return Ok(());
    }
    if let Some(config) = &mut config {
        if let Err(error) = sys::hide_memory() {
            log::warn!("keys are not kept out of core dumps of this process: {error}");
        }
        // Without its keys a virtual router is cleaned up after, and not handed over.
        let faults = config.read_secrets(&source, &SystemAccounts);
        faults.iter().for_each(log_remark);
        if !faults.is_empty() {
            log::warn!(
                "virtual routers without their keys are not handed over, and other hosts wait until they count this one as dead; systemd shows credentials to no command that runs after a stop: use keyfile where that matters"
            );
        }
    }
    let mut host = config.as_ref().map(Config::host).unwrap_or_default();
    if config.as_ref().is_some_and(Config::needs_boot_count) {
        // Others refuse it if the dead process has signed with more.
        let taken = boot_count::take_from(&global.state_dir);
        for why in &taken.warnings {
            log::warn!("{why}");
        }
        host.boot_count = Some(taken.number);
    }
    for id in hand_over_left(&mut platform, &host) {
        log::info!("{id}: handed over by priority 0");
    }
    Ok(())
}

fn run(mut args: Args) -> Result<(), Failure> {
    let stays = args.foreground || is_supervised();
    let target = if stays {
        Target::of_stderr()
    } else {
        Target::Starting
    };
    logging::install(target, args.debug);
    // The background process works in another directory.
    for path in [Some(&mut args.file), args.pid_file.as_mut()] {
        if let Some(path) = path
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            *path = absolute;
        }
    }
    let config = read_config(&args.file)?;
    let background = if stays {
        None
    } else {
        let background = sys::daemonize();
        Some(background.map_err(|e| (FAILED, format!("cannot go into the background: {e}")))?)
    };
    parent::begin(&args, config, background)
}

/// Somebody watches this very process: a service manager, or it is the first of a container.
fn is_supervised() -> bool {
    let by_manager = ["NOTIFY_SOCKET", "INVOCATION_ID"];
    std::process::id() == 1
        || by_manager
            .iter()
            .any(|name| std::env::var_os(name).is_some())
}

/// A configuration file and its contents.
struct ReadConfig {
    config: Config,
    text: Vec<u8>,
}

fn read_config(file: &Path) -> Result<ReadConfig, Failure> {
    let source = Source::read(file).map_err(|error| {
        let message = format!("{}: {error}", file.display());
        match is_denied(&error) {
            true => (NOT_PERMITTED, message + &rights()),
            false => (BAD_CONFIG, message),
        }
    })?;
    let judged = config::judge_source(&source, PROGRAM, &facts::read(&source));
    judged.diagnostics.iter().for_each(log_remark);
    let config = judged.config;
    let config = config.ok_or_else(|| (BAD_CONFIG, format!("{}: not usable", file.display())))?;
    let text = source.into_text();
    Ok(ReadConfig { config, text })
}

fn failed(what: &str, error: io::Error) -> Failure {
    let text = format!("{what}: {error}");
    match is_denied(&error) {
        true => (NOT_PERMITTED, text + &rights()),
        false => (FAILED, text),
    }
}

/// The end of a message about something that was not permitted: who may, unless it is root already.
fn rights() -> String {
    if sys::effective_uid() == 0 {
        String::new()
    } else {
        format!("; vrrpd does not run as root: {RIGHTS}")
    }
}

fn cannot_bind(error: &BindError) -> Failure {
    let code = bind_code(error);
    let rights = if code == NOT_PERMITTED {
        rights()
    } else {
        String::new()
    };
    (code, format!("{error}{rights}"))
}

fn write_pid_file(args: &Args) -> Result<(), Failure> {
    let Some(path) = &args.pid_file else {
        return Ok(());
    };
    fs::write(path, format!("{}\n", std::process::id()))
        .map_err(|e| failed(&path.display().to_string(), e))
}

fn remove_pid_file(args: &Args) {
    if let Some(path) = &args.pid_file {
        let _ = fs::remove_file(path);
    }
}

fn log_start(config: &Config) {
    let routers = config.virtual_routers.len();
    let s = if routers == 1 { "" } else { "s" };
    let version = env!("CARGO_PKG_VERSION");
    log::info!("vrrpd {version} starts with {routers} virtual router{s}");
}

/// The starting process may end, and what is said goes to syslog.
fn leave_terminal(background: Background) -> Result<(), Failure> {
    let reported = background.report(0);
    reported.map_err(|e| (FAILED, format!("cannot close the standard streams: {e}")))?;
    logging::retarget(Target::Syslog);
    Ok(())
}

fn bind_code(error: &BindError) -> u8 {
    match error {
        BindError::Io(_, error) if is_denied(error) => NOT_PERMITTED,
        BindError::NoSuchGroup(_) => BAD_CONFIG,
        _ => FAILED,
    }
}

fn platform_code(error: &PlatformError) -> u8 {
    if is_denied(&error.error) {
        NOT_PERMITTED
    } else {
        FAILED
    }
}

fn config_code(error: &ConfigError) -> u8 {
    match &error.cause {
        ConfigCause::Platform(error) => platform_code(error),
        _ => BAD_CONFIG,
    }
}

fn hint(error: &PlatformError) -> String {
    if is_denied(&error.error) {
        format!("{error}{}", rights())
    } else {
        error.to_string()
    }
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
