//! The task that moves frames and keeps time.

use core::future::{Future, poll_fn};
use core::net::IpAddr;
use core::pin::pin;
use core::task::{Context, Poll};

use embassy_net_driver::{Checksum, Driver, HardwareAddress, LinkState, RxToken as _};
use embassy_time::Timer;
use vrrp_core::gate::mac_filter::{MacFilter, Unfiltered};
use vrrp_core::gate::{Action, Addressee, Discard, Received, max_frame_len, zero_checksums};
use vrrp_core::{Instant, InterfaceState, MacAddr};

use crate::frames::{FRAME_LEN, Slot, State, bit};
use crate::{Control, MAX_FRAME_LEN};

/// How often the stacks are given a turn to make room before frames for them give way to others.
const PATIENCE: u8 = 2;

/// Frames that are taken in before other tasks have their turn. More than a device's ring holds: an
/// advertisement that has arrived is heard before a timer is believed (T-8).
const BURST: usize = 64;

/// The VRRP task. It owns the device; call [`run`](Self::run) in a task of its own.
pub struct Runner<
    'd,
    D: Driver,
    const VRS: usize,
    const ADDRS: usize,
    const FRAME: usize = FRAME_LEN,
    F = Unfiltered,
> {
    pub(crate) device: D,
    pub(crate) filter: F,
    pub(crate) control: Control<'d, VRS, ADDRS, FRAME>,
    /// How often in a row the stacks were waited for in vain.
    pub(crate) waited: u8,
}

impl<D: Driver, const VRS: usize, const ADDRS: usize, const FRAME: usize, F> core::fmt::Debug
    for Runner<'_, D, VRS, ADDRS, FRAME, F>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

/// The outcome of taking in one frame.
enum Taken {
    Frame,
    NoFrame,
    NoRoom,
}

impl<'d, D: Driver, const VRS: usize, const ADDRS: usize, const FRAME: usize>
    Runner<'d, D, VRS, ADDRS, FRAME>
{
    /// Has a filter told which MACs the device has to let in, whenever that changes.
    #[must_use = "the runner with the filter takes the place of this one"]
    pub fn with_filter<F: MacFilter<D>>(self, filter: F) -> Runner<'d, D, VRS, ADDRS, FRAME, F> {
        Runner {
            device: self.device,
            filter,
            control: self.control,
            waited: self.waited,
        }
    }
}

impl<D: Driver, const VRS: usize, const ADDRS: usize, const FRAME: usize, F: MacFilter<D>>
    Runner<'_, D, VRS, ADDRS, FRAME, F>
{
    /// Runs VRRP for as long as the task lives. It sleeps until a frame, a deadline, or a call of
    /// the [`Control`] handle.
    pub async fn run(&mut self) -> ! {
        loop {
            poll_fn(|cx| {
                self.poll(cx);
                Poll::<()>::Pending
            })
            .await;
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Ok(mut runner) = self.control.inner.runner.try_borrow_mut() {
            runner.register(cx.waker());
        }
        let now = crate::now();
        self.look_at_interface(now, cx);
        self.send_from_stacks(cx);
        let mut due = None;
        if self.receive_all(now, cx) {
            // T-8: only after the frames that have arrived.
            self.control.with(|gate| {
                due = gate.poll_timeout().filter(|due| *due <= now);
                gate.handle_timeout(now);
            });
        }
        self.act(now, cx);
        if let Some(due) = due {
            self.control.inner.done(due, crate::now());
        }
        self.sleep(cx);
    }

    fn look_at_interface(&mut self, now: Instant, cx: &mut Context<'_>) {
        let inner = self.control.inner;
        let up = self.device.link_state(cx) == LinkState::Up;
        if let HardwareAddress::Ethernet(mac) = self.device.hardware_address() {
            inner.mac.set(MacAddr(mac));
        }
        let own = inner.own.get();
        let state = InterfaceState {
            up,
            mac: inner.mac.get(),
            ipv4: own.ipv4,
            ipv6: own.ipv6,
        };
        self.control.with(|gate| {
            if gate.interface() != state {
                gate.set_interface(now, state);
            }
        });
        if inner.link_up.replace(up) != up {
            self.control.wake_stacks();
        }
    }

    /// Sends what the stacks have written, if it may be sent still. Without a link it is gone.
    fn send_from_stacks(&mut self, cx: &mut Context<'_>) {
        let inserts = Inserts::of(&self.device);
        let mut sent = false;
        while let Some(slot) = self.control.frames.first(|s| s == State::ToWire) {
            if self.control.inner.link_up.get() {
                let Some(token) = self.device.transmit(cx) else {
                    break;
                };
                let passes = |frame: &mut [u8]| self.control.with(|gate| gate.send(frame).is_ok());
                if slot.read(passes) == Some(true) {
                    slot.read(|frame| send(token, frame, inserts));
                }
            }
            slot.state.set(State::Free);
            sent = true;
        }
        if sent {
            self.control.wake_stacks();
        }
    }

    /// Takes in frames until there are none, or none can be taken before the stacks have made room,
    /// or other tasks want a turn. Whether the timers can be believed.
    fn receive_all(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        for _ in 0..BURST {
            match self.receive(now, cx) {
                Taken::Frame => {}
                Taken::NoFrame => {
                    self.control.inner.wants_room.set(false);
                    self.waited = 0;
                    return true;
                }
                Taken::NoRoom => {
                    self.control.inner.wants_room.set(true);
                    self.waited += 1;
                    // The stacks are awake: let them run, and come back.
                    cx.waker().wake_by_ref();
                    return false;
                }
            }
        }
        cx.waker().wake_by_ref();
        true
    }

    fn receive(&mut self, now: Instant, cx: &mut Context<'_>) -> Taken {
        let control = self.control;
        let room = control.frames.room();
        if room.is_none() && self.waited < PATIENCE {
            return Taken::NoRoom;
        }
        let inserts = Inserts::of(&self.device);
        let Some((received, token)) = self.device.receive(cx) else {
            return Taken::NoFrame;
        };
        let mut buf = [0; max_frame_len(0)];
        let answer = received.consume(|frame| {
            match control.with(|gate| gate.receive(now, frame, &mut buf))? {
                Received::Stack { to, virtual_mac } => {
                    let slot = hand_over(&control, room, stacks_of(&control, to), frame);
                    if let Some(slot) = slot.filter(|_| virtual_mac) {
                        control.with(|gate| slot.read(|frame| gate.show_own_mac(frame)));
                    }
                    None
                }
                Received::Answer { frame, lesson } => {
                    if let Some((learner, lesson)) = lesson {
                        let stacks = stacks_of(&control, Addressee::Virtual(learner));
                        hand_over(&control, room, stacks, lesson);
                    }
                    Some(frame)
                }
                Received::Engine | Received::Discarded(_) => None,
            }
        });
        if let Some(frame) = answer {
            send(token, frame, inserts);
        }
        Taken::Frame
    }

    /// Does what the gate asks for.
    fn act(&mut self, now: Instant, cx: &mut Context<'_>) {
        let control = self.control;
        let inserts = Inserts::of(&self.device);
        let mut buf = [0; MAX_FRAME_LEN];
        loop {
            let token = match control.inner.link_up.get() {
                true => self.device.transmit(cx),
                false => None,
            };
            let Ok(mut gate) = control.inner.gate.try_borrow_mut() else {
                return;
            };
            let action = gate.poll(now, token.is_some(), &mut buf);
            drop(gate);
            match action {
                None => return,
                Some(Action::Send(frame)) => {
                    if let Some(token) = token {
                        send(token, frame, inserts);
                    }
                }
                Some(Action::SetFilter) => {
                    drop(token);
                    let (filter, device) = (&mut self.filter, &mut self.device);
                    control.with(|gate| filter.set(device, &mut gate.macs()));
                }
                Some(Action::SetAddress { address, on, .. }) => {
                    let seats = control.seats.iter();
                    for seat in seats.filter(|seat| seat.has(address.address)) {
                        seat.set_served(address.address, on);
                    }
                }
                Some(Action::StateChange(_) | Action::Removed { .. }) => control.inner.changed(),
            }
        }
    }

    /// Has the task woken at the next deadline.
    fn sleep(&mut self, cx: &mut Context<'_>) {
        let Some(Some(deadline)) = self.control.with(|gate| gate.poll_timeout()) else {
            return;
        };
        let deadline = embassy_time::Instant::from_micros(deadline.as_micros());
        if pin!(Timer::at(deadline)).poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

/// Queues a frame for the stacks of a bitmap. When the queue is full the frame that has waited longest
/// is replaced, so that a stack that does not run keeps nothing from the others.
fn hand_over<'d, const VRS: usize, const ADDRS: usize, const FRAME: usize>(
    control: &Control<'d, VRS, ADDRS, FRAME>,
    room: Option<&'d Slot<FRAME>>,
    stacks: u16,
    frame: &[u8],
) -> Option<&'d Slot<FRAME>> {
    let waiting = |state| matches!(state, State::ToStacks(_));
    let slot = room.or_else(|| control.frames.first(waiting));
    let slot = slot.filter(|_| frame.len() <= FRAME);
    if room.is_none() || slot.is_none() {
        control.with(|gate| gate.count_discard(Discard::NoRoom));
    }
    let slot = slot?;
    slot.write(frame.len(), |slot| copy(frame, slot));
    control.frames.put(slot, State::ToStacks(stacks));
    wake(control, stacks);
    Some(slot)
}

/// The checksums that a device fills in, and wants to be zero until then.
#[derive(Clone, Copy)]
struct Inserts {
    ipv4: bool,
    icmpv6: bool,
}

impl Inserts {
    // A driver that has them as constants leaves nothing of this in the program.
    fn of(device: &impl Driver) -> Self {
        let checksum = device.capabilities().checksum;
        let inserts = |kind| !matches!(kind, Checksum::Both | Checksum::Tx);
        Self {
            ipv4: inserts(checksum.ipv4),
            icmpv6: inserts(checksum.icmpv6),
        }
    }
}

fn send(token: impl embassy_net_driver::TxToken, frame: &[u8], inserts: Inserts) {
    token.consume(frame.len(), |buf| {
        copy(frame, buf);
        if inserts.ipv4 || inserts.icmpv6 {
            zero_checksums(buf, inserts.ipv4, inserts.icmpv6);
        }
    });
}

fn copy(from: &[u8], to: &mut [u8]) {
    // They are of one length, which the compiler does not know.
    if from.len() == to.len() {
        to.copy_from_slice(from);
    }
}

/// The bitmap of the stacks that a frame is for.
fn stacks_of<const VRS: usize, const ADDRS: usize, const FRAME: usize>(
    control: &Control<'_, VRS, ADDRS, FRAME>,
    to: Addressee,
) -> u16 {
    const OWN: u16 = 1;
    let of = |wanted: &dyn Fn(&crate::stack::Seat) -> bool| {
        let seats = (0u8..).zip(control.seats).filter(|(_, seat)| wanted(seat));
        seats.fold(0, |stacks, (index, _)| stacks | bit(index))
    };
    let virtual_address = |address: IpAddr| match of(&|seat| seat.has(address)) {
        // The owner's address is that of the host's own stack.
        0 => OWN,
        stacks => stacks,
    };
    match to {
        Addressee::Own => OWN,
        Addressee::Virtual(address) => virtual_address(address),
        Addressee::All => OWN | of(&|seat| seat.serves()),
    }
}

fn wake<const VRS: usize, const ADDRS: usize, const FRAME: usize>(
    control: &Control<'_, VRS, ADDRS, FRAME>,
    stacks: u16,
) {
    for (index, seat) in (0u8..).zip(control.seats) {
        if stacks & bit(index) != 0 {
            seat.wake();
        }
    }
}
