//! The dependencies: their licences and sources are those that `deny.toml` allows, and none asks for a
//! newer Rust than the workspace promises.
//!
//! cargo-deny reads the same file and knows more; it takes minutes to build, so that it is a matter of
//! releases (RELEASING.md).

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::steps::firmware;
use crate::tools::run::{self, Failure, cargo, root};

/// Packages that need a newer Rust and that only these two ports have, which say so themselves.
const NEWER: &[&str] = &["smoltcp", "vrrp-smoltcp", "vrrp-embassy"];

/// A version that no package needs.
const ANY: (u32, u32) = (u32::MAX, 0);

/// The parts of `deny.toml` that are checked here.
#[derive(Debug, Default)]
struct Policy {
    licences: Vec<String>,
    /// Package and licence.
    exceptions: Vec<(String, String)>,
    registries: Vec<String>,
}

/// The step of CI.
pub(crate) fn check() -> Result<(), Failure> {
    let file = root().join("deny.toml");
    let text = fs::read_to_string(&file)
        .map_err(|e| Failure(format!("cannot read {}: {e}", file.display())))?;
    let policy = Policy::parse(&text);
    let mut faults = policy.faults(&root(), "vrrp-core", NEWER)?;
    // Firmware: it has other packages, and is built by a newer Rust.
    faults.extend(policy.faults(&firmware::folder(), "board-kit", &[])?);
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure(format!("deny.toml:\n  {}", faults.join("\n  "))))
}

impl Policy {
    /// Reads the lists of the file, which has one key a line and strings without escapes.
    fn parse(text: &str) -> Self {
        let list = |after: &str| {
            let (_, rest) = text.split_once(after)?;
            let (list, _) = rest.split_once("\n]").or_else(|| rest.split_once("]\n"))?;
            Some(strings(list))
        };
        let exception = |line: &str| {
            let mut found = strings(line).into_iter();
            Some((found.next()?, found.next()?))
        };
        let lines = text.lines().filter(|line| line.contains("{ crate = "));
        Self {
            licences: list("[licenses]\nallow = [").unwrap_or_default(),
            exceptions: lines.filter_map(exception).collect(),
            registries: list("allow-registry = [").unwrap_or_default(),
        }
    }

    /// The faults of all packages of a workspace. None may need a newer Rust than `promises` does, but
    /// for those that are named as `newer`.
    fn faults(
        &self,
        workspace: &Path,
        promises: &str,
        newer: &[&str],
    ) -> Result<Vec<String>, Failure> {
        let args = ["metadata", "--locked", "--format-version", "1"];
        let text = run::stdout(cargo().current_dir(workspace).args(args))?;
        let metadata: Value =
            serde_json::from_str(&text).map_err(|e| Failure(format!("cargo metadata: {e}")))?;
        let packages = metadata["packages"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let promised = packages
            .iter()
            .find(|package| package["name"] == promises)
            .and_then(|package| version(&package["rust_version"]))
            .ok_or_else(|| Failure(format!("{promises} has no rust-version")))?;
        sayln!("{} packages in {}", packages.len(), workspace.display());
        let fault = |package: &Value| {
            let is_newer = newer.iter().any(|name| package["name"] == *name);
            self.fault(package, if is_newer { ANY } else { promised })
        };
        Ok(packages.iter().filter_map(fault).collect())
    }

    /// Returns what is wrong with a package, if anything is.
    fn fault(&self, package: &Value, promised: (u32, u32)) -> Option<String> {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, licence) = (text("name"), text("license"));
        let is_allowed = |id: &str| {
            let exception = (name.to_owned(), id.to_owned());
            self.licences.iter().any(|allowed| allowed == id)
                || self.exceptions.contains(&exception)
        };
        if !Expression::new(licence).met_by(&is_allowed) {
            return Some(format!("{name} has the licence '{licence}'"));
        }
        // A package of the workspace has no source.
        if let Some(source) = package["source"].as_str() {
            let registry = source.strip_prefix("registry+");
            if !self.registries.iter().any(|known| registry == Some(known)) {
                return Some(format!("{name} comes from {source}"));
            }
        }
        let needs = version(&package["rust_version"]).filter(|needs| *needs > promised);
        needs.map(|(major, minor)| {
            let (ours, least) = promised;
            format!("{name} needs Rust {major}.{minor}, and we promise {ours}.{least}")
        })
    }
}

/// The strings in double quotes.
fn strings(text: &str) -> Vec<String> {
    text.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn version(value: &Value) -> Option<(u32, u32)> {
    let mut parts = value.as_str()?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// An SPDX expression, word by word. Older packages write `/` for `OR`.
struct Expression<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Expression<'a> {
    fn new(text: &'a str) -> Self {
        let mut words = Vec::new();
        for word in text.split_inclusive(['(', ')', '/', ' ']) {
            let end = word.trim_end_matches(['(', ')', '/', ' ']).len();
            let (name, mark) = word.split_at(end);
            words.extend([name, mark.trim()].iter().filter(|word| !word.is_empty()));
        }
        Self { words, at: 0 }
    }

    /// Whether licences that are allowed are enough.
    fn met_by(mut self, is_allowed: &dyn Fn(&str) -> bool) -> bool {
        let met = self.any(is_allowed);
        met && self.at == self.words.len()
    }

    fn takes(&mut self, words: &[&str]) -> bool {
        let found = self
            .words
            .get(self.at)
            .is_some_and(|word| words.contains(word));
        self.at += usize::from(found);
        found
    }

    fn any(&mut self, is_allowed: &dyn Fn(&str) -> bool) -> bool {
        let mut met = self.all(is_allowed);
        while self.takes(&["OR", "/"]) {
            met |= self.all(is_allowed);
        }
        met
    }

    fn all(&mut self, is_allowed: &dyn Fn(&str) -> bool) -> bool {
        let mut met = self.one(is_allowed);
        while self.takes(&["AND"]) {
            met &= self.one(is_allowed);
        }
        met
    }

    fn one(&mut self, is_allowed: &dyn Fn(&str) -> bool) -> bool {
        if self.takes(&["("]) {
            let met = self.any(is_allowed);
            return self.takes(&[")"]) && met;
        }
        let id = self.words.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        if !self.takes(&["WITH"]) {
            return is_allowed(id);
        }
        let exception = self.words.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        is_allowed(&format!("{id} WITH {exception}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_by_what_is_allowed() {
        let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"];
        let is_met = |text: &str| Expression::new(text).met_by(&|id| allowed.contains(&id));
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "Apache-2.0/MIT",
            "GPL-2.0 OR (MIT AND Unicode-3.0)",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0",
        ] {
            assert!(is_met(good), "{good}");
        }
        for bad in [
            "",
            "Apache-2.0",
            "MIT AND GPL-2.0",
            "(MIT OR Apache-2.0) AND GPL-2.0",
            "(MIT",
            "MIT Unicode-3.0",
        ] {
            assert!(!is_met(bad), "{bad}");
        }
    }

    #[test]
    fn a_package_is_judged_by_licence_source_and_rust() {
        let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
        let policy = Policy::parse(&text);
        let judge = |text: &str| {
            let package = serde_json::from_str(text).expect("JSON");
            policy.fault(&package, (1, 89)).unwrap_or_default()
        };
        let crates_io = "registry+https://github.com/rust-lang/crates.io-index";
        let package = |name: &str, licence: &str, source: &str, rust: &str| {
            format!(
                "{{\"name\":\"{name}\",\"license\":\"{licence}\",\"source\":\"{source}\",\"rust_version\":\"{rust}\"}}"
            )
        };
        assert_eq!(judge(&package("a", "MIT", crates_io, "1.89")), "");
        assert_eq!(
            judge(&package("cbindgen", "MPL-2.0", crates_io, "1.70")),
            ""
        );
        let other = judge(&package("a", "MPL-2.0", crates_io, "1.70"));
        assert_eq!(other, "a has the licence 'MPL-2.0'");
        let git = judge(&package("a", "MIT", "git+https://example.org/a", "1.70"));
        assert_eq!(git, "a comes from git+https://example.org/a");
        let new = judge(&package("a", "MIT", crates_io, "1.90.0"));
        assert_eq!(new, "a needs Rust 1.90, and we promise 1.89");
    }
}
