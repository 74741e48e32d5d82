//! The scripts of an instance.

use crate::diagnostic::found;
use crate::import::keepalived::globals::Globals;
use crate::import::keepalived::programs::Command;
use crate::import::keepalived::tree::Statement;
use crate::import::keepalived::{Importer, User};
use crate::import::output::{Section, knows};
use crate::import::report::Verdict;

/// Writes the scripts of events.
pub(in crate::import::keepalived) fn scripts(
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
