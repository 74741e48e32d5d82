//! One vrrp-checker: started, told what to check, and started again when it ends.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use vrrp_config::{Account, CheckSpec, Order, Outcome, Report};
use vrrp_port_kit::privsep::{Inbox, packed};

use super::News;
use crate::poll::PollSet;
use crate::scripts::{Launch, Spawner};
use crate::sys;

/// Between the end of a checker and its next start: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A checker that ran for so long was well.
const RUNS_WELL: Duration = Duration::from_secs(60);
/// For so long the states of checks hold without a checker. Then they are failing.
const HOLDS: Duration = Duration::from_secs(30);
/// The longest report, in octets.
const MAX_REPORT: usize = 64 * 1024;
/// Reports taken in one turn of the loop.
const AT_ONCE: usize = 64;

/// A vrrp-checker.
pub(super) struct Process {
    commands: bool,
    /// The user that it becomes. `None`: it stays what it is.
    user: Option<Account>,
    /// The checks that it runs, and the state of each.
    checks: BTreeMap<String, (CheckSpec, bool)>,
    state: State,
    /// The file that was started last.
    program: PathBuf,
    pause: Duration,
    /// When it ended, until it answers again. `None`: it is there.
    gone: Option<Instant>,
    /// The states did not hold any longer.
    expired: bool,
    /// Ended ones that are not reaped yet.
    ended: Vec<Child>,
}

enum State {
    /// There is nothing to check.
    Idle,
    /// It is started at this time.
    Waiting(Instant),
    /// It is being started.
    Starting(Link),
    /// It runs.
    Running(Child, Link, Instant),
}

/// The stream to it.
struct Link {
    stream: UnixStream,
    inbox: Inbox,
    /// Octets that it has not taken yet.
    outbox: Vec<u8>,
}

impl Process {
    pub(super) fn new(commands: bool) -> Self {
        Self {
            commands,
            user: None,
            checks: BTreeMap::new(),
            state: State::Idle,
            program: PathBuf::new(),
            pause: FIRST_PAUSE,
            gone: None,
            expired: false,
            ended: Vec::new(),
        }
    }

    /// Sets the user of the next start.
    pub(super) fn set_user(&mut self, user: Option<Account>) {
        self.user = user;
    }

    /// From now on these are checked. Those that are unchanged keep their states, and so do changed
    /// ones until they are answered.
    pub(super) fn configure(
        &mut self,
        specs: Vec<CheckSpec>,
        now: Instant,
        tell: &mut dyn FnMut(News),
    ) {
        let before = std::mem::take(&mut self.checks);
        for spec in specs {
            let up = before.get(&spec.name).map(|(_, up)| *up);
            let up = up.unwrap_or(spec.initially_up);
            self.checks.insert(spec.name.clone(), (spec, up));
        }
        if self.checks.is_empty() {
            if self.stop() {
                self.tell_well(tell);
            }
            return;
        }
        match &self.state {
            State::Idle => self.state = State::Waiting(now),
            State::Waiting(_) | State::Starting(_) => {}
            State::Running(..) => self.tell_checks(),
        }
    }

    /// Lets it run a check now. False: it has no such check, or is not there.
    pub(super) fn run(&mut self, name: &str) -> bool {
        if !self.checks.contains_key(name) {
            return false;
        }
        match &mut self.state {
            State::Running(_, link, _) => {
                link.say(&Order::Run(name.to_owned()));
                true
            }
            _ => false,
        }
    }

    pub(super) fn register(&self, set: &mut PollSet) {
        if let State::Running(_, link, _) = &self.state {
            set.read(link.stream.as_raw_fd());
            if !link.outbox.is_empty() {
                set.write(link.stream.as_raw_fd());
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let start = match &self.state {
            State::Waiting(at) => Some(*at),
            _ => None,
        };
        let expiry = self.gone.filter(|_| !self.expired).map(|at| at + HOLDS);
        start.into_iter().chain(expiry).min()
    }

    /// Whether it waits to be started.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting(at) if at <= now)
    }

    /// Asks `spawner` to start it.
    pub(super) fn start(
        &mut self,
        program: &Path,
        spawner: &mut Spawner,
        now: Instant,
        tell: &mut dyn FnMut(News),
    ) {
        let pair = UnixStream::pair().and_then(|(ours, theirs)| {
            ours.set_nonblocking(true)?;
            Ok((ours, theirs))
        });
        let (ours, theirs) = match pair {
            Ok(pair) => pair,
            Err(error) => return self.lost(&format!("cannot be started: {error}"), now, tell),
        };
        self.program = program.to_owned();
        let mut command = Command::new(program);
        match self.commands {
            true => command.arg("--commands"),
            false => {
                // The checker leaves the numbers alone where it is not root.
                let user = self.user.unwrap_or_else(sys::nobody);
                command.args(["--user", &user.uid.to_string(), &user.gid.to_string()])
            }
        };
        for name in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] {
            command.env_remove(name);
        }
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let ticket = u64::from(self.commands);
        spawner.start(ticket, Launch::own(self.label().into(), command));
        self.state = State::Starting(Link {
            stream: ours,
            inbox: Inbox::new(MAX_REPORT),
            outbox: Vec::new(),
        });
    }

    /// It was started, or could not be.
    pub(super) fn started(
        &mut self,
        result: io::Result<Child>,
        now: Instant,
        tell: &mut dyn FnMut(News),
    ) {
        let state = std::mem::replace(&mut self.state, State::Idle);
        match (state, result) {
            (State::Starting(link), Ok(child)) => {
                log::debug!("{}: started, process {}", self.label(), child.id());
                self.state = State::Running(child, link, now);
                self.tell_checks();
            }
            (State::Starting(_), Err(error)) => {
                let why = format!("cannot be started: {}: {error}", self.program.display());
                self.lost(&why, now, tell);
            }
            // Stopped before it ran: its stream is closed.
            (other, Ok(child)) => {
                self.state = other;
                self.ended.push(child);
            }
            (other, Err(_)) => self.state = other,
        }
    }

    /// Takes what it says, and notices its end.
    pub(super) fn handle(&mut self, set: &PollSet, now: Instant, tell: &mut dyn FnMut(News)) {
        self.ended
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        if let State::Running(_, link, _) = &mut self.state
            && (set.ready(link.stream.as_raw_fd()) || !link.outbox.is_empty())
        {
            let taken = link.flush().and_then(|()| link.hear());
            match taken {
                Ok(reports) => {
                    for report in reports {
                        self.take(report, tell);
                    }
                }
                Err(error) => self.failed(&error, now, tell),
            }
        }
        if let Some(at) = self.gone
            && !self.expired
            && now >= at + HOLDS
        {
            self.expire(tell);
        }
    }

    /// As PID 1: the exit status of `pid` has been taken.
    pub(super) fn reaped(
        &mut self,
        pid: u32,
        status: ExitStatus,
        now: Instant,
        tell: &mut dyn FnMut(News),
    ) {
        self.ended.retain(|child| child.id() != pid);
        if matches!(&self.state, State::Running(child, ..) if child.id() == pid) {
            self.state = State::Idle;
            self.lost(&format!("ended: {status}"), now, tell);
        }
    }

    fn label(&self) -> &'static str {
        match self.commands {
            true => "vrrp-checker of commands",
            false => "vrrp-checker",
        }
    }

    /// Returns whether it was missing: it is needed no longer.
    fn stop(&mut self) -> bool {
        if let State::Running(child, ..) = std::mem::replace(&mut self.state, State::Idle) {
            // It ends with its stream.
            self.ended.push(child);
        }
        self.pause = FIRST_PAUSE;
        self.expired = false;
        self.gone.take().is_some()
    }

    fn tell_well(&self, tell: &mut dyn FnMut(News)) {
        let (commands, why) = (self.commands, None);
        tell(News::Trouble { commands, why });
    }

    fn tell_checks(&mut self) {
        if let State::Running(_, link, _) = &mut self.state {
            let checks = self.checks.values().cloned().collect();
            link.say(&Order::Checks(checks));
        }
    }

    fn take(&mut self, report: Report, tell: &mut dyn FnMut(News)) {
        let Some((_, up)) = self.checks.get_mut(&report.name) else {
            return;
        };
        *up = report.up;
        if self.gone.take().is_some() {
            self.expired = false;
            log::info!("{}: runs again", self.label());
            self.tell_well(tell);
        }
        tell(News::Report(report));
    }

    /// Its stream is at its end, or makes no sense.
    fn failed(&mut self, error: &io::Error, now: Instant, tell: &mut dyn FnMut(News)) {
        let State::Running(mut child, _, since) = std::mem::replace(&mut self.state, State::Idle)
        else {
            return;
        };
        if now >= since + RUNS_WELL {
            self.pause = FIRST_PAUSE;
        }
        // One that still runs makes no sense.
        let _ = child.kill();
        let why = match child.try_wait() {
            Ok(Some(status)) => format!("ended: {status}"),
            _ if error.kind() == io::ErrorKind::UnexpectedEof => "ended".to_owned(),
            _ => format!("sent a report that cannot be read: {error}"),
        };
        self.ended.push(child);
        self.lost(&why, now, tell);
    }

    fn lost(&mut self, why: &str, now: Instant, tell: &mut dyn FnMut(News)) {
        let (label, pause) = (self.label(), self.pause);
        log::error!(
            "{label} {why}; it is started again in {} s, and checks keep their states for {} s",
            pause.as_secs_f64(),
            HOLDS.as_secs()
        );
        self.state = State::Waiting(now + pause);
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        self.gone.get_or_insert(now);
        tell(News::Trouble {
            commands: self.commands,
            why: Some(format!("{label} {why}")),
        });
    }

    /// Fails every check: the services were not asked for too long.
    fn expire(&mut self, tell: &mut dyn FnMut(News)) {
        self.expired = true;
        let text = format!(
            "not asked for {} s: {} does not run",
            HOLDS.as_secs(),
            self.label()
        );
        for (name, (_, up)) in &mut self.checks {
            *up = false;
            tell(News::Report(Report {
                name: name.clone(),
                up: false,
                outcome: Outcome {
                    passed: None,
                    text: text.clone(),
                    took: Duration::ZERO,
                },
                runs: 0,
                steps: None,
            }));
        }
    }
}

impl Link {
    /// Says something, when there is room.
    fn say(&mut self, order: &Order) {
        // Our own types always have a JSON form.
        let octets = serde_json::to_vec(order).unwrap_or_default();
        self.outbox.extend_from_slice(&packed(&octets));
        // An error is seen again by the next turn of the loop.
        let _ = self.flush();
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match sys::send_now(self.stream.as_fd(), &self.outbox) {
                Ok(sent) => drop(self.outbox.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The reports that are there, up to [`AT_ONCE`]: the stream stays readable when there are more.
    fn hear(&mut self) -> io::Result<Vec<Report>> {
        let mut reports = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            while let Some(octets) = self.inbox.take().map_err(|_| io::ErrorKind::InvalidData)? {
                let report = serde_json::from_slice(&octets);
                // Half a report is nonsense, not the end of the stream.
                reports.push(report.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?);
            }
            if reports.len() >= AT_ONCE {
                return Ok(reports);
            }
            match (&self.stream).read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.inbox.push(buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(reports),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Directory;
    use std::os::unix::fs::PermissionsExt;

    fn specs() -> Vec<CheckSpec> {
        let text = "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/32\ncheck = a, b:-5\n\
            [CHECK]\nname = a\nfile = /\n[CHECK]\nname = b\nping = 10.0.0.9\n";
        let parsed = vrrp_config::parse("x.conf".as_ref(), text);
        let checks = parsed.config.expect("a correct file").checks;
        checks.into_iter().map(|check| check.spec).collect()
    }

    /// A process that was asked to start `program`, and what is new until it has or could not.
    fn started(program: &Path, now: Instant) -> (Process, Vec<News>) {
        let (mut process, mut news) = (Process::new(false), Vec::new());
        let mut spawner = Spawner::new().expect("a thread");
        process.configure(specs(), now, &mut |one| news.push(one));
        assert!(process.is_due(now));
        process.start(program, &mut spawner, now, &mut |one| news.push(one));
        let end = Instant::now() + Duration::from_secs(20);
        let started = loop {
            assert!(Instant::now() < end, "nothing comes of the start");
            match spawner.next() {
                Some(started) => break started,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        process.started(started.result, now, &mut |one| news.push(one));
        (process, news)
    }

    fn handled(process: &mut Process, now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        let mut set = PollSet::default();
        process.register(&mut set);
        set.wait(Some(Duration::ZERO)).expect("no waiting");
        process.handle(&set, now, &mut |one| news.push(one));
        news
    }

    #[test]
    fn without_a_checker_states_hold_for_a_while_and_then_fail() {
        let now = Instant::now();
        let (mut process, news) = started(Path::new("/nonexistent/vrrp-checker"), now);
        let [
            News::Trouble {
                commands: false,
                why: Some(why),
            },
        ] = news.as_slice()
        else {
            panic!("{news:?}");
        };
        let expected = "vrrp-checker cannot be started: /nonexistent/vrrp-checker: ";
        assert!(why.starts_with(expected), "{why}");
        // It is tried again soon, and then less and less often.
        assert!(!process.is_due(now) && process.is_due(now + FIRST_PAUSE));
        assert_eq!(process.pause, FIRST_PAUSE * 2);
        let before = now + HOLDS - Duration::from_millis(1);
        assert_eq!(handled(&mut process, before), []);
        let failed: Vec<(String, bool)> = handled(&mut process, now + HOLDS)
            .into_iter()
            .map(|news| match news {
                News::Report(report) => (report.name, report.up),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(failed, [("a".to_owned(), false), ("b".to_owned(), false)]);
        assert_eq!(
            handled(&mut process, now + HOLDS * 2),
            [],
            "it is said once"
        );
    }

    #[test]
    fn a_checker_that_is_missing_and_needed_no_longer_is_no_trouble() {
        let now = Instant::now();
        let (mut process, _) = started(Path::new("/nonexistent/vrrp-checker"), now);
        for expected in [1, 0] {
            let mut news = Vec::new();
            process.configure(Vec::new(), now, &mut |one| news.push(one));
            let (commands, why) = (false, None);
            let well = News::Trouble { commands, why };
            assert_eq!(news, vec![well; expected]);
        }
        assert!(process.deadline().is_none());
    }

    #[test]
    fn a_checker_that_makes_no_sense_is_ended() {
        let folder = Directory::new("checker");
        let program: PathBuf = folder.join("checker");
        let script = "#!/bin/sh\nhead -c 100000 /dev/zero >&0\nexec sleep 60\n";
        std::fs::write(&program, script).expect("a program");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("a program");
        let (mut process, news) = started(&program, Instant::now());
        assert_eq!(news, []);
        let end = Instant::now() + Duration::from_secs(20);
        let news = loop {
            assert!(Instant::now() < end, "it is taken for a checker");
            let news = handled(&mut process, Instant::now());
            if !news.is_empty() {
                break news;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let [News::Trouble { why: Some(why), .. }] = news.as_slice() else {
            panic!("{news:?}");
        };
        assert!(
            why.starts_with("vrrp-checker sent a report that cannot be read: "),
            "{why}"
        );
        while !process.ended.is_empty() {
            assert!(Instant::now() < end, "it is not ended");
            handled(&mut process, Instant::now());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
