//! Ethernet controllers, which filter frames by MAC and fill in checksums.

use super::wire::Mac;

/// The frames that a controller lets in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum MacFilter {
    /// All of them, as QEMU's.
    #[default]
    None,
    /// Those to its own MAC and to any group: as Synopsys', unless somebody sets a bit.
    OwnAndGroups,
    /// Those to its own MAC and broadcast.
    Own,
}

/// A controller, as far as frames notice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nic {
    pub(crate) own: Mac,
    pub(crate) filter: MacFilter,
    /// The driver tells the controller of the MACs that it is told of.
    pub(crate) has_driver: bool,
    /// Those.
    pub(crate) let_in: Vec<Mac>,
    /// It fills in the checksums of IPv4 headers and of ICMPv6, as NXP's: sums what it finds there,
    /// and so wants zero.
    pub(crate) fills_in: bool,
}

impl Nic {
    pub(crate) fn lets_in(&self, frame: &[u8]) -> bool {
        let to: Mac = frame.first_chunk().copied().unwrap_or_default();
        let is_group = to[0] & 1 == 1;
        let passes = match self.filter {
            MacFilter::None => true,
            MacFilter::OwnAndGroups => is_group || to == self.own,
            MacFilter::Own => to == [0xff; 6] || to == self.own,
        };
        passes || self.let_in.contains(&to)
    }

    pub(crate) fn set_let_in(&mut self, macs: impl Iterator<Item = Mac>) {
        if self.has_driver {
            self.let_in = macs.collect();
        }
    }

    /// Fills the checksums in before a frame is on the wire.
    pub(crate) fn fill_in(&self, frame: &mut [u8]) {
        if self.fills_in {
            fill_in(frame);
        }
    }
}

fn fill_in(frame: &mut [u8]) {
    match frame[12..14] {
        [0x08, 0x00] => {
            let sum = sum(&frame[14..34]);
            frame[24..26].copy_from_slice(&(!sum).to_be_bytes());
        }
        [0x86, 0xdd] => {
            // A hop-by-hop header of eight octets stands before MLD.
            let icmp_at = match (frame[20], frame[54]) {
                (58, _) => 54,
                (0, 58) => 62,
                _ => return,
            };
            let end = 54 + usize::from(u16::from_be_bytes([frame[18], frame[19]]));
            let len = (end - icmp_at) as u16;
            let pseudo = [&frame[22..54], &len.to_be_bytes(), &[0, 58]].concat();
            let sum = sum(&[&pseudo, &frame[icmp_at..end]].concat());
            frame[icmp_at + 2..icmp_at + 4].copy_from_slice(&(!sum).to_be_bytes());
        }
        _ => {}
    }
}

/// The ones' complement sum of RFC 1071.
fn sum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|word| match *word {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        _ => u32::from(word[0]) << 8,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// Asserts that the checksums that a controller fills in are right in a frame on the wire.
pub(crate) fn assert_sums(frame: &[u8]) {
    let mut summed = frame.to_vec();
    // Over a right checksum the sum is all ones, of which the complement is zero.
    fill_in(&mut summed);
    let field = |at: usize| [summed[at], summed[at + 1]];
    let at = match (&frame[12..14], frame[20], frame.get(54)) {
        ([0x08, 0x00], ..) => 24,
        ([0x86, 0xdd], 58, _) => 56,
        ([0x86, 0xdd], 0, Some(58)) => 64,
        _ => return,
    };
    assert_eq!(field(at), [0, 0], "a wrong checksum: {frame:02x?}");
}
