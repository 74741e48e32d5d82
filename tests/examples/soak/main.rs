//! Hours in the lab: three hosts with 72 virtual routers, and at random everything that happens to
//! hosts and cables. One seed decides what is done; the checks are those of the simulator, as far
//! as the wire and the client show them.
//!
//! ```text
//! soak [SECONDS] [--seed N] [--keep FOLDER]
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

use vrrp_sim::rng::Draw;
use vrrp_tests::lab::netns;
use vrrp_tests::sys;

use check::look;
use vrrp_tests::{complain, sayln};
use world::World;

/// How long after the last disturbance everything must be in order, on a busy machine. VRRPv2 takes
/// four seconds, a start of 72 virtual routers one, each look one and a half; and a client that was
/// cut off while the addresses moved asks for a neighbour anew after six.
const BOUND: Duration = Duration::from_secs(20);
/// Whoever is later than this with its wake-ups cannot blame vrrpd for what it sees.
const LATE_US: u64 = 150_000;
/// Lines that three daemons may log for one disturbance of 72 virtual routers: there and back,
/// twice.
const LINES: usize = 4 * 72 * 3;
/// How long after it happened a line of the log may be read.
const LOG_US: u64 = 2_000_000;
/// How often a watch may fail because the machine stalled, of a hundred.
const EXCUSES_PERCENT: u64 = 10;

/// What the command line says.
struct Options {
    seconds: u64,
    seed: u64,
    keep: PathBuf,
}

fn main() -> ExitCode {
    vrrp_tests::output::program("soak", run)
}

fn run() -> ExitCode {
    if let Err(error) = netns::become_root() {
        complain!("soak: not root, and no user namespace to be had: {error}. Try sudo.");
        return ExitCode::FAILURE;
    }
    let Some(options) = options() else {
        complain!("usage: soak [SECONDS] [--seed N] [--keep FOLDER]");
        return ExitCode::from(2);
    };
    let seed = options.seed;
    sayln!("soak: seed {seed}, {} s", options.seconds);
    let mut world = World::new(seed);
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
        keep: std::env::temp_dir().join("vrrp-soak"),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => options.seed = words.next()?.parse().ok()?,
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
        .and_then(|()| world.wire.save(&folder.join("wire.pcap")));
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
            let left = server.host.interfaces();
            if left != ["xl0"] {
                return Err(format!("{} has kept {left:?}", server.host.name()));
            }
        }
        Ok(())
    }

    fn step(&mut self, world: &mut World) -> Result<(), String> {
        let count = world.rng.pick(&[1, 1, 1, 2, 3, 4]);
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
            world.wire.frames(),
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
    match world.wire.breaches() {
        breaches if breaches.is_empty() => Ok(()),
        breaches => Err(breaches.join("\n")),
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

/// Who has become master, and still is, has told everybody where the address is now.
fn announced(world: &mut World) -> Result<(), String> {
    let seats = world.wire.seats();
    let now_us = sys::now_us();
    for (host, vr, at_us) in std::mem::take(&mut world.promoted) {
        let seat = &seats[host][vr];
        let interval_us = u64::from(world.vrs[vr].interval_cs) * 10_000;
        let is_master = world.servers[host].is_able() && seat.advert_us + 3 * interval_us > now_us;
        if is_master && seat.announced_us + LOG_US < at_us {
            let name = world.servers[host].host.name();
            return Err(format!(
                "VRID {}: {name} became master and did not announce the address",
                vr + 1
            ));
        }
    }
    Ok(())
}

/// Who left of its own will said so first.
fn leaves(world: &World) -> Result<(), String> {
    let seats = world.wire.seats();
    for (part, _) in world.parts() {
        for (host, vr) in world.leaves.iter().filter(|(host, _)| part.contains(host)) {
            let name = world.servers[*host].host.name();
            let vrid = vr + 1;
            let Some(stop_us) = seats[*host][*vr].stop_us else {
                return Err(format!("VRID {vrid}: {name} left and did not say so"));
            };
            for other in part.iter().filter(|other| *other != host) {
                if seats[*other][*vr].first_us.is_some_and(|at| at < stop_us) {
                    let other = world.servers[*other].host.name();
                    return Err(format!("VRID {vrid}: {other} came before {name} left"));
                }
            }
        }
    }
    Ok(())
}
