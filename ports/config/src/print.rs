//! A configuration in its own syntax, and the difference between two.
//!
//! Every value that is in force is printed, also where the file leaves it to its default; a key that has
//! none is left out. The text that [`Config::print`] gives is read as the same configuration.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::time::Duration as StdDuration;

use vrrp_core::{
    AddressCheck, Auth, ChecksumMode, Duration, Family, MacMode, OnConflict, OwnerReceive,
    TrackEffect, Version, VirtualAddress,
};
use vrrp_host::{AddressSpec, RoutingItem, Tracked, VrId};

use crate::check::{Check, CheckKind, Place, Process};
use crate::hmac;
use crate::keys::{Key, SectionKind};
use crate::script::Script;
use crate::script_security::{ScriptSecurity, ScriptUser};
use crate::{Config, Global, Group, LogLevel, VirtualRouter};

/// The keys of a section and their values, in the order of the manual page.
type Pairs = Vec<(Key, String)>;

/// The longest value in a difference, in characters.
const SHOWN: usize = 200;

/// Something that is different in another configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The virtual router that it is about. `None`: the daemon, or a check.
    pub id: Option<VrId>,
    /// One line, as `VRID 1 on eth0 (ipv4): priority 100 -> 200`.
    pub text: String,
}

impl Config {
    /// Returns the configuration in its own syntax. The passwords are in it.
    pub fn print(&self) -> String {
        self.print_with(true)
    }

    /// Returns the configuration in its own syntax, with comments in place of passwords.
    pub fn print_without_passwords(&self) -> String {
        self.print_with(false)
    }

    fn print_with(&self, passwords: bool) -> String {
        let mut text = String::new();
        let mut section = |kind: SectionKind, pairs: Pairs| {
            if !text.is_empty() {
                text.push('\n');
            }
            let _ = writeln!(text, "[{}]", kind.name());
            for (key, value) in pairs {
                let name = key.name();
                let _ = match value.starts_with('#') {
                    _ if key == Key::Password && !passwords => {
                        writeln!(text, "# {name} = (not shown)")
                    }
                    // After a blank it would begin a comment.
                    true => writeln!(text, "{name}={value}"),
                    false => writeln!(text, "{name} = {value}"),
                };
            }
        };
        section(SectionKind::Global, global(&self.global));
        let lines = |a: &VirtualRouter, b: &VirtualRouter| a.section_line == b.section_line;
        for routers in self.virtual_routers.chunk_by(lines) {
            let routers: Vec<&VirtualRouter> = routers.iter().collect();
            let mut pairs = self.vrid(&routers);
            // Where it has no effect the reader would warn of it.
            let has_forms = |r: &&VirtualRouter| {
                r.spec.id.family == Family::Ipv4 && r.spec.settings.version != Version::V2
            };
            if !routers.iter().any(has_forms) {
                pairs.retain(|(key, value)| *key != Key::Checksum || value != "auto");
            }
            section(SectionKind::Vrid, pairs);
        }
        for group in &self.groups {
            section(SectionKind::Group, of_group(group));
        }
        for check in &self.checks {
            section(SectionKind::Check, of_check(check));
        }
        text
    }

    /// Returns everything that is different in `new`, in the order of the virtual routers in it; what is
    /// removed comes last.
    pub fn differences(&self, new: &Config) -> Vec<Difference> {
        let of_daemon = changes(&global(&self.global), &global(&new.global));
        let mut all: Vec<Difference> = of_daemon
            .map(|changes| Difference {
                id: None,
                text: format!("[GLOBAL]: {changes}"),
            })
            .into_iter()
            .collect();
        let routers = |config: &Config| -> Vec<(VrId, Pairs)> {
            let all = config.virtual_routers.iter();
            all.map(|r| (r.spec.id.clone(), config.vrid(&[r])))
                .collect()
        };
        let mut compared = compare(routers(self), routers(new), |pairs| {
            format!(
                "added: {}",
                shown(pairs, &[Key::Priority, Key::Addr, Key::Peers])
            )
        });
        for (id, keys) in self.changed_keys(new) {
            match compared.iter_mut().find(|(known, _)| *known == id) {
                Some((_, text)) => *text = format!("{text}, {keys}"),
                None => compared.push((id, keys)),
            }
        }
        all.extend(compared.into_iter().map(|(id, text)| Difference {
            text: format!("{id}: {text}"),
            id: Some(id),
        }));
        let groups = |config: &Config| -> Vec<(String, Pairs)> {
            let all = config.groups.iter();
            all.map(|group| (group.spec.name.to_string(), of_group(group)))
                .collect()
        };
        let compared = compare(groups(self), groups(new), |pairs| {
            format!("added: {}", shown(pairs, &[Key::Vrids]))
        });
        all.extend(compared.into_iter().map(|(name, text)| Difference {
            id: None,
            text: format!("group {name}: {text}"),
        }));
        let checks = |config: &Config| -> Vec<(String, Pairs)> {
            let all = config.checks.iter();
            all.map(|check| (check.spec.name.clone(), of_check(check)))
                .collect()
        };
        let compared = compare(checks(self), checks(new), |pairs| {
            let kind = pairs.get(1).map_or(Key::Name, |(key, _)| *key);
            format!("added: {}", shown(pairs, &[kind]))
        });
        all.extend(compared.into_iter().map(|(name, text)| Difference {
            id: None,
            text: format!("check {name}: {text}"),
        }));
        all
    }

    /// Returns the kinds of settings that are different in `new`, that a reload takes in and that belong to no
    /// virtual router of the engine: `names`, `scripts`, `groups`, `checks`, and keys of `[GLOBAL]`.
    pub fn other_parts(&self, new: &Config) -> Vec<&'static str> {
        let (mut names, mut scripts) = (false, false);
        for router in &new.virtual_routers {
            let mut olds = self.virtual_routers.iter();
            let Some(old) = olds.find(|old| old.spec.id == router.spec.id) else {
                continue;
            };
            let (old, new) = (self.vrid(&[old]), new.vrid(&[router]));
            names |= differ(&old, &new, |key| key == Key::Name);
            scripts |= differ(&old, &new, is_of_scripts);
        }
        let groups = |config: &Config| config.groups.iter().map(of_group).collect::<Vec<_>>();
        let checks = |config: &Config| config.checks.iter().map(of_check).collect::<Vec<_>>();
        let (old_global, new_global) = (global(&self.global), global(&new.global));
        let is_other = |key: Key| differ(&old_global, &new_global, |one| one == key);
        let all = [
            (names, "names"),
            (scripts, "scripts"),
            (groups(self) != groups(new), "groups"),
            (checks(self) != checks(new), "checks"),
            (is_other(Key::LogLevel), Key::LogLevel.name()),
            (is_other(Key::ScriptSecurity), Key::ScriptSecurity.name()),
            (is_other(Key::Lease), Key::Lease.name()),
        ];
        let all = all.into_iter().filter_map(|(is, part)| is.then_some(part));
        all.collect()
    }

    /// The virtual routers whose keys have the same ids and other octets, where these were read.
    fn changed_keys(&self, new: &Config) -> Vec<(VrId, String)> {
        let mut all = Vec::new();
        for router in &new.virtual_routers {
            let mut olds = self.virtual_routers.iter();
            let old = olds.find(|old| old.spec.id == router.spec.id);
            let (Some(old), Some(new)) =
                (old.and_then(|r| r.spec.hmac.as_ref()), &router.spec.hmac)
            else {
                continue;
            };
            let changed = new.keys.iter().filter(|key| {
                let mut olds = old.keys.iter();
                let old = olds.find(|old| old.id == key.id);
                old.is_some_and(|old| {
                    old.secret.is_some() && key.secret.is_some() && old.secret != key.secret
                })
            });
            let changed: Vec<String> = changed
                .map(|key| format!("key {} has other octets", key.id))
                .collect();
            if !changed.is_empty() {
                all.push((router.spec.id.clone(), changed.join(", ")));
            }
        }
        all
    }

    /// The keys of a section with these virtual routers, one for each family at most.
    fn vrid(&self, routers: &[&VirtualRouter]) -> Pairs {
        let Some(first) = routers.first() else {
            return Pairs::new();
        };
        let mut pairs = Pairs::new();
        let mut put = |key: Key, value: String| pairs.push((key, value));
        let (spec, settings) = (&first.spec, &first.spec.settings);
        put(Key::ServerId, spec.id.vrid.to_string());
        if let Some(name) = &spec.id.name {
            put(Key::Name, name.to_string());
        }
        put(Key::Interface, spec.id.interface.clone());
        let lists = |r: &&VirtualRouter| {
            let (all, settings) = (&r.spec.addresses, &r.spec.settings);
            let advertised = all.len().saturating_sub(settings.unadvertised.into());
            let (advertised, extra) = all.split_at(advertised);
            let extra = [extra, r.spec.followers.as_slice()].concat();
            (advertised.to_vec(), extra)
        };
        let (advertised, extra): (Vec<_>, Vec<_>) = routers.iter().map(lists).unzip();
        match advertised.concat().as_slice() {
            [] => put(Key::Addr, "none".into()),
            all => put(Key::Addr, joined(all.iter().map(address))),
        }
        match extra.concat().as_slice() {
            [] => {}
            all => put(Key::Extra, joined(all.iter().map(address))),
        }
        for (key, items) in routing(routers) {
            if !items.is_empty() {
                put(key, joined(items));
            }
        }
        put(Key::Priority, settings.priority.to_string());
        put(
            Key::Version,
            match settings.version {
                Version::V2 => "2",
                Version::V3 => "3",
                Version::Both => "both",
            }
            .into(),
        );
        let centis = settings.advert_interval.as_centis();
        put(Key::AdvertInterval, decimal(u64::from(centis) * 10));
        if let Auth::Simple(octets) = settings.auth {
            put(Key::Password, password(&octets));
        }
        if let Some(hmac) = &spec.hmac {
            for (key, value) in hmac::printed(hmac) {
                put(key, value);
            }
        }
        put(Key::Preempt, yes_no(settings.preempt));
        put(Key::PreemptDelay, seconds(settings.preempt_delay));
        put(Key::StartDelay, seconds(settings.start_delay));
        put(Key::Accept, yes_no(settings.accept));
        put(Key::Silent, yes_no(spec.silent));
        put(
            Key::Connections,
            if spec.reset_connections {
                "reset"
            } else {
                "leave"
            }
            .into(),
        );
        put(
            Key::UseVmac,
            match (settings.mac_mode, spec.replace_mac) {
                (MacMode::Virtual, true) => "replace",
                (MacMode::Virtual, false) => "yes",
                (MacMode::Interface, _) => "no",
            }
            .into(),
        );
        let sources = routers.iter().filter_map(|r| r.spec.source);
        let sources: Vec<String> = sources.map(|ip| ip.to_string()).collect();
        let groups = routers.iter().filter_map(|r| r.spec.settings.group);
        let groups: Vec<String> = groups.map(|ip| ip.to_string()).collect();
        let peers = routers.iter().flat_map(|r| &r.spec.peers);
        let peers: Vec<String> = peers.map(ToString::to_string).collect();
        for (key, items) in [
            (Key::Source, sources),
            (Key::Group, groups),
            (Key::Peers, peers),
        ] {
            if !items.is_empty() {
                put(key, joined(items));
            }
        }
        put(Key::MaxHops, settings.max_hops.to_string());
        put(
            Key::Checksum,
            match settings.checksum {
                ChecksumMode::Auto => "auto",
                ChecksumMode::Rfc9568 => "rfc9568",
                ChecksumMode::Rfc5798 => "rfc5798",
            }
            .into(),
        );
        put(
            Key::AddressCheck,
            match settings.address_check {
                AddressCheck::Warn => "warn",
                AddressCheck::Strict => "strict",
            }
            .into(),
        );
        put(
            Key::OwnerReceive,
            match settings.owner_receive {
                OwnerReceive::Elect => "elect",
                OwnerReceive::Discard => "discard",
            }
            .into(),
        );
        put(
            Key::OnConflict,
            match settings.on_conflict {
                OnConflict::TakeOver => "takeover",
                OnConflict::Wait => "wait",
            }
            .into(),
        );
        if let Some(interface) = &spec.heartbeat {
            put(Key::Heartbeat, interface.clone());
        }
        let tracks = spec.tracks.iter().filter_map(|track| match &track.what {
            Tracked::Interface(name) => Some(weighted(name, track.effect)),
            Tracked::VirtualRouter(_) | Tracked::Named(_) => None,
        });
        let tracks: Vec<String> = tracks.collect();
        let checks = first.checks.iter();
        let checks = checks.map(|one| match one.effect {
            TrackEffect::Fault => format!("{}:fault", one.name),
            effect => weighted(&one.name, effect),
        });
        let checks: Vec<String> = checks.collect();
        for (key, items) in [
            (Key::TrackInterface, tracks),
            (Key::VridsDep, self.dependents(routers)),
            (Key::Check, checks),
        ] {
            if !items.is_empty() {
                put(key, joined(items));
            }
        }
        let announce = &settings.announce;
        put(Key::AnnounceRepeats, announce.repeats.to_string());
        put(Key::AnnounceInterval, seconds(announce.repeat_interval));
        let refresh = announce.refresh.unwrap_or(Duration::ZERO);
        put(Key::AnnounceRefresh, seconds(refresh));
        let scripts = [
            (Key::MasterScript, &first.master_script),
            (Key::BackupScript, &first.backup_script),
            (Key::FaultScript, &first.fault_script),
            (Key::StopScript, &first.stop_script),
            (Key::PrepareScript, &first.prepare_script),
            (Key::ReclaimScript, &first.reclaim_script),
            (Key::NotifyScript, &first.notify_script),
        ];
        for (key, script) in scripts {
            if let Some(script) = script {
                put(key, command(script));
            }
        }
        put(Key::PrepareTimeout, span(first.prepare_timeout));
        put(Key::ScriptRetry, yes_no(first.script_retry));
        put(Key::ScriptTimeout, span(first.script_timeout));
        if let Some(user) = &first.script_user {
            put(Key::ScriptUser, user.to_string());
        }
        pairs
    }

    /// The VRIDs that depend on one of these virtual routers: their `vridsdep`.
    fn dependents(&self, routers: &[&VirtualRouter]) -> Vec<String> {
        let is_one = |id: &VrId| routers.iter().any(|router| router.spec.id == *id);
        let mut vrids = Vec::new();
        for router in &self.virtual_routers {
            let mut tracks = router.spec.tracks.iter();
            let depends =
                tracks.any(|track| matches!(&track.what, Tracked::VirtualRouter(id) if is_one(id)));
            let vrid = router.spec.id.vrid.to_string();
            if depends && !vrids.contains(&vrid) {
                vrids.push(vrid);
            }
        }
        vrids
    }
}

/// Whether a key that `fits` picks has another value, or none.
fn differ(old: &Pairs, new: &Pairs, fits: impl Fn(Key) -> bool) -> bool {
    let old = old.iter().filter(|(key, _)| fits(*key));
    !old.eq(new.iter().filter(|(key, _)| fits(*key)))
}

/// Whether a key of a virtual router is about its scripts, which the engine does not know.
fn is_of_scripts(key: Key) -> bool {
    key.is_script()
        || matches!(
            key,
            Key::PrepareTimeout | Key::ScriptRetry | Key::ScriptTimeout | Key::ScriptUser
        )
}

fn global(global: &Global) -> Pairs {
    let Global {
        control_socket,
        control_group,
        runtime_dir,
        state_dir,
        metrics,
        log_level,
        script_security,
        user,
        lease,
    } = global;
    let path = |path: &std::path::Path| path.display().to_string();
    let mut pairs = vec![(Key::ControlSocket, path(control_socket))];
    pairs.extend(
        control_group
            .clone()
            .map(|group| (Key::ControlGroup, group)),
    );
    pairs.push((Key::RuntimeDir, path(runtime_dir)));
    pairs.push((Key::StateDir, path(state_dir)));
    pairs.extend(metrics.iter().map(|at| (Key::Metrics, at.to_string())));
    let level = match log_level {
        LogLevel::Error => "error",
        LogLevel::Warning => "warning",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    pairs.push((Key::LogLevel, level.into()));
    let security = match script_security {
        ScriptSecurity::Enforce => "enforce",
        ScriptSecurity::Warn => "warn",
    };
    pairs.push((Key::ScriptSecurity, security.into()));
    let user = user.as_ref().map(|user| (Key::User, user.user.to_string()));
    pairs.extend(user);
    pairs.extend(lease.map(|seconds| (Key::Lease, seconds.to_string())));
    pairs
}

fn of_group(group: &Group) -> Pairs {
    let mut pairs = vec![(Key::Name, group.spec.name.to_string())];
    let mut members: Vec<String> = Vec::new();
    for id in &group.spec.members {
        let named = match &id.name {
            Some(name) => name.to_string(),
            None => id.vrid.to_string(),
        };
        if !members.contains(&named) {
            members.push(named);
        }
    }
    pairs.push((Key::Vrids, joined(members)));
    for (key, script) in group.scripts() {
        pairs.extend(script.map(|script| (key, command(script))));
    }
    pairs.push((Key::ScriptRetry, yes_no(group.script_retry)));
    pairs.push((Key::ScriptTimeout, span(group.script_timeout)));
    let user = group.script_user.as_ref();
    pairs.extend(user.map(|user| (Key::ScriptUser, user.to_string())));
    pairs
}

fn of_check(check: &Check) -> Pairs {
    let spec = &check.spec;
    let mut pairs = vec![(Key::Name, spec.name.clone())];
    let mut put = |key: Key, value: String| pairs.push((key, value));
    match &spec.kind {
        CheckKind::Process(Process::Name(name)) => put(Key::Process, name.clone()),
        CheckKind::Process(Process::PidFile(path)) => {
            put(Key::Process, format!("pidfile:{}", path.display()));
        }
        CheckKind::Unit(unit) => put(Key::Unit, unit.clone()),
        CheckKind::Tcp(tcp) => {
            put(Key::Tcp, format!("{}:{}", place(&tcp.place), tcp.port));
            if let Some(octets) = &tcp.send {
                put(Key::Send, escaped(octets));
            }
            if let Some(expect) = &tcp.expect {
                put(Key::Expect, expect.clone());
            }
        }
        CheckKind::Http(http) => {
            let (scheme, usual) = match &http.tls {
                Some(_) => ("https", 443),
                None => ("http", 80),
            };
            // Without a key of its own the site is the host of the address.
            let is_same = Place::with_port(&http.host, Some(usual))
                .is_ok_and(|(site, port)| place(&site) == place(&http.place) && port == http.port);
            let host = match is_same {
                true => http.host.clone(),
                false => format!("{}:{}", place(&http.place), http.port),
            };
            put(Key::Http, format!("{scheme}://{host}{}", http.path));
            if !is_same {
                put(Key::Host, http.host.clone());
            }
            if !http.statuses.iter().copied().eq(200..=399) {
                put(Key::Status, joined(&http.statuses));
            }
            if let Some(body) = &http.body {
                put(Key::Body, body.clone());
            }
            if let Some(tls) = &http.tls {
                put(Key::Verify, yes_no(tls.verify));
                if let Some(ca) = &tls.ca {
                    put(Key::Ca, ca.display().to_string());
                }
            }
        }
        CheckKind::Dns(dns) => {
            let server = format!("{}:{}", place(&dns.place), dns.port);
            put(Key::Dns, format!("{server} {} {}", dns.name, dns.kind));
            if let Some(answer) = &dns.answer {
                put(Key::Answer, answer.clone());
            }
        }
        CheckKind::Ping(host) => put(Key::Ping, place(host)),
        CheckKind::File { path, absent } => {
            put(Key::File, path.display().to_string());
            put(Key::Absent, yes_no(*absent));
        }
        CheckKind::Command(run) => {
            put(Key::Command, command(&run.script));
            put_user(&mut put, run.user.as_ref());
        }
    }
    put(Key::Interval, span(spec.interval));
    put(Key::Timeout, span(spec.timeout));
    put(Key::Fall, spec.fall.to_string());
    put(Key::Rise, spec.rise.to_string());
    let initially = if spec.initially_up { "up" } else { "down" };
    put(Key::Initially, initially.into());
    pairs
}

fn put_user(put: &mut impl FnMut(Key, String), user: Option<&ScriptUser>) {
    if let Some(user) = user {
        put(Key::ScriptUser, user.to_string());
    }
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.into()
}

/// Seconds with at most three decimals.
fn decimal(millis: u64) -> String {
    let (whole, rest) = (millis / 1_000, millis % 1_000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:03}")
        .trim_end_matches('0')
        .to_owned()
}

fn seconds(duration: Duration) -> String {
    decimal(duration.as_micros() / 1_000)
}

fn span(duration: StdDuration) -> String {
    decimal(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn joined<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        let item = item.to_string();
        if !text.is_empty() {
            // After a blank it would begin a comment.
            text.push_str(if item.starts_with('#') { "," } else { ", " });
        }
        text.push_str(&item);
    }
    text
}

fn address(spec: &AddressSpec) -> String {
    let VirtualAddress {
        address,
        prefix_len,
    } = spec.address;
    match (&spec.interface, Family::of(address)) {
        (None, _) => format!("{address}/{prefix_len}"),
        (Some(device), Family::Ipv4) => format!("{device}:{address}/{prefix_len}"),
        (Some(device), Family::Ipv6) => format!("{device}:[{address}]/{prefix_len}"),
    }
}

fn weighted(name: &str, effect: TrackEffect) -> String {
    match effect {
        TrackEffect::WhileDown(weight) | TrackEffect::WhileUp(weight) => {
            format!("{name}:{weight}")
        }
        _ => name.to_owned(),
    }
}

fn command(script: &Script) -> String {
    let path = script.path.display().to_string();
    let words = script.args.iter().cloned();
    let words: Vec<String> = std::iter::once(path).chain(words).collect();
    words.join(" ")
}

fn place(place: &Place) -> String {
    match place {
        Place::Address(address) if address.is_ipv6() => format!("[{address}]"),
        Place::Address(address) => address.to_string(),
        Place::Name(name) => name.clone(),
        Place::Localhost => "localhost".into(),
        Place::Own { .. } => "self".into(),
        Place::Virtual(_) => "virtual".into(),
    }
}

/// Octets as the key `send` has them.
fn escaped(octets: &[u8]) -> String {
    let mut text = String::new();
    for octet in octets {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            octet if octet.is_ascii_graphic() && *octet != b'#' => text.push(char::from(*octet)),
            octet => {
                let _ = write!(text, "\\x{octet:02x}");
            }
        }
    }
    text
}

/// A password of which these octets are sent. The rest of a longer one is lost, and made up where the text
/// would else end within a character or with a blank.
fn password(octets: &[u8; 8]) -> String {
    let len = octets.iter().rposition(|o| *o != 0).map_or(0, |at| at + 1);
    let octets = octets.get(..len).unwrap_or_default();
    let mut text = match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => completed(octets),
    };
    if text.ends_with([' ', '\t']) {
        text.push('.');
    }
    text
}

/// Octets that end within a character, with an end of it.
fn completed(octets: &[u8]) -> String {
    let ends: [&[u8]; 9] = [
        &[0x80],
        &[0x90],
        &[0xa0],
        &[0x80, 0x80],
        &[0x90, 0x80],
        &[0xa0, 0x80],
        &[0x80, 0x80, 0x80],
        &[0x90, 0x80, 0x80],
        &[0xa0, 0x80, 0x80],
    ];
    let whole = ends
        .iter()
        .find_map(|end| String::from_utf8([octets, end].concat()).ok());
    whole.unwrap_or_else(|| String::from_utf8_lossy(octets).into_owned())
}

/// The routes and rules of a section.
fn routing(routers: &[&VirtualRouter]) -> [(Key, Vec<String>); 2] {
    let items = routers.iter().flat_map(|router| &router.spec.routing);
    let (mut routes, mut rules) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            RoutingItem::Route(route) => routes.push(route.to_string()),
            RoutingItem::Rule(rule) => rules.push(rule.to_string()),
        }
    }
    [(Key::Route, routes), (Key::Rule, rules)]
}

/// The differences of sections that are known by `T`.
fn compare<T: Clone + Ord>(
    old: Vec<(T, Pairs)>,
    new: Vec<(T, Pairs)>,
    added: impl Fn(&Pairs) -> String,
) -> Vec<(T, String)> {
    let mut before: BTreeMap<T, Pairs> = old.into_iter().collect();
    let mut all = Vec::new();
    for (id, pairs) in new {
        let text = match before.remove(&id) {
            None => Some(added(&pairs)),
            Some(before) => changes(&before, &pairs),
        };
        all.extend(text.map(|text| (id, text)));
    }
    let removed = before.into_keys().map(|id| (id, "removed".to_owned()));
    all.extend(removed);
    all
}

/// The keys with other values, as `priority 100 -> 200`. `None`: there is none.
fn changes(old: &Pairs, new: &Pairs) -> Option<String> {
    let value = |pairs: &Pairs, key: Key| {
        let mut pairs = pairs.iter();
        pairs
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value.clone())
    };
    let changed = Key::ALL.iter().filter_map(|key| {
        let (old, new) = (value(old, *key), value(new, *key));
        (old != new).then(|| change(*key, old.as_deref(), new.as_deref()))
    });
    let changed: Vec<String> = changed.collect();
    (!changed.is_empty()).then(|| changed.join(", "))
}

fn change(key: Key, old: Option<&str>, new: Option<&str>) -> String {
    const LISTS: [Key; 11] = [
        Key::Addr,
        Key::Extra,
        Key::Route,
        Key::Rule,
        Key::KeyFile,
        Key::Credential,
        Key::Peers,
        Key::TrackInterface,
        Key::VridsDep,
        Key::Vrids,
        Key::Check,
    ];
    let name = key.name();
    if key == Key::Password {
        // Differences end up in logs.
        return match (old, new) {
            (None, _) => format!("{name} added"),
            (_, None) => format!("{name} removed"),
            _ => format!("{name} changed"),
        };
    }
    if LISTS.contains(&key) {
        let items = |text: Option<&str>| -> Vec<String> {
            let items = text.unwrap_or_default().split(',').map(str::trim_ascii);
            items.filter(|i| !i.is_empty()).map(str::to_owned).collect()
        };
        let (old, new) = (items(old), items(new));
        let added = new.iter().filter(|item| !old.contains(item));
        let removed = old.iter().filter(|item| !new.contains(item));
        let added = added.map(|item| format!("+{item}"));
        let items: Vec<String> = added
            .chain(removed.map(|item| format!("-{item}")))
            .collect();
        if !items.is_empty() {
            return format!("{name} {}", cut(&items.join(" ")));
        }
        return format!("{name} in another order");
    }
    let or_none = |text: Option<&str>| text.map_or("none".to_owned(), cut);
    format!("{name} {} -> {}", or_none(old), or_none(new))
}

/// The values of some keys.
fn shown(pairs: &Pairs, keys: &[Key]) -> String {
    let pairs = pairs.iter().filter(|(key, _)| keys.contains(key));
    let pairs: Vec<String> = pairs
        .map(|(key, value)| format!("{} {}", key.name(), cut(value)))
        .collect();
    pairs.join(", ")
}

fn cut(text: &str) -> String {
    if text.chars().nth(SHOWN).is_none() {
        return text.to_owned();
    }
    let begin: String = text.chars().take(SHOWN).collect();
    format!("{begin}...")
}
