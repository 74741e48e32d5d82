//! Records of the history: changes of state, changes of checks, and notices.

use vrrp_control::{CheckEvent, Event, Log, Notice, Record};
use vrrp_host::wording::utc;

use super::{name, user};

/// An event on a line.
pub fn event(event: &Event) -> String {
    format!(
        "{} {} {}: {} -> {}: {}",
        event.seq,
        utc(event.time_ms),
        name(
            event.name.as_deref(),
            event.vrid,
            &event.interface,
            event.family
        ),
        event.from,
        event.to,
        event.reason
    )
}

/// A record in one line.
pub fn record(record: &Record) -> String {
    match record {
        Record::Event(one) => event(one),
        Record::CheckEvent(one) => check_event(one),
        Record::Notice(one) => notice(one),
    }
}

/// The history, a line for each record.
pub fn log(log: &Log) -> String {
    let lines = log.records.iter().map(|one| record(one) + "\n");
    dropped(log.forgotten) + &lines.collect::<String>()
}

/// A line about records that are forgotten, if there are any.
pub fn dropped(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "1 record is forgotten\n".into(),
        n => format!("{n} records are forgotten\n"),
    }
}

/// A notice in one line.
pub fn notice(notice: &Notice) -> String {
    let mut line = format!("{} {} ", notice.seq, utc(notice.time_ms));
    let interface = notice.interface.as_deref();
    // Other texts name their interface.
    if let (Some(vrid), Some(interface), Some(family)) = (notice.vrid, interface, notice.family) {
        line += &format!(
            "{}: ",
            name(notice.name.as_deref(), vrid, interface, family)
        );
    }
    line += &format!("{}: {}", notice.kind, notice.text);
    if let Some(uid) = notice.uid {
        line += &format!(" (by {})", user(uid, notice.user.as_deref()));
    }
    line
}

/// A change of a check's state in one line.
pub fn check_event(event: &CheckEvent) -> String {
    let state = if event.passing { "passes" } else { "failed" };
    let (seq, at, name) = (event.seq, utc(event.time_ms), &event.name);
    format!("{seq} {at} check {name}: {state}: {}", event.answer)
}
