//! The requests of a scraper: as much of HTTP/1.1 as one GET needs, and nothing else.

use crate::ctl::metrics::Form;

/// The longest request, in octets. Prometheus sends about 350.
pub(super) const LONGEST: usize = 4096;
/// The only thing that there is.
const PATH: &str = "/metrics";
const END: &[u8] = b"\r\n\r\n";

/// A request as far as it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// More is to come.
    Incomplete,
    /// A request for the metrics, which is answered.
    Get {
        /// The form that the scraper wants.
        form: Form,
        /// It understands an answer in chunks.
        chunks: bool,
    },
    /// A request that is refused: the status and its reason.
    Refused(u16, &'static str),
}

const BAD: Request = Request::Refused(400, "Bad Request");

/// Reads a request. Whatever follows it is ignored: the connection is closed after the answer.
pub(super) fn read(octets: &[u8]) -> Request {
    let end = octets.windows(END.len()).position(|four| four == END);
    let Some(head) = end.and_then(|end| octets.get(..end)) else {
        return match octets.len() >= LONGEST {
            true => Request::Refused(431, "Request Header Fields Too Large"),
            false => Request::Incomplete,
        };
    };
    let Ok(head) = str::from_utf8(head) else {
        return BAD;
    };
    let printable = |line: &str| !line.chars().any(|c| c.is_control() && c != '\t');
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let words: Vec<&str> = first.split(' ').collect();
    let [method, target, version] = words.as_slice() else {
        return BAD;
    };
    let chunks = match *version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ if version.starts_with("HTTP/") => {
            return Request::Refused(505, "HTTP Version Not Supported");
        }
        _ => return BAD,
    };
    if !printable(first) {
        return BAD;
    }
    let mut accept = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':').filter(|_| printable(line)) else {
            return BAD;
        };
        if name.is_empty() || !name.bytes().all(is_token) {
            return BAD;
        }
        let value = value.trim_matches([' ', '\t']);
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("transfer-encoding") || is("content-length") && value != "0" {
            return BAD;
        }
        if is("accept") {
            accept.push(value);
        }
    }
    if *method != "GET" {
        return Request::Refused(405, "Method Not Allowed");
    }
    let path = target.split('?').next().unwrap_or_default();
    if path != PATH {
        return Request::Refused(404, "Not Found");
    }
    Request::Get {
        form: preferred(&accept.join(",")),
        chunks,
    }
}

const fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b'!' | b'#' | b'$' | b'+')
}

/// OpenMetrics, if it is wanted at least as much as text.
fn preferred(accept: &str) -> Form {
    let (mut open, mut text) = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let (mut weight, mut fits) = (1_000, true);
        for part in parts {
            match part.split_once('=') {
                Some(("q", q)) => weight = thousandths(q),
                Some(("version", version)) => {
                    let known = match kind {
                        "application/openmetrics-text" => "1.0.0",
                        _ => "0.0.4",
                    };
                    fits = version.trim_matches('"') == known;
                }
                _ => {}
            }
        }
        match kind {
            "application/openmetrics-text" if fits => open = weight.max(open),
            "text/plain" if fits => text = weight.max(text),
            _ => {}
        }
    }
    match open > 0 && open >= text {
        true => Form::OpenMetrics,
        false => Form::Prometheus,
    }
}

/// A weight of 0 to 1 in thousandths; one that makes no sense counts as 0.
fn thousandths(q: &str) -> u32 {
    let number: f64 = q.parse().unwrap_or(0.0);
    (number.clamp(0.0, 1.0) * 1e3) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

    fn get(accept: &str) -> Request {
        let text = format!("GET /metrics HTTP/1.1\r\nHost: a:1\r\nAccept: {accept}\r\n\r\n");
        read(text.as_bytes())
    }

    fn wants(form: Form) -> Request {
        Request::Get { form, chunks: true }
    }

    #[test]
    fn the_form_is_that_which_is_accepted() {
        assert_eq!(get(PROMETHEUS), wants(Form::OpenMetrics));
        for text in [
            "",
            "*/*",
            "text/plain",
            "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.8",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=x",
        ] {
            assert_eq!(get(text), wants(Form::Prometheus), "{text}");
        }
        assert_eq!(
            get("application/openmetrics-text; version=\"1.0.0\""),
            wants(Form::OpenMetrics)
        );
        assert_eq!(
            read(b"GET /metrics?x=1 HTTP/1.0\r\n\r\nrest"),
            Request::Get {
                form: Form::Prometheus,
                chunks: false
            }
        );
    }

    #[test]
    fn anything_else_is_refused_with_its_status() {
        for (text, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 404),
            ("GET /metricsx HTTP/1.1\r\n\r\n", 404),
            ("GET http://a/metrics HTTP/1.1\r\n\r\n", 404),
            ("POST /metrics HTTP/1.1\r\n\r\n", 405),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", 405),
            ("GET /metrics HTTP/2.0\r\n\r\n", 505),
            ("GET /metrics\r\n\r\n", 400),
            ("GET  /metrics HTTP/1.1\r\n\r\n", 400),
            ("\r\n\r\n", 400),
            ("GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", 400),
            ("GET /metrics HTTP/1.1\r\nA b: c\r\n\r\n", 400),
            ("GET /metrics HTTP/1.1\r\n: c\r\n\r\n", 400),
            ("GET /metrics HTTP/1.1\r\na: b\rc\r\n\r\n", 400),
            ("GET /metrics HTTP/1.1\r\na: b\nc: d\r\n\r\n", 400),
            (
                "GET /metrics HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
                400,
            ),
            (
                "GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                400,
            ),
            ("\u{16}\u{3}\u{1}\r\n\r\n", 400),
        ] {
            let Request::Refused(found, _) = read(text.as_bytes()) else {
                panic!("{text}");
            };
            assert_eq!(found, status, "{text}");
        }
        let long = "GET /metrics HTTP/1.1\r\n".to_owned() + &"a: b\r\n".repeat(LONGEST);
        assert_eq!(
            read(long.as_bytes()),
            Request::Refused(431, "Request Header Fields Too Large")
        );
        assert_eq!(read(b"GET /metrics \xff HTTP/1.1\r\n\r\n"), BAD);
    }

    /// Ten thousand requests that were damaged in all ways, and every beginning of a good one.
    #[test]
    fn a_damaged_request_never_panics_and_is_not_taken_for_another_path() {
        let good = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: {PROMETHEUS}\r\n\r\n");
        for end in 0..good.len() {
            let start = good.get(..end).expect("ASCII");
            assert_eq!(read(start.as_bytes()), Request::Incomplete, "{start}");
        }
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let mut answered = 0;
        for _ in 0..10_000 {
            let mut octets = good.clone().into_bytes();
            for _ in 0..=random(4) {
                if octets.is_empty() {
                    break;
                }
                let at = random(octets.len());
                match random(4) {
                    0 => octets[at] = random(256) as u8,
                    1 => drop(octets.remove(at)),
                    2 => octets.insert(at, b"\r\n: ,;=\0"[random(8)]),
                    _ => octets.truncate(at.max(1)),
                }
            }
            if matches!(read(&octets), Request::Get { .. }) {
                answered += 1;
                assert!(octets.starts_with(b"GET /metrics"), "{octets:?}");
            }
        }
        assert!(answered > 100, "{answered}");
    }
}
