//! Routes and policy rules that come and go with the addresses. Needs root or a user namespace.

#![cfg(target_os = "linux")]

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::sys::signal;
use vrrp_lab::{Host, Pair, Program, Segment, Vr, wait_until};

const ADDRESS: &str = "10.10.10.53";
/// Behind jimbob.
const NETWORK: &str = "10.77.0.0/16";

/// A pair whose master has a route to jimbob's networks and a rule that leads to it.
fn pair(vmac: bool) -> Pair {
    let vr = Vr::new(1, ADDRESS)
        .interval_cs(10)
        .vmac(vmac)
        .no_preempt()
        .line(&format!(
            "route = {NETWORK} via 10.10.10.5 dev xl0 table 77 src {ADDRESS}, \
             blackhole 2001:db8:77::/48"
        ))
        .line(&format!("rule = to {NETWORK} priority 77 lookup 77"));
    Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr)
}

/// The routes and rules that bear the mark of vrrpd.
fn marked(host: &Host) -> usize {
    let routes = ["-4", "-6"].map(|family| {
        let text = host.run(&format!("ip {family} route show table all protocol 112"));
        text.lines().count()
    });
    let rules = host.run("ip -d rule show");
    let rules = rules.lines().filter(|line| line.contains("proto 112"));
    routes.into_iter().sum::<usize>() + rules.count()
}

fn wait_marked(host: &Host, count: usize) {
    let what = format!("{} has {count} routes and rules", host.name());
    wait_until(LIMIT, &what, || marked(host) == count);
}

fn leads(host: &Host) -> bool {
    let text = host.run("ip route get 10.77.0.1");
    text.contains("via 10.10.10.5") && text.contains(&format!("src {ADDRESS}"))
}

#[test]
fn a_failover_moves_them() {
    for vmac in [true, false] {
        let mut pair = pair(vmac);
        let network = &pair.network;
        wait_marked(&network.clarinet, 3);
        wait_marked(&network.fridge, 0);
        assert!(leads(&network.clarinet), "virtual MAC {vmac}");
        let status = vrrpctl(&network.clarinet, &["status"]);
        assert!(!status.contains("warning"), "{status}");
        let expected = format!("rules      from all to {NETWORK} priority 77 lookup 77");
        assert!(status.contains(&expected), "{status}");
        pair.clarinet.stop();
        wait_marked(&network.fridge, 3);
        assert_eq!(marked(&network.clarinet), 0);
        assert!(leads(&network.fridge), "virtual MAC {vmac}");

        // A reload takes the rule away, and another the rest.
        let file = network.fridge.dir().join("vrrpd.conf");
        let text = std::fs::read_to_string(&file).expect("read the configuration");
        let (without, _) = text.split_once("\nrule = ").expect("a rule");
        pair.fridge.reload_text(&format!("{without}\n"));
        wait_marked(&network.fridge, 2);
        let (without, _) = without.split_once("\nroute = ").expect("a route");
        pair.fridge.reload_text(&format!("{without}\n"));
        wait_marked(&network.fridge, 0);
    }
}

#[test]
fn a_next_hop_that_is_not_there_keeps_no_address_from_being_served() {
    let vr = Vr::new(1, ADDRESS)
        .interval_cs(10)
        .line("route = 10.77.0.0/16 via 192.0.2.1");
    let pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
    let host = &pair.network.clarinet;
    let warns = |wanted: bool| {
        wait_until(LIMIT, &format!("a warning: {wanted}"), || {
            let status = vrrpctl(host, &["status"]);
            let text = "route 10.77.0.0/16 via 192.0.2.1 is not installed: Network is unreachable";
            status.contains(text) == wanted
        });
    };
    warns(true);
    host.run("ip address add 192.0.2.2/24 dev xl0");
    wait_marked(host, 1);
    warns(false);
}

#[test]
fn one_that_another_program_removes_comes_back_and_is_said() {
    let mut pair = pair(true);
    wait_marked(&pair.network.clarinet, 3);
    // It goes with its interface: that is no other program.
    let host = &pair.network.clarinet;
    host.run("ip link set xl0 down");
    pair.wait_advert("fridge");
    host.run("ip link set xl0 up");
    wait_marked(&pair.network.fridge, 3);
    pair.clarinet.stop();
    let host = &pair.network.fridge;
    host.run(&format!("ip route del {NETWORK} table 77"));
    host.run("ip rule del priority 77");
    wait_marked(host, 3);
    for text in [
        &format!("route {NETWORK} via 10.10.10.5 dev xl0 table 77 src {ADDRESS}"),
        "rule from all to 10.77.0.0/16 priority 77 lookup 77",
    ] {
        let text = format!("{text} was removed by another program");
        let what = format!("the log has: {text}");
        wait_until(LIMIT, &what, || pair.fridge.has_said(&text));
        let status = vrrpctl(host, &["status"]);
        assert!(status.contains(&text), "{status}");
    }
    let metrics = vrrpctl(host, &["stats", "--prometheus"]);
    let counted = metrics.contains("\nvrrp_routing_restored_total 2\n");
    assert!(counted, "{metrics}");
    assert!(!pair.clarinet.has_said("by another program"));
}

/// The length of the ledgers of a host, in octets.
fn ledgers(host: &Host) -> u64 {
    let files = std::fs::read_dir(host.dir().join("run")).expect("the ledgers");
    let lengths = files.map(|file| file.expect("a file").metadata().map_or(0, |m| m.len()));
    lengths.sum()
}

#[test]
fn an_unchanged_refusal_writes_nothing_to_the_ledger() {
    let vr = Vr::new(1, ADDRESS)
        .interval_cs(10)
        .line("route = 10.77.0.0/16 via 192.0.2.1, 10.78.0.0/16 dev xl0");
    let mut pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
    let host = &pair.network.fridge;
    host.run("ip route add 10.78.0.0/16 dev xl0");
    pair.clarinet.stop();
    let host = &pair.network.fridge;
    for text in [
        "10.77.0.0/16 via 192.0.2.1 is not installed: Network is unreachable",
        "10.78.0.0/16 dev xl0 is not installed: there is one already",
    ] {
        wait_until(LIMIT, text, || vrrpctl(host, &["status"]).contains(text));
    }
    let before = ledgers(host);
    // Each is tried each second.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(ledgers(host), before);
    host.run("ip route del 10.78.0.0/16 dev xl0");
    wait_marked(host, 1);
    pair.fridge.stop();
    assert_eq!(marked(&pair.network.fridge), 0);
}

#[test]
fn nothing_is_left_of_a_process_that_was_killed() {
    for vmac in [true, false] {
        let mut pair = pair(vmac);
        wait_marked(&pair.network.clarinet, 3);
        // The parent removes what its worker had asked for.
        signal(pair.clarinet.worker(), libc::SIGKILL).expect("a running process");
        wait_marked(&pair.network.fridge, 3);
        wait_marked(&pair.network.clarinet, 0);

        // Of both, the unit removes it as ExecStopPost, or else the next start.
        for is_cleaned in [true, false] {
            let fridge = &pair.network.fridge;
            wait_marked(fridge, 3);
            pair.fridge.crash();
            assert_eq!(marked(fridge), 3, "nobody has removed them");
            if is_cleaned {
                pair.fridge.clean_up();
            } else {
                // As a backup.
                pair.wait_advert("clarinet");
                pair.fridge.start_again(fridge);
            }
            wait_marked(fridge, 0);
            if is_cleaned {
                pair.wait_advert("clarinet");
                pair.fridge.start_again(fridge);
                pair.clarinet.stop();
                pair.wait_advert("fridge");
                pair.clarinet.start_again(&pair.network.clarinet);
            }
        }
    }
}
