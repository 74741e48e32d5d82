//! The C program that the pages show, typed from each of them: it compiles as they say, serves, and
//! hands over on SIGTERM. Needs root or a user namespace, and a C compiler.

#![cfg(target_os = "linux")]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vrrp_lab::c::{installed, out_dir};
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Host, Lab, Segment, pause, wait_until};

/// The address of the pages.
const ADDRESS: &str = "10.10.10.80";

fn page(path: &str) -> String {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines of a page from the program's first on, to the one that closes main().
fn program(lines: impl Iterator<Item = String>) -> String {
    let lines = lines.skip_while(|line| !line.starts_with("#define _GNU_SOURCE"));
    let lines: Vec<String> = lines.collect();
    let main = lines.iter().position(|line| line == "int main(void)");
    let main = main.expect("a page with a program");
    let end = lines.iter().skip(main).position(|line| line == "}");
    let end = main + end.expect("the end of main()");
    lines[..=end].join("\n") + "\n"
}

/// The commands that a reader of the header, the manual page, or the README types.
fn typed() -> [(&'static str, String); 3] {
    let header = page("include/vrrp_host.h");
    let header = header.lines().filter_map(|line| line.strip_prefix(" *"));
    let header = header.map(|line| line.strip_prefix("     ").unwrap_or(line).to_owned());
    let manual = page("ffi/man/libvrrp_host.3");
    let manual = manual.lines().map(|line| line.replace("\\e", "\\"));
    let readme = page("ffi/README.md");
    [
        ("header", program(header)),
        ("manual", program(manual)),
        ("readme", program(readme.lines().map(str::to_owned))),
    ]
}

/// Compiles it as the README says, in a shell, for the interface that a host of the lab has.
fn compile(name: &str, text: &str) -> PathBuf {
    let dir = out_dir("pages");
    let text = text.replace("\"eth0\"", "\"xl0\"");
    assert!(text.contains("\"xl0\""), "{text}");
    std::fs::write(dir.join(format!("{name}.c")), text).expect("a source");
    let line =
        format!("cc -Wall -Wextra -Werror {name}.c -o {name} $(pkg-config --cflags --libs vrrp)");
    let status = Command::new("sh")
        .args(["-c", &line])
        .current_dir(&dir)
        .env("PKG_CONFIG_PATH", installed().join("lib/pkgconfig"))
        .status();
    assert!(status.expect("a shell").success(), "{line}");
    dir.join(name)
}

/// Starts it with a /run of its own: it notes there what is installed.
fn start(host: &Host, program: &Path) -> Child {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg("mount -t tmpfs tmpfs /run && exec \"$0\"")
        .arg(program)
        .env("LD_LIBRARY_PATH", installed().join("lib"))
        .stdout(Stdio::null());
    host.stack().start_in(&mut command);
    command.spawn().expect("unshare(1)")
}

#[test]
fn the_program_of_the_pages_serves_and_hands_over() {
    for (name, text) in typed() {
        eprintln!("--- as typed from the {name}");
        let lab = Lab::new(Segment::Switch);
        let (server, client) = (lab.host("clarinet", 6), lab.host("jimbob", 20));
        server.serve();
        let mut child = start(&server, &compile(name, &text));
        // The program takes the packets to the address, and does not merely answer ARP for it.
        wait_until(LIMIT, "the client is served", || {
            client.ask(ADDRESS).as_deref() == Some("clarinet")
        });
        vrrp_lab::sys::signal(child.id(), libc::SIGTERM).expect("a running program");
        let mut status = None;
        wait_until(LIMIT, "it ends", || {
            status = child.try_wait().expect("a child");
            status.is_some()
        });
        let status = status.expect("it has ended");
        assert_eq!((status.code(), status.signal()), (Some(0), None));
        assert!(!server.has_address(ADDRESS), "{:?}", server.addresses());
    }
}

/// A signal that comes while the program is busy is taken when it waits next.
#[test]
fn no_signal_is_lost_before_the_wait() {
    let [(name, text), ..] = typed();
    // A slow step, in which the signal comes.
    let slow = text.replace(
        "        vrrp_host_step(host);\n",
        "        vrrp_host_step(host);\n        if (!told_to_stop) raise(SIGTERM);\n",
    );
    assert_ne!(slow, text);
    let lab = Lab::new(Segment::Switch);
    let server = lab.host("clarinet", 6);
    let mut child = start(&server, &compile(&format!("{name}-raised"), &slow));
    let limit = Duration::from_secs(10);
    let mut waited = Duration::ZERO;
    while child.try_wait().expect("a child").is_none() {
        assert!(waited < limit, "the signal is lost");
        pause(Duration::from_millis(50));
        waited += Duration::from_millis(50);
    }
    assert!(child.wait().expect("a child").success());
}
