//! The same without the feature `hmac`: no key, no octet of memory, no code.

use core::net::IpAddr;

use crate::time::Instant;
use crate::types::AdvertInterval;
use crate::verdict::DropReason;
use crate::wire::vrrp::View;
use crate::wire::{Datagram, Emitted};

#[derive(Clone)]
pub(in crate::engine) struct Auth<const ADDRS: usize>;

/// An advertisement without a signature.
pub(in crate::engine) struct Proof;

impl<const ADDRS: usize> Auth<ADDRS> {
    pub(in crate::engine::vr) const NONE: Self = Self;

    pub(in crate::engine::vr) fn is_on(&self) -> bool {
        false
    }

    pub(in crate::engine::vr) fn signs(&self) -> bool {
        false
    }

    pub(in crate::engine::vr) fn clock_is_in_doubt(&self) -> bool {
        false
    }

    pub(in crate::engine::vr) fn take_numbers(&mut self, _: Instant, _: u16) {}

    pub(in crate::engine::vr) fn sign(
        &self,
        _: bool,
        _: &mut [u8],
        emitted: Emitted,
        _: (IpAddr, IpAddr),
    ) -> Option<Emitted> {
        Some(emitted)
    }

    pub(in crate::engine::vr) fn check(
        &mut self,
        _: Instant,
        datagram: &Datagram<'_>,
        view: &View<'_>,
    ) -> Result<Proof, DropReason> {
        if view.has_trailer(datagram.message) {
            // H-1
            return Err(DropReason::AuthenticationTrailer);
        }
        Ok(Proof)
    }

    pub(in crate::engine::vr) fn believe(&mut self, _: Instant, _: IpAddr, _: &Proof, _: bool) {}

    pub(in crate::engine::vr) fn release(&mut self) {}

    pub(in crate::engine::vr) fn take_hold(&mut self) -> Option<AdvertInterval> {
        None
    }
}
