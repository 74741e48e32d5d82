//! Simulated time is cheap.

use std::time::Instant;

use vrrp_core::{Family, VirtualAddress};
use vrrp_sim::config::Config;
use vrrp_sim::plan::{Admin, Group, Op, Plan};
use vrrp_sim::port::priority;
use vrrp_sim::world;

/// Ten hosts with ten virtual routers at an interval of one second, for an hour.
fn ten_by_ten() -> Plan {
    const SECOND: u64 = 1_000_000;
    let group = |vrid| Group {
        lan: 0,
        vrid,
        family: Family::Ipv4,
    };
    let groups: Vec<Group> = (1..=10).map(group).collect();
    let mut ops = Vec::new();
    for host in 0..10 {
        for (index, group) in groups.iter().enumerate() {
            let mut config = Config::new(vec![VirtualAddress {
                address: [10, 1, group.vrid, 1].into(),
                prefix_len: 24,
            }]);
            // Each host is the best for one of them.
            config.settings.priority = priority(100 + ((host + index) % 10) as u8);
            ops.push((0, Op::Admin(host, index, Admin::Insert(Box::new(config)))));
            ops.push((0, Op::Admin(host, index, Admin::Enable(true))));
        }
    }
    ops.push((600 * SECOND, Op::Expect));
    ops.push((3_600 * SECOND, Op::Expect));
    Plan {
        seed: 10,
        hosts: 10,
        lans: vec![2],
        groups,
        skew: Vec::new(),
        drift: vec![0; 10],
        ask_every: SECOND,
        ops,
        end: 3_600 * SECOND,
    }
}

#[test]
fn an_hour_of_ten_hosts_takes_no_time() {
    let plan = ten_by_ten();
    let started = Instant::now();
    let outcome = world::run(&plan).expect("nothing goes wrong");
    let factor = plan.end as f64 / 1e6 / started.elapsed().as_secs_f64();
    println!("{factor:.0} times real time, {outcome:?}");
    assert!(outcome.frames > 3_500 * 10, "{outcome:?}");
    assert!(outcome.verdicts >= 30, "{outcome:?}");
    // A thousand times and more on an idle machine; this one may have other things to do.
    assert!(factor > 100.0, "{factor:.0} times real time");
}
