//! The numbers of the interface are those of `numbers.txt`, to which lines are only ever added, and
//! the words for them are those of the engine.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::fs;
use std::path::Path;

use ::vrrp::*;
use vrrp_core::{DropReason, FrameKind, MAX_TRACKS, Reason};

fn text(name: *const c_char) -> Option<&'static str> {
    // SAFETY: the functions that are asked here give NULL or a static string.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
    name.map(|n| n.to_str().expect("UTF-8"))
}

/// Name and value of every number in the header, but those of the version.
fn defined() -> Vec<String> {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/vrrp.h");
    let header = fs::read_to_string(header).expect("the header");
    let generated = header
        .split("union vrrp_storage {")
        .nth(1)
        .expect("the end of the capacities");
    generated
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .filter(|line| !line.starts_with("VRRP_VERSION"))
        .map(String::from)
        .collect()
}

#[test]
fn numbers_are_only_added() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numbers.txt");
    let committed = fs::read_to_string(&path).expect("the list");
    let defined = defined();
    for line in committed.lines() {
        assert!(
            defined.iter().any(|d| d == line),
            "`{line}` was changed or removed"
        );
    }
    let known: Vec<&str> = committed.lines().collect();
    for line in &defined {
        assert!(
            known.contains(&line.as_str()),
            "add this to tests/numbers.txt: {line}"
        );
    }
    assert!(known.len() > 90);
}

#[test]
fn errors_have_numbers_without_a_gap_and_words() {
    let mut words = Vec::new();
    for error in VRRP_ERR_GROUP..=VRRP_OK {
        let found = text(vrrp_strerror(error)).expect("never NULL");
        assert_ne!(found, "unknown error", "{error}");
        assert!(!words.contains(&found), "{error}: {found}");
        words.push(found);
    }
    assert_eq!(
        text(vrrp_strerror(VRRP_ERR_GROUP - 1)),
        Some("unknown error")
    );
    assert_eq!(text(vrrp_strerror(1)), Some("unknown error"));
    use vrrp_core::Error;
    for (number, error) in [
        (VRRP_ERR_SOURCE, Error::NoSource),
        (VRRP_ERR_INTERFACES_FULL, Error::InterfaceTableFull),
        (VRRP_ERR_ROUTERS_FULL, Error::VirtualRouterTableFull),
        (VRRP_ERR_ADDRESSES_FULL, Error::AddressTableFull),
        (VRRP_ERR_TRACKS_FULL, Error::TrackTableFull),
        (VRRP_ERR_EXISTS, Error::Exists),
        (VRRP_ERR_NOT_FOUND, Error::NotFound),
        (VRRP_ERR_IN_USE, Error::InUse),
        (VRRP_ERR_NO_ADDRESSES, Error::NoAddresses),
        (VRRP_ERR_BAD_ADDRESS, Error::BadAddress),
        (VRRP_ERR_FAMILY_VERSION, Error::FamilyVersion),
        (VRRP_ERR_BAD_INTERVAL, Error::BadInterval),
        (VRRP_ERR_AUTH_VERSION, Error::AuthVersion),
        (VRRP_ERR_MAC_MODE_FIXED, Error::MacModeFixed),
        (VRRP_ERR_BAD_MAX_HOPS, Error::BadMaxHops),
        (VRRP_ERR_BAD_DELAY, Error::BadDelay),
        (VRRP_ERR_PEERS, Error::NoPeers),
        (VRRP_ERR_GROUP, Error::BadGroup),
        (VRRP_ERR_AUTH_KEY, Error::BadAuthKey),
        (VRRP_ERR_AUTH_KEYS_FULL, Error::AuthKeyTableFull),
        (VRRP_ERR_AUTH_WINDOW, Error::BadAuthWindow),
        (VRRP_ERR_AUTH_CONFLICT, Error::AuthConflict),
        (VRRP_ERR_NO_CLOCK, Error::NoClock),
    ] {
        assert_eq!(
            text(vrrp_strerror(number)),
            Some(error.to_string().as_str())
        );
    }
}

#[test]
fn names_are_those_of_the_engine() {
    let after = VRRP_DROP_BAD_HEADER + DropReason::ALL.len() as i32;
    let numbers = VRRP_DROP_BAD_HEADER..after;
    let mut theirs: Vec<_> = numbers.map(|n| text(vrrp_drop_reason_name(n))).collect();
    let ours = DropReason::ALL.iter().map(|reason| Some(reason.as_str()));
    let mut ours: Vec<_> = ours.collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    assert_eq!(theirs, ours);
    assert_eq!(text(vrrp_drop_reason_name(after)), None);
    // As administrators say it, and vrrpctl.
    for (n, state) in (VRRP_STATE_INITIALIZE..).zip(["init", "backup", "master"]) {
        assert_eq!(text(vrrp_state_name(n)), Some(state));
    }
    let reasons = [
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
        Reason::StandsBack,
        Reason::ActiveUnheard,
    ];
    for (n, reason) in (VRRP_REASON_STARTED..).zip(reasons) {
        assert_eq!(text(vrrp_reason_text(n)), Some(reason.to_string().as_str()));
    }
    assert_eq!(text(vrrp_reason_text(reasons.len() as u8)), None);
    let kinds = [
        FrameKind::Advertisement,
        FrameKind::GratuitousArp,
        FrameKind::UnsolicitedNa,
        FrameKind::ArpReply,
        FrameKind::NaReply,
        FrameKind::NeighborProbe,
    ];
    for (n, kind) in (VRRP_FRAME_ADVERTISEMENT..).zip(kinds) {
        assert_eq!(text(vrrp_frame_kind_name(n)), Some(kind.as_str()));
    }
}

#[test]
fn the_header_has_the_version_and_limits_of_the_library() {
    let version = format!("{VRRP_VERSION_MAJOR}.{VRRP_VERSION_MINOR}.{VRRP_VERSION_PATCH}");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert_eq!(text(vrrp_version()), Some(version.as_str()));
    assert_eq!(VRRP_MAX_TRACKS, MAX_TRACKS);
    assert_eq!(VRRP_MAX_AUTH_KEYS, vrrp_core::MAX_AUTH_KEYS);
    assert_eq!(VRRP_MAX_AUTH_SENDERS, vrrp_core::MAX_AUTH_SENDERS);
}
