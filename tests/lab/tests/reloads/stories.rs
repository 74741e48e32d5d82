//! Stories of single reloads. Advertisements are counted: status would say `master` of a virtual
//! router that has fallen silent.

use std::time::Duration;

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::linux::kernel;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Capture, Daemon, Host, INTERVAL_CS, Lab, Nic, Program, Segment, Vr, wait_until};

use crate::reload;

/// How long advertisements are counted.
const SPELL: Duration = Duration::from_secs(3);
/// Half of what is sent in a spell; the rest is for a busy machine.
const ENOUGH: usize = 1500 / (INTERVAL_CS as usize * 10);

/// Two hosts on two segments, both virtual routers' and what is sent there.
struct Two {
    clarinet: Host,
    uplink: Nic,
    fridge: Host,
    captures: [Capture; 2],
    _labs: [Lab; 2],
}

impl Two {
    fn new() -> Self {
        let lan = Lab::new(Segment::Hub);
        let wan = lan.segment(Segment::Hub, 20);
        let (clarinet, fridge) = (lan.host("clarinet", 6), lan.host("fridge", 2));
        let uplink = clarinet.join(&wan, "xl1");
        fridge.join(&wan, "xl1");
        Self {
            clarinet,
            uplink,
            fridge,
            captures: [lan.capture(), wan.capture()],
            _labs: [lan, wan],
        }
    }

    /// Starts both with these virtual routers; fridge's priority is lower by 50.
    fn start(&self, vrs: &[Vr]) -> [Daemon; 2] {
        let lower: Vec<Vr> = vrs
            .iter()
            .map(|vr| vr.clone().priority(vr.priority - 50))
            .collect();
        let daemons = [
            self.clarinet.start(Program::Vrrpd, vrs),
            self.fridge.start(Program::Vrrpd, &lower),
        ];
        for vr in vrs {
            self.wait_alone(vr);
        }
        daemons
    }

    fn on(&self, interface: &str) -> &Capture {
        &self.captures[usize::from(interface == "xl1")]
    }

    /// Waits until clarinet alone advertises it.
    fn wait_alone(&self, vr: &Vr) {
        let what = format!("clarinet advertises VRID {}", vr.vrid);
        wait_until(LIMIT, &what, || {
            let capture = self.on(&vr.interface);
            capture.clear();
            std::thread::sleep(Duration::from_millis(u64::from(vr.interval_cs) * 25));
            let by = |host: &str| capture.count(|seen| seen.is_advert(host, vr.vrid));
            by("clarinet") > 0 && by("fridge") == 0
        });
    }

    /// Goes over to these virtual routers.
    fn reload(&self, daemon: &Daemon, vrs: &[Vr]) {
        let said = reload(
            &self.clarinet,
            daemon,
            &Program::Vrrpd.config(&self.clarinet, vrs),
        );
        assert!(said.contains(" added, "), "{said}");
    }

    /// Clarinet advertises these in the next spell as often as it should, and nothing else.
    fn expect_adverts(&self, vrs: &[&Vr]) {
        for capture in &self.captures {
            capture.clear();
        }
        std::thread::sleep(SPELL);
        for (interface, capture) in ["xl0", "xl1"].iter().zip(&self.captures) {
            for vrid in 1..=9 {
                let sent = capture.count(|seen| {
                    seen.is_advert("clarinet", vrid)
                        && seen.advert().is_some_and(|advert| advert.priority > 0)
                });
                let expected = vrs
                    .iter()
                    .any(|vr| vr.vrid == vrid && vr.interface == *interface);
                let right = match expected {
                    true => sent >= ENOUGH,
                    false => sent == 0,
                };
                assert!(right, "{sent} of VRID {vrid} on {interface}");
            }
        }
    }
}

fn vr(vrid: u8, interface: &str, vmac: bool) -> Vr {
    let net = if interface == "xl1" { 20 } else { 10 };
    Vr::new(vrid, &format!("10.10.{net}.{}", 100 + vrid))
        .on(interface)
        .priority(200)
        .interval_cs(INTERVAL_CS)
        .vmac(vmac)
}

fn has_become_master(daemon: &Daemon, vrid: u8) -> bool {
    let lines = daemon.log();
    let name = format!("VRID {vrid} ");
    let mut lines = lines.iter().map(|(_, line)| line);
    lines.any(|line| line.contains(&name) && line.contains("-> master"))
}

#[test]
fn a_reload_adds_moves_and_removes_what_is_on_other_interfaces() {
    for vmac in [true, false] {
        let two = Two::new();
        let (one, other) = (vr(1, "xl0", vmac), vr(2, "xl1", vmac));
        let [clarinet, fridge] = two.start(std::slice::from_ref(&one));
        let both = [one.clone(), other.clone()];
        two.reload(&clarinet, &both);
        two.wait_alone(&other);
        two.expect_adverts(&[&one, &other]);
        // The first moves to where the second is, and back.
        let moved = vr(1, "xl1", vmac);
        two.reload(&clarinet, &[moved.clone(), other.clone()]);
        two.wait_alone(&moved);
        wait_until(LIMIT, "fridge takes over on the first segment", || {
            has_become_master(&fridge, 1)
        });
        two.expect_adverts(&[&moved, &other]);
        assert!(two.clarinet.has_address("10.10.20.101"));
        assert!(!two.clarinet.has_address("10.10.10.101"));
        let status = vrrpctl(&two.clarinet, &["status"]);
        assert!(!status.contains("being removed"), "{status}");
        two.reload(&clarinet, &both);
        two.wait_alone(&one);
        two.expect_adverts(&[&one, &other]);
        // And nothing is left on the second.
        two.reload(&clarinet, std::slice::from_ref(&one));
        wait_until(LIMIT, "the second virtual router goes", || {
            !two.clarinet.has_address("10.10.20.102")
        });
        two.expect_adverts(&[&one]);
        two.reload(&clarinet, &both);
        two.wait_alone(&other);
        two.expect_adverts(&[&one, &other]);
        assert!(!clarinet.has_said("stalled"));
    }
}

#[test]
fn a_reload_that_tracks_another_interface_is_obeyed_at_once() {
    let two = Two::new();
    let plain = vr(1, "xl0", true);
    let [clarinet, fridge] = two.start(std::slice::from_ref(&plain));
    let tracking = plain.clone().line("trackinterface = xl1:-150");
    two.reload(&clarinet, std::slice::from_ref(&tracking));
    two.expect_adverts(&[&tracking]);
    assert!(!has_become_master(&fridge, 1));
    two.uplink.pull_cable();
    wait_until(LIMIT, "fridge takes over", || has_become_master(&fridge, 1));
    two.reload(&clarinet, std::slice::from_ref(&plain));
    two.wait_alone(&plain);
    // One that is down is known to be down from the beginning.
    two.reload(&clarinet, std::slice::from_ref(&tracking));
    wait_until(LIMIT, "clarinet gives the address up", || {
        !two.clarinet.has_address("10.10.10.101")
    });
    two.uplink.plug_cable();
    two.wait_alone(&plain);
    two.expect_adverts(&[&plain]);
}

/// The platform finds that the address is there and lists everything anew.
#[test]
fn an_address_that_is_on_its_interface_already_stops_no_timer() {
    let two = Two::new();
    let owner = Vr::new(1, "10.10.10.6")
        .priority(255)
        .interval_cs(INTERVAL_CS);
    let other = vr(2, "xl1", true);
    let carried = vr(3, "xl0", true).line("addr = 10.10.10.103/24, xl1:10.10.20.6/24");
    let mut carried_text = Program::Vrrpd.config(&two.clarinet, &[owner.clone(), other.clone()]);
    // The section names its addresses once.
    let section = Program::Vrrpd.config(&two.clarinet, std::slice::from_ref(&carried));
    let section = section.split("[VRID]").nth(1).expect("a section");
    let mut lines: Vec<&str> = section.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("addr"));
    lines.remove(first.expect("its addresses"));
    carried_text.push_str("\n[VRID]");
    carried_text.push_str(&lines.join("\n"));
    let vrs = [owner.clone(), other.clone(), carried.clone()];
    let _daemon = Daemon::start(Program::Vrrpd, &two.clarinet, &carried_text, &vrs);
    for vr in &vrs {
        two.wait_alone(vr);
    }
    two.expect_adverts(&[&owner, &other, &carried]);
}

#[test]
fn a_reload_that_is_refused_changes_nothing() {
    let two = Two::new();
    let (one, other) = (vr(1, "xl0", true), vr(2, "xl1", false));
    let both = [one.clone(), other.clone()];
    let [clarinet, fridge] = two.start(&both);
    let kernel = kernel::state(&two.clarinet);
    let good = Program::Vrrpd.config(&two.clarinet, &both);
    for (wrong, says) in [
        ("priority = 200|priority = 300", "300"),
        ("serverid = 2|serverid = 2\nserverid = 2", "serverid"),
        ("addr = 10.10.20.102|addr = 10.10.20", "10.10.20"),
    ] {
        let (from, to) = wrong.split_once('|').expect("two halves");
        let said = reload(&two.clarinet, &clarinet, &good.replace(from, to));
        assert!(said.contains("not reloaded"), "{wrong}: {said}");
        assert!(said.contains(says), "{wrong}: {said}");
    }
    two.expect_adverts(&[&one, &other]);
    assert_eq!(kernel::state(&two.clarinet), kernel);
    let said = reload(&two.clarinet, &clarinet, &good);
    assert!(said.contains("0 added, 0 changed, 0 removed"), "{said}");
    assert!(!has_become_master(&fridge, 1));
    // A warning of a start is a warning here, too: the interface may come later.
    let said = reload(
        &two.clarinet,
        &clarinet,
        &good.replace("interface = xl0", "interface = ehh0"),
    );
    assert!(said.contains("no interface `ehh0`"), "{said}");
    two.expect_adverts(&[&other]);
}

/// A delay that is running is judged by the new file.
#[test]
fn a_delay_that_runs_ends_as_the_new_file_has_it() {
    let two = Two::new();
    let plain = vr(1, "xl0", true);
    // A worse master is there, or nobody.
    for (patient, eager, alone) in [
        (
            plain.clone().line("preemptdelay = 600"),
            plain.clone().line("preemptdelay = 1"),
            false,
        ),
        (
            plain.clone().line("preemptdelay = 600"),
            plain.clone().priority(255).line("preemptdelay = 600"),
            false,
        ),
        (
            plain.clone().line("startdelay = 600"),
            plain.clone().line("startdelay = 0"),
            false,
        ),
        (
            plain.clone().line("startdelay = 600"),
            plain.clone().line("startdelay = 1"),
            true,
        ),
        (plain.clone().interval_cs(4000), plain.clone(), true),
    ] {
        let fridge = (!alone).then(|| {
            let worse = plain.clone().priority(100);
            let daemon = two.fridge.start(Program::Vrrpd, &[worse]);
            wait_until(LIMIT, "fridge is master", || has_become_master(&daemon, 1));
            daemon
        });
        let mut clarinet = two
            .clarinet
            .start(Program::Vrrpd, std::slice::from_ref(&patient));
        wait_until(LIMIT, "clarinet is backup", || {
            clarinet.has_said("init -> backup")
        });
        std::thread::sleep(Duration::from_secs(2));
        assert!(!has_become_master(&clarinet, 1), "{patient:?}");
        two.reload(&clarinet, std::slice::from_ref(&eager));
        two.wait_alone(&plain);
        assert!(!clarinet.has_said("stalled"));
        clarinet.stop();
        drop(fridge);
    }
}
