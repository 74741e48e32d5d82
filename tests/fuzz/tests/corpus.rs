//! Everything in the corpora, once each.

use std::path::Path;

/// Runs `check` over the folder of a target.
fn run(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus of a target") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        check(&std::fs::read(&path).expect("a file of the corpus"));
        count += 1;
    }
    assert!(count > 0, "nothing in {}", folder.display());
}

#[test]
fn frames() {
    run("frames", vrrp_fuzz::frames::check);
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
