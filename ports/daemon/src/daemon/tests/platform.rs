//! A platform on which nothing is ever heard, and refused on a tunnel alone. Interfaces called `dark` are
//! down. Its clock is the real one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, PipeReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time;

use vrrp_core::{Family, Instant, InterfaceState, MacAddr, Transmit, VirtualAddress, VrKey};
use vrrp_host::{
    HostFacts, HostIf, Incoming, OwnAddress, OwnInterface, Platform, PlatformError,
    PlatformWarning, VrSetup,
};
use vrrp_port_kit::privsep::{Place, PrivilegedPlatform};
use vrrp_port_kit::{WakeUp, refused};

use crate::sys;

pub(crate) struct FakePlatform {
    wake: PipeReader,
    alarm: Sender<Option<time::Instant>>,
    wakeup: WakeUp,
    began: time::Instant,
    unreported: Vec<HostIf>,
    /// Interfaces that no virtual router can be on.
    unfit: BTreeSet<HostIf>,
    /// Interfaces that have no carrier.
    dark: BTreeSet<HostIf>,
    installed: BTreeSet<IpAddr>,
    pub(super) warnings: RefCell<Vec<PlatformWarning>>,
}

impl FakePlatform {
    pub(crate) fn new() -> Self {
        let (wake, mut ring) = io::pipe().expect("a pipe");
        sys::set_nonblocking(&wake).expect("non-blocking");
        sys::set_nonblocking(&ring).expect("non-blocking");
        let (alarm, orders) = channel::<Option<time::Instant>>();
        thread::spawn(move || {
            let mut at: Option<time::Instant> = None;
            loop {
                let order = match at {
                    None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    Some(at) => {
                        let wait = at.saturating_duration_since(time::Instant::now());
                        orders.recv_timeout(wait)
                    }
                };
                match order {
                    Ok(order) => at = order,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        let _ = ring.write(&[0]);
                        at = None;
                    }
                }
            }
        });
        Self {
            wake,
            alarm,
            wakeup: WakeUp::default(),
            began: time::Instant::now(),
            unreported: Vec::new(),
            unfit: BTreeSet::new(),
            dark: BTreeSet::new(),
            installed: BTreeSet::new(),
            warnings: RefCell::default(),
        }
    }

    /// The addresses that are served.
    pub(super) fn installed(&self) -> &BTreeSet<IpAddr> {
        &self.installed
    }
}

impl Platform for FakePlatform {
    fn fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.began.elapsed().as_micros() as u64)
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.wakeup.set_host(at);
        let Some(at) = self.wakeup.change() else {
            return Ok(());
        };
        self.wakeup.set_armed(at);
        let at = at.map(|at| self.began + time::Duration::from_micros(at.as_micros()));
        self.alarm.send(at).map_err(io::Error::other)
    }

    fn wakeup(&self) -> Option<Instant> {
        self.wakeup.armed()
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        if self.wake.read(&mut [0; 64]).is_ok() {
            self.wakeup.expired(self.now());
        }
        for host_if in self.unreported.drain(..) {
            let state = InterfaceState {
                up: !self.dark.contains(&host_if),
                mac: MacAddr([2, 0, 0, 0, 0, 1]),
                ipv4: Some(Ipv4Addr::new(10, 0, 0, 200)),
                ipv6: None,
            };
            sink(Incoming::Interface { host_if, state });
        }
        Ok(())
    }

    fn watch(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError> {
        self.unreported.push(host_if);
        if name == "wg0" {
            self.unfit.insert(host_if);
        }
        if name.starts_with("dark") {
            self.dark.insert(host_if);
        }
        Ok(())
    }

    fn unwatch(&mut self, _: HostIf) {}

    fn prepare(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        match self.unfit.contains(&HostIf::of(setup.key)) {
            true => Err(PlatformError::new("use wg0", refused("it is a tunnel"))),
            false => Ok(()),
        }
    }

    fn release(&mut self, _: VrKey) {}

    fn transmit(&mut self, _: &Transmit<'_>) {}

    fn announce(&mut self, _: HostIf, _: &[u8]) {}

    fn flush(&mut self) {}

    fn set_mac(&mut self, _: VrKey, _: MacAddr, _: bool) -> Result<(), PlatformError> {
        Ok(())
    }

    fn set_address(
        &mut self,
        _: VrKey,
        address: VirtualAddress,
        _: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        if on {
            self.installed.insert(address.address);
        } else {
            self.installed.remove(&address.address);
        }
        Ok(())
    }

    fn set_group(&mut self, _: HostIf, _: Family, _: bool) -> Result<(), PlatformError> {
        Ok(())
    }

    fn mac_interface(&self, _: VrKey) -> Option<String> {
        None
    }

    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        list.extend_from_slice(&self.warnings.borrow());
    }

    /// An Ethernet and a tunnel.
    fn facts(&self) -> HostFacts {
        let own = |name: &str, unfit: Option<&str>| OwnInterface {
            name: name.into(),
            other_names: Vec::new(),
            unfit: unfit.map(str::to_owned),
            addresses: vec![OwnAddress {
                address: [10, 0, 0, 200].into(),
                prefix_len: 24,
                advertises: true,
                duplicate: false,
            }],
        };
        Ok(Box::new(vec![
            own("eth0", None),
            own("wg0", Some("it is a tunnel")),
        ]))
    }
}

impl PrivilegedPlatform for FakePlatform {
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
}
