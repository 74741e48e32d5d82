//! Units and words: what people read, and the arithmetic of time.

use std::collections::BTreeSet;
use std::fmt::Display;

use vrrp_core::gate::Discard;
use vrrp_core::{
    Auth, DropReason, Duration, Error, Family, Instant, MacAddr, Priority, Reason, State, Vrid,
};

#[test]
fn numbers_are_shown_as_people_write_them() {
    assert_eq!(Vrid::new(7).unwrap().to_string(), "7");
    assert_eq!(Priority::DEFAULT.to_string(), "100");
    let mac = MacAddr([0, 0, 0x5e, 0, 1, 0xa7]);
    assert_eq!(mac.to_string(), "00:00:5e:00:01:a7");
}

/// Each says something, and no two the same.
fn distinct<T: Display>(words: &[T]) {
    let shown: BTreeSet<String> = words.iter().map(T::to_string).collect();
    assert_eq!(shown.len(), words.len(), "{shown:?}");
    assert!(!shown.contains(""), "{shown:?}");
}

#[test]
fn every_word_is_another() {
    distinct(&[Family::Ipv4, Family::Ipv6]);
    distinct(&[State::Initialize, State::Backup, State::Active]);
    distinct(DropReason::ALL);
    distinct(Discard::ALL);
    distinct(&[
        Reason::Started,
        Reason::Owner,
        Reason::ActiveTimeout,
        Reason::ActiveStopped,
        Reason::Preempted,
        Reason::HigherPriority,
        Reason::HigherAddress,
        Reason::Resigned,
        Reason::Disabled,
        Reason::InterfaceDown,
        Reason::NoPrimaryAddress,
        Reason::TrackedFault,
        Reason::EffectFailed,
    ]);
    distinct(&[
        Error::InterfaceTableFull,
        Error::VirtualRouterTableFull,
        Error::AddressTableFull,
        Error::TrackTableFull,
        Error::Exists,
        Error::NotFound,
        Error::InUse,
        Error::NoAddresses,
        Error::BadAddress,
        Error::FamilyVersion,
        Error::BadInterval,
        Error::AuthVersion,
        Error::MacModeFixed,
        Error::BadMaxHops,
        Error::NoPeers,
        Error::BadGroup,
        Error::BadDelay,
    ]);
}

#[test]
fn time_is_counted_in_microseconds_and_does_not_wrap() {
    let at = Instant::from_micros;
    assert_eq!(at(5) + Duration::from_micros(3), at(8));
    assert_eq!(at(5) - Duration::from_micros(3), at(2));
    assert_eq!(at(5) - Duration::from_micros(9), at(0));
    assert_eq!(at(9).since(at(5)), Duration::from_micros(4));
    assert_eq!(at(5).since(at(9)), Duration::ZERO);
    let long = Duration::from_micros(u64::MAX);
    assert_eq!(at(5) + long, at(u64::MAX));
    assert_eq!(Duration::from_secs(u64::MAX), long);
    assert_eq!(long + Duration::from_millis(1), long);
    assert_eq!(Duration::from_secs(2), Duration::from_millis(2_000));
    assert_eq!(Duration::from_centis(200), Duration::from_secs(2));
}

#[test]
fn a_password_is_not_shown() {
    let shown = format!("{:?}", Auth::Simple(*b"paper\0\0\0"));
    assert!(
        shown.contains("Simple") && !shown.contains("paper"),
        "{shown}"
    );
    assert_eq!(format!("{:?}", Auth::None), "None");
}
