//! The names of tracked objects in the log, in the history and in the answers.

use super::*;

#[test]
fn an_object_that_is_down_is_named_in_the_log_and_in_the_history() {
    let mut bench = Bench::new();
    bench.until_masters();
    capture::take();
    let track = "trackinterface = dark0\n[VRID]\nserverid = 2";
    let text = sections(&bench.dir, 200).replace("[VRID]\nserverid = 2", track);
    fs::write(bench.dir.join("vrrpd.conf"), text).expect("a file");
    bench.done(&Request::Reload);
    let line = "VRID 1 on eth0 (ipv4): master -> init: interface dark0 is down";
    bench.until_logged(&format!("WARN: {line}"));
    let Answer::Log(log) = bench.ask(&Request::Log(Since::default())) else {
        panic!("no log");
    };
    let lines: Vec<String> = log.records.iter().map(crate::ctl::text::record).collect();
    assert!(lines.iter().any(|one| one.ends_with(line)), "{lines:#?}");
    let router = &bench.status().virtual_routers[0];
    assert_eq!(router.reason, "interface dark0 is down");
    assert_eq!(crate::ctl::text::reason(router), router.reason);
}
