//! What a [`Platform`](vrrp_host::Platform) keeps, whatever its operating system: interfaces that come
//! and go, addresses that are served, and the deadline of the timer. For those who write one.

use std::io;

use vrrp_core::wire::{arp, ethernet, ndisc};
use vrrp_core::{Failure, Family, InterfaceState, VirtualAddress, VrKey};

pub use crate::wakeup::WakeUp;
use vrrp_host::{Incoming, PlatformError};

/// What is open for one interface that is there. All memberships end with it.
pub trait Port {
    /// The operating system's number of the interface.
    fn index(&self) -> u32;

    /// Joins or leaves the group of a family; to be asked twice is no error.
    fn set_group(&mut self, family: Family, on: bool) -> io::Result<()>;
}

/// An interface that the host watches, whether it exists or not.
#[derive(Debug)]
pub struct Watched<P> {
    /// Its name.
    pub name: String,
    /// `None` while the interface does not exist.
    pub port: Option<P>,
    /// The groups that the host wants joined, to be joined again when the interface returns.
    groups: [bool; 2],
    /// What the host was told last.
    reported: Option<InterfaceState>,
    /// It went, and the host has not been told.
    departed: bool,
}

impl<P: Port> Watched<P> {
    /// Not there yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            port: None,
            groups: [false; 2],
            reported: None,
            departed: false,
        }
    }

    /// The operating system's number of the interface, while it is there.
    pub fn index(&self) -> Option<u32> {
        self.port.as_ref().map(Port::index)
    }

    /// Joins or leaves the group of a family, now and whenever the interface returns.
    pub fn set_group(&mut self, family: Family, on: bool) -> Result<(), PlatformError> {
        self.groups[family as usize] = on;
        let result = match &mut self.port {
            Some(port) => port.set_group(family, on),
            None => Ok(()),
        };
        result.map_err(|error| PlatformError::new(group_change(family, on, &self.name), error))
    }

    /// The interface is there. What is returned are the groups that cannot be joined: IPv6 may be
    /// off on it, which is no reason to be deaf to IPv4.
    pub fn arrive(&mut self, mut port: P) -> Vec<Family> {
        let wanted = [Family::Ipv4, Family::Ipv6]
            .into_iter()
            .filter(|f| self.groups[*f as usize]);
        let refused = wanted.filter(|family| port.set_group(*family, true).is_err());
        let refused = refused.collect();
        self.port = Some(port);
        refused
    }

    /// The interface is gone, or has another name.
    pub fn depart(&mut self) {
        self.departed |= self.port.take().is_some();
    }

    /// Tells the host the state of the interface, unless it knows. A departure is told first, even
    /// when the interface is back already: everything on it has to be done again.
    pub fn report(
        &mut self,
        ifindex: u32,
        state: InterfaceState,
        sink: &mut dyn FnMut(Incoming<'_>),
    ) {
        let departed = std::mem::take(&mut self.departed).then(InterfaceState::default);
        for state in departed.into_iter().chain([state]) {
            if self.reported != Some(state) {
                self.reported = Some(state);
                sink(Incoming::Interface { ifindex, state });
            }
        }
    }

    /// Whether the host was told last that the interface is up.
    pub fn is_known_up(&self) -> bool {
        self.reported.is_some_and(|reported| reported.up)
    }
}

/// The error of joining or leaving a group on an interface that is not watched.
pub fn unwatched(ifindex: u32, family: Family, on: bool) -> PlatformError {
    let what = group_change(family, on, &format!("interface {ifindex}"));
    PlatformError::new(what, io::ErrorKind::NotFound.into())
}

fn group_change(family: Family, on: bool, interface: &str) -> String {
    let verb = if on { "join" } else { "leave" };
    format!("{verb} {} on {interface}", family.group())
}

/// An address that a virtual router serves.
#[derive(Debug)]
pub struct Held<E> {
    /// The address.
    pub address: VirtualAddress,
    /// The operating system's number of the interface that it is on.
    pub index: u32,
    /// How it is served.
    pub how: How,
    /// What the ledger has of it.
    pub entry: E,
}

/// How an address is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// We put it there.
    Installed,
    /// It was there before us, and stays.
    Adopted,
    /// Only the questions for it are answered, by the host.
    Silent {
        /// We put the blackhole route there.
        route: bool,
    },
}

/// The addresses that a virtual router serves now.
#[derive(Debug)]
pub struct HeldAddresses<E>(Vec<Held<E>>);

impl<E> Default for HeldAddresses<E> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<E> HeldAddresses<E> {
    /// One more.
    pub fn push(&mut self, held: Held<E>) {
        self.0.push(held);
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Held<E>> {
        self.0.iter()
    }

    /// Takes all of them out.
    pub fn take(&mut self) -> Vec<Held<E>> {
        std::mem::take(&mut self.0)
    }

    /// Leaves those that `stays` is true of.
    pub fn retain(&mut self, stays: impl FnMut(&Held<E>) -> bool) {
        self.0.retain(stays);
    }

    /// What is to be done so that `address` is served with `accept` mode or not, or not at all.
    pub fn change(&mut self, address: VirtualAddress, accept: bool, on: bool) -> Change<E> {
        let Some(at) = self.0.iter().position(|held| held.address == address) else {
            return Change {
                give_up: None,
                serve: on,
            };
        };
        let silent = matches!(self.0[at].how, How::Silent { .. });
        if on && accept != silent {
            return Change {
                give_up: None,
                serve: false,
            };
        }
        Change {
            give_up: Some(self.0.swap_remove(at)),
            serve: on,
        }
    }

    /// Forgets addresses that are not `there` any more, and says so.
    pub fn find_losses(
        &mut self,
        key: VrKey,
        there: impl Fn(&Held<E>) -> bool,
        lost: &mut Vec<Failure>,
    ) {
        self.0.retain(|held| {
            let stays = matches!(held.how, How::Silent { .. }) || there(held);
            if !stays {
                let address = held.address.address;
                lost.push(Failure::Address { key, address });
            }
            stays
        });
    }
}

/// See [`HeldAddresses::change`].
#[derive(Debug)]
pub struct Change<E> {
    /// Is to be given up first.
    pub give_up: Option<Held<E>>,
    /// Is to be served then.
    pub serve: bool,
}

/// A frame as the host takes it, for a port that hears everything by one descriptor.
pub fn incoming(ifindex: u32, frame: &[u8]) -> Incoming<'_> {
    if is_announcement(frame) {
        Incoming::Announcement { ifindex, frame }
    } else {
        Incoming::Frame { ifindex, frame }
    }
}

/// Whether a frame says by itself who has an address: an ARP reply, an ARP request for the sender's own
/// address, or a neighbour advertisement. Nobody is to answer it.
fn is_announcement(frame: &[u8]) -> bool {
    let Some(frame) = ethernet::View::new(frame) else {
        return false;
    };
    let payload = frame.payload();
    match frame.ethertype() {
        ethernet::ARP => arp::Packet::new(payload)
            .is_some_and(|packet| !packet.is_request || packet.sender_ip == packet.target_ip),
        ethernet::IPV6 => ndisc::Neighbour::new(payload).is_some_and(|n| !n.is_solicitation),
        _ => false,
    }
}

/// What happened below the protocol, since the platform was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that the kernel took.
    pub frames_sent: u64,
    /// Frames that it did not take, or whose interface does not exist.
    pub frames_refused: u64,
    /// Frames given to the host.
    pub frames_received: u64,
    /// Frames too long for the buffers, which no advertisement is.
    pub frames_too_long: u64,
    /// Times that the interfaces were listed anew, because the kernel dropped notices or something
    /// of ours seemed to be gone.
    pub resyncs: u64,
}

/// The error of what is asked for a virtual router that is not prepared.
pub fn unprepared(key: VrKey) -> PlatformError {
    let what = format!(
        "serve VRID {} ({}), which is not prepared",
        key.vrid, key.family
    );
    PlatformError::new(what, io::ErrorKind::NotFound.into())
}

/// An error with advice behind it. Its kind stays, its number goes.
pub fn explain(error: io::Error, advice: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{error}: {advice}"))
}

/// The error of an attempt that cannot succeed, for the reason given.
pub fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why.into())
}

/// The error of a ledger that cannot be written.
pub fn noted(error: io::Error) -> PlatformError {
    PlatformError::new("write the ledger", error)
}

#[cfg(test)]
mod tests {
    use vrrp_core::Vrid;

    use super::*;

    /// A port whose kernel has no IPv6.
    #[derive(Debug, Default)]
    struct Ipv4Only {
        joined: bool,
    }

    impl Port for Ipv4Only {
        fn index(&self) -> u32 {
            3
        }

        fn set_group(&mut self, family: Family, on: bool) -> io::Result<()> {
            match family {
                Family::Ipv4 => self.joined = on,
                Family::Ipv6 => return Err(io::ErrorKind::Unsupported.into()),
            }
            Ok(())
        }
    }

    fn told(watched: &mut Watched<Ipv4Only>, state: InterfaceState) -> Vec<bool> {
        let mut told = Vec::new();
        watched.report(700, state, &mut |incoming| match incoming {
            Incoming::Interface { ifindex, state } => {
                assert_eq!(ifindex, 700);
                told.push(state.up);
            }
            other => panic!("{other:?}"),
        });
        told
    }

    #[test]
    fn announcements_are_told_from_questions() {
        let mac = vrrp_core::MacAddr([2, 0, 0, 0, 0, 9]);
        let mut buf = [0; 128];
        let emitted = arp::emit_gratuitous(&mut buf, mac, [10, 0, 0, 1].into()).unwrap();
        let mut frame = buf[..emitted.len].to_vec();
        assert!(is_announcement(&frame));
        frame[41] = 2;
        assert!(!is_announcement(&frame), "a request");
        frame[21] = 2;
        assert!(is_announcement(&frame), "a reply");
        let address = "2001:db8::1".parse().unwrap();
        let emitted = ndisc::emit_unsolicited_na(&mut buf, mac, address).unwrap();
        let mut frame = buf[..emitted.len].to_vec();
        assert!(is_announcement(&frame));
        frame[54] = 135;
        assert!(!is_announcement(&frame));
        assert!(!is_announcement(&frame[..13]));
    }

    #[test]
    fn a_departure_is_told_even_when_the_interface_is_back() {
        let up = InterfaceState {
            up: true,
            ..InterfaceState::default()
        };
        let mut watched = Watched::new("a0");
        assert_eq!(told(&mut watched, InterfaceState::default()), [false]);
        watched.arrive(Ipv4Only::default());
        assert_eq!(watched.index(), Some(3));
        assert_eq!(told(&mut watched, up), [true]);
        assert_eq!(told(&mut watched, up), []);
        watched.depart();
        watched.arrive(Ipv4Only::default());
        assert_eq!(told(&mut watched, up), [false, true]);
        watched.depart();
        assert_eq!(told(&mut watched, InterfaceState::default()), [false]);
    }

    #[test]
    fn groups_are_joined_again_as_far_as_they_can_be() {
        let mut watched = Watched::new("a0");
        watched.set_group(Family::Ipv4, true).unwrap();
        watched.set_group(Family::Ipv6, true).unwrap();
        assert_eq!(watched.arrive(Ipv4Only::default()), [Family::Ipv6]);
        assert!(watched.port.as_ref().unwrap().joined);
        let error = watched.set_group(Family::Ipv6, true).unwrap_err();
        assert!(error.to_string().contains("join ff02::12 on a0"), "{error}");
        watched.set_group(Family::Ipv4, false).unwrap();
        watched.depart();
        watched.arrive(Ipv4Only::default());
        assert!(!watched.port.as_ref().unwrap().joined);
    }

    #[test]
    fn an_address_is_given_up_before_it_is_served_in_another_way() {
        let address = VirtualAddress {
            address: [10, 0, 0, 100].into(),
            prefix_len: 24,
        };
        let held = |how| Held {
            address,
            index: 3,
            how,
            entry: (),
        };
        let mut addresses = HeldAddresses::default();
        let mut changed = |before: Option<How>, accept, on| {
            addresses.take();
            addresses.0.extend(before.map(held));
            let change = addresses.change(address, accept, on);
            (change.give_up.is_some(), change.serve)
        };
        let silent = How::Silent { route: true };
        assert_eq!(changed(None, true, true), (false, true));
        assert_eq!(changed(None, true, false), (false, false));
        assert_eq!(changed(Some(How::Installed), true, true), (false, false));
        assert_eq!(changed(Some(How::Installed), false, true), (true, true));
        assert_eq!(changed(Some(silent), false, true), (false, false));
        assert_eq!(changed(Some(silent), true, true), (true, true));
        assert_eq!(changed(Some(How::Adopted), true, false), (true, false));
    }

    #[test]
    fn what_is_installed_can_be_lost_and_a_route_cannot() {
        let key = VrKey {
            ifindex: 700,
            vrid: Vrid::new(7).unwrap(),
            family: Family::Ipv4,
        };
        let mut addresses = HeldAddresses::default();
        for (last, how) in [(1, How::Installed), (2, How::Silent { route: true })] {
            addresses.push(Held {
                address: VirtualAddress {
                    address: [10, 0, 0, last].into(),
                    prefix_len: 24,
                },
                index: 3,
                how,
                entry: (),
            });
        }
        let mut lost = Vec::new();
        addresses.find_losses(key, |_| false, &mut lost);
        let address = [10, 0, 0, 1].into();
        assert_eq!(lost, [Failure::Address { key, address }]);
        assert_eq!(addresses.iter().count(), 1);
    }
}
