//! Messages from and to FreeBSD's netgraph(4).

use vrrp_core::MacAddr;
use vrrp_freebsd::fuzz_api::{hooks_in, told_to_nodes};

use crate::octets::Octets;

/// The length of a message without its argument, and of the texts in arguments but for a path.
const HEADER: usize = 56;
const TEXT: usize = 32;
const PATH: usize = 512;

/// The first octet decides: the answer of a node to request 7, or messages to nodes.
///
/// # Panics
/// When an answer holds more than it has room for, or a message is not what it says.
pub fn check(octets: &[u8]) {
    let mut octets = Octets(octets);
    match octets.u8() & 1 {
        0 => answer(octets.rest()),
        _ => told(&mut octets),
    }
}

fn answer(octets: &[u8]) {
    if let Some(hooks) = hooks_in(octets, 7) {
        assert!(hooks <= octets.len() / 64, "{hooks} hooks");
    }
}

fn told(octets: &mut Octets<'_>) {
    let token = u32::from_be_bytes(octets.array());
    let (mac, on) = (MacAddr(octets.array()), octets.bool());
    let texts: [String; 3] = std::array::from_fn(|_| {
        let len = octets.u16() % 600;
        String::from_utf8_lossy(octets.take(len.into())).replace('\0', "")
    });
    let [one, two, three] = &texts;
    let all = told_to_nodes(token, [one, two, three], mac, on);
    for message in &all {
        assert_eq!(message[0], 8, "the version of netgraph(4)");
        let number = |at: usize| u32::from_ne_bytes(message[at..at + 4].try_into().expect("four"));
        assert_eq!(number(4) as usize, message.len() - HEADER);
        assert_eq!(number(12), 0, "flags of a question");
        assert_eq!(number(16), token);
        assert_eq!(hooks_in(message, token), None, "a question is no answer");
        // The same as an answer: whatever it holds can be read.
        let mut answer = message.clone();
        answer[12..16].copy_from_slice(&1u32.to_ne_bytes());
        assert!(hooks_in(&answer, token).is_some_and(|hooks| hooks <= 5));
        assert_eq!(hooks_in(&answer, token.wrapping_add(1)), None);
    }
    let argument = |n: usize| &all[n][HEADER..];
    texts_are(argument(0), &[(one, TEXT), (two, TEXT), (three, TEXT)]);
    texts_are(argument(1), &[(one, PATH), (two, TEXT), (three, TEXT)]);
    texts_are(argument(2), &[(one, TEXT)]);
    texts_are(argument(3), &[(one, TEXT)]);
    assert_eq!(argument(11)[..6], mac.0);
    texts_are(&argument(11)[6..], &[(one, TEXT)]);
    assert_eq!(argument(13), mac.0);
}

/// Texts one behind the other, each in its room and with a zero at its end.
fn texts_are(mut argument: &[u8], texts: &[(&String, usize)]) {
    for (text, room) in texts {
        let (place, rest) = argument.split_at(*room);
        let end = text.len().min(room - 1);
        assert_eq!(place[..end], text.as_bytes()[..end]);
        assert!(place[end..].iter().all(|&octet| octet == 0));
        argument = rest;
    }
    assert!(argument.is_empty());
}
