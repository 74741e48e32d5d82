//! Privilege separation: a [`Platform`] in two processes.
//!
//! The worker has the [`Host`](vrrp_host::Host) and parses what strangers send. Its platform is a
//! [`Worker`], which asks the parent by [`Request`]s for what it needs. The parent has the rights to
//! change the network: its [`Server`] carries out what [`Guard`] finds in the configuration that the
//! parent read itself. So a fault in the parser cannot install other addresses or use other interfaces.
//! Frames do not go this way: the descriptors to hear and send them are handed over, and [`Frames`] is
//! what an operating system does with them.
//!
//! Requests and [`Message`]s are octets, one datagram each, in a stream: see [`packed`] and
//! [`Inbox`].

#[cfg(test)]
mod both_tests;
mod channel;
mod codec;
mod guard;
mod inbox;
mod server;
#[cfg(test)]
mod tests;
mod worker;

use vrrp_core::{Failure, Family, InterfaceState, MacAddr, VirtualAddress, VrKey};

pub use channel::Channel;
pub use guard::{Guard, Refused};
pub use inbox::{Inbox, TooLong, packed};
pub use server::{PrivilegedPlatform, Server, hand_over_left};
pub use worker::{Frames, Worker};

use vrrp_host::{HostIf, Incoming, Platform, PlatformError, PlatformWarning, Subject, VrSetup};

/// The longest request or message in octets; what is longer is refused. A virtual router with all the
/// addresses, routes and rules that it may have, each as long as it can be, fits.
pub const MAX_DATAGRAM: usize = 56 * 1024;

/// A request of the worker. Each is answered with [`Message::Done`], in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// [`Platform::watch`].
    Watch {
        /// The host's number for it.
        host_if: HostIf,
        /// Its name.
        name: String,
    },
    /// [`Platform::unwatch`].
    Unwatch {
        /// The host's number for it.
        host_if: HostIf,
    },
    /// [`Platform::prepare`].
    Prepare(VrSetup),
    /// [`Platform::release`].
    Release {
        /// The virtual router.
        key: VrKey,
    },
    /// [`Platform::set_mac`].
    SetMac {
        /// The virtual router.
        key: VrKey,
        /// Its virtual MAC.
        mac: MacAddr,
        /// Take up or give up.
        on: bool,
    },
    /// [`Platform::set_address`].
    SetAddress {
        /// The virtual router.
        key: VrKey,
        /// The address and its prefix.
        address: VirtualAddress,
        /// Whether packets to it are for this host.
        accept: bool,
        /// Begin or cease.
        on: bool,
    },
    /// [`Platform::set_group`].
    SetGroup {
        /// The host's number of the interface.
        host_if: HostIf,
        /// The family.
        family: Family,
        /// Join or leave.
        on: bool,
    },
    /// [`Platform::transmit`] of an advertisement to a unicast peer, which needs the kernel's
    /// neighbours and routes.
    Send(Unicast),
    /// [`Platform::flush`].
    Flush,
}

/// A frame for a unicast peer: [`Transmit`](vrrp_core::Transmit), owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unicast {
    /// The virtual router that it speaks for.
    pub key: VrKey,
    /// The peer.
    pub to: std::net::IpAddr,
    /// The first octet of the IP header.
    pub ip_offset: u16,
    /// The first octet of the VRRP message.
    pub payload_offset: u16,
    /// The whole frame.
    pub frame: Vec<u8>,
}

/// A message of the parent.
#[derive(Debug)]
pub enum Message {
    /// The result of the oldest request that was not answered.
    Done(Result<(), PlatformError>),
    /// [`Incoming::Interface`].
    Interface {
        /// The host's number of the interface.
        host_if: HostIf,
        /// Its state.
        state: InterfaceState,
    },
    /// [`Incoming::Lost`].
    Lost(Failure),
    /// [`Platform::warnings`], in place of those before.
    Warnings(Vec<PlatformWarning>),
    /// So many more connections than before: [`Platform::connections_reset`].
    ConnectionsReset(u64),
    /// So many more routes and rules than before: [`Platform::routing_restored`].
    RoutingRestored(u64),
    /// A descriptor comes with this datagram, in place of the one before at that place.
    Open(Place),
    /// The descriptor at that place is of no use any more.
    Close(Place),
    /// A link of this host, in place of the one of the same index.
    Link {
        /// The kernel's index.
        index: u32,
        /// The link. `None`: it is gone.
        link: Option<Link>,
    },
    /// [`Platform::mac_was_reached`].
    Reached {
        /// The virtual router.
        key: VrKey,
        /// Whether its MAC was.
        reached: Option<bool>,
    },
}

/// A link of this host, as the worker has to know it to judge frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its own MAC.
    pub mac: MacAddr,
    /// The purpose that it serves here.
    pub role: LinkRole,
}

/// The purpose of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkRole {
    /// None.
    Other,
    /// The host watches it.
    Interface(HostIf),
    /// It carries the MAC of a virtual router, and is called so.
    Carrier(VrKey, String),
}

/// The purpose of a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Hears or sends on an interface; the number is the port's, which may have several for one.
    Interface(HostIf, u8),
    /// Sends for a virtual router that has an interface of its own, called so.
    Carrier(VrKey, String),
}

/// Carries out a request that the guard has let through.
pub fn perform(platform: &mut impl Platform, request: &Request) -> Result<(), PlatformError> {
    match request {
        Request::Watch { host_if, name } => platform.watch(*host_if, name),
        Request::Unwatch { host_if } => {
            platform.unwatch(*host_if);
            Ok(())
        }
        Request::Prepare(setup) => platform.prepare(setup),
        Request::Release { key } => {
            platform.release(*key);
            Ok(())
        }
        Request::SetMac { key, mac, on } => platform.set_mac(*key, *mac, *on),
        Request::SetAddress {
            key,
            address,
            accept,
            on,
        } => platform.set_address(*key, *address, *accept, *on),
        Request::SetGroup {
            host_if,
            family,
            on,
        } => platform.set_group(*host_if, *family, *on),
        Request::Send(unicast) => {
            platform.transmit(&unicast.transmit());
            Ok(())
        }
        Request::Flush => {
            platform.flush();
            Ok(())
        }
    }
}

impl Unicast {
    fn transmit(&self) -> vrrp_core::Transmit<'_> {
        vrrp_core::Transmit {
            key: self.key,
            frame: &self.frame,
            ip_offset: self.ip_offset,
            payload_offset: self.payload_offset,
            kind: vrrp_core::FrameKind::Advertisement,
            unicast: Some(self.to),
        }
    }
}

impl Message {
    /// The message for what a platform delivered. `None`: a frame, which does not go this way.
    pub fn of(incoming: Incoming<'_>) -> Option<Self> {
        match incoming {
            Incoming::Interface { host_if, state } => Some(Message::Interface { host_if, state }),
            Incoming::Lost(failure) => Some(Message::Lost(failure)),
            Incoming::Frame { .. } | Incoming::Announcement { .. } => None,
        }
    }

    /// The message with the warnings of a platform; with those that fit, where they are many.
    pub fn of_warnings(platform: &impl Platform) -> Self {
        let mut warnings = Vec::new();
        platform.warnings(&mut warnings);
        let fits = |kept: &[PlatformWarning]| {
            let octets: usize = kept.iter().map(codec::warning_len).sum();
            octets <= MAX_DATAGRAM / 2
        };
        if !fits(&warnings) {
            while !fits(&warnings) {
                warnings.pop();
            }
            warnings.push(PlatformWarning {
                subject: Subject::Host,
                text: "there are more warnings than are shown".into(),
            });
        }
        Message::Warnings(warnings)
    }
}
