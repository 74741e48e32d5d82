//! The answers of services to checks: a first line, a page, a message of a name server.

use std::sync::LazyLock;

use vrrp_checks::answers::judge;
use vrrp_config::CheckSpec;

/// A question, as lines of a check, and whether an answer can be a pass.
type Question = (&'static str, fn(&[u8]) -> bool);

/// The questions, of which the first octet chooses one.
const QUESTIONS: [Question; 6] = [
    ("tcp = 127.0.0.1:1\nexpect = ^220[ -]", |octets| {
        octets.starts_with(b"220")
    }),
    (
        "tcp = 127.0.0.1:1\nsend = PING\nexpect = (a|b)*c$",
        |octets| octets.contains(&b'c'),
    ),
    ("http = http://127.0.0.1/", |octets| {
        octets.starts_with(b"HTTP/1.")
    }),
    (
        "http = http://127.0.0.1/\nbody = ok\nstatus = 200,204",
        |octets| octets.contains(&b'o') && octets.contains(&b'k'),
    ),
    ("dns = 127.0.0.1 who.ami TXT\nanswer = fridge", |octets| {
        octets.get(3).is_some_and(|octet| octet & 0xf == 0)
    }),
    ("dns = 127.0.0.1 who.ami SOA", |octets| octets.len() > 12),
];

/// The checks of [`QUESTIONS`].
static CHECKS: LazyLock<Vec<CheckSpec>> = LazyLock::new(|| {
    let spec = |(lines, _): &Question| {
        let text = format!(
            "[VRID]\nserverid=1\ninterface=lo\naddr=192.0.2.1/32\n[CHECK]\nname=x\n{lines}\n"
        );
        let parsed = vrrp_config::parse("x.conf".as_ref(), &text);
        let config = parsed.config.expect("a configuration");
        config.checks.into_iter().next().expect("a check").spec
    };
    QUESTIONS.iter().map(spec).collect()
});

/// Judges the octets after the first as the answer of a service.
///
/// # Panics
/// When an answer that cannot be one passes, when the same answer is judged in two ways, or when the words for
/// an administrator are long or more than a line.
pub fn check(octets: &[u8]) {
    let Some((first, answer)) = octets.split_first() else {
        return;
    };
    let index = usize::from(*first) % QUESTIONS.len();
    let judged = judge(&CHECKS[index], answer).expect("a kind with an answer");
    let (Ok(words) | Err(words)) = &judged;
    assert!(!words.is_empty() && words.chars().count() < 400, "{words}");
    assert!(!words.contains(|c: char| c.is_control()), "{words:?}");
    if judged.is_ok() {
        assert!(QUESTIONS[index].1(answer), "{words}: {answer:?}");
    }
    assert_eq!(judge(&CHECKS[index], answer), Some(judged));
}
