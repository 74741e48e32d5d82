//! The addresses of an instance.

use std::net::IpAddr;

use super::{Instance, base};
use crate::diagnostic::found;
use crate::import::keepalived::Importer;
use crate::import::keepalived::tree::Statement;
use crate::import::output::{Section, knows};
use crate::import::report::{At, Verdict};
use crate::import::values::number;
use crate::values;

/// A line of `virtual_ipaddress`.
#[derive(Debug)]
pub(super) struct Address<'s> {
    pub(super) line: &'s Statement,
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
    pub(super) device: Option<String>,
}

impl Address<'_> {
    /// The value for `addr`.
    pub(super) fn value(&self, interface: &str) -> String {
        let device = self.device.as_deref().filter(|d| *d != interface);
        match (device, self.address) {
            (Some(device), IpAddr::V6(v6)) => format!("{device}:[{v6}]/{}", self.prefix),
            (Some(device), v4) => format!("{device}:{v4}/{}", self.prefix),
            (None, address) => format!("{address}/{}", self.prefix),
        }
    }
}

impl Instance<'_> {
    /// Writes the addresses. `false`: there are none.
    pub(super) fn put_addresses(
        &mut self,
        name: &str,
        is_v6: bool,
        interface: &str,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) -> bool {
        let mut own: Vec<(IpAddr, String, At)> = Vec::new();
        for address in &self.addresses {
            let line = address.line;
            if address.address.is_ipv6() != is_v6 {
                let text = format!(
                    "{} is not of the family of the first address; keepalived passes over it",
                    address.address
                );
                importer.error(line, text);
            } else if own.iter().any(|(other, _, _)| *other == address.address) {
                let text = format!("{} is there already", address.address);
                importer.error(line, text);
            } else {
                own.push((address.address, address.value(interface), line.at));
                importer.carried(line);
            }
        }
        let excluded = std::mem::take(&mut self.excluded);
        let mut extra: Vec<(String, At)> = Vec::new();
        for address in &excluded {
            let line = address.line;
            let value = address.value(interface);
            let twice = own.iter().any(|(other, _, _)| *other == address.address);
            if twice || extra.iter().any(|(other, _)| *other == value) {
                importer.error(line, format!("{} is there already", address.address));
            } else if knows(&format!("{}extra = {value}", base(is_v6))) {
                extra.push((value, line.at));
                importer.carried(line);
            } else if address.address.is_ipv6() == is_v6 && !own.is_empty() {
                let text = format!(
                    "{}: vrrpd cannot have it in `extra`, it is advertised here, so that all hosts of the group have to change at one time",
                    address.address
                );
                importer.differs(line, text);
                own.push((address.address, value, line.at));
            } else {
                let why = if address.address.is_ipv6() == is_v6 {
                    "vrrpd cannot have it in `extra`"
                } else {
                    "`extra` has no IPv4 addresses beside `addr` of IPv6"
                };
                let text = format!(
                    "{}: {why}; give it a section of its own, which is elected by itself",
                    address.address
                );
                section.remark_lost(line.at, &text);
                importer.lost(line, text);
            }
        }
        section.put_list("extra", extra);
        if own.is_empty() {
            if knows("addr = none") && !is_v6 {
                section.put("addr", "none", section.at);
                return true;
            }
            let text = format!(
                "vrrp_instance {}: it has no addresses, which vrrpd needs",
                found(name)
            );
            importer.report.lost(section.at, text);
            return false;
        }
        let link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if is_v6
            && !own
                .first()
                .is_some_and(|(address, _, _)| link_local(address))
        {
            let text = "the first address is not link-local, as VRRP wants it in IPv6: vrrpd puts one first, so that a host that still runs keepalived sees other addresses than its own and discards the advertisements";
            importer.report.differs(section.at, text);
        }
        let at = own.first().map_or(section.at, |(_, _, at)| *at);
        let values: Vec<String> = own.into_iter().map(|(_, value, _)| value).collect();
        section.put("addr", values.join(", "), at);
        true
    }
}

/// Reads the lines of `virtual_ipaddress`.
pub(super) fn addresses<'s>(
    s: &'s Statement,
    list: &mut Vec<Address<'s>>,
    importer: &mut Importer<'_>,
) {
    for line in s.inner() {
        let word = line.keyword();
        let (text, prefix) = match word.split_once('/') {
            Some((text, prefix)) => (text, Some(prefix)),
            None => (word, None),
        };
        let Ok(address) = text.parse::<IpAddr>() else {
            let text = format!(
                "{}: expected an address, found {}; keepalived passes over it",
                s.keyword(),
                found(word)
            );
            importer.error(line, text);
            continue;
        };
        let width = if address.is_ipv6() { 128 } else { 32 };
        let mut bits = width;
        if let Some(prefix) = prefix {
            match number(prefix)
                .and_then(|n| u8::try_from(n).ok())
                .filter(|n| (1..=width).contains(n))
            {
                Some(prefix) => bits = prefix,
                None => {
                    let text = format!(
                        "{}: expected a prefix length from 1 to {width}; keepalived takes {width}",
                        found(word)
                    );
                    importer.report.error(line.at, text);
                }
            }
        }
        let mut device = None;
        let mut words = line.words.iter().skip(1).map(String::as_str);
        while let Some(option) = words.next() {
            let remark = match option {
                "dev" => {
                    let name = words.next().unwrap_or_default();
                    match values::interface(name) {
                        Ok(name) => device = Some(name),
                        Err(why) => importer.report.error(line.at, format!("dev: {why}")),
                    }
                    continue;
                }
                "brd" | "broadcast" | "scope" | "preferred_lft" => {
                    words.next();
                    "no effect here, an address has the broadcast address, scope and lifetime that vrrpd.conf(5) says"
                }
                "label" => {
                    words.next();
                    "no effect here, an address has no label, as ifconfig shows it: `ip address` shows the address all the same"
                }
                "-nodad" | "nodad" | "home" | "mngtmpaddr" | "noprefixroute" | "autojoin"
                | "no_track" => "no effect here",
                "track_group" => {
                    words.next();
                    "no effect here, a group is named by its own section"
                }
                "use_vmac" => {
                    "no effect here, an address on another device has the MAC of that device"
                }
                "peer" => {
                    let peer = words.next().unwrap_or_default();
                    importer.report.lost(
                        line.at,
                        format!(
                            "{address}: vrrpd has no point-to-point addresses, peer {} is left out",
                            found(peer)
                        ),
                    );
                    continue;
                }
                option => {
                    let text = format!(
                        "{address}: keepalived does not know {} and passes over it; each address has its own line",
                        found(option)
                    );
                    importer.report.error(line.at, text);
                    continue;
                }
            };
            importer
                .report
                .share(line.at, Verdict::Note, option, remark);
        }
        list.push(Address {
            line,
            address,
            prefix: bits,
            device,
        });
    }
}
