//! Pages over HTTP/1.1, with TLS or without.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use vrrp_config::Http;

use super::{Answer, Trace, Trouble, failed, shown, tcp, tls, trouble};

/// As much of a page is looked at.
const MAX_BODY: usize = 64 * 1024;
/// The largest head of an answer.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// Asks once.
pub(super) async fn ask(
    at: SocketAddr,
    http: &Http,
    configs: &tls::Configs,
    trace: &Trace,
) -> Answer {
    let stream = tcp::connect(at, trace).await?;
    let Some(tls) = &http.tls else {
        return exchange(at, stream, http, trace).await;
    };
    let config = configs.get(tls).map_err(Trouble::Failed)?;
    let site = site(&http.host);
    let name = ServerName::try_from(site.to_owned()).map_err(|_| {
        Trouble::Failed(format!(
            "`{site}` cannot be the name in a certificate; see `host`"
        ))
    })?;
    trace.wait("did not finish the handshake of TLS");
    let stream = TlsConnector::from(config).connect(name, stream).await;
    let stream = stream.map_err(|error| trouble(at, &error))?;
    trace.say(|| format!("spoke TLS as {site}"));
    exchange(at, stream, http, trace).await
}

/// The name without the port and without brackets.
fn site(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

/// The task that moves octets ends with the question.
struct Mover(AbortHandle);

impl Drop for Mover {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) async fn exchange(
    at: SocketAddr,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    http: &Http,
    trace: &Trace,
) -> Answer {
    trace.wait("did not answer");
    let broken = |error: hyper::Error| {
        let source = std::error::Error::source(&error);
        let source = source
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        Trouble::Failed(format!("{}: {error}{source}", shown(at)))
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let moving = tokio::task::spawn_local(async {
        // The question has the error, too.
        let _ = connection.await;
    });
    let _mover = Mover(moving.abort_handle());
    let request = Request::get(&http.path)
        .header(HOST, &http.host)
        .header(USER_AGENT, "vrrp-checker")
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Trouble::Failed(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    trace.say(|| format!("asked for {}: {status}", http.path));
    if !http.statuses.contains(&status.as_u16()) {
        let expected = expected(&http.statuses);
        return failed(format!(
            "{} answered {}, expected {expected}",
            shown(at),
            words(status)
        ));
    }
    if let Some(text) = &http.body {
        trace.wait("did not finish its page");
        let page = beginning(response, text.as_bytes()).await;
        let (found, len) = page.map_err(broken)?;
        trace.say(|| format!("read {len} octets of the page"));
        if !found {
            return failed(format!(
                "{} answered {} without `{text}` in {len} octets",
                shown(at),
                words(status)
            ));
        }
    }
    Ok(format!("{} answered {}", shown(at), words(status)))
}

/// Reads a page until `text` is found, or as much as is read at most. Whether it was found, and how much
/// was read.
async fn beginning(
    response: Response<impl Body<Data = Bytes, Error = hyper::Error> + Unpin>,
    text: &[u8],
) -> Result<(bool, usize), hyper::Error> {
    let mut body = response.into_body();
    let mut page: Vec<u8> = Vec::new();
    while page.len() < MAX_BODY
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let room = (MAX_BODY - page.len()).min(data.len());
        // It may have begun in what came before.
        let from = page.len().saturating_sub(text.len());
        page.extend_from_slice(data.get(..room).unwrap_or_default());
        let new = page.get(from..).unwrap_or_default();
        if new.windows(text.len()).any(|window| window == text) {
            return Ok((true, page.len()));
        }
    }
    Ok((false, page.len()))
}

/// `503 Service Unavailable`.
fn words(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// `200, 204`; `200 to 399`.
fn expected(statuses: &[u16]) -> String {
    match statuses {
        [first, .., last] if statuses.len() > 5 => format!("{first} to {last}"),
        _ => {
            let words: Vec<String> = statuses.iter().map(u16::to_string).collect();
            words.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_site_has_no_port() {
        for (host, name) in [
            ("a.example", "a.example"),
            ("a.example:8443", "a.example"),
            ("[::1]:443", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("127.0.0.1:1", "127.0.0.1"),
        ] {
            assert_eq!(site(host), name);
        }
    }

    /// Numbers that look random and are the same each time.
    fn next(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as usize
    }

    /// Answers that are well made but for some octets: each is judged, and none breaks the reader.
    #[test]
    fn every_answer_of_a_web_server_is_judged() {
        const ANSWERS: [&[u8]; 4] = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nall is ok now",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n5;x=y\r\nis ok\r\n0\r\nx: y\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.0 200\r\n\r\nok",
        ];
        let http = Http {
            tls: None,
            place: vrrp_config::Place::Localhost,
            port: 80,
            host: "x".into(),
            path: "/".into(),
            statuses: (200..=399).collect(),
            body: Some("ok".into()),
        };
        let at = "127.0.0.1:80".parse().expect("an address");
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let (mut passed, mut failed) = (0, 0);
        for _ in 0..3_000 {
            let mut octets = ANSWERS[next(&mut state) % ANSWERS.len()].to_vec();
            for _ in 0..next(&mut state) % 4 {
                let place = next(&mut state) % octets.len();
                match next(&mut state) % 3 {
                    0 => octets[place] = next(&mut state) as u8,
                    1 => drop(octets.drain(..place)),
                    _ => octets.truncate(place.max(1)),
                }
                if octets.is_empty() {
                    octets.push(b'H');
                }
            }
            let answer = tokio::task::LocalSet::new().block_on(&runtime, async {
                let (ours, mut theirs) = tokio::io::duplex(64);
                let service = async move {
                    use tokio::io::{AsyncReadExt, AsyncWriteExt};
                    let _ = theirs.read(&mut [0; 1024]).await;
                    let _ = theirs.write_all(&octets).await;
                };
                let trace = Trace::new(true);
                let asking = exchange(at, ours, &http, &trace);
                let both = async { tokio::join!(service, asking).1 };
                let limit = std::time::Duration::from_secs(10);
                tokio::time::timeout(limit, both).await
            });
            match answer.expect("an end") {
                Ok(_) => passed += 1,
                Err(_) => failed += 1,
            }
        }
        assert!(passed > 100 && failed > 100, "{passed} and {failed}");
    }
}
