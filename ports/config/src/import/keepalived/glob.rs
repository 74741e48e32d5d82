//! Names of files with `*`, `?`, `[...]` and `{a,b}`.

use std::path::Path;

use crate::import::surroundings::Surroundings;

/// The most names of a pattern.
const MAX_NAMES: usize = 1_000;
/// The most patterns that braces make of one.
const MAX_PATTERNS: usize = 200;
/// The most steps of one comparison.
const MAX_STEPS: usize = 100_000;

/// Returns the names that fit a pattern, sorted for each alternative in braces. A name without
/// wildcards is returned as it is.
pub(super) fn matching(pattern: &str, surroundings: &dyn Surroundings) -> Vec<String> {
    let mut found = Vec::new();
    for pattern in alternatives(pattern) {
        if !is_wild(&pattern) {
            if surroundings.read(Path::new(&pattern)).is_ok() {
                found.push(pattern);
            }
            continue;
        }
        let (root, parts) = match pattern.strip_prefix('/') {
            Some(rest) => ("/", rest),
            None => ("", pattern.as_str()),
        };
        let mut paths = vec![root.to_owned()];
        let parts: Vec<&str> = parts.split('/').filter(|part| !part.is_empty()).collect();
        for part in parts {
            let mut longer = Vec::new();
            for path in &paths {
                let joined = |name: &str| {
                    if path.is_empty() || path.ends_with('/') {
                        format!("{path}{name}")
                    } else {
                        format!("{path}/{name}")
                    }
                };
                if !is_wild(part) {
                    longer.push(joined(part));
                    continue;
                }
                let mut names = surroundings.names(Path::new(path));
                names.sort();
                let hidden = part.starts_with('.');
                let names = names.iter().filter(|n| hidden || !n.starts_with('.'));
                let fits = names.filter(|name| is_like(part, name));
                longer.extend(fits.map(|name| joined(name)));
            }
            longer.truncate(MAX_NAMES);
            paths = longer;
        }
        let files = paths
            .into_iter()
            .filter(|path| surroundings.read(Path::new(path)).is_ok());
        found.extend(files);
        if found.len() > MAX_NAMES {
            found.truncate(MAX_NAMES);
            break;
        }
    }
    found
}

fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The patterns without braces that one with braces stands for.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut all = vec![pattern.to_owned()];
    let mut at = 0;
    while let Some(text) = all.get(at) {
        let Some((before, items, after)) = first_braces(text) else {
            at += 1;
            continue;
        };
        let new: Vec<String> = items
            .iter()
            .map(|item| format!("{before}{item}{after}"))
            .collect();
        if all.len() + new.len() > MAX_PATTERNS {
            all.remove(at);
            continue;
        }
        all.splice(at..=at, new);
    }
    all
}

/// The text before the first braces, their items, and the text after.
fn first_braces(text: &str) -> Option<(String, Vec<String>, String)> {
    let open = text.find('{')?;
    let (before, rest) = text.split_at(open);
    let mut items = vec![String::new()];
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match c {
            '{' if depth == 1 => {}
            ',' if depth == 1 => items.push(String::new()),
            '}' if depth == 0 => {
                let after = rest.get(at + 1..).unwrap_or_default();
                return Some((before.to_owned(), items, after.to_owned()));
            }
            c => items.last_mut()?.push(c),
        }
    }
    None
}

/// Whether a name fits a pattern of one part of a path.
fn is_like(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` does not fit.
    let mut star: Option<(usize, usize)> = None;
    for _ in 0..MAX_STEPS {
        if n == name.len()
            && pattern
                .get(p..)
                .is_some_and(|p| p.iter().all(|c| *c == '*'))
        {
            return true;
        }
        let fits = match (pattern.get(p), name.get(n)) {
            (Some('*'), _) => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            (Some('?'), Some(_)) => Some(1),
            (Some('['), Some(c)) => set(pattern.get(p..).unwrap_or_default(), *c),
            (Some(a), Some(b)) if a == b => Some(1),
            _ => None,
        };
        match (fits, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((at, from))) if from < name.len() => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            _ => return false,
        }
    }
    false
}

/// The length of the set in brackets at the beginning, if the character is in it.
fn set(pattern: &[char], c: char) -> Option<usize> {
    let inner = pattern.get(1..)?;
    let negative = matches!(inner.first(), Some('!' | '^'));
    let begin = 1 + usize::from(negative);
    // A `]` right after the beginning is a member.
    let end = begin + 1 + pattern.get(begin + 1..)?.iter().position(|c| *c == ']')?;
    let members = pattern.get(begin..end)?;
    let mut found = false;
    let mut at = 0;
    while let Some(first) = members.get(at) {
        match (members.get(at + 1), members.get(at + 2)) {
            (Some('-'), Some(last)) => {
                found |= (*first..=*last).contains(&c);
                at += 3;
            }
            _ => {
                found |= *first == c;
                at += 1;
            }
        }
    }
    (found != negative).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, fits) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("[a", "[a", false),
            ("*", "", true),
        ] {
            assert_eq!(is_like(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn braces_are_alternatives() {
        assert_eq!(alternatives("a{b,c{d,}}e"), ["abe", "acde", "ace"]);
        assert_eq!(alternatives("a{b"), ["a{b"]);
    }
}
