//! One process that does everything.

use std::path::Path;
use std::time::Instant;

use vrrp_config::Config;
use vrrp_host::{Host, PlatformError};
use vrrp_linux::LinuxPlatform;
use vrrpd::control::Server;
use vrrpd::daemon::{Daemon, Parts};
use vrrpd::notify::Notifier;
use vrrpd::sys::{Background, Signals};

use crate::{
    Args, FAILED, Failure, cannot_bind, config_code, failed, hint, leave_terminal, log_start,
    platform_code, remove_pid_file, turn_until_stopped, write_pid_file,
};

pub(crate) fn begin(
    args: &Args,
    config: Config,
    background: Option<Background>,
) -> Result<(), Failure> {
    match start(args, config) {
        Ok(daemon) => serve(daemon, args, background),
        Err((code, message)) => {
            if let Some(background) = background {
                let _ = background.report(code);
            }
            Err((code, message))
        }
    }
}

/// In the order that lets a second vrrpd be refused before it touches the network.
fn start(args: &Args, config: Config) -> Result<Daemon<LinuxPlatform>, Failure> {
    let signals = Signals::install().map_err(|e| failed("signals", e))?;
    let global = &config.global;
    let control = Server::bind(&global.control_socket, global.control_group.as_deref());
    let control = control.map_err(|error| cannot_bind(&error))?;
    let platform = open_platform(&global.runtime_dir)
        .map_err(|error| (platform_code(&error), hint(&error)))?;
    let host = Host::open(platform, config.host());
    let host = host.map_err(|error| (config_code(&error), error.to_string()))?;
    let notifier = Notifier::from_env(Instant::now()).unwrap_or_else(|error| {
        log::warn!("the service manager cannot be told anything: {error}");
        Notifier::default()
    });
    write_pid_file(args)?;
    log_start(&config);
    let parts = Parts {
        file: args.file.clone(),
        config,
        control: Some(control),
        notifier,
        signals: Some(signals),
        helper: None,
        pid: std::process::id(),
        log_level_of_file: !args.debug,
    };
    Ok(Daemon::new(host, parts))
}

fn serve(
    mut daemon: Daemon<LinuxPlatform>,
    args: &Args,
    background: Option<Background>,
) -> Result<(), Failure> {
    daemon.start();
    if let Some(background) = background {
        leave_terminal(background)?;
    }
    let result = turn_until_stopped(&mut daemon);
    let closed = daemon.into_platform().close();
    remove_pid_file(args);
    match closed {
        Ok(()) => log::info!("stopped"),
        Err(error) => {
            log::error!("{error}; what is left is noted and removed by the next start");
            return result.and(Err((FAILED, String::new())));
        }
    }
    result
}

pub(crate) fn open_platform(runtime_dir: &Path) -> Result<LinuxPlatform, PlatformError> {
    let runtime_dir = runtime_dir.to_path_buf();
    let platform = LinuxPlatform::open(vrrp_linux::Options { runtime_dir })?;
    for remark in platform.remarks() {
        log::warn!("{remark}");
    }
    Ok(platform)
}
