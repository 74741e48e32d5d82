//! The table of virtual routers.

use crate::Error;
use crate::config::VrConfig;
use crate::output::{Failure, Output, Transmit};
use crate::status::{DropCounters, InterfaceState, PacketMeta, Statistics, Status};
use crate::time::Instant;
use crate::types::{Priority, VirtualAddress, VrKey};
use crate::verdict::Verdict;

/// A table of up to `VRS` virtual routers on up to `IFS` interfaces.
pub struct Router<const IFS: usize, const VRS: usize, const ADDRS: usize> {}

#[allow(unused_variables, missing_docs)]
impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Router<IFS, VRS, ADDRS> {
    pub const fn new() -> Self {
        Self {}
    }
    /// Adds a virtual router, disabled (call set_enabled).
    pub fn insert(&mut self, now: Instant, key: VrKey, config: &VrConfig<'_>) -> Result<(), Error> {
        todo!()
    }
    /// Changes the configuration; what did not change is not disturbed.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        key: VrKey,
        config: &VrConfig<'_>,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Graceful removal; Output::Removed at the end.
    pub fn remove(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        todo!()
    }
    /// Enables; disabling an Active one is a graceful stop: priority 0, serve until successor heard, then Initialize.
    pub fn set_enabled(&mut self, now: Instant, key: VrKey, on: bool) -> Result<(), Error> {
        todo!()
    }
    /// Overrides the configured priority; None: back to the configured one.
    pub fn set_priority(
        &mut self,
        now: Instant,
        key: VrKey,
        priority: Option<Priority>,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Gives up being Active, and does not preempt after.
    pub fn resign(&mut self, now: Instant, key: VrKey) -> Result<(), Error> {
        todo!()
    }
    pub fn set_interface(
        &mut self,
        now: Instant,
        ifindex: u32,
        state: InterfaceState,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Fails with Error::InUse while a virtual router is on it.
    pub fn remove_interface(&mut self, now: Instant, ifindex: u32) -> Result<(), Error> {
        todo!()
    }
    pub fn interface(&self, ifindex: u32) -> Option<&InterfaceState> {
        todo!()
    }
    pub fn set_tracked(&mut self, now: Instant, object: u16, up: bool) {
        todo!()
    }
    pub fn handle_frame(&mut self, now: Instant, ifindex: u32, frame: &[u8]) -> Verdict {
        todo!()
    }
    pub fn handle_packet(&mut self, now: Instant, meta: &PacketMeta, message: &[u8]) -> Verdict {
        todo!()
    }
    pub fn handle_timeout(&mut self, now: Instant) {
        todo!()
    }
    pub fn handle_failure(&mut self, now: Instant, failure: Failure) {
        todo!()
    }
    pub fn poll_output<'b>(&mut self, buf: &'b mut [u8]) -> Option<Output<'b>> {
        todo!()
    }
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }
    /// The answer to an ARP request or NS for a virtual address that is Active here; for ports whose stack does not answer.
    pub fn answer<'b>(
        &self,
        ifindex: u32,
        frame: &[u8],
        buf: &'b mut [u8],
    ) -> Option<Transmit<'b>> {
        todo!()
    }
    pub fn status(&self, key: VrKey) -> Option<Status> {
        todo!()
    }
    pub fn keys(&self) -> impl Iterator<Item = VrKey> + '_ {
        [].into_iter()
    }
    pub fn addresses(&self, key: VrKey) -> impl Iterator<Item = VirtualAddress> + '_ {
        [].into_iter()
    }
    pub fn statistics(&self, key: VrKey) -> Option<&Statistics> {
        todo!()
    }
    /// Drops that belong to no virtual router.
    pub fn drops(&self) -> &DropCounters {
        todo!()
    }
}
