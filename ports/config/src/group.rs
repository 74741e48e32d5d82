//! One `[GROUP]` section: a synchronisation group.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use vrrp_core::{MAX_TRACKS, Vrid};
use vrrp_host::{GroupSpec, TrackSpec, VrId};

use super::VirtualRouter;
use super::diagnostic::{Report, found};
use super::keys::Key;
use super::lexer::Section;
use super::reader::Reader;
use super::router::Lines;
use super::script::{self, Defaults, Script};
use super::script_security::ScriptUser;
use super::vrid;

/// A synchronisation group of the file.
///
/// Two are equal when they ask for the same, wherever in a file they stand.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name and its members, in the order in which their elections count: by VRID, IPv4 before IPv6,
    /// and then as the file names them.
    pub spec: GroupSpec,
    /// Runs when every member is master on this host.
    pub master_script: Option<Script>,
    /// Runs when no member is master on this host any more, and at a start as backup.
    pub backup_script: Option<Script>,
    /// Runs when a member, and so the group, cannot take part.
    pub fault_script: Option<Script>,
    /// Runs when vrrpd stops or the group is taken out of the file.
    pub stop_script: Option<Script>,
    /// Runs at every change of state, with the arguments that keepalived gives.
    pub notify_script: Option<Script>,
    /// How long a script may run.
    pub script_timeout: Duration,
    /// Whether a script that has failed is run again, until it succeeds or the state changes.
    pub script_retry: bool,
    /// The user that its scripts run as. `None`: the user of vrrpd.
    pub script_user: Option<ScriptUser>,
    /// The line of its `[GROUP]`.
    pub section_line: usize,
    /// Where its keys stand, for messages.
    pub(crate) lines: Lines,
}

impl Group {
    /// Its scripts, each with its key.
    pub(crate) fn scripts(&self) -> [(Key, Option<&Script>); 5] {
        [
            (Key::MasterScript, self.master_script.as_ref()),
            (Key::BackupScript, self.backup_script.as_ref()),
            (Key::FaultScript, self.fault_script.as_ref()),
            (Key::StopScript, self.stop_script.as_ref()),
            (Key::NotifyScript, self.notify_script.as_ref()),
        ]
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
            && self.scripts() == other.scripts()
            && self.script_timeout == other.script_timeout
            && self.script_retry == other.script_retry
            && self.script_user == other.script_user
    }
}

impl Eq for Group {}

/// A section that was read. Its members are found when every `[VRID]` section is.
pub(super) struct GroupSection {
    group: Group,
    members: Vec<Named>,
    failed: bool,
}

/// A member as the file names it: every virtual router with this VRID, or those of the section with this
/// name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Vrid(Vrid),
    Section(Arc<str>),
}

impl Named {
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return vrid::name(text).map(Named::Section);
        }
        vrid::identifier(text).map(Named::Vrid).map_err(|_| {
            format!(
                "expected a number from 1 to 255 or the name of a section, found {}",
                found(text)
            )
        })
    }

    fn fits(&self, id: &VrId) -> bool {
        match self {
            Named::Vrid(vrid) => id.vrid == *vrid,
            Named::Section(name) => id.name.as_ref() == Some(name),
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Named::Vrid(vrid) => vrid.fmt(f),
            Named::Section(name) => f.write_str(name),
        }
    }
}

/// Reads a section. `None`: it does not say which group it is.
pub(super) fn read(
    section: &Section<'_>,
    reader: &mut Reader<'_, '_>,
    defaults: &Defaults,
) -> Option<GroupSection> {
    let required = |reader: &mut Reader<'_, '_>, key: Key, expected: &str| {
        if reader.entry(key).is_none() && !reader.damaged() {
            let message = format!("missing in this [GROUP] section, expected {expected}");
            reader.error(key, message);
        }
    };
    required(reader, Key::Name, "a name");
    required(
        reader,
        Key::Vrids,
        "the serverids or names of at least two virtual routers",
    );
    let name = reader.value(Key::Name, vrid::name);
    let members = reader.items(Key::Vrids, Named::parse);
    let run = defaults.read(reader);
    let group = Group {
        spec: GroupSpec {
            name: name?,
            members: Vec::new(),
        },
        master_script: script::script(reader, Key::MasterScript),
        backup_script: script::script(reader, Key::BackupScript),
        fault_script: script::script(reader, Key::FaultScript),
        stop_script: script::script(reader, Key::StopScript),
        notify_script: run.notify.as_ref().map(|(script, _)| script.clone()),
        script_timeout: run.timeout,
        script_retry: run.retry,
        script_user: run.user.clone(),
        section_line: section.line,
        lines: Lines::new(section).or_default(
            Key::NotifyScript,
            run.notify.as_ref().map(|(_, line)| *line),
        ),
    };
    Some(GroupSection {
        group,
        members,
        failed: reader.failed() || section.damaged,
    })
}

/// Finds the members of each group and judges the groups against each other. `unclear`: a section could not
/// be read, which may be a member.
pub(super) fn join(
    sections: Vec<GroupSection>,
    routers: &[VirtualRouter],
    unclear: bool,
    report: &mut Report,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut owners: HashMap<VrId, Arc<str>> = HashMap::new();
    for section in sections {
        let failed = section.failed;
        let group = with_members(section, routers, unclear, report);
        let name = &group.spec.name;
        named_once(&group, &groups, routers, report);
        let line = group.lines.of_key(Key::Vrids);
        for id in &group.spec.members {
            if let Some(owner) = owners.insert(id.clone(), name.clone()) {
                let message = format!(
                    "expected each virtual router in one group, found {id} again, first in group {owner}"
                );
                report.error(line, Some(Key::Vrids.name()), message);
            }
        }
        if group.spec.members.len() < 2 && !unclear && !failed {
            let found = match group.spec.members.first() {
                Some(id) => format!("{id} alone"),
                None => "none".to_owned(),
            };
            let message = format!("expected at least two virtual routers, found {found}");
            report.error(line, Some(Key::Vrids.name()), message);
        }
        same_election(&group, routers, report);
        few_tracks(&group, routers, report);
        groups.push(group);
    }
    groups
}

fn with_members(
    section: GroupSection,
    routers: &[VirtualRouter],
    unclear: bool,
    report: &mut Report,
) -> Group {
    let mut group = section.group;
    let line = group.lines.of_key(Key::Vrids);
    for named in &section.members {
        let mut found = false;
        for router in routers.iter().filter(|router| named.fits(&router.spec.id)) {
            found = true;
            let id = &router.spec.id;
            if group.spec.members.contains(id) {
                let message = format!("expected each virtual router once, found {id} again");
                report.error(line, Some(Key::Vrids.name()), message);
            } else {
                group.spec.members.push(id.clone());
            }
        }
        if !found && !unclear {
            let message =
                format!("expected the serverid or the name of a [VRID] section, found `{named}`");
            report.error(line, Some(Key::Vrids.name()), message);
        }
    }
    let members = &mut group.spec.members;
    members.sort_by_key(|id| (id.vrid, id.family));
    group
}

/// A name means one group or one section, for vrrpctl.
fn named_once(group: &Group, before: &[Group], routers: &[VirtualRouter], report: &mut Report) {
    let name = &group.spec.name;
    let twice = before.iter().find(|other| other.spec.name == *name);
    let section = routers
        .iter()
        .find(|router| router.spec.id.name.as_ref() == Some(name));
    let first = twice
        .map(|other| other.lines.of_key(Key::Name))
        .or_else(|| section.map(|router| router.lines.of_key(Key::Name)));
    if let Some(first) = first {
        let message = format!(
            "expected each name once, found `{name}` again, first in {}",
            report.place(first)
        );
        let line = group.lines.of_key(Key::Name);
        report.error(line, Some(Key::Name.name()), message);
    }
}

/// Members with other priorities or another preemption are legal, and seldom meant.
fn same_election(group: &Group, routers: &[VirtualRouter], report: &mut Report) {
    let members = routers
        .iter()
        .filter(|router| group.spec.members.contains(&router.spec.id));
    let mut of_all = members.map(|router| {
        let settings = &router.spec.settings;
        (settings.priority, settings.preempt)
    });
    let first = of_all.next();
    let line = group.lines.of_key(Key::Vrids);
    let rest: Vec<_> = of_all.collect();
    if rest.iter().any(|one| Some(one.0) != first.map(|f| f.0)) {
        let message = format!(
            "the members of group {} have different priorities: between two masters that of the first counts, and the group takes over only where all of them would",
            group.spec.name
        );
        report.warning(line, Some(Key::Vrids.name()), message);
    }
    if rest.iter().any(|one| Some(one.1) != first.map(|f| f.1)) {
        let message = format!(
            "`preempt` is off for some members of group {}, and so for all of them",
            group.spec.name
        );
        report.warning(line, Some(Key::Vrids.name()), message);
    }
}

/// Each member depends on the objects of all.
fn few_tracks(group: &Group, routers: &[VirtualRouter], report: &mut Report) {
    let mut tracks: Vec<&TrackSpec> = Vec::new();
    let members = routers
        .iter()
        .filter(|router| group.spec.members.contains(&router.spec.id));
    for track in members.flat_map(|router| &router.spec.tracks) {
        if !tracks.contains(&track) {
            tracks.push(track);
        }
    }
    if tracks.len() > MAX_TRACKS {
        let message = format!(
            "the members of group {} depend on {} interfaces, virtual routers and checks together, expected at most {MAX_TRACKS}",
            group.spec.name,
            tracks.len()
        );
        let line = group.lines.of_key(Key::Vrids);
        report.error(line, Some(Key::Vrids.name()), message);
    }
}
