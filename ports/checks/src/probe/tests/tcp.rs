//! Connections, and first lines.

use std::io::Read;
use std::time::Instant;

use super::*;

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
