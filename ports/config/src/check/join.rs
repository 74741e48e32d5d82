//! The virtual routers and the checks that they name.

use std::collections::HashMap;
use std::net::IpAddr;

use vrrp_core::{Priority, TrackEffect};
use vrrp_host::{TrackSpec, Tracked};

use super::{Check, CheckKind, MAX_CHECKS, Place, read, tracked_name};
use crate::address;
use crate::diagnostic::{Report, found};
use crate::keys::Key;
use crate::reader::Reader;
use crate::router::VirtualRouter;

/// A check that a virtual router names.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) name: String,
    pub(crate) effect: TrackEffect,
}

impl Use {
    /// The tracked object that stands for it.
    pub(crate) fn track(&self) -> TrackSpec {
        TrackSpec {
            what: Tracked::Named(tracked_name(&self.name)),
            effect: self.effect,
        }
    }
}

/// Reads `check`. What is returned holds no check twice.
pub(crate) fn uses(reader: &mut Reader<'_, '_>) -> Vec<Use> {
    let mut uses: Vec<Use> = Vec::new();
    for one in reader.items(Key::Check, named) {
        if uses.iter().any(|other| other.name == one.name) {
            let message = format!("expected each check once, found `{}` twice", one.name);
            reader.error(Key::Check, message);
        } else {
            uses.push(one);
        }
    }
    uses
}

/// `web`, `dns:-50`, `dns:20` or `gateway:fault`.
fn named(text: &str) -> Result<Use, String> {
    let (name, effect) = match text.split_once(':') {
        None => (text, None),
        Some((name, effect)) => (name.trim_ascii(), Some(effect.trim_ascii())),
    };
    let name = read::name(name)?;
    let effect = match effect {
        None => TrackEffect::StandBack,
        Some(word) if word.eq_ignore_ascii_case("fault") => TrackEffect::Fault,
        Some(weight) => address::weight(weight).ok_or_else(|| {
            format!(
                "expected `fault`, or a weight from -254 to -1 or 1 to 254, after `{name}:`, found {}",
                found(weight)
            )
        })?,
    };
    Ok(Use { name, effect })
}

/// Joins the checks: each exists once, is named by somebody, and knows the addresses of those that name
/// it. `known` are the names of all sections, those with errors too.
pub(crate) fn join(
    checks: &mut [Check],
    known: &[String],
    routers: &[VirtualRouter],
    unclear: bool,
    report: &mut Report,
) {
    if checks.len() > MAX_CHECKS {
        let message = format!(
            "expected at most {MAX_CHECKS} checks, found {}",
            checks.len()
        );
        report.error(0, None, message);
    }
    let mut places: HashMap<String, usize> = HashMap::new();
    for (index, check) in checks.iter().enumerate() {
        let name = &check.spec.name;
        let line = check.lines.of_key(Key::Name);
        if let Some(first) = places.get(name).and_then(|first| checks.get(*first)) {
            let message = format!(
                "expected each name once, found `{name}` again, first in {}",
                report.place(first.lines.of_key(Key::Name))
            );
            report.error(line, Some(Key::Name.name()), message);
        } else {
            places.insert(name.clone(), index);
        }
    }
    let mut used = vec![false; checks.len()];
    for router in routers {
        for one in &router.checks {
            if let Some(&index) = places.get(&one.name) {
                if let Some(used) = used.get_mut(index) {
                    *used = true;
                }
                if let Some(check) = checks.get_mut(index) {
                    used_by(check, router);
                    refuse_absent(check, router, report);
                }
            } else if !unclear && !known.contains(&one.name) {
                let message = format!(
                    "expected the name of a [CHECK] section, found {}",
                    found(&one.name)
                );
                report.error_once(
                    router.lines.of_key(Key::Check),
                    Some(Key::Check.name()),
                    message,
                );
            }
        }
    }
    for (check, used) in checks.iter().zip(used) {
        if !used && !unclear {
            let message = format!(
                "no virtual router names `{}`: it changes nothing",
                check.spec.name
            );
            report.warning(
                check.lines.of_key(Key::Name),
                Some(Key::Name.name()),
                message,
            );
        }
    }
}

fn used_by(check: &mut Check, router: &VirtualRouter) {
    let addresses = router.spec.addresses.iter();
    let addresses: Vec<IpAddr> = addresses.map(|spec| spec.address.address).collect();
    let id = &router.spec.id;
    if let Some(place) = place_of(&mut check.spec.kind) {
        place.used_by(&id.interface, id.family, &addresses);
    }
}

/// Refuses a check of addresses that a backup does not have: once it has failed there, it could never pass, and
/// the host would be passed over for ever. The owner of addresses has them at all times.
fn refuse_absent(check: &mut Check, router: &VirtualRouter, report: &mut Report) {
    let spec = &router.spec;
    let is_virtual = matches!(place_of(&mut check.spec.kind), Some(Place::Virtual(_)));
    if !is_virtual || spec.silent || spec.settings.priority == Priority::OWNER {
        return;
    }
    let message = format!(
        "expected `silent = yes` beside a check at `virtual`, or `localhost` or `self` in `{}`: \
         a backup without silent addresses has nobody to ask, and would never pass again",
        check.spec.name
    );
    report.error_once(
        router.lines.of_key(Key::Check),
        Some(Key::Check.name()),
        message,
    );
}

fn place_of(kind: &mut CheckKind) -> Option<&mut Place> {
    match kind {
        CheckKind::Tcp(tcp) => Some(&mut tcp.place),
        CheckKind::Http(http) => Some(&mut http.place),
        CheckKind::Dns(dns) => Some(&mut dns.place),
        CheckKind::Ping(place) => Some(place),
        CheckKind::Process(_)
        | CheckKind::Unit(_)
        | CheckKind::File { .. }
        | CheckKind::Command(_) => None,
    }
}
