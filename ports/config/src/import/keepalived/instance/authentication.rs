//! The password and the signatures of an instance.

use super::Instance;
use crate::diagnostic::found;
use crate::import::keepalived::Importer;
use crate::import::keepalived::tree::Statement;
use crate::import::output::{Section, can_hold};
use crate::import::report::At;
use crate::import::values::number;

/// The octets of a password that are sent.
const SENT: usize = 8;

impl Instance<'_> {
    pub(super) fn authentication(&mut self, s: &Statement, importer: &mut Importer<'_>) {
        s.settle();
        for inner in s.inner() {
            match inner.keyword() {
                "auth_type" => {
                    self.auth_type = Some((inner.word(1).to_owned(), inner.at));
                    match inner.word(1) {
                        // An alias of PASS is not in the manual, but taken.
                        "PASS" => importer.carried(inner),
                        "AH" => {
                            inner.settle();
                        }
                        other => {
                            self.auth_type = None;
                            let text = format!(
                                "auth_type: expected PASS, found {}; keepalived goes without",
                                found(other)
                            );
                            importer.error(inner, text);
                        }
                    }
                }
                "auth_pass" => {
                    inner.settle();
                    self.password = Some((inner.word(1).to_owned(), inner.at));
                }
                _ => {
                    let text = format!(
                        "keepalived does not know {} in authentication and passes over it",
                        found(inner.keyword())
                    );
                    importer.error(inner, text);
                }
            }
        }
    }

    /// Writes the password. `false`: the others would discard every advertisement.
    pub(super) fn authenticated(
        &self,
        version: u8,
        strict: bool,
        section: &mut Section,
        importer: &mut Importer<'_>,
    ) -> bool {
        if let Some(first) = self.hmac.first() {
            if let Some((_, at)) = &self.auth_type {
                let text = "auth_type has no effect beside auth_hmac, with keepalived neither";
                importer.report.error(*at, text);
            }
            let blocks = || self.hmac.iter().flat_map(|block| block.inner());
            if blocks().all(|s| s.keyword() != "active_key") {
                let text = "auth_hmac has no active_key: keepalived does not sign, and says so in its log alone; vrrpd does not either. Give all hosts an active_key and import again";
                importer.report.lost(first.at, text);
                return true;
            }
            return authenticate_by_hmac(first.at, blocks(), strict, section, importer);
        }
        let said = |at: At, text: &str, importer: &mut Importer<'_>| importer.report.note(at, text);
        let password = match (&self.auth_type, &self.password) {
            (None, None) => return true,
            (None, Some((_, at))) => {
                let text = "auth_pass has no effect without auth_type, with keepalived neither";
                importer.report.error(*at, text);
                return true;
            }
            (Some((_, at)), None) => {
                let text = "auth_type has no effect without auth_pass";
                importer.report.error(*at, text);
                return true;
            }
            (Some((kind, kind_at)), Some((password, at))) => {
                if version == 3 {
                    said(
                        *at,
                        "the password has no effect, with keepalived neither: version 3 has none",
                        importer,
                    );
                    return true;
                }
                if strict {
                    said(
                        *at,
                        "the password has no effect, with keepalived neither, as vrrp_strict is set",
                        importer,
                    );
                    return true;
                }
                if kind == "AH" {
                    let text = "auth_type AH: vrrpd has no authentication header, and the others would discard what it sends: let all hosts go without first, or use auth_hmac";
                    importer.report.lost(*kind_at, text);
                    return false;
                }
                (password, *at)
            }
        };
        let (password, at) = password;
        let mut sent = password.as_str();
        if sent.len() > SENT {
            let end = (0..=SENT).rev().find(|at| sent.is_char_boundary(*at));
            sent = sent.get(..end.unwrap_or(0)).unwrap_or_default();
            said(
                at,
                "of the password the first 8 octets count, as with keepalived",
                importer,
            );
            if end != Some(SENT) {
                importer.report.lost(at, "the first 8 octets of the password end within a character, which no value can hold");
                return false;
            }
        }
        if !can_hold(sent) {
            importer.report.lost(at, "`password` cannot hold this password: blanks at its ends, control characters, or a blank before `#`; give all hosts another one");
            return false;
        }
        section.put("password", sent, at);
        importer.report.carry();
        true
    }
}

/// Takes over signatures. `false`: the others would discard every advertisement.
fn authenticate_by_hmac<'s>(
    at: At,
    lines: impl Iterator<Item = &'s Statement>,
    strict: bool,
    section: &mut Section,
    importer: &mut Importer<'_>,
) -> bool {
    let owner = section.get("name").map(str::to_owned);
    let owner = owner.unwrap_or_else(|| section.get("serverid").unwrap_or_default().to_owned());
    let mut keys: Vec<(i64, String)> = Vec::new();
    let mut active = None;
    let mut mode = None;
    for s in lines {
        let value = s.word(1);
        match s.keyword() {
            "key" => {
                let id = number(value).filter(|id| (1..=255).contains(id));
                let Some(id) = id.filter(|id| keys.iter().all(|(other, _)| other != id)) else {
                    let text = "auth_hmac: expected the ID of a key, 1 to 255, each once";
                    importer.report.error(s.at, text);
                    continue;
                };
                let path = match s.word(2).strip_prefix("file:") {
                    Some(path) => path.to_owned(),
                    None => format!("/etc/vrrpd/{owner}-{id}.key"),
                };
                let inline = !s.word(2).starts_with("file:");
                if inline
                    && importer
                        .surroundings
                        .begin(std::path::Path::new(&path))
                        .is_err()
                {
                    let text = format!(
                        "key {id}: vrrpd.conf has no keys: write the value of this line to `{path}`, one line in a file that root alone can read, and import again"
                    );
                    importer.report.lost(s.at, text);
                } else {
                    importer.report.carry();
                }
                keys.push((id, path));
            }
            "active_key" => {
                active = number(value);
                section.put("activekey", value, s.at);
                importer.report.carry();
            }
            "mode" if ["receive-only", "permissive", "enforce"].contains(&value) => {
                section.put("authmode", value, s.at);
                mode = Some((value, s.at));
                importer.report.carry();
            }
            "anti_replay" if ["time", "monotonic"].contains(&value) => {
                section.put("antireplay", value, s.at);
                importer.report.carry();
            }
            "time_window" if number(value).is_some_and(|n| (1..=300).contains(&n)) => {
                section.put("timewindow", value, s.at);
                importer.report.carry();
            }
            word => {
                // The value may be a key.
                let text = format!(
                    "auth_hmac: {} is not known, or its value is out of range",
                    found(word)
                );
                importer.report.error(s.at, text);
            }
        }
    }
    if strict {
        if let Some((mode, at)) = mode.filter(|(mode, _)| *mode != "enforce") {
            let text = format!(
                "mode {mode} becomes enforce, with keepalived too, as vrrp_strict is set: bare advertisements are refused"
            );
            importer.report.error(at, text);
        }
        section.put("authmode", "enforce", at);
    }
    let usable = active.is_some_and(|id| keys.iter().any(|(other, _)| *other == id));
    if !usable {
        let text = "auth_hmac: its active_key is none of its keys, so that keepalived goes without signatures, and says so in its log alone: mend it there first";
        importer.report.lost(at, text);
        return false;
    }
    let keys: Vec<String> = keys
        .iter()
        .map(|(id, path)| format!("{id}:{path}"))
        .collect();
    section.put("auth", "hmac", at);
    section.put("keyfile", keys.join(", "), at);
    true
}
