//! Warnings about sysctls that are not as virtual routers need them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use vrrp_core::{Family, MacMode, VrKey};
use vrrp_host::{PlatformWarning, Subject};
use vrrp_port_kit::KernelIf;

use super::apply::Sysctls;
use super::table::{Answers, SEGMENT, Sysctl, Values, greatest};
use crate::state::State;

const IFF_LOOPBACK: u32 = libc::IFF_LOOPBACK as u32;

impl Sysctls {
    /// Appends what is wrong with sysctls now.
    pub(crate) fn warnings(&self, state: &State, list: &mut Vec<PlatformWarning>) {
        for key in state.table.routers.keys() {
            self.arp_warnings(state, key, list);
            self.forwarding_warning(state, key, list);
        }
        self.segment_warnings(list);
        self.wrong_warnings(state, list);
    }

    /// Addresses that the kernel does not answer ARP for.
    fn arp_warnings(&self, state: &State, key: VrKey, list: &mut Vec<PlatformWarning>) {
        let (Some(router), Some((parent, parent_name))) = (
            state.table.routers.get(key),
            state.table.interfaces.parent(key).ok(),
        ) else {
            return;
        };
        let on_macvlan = self.kernel_answers(None) == Answers::None;
        let mut devices = self.devices.keys();
        let on_device = devices.any(|d| self.kernel_answers(Some(*d)) == Answers::None);
        if key.family == Family::Ipv6 || !(on_macvlan || on_device) {
            return;
        }
        let mut warn = |text| {
            let subject = Subject::VirtualRouter(key);
            list.push(PlatformWarning { subject, text });
        };
        let device = (router.setup.mac_mode == MacMode::Interface).then_some(parent);
        // Those on an interface that is named, as long as it is another one.
        let elsewhere = |(_, device): &&(_, Option<String>)| {
            let is_other = |name: &String| *name != parent_name;
            device.as_ref().is_some_and(is_other)
        };
        let addresses = router.setup.addresses.iter();
        if addresses.clone().filter(elsewhere).count() < addresses.len()
            && self.kernel_answers(device) == Answers::None
        {
            let cause = self.silencer(state, device);
            warn(format!(
                "{cause}: the kernel does not answer ARP for its addresses; vrrpd answers in its place"
            ));
        }
        for (address, device) in addresses.filter(elsewhere) {
            let index = device.as_ref().and_then(|name| state.links.find(name));
            let Some(link) = index.and_then(|index| state.links.get(index)) else {
                continue;
            };
            let answers = self.kernel_answers(Some(link.index));
            if link.flags & IFF_LOOPBACK == 0 && answers == Answers::None {
                let (ip, cause) = (address.address, self.silencer(state, Some(link.index)));
                let device = &link.name;
                warn(format!("{cause}: nothing answers ARP for {ip} on {device}"));
            }
        }
    }

    /// The sysctl that keeps the kernel from answering ARP, and its value.
    fn silencer(&self, state: &State, device: Option<KernelIf>) -> String {
        let device = device.and_then(|index| {
            let link = state.links.get(index)?;
            Some((link.name.as_str(), self.devices.get(&index)?))
        });
        let of_all = Some(("all", &self.all));
        let mut found = String::new();
        for (name, values) in of_all.into_iter().chain(device) {
            for (sysctl, harmless) in [(Sysctl::ArpFilter, 0), (Sysctl::ArpIgnore, 1)] {
                let value = values.get(sysctl).unwrap_or_default();
                if value > harmless {
                    let and = if found.is_empty() { "" } else { ", " };
                    let _ = write!(found, "{and}{} is {value}", sysctl.path(name));
                }
            }
        }
        found
    }

    /// Addresses that are of use to nobody: they accept nothing, and nothing is forwarded.
    fn forwarding_warning(&self, state: &State, key: VrKey, list: &mut Vec<PlatformWarning>) {
        let (Some(router), Some((parent, name))) = (
            state.table.routers.get(key),
            state.table.interfaces.parent(key).ok(),
        ) else {
            return;
        };
        let Some(values) = self.devices.get(&parent) else {
            return;
        };
        if router.setup.accept {
            return;
        }
        let is_off = |values: &Values, sysctl| values.get(sysctl) == Some(0);
        let off = match key.family {
            Family::Ipv4 if is_off(values, Sysctl::Forwarding) => Sysctl::Forwarding.path(name),
            Family::Ipv6
                if is_off(&self.all, Sysctl::Forwarding6)
                    && values.get(Sysctl::ForceForwarding6) != Some(1) =>
            {
                Sysctl::Forwarding6.path("all")
            }
            _ => return,
        };
        list.push(PlatformWarning {
            subject: Subject::VirtualRouter(key),
            text: format!(
                "accept is off and {off} is 0: packets to its MAC are neither taken nor forwarded"
            ),
        });
    }

    /// Interfaces that answer for addresses of others, because "all" has a value that the kernel
    /// takes in place of ours.
    fn segment_warnings(&self, list: &mut Vec<PlatformWarning>) {
        for rule in SEGMENT {
            let value = greatest(rule.sysctl, &[&self.all]).max(rule.value);
            if !rule.good.contains(&value) && !self.segments.is_empty() {
                let (all, name, harm) = (rule.sysctl.path("all"), rule.sysctl.name(), rule.harm);
                list.push(PlatformWarning {
                    subject: Subject::Host,
                    text: format!(
                        "{all} is {value}: interfaces {harm}; set {name} of interfaces, not of all"
                    ),
                });
            }
        }
    }

    /// Values that we had to set again, or may not set.
    fn wrong_warnings(&self, state: &State, list: &mut Vec<PlatformWarning>) {
        let mut refused: BTreeMap<KernelIf, String> = BTreeMap::new();
        for ((index, sysctl), wrong) in &self.wrong {
            let path = sysctl.path(&state.link_label(*index));
            let (found, wanted) = (wrong.found, wrong.wanted);
            if wrong.refused {
                let text = refused.entry(*index).or_default();
                let and = if text.is_empty() { "" } else { ", " };
                let harmless = match (sysctl, wanted) {
                    (Sysctl::DisableIpv6, 1) => ", harmless while there is no IPv6 address",
                    _ => "",
                };
                let _ = write!(text, "{and}{path} = {wanted} (it is {found}{harmless})");
            } else {
                list.push(PlatformWarning {
                    subject: Subject::Host,
                    text: format!(
                        "{path} was set to {found} by another program; set it to {wanted} again"
                    ),
                });
            }
        }
        for (index, text) in refused {
            let router = state.of_macvlan(index);
            let subject = router.map_or(Subject::Host, Subject::VirtualRouter);
            let text = format!("not permitted to write below /proc/sys: wanted {text}");
            list.push(PlatformWarning { subject, text });
        }
    }
}
