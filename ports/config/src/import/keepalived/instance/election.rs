//! The settings of an instance by which a master is elected.

use super::Instance;
use crate::diagnostic::found;
use crate::import::keepalived::Importer;
use crate::import::keepalived::globals::Globals;
use crate::import::keepalived::tree::Statement;
use crate::import::output::Section;
use crate::import::report::{At, Verdict};
use crate::import::values::seconds;

impl Instance<'_> {
    pub(super) fn state(&mut self, s: &Statement, importer: &mut Importer<'_>) {
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

    pub(super) fn version(
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

    pub(super) fn interval(&self, version: u8, section: &mut Section, importer: &mut Importer<'_>) {
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

    pub(super) fn preemption(
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

    pub(super) fn acceptance(
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
}
