//! One `[VRID]` section: a virtual router, or two when its addresses are of both families.

use std::sync::Arc;

use vrrp_core::{Family, Vrid};
use vrrp_host::{VrId, VrSpec};

use super::check::{self, Use};
use super::diagnostic::found;
use super::keys::Key;
use super::lexer::Section;
use super::reader::Reader;
use super::router::{Lines, VirtualRouter};
use super::script::{self, Defaults, Scripts};
use super::settings::Settings;
use super::{address, legacy, values};

/// A section that was read.
pub(super) struct VridSection {
    /// Its virtual routers. Empty when it does not say which they are.
    pub(super) virtual_routers: Vec<VirtualRouter>,
    /// The VRIDs that must not be master while this one's interface fails.
    pub(super) dependents: Vec<Vrid>,
    /// Whether it has errors.
    pub(super) failed: bool,
}

impl VridSection {
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }
}

/// Reads a section. Every error is reported; what can be known is returned all the same, so that
/// sections can be compared.
pub(super) fn read(
    section: &Section<'_>,
    reader: &mut Reader<'_, '_>,
    defaults: &Defaults,
) -> VridSection {
    let vrid = required(reader, Key::ServerId, "a number from 1 to 255")
        .then(|| reader.value(Key::ServerId, identifier))
        .flatten();
    let interface = required(reader, Key::Interface, "the name of an interface")
        .then(|| reader.value(Key::Interface, one_interface))
        .flatten();
    let name = reader.value(Key::Name, name);
    required(reader, Key::Addr, "`address/prefix`, or `none`");
    let addresses = address::addresses(reader);
    let settings = Settings::read(reader, interface.as_deref(), &addresses);
    let scripts = script::scripts(reader);
    let run = defaults.read(reader);
    let checks = check::uses(reader);
    let dependents = reader.items(Key::VridsDep, identifier);
    legacy::judge(reader);

    let mut virtual_routers = Vec::new();
    if let (Some(vrid), Some(interface)) = (vrid, interface) {
        for family in [Family::Ipv4, Family::Ipv6] {
            let id = VrId {
                interface: interface.clone(),
                vrid,
                family,
                name: name.clone(),
            };
            let Some(spec) = settings.spec(reader, id, &addresses) else {
                continue;
            };
            let mut router = with_scripts(spec, &scripts, &run, section);
            router.spec.tracks.extend(checks.iter().map(Use::track));
            router.checks.clone_from(&checks);
            virtual_routers.push(router);
        }
    }
    VridSection {
        virtual_routers,
        dependents,
        failed: reader.failed() || section.damaged,
    }
}

fn with_scripts(
    mut spec: VrSpec,
    scripts: &Scripts,
    run: &Defaults,
    section: &Section<'_>,
) -> VirtualRouter {
    spec.prepares = scripts.prepare.is_some();
    VirtualRouter {
        spec,
        master_script: scripts.master.clone(),
        backup_script: scripts.backup.clone(),
        fault_script: scripts.fault.clone(),
        stop_script: scripts.stop.clone(),
        prepare_script: scripts.prepare.clone(),
        reclaim_script: scripts.reclaim.clone(),
        prepare_timeout: scripts.prepare_timeout,
        notify_script: run.notify.as_ref().map(|(script, _)| script.clone()),
        script_retry: run.retry,
        script_timeout: run.timeout,
        script_user: run.user.clone(),
        checks: Vec::new(),
        section_line: section.line,
        lines: Lines::new(section).or_default(
            Key::NotifyScript,
            run.notify.as_ref().map(|(_, line)| *line),
        ),
    }
}

/// Whether a key is there; says so when it is not, unless it may be in a line that was unreadable.
fn required(reader: &mut Reader<'_, '_>, key: Key, expected: &str) -> bool {
    let there = reader.entry(key).is_some();
    if !there && !reader.damaged() {
        reader.error(
            key,
            format!("missing in this [VRID] section, expected {expected}"),
        );
    }
    there
}

pub(super) fn identifier(text: &str) -> Result<Vrid, String> {
    values::number_as(text, 1..=255, |number| {
        Vrid::new(u8::try_from(number).ok()?)
    })
}

/// A name that no VRID and no word of vrrpctl can be mistaken for.
pub(super) fn name(text: &str) -> Result<Arc<str>, String> {
    const LONGEST: usize = 32;
    const WORDS: [&str; 4] = ["all", "default", "on", "off"];
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(inner)
        && text.len() <= LONGEST
        && !WORDS.contains(&text);
    match fits {
        true => Ok(text.into()),
        false => Err(format!(
            "expected at most {LONGEST} of the characters A-Z, a-z, 0-9, `-`, `_` and `.`, a letter first, and none of the words {}, found {}",
            WORDS.map(|word| format!("`{word}`")).join(", "),
            found(text)
        )),
    }
}

/// One name; freevrrpd forgives a comma after it.
fn one_interface(text: &str) -> Result<String, String> {
    match values::list(text).as_slice() {
        [name] => values::interface(name),
        _ => Err(format!(
            "expected the name of one interface, found {}",
            found(text)
        )),
    }
}
