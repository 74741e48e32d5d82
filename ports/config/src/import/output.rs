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
    /// The reason why it was taken out.
    dropped: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: &'static str,
    value: String,
    at: At,
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
            dropped: None,
        }
    }

    /// Sets a key; the last value counts.
    pub(super) fn put(&mut self, key: &'static str, value: impl Into<String>, at: At) {
        let value = value.into();
        let entry = Entry { key, value, at };
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
                self.take_out(place, error.key.as_deref(), &error.message, whole, report);
            }
        }
        None
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
            report.lost(section.at, format!("{}: {message}", section.title));
            section.dropped = Some(message.to_owned());
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
            report.lost(section.at, format!("{}: {text}", section.title));
            section.dropped = Some(text);
        }
    }

    fn take_out(
        &mut self,
        place: Place,
        key: Option<&str>,
        message: &str,
        whole: bool,
        report: &mut Report,
    ) {
        let key = key.and_then(Key::find).map(Key::name);
        match place {
            Place::Global => {
                let Some(key) = key.filter(|key| self.global.get(key).is_some()) else {
                    return self.global.entries.clear();
                };
                let at = self.global.remove(key);
                report.lost(at, format!("{key}: {message}"));
            }
            Place::Vrid(index) => {
                let Some(section) = self.routers.get_mut(index) else {
                    return;
                };
                if key == Some("check")
                    && !whole
                    && let Some((name, _, at)) = section.checks.pop()
                {
                    let text = format!("the check `{name}` of {}: {message}", section.title);
                    section.remark_lost(at, &text);
                    return report.lost(at, text);
                }
                if key == Some("scriptuser") && !whole {
                    return section.remove_scripts(message, report);
                }
                let removable = key.filter(|key| !whole && is_removable(key));
                match removable.filter(|key| section.get(key).is_some()) {
                    Some(key) => {
                        let at = section.remove(key);
                        let text = format!("{key}: {message}");
                        section.remark_lost(at, &text);
                        report.lost(at, text);
                    }
                    None => {
                        let begin = key.map(|key| format!("{key}: ")).unwrap_or_default();
                        let text = format!("{begin}{message}");
                        report.lost(section.at, format!("{}: {text}", section.title));
                        section.dropped = Some(text);
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
                    let at = section.remove(key);
                    let text = format!("{key}: {message}");
                    section.remark_lost(at, &text);
                    return report.lost(at, text);
                }
                let begin = key.map(|key| format!("{key}: ")).unwrap_or_default();
                let text = format!("{begin}{message}");
                report.lost(section.at, format!("{}: {text}", section.title));
                section.dropped = Some(text);
            }
            Place::Check(index) => {
                let check = self.checks.get_mut(index);
                let Some(check) = check.filter(|check| check.dropped.is_none()) else {
                    return;
                };
                let begin = key.map(|key| format!("{key}: ")).unwrap_or_default();
                let text = format!("{begin}{message}");
                let (at, title) = (check.at, check.title.clone());
                let name = check.get("name").unwrap_or_default().to_owned();
                check.dropped = Some(text.clone());
                report.lost(at, format!("{title}: {text}"));
                for router in &mut self.routers {
                    let used = router
                        .checks
                        .iter()
                        .find(|(used, _, _)| *used == name)
                        .cloned();
                    if let Some((name, how, at)) = used {
                        router.checks.retain(|(used, _, _)| *used != name);
                        router.remark_lost(at, &format!("check = {name}{how}"));
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

    /// Takes out the scripts: the user that they run as does not do.
    fn remove_scripts(&mut self, message: &str, report: &mut Report) {
        let keys: Vec<&str> = self.entries.iter().map(|entry| entry.key).collect();
        let is_script = |key: &&str| key.starts_with("script") || key.ends_with("script");
        for key in keys.into_iter().filter(is_script) {
            let at = self.remove(key);
            let text = format!("{key}: {message}");
            self.remark_lost(at, &text);
            report.lost(at, text);
        }
    }
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
