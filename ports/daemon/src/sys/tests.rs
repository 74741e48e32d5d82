#[cfg(target_os = "freebsd")]
use std::os::unix::net::UnixDatagram;

use super::*;

/// In a process of its own: the others of this program read their own /proc, which a hidden one may not.
#[test]
#[cfg(target_os = "linux")]
fn hidden_memory_is_in_no_core_dump() {
    const ALONE: &str = "VRRPD_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let ourselves = std::env::current_exe().expect("a program");
        let status = std::process::Command::new(ourselves)
            .args(["--exact", "sys::tests::hidden_memory_is_in_no_core_dump"])
            .env(ALONE, "1")
            .status();
        assert!(status.expect("runs").success());
        return;
    }
    let is_dumped = || {
        let none: libc::c_ulong = 0;
        // SAFETY: PR_GET_DUMPABLE takes nothing.
        unsafe { libc::prctl(libc::PR_GET_DUMPABLE, none, none, none, none) }
    };
    assert_eq!(is_dumped(), 1);
    hide_memory().expect("hidden");
    assert_eq!(is_dumped(), 0);
}

/// Linux bounds such a queue by its datagrams (net.unix.max_dgram_qlen), and is not asked.
#[test]
#[cfg(target_os = "freebsd")]
fn what_is_sent_waits_as_far_as_there_is_room() {
    let (sender, receiver) = UnixDatagram::pair().expect("a pair");
    set_nonblocking(&sender).expect("no waiting");
    let fill = || {
        let line = [b'x'; 100];
        (0..).find(|_| sender.send(&line).is_err()).unwrap_or(0)
    };
    let by_default = fill();
    set_send_buffer(&sender, 1024 * 1024).expect("more room");
    let more = fill();
    assert!(by_default + more > 2_000, "{by_default} and {more} lines");
    drop(receiver);
}
