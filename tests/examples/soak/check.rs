//! What must be so once nothing was disturbed for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use vrrp_tests::lab::{Host, Vr};

use crate::wire::Seat;
use crate::world::World;

/// How long the wire is looked at: more than the second between two advertisements of VRRPv2.
pub(crate) const WINDOW: Duration = Duration::from_millis(1500);
/// Problems that are named; the others are like them.
const NAMED: usize = 12;

/// Looks at the wire for `window` and then at hosts and client. Returns everything that is not as
/// it should be.
pub(crate) fn look(world: &World, window: Duration) -> Vec<String> {
    let (mut problems, masters) = elections(world, window);
    // Who is master is told by the wire; without that the rest cannot be judged.
    if problems.is_empty() {
        addresses(world, &masters, &mut problems);
    }
    if problems.is_empty() {
        answers(world, &masters, &mut problems);
    }
    problems.truncate(NAMED);
    problems
}

/// Which hosts are master of each virtual router, less one: as many as there are parts.
type Masters = Vec<BTreeSet<usize>>;

/// Exactly one master in each part that can have one, the right one; nobody else says a word.
fn elections(world: &World, window: Duration) -> (Vec<String>, Masters) {
    let before = world.wire.seats();
    std::thread::sleep(window);
    let after = world.wire.seats();
    let mut problems = Vec::new();
    let mut masters = vec![BTreeSet::new(); world.vrs.len()];
    for (part, _) in world.parts() {
        for vr in 0..world.vrs.len() {
            let sent =
                |host: &usize, of: fn(&Seat) -> u64| of(&after[*host][vr]) - of(&before[*host][vr]);
            match expected(world, &part, vr, |host| sent(host, |seat| seat.adverts)) {
                Ok(master) => {
                    masters[vr].extend(master);
                    for host in part.iter().filter(|host| Some(**host) != master) {
                        if sent(host, |seat| seat.from_vmac) > 0
                            && !world.servers[*host].is_unattended()
                        {
                            let name = world.servers[*host].host.name();
                            problems.push(format!(
                                "VRID {}: {name} is not master and speaks from the virtual MAC",
                                vr + 1
                            ));
                        }
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
    (problems, masters)
}

/// The master of a virtual router, less one, among hosts that hear each other; `None` where nobody
/// can be.
fn expected(
    world: &World,
    part: &[usize],
    vr: usize,
    sent: impl Fn(&usize) -> u64,
) -> Result<Option<usize>, String> {
    let vrid = world.vrs[vr].vrid;
    let priority = |host: &usize| world.servers[*host].priority(vrid);
    let able: Vec<usize> = part
        .iter()
        .copied()
        .filter(|host| world.servers[*host].is_able() && priority(host).is_some())
        .collect();
    let best = able.iter().copied().max_by_key(|host| priority(host));
    let senders: Vec<usize> = part.iter().copied().filter(|host| sent(host) > 0).collect();
    let right = match senders[..] {
        [] => able.is_empty(),
        [one] if world.vrs[vr].preempt => Some(one) == best,
        [one] => able.contains(&one),
        _ => false,
    };
    if right {
        return Ok(senders.first().copied());
    }
    let name = |host: &usize| world.servers[*host].host.name();
    let sent: Vec<String> = part
        .iter()
        .map(|host| format!("{} ({:?}) sent {}", name(host), priority(host), sent(host)))
        .collect();
    let able: Vec<&str> = able.iter().map(name).collect();
    Err(format!(
        "VRID {vrid}: able are {able:?}; advertisements: {}",
        sent.join(", ")
    ))
}

/// A host has the addresses of which it is master and no others.
fn addresses(world: &World, masters: &Masters, problems: &mut Vec<String>) {
    for (host, server) in world.servers.iter().enumerate() {
        if server.is_unattended() {
            continue;
        }
        let have: BTreeSet<String> = server.host.addresses().into_iter().collect();
        for (vr, masters) in world.vrs.iter().zip(masters) {
            let address = vr.service_address();
            let (has, should) = (have.contains(&address), masters.contains(&host));
            if has != should {
                let name = server.host.name();
                problems.push(format!(
                    "VRID {}: {name} is master: {should}, has {address}: {has}",
                    vr.vrid
                ));
            }
        }
    }
}

/// The client is answered by the master, from the right MAC.
fn answers(world: &World, masters: &Masters, problems: &mut Vec<String>) {
    for (part, with_client) in world.parts() {
        if !with_client {
            continue;
        }
        // A kernel whose daemon is frozen or dead answers for what it holds.
        let mut left = BTreeSet::new();
        for host in part.iter().filter(|h| world.servers[**h].is_unattended()) {
            left.extend(world.servers[*host].host.addresses());
        }
        let mut asked = Vec::new();
        for (vr, masters) in world.vrs.iter().zip(masters) {
            let address = vr.service_address();
            let master = masters.iter().find(|master| part.contains(master));
            let (Some(master), false) = (master, left.contains(&address)) else {
                continue;
            };
            asked.push((vr, address, &world.servers[*master].host));
        }
        let told = ask(world, asked.iter().map(|(_, address, _)| address.as_str()));
        for (vr, address, host) in &asked {
            let answer = told.get(&address.parse::<IpAddr>().expect("an address"));
            if answer.map(String::as_str) != Some(host.name()) {
                let name = host.name();
                problems.push(format!(
                    "VRID {}: {name} is master, {address} is answered by {answer:?}",
                    vr.vrid
                ));
            }
        }
        neighbours(world, &asked, problems);
    }
}

/// Asks every address for its host's name at once, for at most a second: one after the other they
/// would add up the seconds after which the client's kernel doubts what it knows of a neighbour.
fn ask<'a>(world: &World, addresses: impl Iterator<Item = &'a str>) -> BTreeMap<IpAddr, String> {
    let mut open: BTreeSet<IpAddr> = addresses
        .map(|address| address.parse().expect("an address"))
        .collect();
    let mut told = BTreeMap::new();
    world.client.netns().enter(|| {
        let sockets = ["0.0.0.0:0", "[::]:0"].map(|any| UdpSocket::bind(any).expect("a socket"));
        for socket in &sockets {
            socket.set_nonblocking(true).expect("a mode of a socket");
        }
        for _ in 0..10 {
            for address in &open {
                let socket = &sockets[usize::from(address.is_ipv6())];
                // What cannot be sent is not answered.
                let _ = socket.send_to(b"who?", (*address, 7));
            }
            let until = Instant::now() + Duration::from_millis(100);
            while !open.is_empty() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
                let mut answer = [0; 256];
                for socket in &sockets {
                    while let Ok((len, from)) = socket.recv_from(&mut answer) {
                        if let Some(name) = answer[..len].strip_prefix(b"who?") {
                            open.remove(&from.ip());
                            let name = String::from_utf8_lossy(name).into_owned();
                            told.insert(from.ip(), name);
                        }
                    }
                }
            }
        }
    });
    told
}

/// The client knows the addresses that it has just asked by these MACs.
fn neighbours(world: &World, asked: &[(&Vr, String, &Host)], problems: &mut Vec<String>) {
    let table = world.client.run("ip neigh show dev xl0");
    for (vr, address, host) in asked {
        let vrid = vr.vrid;
        let mac = match vr.vmac {
            true => vr.virtual_mac(),
            false => host.mac(),
        };
        let mac = format!("lladdr {mac:?}");
        let line = table
            .lines()
            .find(|line| line.split_whitespace().next() == Some(address));
        if !line.is_some_and(|line| line.contains(&mac)) {
            problems.push(format!("VRID {vrid}: the client knows {line:?}, not {mac}"));
        }
    }
}
