//! The questions, and what is made of the answers.

mod command;
mod dns;
mod file;
mod http;
mod ping;
mod process;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod unit;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use vrrp_config::{CheckKind, CheckSpec, Dns, Http, Place, Tcp};

use crate::targets::{self, Targets};

/// Why a check does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The service does not work.
    Failed(String),
    /// This host could not ask.
    NotJudged(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) | Self::NotJudged(text) => f.write_str(text),
        }
    }
}

/// The answer in words.
pub(crate) type Answer = Result<String, Trouble>;

fn failed<T>(text: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Failed(text.into()))
}

/// The parts that questions share.
pub(crate) struct Tools {
    commands: bool,
    expressions: tcp::Expressions,
    ping: ping::Echoes,
    processes: process::Table,
    tls: tls::Configs,
    units: unit::Manager,
}

impl Tools {
    /// Of the process that asks services. `echo`: sockets for ICMP and ICMPv6.
    pub(crate) fn for_services(echo: [io::Result<(UdpSocket, bool)>; 2]) -> Self {
        Self {
            commands: false,
            expressions: tcp::Expressions::default(),
            ping: ping::Echoes::new(echo),
            processes: process::Table::default(),
            tls: tls::Configs::default(),
            units: unit::Manager::default(),
        }
    }

    /// Of the process that runs commands, and nothing else.
    pub(crate) fn for_commands() -> Self {
        let none = || Err(io::ErrorKind::Unsupported.into());
        Self {
            commands: true,
            ..Self::for_services([none(), none()])
        }
    }
}

/// Asks once.
pub(crate) async fn ask(spec: &CheckSpec, tools: &Tools, trace: &Trace) -> Answer {
    let span = spec.timeout;
    if matches!(spec.kind, CheckKind::Command(_)) != tools.commands {
        return Err(Trouble::NotJudged("this is for another process".into()));
    }
    match &spec.kind {
        CheckKind::Process(process) => process::ask(process, tools, trace).await,
        CheckKind::Unit(unit) => tools.units.ask(unit, trace).await,
        CheckKind::Tcp(tcp) => {
            let one = async |at| tcp::ask(at, tcp, &tools.expressions, trace).await;
            each(&tcp.place, tcp.port, span, trace, one).await
        }
        CheckKind::Http(http) => {
            let one = async |at| http::ask(at, http, &tools.tls, trace).await;
            each(&http.place, http.port, span, trace, one).await
        }
        CheckKind::Dns(dns) => {
            let one = async |at| dns::ask(at, dns, trace).await;
            each(&dns.place, dns.port, span, trace, one).await
        }
        CheckKind::Ping(place) => {
            let one = async |at: SocketAddr| tools.ping.ask(at, trace).await;
            each(place, 0, span, trace, one).await
        }
        CheckKind::File { path, absent } => file::ask(path, *absent).await,
        CheckKind::Command(command) => command::ask(command, trace).await,
    }
}

/// Judges the first line of a stream.
pub(crate) async fn first_line(
    at: SocketAddr,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    tcp: &Tcp,
    trace: &Trace,
) -> Answer {
    tcp::converse(at, stream, tcp, &tcp::Expressions::default(), trace).await
}

/// Judges a page of a stream.
pub(crate) async fn page(
    at: SocketAddr,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    http: &Http,
    trace: &Trace,
) -> Answer {
    http::exchange(at, stream, http, trace).await
}

/// Judges a message of a name server.
pub(crate) fn record(at: SocketAddr, dns: &Dns, octets: Vec<u8>, trace: &Trace) -> Answer {
    dns::judge_octets(at, dns, octets, trace)
}

/// Asks each address of a place, or one after the other until one passes.
async fn each(
    place: &Place,
    port: u16,
    span: Duration,
    trace: &Trace,
    one: impl AsyncFn(SocketAddr) -> Answer,
) -> Answer {
    trace.wait("no address found");
    let targets = targets::find(place, port).await;
    match targets.map_err(Trouble::Failed)? {
        Targets::Elsewhere => Err(Trouble::NotJudged(
            "not judged: this host has no virtual address at the moment".into(),
        )),
        Targets::All(all) => {
            let mut answers = Vec::new();
            for at in all {
                answers.push(one(at).await?);
            }
            Ok(answers.join(", "))
        }
        Targets::Either([first, second]) => {
            let answer = one(first).await;
            let Err(error) = answer else { return answer };
            trace.say(|| error.to_string());
            one(second).await.map_err(|_| error)
        }
        Targets::Any(any) => {
            let share = span / any.len().max(1) as u32;
            let mut first = None;
            for at in any {
                let answer = match timeout(share, one(at)).await {
                    Ok(answer) => answer,
                    Err(_) => failed(trace.waited_for(share)),
                };
                let Err(error) = answer else { return answer };
                trace.say(|| error.to_string());
                first.get_or_insert(error);
            }
            Err(first.unwrap_or_else(|| Trouble::Failed("no address to ask".into())))
        }
    }
}

/// The steps so far: for the words of a timeout, and for an explanation.
#[derive(Debug)]
pub(crate) struct Trace {
    explains: bool,
    steps: RefCell<Vec<String>>,
    waits: RefCell<String>,
    place: Cell<Option<SocketAddr>>,
}

impl Trace {
    pub(crate) fn new(explains: bool) -> Self {
        Self {
            explains,
            steps: RefCell::default(),
            waits: RefCell::new("no answer".into()),
            place: Cell::new(None),
        }
    }

    /// From now on this host is asked.
    fn at(&self, at: SocketAddr) {
        self.place.set(Some(at));
    }

    /// From now on this is missing if nothing comes.
    fn wait(&self, missing: &str) {
        let mut waits = self.waits.borrow_mut();
        waits.clear();
        waits.push_str(missing);
    }

    /// Notes a step for an explanation.
    fn say(&self, step: impl FnOnce() -> String) {
        if self.explains {
            self.steps.borrow_mut().push(step());
        }
    }

    /// The missing thing: `127.0.0.1:80 did not answer within 1 s`.
    pub(crate) fn waited_for(&self, span: Duration) -> String {
        let (waits, span) = (self.waits.borrow(), seconds(span));
        match self.place.get() {
            Some(at) => format!("{} {waits} within {span}", shown(at)),
            None => format!("{waits} within {span}"),
        }
    }

    pub(crate) fn steps(&self, most: usize, longest: usize) -> Vec<String> {
        let steps = self.steps.borrow();
        let steps = steps.iter().take(most);
        steps.map(|step| printable(step, longest)).collect()
    }
}

/// `0.5 s`.
pub(crate) fn seconds(span: Duration) -> String {
    let text = format!("{:.3}", span.as_secs_f64());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} s")
}

/// `127.0.0.1:80`; without a port that is none.
fn shown(at: SocketAddr) -> String {
    match at.port() {
        0 => at.ip().to_string(),
        _ => at.to_string(),
    }
}

/// An error of the system while `at` was asked.
fn trouble(at: SocketAddr, error: &io::Error) -> Trouble {
    /// Errors that say nothing of the service.
    const OURS: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    let text = format!("{} {}", shown(at), words(error));
    match error.raw_os_error() {
        Some(code) if OURS.contains(&code) => Trouble::NotJudged(format!("not judged: {text}")),
        _ => Trouble::Failed(text),
    }
}

/// An error in lower case, without its number.
fn words(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "connection closed".into();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !text.starts_with("I/O") => {
            first.to_ascii_lowercase().to_string() + letters.as_str()
        }
        _ => text.to_owned(),
    }
}

/// Text of strangers on one line, with at most so many characters.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut count = 0;
    for c in text.chars() {
        if count >= most {
            shown.push_str("...");
            break;
        }
        if c.is_control() || is_direction(c) {
            let escaped: String = c.escape_default().collect();
            count += escaped.len();
            shown.push_str(&escaped);
        } else {
            count += 1;
            shown.push(c);
        }
    }
    shown
}

/// Characters that turn the direction of a terminal's text, or are invisible.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
}
