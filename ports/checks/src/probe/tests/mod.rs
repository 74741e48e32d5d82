//! Each kind of question against services that answer, and against those that do not: real sockets of
//! this host, served by threads of this process.

mod command;
mod dns;
mod here;
mod hostile;
mod http;
mod tcp;
mod tls;
#[cfg(target_os = "linux")]
mod unit;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tokio::task::LocalSet;
use vrrp_config::CheckSpec;

use super::*;
use crate::lateness::{Late, Pulse};

/// The behaviour of a service.
type Behaviour = fn(TcpStream);

/// A check from the lines of its section.
fn spec(lines: &str) -> CheckSpec {
    let text = format!(
        "[VRID]\nserverid=1\ninterface=lo\naddr=127.0.0.1/32,::1/128\ncheck=x\n[CHECK]\nname=x\n{lines}\n"
    );
    // The addresses are no host's, which is said, and does not matter here.
    let text = text.replace("127.0.0.1/32,::1/128", "192.0.2.1/32");
    let parsed = vrrp_config::parse("x.conf".as_ref(), &text);
    let config = parsed
        .config
        .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    config.checks.into_iter().next().expect("a check").spec
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().expect("a runtime");
    let result = LocalSet::new().block_on(&runtime, test);
    runtime.shutdown_background();
    result
}

/// The answer to a check, in words: `passed: ...`, `failed: ...` or `not judged: ...`; and its steps.
fn asked(tools: fn() -> Tools, spec: &CheckSpec) -> (String, Vec<String>) {
    run(async {
        let (tools, trace) = (tools(), Trace::new(true));
        let question = ask(spec, &tools, &trace);
        let answer = Pulse::start().limit(spec.timeout, question).await;
        let text = match answer {
            Ok(Ok(text)) => format!("passed: {text}"),
            Ok(Err(Trouble::Failed(text))) => format!("failed: {text}"),
            Ok(Err(Trouble::NotJudged(text))) => text,
            Err(Late::TimedOut) => format!("failed: {}", trace.waited_for(spec.timeout)),
            Err(Late::Stalled(_)) => panic!("this machine stands still"),
        };
        assert!(text.len() < 10_000, "{} octets", text.len());
        (text, trace.steps(100, 200))
    })
}

fn services() -> Tools {
    let none = || Err(io::ErrorKind::Unsupported.into());
    Tools::for_services([none(), none()])
}

/// The answer without the port, which is another each time.
fn answer(lines: &str) -> String {
    asked(services, &spec(lines)).0
}

/// A service on a port of its own that does this with each connection.
fn serve(behave: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let behave = Arc::new(behave);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let behave = behave.clone();
            thread::spawn(move || behave(stream));
        }
    });
    port
}

/// A port where nobody listens.
fn closed() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

/// Says the same without end, as fast as it is taken.
fn flood(mut stream: TcpStream, octets: &[u8]) {
    while stream.write_all(octets).is_ok() {}
}

/// Keeps a connection open and says nothing.
fn hang(stream: TcpStream) {
    thread::sleep(Duration::from_secs(30));
    drop(stream);
}

const SHORT: &str = "timeout = 0.3";

/// A file in a folder that goes with it.
struct Scratch(PathBuf);

impl std::ops::Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.0.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// A path of this test alone.
fn scratch(name: &str) -> Scratch {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("vrrp-checks-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    Scratch(dir.join(name))
}

/// A script in a folder that only its owner can write to.
fn script(text: &str) -> Scratch {
    let path = scratch("script");
    std::fs::write(&*path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&*path, mode).expect("a program");
    path
}

#[test]
fn each_process_does_its_own_kind() {
    let command = spec("command = /bin/true");
    assert_eq!(asked(services, &command).0, "this is for another process");
    let file = spec("file = /");
    assert_eq!(
        asked(Tools::for_commands, &file).0,
        "this is for another process"
    );
}

#[test]
fn words_of_strangers_are_one_short_line() {
    assert_eq!(
        printable("a\nb\u{7}\u{202e}é", 100),
        "a\\nb\\u{7}\\u{202e}é"
    );
    assert_eq!(
        printable(&"é".repeat(20), 10),
        format!("{}...", "é".repeat(10))
    );
    assert!(printable(&"\u{7}".repeat(1000), 30).len() < 50);
}
