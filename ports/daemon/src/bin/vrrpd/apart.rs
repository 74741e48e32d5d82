//! The start in two processes: see [`vrrpd::privsep`].

use std::io;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use vrrp_config::Config;
use vrrp_freebsd::{FreebsdPlatform, Options, Parent as Network, WorkerPlatform};
use vrrp_host::{Host, PlatformError};
use vrrpd::control::Server as Control;
use vrrpd::daemon::{Daemon, Parts};
use vrrpd::logging;
use vrrpd::notify::Notifier;
use vrrpd::privsep::{Helper, Keeper, Turn};
use vrrpd::sys::{self, Background, Signals};

use crate::{
    Args, FAILED, Failure, cannot_bind, config_code, failed, hint, leave_terminal, log_start,
    platform_code, remove_pid_file, turn_until_stopped, write_pid_file,
};

/// How much of the log may wait for the process that writes it: 3000 lines, for every virtual router
/// there can be on an interface, of both families, several times over.
const LOG_BUFFER: i32 = 1024 * 1024;

/// One process's ends of the ways between the two.
struct Ends {
    network: UnixStream,
    words: UnixStream,
    log: UnixDatagram,
}

impl Ends {
    fn pair() -> io::Result<(Self, Self)> {
        let (network, words, log) = (
            UnixStream::pair()?,
            UnixStream::pair()?,
            UnixDatagram::pair()?,
        );
        // By default there is room for 50 lines. Where the kernel allows less, some may be lost, which
        // is said.
        let _ = sys::set_send_buffer(&log.1, LOG_BUFFER);
        let one = Self {
            network: network.0,
            words: words.0,
            log: log.0,
        };
        let other = Self {
            network: network.1,
            words: words.1,
            log: log.1,
        };
        Ok((one, other))
    }
}

pub(crate) fn begin(
    args: &Args,
    config: Config,
    mut background: Option<Background>,
) -> Result<(), Failure> {
    let result = divide(args, config, &mut background);
    if let (Err((code, _)), Some(background)) = (&result, background) {
        let _ = background.report(*code);
    }
    result
}

/// In the order that lets a second vrrpd be refused before it touches the network.
fn divide(args: &Args, config: Config, background: &mut Option<Background>) -> Result<(), Failure> {
    let signals = Signals::install().map_err(|e| failed("signals", e))?;
    let global = &config.global;
    let control = Control::bind(&global.control_socket, global.control_group.as_deref());
    let control = control.map_err(|error| cannot_bind(&error))?;
    let user = sys::nobody();
    let (ours, theirs) = Ends::pair().map_err(|e| failed("cannot make a pair of sockets", e))?;
    let keeper = std::process::id();
    match sys::fork().map_err(|e| failed("cannot make a second process", e))? {
        Some(child) => {
            drop(theirs);
            let result = keep(args, config, background, (child, ours), signals);
            // Removes the socket's name.
            drop(control);
            result
        }
        None => {
            drop((ours, signals, background.take()));
            sys::ignore_signals();
            logging::relay(theirs.log);
            sys::close_streams().map_err(|e| failed("cannot close the standard streams", e))?;
            sys::give_up_rights(user).map_err(|e| failed("cannot give up rights", e))?;
            let ends = (theirs.network, theirs.words);
            speak(args, config, ends, control, keeper)
        }
    }
}

/// The process with the rights.
fn keep(
    args: &Args,
    config: Config,
    background: &mut Option<Background>,
    (child, ends): (u32, Ends),
    signals: Signals,
) -> Result<(), Failure> {
    let opened = open_platform(&config.global.runtime_dir);
    let platform = opened.map_err(|error| {
        sys::kill(child);
        (platform_code(&error), hint(&error))
    })?;
    let cannot_speak = |e| failed("cannot speak with the other process", e);
    let network = Network::new(platform, ends.network, config.host()).map_err(cannot_speak)?;
    let other = (child, ends.words, ends.log);
    let keeper = Keeper::new(network, other, signals, args.file.clone(), config);
    let mut keeper = keeper.map_err(cannot_speak)?;
    let status = loop {
        match keeper.turn().map_err(|e| failed("cannot wait", e))? {
            Turn::Running => {}
            Turn::Ready => {
                write_pid_file(args)?;
                if let Some(background) = background.take() {
                    leave_terminal(background)?;
                }
            }
            Turn::Ended(status) => break status,
        }
    };
    // Removes what is installed.
    drop(keeper);
    remove_pid_file(args);
    let result = judge(status);
    if result.is_ok() {
        log::info!("stopped");
    }
    result
}

/// Judges the end of the other process. It has said itself why it failed.
fn judge(status: ExitStatus) -> Result<(), Failure> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err((u8::try_from(code).unwrap_or(FAILED), String::new())),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            let text = format!("the process that speaks the protocol was ended by signal {signal}");
            Err((FAILED, text))
        }
    }
}

/// The process without.
fn speak(
    args: &Args,
    config: Config,
    (network, words): (UnixStream, UnixStream),
    mut control: Control,
    keeper: u32,
) -> Result<(), Failure> {
    control.leave_files();
    let cannot_speak = |e| failed("cannot speak with the other process", e);
    let platform = WorkerPlatform::new(network).map_err(cannot_speak)?;
    let helper = Helper::new(words).map_err(cannot_speak)?;
    let host = Host::open(platform, config.host());
    let host = host.map_err(|error| (config_code(&error), error.to_string()))?;
    log_start(&config);
    let parts = Parts {
        file: args.file.clone(),
        config,
        control: Some(control),
        notifier: Notifier::default(),
        signals: None,
        helper: Some(helper),
        pid: keeper,
        log_level_of_file: !args.debug,
    };
    let mut daemon = Daemon::new(host, parts);
    daemon.start();
    turn_until_stopped(&mut daemon)
}

pub(crate) fn open_platform(runtime_dir: &Path) -> Result<FreebsdPlatform, PlatformError> {
    let runtime_dir = runtime_dir.to_path_buf();
    let platform = FreebsdPlatform::open(Options { runtime_dir })?;
    for remark in platform.remarks() {
        log::info!("{remark}");
    }
    Ok(platform)
}
