//! The MAC filter of an Ethernet device: the frames that it has to let in for a gate.
//!
//! A driver hears of every change by [`MacFilter::set`], and needs one of these:
//!
//! - [`Unfiltered`]: the device lets every frame in, or its filter was set once and for all, as by
//!   [`synopsys_registers`];
//! - [`Promiscuous`]: it lets every frame in while there is a virtual MAC;
//! - [`MacList`]: it compares with several addresses;
//! - [`HashTable`]: it has a table of 64 bits;
//! - a closure, which is given the device and all MACs.

use core::iter;

use heapless::Vec;

use crate::types::{Family, MacAddr};
use crate::wire::ethernet::is_group;

/// The driver's part: to tell the device which MACs it has to let in.
pub trait MacFilter<D: ?Sized> {
    /// Has the device let in frames to these MACs, which take the place of those of the last call:
    /// virtual MACs that are taken up, and groups. One may be there twice. The device lets in frames
    /// to its own MAC and to broadcast by itself, and to the groups that the stack has joined.
    fn set(&mut self, device: &mut D, macs: &mut dyn Iterator<Item = MacAddr>);
}

impl<D: ?Sized, F: FnMut(&mut D, &mut dyn Iterator<Item = MacAddr>)> MacFilter<D> for F {
    fn set(&mut self, device: &mut D, macs: &mut dyn Iterator<Item = MacAddr>) {
        self(device, macs);
    }
}

/// Nothing to do: the device lets every frame in, or at least all virtual MACs and groups.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unfiltered;

impl<D: ?Sized> MacFilter<D> for Unfiltered {
    fn set(&mut self, _: &mut D, _: &mut dyn Iterator<Item = MacAddr>) {}
}

/// A device that lets in its own MAC and all groups, or everything: its function is given whether
/// everything is wanted, which is so while a virtual MAC is taken up.
#[derive(Clone, Copy, Debug)]
pub struct Promiscuous<F>(pub F);

impl<D: ?Sized, F: FnMut(&mut D, bool)> MacFilter<D> for Promiscuous<F> {
    fn set(&mut self, device: &mut D, macs: &mut dyn Iterator<Item = MacAddr>) {
        let everything = iter::from_fn(|| macs.next()).any(|mac| !is_group(mac));
        (self.0)(device, everything);
    }
}

/// A device that compares with up to `N` addresses, groups among them: its function is given the
/// list, each MAC once, or `None` where there are more than `N` and everything has to come in.
#[derive(Clone, Copy, Debug)]
pub struct MacList<const N: usize, F>(pub F);

impl<D: ?Sized, const N: usize, F: FnMut(&mut D, Option<&[MacAddr]>)> MacFilter<D>
    for MacList<N, F>
{
    fn set(&mut self, device: &mut D, macs: &mut dyn Iterator<Item = MacAddr>) {
        let mut list = Vec::<MacAddr, N>::new();
        let mut fits = |mac| list.contains(&mac) || list.push(mac).is_ok();
        let all_fit = iter::from_fn(|| macs.next()).all(&mut fits);
        (self.0)(device, all_fit.then_some(list.as_slice()));
    }
}

/// A device with a hash table of 64 bits. The first function maps a MAC to the number of a bit, 0 to 63,
/// such as [`synopsys_hash`] or [`crc_hash`]. The second is given the table.
///
/// The table has to hold for unicast, too; where it is for groups alone, the virtual MACs need
/// something else.
#[derive(Clone, Copy, Debug)]
pub struct HashTable<F> {
    /// The bit of a MAC.
    pub hash: fn(MacAddr) -> u8,
    /// Gives the device its table.
    pub write: F,
}

impl<D: ?Sized, F: FnMut(&mut D, u64)> MacFilter<D> for HashTable<F> {
    fn set(&mut self, device: &mut D, macs: &mut dyn Iterator<Item = MacAddr>) {
        let bit = |mac| 1u64.wrapping_shl((self.hash)(mac).into());
        let table = macs.map(bit).fold(0, |table, bit| table | bit);
        (self.write)(device, table);
    }
}

/// The register of an Ethernet MAC of Synopsys that follows MACA0: STM32 (all), ESP32's EMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SynopsysRegisters {
    /// Of MACAxHR (ETH_MACA1HR ...): the address is used (AE), its last octet is not compared
    /// (MBC bit 5), and its octets 4 and 5.
    pub high: u32,
    /// Of MACAxLR: its octets 0 to 3.
    pub low: u32,
}

/// The values by which one spare address of a Synopsys MAC lets every virtual MAC of a family in, and
/// nothing else: 00:00:5e:00:01:* or 00:00:5e:00:02:*. Two of the three spare addresses do for both
/// families, written once after the driver has started; groups have to pass besides (PAM, or PM
/// where that means multicast).
pub const fn synopsys_registers(family: Family) -> SynopsysRegisters {
    const AE: u32 = 1 << 31;
    const NOT_OCTET_5: u32 = 1 << 29;
    let octet_4 = match family {
        Family::Ipv4 => 1,
        Family::Ipv6 => 2,
    };
    SynopsysRegisters {
        high: AE | NOT_OCTET_5 | octet_4,
        low: u32::from_le_bytes([0x00, 0x00, 0x5e, 0x00]),
    }
}

/// The bit of a MAC in the hash table of a Synopsys MAC (HTHR and HTLR): the six upper bits of the
/// reversed, complemented CRC-32.
pub const fn synopsys_hash(mac: MacAddr) -> u8 {
    (!crc32(mac)).reverse_bits().wrapping_shr(26) as u8
}

/// The bit of a MAC in the hash tables of NXP's ENET (GAUR and GALR, IAUR and IALR): the six upper
/// bits of the CRC-32.
pub const fn crc_hash(mac: MacAddr) -> u8 {
    crc32(mac).wrapping_shr(26) as u8
}

/// The CRC-32 of Ethernet over a MAC, least significant bit first, not complemented at the end.
const fn crc32(mac: MacAddr) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let [a, b, c, d, e, f] = mac.0;
    let mut octets = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    let mut crc = u32::MAX;
    let mut bits = 0;
    while bits < 48 {
        let differ = (crc ^ octets as u32) & 1;
        crc = (crc >> 1) ^ (POLYNOMIAL * differ);
        octets >>= 1;
        bits += 1;
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of ST's RM0090, section "Hash table".
    #[test]
    fn the_hash_is_that_of_the_reference_manual() {
        let of = |mac| synopsys_hash(MacAddr(mac));
        assert_eq!(of([0x1f, 0x52, 0x41, 0x9c, 0xb6, 0xaf]), 0x2c);
        assert_eq!(of([0xa0, 0x0a, 0x98, 0x00, 0x00, 0x45]), 0x07);
    }
}
