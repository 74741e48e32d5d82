//! The rc.d script of FreeBSD's port, run by a shell over the part of rc.subr(8) that it uses: what
//! it asks the programs, and what it answers. No privilege needed, nothing touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCRIPT: &str = include_str!("../../freebsd/port/files/vrrpd.in");

/// As rc.subr(8): a command is preceded by its `_precmd`, which can refuse it, `_cmd` takes the place
/// of what start and stop do by themselves, `_postcmd` follows it, and a restart is a stop and a start
/// after its own `_precmd`.
const RC_SUBR: &str = r#"
load_rc_config() { :; }
run_rc_command() {
	eval _precmd=\$${1}_precmd _cmd=\$${1}_cmd _postcmd=\$${1}_postcmd
	[ -z "$_precmd" ] || $_precmd || return 1
	if [ -n "$_cmd" ]; then
		$_cmd || return 1
	elif [ "$1" = restart ]; then
		run_rc_command stop && run_rc_command start
	elif [ "$1" = stop ]; then
		echo stopped >>"$LOG"
		[ -z "$_postcmd" ] || $_postcmd
	elif [ "$1" = start ]; then
		${command} ${command_args}
	fi
}
"#;

/// The script with programs that note how they are called and end as `bad` says.
struct Bench {
    dir: PathBuf,
}

impl Bench {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("vrrpd-rcd-{}-{name}", std::process::id()));
        fs::create_dir_all(dir.join("sbin")).expect("a directory");
        fs::write(dir.join("rc.subr"), RC_SUBR).expect("a file");
        let prefix = dir.to_str().expect("UTF-8");
        let script = SCRIPT
            .replace("%%PREFIX%%", prefix)
            .replace("/etc/rc.subr", &format!("{prefix}/rc.subr"));
        program(&dir.join("vrrpd-rc"), &script);
        for name in ["vrrpd", "vrrpctl"] {
            let text =
                format!("#!/bin/sh\necho {name} \"$@\" >>\"$LOG\"\nexit ${{BAD_{name}:-0}}\n");
            program(&dir.join("sbin").join(name), &text);
        }
        Self { dir }
    }

    /// Whether `service vrrpd WORD` succeeds, and what it did, when the programs end with these codes.
    fn service(&self, word: &str, vrrpd: u8, vrrpctl: u8) -> (bool, Vec<String>) {
        let log = self.dir.join("log");
        let _ = fs::remove_file(&log);
        let Output { status, .. } = Command::new("sh")
            .arg(self.dir.join("vrrpd-rc"))
            .arg(word)
            .env("LOG", &log)
            .env("BAD_vrrpd", vrrpd.to_string())
            .env("BAD_vrrpctl", vrrpctl.to_string())
            .output()
            .expect("a shell");
        let did = fs::read_to_string(&log).unwrap_or_default();
        (status.success(), did.lines().map(str::to_owned).collect())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

#[test]
fn a_reload_says_whether_it_worked() {
    let bench = Bench::new("reload");
    let asked = ["vrrpctl -s /var/run/vrrpd/vrrpd.sock reload"];
    let (worked, did) = bench.service("reload", 0, 0);
    assert!(worked && did == asked, "{did:?}");
    let (worked, did) = bench.service("reload", 0, 1);
    assert!(!worked && did == asked, "{did:?}");
}

#[test]
fn a_restart_with_a_bad_file_takes_nothing_down() {
    let bench = Bench::new("restart");
    let (worked, did) = bench.service("restart", 78, 0);
    assert!(!worked);
    assert!(
        matches!(&did[..], [only] if only.starts_with("vrrpd --check ")),
        "{did:?}"
    );
    let (worked, did) = bench.service("restart", 0, 0);
    assert!(worked, "{did:?}");
    // Checked once.
    assert_eq!(did.len(), 4, "{did:?}");
    assert!(
        did[0].starts_with("vrrpd --check ") && did[1] == "stopped",
        "{did:?}"
    );
    assert!(did[2].starts_with("vrrpd --clean -f "), "{did:?}");
    assert!(did[3].starts_with("vrrpd -f "), "{did:?}");
}

#[test]
fn a_start_leaves_the_judgement_to_vrrpd() {
    let bench = Bench::new("start");
    let (worked, did) = bench.service("start", 78, 0);
    assert!(
        !worked && did.len() == 1 && did[0].starts_with("vrrpd -f "),
        "{did:?}"
    );
    let (worked, did) = bench.service("configtest", 78, 0);
    assert!(!worked && did[0].starts_with("vrrpd --check "), "{did:?}");
}

#[test]
fn leftovers_of_one_that_was_killed_can_be_cleaned_up() {
    let bench = Bench::new("clean");
    let (worked, did) = bench.service("clean", 0, 0);
    assert!(worked && did.len() == 1, "{did:?}");
    assert!(did[0].starts_with("vrrpd --clean -f "), "{did:?}");
    let (worked, _) = bench.service("clean", 1, 0);
    assert!(!worked);
}
