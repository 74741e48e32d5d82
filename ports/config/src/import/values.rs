//! Values as `vrrpd.conf` can hold them.

use crate::import::output::can_hold;

/// Characters of a shell's language, which a script of `vrrpd.conf` may not have.
const SHELL: &[char] = &[
    ';', '|', '&', '<', '>', '$', '`', '"', '\'', '\\', '*', '?', '(', ')', '{', '}', '~',
];

/// A command with its words as the value of a script. `Err`: the word that cannot be written.
pub(super) fn command(words: &[String]) -> Result<String, String> {
    for word in words {
        let blank = word.is_empty() || word.contains(|c: char| c.is_whitespace());
        if blank || word.contains(SHELL) || !can_hold(word) || word.starts_with('#') {
            return Err(word.clone());
        }
    }
    Ok(words.join(" "))
}

/// A command as a line of a shell script.
pub(super) fn shell_line(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// A name of a virtual router: as it is, or `None` if `name` cannot hold it.
pub(super) fn router_name(text: &str) -> Option<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let taken = ["all", "default", "on", "off"];
    let taken = taken.iter().any(|word| word.eq_ignore_ascii_case(text));
    (begins && text.len() <= 32 && text.chars().all(fits) && !taken).then_some(text)
}

/// A name of a check that none of `taken` has.
pub(super) fn check_name(text: &str, taken: &[String]) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let plain = text.chars().map(|c| if fits(c) { c } else { '_' });
    let mut name: String = plain.take(32).collect();
    if name.is_empty() {
        name.push_str("check");
    }
    let mut number = 1;
    let base: String = name.chars().take(26).collect();
    while taken.contains(&name) {
        number += 1;
        name = format!("{base}-{number}");
    }
    name
}

/// Seconds in microseconds, from a decimal number as keepalived reads one.
pub(super) fn micros(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let places: String = fraction.chars().chain("000000".chars()).take(6).collect();
    whole
        .checked_mul(1_000_000)?
        .checked_add(places.parse().ok()?)
}

/// Milliseconds as seconds.
pub(super) fn seconds(millis: u64) -> String {
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A whole number, as keepalived reads one.
pub(super) fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain =
        !digits.is_empty() && digits.len() < 18 && digits.bytes().all(|b| b.is_ascii_digit());
    let number: i64 = plain.then(|| digits.parse().ok()).flatten()?;
    Some(if text.starts_with('-') {
        -number
    } else {
        number
    })
}

/// `on`, `true` and `yes`, or their opposites.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}
