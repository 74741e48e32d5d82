//! The firmware on QEMU's board, on a segment with everybody else. Needs root or a user namespace,
//! keepalived, qemu-system-arm and the firmware, which `cargo xtask test firmware` sees to.

use std::thread::sleep;
use std::time::Duration;

use vrrp_tests::lab::pair::wait_master;
use vrrp_tests::lab::probe::Ask;
use vrrp_tests::lab::{Board, Capture, Daemon, Host, Lab, Probe, Program, Report, Segment, Vr, wait_until};

#[test]
fn first_light() {
    let lab = Lab::new(Segment::Switch);
    let jimbob = lab.host("jimbob", 5);
    let capture = lab.capture();
    let vr = Vr::new(51, "10.10.10.53").interval_cs(20);
    let mut board = lab.board("oboe", 9);
    board.start(&[vr.clone()]);
    wait_master(&capture, &jimbob, &vr, "oboe");
    eprintln!("{:?}", jimbob.fetch("10.10.10.53", Duration::from_secs(3)));
    eprintln!("{:#x}", board.read_register(0x4004_8008));
}
