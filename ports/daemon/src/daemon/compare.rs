//! The difference between the configuration that is in force and the file.

use vrrp_config::{self as config, Config};
use vrrp_core::{Priority, State};
use vrrp_host::{Platform, VrReport};

use super::Daemon;
use vrrp_control::Answer;

/// The most differences that are told one by one.
const MOST: usize = 100;

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
        let (differences, moves) = self.differences(new);
        if differences.is_empty() {
            said.push(format!("{}: nothing is different", self.file.display()));
            return Ok(said);
        }
        let stays = moves.is_empty();
        said.extend(differences.into_iter().chain(moves));
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

    /// Returns the differences of `new`, and the effect of each on who is master; of many the first ones.
    pub(super) fn differences(&self, new: &Config) -> (Vec<String>, Vec<String>) {
        let Some(mut old) = config::parse(&self.file, &self.text).config else {
            return Default::default();
        };
        old.put_secrets(self.secrets.clone());
        let all = old.differences(new);
        let mut reports = self.host.statuses();
        reports.retain(|report| {
            let mut all = all.iter();
            all.any(|one| one.id.as_ref() == Some(&report.id))
        });
        let moves = reports.iter().filter_map(|report| {
            let spec = |config: &Config| {
                let mut routers = config.virtual_routers.iter();
                let found = routers.find(|router| router.spec.id == report.id);
                found.map(|router| router.spec.clone())
            };
            let (old, new) = (spec(&old), spec(new));
            let what = match (old, new) {
                (_, None) => removed(report),
                (Some(old), Some(new)) => {
                    let anew = old.is_replaced_by(&new);
                    let priority = (old.settings.priority != new.settings.priority)
                        .then_some(new.settings.priority);
                    changed(report, anew, priority, new.settings.preempt)
                }
                (None, Some(_)) => None,
            };
            what.map(|what| format!("{}: {what}", report.id))
        });
        let moves = short(moves.collect());
        (short(all.into_iter().map(|one| one.text).collect()), moves)
    }
}

fn removed(report: &VrReport) -> Option<String> {
    let is_master = report.status.state == State::Active;
    is_master.then(|| "moves away: this host is master, and hands over".to_owned())
}

/// The effect of a change on who is master. `priority`: the new one, where it is another.
fn changed(
    report: &VrReport,
    anew: bool,
    priority: Option<Priority>,
    preempt: bool,
) -> Option<String> {
    let status = &report.status;
    match status.state {
        State::Active if anew => {
            Some("is set up anew: this host is master, and hands over meanwhile".into())
        }
        // It advertises another priority for as long as it is held.
        State::Active if report.held => None,
        State::Active => {
            let lower = priority.filter(|priority| *priority < report.configured_priority)?;
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
            let takes = priority.is_owner() || preempt && priority.get() > of_master;
            takes.then(|| {
                format!("moves here: priority {priority} is above {of_master} of master {address}")
            })
        }
        State::Initialize => None,
    }
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
