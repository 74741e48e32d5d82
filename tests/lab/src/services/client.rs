//! A client of a service, and the account of what it got.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{SITE, Service, servers};
use crate::host::Host;

/// A client that asks again and again who is there.
#[derive(Debug)]
pub struct Client {
    stop: Arc<AtomicBool>,
    /// The host that has answered last.
    last: Arc<Mutex<Option<&'static str>>>,
    asking: JoinHandle<Account>,
}

/// The answers that a client got.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Asks.
    pub asked: usize,
    /// Asks without an answer.
    pub lost: usize,
    /// Runs of asks without an answer.
    pub gaps: usize,
    /// Connections that were reset, and asked again at once, as browsers do.
    pub reset: usize,
    /// The longest time from one answer to the next.
    pub longest: Duration,
    /// The answers of each host.
    pub answers: BTreeMap<&'static str, usize>,
}

impl Client {
    /// Between two asks.
    pub const PERIOD: Duration = Duration::from_millis(20);

    /// Begins to ask from a host; an ask that is not answered within `within` is lost.
    pub fn start(service: Service, host: &Host, within: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let last = Arc::new(Mutex::new(None));
        let (stopped, stack, told) = (stop.clone(), host.stack().clone(), last.clone());
        let tell = move |name| *told.lock().expect("no panic while a name is held") = name;
        let asking = std::thread::spawn(move || {
            stack.enter(|| keep_asking(service, within, &stopped, tell))
        });
        Self { stop, last, asking }
    }

    /// The host that has answered the last ask; `None`: it was lost.
    pub fn answered_by(&self) -> Option<&'static str> {
        *self.last.lock().expect("no panic while a name is held")
    }

    /// Ends it.
    pub fn stop(self) -> Account {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.join().expect("a client")
    }
}

fn keep_asking(
    service: Service,
    within: Duration,
    stopped: &AtomicBool,
    tell: impl Fn(Option<&'static str>),
) -> Account {
    let mut account = Account::default();
    let mut last = Instant::now();
    let mut answering = true;
    while !stopped.load(Ordering::Relaxed) {
        let next = Instant::now() + Client::PERIOD;
        account.asked += 1;
        let mut answer = service.ask_here(within);
        if let Err(error) = &answer
            && matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            )
        {
            account.reset += 1;
            answer = service.ask_here(within);
        }
        tell(answer.as_ref().ok().copied());
        match answer {
            Ok(name) => {
                *account.answers.entry(name).or_default() += 1;
                account.longest = account.longest.max(last.elapsed());
                last = Instant::now();
                answering = true;
            }
            Err(_) => {
                account.lost += 1;
                account.gaps += usize::from(answering);
                answering = false;
            }
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    account
}

fn connect(at: SocketAddr, within: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&at, within)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    Ok(stream)
}

fn get(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(format!("GET /whoami HTTP/1.0\r\nHost: {SITE}\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Asks a web server for its page `whoami`.
pub fn page(at: SocketAddr, within: Duration) -> io::Result<String> {
    get(connect(at, within)?)
}

/// A page of a server that has the one certificate for [`SITE`].
pub(super) fn secure_page(at: SocketAddr, within: Duration) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    let certificate = servers::certificate().der.clone();
    roots.add(certificate).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(SITE).expect("a name");
    let tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    get(StreamOwned::new(tls, connect(at, within)?))
}

pub(super) fn first_line(at: SocketAddr, within: Duration) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(connect(at, within)?).read_line(&mut line)?;
    Ok(line)
}

/// The question `who.ami TXT`.
fn question(id: u16) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    packet.extend(b"\x03who\x03ami\x00\x00\x10\x00\x01");
    packet
}

/// The question for a resolver: with recursion desired.
fn question_of_a_resolver(id: u16) -> Vec<u8> {
    let mut packet = question(id);
    packet[2] = 1;
    packet
}

pub(super) fn record(at: SocketAddr, within: Duration) -> io::Result<String> {
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.connect(at)?;
    socket.set_read_timeout(Some(within))?;
    socket.send(&question_of_a_resolver(1))?;
    let mut answer = [0; 512];
    let len = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..len]).into_owned())
}

pub(super) fn record_over_tcp(at: SocketAddr, within: Duration) -> io::Result<String> {
    let mut stream = connect(at, within)?;
    let question = question(1);
    let mut message = (question.len() as u16).to_be_bytes().to_vec();
    message.extend(question);
    stream.write_all(&message)?;
    let mut answer = [0; 512];
    let len = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..len]).into_owned())
}
