//! Synchronisation groups as requests name them.

use super::*;

#[test]
fn the_name_of_a_group_means_its_members() {
    let mut bench = Bench::with(|_| {
        let section = |serverid: u8, name: &str| {
            format!(
                "[VRID]\nserverid = {serverid}\nname = {name}\ninterface = eth0\n\
                 advertinterval = 0.05\npriority = 200\naddr = 10.0.0.{serverid}/32\n\n"
            )
        };
        let sections = section(1, "web") + &section(2, "mail") + &section(3, "dns");
        sections + "[GROUP]\nname = gateway\nvrids = web, mail\n"
    });
    bench.until("all masters", |b| b.states() == [State::Master; 3]);
    let named = |name: &str| Which {
        names: vec![name.to_owned()],
        ..Which::default()
    };
    let drain = Request::Drain {
        which: named("gateway"),
        terms: Terms::default(),
        wait_s: None,
    };
    let drained = |bench: &mut Bench| {
        let routers = bench.status().virtual_routers.into_iter();
        routers.map(|r| !r.overrides.is_empty()).collect::<Vec<_>>()
    };
    bench.done(&drain);
    assert_eq!(drained(&mut bench), [true, true, false]);
    bench.done(&Request::Undrain(named("gateway")));
    assert_eq!(drained(&mut bench), [false; 3]);
    let Answer::Done { messages } = bench.ask(&Request::Disable(named("gateway"))) else {
        panic!("refused");
    };
    assert_eq!(
        messages,
        [
            "web (VRID 1 on eth0, ipv4): disabled",
            "mail (VRID 2 on eth0, ipv4): disabled"
        ]
    );
    bench.until("the rest serves", |b| {
        b.states() == [State::Init, State::Init, State::Master]
    });
    let elsewhere = Which {
        interface: Some("eth9".into()),
        ..named("gateway")
    };
    for which in [elsewhere, named("gate")] {
        let why = format!("there is no such virtual router: {}", which.names[0]);
        assert_eq!(bench.ask(&Request::Enable(which)), Answer::error(why));
    }
}
