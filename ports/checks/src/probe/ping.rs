//! ICMP echoes, over one socket of each family that all checks share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::rc::Rc;

use tokio::net::UdpSocket;
use tokio::sync::oneshot;

use super::{Answer, Trace, Trouble, shown, trouble, words};

/// The header of an echo, and a token of ours.
const HEADER: usize = 8;
const TOKEN: usize = 16;

/// The sockets.
pub(super) struct Echoes {
    v4: Result<RefCell<Opened>, io::Error>,
    v6: Result<RefCell<Opened>, io::Error>,
    random: RandomState,
}

/// A socket, before and after its reader was started.
enum Opened {
    Idle(Option<(StdSocket, bool)>),
    Reading(Rc<Shared>),
}

struct Shared {
    socket: UdpSocket,
    ipv6: bool,
    /// The header of IP comes before the message.
    with_header: bool,
    waiting: RefCell<HashMap<[u8; TOKEN], oneshot::Sender<()>>>,
    next: std::cell::Cell<u64>,
}

impl Echoes {
    pub(super) fn new(echo: [io::Result<(StdSocket, bool)>; 2]) -> Self {
        let [v4, v6] = echo;
        let idle = |opened| RefCell::new(Opened::Idle(Some(opened)));
        Self {
            v4: v4.map(idle),
            v6: v6.map(idle),
            random: RandomState::new(),
        }
    }

    /// Asks once.
    pub(super) async fn ask(&self, at: SocketAddr, trace: &Trace) -> Answer {
        trace.at(at);
        trace.wait("sent no echo");
        let shared = self.shared(at.is_ipv6()).map_err(|error| {
            Trouble::NotJudged(format!("not judged: no socket for ICMP: {}", words(&error)))
        })?;
        let number = shared.next.get();
        shared.next.set(number.wrapping_add(1));
        let mut token = [0; TOKEN];
        token[..8].copy_from_slice(&number.to_be_bytes());
        token[8..].copy_from_slice(&self.random.hash_one(number).to_be_bytes());
        let (send, receive) = oneshot::channel();
        let _waits = Waits {
            shared: shared.clone(),
            token,
        };
        shared.waiting.borrow_mut().insert(token, send);
        let message = request(shared.ipv6, number as u16, &token);
        let sent = shared.socket.send_to(&message, at).await;
        sent.map_err(|error| trouble(at, &error))?;
        trace.say(|| format!("sent {} octets to {}", message.len(), shown(at)));
        match receive.await {
            Ok(()) => Ok(format!("{} answered", shown(at))),
            Err(_) => Err(Trouble::NotJudged(
                "not judged: the socket is closed".into(),
            )),
        }
    }

    /// The socket of a family, and its reader.
    fn shared(&self, ipv6: bool) -> io::Result<Rc<Shared>> {
        let opened = if ipv6 { &self.v6 } else { &self.v4 };
        let opened = opened
            .as_ref()
            .map_err(|error| match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => error.kind().into(),
            })?;
        let mut opened = opened.borrow_mut();
        if let Opened::Reading(shared) = &*opened {
            return Ok(shared.clone());
        }
        let idle = match &mut *opened {
            Opened::Idle(idle) => idle.take(),
            Opened::Reading(_) => None,
        };
        let (socket, with_header) = idle.ok_or(io::ErrorKind::NotConnected)?;
        let shared = Rc::new(Shared {
            socket: UdpSocket::from_std(socket)?,
            ipv6,
            with_header,
            waiting: RefCell::default(),
            next: std::cell::Cell::new(self.random.hash_one(ipv6)),
        });
        tokio::task::spawn_local(read(shared.clone()));
        *opened = Opened::Reading(shared.clone());
        Ok(shared)
    }
}

/// Forgets a token when nobody waits for it any more.
struct Waits {
    shared: Rc<Shared>,
    token: [u8; TOKEN],
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.shared.waiting.borrow_mut().remove(&self.token);
    }
}

async fn read(shared: Rc<Shared>) {
    let mut buffer = [0; 512];
    loop {
        let Ok((len, _)) = shared.socket.recv_from(&mut buffer).await else {
            // Of an echo before: an error of that moment.
            tokio::task::yield_now().await;
            continue;
        };
        let octets = buffer.get(..len).unwrap_or_default();
        if let Some(token) = token_of(octets, shared.ipv6, shared.with_header)
            && let Some(waiting) = shared.waiting.borrow_mut().remove(&token)
        {
            let _ = waiting.send(());
        }
    }
}

/// An echo request. The kernel writes the checksum of ICMPv6.
fn request(ipv6: bool, sequence: u16, token: &[u8; TOKEN]) -> Vec<u8> {
    let kind = if ipv6 { 128 } else { 8 };
    let mut message = vec![kind, 0, 0, 0, b'v', b'r'];
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(token);
    if !ipv6 {
        let sum = checksum(&message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
    }
    message
}

/// The checksum of the Internet (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The token of an echo reply. `None`: it is none.
pub(super) fn token_of(octets: &[u8], ipv6: bool, with_header: bool) -> Option<[u8; TOKEN]> {
    let message = match with_header {
        false => octets,
        true => {
            let header = usize::from(octets.first()? & 0x0f) * 4;
            octets.get(header..)?
        }
    };
    let reply = if ipv6 { 129 } else { 0 };
    (*message.first()? == reply).then_some(())?;
    message.get(HEADER..HEADER + TOKEN)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&octets), !0xddf2);
        let message = request(false, 7, &[3; TOKEN]);
        assert_eq!(checksum(&message), 0);
    }

    #[test]
    fn only_replies_have_a_token() {
        let mut message = request(false, 7, &[3; TOKEN]);
        assert_eq!(token_of(&message, false, false), None);
        message[0] = 0;
        assert_eq!(token_of(&message, false, false), Some([3; TOKEN]));
        let mut with_header = vec![0x45; 20];
        with_header.extend_from_slice(&message);
        assert_eq!(token_of(&with_header, false, true), Some([3; TOKEN]));
        for len in 0..with_header.len() {
            assert_eq!(token_of(&with_header[..len], false, true), None);
        }
    }
}
