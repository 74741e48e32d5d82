//! The senders of one virtual router, for people: nothing is decided by them.

use core::net::IpAddr;

use heapless::Vec;

use crate::auth::{AuthSender, MAX_AUTH_SENDERS, Signed};
use crate::time::Instant;
use crate::verdict::DropReason;

/// The senders that were heard, of which one gives way when the table is full: first one that was never
/// believed, and of those the one that was not heard for the longest.
#[derive(Clone)]
pub(super) struct Senders {
    list: Vec<AuthSender, MAX_AUTH_SENDERS>,
}

impl Senders {
    pub(super) const EMPTY: Self = Self { list: Vec::new() };

    pub(super) fn iter(&self) -> impl Iterator<Item = AuthSender> + '_ {
        self.list.iter().copied()
    }

    /// Notes an advertisement that was believed: for its signature, or without one.
    pub(super) fn note_believed(
        &mut self,
        now: Instant,
        address: IpAddr,
        signed: Option<Signed>,
        has_skew: bool,
    ) {
        if let Some(sender) = self.heard(now, address, signed.is_some()) {
            sender.believed = sender.believed.wrapping_add(1);
            if let Some(signed) = signed {
                sender.key_id = Some(signed.key_id);
                sender.skew = has_skew.then_some(signed.skew);
            }
        }
    }

    /// Notes one that was refused, and its skew if its signature was right.
    pub(super) fn note_refused(
        &mut self,
        now: Instant,
        address: IpAddr,
        reason: DropReason,
        genuine: Option<Signed>,
    ) {
        let signed = reason != DropReason::AuthMissing;
        if let Some(sender) = self.heard(now, address, signed) {
            sender.refused = sender.refused.wrapping_add(1);
            sender.refusal = Some((reason, now));
            if let Some(genuine) = genuine {
                sender.key_id = Some(genuine.key_id);
                sender.skew = Some(genuine.skew);
            }
        }
    }

    fn heard(&mut self, now: Instant, address: IpAddr, signed: bool) -> Option<&mut AuthSender> {
        let index = match self.list.iter().position(|s| s.address == address) {
            Some(index) => index,
            None => {
                let sender = AuthSender {
                    address,
                    last_heard: now,
                    signed,
                    key_id: None,
                    skew: None,
                    refusal: None,
                    believed: 0,
                    refused: 0,
                };
                match self.list.push(sender) {
                    Ok(()) => self.list.len().saturating_sub(1),
                    Err(sender) => {
                        let index = self.least_of_all();
                        *self.list.get_mut(index)? = sender;
                        index
                    }
                }
            }
        };
        let sender = self.list.get_mut(index)?;
        sender.last_heard = now;
        sender.signed = signed;
        Some(sender)
    }

    /// The place of the one that gives way.
    fn least_of_all(&self) -> usize {
        let worth = |s: &AuthSender| (s.key_id.is_some(), s.believed > 0, s.last_heard);
        let worths = self.list.iter().map(worth).enumerate();
        let least = worths.min_by_key(|(_, worth)| *worth);
        least.map_or(0, |(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_push_out_who_was_believed() {
        let mut senders = Senders::EMPTY;
        let host = |n: u8| IpAddr::from([10, 0, 0, n]);
        let at = |n: u8| Instant::from_micros(n.into());
        let signed = Signed {
            key_id: 3,
            skew: -2,
        };
        senders.note_believed(at(1), host(1), Some(signed), true);
        senders.note_believed(at(2), host(2), None, true);
        for n in 3..=255 {
            senders.note_refused(at(n), host(n), DropReason::AuthInvalidHmac, None);
        }
        let list: std::vec::Vec<_> = senders.iter().collect();
        assert_eq!(list.len(), MAX_AUTH_SENDERS);
        let find = |n| list.iter().find(|s| s.address == host(n));
        let first = find(1).unwrap();
        assert_eq!(
            (first.signed, first.key_id, first.skew),
            (true, Some(3), Some(-2))
        );
        assert!(!find(2).unwrap().signed);
        let last = find(255).unwrap();
        assert_eq!(last.refusal, Some((DropReason::AuthInvalidHmac, at(255))));
        assert_eq!((last.believed, last.refused), (0, 1));
        assert!(find(3).is_none());
    }
}
