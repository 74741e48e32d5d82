//! The effects of the platform on the process that it is in.

use std::time::{Duration, Instant};

use vrrp_core::{Family, MacMode};
use vrrp_host::{HostIf, Platform};
use vrrp_linux::LinuxPlatform;

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
    // A deadline that has passed is now.
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
    let mut masks = blocked_signals("reaper");
    // A thread gives itself its name.
    while masks.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
        masks = blocked_signals("reaper");
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

/// Waits until the descriptor is readable and receives, as a host does that has set its deadline
/// once and is not asked to do anything. Gives the time at which the deadline was met.
fn meet(platform: &mut LinuxPlatform, deadline: vrrp_core::Instant) -> vrrp_core::Instant {
    while platform.now() < deadline {
        let readable = wait_readable(platform.fd(), Duration::from_secs(5)).unwrap();
        assert!(readable, "the wake-up is lost");
        platform.receive(&mut |_| {}).unwrap();
    }
    platform.now()
}

#[test]
fn what_the_platform_does_for_itself_leaves_the_deadline_of_the_host_alone() {
    let _wire = enter();
    ip("link add b0 type veth peer name b1");
    ip("link set b0 up");
    let mut platform = open();
    receive(&mut platform, SOON);
    // The address is there, so the platform lists the addresses anew.
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Interface,
        vip("10.0.0.2", 24),
    );
    platform.prepare(&setup).unwrap();
    let calls: [&dyn Fn(&mut LinuxPlatform); 5] = [
        &|platform| platform.watch(HostIf::new(701), "b0").unwrap(),
        &|platform| take_up(platform, &setup),
        &|platform| give_up(platform, &setup),
        &|platform| platform.unwatch(HostIf::new(701)),
        &|platform| platform.release(setup.key),
    ];
    for (number, call) in calls.iter().enumerate() {
        let deadline = platform.now() + vrrp_core::Duration::from_millis(150);
        platform.set_wakeup(Some(deadline)).unwrap();
        call(&mut platform);
        platform.set_wakeup(Some(deadline)).unwrap();
        assert!(platform.wakeup().is_some_and(|at| at <= deadline));
        let late = meet(&mut platform, deadline).since(deadline);
        let limit = vrrp_core::Duration::from_secs(2);
        assert!(late < limit, "call {number}: {late:?} late");
    }
}
