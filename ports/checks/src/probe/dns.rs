//! Names, asked of one server: over UDP, and over TCP when the answer is too long for it.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use domain::base::iana::Rcode;
use domain::base::name::{Name, ParsedName};
use domain::base::{Message, MessageBuilder, Rtype};
use domain::rdata::AllRecordData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use vrrp_config::Dns;

use super::{Answer, Trace, Trouble, failed, printable, shown, tcp, trouble};

/// The longest datagram that is read.
const MAX_DATAGRAM: usize = 4096;
/// Records that are looked at.
const MAX_RECORDS: usize = 256;
/// How much of a record is shown.
const SHOWN: usize = 80;

/// Asks once.
pub(super) async fn ask(at: SocketAddr, dns: &Dns, trace: &Trace) -> Answer {
    trace.at(at);
    trace.wait("did not answer");
    let question = question(dns).map_err(Trouble::Failed)?;
    let mut answer = over_udp(at, &question).await?;
    trace.say(|| format!("answered with {} octets over UDP", answer.as_slice().len()));
    if answer.header().tc() {
        answer = over_tcp(at, &question, trace).await?;
        trace.say(|| format!("answered with {} octets over TCP", answer.as_slice().len()));
    }
    let kind = Rtype::from_str(&dns.kind).unwrap_or(Rtype::A);
    judge(at, dns, kind, &answer, trace)
}

fn question(dns: &Dns) -> Result<Message<Vec<u8>>, String> {
    let name: Name<Vec<u8>> =
        Name::from_str(&dns.name).map_err(|e| format!("{}: {e}", dns.name))?;
    let kind = Rtype::from_str(&dns.kind).map_err(|_| format!("{}: unknown", dns.kind))?;
    let mut message = MessageBuilder::new_vec();
    let header = message.header_mut();
    // A fresh RandomState has other keys each time.
    header.set_id(RandomState::new().hash_one(0u8) as u16);
    header.set_rd(true);
    let mut message = message.question();
    let pushed = message.push((&name, kind));
    pushed.map_err(|_| "the question is too long".to_owned())?;
    Ok(message.into_message())
}

async fn over_udp(
    at: SocketAddr,
    question: &Message<Vec<u8>>,
) -> Result<Message<Vec<u8>>, Trouble> {
    let from: SocketAddr = match at {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let failed = |error| trouble(at, &error);
    // Connected: only the server's datagrams come, and its refusal is an error.
    let socket = UdpSocket::bind(from).await.map_err(failed)?;
    socket.connect(at).await.map_err(failed)?;
    socket.send(question.as_slice()).await.map_err(failed)?;
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let len = socket.recv(&mut buffer).await.map_err(failed)?;
        let octets = buffer.get(..len).unwrap_or_default().to_vec();
        // Of others, and of questions before, there may be some.
        if let Ok(message) = Message::from_octets(octets)
            && message.is_answer(question)
        {
            return Ok(message);
        }
    }
}

async fn over_tcp(
    at: SocketAddr,
    question: &Message<Vec<u8>>,
    trace: &Trace,
) -> Result<Message<Vec<u8>>, Trouble> {
    let mut stream = tcp::connect(at, trace).await?;
    trace.wait("did not answer over TCP");
    let exchange = async {
        let len = question.as_slice().len() as u16;
        stream.write_all(&len.to_be_bytes()).await?;
        stream.write_all(question.as_slice()).await?;
        // At most 64 KiB, by its form.
        let len = stream.read_u16().await?;
        let mut octets = vec![0; usize::from(len)];
        stream.read_exact(&mut octets).await?;
        Ok(octets)
    };
    let octets = exchange.await.map_err(|error| trouble(at, &error))?;
    match Message::from_octets(octets) {
        Ok(message) if message.is_answer(question) => Ok(message),
        _ => failed(format!("{} answered something else over TCP", shown(at))),
    }
}

/// Judges octets as the answer of a name server.
pub(super) fn judge_octets(at: SocketAddr, dns: &Dns, octets: Vec<u8>, trace: &Trace) -> Answer {
    let kind = Rtype::from_str(&dns.kind).unwrap_or(Rtype::A);
    match Message::from_octets(octets) {
        Ok(answer) => judge(at, dns, kind, &answer, trace),
        Err(_) => failed(format!("{} answered with garbage", shown(at))),
    }
}

/// Whether an answer is what was expected.
pub(super) fn judge(
    at: SocketAddr,
    dns: &Dns,
    kind: Rtype,
    answer: &Message<Vec<u8>>,
    trace: &Trace,
) -> Answer {
    let (server, name) = (shown(at), &dns.name);
    let code = answer.header().rcode();
    if code != Rcode::NOERROR {
        return failed(format!("{server} answered {name} {}: {code}", dns.kind));
    }
    let records = records(answer, kind);
    let Some(records) = records else {
        return failed(format!(
            "{server} answered {name} {} with garbage",
            dns.kind
        ));
    };
    trace.say(|| format!("records: {}", records.join(", ")));
    let Some(first) = records.first() else {
        return failed(format!("{server} has no {} of {name}", dns.kind));
    };
    let same = |record: &&String| {
        dns.answer.as_ref().is_none_or(|wanted| {
            let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
            record.as_str() == wanted || plain(record) == plain(wanted)
        })
    };
    match (records.iter().find(same), &dns.answer) {
        (Some(record), _) => {
            let record = printable(record, SHOWN);
            Ok(format!("{server} answered {name} {}: {record}", dns.kind))
        }
        (None, wanted) => {
            let wanted = wanted.as_deref().unwrap_or_default();
            let first = printable(first, SHOWN);
            failed(format!(
                "{server} answered {name} {}: {first}, expected {wanted}",
                dns.kind
            ))
        }
    }
}

/// The data of the records of the type. `None`: they cannot be read.
fn records(answer: &Message<Vec<u8>>, kind: Rtype) -> Option<Vec<String>> {
    type Data<'a> = AllRecordData<&'a [u8], ParsedName<&'a [u8]>>;
    let message = Message::from_slice(answer.as_slice()).ok()?;
    let mut found = Vec::new();
    for record in message.answer().ok()?.take(MAX_RECORDS) {
        let record = record.ok()?;
        if record.rtype() != kind {
            continue;
        }
        let record = record.to_record::<Data<'_>>().ok()??;
        found.push(match record.data() {
            AllRecordData::Txt(text) => {
                let octets: Vec<u8> = text.iter().flatten().copied().collect();
                String::from_utf8_lossy(&octets).into_owned()
            }
            other => other.to_string(),
        });
    }
    Some(found)
}
