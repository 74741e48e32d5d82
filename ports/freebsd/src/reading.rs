//! The reader of what the kernel gives, for those who try to break it: on any system. No part of the
//! API.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use vrrp_host::bpf::Instruction;

use crate::bpf::{Record, Wanted, records};
use crate::netgraph;
use crate::route;

/// The records of what one read of a bpf device gave: whole frames, and `None` for one cut short.
pub fn records_in(buffer: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    records(buffer).map(|record| match record {
        Record::Frame(frame) => Some(frame),
        Record::Cut => None,
    })
}

/// The filter that takes VRRP of these families, questions for these addresses, and solicitations
/// for those `from_afar` whose source is not link-local.
pub fn filter(
    vrrp: [bool; 2],
    questions: BTreeSet<IpAddr>,
    from_afar: BTreeSet<Ipv6Addr>,
) -> Vec<Instruction> {
    Wanted {
        vrrp,
        questions,
        from_afar,
    }
    .program()
}

/// How many interfaces and addresses a list of sysctl(3) holds, and the octets of their names.
pub fn listed_in(list: &[u8]) -> (usize, usize) {
    let names = route::list(list).map(|item| match item {
        route::Item::Link(link) => link.name.len(),
        route::Item::Address(address) => {
            assert!(address.prefix_len <= 128, "{address:?}");
            0
        }
    });
    names.fold((0, 0), |(count, octets), len| (count + 1, octets + len))
}

/// How many messages a read of the routing socket gave.
pub fn notices_in(buffer: &[u8]) -> usize {
    route::notices(buffer).count()
}

/// How many hooks the answer of a netgraph node to the request `token` names. `None`: it is none.
pub fn hooks_in(octets: &[u8], token: u32) -> Option<usize> {
    let argument = netgraph::answer(octets, token)?;
    let texts = [
        netgraph::string(argument),
        netgraph::node_type(argument),
        netgraph::number(argument).to_string(),
    ];
    // A replacement character is three octets where there was one.
    assert!(texts.iter().all(|t| t.len() <= 3 * argument.len().max(4)));
    Some(netgraph::hooks(argument).len())
}
