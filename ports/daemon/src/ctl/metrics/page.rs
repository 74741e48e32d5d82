//! The text of the exposition: heads of families, samples and labels.

use std::fmt::{Display, Write as _};

use vrrp_control::{Family, VirtualRouter, VrStats};

use super::Form;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Gauge,
    Counter,
    Histogram,
}

/// The text that is being written. Writing to a `String` cannot fail.
pub(super) struct Page {
    pub(super) form: Form,
    pub(super) text: String,
}

impl Page {
    /// Begins a family. `name` is without a counter's `_total`.
    pub(super) fn family(&mut self, name: &str, kind: Type, help: &str) {
        let (suffix, word) = match (kind, self.form) {
            (Type::Gauge, _) => ("", "gauge"),
            (Type::Histogram, _) => ("", "histogram"),
            (Type::Counter, Form::Prometheus) => ("_total", "counter"),
            (Type::Counter, Form::OpenMetrics) => ("", "counter"),
        };
        let _ = writeln!(self.text, "# HELP {name}{suffix} {help}");
        let _ = writeln!(self.text, "# TYPE {name}{suffix} {word}");
        if self.form == Form::OpenMetrics && name.ends_with("_seconds") {
            let _ = writeln!(self.text, "# UNIT {name} seconds");
        }
    }

    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

/// The labels that name a virtual router.
type Named = Vec<(&'static str, String)>;

pub(super) fn named(router: &VirtualRouter) -> Named {
    name(
        router.vrid,
        router.name.as_deref(),
        &router.interface,
        router.family,
    )
}

pub(super) fn counted(router: &VrStats) -> Named {
    name(
        router.vrid,
        router.name.as_deref(),
        &router.interface,
        router.family,
    )
}

fn name(vrid: u8, name: Option<&str>, interface: &str, family: Family) -> Named {
    let mut labels = vec![
        ("vrid", vrid.to_string()),
        ("interface", interface.to_owned()),
        ("family", family.to_string()),
    ];
    labels.extend(name.map(|name| ("name", name.to_owned())));
    labels
}

/// The labels of a virtual router and one more.
pub(super) fn with(mut labels: Named, name: &'static str, value: String) -> Named {
    labels.push((name, value));
    labels
}

pub(super) fn labels(pairs: &[(&str, impl AsRef<str>)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value.as_ref())));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// Interface names may hold anything but a slash and a space.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
