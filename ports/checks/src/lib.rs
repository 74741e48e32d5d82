//! The process that asks services whether they work: see the README of this crate.

pub mod answers;
mod lateness;
mod line;
mod probe;
mod schedule;
mod sys;
mod tally;
mod targets;

use std::io;
use std::rc::Rc;

use tokio::task::LocalSet;

use probe::Tools;
use schedule::Schedule;

const USAGE: &str = "vrrp-checker is started by vrrpd, with a socket as its standard input\n";

/// Runs the process that vrrpd has started, until vrrpd is gone.
///
/// The arguments `--commands` keep its rights and run commands; `--user UID GID` become that user and ask.
///
/// # Errors
///
/// Returns the reason for which it cannot work: what the system refuses, or a message of vrrpd that is none.
pub fn run(arguments: &[String]) -> io::Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().map_err(|_| io::Error::other(USAGE.trim_end()));
    let user = match words.as_slice() {
        ["--commands"] => None,
        ["--user", uid, gid] => Some((number(uid)?, number(gid)?)),
        _ => return Err(io::Error::other(USAGE.trim_end())),
    };
    sys::keep_only_standard_streams();
    sys::allow_many_descriptors();
    let tools = match user {
        None => Tools::for_commands(),
        Some((uid, gid)) => {
            let echo = [sys::echo_socket(false), sys::echo_socket(true)];
            sys::give_up_rights(uid, gid)?;
            Tools::for_services(echo)
        }
    };
    let stream = sys::standard_input()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // For files and names, which may wait for a server.
        .max_blocking_threads(16)
        .build()?;
    let result = LocalSet::new().block_on(&runtime, serve(stream, tools));
    // A thread that waits for a dead server must not keep the process.
    runtime.shutdown_background();
    result
}

/// Takes orders until vrrpd is gone.
async fn serve(stream: std::os::unix::net::UnixStream, tools: Tools) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let (reader, writer) = tokio::net::UnixStream::from_std(stream)?.into_split();
    let mut reader = line::Reader::new(reader);
    let reports = line::Reports::new(writer);
    let mut schedule = Schedule::new(Rc::new(tools), reports);
    while let Some(order) = reader.next().await? {
        schedule.follow(order);
    }
    Ok(())
}
