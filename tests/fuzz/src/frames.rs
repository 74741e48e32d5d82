//! Raw frames: whatever arrives, a packet that is dropped changes nothing.

use vrrp_core::Instant;

use crate::engine::{Bench, Engine, IF, key, kinds};
use crate::octets::Octets;
use crate::packets;

/// Frames one after the other, each with an octet of choices first: 1 sets the checksums right, 2
/// asks for an answer to the frame too, and the rest is time that passes before it. Then a length
/// and so many octets, or 2,047 and what makes a packet that is mostly good.
///
/// # Panics
/// When a frame that is dropped, or is not VRRP, leaves a trace but its counter.
pub fn check(octets: &[u8]) {
    let mut bench = Bench::with_all_kinds();
    let mut octets = Octets(octets);
    while !octets.is_empty() {
        let choices = octets.u8();
        let mut frame = match octets.u16() & 0x7ff {
            0x7ff => made(&mut octets),
            len => octets.take(len.into()).to_vec(),
        };
        if choices & 1 == 1 {
            packets::mend(&mut frame);
        }
        let passed = u64::from(choices >> 2) * 31_250;
        bench.advance(Instant::from_micros(bench.now.as_micros() + passed));
        hear(&mut bench, &frame, choices & 2 == 2);
    }
}

fn made(octets: &mut Octets<'_>) -> Vec<u8> {
    let choice = octets.u8();
    let kinds = kinds();
    let vrid = choice % (kinds.len() as u8 + 1);
    let family = kinds.get(usize::from(vrid)).map(|(family, _)| *family);
    let mut frame = match family.and_then(|family| key(vrid + 1, family)) {
        Some(key) => packets::advert(octets, key),
        None => packets::other(octets),
    };
    if choice & 0x80 != 0 {
        packets::spoil(octets, &mut frame);
    }
    frame
}

fn hear(bench: &mut Bench, frame: &[u8], ask: bool) {
    let before = bench.picture();
    if ask {
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        if let Some(answer) = bench.engine.answer(IF, frame, &mut buf) {
            assert!(!answer.frame.is_empty());
        }
        assert_eq!(bench.picture(), before, "a question changed something");
    }
    let due = bench.engine.poll_timeout();
    let verdict = bench.engine.handle_frame(bench.now, IF, frame);
    if verdict.accepted().is_none() {
        assert_eq!(bench.picture(), before, "{verdict:?} changed something");
        // Of many deadlines it is a point before the first, and after this may be another. That the
        // timers are as before is for `oracle` to see.
        let next = bench.engine.poll_timeout();
        assert_eq!(next.is_some(), due.is_some(), "{verdict:?}");
        assert!(next.is_none_or(|next| next > bench.now), "{next:?}");
        assert_eq!(bench.settle(), 0, "{verdict:?} led to something");
        return;
    }
    bench.settle();
    let due = bench.engine.poll_timeout();
    assert!(
        due.is_some(),
        "a table of virtual routers that waits for nothing"
    );
}
