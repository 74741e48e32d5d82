//! `vrrp_instance`: one section `[VRID]`.

use std::net::IpAddr;

use vrrp_core::MAX_TRACKS;
use vrrp_host::MAX_VIRTUAL_ROUTERS;

use super::globals::{Announce, Globals};
use super::programs::Command;
use super::trackers::{Kind, Trackers, Weighting, is_full};
use super::tree::Statement;
use super::{Importer, User, globals};
use crate::diagnostic::found;
use crate::import::output::{Section, can_hold, knows};
use crate::import::report::{At, Verdict};
use crate::import::values::{micros, number, router_name, seconds, truth};
use crate::values;

/// The octets of a password that are sent.
const SENT: usize = 8;

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
    hmac: Option<&'s Statement>,
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

/// A line of `virtual_ipaddress`.
#[derive(Debug)]
struct Address<'s> {
    line: &'s Statement,
    address: IpAddr,
    prefix: u8,
    device: Option<String>,
}

impl Address<'_> {
    /// The value for `addr`.
    fn value(&self, interface: &str) -> String {
        let device = self.device.as_deref().filter(|d| *d != interface);
        match (device, self.address) {
            (Some(device), IpAddr::V6(v6)) => format!("{device}:[{v6}]/{}", self.prefix),
            (Some(device), v4) => format!("{device}:{v4}/{}", self.prefix),
            (None, address) => format!("{address}/{}", self.prefix),
        }
    }
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
                self.hmac = Some(s);
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

    fn state(&mut self, s: &Statement, importer: &mut Importer<'_>) {
        self.is_master = None;
        match s.word(1) {
            "MASTER" => self.is_master = Some(s.at),
            "BACKUP" => {}
            "" => return importer.error(s, "state has no value; keepalived takes BACKUP"),
            other => {
                let text = format!(
                    "state: expected MASTER or BACKUP, found {}; keepalived takes BACKUP",
                    found(other)
                );
                return importer.error(s, text);
            }
        }
        let remark = "no effect here, a host always begins as backup, and its priority decides";
        importer.share(s, Verdict::Note, remark);
    }

    fn authentication(&mut self, s: &Statement, importer: &mut Importer<'_>) {
        s.settle();
        for inner in s.inner() {
            match inner.keyword() {
                "auth_type" => {
                    self.auth_type = Some((inner.word(1).to_owned(), inner.at));
                    match inner.word(1) {
                        // An alias of PASS is not in the manual, but taken.
                        "PASS" => importer.carried(inner),
                        "AH" => {
                            inner.settle();
                        }
                        other => {
                            self.auth_type = None;
                            let text = format!(
                                "auth_type: expected PASS, found {}; keepalived goes without",
                                found(other)
                            );
                            importer.error(inner, text);
                        }
                    }
                }
                "auth_pass" => {
                    inner.settle();
                    self.password = Some((inner.word(1).to_owned(), inner.at));
                }
                _ => {
                    let text = format!(
                        "keepalived does not know {} in authentication and passes over it",
                        found(inner.keyword())
                    );
                    importer.error(inner, text);
                }
            }
        }
    }

    fn peers(&mut self, s: &'s Statement, importer: &mut Importer<'_>) {
        s.settle();
        self.unicast = Some(s.at);
        for line in s.inner() {
            let Ok(peer) = line.keyword().parse::<IpAddr>() else {
                let text = format!(
                    "unicast_peer: expected an address, found {}; keepalived passes over it",
                    found(line.keyword())
                );
                importer.error(line, text);
                continue;
            };
            let mut words = line.words.iter().skip(1).map(String::as_str);
            while let Some(word) = words.next() {
                match word {
                    "min_ttl" | "max_ttl" => {
                        let ttl = words.next().unwrap_or_default();
                        let text =
                            format!("{word} {ttl} of {peer}: see maxhops, which is for all peers");
                        importer.report.differs(line.at, text);
                    }
                    word => {
                        let text = format!(
                            "unicast_peer: expected one address on a line, found {}; keepalived passes over it",
                            found(word)
                        );
                        importer.report.error(line.at, text);
                    }
                }
            }
            self.peers.push((peer, line));
            importer.carried(line);
        }
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
        for (lines, key) in [(&self.routes, "route"), (&self.rules, "rule")] {
            routes(lines, key, &interface, section, importer);
        }
        importer.report.carry();
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

    fn version(
        &self,
        is_v6: bool,
        strict: bool,
        globals: &Globals,
        at: At,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) -> (u8, At) {
        let version = self.version.or(globals.version);
        match version {
            Some((2, said_at)) if is_v6 => {
                // Of all instances keepalived makes IPv6 ones version 3 unless they say 2 themselves.
                if self.version.is_some() && !strict {
                    let text = "keepalived speaks version 2 over IPv6 here, which no RFC has; vrrpd speaks version 3, so that all hosts of the group have to change at one time";
                    section.remarks.push((said_at, format!("DIFFERS: {text}")));
                    importer.report.differs(said_at, text);
                }
                (3, said_at)
            }
            Some((version, at)) => (version, at),
            None => (if is_v6 { 3 } else { 2 }, at),
        }
    }

    fn interval(&self, version: u8, section: &mut Section, importer: &mut Importer<'_>) {
        let Some((micros, at)) = self.interval else {
            return;
        };
        let centis = if version == 2 {
            // keepalived rounds to whole seconds.
            (micros + 500_000).div_euclid(1_000_000).clamp(1, 255) * 100
        } else {
            ((micros + 5_000) / 10_000).clamp(1, 4095)
        };
        if centis * 10_000 != micros {
            let text = format!(
                "advert_int: {} s in version {version}, as with keepalived",
                seconds(centis * 10)
            );
            importer.report.note(at, text);
        }
        if centis != 100 {
            section.put("advertinterval", seconds(centis * 10), at);
        }
    }

    /// Writes the password. `false`: the others would discard every advertisement.
    fn authenticated(
        &self,
        version: u8,
        strict: bool,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) -> bool {
        if let Some(hmac) = self.hmac {
            return authenticate_by_hmac(hmac, strict, section, importer);
        }
        let said = |at: At, text: &str, importer: &mut Importer<'_>| importer.report.note(at, text);
        let password = match (&self.auth_type, &self.password) {
            (None, None) => return true,
            (None, Some((_, at))) => {
                let text = "auth_pass has no effect without auth_type, with keepalived neither";
                importer.report.error(*at, text);
                return true;
            }
            (Some((_, at)), None) => {
                let text = "auth_type has no effect without auth_pass";
                importer.report.error(*at, text);
                return true;
            }
            (Some((kind, kind_at)), Some((password, at))) => {
                if version == 3 {
                    said(
                        *at,
                        "the password has no effect, with keepalived neither: version 3 has none",
                        importer,
                    );
                    return true;
                }
                if strict {
                    said(
                        *at,
                        "the password has no effect, with keepalived neither, as vrrp_strict is set",
                        importer,
                    );
                    return true;
                }
                if kind == "AH" {
                    let text = "auth_type AH: vrrpd has no authentication header, and the others would discard what it sends: let all hosts go without first, or use auth_hmac";
                    importer.report.lost(*kind_at, text);
                    return false;
                }
                (password, *at)
            }
        };
        let (password, at) = password;
        let mut sent = password.as_str();
        if sent.len() > SENT {
            let end = (0..=SENT).rev().find(|at| sent.is_char_boundary(*at));
            sent = sent.get(..end.unwrap_or(0)).unwrap_or_default();
            said(
                at,
                "of the password the first 8 octets count, as with keepalived",
                importer,
            );
            if end != Some(SENT) {
                importer.report.lost(at, "the first 8 octets of the password end within a character, which no value can hold");
                return false;
            }
        }
        if !can_hold(sent) {
            importer.report.lost(at, "`password` cannot hold this password: blanks at its ends, control characters, or a blank before `#`; give all hosts another one");
            return false;
        }
        section.put("password", sent, at);
        importer.report.carry();
        true
    }

    fn preemption(
        &self,
        priority: i64,
        strict: bool,
        master: Option<At>,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) {
        if let Some(at) = self.nopreempt {
            if master.is_some() {
                let text = "nopreempt has no effect, with keepalived neither, as the state is MASTER: this host takes the addresses back; with BACKUP on all hosts it would not";
                importer.report.note(at, text);
            } else if priority == 255 {
                importer.report.note(
                    at,
                    "nopreempt has no effect with priority 255, with keepalived neither",
                );
            } else {
                section.put("preempt", "no", at);
            }
        }
        let Some((delay, at)) = self.preempt_delay else {
            return;
        };
        if strict {
            importer.report.note(
                at,
                "preempt_delay has no effect, with keepalived neither, as vrrp_strict is set",
            );
        } else if master.is_some() {
            importer.report.note(
                at,
                "preempt_delay has no effect, with keepalived neither, as the state is MASTER",
            );
        } else if section.get("preempt").is_some() {
            importer.report.note(
                at,
                "preempt_delay has no effect beside nopreempt, with keepalived neither",
            );
        } else if delay > 0 {
            section.put("preemptdelay", seconds(delay.div_ceil(1000)), at);
        }
    }

    fn acceptance(
        &self,
        priority: i64,
        version: u8,
        strict: bool,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) {
        match self.accept {
            Some((false, at)) if priority != 255 => section.put("accept", "no", at),
            Some((true, at)) if strict && version == 2 && priority != 255 => {
                section.put("accept", "no", at);
                let text = "accept has no effect, with keepalived neither, as vrrp_strict is set and the version is 2 (accept = no)";
                importer.report.note(at, text);
            }
            Some(_) => {}
            None if strict && priority != 255 => {
                section.put("accept", "no", section.at);
                let text = "vrrp_strict: the addresses take no packets (accept = no), as with keepalived; no service can be reached by them";
                importer.report.note(section.at, text);
            }
            None => {}
        }
    }

    /// Writes the addresses. `false`: there are none.
    fn put_addresses(
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
                    "`extra` has no addresses of another family than `addr`"
                };
                let text = format!(
                    "{}: {why}; give it a section of its own, which is elected by itself",
                    address.address
                );
                section.remark_lost(line.at, &text);
                importer.lost(line, text);
            }
        }
        if !extra.is_empty() {
            let at = extra.first().map_or(section.at, |(_, at)| *at);
            let values: Vec<String> = extra.into_iter().map(|(value, _)| value).collect();
            section.put("extra", values.join(", "), at);
        }
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

    /// Writes peers and source. `false`: the peers would not hear this host.
    fn unicast(
        &self,
        is_v6: bool,
        strict: bool,
        interface: &str,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) -> bool {
        if let Some((source, s)) = self.source {
            let link_local = matches!(source, IpAddr::V6(v6) if v6.is_unicast_link_local());
            if source.is_ipv6() != is_v6 {
                let text = format!(
                    "{} is not of the family of the addresses; keepalived takes that of the interface",
                    found(s.word(1))
                );
                importer.report.error(s.at, text);
            } else if is_v6 && self.peers.is_empty() && !link_local {
                let text = format!(
                    "{source}: advertisements over IPv6 leave from a link-local address here, as the protocol has it"
                );
                importer.report.differs(s.at, text);
            } else {
                section.put("source", source.to_string(), s.at);
            }
        }
        let Some(at) = self.unicast else {
            return true;
        };
        let mut peers: Vec<IpAddr> = Vec::new();
        for (peer, line) in &self.peers {
            if peer.is_ipv6() != is_v6 {
                importer.report.error(
                    line.at,
                    format!(
                        "{peer} is not of the family of the addresses; keepalived passes over it"
                    ),
                );
            } else if peers.contains(peer) {
                importer
                    .report
                    .error(line.at, format!("{peer} is there already"));
            } else if self.source.is_some_and(|(source, _)| source == *peer) {
                importer.report.error(
                    line.at,
                    format!("{peer} is the address of this host itself; it is left out"),
                );
            } else {
                peers.push(*peer);
            }
        }
        if peers.is_empty() {
            importer.report.note(
                at,
                "there are no peers, so that keepalived uses multicast, too",
            );
            return true;
        }
        if strict && !is_v6 {
            importer.report.note(at, "vrrp_strict and peers do not go together for some versions of keepalived; the peers are carried over");
        }
        let text: Vec<String> = peers.iter().map(ToString::to_string).collect();
        section.put("peers", text.join(", "), at);
        let networks = importer.surroundings.networks(interface);
        let near = |peer: &IpAddr| {
            networks
                .iter()
                .any(|(own, prefix)| is_beside(*own, *prefix, *peer))
        };
        if self.ttl.is_some_and(|(ttl, _)| ttl < 255) || !peers.iter().all(near) {
            section.put("maxhops", "255", self.ttl.map_or(at, |(_, at)| at));
            let text = "keepalived does not look at the TTL of unicast advertisements, and neither does maxhops = 255; take the line out where all peers are on this network and send a TTL of 255";
            importer.report.note(at, text);
        }
        if let Some((ttl, at)) = self.ttl.filter(|(ttl, _)| *ttl < 255) {
            importer
                .report
                .differs(at, format!("unicast_ttl {ttl}: vrrpd sends 255"));
        }
        true
    }

    /// Writes another multicast group. `false`: the others would not be heard.
    fn multicast(
        &self,
        is_v6: bool,
        globals: &Globals,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) -> bool {
        let mut all = globals.groups.iter().rev();
        let global = all.find(|(group, _)| group.is_ipv6() == is_v6).copied();
        let Some((group, at)) = self
            .group
            .or(global)
            .filter(|_| section.get("peers").is_none())
        else {
            return true;
        };
        let usual = if is_v6 { "ff02::12" } else { "224.0.0.18" };
        if group.to_string() == usual {
            return true;
        }
        if group.is_ipv6() != is_v6 {
            importer
                .report
                .error(at, format!("{group} is not of the family of the addresses"));
            return true;
        }
        if knows(&format!("{}group = {group}", base(is_v6))) {
            section.put("group", group.to_string(), at);
            return true;
        }
        let text = format!(
            "{group}: vrrpd knows the group {usual} alone; let all hosts use that one first, or peers"
        );
        importer.report.lost(at, text);
        false
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

/// Whether a peer is in the network of an address.
fn is_beside(own: IpAddr, prefix: u8, peer: IpAddr) -> bool {
    match (own, peer) {
        (IpAddr::V4(own), IpAddr::V4(peer)) => {
            let left = u32::from(32 - prefix.min(32));
            let shift = |address: std::net::Ipv4Addr| address.to_bits().checked_shr(left);
            shift(own) == shift(peer)
        }
        (IpAddr::V6(own), IpAddr::V6(peer)) => {
            let left = u32::from(128 - prefix.min(128));
            let shift = |address: std::net::Ipv6Addr| address.to_bits().checked_shr(left);
            peer.is_unicast_link_local() || shift(own) == shift(peer)
        }
        _ => false,
    }
}

/// Reads the lines of `virtual_ipaddress`.
fn addresses<'s>(s: &'s Statement, list: &mut Vec<Address<'s>>, importer: &mut Importer<'_>) {
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

fn track_interface(
    line: &Statement,
    own: &str,
    is_owner: bool,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let name = line.keyword().to_owned();
    if let Err(why) = values::interface(&name) {
        return importer.error(line, format!("track_interface: {why}"));
    }
    let Some(how) = Weighting::read(line, 0, false, importer) else {
        return;
    };
    if name == own {
        return importer.note(
            line,
            format!(
                "{} is the interface itself, which is watched in any case",
                found(&name)
            ),
        );
    }
    if how.weight != 0 && is_owner {
        return importer.note(
            line,
            format!(
                "{}: priority 255 has no weights, with keepalived neither",
                found(&name)
            ),
        );
    }
    if how.reverse {
        let text = format!(
            "track_interface {}: vrrpd has no weight in reverse",
            found(&name)
        );
        section.remark_lost(line.at, &text);
        return importer.lost(line, text);
    }
    if is_full(section) {
        let text = format!(
            "track_interface {}: a virtual router tracks at most {MAX_TRACKS} checks and interfaces",
            found(&name)
        );
        section.remark_lost(line.at, &text);
        return importer.lost(line, text);
    }
    let one = match how.weight {
        0 => name.clone(),
        weight => format!("{name}:{weight}"),
    };
    let before = section.get("trackinterface").unwrap_or_default();
    let mut items = before.split(", ");
    if items.any(|item| item.split(':').next() == Some(&name)) {
        return importer.error(
            line,
            format!("{} is tracked twice; the first counts", found(&name)),
        );
    }
    let all = if before.is_empty() {
        one
    } else {
        format!("{before}, {one}")
    };
    section.put("trackinterface", all, line.at);
    importer.carried(line);
}

/// Tracks an interface for a member of a group.
pub(super) fn track_for_group(
    line: &Statement,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let own = section.get("interface").unwrap_or_default().to_owned();
    let is_owner = section.get("priority") == Some("255");
    track_interface(line, &own, is_owner, section, importer);
}

/// Writes the scripts of events.
fn scripts(
    lines: &[&Statement],
    globals: &Globals,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let mut user_of_section: Option<User> = None;
    for s in lines {
        let at = s.at;
        let keyword = s.keyword();
        let key = match keyword {
            "notify_master" => "masterscript",
            "notify_backup" => "backupscript",
            "notify_fault" => "faultscript",
            "notify_stop" => "stopscript",
            "notify_master_rx_lower_pri" => "reclaimscript",
            "notify_deleted" if s.words.len() < 2 => {
                importer.report.note(at, "notify_deleted: stopscript and notifyscript say STOP when a virtual router is taken out");
                continue;
            }
            "notify_deleted" => "stopscript",
            _ => "notifyscript",
        };
        let lost = |text: String, section: &mut Section, importer: &mut Importer<'_>| {
            let text = format!("{keyword}: {text}");
            section.remark_lost(at, &text);
            importer.report.lost(at, text);
        };
        if keyword == "notify_deleted" {
            lost(
                "stopscript runs then, too: let it do both".to_owned(),
                section,
                importer,
            );
            continue;
        }
        let command = match Command::read(&s.text, importer.surroundings) {
            Ok(command) => command,
            Err(why) => {
                importer.report.error(at, format!("{keyword}: {why}"));
                continue;
            }
        };
        let user = match command.user.as_slice() {
            [] => globals.script_user.clone(),
            [user] => User::new(user, ""),
            [user, group, ..] => User::new(user, group),
        };
        if !command.user.is_empty() && !importer.surroundings.has_user(&user.user) {
            let text = format!(
                "the words after the program are a user and a group, and this host has no user {}: where keepalived has none either it runs nothing; with quotation marks around the whole command they would be arguments",
                found(&user.user)
            );
            lost(text, section, importer);
            continue;
        }
        if key == "notifyscript" && !knows("notifyscript = /bin/true") {
            let text = format!(
                "vrrpd has no script for every change with these arguments; let masterscript, backupscript, faultscript and stopscript run {}",
                found(&command.words.join(" "))
            );
            lost(text, section, importer);
            continue;
        }
        let value = match command.value() {
            Ok(value) => value,
            Err(why) => {
                lost(why, section, importer);
                continue;
            }
        };
        let program = command.words.first().cloned().unwrap_or_default();
        if command.missing {
            importer.report.differs(at, format!("{keyword}: `{program}` is a guess, the program is not on this host: correct its path"));
        } else if !program.starts_with('/') {
            lost(
                format!("expected an absolute path, found {}", found(&program)),
                section,
                importer,
            );
            continue;
        }
        match &user_of_section {
            Some(other) if *other != user => {
                let text = format!(
                    "it runs as {}, other scripts of this virtual router as {}, and vrrpd has one user for all: let it change the user itself",
                    found(&user.user),
                    found(&other.user)
                );
                lost(text, section, importer);
                continue;
            }
            _ => user_of_section = Some(user.clone()),
        }
        if let Some(value) = user.value() {
            if !importer.surroundings.has_user(&user.user) {
                let text = format!(
                    "it runs as {}, a user that is not on this host: make the user, and import again",
                    found(&user.user)
                );
                lost(text, section, importer);
                continue;
            }
            section.put("scriptuser", value, at);
        }
        if key == "reclaimscript" {
            let text = "notify_master_rx_lower_pri: reclaimscript runs once, when the other master has given way";
            importer.report.differs(at, text);
        } else {
            importer.report.carry();
        }
        if key != "notifyscript" && key != "reclaimscript" {
            let remark =
                "the script gets vrrpd's own arguments after those of the file, see vrrpd(8)";
            importer.report.share(at, Verdict::Note, keyword, remark);
        }
        section.put(key, value, at);
    }
    if section.get("faultscript").is_some() && section.get("backupscript").is_some() {
        let remark = "a fault of a master runs backupscript, then faultscript; keepalived runs notify_fault alone";
        importer
            .report
            .share(section.at, Verdict::Note, "notify_fault", remark);
    }
}

/// Writes routes or rules that come and go with the addresses.
fn routes(
    lines: &[&Statement],
    key: &'static str,
    interface: &str,
    section: &mut Section,
    importer: &mut Importer<'_>,
) {
    let _ = interface;
    for line in lines {
        let text = format!(
            "{key} {}: vrrpd has no {key}s; let masterscript and backupscript set and remove it",
            found(&line.text)
        );
        section.remark_lost(line.at, &text);
        importer.lost(line, text);
        line.settle_all();
    }
}

/// Takes over signatures. `false`: the others would discard every advertisement.
fn authenticate_by_hmac(
    block: &Statement,
    strict: bool,
    section: &mut Section,
    importer: &mut Importer<'_>,
) -> bool {
    let at = block.at;
    let owner = section.get("name").map(str::to_owned);
    let owner = owner.unwrap_or_else(|| section.get("serverid").unwrap_or_default().to_owned());
    let mut keys: Vec<(i64, String)> = Vec::new();
    let mut active = None;
    for s in block.inner() {
        let value = s.word(1);
        match s.keyword() {
            "key" => {
                let id = number(value).filter(|id| (1..=255).contains(id));
                let Some(id) = id.filter(|id| keys.iter().all(|(other, _)| other != id)) else {
                    let text = "auth_hmac: expected the ID of a key, 1 to 255, each once";
                    importer.report.error(s.at, text);
                    continue;
                };
                let path = match s.word(2).strip_prefix("file:") {
                    Some(path) => path.to_owned(),
                    None => format!("/etc/vrrpd/{owner}-{id}.key"),
                };
                let inline = !s.word(2).starts_with("file:");
                if inline
                    && importer
                        .surroundings
                        .begin(std::path::Path::new(&path))
                        .is_err()
                {
                    let text = format!(
                        "key {id}: vrrpd.conf has no keys: write the value of this line to `{path}`, one line in a file that root alone can read, and import again"
                    );
                    importer.report.lost(s.at, text);
                } else {
                    importer.report.carry();
                }
                keys.push((id, path));
            }
            "active_key" => {
                active = number(value);
                section.put("activekey", value, s.at);
                importer.report.carry();
            }
            "mode" if ["receive-only", "permissive", "enforce"].contains(&value) => {
                section.put("authmode", value, s.at);
                importer.report.carry();
            }
            "anti_replay" if ["time", "monotonic"].contains(&value) => {
                section.put("antireplay", value, s.at);
                importer.report.carry();
            }
            "time_window" if number(value).is_some_and(|n| (1..=300).contains(&n)) => {
                section.put("timewindow", value, s.at);
                importer.report.carry();
            }
            word => {
                // The value may be a key.
                let text = format!(
                    "auth_hmac: {} is not known, or its value is out of range",
                    found(word)
                );
                importer.report.error(s.at, text);
            }
        }
    }
    if strict {
        section.put("authmode", "enforce", at);
    }
    let known = |id: i64| keys.iter().any(|(other, _)| *other == id);
    let usable = !keys.is_empty() && active.map_or(keys.len() == 1, known);
    if !usable {
        let text = "auth_hmac: its active_key is none of its keys, so that keepalived goes without signatures, and says so in its log alone: mend it there first";
        importer.report.lost(at, text);
        return false;
    }
    let keys: Vec<String> = keys
        .iter()
        .map(|(id, path)| format!("{id}:{path}"))
        .collect();
    section.put("auth", "hmac", at);
    section.put("keyfile", keys.join(", "), at);
    true
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
