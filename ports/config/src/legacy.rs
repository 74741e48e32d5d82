//! The keys that freevrrpd has and vrrpd has no use for: read, judged, and said to mean nothing.

use vrrp_core::Duration;

use super::keys::Key;
use super::reader::Reader;
use super::values;

/// Reads the keys of freevrrpd that change nothing here.
pub(super) fn judge(reader: &mut Reader<'_, '_>) {
    if reader.value(Key::MonitoredCircuits, values::yes_no) == Some(false) {
        reader.warning(
            Key::MonitoredCircuits,
            "`no` has no effect: the state of the interface is always watched",
        );
    }
    if number(reader, Key::CarrierTimeout).is_some() {
        reader.note(
            Key::CarrierTimeout,
            "has no effect: the interface is never reset, so that there is no carrier to wait for",
        );
    }
    if number(reader, Key::McClearErrorsCount).is_some() {
        reader.note(
            Key::McClearErrorsCount,
            "has no effect: an interface that works again is used again, however often it failed",
        );
    }
    if reader.value(Key::SendGratuitousArp, values::yes_no) == Some(false) {
        reader.warning(
            Key::SendGratuitousArp,
            "`no` has no effect: neighbours are always told where an address is",
        );
    }
    for key in [Key::AhEncryption, Key::UseIke] {
        if reader.value(key, values::yes_no) == Some(true) {
            reader.error(
                key,
                "expected `no`, found `yes`: the authentication header of RFC 2338 is not offered",
            );
        }
    }
    if reader.entry(Key::Preshared).is_some() {
        reader.warning(
            Key::Preshared,
            "has no effect: only AHencryption would use it",
        );
    }
}

/// Reads `startdelay` and freevrrpd's name for the same need, `spanningtreelatency`.
pub(super) fn start_delay(reader: &mut Reader<'_, '_>) -> Duration {
    let hour = |text: &str| values::seconds(text, 0..=3_600_000);
    let start = reader.value(Key::StartDelay, hour);
    let latency = reader.value(Key::SpanningTreeLatency, hour);
    match (start, latency) {
        (Some(_), Some(latency)) if latency != Duration::ZERO => {
            reader.error(
                Key::SpanningTreeLatency,
                "expected either startdelay or spanningtreelatency, found both",
            );
            Duration::ZERO
        }
        (Some(delay), _) => delay,
        (None, Some(latency)) => {
            if latency != Duration::ZERO {
                reader.note(
                    Key::SpanningTreeLatency,
                    "taken as startdelay: nothing else waits for the switch",
                );
            }
            latency
        }
        (None, None) => Duration::ZERO,
    }
}

fn number(reader: &mut Reader<'_, '_>, key: Key) -> Option<u32> {
    reader.value(key, |text| values::number(text, 0..=u32::MAX))
}
