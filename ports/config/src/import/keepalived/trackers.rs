//! `vrrp_script`, `vrrp_track_process` and `track_file`, which become checks.

use std::collections::HashMap;

use vrrp_core::MAX_TRACKS;

use super::programs::{self, Command};
use super::tree::Statement;
use super::{Importer, User};
use crate::MAX_CHECKS;
use crate::diagnostic::found;
use crate::import::output::Section;
use crate::import::values::{check_name, micros, number, seconds, shell_line};

/// The weights that keepalived takes.
pub(super) const MAX_WEIGHT: i64 = 253;

/// The kind of a tracker, by the block of those who track it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Script,
    Process,
    File,
}

impl Kind {
    /// The kind that a block of `vrrp_instance` or `vrrp_sync_group` names.
    pub(super) fn of_block(keyword: &str) -> Option<Self> {
        match keyword {
            "track_script" => Some(Kind::Script),
            "track_process" => Some(Kind::Process),
            "track_file" => Some(Kind::File),
            _ => None,
        }
    }

    const fn definition(self) -> &'static str {
        match self {
            Kind::Script => "vrrp_script",
            Kind::Process => "vrrp_track_process",
            Kind::File => "track_file",
        }
    }
}

/// Something that is tracked.
#[derive(Debug)]
struct Tracker<'s> {
    statement: &'s Statement,
    weight: i64,
    reverse: bool,
    /// The check. `Err`: the reason why there is none.
    check: Result<Section, String>,
    /// The name of the check among those that are written.
    written: Option<String>,
    used: bool,
    /// The statements in it that count as carried over.
    carried: usize,
}

impl Tracker<'_> {
    fn name(&self) -> &str {
        self.statement.word(1)
    }
}

/// All that can be tracked.
#[derive(Debug)]
pub(super) struct Trackers<'s> {
    list: Vec<Tracker<'s>>,
    /// The places in the list, by kind and name.
    places: HashMap<(Kind, &'s str), usize>,
}

impl<'s> Trackers<'s> {
    pub(super) fn read(statements: &'s [Statement], importer: &mut Importer<'_>) -> Self {
        let mut list: Vec<Tracker<'s>> = Vec::new();
        let mut places = HashMap::new();
        for statement in statements {
            let kind = match statement.keyword() {
                "vrrp_script" => Kind::Script,
                "vrrp_track_process" => Kind::Process,
                "track_file" | "vrrp_track_file" => Kind::File,
                _ => continue,
            };
            statement.settle();
            let name = statement.word(1);
            let twice = places.contains_key(&(kind, name));
            if name.is_empty() || twice {
                let why = if twice {
                    "is there already"
                } else {
                    "has no name"
                };
                let text = format!(
                    "{} {} {why}; keepalived passes over it",
                    statement.keyword(),
                    found(name)
                );
                importer.report.error(statement.at, text);
                statement.settle_all();
                continue;
            }
            places.insert((kind, name), list.len());
            let before = importer.report.carried();
            let mut tracker = match kind {
                Kind::Script => script(statement, importer),
                Kind::Process => process(statement, importer),
                Kind::File => file(statement, importer),
            };
            tracker.carried = importer.report.carried() - before;
            if let Ok(check) = &mut tracker.check {
                check.carried = tracker.carried;
            }
            list.push(tracker);
        }
        Self { list, places }
    }

    /// Lets a virtual router track what a line of one of its blocks names.
    pub(super) fn track(
        &mut self,
        kind: Kind,
        line: &Statement,
        is_owner: bool,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) {
        let name = line.keyword().to_owned();
        let found_name = found(&name);
        let place = self.places.get(&(kind, name.as_str())).copied();
        let Some(tracker) = place.and_then(|place| self.list.get_mut(place)) else {
            let text = format!(
                "there is no {} {found_name}; keepalived passes over the line",
                kind.definition()
            );
            return importer.error(line, text);
        };
        let Some(how) = Weighting::read(line, tracker.weight, tracker.reverse, importer) else {
            return;
        };
        tracker.used = true;
        if how.weight != 0 && is_owner {
            let text =
                format!("{found_name}: priority 255 has no weights, with keepalived neither");
            return importer.note(line, text);
        }
        if how.reverse {
            let text = format!(
                "{found_name}: vrrpd has no weight in reverse; turn the check round, so that it passes when it failed"
            );
            section.remark_lost(line.at, &text);
            return importer.lost(line, text);
        }
        if kind == Kind::File && how.weight != 0 {
            let text = format!(
                "{found_name}: vrrpd adds no number of a file to a priority; set it by `vrrpctl priority`"
            );
            section.remark_lost(line.at, &text);
            return importer.lost(line, text);
        }
        if is_full(section) {
            let text = format!(
                "{found_name}: a virtual router tracks at most {MAX_TRACKS} checks and interfaces"
            );
            section.remark_lost(line.at, &text);
            return importer.lost(line, text);
        }
        if tracker.written.is_none() && importer.output.checks.len() >= MAX_CHECKS {
            let text = format!("{found_name}: vrrpd has at most {MAX_CHECKS} checks");
            return importer.lost(line, text);
        }
        let check = match &tracker.check {
            Ok(check) => check,
            Err(why) => {
                let text = format!("{} {found_name}: {why}", kind.definition());
                section.remark_lost(line.at, &text);
                return importer.lost(line, text);
            }
        };
        let written = tracker.written.get_or_insert_with(|| {
            let checks = importer.output.checks.iter();
            let taken: Vec<String> = checks.filter_map(|c| c.get("name")).map(str::to_owned).collect();
            let chosen = check_name(&name, &taken);
            if chosen != name {
                let text = format!("{found_name} is called `{chosen}`, as a check needs a short name of plain characters");
                importer.report.note(tracker.statement.at, text);
            }
            let mut check = check.clone();
            check.put("name", chosen.clone(), tracker.statement.at);
            importer.output.checks.push(check);
            chosen
        });
        let how = match how.weight {
            0 => ":fault".to_owned(),
            weight => format!(":{weight}"),
        };
        if section.checks.iter().any(|(other, _, _)| other == written) {
            let text = format!("{found_name} is tracked twice; the first counts");
            return importer.error(line, text);
        }
        section.checks.push((written.clone(), how, line.at));
        importer.carried(line);
    }

    /// Reports trackers that nothing tracks. The statements of those that are not written do not count.
    pub(super) fn finish(&self, importer: &mut Importer<'_>) {
        for tracker in self.list.iter().filter(|t| t.written.is_none()) {
            importer.report.carry_less(tracker.carried);
        }
        for tracker in self.list.iter().filter(|t| !t.used) {
            let text = format!(
                "{} {}: nothing tracks it, so keepalived never asks it either",
                tracker.statement.keyword(),
                found(tracker.name())
            );
            importer.report.error(tracker.statement.at, text);
        }
    }
}

/// Whether a virtual router tracks as much as it can.
pub(super) fn is_full(section: &Section) -> bool {
    let interfaces = section.get("trackinterface").unwrap_or_default();
    let interfaces = interfaces.split(',').filter(|one| !one.is_empty()).count();
    section.checks.len() + interfaces >= MAX_TRACKS
}

/// The weight of a tracked object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighting {
    pub(super) weight: i64,
    pub(super) reverse: bool,
}

impl Weighting {
    /// Reads what follows the name: `weight N reverse`. `None`: keepalived passes over the line, which was said.
    pub(super) fn read(
        line: &Statement,
        weight: i64,
        reverse: bool,
        importer: &mut Importer<'_>,
    ) -> Option<Self> {
        let mut own = Self { weight, reverse };
        let mut words = line.words.iter().skip(1).map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "weight" => {
                    let text = words.next().unwrap_or_default();
                    let weight = number(text).filter(|w| w.abs() <= MAX_WEIGHT);
                    let Some(weight) = weight else {
                        let text = format!(
                            "expected a weight from -{MAX_WEIGHT} to {MAX_WEIGHT}, found {}; keepalived passes over the weight",
                            found(text)
                        );
                        importer.report.error(line.at, text);
                        continue;
                    };
                    own.weight = weight;
                    own.reverse = false;
                }
                "reverse" => own.reverse = true,
                "noreverse" | "no_reverse" => own.reverse = false,
                word => {
                    let text = format!(
                        "expected `weight` after {}, found {}; keepalived passes over the line",
                        found(line.keyword()),
                        found(word)
                    );
                    importer.error(line, text);
                    return None;
                }
            }
        }
        Some(own)
    }
}

/// Reads `weight N [reverse]` of a definition.
fn own_weight(s: &Statement, weight: &mut i64, reverse: &mut bool, importer: &mut Importer<'_>) {
    match number(s.word(1)).filter(|w| w.abs() <= MAX_WEIGHT) {
        Some(number) => {
            *weight = number;
            *reverse = s.word(2) == "reverse";
            importer.carried(s);
        }
        None => {
            let text = format!(
                "expected a weight from -{MAX_WEIGHT} to {MAX_WEIGHT}, found {}; keepalived takes {weight}",
                found(s.word(1))
            );
            importer.error(s, text);
        }
    }
}

/// A time of keepalived as milliseconds within what a check may have.
fn span(s: &Statement, least: u64, importer: &mut Importer<'_>) -> Option<u64> {
    let Some(micros) = micros(s.word(1)).filter(|micros| *micros > 0) else {
        let text = format!(
            "{}: expected seconds, found {}; keepalived takes its default",
            s.keyword(),
            found(s.word(1))
        );
        importer.error(s, text);
        return None;
    };
    let millis = micros.div_ceil(1000).clamp(least, 3_600_000);
    if millis * 1000 == micros {
        importer.carried(s);
    } else {
        let text = format!("{} {}: {} s here", s.keyword(), s.word(1), seconds(millis));
        importer.differs(s, text);
    }
    Some(millis)
}

/// A count of answers.
fn count(s: &Statement, importer: &mut Importer<'_>) -> Option<i64> {
    let Some(count) = number(s.word(1)).filter(|count| *count > 0) else {
        let text = format!(
            "{}: expected a number from 1, found {}; keepalived takes 1",
            s.keyword(),
            found(s.word(1))
        );
        importer.error(s, text);
        return None;
    };
    if count > 1000 {
        importer.differs(s, format!("{} {count}: 1000 here", s.keyword()));
    } else {
        importer.carried(s);
    }
    Some(count.min(1000))
}

fn unknown(s: &Statement, place: &Statement, importer: &mut Importer<'_>) {
    let text = format!(
        "keepalived does not know {} in {} and passes over it",
        found(s.keyword()),
        place.keyword()
    );
    importer.error(s, text);
    s.settle_all();
}

fn script<'s>(statement: &'s Statement, importer: &mut Importer<'_>) -> Tracker<'s> {
    let title = format!("vrrp_script {}", statement.word(1));
    let mut section = Section::new(statement.at, title);
    section.put("name", "", statement.at);
    let (mut weight, mut reverse) = (0, false);
    let (mut interval, mut timeout, mut fall, mut rise) = (1000, None, 1, 1);
    let (mut init_fail, mut user) = (false, None);
    let mut command = Err("it has no script".to_owned());
    for s in statement.inner() {
        match s.keyword() {
            "script" => command = read_script(s, &mut section, importer),
            "interval" => interval = span(s, 100, importer).unwrap_or(1000),
            "timeout" => timeout = span(s, 10, importer),
            "fall" => fall = count(s, importer).unwrap_or(1),
            "rise" => rise = count(s, importer).unwrap_or(1),
            "weight" => own_weight(s, &mut weight, &mut reverse, importer),
            "init_fail" => {
                init_fail = true;
                importer.carried(s);
            }
            "user" => {
                user = Some((User::new(s.word(1), s.word(2)), s.at));
                importer.carried(s);
            }
            _ => unknown(s, statement, importer),
        }
    }
    let at = statement.at;
    section.put("interval", seconds(interval), at);
    if let Some(timeout) = timeout {
        section.put("timeout", seconds(timeout), at);
    }
    section.put("fall", fall.to_string(), at);
    section.put("rise", rise.to_string(), at);
    // keepalived waits for the first answer before it takes part.
    section.put("initially", "down", at);
    if rise > 1 && !init_fail {
        let text = format!(
            "{}: keepalived begins with the first answer; here it passes after {rise} good answers, so that a host is some seconds later after a start",
            found(statement.word(1))
        );
        importer.report.note(at, text);
    }
    let check = command.map(|()| {
        if let Some((user, at)) = user {
            section.put(
                "scriptuser",
                user.value().unwrap_or_else(|| "root".into()),
                at,
            );
        }
        section
    });
    Tracker {
        statement,
        weight,
        reverse,
        check,
        written: None,
        used: false,
        carried: 0,
    }
}

/// Reads `script`. `Err`: the reason why there can be no check.
fn read_script(
    s: &Statement,
    section: &mut Section,
    importer: &mut Importer<'_>,
) -> Result<(), String> {
    s.settle();
    let command = match Command::read(&s.text, importer.surroundings) {
        Ok(command) => command,
        Err(why) => {
            importer.report.error(s.at, format!("script: {why}"));
            return Err(why);
        }
    };
    if !command.user.is_empty() {
        let text = format!(
            "script: keepalived runs `{}` alone, words outside of its quotation marks are passed over: {}",
            shell_line(&command.words),
            found(&command.user.join(" "))
        );
        importer.report.error(s.at, text);
    }
    let program = command.words.first().cloned().unwrap_or_default();
    match command.stops_keepalived(importer.surroundings) {
        Ok(None) => {}
        Ok(Some(place)) => {
            let text = format!(
                "script: {place} stops keepalived instead of failing, so that this check would never fail here: let it end with status 1"
            );
            section.remarks.push((s.at, format!("DIFFERS: {text}")));
            importer.report.differs(s.at, text);
        }
        Err(path) => {
            let text = format!(
                "script: `{}` cannot be read here; see that it fails by its exit status, and does not stop keepalived instead",
                path.display()
            );
            importer.report.note(s.at, text);
        }
    }
    if let Some((key, value)) = programs::built_in(&command.words) {
        let text = format!("instead of the command: {key} = {value}");
        section.remarks.push((s.at, text));
    }
    if command.missing {
        let text = format!(
            "script: `{program}` is a guess, the program is not on this host: correct its path"
        );
        section.remarks.push((s.at, format!("DIFFERS: {text}")));
        importer.report.differs(s.at, text);
    } else if !program.starts_with('/') {
        let text = format!(
            "script: expected an absolute path, found {}",
            found(&program)
        );
        importer.report.lost(s.at, text.clone());
        return Err(text);
    }
    let value = command.value()?;
    section.put("command", value, s.at);
    importer.report.carry();
    Ok(())
}

fn process<'s>(statement: &'s Statement, importer: &mut Importer<'_>) -> Tracker<'s> {
    let title = format!("vrrp_track_process {}", statement.word(1));
    let mut section = Section::new(statement.at, title);
    section.put("name", "", statement.at);
    let (mut weight, mut reverse) = (0, false);
    let mut check = Err("it names no process".to_owned());
    let mut why: Option<String> = None;
    let (mut fall, mut rise) = (1, 1);
    for s in statement.inner() {
        match s.keyword() {
            "process" => {
                if s.words.len() > 2 {
                    why = Some(
                        "a check of a process knows no parameters; a command with pgrep does"
                            .into(),
                    );
                }
                let name = s.word(1);
                section.put("process", name.rsplit('/').next().unwrap_or_default(), s.at);
                check = Ok(());
                importer.carried(s);
            }
            "weight" => own_weight(s, &mut weight, &mut reverse, importer),
            "quorum" if s.word(1) == "1" => importer.carried(s),
            "quorum" | "quorum_max" => {
                s.settle();
                why = Some(format!(
                    "a check of a process does not count them ({} {})",
                    s.keyword(),
                    s.word(1)
                ));
            }
            "full_command" => {
                s.settle();
                why = Some("a check of a process does not look at the command line; a command with pgrep does".into());
            }
            "param_match" => {
                s.settle();
                why = Some(
                    "a check of a process knows no parameters; a command with pgrep does".into(),
                );
            }
            "delay" | "terminate_delay" | "fork_delay" => {
                let Some(micros) = micros(s.word(1)) else {
                    unknown(s, statement, importer);
                    continue;
                };
                let count = 1 + i64::try_from(micros.div_ceil(1_000_000))
                    .unwrap_or(999)
                    .min(999);
                if s.keyword() != "fork_delay" {
                    fall = count;
                }
                if s.keyword() != "terminate_delay" {
                    rise = count;
                }
                importer.carried(s);
            }
            _ => unknown(s, statement, importer),
        }
    }
    let at = statement.at;
    section.put("interval", "1", at);
    section.put("fall", fall.to_string(), at);
    section.put("rise", rise.to_string(), at);
    section.put("initially", "down", at);
    Tracker {
        statement,
        weight,
        reverse,
        check: match why {
            Some(why) => Err(why),
            None => check.map(|()| section),
        },
        written: None,
        used: false,
        carried: 0,
    }
}

fn file<'s>(statement: &'s Statement, importer: &mut Importer<'_>) -> Tracker<'s> {
    let title = format!("track_file {}", statement.word(1));
    let mut section = Section::new(statement.at, title);
    section.put("name", "", statement.at);
    let (mut weight, mut reverse) = (1, false);
    let mut path = String::new();
    for s in statement.inner() {
        match s.keyword() {
            "file" => {
                path = s.word(1).to_owned();
                importer.carried(s);
            }
            "weight" => own_weight(s, &mut weight, &mut reverse, importer),
            "init_file" => {
                let text = "init_file: vrrpd writes no such file; let it be there before the start";
                importer.lost(s, text);
            }
            _ => unknown(s, statement, importer),
        }
    }
    let at = statement.at;
    let grep = importer.surroundings.program("grep");
    let grep = grep.map_or("/usr/bin/grep".to_owned(), |path| {
        path.display().to_string()
    });
    let words = [grep, "-q".into(), "-x".into(), "0".into(), path];
    let check = crate::import::values::command(&words).map(|value| {
        section.put("command", value, at);
        section.put("interval", "1", at);
        section.put("fall", "1", at);
        section.put("rise", "1", at);
        section.put("initially", "down", at);
        if weight == 0 {
            let text = "asked each second whether the file says 0; one that is missing passes with keepalived, and fails here";
            importer.report.differs(at, text);
        }
        section
    });
    Tracker {
        statement,
        weight,
        reverse,
        check: check.map_err(|word| format!("no value can hold {}", found(&word))),
        written: None,
        used: false,
        carried: 0,
    }
}
