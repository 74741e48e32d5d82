//! The history: numbered records of everything that happened to the daemon.

use serde::{Deserialize, Serialize};

use crate::protocol::{CheckEvent, Event};
use crate::words::{Family, NoticeKind};

/// The records that the daemon remembers.
pub const HISTORY: usize = 1_000;

/// The beginning of a piece of the history. Without members: all that is remembered, or, for
/// [`Request::Events`](crate::Request::Events), from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Since {
    /// The number of the record before the first one that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The age of the oldest record that is wanted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_s: Option<f64>,
}

/// A record. Its JSON form is that of the [`Answer`](crate::Answer) that streams it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A change of state.
    Event(Event),
    /// A change of a check's state.
    CheckEvent(CheckEvent),
    /// Anything else.
    Notice(Notice),
}

/// A record of something that is no change of state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number, one of those of [`Event`].
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The kind of what happened.
    pub kind: NoticeKind,
    /// The VRID of the virtual router that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vrid: Option<u8>,
    /// The name of that virtual router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The interface that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The family of the virtual router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// The number of the user who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The name of that user, where it is known: that of the user of vrrpd, if that is not root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The happening in words.
    pub text: String,
}

/// The records that are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The number that the next record will have.
    pub next: u64,
    /// Records that were asked for by number and are not remembered any more.
    pub forgotten: u64,
    /// The records, the oldest first.
    pub records: Vec<Record>,
}

impl Record {
    /// Its number.
    pub const fn seq(&self) -> u64 {
        match self {
            Record::Event(event) => event.seq,
            Record::CheckEvent(event) => event.seq,
            Record::Notice(notice) => notice.seq,
        }
    }

    /// When it was made, in milliseconds since 1970.
    pub const fn time_ms(&self) -> u64 {
        match self {
            Record::Event(event) => event.time_ms,
            Record::CheckEvent(event) => event.time_ms,
            Record::Notice(notice) => notice.time_ms,
        }
    }

    /// Sets number and time.
    pub fn stamp(&mut self, seq: u64, time_ms: u64) {
        let (s, t) = match self {
            Record::Event(event) => (&mut event.seq, &mut event.time_ms),
            Record::CheckEvent(event) => (&mut event.seq, &mut event.time_ms),
            Record::Notice(notice) => (&mut notice.seq, &mut notice.time_ms),
        };
        (*s, *t) = (seq, time_ms);
    }

    /// The VRID, interface and family that it is about, as far as it is about them.
    pub fn about(&self) -> (Option<u8>, Option<&str>, Option<Family>) {
        match self {
            Record::Event(event) => {
                let interface = Some(event.interface.as_str());
                (Some(event.vrid), interface, Some(event.family))
            }
            Record::CheckEvent(_) => (None, None, None),
            Record::Notice(notice) => (notice.vrid, notice.interface.as_deref(), notice.family),
        }
    }
}

impl Record {
    /// The name of the virtual router that it is about.
    pub fn name(&self) -> Option<&str> {
        match self {
            Record::Event(event) => event.name.as_deref(),
            Record::CheckEvent(_) => None,
            Record::Notice(notice) => notice.name.as_deref(),
        }
    }
}

impl From<Event> for Record {
    fn from(event: Event) -> Self {
        Record::Event(event)
    }
}

impl From<CheckEvent> for Record {
    fn from(event: CheckEvent) -> Self {
        Record::CheckEvent(event)
    }
}

impl From<Notice> for Record {
    fn from(notice: Notice) -> Self {
        Record::Notice(notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Request};

    #[test]
    fn a_record_in_the_stream_is_a_record_in_the_log() {
        let notice = Notice {
            kind: NoticeKind::Command,
            uid: Some(0),
            text: "x".into(),
            ..Notice::default()
        };
        let mut record = Record::Notice(notice.clone());
        record.stamp(7, 9);
        let text = serde_json::to_string(&record).expect("JSON");
        assert_eq!(
            text,
            r#"{"notice":{"seq":7,"time_ms":9,"kind":"command","uid":0,"text":"x"}}"#
        );
        let answer: Answer = serde_json::from_str(&text).expect("an answer");
        let Answer::Notice(same) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!((same.seq, same.text), (7, notice.text));
    }

    #[test]
    fn a_request_for_the_history_may_say_since_when() {
        for (text, since, within_s) in [
            (r#"{"command":"log"}"#, None, None),
            (r#"{"command":"log","since":7}"#, Some(7), None),
            (r#"{"command":"log","within_s":3600}"#, None, Some(3600.0)),
        ] {
            let request: Request = serde_json::from_str(text).expect("a request");
            assert_eq!(request, Request::Log(Since { since, within_s }));
        }
        let request: Request =
            serde_json::from_str(r#"{"command":"events","since":3}"#).expect("a request");
        let since = Since {
            since: Some(3),
            within_s: None,
        };
        assert_eq!(request, Request::Events(since));
    }
}
