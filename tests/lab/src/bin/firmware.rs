//! The firmware at work, in half a minute: a microcontroller and a Linux host share an address.
//!
//! Everything happens in network namespaces that nobody else sees. Needs root, or a kernel that
//! allows user namespaces; `cargo xtask firmware` builds what it needs.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use vrrp_lab::{Board, Host, Lab, Program, Segment, Vr, netns};
use vrrp_lab::{complain, sayln};

const SERVICE: &str = "10.10.10.80";
const LIMIT: Duration = Duration::from_secs(10);

const PICTURE: &str = "
   oboe 10.10.10.9            fridge 10.10.10.2        jimbob 10.10.10.5
   a Cortex-M3 in QEMU,       vrrpd,                   the client
   priority 200               priority 100
          |                          |                        |
          +--------------------------+------------------------+---- a switch
                      VRID 51: 10.10.10.80
";

fn main() -> ExitCode {
    vrrp_lab::output::program("firmware", run)
}

fn run() -> ExitCode {
    if let Err(error) = netns::become_root() {
        complain!("firmware: not root, and no user namespace to be had: {error}. Try sudo.");
        return ExitCode::FAILURE;
    }
    sayln!("{PICTURE}");
    let lab = Lab::new(Segment::Switch);
    let jimbob = lab.host("jimbob", 5);
    let fridge = lab.host("fridge", 2);
    fridge.serve();
    let vr = Vr::new(51, SERVICE).interval_cs(50).vmac(true);
    let mut oboe = lab.board("oboe", 9);

    say("the board is turned on, vrrpd is started on fridge");
    oboe.start(&[vr.clone().priority(200)]);
    let _daemon = fridge.start(Program::Vrrpd, &[vr.priority(100)]);
    if !answers(&jimbob, "oboe") {
        return ExitCode::FAILURE;
    }
    sayln!("\n$ curl http://{SERVICE}/");
    sayln!("{}", jimbob.fetch(SERVICE, LIMIT).unwrap_or_default());

    say("the board is told to leave, at its serial line: leave 51");
    oboe.type_line("leave 51");
    if !answers(&jimbob, "fridge") {
        return ExitCode::FAILURE;
    }
    say("and to come back: join 51");
    oboe.type_line("join 51");
    if !answers(&jimbob, "oboe") {
        return ExitCode::FAILURE;
    }
    say("the board's power is cut");
    oboe.power_off();
    let done = answers(&jimbob, "fridge");
    show_log(&oboe);
    match done {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn say(what: &str) {
    sayln!("\n{what}");
}

/// Asks until `name` answers, and says how long that took.
fn answers(client: &Host, name: &str) -> bool {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if client.ask(SERVICE).as_deref() == Some(name) {
            let took = start.elapsed().as_secs_f64();
            sayln!("   {SERVICE} is answered by {name} after {took:.2} s");
            return true;
        }
    }
    sayln!("   {name} does not answer");
    false
}

fn show_log(board: &Board) {
    sayln!("\nwhat the board logged:");
    for (_, line) in board.log() {
        sayln!("   {line}");
    }
}
