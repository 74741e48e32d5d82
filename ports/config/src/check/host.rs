//! The part of the judgement of checks that needs the host.

use std::collections::HashMap;
use std::net::ToSocketAddrs;
use std::path::Path;

use super::{Check, CheckKind, Place};
use crate::Config;
use crate::Source;
use crate::diagnostic::{Diagnostic, Report};
use crate::keys::Key;
use crate::script;
use crate::script_security::{Accounts, ScriptSecurity, insecurity};

/// The programs that know the state of units; the first that exists is asked.
const MANAGERS: &[&str] = if cfg!(target_os = "linux") {
    &["/usr/bin/systemctl", "/bin/systemctl"]
} else {
    &["/usr/sbin/service"]
};

/// Looks whether programs and files that checks need are there. Reads the file system.
pub(crate) fn judge(config: &Config, accounts: &dyn Accounts, report: &mut Report) {
    for check in &config.checks {
        match &check.spec.kind {
            CheckKind::Command(command) => {
                let user = command.user.as_ref().map(|user| user.resolve(accounts));
                let uid = match user {
                    None => accounts.own_uid(),
                    Some(Ok(account)) => account.uid,
                    Some(Err(message)) => {
                        error(check, Key::ScriptUser, message, report);
                        continue;
                    }
                };
                let path = command.script.path.as_path();
                if let Some(trouble) = script::trouble(path) {
                    error(check, Key::Command, trouble, report);
                } else if let Some(fault) = insecurity(path, uid) {
                    insecure(check, command.security, &fault, report);
                }
            }
            CheckKind::Unit(_) if !MANAGERS.iter().any(|path| Path::new(path).exists()) => {
                let message = format!("this host has no {}", MANAGERS.join(" nor "));
                error(check, Key::Unit, message, report);
            }
            CheckKind::Http(http) => {
                let ca = http.tls.as_ref().and_then(|tls| tls.ca.as_deref());
                if let Some(ca) = ca
                    && let Err(problem) = std::fs::File::open(ca)
                {
                    let message = format!("`{}` cannot be read: {problem}", ca.display());
                    error(check, Key::Ca, message, report);
                }
            }
            _ => {}
        }
    }
}

/// Warns at the first check that no check runs, if the program for that cannot be started.
pub(crate) fn judge_checker(config: &Config, trouble: fn() -> Option<String>, report: &mut Report) {
    if let Some(check) = config.checks.first()
        && let Some(trouble) = trouble()
    {
        let message =
            format!("no check of this file is run, and all fail after a start: {trouble}");
        report.warning(check.section_line, None, message);
    }
}

fn error(check: &Check, key: Key, message: String, report: &mut Report) {
    report.error(check.lines.of_key(key), Some(key.name()), message);
}

fn insecure(check: &Check, security: ScriptSecurity, fault: &str, report: &mut Report) {
    if security == ScriptSecurity::Warn {
        let message = format!("others could replace this program: {fault}");
        let line = check.lines.of_key(Key::Command);
        report.warning(line, Some(Key::Command.name()), message);
    } else {
        let message = format!(
            "others could replace this program, so it is not run: {fault}; see scriptsecurity in vrrpd.conf(5)"
        );
        error(check, Key::Command, message, report);
    }
}

/// Looks up the names of hosts that checks ask, and reports those that cannot be found. May wait for
/// servers: for `vrrpd --check`, never for a daemon that serves.
pub fn unresolved(source: &Source, config: &Config) -> Vec<Diagnostic> {
    let mut report = Report::new(source);
    let mut answers: HashMap<&str, Option<String>> = HashMap::new();
    for check in &config.checks {
        let (key, place) = match &check.spec.kind {
            CheckKind::Tcp(tcp) => (Key::Tcp, &tcp.place),
            CheckKind::Http(http) => (Key::Http, &http.place),
            CheckKind::Dns(dns) => (Key::Dns, &dns.place),
            CheckKind::Ping(place) => (Key::Ping, place),
            _ => continue,
        };
        let Place::Name(name) = place else { continue };
        let trouble = answers.entry(name).or_insert_with(|| {
            let found = (name.as_str(), 0).to_socket_addrs();
            found.err().map(|error| error.to_string())
        });
        if let Some(trouble) = trouble {
            error(
                check,
                key,
                format!("`{name}` has no address: {trouble}"),
                &mut report,
            );
        }
    }
    report.into_sorted()
}
