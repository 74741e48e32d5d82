//! The difference between the configuration that is in force and the file.

use vrrp_config::{self as config, Config};
use vrrp_core::{AuthMode, Priority, State};
use vrrp_host::{GroupSpec, HmacSpec, Platform, VrId, VrReport};

use super::Daemon;
use vrrp_control::Answer;

/// The most differences that are told one by one.
const MOST: usize = 100;

/// The differences between the configuration that is in force and another one.
#[derive(Default)]
pub(super) struct Differences {
    /// The different settings; of many the first ones.
    pub(super) settings: Vec<String>,
    /// Their effects on who is master; of many the first ones.
    pub(super) moves: Vec<String>,
    /// See [`Config::other_parts`].
    pub(super) other_parts: Vec<&'static str>,
}

impl<P: Platform> Daemon<P> {
    /// Tells what a reload would change, or each error of the file. Nothing is changed.
    pub(super) fn compare(&mut self) -> Result<Vec<String>, Vec<String>> {
        let read = self.parent.look_at_file().map_err(|e| vec![e])?;
        let (_, judged) = read.parse(&self.file);
        let Some(new) = &judged.config else {
            return Err(judged.errors());
        };
        let remarks = judged.diagnostics.iter();
        let mut said: Vec<String> = remarks.map(ToString::to_string).collect();
        let Differences {
            settings, moves, ..
        } = self.differences(new);
        if settings.is_empty() {
            said.push(format!("{}: nothing is different", self.file.display()));
            return Ok(said);
        }
        let stays = moves.is_empty();
        said.extend(settings.into_iter().chain(moves));
        if stays {
            said.push("no virtual router moves to another host by that".into());
        }
        said.extend(self.restart_needed(new));
        Ok(said)
    }

    /// The configuration that is in force, without what vrrpctl has changed.
    pub(super) fn config(&self) -> Answer {
        let parsed = config::parse(&self.file, &self.text);
        match parsed.config {
            Some(config) => {
                let text = config.print_without_passwords();
                let messages = text.lines().map(str::to_owned).collect();
                Answer::Done { messages }
            }
            None => Answer::error("the configuration cannot be read any more"),
        }
    }

    /// Returns the differences of `new`.
    pub(super) fn differences(&self, new: &Config) -> Differences {
        let Some(mut old) = config::parse(&self.file, &self.text).config else {
            return Differences::default();
        };
        old.put_secrets(self.secrets.clone());
        let all = old.differences(new);
        let reports = self.host.statuses();
        let differ = reports.iter().filter(|report| {
            let mut all = all.iter();
            all.any(|one| one.id.as_ref() == Some(&report.id))
        });
        let moves = differ.map(|report| {
            let spec = |config: &Config| {
                let mut routers = config.virtual_routers.iter();
                let found = routers.find(|router| router.spec.id == report.id);
                found.map(|router| router.spec.clone())
            };
            let wanted = new;
            let (old, new) = (spec(&old), spec(new));
            let parts = match (&old, &new) {
                (Some(old), Some(new)) => parts(old.hmac.as_ref(), new.hmac.as_ref()),
                _ => None,
            };
            let what = match (old, new) {
                (_, None) => removed(report),
                (Some(old), Some(new)) => {
                    let anew = old.is_replaced_by(&new);
                    let priority = (old.settings.priority != new.settings.priority)
                        .then_some(new.settings.priority);
                    let together = together(report, wanted, &reports);
                    changed(report, anew, priority, &together)
                }
                (None, Some(_)) => None,
            };
            let all = [what, parts].into_iter().flatten();
            let all: Vec<String> = all.map(|what| format!("{}: {what}", report.id)).collect();
            all
        });
        let of_groups = new.groups.iter().filter_map(|group| {
            let is_known = old.groups.iter().any(|old| old.spec == group.spec);
            if is_known {
                return None;
            }
            gathered(&group.spec, &reports)
        });
        let moves = short(moves.flatten().chain(of_groups).collect());
        Differences {
            settings: short(all.into_iter().map(|one| one.text).collect()),
            moves,
            other_parts: old.other_parts(new),
        }
    }
}

fn removed(report: &VrReport) -> Option<String> {
    let is_master = report.status.state == State::Active;
    is_master.then(|| "moves away: this host is master, and hands over".to_owned())
}

/// A virtual router that moves with others, as it stands, and its new settings.
struct Member<'a> {
    report: &'a VrReport,
    priority: Priority,
    preempt: bool,
}

impl Member<'_> {
    /// Whether it would take over as a Backup.
    fn takes_over(&self) -> bool {
        let status = &self.report.status;
        let is_above = |of_master: u8| {
            self.priority.is_owner() || self.preempt && self.priority.get() > of_master
        };
        let wins = status.due
            || status
                .active
                .is_some_and(|master| is_above(master.priority));
        status.state == State::Backup && wins
    }
}

/// The virtual routers that move together with one by the new configuration: the members of its group, or
/// itself alone.
fn together<'a>(report: &VrReport, new: &Config, reports: &'a [VrReport]) -> Vec<Member<'a>> {
    let mut groups = new.groups.iter().map(|group| &group.spec.members);
    let members = groups.find(|members| members.contains(&report.id));
    let moves = |id: &VrId| match members {
        Some(members) => members.contains(id),
        None => *id == report.id,
    };
    let specs = new.virtual_routers.iter().map(|router| &router.spec);
    let all = specs.filter(|spec| moves(&spec.id)).filter_map(|spec| {
        let mut reports = reports.iter();
        Some(Member {
            report: reports.find(|report| report.id == spec.id)?,
            priority: spec.settings.priority,
            preempt: spec.settings.preempt,
        })
    });
    all.collect()
}

/// The effect of a group that is new or has other members: they come together on one host.
fn gathered(group: &GroupSpec, reports: &[VrReport]) -> Option<String> {
    let members = reports.iter().filter(|one| group.members.contains(&one.id));
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        members.partition(|report| report.status.state == State::Active);
    if here.is_empty() || elsewhere.is_empty() {
        return None;
    }
    let names = |of: Vec<&VrReport>| {
        let names: Vec<String> = of.iter().map(|report| report.id.to_string()).collect();
        names.join(", ")
    };
    Some(format!(
        "group {}: members move: this host is master of {} and not of {}, and is to be master of all or none",
        group.name,
        names(here),
        names(elsewhere)
    ))
}

/// The effect of a change on who is master. `priority`: the new one, where it is another; `together`: the
/// virtual routers that move with it, itself among them.
fn changed(
    report: &VrReport,
    anew: bool,
    priority: Option<Priority>,
    together: &[Member<'_>],
) -> Option<String> {
    let status = &report.status;
    match status.state {
        State::Active if anew => {
            Some("is set up anew: this host is master, and hands over meanwhile".into())
        }
        // It advertises another priority for as long as it is held.
        State::Active if report.held => None,
        State::Active => {
            // Another host has to win each of those that move together, so that the highest counts.
            priority?;
            let before = together.iter().map(|one| one.report.configured_priority);
            let lower = together.iter().map(|one| one.priority).max()?;
            if before.max()? <= lower {
                return None;
            }
            Some(format!(
                "may move away: this host is master, and a backup with a priority above {lower} \
                 takes over where it preempts"
            ))
        }
        // It leaves a master that is well alone, whatever its priority.
        State::Backup if report.held || status.standing_back => None,
        State::Backup => {
            let (priority, master) = (priority?, status.active?);
            let (address, of_master) = (master.address, master.priority);
            let takes = together.iter().all(|one| one.takes_over());
            takes.then(|| {
                format!("moves here: priority {priority} is above {of_master} of master {address}")
            })
        }
        State::Initialize => None,
    }
}

/// The hosts of the group that do not believe this one any more, or are not believed, until they have got
/// the same change. They and this one become master.
fn parts(old: Option<&HmacSpec>, new: Option<&HmacSpec>) -> Option<String> {
    let mode = |hmac: Option<&HmacSpec>| hmac.map(|hmac| hmac.settings.mode);
    let signs = |hmac| !matches!(mode(hmac), None | Some(AuthMode::ReceiveOnly));
    let enforces = |hmac| mode(hmac) == Some(AuthMode::Enforce);
    let mut all = Vec::new();
    match (signs(old), signs(new)) {
        (false, true) => all.push("hosts without the key will refuse us, as we sign".to_owned()),
        (true, false) => {
            all.push("hosts with authmode = enforce will refuse us, as we sign no more".into());
        }
        _ => {}
    }
    if enforces(new) && !enforces(old) {
        all.push("we refuse hosts that do not sign".into());
    }
    if let (Some(old), Some(new)) = (old, new) {
        let id = new.settings.active_key;
        if signs(Some(old)) && signs(Some(new)) && old.settings.active_key != id {
            all.push(format!("hosts that have not got key {id} will refuse us"));
        }
        for key in &old.keys {
            let id = key.id;
            match new.keys.iter().find(|new| new.id == id) {
                None => all.push(format!("we refuse hosts that sign with key {id}")),
                // Those that were not read are not known to differ.
                Some(new) if new.secret.is_some() && key.secret.is_some() => {
                    if new.secret != key.secret {
                        all.push(format!(
                            "hosts that have not got the other octets of key {id} will refuse us"
                        ));
                    }
                }
                Some(_) => {}
            }
        }
        if old.settings.replay != new.settings.replay {
            let replay = new.settings.replay;
            all.push(if signs(Some(new)) {
                format!("hosts that have not got antireplay = {replay} and we refuse each other")
            } else {
                format!("we refuse hosts that sign without antireplay = {replay}")
            });
        }
    } else if old.is_some() {
        all.push("we refuse hosts that sign".into());
    }
    (!all.is_empty()).then(|| format!("{}: with such a host there are two masters", all.join("; ")))
}

/// The first of many lines, and how many more there are.
fn short(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST);
    if more > 0 {
        lines.truncate(MOST);
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_core::{AntiReplay, AuthSettings};
    use vrrp_host::{KeySource, KeySpec, Secret};

    fn hmac(mode: AuthMode, keys: &[(u8, u8)], active_key: u8) -> HmacSpec {
        let key = |&(id, octet): &(u8, u8)| KeySpec {
            id,
            source: KeySource::Credential("key".into()),
            secret: Secret::new(vec![octet; 32]),
        };
        HmacSpec {
            settings: AuthSettings {
                mode,
                active_key,
                ..AuthSettings::DEFAULT
            },
            keys: keys.iter().map(key).collect(),
        }
    }

    #[test]
    fn a_change_of_signatures_names_the_hosts_that_it_parts_from() {
        use AuthMode::{Enforce, Permissive, ReceiveOnly};
        let says = |old: Option<&HmacSpec>, new: Option<&HmacSpec>, expected: &str| {
            let said = parts(old, new).unwrap_or_default();
            let end = match expected {
                "" => "",
                _ => ": with such a host there are two masters",
            };
            assert_eq!(said, format!("{expected}{end}"));
        };
        let one = |mode| hmac(mode, &[(1, 7)], 1);
        let (hears, signs, enforces) = (one(ReceiveOnly), one(Permissive), one(Enforce));
        // The way there, and back.
        says(None, Some(&hears), "");
        says(
            Some(&hears),
            Some(&signs),
            "hosts without the key will refuse us, as we sign",
        );
        says(
            Some(&signs),
            Some(&enforces),
            "we refuse hosts that do not sign",
        );
        says(Some(&enforces), Some(&signs), "");
        says(
            Some(&signs),
            Some(&hears),
            "hosts with authmode = enforce will refuse us, as we sign no more",
        );
        says(Some(&hears), None, "we refuse hosts that sign");
        says(
            None,
            Some(&enforces),
            "hosts without the key will refuse us, as we sign; we refuse hosts that do not sign",
        );
        // Another key.
        let both = |active| hmac(Enforce, &[(1, 7), (2, 8)], active);
        says(Some(&enforces), Some(&both(1)), "");
        says(
            Some(&both(1)),
            Some(&both(2)),
            "hosts that have not got key 2 will refuse us",
        );
        says(
            Some(&both(2)),
            Some(&hmac(Enforce, &[(2, 8)], 2)),
            "we refuse hosts that sign with key 1",
        );
        says(
            Some(&enforces),
            Some(&hmac(Enforce, &[(1, 9)], 1)),
            "hosts that have not got the other octets of key 1 will refuse us",
        );
        let mut monotonic = one(Enforce);
        monotonic.settings.replay = AntiReplay::Monotonic;
        says(
            Some(&enforces),
            Some(&monotonic),
            "hosts that have not got antireplay = monotonic and we refuse each other",
        );
        // The way that the manual has for it: nobody signs meanwhile.
        monotonic.settings.mode = ReceiveOnly;
        says(
            Some(&hears),
            Some(&monotonic),
            "we refuse hosts that sign without antireplay = monotonic",
        );
    }
}
