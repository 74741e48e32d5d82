//! The protocol's keys of a `[VRID]` section, one by one.

use std::net::IpAddr;

use vrrp_core::{
    AddressCheck, AdvertInterval, Announce, Auth, ChecksumMode, Duration, Family, MacMode,
    OnConflict, OwnerReceive, Priority, Version, VrSettings,
};
use vrrp_host::{AddressSpec, HmacSpec, MAX_ADDRESSES, RoutingItem, TrackSpec, VrId, VrSpec};

use super::address::Addresses;
use super::diagnostic::found;
use super::keys::Key;
use super::reader::Reader;
use super::{address, hmac, legacy, routing, values};

/// The settings that the virtual routers of a section have in common.
pub(super) struct Settings {
    plain: VrSettings,
    replace_mac: bool,
    silent: bool,
    reset_connections: bool,
    sources: Vec<IpAddr>,
    routing: Vec<RoutingItem>,
    groups: Vec<IpAddr>,
    peers: Vec<IpAddr>,
    tracks: Vec<TrackSpec>,
    hmac: Option<HmacSpec>,
    heartbeat: Option<String>,
}

impl Settings {
    /// Reads them all.
    pub(super) fn read(
        reader: &mut Reader<'_, '_>,
        interface: Option<&str>,
        addresses: &Addresses,
    ) -> Self {
        let routing = routing::read(reader, addresses);
        let advertise_only = addresses.none;
        let followers = addresses.followers.clone();
        let addresses = addresses.all.as_slice();
        let auth = password(reader);
        let version = version(reader, auth.is_some());
        match_version(reader, version, addresses);
        let priority = reader
            .value(Key::Priority, priority)
            .unwrap_or(Priority::DEFAULT);
        let (preempt, preempt_delay) = preempt(reader, priority);
        let peers = address::peers(reader);
        address::match_peers(reader, &peers, addresses);
        let sources = address::sources(reader, &peers, addresses);
        let groups = address::groups(reader, &peers, addresses);
        let advert_interval = advert_interval(reader, version);
        let hmac = hmac::read(reader, advert_interval);
        let start_delay = legacy::start_delay(reader);
        let accept = accept(reader, interface, addresses, &followers);
        let silent = silent(reader, accept, advertise_only, addresses);
        let max_hops = max_hops(reader, &peers);
        let (mac_mode, replace_mac) = reader
            .value(Key::UseVmac, |text| mac(text, cfg!(target_os = "freebsd")))
            .unwrap_or(match advertise_only {
                true => (MacMode::Interface, false),
                false => (MacMode::Virtual, false),
            });
        let mut named = sources.iter().chain(&peers).chain(&groups);
        let first = named.next().map(|ip| Family::of(*ip));
        let lists = [
            (Key::Source, &sources),
            (Key::Peers, &peers),
            (Key::Group, &groups),
        ];
        let is_other = |ip: &IpAddr| Some(Family::of(*ip)) != first;
        let mixed = lists.iter().find(|(_, list)| list.iter().any(is_other));
        let mixed = mixed.map(|(key, _)| *key);
        if advertise_only && let Some(key) = mixed {
            reader.error(
                key,
                "expected peers, source and group of one family beside `addr = none`; give the other a section of its own",
            );
        }
        if advertise_only && mac_mode == MacMode::Virtual {
            reader.error(
                Key::UseVmac,
                "expected `no` beside `addr = none`: no address is reached by a virtual MAC",
            );
        }
        let plain = VrSettings {
            version,
            priority,
            advert_interval,
            preempt,
            preempt_delay,
            start_delay,
            accept,
            max_hops,
            mac_mode,
            auth: auth.unwrap_or(Auth::None),
            checksum: checksum(reader, version, addresses),
            address_check: address_check(reader, version),
            owner_receive: reader
                .value(Key::OwnerReceive, owner_receive)
                .unwrap_or(OwnerReceive::Elect),
            announce: announce(reader),
            on_conflict: reader
                .value(Key::OnConflict, on_conflict)
                .unwrap_or(OnConflict::TakeOver),
            // Of each family by itself.
            unadvertised: 0,
            advertise_only,
            group: None,
        };
        Self {
            plain,
            replace_mac,
            silent,
            reset_connections: reader.value(Key::Connections, connections).unwrap_or(true),
            sources,
            routing,
            groups,
            peers,
            tracks: address::tracks(reader, interface),
            hmac,
            heartbeat: heartbeat(reader, interface),
        }
    }

    /// The family of an election without addresses: that of the source or of the peers, or else IPv4.
    fn family_without_addresses(&self) -> Family {
        let named = self.sources.iter().chain(&self.peers).chain(&self.groups);
        let named = named.into_iter().next();
        named.map_or(Family::Ipv4, |address| Family::of(*address))
    }

    /// The virtual router of one family. `None`: no address is of it.
    pub(super) fn spec(
        &self,
        reader: &mut Reader<'_, '_>,
        id: VrId,
        addresses: &Addresses,
    ) -> Option<VrSpec> {
        let family = id.family;
        let [mut own, extra] = addresses.of(family);
        if addresses.none {
            if family != self.family_without_addresses() {
                return None;
            }
        } else if own.is_empty() {
            return None;
        } else if family == Family::Ipv6 && self.plain.version == Version::V3 {
            address::link_local_first(reader, id.vrid, &mut own);
        }
        let mut settings = self.plain;
        settings.unadvertised = u8::try_from(extra.len()).unwrap_or(u8::MAX);
        own.extend(extra);
        let mut groups = self.groups.iter().copied();
        settings.group = groups.find(|group| Family::of(*group) == family);
        let mut peers = self.peers.clone();
        peers.retain(|peer| Family::of(*peer) == family);
        let source = self.sources.iter().copied();
        let source = source
            .into_iter()
            .find(|source| Family::of(*source) == family);
        let others = usize::from(source.is_some()) + usize::from(settings.group.is_some());
        let count = own.len() + peers.len() + others;
        if count > MAX_ADDRESSES {
            reader.error(
                Key::Addr,
                format!(
                    "expected at most {MAX_ADDRESSES} {family} addresses, peers and source together, found {count}"
                ),
            );
        }
        Some(VrSpec {
            id,
            settings,
            replace_mac: self.replace_mac,
            silent: self.silent,
            reset_connections: self.reset_connections,
            prepares: false,
            addresses: own,
            followers: addresses.followers.clone(),
            source,
            routing: routing::of(&self.routing, family, addresses),
            peers,
            tracks: self.tracks.clone(),
            hmac: self.hmac.clone(),
            heartbeat: self.heartbeat.clone(),
        })
    }
}

/// Reads `heartbeat`, the interface of the second path.
fn heartbeat(reader: &mut Reader<'_, '_>, own: Option<&str>) -> Option<String> {
    let name = reader.value(Key::Heartbeat, values::interface)?;
    if own == Some(name.as_str()) {
        let message = format!(
            "expected another interface than that of the virtual router, `{name}`: a second path"
        );
        reader.error(Key::Heartbeat, message);
        return None;
    }
    Some(name)
}

/// Reads `password`. What is wrong with it never says what it is: diagnostics end up in logs.
fn password(reader: &mut Reader<'_, '_>) -> Option<Auth> {
    const SENT: usize = 8;
    let entry = reader.entry(Key::Password)?;
    if entry.value != entry.raw.trim_ascii() {
        reader.error(
            Key::Password,
            "expected the password alone, found `#` after a blank, which may begin a comment or belong to it; put the comment on a line of its own",
        );
        return None;
    }
    let octets = entry.value.as_bytes();
    if octets.is_empty() {
        reader.error(Key::Password, "expected a password, found nothing");
        return None;
    }
    if octets.len() > SENT {
        let message = format!(
            "expected at most {SENT} octets, found {}; only the first {SENT} are sent and compared",
            octets.len()
        );
        reader.warning(Key::Password, message);
    }
    if octets.len() < SENT && entry.raw.ends_with([' ', '\t']) {
        reader.warning(
            Key::Password,
            "a blank at the end of the line is not part of the password here, but is for freevrrpd",
        );
    }
    if octets.iter().take(SENT).any(|octet| *octet == b',') {
        reader.warning(
            Key::Password,
            "a comma is part of the password here, but ends it for freevrrpd",
        );
    }
    let mut sent = [0; SENT];
    for (to, from) in sent.iter_mut().zip(octets) {
        *to = *from;
    }
    Some(Auth::Simple(sent))
}

/// Reads `version`. A password exists in VRRPv2 only, and so asks for it.
fn version(reader: &mut Reader<'_, '_>, password: bool) -> Version {
    let words = [
        ("2", Version::V2),
        ("3", Version::V3),
        ("both", Version::Both),
    ];
    let version = reader.value(Key::Version, |text| values::word(text, &words));
    match version {
        Some(Version::V3) if password => reader.error(
            Key::Password,
            "expected no password beside `version = 3`: only VRRPv2 has passwords; leave out one of the two",
        ),
        Some(Version::Both) if password => reader.warning(
            Key::Password,
            "VRRPv3 has no passwords: with `version = both` it keeps nobody out",
        ),
        _ => {}
    }
    match version {
        Some(version) => version,
        None if password => Version::V2,
        None => Version::V3,
    }
}

/// VRRPv2 carries IPv4 only.
fn match_version(reader: &mut Reader<'_, '_>, version: Version, addresses: &[AddressSpec]) {
    if version == Version::V3 {
        return;
    }
    let v6 = addresses.iter().find(|spec| spec.address.address.is_ipv6());
    if let Some(spec) = v6 {
        let message = format!(
            "expected IPv4 addresses, as {} asks for VRRPv2, found `{}`; give IPv6 addresses a section of their own",
            version_key(reader).name(),
            spec.address.address
        );
        reader.error(Key::Addr, message);
    }
}

/// The key that the version comes from.
fn version_key(reader: &Reader<'_, '_>) -> Key {
    match reader.entry(Key::Version) {
        Some(_) => Key::Version,
        None => Key::Password,
    }
}

fn advert_interval(reader: &mut Reader<'_, '_>, version: Version) -> AdvertInterval {
    let key = version_key(reader).name();
    let parse = |text: &str| {
        let centis = values::centiseconds(text);
        let interval = match version {
            Version::V2 => centis
                .filter(|centis| centis.is_multiple_of(100))
                .and_then(|centis| u8::try_from(centis / 100).ok())
                .and_then(AdvertInterval::from_secs),
            Version::V3 | Version::Both => centis.and_then(AdvertInterval::from_centis),
        };
        interval.ok_or_else(|| match version {
            Version::V2 => format!(
                "expected whole seconds from 1 to 255, as {key} asks for VRRPv2, found {}",
                found(text)
            ),
            Version::V3 | Version::Both => format!(
                "expected seconds from 0.01 to 40.95, at most two decimals, found {}",
                found(text)
            ),
        })
    };
    let interval = reader
        .value(Key::AdvertInterval, parse)
        .unwrap_or(AdvertInterval::DEFAULT);
    if version == Version::Both && !interval.as_centis().is_multiple_of(100) {
        let message = format!(
            "VRRPv2 counts whole seconds: its routers are told {}",
            interval.as_secs_rounded_up()
        );
        reader.note(Key::AdvertInterval, message);
    }
    interval
}

fn priority(text: &str) -> Result<Priority, String> {
    let priority = values::number_as(text, 1..=255, |number| {
        Priority::new(u8::try_from(number).ok()?)
    });
    priority.map_err(|message| match text {
        // freevrrpd takes it as the lowest priority.
        "0" => format!("{message}, with which a master says that it stops"),
        _ => message,
    })
}

/// Reads `preempt` and `preemptdelay`, and says where they do nothing.
fn preempt(reader: &mut Reader<'_, '_>, priority: Priority) -> (bool, Duration) {
    let preempt = reader.value(Key::Preempt, values::yes_no).unwrap_or(true);
    let delay = reader
        .value(Key::PreemptDelay, |text| {
            values::seconds(text, 0..=3_600_000)
        })
        .unwrap_or(Duration::ZERO);
    if !preempt && priority.is_owner() {
        reader.warning(
            Key::Preempt,
            "`no` has no effect at priority 255: the owner of the addresses always takes over",
        );
    }
    if delay != Duration::ZERO && (!preempt || priority.is_owner()) {
        let because = if preempt {
            "at priority 255"
        } else {
            "beside `preempt = no`"
        };
        reader.warning(Key::PreemptDelay, format!("has no effect {because}"));
    }
    (preempt, delay)
}

/// Reads `accept`.
fn accept(
    reader: &mut Reader<'_, '_>,
    interface: Option<&str>,
    addresses: &[AddressSpec],
    followers: &[AddressSpec],
) -> bool {
    let accept = reader.value(Key::Accept, values::yes_no).unwrap_or(true);
    let elsewhere = addresses.iter().find_map(|spec| {
        let device = spec.interface.as_deref();
        let device = device.filter(|device| Some(*device) != interface)?;
        Some((device, spec.address.address))
    });
    if let Some((device, address)) = elsewhere.filter(|_| !accept) {
        let message = format!(
            "expected `yes`, as `{device}:{address}` is on another interface than the virtual router, found `no`"
        );
        reader.error(Key::Accept, message);
    }
    if let Some(first) = followers.first().filter(|_| !accept) {
        let message = format!(
            "expected `yes`, as `{}` of `extra` is on an interface of the host, found `no`",
            first.address.address
        );
        reader.error(Key::Accept, message);
    }
    accept
}

/// Reads `silent`.
fn silent(
    reader: &mut Reader<'_, '_>,
    accept: bool,
    advertise_only: bool,
    addresses: &[AddressSpec],
) -> bool {
    let silent = reader.value(Key::Silent, values::yes_no).unwrap_or(false);
    if silent && advertise_only {
        reader.error(
            Key::Silent,
            "expected `no` beside `addr = none`, as there is no address to hold, found `yes`",
        );
        return false;
    }
    if silent && !accept {
        reader.error(
            Key::Silent,
            "expected `no` beside `accept = no`, with which no packet to the addresses is taken, found `yes`",
        );
    }
    let is_link_local = |ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if silent
        && !addresses.is_empty()
        && addresses
            .iter()
            .all(|spec| is_link_local(spec.address.address))
    {
        reader.warning(
            Key::Silent,
            "has no effect: a link-local address belongs to one interface, and is there while this host is master",
        );
    }
    silent
}

/// Reads `connections`: whether they are reset when an address is given up.
fn connections(text: &str) -> Result<bool, String> {
    values::word(text, &[("reset", true), ("leave", false)])
}

/// Reads `maxhops`. Advertisements to the group never leave the link, so only unicast has more.
fn max_hops(reader: &mut Reader<'_, '_>, peers: &[IpAddr]) -> u8 {
    let hops = reader
        .value(Key::MaxHops, |text| {
            values::number_as(text, 1..=255, |number| u8::try_from(number).ok())
        })
        .unwrap_or(1);
    if hops > 1 && peers.is_empty() {
        reader.error(
            Key::MaxHops,
            format!("expected 1, as there are no peers, found `{hops}`"),
        );
    }
    hops
}

/// Reads `useVMAC`: which MAC, and whether it takes the place of the interface's own, as freevrrpd
/// had it. Where the virtual MAC can have an interface beside it at no cost that is refused.
fn mac(text: &str, may_replace: bool) -> Result<(MacMode, bool), String> {
    if text.eq_ignore_ascii_case("replace") && !may_replace {
        return Err(format!(
            "expected `yes` or `no`, found {}: `yes` adds the virtual MAC beside the interface's own, so that it need not be replaced",
            found(text)
        ));
    }
    let mut words = vec![
        ("yes", (MacMode::Virtual, false)),
        ("no", (MacMode::Interface, false)),
    ];
    if may_replace {
        words.push(("replace", (MacMode::Virtual, true)));
    }
    values::word(text, &words)
}

fn checksum(
    reader: &mut Reader<'_, '_>,
    version: Version,
    addresses: &[AddressSpec],
) -> ChecksumMode {
    let words = [
        ("auto", ChecksumMode::Auto),
        ("rfc9568", ChecksumMode::Rfc9568),
        ("rfc5798", ChecksumMode::Rfc5798),
    ];
    let Some(mode) = reader.value(Key::Checksum, |text| values::word(text, &words)) else {
        return ChecksumMode::Auto;
    };
    // Without addresses the election is over IPv4.
    let v4 = addresses.is_empty() || addresses.iter().any(|a| a.address.address.is_ipv4());
    if version == Version::V2 || !v4 {
        reader.warning(
            Key::Checksum,
            "has no effect: only VRRPv3 over IPv4 has two forms of checksum",
        );
    }
    mode
}

/// Reads `addresscheck`. In version 3 the address list is never a reason to refuse.
fn address_check(reader: &mut Reader<'_, '_>, version: Version) -> AddressCheck {
    let words = [
        ("warn", AddressCheck::Warn),
        ("strict", AddressCheck::Strict),
    ];
    let check = reader.value(Key::AddressCheck, |text| values::word(text, &words));
    if check == Some(AddressCheck::Strict) && version == Version::V3 {
        reader.warning(
            Key::AddressCheck,
            "has no effect: VRRPv3 takes advertisements of other addresses, with a warning",
        );
    }
    check.unwrap_or(AddressCheck::Warn)
}

fn owner_receive(text: &str) -> Result<OwnerReceive, String> {
    values::word(
        text,
        &[
            ("elect", OwnerReceive::Elect),
            ("discard", OwnerReceive::Discard),
        ],
    )
}

fn on_conflict(text: &str) -> Result<OnConflict, String> {
    values::word(
        text,
        &[
            ("takeover", OnConflict::TakeOver),
            ("wait", OnConflict::Wait),
        ],
    )
}

fn announce(reader: &mut Reader<'_, '_>) -> Announce {
    let default = Announce::DEFAULT;
    let repeats = reader.value(Key::AnnounceRepeats, |text| {
        values::number_as(text, 0..=255, |number| u8::try_from(number).ok())
    });
    let interval = reader.value(Key::AnnounceInterval, |text| {
        values::seconds(text, 100..=3_600_000)
    });
    let refresh = reader.value(Key::AnnounceRefresh, |text| {
        match values::seconds(text, 0..=86_400_000)? {
            Duration::ZERO => Ok(None),
            period if period < Duration::from_secs(1) => Err(format!(
                "expected 0 or seconds from 1 to 86400, found {}",
                found(text)
            )),
            period => Ok(Some(period)),
        }
    });
    Announce {
        repeats: repeats.unwrap_or(default.repeats),
        repeat_interval: interval.unwrap_or(default.repeat_interval),
        refresh: refresh.unwrap_or(default.refresh),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_replaced_where_that_can_be_done() {
        assert_eq!(mac("Replace", true), Ok((MacMode::Virtual, true)));
        assert!(mac("replace", false).is_err());
        for may in [true, false] {
            assert_eq!(mac("yes", may), Ok((MacMode::Virtual, false)));
            assert_eq!(mac("no", may), Ok((MacMode::Interface, false)));
        }
        assert!(mac("sometimes", true).unwrap_err().contains("`replace`"));
    }
}
