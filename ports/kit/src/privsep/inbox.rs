//! Datagrams in a stream.

/// A datagram as it goes into a stream: its length and itself.
pub fn packed(octets: &[u8]) -> Vec<u8> {
    let mut packed = (octets.len() as u32).to_ne_bytes().to_vec();
    packed.extend_from_slice(octets);
    packed
}

/// The octets of a stream that are not a whole datagram yet, or have not been taken.
#[derive(Debug)]
pub struct Inbox {
    octets: Vec<u8>,
    most: usize,
}

/// A datagram that is longer than allowed: the stream makes no sense any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Inbox {
    /// For datagrams of at most this many octets.
    pub fn new(most: usize) -> Self {
        let octets = Vec::new();
        Self { octets, most }
    }

    /// Takes in what was read.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The next whole datagram.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let Some((head, rest)) = self.octets.split_first_chunk() else {
            return Ok(None);
        };
        let len = u32::from_ne_bytes(*head) as usize;
        if len > self.most {
            return Err(TooLong);
        }
        let Some(datagram) = rest.get(..len).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.octets.drain(..head.len() + len);
        Ok(Some(datagram))
    }
}
