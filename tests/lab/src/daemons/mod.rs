//! Daemons on hosts: started, disturbed, reloaded, stopped, and their logs kept.

#[cfg(target_os = "linux")]
mod frr;
#[cfg(target_os = "linux")]
mod keepalived;
mod libvrrp;
#[cfg(target_os = "linux")]
mod lwip;
#[cfg(target_os = "linux")]
mod smoltcp;
mod vrrpd;

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::time::Instant;

use super::host::{Host, INTERFACE};
use super::system::Stack;
use super::vr::Vr;
use super::wait_until;
use crate::sys;

/// How long a daemon may take to end after it was asked to.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A VRRP daemon that the lab can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Ours: `$VRRPD`, or what cargo builds.
    Vrrpd,
    /// keepalived from the system.
    #[cfg(target_os = "linux")]
    Keepalived,
    /// vrrpd of FRR, with its zebra, from the system. Has neither password nor physical MAC.
    #[cfg(target_os = "linux")]
    Frr,
    /// libvrrp in a program around poll(2): `ffi/examples/poll.c`. One virtual router, VRRPv3.
    Poll,
    /// libvrrp in a program around libevent: `ffi/examples/libevent.c`. Its configuration is vrrpd's.
    #[cfg(target_os = "linux")]
    Libevent,
    /// A C program on lwIP that links libvrrp (`ffi/examples/lwip`), built on the first use. The
    /// host's cable and address are its own: see [`Host::hand_over`]. Serves one IPv4 address, in
    /// VRRPv3, with the virtual MAC, and has the services of [`Host::serve`] and
    /// [`Host::serve_http`].
    #[cfg(target_os = "linux")]
    Lwip,
    /// A program on smoltcp with vrrp-smoltcp (`ports/smoltcp/examples/tap.rs`), built on the first
    /// use. As [`Program::Lwip`], with any number of addresses of either family.
    #[cfg(target_os = "linux")]
    Smoltcp,
}

impl Program {
    /// Its configuration for `vrs` on `host`.
    ///
    /// # Panics
    ///
    /// When the program cannot do what a virtual router asks for.
    pub fn config(self, host: &Host, vrs: &[Vr]) -> String {
        for vr in vrs {
            assert!(
                self.reads_vrrpd_conf() || vr.lines.is_empty(),
                "only vrrpd knows {:?}",
                vr.lines
            );
            assert!(
                self.names_interfaces() || vr.interface == INTERFACE,
                "{self:?} of the lab knows no interface but {INTERFACE}"
            );
        }
        match self {
            Self::Vrrpd => vrrpd::config(host, vrs),
            #[cfg(target_os = "linux")]
            Self::Libevent => vrrpd::config(host, vrs),
            Self::Poll => libvrrp::arguments(host, vrs),
            #[cfg(target_os = "linux")]
            Self::Keepalived => keepalived::config(host, vrs),
            #[cfg(target_os = "linux")]
            Self::Frr => frr::config(vrs),
            #[cfg(target_os = "linux")]
            Self::Lwip => lwip::config(host, vrs),
            #[cfg(target_os = "linux")]
            Self::Smoltcp => smoltcp::config(host, vrs),
        }
    }

    fn reads_vrrpd_conf(self) -> bool {
        match self {
            Self::Vrrpd => true,
            #[cfg(target_os = "linux")]
            Self::Libevent => true,
            _ => false,
        }
    }

    fn names_interfaces(self) -> bool {
        #[cfg(target_os = "linux")]
        if self == Self::Keepalived {
            return true;
        }
        self.reads_vrrpd_conf()
    }

    /// The command lines to run, in order.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "only the peers ask for it")
    )]
    fn commands(self, host: &Host, config: &Path) -> Vec<Command> {
        match self {
            Self::Vrrpd => vec![vrrpd::command(config)],
            #[cfg(target_os = "linux")]
            Self::Keepalived => vec![keepalived::command(host, config)],
            #[cfg(target_os = "linux")]
            Self::Frr => frr::commands(host, config),
            Self::Poll => vec![libvrrp::poll(config)],
            #[cfg(target_os = "linux")]
            Self::Libevent => vec![libvrrp::libevent(config)],
            #[cfg(target_os = "linux")]
            Self::Lwip => vec![lwip::command(config)],
            #[cfg(target_os = "linux")]
            Self::Smoltcp => vec![smoltcp::command(config)],
        }
    }
}

#[cfg(target_os = "linux")]
pub use keepalived::hmac_binary;
/// The path of our vrrpd and of the programs beside it.
#[cfg(target_os = "linux")]
pub(crate) use vrrpd::target_dir;
pub use vrrpd::{binary as vrrpd_binary, control_socket as vrrpd_control_socket, vrrpctl};
#[cfg(target_os = "linux")]
pub use vrrpd::{vrrpctl_drops, vrrpctl_state, vrrpctl_status};

/// A running daemon. It is killed when dropped, and its log shown if that is because of a failure.
#[derive(Debug)]
pub struct Daemon {
    /// `None`: a program that the lab knows nothing of.
    program: Option<Program>,
    name: String,
    host: String,
    host_dir: PathBuf,
    stack: Stack,
    config: PathBuf,
    children: Vec<Child>,
    log: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Daemon {
    /// Starts `program` on `host` with the text of its configuration. `vrs` tells what must be
    /// there before it starts, for programs that want that.
    ///
    /// # Panics
    ///
    /// When the program is not installed.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "only the peers ask for it")
    )]
    pub fn start(program: Program, host: &Host, config: &str, vrs: &[Vr]) -> Self {
        let path = host.dir().join(format!("{program:?}.conf").to_lowercase());
        std::fs::write(&path, config).expect("write a configuration");
        if program == Program::Vrrpd {
            // It may hold a password.
            let owner = Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, owner).expect("make a configuration its owner's");
        }
        #[cfg(target_os = "linux")]
        match program {
            Program::Frr => frr::prepare(host, vrs),
            Program::Lwip | Program::Smoltcp => host.hand_over(),
            Program::Vrrpd | Program::Keepalived | Program::Poll | Program::Libevent => {}
        }
        let mut daemon = Self::idle(host, &format!("{program:?}"));
        daemon.program = Some(program);
        daemon.config = path;
        daemon.launch(program.commands(host, &daemon.config));
        daemon
    }

    /// Starts any program on `host`. `name` is what messages call it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn run(host: &Host, name: &str, command: Command) -> Self {
        let mut daemon = Self::idle(host, name);
        daemon.launch(vec![command]);
        daemon
    }

    fn idle(host: &Host, name: &str) -> Self {
        Self {
            program: None,
            name: name.to_owned(),
            host: host.name().to_owned(),
            host_dir: host.dir(),
            stack: host.stack().clone(),
            config: PathBuf::new(),
            children: Vec::new(),
            log: Arc::default(),
        }
    }

    /// The program, for what only those that the lab knows can do.
    fn known(&self) -> Program {
        self.program.expect("one of the lab's own programs")
    }

    /// Starts it again after [`crash`](Self::crash) or [`stop`](Self::stop), as it was. Only for
    /// what [`start`](Self::start) has started.
    pub fn start_again(&mut self, host: &Host) {
        self.launch(self.known().commands(host, &self.config));
    }

    /// The process that does the protocol, for /proc.
    ///
    /// # Panics
    ///
    /// When the daemon does not run.
    pub fn pid(&self) -> u32 {
        let leader = self.children.last().expect("a running daemon").id();
        #[cfg(target_os = "linux")]
        if self.program == Some(Program::Keepalived) {
            return worker(leader);
        }
        leader
    }

    /// The process of vrrpd or keepalived that parses packets, and that another one watches over.
    ///
    /// # Panics
    ///
    /// When the daemon does not run, or has no such process.
    #[cfg(target_os = "linux")]
    pub fn worker(&self) -> u32 {
        let leader = self.children.last().expect("a running daemon").id();
        let worker = worker(leader);
        assert_ne!(worker, leader, "there is no worker process");
        worker
    }

    /// Kills it without a warning, every process of it.
    pub fn crash(&mut self) {
        let others = self.descendants();
        for child in &mut self.children {
            // It may be gone already.
            let _ = sys::signal_group(child.id(), libc::SIGKILL);
            let _ = child.wait();
        }
        self.children.clear();
        reap(others);
    }

    /// The descendants of its processes, parents before children.
    fn descendants(&self) -> Vec<u32> {
        let mut found: Vec<u32> = self.children.iter().map(Child::id).collect();
        let mut at = 0;
        while let Some(pid) = found.get(at).copied() {
            found.extend(children(pid));
            at += 1;
        }
        found.split_off(self.children.len())
    }

    /// Stops it as a service manager does, and waits until it has gone.
    ///
    /// # Panics
    ///
    /// When it takes more than 15 s.
    pub fn stop(&mut self) {
        self.ask_to_stop();
        self.wait_end();
    }

    /// Sends `signal` to the process that was started, and to no child of it.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn signal(&self, signal: i32) {
        let leader = self.children.last().expect("a running daemon");
        sys::signal(leader.id(), signal).expect("signal a running daemon");
    }

    /// Asks it to stop, and does not wait.
    pub fn ask_to_stop(&self) {
        for child in &self.children {
            // It may be gone already.
            let _ = sys::signal(child.id(), libc::SIGTERM);
        }
    }

    /// Waits until it has gone.
    ///
    /// # Panics
    ///
    /// When it takes more than 15 s.
    pub fn wait_end(&mut self) {
        let what = format!("{} on {} ends", self.name, self.host);
        let others = self.descendants();
        let children = &mut self.children;
        wait_until(STOP_LIMIT, &what, || {
            children
                .iter_mut()
                .all(|child| child.try_wait().expect("wait for a child").is_some())
        });
        self.children.clear();
        reap(others);
    }

    /// Whether every process of it runs.
    pub fn is_running(&mut self) -> bool {
        !self.children.is_empty()
            && self
                .children
                .iter_mut()
                .all(|child| child.try_wait().expect("look at a child").is_none())
    }

    /// Holds it as it is, until [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        self.signal_all(libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal_all(libc::SIGCONT);
    }

    /// Gives it a new configuration and tells it to read it (SIGHUP).
    pub fn reload(&self, host: &Host, vrs: &[Vr]) {
        self.reload_text(&self.known().config(host, vrs));
    }

    /// Gives it this text as its configuration and tells it to read it (SIGHUP).
    pub fn reload_text(&self, config: &str) {
        self.write_config(config);
        self.signal(libc::SIGHUP);
    }

    /// Runs `vrrpd --clean` with its configuration, as a service manager does when it has ended. Only for
    /// [`Program::Vrrpd`].
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn clean_up(&self) {
        let mut clean = Command::new(vrrpd::binary("vrrpd"));
        clean.arg("--clean").arg("-f").arg(&self.config);
        self.stack.output(&mut clean);
    }

    /// Writes a new configuration, and leaves it to somebody else to have it read.
    pub fn write_config(&self, config: &str) {
        std::fs::write(&self.config, config).expect("write a configuration");
    }

    /// The lines of its log so far, each with the time (monotonic microseconds).
    pub fn log(&self) -> Vec<(u64, String)> {
        self.log
            .lock()
            .expect("no panic while a log is held")
            .clone()
    }

    /// Takes the lines logged since the last call.
    pub fn take_log(&self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.log.lock().expect("no panic while a log is held"))
    }

    /// Whether it has said something that contains `text`.
    pub fn has_said(&self, text: &str) -> bool {
        self.log().iter().any(|(_, line)| line.contains(text))
    }

    /// Waits until it has said something that contains `text`: a line comes a moment after that which it is
    /// about.
    ///
    /// # Panics
    ///
    /// When it does not within [`LIMIT`](crate::pair::LIMIT).
    pub fn wait_said(&self, text: &str) {
        crate::wait_until(crate::pair::LIMIT, text, || self.has_said(text));
    }

    /// Where it keeps its configuration and files.
    pub fn dir(&self) -> &Path {
        &self.host_dir
    }

    fn signal_all(&self, signal: i32) {
        for child in &self.children {
            sys::signal_group(child.id(), signal).expect("signal a running daemon");
        }
    }

    fn launch(&mut self, commands: Vec<Command>) {
        #[cfg(target_os = "linux")]
        sys::adopt_orphans().expect("adopt what daemons leave behind");
        for (number, mut command) in commands.into_iter().enumerate() {
            if number > 0 {
                // FRR's programs wait for zebra's socket, but not for ever.
                std::thread::sleep(Duration::from_millis(300));
            }
            self.stack.start_in(&mut command);
            let mut child = command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!(
                        "cannot start {:?} ({error}): the lab needs it installed",
                        command.get_program()
                    )
                });
            keep_log(child.stdout.take(), self.log.clone());
            keep_log(child.stderr.take(), self.log.clone());
            self.children.push(child);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.crash();
        if crate::output::is_failing() {
            let start = self.log().first().map_or(0, |(at_us, _)| *at_us);
            crate::complain!("--- {} on {}:", self.name, self.host);
            for (at_us, line) in self.log() {
                crate::complain!("{:>10.6} {line}", (at_us - start) as f64 / 1e6);
            }
        }
    }
}

/// Copies what a child says to `log` until the child and its children have closed the pipe.
fn keep_log(pipe: Option<impl Read + Send + 'static>, log: Arc<Mutex<Vec<(u64, String)>>>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut log = log.lock().expect("no panic while a log is held");
            log.push((sys::now_us(), line));
        }
    });
}

/// The process that works: the daemon's first one, `leader`, watches over it.
#[cfg(target_os = "linux")]
fn worker(leader: u32) -> u32 {
    children(leader).first().copied().unwrap_or(leader)
}

/// The processes that `pid` has started.
#[cfg(target_os = "linux")]
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    let pids = children.split_whitespace().map(str::parse);
    pids.map_while(Result::ok).collect()
}

/// Process 1 reaps them.
#[cfg(not(target_os = "linux"))]
fn children(_pid: u32) -> Vec<u32> {
    Vec::new()
}

/// Process 1 reaps them.
#[cfg(not(target_os = "linux"))]
fn reap(_pids: Vec<u32>) {}

/// Reaps what a daemon that has ended has left, which ends, too. What goes on is left to process 1.
#[cfg(target_os = "linux")]
fn reap(mut pids: Vec<u32>) {
    for _ in 0..100 {
        pids.retain(|pid| !sys::reap(*pid));
        if pids.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The processes called `name` that the process `parent` has started.
#[cfg(target_os = "linux")]
pub fn children_of(parent: u32, name: &str) -> Vec<u32> {
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The state is a letter between the name and the parent.
        let after = stat.split_once(&format!("({name}) "));
        let found = after.and_then(|(_, after)| after.split(' ').nth(1));
        found == Some(&parent.to_string())
    };
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.filter(is_child).collect()
}

/// The processor time and memory of a process.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// User and system time, seconds, in steps of the kernel's tick.
    pub cpu_s: f64,
    /// Resident memory, KiB.
    pub resident_kib: u64,
    /// When it was looked at.
    pub at: Instant,
}

/// Reads what the process `pid` has used, with the worker of vrrpd if it has started one. `None`: it is
/// gone.
#[cfg(target_os = "linux")]
pub fn usage(pid: u32) -> Option<Usage> {
    let mut sum = usage_of_one(pid)?;
    for child in children(pid) {
        let name = std::fs::read_to_string(format!("/proc/{child}/comm"));
        if name.is_ok_and(|name| name.trim() == "vrrpd-worker")
            && let Some(worker) = usage_of_one(child)
        {
            sum.cpu_s += worker.cpu_s;
            sum.resident_kib += worker.resident_kib;
        }
    }
    Some(sum)
}

#[cfg(target_os = "linux")]
fn usage_of_one(pid: u32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; fields count from behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(Usage {
        cpu_s: ticks as f64 / sys::ticks_per_second() as f64,
        resident_kib: resident.trim().trim_end_matches(" kB").parse().ok()?,
        at: Instant::now(),
    })
}
