//! Everything in the corpora, once each: the cases with names, and the archive of each target, which
//! the fuzzer found and which together cover as much as all that it ever found.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Runs `check` over the corpus of a target.
fn run(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    // Not every target has a case with a name.
    for entry in fs::read_dir(corpus.join(target)).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        check(&fs::read(&path).expect("a file of the corpus"));
    }
    let file = corpus.join(format!("{target}.tar"));
    let mut archive = tar::Archive::new(File::open(&file).expect("the archive of a target"));
    let mut count = 0;
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("an entry of the archive");
        println!("{target}.tar: {}", entry.path().expect("a name").display());
        let mut octets = Vec::new();
        entry.read_to_end(&mut octets).expect("octets");
        check(&octets);
        count += 1;
    }
    assert!(count > 0, "nothing in {}", file.display());
}

#[test]
fn frames() {
    run("frames", vrrp_fuzz::frames::check);
}

#[test]
fn signed() {
    run("signed", vrrp_fuzz::signed::check);
}

#[test]
fn operations() {
    run("operations", vrrp_fuzz::operations::check);
}

#[test]
fn config() {
    run("config", vrrp_fuzz::config::check);
}

#[test]
fn control() {
    run("control", vrrp_fuzz::control::check);
}

#[test]
fn netlink() {
    run("netlink", vrrp_fuzz::netlink::check);
}

#[test]
fn bpf() {
    run("bpf", vrrp_fuzz::bpf::check);
}

#[test]
fn routing() {
    run("routing", vrrp_fuzz::routing::check);
}

#[test]
fn gate() {
    run("gate", vrrp_fuzz::gate::check);
}

#[test]
fn oracle() {
    run("oracle", vrrp_fuzz::oracle::check);
}

#[test]
fn remote() {
    run("remote", vrrp_fuzz::remote::check);
}

#[test]
fn netgraph() {
    run("netgraph", vrrp_fuzz::netgraph::check);
}

#[test]
fn ioctl() {
    run("ioctl", vrrp_fuzz::ioctl::check);
}

#[test]
fn answers() {
    run("answers", vrrp_fuzz::answers::check);
}

#[test]
fn imports() {
    run("imports", vrrp_fuzz::imports::check);
}
