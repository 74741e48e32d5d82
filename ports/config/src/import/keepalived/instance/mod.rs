//! `vrrp_instance`: one section `[VRID]`.

mod addresses;
mod authentication;
mod destinations;
mod election;
mod interfaces;
mod routing;
pub(super) mod scripts;

use std::net::IpAddr;

use vrrp_host::MAX_VIRTUAL_ROUTERS;

use super::globals::{Announce, Globals};
use super::trackers::{Kind, Trackers};
use super::tree::Statement;
use super::{Importer, globals};
use crate::diagnostic::found;
use crate::import::output::Section;
use crate::import::report::{At, Verdict};
use crate::import::values::{micros, number, router_name, seconds, truth};
use crate::values;

pub(super) use interfaces::track_for_group;

use addresses::{Address, addresses};
use interfaces::track_interface;
use routing::{routes, rules};
use scripts::scripts;

/// The keywords of an instance that have a block.
const BLOCKS: &[&str] = &[
    "authentication",
    "auth_hmac",
    "virtual_ipaddress",
    "virtual_ipaddress_excluded",
    "unicast_peer",
    "track_interface",
    "track_script",
    "track_process",
    "track_file",
    "virtual_routes",
    "virtual_rules",
];

/// The words of an instance, before they are put together.
#[derive(Debug, Default)]
struct Instance<'s> {
    vrid: Option<(i64, At)>,
    interface: Option<(String, At)>,
    priority: Option<(i64, At)>,
    is_master: Option<At>,
    version: Option<(u8, At)>,
    interval: Option<(u64, At)>,
    auth_type: Option<(String, At)>,
    password: Option<(String, At)>,
    /// The blocks `auth_hmac`: keepalived adds each to those before.
    hmac: Vec<&'s Statement>,
    addresses: Vec<Address<'s>>,
    excluded: Vec<Address<'s>>,
    peers: Vec<(IpAddr, &'s Statement)>,
    unicast: Option<At>,
    source: Option<(IpAddr, &'s Statement)>,
    ttl: Option<(i64, At)>,
    group: Option<(IpAddr, At)>,
    nopreempt: Option<At>,
    preempt_delay: Option<(u64, At)>,
    accept: Option<(bool, At)>,
    strict: Option<bool>,
    vmac: Option<At>,
    native_ipv6: bool,
    announce: Announce,
    owner_ignores: Option<At>,
    new_checksum: Option<At>,
    tracks: Vec<&'s Statement>,
    interfaces: Vec<&'s Statement>,
    scripts: Vec<&'s Statement>,
    routes: Vec<&'s Statement>,
    rules: Vec<&'s Statement>,
    /// The count of what was carried over before it.
    carried_before: usize,
}

/// Writes a section for an instance, as far as that can be.
pub(super) fn convert<'s>(
    statement: &'s Statement,
    globals: &Globals,
    trackers: &mut Trackers<'s>,
    importer: &mut Importer<'_>,
) {
    statement.settle();
    let name = statement.word(1);
    let mut instance = Instance {
        announce: globals.announce,
        carried_before: importer.report.carried(),
        ..Instance::default()
    };
    let mut seen: Vec<(&str, &Statement)> = Vec::new();
    for inner in statement.inner() {
        let keyword = inner.keyword();
        let again = [
            "virtual_ipaddress",
            "virtual_ipaddress_excluded",
            "unicast_peer",
            "authentication",
        ];
        if inner.block.is_none()
            && !again.contains(&keyword)
            && let Some((_, first)) = seen.iter().find(|(word, _)| *word == keyword)
        {
            let text = format!(
                "{keyword} is given again in {}; keepalived takes the last",
                importer.report.place(inner.at, first.at.file)
            );
            importer.report.error(first.at, text);
            seen.retain(|(word, _)| *word != keyword);
        }
        seen.push((keyword, inner));
        instance.one(inner, importer);
        if !BLOCKS.contains(&keyword) {
            let mut left = false;
            let lines = inner.inner().iter();
            lines.for_each(|line| line.each_left(&mut |_| left = true));
            if left {
                let text = format!(
                    "{keyword} has no block; keepalived passes over `{{`, and takes its end for that of vrrp_instance"
                );
                importer.report.error(inner.at, text);
                inner.settle_all();
            }
        }
    }
    let mut section = Section::new(statement.at, format!("vrrp_instance {name}"));
    instance.write(statement, globals, trackers, &mut section, importer);
}

impl<'s> Instance<'s> {
    fn one(&mut self, s: &'s Statement, importer: &mut Importer<'_>) {
        let at = s.at;
        let on = s.words.len() < 2 || truth(s.word(1)) == Some(true);
        match s.keyword() {
            "virtual_router_id" => match ranged(s, 1..=255, importer) {
                Some(vrid) => self.vrid = Some((vrid, at)),
                None => return,
            },
            "interface" if !s.word(1).is_empty() => {
                self.interface = Some((s.word(1).to_owned(), at));
            }
            "interface" => return importer.error(s, "interface has no name"),
            "priority" => match ranged(s, 1..=255, importer) {
                Some(priority) => self.priority = Some((priority, at)),
                None => return,
            },
            "state" => return self.state(s, importer),
            "version" => match ranged(s, 2..=3, importer) {
                Some(version) => self.version = Some((if version == 2 { 2 } else { 3 }, at)),
                None => return,
            },
            "advert_int" => {
                let interval = micros(s.word(1)).filter(|t| (10_000..=255_000_000).contains(t));
                let Some(interval) = interval else {
                    let text = format!(
                        "advert_int: expected seconds from 0.01 to 255, found {}; keepalived takes 1",
                        found(s.word(1))
                    );
                    return importer.error(s, text);
                };
                self.interval = Some((interval, at));
            }
            "authentication" => return self.authentication(s, importer),
            "auth_hmac" => {
                s.settle_all();
                if let Some(first) = self.hmac.first() {
                    let text = format!(
                        "auth_hmac is there already in {}; its lines are added to those, as with keepalived",
                        importer.report.place(first.at, at.file)
                    );
                    importer.report.note(at, text);
                }
                self.hmac.push(s);
                return;
            }
            "virtual_ipaddress" => {
                s.settle();
                return addresses(s, &mut self.addresses, importer);
            }
            "virtual_ipaddress_excluded" => {
                s.settle();
                return addresses(s, &mut self.excluded, importer);
            }
            "no_virtual_ipaddress" => {}
            "unicast_peer" => return self.peers(s, importer),
            "mcast_src_ip" | "unicast_src_ip" => match s.word(1).parse() {
                Ok(address) => {
                    self.source = Some((address, s));
                    if s.keyword() == "unicast_src_ip" {
                        self.unicast = self.unicast.or(Some(at));
                    }
                }
                Err(_) => {
                    let text = format!(
                        "{}: expected an address, found {}; keepalived takes that of the interface",
                        s.keyword(),
                        found(s.word(1))
                    );
                    return importer.error(s, text);
                }
            },
            "mcast_dst_ip" => match s.word(1).parse() {
                Ok(address) => self.group = Some((address, at)),
                Err(_) => {
                    let text = format!(
                        "mcast_dst_ip: expected an address, found {}",
                        found(s.word(1))
                    );
                    return importer.error(s, text);
                }
            },
            "unicast_ttl" => match ranged(s, 0..=255, importer) {
                Some(ttl) => self.ttl = Some((ttl, at)),
                None => return,
            },
            "nopreempt" => self.nopreempt = Some(at),
            "preempt" => self.nopreempt = None,
            "preempt_delay" => {
                let delay = micros(s.word(1)).filter(|t| *t <= 1_000_000_000);
                let Some(delay) = delay else {
                    let text = format!(
                        "preempt_delay: expected seconds from 0 to 1000, found {}; keepalived takes 0",
                        found(s.word(1))
                    );
                    return importer.error(s, text);
                };
                self.preempt_delay = Some((delay, at));
            }
            "accept" => self.accept = Some((true, at)),
            "no_accept" => self.accept = Some((false, at)),
            "strict_mode" => self.strict = Some(on),
            "use_vmac" => {
                self.vmac = Some(at);
                if s.words.iter().skip(1).any(|word| word.contains(':')) {
                    let text = "use_vmac with a MAC address of its own: vrrpd takes that of RFC 9568, and neighbours learn it by the announcements";
                    return importer.differs(s, text);
                }
                if !s.word(1).is_empty() {
                    let text = format!(
                        "use_vmac {}: vrrpd names the interface of the virtual MAC itself, `vrrpctl status` shows it (mac): change what names it, as rules of the firewall",
                        found(s.word(1))
                    );
                    return importer.differs(s, text);
                }
            }
            "use_ipvlan" => {
                let text = "use_ipvlan: vrrpd has no ipvlan, the addresses are served by the MAC of the interface";
                return importer.differs(s, text);
            }
            "native_ipv6" => self.native_ipv6 = true,
            "track_interface" => {
                s.settle();
                self.interfaces.extend(s.inner());
                return;
            }
            "track_script" | "track_process" | "track_file" => {
                s.settle();
                self.tracks.push(s);
                return;
            }
            "virtual_routes" => {
                s.settle();
                self.routes.extend(s.inner());
                return;
            }
            "virtual_rules" => {
                s.settle();
                self.rules.extend(s.inner());
                return;
            }
            "notify"
            | "notify_master"
            | "notify_backup"
            | "notify_fault"
            | "notify_stop"
            | "notify_master_rx_lower_pri"
            | "notify_deleted" => {
                s.settle();
                self.scripts.push(s);
                return;
            }
            "garp_master_delay" => self.announce.delay = number(s.word(1)).map(|n| (n, at)),
            "garp_master_refresh" => self.announce.refresh = number(s.word(1)).map(|n| (n, at)),
            "owner_ignore_adverts" => self.owner_ignores = Some(at),
            "v3_checksum_as_v2" => self.new_checksum = on.then_some(at),
            _ => return without_effect(s, importer),
        }
        importer.carried(s);
    }

    /// Whether the addresses are of IPv6, by what decides that for keepalived.
    fn is_v6(&self) -> bool {
        let first = self.addresses.first().map(|a| a.address);
        let first = first.or(self.peers.first().map(|(peer, _)| *peer));
        let first = first.or(self.source.map(|(source, _)| source));
        let first = first.or(self.excluded.first().map(|a| a.address));
        first.map_or(self.native_ipv6, |address| address.is_ipv6())
    }

    fn write(
        mut self,
        statement: &Statement,
        globals: &Globals,
        trackers: &mut Trackers<'s>,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) {
        let at = statement.at;
        let name = statement.word(1).to_owned();
        let is_v6 = self.is_v6();
        let strict = self.strict.unwrap_or(globals.strict);
        match router_name(&name) {
            Some(name) => section.put("name", name, at),
            None => importer.report.note(
                at,
                format!(
                    "the name {} is not carried over, as `name` cannot hold it",
                    found(&name)
                ),
            ),
        }
        let Some((vrid, vrid_at)) = self.vrid else {
            let text = format!(
                "vrrp_instance {} has no virtual_router_id; keepalived does without the instance, too",
                found(&name)
            );
            importer.report.error(at, text);
            return self.drop(statement, section, trackers, importer);
        };
        section.put("serverid", vrid.to_string(), vrid_at);
        let Some((interface, interface_at)) = self.interface(globals, importer) else {
            let text = format!(
                "vrrp_instance {} has no interface; name the one that its advertisements leave by",
                found(&name)
            );
            importer.report.error(at, text);
            return self.drop(statement, section, trackers, importer);
        };
        if let Err(why) = values::interface(&interface) {
            importer
                .report
                .error(interface_at, format!("interface: {why}"));
            return self.drop(statement, section, trackers, importer);
        }
        section.put("interface", interface.clone(), interface_at);
        let full = importer.output.routers.len() >= MAX_VIRTUAL_ROUTERS;
        let taken = importer.taken.get(&(vrid, interface.clone(), is_v6));
        let why = match taken {
            Some(other) => format!(
                "{other} has virtual_router_id {vrid} on {interface} already; vrrpd takes each once on an interface and in a family"
            ),
            None if full => format!("vrrpd serves at most {MAX_VIRTUAL_ROUTERS} virtual routers"),
            None => String::new(),
        };
        if !why.is_empty() {
            let text = format!("vrrp_instance {}: {why}", found(&name));
            importer.report.lost(vrid_at, text);
            return self.drop(statement, section, trackers, importer);
        }
        let key = (vrid, interface.clone(), is_v6);
        importer.taken.insert(key, section.title.clone());
        section.is_v6 = is_v6;

        // The priority, and whatever depends on a beginning as master.
        let master = self.is_master.filter(|_| !strict);
        let (priority, priority_at) = self.priority.unwrap_or_else(|| {
            let (priority, why) = match self.is_master {
                Some(_) => (255, ", as the state is MASTER"),
                None => (100, ""),
            };
            let text = format!(
                "vrrp_instance {} has no priority; keepalived takes {priority}{why}",
                found(&name)
            );
            importer.report.note(at, text);
            (priority, at)
        });
        if priority == 255 {
            let text = "priority 255 says that the addresses belong to this host: no other takes over while it runs, checks with weights do not count; 254 is the highest for addresses that move";
            importer.report.note(priority_at, text);
        }
        section.put("priority", priority.to_string(), priority_at);
        let (version, version_at) = self.version(is_v6, strict, globals, at, section, importer);
        section.put("version", version.to_string(), version_at);
        section.put(
            "useVMAC",
            if self.vmac.is_some() { "yes" } else { "no" },
            self.vmac.unwrap_or(at),
        );
        self.interval(version, section, importer);
        if !self.authenticated(version, strict, section, importer) {
            return self.drop(statement, section, trackers, importer);
        }
        self.preemption(priority, strict, master, section, importer);
        self.acceptance(priority, version, strict, section, importer);
        if !self.put_addresses(&name, is_v6, &interface, section, importer) {
            return self.drop(statement, section, trackers, importer);
        }
        if !self.unicast(is_v6, strict, &interface, section, importer) {
            return self.drop(statement, section, trackers, importer);
        }
        if !self.multicast(is_v6, globals, section, importer) {
            return self.drop(statement, section, trackers, importer);
        }
        self.announcements(section);
        if let Some(at) = self
            .new_checksum
            .or(globals.new_checksum)
            .filter(|_| version == 3 && !is_v6)
        {
            section.put("checksum", "rfc9568", at);
        }
        if let Some(at) = self.owner_ignores.or(globals.owner_ignores) {
            section.put("ownerreceive", "discard", at);
        }
        if let Some((delay, at)) = globals.startup_delay {
            section.put("startdelay", seconds(delay.div_ceil(1000)), at);
        }
        if let Some((adverts, at)) = globals.down_adverts.filter(|(adverts, _)| *adverts != 3) {
            let text = format!(
                "vrrp_down_timer_adverts {adverts}: vrrpd takes over after 3 intervals, as the protocol has it; hosts of a group must agree"
            );
            importer.report.lost(at, text);
        }
        for line in std::mem::take(&mut self.interfaces) {
            track_interface(line, &interface, priority == 255, section, importer);
        }
        for block in std::mem::take(&mut self.tracks) {
            let Some(kind) = Kind::of_block(block.keyword()) else {
                continue;
            };
            for line in block.inner() {
                trackers.track(kind, line, priority == 255, section, importer);
            }
        }
        if self.nopreempt.is_some()
            && section.get("preempt") == Some("no")
            && section.checks.iter().any(|(_, how, _)| how != ":fault")
        {
            let text = format!(
                "vrrp_instance {}: with nopreempt a check with a weight never moves the addresses, with keepalived neither",
                found(&name)
            );
            importer.report.note(at, text);
        }
        scripts(&self.scripts, globals, section, importer);
        routes(&self.routes, &interface, section, importer);
        rules(&self.rules, section, importer);
        importer.report.carry();
        section.carried = importer.report.carried() - self.carried_before;
        importer.output.routers.push(section.clone());
    }

    /// Gives an instance up. Its lines are accounted for by what was said about it.
    fn drop(
        &self,
        statement: &Statement,
        section: &mut Section,
        trackers: &mut Trackers<'s>,
        importer: &mut Importer<'_>,
    ) {
        let text = format!("NOT CARRIED OVER: {}, see the report", section.title);
        importer.output.remarks.push((section.at, text));
        for block in &self.tracks {
            if let Some(kind) = Kind::of_block(block.keyword()) {
                for line in block.inner() {
                    // It says whether what is tracked is there, and how it would be carried over.
                    trackers.track(kind, line, false, section, importer);
                }
            }
        }
        importer.report.carry_again(self.carried_before);
        statement.settle_all();
    }

    fn interface(
        &mut self,
        globals: &Globals,
        importer: &mut Importer<'_>,
    ) -> Option<(String, At)> {
        if let Some((name, at)) = self.interface.take() {
            return Some((name, at));
        }
        let name = globals.default_interface.clone()?;
        let at = self.vrid.map_or(At::default(), |(_, at)| at);
        importer.report.note(
            at,
            format!(
                "the interface is {}, that of default_interface",
                found(&name)
            ),
        );
        Some((name, at))
    }

    fn announcements(&self, section: &mut Section) {
        if let Some(at) = self.announce.once {
            section.put("announcerepeats", "0", at);
        } else if let Some((delay, at)) = self.announce.delay {
            match delay {
                0 => section.put("announcerepeats", "0", at),
                5 => {}
                delay => section.put("announceinterval", delay.clamp(1, 3600).to_string(), at),
            }
        }
        if let Some((refresh, at)) = self.announce.refresh.filter(|(refresh, _)| *refresh > 0) {
            section.put("announcerefresh", refresh.min(86_400).to_string(), at);
        }
    }
}

/// An address of the family, for the question whether this vrrpd knows a key.
fn base(is_v6: bool) -> &'static str {
    if is_v6 { "addr = fe80::1/64\n" } else { "" }
}

/// A number in a range, or the remark that keepalived takes its default.
fn ranged(
    s: &Statement,
    range: std::ops::RangeInclusive<i64>,
    importer: &mut Importer<'_>,
) -> Option<i64> {
    let number = number(s.word(1)).filter(|number| range.contains(number));
    if number.is_none() {
        let text = format!(
            "{}: expected a number from {} to {}, found {}; keepalived passes over it",
            s.keyword(),
            range.start(),
            range.end(),
            found(s.word(1))
        );
        importer.error(s, text);
    }
    number
}

/// Words that have no part in elections, or none that vrrpd has.
fn without_effect(s: &Statement, importer: &mut Importer<'_>) {
    let lost = Verdict::NotCarriedOver;
    let note = Verdict::Note;
    let (verdict, remark) = match s.keyword() {
        "use_vmac_addr" => (
            note,
            "no effect here, an address on another device has the MAC of that device",
        ),
        "vmac_xmit_base" => (
            note,
            "no effect here, with the virtual MAC advertisements leave from it",
        ),
        "dont_track_primary" => (
            Verdict::Differs,
            "the interface of a virtual router is always watched: while it is down this host takes no part",
        ),
        "track_src_ip" => (
            note,
            "no effect here, status warns when the source address is not there",
        ),
        "track_bfd" => (lost, "vrrpd has no BFD; a check with ping can stand for it"),
        "check_unicast_src" => (
            note,
            "no effect here, advertisements are taken from peers alone in any case",
        ),
        "unicast_fault_no_peer"
        | "promote_secondaries"
        | "debug"
        | "kernel_rx_buf_size"
        | "linkbeat_use_polling"
        | "notify_priority_changes"
        | "native_ipv6" => (note, globals::NO_EFFECT),
        "skip_check_adv_addr" => (
            note,
            "no effect here, other addresses in an advertisement are a warning (see addresscheck)",
        ),
        "lower_prio_no_advert" | "higher_prio_send_advert" => (
            note,
            "no effect here, vrrpd answers a lower master as RFC 9568 has it",
        ),
        "garp_master_repeat"
        | "garp_master_refresh_repeat"
        | "garp_lower_prio_delay"
        | "garp_lower_prio_repeat"
        | "garp_extra_if"
        | "vmac_garp_intvl" => (
            note,
            "no effect here, each round of announcements is one (see announcerepeats)",
        ),
        "old_unicast_checksum" => (
            note,
            "no effect here, vrrpd follows the form of the checksum that the others send",
        ),
        "down_timer_adverts" if s.word(1) == "3" => (note, globals::NO_EFFECT),
        "down_timer_adverts" => (
            lost,
            "vrrpd takes over after 3 intervals, as the protocol has it; hosts of a group must agree",
        ),
        "timer_expired_backup" | "thread_timer_expired" => (note, "no effect here"),
        "vrf" => (
            lost,
            "vrrpd works on the interface that is named, in the VRF that it is in",
        ),
        "lvs_sync_daemon_interface" => (
            lost,
            "concerns LVS, which stays with keepalived; its synchronisation would no longer follow this instance",
        ),
        "smtp_alert" if s.words.len() > 1 && truth(s.word(1)) == Some(false) => {
            (note, globals::NO_EFFECT)
        }
        "smtp_alert" => (
            lost,
            "vrrpd sends no mail: let notifyscript, or masterscript and the others, send it",
        ),
        "" => {
            s.settle_all();
            return;
        }
        word => {
            let mut text = format!(
                "keepalived does not know {} in vrrp_instance and passes over it",
                found(word)
            );
            if s.block.is_some() {
                text.push_str("; it takes the end of this block for that of the instance, and passes over the rest, too, which is carried over here");
            }
            importer.error(s, text);
            return s.settle_all();
        }
    };
    importer.share(s, verdict, remark);
}
