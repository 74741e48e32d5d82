//! `vrrp_sync_group`.

use super::globals::Globals;
use super::instance::scripts::scripts;
use super::instance::track_for_group;
use super::trackers::{Kind, Trackers};
use super::tree::Statement;
use super::{Importer, globals};
use crate::diagnostic::found;
use crate::import::output::Section;
use crate::import::report::Verdict;
use crate::import::values::{router_name, truth};

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
        one(group, statements, globals, trackers, importer);
    }
}

fn one<'s>(
    group: &'s Statement,
    statements: &[Statement],
    globals: &Globals,
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
    let Some(vrids) = named(&written, members.len(), importer) else {
        let text = format!(
            "vrrp_sync_group {}: a member could not be carried over, so that the members are elected each by itself",
            found(name)
        );
        let remark = format!("NOT CARRIED OVER: {text}");
        importer.output.remarks.push((group.at, remark));
        return importer.report.lost(group.at, text);
    };
    let mut section = Section::new(group.at, format!("vrrp_sync_group {name}"));
    section.put("name", free_name(name, importer), group.at);
    section.put("vrids", vrids.join(", "), group.at);
    let lines: Vec<&Statement> = group.inner().iter().filter(|s| is_script(s)).collect();
    for line in &lines {
        line.settle();
    }
    let before = importer.report.carried();
    scripts(&lines, globals, &mut section, importer);
    let weighs = |section: &Section| {
        let tracks = section.get("trackinterface").unwrap_or_default();
        tracks.contains(':') || section.checks.iter().any(|(_, how, _)| how != ":fault")
    };
    let mut sections = written
        .iter()
        .filter_map(|i| importer.output.routers.get(*i));
    if sections.any(weighs) {
        let text = format!(
            "vrrp_sync_group {}: the weights of its members add up; in keepalived each counts for its instance, or for none",
            found(name)
        );
        importer.report.differs(group.at, text);
    } else {
        importer.report.carry();
    }
    section.carried = importer.report.carried() - before;
    importer.output.groups.push(section);
}

/// The names of the members for `vrids`. `None`: one was not carried over, or cannot be named.
fn named(written: &[usize], members: usize, importer: &Importer<'_>) -> Option<Vec<String>> {
    let routers = &importer.output.routers;
    let name = |index: &usize| -> Option<String> {
        let section = routers.get(*index)?;
        if let Some(name) = section.get("name") {
            return Some(name.to_owned());
        }
        let vrid = section.get("serverid")?;
        let same = routers.iter().filter(|s| s.get("serverid") == Some(vrid));
        (same.count() == 1).then(|| vrid.to_owned())
    };
    let names: Vec<String> = written.iter().map_while(name).collect();
    (names.len() == members).then_some(names)
}

/// A name for a group that no virtual router and no other group has.
fn free_name(name: &str, importer: &Importer<'_>) -> String {
    let output = &importer.output;
    let taken = |name: &str| {
        let mut all = output.routers.iter().chain(&output.groups);
        all.any(|section| section.get("name") == Some(name))
    };
    let name = router_name(name).unwrap_or("group").to_owned();
    if !taken(&name) {
        return name;
    }
    let short: String = name.chars().take(22).collect();
    let numbered = (1..).map(|number| format!("{short}-group{number}"));
    let mut free = numbered.filter(|name| !taken(name));
    free.next().unwrap_or(name)
}

fn is_script(s: &Statement) -> bool {
    matches!(
        s.keyword(),
        "notify" | "notify_master" | "notify_backup" | "notify_fault" | "notify_stop"
    )
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
        // They are the section's own.
        _ if is_script(s) => {}
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
        let before = importer.report.carried();
        act(&mut section, importer);
        section.carried += importer.report.carried() - before;
        if let Some(place) = importer.output.routers.get_mut(*index) {
            *place = section;
        }
    }
}
