//! Datagrams in a stream.

use zeroize::Zeroize;

/// A datagram as it goes into a stream: its length and itself.
pub fn packed(octets: &[u8]) -> Vec<u8> {
    let head = (octets.len() as u32).to_ne_bytes();
    let mut packed = Vec::with_capacity(head.len() + octets.len());
    packed.extend_from_slice(&head);
    packed.extend_from_slice(octets);
    packed
}

/// The octets of a stream that are not a whole datagram yet, or have not been taken.
#[derive(Debug)]
pub struct Inbox {
    octets: Vec<u8>,
    most: usize,
    /// Nothing is left in memory of what was taken.
    wipes: bool,
}

/// A datagram that is longer than allowed: the stream makes no sense any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Inbox {
    /// For datagrams of at most this many octets.
    pub fn new(most: usize) -> Self {
        Self {
            octets: Vec::new(),
            most,
            wipes: false,
        }
    }

    /// Leaves no copy of what is taken from now on: some of the datagrams are secret.
    pub fn keep_secret(&mut self) {
        self.wipes = true;
    }

    /// Takes in what was read.
    pub fn push(&mut self, octets: &[u8]) {
        let len = self.octets.len() + octets.len();
        if self.wipes && len > self.octets.capacity() {
            // To grow in place would leave a copy.
            let mut larger = Vec::with_capacity(2 * len);
            larger.extend_from_slice(&self.octets);
            self.octets.zeroize();
            self.octets = larger;
        }
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
        let taken = head.len() + len;
        self.octets.drain(..taken);
        if self.wipes
            && let Some(left) = self.octets.spare_capacity_mut().get_mut(..taken)
        {
            left.zeroize();
        }
        Ok(Some(datagram))
    }

    /// Forgets what was not taken.
    pub fn wipe(&mut self) {
        self.octets.zeroize();
    }
}
