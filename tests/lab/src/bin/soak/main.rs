//! Hours in the lab: three hosts with 72 virtual routers on three segments, and at random everything that happens to
//! hosts and cables. One seed decides what is done; the checks are those of the simulator, as far
//! as the wire and the client show them.
//!
//! ```text
//! soak [SECONDS] [--seed N] [--routers N] [--keep FOLDER]
//! ```
//!
//! Needs root, or a kernel that allows user namespaces, and a C compiler.

mod check;
mod server;
mod wire;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use vrrp_lab::linux::kernel;
use vrrp_lab::netns;
use vrrp_lab::sys;
use vrrp_sim::rng::Draw;

use check::look;
use vrrp_lab::{complain, sayln};
use wire::{Wire, interval_us};
use world::{INTERFACES, Leave, World};

/// How long after the last disturbance everything must be in order, on a busy machine. VRRPv2 takes
/// four seconds, a start of 72 virtual routers one, each look one and a half; and a client that was
/// cut off while the addresses moved asks for a neighbour anew after six.
const BOUND: Duration = Duration::from_secs(20);
/// A daemon whose wake-ups are later than this is not judged by its observations.
const LATE_US: u64 = 150_000;
/// Lines that three daemons may log for one disturbance of 72 virtual routers: there and back,
/// twice.
const LINES: usize = 4 * 72 * 3;
/// How long after it happened a line of the log may be read.
const LOG_US: u64 = 2_000_000;
/// How often a watch may fail because the machine stalled, of a hundred.
const EXCUSES_PERCENT: u64 = 10;

/// The options of the command line.
struct Options {
    seconds: u64,
    seed: u64,
    /// The number of virtual routers.
    routers: u8,
    keep: PathBuf,
}

fn main() -> ExitCode {
    vrrp_lab::output::program("soak", run)
}

fn run() -> ExitCode {
    if let Err(error) = netns::become_root() {
        complain!("soak: not root, and no user namespace to be had: {error}. Try sudo.");
        return ExitCode::FAILURE;
    }
    let Some(options) = options() else {
        complain!("usage: soak [SECONDS] [--seed N] [--routers 1-72] [--keep FOLDER]");
        return ExitCode::from(2);
    };
    let seed = options.seed;
    sayln!("soak: seed {seed}, {} s", options.seconds);
    let mut world = World::new(seed, options.routers);
    let mut soak = Soak::new();
    match soak.run(&mut world, Duration::from_secs(options.seconds)) {
        Ok(()) => {
            soak.summary(&world);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            complain!("soak: seed {seed}, step {}:\n{problem}", soak.steps);
            keep(&mut world, &options.keep);
            ExitCode::FAILURE
        }
    }
}

fn options() -> Option<Options> {
    let mut options = Options {
        seconds: 7200,
        seed: sys::now_us(),
        routers: world::ALL,
        keep: std::env::temp_dir().join("vrrp-soak"),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => options.seed = words.next()?.parse().ok()?,
            "--routers" => {
                let count = words.next()?.parse().ok()?;
                options.routers = Some(count).filter(|count| (1..=world::ALL).contains(count))?;
            }
            "--keep" => options.keep = words.next()?.into(),
            seconds => options.seconds = seconds.parse().ok()?,
        }
    }
    Some(options)
}

/// Keeps and shows what helps to find out what went wrong.
fn keep(world: &mut World, folder: &Path) {
    world.take_logs();
    let story: Vec<String> = world.story.iter().cloned().collect();
    complain!("\nwhat was done, and what the daemons said, in seconds:");
    for line in &story {
        complain!("{line}");
    }
    let kept = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join("story.txt"), story.join("\n")))
        .and_then(|()| {
            let mut wires = world.wires.iter().zip(INTERFACES);
            wires.try_for_each(|(wire, (name, _))| wire.save(&folder.join(format!("{name}.pcap"))))
        });
    match kept {
        Ok(()) => complain!("\nthis and the last frames are in {}", folder.display()),
        Err(error) => complain!("\ncannot keep this in {}: {error}", folder.display()),
    }
}

/// The account of a run.
struct Soak {
    steps: u64,
    disturbances: u64,
    /// Looks that found everything in order.
    looks: u64,
    /// How long it took from the last disturbance to the beginning of a look that found everything
    /// in order, milliseconds; the longest.
    longest_settle_ms: u128,
    excuses: u64,
    most_lines: usize,
    lines: usize,
    lateness: Arc<AtomicU64>,
    began: Instant,
}

impl Soak {
    fn new() -> Self {
        let lateness = Arc::new(AtomicU64::new(0));
        let shared = lateness.clone();
        std::thread::spawn(move || {
            loop {
                let due_us = sys::now_us() + 10_000;
                sys::sleep_until_us(due_us);
                shared.fetch_max(sys::now_us() - due_us, Ordering::Relaxed);
            }
        });
        Self {
            steps: 0,
            disturbances: 0,
            looks: 0,
            longest_settle_ms: 0,
            excuses: 0,
            most_lines: 0,
            lines: 0,
            lateness,
            began: Instant::now(),
        }
    }

    fn run(&mut self, world: &mut World, long: Duration) -> Result<(), String> {
        world.start_all();
        self.settle(world)?;
        let mut told = Instant::now();
        while self.began.elapsed() < long {
            self.steps += 1;
            self.step(world)?;
            if told.elapsed() > Duration::from_secs(60) {
                told = Instant::now();
                self.summary(world);
            }
        }
        world.tell("the end: everything is mended");
        world.mend_all();
        self.settle(world)?;
        self.account(world, 20)?;
        world.stop_all();
        for server in &world.servers {
            let left = kernel::state(&server.host);
            if left != server.untouched {
                let only = |a: &[String], b: &[String], sign: char| -> String {
                    let lines = a.iter().filter(|line| !b.contains(line));
                    lines.map(|line| format!("{sign} {line}\n")).collect()
                };
                return Err(format!(
                    "{} is not as before (-) but has (+):\n{}{}",
                    server.host.name(),
                    only(&server.untouched, &left, '-'),
                    only(&left, &server.untouched, '+')
                ));
            }
        }
        Ok(())
    }

    fn step(&mut self, world: &mut World) -> Result<(), String> {
        let count = world.rng.pick(&[1, 1, 1, 2, 3, 4]);
        self.lateness.store(0, Ordering::Relaxed);
        world.changes.clear();
        for number in 0..count {
            if number > 0 {
                let pause = world.rng.below(800);
                std::thread::sleep(Duration::from_millis(pause));
            }
            world.disturb(count == 1);
            self.disturbances += 1;
        }
        self.settle(world)?;
        leaves(world)?;
        self.account(world, count)?;
        self.watch(world)
    }

    /// Waits until everything is as it should be.
    fn settle(&mut self, world: &mut World) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let waited = began.elapsed();
            let problems = look(world, check::WINDOW);
            alive(world)?;
            if problems.is_empty() {
                self.looks += 1;
                self.longest_settle_ms = self.longest_settle_ms.max(waited.as_millis());
                break;
            }
            if waited > BOUND {
                return Err(problems.join("\n"));
            }
        }
        for host in 0..world.servers.len() {
            if !world.servers[host].frozen {
                world.settle_priorities(host);
            }
        }
        Ok(())
    }

    /// Looks on, and nothing may change.
    fn watch(&mut self, world: &mut World) -> Result<(), String> {
        self.lateness.store(0, Ordering::Relaxed);
        let window = Duration::from_millis(world.rng.between(1500, 5000));
        let mut problems = look(world, window);
        let (lines, stalled) = world.take_logs();
        self.lines += lines;
        let changes = world.story.iter().rev().take(lines);
        let changes = changes.filter(|line| line.contains(" -> "));
        problems.extend(changes.cloned());
        if problems.is_empty() {
            self.looks += 1;
            return breaches(world);
        }
        let late_us = self.lateness.load(Ordering::Relaxed);
        let text = problems.join("\n");
        if !stalled && late_us < LATE_US {
            return Err(format!("while nothing was done:\n{text}"));
        }
        self.excuses += 1;
        world.tell(&format!(
            "excused: woken {late_us} us late, stalled: {stalled}: {text}"
        ));
        sayln!("excused: woken {late_us} us late, a daemon stalled: {stalled}:\n{text}");
        if self.excuses * 100 > 300.max(self.steps * EXCUSES_PERCENT) {
            return Err("the machine is too busy to tell anything".to_owned());
        }
        self.settle(world)
    }

    /// Logs and what the daemons hold.
    fn account(&mut self, world: &mut World, disturbances: usize) -> Result<(), String> {
        let (lines, _) = world.take_logs();
        self.lines += lines;
        self.most_lines = self.most_lines.max(lines / disturbances);
        if lines > LINES * disturbances {
            return Err(format!(
                "{lines} lines in the logs for {disturbances} disturbances"
            ));
        }
        announced(world)?;
        let late_us = self.lateness.load(Ordering::Relaxed);
        if let Some(problem) = disturbed(world, late_us) {
            if late_us < LATE_US {
                return Err(problem);
            }
            self.excuses += 1;
            world.tell(&format!("excused: woken {late_us} us late: {problem}"));
        }
        for server in &mut world.servers {
            server.check_growth()?;
        }
        breaches(world)
    }

    fn summary(&self, world: &World) {
        sayln!(
            "{:>6} s: {} steps, {} disturbances, {} frames, {} looks in order, {} excused; \
             in order after {} ms at most; {} log lines, for one disturbance {} at most",
            self.began.elapsed().as_secs(),
            self.steps,
            self.disturbances,
            world.wires.iter().map(Wire::frames).sum::<u64>(),
            self.looks,
            self.excuses,
            self.longest_settle_ms,
            self.lines,
            self.most_lines,
        );
        for server in &world.servers {
            sayln!(
                "         {}: at first {:?}, most of any life {:?}",
                server.host.name(),
                server.base,
                server.most
            );
        }
        sayln!("         {:?}", world.tally);
    }
}

fn breaches(world: &World) -> Result<(), String> {
    let breaches: Vec<String> = world.wires.iter().flat_map(Wire::breaches).collect();
    match breaches.is_empty() {
        true => Ok(()),
        false => Err(breaches.join("\n")),
    }
}

/// No daemon has ended by itself.
fn alive(world: &mut World) -> Result<(), String> {
    for server in &mut world.servers {
        if server.daemon.as_mut().is_some_and(|d| !d.is_running()) {
            return Err(format!("vrrpd on {} has ended", server.host.name()));
        }
    }
    Ok(())
}

/// A host that has become master, and still is, has told everybody where the address is now.
fn announced(world: &World) -> Result<(), String> {
    let seats: Vec<_> = (0..INTERFACES.len()).map(|at| world.seats(at)).collect();
    let now_us = sys::now_us();
    for change in world.changes.iter().filter(|change| change.to_master) {
        let (host, interface) = (change.host, change.interface);
        let seat = &seats[interface][host][change.vr];
        let interval_us = interval_us(&world.vrs[change.vr]);
        let is_able = world.servers[host].is_able(interface);
        let is_master = is_able && seat.advert_us + 3 * interval_us > now_us;
        if is_master && seat.announced_us + LOG_US < change.at_us {
            let name = world.servers[host].host.name();
            return Err(format!(
                "VRID {}: {name} became master and did not announce the address",
                change.vr + 1
            ));
        }
    }
    Ok(())
}

/// The changes of virtual routers that a reload, the only disturbance, did not name: one has changed
/// its state, or a master was silent for longer than two intervals. `late_us` is how late this machine
/// wakes anybody.
fn disturbed(world: &World, late_us: u64) -> Option<String> {
    let bystanders = world.bystanders.as_ref()?;
    let mut changes = world.changes.iter();
    if let Some(change) = changes.find(|change| bystanders.contains(&change.vr)) {
        let name = world.servers[change.host].host.name();
        let line = &change.line;
        return Some(format!("the reload did not name it, and on {name}: {line}"));
    }
    for (interface, (on, _)) in INTERFACES.iter().enumerate() {
        for (host, seats) in world.seats(interface).iter().enumerate() {
            let masters = bystanders.iter().map(|vr| (*vr, &seats[*vr]));
            for (vr, seat) in masters.filter(|(_, seat)| seat.was_master) {
                if seat.gap_us > 2 * interval_us(&world.vrs[vr]) + LATE_US / 2 + 4 * late_us {
                    let name = world.servers[host].host.name();
                    let (vrid, gap_us) = (vr + 1, seat.gap_us);
                    return Some(format!(
                        "the reload did not name VRID {vrid}, and {name} was silent for {gap_us} us \
                         on {on}"
                    ));
                }
            }
        }
    }
    None
}

/// A host that left of its own will said so first.
fn leaves(world: &World) -> Result<(), String> {
    for (interface, (on, _)) in INTERFACES.iter().enumerate() {
        let seats = world.seats(interface);
        for (part, _) in world.parts(interface) {
            let left = world.leaves.iter();
            let left = left.filter(|left| left.interface == interface && part.contains(&left.host));
            for Leave { host, vr, .. } in left {
                let name = world.servers[*host].host.name();
                let vrid = vr + 1;
                let Some(stop_us) = seats[*host][*vr].stop_us else {
                    return Err(format!("VRID {vrid}: {name} left {on} and did not say so"));
                };
                for other in part.iter().filter(|other| *other != host) {
                    if seats[*other][*vr].first_us.is_some_and(|at| at < stop_us) {
                        let other = world.servers[*other].host.name();
                        return Err(format!("VRID {vrid}: {other} came before {name} left {on}"));
                    }
                }
            }
        }
    }
    Ok(())
}
