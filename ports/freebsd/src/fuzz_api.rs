//! The reader of what the kernel gives and the writer of what it is told, for those who try to break
//! them: on any system. No part of the API.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};

use vrrp_core::{MacAddr, VirtualAddress};
use vrrp_port_kit::bpf::Instruction;

use crate::abi::{SIOCGIFMEDIA, SIOCSIFMTU};
use crate::bpf::{Record, Wanted, records};
use crate::netgraph;
use crate::request::{self, Request};
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
        announced: BTreeSet::new(),
        announces: false,
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

/// Every message that netgraph nodes are sent, with these texts where it has any.
pub fn told_to_nodes(token: u32, texts: [&str; 3], mac: MacAddr, on: bool) -> Vec<Vec<u8>> {
    let [one, two, three] = texts;
    vec![
        netgraph::make_peer(token, one, two, three),
        netgraph::connect(token, one, two, three),
        netgraph::name(token, one),
        netgraph::remove_hook(token, one),
        netgraph::shutdown(token),
        netgraph::list_hooks(token),
        netgraph::node_info(token),
        netgraph::set_promiscuous(token, on),
        netgraph::set_auto_source(token, on),
        netgraph::auto_source(token),
        netgraph::fixed_table(token),
        netgraph::put_host(token, mac, one),
        netgraph::interface_name(token),
        netgraph::set_mac(token, mac),
    ]
}

/// The requests about an address of an interface: to add it and to remove it, and for IPv6 to ask
/// for its flags. Each is its number and its argument.
///
/// # Errors
/// No interface can have this name.
pub fn address_requests(name: &str, address: IpAddr) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let mut all = vec![
        request::add_address(name, address)?,
        request::remove_address(name, address)?,
    ];
    if let IpAddr::V6(ip) = address {
        all.push(request::ask_address_flags(name, ip)?);
    }
    Ok(all.into_iter().map(|r| (r.number, r.argument)).collect())
}

/// The requests about an interface: those that set `number`, which is in their argument as
/// [`answers_in`] reads it, the one that sets `mac`, and one that asks.
///
/// # Errors
/// No interface can have this name.
pub fn link_requests(name: &str, mac: MacAddr, number: u32) -> io::Result<[(u64, Vec<u8>); 5]> {
    let all = [
        request::set_link_flags(name, number)?,
        request::set_number(SIOCSIFMTU, name, number)?,
        request::set_nd_flags(name, number)?,
        request::set_mac(name, mac)?,
        Request::about(SIOCGIFMEDIA, name)?,
    ];
    Ok(all.map(|r| (r.number, r.argument)))
}

/// The flags of a link, the number and the flags of neighbour discovery that `answer` holds, when it
/// answers the request for each.
pub fn answers_in(answer: &[u8]) -> [u32; 3] {
    let (_, _) = (
        request::address_flags(answer),
        request::media_active(answer),
    );
    [
        request::link_flags(answer),
        request::number(answer),
        request::nd_flags(answer),
    ]
}

/// The message for a routing socket that adds or removes the route which drops what is sent to an
/// address.
pub fn blackhole(address: VirtualAddress, on: bool, sequence: u32) -> Vec<u8> {
    request::blackhole(address, on, sequence)
}
