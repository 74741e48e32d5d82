//! The middleware: smoltcp's device whose tokens lead every frame through the gate.

use core::cell::{Cell, RefCell};

use smoltcp::phy::{self, Device, DeviceCapabilities, PacketMeta};
use smoltcp::time::Instant;
use vrrp_core::gate::{Discard, Gate, Received, zero_checksums};

use crate::{Vrrp, engine_time};

/// For `Interface::new`. Poll it by [`Vrrp::poll`], not by `Interface::poll`.
impl<D: Device, const VRS: usize, const ADDRS: usize, const FRAME: usize, F> Device
    for Vrrp<D, VRS, ADDRS, FRAME, F>
{
    type RxToken<'a>
        = RxToken<'a, D::RxToken<'a>, VRS, ADDRS>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, D::TxToken<'a>, VRS, ADDRS>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.send_answer(now);
        let inserts = Inserts::of(&self.device);
        let (received, token) = self.device.receive(now)?;
        let received = RxToken {
            inner: received,
            gate: &self.gate,
            scratch: &mut self.scratch,
            answer_len: &self.answer_len,
            now,
        };
        let token = TxToken {
            inner: token,
            gate: &self.gate,
            staged: &mut self.staged,
            inserts,
        };
        Some((received, token))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.send_answer(now);
        let inserts = Inserts::of(&self.device);
        Some(TxToken {
            inner: self.device.transmit(now)?,
            gate: &self.gate,
            staged: &mut self.staged,
            inserts,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = self.device.capabilities();
        let mtu = &mut capabilities.max_transmission_unit;
        *mtu = (*mtu).min(FRAME);
        capabilities
    }
}

impl<D: Device, const VRS: usize, const ADDRS: usize, const FRAME: usize, F>
    Vrrp<D, VRS, ADDRS, FRAME, F>
{
    /// Sends the answer that the last received frame has left. If the device takes none now it is
    /// gone: who asked asks again.
    pub(crate) fn send_answer(&mut self, now: Instant) {
        let Some(answer) = self.scratch.get(..self.answer_len.take()) else {
            return;
        };
        if answer.is_empty() {
            return;
        }
        let inserts = Inserts::of(&self.device);
        match self.device.transmit(now) {
            Some(token) => send(token, answer, inserts),
            None => self.gate.get_mut().count_discard(Discard::NoRoom),
        }
    }
}

/// The checksums that a device fills in, and wants to be zero until then.
#[derive(Clone, Copy)]
pub(crate) struct Inserts {
    ipv4: bool,
    icmpv6: bool,
}

impl Inserts {
    pub(crate) fn of(device: &impl Device) -> Self {
        let checksum = device.capabilities().checksum;
        Self {
            ipv4: !checksum.ipv4.tx(),
            #[cfg(feature = "ipv6")]
            icmpv6: !checksum.icmpv6.tx(),
            #[cfg(not(feature = "ipv6"))]
            icmpv6: false,
        }
    }
}

/// Sends a frame.
pub(crate) fn send(token: impl phy::TxToken, frame: &[u8], inserts: Inserts) {
    phy::TxToken::consume(token, frame.len(), |buf| {
        copy(frame, buf);
        zero_checksums(buf, inserts.ipv4, inserts.icmpv6);
    });
}

fn copy(from: &[u8], to: &mut [u8]) {
    // They are of one length, which the compiler does not know.
    if from.len() == to.len() {
        to.copy_from_slice(from);
    }
}

/// A received frame. The stack sees nothing of those that are not for it.
pub struct RxToken<'a, T, const VRS: usize, const ADDRS: usize> {
    inner: T,
    gate: &'a RefCell<Gate<VRS, ADDRS>>,
    scratch: &'a mut [u8],
    answer_len: &'a Cell<usize>,
    now: Instant,
}

impl<T, const VRS: usize, const ADDRS: usize> core::fmt::Debug for RxToken<'_, T, VRS, ADDRS> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RxToken").finish_non_exhaustive()
    }
}

impl<T: phy::RxToken, const VRS: usize, const ADDRS: usize> phy::RxToken
    for RxToken<'_, T, VRS, ADDRS>
{
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&[u8]) -> R,
    {
        let Self {
            inner,
            gate,
            scratch,
            answer_len,
            now,
        } = self;
        inner.consume(|frame| {
            // The gate is let go before the stack has the frame, to which it may answer.
            let shown = match gate.try_borrow_mut() {
                Ok(mut gate) => match gate.receive(engine_time(now), frame, scratch) {
                    Received::Stack { virtual_mac, .. } => match virtual_mac {
                        false => Some(frame),
                        true => under_own_mac(&mut gate, frame, scratch),
                    },
                    // The answer waits at the beginning of the buffer.
                    Received::Answer { frame, lesson } => {
                        answer_len.set(frame.len());
                        lesson.map(|(_, lesson)| lesson)
                    }
                    Received::Engine | Received::Discarded(_) => None,
                },
                Err(_) => None,
            };
            f(shown.unwrap_or(&[]))
        })
    }

    fn meta(&self) -> PacketMeta {
        self.inner.meta()
    }
}

/// A copy of a frame as the stack takes it. `None`: it is longer than any that this can take.
fn under_own_mac<'s, const VRS: usize, const ADDRS: usize>(
    gate: &mut Gate<VRS, ADDRS>,
    frame: &[u8],
    scratch: &'s mut [u8],
) -> Option<&'s [u8]> {
    let Some(shown) = scratch.get_mut(..frame.len()) else {
        gate.count_discard(Discard::NoRoom);
        return None;
    };
    copy(frame, shown);
    gate.show_own_mac(shown);
    Some(shown)
}

/// Room for a frame to send.
pub struct TxToken<'a, T, const VRS: usize, const ADDRS: usize> {
    inner: T,
    gate: &'a RefCell<Gate<VRS, ADDRS>>,
    staged: &'a mut [u8],
    inserts: Inserts,
}

impl<T, const VRS: usize, const ADDRS: usize> core::fmt::Debug for TxToken<'_, T, VRS, ADDRS> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TxToken").finish_non_exhaustive()
    }
}

impl<T: phy::TxToken, const VRS: usize, const ADDRS: usize> phy::TxToken
    for TxToken<'_, T, VRS, ADDRS>
{
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        // No frame is longer than the capabilities say.
        let len = len.min(self.staged.len());
        let Some(frame) = self.staged.get_mut(..len) else {
            return f(&mut []);
        };
        let result = f(frame);
        if let Ok(mut gate) = self.gate.try_borrow_mut()
            && gate.send(frame).is_ok()
        {
            send(self.inner, frame, self.inserts);
        }
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.inner.set_meta(meta);
    }
}
