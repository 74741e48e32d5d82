//! The daemon: service addresses that survive a failing host.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use lexopt::prelude::*;

use vrrp_host::{ConfigCause, ConfigError, Host, PlatformError};
use vrrpd::config::{self, Config};
use vrrpd::control::{BindError, Server};
use vrrpd::daemon::{Daemon, Parts, log_remark};
use vrrpd::logging::{self, Target};
use vrrpd::notify::Notifier;
use vrrpd::sys::{self, Background, Signals};

#[cfg(target_os = "linux")]
const DEFAULT_FILE: &str = "/etc/vrrpd.conf";
#[cfg(not(target_os = "linux"))]
const DEFAULT_FILE: &str = "/usr/local/etc/vrrpd.conf";

const USAGE: &str = "\
usage: vrrpd [-F] [-d] [-f FILE] [-p PIDFILE]
       vrrpd --check FILE

  -f FILE       the configuration file
  -F            stay in the foreground
  -p PIDFILE    write the number of the process there
  -d, --debug   log what helps to find a fault in vrrpd
  --check FILE  say what is wrong with a configuration file, and do nothing else
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

/// Why vrrpd ends: the exit status and what to say.
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
    Check(PathBuf),
    Print(String),
}

fn main() -> ExitCode {
    logging::install(Target::of_stderr(), false);
    std::panic::set_hook(Box::new(|panic| log::error!("internal error: {panic}")));
    let result = match parse() {
        Ok(Command::Run(args)) => run(args),
        Ok(Command::Check(file)) => return check(&file),
        Ok(Command::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("vrrpd: {error}\n\n{USAGE}");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            log::error!("{message}");
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
    let mut check: Option<OsString> = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('f') | Long("file") => args.file = parser.value()?.into(),
            Short('F') | Long("foreground") => args.foreground = true,
            Short('d') | Long("debug") => args.debug = true,
            Short('p') | Long("pidfile") => args.pid_file = Some(parser.value()?.into()),
            Long("check") => check = Some(parser.value()?),
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
    Ok(match check {
        Some(file) => Command::Check(file.into()),
        None => Command::Run(args),
    })
}

/// `--check`: everything that there is to say about a file, on the standard output.
fn check(file: &Path) -> ExitCode {
    let octets = match fs::read(file) {
        Ok(octets) => octets,
        Err(error) => {
            println!("{}: {error}", file.display());
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let parsed = config::parse(file, octets);
    let mut remarks = parsed.diagnostics;
    if let Some(config) = &parsed.config {
        remarks.extend(config::check_host(config, file, &sys::interfaces()));
        remarks.extend(config::check_scripts(config, file));
    }
    for remark in &remarks {
        println!("{remark}");
    }
    let Some(config) = parsed.config else {
        return ExitCode::from(BAD_CONFIG);
    };
    let routers = config.virtual_routers.len();
    let s = if routers == 1 { "" } else { "s" };
    println!("{}: correct, {routers} virtual router{s}", file.display());
    ExitCode::SUCCESS
}

fn run(mut args: Args) -> Result<(), Failure> {
    logging::install(Target::of_stderr(), args.debug);
    // The background process works in another directory.
    for path in [Some(&mut args.file), args.pid_file.as_mut()] {
        if let Some(path) = path
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            *path = absolute;
        }
    }
    let config = read_config(&args.file)?;
    let background = if args.foreground || is_supervised() {
        None
    } else {
        let background = sys::daemonize();
        Some(background.map_err(|e| (FAILED, format!("cannot go into the background: {e}")))?)
    };
    match start(&args, config) {
        Ok(daemon) => serve(daemon, &args, background),
        Err((code, message)) => {
            if let Some(background) = background {
                let _ = background.report(code);
            }
            Err((code, message))
        }
    }
}

/// Somebody watches this very process: a service manager, or it is the first of a container.
fn is_supervised() -> bool {
    let by_manager = ["NOTIFY_SOCKET", "INVOCATION_ID"];
    std::process::id() == 1
        || by_manager
            .iter()
            .any(|name| std::env::var_os(name).is_some())
}

fn read_config(file: &Path) -> Result<Config, Failure> {
    let octets = fs::read(file).map_err(|e| (BAD_CONFIG, format!("{}: {e}", file.display())))?;
    let parsed = config::parse(file, octets);
    let mut remarks = parsed.diagnostics;
    if let Some(config) = &parsed.config {
        remarks.extend(config::check_host(config, file, &sys::interfaces()));
        remarks.extend(config::check_scripts(config, file));
    }
    remarks.iter().for_each(log_remark);
    parsed
        .config
        .ok_or_else(|| (BAD_CONFIG, format!("{}: not usable", file.display())))
}

/// In the order that lets a second vrrpd be refused before it touches the network.
fn start(args: &Args, config: Config) -> Result<Daemon<Os>, Failure> {
    let failed = |what: &str, error: io::Error| (FAILED, format!("{what}: {error}"));
    let signals = Signals::install().map_err(|e| failed("signals", e))?;
    let global = &config.global;
    let control = Server::bind(&global.control_socket, global.control_group.as_deref());
    let control = control.map_err(|error| (bind_code(&error), error.to_string()))?;
    let platform = open_platform(&global.runtime_dir)
        .map_err(|error| (platform_code(&error), hint(&error)))?;
    let host = Host::open(platform, config.host());
    let host = host.map_err(|error| (config_code(&error), error.to_string()))?;
    let notifier = Notifier::from_env(Instant::now()).unwrap_or_else(|error| {
        log::warn!("the service manager cannot be told anything: {error}");
        Notifier::default()
    });
    if let Some(path) = &args.pid_file {
        fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|e| failed(&path.display().to_string(), e))?;
    }
    let routers = config.virtual_routers.len();
    log::info!(
        "vrrpd {} starts with {routers} virtual routers",
        env!("CARGO_PKG_VERSION")
    );
    let parts = Parts {
        file: args.file.clone(),
        config,
        control: Some(control),
        notifier,
        signals: Some(signals),
        log_level_of_file: !args.debug,
    };
    Ok(Daemon::new(host, parts))
}

fn serve(
    mut daemon: Daemon<Os>,
    args: &Args,
    background: Option<Background>,
) -> Result<(), Failure> {
    daemon.start();
    if let Some(background) = background {
        let reported = background.report(0);
        reported.map_err(|e| (FAILED, format!("cannot close the standard streams: {e}")))?;
        logging::retarget(Target::Syslog);
    }
    let result = loop {
        match daemon.turn(None) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err((FAILED, format!("cannot wait: {error}"))),
        }
    };
    drop(daemon);
    if let Some(path) = &args.pid_file {
        let _ = fs::remove_file(path);
    }
    log::info!("stopped");
    result
}

#[cfg(target_os = "linux")]
type Os = vrrp_linux::LinuxPlatform;

#[cfg(target_os = "linux")]
fn open_platform(runtime_dir: &Path) -> Result<Os, PlatformError> {
    let runtime_dir = runtime_dir.to_path_buf();
    vrrp_linux::LinuxPlatform::open(vrrp_linux::Options { runtime_dir })
}

#[cfg(target_os = "freebsd")]
type Os = vrrp_freebsd::FreebsdPlatform;

#[cfg(target_os = "freebsd")]
fn open_platform(runtime_dir: &Path) -> Result<Os, PlatformError> {
    let runtime_dir = runtime_dir.to_path_buf();
    let platform = Os::open(vrrp_freebsd::Options { runtime_dir })?;
    for remark in platform.remarks() {
        log::info!("{remark}");
    }
    Ok(platform)
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
        format!("{error}: {RIGHTS}")
    } else {
        error.to_string()
    }
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
