//! `$NAME` definitions, `~SEQ` and `~LST`.

use std::collections::HashMap;
use std::ops::Range;

use crate::import::report::At;

/// The value of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Definition {
    /// A part of a line.
    Text(String),
    /// Several lines, each with its place.
    Lines(Vec<(At, String)>),
}

/// Whether a line begins a definition.
pub(super) fn begins(line: &str) -> bool {
    definition(line).is_some()
}

/// The name and the value of `$NAME=VALUE`.
pub(super) fn definition(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix('$')?;
    let (name, value) = rest.split_once('=')?;
    is_name(name).then(|| (name, value.trim_matches([' ', '\t'])))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A place where a name is used: the part of the line, the name, the words after it in braces, and
/// whether it ends the line.
fn uses(line: &str) -> impl Iterator<Item = (Range<usize>, &str, Vec<&str>, bool)> {
    line.match_indices('$').filter_map(|(at, _)| {
        let rest = line.get(at + 1..)?;
        if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}')?;
            let mut words = inner.get(..end)?.split_ascii_whitespace();
            let name = words.next().filter(|name| is_name(name))?;
            if !inner.starts_with(name) {
                return None;
            }
            let range = at..at + 2 + end + 1;
            let last = range.end == line.len();
            return Some((range, name, words.collect(), last));
        }
        let name_char = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !name_char(c)).unwrap_or(rest.len());
        let name = rest.get(..end).filter(|name| is_name(name))?;
        let after = rest.get(end..)?;
        let ends = after.is_empty() || after.starts_with([' ', '\t', ',', ')']);
        let range = at..at + 1 + end;
        ends.then_some((range, name, Vec::new(), after.is_empty()))
    })
}

/// The first use of a definition in a line. One of several lines is used at the end of a line alone.
pub(super) fn find<'a>(
    line: &str,
    definitions: &'a HashMap<String, Definition>,
) -> Option<(Range<usize>, &'a Definition)> {
    uses(line).find_map(|(range, name, words, last)| {
        let definition = definitions.get(name).filter(|_| words.is_empty())?;
        let usable = last || matches!(definition, Definition::Text(_));
        usable.then_some((range, definition))
    })
}

/// The first use of one of keepalived's own definitions.
pub(super) fn find_builtin(
    line: &str,
    value: &mut dyn FnMut(&str, &[&str]) -> Option<String>,
) -> Option<(Range<usize>, String)> {
    uses(line).find_map(|(range, name, words, _)| Some((range, value(name, &words)?)))
}

/// A `~SEQ` or `~LST` and the line that it repeats.
#[derive(Debug)]
pub(super) struct Sequence<'a> {
    kind: Kind,
    /// The rest of the line.
    pub(super) rest: &'a str,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Numbers {
        name: String,
        first: i64,
        step: i64,
        last: i64,
        hex: bool,
    },
    List {
        names: Vec<String>,
        values: Vec<Vec<String>>,
    },
}

/// Definitions and their values for one repetition.
type Values = Vec<(String, String)>;

impl<'a> Sequence<'a> {
    /// Reads a line that begins with `~SEQ` or `~LST`.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let is_list = line.starts_with("~LST");
        let rest = line.get(4..)?;
        let (hex, rest) = match rest.strip_prefix('x').filter(|_| !is_list) {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('(')?;
        let (inner, rest) = rest.split_once(')')?;
        let rest = rest.trim_start_matches([' ', '\t']);
        let kind = if is_list {
            list(inner)?
        } else {
            numbers(inner, hex)?
        };
        Some(Self { kind, rest })
    }

    /// The values, one repetition after the other.
    pub(super) fn values(&self) -> Box<dyn Iterator<Item = Values> + '_> {
        match &self.kind {
            Kind::Numbers {
                name,
                first,
                step,
                last,
                hex,
            } => {
                let (step, last) = (*step, *last);
                let numbers = std::iter::successors(Some(*first), move |number| {
                    let next = number.checked_add(step)?;
                    let within = if step > 0 { next <= last } else { next >= last };
                    within.then_some(next)
                });
                Box::new(numbers.map(move |number| {
                    let value = if *hex {
                        format!("{number:x}")
                    } else {
                        number.to_string()
                    };
                    vec![(name.clone(), value)]
                }))
            }
            Kind::List { names, values } => Box::new(values.iter().map(move |values| {
                let values = values
                    .iter()
                    .cloned()
                    .chain(std::iter::repeat(String::new()));
                names.iter().cloned().zip(values).collect()
            })),
        }
    }
}

/// `NAME, [[FIRST, [STEP,]] LAST`.
fn numbers(inner: &str, hex: bool) -> Option<Kind> {
    let mut words = inner.split(',').map(|word| word.trim_matches([' ', '\t']));
    let name = words.next().filter(|name| is_name(name))?.to_owned();
    let numbers: Vec<i64> = words.map(integer).collect::<Option<_>>()?;
    let (first, step, last) = match *numbers.as_slice() {
        [last] => {
            let sign = if last < 1 { -1 } else { 1 };
            (if last < 0 { -1 } else { 1 }, sign, last)
        }
        [first, last] => (first, if first <= last { 1 } else { -1 }, last),
        [first, step, last] => (first, step, last),
        _ => return None,
    };
    let away = step == 0 || (first < last && step < 0) || (first > last && step > 0);
    let negative = hex && (first < 0 || last < 0);
    (!away && !negative).then_some(Kind::Numbers {
        name,
        first,
        step,
        last,
        hex,
    })
}

/// A number as C writes it: decimal, `0x` hexadecimal, or octal after a 0.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = ["0x", "0X"].iter().find_map(|p| digits.strip_prefix(p));
    let (digits, radix) = match (prefix, digits.strip_prefix('0')) {
        (Some(hex), _) => (hex, 16),
        (None, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (digits, 10),
    };
    if digits.is_empty() || digits.len() > 15 || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// `NAME, A, B` or `{NAME, NAME}, {A, B}, {C, D}`.
fn list(inner: &str) -> Option<Kind> {
    let mut items = items(inner)?.into_iter();
    let names = items.next()?;
    let values: Vec<Vec<String>> = items.collect();
    let fits = names.iter().all(|name| is_name(name))
        && !values.is_empty()
        && values.iter().all(|set| set.len() <= names.len());
    fits.then_some(Kind::List { names, values })
}

/// Items between commas, of which those in braces are lists themselves.
fn items(text: &str) -> Option<Vec<Vec<String>>> {
    let trim = |text: &str| text.trim_matches([' ', '\t']).to_owned();
    let mut all = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t']);
    loop {
        let after = if let Some(inner) = rest.strip_prefix('{') {
            let (set, after) = inner.split_once('}')?;
            all.push(set.split(',').map(trim).collect());
            after.trim_start_matches([' ', '\t'])
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            all.push(vec![trim(word)]);
            after
        };
        if after.is_empty() {
            return Some(all);
        }
        rest = after.strip_prefix(',')?.trim_start_matches([' ', '\t']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Vec<String> {
        let sequence = Sequence::parse(line).unwrap();
        let one = |values: Values| {
            let values = values
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"));
            values.collect::<Vec<_>>().join(" ")
        };
        sequence.values().map(one).collect()
    }

    #[test]
    fn sequences_count_as_told() {
        assert_eq!(values("~SEQ(A, 0, 2) x"), ["A=0", "A=1", "A=2"]);
        assert_eq!(values("~SEQ(A,2) x"), ["A=1", "A=2"]);
        assert_eq!(values("~SEQ (A,3,1) x"), ["A=3", "A=2", "A=1"]);
        assert_eq!(
            values("~SEQx(A, 0x90, 0x10, 0xb0)"),
            ["A=90", "A=a0", "A=b0"]
        );
        assert_eq!(values("~SEQ(A,1,3,5)"), ["A=1", "A=4"]);
        for bad in [
            "~SEQ",
            "~SEQ()",
            "~SEQ(A)",
            "~SEQ(A,1,0,2)",
            "~SEQ(A,1,-1,2)",
            "~SEQ(A,x)",
            "~SEQx(A,-1)",
        ] {
            assert!(Sequence::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn lists_give_each_name_a_value() {
        assert_eq!(values("~LST(A, 1, x) y"), ["A=1", "A=x"]);
        assert_eq!(values("~LST({A, B}, {1,2},{3}) y"), ["A=1 B=2", "A=3 B="]);
        for bad in ["~LST(A)", "~LST({A},{1,2})", "~LST({A", "~LST()"] {
            assert!(Sequence::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(Sequence::parse("~LST(A,1) z w").unwrap().rest, "z w");
    }

    #[test]
    fn uses_end_where_they_should() {
        let names = |line| -> Vec<String> { uses(line).map(|u| u.1.to_owned()).collect() };
        assert_eq!(names("$A $B.c ${C}d $D,$E)"), ["A", "C", "D", "E"]);
        assert!(names("$ ${ ${} $1 ${1}").is_empty());
    }
}
