//! Policy rules, in the words of ip-rule(8).

use std::fmt;
use std::str::FromStr;

use vrrp_core::Family;

use super::words::{Network, RoutingError, Table, Words, number};

/// A policy rule: the packets that it is about, and the table that routes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// The family of the packets.
    pub family: Family,
    /// Whether it is about all other packets.
    pub not: bool,
    /// Their source. `None`: any.
    pub from: Option<Network>,
    /// Their destination. `None`: any.
    pub to: Option<Network>,
    /// The interface that they came in by. `None`: any.
    pub input: Option<String>,
    /// The interface that their socket is bound to. `None`: any.
    pub output: Option<String>,
    /// Their mark, and the bits of it that count.
    pub mark: Option<(u32, u32)>,
    /// The place among the rules: the lowest is asked first. 1 and above.
    pub priority: u32,
    /// The consequence for the packets.
    pub action: RuleAction,
}

/// The consequence of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleAction {
    /// The table with this number routes the packets, if it has a route.
    Lookup(u32),
    /// The packets are discarded without a word.
    Blackhole,
    /// The packets are answered with ICMP "host unreachable".
    Unreachable,
    /// The packets are answered with ICMP "administratively prohibited".
    Prohibit,
}

const EXPECTED: &str = "`from`, `to`, `iif`, `oif`, `fwmark`, `priority`, `lookup`, `blackhole`, \
                        `unreachable` or `prohibit`";

impl FromStr for Rule {
    type Err = RoutingError;

    fn from_str(text: &str) -> Result<Self, RoutingError> {
        let mut words = Words::new(text);
        let named = [("inet", Family::Ipv4), ("inet6", Family::Ipv6)];
        let named = named.iter().find(|(word, _)| words.take(word));
        let mut rule = Rule {
            family: Family::Ipv4,
            not: words.take("not"),
            from: None,
            to: None,
            input: None,
            output: None,
            mark: None,
            priority: 0,
            action: RuleAction::Prohibit,
        };
        let mut first = true;
        while let Some(word) = words.next() {
            rule.take(word, &mut words, first)?;
            first = false;
        }
        let prefix = rule.from.or(rule.to);
        rule.family = match (named, prefix) {
            (Some((_, family)), _) => *family,
            (None, Some(network)) => Family::of(network.address),
            (None, None) => Family::Ipv4,
        };
        rule.check(&words)?;
        Ok(rule)
    }
}

impl Rule {
    /// Takes one word and what belongs to it.
    fn take(&mut self, word: &str, words: &mut Words<'_>, first: bool) -> Result<(), RoutingError> {
        match word {
            "from" => {
                words.once("from")?;
                self.from = words.network("from")?;
            }
            "to" => {
                words.once("to")?;
                self.to = words.network("to")?;
            }
            "iif" | "dev" => {
                words.once("iif")?;
                self.input = Some(words.device(word)?);
            }
            "oif" => {
                words.once("oif")?;
                self.output = Some(words.device("oif")?);
            }
            "fwmark" => {
                words.once("fwmark")?;
                self.mark = Some(mark(words.next().unwrap_or_default())?);
            }
            "priority" | "pref" | "preference" | "order" => {
                words.once("priority")?;
                self.priority = words.number(word, 1)?;
            }
            "lookup" | "table" => {
                words.once("lookup")?;
                self.action = RuleAction::Lookup(words.table(word)?);
            }
            "blackhole" | "unreachable" | "prohibit" => {
                words.once("lookup")?;
                self.action = match word {
                    "blackhole" => RuleAction::Blackhole,
                    "unreachable" => RuleAction::Unreachable,
                    _ => RuleAction::Prohibit,
                };
            }
            other if first => {
                let expected = format!("`inet6`, `not`, {EXPECTED}");
                return Err(RoutingError::new(expected, other));
            }
            other => return Err(RoutingError::new(EXPECTED, other)),
        }
        Ok(())
    }

    /// Checks what the parts make together.
    fn check(&self, words: &Words<'_>) -> Result<(), RoutingError> {
        let family = self.family;
        for (word, network) in [("from", self.from), ("to", self.to)] {
            if let Some(network) = network.filter(|n| Family::of(n.address) != family) {
                let expected = format!("an {family} network after `{word}`");
                return Err(RoutingError::new(expected, &network.to_string()));
            }
        }
        let missing = if !words.has("priority") {
            "`priority` and a number: without one the place of the rule among the others is left to chance"
        } else if !words.has("lookup") {
            "`lookup` and a table, `blackhole`, `unreachable` or `prohibit`"
        } else {
            return Ok(());
        };
        Err(RoutingError::new(missing, ""))
    }
}

/// `7`, `0x7` or `0x7/0xff`.
fn mark(text: &str) -> Result<(u32, u32), RoutingError> {
    let (mark, mask) = match text.split_once('/') {
        Some((mark, mask)) => (number(mark), number(mask)),
        None => (number(text), Some(u32::MAX)),
    };
    let both = mark.zip(mask).filter(|(mark, mask)| mark & !mask == 0);
    both.ok_or_else(|| {
        RoutingError::new(
            "a mark such as `7` or `0x7/0xff`, without bits outside of the mask, after `fwmark`",
            text,
        )
    })
}

/// The rule in the words of ip-rule(8). `inet6` stands where no network says so.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.family == Family::Ipv6 && self.from.or(self.to).is_none() {
            f.write_str("inet6 ")?;
        }
        if self.not {
            f.write_str("not ")?;
        }
        match self.from {
            Some(from) => write!(f, "from {from}")?,
            None => f.write_str("from all")?,
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        if let Some(input) = &self.input {
            write!(f, " iif {input}")?;
        }
        if let Some(output) = &self.output {
            write!(f, " oif {output}")?;
        }
        match self.mark {
            Some((mark, u32::MAX)) => write!(f, " fwmark {mark:#x}")?,
            Some((mark, mask)) => write!(f, " fwmark {mark:#x}/{mask:#x}")?,
            None => {}
        }
        write!(f, " priority {} ", self.priority)?;
        match self.action {
            RuleAction::Lookup(table) => write!(f, "lookup {}", Table(table)),
            RuleAction::Blackhole => f.write_str("blackhole"),
            RuleAction::Unreachable => f.write_str("unreachable"),
            RuleAction::Prohibit => f.write_str("prohibit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_and_written_in_the_words_of_ip_rule() {
        let table = [
            (
                "from 192.0.2.10 lookup 100 pref 50",
                "from 192.0.2.10/32 priority 50 lookup 100",
            ),
            (
                "to 2001:db8::/32 table main priority 5",
                "from all to 2001:db8::/32 priority 5 lookup main",
            ),
            (
                "inet6 fwmark 7 order 9 prohibit",
                "inet6 from all fwmark 0x7 priority 9 prohibit",
            ),
            (
                "not from 10.0.0.0/8 iif eth0 oif eth1 fwmark 0x1/0xff priority 1 blackhole",
                "not from 10.0.0.0/8 iif eth0 oif eth1 fwmark 0x1/0xff priority 1 blackhole",
            ),
            (
                "from all dev eth0 priority 3 unreachable",
                "from all iif eth0 priority 3 unreachable",
            ),
        ];
        for (text, written) in table {
            let rule: Rule = text.parse().unwrap();
            assert_eq!(rule.to_string(), written);
            assert_eq!(written.parse(), Ok(rule));
        }
    }

    #[test]
    fn an_error_names_the_word() {
        let place = "expected `priority` and a number: without one the place of the rule among the others is left to chance, found nothing";
        let table = [
            ("", place.to_owned()),
            ("from 10.0.0.0/8 lookup 7", place.to_owned()),
            (
                "from 10.0.0.0/8 priority 7",
                "expected `lookup` and a table, `blackhole`, `unreachable` or `prohibit`, found nothing"
                    .into(),
            ),
            (
                "add from 10.0.0.0/8",
                format!("expected `inet6`, `not`, {EXPECTED}, found `add`"),
            ),
            (
                "from 10.0.0.0/8 realms 1",
                format!("expected {EXPECTED}, found `realms`"),
            ),
            (
                "from 10.0.0.0/8 to 2001:db8::/32 priority 1 lookup 2",
                "expected an IPv4 network after `to`, found `2001:db8::/32`".into(),
            ),
            (
                "fwmark 0x10/0xf priority 1 lookup 2",
                "expected a mark such as `7` or `0x7/0xff`, without bits outside of the mask, after `fwmark`, found `0x10/0xf`"
                    .into(),
            ),
            (
                "from all priority 0 lookup 2",
                "expected a number from 1 to 4294967295 after `priority`, found `0`".into(),
            ),
            (
                "from all priority 1 lookup 2 prohibit",
                "expected `lookup` once, found it twice".into(),
            ),
        ];
        for (text, error) in table {
            let found = text.parse::<Rule>().map_err(|error| error.to_string());
            assert_eq!(found, Err(error), "{text}");
        }
    }
}
