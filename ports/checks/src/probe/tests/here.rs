//! Questions that this host answers itself: files and processes.

use std::process::{Child, Command};

use super::*;

#[test]
fn a_file_is_there_or_not() {
    let path = scratch("maintenance");
    let shown = path.display().to_string();
    assert_eq!(
        answer(&format!("file = {shown}")),
        format!("failed: {shown} does not exist")
    );
    let absent = format!("file = {shown}\nabsent = yes");
    assert_eq!(answer(&absent), format!("passed: {shown} does not exist"));
    std::fs::write(&*path, "").expect("a file");
    assert_eq!(
        answer(&format!("file = {shown}")),
        format!("passed: {shown} exists")
    );
    assert_eq!(answer(&absent), format!("failed: {shown} exists"));
    let below = format!("file = {shown}/x\nabsent = yes");
    assert_eq!(answer(&below), format!("passed: {shown}/x does not exist"));
}

/// A process that is killed at the end of a test.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_runs_or_not() {
    let program = scratch("vrrpchk-sleep");
    // Not by this process: another thread's child could inherit the descriptor by which it writes, and a program that
    // is open for writing does not start.
    let copied = Command::new("cp").arg("/bin/sleep").arg(&*program).status();
    assert!(copied.is_ok_and(|status| status.success()), "cp(1)");
    let check = "process = vrrpchk-sleep";
    assert_eq!(answer(check), "failed: no process `vrrpchk-sleep`");
    let mut child = Kept(
        Command::new(&*program)
            .arg("60")
            .spawn()
            .expect("a process"),
    );
    let pid = child.0.id();
    let file = scratch("pid");
    std::fs::write(&*file, format!("{pid}\n")).expect("a file");
    let by_file = format!("process = pidfile:{}", file.display());
    assert_eq!(answer(check), "passed: 1 process `vrrpchk-sleep`");
    assert_eq!(answer(&by_file), format!("passed: process {pid} runs"));
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &pid.to_string()]).status();
        assert!(sent.expect("kill").success());
        thread::sleep(Duration::from_millis(100));
    };
    signal("-STOP");
    assert_eq!(
        answer(check),
        "failed: 1 of `vrrpchk-sleep`, stopped or dead"
    );
    signal("-CONT");
    assert_eq!(answer(check), "passed: 1 process `vrrpchk-sleep`");
    // A zombie until it is waited for.
    signal("-KILL");
    assert_eq!(
        answer(check),
        "failed: 1 of `vrrpchk-sleep`, stopped or dead"
    );
    assert_eq!(
        answer(&by_file),
        format!("failed: process {pid} is stopped or dead")
    );
    let _ = child.0.wait();
    let gone = format!("failed: no process {pid} of {}", file.display());
    assert_eq!(answer(&by_file), gone);
    std::fs::write(&*file, "x").expect("a file");
    let text = answer(&by_file);
    assert!(text.ends_with("no number of a process"), "{text}");
}
