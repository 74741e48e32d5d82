//! The steps of a port, over a kernel that is a list of interfaces.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::str::FromStr;

use vrrp_core::{Failure, Family, InterfaceState, MacMode, VirtualAddress, VrKey, Vrid};
use vrrp_host::{HostIf, Incoming, PlatformError, VrSetup};
use vrrp_port_kit::ledger::{Ledger, System};
use vrrp_port_kit::{InterfaceSockets, KernelIf, Port, Served, Serving, Table, VirtualMac};

const A0: HostIf = HostIf::new(700);

#[derive(Debug)]
struct Sockets(KernelIf);

impl InterfaceSockets for Sockets {
    const NO_INTERFACE: i32 = 19;

    fn index(&self) -> KernelIf {
        self.0
    }

    fn set_membership(&mut self, _: IpAddr, _: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// An entry of the ledger: what is on an interface, or a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(String, IpAddr);

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, ip) = text.split_once(' ').ok_or(())?;
        Ok(Self(name.into(), ip.parse().map_err(drop)?))
    }
}

#[derive(Debug, Default)]
struct Mac(Option<KernelIf>);

impl VirtualMac for Mac {
    fn carrier(&self) -> Option<KernelIf> {
        self.0
    }
}

struct FakePort {
    table: Table<Sockets, Entry, Mac>,
    directory: PathBuf,
    ledger: Ledger<Entry>,
    /// By name, with the kind of each.
    links: BTreeMap<&'static str, (KernelIf, u8)>,
    /// The kind that an interface had when its sockets were made.
    opened: BTreeMap<HostIf, u8>,
    /// The steps that were taken, in order.
    done: Vec<String>,
}

impl FakePort {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("vrrp-kit-{name}-{}", std::process::id()));
        let system = System {
            lock: |_: &File| Ok(true),
            user: fs::metadata("/proc/self").map_or(0, |meta| meta.uid()),
            is_ending: |_| false,
        };
        Self {
            table: Table::default(),
            ledger: Ledger::create(&directory, "here", system).unwrap(),
            directory,
            links: BTreeMap::new(),
            opened: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    /// The news that the host is given.
    fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        self.settle(&mut |incoming| {
            news.push(match incoming {
                Incoming::Interface { host_if, state } => {
                    format!("{host_if} {}", if state.up { "up" } else { "down" })
                }
                Incoming::Lost(Failure::Group { ifindex, family }) => {
                    format!("{ifindex} has no group of {family}")
                }
                other => panic!("{other:?}"),
            });
        });
        news
    }

    fn done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done)
    }
}

impl Drop for FakePort {
    fn drop(&mut self) {
        self.ledger.close();
        let _ = fs::remove_dir(&self.directory);
    }
}

impl Port for FakePort {
    type Sockets = Sockets;
    type Entry = Entry;
    type Mac = Mac;

    fn table(&self) -> &Table<Sockets, Entry, Mac> {
        &self.table
    }

    fn table_mut(&mut self) -> &mut Table<Sockets, Entry, Mac> {
        &mut self.table
    }

    fn ledger(&mut self) -> &mut Ledger<Entry> {
        &mut self.ledger
    }

    fn address_entry(device: &str, address: VirtualAddress) -> Entry {
        Entry(device.into(), address.address)
    }

    fn route_entry(address: IpAddr) -> Entry {
        Entry("route".into(), address)
    }

    fn address_of(entry: &Entry) -> Option<IpAddr> {
        Some(entry.1)
    }

    fn list_anew(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn find(&self, name: &str) -> Option<KernelIf> {
        self.links.get(name).map(|(index, _)| *index)
    }

    fn name(&self, index: KernelIf) -> Option<String> {
        let mut links = self.links.iter();
        let (name, _) = links.find(|(_, link)| link.0 == index)?;
        Some((*name).into())
    }

    fn has_address(&self, _: KernelIf, _: IpAddr) -> bool {
        false
    }

    fn state(&mut self, _: HostIf, _: KernelIf) -> InterfaceState {
        InterfaceState {
            up: true,
            ..InterfaceState::default()
        }
    }

    fn is_as_opened(&self, host_if: HostIf, index: KernelIf) -> bool {
        let mut links = self.links.values();
        links.any(|(i, kind)| *i == index && self.opened.get(&host_if) == Some(kind))
    }

    fn sockets(&mut self, host_if: HostIf, index: KernelIf) -> Sockets {
        let link = self.links.values().find(|(i, _)| *i == index).unwrap();
        self.opened.insert(host_if, link.1);
        Sockets(index)
    }

    fn come(&mut self, host_if: HostIf) {
        self.done.push(format!("{host_if} has come"));
    }

    fn gone(&mut self, host_if: HostIf) {
        self.done.push(format!("{host_if} is gone"));
    }

    fn compare_later(&mut self) {}

    fn judge(&self, _: &VrSetup) -> Result<(), PlatformError> {
        Ok(())
    }

    fn wants_carrier(setup: &VrSetup) -> bool {
        setup.mac_mode == MacMode::Virtual
    }

    fn make_carrier(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.done.push(format!("make the carrier of {}", key.vrid));
        let router = self.table.routers.get_mut(key).unwrap();
        router.mac.0 = KernelIf::new(40);
        Ok(())
    }

    fn remove_mac(&mut self, key: VrKey) -> bool {
        let router = self.table.routers.get_mut(key).unwrap();
        if router.mac.0.take().is_some() {
            let done = format!("remove the carrier of {}", key.vrid);
            self.done.push(done);
        }
        true
    }

    fn give_up_all(&mut self, key: VrKey) -> bool {
        for served in self.table.routers.take_served(key) {
            self.ledger.remove(&served.entry).unwrap();
            let ip = served.address.address;
            self.done.push(format!("give up {ip}"));
        }
        true
    }

    fn listen(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.done.push(format!("listen for {}", key.vrid));
        Ok(())
    }

    fn released(&mut self, key: VrKey) -> bool {
        self.done.push(format!("{} is released", key.vrid));
        true
    }
}

fn index(number: u32) -> KernelIf {
    KernelIf::new(number).unwrap()
}

fn address(last: u8) -> VirtualAddress {
    VirtualAddress {
        address: [10, 0, 0, last].into(),
        prefix_len: 24,
    }
}

fn setup(vrid: u8, mac_mode: MacMode, last: u8) -> VrSetup {
    VrSetup {
        key: A0.key(Vrid::new(vrid).unwrap(), Family::Ipv4),
        mac_mode,
        replace_mac: false,
        accept: true,
        silent: false,
        reset_connections: false,
        addresses: vec![(address(last), None)],
        followers: Vec::new(),
        unicast: false,
        group: None,
        source: None,
        routing: Vec::new(),
    }
}

fn installed(on: u32, last: u8) -> Served<Entry> {
    Served {
        address: address(last),
        index: index(on),
        how: Serving::Installed,
        entry: Entry("a0".into(), address(last).address),
    }
}

#[test]
fn an_interface_that_changes_its_kind_counts_as_another_one() {
    let mut port = FakePort::new("kind");
    port.watch_interface(A0, "a0").unwrap();
    assert_eq!(port.news(), ["700 down"]);
    let virtual_mac = setup(7, MacMode::Virtual, 100);
    port.prepare_router(&virtual_mac).unwrap();
    assert_eq!(port.done(), [""; 0], "the interface is not there");
    port.links.insert("a0", (index(3), 1));
    assert_eq!(port.news(), ["700 up"]);
    assert_eq!(port.done(), ["700 has come"]);
    port.prepare_router(&virtual_mac).unwrap();
    assert_eq!(port.done(), ["listen for 7", "make the carrier of 7"]);
    let key = virtual_mac.key;
    port.table.routers.serve(key, installed(40, 100));
    assert_eq!(port.news(), [""; 0]);
    port.links.insert("a0", (index(3), 2));
    assert_eq!(port.news(), ["700 down", "700 up"]);
    let again = [
        "give up 10.0.0.100",
        "remove the carrier of 7",
        "700 is gone",
        "700 has come",
    ];
    assert_eq!(port.done(), again);
    port.links.clear();
    assert_eq!(port.news(), ["700 down"]);
    assert_eq!(port.done(), ["700 is gone"]);
    port.unwatch_interface(A0);
    assert_eq!(port.done(), ["7 is released"]);
    let error = port.prepare_router(&virtual_mac).unwrap_err().to_string();
    assert!(error.contains("on an interface not watched"), "{error}");
}

#[test]
fn a_group_that_cannot_be_joined_is_lost_when_the_interface_comes() {
    let mut port = FakePort::new("group");
    port.watch_interface(A0, "a0").unwrap();
    let interfaces = &mut port.table.interfaces;
    interfaces.set_group(A0, Family::Ipv6, true).unwrap();
    port.links.insert("a0", (index(3), 1));
    assert_eq!(port.news(), ["700 up", "700 has no group of IPv6"]);
    let interfaces = &mut port.table.interfaces;
    let elsewhere = HostIf::new(701);
    interfaces
        .set_group(elsewhere, Family::Ipv6, true)
        .unwrap_err();
    assert!(interfaces.watch(A0, "b0").is_err(), "the handle is taken");
}

#[test]
fn another_mac_mode_begins_anew() {
    let mut port = FakePort::new("mode");
    port.links.insert("a0", (index(3), 1));
    port.watch_interface(A0, "a0").unwrap();
    port.prepare_router(&setup(7, MacMode::Virtual, 100))
        .unwrap();
    port.done();
    port.prepare_router(&setup(7, MacMode::Virtual, 101))
        .unwrap();
    assert_eq!(port.done(), ["listen for 7"], "nothing is made again");
    let interface_mac = setup(7, MacMode::Interface, 101);
    port.prepare_router(&interface_mac).unwrap();
    assert_eq!(port.done(), ["remove the carrier of 7", "listen for 7"]);
    let carrier = port.carrier(interface_mac.key, address(101)).unwrap();
    assert_eq!(carrier, index(3));
    let noted = Entry("a0".into(), address(101).address);
    assert!(port.ledger.contains(&noted), "before it is installed");
}

#[test]
fn a_release_takes_back_what_was_noted_unless_another_has_it() {
    let mut port = FakePort::new("release");
    port.links.insert("a0", (index(3), 1));
    port.watch_interface(A0, "a0").unwrap();
    let (one, two) = (
        setup(7, MacMode::Interface, 100),
        setup(8, MacMode::Interface, 100),
    );
    port.prepare_router(&one).unwrap();
    port.prepare_router(&two).unwrap();
    let noted = Entry("a0".into(), address(100).address);
    assert!(port.release_router(one.key));
    assert!(port.ledger.contains(&noted));
    assert!(port.release_router(two.key));
    assert!(!port.ledger.contains(&noted));
}

#[test]
fn an_address_is_known_by_its_place_as_long_as_one_serves_it() {
    let mut port = FakePort::new("places");
    port.links.insert("a0", (index(3), 1));
    port.watch_interface(A0, "a0").unwrap();
    let (one, two) = (
        setup(7, MacMode::Interface, 100),
        setup(8, MacMode::Interface, 100),
    );
    let ip = address(100).address;
    for setup in [&one, &two] {
        port.prepare_router(setup).unwrap();
    }
    let routers = &mut port.table.routers;
    routers.serve(one.key, installed(3, 100));
    routers.serve(two.key, installed(3, 100));
    let change = routers.change(one.key, address(100), true, false).unwrap();
    assert!(change.give_up.is_some() && !change.serve);
    assert!(routers.is_installed(index(3), ip) && routers.serves(index(3), ip));
    assert!(!routers.is_installed(index(4), ip));
    let mut lost = Vec::new();
    routers.find_losses(|_| false, &mut lost);
    let address = ip;
    assert_eq!(
        lost,
        [Failure::Address {
            key: two.key,
            address
        }]
    );
    assert!(!routers.serves(index(3), ip));
    routers.serve(two.key, installed(3, 100));
    routers.forget_on(|on| on == index(3));
    assert!(!routers.serves(index(3), ip));
    routers.serve(two.key, installed(3, 100));
    routers.remove(two.key);
    assert!(!routers.serves(index(3), ip));
}
