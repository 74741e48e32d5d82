//! The answers of services as octets, without a service: for fuzzing.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{join, sink};
use tokio::task::LocalSet;
use vrrp_config::{CheckKind, CheckSpec};

use crate::probe::{self, Answer, Trace, Trouble};

/// Judges what a service sends before it hangs up, as an answer to the question of a check: a first line, a page
/// without TLS, or a message of DNS. Returns the words of a check that passes, or of one that fails.
///
/// # Errors
///
/// Returns the words of a check that fails. `None`: the check is of another kind.
pub fn judge(spec: &CheckSpec, octets: &[u8]) -> Option<Result<String, String>> {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let trace = Trace::new(true);
    let octets = octets.to_vec();
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    let answer: Answer = LocalSet::new().block_on(&runtime, async {
        let stream = join(std::io::Cursor::new(octets.clone()), sink());
        match &spec.kind {
            CheckKind::Tcp(tcp) => Some(probe::first_line(at, stream, tcp, &trace).await),
            CheckKind::Http(http) => Some(probe::page(at, stream, http, &trace).await),
            CheckKind::Dns(dns) => Some(probe::record(at, dns, octets, &trace)),
            _ => None,
        }
    })?;
    let text = |text: String| probe::printable(&text, crate::schedule::MAX_TEXT);
    Some(match answer {
        Ok(words) => Ok(text(words)),
        Err(Trouble::Failed(words) | Trouble::NotJudged(words)) => Err(text(words)),
    })
}
