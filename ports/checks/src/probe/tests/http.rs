//! Pages.

use std::io::Read;
use std::time::Instant;

use super::*;

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
