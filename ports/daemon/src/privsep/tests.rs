use std::io;
use std::os::unix::net::UnixStream;

use vrrp_core::{Family, Vrid};
use vrrp_host::VrId;

use super::Helper;
use super::line::Line;
use super::words::{Ask, MAX_ASK, Name, Remark, Tell, What, characters};
use crate::scripts::{Happening, Occasion, Runner, ScriptSet};
use vrrp_config::Diagnostic;

/// A helper, and the other end of its line.
fn pair() -> (Helper, Line) {
    let (one, other) = UnixStream::pair().unwrap();
    let other = Line::new(other, MAX_ASK).unwrap();
    (Helper::new(one).unwrap(), other)
}

fn id() -> VrId {
    VrId {
        interface: "em0".into(),
        vrid: Vrid::new(7).unwrap(),
        family: Family::Ipv4,
    }
}

fn happening(occasion: Occasion) -> Happening {
    Happening {
        occasion,
        old_state: "init",
        new_state: "backup",
        reason: "started".into(),
        addresses: vec!["10.0.0.1/24".into()],
        peer: None,
        priority: Some(100),
    }
}

fn no_scripts() -> ScriptSet {
    ScriptSet {
        master: None,
        backup: None,
        fault: None,
        stop: None,
        timeout: std::time::Duration::ZERO,
        user: None,
        security: vrrp_config::ScriptSecurity::Enforce,
    }
}

fn remark() -> Diagnostic {
    let text = "[VRID]\nserverid = 0\n";
    let parsed = vrrp_config::parse("some.conf".as_ref(), text);
    parsed.diagnostics.first().expect("a remark").clone()
}

#[test]
fn signals_arrive_once() {
    let (mut helper, other) = pair();
    assert!(!helper.take().unwrap().stop());
    for signal in [libc::SIGHUP, libc::SIGTERM] {
        other.say(&Tell::Signals(1 << signal)).unwrap();
    }
    let taken = helper.take().unwrap();
    assert!(taken.stop() && taken.reload() && !taken.dump());
    assert!(!helper.take().unwrap().stop());
}

#[test]
fn a_file_of_any_octets_is_read_while_signals_come() {
    let (mut helper, mut other) = pair();
    let file: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let sent = file.clone();
    let reader = std::thread::spawn(move || {
        other.wait_to_hear().unwrap();
        assert_eq!(other.hear().unwrap(), Some(Ask::Configuration));
        other.say(&Tell::Signals(1 << libc::SIGUSR1)).unwrap();
        let answer = Ok((characters(&sent), vec![Remark(remark())]));
        other.say(&Tell::Configuration(answer)).unwrap();
        other
    });
    let (octets, remarks) = helper.configuration().unwrap();
    assert!(octets == file && remarks == [remark()]);
    assert!(helper.is_due() && helper.take().unwrap().dump());
    drop(reader.join().unwrap());
    assert!(helper.configuration().is_err());
}

#[test]
fn what_happens_is_told_and_idle_means_that_all_of_it_is_done() {
    let (mut helper, mut other) = pair();
    helper.submit(&id(), happening(Occasion::Backup));
    assert!(helper.is_idle(), "nobody knows that virtual router");
    helper.configure(&id(), no_scripts());
    assert_eq!(helper.last_occasion(&id()), None);
    for occasion in [Occasion::Backup, Occasion::Stop] {
        helper.submit(&id(), happening(occasion));
        let told = Ask::Happened(Name::new(&id()), What::new(&happening(occasion)));
        assert_eq!(other.hear().unwrap(), Some(told));
    }
    assert_eq!(helper.last_occasion(&id()), Some(Occasion::Stop));
    for (done, idle) in [(1, false), (2, true)] {
        other.say(&Tell::Done(done)).unwrap();
        helper.take().unwrap();
        assert_eq!(helper.is_idle(), idle);
    }
    helper.remove(&id());
    helper.kill_all();
    assert_eq!(other.hear().unwrap(), Some(Ask::Forget(Name::new(&id()))));
    assert_eq!(other.hear().unwrap(), Some(Ask::KillScripts));
    assert_eq!(other.hear::<Ask>().unwrap(), None);
}

#[test]
fn without_the_other_process_there_is_no_going_on() {
    let (mut helper, other) = pair();
    drop(other);
    let error = helper.take().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    // A message that cannot be sent is an error of the next turn.
    helper.ready();
    assert!(helper.is_due() && helper.take().is_err());
}

#[test]
fn nonsense_and_what_is_too_long_are_errors() {
    let (one, other) = UnixStream::pair().unwrap();
    let mut line = Line::new(one, MAX_ASK).unwrap();
    let say = |octets: &[u8]| io::Write::write_all(&mut &other, octets).unwrap();
    say(&vrrp_port_kit::privsep::packed(b"\"Reday\""));
    assert!(line.hear::<Ask>().is_err());
    say(&u32::MAX.to_ne_bytes());
    let error = line.hear::<Ask>().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
