//! Connections, and the first line of what comes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use regex_lite::Regex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use vrrp_config::{MAX_CHECKS, Tcp};

use super::{Answer, Trace, Trouble, failed, printable, shown, trouble};

/// The longest first line that is read.
const MAX_LINE: usize = 4096;
/// How much of it is shown.
const SHOWN: usize = 80;

/// The regular expressions of all checks, compiled once: that takes as long as asking.
#[derive(Default)]
pub(super) struct Expressions {
    compiled: RefCell<HashMap<String, Rc<Regex>>>,
}

impl Expressions {
    /// Those of checks that are gone are forgotten when there are so many.
    const MOST: usize = 2 * MAX_CHECKS;

    fn get(&self, text: &str) -> Result<Rc<Regex>, Trouble> {
        let mut compiled = self.compiled.borrow_mut();
        if let Some(expression) = compiled.get(text) {
            return Ok(expression.clone());
        }
        // The configuration's reader has judged it.
        let expression = Regex::new(text).map_err(|error| Trouble::Failed(error.to_string()))?;
        let expression = Rc::new(expression);
        if compiled.len() >= Self::MOST {
            compiled.clear();
        }
        compiled.insert(text.to_owned(), expression.clone());
        Ok(expression)
    }
}

/// Asks once.
pub(super) async fn ask(
    at: SocketAddr,
    tcp: &Tcp,
    expressions: &Expressions,
    trace: &Trace,
) -> Answer {
    let stream = connect(at, trace).await?;
    converse(at, stream, tcp, expressions, trace).await
}

/// Says what is to be said on a connection, and judges the first line that comes.
pub(super) async fn converse(
    at: SocketAddr,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    tcp: &Tcp,
    expressions: &Expressions,
    trace: &Trace,
) -> Answer {
    if let Some(octets) = &tcp.send {
        trace.wait("took nothing of what was sent");
        let sent = stream.write_all(octets).await;
        sent.map_err(|error| trouble(at, &error))?;
        trace.say(|| format!("sent {} octets", octets.len()));
    }
    let Some(expected) = &tcp.expect else {
        return Ok(format!("{} accepts connections", shown(at)));
    };
    trace.wait("said nothing");
    let line = first_line(&mut stream, trace).await;
    let line = line.map_err(|error| trouble(at, &error))?;
    let line = String::from_utf8_lossy(&line);
    let line = line.trim_end_matches(['\r', '\n']);
    trace.say(|| format!("the first line is `{line}`"));
    let expression = expressions.get(expected)?;
    let line_shown = printable(line, SHOWN);
    if expression.is_match(line) {
        Ok(format!(
            "{} said a line that matches `{expected}`",
            shown(at)
        ))
    } else {
        failed(format!(
            "{} said `{line_shown}`, expected `{expected}`",
            shown(at)
        ))
    }
}

/// Connects, and says so.
pub(super) async fn connect(at: SocketAddr, trace: &Trace) -> Result<TcpStream, Trouble> {
    trace.at(at);
    trace.wait("accepts no connection");
    let stream = TcpStream::connect(at).await;
    let stream = stream.map_err(|error| trouble(at, &error))?;
    // With nobody listening the kernel may connect a socket to itself, if it chose that very port.
    if stream.local_addr().is_ok_and(|own| own == at) {
        return Err(trouble(at, &io::ErrorKind::ConnectionRefused.into()));
    }
    trace.say(|| format!("connected to {}", shown(at)));
    Ok(stream)
}

/// Reads up to the end of the first line, or as much as is read at most. Nothing at all is an error.
async fn first_line(stream: &mut (impl AsyncRead + Unpin), trace: &Trace) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut buffer = [0; 512];
    while line.len() < MAX_LINE {
        let len = stream.read(&mut buffer).await?;
        let read = buffer.get(..len).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        trace.wait("did not end its first line");
        let end = read.iter().position(|octet| *octet == b'\n');
        line.extend_from_slice(end.map_or(read, |end| read.get(..end).unwrap_or_default()));
        if end.is_some() {
            return Ok(line);
        }
    }
    line.truncate(MAX_LINE);
    match line.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(line),
    }
}
