//! Notifies the service manager by datagrams to `NOTIFY_SOCKET` (sd_notify(3)).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use crate::sys;

/// The line to the service manager; says nothing when there is none.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Watchdog>,
    status: String,
}

#[derive(Debug)]
struct Watchdog {
    period: Duration,
    next: Instant,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. A socket that cannot be used is
    /// an error worth a warning, and not worth more.
    pub fn from_env(now: Instant) -> io::Result<Self> {
        let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
            return Ok(Self::default());
        };
        let number = |name| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&us| us > 0 && for_us);
        Self::new(path, watchdog.map(Duration::from_micros), now)
    }

    /// Speaks to the socket at `path` (`@name` is in the abstract namespace), and says that we
    /// live at half of `watchdog`.
    pub fn new(path: OsString, watchdog: Option<Duration>, now: Instant) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Some((socket, address(&path)?)),
            watchdog: watchdog.map(|period| Watchdog {
                period: period / 2,
                next: now,
            }),
            status: String::new(),
        })
    }

    /// Whether there is anybody to tell.
    pub fn is_listening(&self) -> bool {
        self.socket.is_some()
    }

    /// The start has succeeded, or a reload is over.
    pub fn ready(&self) {
        self.send("READY=1\n");
    }

    /// A reload begins.
    pub fn reloading(&self) {
        let now = sys::monotonic_us();
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now}\n"));
    }

    /// The stop begins.
    pub fn stopping(&self) {
        self.send("STOPPING=1\n");
    }

    /// A line for people who look at the service. Sent when it differs from the last.
    pub fn status(&mut self, text: &str) {
        if self.socket.is_some() && self.status != text {
            self.send(&format!("STATUS={text}\n"));
            self.status.clear();
            self.status.push_str(text);
        }
    }

    /// Says that we live when it is time. Called from the main loop, so that a loop that hangs
    /// falls silent.
    pub fn beat(&mut self, now: Instant) {
        if let Some(watchdog) = &mut self.watchdog
            && watchdog.next <= now
        {
            watchdog.next = now + watchdog.period;
            self.send("WATCHDOG=1\n");
        }
    }

    /// When [`Notifier::beat`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.watchdog.as_ref().map(|w| w.next)
    }

    fn send(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            // A service manager that does not listen is no reason to stop serving.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

fn address(path: &OsStr) -> io::Result<SocketAddr> {
    match path.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(path),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("NOTIFY_SOCKET is neither a path nor abstract: {path:?}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(socket: &UnixDatagram) -> String {
        let mut buf = [0; 512];
        let n = socket.recv(&mut buf).expect("a datagram");
        String::from_utf8(buf[..n].to_vec()).expect("UTF-8")
    }

    /// A socket of the service manager's.
    struct Manager(UnixDatagram, std::path::PathBuf);

    impl std::ops::Deref for Manager {
        type Target = UnixDatagram;

        fn deref(&self) -> &UnixDatagram {
            &self.0
        }
    }

    impl Drop for Manager {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.1);
        }
    }

    fn pair(watchdog: Option<Duration>) -> (Manager, Notifier, Instant) {
        let path = std::env::temp_dir().join(format!(
            "vrrpd-notify-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("bind");
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("timeout");
        let now = Instant::now();
        let notifier = Notifier::new(path.clone().into(), watchdog, now).expect("notifier");
        (Manager(socket, path), notifier, now)
    }

    #[test]
    fn each_message_is_one_datagram() {
        let (socket, mut notifier, _) = pair(None);
        notifier.ready();
        assert_eq!(text(&socket), "READY=1\n");
        let before = sys::monotonic_us();
        notifier.reloading();
        let reloading = text(&socket);
        let stamp = reloading
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .expect("both fields");
        let stamp: u64 = stamp.trim_end().parse().expect("a number");
        assert!((before..=sys::monotonic_us()).contains(&stamp));
        notifier.status("1 of 2 master");
        assert_eq!(text(&socket), "STATUS=1 of 2 master\n");
        notifier.status("1 of 2 master");
        notifier.stopping();
        assert_eq!(text(&socket), "STOPPING=1\n", "an equal status is not sent");
    }

    #[test]
    fn the_watchdog_is_fed_at_half_its_time() {
        let (socket, mut notifier, now) = pair(Some(Duration::from_secs(10)));
        socket.set_nonblocking(true).expect("non-blocking");
        notifier.beat(now);
        assert_eq!(text(&socket), "WATCHDOG=1\n");
        notifier.beat(now + Duration::from_millis(4_999));
        assert!(socket.recv(&mut [0; 8]).is_err(), "too early");
        assert_eq!(notifier.deadline(), Some(now + Duration::from_secs(5)));
        notifier.beat(now + Duration::from_secs(5));
        assert_eq!(text(&socket), "WATCHDOG=1\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn abstract_sockets_are_spoken_to() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("vrrpd-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("name");
        let socket = UnixDatagram::bind_addr(&address).expect("bind");
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("timeout");
        let notifier =
            Notifier::new(format!("@{name}").into(), None, Instant::now()).expect("notifier");
        notifier.ready();
        assert_eq!(text(&socket), "READY=1\n");
    }

    #[test]
    fn a_relative_path_is_refused_and_no_manager_is_fine() {
        assert!(Notifier::new("relative".into(), None, Instant::now()).is_err());
        let mut silent = Notifier::default();
        silent.ready();
        silent.status("nobody hears");
        assert_eq!(silent.deadline(), None);
    }
}
