//! How many answers a client gets from the master while the flood goes on.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use vrrp_lab::daemons::usage;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Daemon, Host, Lab, Program, Segment, Vr, wait_until};

use vrrp_lab::linux::flooder::{Flooder, Sent};
use vrrp_lab::linux::frames;
use vrrp_lab::sayln;

/// The client's patience for one answer.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long answers are counted.
const SPAN: Duration = Duration::from_millis(1500);

/// One span under the flood.
#[derive(Clone, Copy)]
struct Measured {
    answers_per_second: f64,
    flood: Sent,
}

/// The master, who is asked and flooded.
struct Stage {
    master: Host,
    client: Host,
    mallory: Host,
    vrs: [Vr; 2],
    flood: Vec<Vec<u8>>,
    per_second: u64,
    _lab: Lab,
}

/// Counts answers with vrrpd and without, in turn, and prints each ratio and the medians.
pub(crate) fn run(per_second: u64, rounds: u64) -> Result<(), String> {
    sayln!(
        "{:<9} {:>5} {:>12} {:>12} {:>7} {:>10} {:>10} {:>14}",
        "",
        "",
        "answers/s",
        "answers/s",
        "",
        "flood/s",
        "flood/s",
        "vrrpd, us for"
    );
    sayln!(
        "{:<9} {:>5} {:>12} {:>12} {:>7} {:>10} {:>10} {:>14}",
        "MAC",
        "round",
        "with vrrpd",
        "without",
        "ratio",
        "with",
        "without",
        "a frame"
    );
    for vmac in [true, false] {
        Stage::new(per_second, vmac).compare(rounds);
    }
    Ok(())
}

impl Stage {
    fn new(per_second: u64, vmac: bool) -> Self {
        let lab = Lab::new(Segment::Hub);
        let [master, client, mallory] = [("clarinet", 6), ("jimbob", 5), ("mallory", 66)]
            .map(|(name, number)| lab.host(name, number));
        master.serve();
        // Of two interfaces that could answer for the address, only the one that has it does.
        master.netns().sysctl("net/ipv4/conf/xl0/arp_ignore", "1");
        client.netns().ip("route add 10.10.20.0/24 dev xl0");
        let vr = Vr::new(1, "10.10.20.1").vmac(vmac);
        let six = Vr::new(2, "fe80::20:2,fd00:20::2").vmac(vmac);
        let kinds = frames::refused(&vr, six.vrid, &master);
        Self {
            master,
            client,
            mallory,
            vrs: [vr, six],
            flood: kinds.into_iter().flat_map(|kind| kind.frames).collect(),
            per_second,
            _lab: lab,
        }
    }

    fn compare(&self, rounds: u64) {
        let (mut ratios, mut costs) = (Vec::new(), Vec::new());
        let mac = if self.vrs[0].vmac {
            "virtual"
        } else {
            "physical"
        };
        for round in 1..=rounds {
            // Each goes first as often as the other.
            let first = (round % 2 == 0).then(|| self.without());
            let (with, cost_us) = self.with();
            let without = first.unwrap_or_else(|| self.without());
            let ratio = with.answers_per_second / without.answers_per_second;
            sayln!(
                "{mac:<9} {round:>5} {:>12.0} {:>12.0} {ratio:>7.3} {:>10} {:>10} {cost_us:>14.2}",
                with.answers_per_second,
                without.answers_per_second,
                with.flood.per_second,
                without.flood.per_second,
            );
            ratios.push(ratio);
            costs.push(cost_us);
        }
        let (ratio, cost_us) = (median(ratios), median(costs));
        sayln!("{mac}: median ratio {ratio:.3}; vrrpd took {cost_us:.2} us for a frame\n");
    }

    /// With vrrpd, and the microseconds that it took for a frame.
    fn with(&self) -> (Measured, f64) {
        let mut daemon = self.master.start(Program::Vrrpd, &self.vrs);
        self.wait_served();
        let cpu_s = |daemon: &Daemon| usage(daemon.pid()).expect("a running daemon").cpu_s;
        let before_s = cpu_s(&daemon);
        let result = self.measure();
        let cost_us = (cpu_s(&daemon) - before_s) * 1e6 / result.flood.frames as f64;
        daemon.stop();
        (result, cost_us)
    }

    /// With the address on the interface, or on a macvlan with the virtual MAC, as vrrpd has it.
    fn without(&self) -> Measured {
        let address = self.vrs[0].service_address();
        let mac = self.vrs[0].virtual_mac();
        let (set_up, take_down) = match self.vrs[0].vmac {
            true => (
                format!(
                    "link add vip link xl0 address {mac:?} type macvlan mode private\n\
                     addr add {address}/32 dev vip\n\
                     link set vip up"
                ),
                "link del vip".to_owned(),
            ),
            false => (
                format!("addr add {address}/32 dev xl0"),
                format!("addr del {address}/32 dev xl0"),
            ),
        };
        self.master.netns().ip(&set_up);
        self.wait_served();
        let result = self.measure();
        self.master.netns().ip(&take_down);
        result
    }

    fn wait_served(&self) {
        self.client.forget_neighbours();
        wait_until(LIMIT, "the address is served", || {
            let answer = self.client.ask(&self.vrs[0].service_address());
            answer.as_deref() == Some(self.master.name())
        });
    }

    fn measure(&self) -> Measured {
        let flooder = Flooder::start(&self.mallory, self.flood.clone(), self.per_second);
        std::thread::sleep(Duration::from_millis(200));
        let address = self.vrs[0].addresses[0];
        let ask = || ask((address, 7).into());
        let answers_per_second = self.client.netns().enter(ask);
        Measured {
            answers_per_second,
            flood: flooder.stop(),
        }
    }
}

/// Asks again as soon as it is answered. Returns the answers in a second.
fn ask(address: SocketAddr) -> f64 {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect(address).expect("an address");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let began = Instant::now();
    let mut answers = 0;
    while began.elapsed() < SPAN {
        let mut answer = [0; 64];
        let asked = socket.send(b"who?").and_then(|_| socket.recv(&mut answer));
        answers += u32::from(asked.is_ok());
    }
    f64::from(answers) / began.elapsed().as_secs_f64()
}

/// The middle value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
