//! The line between the two processes of vrrpd: whatever one of them says, the other reads it as it
//! was written or not at all.

use vrrp_port_kit::privsep::{Inbox, Message, Request, packed};

use crate::guard;
use crate::octets::Octets;

/// The longest datagram of a stream.
const LONGEST: usize = 300;

/// The first octet decides: a request, a message, a stream of datagrams, or a story for the guard.
///
/// # Panics
/// When octets are read otherwise than they would be written; when a datagram comes out of a stream
/// otherwise than it went in; when the guard decides otherwise than the configuration says.
pub fn check(octets: &[u8]) {
    let mut octets = Octets(octets);
    match octets.u8() % 8 {
        0 => drop(request(octets.rest())),
        1 => message(octets.rest()),
        2 => stream(&mut octets),
        _ => guard::check(&mut octets),
    }
}

/// There is one way to write a request.
pub(crate) fn request(octets: &[u8]) -> Option<Request> {
    let request = Request::decode(octets)?;
    assert_eq!(request.encode(), octets, "{request:?}");
    Some(request)
}

/// There is one way to write a message, but for the words of an error.
fn message(octets: &[u8]) {
    let Some(message) = Message::decode(octets) else {
        return;
    };
    let written = message.encode();
    if !matches!(message, Message::Done(Err(_))) {
        assert_eq!(written, octets, "{message:?}");
    }
    let again = Message::decode(&written).expect("what was written can be read");
    assert_eq!(again.encode(), written, "{message:?} and {again:?}");
}

fn stream(octets: &mut Octets<'_>) {
    let piece = usize::from(octets.u8()) + 1;
    // Datagrams of somebody who works as he should, and then anything.
    let sent: Vec<&[u8]> = (0..octets.u8() % 4)
        .map(|_| {
            let len = usize::from(octets.u8());
            octets.take(len)
        })
        .collect();
    let mut stream: Vec<u8> = sent.iter().flat_map(|datagram| packed(datagram)).collect();
    stream.extend_from_slice(octets.rest());

    let mut inbox = Inbox::new(LONGEST);
    let mut came = Vec::new();
    let mut ended = false;
    for part in stream.chunks(piece) {
        inbox.push(part);
        ended = loop {
            match inbox.take() {
                Ok(Some(datagram)) => came.push(datagram),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        if ended {
            break;
        }
    }
    let (whole, too_long) = datagrams(&stream);
    assert_eq!(came, whole);
    assert_eq!(ended, too_long);
    assert!(came.starts_with(&sent.iter().map(|d| d.to_vec()).collect::<Vec<_>>()));
}

/// The same of the whole stream at once: its datagrams, and whether one that is too long follows.
fn datagrams(mut stream: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut whole = Vec::new();
    while let Some((head, rest)) = stream.split_at_checked(4) {
        let len = u32::from_ne_bytes(head.try_into().expect("four octets")) as usize;
        if len > LONGEST {
            return (whole, true);
        }
        let Some((datagram, rest)) = rest.split_at_checked(len) else {
            break;
        };
        whole.push(datagram.to_vec());
        stream = rest;
    }
    (whole, false)
}
