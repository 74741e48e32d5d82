//! The words of a command line: which virtual routers, for how long.

use std::time::Duration;

use lexopt::Error;

use vrrp_control::{Status, Which};
use vrrpd::ctl::filter::Filter;

/// In the place of VRIDs: every virtual router.
pub(super) const ALL: &str = "--all";

/// A VRID or a name.
enum Word<'a> {
    Vrid(u8),
    Name(&'a str),
}

fn read(word: &str) -> Result<Word<'_>, Error> {
    match word.parse() {
        Ok(vrid @ 1..) => Ok(Word::Vrid(vrid)),
        Err(_) if word.starts_with(|c: char| c.is_ascii_alphabetic()) => Ok(Word::Name(word)),
        _ => Err(format!("expected a VRID from 1 to 255 or a name, found `{word}`").into()),
    }
}

/// Whether the words are `--all`, which goes with no VRID and no name.
fn names_all(words: &[&str]) -> Result<bool, Error> {
    let other = words.iter().find(|word| **word != ALL);
    match (words.contains(&ALL), other) {
        (true, Some(other)) => Err(format!(
            "--all means every virtual router: leave out `{other}`, or leave out --all"
        )
        .into()),
        (all, _) => Ok(all),
    }
}

/// The virtual routers that words name on the interface and in the family of the options.
pub(super) fn which(words: &[&str], filter: &Filter) -> Result<Which, Error> {
    let mut which = Which {
        interface: filter.interface.clone(),
        family: filter.family,
        ..Which::default()
    };
    match words {
        _ if names_all(words)? => which.all = true,
        [] => return Err("expected a VRID or a name, or --all".into()),
        words => {
            for word in words {
                match read(word)? {
                    Word::Vrid(vrid) if which.vrid == 0 => which.vrid = vrid,
                    Word::Vrid(vrid) => which.more.push(vrid),
                    Word::Name(name) => which.names.push(name.to_owned()),
                }
            }
        }
    }
    Ok(which)
}

/// The filter with the virtual routers that words name, all where there are none.
pub(super) fn narrowed(words: &[&str], filter: &Filter) -> Result<Filter, Error> {
    let mut filter = filter.clone();
    if names_all(words)? {
        return Ok(filter);
    }
    for word in words {
        match read(word)? {
            Word::Vrid(vrid) => filter.vrids.push(vrid),
            Word::Name(name) => filter.names.push(name.to_owned()),
        }
    }
    Ok(filter)
}

/// Whether a VRID or a name of a request is none of this host's.
pub(super) fn is_missing(which: &Which, status: &Status) -> bool {
    let narrow = |vrid: Option<u8>, name: Option<&String>| Filter {
        interface: which.interface.clone(),
        family: which.family,
        vrids: vrid.into_iter().collect(),
        names: name.into_iter().cloned().collect(),
    };
    let vrids = (which.vrid != 0).then_some(&which.vrid).into_iter();
    let vrids = vrids
        .chain(&which.more)
        .map(|vrid| narrow(Some(*vrid), None));
    let names = which.names.iter().map(|name| narrow(None, Some(name)));
    let all = which.all.then(|| narrow(None, None));
    let mut filters = vrids.chain(names).chain(all);
    filters.any(|filter| {
        let mut routers = status.virtual_routers.iter();
        !routers.any(|router| filter.fits_router(router))
    })
}

/// A time: `90`, `30s`, `5m`, `2h` or `1d`, from a second to `most`.
pub(super) fn span(text: &str, most: Duration) -> Result<Duration, Error> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit).unwrap_or(text);
    let unit = match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(60 * 60),
        "d" => Some(24 * 60 * 60),
        _ => None,
    };
    let seconds = unit.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit));
    let span = seconds.map(Duration::from_secs);
    span.filter(|span| *span >= Duration::from_secs(1) && *span <= most)
        .ok_or_else(|| {
            let most = most.as_secs();
            format!(
                "expected a time such as 90, 30s, 5m or 2h, from 1 s to {most} s, found `{text}`"
            )
            .into()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::VirtualRouter;

    #[test]
    fn a_word_that_fits_no_virtual_router_is_missing() {
        let router = |vrid, name: &str| VirtualRouter {
            vrid,
            name: Some(name.to_owned()),
            interface: "eth0".into(),
            ..VirtualRouter::default()
        };
        let status = Status {
            virtual_routers: vec![router(1, "web"), router(2, "mail")],
            ..Status::default()
        };
        let on = |interface: &str| Filter {
            interface: Some(interface.to_owned()),
            ..Filter::default()
        };
        let missing = |words: &[&str], filter: &Filter| {
            is_missing(&which(words, filter).expect("words"), &status)
        };
        for there in [&["1"][..], &["web", "2"], &["mail"], &[ALL]] {
            assert!(!missing(there, &on("eth0")), "{there:?}");
            assert!(missing(there, &on("eth1")), "{there:?}");
        }
        for absent in [&["3"][..], &["web", "dns"], &["1", "9"]] {
            assert!(missing(absent, &Filter::default()), "{absent:?}");
        }
    }

    #[test]
    fn times_have_units() {
        let day = Duration::from_secs(86_400);
        for (text, seconds) in [
            ("90", 90),
            ("30s", 30),
            ("5m", 300),
            ("2h", 7200),
            ("1d", 86_400),
        ] {
            assert_eq!(span(text, day).expect(text).as_secs(), seconds);
        }
        for text in [
            "",
            "0",
            "s",
            "-1",
            "2d",
            "1w",
            "99999999999999999999d",
            "1 h",
        ] {
            assert!(span(text, day).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_vrids_and_names() {
        let which = which(&["7", "web", "9"], &Filter::default()).expect("words");
        assert_eq!((which.vrid, which.more.as_slice()), (7, &[9][..]));
        assert_eq!(which.names, ["web"]);
        for bad in [&["0"][..], &["256"], &["-x"], &[], &["1", ALL]] {
            assert!(super::which(bad, &Filter::default()).is_err(), "{bad:?}");
        }
        for both in [&[ALL, "web"], &["web", ALL]] {
            let error = super::which(both, &Filter::default()).expect_err("both");
            let expected = "--all means every virtual router: leave out `web`, or leave out --all";
            assert_eq!(error.to_string(), expected);
            let error = narrowed(both, &Filter::default()).expect_err("both");
            assert_eq!(error.to_string(), expected);
        }
        let all = super::which(&[ALL], &Filter::default()).expect("all");
        assert!(all.all);
    }
}
