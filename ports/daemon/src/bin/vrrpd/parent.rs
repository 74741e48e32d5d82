//! The process with the rights: see [`vrrpd::privsep`].

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Instant;

use vrrp_port_kit::privsep::PrivilegedPlatform;
use vrrpd::control::{ControlSocket, allow_search};
use vrrpd::notify::Notifier;
use vrrpd::privsep::{InForce, Parent, Turn, WorkerEnds};
use vrrpd::scrape::MetricsSocket;
use vrrpd::sys::{self, Background, Signals};

use crate::system::{open_platform, program};
use crate::{
    Args, FAILED, Failure, ReadConfig, cannot_bind, failed, hint, leave_terminal, log_start,
    platform_code, remove_pid_file, write_pid_file,
};

/// How much of the log may wait for the parent to write it: 3000 lines, for every virtual router there
/// can be on an interface, of both families, several times over.
const LOG_BUFFER: i32 = 1024 * 1024;

pub(crate) fn begin(
    args: &Args,
    read: ReadConfig,
    mut background: Option<Background>,
) -> Result<(), Failure> {
    let result = run(args, read, &mut background);
    if let (Err((code, _)), Some(background)) = (&result, background) {
        let _ = background.report(*code);
    }
    result
}

/// In the order that lets a second vrrpd be refused before it touches the network.
fn run(
    args: &Args,
    ReadConfig { config, text }: ReadConfig,
    background: &mut Option<Background>,
) -> Result<(), Failure> {
    let program = program().map_err(|e| failed("cannot find this program", e))?;
    let signals = Signals::install().map_err(|e| failed("signals", e))?;
    let global = &config.global;
    // The directory of ledgers is ours alone where nothing else is in it.
    if global.control_group.is_some()
        && global.control_socket.parent() == Some(&global.runtime_dir)
        && let Err(error) = allow_search(&global.runtime_dir)
    {
        log::warn!("runtimedir {}: {error}", global.runtime_dir.display());
    }
    let control = ControlSocket::bind(&global.control_socket, global.control_group.as_deref());
    let control = control.map_err(|error| cannot_bind(&error))?;
    let platform = open_platform(&global.runtime_dir)
        .map_err(|error| (platform_code(&error), hint(&error)))?;
    let notifier = Notifier::from_env(Instant::now()).unwrap_or_else(|error| {
        log::warn!("cannot reach the service manager at NOTIFY_SOCKET: {error}; it may take this start for failed after its timeout");
        Notifier::default()
    });
    log_start(&config);
    let address = config.global.metrics.clone();
    let listener = control.listener();
    let listener = listener.map_err(|e| failed("cannot copy a descriptor", e))?;
    // A host whose metrics nobody can read serves all the same.
    let mut troubles = Vec::new();
    let metrics = address.and_then(|address| match MetricsSocket::bind(&address) {
        Ok(socket) => Some(socket),
        Err(error) => {
            let text = format!(
                "metrics: cannot listen: {error}; nobody can read them before vrrpd is restarted"
            );
            log::error!("{text}");
            troubles.push(text);
            None
        }
    });
    let in_force = InForce {
        file: args.file.clone(),
        text,
        config,
        debug: args.debug,
        troubles,
    };
    let start = Box::new(move || start_worker(&program, &listener, metrics.as_ref()));
    let parent = Parent::new(platform, start, signals, notifier, in_force);
    let mut parent = parent.map_err(|e| failed("cannot start the worker process", e))?;
    let status = loop {
        match parent.turn().map_err(|e| failed("cannot wait", e))? {
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
    let closed = PrivilegedPlatform::close(parent.into_platform());
    remove_pid_file(args);
    let result = judge(status);
    match closed {
        Ok(()) if result.is_ok() => log::info!("stopped"),
        Ok(()) => {}
        Err(error) => {
            log::error!("{error}; what is left is noted and removed by the next start");
            return result.and(Err((FAILED, String::new())));
        }
    }
    result
}

/// Starts a worker: this program once more, with nothing but its ends of the ways to us.
fn start_worker(
    program: &Path,
    control: &UnixListener,
    metrics: Option<&MetricsSocket>,
) -> io::Result<WorkerEnds> {
    let (network, messages, log) = (
        UnixStream::pair()?,
        UnixStream::pair()?,
        UnixDatagram::pair()?,
    );
    // By default there is room for 50 lines. Where the kernel allows less, some may be lost, which
    // is said.
    let _ = sys::set_send_buffer(&log.1, LOG_BUFFER);
    let theirs: [OwnedFd; 4] = [
        network.1.into(),
        messages.1.into(),
        log.1.into(),
        control.try_clone()?.into(),
    ];
    let pid = match metrics {
        None => sys::spawn_with(program, &["--worker"], theirs)?,
        Some(metrics) => {
            let (kind, fd) = metrics.share()?;
            let [network, messages, log, control] = theirs;
            let theirs = [network, messages, log, control, fd];
            let words = ["--worker", "--metrics", kind.as_str()];
            sys::spawn_with(program, &words, theirs)?
        }
    };
    Ok(WorkerEnds {
        pid,
        network: network.0,
        messages: messages.0,
        log: log.0,
    })
}

/// Judges the end of the worker. It has said itself why it failed.
fn judge(status: ExitStatus) -> Result<(), Failure> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err((u8::try_from(code).unwrap_or(FAILED), String::new())),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            let text = format!("the worker process was ended by signal {signal}");
            Err((FAILED, text))
        }
    }
}
