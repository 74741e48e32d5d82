//! Each kind of question against services that answer, and against those that do not: real sockets of
//! this host, served by threads of this process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Ttl};
use domain::rdata::{A, Txt};
use tokio::task::LocalSet;
use vrrp_config::CheckSpec;

use super::*;
use crate::lateness::{Late, Pulse};

/// The behaviour of a service, and the answers of a name server.
type Behaviour = fn(TcpStream);
type Answerer = fn(&Message<Vec<u8>>) -> Vec<u8>;

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

#[test]
fn a_port_accepts_connections_or_not() {
    let open = serve(drop);
    assert_eq!(
        answer(&format!("tcp = 127.0.0.1:{open}")),
        format!("passed: 127.0.0.1:{open} accepts connections")
    );
    let closed = closed();
    assert_eq!(
        answer(&format!("tcp = localhost:{closed}")),
        format!("failed: 127.0.0.1:{closed} connection refused")
    );
    assert_eq!(
        answer("tcp = nosuch.invalid:80")
            .split(": ")
            .take(2)
            .collect::<Vec<_>>(),
        ["failed", "nosuch.invalid has no address"]
    );
}

#[test]
fn the_first_line_is_read_however_it_comes() {
    let table: [(&str, Behaviour); 5] = [
        ("whole", |mut s| {
            let _ = s.write_all(b"220 fridge ESMTP\r\nmore\r\n");
        }),
        ("without an end", |mut s| {
            let _ = s.write_all(b"220 fridge ESMTP");
        }),
        ("in pieces", |mut s| {
            for octet in b"220 fridge ESMTP\r\n" {
                let _ = s.write_all(&[*octet]);
                thread::sleep(Duration::from_millis(2));
            }
        }),
        ("with an endless rest", |s| {
            flood(s, b"220 fridge ESMTP\r\n")
        }),
        ("half closed", |mut s| {
            let _ = s.write_all(b"220 fridge ESMTP\n");
            let _ = s.shutdown(std::net::Shutdown::Write);
            hang(s);
        }),
    ];
    for (how, behave) in table {
        let port = serve(behave);
        let lines = format!("tcp = 127.0.0.1:{port}\nexpect = ^220 .*ESMTP$");
        let expected = format!("passed: 127.0.0.1:{port} said a line that matches `^220 .*ESMTP$`");
        assert_eq!(answer(&lines), expected, "{how}");
    }
}

#[test]
fn services_that_talk_nonsense_or_nothing_fail_in_time() {
    let table: [(&str, &str, Behaviour); 6] = [
        ("says nothing", "said nothing", hang),
        ("closes", "connection closed", drop),
        ("slow", "did not end its first line", |mut s| {
            while s.write_all(b"2").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        }),
        ("endless line", "said `AAAA", |s| flood(s, &[b'A'; 4096])),
        ("octets", "said `", |s| {
            flood(s, &[0x00, 0xff, 0x1b, b'[', 0x0a])
        }),
        ("terminal", "said `\\u{1b}[2J\\u{202e}x`", |mut s| {
            let _ = s.write_all("\x1b[2J\u{202e}x\n".as_bytes());
        }),
    ];
    for (how, expected, behave) in table {
        let port = serve(behave);
        let lines = format!("tcp = 127.0.0.1:{port}\nexpect = ^220\n{SHORT}");
        let began = Instant::now();
        let text = answer(&lines);
        let prefix = format!("failed: 127.0.0.1:{port} {expected}");
        assert!(text.starts_with(&prefix), "{how}: {text}");
        assert!(began.elapsed() < Duration::from_secs(5), "{how}");
    }
}

#[test]
fn something_is_said_first() {
    let port = serve(|mut stream| {
        let mut line = [0; 6];
        if stream.read_exact(&mut line).is_ok() && &line == b"PING\r\n" {
            let _ = stream.write_all(b"+PONG\r\n");
        }
    });
    let text = answer(&format!(
        "tcp = 127.0.0.1:{port}\nsend = PING\nexpect = ^\\+PONG"
    ));
    assert!(text.starts_with("passed: "), "{text}");
}

/// A web server that answers each request with these octets.
fn web(octets: impl Into<Vec<u8>>) -> u16 {
    let octets = octets.into();
    serve(move |mut stream| {
        let mut request = [0; 4096];
        let len = stream.read(&mut request).unwrap_or(0);
        let text = String::from_utf8_lossy(&request[..len]).into_owned();
        assert!(text.starts_with("GET /health?x HTTP/1.1\r\n"), "{text}");
        let _ = stream.write_all(&octets);
    })
}

fn http(port: u16, more: &str) -> String {
    let text = answer(&format!("http = http://127.0.0.1:{port}/health?x\n{more}"));
    text.replace(&port.to_string(), "P")
}

#[test]
fn a_page_has_a_status_and_a_text() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nall is ok now";
    assert_eq!(http(web(ok), ""), "passed: 127.0.0.1:P answered 200 OK");
    assert_eq!(
        http(web(ok), "body = is ok"),
        "passed: 127.0.0.1:P answered 200 OK"
    );
    assert_eq!(
        http(web(ok), "body = well"),
        "failed: 127.0.0.1:P answered 200 OK without `well` in 13 octets"
    );
    assert_eq!(
        http(web(ok), "status = 204, 301"),
        "failed: 127.0.0.1:P answered 200 OK, expected 204, 301"
    );
    let moved = "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        http(web(moved), ""),
        "passed: 127.0.0.1:P answered 302 Found"
    );
    let gone = "HTTP/1.1 503 Out of it\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        http(web(gone), ""),
        "failed: 127.0.0.1:P answered 503 Service Unavailable, expected 200 to 399"
    );
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n5\r\nis ok\r\n0\r\n\r\n";
    assert_eq!(
        http(web(chunked), "body = all is ok"),
        "passed: 127.0.0.1:P answered 200 OK"
    );
    assert_eq!(http(closed(), ""), "failed: 127.0.0.1:P connection refused");
}

#[test]
fn the_text_is_looked_for_in_the_beginning_of_the_page() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let page = |before: usize| [head.clone(), vec![b'x'; before], b"NEEDLE".to_vec()].concat();
    for before in [0, 1, 16 * 1024 - 3, 64 * 1024 - 6] {
        let text = http(web(page(before)), "body = NEEDLE");
        assert!(text.starts_with("passed: "), "{before}: {text}");
    }
    assert_eq!(
        http(web(page(64 * 1024 - 5)), "body = NEEDLE"),
        "failed: 127.0.0.1:P answered 200 OK without `NEEDLE` in 65536 octets"
    );
}

#[test]
fn web_servers_that_talk_nonsense_or_nothing_fail_in_time() {
    let table: [(&str, &str, Behaviour); 8] = [
        ("says nothing", " did not answer", hang),
        (
            "closes",
            ": connection closed before message completed",
            drop,
        ),
        ("garbage", ":", |s| flood(s, &[0xff; 512])),
        ("endless head", ":", |mut s| {
            let _ = s.write_all(b"HTTP/1.1 200 OK\r\n");
            flood(s, b"x: y\r\n");
        }),
        ("endless field", ":", |mut s| {
            let _ = s.write_all(b"HTTP/1.1 200 OK\r\nx: ");
            flood(s, &[b'y'; 1024]);
        }),
        ("endless page", " answered 200 OK without", |mut s| {
            let _ = s.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            flood(s, &[b'y'; 1024]);
        }),
        (
            "page that does not end",
            " did not finish its page",
            |mut s| {
                let _ = s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
                hang(s);
            },
        ),
        ("impossible chunk", ":", |mut s| {
            let _ = s.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n",
            );
            hang(s);
        }),
    ];
    for (how, expected, behave) in table {
        let began = Instant::now();
        let port = serve(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            behave(stream);
        });
        let text = http(port, &format!("body = never\n{SHORT}"));
        let prefix = format!("failed: 127.0.0.1:P{expected}");
        assert!(text.starts_with(&prefix), "{how}: {text}");
        assert!(began.elapsed() < Duration::from_secs(5), "{how}");
    }
}

/// A certificate for `site`, signed by an authority whose certificate is in a file; and a web server that
/// has it.
fn secure(site: &str) -> (u16, Scratch) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = authority.self_signed(&key).expect("a certificate");
    let ca = scratch("ca.pem");
    std::fs::write(&*ca, certificate.pem()).expect("a file");
    let issuer = rcgen::Issuer::new(authority, key);
    let own_key = rcgen::KeyPair::generate().expect("a key");
    let own = rcgen::CertificateParams::new(vec![site.to_owned()]).expect("a name");
    let own = own.signed_by(&own_key, &issuer).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(own_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .expect("a certificate that fits its key");
    let config = Arc::new(config);
    let port = serve(move |mut stream| {
        let Ok(mut tls) = rustls::ServerConnection::new(config.clone()) else {
            return;
        };
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        if tls.read(&mut [0; 4096]).is_ok() {
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    (port, ca)
}

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

#[test]
fn a_certificate_is_judged() {
    let (port, ca) = secure("www.example.org");
    let ca = ca.display();
    let ask = |more: &str| {
        let text = answer(&format!(
            "http = https://127.0.0.1:{port}/\nbody = ok\n{more}"
        ));
        text.replace(&port.to_string(), "P")
    };
    let passed = "passed: 127.0.0.1:P answered 200 OK";
    assert_eq!(ask(&format!("host = www.example.org\nca = {ca}")), passed);
    assert_eq!(ask("verify = no"), passed);
    for (more, expected) in [
        (format!("ca = {ca}"), "not valid for name"),
        (
            format!("host = www.example.com\nca = {ca}"),
            "not valid for name",
        ),
        (
            "host = www.example.org".into(),
            "invalid peer certificate: UnknownIssuer",
        ),
        ("ca = /nonexistent".into(), "/nonexistent cannot be read"),
    ] {
        let text = ask(&more);
        assert!(
            text.starts_with("failed: ") && text.contains(expected),
            "{text}"
        );
    }
    // It does not even speak TLS.
    let plain = serve(|s| flood(s, b"220 hello\r\n"));
    let text = answer(&format!(
        "http = https://127.0.0.1:{plain}/\nverify = no\n{SHORT}"
    ));
    assert!(text.starts_with("failed: "), "{text}");
    let hung = serve(hang);
    assert_eq!(
        answer(&format!(
            "http = https://127.0.0.1:{hung}/\nverify = no\n{SHORT}"
        )),
        format!("failed: 127.0.0.1:{hung} did not finish the handshake of TLS within 0.3 s")
    );
}

/// A name server: makes an answer of each question.
fn name_server(answer: Answerer) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let at = socket.local_addr().expect("its number");
    let tcp = TcpListener::bind(at).expect("the same port");
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            if let Ok(question) = Message::from_octets(buffer[..len].to_vec()) {
                let octets = answer(&question);
                let _ = socket.send_to(octets.get(..512).unwrap_or(&octets), from);
            }
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut head = [0; 2];
            let _ = stream.read_exact(&mut head);
            let mut octets = vec![0; usize::from(u16::from_be_bytes(head))];
            let _ = stream.read_exact(&mut octets);
            if let Ok(question) = Message::from_octets(octets) {
                let mut octets = answer(&question);
                octets[2] &= !0x02;
                let _ = stream.write_all(&(octets.len() as u16).to_be_bytes());
                let _ = stream.write_all(&octets);
            }
        }
    });
    at.port()
}

/// An answer with this code and these texts.
fn texts(question: &Message<Vec<u8>>, code: Rcode, texts: &[&str]) -> Vec<u8> {
    let answer = MessageBuilder::new_vec();
    let mut answer = answer.start_answer(question, code).expect("room");
    for text in texts {
        let name: Name<Vec<u8>> = "who.ami".parse().expect("a name");
        let data: Txt<Vec<u8>> = Txt::build_from_slice(text.as_bytes()).expect("a text");
        answer.push((&name, Ttl::ZERO, data)).expect("room");
    }
    answer.finish()
}

fn dns(port: u16, more: &str) -> String {
    let text = answer(&format!("dns = 127.0.0.1:{port} who.ami TXT\n{more}"));
    text.replace(&port.to_string(), "P")
}

#[test]
fn a_name_has_records() {
    let right = name_server(|q| texts(q, Rcode::NOERROR, &["other", "fridge"]));
    assert_eq!(
        dns(right, ""),
        "passed: 127.0.0.1:P answered who.ami TXT: other"
    );
    assert_eq!(
        dns(right, "answer = fridge"),
        "passed: 127.0.0.1:P answered who.ami TXT: fridge"
    );
    assert_eq!(
        dns(right, "answer = frid"),
        "failed: 127.0.0.1:P answered who.ami TXT: other, expected frid"
    );
    let nothing = name_server(|q| texts(q, Rcode::NOERROR, &[]));
    assert_eq!(
        dns(nothing, ""),
        "failed: 127.0.0.1:P has no TXT of who.ami"
    );
    let unknown = name_server(|q| texts(q, Rcode::NXDOMAIN, &[]));
    assert_eq!(
        dns(unknown, ""),
        "failed: 127.0.0.1:P answered who.ami TXT: NXDOMAIN"
    );
    let address = name_server(|q| {
        let answer = MessageBuilder::new_vec();
        let mut answer = answer.start_answer(q, Rcode::NOERROR).expect("room");
        let name: Name<Vec<u8>> = "who.ami".parse().expect("a name");
        answer
            .push((&name, Ttl::ZERO, A::from_octets(10, 10, 10, 6)))
            .expect("room");
        answer.finish()
    });
    let text = answer(&format!(
        "dns = 127.0.0.1:{address} who.ami A\nanswer = 10.10.10.6"
    ));
    assert!(text.ends_with("answered who.ami A: 10.10.10.6"), "{text}");
}

#[test]
fn a_long_answer_comes_over_tcp() {
    let long = name_server(|q| {
        let mut octets = texts(q, Rcode::NOERROR, &[&*"x".repeat(250); 5]);
        octets[2] |= 0x02;
        octets
    });
    let text = dns(long, &format!("answer = {}", "x".repeat(250)));
    assert!(text.starts_with("passed: "), "{text}");
}

#[test]
fn name_servers_that_talk_nonsense_or_nothing_fail_in_time() {
    let table: [(&str, &str, Answerer); 4] = [
        ("another number", "did not answer within 0.3 s", |q| {
            let mut octets = texts(q, Rcode::NOERROR, &["x"]);
            octets[0] ^= 1;
            octets
        }),
        ("no octets", "did not answer within 0.3 s", |_| Vec::new()),
        ("garbage", "did not answer within 0.3 s", |_| {
            vec![0xff; 300]
        }),
        ("cut off", "answered who.ami TXT with garbage", |q| {
            let mut octets = texts(q, Rcode::NOERROR, &["fridge"]);
            octets.truncate(octets.len() - 3);
            octets
        }),
    ];
    for (how, expected, answer) in table {
        let text = dns(name_server(answer), SHORT);
        assert_eq!(text, format!("failed: 127.0.0.1:P {expected}"), "{how}");
    }
    assert_eq!(
        dns(closed(), SHORT),
        "failed: 127.0.0.1:P connection refused"
    );
}

/// No answer makes the reader panic: every truncation, every flipped bit, and names that point at
/// themselves.
#[test]
fn every_answer_of_a_name_server_is_judged() {
    let dns_check = spec("dns = 127.0.0.1 who.ami TXT\nanswer = fridge");
    let vrrp_config::CheckKind::Dns(dns) = &dns_check.kind else {
        panic!("another kind");
    };
    let mut question = MessageBuilder::new_vec().question();
    let name: Name<Vec<u8>> = "who.ami".parse().expect("a name");
    question
        .push((&name, domain::base::Rtype::TXT))
        .expect("room");
    let question = question.into_message();
    let octets = texts(&question, Rcode::NOERROR, &["fridge", "other"]);
    let at = "127.0.0.1:53".parse().expect("an address");
    let judge = |octets: Vec<u8>| {
        if let Ok(message) = Message::from_octets(octets) {
            let trace = Trace::new(true);
            let kind = domain::base::Rtype::TXT;
            let _ = super::dns::judge(at, dns, kind, &message, &trace);
        }
    };
    for len in 0..octets.len() {
        judge(octets[..len].to_vec());
        for value in 0..=255 {
            let mut changed = octets.clone();
            changed[len] = value;
            judge(changed);
        }
    }
    for pointer in 0..octets.len() {
        let mut changed = octets.clone();
        changed[12] = 0xc0;
        changed[13] = pointer as u8;
        judge(changed);
    }
}

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
    std::fs::copy("/bin/sleep", &*program).expect("a copy of sleep");
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

/// A script in a folder that only its owner can write to.
fn script(text: &str) -> Scratch {
    let path = scratch("script");
    std::fs::write(&*path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&*path, mode).expect("a program");
    path
}

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
fn an_explanation_has_the_steps() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let port = web(ok);
    let check = spec(&format!(
        "http = http://127.0.0.1:{port}/health?x\nbody = ok"
    ));
    let (_, steps) = asked(services, &check);
    assert_eq!(
        steps,
        [
            format!("connected to 127.0.0.1:{port}"),
            "asked for /health?x: 200 OK".to_owned(),
            "read 2 octets of the page".to_owned(),
        ]
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
