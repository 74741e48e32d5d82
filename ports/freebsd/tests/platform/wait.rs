//! The platform's own way to wait.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use vrrp_core::{Family, MacAddr, MacMode};
use vrrp_freebsd::FreebsdPlatform;
use vrrp_host::{Incoming, Platform, Waited};

use crate::common::patience::patient;
use crate::common::*;

/// Longer than any of what is waited for takes.
const LONG: Duration = Duration::from_secs(20);

fn waited(fd: &impl AsRawFd, write: bool) -> Waited {
    Waited {
        fd: fd.as_raw_fd(),
        write,
        ready: false,
    }
}

/// Waits at most for `time`: whether the platform has something, and which others are ready.
fn wait<const N: usize>(
    platform: &mut FreebsdPlatform,
    mut others: [Waited; N],
    time: Duration,
) -> (bool, [bool; N]) {
    let due = platform.wait(&mut others, Some(time)).unwrap().unwrap();
    (due, others.map(|other| other.ready))
}

fn frames(platform: &mut FreebsdPlatform) -> usize {
    let mut count = 0;
    let mut sink = |incoming: Incoming<'_>| {
        count += usize::from(matches!(incoming, Incoming::Frame { .. }));
    };
    platform.receive(&mut sink).unwrap();
    count
}

/// Waits until nothing more is to be done, as after a look at the interfaces, which nobody asked for.
fn settle(platform: &mut FreebsdPlatform) {
    let until = Instant::now() + patient(LONG);
    while wait(platform, [], SOON).0 {
        assert!(Instant::now() < until, "there is always something to do");
        frames(platform);
    }
}

pub(crate) fn one_call_waits_for_everything() {
    let wire = enter();
    let mut platform = open();
    let address = vip("10.0.0.100", 24);
    let setup = setup(key(Family::Ipv4, 7), MacMode::Interface, address);
    platform.prepare(&setup).unwrap();
    platform.flush();
    settle(&mut platform);
    let (mut reader, mut writer) = io::pipe().unwrap();

    // Descriptors that others wait for.
    let (input, room) = (waited(&reader, false), waited(&writer, true));
    let (_, ready) = wait(&mut platform, [input, room], LONG);
    assert_eq!(ready, [false, true]);
    writer.write_all(b"1").unwrap();
    let (_, ready) = wait(&mut platform, [input], LONG);
    assert_eq!(ready, [true]);
    reader.read_exact(&mut [0]).unwrap();
    settle(&mut platform);

    // A frame, which is not lost while it is not taken.
    wire.send(&group_frame(MacAddr(NEIGHBOUR), 1)).unwrap();
    assert_eq!(wait(&mut platform, [input], LONG), (true, [false]));
    assert_eq!(wait(&mut platform, [room], LONG), (true, [true]));
    assert_eq!(frames(&mut platform), 1);
    settle(&mut platform);

    // The wake-up, once it has come and not before; one that is taken back does not come.
    let at = platform.now() + vrrp_core::Duration::from_millis(50);
    platform.set_wakeup(Some(at)).unwrap();
    while platform.now() < at {
        assert!(wait(&mut platform, [], LONG).0);
        frames(&mut platform);
    }
    let at = platform.now() + vrrp_core::Duration::from_millis(10);
    platform.set_wakeup(Some(at)).unwrap();
    platform.set_wakeup(None).unwrap();
    settle(&mut platform);

    // A descriptor that is not waited for any more ends one wait at most.
    wait(&mut platform, [input], Duration::ZERO);
    writer.write_all(b"2").unwrap();
    wait(&mut platform, [], SOON);
    settle(&mut platform);
    let began = Instant::now();
    let (due, _) = wait(&mut platform, [], SOON);
    assert!(due || began.elapsed() >= SOON);

    // An end, and what cannot be waited for.
    reader.read_exact(&mut [0]).unwrap();
    drop(writer);
    assert_eq!(wait(&mut platform, [input], LONG).1, [true]);
    drop(reader);
    assert_eq!(wait(&mut platform, [input], LONG).1, [true]);
}
