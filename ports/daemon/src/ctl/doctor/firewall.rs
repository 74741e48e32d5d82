//! Rules of the firewall that drop advertisements, in the listings of nft(8) and iptables-save(8).

use vrrp_control::{Family, Status};

use super::{Finding, Host};

/// A line of nft(8) or iptables-save(8).
struct Rule {
    /// Without its counter, whose numbers mean no protocol.
    text: String,
    /// The packets that it has met, where they are counted.
    packets: Option<u64>,
}

impl Rule {
    fn of(line: &str) -> Self {
        let with = |before: &str, after: &str, packets: &str| Self {
            text: format!("{before}{after}"),
            packets: packets.parse().ok(),
        };
        // `[12:480] -A INPUT -p 112 -j DROP`
        if let Some((counter, rule)) = line.strip_prefix('[').and_then(|l| l.split_once("] "))
            && let Some((packets, _)) = counter.split_once(':')
        {
            return with("", rule, packets);
        }
        // `ip protocol 112 counter packets 12 bytes 480 drop`
        if let Some((before, rest)) = line.split_once("counter packets ")
            && let Some((packets, rest)) = rest.split_once(" bytes ")
        {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            return with(before, after, packets);
        }
        Self {
            text: line.to_owned(),
            packets: None,
        }
    }

    fn words(&self) -> Vec<&str> {
        self.text.split_whitespace().collect()
    }

    fn names_vrrp(&self) -> bool {
        let mut words = self.text.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| matches!(word, "112" | "vrrp" | "VRRP"))
    }

    fn drops(&self) -> bool {
        let words = ["drop", "DROP", "reject", "REJECT"];
        words.iter().any(|word| self.text.contains(word))
    }

    /// Whether it drops every packet that comes so far.
    fn drops_all(&self) -> bool {
        match self.words().as_slice() {
            ["counter", rest @ ..] if !rest.is_empty() => matches!(rest[0], "drop" | "reject"),
            ["drop" | "reject", ..] => true,
            ["log", ..] => self.drops(),
            ["-A", _, "-j", "DROP" | "REJECT", ..] => true,
            _ => false,
        }
    }

    /// Whether it accepts all advertisements, or those that another rule would drop.
    fn spares_from(&self, other: &Self) -> bool {
        let text = self.text.replace("vrrp", "112");
        let words: Vec<&str> = text
            .split_whitespace()
            .filter(|w| *w != "counter")
            .collect();
        match words.as_slice() {
            ["ip", "protocol", "112", "accept"] => !other.text.contains("ip6"),
            ["ip6", "nexthdr", "112", "accept"] => other.text.contains("ip6"),
            ["meta", "l4proto", "112", "accept"] | ["-A", _, "-p", "112", "-j", "ACCEPT"] => true,
            _ => false,
        }
    }
}

/// A chain, and what it says of protocol 112.
#[derive(Default)]
struct Chain {
    /// The family of its table, the table and the chain, as nft(8) names them; empty where it is of
    /// iptables-save(8), or unknown.
    place: Option<[String; 3]>,
    /// It comes before packet sockets: a table of the family netdev, or the hook ingress.
    is_early: bool,
    /// The interfaces of its hook; empty: all.
    devices: Vec<String>,
    /// It sees packets to this host, and drops what it has no rule for.
    is_strict: bool,
    /// It sees packets to this host.
    is_base: bool,
    /// The rules, in their order.
    rules: Vec<Rule>,
}

impl Chain {
    /// The rules that drop advertisements, but for those behind one that accepts them.
    fn dropping(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.rules.iter().enumerate();
        rules.filter_map(|(at, rule)| {
            let mut before = self.rules[..at].iter();
            let mut is_reached = || !before.any(|one| one.spares_from(rule));
            (rule.names_vrrp() && rule.drops() && is_reached()).then_some(rule)
        })
    }

    /// Whether a rule accepts advertisements: one behind a rule that drops everything does not.
    fn accepts(&self) -> bool {
        let reached = self.rules.iter().take_while(|rule| !rule.drops_all());
        let mut named = reached.filter(|rule| rule.names_vrrp());
        named.any(|rule| !rule.drops())
    }

    fn drops_the_rest(&self) -> bool {
        self.is_base && (self.is_strict || self.rules.iter().any(Rule::drops_all))
    }

    /// Whether it sees packets of a virtual router.
    fn sees(&self, status: &Status) -> bool {
        let on = |device: &String| {
            let mut routers = status.virtual_routers.iter();
            routers.any(|router| {
                let rest = router.interface.strip_prefix(device.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        self.devices.is_empty() || self.devices.iter().any(on)
    }

    /// The line of its type: `type filter hook ingress device "eth0" priority 0; policy drop;`.
    fn hook(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let hook = words.iter().skip_while(|word| **word != "hook").nth(1);
        let is_early = |hook: &str| matches!(hook, "ingress" | "egress");
        self.is_early |= hook.is_some_and(|hook| is_early(hook));
        self.is_base = hook.is_some_and(|hook| *hook == "input" || is_early(hook));
        self.is_strict = line.contains("policy drop");
        let devices = line.split("priority").next().unwrap_or_default().split('"');
        self.devices = devices.skip(1).step_by(2).map(str::to_owned).collect();
    }
}

/// The chains of a listing.
fn chains(listing: &str) -> Vec<Chain> {
    let mut all = vec![Chain::default()];
    let mut table: Option<[String; 2]> = None;
    for line in listing.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["table", family, name, "{", ..] => {
                table = Some([(*family).to_owned(), (*name).to_owned()]);
            }
            ["chain", name, "{", ..] => all.push(Chain {
                is_early: table.as_ref().is_some_and(|[family, _]| family == "netdev"),
                place: table
                    .clone()
                    .map(|[family, table]| [family, table, (*name).to_owned()]),
                ..Chain::default()
            }),
            [star] if star.starts_with('*') => all.push(Chain::default()),
            [chain, policy, ..] if chain.starts_with(':') => {
                if let (":INPUT", Some(chain)) = (*chain, all.last_mut()) {
                    chain.is_base = true;
                    chain.is_strict = *policy == "DROP";
                }
            }
            ["set" | "map" | "flowtable", _, "{", ..] => all.push(Chain::default()),
            ["type", _, "hook", ..] => {
                if let Some(chain) = all.last_mut() {
                    chain.hook(line);
                }
            }
            _ => {
                if let Some(chain) = all.last_mut() {
                    chain.rules.push(Rule::of(line));
                }
            }
        }
    }
    all
}

/// Chains that drop what they have no rule for, and have none for protocol 112; and rules that drop it.
pub(super) fn findings(status: &Status, host: &Host) -> Vec<Finding> {
    let Some(listing) = &host.firewall else {
        return Vec::new();
    };
    let (early, late): (Vec<Chain>, Vec<Chain>) = chains(listing)
        .into_iter()
        .partition(|chain| chain.is_early);
    let before = of_chains(
        "firewall-ingress",
        &early,
        "It is before the sockets of vrrpd: what is dropped on the way in is not heard here, and what is dropped on the way out is not heard elsewhere: two masters.",
        status,
    );
    let behind = of_chains(
        "firewall",
        &late,
        "vrrpd reads below such chains on Linux, but programs that use raw sockets, as keepalived, and the bridges of virtual machines do not.",
        status,
    );
    before.into_iter().chain(behind).collect()
}

fn of_chains(
    id: &'static str,
    chains: &[Chain],
    matters: &str,
    status: &Status,
) -> Option<Finding> {
    let dropping: Vec<&Rule> = chains.iter().flat_map(Chain::dropping).collect();
    let by_rule = chains
        .iter()
        .find(|chain| chain.dropping().next().is_some());
    let is_accepted = chains.iter().any(Chain::accepts);
    let strict = chains
        .iter()
        .find(|chain| chain.drops_the_rest() && chain.sees(status));
    let chain = by_rule.or(strict.filter(|_| !is_accepted))?;
    // Both programs may show one rule.
    let packets = dropping.iter().filter_map(|rule| rule.packets).max();
    let counted = match packets {
        Some(1) => ": 1 packet so far".to_owned(),
        Some(many) => format!(": {many} packets so far"),
        None => String::new(),
    };
    let found = match by_rule {
        Some(_) => format!("a rule of the firewall drops protocol 112 (VRRP){counted}"),
        None => "the firewall drops what it has no rule for, and has none for protocol 112 (VRRP)"
            .to_owned(),
    };
    let found = match &chain.place {
        Some([family, table, name]) if chain.is_early => {
            format!("{found}, in the chain {name} of the table {family} {table}")
        }
        _ => found,
    };
    let remedy = insert(chain, status);
    Some(Finding {
        id,
        about: String::new(),
        found,
        matters: matters.to_owned(),
        todo: match chain.is_early {
            true => remedy,
            false => format!("{remedy}, or iptables -I INPUT -p 112 -j ACCEPT"),
        },
    })
}

/// The commands that put a rule before those of a chain.
fn insert(chain: &Chain, status: &Status) -> String {
    let usual = || ["inet", "filter", "input"].map(str::to_owned);
    let [family, table, name] = chain.place.clone().unwrap_or_else(usual);
    let has = |family| {
        let mut routers = status.virtual_routers.iter();
        routers.any(|router| router.family == family)
    };
    let (v4, v6) = match family.as_str() {
        "ip" => (true, false),
        "ip6" => (false, true),
        _ => (has(Family::Ipv4) || !has(Family::Ipv6), has(Family::Ipv6)),
    };
    let v4 = v4.then_some("ip protocol 112");
    let v6 = v6.then_some("ip6 nexthdr 112");
    let all = v4.into_iter().chain(v6);
    let all = all.map(|what| format!("nft insert rule {family} {table} {name} {what} accept"));
    all.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{State, VirtualRouter};

    fn status() -> Status {
        Status {
            virtual_routers: vec![VirtualRouter {
                vrid: 1,
                interface: "eth0".into(),
                state: State::Master,
                ..VirtualRouter::default()
            }],
            ..Status::default()
        }
    }

    fn found_by(status: &Status, rules: &str) -> Vec<Finding> {
        let mut host = Host::of("/nonexistent");
        host.firewall = Some(rules.to_owned());
        findings(status, &host)
    }

    fn of(rules: &str) -> Vec<Finding> {
        found_by(&status(), rules)
    }

    fn ids(rules: &str) -> Vec<&'static str> {
        of(rules).iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn a_rule_that_drops_vrrp_says_how_many_packets_it_has_met() {
        let found = |rules: &str| {
            let all = of(rules).into_iter();
            all.map(|one| one.found).collect::<Vec<_>>()
        };
        let dropped = |count: &str| {
            vec![format!(
                "a rule of the firewall drops protocol 112 (VRRP){count}"
            )]
        };
        for (rules, expected) in [
            ("ip protocol 112 drop", dropped("")),
            (
                "meta l4proto vrrp counter packets 7 bytes 280 drop",
                dropped(": 7 packets so far"),
            ),
            (
                "ip protocol 112 counter packets 1 bytes 40 drop",
                dropped(": 1 packet so far"),
            ),
            (
                "[9:360] -A INPUT -p vrrp -j DROP",
                dropped(": 9 packets so far"),
            ),
            (
                "[9:360] -A INPUT -p 112 -j REJECT",
                dropped(": 9 packets so far"),
            ),
            // The number of a counter is no protocol.
            (
                "tcp dport 22 counter packets 112 bytes 112 drop",
                Vec::new(),
            ),
            ("[112:112] -A INPUT -p tcp -j DROP", Vec::new()),
            ("[112:112] -A INPUT -p vrrp -j ACCEPT", Vec::new()),
        ] {
            assert_eq!(found(rules), expected, "{rules}");
        }
    }

    #[test]
    fn a_firewall_without_a_rule_for_vrrp_is_found() {
        let nft = |rule: &str| {
            format!(
                "table inet filter {{\n\tchain input {{\n\t\ttype filter hook input priority 0; policy drop;\n\t\ttcp dport 1112 accept\n\t\t{rule}\n\t}}\n}}\n"
            )
        };
        for (rules, bad) in [
            (nft("ct state established accept"), true),
            (nft("ip protocol 112 accept"), false),
            (nft("meta l4proto vrrp accept"), false),
            (nft("").replace("policy drop", "policy accept"), false),
            (
                nft("ip protocol vrrp drop").replace("policy drop", "policy accept"),
                true,
            ),
            (
                "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -j ACCEPT\n".into(),
                true,
            ),
            (
                "*filter\n:INPUT DROP [0:0]\n-A INPUT -p vrrp -j ACCEPT\n".into(),
                false,
            ),
            (
                "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p 112 -j DROP\n".into(),
                true,
            ),
        ] {
            assert_eq!(ids(&rules) == ["firewall"], bad, "{rules}");
        }
    }

    #[test]
    fn an_accept_behind_a_rule_that_drops_everything_is_none() {
        let nft = |rules: &str| {
            format!(
                "table inet filter {{\n\tchain input {{\n\t\ttype filter hook input priority filter; policy accept;\n\t\t{rules}\n\t}}\n}}\n"
            )
        };
        let accept = "ip protocol 112 accept";
        for all in [
            "counter packets 3 bytes 120 reject with icmpx port-unreachable",
            "drop",
            "counter drop",
            "log prefix \"no: \" drop",
        ] {
            assert_eq!(
                ids(&nft(&format!("{all}\n{accept}"))),
                ["firewall"],
                "{all}"
            );
            assert_eq!(ids(&nft(&format!("{accept}\n{all}"))), [""; 0], "{all}");
        }
        let named = nft("tcp dport 22 drop");
        assert_eq!(ids(&named), [""; 0]);
        let iptables = |rules: &str| format!("*filter\n:INPUT ACCEPT [0:0]\n{rules}\n");
        let (all, accept) = (
            "[3:120] -A INPUT -j DROP",
            "[0:0] -A INPUT -p vrrp -j ACCEPT",
        );
        assert_eq!(ids(&iptables(&format!("{all}\n{accept}"))), ["firewall"]);
        assert_eq!(ids(&iptables(&format!("{accept}\n{all}"))), [""; 0]);
    }

    #[test]
    fn the_remedy_goes_before_the_rule_and_helps() {
        let nft = |rules: &str| {
            format!(
                "table ip mine {{\n\tchain in {{\n\t\ttype filter hook input priority filter; policy accept;\n{rules}\n\t}}\n}}\n"
            )
        };
        let drop = "\t\tip protocol 112 counter packets 2 bytes 80 drop";
        let one = &of(&nft(drop))[0];
        let todo = "nft insert rule ip mine in ip protocol 112 accept, or iptables -I INPUT -p 112 -j ACCEPT";
        assert_eq!(one.todo, todo);
        assert_eq!(
            ids(&nft(&format!("ip protocol 112 accept\n{drop}"))),
            [""; 0]
        );
        let from_one = format!("ip saddr 10.0.0.3 ip protocol 112 accept\n{drop}");
        assert_eq!(ids(&nft(&from_one)), ["firewall"]);
        let other = "ip6 nexthdr 112 accept\nip protocol 112 drop";
        assert_eq!(ids(&nft(other)), ["firewall"]);
    }

    #[test]
    fn chains_before_the_sockets_make_vrrpd_deaf() {
        let netdev = |device: &str, policy: &str, rules: &str| {
            format!(
                "table netdev early {{\n\tchain eth {{\n\t\ttype filter hook ingress device \"{device}\" priority filter; policy {policy};\n\t\t{rules}\n\t}}\n}}\n"
            )
        };
        let all = of(&netdev("eth0", "accept", "ip protocol 112 drop"));
        let [one] = all.as_slice() else {
            panic!("{all:?}");
        };
        assert_eq!(one.id, "firewall-ingress");
        let found = "a rule of the firewall drops protocol 112 (VRRP), in the chain eth of the table netdev early";
        assert_eq!(one.found, found);
        assert!(one.matters.contains("not heard"), "{}", one.matters);
        let todo = "nft insert rule netdev early eth ip protocol 112 accept";
        assert_eq!(one.todo, todo);
        // A rule for the sockets of others is none here.
        let elsewhere = "table inet filter {\nchain input {\nip protocol 112 accept\n}\n}\n";
        for (rules, bad) in [
            (netdev("eth0", "drop", ""), true),
            (netdev("eth0", "drop", "") + elsewhere, true),
            (netdev("eth0", "drop", "ip protocol 112 accept"), false),
            (netdev("eth1", "drop", ""), false),
            (netdev("eth0", "accept", "tcp dport 22 drop"), false),
            (netdev("eth0", "drop", "").replace("netdev", "inet"), true),
        ] {
            let expected = if bad { &["firewall-ingress"][..] } else { &[] };
            assert_eq!(ids(&rules), expected, "{rules}");
        }
        let mut both = status();
        let v6 = VirtualRouter {
            family: Family::Ipv6,
            ..both.virtual_routers[0].clone()
        };
        both.virtual_routers.push(v6);
        let one = &found_by(&both, &netdev("eth0", "drop", ""))[0];
        let second = "; nft insert rule netdev early eth ip6 nexthdr 112 accept";
        assert_eq!(one.todo, format!("{todo}{second}"));
    }
}
