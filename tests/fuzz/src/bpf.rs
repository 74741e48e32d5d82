//! FreeBSD's bpf(4), both directions: any octets are some frames or none, and a filter takes
//! what it is for and nothing else.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use vrrp_freebsd::fuzz_api::{filter, records_in};
use vrrp_port_kit::bpf::run;

use crate::octets::Octets;

/// The longest program that the kernel takes.
const LONGEST: usize = 512;

/// The first octet decides: a buffer that was read, or a filter and a frame.
///
/// # Panics
/// When frames are not parts of the buffer one behind the other; when a filter is too long, does not
/// end, or decides otherwise than its words say.
pub fn check(octets: &[u8]) {
    let mut octets = Octets(octets);
    match octets.u8() & 1 {
        0 => read(octets.rest()),
        _ => decide(&mut octets),
    }
}

fn read(buffer: &[u8]) {
    let mut from = buffer.as_ptr_range().start;
    let mut count = 0;
    for record in records_in(buffer) {
        count += 1;
        if let Some(frame) = record {
            let range = frame.as_ptr_range();
            assert!(range.start >= from && range.end <= buffer.as_ptr_range().end);
            from = range.end;
        }
    }
    assert!(count <= buffer.len() / 18 + 1, "{count} records");
}

fn decide(octets: &mut Octets<'_>) {
    let bits = octets.u8();
    let vrrp = [bits & 1 != 0, bits & 2 != 0];
    let mut questions = BTreeSet::new();
    let mut from_afar = BTreeSet::new();
    for _ in 0..bits >> 2 & 7 {
        match octets.u8() & 3 {
            0 | 1 => questions.insert(IpAddr::from(octets.array::<4>())),
            2 => questions.insert(IpAddr::from(octets.array::<16>())),
            _ => from_afar.insert(Ipv6Addr::from(octets.array::<16>())),
        };
    }
    let mut frame = octets.rest().to_vec();
    // A question for one of them is more than chance would ever make.
    let chosen = usize::from(bits >> 5);
    put_target(&mut frame, questions.iter().nth(chosen), from_afar.first());
    let program = filter(vrrp, questions.clone(), from_afar.clone());
    assert!(program.len() <= LONGEST, "{} instructions", program.len());
    let taken = run(&program, &frame, |_| None).expect("a program that ends");
    assert_eq!(
        taken,
        is_wanted(&frame, vrrp, &questions, &from_afar),
        "{frame:02x?}"
    );
}

fn put_target(frame: &mut [u8], question: Option<&IpAddr>, afar: Option<&Ipv6Addr>) {
    let (at, target) = match (question, afar) {
        (Some(IpAddr::V4(v4)), _) => (38, v4.octets().to_vec()),
        (Some(IpAddr::V6(v6)), _) | (None, Some(v6)) => (62, v6.octets().to_vec()),
        (None, None) => return,
    };
    if let Some(place) = frame.get_mut(at..at + target.len()) {
        place.copy_from_slice(&target);
    }
}

/// The same in plain words.
fn is_wanted(
    frame: &[u8],
    vrrp: [bool; 2],
    questions: &BTreeSet<IpAddr>,
    from_afar: &BTreeSet<Ipv6Addr>,
) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => vrrp[0] && frame.get(23) == Some(&112),
        Some([0x08, 0x06]) => {
            let target = frame.get(38..42).and_then(|o| <[u8; 4]>::try_from(o).ok());
            frame.get(20..22) == Some(&[0, 1])
                && target.is_some_and(|t| questions.contains(&IpAddr::from(t)))
        }
        Some([0x86, 0xdd]) => match frame.get(20) {
            Some(112) => vrrp[1],
            Some(58) if frame.get(54) == Some(&135) => {
                let target = frame.get(62..78).and_then(|o| <[u8; 16]>::try_from(o).ok());
                let source = frame.get(22..24);
                let near = matches!(source, Some([0, 0] | [0xfe, 0x80..=0xbf]));
                target.is_some_and(|t| {
                    questions.contains(&IpAddr::from(t))
                        || !near && from_afar.contains(&Ipv6Addr::from(t))
                })
            }
            _ => false,
        },
        _ => false,
    }
}
