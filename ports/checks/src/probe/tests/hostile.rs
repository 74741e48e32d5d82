//! Each kind of question to services that are gone, hang, are slow, hang up, or talk nonsense, as one table:
//! `cargo test -p vrrp-checks hostile -- --nocapture` prints it.

use std::io::Read;
use std::net::UdpSocket;
use std::time::Instant;

use super::*;

/// The timeout of each check.
const TIMEOUT: Duration = Duration::from_millis(400);
/// The columns.
const TROUBLES: [Trouble; 6] = [
    Trouble::Gone,
    Trouble::Hangs,
    Trouble::Slow,
    Trouble::HangsUp,
    Trouble::Garbage,
    Trouble::Endless,
];

/// The trouble with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It does not listen; there is no such program.
    Gone,
    /// It takes what is asked and never answers.
    Hangs,
    /// It answers one octet at a time, and would need longer than the timeout.
    Slow,
    /// It ends the connection before it answers.
    HangsUp,
    /// It answers something else.
    Garbage,
    /// It answers something else without end.
    Endless,
}

/// Octets that are no answer, with a NUL, an end of line and what is no UTF-8.
const GARBAGE: &[u8] = b"\x00\xff\x1b[2J<<\r\n\x80\x81 220 HTTP/1.1 200 OK\r\n\r\nok\r\n";

/// Behaves so on a connection, on which `answer` would be the right answer.
fn behave(trouble: Trouble, mut stream: TcpStream, answer: &[u8]) {
    if trouble == Trouble::HangsUp {
        return;
    }
    if trouble == Trouble::Hangs {
        return hang(stream);
    }
    // Some services greet, and others are asked.
    let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
    let _ = stream.read(&mut [0; 4096]);
    match trouble {
        Trouble::Slow => {
            for octet in answer {
                thread::sleep(TIMEOUT / 3);
                if stream.write_all(&[*octet]).is_err() {
                    break;
                }
            }
        }
        Trouble::Garbage => drop(stream.write_all(GARBAGE)),
        _ => flood(stream, &GARBAGE[..6]),
    }
}

/// A service over TCP with this trouble.
fn troubled(trouble: Trouble, answer: &'static [u8]) -> u16 {
    match trouble {
        Trouble::Gone => closed(),
        _ => serve(move |stream| behave(trouble, stream, answer)),
    }
}

/// A name server over UDP with this trouble.
fn troubled_name_server(trouble: Trouble) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("its number").port();
    if trouble == Trouble::Gone {
        return port;
    }
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            match trouble {
                Trouble::Garbage => drop(socket.send_to(GARBAGE, from)),
                // An empty datagram is the least that it can say.
                Trouble::HangsUp => drop(socket.send_to(&[], from)),
                Trouble::Slow => {
                    thread::sleep(TIMEOUT * 2);
                    let _ = socket.send_to(&buffer[..len], from);
                }
                Trouble::Endless => {
                    let until = Instant::now() + TIMEOUT * 2;
                    while Instant::now() < until {
                        let _ = socket.send_to(GARBAGE, from);
                    }
                }
                _ => {}
            }
        }
    });
    port
}

/// A command with this trouble.
fn troubled_command(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Gone | Trouble::HangsUp => "kill -9 $$",
        Trouble::Hangs => "sleep 30",
        Trouble::Slow => "for i in 1 2 3 4 5 6; do printf .; sleep 0.2; done",
        Trouble::Garbage => "printf '\\000\\377\\033[2J'; exit 1",
        Trouble::Endless => "yes",
    }
}

/// A kind of question, and what it makes of a trouble.
type Kind = (&'static str, fn(Trouble) -> String);

/// The kinds of questions, and the answer of a check of each to a service with a trouble.
fn kinds() -> Vec<Kind> {
    vec![
        ("tcp", |trouble| {
            let port = troubled(trouble, b"220 ok\r\n");
            answer(&format!("tcp = 127.0.0.1:{port}\ntimeout = 0.4"))
        }),
        ("tcp with a first line", |trouble| {
            let port = troubled(trouble, b"220 ok\r\n");
            answer(&format!(
                "tcp = 127.0.0.1:{port}\nexpect = ^220\ntimeout = 0.4"
            ))
        }),
        ("http", |trouble| {
            let port = troubled(trouble, b"HTTP/1.1 200 OK\r\n\r\n");
            answer(&format!("http = http://127.0.0.1:{port}/\ntimeout = 0.4"))
        }),
        ("https", |trouble| {
            let port = troubled(trouble, b"HTTP/1.1 200 OK\r\n\r\n");
            answer(&format!(
                "http = https://127.0.0.1:{port}/\nverify = no\ntimeout = 0.4"
            ))
        }),
        ("dns", |trouble| {
            let port = troubled_name_server(trouble);
            answer(&format!(
                "dns = 127.0.0.1:{port} who.ami TXT\ntimeout = 0.4"
            ))
        }),
        ("command", |trouble| {
            let path = script(troubled_command(trouble));
            let check = spec(&format!("command = {}\ntimeout = 0.4", path.display()));
            asked(Tools::for_commands, &check).0
        }),
    ]
}

/// No check but that of a mere connection passes, and none takes longer than its timeout: what it does then is
/// ended.
#[test]
fn hostile_answers_fail_in_time() {
    let mut table =
        String::from("| check | gone | hangs | slow | hangs up | garbage | endless |\n");
    table += "| --- | --- | --- | --- | --- | --- | --- |\n";
    for (kind, ask) in kinds() {
        table += &format!("| {kind} |");
        for trouble in TROUBLES {
            let began = Instant::now();
            let text = ask(trouble);
            let took = began.elapsed();
            assert!(
                took < TIMEOUT + Duration::from_secs(5),
                "{kind} {trouble:?}: {took:?}"
            );
            assert!(!text.is_empty() && text.chars().count() < 600, "{text}");
            let passes = text.starts_with("passed: ");
            // The kernel accepts connections for a service that hangs.
            let may_pass = kind == "tcp" && trouble != Trouble::Gone;
            assert_eq!(passes, may_pass, "{kind} {trouble:?}: {text}");
            let when = match took < TIMEOUT {
                true => "at once",
                false => "at its timeout",
            };
            let verb = if passes { "passes" } else { "fails" };
            table += &format!(" {verb} {when} |");
            println!("{kind} {trouble:?}: {}", printable(&text, 160));
        }
        table += "\n";
    }
    println!("{table}");
}
