//! Names.

use std::io::Read;
use std::net::UdpSocket;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Ttl};
use domain::rdata::{A, Txt};

use super::*;
use crate::probe::dns::judge;

/// The answers of a name server.
type Answerer = fn(&Message<Vec<u8>>) -> Vec<u8>;

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
            let _ = judge(at, dns, kind, &message, &trace);
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
