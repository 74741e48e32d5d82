//! A network interface of a host, the cable to its segment, and the segment's port.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::Lab;
use super::decode::Mac;
use super::system::Hub;

/// A network interface of a host, plugged into a segment. The port of the segment has the name of
/// the host.
#[derive(Clone, Debug)]
pub struct Nic {
    host: String,
    interface: String,
    pub(super) hub: Arc<Hub>,
    net: u8,
    number: u8,
}

impl Nic {
    pub(super) fn new(host: &str, interface: &str, lab: &Lab, number: u8) -> Self {
        Self {
            host: host.to_owned(),
            interface: interface.to_owned(),
            hub: lab.hub.clone(),
            net: lab.net,
            number,
        }
    }

    /// The name of the interface.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The name of the host, and of the port.
    #[cfg(target_os = "linux")]
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Its MAC.
    pub fn mac(&self) -> Mac {
        Mac([2, 0, 10, 10, self.net, self.number])
    }

    /// The host's own IPv4 address on it, in a /24.
    pub fn v4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 10, self.net, self.number)
    }

    /// The host's own IPv6 address on it, in a /64.
    pub fn v6(&self) -> Ipv6Addr {
        let text = format!("fd00:{}::{}", self.net, self.number);
        text.parse().expect("decimal digits are hexadecimal digits")
    }

    /// Its link-local IPv6 address.
    pub fn link_local(&self) -> Ipv6Addr {
        let low = u16::from_be_bytes([self.net, self.number]);
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x0aff, 0xfe0a, low)
    }

    /// The port ceases to pass frames; the host's carrier stays.
    pub fn fail_port(&self) {
        self.hub.set_port(&self.host, false);
    }

    /// The port delivers frames to the MAC of the interface and to groups alone, as hypervisors do; or to
    /// any MAC again.
    #[cfg(target_os = "linux")]
    pub fn confine_port(&self, on: bool) {
        let mac = format!("{:?}", self.mac());
        self.hub.confine_port(&self.host, &mac, on);
    }

    /// The port works again.
    pub fn mend_port(&self) {
        self.hub.set_port(&self.host, true);
    }
}
