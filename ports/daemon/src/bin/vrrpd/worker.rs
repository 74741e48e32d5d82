//! The process without rights: see [`vrrpd::privsep`].

use std::io;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use vrrp_config as config;
use vrrp_host::{Host, Platform};
use vrrpd::control::Server;
use vrrpd::daemon::{Daemon, Parts};
use vrrpd::logging;
use vrrpd::privsep::{ParentHandle, Start};
use vrrpd::scrape::{Kind, Listener, Scraper};
use vrrpd::sys;

use crate::system::worker_platform;
use crate::{FAILED, Failure, USAGE_ERROR, config_code, failed};

/// Speaks the protocol, by descriptors and for the parent that `vrrpd --worker` was started with.
/// `scraped`: the kind of the socket for scrapers of metrics, if there is one more descriptor.
pub(crate) fn run(scraped: Option<Kind>) -> Result<(), Failure> {
    let misused = |error| {
        let text = format!("--worker is for vrrpd itself: {error}");
        (USAGE_ERROR, text)
    };
    let ([network, messages, log, control], scraper) = match scraped {
        None => (sys::passed::<4>().map_err(misused)?, None),
        Some(kind) => {
            let [network, messages, log, control, metrics] = sys::passed::<5>().map_err(misused)?;
            let scraper = Scraper::new(Listener::from_fd(kind, metrics));
            ([network, messages, log, control], Some(scraper))
        }
    };
    logging::relay(UnixDatagram::from(log));
    let cannot_speak = |e| failed("cannot speak with the parent process", e);
    let begun = ParentHandle::begin(UnixStream::from(messages));
    let (parent, start) = begun.map_err(cannot_speak)?;
    let Start {
        file,
        text,
        secrets,
        boot_count,
        pid,
        began,
        crashes,
        uid,
        user_name,
        user,
        debug,
        history,
        overrides,
        refused_reload,
    } = start;
    let level = if debug {
        log::LevelFilter::Debug
    } else {
        log::LevelFilter::Info
    };
    log::set_max_level(level);
    let given_up = |kept: io::Result<Vec<String>>, level| {
        let kept = kept.map_err(|e| failed("cannot give up rights", e))?;
        kept.iter().for_each(|kept| log::log!(level, "{kept}"));
        Ok::<_, Failure>(())
    };
    given_up(sys::give_up_rights(user, pid), log::Level::Warn)?;
    // The parent has judged it.
    let config = config::parse(&file, &text).config.and_then(|mut config| {
        config.boot_count = boot_count;
        // Without its keys it would say and believe what is not signed.
        config.put_secrets(secrets).then_some(config)
    });
    let config = config.ok_or_else(|| (FAILED, "the configuration is not usable".to_owned()))?;
    let platform = worker_platform(UnixStream::from(network)).map_err(cannot_speak)?;
    let host = Host::open(platform, config.host());
    let host = host.map_err(|error| (config_code(&error), error.to_string()))?;
    // The engine is built: from now on there are no other threads, and nothing to open.
    given_up(sys::confine(), log::Level::Info)?;
    let parts = Parts {
        file,
        text,
        config,
        control: Server::new(UnixListener::from(control), uid),
        parent,
        pid,
        began,
        crashes,
        log_level_of_file: !debug,
        history,
        overrides,
        refused_reload,
        user_name,
        scraper,
    };
    let mut daemon = Daemon::new(host, parts);
    daemon.start();
    turn_until_stopped(&mut daemon)
}

fn turn_until_stopped<P: Platform>(daemon: &mut Daemon<P>) -> Result<(), Failure> {
    loop {
        match daemon.turn(None) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err((FAILED, format!("cannot go on: {error}"))),
        }
    }
}
