//! What the platform does to the process that it is in.

use std::time::{Duration, Instant};

use vrrp_core::MacMode;
use vrrp_host::Platform;

use crate::common::*;

#[test]
fn the_timer_wakes_within_a_millisecond_and_not_before() {
    enter();
    let mut platform = open();
    receive(&mut platform, SOON);
    for _ in 0..20 {
        let at = platform.now() + vrrp_core::Duration::from_micros(2_300);
        platform.set_wakeup(Some(at)).unwrap();
        let readable = wait_readable(platform.fd(), Duration::from_secs(1)).unwrap();
        assert!(readable && platform.now() >= at);
        platform.receive(&mut |_| {}).unwrap();
        let again = wait_readable(platform.fd(), Duration::ZERO).unwrap();
        assert!(!again, "the wake-up is still readable");
    }
    // What has passed is now.
    let past = platform.now() - vrrp_core::Duration::from_secs(1);
    platform.set_wakeup(Some(past)).unwrap();
    assert!(wait_readable(platform.fd(), SOON).unwrap());
}

/// A signal that a program waits to be interrupted by must not go to a thread of ours.
#[test]
fn no_thread_of_ours_takes_signals() {
    let _wire = enter();
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    give_up(&mut platform, &setup);
    let until = Instant::now() + Duration::from_secs(5);
    let mut masks = blocked_signals("janitor");
    // A thread gives itself its name.
    while masks.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
        masks = blocked_signals("janitor");
    }
    assert!(!masks.is_empty(), "no thread closes macvlans");
    for signal in [libc::SIGTERM, libc::SIGALRM, libc::SIGCHLD, libc::SIGUSR1] {
        let bit = 1 << (signal - 1);
        assert!(masks.iter().all(|mask| mask & bit != 0), "signal {signal}");
    }
}

/// The signals that each thread of this name does not take.
fn blocked_signals(name: &str) -> Vec<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread of another test may have ended meanwhile.
    let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).ok();
    let statuses = tasks.flatten().filter_map(status);
    let named = statuses.filter(|s| s.starts_with(&format!("Name:\t{name}\n")));
    let mask = |status: String| {
        let mask = status.lines().find_map(|l| l.strip_prefix("SigBlk:\t"));
        u64::from_str_radix(mask.unwrap(), 16).unwrap()
    };
    named.map(mask).collect()
}
