//! `vrrp_sync_group`.

use super::globals::Globals;
use super::instance::track_for_group;
use super::trackers::{Kind, Trackers};
use super::tree::Statement;
use super::{Importer, globals};
use crate::diagnostic::found;
use crate::import::output::Section;
use crate::import::report::Verdict;
use crate::import::values::truth;

pub(super) fn convert<'s>(
    statements: &'s [Statement],
    globals: &Globals,
    trackers: &mut Trackers<'s>,
    importer: &mut Importer<'_>,
) {
    for group in statements
        .iter()
        .filter(|s| s.keyword() == "vrrp_sync_group")
    {
        one(group, statements, trackers, importer);
    }
    let _ = globals;
}

fn one<'s>(
    group: &'s Statement,
    statements: &[Statement],
    trackers: &mut Trackers<'s>,
    importer: &mut Importer<'_>,
) {
    group.settle();
    let name = group.word(1);
    let mut members: Vec<(&str, &Statement)> = Vec::new();
    for block in group.inner().iter().filter(|s| s.keyword() == "group") {
        block.settle();
        for line in block.inner() {
            for word in &line.words {
                members.push((word, line));
            }
        }
    }
    let is_instance = |name: &str| {
        let mut all = statements.iter();
        all.any(|s| s.keyword() == "vrrp_instance" && s.word(1) == name)
    };
    members.retain(|(member, line)| {
        let known = is_instance(member);
        if !known {
            importer.error(
                line,
                format!(
                    "there is no vrrp_instance {}; keepalived passes over it",
                    found(member)
                ),
            );
        }
        known
    });
    let written: Vec<usize> = members
        .iter()
        .filter_map(|(member, _)| {
            let title = format!("vrrp_instance {member}");
            importer
                .output
                .routers
                .iter()
                .position(|s| s.title == title)
        })
        .collect();
    for s in group.inner() {
        follow(s, &written, trackers, importer);
    }
    if let [(_, line)] = members.as_slice() {
        return importer.note(
            line,
            format!(
                "vrrp_sync_group {}: a group of one has no effect",
                found(name)
            ),
        );
    }
    if members.is_empty() {
        return importer.report.error(
            group.at,
            format!("vrrp_sync_group {} has no members", found(name)),
        );
    }
    for (_, line) in &members {
        line.settle();
    }
    let sections: Vec<&Section> = written
        .iter()
        .filter_map(|i| importer.output.routers.get(*i))
        .collect();
    let vrids: Vec<String> = sections
        .iter()
        .filter_map(|s| s.get("serverid"))
        .map(str::to_owned)
        .collect();
    let all_vrids = importer
        .output
        .routers
        .iter()
        .filter_map(|s| s.get("serverid"));
    let once = |vrid: &String| all_vrids.clone().filter(|other| other == vrid).count() == 1;
    let same = |key: &str| {
        sections.windows(2).all(|pair| {
            pair.first().and_then(|s| s.get(key)) == pair.last().and_then(|s| s.get(key))
        })
    };
    let weights = |section: &&Section| {
        let tracks = section.get("trackinterface").unwrap_or_default();
        tracks.contains(':') || section.checks.iter().any(|(_, how, _)| how != ":fault")
    };
    let why = if written.len() < members.len() {
        Some("a member could not be carried over")
    } else if !vrids.iter().all(once) {
        Some("vridsdep needs different numbers (virtual_router_id)")
    } else if !same("priority") || !same("preempt") {
        Some("the members have different priorities or preemption")
    } else if sections.iter().any(weights) {
        Some("members track something with a weight of their own")
    } else {
        None
    };
    if let Some(why) = why {
        let text = format!(
            "vrrp_sync_group {}: {why}, so that the members are elected each by itself",
            found(name)
        );
        importer
            .output
            .remarks
            .push((group.at, format!("NOT CARRIED OVER: {text}")));
        return importer.report.lost(group.at, text);
    }
    for index in &written {
        if let Some(section) = importer.output.routers.get_mut(*index) {
            let own = section.get("serverid").unwrap_or_default().to_owned();
            let others: Vec<&str> = vrids
                .iter()
                .map(String::as_str)
                .filter(|v| *v != own)
                .collect();
            let value = match section.get("vridsdep") {
                Some(before) => format!("{before}, {}", others.join(", ")),
                None => others.join(", "),
            };
            section.put("vridsdep", value, group.at);
        }
    }
    let text = format!(
        "vrrp_sync_group {}: members leave together when an interface of one fails (vridsdep); a check, resign or a master that is not heard on one network moves that one alone",
        found(name)
    );
    importer.report.differs(group.at, text);
}

/// Gives a line of the group to its members.
fn follow<'s>(
    s: &'s Statement,
    members: &[usize],
    trackers: &mut Trackers<'s>,
    importer: &mut Importer<'_>,
) {
    match s.keyword() {
        "group" => {}
        "track_script" | "track_process" | "track_file" => {
            s.settle();
            let Some(kind) = Kind::of_block(s.keyword()) else {
                return;
            };
            for line in s.inner() {
                each(members, importer, &mut |section, importer| {
                    let is_owner = section.get("priority") == Some("255");
                    trackers.track(kind, line, is_owner, section, importer);
                });
            }
        }
        "track_interface" => {
            s.settle();
            for line in s.inner() {
                each(members, importer, &mut |section, importer| {
                    track_for_group(line, section, importer);
                });
            }
        }
        "notify" | "notify_master" | "notify_backup" | "notify_fault" | "notify_stop" => {
            let text = format!("{} of a group: vrrpd has no script for a group; give it to one of its members", s.keyword());
            importer.lost(s, text);
        }
        "smtp_alert" if s.words.len() > 1 && truth(s.word(1)) == Some(false) => {
            importer.share(s, Verdict::Note, globals::NO_EFFECT);
        }
        "smtp_alert" => importer.lost(s, "smtp_alert: vrrpd sends no mail: let notifyscript, or masterscript and the others, send it"),
        "track_bfd" => {
            importer.lost(s, "track_bfd: vrrpd has no BFD; a check with ping can stand for it");
            s.settle_all();
        }
        "global_tracking" | "sync_group_tracking_weight" | "notify_priority_changes" => {
            importer.share(s, Verdict::Note, globals::NO_EFFECT);
        }
        "" => s.settle_all(),
        word => {
            let text = format!("keepalived does not know {} in vrrp_sync_group and passes over it", found(word));
            importer.error(s, text);
            s.settle_all();
        }
    }
}

/// Calls `act` for the section of each member.
fn each(
    members: &[usize],
    importer: &mut Importer<'_>,
    act: &mut dyn FnMut(&mut Section, &mut Importer<'_>),
) {
    for index in members {
        let Some(section) = importer.output.routers.get(*index) else {
            continue;
        };
        let mut section = section.clone();
        act(&mut section, importer);
        if let Some(place) = importer.output.routers.get_mut(*index) {
            *place = section;
        }
    }
}
