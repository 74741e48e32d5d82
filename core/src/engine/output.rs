//! The outputs for the port, and the answers to neighbour requests.

use super::neighbor::NeighborRequest;
use super::table::Lane;
use super::vr::{Next, Step, transmit};
use super::{Engine, SMALL};
use crate::output::{FrameKind, Output, Poll, Transmit};
use crate::time::Instant;
use crate::types::VrKey;

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Engine<IFS, VRS, ADDRS> {
    /// Gives the next thing to do, in order. A buffer of [`MAX_FRAME_LEN`](Self::MAX_FRAME_LEN) octets
    /// fits every frame.
    ///
    /// The outputs of a virtual router come in one piece, but for advertisements that wait for
    /// nothing: they come before everything else. So a port whose effects take long may stop after
    /// any output, take other inputs, call [`handle_timeout`](Self::handle_timeout), and go on here.
    pub fn poll_output<'b>(&mut self, buf: &'b mut [u8]) -> Poll<'b> {
        // Most inputs leave nothing to say.
        if !self.has_output() {
            return Poll::Done;
        }
        self.next_output(buf)
    }

    /// Whether something is left to do.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.table.front().is_some()
    }

    /// The next thing to do, if it is an advertisement that waits for nothing: for a port in the
    /// midst of something long, whose outputs come later. `None` also if the MAC that it is sent from
    /// was lost: then [`poll_output`](Self::poll_output) gives that first.
    #[must_use = "an output that is not performed is lost"]
    pub fn poll_advertisement<'b>(&mut self, buf: &'b mut [u8]) -> Option<Transmit<'b>> {
        while let (index, Lane::Urgent) = self.table.front()? {
            let vr = self.table.get(index)?;
            if vr.is_urgent() {
                return if vr.lacks_mac() {
                    None
                } else {
                    self.urgent_advertisement(index, buf)
                };
            }
            self.table.dequeue(Lane::Urgent);
        }
        None
    }

    /// The advertisement of the virtual router at the front of the urgent lane. Returns `None` if it does
    /// not fit.
    #[inline(always)]
    fn urgent_advertisement<'b>(&mut self, index: u16, buf: &'b mut [u8]) -> Option<Transmit<'b>> {
        let (vr, iface) = self.at(index)?;
        let (key, unicast) = (vr.key(), vr.next_destination());
        let emitted = vr.emit_advert(iface, unicast, buf)?;
        if !vr.is_urgent() {
            self.table.dequeue(Lane::Urgent);
        }
        let kind = FrameKind::Advertisement;
        Some(transmit(key, emitted, kind, unicast, buf))
    }

    /// Directly after an [`Output::SetAddress`] for `key`: the next thing to do, if it is another one
    /// for it. For a port that can install several addresses at once.
    #[must_use = "an output that is not performed is lost"]
    pub fn poll_further_address(&mut self, key: VrKey) -> Option<Output<'static>> {
        let (index, Lane::Rest) = self.table.front()? else {
            return None;
        };
        let vr = self.table.get_mut(index).filter(|vr| vr.key() == key)?;
        let change = vr.next_address_change()?;
        Some(change.output(key))
    }

    // One copy: poll_output is called from many places, mostly with nothing to give. It saves 22
    // instructions of each advertisement that a C program sends (`cargo xtask bench`).
    #[inline(never)]
    fn next_output<'b>(&mut self, buf: &'b mut [u8]) -> Poll<'b> {
        while let Some((index, lane)) = self.table.front() {
            let Some((vr, iface)) = self.at(index) else {
                break;
            };
            let next = if SMALL || lane == Lane::Rest {
                vr.next_step(iface, buf)
            } else if !vr.is_urgent() {
                Next::Idle
            } else if let Some(step) = vr.urgent_mac_step() {
                Next::Step(step)
            } else {
                // The periodic advertisement: the most frequent output of all.
                return match self.urgent_advertisement(index, buf) {
                    Some(frame) => Poll::Output(Output::Transmit(frame)),
                    None => Poll::BufferTooSmall,
                };
            };
            let step = match next {
                Next::BufferTooSmall => return Poll::BufferTooSmall,
                Next::Idle => {
                    self.table.dequeue(lane);
                    continue;
                }
                Next::Step(step) => step,
            };
            let removed = matches!(step, Step::Removed);
            let output = vr.output(iface, step, buf);
            if removed {
                self.table.dequeue(lane);
                self.deadlines.set(index, Instant::NEVER);
                self.table.remove(index);
            }
            return Poll::Output(output);
        }
        Poll::Done
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called at the latest. `None`: not
    /// before something else happens. Of many deadlines it may be a point before the first.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Writes the answer to an ARP request or a neighbour solicitation for an address that is
    /// served here, for ports whose own stack must not give it (M-3). `None`: no answer is due.
    ///
    /// It searches the addresses of the virtual routers of the interface.
    #[must_use = "an answer has to be sent"]
    pub fn answer<'b>(
        &self,
        ifindex: u32,
        frame: &[u8],
        buf: &'b mut [u8],
    ) -> Option<Transmit<'b>> {
        let request = NeighborRequest::new(frame)?;
        let slot = self.interface_index(ifindex)?;
        let iface = self.interfaces.get(usize::from(slot))?;
        let mut routers = self.table.on(slot);
        let (key, (emitted, kind)) =
            routers.find_map(|vr| Some((vr.key(), vr.answer(iface, &request, buf)?)))?;
        Some(transmit(key, emitted, kind, None, buf))
    }
}
