//! The configuration that an import writes, and its last examination.
//!
//! Sections are kept as keys and values until [`Output::settle`] has had the text judged. A part that is
//! judged to be an error is taken out: a key, where the rest means the same without it, otherwise the
//! section. Each part that goes is a finding.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use vrrp_host::{MAX_INTERFACES, MAX_VIRTUAL_ROUTERS};

use super::report::{At, Report};
use super::surroundings::Surroundings;
use crate::diagnostic::Severity;
use crate::keys::Key;

/// How often the text is judged before sections go as a whole.
const ROUNDS: usize = 24;
/// How often it is judged besides, to find out which item of a list is refused.
const TRIALS: usize = 1000;

/// A section that may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Its line in the input.
    pub(super) at: At,
    /// Its words for the reader, as `vrrp_instance VI_1`.
    pub(super) title: String,
    /// Remarks below its keys.
    pub(super) remarks: Vec<(At, String)>,
    entries: Vec<Entry>,
    /// The checks that it names, each with `:fault`, a weight or nothing.
    pub(super) checks: Vec<(String, String, At)>,
    /// Whether its addresses are of IPv6.
    pub(super) is_v6: bool,
    /// The statements in it that count as carried over.
    pub(super) carried: usize,
    /// The reason why it was taken out.
    dropped: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: &'static str,
    value: String,
    at: At,
    /// The items of a list, each with its line. Empty: the value is no list, or goes as a whole.
    items: Vec<(String, At)>,
}

impl Section {
    pub(super) fn new(at: At, title: impl Into<String>) -> Self {
        Self {
            at,
            title: title.into(),
            remarks: Vec::new(),
            entries: Vec::new(),
            checks: Vec::new(),
            is_v6: false,
            carried: 0,
            dropped: None,
        }
    }

    /// Sets a key; the last value counts.
    pub(super) fn put(&mut self, key: &'static str, value: impl Into<String>, at: At) {
        let entry = Entry {
            key,
            value: value.into(),
            at,
            items: Vec::new(),
        };
        self.put_entry(entry);
    }

    /// Sets a key to a list, of which an item that is refused goes alone. Without items it is not set.
    pub(super) fn put_list(&mut self, key: &'static str, items: Vec<(String, At)>) {
        let Some((_, at)) = items.first() else {
            self.entries.retain(|entry| entry.key != key);
            return;
        };
        let values: Vec<&str> = items.iter().map(|(item, _)| item.as_str()).collect();
        let entry = Entry {
            key,
            value: values.join(", "),
            at: *at,
            items,
        };
        self.put_entry(entry);
    }

    /// Adds an item to the list of a key.
    pub(super) fn add_item(&mut self, key: &'static str, item: String, at: At) {
        let mut items = self.items(key);
        items.push((item, at));
        self.put_list(key, items);
    }

    /// The items of a list, each with its line.
    fn items(&self, key: &str) -> Vec<(String, At)> {
        if key == CHECK {
            let checks = self.checks.iter();
            return checks
                .map(|(name, how, at)| (format!("{name}{how}"), *at))
                .collect();
        }
        let entry = self.entries.iter().find(|entry| entry.key == key);
        entry.map_or_else(Vec::new, |entry| entry.items.clone())
    }

    /// Leaves of the items of a list those at some places.
    fn keep_items(&mut self, key: &'static str, keep: impl Fn(usize) -> bool) {
        if key == CHECK {
            let mut place = 0..;
            self.checks.retain(|_| place.next().is_some_and(&keep));
            return;
        }
        let items = self.items(key).into_iter().enumerate();
        let items = items.filter(|(place, _)| keep(*place));
        self.put_list(key, items.map(|(_, item)| item).collect());
    }

    fn put_entry(&mut self, entry: Entry) {
        let key = entry.key;
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(before) => *before = entry,
            None => self.entries.push(entry),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let mut entries = self.entries.iter();
        entries.find(|e| e.key == key).map(|e| e.value.as_str())
    }

    /// Writes it; as a comment when it was taken out, for the reader to mend, or without a place.
    fn write(&self, name: &str, files: &Files<'_>, text: &mut Text<Place>, place: Option<Place>) {
        let (begin, place) = match (&self.dropped, place) {
            (None, Some(place)) => ("", Some(place)),
            _ => ("# ", None),
        };
        text.line(&format!("# {}, {}", self.title, files.place(self.at)), None);
        if let Some(why) = &self.dropped {
            text.line(&format!("# NOT CARRIED OVER: {why}"), None);
        }
        text.line(&format!("{begin}[{name}]"), place);
        for entry in &self.entries {
            let equals = if entry.value.starts_with('#') {
                "="
            } else {
                " = "
            };
            let line = format!("{begin}{}{equals}{}", entry.key, entry.value);
            text.line(&line, place);
        }
        if !self.checks.is_empty() {
            let checks = self.checks.iter();
            let checks: Vec<String> = checks
                .map(|(name, how, _)| format!("{name}{how}"))
                .collect();
            text.line(&format!("{begin}check = {}", checks.join(", ")), place);
        }
        for (at, remark) in &self.remarks {
            text.line(&format!("# {}: {remark}", files.place(*at)), None);
        }
    }
}

/// A part of the text, for an error that is found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Global,
    Vrid(usize),
    Group(usize),
    Check(usize),
}

/// Lines of text, each with the part that it belongs to.
#[derive(Debug, Default)]
struct Text<P> {
    text: String,
    places: Vec<Option<P>>,
}

impl<P> Text<P> {
    fn line(&mut self, line: &str, place: Option<P>) {
        let line = line.replace(|c: char| c.is_control(), " ");
        let _ = writeln!(self.text, "{}", line.trim_end());
        self.places.push(place);
    }
}

/// Names of files for comments.
#[derive(Clone, Copy, Debug)]
struct Files<'a>(&'a Report);

impl Files<'_> {
    fn place(self, at: At) -> String {
        self.0.place(at, 0)
    }
}

/// The configuration that is written.
#[derive(Debug)]
pub(super) struct Output {
    /// The lines of the comment at its beginning.
    pub(super) header: Vec<String>,
    /// `[GLOBAL]`.
    pub(super) global: Section,
    pub(super) routers: Vec<Section>,
    /// The synchronisation groups.
    pub(super) groups: Vec<Section>,
    pub(super) checks: Vec<Section>,
    /// Checks that are written as comments.
    pub(super) proposals: Vec<Section>,
    /// Remarks that belong to no section.
    pub(super) remarks: Vec<(At, String)>,
    /// The judgements that are left for the items of lists.
    trials: usize,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            header: Vec::new(),
            global: Section::new(At::default(), ""),
            routers: Vec::new(),
            groups: Vec::new(),
            checks: Vec::new(),
            proposals: Vec::new(),
            remarks: Vec::new(),
            trials: TRIALS,
        }
    }

    /// Takes out what `vrrpd --check` would not accept. Returns the text and the number of its sections with
    /// virtual routers; none when no virtual router is left.
    pub(super) fn settle(
        mut self,
        surroundings: &dyn Surroundings,
        report: &mut Report,
    ) -> Option<(String, usize)> {
        self.limit(report);
        for round in 0.. {
            let left = self.routers.iter().filter(|s| s.dropped.is_none()).count();
            if left == 0 {
                return None;
            }
            let Text { text, places } = self.write(report);
            let judged = surroundings.judge(&text);
            let mut errors = judged
                .into_iter()
                .filter(|d| d.severity == Severity::Error)
                .peekable();
            if errors.peek().is_none() {
                return Some((text, left));
            }
            let mut had = Vec::new();
            for error in errors {
                let line = error.line.checked_sub(1);
                let place = line.and_then(|line| places.get(line)).copied().flatten();
                let Some(place) = place else {
                    self.shorten(&error.message, report);
                    continue;
                };
                if had.contains(&(place, error.key.clone())) {
                    continue;
                }
                had.push((place, error.key.clone()));
                let whole = round >= ROUNDS;
                let key = error.key.as_deref().and_then(Key::find).map(Key::name);
                if let Place::Vrid(index) = place
                    && let Some(key) = key.filter(|key| !whole && is_list(key))
                    && self.take_items_out(index, key, &error.message, surroundings, report)
                {
                    continue;
                }
                self.take_out(place, key, &error.message, whole, report);
            }
        }
        None
    }

    /// Takes out the items of a list that are refused, and leaves the others. Returns `false` if there are
    /// none.
    fn take_items_out(
        &mut self,
        index: usize,
        key: &'static str,
        message: &str,
        surroundings: &dyn Surroundings,
        report: &mut Report,
    ) -> bool {
        let Some(section) = self.routers.get(index).cloned() else {
            return false;
        };
        let items = section.items(key);
        let mut refused: Vec<(usize, String)> = Vec::new();
        if items.len() > 1 {
            for place in 0..items.len() {
                if let Some(section) = self.routers.get_mut(index) {
                    section.keep_items(key, |other| other == place);
                }
                if let Some(why) = self.refusal(index, key, message, surroundings, report) {
                    refused.push((place, why));
                }
                if let Some(place) = self.routers.get_mut(index) {
                    section.clone_into(place);
                }
            }
        }
        let Some(last) = items.len().checked_sub(1) else {
            return false;
        };
        if refused.is_empty() {
            // It is the only one, or each would do without the others.
            refused.push((last, message.to_owned()));
        }
        let Some(section) = self.routers.get_mut(index) else {
            return false;
        };
        section.keep_items(key, |place| {
            refused.iter().all(|(other, _)| *other != place)
        });
        section.count_less(refused.len(), report);
        for (place, why) in refused {
            if let Some((item, at)) = items.get(place) {
                let text = format!("{key} `{item}`: {why}");
                section.remark_lost(*at, &text);
                report.lost(*at, text);
            }
        }
        true
    }

    /// The reason why a key of a virtual router is refused, as the text is now. When it has been asked for too
    /// often, everything is.
    fn refusal(
        &mut self,
        index: usize,
        key: &str,
        message: &str,
        surroundings: &dyn Surroundings,
        report: &Report,
    ) -> Option<String> {
        let Some(left) = self.trials.checked_sub(1) else {
            return Some(message.to_owned());
        };
        self.trials = left;
        let Text { text, places } = self.write(report);
        let judged = surroundings.judge(&text).into_iter();
        let mut errors = judged.filter(|d| d.severity == Severity::Error);
        let error = errors.find(|error| {
            let line = error.line.checked_sub(1);
            let place = line.and_then(|line| places.get(line)).copied().flatten();
            let name = error.key.as_deref().and_then(Key::find).map(Key::name);
            place == Some(Place::Vrid(index)) && name == Some(key)
        })?;
        Some(error.message)
    }

    /// Takes out what is beyond a limit of the whole: an eighth of the virtual routers, from the end.
    fn shorten(&mut self, message: &str, report: &mut Report) {
        let left = self.routers.iter().filter(|s| s.dropped.is_none()).count();
        let last = self
            .routers
            .iter_mut()
            .rev()
            .filter(|s| s.dropped.is_none());
        for section in last.take(left.div_ceil(8)) {
            section.take_out(message.to_owned(), report);
        }
    }

    /// Takes out what is beyond the numbers of virtual routers and interfaces that vrrpd serves.
    fn limit(&mut self, report: &mut Report) {
        let (mut count, mut interfaces) = (0, HashSet::new());
        for section in &mut self.routers {
            let interface = section.get("interface").unwrap_or_default().to_owned();
            let new = !interfaces.contains(&interface);
            let text = if count >= MAX_VIRTUAL_ROUTERS {
                format!("vrrpd serves at most {MAX_VIRTUAL_ROUTERS} virtual routers")
            } else if new && interfaces.len() >= MAX_INTERFACES {
                format!("vrrpd has virtual routers on at most {MAX_INTERFACES} interfaces")
            } else {
                interfaces.insert(interface);
                count += 1;
                continue;
            };
            section.take_out(text, report);
        }
    }

    fn take_out(
        &mut self,
        place: Place,
        key: Option<&'static str>,
        message: &str,
        whole: bool,
        report: &mut Report,
    ) {
        match place {
            Place::Global => {
                let Some(key) = key.filter(|key| self.global.get(key).is_some()) else {
                    for entry in std::mem::take(&mut self.global.entries) {
                        report.lost(entry.at, format!("{}: {message}", entry.key));
                    }
                    return;
                };
                let at = self.global.remove(key);
                report.lost(at, format!("{key}: {message}"));
            }
            Place::Vrid(index) => {
                let Some(section) = self.routers.get_mut(index) else {
                    return;
                };
                if key == Some("scriptuser") && !whole {
                    return section.remove_scripts(message, report);
                }
                let removable = key.filter(|key| !whole && is_removable(key));
                match removable.filter(|key| section.get(key).is_some()) {
                    Some(key) => {
                        section.remove_said(key, message, report);
                    }
                    None => {
                        let begin = key.map(|key| format!("{key}: ")).unwrap_or_default();
                        section.take_out(format!("{begin}{message}"), report);
                    }
                }
            }
            Place::Group(index) => {
                let Some(section) = self.groups.get_mut(index) else {
                    return;
                };
                if key == Some("scriptuser") && !whole {
                    return section.remove_scripts(message, report);
                }
                let removable = key.filter(|key| !whole && key.ends_with("script"));
                if let Some(key) = removable.filter(|key| section.get(key).is_some()) {
                    return section.remove_said(key, message, report);
                }
                let begin = key.map(|key| format!("{key}: ")).unwrap_or_default();
                section.take_out(format!("{begin}{message}"), report);
            }
            Place::Check(index) => {
                let check = self.checks.get_mut(index);
                let Some(check) = check.filter(|check| check.dropped.is_none()) else {
                    return;
                };
                let begin = key.map(|key| format!("{key}: ")).unwrap_or_default();
                let name = check.get("name").unwrap_or_default().to_owned();
                let title = check.title.clone();
                check.take_out(format!("{begin}{message}"), report);
                for router in &mut self.routers {
                    let used = router
                        .checks
                        .iter()
                        .find(|(used, _, _)| *used == name)
                        .cloned();
                    if let Some((name, how, at)) = used {
                        router.checks.retain(|(used, _, _)| *used != name);
                        router.remark_lost(at, &format!("check = {name}{how}"));
                        router.count_less(1, report);
                        let of = &router.title;
                        report.lost(
                            at,
                            format!("check = {name}{how} of {of}: {title} is refused"),
                        );
                    }
                }
            }
        }
    }

    fn write(&self, report: &Report) -> Text<Place> {
        let files = Files(report);
        let mut text = Text {
            text: String::new(),
            places: Vec::new(),
        };
        for line in &self.header {
            text.line(&format!("# {line}"), None);
        }
        let mut between = false;
        let mut blank = |text: &mut Text<Place>| {
            if between || !text.text.is_empty() {
                text.line("", None);
            }
            between = true;
        };
        if !self.global.entries.is_empty() {
            blank(&mut text);
            text.line("[GLOBAL]", Some(Place::Global));
            for entry in &self.global.entries {
                let line = format!("{} = {}", entry.key, entry.value);
                text.line(&line, Some(Place::Global));
            }
        }
        if !self.remarks.is_empty() {
            blank(&mut text);
            let mut remarks: Vec<&(At, String)> = self.remarks.iter().collect();
            remarks.sort();
            for (at, remark) in remarks {
                text.line(&format!("# {}: {remark}", files.place(*at)), None);
            }
        }
        for (index, section) in self.routers.iter().enumerate() {
            blank(&mut text);
            section.write("VRID", &files, &mut text, Some(Place::Vrid(index)));
        }
        for (index, section) in self.groups.iter().enumerate() {
            blank(&mut text);
            section.write("GROUP", &files, &mut text, Some(Place::Group(index)));
        }
        for (index, section) in self.checks.iter().enumerate() {
            blank(&mut text);
            section.write("CHECK", &files, &mut text, Some(Place::Check(index)));
        }
        for section in &self.proposals {
            blank(&mut text);
            section.write("CHECK", &files, &mut text, None);
        }
        text
    }
}

impl Section {
    fn remove(&mut self, key: &str) -> At {
        let at = self.entries.iter().find(|e| e.key == key).map(|e| e.at);
        self.entries.retain(|entry| entry.key != key);
        at.unwrap_or(self.at)
    }
}

impl Section {
    /// Remarks below its keys what of the input it does not have.
    pub(super) fn remark_lost(&mut self, at: At, text: &str) {
        self.remarks.push((at, format!("NOT CARRIED OVER: {text}")));
    }

    /// Takes it out, so that it is written as a comment.
    fn take_out(&mut self, why: String, report: &mut Report) {
        report.lost(self.at, format!("{}: {why}", self.title));
        self.dropped = Some(why);
        self.count_less(self.carried, report);
    }

    /// Removes a key, of one statement.
    fn remove_said(&mut self, key: &str, message: &str, report: &mut Report) {
        let at = self.remove(key);
        let text = format!("{key}: {message}");
        self.remark_lost(at, &text);
        report.lost(at, text);
        // Others come with the section itself, or from the whole.
        if key.ends_with("script") {
            self.count_less(1, report);
        }
    }

    /// Counts so many of its statements no more as carried over.
    fn count_less(&mut self, count: usize, report: &mut Report) {
        let count = count.min(self.carried);
        self.carried -= count;
        report.carry_less(count);
    }

    /// Takes out the scripts: the user that they run as does not do.
    fn remove_scripts(&mut self, message: &str, report: &mut Report) {
        let keys: Vec<&str> = self.entries.iter().map(|entry| entry.key).collect();
        let is_script = |key: &&str| key.starts_with("script") || key.ends_with("script");
        for key in keys.into_iter().filter(is_script) {
            self.remove_said(key, message, report);
        }
    }
}

/// The key of the checks of a virtual router, which are no entry.
const CHECK: &str = "check";

/// Whether a key has a list of which a virtual router elects and speaks the same without an item.
fn is_list(key: &str) -> bool {
    matches!(key, CHECK | "trackinterface" | "extra" | "route" | "rule")
}

/// Whether a section of a virtual router elects and speaks the same without a key.
fn is_removable(key: &str) -> bool {
    matches!(
        key,
        "name"
            | "trackinterface"
            | "vridsdep"
            | "masterscript"
            | "backupscript"
            | "faultscript"
            | "stopscript"
            | "reclaimscript"
            | "notifyscript"
            | "startdelay"
            | "announcerefresh"
            | "announceinterval"
            | "announcerepeats"
            | "route"
            | "rule"
    )
}

/// Whether a value can be written and is read as the same again.
pub(super) fn can_hold(value: &str) -> bool {
    let comment =
        |c: char, before: Option<char>| c == '#' && before.is_some_and(char::is_whitespace);
    let mut before = None;
    for c in value.chars() {
        if c.is_control() || comment(c, before) {
            return false;
        }
        before = Some(c);
    }
    value.trim() == value && !value.is_empty() && value.len() < 60_000
}

/// Whether this vrrpd knows these lines of a `[VRID]` section.
pub(super) fn knows(lines: &str) -> bool {
    let addr = if lines.contains("addr =") {
        ""
    } else {
        "addr = 192.0.2.1/32\n"
    };
    let text = format!("[VRID]\nserverid = 1\ninterface = eth0\n{addr}{lines}\n");
    crate::parse(Path::new(""), text).config.is_some()
}
