//! Several hosts stepped through virtual time.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::{
    AdvertInterval, Auth, Family, Instant, MacAddr, Priority, Reason, State, VirtualAddress, VrKey,
    Vrid,
};
use vrrp_host::{AddressSpec, Event, Host, HostConfig, VrId, VrReport, VrSpec};

use crate::fake::{Call, Fake, Machine, Net, SharedNet, interface};

pub(crate) struct Sim {
    pub(crate) net: SharedNet,
    pub(crate) hosts: Vec<Host<Fake>>,
    /// Everything that each host told, and when.
    pub(crate) events: Vec<Vec<(Instant, Event)>>,
    /// Hosts that are not run.
    pub(crate) frozen: BTreeSet<usize>,
}

pub(crate) fn vrid(number: u8) -> Vrid {
    Vrid::new(number).expect("a VRID")
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn id(interface: &str, number: u8) -> VrId {
    VrId {
        interface: interface.to_owned(),
        vrid: vrid(number),
        family: Family::Ipv4,
        name: None,
    }
}

/// The engine's key of a virtual router on the first interface that a host named.
pub(crate) fn key(number: u8) -> VrKey {
    VrKey {
        ifindex: 1,
        vrid: vrid(number),
        family: Family::Ipv4,
    }
}

pub(crate) fn address(text: &str) -> AddressSpec {
    AddressSpec {
        address: VirtualAddress {
            address: ip(text),
            prefix_len: 24,
        },
        interface: None,
    }
}

/// VRID `number` on eth0 with the address 10.0.0.(100 + number), VRRPv3 every second.
pub(crate) fn spec(number: u8, priority: u8) -> VrSpec {
    let virtual_ip = format!("10.0.0.{}", 100 + number);
    let mut spec = VrSpec::new(id("eth0", number), vec![address(&virtual_ip)]);
    spec.settings.priority = Priority::new(priority).expect("a priority");
    spec
}

pub(crate) fn config(specs: &[VrSpec]) -> HostConfig {
    HostConfig {
        virtual_routers: specs.to_vec(),
        ..HostConfig::default()
    }
}

pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

/// An advertisement of a router that is not simulated: VRRPv3 every second.
pub(crate) fn advert(from: &str, number: u8, priority: u8, addresses: &[&str]) -> Vec<u8> {
    let mut buf = [0; 1536];
    let addresses: Vec<IpAddr> = addresses.iter().map(|a| ip(a)).collect();
    let emitted = Advert {
        source_mac: MacAddr::virtual_router(Family::Ipv4, vrid(number)),
        destination_mac: Family::Ipv4.group_mac(),
        source: ip(from),
        destination: Family::Ipv4.group(),
        ttl: 255,
        version: WireVersion::V3,
        vrid: vrid(number),
        priority,
        interval: AdvertInterval::DEFAULT,
        auth: Auth::None,
        pseudo_header: true,
    }
    .emit(&mut buf, addresses.iter().copied())
    .expect("it fits");
    buf[..emitted.len].to_vec()
}

impl Sim {
    /// Machines with eth0 and eth1, and a host on each.
    pub(crate) fn new(configs: &[HostConfig]) -> Self {
        let mut sim = Self {
            net: Rc::new(RefCell::new(Net::default())),
            hosts: Vec::new(),
            events: Vec::new(),
            frozen: BTreeSet::new(),
        };
        for config in configs {
            let platform = sim.add_machine();
            sim.open(platform, config.clone());
        }
        sim
    }

    pub(crate) fn open(&mut self, platform: Fake, config: HostConfig) {
        let host = Host::open(platform, config).expect("a good configuration");
        self.hosts.push(host);
        self.events.push(Vec::new());
    }

    pub(crate) fn add_machine(&mut self) -> Fake {
        let index = self.net.borrow().machines.len();
        let mut machine = Machine::new(&self.net.borrow().clock);
        machine.set_interface("eth0", interface(index));
        machine.set_interface("eth1", interface(index));
        self.net.borrow_mut().machines.push(machine);
        Fake {
            net: Rc::clone(&self.net),
            index,
        }
    }

    pub(crate) fn machine(&self, index: usize) -> RefMut<'_, Machine> {
        RefMut::map(self.net.borrow_mut(), |net| &mut net.machines[index])
    }

    pub(crate) fn now(&self) -> Instant {
        self.net.borrow().clock.get()
    }

    /// Runs every host until nothing is left to do at or before `millis`.
    pub(crate) fn run_to(&mut self, millis: u64) {
        let end = at(millis);
        let mut steps = 0;
        loop {
            for index in 0..self.hosts.len() {
                let now = self.now();
                if !self.frozen.contains(&index) && self.machine(index).is_readable(now) {
                    self.hosts[index].step().expect("the fake platform works");
                    steps += 1;
                    assert!(steps < 1_000_000, "it never comes to rest");
                }
                self.fetch(index);
            }
            let now = self.now();
            let awake = (0..self.hosts.len()).filter(|index| !self.frozen.contains(index));
            let awake: Vec<usize> = awake.collect();
            if awake
                .iter()
                .any(|&index| self.machine(index).is_readable(now))
            {
                continue;
            }
            let next = awake.iter().filter_map(|&index| self.machine(index).next());
            match next.min().filter(|&next| next <= end) {
                Some(next) => self.net.borrow().clock.set(next),
                None => break,
            }
        }
        // A slow call may have taken longer.
        let now = self.now();
        self.net.borrow().clock.set(now.max(end));
    }

    /// Takes the events of a host.
    pub(crate) fn fetch(&mut self, index: usize) {
        let now = self.now();
        while let Some(event) = self.hosts[index].next_event() {
            self.events[index].push((now, event));
        }
    }

    pub(crate) fn report(&self, index: usize, id: &VrId) -> VrReport {
        let reports = self.hosts[index].statuses();
        let found = reports.into_iter().find(|report| report.id == *id);
        found.unwrap_or_else(|| panic!("host {index} has no {id}"))
    }

    pub(crate) fn state(&self, index: usize, number: u8) -> State {
        self.report(index, &id("eth0", number)).status.state
    }

    pub(crate) fn states(&self, number: u8) -> Vec<State> {
        let hosts = 0..self.hosts.len();
        hosts.map(|index| self.state(index, number)).collect()
    }

    /// The time, in microseconds, and reason of the last change to `state` of a VRID.
    pub(crate) fn last_change(&self, index: usize, number: u8, state: State) -> (u64, Reason) {
        let changes = self.events[index].iter().rev();
        let mut changes = changes.filter_map(|(when, event)| match event {
            Event::StateChange { id, to, why, .. } if id.vrid.get() == number && *to == state => {
                Some((when.as_micros(), why.reason))
            }
            _ => None,
        });
        changes.next().expect("such a change")
    }

    /// Everything told since the last call.
    pub(crate) fn take_events(&mut self, index: usize) -> Vec<Event> {
        self.fetch(index);
        let events = std::mem::take(&mut self.events[index]);
        events.into_iter().map(|(_, event)| event).collect()
    }

    pub(crate) fn take_calls(&mut self, index: usize) -> Vec<Call> {
        self.machine(index).take_calls()
    }
}
