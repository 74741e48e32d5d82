//! The paper's network on this machine, in half a minute: two servers, a client, a pulled cable.
//!
//! Everything happens in network namespaces that nobody else sees. Needs root, or a kernel that
//! allows user namespaces.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use vrrp_lab::daemons::{vrrpd_binary, vrrpd_control_socket};
use vrrp_lab::probe::Ask;
use vrrp_lab::{Daemon, Host, PaperNetwork, Probe, Program, Report, Segment, netns};
use vrrp_lab::{complain, say, sayln};

/// The web service's address: "addr = ...,10.10.10.80/32,...".
const WEB: &str = "10.10.10.80";
/// Between two requests of the time line.
const TICK: Duration = Duration::from_millis(100);
/// How finely an outage is measured, probes a second.
const HZ: u32 = 500;

const PICTURE: &str = "
   clarinet 10.10.10.6        fridge 10.10.10.2        jimbob 10.10.10.5
   vrrpd, priority 250        vrrpd, priority 100      the client
          |                          |                        |
          +--------------------------+------------------------+---- a hub
    VRID 1: 10.10.10.53, 10.10.10.80, 10.10.10.25, 10.10.10.22

The client asks http://10.10.10.80/ ten times a second. Who answers:
   c  hello from clarinet      f  hello from fridge      .  nobody
";

fn main() -> ExitCode {
    vrrp_lab::output::program("demo", run)
}

fn run() -> ExitCode {
    if let Err(error) = netns::become_root() {
        complain!("demo: not root, and no user namespace to be had: {error}. Try sudo.");
        return ExitCode::FAILURE;
    }
    // Built before the clock starts to run.
    let vrrpctl = vrrpd_binary("vrrpctl");
    let network = PaperNetwork::new(Segment::Hub);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        ..
    } = &network;
    sayln!("{PICTURE}");
    clarinet.serve_http();
    fridge.serve_http();

    let mut show = Show::new(jimbob);
    show.say("vrrpd starts on both, with the paper's configuration");
    let mut on_clarinet = start(clarinet, 250);
    let on_fridge = start(fridge, 100);
    show.watch_until("clarinet", Duration::from_secs(2));

    let probe = Probe::start(jimbob, WEB, HZ, Ask::Ping);
    show.say("clarinet's cable is pulled");
    clarinet.pull_cable();
    show.watch_until("fridge", Duration::from_secs(2));
    show.outage("the cable", &probe.stop());

    let probe = Probe::start(jimbob, WEB, HZ, Ask::Ping);
    show.say("the cable is plugged in again");
    clarinet.plug_cable();
    show.watch_until("clarinet", Duration::from_secs(1));
    show.outage("the return", &probe.stop());

    let probe = Probe::start(jimbob, WEB, HZ, Ask::Ping);
    show.say("vrrpd on clarinet is stopped, as before maintenance");
    on_clarinet.ask_to_stop();
    show.watch_until("fridge", Duration::from_secs(2));
    on_clarinet.wait_end();
    show.outage("the stop", &probe.stop());

    sayln!("\n\n$ vrrpctl who                                             (on fridge)");
    let mut who = std::process::Command::new(vrrpctl);
    who.arg("-s").arg(vrrpd_control_socket(fridge)).arg("who");
    say!("{}", fridge.netns().output(&mut who));
    sayln!("\nwhat vrrpd on fridge wrote to its log:");
    for (_, line) in on_fridge.log() {
        sayln!("  {line}");
    }
    if show.missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    sayln!("\nwhat vrrpd on clarinet wrote to its log:");
    for (_, line) in on_clarinet.log() {
        sayln!("  {line}");
    }
    complain!(
        "\ndemo: waited in vain for an answer of: {}",
        show.missed.join(", ")
    );
    ExitCode::FAILURE
}

/// Starts vrrpd with the paper's configuration.
fn start(host: &Host, priority: u8) -> Daemon {
    let config = format!(
        "[GLOBAL]
controlsocket = {}
runtimedir = {}
statedir = {}

[VRID]
serverid = 1
priority = {priority}
addr = 10.10.10.53/32,10.10.10.80/32,10.10.10.25/32,10.10.10.22/32
password = foobingbaz
interface = xl0
",
        vrrpd_control_socket(host).display(),
        host.dir().join("run").display(),
        host.dir().join("state").display()
    );
    Daemon::start(Program::Vrrpd, host, &config, &[])
}

/// The time line on the terminal.
struct Show<'a> {
    client: &'a Host,
    start: Instant,
    column: u32,
    /// Whom it has waited for in vain.
    missed: Vec<String>,
}

impl<'a> Show<'a> {
    fn new(client: &'a Host) -> Self {
        Self {
            client,
            start: Instant::now(),
            column: 0,
            missed: Vec::new(),
        }
    }

    /// A line of its own.
    fn say(&mut self, what: &str) {
        let at = self.start.elapsed().as_secs_f64();
        sayln!("\n{at:>5.1} s  {what}");
        self.column = 0;
    }

    /// Shows who answers, until `who` has done so for `long`; gives up after ten seconds.
    fn watch_until(&mut self, who: &str, long: Duration) {
        let begin = Instant::now();
        let mut since = None;
        while begin.elapsed() < Duration::from_secs(10) {
            let due = Instant::now() + TICK;
            let page = self.client.fetch(WEB, TICK);
            let name = page
                .as_deref()
                .and_then(|page| page.strip_prefix("hello from "));
            self.put(name);
            since = match name == Some(who) {
                true => since.or(Some(Instant::now())),
                false => None,
            };
            if since.is_some_and(|since| since.elapsed() >= long) {
                return;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        self.missed.push(who.to_owned());
    }

    fn put(&mut self, name: Option<&str>) {
        if self.column.is_multiple_of(50) {
            say!("\n         ");
        }
        self.column += 1;
        say!(
            "{}",
            name.and_then(|name| name.chars().next()).unwrap_or('.')
        );
        // Nothing is lost when the terminal has gone away.
        let _ = std::io::stdout().flush();
    }

    fn outage(&mut self, what: &str, report: &Report) {
        sayln!(
            "\n\n         {what} cost {} of {} probes; longest silence {:.3} s",
            report.lost(),
            report.sent_us.len(),
            report.longest_silence_us() as f64 / 1e6
        );
        self.column = 0;
    }
}
