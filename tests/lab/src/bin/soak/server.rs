//! A host of the soak: its daemon, its clock, and what is broken about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use vrrp_lab::daemons::{usage, vrrpd_binary};
use vrrp_lab::{Daemon, Host, Nic, Program, Vr};

use crate::world::{INTERFACES, on};

/// The most that a vrrpd may grow by after it has come to rest for the first time: tables that were never
/// as full before, and the allocator's ways.
const GROWTH_KIB: u64 = 1024;
/// Descriptors that it may have more than then: a client of the control socket, a script.
const GROWTH_FDS: usize = 4;
/// Descriptors for one more interface that the configuration names.
const INTERFACE_FDS: usize = 8;

/// The resources of a process at rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: usize,
    /// Interfaces that its configuration names.
    pub(crate) interfaces: usize,
}

/// Where a virtual router is on a host, and with which priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Of [`INTERFACES`].
    pub(crate) interface: usize,
    pub(crate) priority: u8,
}

/// A host that takes part.
#[derive(Debug)]
pub(crate) struct Server {
    /// `None`: stopped or dead. Declared before the host, so that it goes first.
    pub(crate) daemon: Option<Daemon>,
    pub(crate) host: Host,
    pub(crate) frozen: bool,
    /// Its further interfaces.
    pub(crate) nics: Vec<Nic>,
    pub(crate) plugged: [bool; INTERFACES.len()],
    /// Whether the port of its first interface passes frames.
    pub(crate) port_works: bool,
    /// Its virtual routers.
    pub(crate) config: BTreeMap<u8, Place>,
    /// The state of its kernel before its first daemon.
    pub(crate) untouched: Vec<String>,
    /// Whether it is never stopped nor killed, so that what grows slowly is seen.
    pub(crate) lasting: bool,
    /// When its daemon came to rest for the first time in this life.
    pub(crate) base: Option<Holding>,
    /// The most that any life of its daemon held.
    pub(crate) most: Holding,
    clock: File,
    clock_path: PathBuf,
    file: PathBuf,
}

impl Server {
    pub(crate) fn new(
        host: Host,
        nics: Vec<Nic>,
        lasting: bool,
        config: BTreeMap<u8, Place>,
    ) -> Self {
        host.serve();
        let clock_path = host.dir().join("clock");
        let clock = File::create(&clock_path).expect("a file for a clock");
        let server = Self {
            file: host.dir().join("vrrpd.conf"),
            daemon: None,
            host,
            frozen: false,
            nics,
            plugged: [true; INTERFACES.len()],
            port_works: true,
            config,
            untouched: Vec::new(),
            lasting,
            base: None,
            most: Holding {
                resident_kib: 0,
                descriptors: 0,
                interfaces: 0,
            },
            clock,
            clock_path,
        };
        server.set_clock(0);
        server
    }

    /// Makes the host's wall clock differ from the machine's by so many seconds.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.clock
            .write_all_at(&seconds.to_ne_bytes(), 0)
            .expect("set a clock");
    }

    /// Starts the daemon, whose clock `shim` keeps.
    pub(crate) fn start(&mut self, vrs: &[Vr], shim: &Path) {
        self.write_config(vrs);
        let mut command = Command::new(vrrpd_binary("vrrpd"));
        command.arg("-F").arg("-f").arg(&self.file);
        command.env("LD_PRELOAD", shim);
        command.env("LAB_CLOCK", &self.clock_path);
        self.daemon = Some(Daemon::run(&self.host, "vrrpd", command));
        self.base = None;
    }

    /// Makes the daemon read its changed configuration.
    pub(crate) fn reload(&self, vrs: &[Vr]) {
        self.write_config(vrs);
        if let Some(daemon) = &self.daemon {
            daemon.signal(libc::SIGHUP);
        }
    }

    /// The priority of a virtual router that is configured here, on this interface.
    pub(crate) fn priority(&self, vrid: u8, interface: usize) -> Option<u8> {
        let place = self.config.get(&vrid)?;
        (place.interface == interface).then_some(place.priority)
    }

    /// Whether it can take part in an election on this interface.
    pub(crate) fn is_able(&self, interface: usize) -> bool {
        self.daemon.is_some() && !self.frozen && self.plugged[interface]
    }

    /// Pulls the cable of an interface, or plugs it in.
    pub(crate) fn set_cable(&mut self, interface: usize, plugged: bool) {
        match (interface.checked_sub(1), plugged) {
            (None, true) => self.host.plug_cable(),
            (None, false) => self.host.pull_cable(),
            (Some(further), true) => self.nics[further].plug_cable(),
            (Some(further), false) => self.nics[further].pull_cable(),
        }
        self.plugged[interface] = plugged;
    }

    /// Its own addresses.
    pub(crate) fn own_addresses(&self) -> BTreeSet<String> {
        let host = [
            IpAddr::from(self.host.v4()),
            self.host.v6().into(),
            self.host.link_local().into(),
            Ipv4Addr::LOCALHOST.into(),
            Ipv6Addr::LOCALHOST.into(),
        ];
        let nics = self.nics.iter();
        let nics = nics.flat_map(|nic| [nic.v4().into(), nic.v6().into(), nic.link_local().into()]);
        host.into_iter()
            .chain(nics)
            .map(|ip| ip.to_string())
            .collect()
    }

    /// The interfaces that its configuration names.
    pub(crate) fn interfaces(&self) -> BTreeSet<usize> {
        self.config.values().map(|place| place.interface).collect()
    }

    /// Whether its kernel may hold addresses that no daemon looks after.
    pub(crate) fn is_unattended(&self) -> bool {
        self.daemon.is_none() || self.frozen
    }

    /// The resources of its daemon. `None`: there is none.
    pub(crate) fn holding(&self) -> Option<Holding> {
        let pid = self.daemon.as_ref()?.pid();
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        Some(Holding {
            resident_kib: usage(pid)?.resident_kib,
            descriptors,
            interfaces: self.interfaces().len(),
        })
    }

    /// Compares what the daemon holds with what it held at first.
    pub(crate) fn check_growth(&mut self) -> Result<(), String> {
        let (Some(now), false) = (self.holding(), self.frozen) else {
            return Ok(());
        };
        self.most.resident_kib = self.most.resident_kib.max(now.resident_kib);
        self.most.descriptors = self.most.descriptors.max(now.descriptors);
        self.most.interfaces = self.most.interfaces.max(now.interfaces);
        let Some(base) = self.base else {
            self.base = Some(now);
            return Ok(());
        };
        let further = now.interfaces.saturating_sub(base.interfaces);
        let grown = now.resident_kib > base.resident_kib + GROWTH_KIB
            || now.descriptors > base.descriptors + GROWTH_FDS + further * INTERFACE_FDS;
        match grown {
            true => Err(format!(
                "vrrpd on {} has grown from {base:?} to {now:?}",
                self.host.name()
            )),
            false => Ok(()),
        }
    }

    fn write_config(&self, vrs: &[Vr]) {
        let here: Vec<Vr> = vrs
            .iter()
            .filter_map(|vr| {
                let place = self.config.get(&vr.vrid)?;
                Some(on(vr, place.interface).priority(place.priority))
            })
            .collect();
        let text = Program::Vrrpd.config(&self.host, &here);
        std::fs::write(&self.file, text).expect("write a configuration");
    }
}
