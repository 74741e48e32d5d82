//! Lines of keepalived's language taken apart: comments, braces and words.

/// The result of taking a comment off a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bare {
    /// The line without comment and without blanks at its ends.
    pub(super) text: String,
    /// Whether it ends with a backslash, which is not part of the text.
    pub(super) continued: bool,
    /// Whether a double quotation mark is left open.
    pub(super) open: bool,
    /// Whether there was a comment after something else.
    pub(super) commented: bool,
}

/// Takes the comment off a line. `!` and `#` begin one anywhere outside of double quotation marks, unless
/// a backslash stands before them.
pub(super) fn bare(line: &str) -> Bare {
    let mut text = String::with_capacity(line.len());
    let (mut quoted, mut continued, mut commented) = (false, false, false);
    let mut chars = line.trim_start_matches([' ', '\t']).chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                text.push(c);
            }
            '\\' => match chars.next() {
                None => continued = true,
                Some(next @ ('#' | '!')) if !quoted => text.push(next),
                Some(next) => text.extend([c, next]),
            },
            '#' | '!' if !quoted => {
                commented = !text.is_empty();
                break;
            }
            _ => text.push(c),
        }
    }
    text.truncate(text.trim_end_matches([' ', '\t']).len());
    if text.ends_with('\\') {
        text.pop();
        text.truncate(text.trim_end_matches([' ', '\t']).len());
        continued = true;
    }
    Bare {
        text,
        continued,
        open: quoted,
        commented,
    }
}

/// Splits a line at the braces that are not in double quotation marks.
pub(super) fn braces(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut begin, mut quoted) = (0, false);
    let part = |text: &'_ str| -> bool { !text.trim_matches([' ', '\t']).is_empty() };
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '{' | '}' if !quoted => {
                let before = line.get(begin..at).unwrap_or_default();
                if part(before) {
                    parts.push(before.trim_matches([' ', '\t']));
                }
                parts.push(line.get(at..=at).unwrap_or_default());
                begin = at + 1;
            }
            _ => {}
        }
    }
    let rest = line.get(begin..).unwrap_or_default();
    if part(rest) {
        parts.push(rest.trim_matches([' ', '\t']));
    }
    parts
}

/// Splits a line into words at blanks and double quotation marks, which are not part of the words.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(is_blank);
        if rest.is_empty() {
            return words;
        }
        if let Some(inner) = rest.strip_prefix('"') {
            // Without a second mark the rest of the line is the word.
            let (word, after) = inner.split_once('"').unwrap_or((inner, ""));
            words.push(word.to_owned());
            rest = after;
        } else {
            let end = rest.find(|c| is_blank(c) || c == '"').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            words.push(word.to_owned());
            rest = after;
        }
    }
}

/// Splits the line of a script as a shell would: both kinds of quotation marks, and backslashes. `None`: a
/// mark is left open or a backslash is last.
pub(super) fn split_quoted(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| is_blank(*c)).is_some() {}
        if chars.peek().is_none() {
            return Some(words);
        }
        let mut word = String::new();
        let mut mark: Option<char> = None;
        while let Some(c) = chars.next_if(|c| mark.is_some() || !is_blank(*c)) {
            match c {
                '\\' => word.push(escaped(&mut chars)?),
                c if mark == Some(c) => mark = None,
                '"' | '\'' if mark.is_none() => mark = Some(c),
                c => word.push(c),
            }
        }
        if mark.is_some() {
            return None;
        }
        words.push(word);
    }
}

fn escaped(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    let c = chars.next()?;
    let mut number = |radix: u32, most: usize, first: u32| {
        let mut value = first;
        for _ in 0..most {
            let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else {
                break;
            };
            chars.next();
            value = (value * radix + digit) & 0xff;
        }
        char::from_u32(value)
    };
    match c {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'E' => Some('\u{1b}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        'x' => number(16, 2, 0),
        '0'..='7' => number(8, 2, c.to_digit(8)?),
        c => Some(c),
    }
}

/// The words of a command that stands in one word, as in `notify "/bin/x 'a b' c"`.
pub(super) fn split_command(word: &str) -> Option<Vec<String>> {
    split_quoted(word)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{b}' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_begin_anywhere_outside_of_double_quotation_marks() {
        let text = |line| bare(line).text;
        assert_eq!(text("  priority 5 # five"), "priority 5");
        assert_eq!(text("! all of it"), "");
        assert_eq!(text("script \"a # b\" ! c"), "script \"a # b\"");
        assert_eq!(text("script 'a # b'"), "script 'a");
        assert_eq!(text(r"auth_pass a\#b\!c"), "auth_pass a#b!c");
        assert!(bare("$X= \\").continued && bare("$X= \\").text == "$X=");
        assert!(bare("a \\ # b").continued);
        assert!(bare("a \"b").open);
        assert!(bare("state #STATE#").commented && !bare("# x").commented);
    }

    #[test]
    fn braces_stand_alone() {
        assert_eq!(braces("a b{ c } d"), ["a b", "{", "c", "}", "d"]);
        assert_eq!(braces("script \"a {b}\""), ["script \"a {b}\""]);
        assert_eq!(braces("}}"), ["}", "}"]);
    }

    #[test]
    fn words_are_split_as_keepalived_splits_them() {
        assert_eq!(split("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(split("a \"b c\" d"), ["a", "b c", "d"]);
        assert_eq!(split("ab\"c d\"e"), ["ab", "c d", "e"]);
        assert_eq!(split("a 'b c'"), ["a", "'b", "c'"]);
        let quoted = |line| split_quoted(line);
        assert_eq!(quoted("a 'b c' \"d\"e").unwrap(), ["a", "b c", "de"]);
        assert_eq!(
            quoted(r"a b\ c \x41 \101 \n").unwrap(),
            ["a", "b c", "A", "A", "\n"]
        );
        assert_eq!(quoted("a 'b"), None);
        assert_eq!(quoted("a \\"), None);
    }
}
