use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use vrrp_control::Record;

use super::*;
use std::os::unix::net::UnixStream;

use super::worker::first_of;
use crate::daemon::tests::platform::FakePlatform;
use crate::patience::patient;
use crate::privsep::channel::MessageChannel;
use crate::privsep::messages::{MAX_TO_PARENT, MAX_TO_WORKER, ToParent};
use crate::scratch::Directory;

/// The worker's ends, and the number of its process, which sleeps.
struct Far {
    pid: u32,
    messages: MessageChannel,
    _network: UnixStream,
    _log: UnixDatagram,
}

fn start() -> (WorkerEnds, Far) {
    let mut command = Command::new("sleep");
    let child = command.arg("1000").stdin(Stdio::null()).spawn();
    let pid = child.expect("sleep(1)").id();
    let network = UnixStream::pair().expect("a pair");
    let messages = UnixStream::pair().expect("a pair");
    let log = UnixDatagram::pair().expect("a pair");
    let ends = WorkerEnds {
        pid,
        network: network.0,
        messages: messages.0,
        log: log.0,
    };
    let far = Far {
        pid,
        messages: MessageChannel::new(messages.1, MAX_TO_WORKER, MAX_TO_PARENT),
        _network: network.1,
        _log: log.1,
    };
    (ends, far)
}

fn in_force(dir: &Path) -> InForce {
    let text = format!(
        "[GLOBAL]\nstatedir = {}\n[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/32\nadvertinterval = 0.05\n",
        dir.join("state").display()
    );
    let file = PathBuf::from("vrrpd.conf");
    let config = vrrp_config::parse(&file, text.as_str()).config;
    InForce {
        file,
        text: text.into(),
        config: config.expect("correct"),
        debug: true,
        troubles: Vec::new(),
    }
}

fn crashes<P: PrivilegedPlatform>(parent: &Parent<P>) -> Vec<String> {
    let text = |record: &Record| match record {
        Record::Notice(notice) if notice.kind == NoticeKind::Crash => Some(notice.text.clone()),
        _ => None,
    };
    parent.services.archive.records().filter_map(text).collect()
}

#[test]
fn each_end_of_a_worker_is_taken_and_recorded_with_its_cause() {
    let dir = Directory::new("parent");
    let fars = Rc::new(RefCell::new(Vec::<Far>::new()));
    let started = fars.clone();
    let mut pids = Vec::new();
    let start = Box::new(move || {
        let (ends, far) = start();
        pids.push(far.pid);
        match pids.as_slice() {
            // It ends before it is told to begin.
            [_, pid] => sys::kill(*pid)?,
            _ => started.borrow_mut().push(far),
        }
        Ok(ends)
    });
    let signals = Signals::deaf().expect("a pipe");
    let notifier = Notifier::default();
    let platform = FakePlatform::new();
    let mut parent =
        Parent::new(platform, start, signals, notifier, in_force(&dir)).expect("a parent");
    let ready = || {
        let mut fars = fars.borrow_mut();
        let far = fars.last_mut().expect("a worker");
        far.messages.send(&ToParent::Ready).expect("room");
    };
    let end = Instant::now() + patient(Duration::from_secs(60));
    let until = |parent: &mut Parent<FakePlatform>, done: &dyn Fn(&Parent<_>) -> bool| {
        while !done(parent) {
            assert!(Instant::now() < end, "{parent:?}: {:?}", crashes(parent));
            parent.turn().expect("a turn");
        }
    };
    ready();
    until(&mut parent, &|parent| parent.was_ready);
    let first = fars.borrow_mut().pop().expect("a worker");
    sys::kill(first.pid).expect("a child of ours");
    drop(first);
    // The second one is gone before the third is started.
    until(&mut parent, &|_| !fars.borrow().is_empty());
    assert_eq!(
        crashes(&parent),
        ["0.1", "0.2"].map(|pause| format!(
            "the worker process was ended by signal 9; another is started in {pause} s; `disable` and `resign` of vrrpctl are forgotten"
        ))
    );
    let next = fars.borrow().first().expect("a worker").pid;
    assert_eq!(sys::ended(next).expect("a child of ours"), None);
    ready();
    // It does nothing after that.
    until(&mut parent, &|parent| crashes(parent).len() == 3);
    assert_eq!(parent.services.crashes, 3);
    let last = crashes(&parent).pop().expect("a crash");
    assert!(
        last.starts_with("the worker process was ended by signal 9: it has done nothing for "),
        "{last}"
    );
    assert!(
        sys::ended(next).is_err(),
        "its end was taken: it is no zombie"
    );
}

#[test]
fn a_record_names_the_first_virtual_routers_of_many() {
    let names: Vec<String> = (1..=18).map(|n| n.to_string()).collect();
    assert_eq!(first_of(&names[..2]), "1, 2");
    assert!(first_of(&names).ends_with("15, 16 and 2 more"));
}
