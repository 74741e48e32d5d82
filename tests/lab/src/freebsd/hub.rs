//! The segment: a bridge, or two with a trunk, in the jail that holds the hosts, with a port for
//! each.

use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;

use super::jail::Jail;
use crate::Segment;
use crate::capture::Listener;
use crate::sys::{self, Tap};

/// The bridge that every segment has.
const NEAR: &str = "hub";
/// The second switch of two.
const FAR: &str = "hub.far";

/// The ears of one capture: one for each port, which has its host's name.
type Ears = Mutex<Vec<(Arc<str>, Tap)>>;

/// The bridges and their ports. A port has the name of its host.
#[derive(Debug)]
pub struct Hub {
    segment: Segment,
    jail: Jail,
    /// The ports that have a cable, and which host was the first.
    ports: Mutex<Vec<Arc<str>>>,
    first: Mutex<Option<String>>,
    listeners: Mutex<Vec<Weak<Ears>>>,
}

impl Hub {
    pub(crate) fn new(segment: Segment) -> Self {
        let jail = Jail::new("hub", None);
        let bridge = |name: &str| {
            let made = jail.ifconfig("bridge create");
            jail.ifconfig(&format!("{} name {name}\n{name} up", made.trim()));
        };
        bridge(NEAR);
        if segment == Segment::TwoSwitches {
            bridge(FAR);
            let [near, far] = cable(&jail);
            jail.ifconfig(&format!(
                "{near} name trunk.near\n\
                 {far} name trunk.far\n\
                 {NEAR} addm trunk.near\n\
                 {FAR} addm trunk.far\n\
                 trunk.near up\n\
                 trunk.far up"
            ));
        }
        Self {
            segment,
            jail,
            ports: Mutex::default(),
            first: Mutex::default(),
            listeners: Mutex::default(),
        }
    }

    /// The network stack of a new host.
    pub(crate) fn stack(&self, name: &str) -> Jail {
        Jail::new(name, Some(&self.jail))
    }

    /// Lays a cable to a host, where its end, still down, is called `interface`.
    pub(crate) fn plug(&self, name: &str, host: &Jail, interface: &str) {
        let [port, end] = cable(&self.jail);
        self.jail.ifconfig(&format!(
            "{port} name {name}\n\
             {end} vnet {}",
            host.number()
        ));
        host.ifconfig(&format!("{end} name {interface}"));
        let mut first = self.first.lock().expect("no panic while it is held");
        first.get_or_insert_with(|| name.to_owned());
        drop(first);
        let port: Arc<str> = Arc::from(name);
        for listener in lock(&self.listeners).iter().filter_map(Weak::upgrade) {
            let ear = (port.clone(), self.tap(name));
            lock(&listener).push(ear);
        }
        lock(&self.ports).push(port);
        self.set_port(name, true);
        self.jail.ifconfig(&format!("{name} up"));
    }

    /// Takes the cable away, both its ends with it.
    pub(crate) fn unplug(&self, name: &str) {
        lock(&self.ports).retain(|port| **port != *name);
        self.jail.ifconfig(&format!("{name} destroy"));
    }

    /// Makes the port pass nothing, or work again, with the carrier on throughout.
    pub(crate) fn set_port(&self, name: &str, works: bool) {
        let first = self.first.lock().expect("no panic while it is held");
        let far = self.segment == Segment::TwoSwitches && first.as_deref() != Some(name);
        let bridge = if far { FAR } else { NEAR };
        if !works {
            self.jail.ifconfig(&format!("{bridge} deletem {name}"));
            return;
        }
        self.jail.ifconfig(&format!("{bridge} addm {name}"));
        if self.segment == Segment::Hub {
            self.jail.ifconfig(&format!("{bridge} -learn {name}"));
        }
    }

    /// Cuts the trunk between two switches, or mends it.
    pub(crate) fn set_trunk(&self, works: bool) {
        assert_eq!(self.segment, Segment::TwoSwitches, "there is no trunk");
        let state = if works { "up" } else { "down" };
        self.jail.ifconfig(&format!("trunk.near {state}"));
    }

    /// Drops what would go from a host of one group to a host of another.
    pub(crate) fn partition(&self, groups: &[Vec<&str>]) {
        assert_eq!(
            self.segment,
            Segment::Hub,
            "only a hub has nothing to learn"
        );
        self.heal();
        for group in groups {
            let [name] = group[..] else {
                panic!("a bridge keeps single ports apart, not {group:?} from others");
            };
            self.jail.ifconfig(&format!("{NEAR} private {name}"));
        }
    }

    pub(crate) fn heal(&self) {
        for port in lock(&self.ports).iter() {
            self.jail.ifconfig(&format!("{NEAR} -private {port}"));
        }
    }

    /// Listens to what comes in on any port until nobody wants it.
    pub(crate) fn listen(self: &Arc<Self>, listener: Arc<Listener>) -> JoinHandle<()> {
        let ports = lock(&self.ports);
        let taps = ports.iter().map(|port| (port.clone(), self.tap(port)));
        let ears: Arc<Ears> = Arc::new(Mutex::new(taps.collect()));
        lock(&self.listeners).push(Arc::downgrade(&ears));
        drop(ports);
        std::thread::spawn(move || pass_on(&ears, &listener))
    }

    fn tap(&self, port: &str) -> Tap {
        Tap::open(self.jail.number(), port).expect("listen to a port of the hub")
    }
}

/// Reads every port's ear, and puts what they heard in order.
fn pass_on(ears: &Ears, listener: &Listener) {
    let mut room = vec![0; Tap::ROOM];
    while listener.is_wanted() {
        sys::wait_taps(lock(ears).iter().map(|(_, tap)| tap));
        let mut heard: Vec<(u64, Arc<str>, Vec<u8>)> = Vec::new();
        lock(ears).retain(|(port, tap)| {
            let there = tap.read(&mut room, |at_us, frame| {
                heard.push((at_us, port.clone(), frame.to_vec()));
            });
            there.expect("listen to a port of the hub")
        });
        heard.sort_by_key(|(at_us, ..)| *at_us);
        for (at_us, port, frame) in heard {
            listener.hear(at_us, &port, &frame);
        }
    }
}

/// Makes a cable and gives the names of its ends.
fn cable(jail: &Jail) -> [String; 2] {
    let made = jail.ifconfig("epair create");
    let near = made.trim();
    let stem = near.strip_suffix('a').expect("the first end of an epair");
    [near.to_owned(), format!("{stem}b")]
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no panic while it is held")
}
