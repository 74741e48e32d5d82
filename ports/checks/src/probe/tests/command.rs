//! Commands.

use std::time::Instant;

use super::*;

fn command(text: &str, more: &str) -> String {
    let path = script(text);
    let shown = path.display().to_string();
    let check = spec(&format!("command = {shown} one two\n{more}"));
    let (text, _) = asked(Tools::for_commands, &check);
    text.replace(&shown, "SCRIPT")
}

#[test]
fn a_command_succeeds_or_fails() {
    assert_eq!(command("exit 0", ""), "passed: SCRIPT succeeded");
    assert_eq!(
        command("echo $1 $2", ""),
        "passed: SCRIPT succeeded: one two"
    );
    assert_eq!(
        command("echo broken >&2; exit 3", ""),
        "failed: SCRIPT failed, exit status: 3: broken"
    );
    assert_eq!(
        command("kill -9 $$", ""),
        "failed: SCRIPT failed, signal: 9 (SIGKILL)"
    );
    let missing = asked(Tools::for_commands, &spec("command = /nonexistent/x")).0;
    assert!(missing.starts_with("failed: /nonexistent/x"), "{missing}");
    // Endless output is read and thrown away.
    let text = command("yes | head -c 1000000; exit 1", "timeout = 5");
    assert!(
        text.starts_with("failed: SCRIPT failed, exit status: 1: y"),
        "{}",
        text.len()
    );
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children() {
    let note = scratch("note");
    let text = format!("(sleep 1; echo alive > {}) & sleep 60", note.display());
    assert_eq!(
        command(&text, SHORT),
        "failed: SCRIPT did not end within 0.3 s"
    );
    thread::sleep(Duration::from_millis(1500));
    assert!(!note.exists(), "a child has survived");
    // A process that is left behind and holds the output keeps nobody waiting.
    let began = Instant::now();
    assert_eq!(
        command("sleep 2 & exit 0", "timeout = 5"),
        "passed: SCRIPT succeeded"
    );
    assert!(began.elapsed() < Duration::from_millis(1500));
}
