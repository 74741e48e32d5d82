//! A worker and the server of its parent, over a platform that writes down what it is asked for.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vrrp_core::{
    Family, Instant, InterfaceState, MacAddr, MacMode, Transmit, VirtualAddress, VrKey, Vrid,
};
use vrrp_host::{
    AddressChange, AddressSpec, HostConfig, HostIf, Incoming, Platform, PlatformError, VrId,
    VrSetup, VrSpec,
};

use super::{Frames, Place, PrivilegedPlatform, Server, Worker, hand_over_left};

const ETH0: HostIf = HostIf::new(1);
const AT_ONCE: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Done {
    Mac(bool),
    /// So many changes of addresses at once, the first of which puts one there or takes it away.
    Addresses(usize, bool),
    /// An advertisement with this priority.
    Advert(u8),
    Release,
    Unwatch,
}

/// Does nothing, and tells that it has done it.
struct Recorder {
    done: Sender<Done>,
    unreported: Vec<HostIf>,
    left: Vec<(String, std::net::IpAddr)>,
}

impl Recorder {
    fn new() -> (Self, Receiver<Done>) {
        let (done, told) = mpsc::channel();
        let recorder = Self {
            done,
            unreported: Vec::new(),
            left: Vec::new(),
        };
        (recorder, told)
    }

    fn tell(&self, done: Done) {
        self.done.send(done).unwrap();
    }
}

impl Platform for Recorder {
    fn fd(&self) -> RawFd {
        -1
    }

    fn now(&self) -> Instant {
        Instant::from_micros(0)
    }

    fn set_wakeup(&mut self, _: Option<Instant>) -> io::Result<()> {
        Ok(())
    }

    fn wakeup(&self) -> Option<Instant> {
        None
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        for host_if in self.unreported.drain(..) {
            let state = InterfaceState {
                up: true,
                mac: MacAddr([2, 0, 0, 0, 0, 1]),
                ipv4: Some([10, 0, 0, 1].into()),
                ipv6: None,
            };
            sink(Incoming::Interface { host_if, state });
        }
        Ok(())
    }

    fn watch(&mut self, host_if: HostIf, _: &str) -> Result<(), PlatformError> {
        self.unreported.push(host_if);
        Ok(())
    }

    fn unwatch(&mut self, _: HostIf) {
        self.tell(Done::Unwatch);
    }

    fn prepare(&mut self, _: &VrSetup) -> Result<(), PlatformError> {
        Ok(())
    }

    fn release(&mut self, _: VrKey) {
        self.tell(Done::Release);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        let priority = usize::from(transmit.payload_offset) + 2;
        self.tell(Done::Advert(transmit.frame[priority]));
    }

    fn announce(&mut self, _: HostIf, _: &[u8]) {}

    fn flush(&mut self) {}

    fn set_mac(&mut self, _: VrKey, _: MacAddr, on: bool) -> Result<(), PlatformError> {
        self.tell(Done::Mac(on));
        Ok(())
    }

    fn set_address(
        &mut self,
        _: VrKey,
        _: VirtualAddress,
        _: bool,
        _: bool,
    ) -> Result<(), PlatformError> {
        panic!("one by one");
    }

    fn addresses_at_once(&self) -> usize {
        AT_ONCE
    }

    fn set_addresses(
        &mut self,
        _: VrKey,
        changes: &[AddressChange],
    ) -> Vec<Result<(), PlatformError>> {
        self.tell(Done::Addresses(changes.len(), changes[0].on));
        changes.iter().map(|_| Ok(())).collect()
    }

    fn set_group(&mut self, _: HostIf, _: Family, _: bool) -> Result<(), PlatformError> {
        Ok(())
    }

    fn mac_interface(&self, _: VrKey) -> Option<String> {
        None
    }
}

impl PrivilegedPlatform for Recorder {
    fn leave_frames(&mut self) {}

    fn devices(&self) -> BTreeMap<Place, u64> {
        BTreeMap::new()
    }

    fn duplicate(&self, _: &Place) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn close(self) -> Result<(), PlatformError> {
        Ok(())
    }

    fn left_served(&self) -> &[(String, std::net::IpAddr)] {
        &self.left
    }
}

/// Hears and sends nothing.
#[derive(Debug)]
struct Deaf(UnixStream);

impl Frames for Deaf {
    const ADDRESSES_AT_ONCE: usize = AT_ONCE;

    fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    fn now(&self) -> Instant {
        Instant::from_micros(0)
    }

    fn wait_for(&mut self, _: RawFd) -> io::Result<()> {
        Ok(())
    }

    fn set_wakeup(&mut self, _: Option<Instant>) -> io::Result<()> {
        Ok(())
    }

    fn set_own_wakeup(&mut self, _: Option<Instant>) -> io::Result<()> {
        Ok(())
    }

    fn wakeup(&self) -> Option<Instant> {
        None
    }

    fn look(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn receive(&mut self, _: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        Ok(())
    }

    fn open(&mut self, _: Place, _: OwnedFd) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, _: &Place) {}

    fn transmit(&mut self, _: &Transmit<'_>) {}

    fn announce(&mut self, _: HostIf, _: &[u8]) {}

    fn mac_interface(&self, _: VrKey) -> Option<String> {
        None
    }
}

fn address(last: u8) -> VirtualAddress {
    VirtualAddress {
        address: [10, 0, 0, last].into(),
        prefix_len: 24,
    }
}

/// A virtual router with forty addresses.
fn spec() -> VrSpec {
    let id = VrId {
        interface: "eth0".into(),
        vrid: Vrid::new(7).unwrap(),
        family: Family::Ipv4,
        name: None,
    };
    let addresses = (101..141).map(|last| AddressSpec {
        address: address(last),
        interface: None,
    });
    let mut spec = VrSpec::new(id, addresses.collect());
    spec.settings.mac_mode = MacMode::Virtual;
    spec
}

fn config() -> HostConfig {
    HostConfig {
        virtual_routers: vec![spec()],
        ..HostConfig::default()
    }
}

/// A worker whose parent withdraws what it has taken up when it is dropped.
fn begin() -> (Worker<Deaf>, Receiver<Done>, JoinHandle<Vec<VrId>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (platform, told) = Recorder::new();
    let parent = thread::spawn(move || {
        let mut server = Server::new(platform, theirs, config());
        loop {
            if server.handle(true, &mut |error| panic!("{error}")).is_err() {
                let active = server.withdraw();
                let (stream, _) = UnixStream::pair().unwrap();
                server.restart(stream, config());
                return active;
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
    let (quiet, _) = UnixStream::pair().unwrap();
    let mut worker = Worker::new(Deaf(quiet), ours).unwrap();
    worker.watch(ETH0, "eth0").unwrap();
    (worker, told, parent)
}

fn key() -> VrKey {
    ETH0.key(Vrid::new(7).unwrap(), Family::Ipv4)
}

fn changes(on: bool) -> Vec<AddressChange> {
    let all = spec().addresses.into_iter();
    all.map(|spec| AddressChange {
        address: spec.address,
        accept: true,
        on,
    })
    .collect()
}

/// Takes up the MAC and as many addresses as can be at once, and then the rest.
fn take_up(worker: &mut Worker<Deaf>) {
    worker.prepare(&spec().setup(key())).unwrap();
    // Its state is known by now.
    worker.receive(&mut |_| {}).unwrap();
    worker.set_mac(key(), key().virtual_mac(), true).unwrap();
    for some in changes(true).chunks(AT_ONCE) {
        let results = worker.set_addresses(key(), some);
        assert_eq!(results.len(), some.len());
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
}

#[test]
fn a_worker_that_ends_is_withdrawn_addresses_first() {
    let (mut worker, told, parent) = begin();
    take_up(&mut worker);
    drop(worker);
    assert_eq!(parent.join().unwrap(), [spec().id]);
    let all: Vec<Done> = told.iter().collect();
    assert_eq!(
        all,
        [
            Done::Mac(true),
            Done::Addresses(32, true),
            Done::Addresses(8, true),
            Done::Addresses(32, false),
            Done::Addresses(8, false),
            Done::Advert(0),
            Done::Mac(false),
            Done::Release,
            Done::Unwatch,
        ]
    );
}

#[test]
fn a_backup_says_nothing_when_it_is_withdrawn() {
    let (mut worker, told, parent) = begin();
    take_up(&mut worker);
    for some in changes(false).chunks(AT_ONCE) {
        worker.set_addresses(key(), some);
    }
    worker.set_mac(key(), key().virtual_mac(), false).unwrap();
    drop(worker);
    assert_eq!(parent.join().unwrap(), []);
    let all: Vec<Done> = told.iter().collect();
    assert!(!all.contains(&Done::Advert(0)), "{all:?}");
    assert!(all.ends_with(&[Done::Mac(false), Done::Release, Done::Unwatch]));
}

#[test]
fn an_address_that_is_refused_leaves_the_others_and_their_order() {
    let (mut worker, _told, parent) = begin();
    take_up(&mut worker);
    let mut some = changes(true)[..3].to_vec();
    some[1].address = address(200);
    let results = worker.set_addresses(key(), &some);
    let refused: Vec<bool> = results.iter().map(Result::is_err).collect();
    assert_eq!(refused, [false, true, false]);
    drop(worker);
    parent.join().unwrap();
}

#[test]
fn what_a_dead_process_has_served_is_handed_over_and_nothing_else() {
    let (mut platform, told) = Recorder::new();
    platform.left = vec![("eth1".into(), address(101).address)];
    assert_eq!(hand_over_left(&mut platform, &config()), []);
    platform.left = vec![("eth0".into(), address(101).address)];
    assert_eq!(hand_over_left(&mut platform, &config()), [spec().id]);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Done::Advert(0)]);
    // Without an interface, as it was not accepted, an address counts where one virtual router has it.
    platform.left = vec![(String::new(), address(101).address)];
    assert_eq!(hand_over_left(&mut platform, &config()), [spec().id]);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Done::Advert(0)]);
    let mut two = config();
    let mut other = spec();
    other.id.interface = "eth1".into();
    two.virtual_routers.push(other);
    assert_eq!(hand_over_left(&mut platform, &two), []);
    drop(platform);
    assert_eq!(told.iter().count(), 0);
}
