//! The keys that only vrrpd acts on, for programs that read a file without being vrrpd.

use super::Config;
use super::diagnostic::Report;
use super::keys::{Key, SectionKind};
use super::lexer::Section;

/// The longest name of an interface in the structures of libvrrp, without the zero at its end.
const MAX_INTERFACE_NAME: usize = 15;

/// Refuses numbers that go on over restarts where nothing keeps them. There is no default: the directory of
/// vrrpd is its own. False: the configuration cannot be used.
pub(super) fn judge_boot_count(
    config: &Config,
    names_state_dir: bool,
    own_state_dir: Option<bool>,
    report: &mut Report,
) -> bool {
    let mut routers = config.virtual_routers.iter();
    let Some(router) = routers.find(|router| router.spec.needs_boot_count()) else {
        return true;
    };
    if names_state_dir || own_state_dir == Some(true) {
        return true;
    }
    let line = router.lines.of_key(Key::AntiReplay);
    let key = Some(Key::AntiReplay.name());
    let expected = "expected `statedir = /path` in [GLOBAL], or `state_dir` in the options of the program: the boot count that `monotonic` numbers begin with has to outlive a restart";
    if own_state_dir.is_none() {
        report.note(line, key, expected);
        return true;
    }
    report.error(line, key, expected);
    false
}

/// Refuses event scripts, which somebody relies on, and names what has no effect.
pub(super) fn judge(
    section: &Section<'_>,
    own_runtime_dir: bool,
    own_state_dir: Option<bool>,
    report: &mut Report,
) {
    if section.kind == SectionKind::Check {
        let message = "expected no [CHECK] section, as only vrrpd runs checks: take the section out, and let the program state with `vrrp_host_set_tracked()` how a service is";
        report.error(section.line, None, message);
        return;
    }
    for entry in &section.entries {
        let (line, key) = (entry.line, Some(entry.key.name()));
        let without = match entry.key {
            script if script.is_script() => {
                let message = "expected no event script, as only vrrpd runs them: take the key out, and let the program act on the change of state";
                report.error(line, key, message);
                continue;
            }
            Key::Check => {
                let message = "expected no check, as only vrrpd runs them: take the key out";
                report.error(line, key, message);
                continue;
            }
            Key::Interface if entry.value.len() > MAX_INTERFACE_NAME => {
                let message = format!(
                    "expected a name of at most {MAX_INTERFACE_NAME} octets, as libvrrp has no room for a longer one: use another name of the interface"
                );
                report.error(line, key, message);
                continue;
            }
            Key::ScriptTimeout
            | Key::ScriptUser
            | Key::ScriptSecurity
            | Key::ScriptRetry
            | Key::PrepareTimeout => "only vrrpd runs scripts",
            Key::ControlSocket | Key::ControlGroup => "only vrrpd has a control socket",
            Key::User => "only vrrpd has a process for it",
            Key::Include => "only vrrpd includes files",
            Key::Lease => "only vrrpd renews leases",
            Key::Metrics => "only vrrpd answers scrapers of metrics",
            Key::LogLevel => "only vrrpd writes a log",
            Key::RuntimeDir if own_runtime_dir => "the program has chosen its own directory",
            Key::StateDir if own_state_dir == Some(true) => {
                "the program has chosen its own directory"
            }
            _ => continue,
        };
        report.warning(line, key, format!("has no effect: {without}"));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::tests::{host, lines};
    use crate::{HostFacts, Parsed, Program, judge, parse};

    const TEXT: &str = "[GLOBAL]\ncontrolsocket = /run/a.sock\ncontrolgroup = adm\nruntimedir = /run/a\nstatedir = /var/a\n\
        loglevel = debug\n[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/32\nscripttimeout = 3\n";

    fn judged(text: &str, own_runtime_dir: bool) -> Parsed {
        let program = Program::Other {
            own_runtime_dir,
            own_state_dir: Some(own_runtime_dir),
        };
        let host: HostFacts = Ok(Box::new(vec![host::eth0()]));
        judge("some.conf".as_ref(), text, program, &host)
    }

    #[test]
    fn keys_of_the_daemon_are_named() {
        let file = Path::new("some.conf");
        assert_eq!(lines(&parse(file, TEXT).diagnostics), [""; 0]);
        let read = judged(TEXT, true);
        assert!(read.config.is_some());
        assert_eq!(
            lines(&read.diagnostics),
            [
                "some.conf:2: warning: controlsocket: has no effect: only vrrpd has a control socket",
                "some.conf:3: warning: controlgroup: has no effect: only vrrpd has a control socket",
                "some.conf:4: warning: runtimedir: has no effect: the program has chosen its own directory",
                "some.conf:5: warning: statedir: has no effect: the program has chosen its own directory",
                "some.conf:6: warning: loglevel: has no effect: only vrrpd writes a log",
                "some.conf:11: warning: scripttimeout: has no effect: only vrrpd runs scripts",
            ]
        );
        let read = judged(TEXT, false);
        let lines = lines(&read.diagnostics);
        for key in ["runtimedir", "statedir"] {
            assert!(!lines.iter().any(|line| line.contains(key)), "{lines:?}");
        }
    }

    #[test]
    fn a_name_that_libvrrp_has_no_room_for_is_an_error() {
        let text = TEXT.replace("eth0", "enx001122334455.100");
        assert!(
            parse("some.conf".as_ref(), &text).config.is_some() || cfg!(not(target_os = "linux"))
        );
        assert!(judged(&text, false).errors()[0].contains("at most 15 octets"));
    }

    #[test]
    fn a_script_that_nobody_would_run_is_an_error() {
        for key in [
            "masterscript",
            "backupscript",
            "faultscript",
            "stopscript",
            "preparescript",
            "reclaimscript",
            "notifyscript",
        ] {
            let text = format!("{TEXT}{key} = /bin/true\n");
            assert!(parse("some.conf".as_ref(), &text).config.is_some());
            let read = judged(&text, false);
            assert!(read.config.is_none());
            let said = lines(&read.diagnostics);
            let expected = format!("some.conf:12: {key}: expected no event script");
            assert!(
                said.iter().any(|line| line.starts_with(&expected)),
                "{said:?}"
            );
        }
    }
}
