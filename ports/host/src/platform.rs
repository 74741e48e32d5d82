//! The seam between the host loop and a port to an operating system.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use vrrp_core::{
    Failure, Family, Instant, InterfaceState, MacAddr, Transmit, VirtualAddress, VrKey,
};

use crate::error::PlatformError;
use crate::facts::HostFacts;
use crate::host_if::HostIf;
use crate::setup::VrSetup;

/// An operating system, or a fake one in a test.
///
/// The host names an interface by its [`HostIf`], which stays the same when the interface goes and comes
/// back with another index of the kernel. Nothing blocks.
pub trait Platform {
    /// The descriptor that becomes readable when [`receive`](Platform::receive) has something, or
    /// when the wake-up time has come. It is the same for the life of the platform.
    fn fd(&self) -> RawFd;

    /// The monotonic clock.
    fn now(&self) -> Instant;

    /// The wall clock: the time since 1970 in UTC. It is read at each step of a host that has keys, so it is
    /// to be cheap. `None`, as here: there is none, and nothing can be signed by the time.
    fn since_epoch(&self) -> Option<vrrp_core::Duration> {
        None
    }

    /// Whether the wall clock is known to be right, as adjtimex(2) knows it. Asked about once a second.
    fn is_clock_synchronised(&self) -> bool {
        false
    }

    /// Makes [`fd`](Platform::fd) readable at `at`, or at once if that has passed; `None`: the host
    /// wants no wake-up. Replaces the deadline that the host has set before.
    ///
    /// The platform alone knows what the timer is set to. The host calls this after everything that it
    /// does, even with the same deadline. The platform makes a system call only where one is needed. No
    /// other call changes the host's deadline, and only [`receive`](Platform::receive)
    /// ends it, by its having come. A platform that has something to report or to do at some time
    /// keeps a deadline of its own beside the host's and wakes at the earlier one, as
    /// `vrrp_port_kit::WakeUp` does.
    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()>;

    /// The deadline that the timer has now, which is no later than the host's. The host checks it in
    /// debug builds.
    fn wakeup(&self) -> Option<Instant>;

    /// Waits until [`receive`](Platform::receive) has something or the wake-up time has come, which
    /// is `true`, one of `others` is ready or `timeout` has passed (`None`: for ever), or for less.
    /// From then on it may be that [`fd`](Platform::fd) is not readable when it should be: all
    /// waiting is to be done here.
    ///
    /// `None`, as here: the platform has no better way than to wait on its descriptor beside others.
    fn wait(
        &mut self,
        others: &mut [Waited],
        timeout: Option<Duration>,
    ) -> Option<io::Result<bool>> {
        let _ = (others, timeout);
        None
    }

    /// Takes in what has arrived, without blocking and bounded in number, and gives each item to
    /// `sink`. Facts about interfaces come before frames. Clears the readiness of a wake-up that has
    /// come, and then the host sets the next.
    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()>;

    /// Begins to watch the interface called `name` as `host_if`. It need not exist
    /// yet. The next [`receive`](Platform::receive) reports its state.
    fn watch(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError>;

    /// Ceases to watch an interface.
    fn unwatch(&mut self, host_if: HostIf);

    /// Prepares a virtual router on a watched interface. It opens the socket, creates the interface for the
    /// virtual MAC (still deaf and silent), and sets the sysctls by which one MAC alone answers. When the
    /// interface does not exist yet this is done when it comes. Called again with the same key it
    /// replaces the setup with the least disturbance.
    ///
    /// An error is that of this virtual router alone, and says what to do. The host then releases
    /// it, and asks again after a back-off and when the state of the interface changes. It also asks
    /// again for all virtual routers of an interface that has come: it may be of another kind now.
    fn prepare(&mut self, setup: &VrSetup) -> Result<(), PlatformError>;

    /// Undoes [`prepare`](Platform::prepare), also one that was refused. Addresses and MAC have been
    /// given up before. What cannot be undone is tried again, and noted for the next life.
    fn release(&mut self, key: VrKey);

    /// Queues a frame. Errors are counted and logged by the platform: the protocol repeats itself.
    fn transmit(&mut self, transmit: &Transmit<'_>);

    /// Queues a frame that announces an address on a watched interface that carries it for a virtual
    /// router of another interface.
    fn announce(&mut self, host_if: HostIf, frame: &[u8]);

    /// Queues a frame that asks for a neighbour on a watched interface, from its own address and MAC.
    fn probe(&mut self, host_if: HostIf, frame: &[u8]) {
        self.announce(host_if, frame);
    }

    /// Sends what is queued.
    fn flush(&mut self);

    /// Performs [`Output::SetMac`](vrrp_core::Output::SetMac). What cannot be given up the platform
    /// tries again by itself until it is, and warns: the engine does not ask twice.
    fn set_mac(&mut self, key: VrKey, mac: MacAddr, on: bool) -> Result<(), PlatformError>;

    /// Performs [`Output::SetAddress`](vrrp_core::Output::SetAddress). An address that was there
    /// before us is left in place when it is given up; what cannot be given up is tried again as with
    /// [`set_mac`](Platform::set_mac). When a reload moves an address from one
    /// virtual router to another it may for a moment belong to both, and goes when both have given
    /// it up.
    fn set_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Result<(), PlatformError>;

    /// How many changes of addresses [`set_addresses`](Platform::set_addresses) is given at once, at
    /// most. They may take a millisecond or two together: advertisements wait for them.
    fn addresses_at_once(&self) -> usize {
        1
    }

    /// Performs changes of one virtual router's addresses in this order, as
    /// [`set_address`](Platform::set_address) does. Returns the result of each.
    fn set_addresses(
        &mut self,
        key: VrKey,
        changes: &[AddressChange],
    ) -> Vec<Result<(), PlatformError>> {
        let changes = changes.iter();
        changes
            .map(|change| self.set_address(key, change.address, change.accept, change.on))
            .collect()
    }

    /// Performs [`Output::SetGroup`](vrrp_core::Output::SetGroup). For as long as a group is joined, VRRP of
    /// its family is heard on the interface, be a virtual router there or not: the host listens so for copies
    /// of advertisements ([`VrSpec::heartbeat`](crate::VrSpec::heartbeat)).
    fn set_group(&mut self, host_if: HostIf, family: Family, on: bool)
    -> Result<(), PlatformError>;

    /// The source MAC of frames that `key` sends is chosen by the engine; this is the name of the
    /// interface that carries the virtual MAC, for status. `None`: the interface's own MAC is used.
    fn mac_interface(&self, key: VrKey) -> Option<String>;

    /// Whether a frame to the virtual MAC of `key` has ever arrived, since that has been there. `None`, as
    /// here: it is not counted.
    fn mac_was_reached(&self, key: VrKey) -> Option<bool> {
        let _ = key;
        None
    }

    /// How many TCP connections of addresses that were given up have been reset, since this platform was
    /// opened.
    fn connections_reset(&self) -> u64 {
        0
    }

    /// How many routes and rules of virtual routers another program had removed and were installed again,
    /// since this platform was opened.
    fn routing_restored(&self) -> u64 {
        0
    }

    /// The facts that a new configuration is judged against: the host as it would be without what
    /// this platform has installed. An error, as here: nobody can tell.
    fn facts(&self) -> HostFacts {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Appends the conditions that hold now and that an administrator should know of.
    ///
    /// To add a condition, derive it here from facts that the platform knows: links, settings, effects
    /// that failed. Never derive it from a remembered event: it has to end when its cause ends.
    /// The text is the condition's identity: it names interfaces, addresses and settings, and what
    /// to do; it holds no age and no counter, and stays the same while the condition lasts. The
    /// daemon shows each as a `warning` line and logs its beginning and its end. A port appends
    /// nothing, and allocates nothing, while all is well: this is called about once a second.
    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        let _ = list;
    }
}

/// A condition that holds now. See [`Platform::warnings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformWarning {
    /// The part of the configuration that suffers.
    pub subject: Subject,
    /// The condition in words.
    pub text: String,
}

/// The part of the configuration that a [`PlatformWarning`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The whole host.
    Host,
    /// A watched interface, by the host's number.
    Interface(HostIf),
    /// A virtual router.
    VirtualRouter(VrKey),
}

/// An address to serve or to give up, of [`Output::SetAddress`](vrrp_core::Output::SetAddress).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressChange {
    /// The address and its prefix.
    pub address: VirtualAddress,
    /// Whether packets to it are for this host.
    pub accept: bool,
    /// Serve or give up.
    pub on: bool,
}

/// A descriptor that is waited for beside the platform's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// The descriptor. It does not block, for it may be called ready when it is not.
    pub fd: RawFd,
    /// Whether room to write to it is waited for, and not something to read.
    pub write: bool,
    /// Set by the wait when it has what is waited for, an error, or come to its end.
    pub ready: bool,
}

/// An input that [`Platform::receive`] delivers.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// The state of a watched interface, whenever it may have changed.
    Interface {
        /// The host's number of the interface.
        host_if: HostIf,
        /// Its state. All false and `None` when it does not exist.
        state: InterfaceState,
    },
    /// Something that we had installed is gone, and not by us.
    Lost(Failure),
    /// A frame from a watched interface, from its Ethernet header on: VRRP, or ARP and NS where the
    /// kernel does not answer for a virtual address.
    Frame {
        /// The host's number of the interface.
        host_if: HostIf,
        /// The frame.
        frame: &'a [u8],
    },
    /// A frame in which a host says that it has an address of ours, that is not to be answered: an ARP
    /// packet with it as the sender, or a neighbour advertisement. A port that gives it as a
    /// [`Frame`](Incoming::Frame) may have it answered.
    Announcement {
        /// The host's number of the interface.
        host_if: HostIf,
        /// The frame.
        frame: &'a [u8],
    },
}
