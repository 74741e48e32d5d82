//! The operations on a host that need FreeBSD's own tools.

use crate::host::{Host, INTERFACE};

impl Host {
    /// Plugs it in and gives it its addresses.
    pub(crate) fn set_up(&self) {
        self.nic.hub.plug(self.name(), self.stack(), INTERFACE);
        let (nic, mac) = (&self.nic, self.mac());
        // Duplicate address detection would hold the host's own IPv6 addresses back for a second.
        self.stack().ifconfig(&format!(
            "{INTERFACE} ether {mac:?}\n\
             {INTERFACE} inet6 -ifdisabled auto_linklocal no_dad up\n\
             {INTERFACE} inet {}/24\n\
             {INTERFACE} inet6 {}/64",
            nic.v4(),
            nic.v6()
        ));
    }

    /// Pulls the cable out. An epair always has a carrier: it goes, and the interface with it.
    pub fn pull_cable(&self) {
        self.nic.hub.unplug(self.name());
    }

    /// Plugs the cable in again, with an interface as before.
    pub fn plug_cable(&self) {
        self.set_up();
    }

    /// Every address on its interfaces, without prefix lengths.
    pub fn addresses(&self) -> Vec<String> {
        let text = self.stack().ifconfig("-a");
        let lines = text.lines();
        lines
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                words
                    .next()
                    .filter(|word| matches!(*word, "inet" | "inet6"))?;
                let address = words.next()?;
                Some(address.split('%').next().unwrap_or(address).to_owned())
            })
            .collect()
    }

    /// The names of its interfaces, but for the loopback.
    pub fn interfaces(&self) -> Vec<String> {
        let text = self.stack().ifconfig("-l");
        let names = text.split_whitespace().filter(|name| *name != "lo0");
        names.map(str::to_owned).collect()
    }

    /// Forgets which MACs its neighbours have.
    pub fn forget_neighbours(&self) {
        self.run("arp -d -a");
        self.run("ndp -c");
    }

    /// Whether it has a cable with somebody at the other end.
    pub fn has_carrier(&self) -> bool {
        self.run(&format!("ifconfig {INTERFACE}"))
            .contains("status: active")
    }

    /// How many packets its interface has received.
    pub fn received(&self) -> u64 {
        // The names of the columns, then a line for the link: it has an address as third word.
        let text = self.run(&format!("netstat -n -b -I {INTERFACE}"));
        let line = text.lines().find(|line| line.contains("<Link#"));
        let packets = line.expect("counters of xl0").split_whitespace().nth(4);
        let packets = packets.expect("packets received");
        packets.parse().expect("a number of packets")
    }

    /// Takes `address` from the interface that has it.
    ///
    /// # Panics
    ///
    /// When none has it.
    pub fn remove_address(&self, address: &str) {
        let has = |name: &String| {
            let text = self.run(&format!("ifconfig {name}"));
            text.contains(&format!("inet {address} "))
        };
        let interface = self.interfaces().into_iter().find(has);
        let interface = interface.expect("the address is held");
        self.stack()
            .ifconfig(&format!("{interface} inet {address} -alias"));
    }

    /// Makes it find the hosts of `subnet` (10.10.1.0/24) on its segment.
    pub fn add_route(&self, subnet: &str) {
        let line = format!("-n add -net {subnet} -interface {INTERFACE}");
        self.stack().must("route", &line);
    }

    /// A line for a shell that prints on how many interfaces `address` is.
    pub fn count_address(address: &str) -> String {
        format!("ifconfig -a | grep -cw 'inet {address}'")
    }
}
