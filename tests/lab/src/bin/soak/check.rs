//! Properties that hold once nothing was disturbed for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::decode::Mac;
use vrrp_lab::{Host, Vr};

use crate::wire::Seat;
use crate::world::{INTERFACES, World, on};

/// How long the wire is looked at: more than the second between two advertisements of VRRPv2.
pub(crate) const WINDOW: Duration = Duration::from_millis(1500);
/// Problems that are named; the others are like them.
const NAMED: usize = 12;

/// Looks at the wire for `window` and then at hosts and client. Returns everything that is not as
/// it should be.
pub(crate) fn look(world: &World, window: Duration) -> Vec<String> {
    let (mut problems, masters) = elections(world, window);
    // The wire tells the masters; without them the rest cannot be judged.
    if problems.is_empty() {
        holdings(world, &masters, &mut problems);
        configured(world, &mut problems);
    }
    if problems.is_empty() {
        answers(world, &masters, &mut problems);
    }
    problems.truncate(NAMED);
    problems
}

/// Which hosts are master on an interface of each virtual router, less one: as many as there are parts.
type Masters = Vec<Vec<BTreeSet<usize>>>;

/// Exactly one master in each part that can have one, the right one; nobody else says a word.
fn elections(world: &World, window: Duration) -> (Vec<String>, Masters) {
    let interfaces = 0..INTERFACES.len();
    let before: Vec<_> = interfaces.clone().map(|at| world.seats(at)).collect();
    std::thread::sleep(window);
    let mut problems = Vec::new();
    let mut masters = vec![vec![BTreeSet::new(); world.vrs.len()]; INTERFACES.len()];
    for interface in interfaces {
        let (before, after) = (&before[interface], world.seats(interface));
        let on = INTERFACES[interface].0;
        for (part, _) in world.parts(interface) {
            for vr in 0..world.vrs.len() {
                let sent = |host: &usize, of: fn(&Seat) -> u64| {
                    of(&after[*host][vr]) - of(&before[*host][vr])
                };
                let adverts = |host: &usize| sent(host, |seat| seat.adverts);
                let master = match expected(world, interface, &part, vr, adverts) {
                    Ok(master) => master,
                    Err(problem) => {
                        problems.push(problem);
                        continue;
                    }
                };
                masters[interface][vr].extend(master);
                for host in part.iter().filter(|host| Some(**host) != master) {
                    let server = &world.servers[*host];
                    if sent(host, |seat| seat.from_vmac) > 0 && !server.is_unattended() {
                        let name = server.host.name();
                        problems.push(format!(
                            "VRID {}: {name} is not master and speaks from the virtual MAC on {on}",
                            vr + 1
                        ));
                    }
                }
            }
        }
    }
    (problems, masters)
}

/// The master of a virtual router, less one, among hosts that hear each other; `None` where nobody
/// can be.
fn expected(
    world: &World,
    interface: usize,
    part: &[usize],
    vr: usize,
    sent: impl Fn(&usize) -> u64,
) -> Result<Option<usize>, String> {
    let vrid = world.vrs[vr].vrid;
    let priority = |host: &usize| world.servers[*host].priority(vrid, interface);
    let able: Vec<usize> = part
        .iter()
        .copied()
        .filter(|host| world.servers[*host].is_able(interface) && priority(host).is_some())
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
        "VRID {vrid} on {}: able are {able:?}; advertisements: {}",
        INTERFACES[interface].0,
        sent.join(", ")
    ))
}

/// A host has its own addresses, those of which it is master, and no others; and one macvlan for each
/// virtual MAC.
fn holdings(world: &World, masters: &Masters, problems: &mut Vec<String>) {
    for (host, server) in world.servers.iter().enumerate() {
        if server.is_unattended() {
            continue;
        }
        let name = server.host.name();
        let have: BTreeSet<String> = server.host.addresses().into_iter().collect();
        let mut should = server.own_addresses();
        for (interface, masters) in masters.iter().enumerate() {
            for (vr, masters) in world.vrs.iter().zip(masters) {
                if masters.contains(&host) {
                    let addresses = on(vr, interface).addresses;
                    should.extend(addresses.iter().map(ToString::to_string));
                }
            }
        }
        let lacks: Vec<_> = should.difference(&have).collect();
        let more: Vec<_> = have.difference(&should).collect();
        if !lacks.is_empty() || !more.is_empty() {
            problems.push(format!("{name} lacks {lacks:?} and has {more:?}"));
        }
        let links = server.host.interfaces();
        let macvlans = links.iter().filter(|link| link.starts_with("vr")).count();
        let used = server.config.keys();
        let used = used
            .filter(|vrid| world.vrs[usize::from(**vrid) - 1].vmac)
            .count();
        if macvlans != used || links.len() != used + INTERFACES.len() {
            problems.push(format!("{name} uses {used} virtual MACs and has {links:?}"));
        }
    }
}

/// A daemon has the virtual routers of its last configuration, where and as that says.
fn configured(world: &World, problems: &mut Vec<String>) {
    for server in world
        .servers
        .iter()
        .filter(|server| !server.is_unattended())
    {
        let text = vrrpctl(&server.host, &["status", "--json"]);
        let values = |key: &str| {
            let key = format!("\"{key}\": ");
            let lines = text
                .lines()
                .filter_map(move |line| line.trim().strip_prefix(&key));
            let values = lines.map(|value| value.trim_matches([',', '"']).to_owned());
            values.collect::<Vec<String>>()
        };
        let (vrids, interfaces) = (values("vrid"), values("interface"));
        let places = interfaces.iter().zip(values("configured_priority"));
        let has: BTreeSet<String> = vrids
            .iter()
            .zip(places)
            .map(|(vrid, (interface, priority))| format!("{vrid}={priority}@{interface}"))
            .collect();
        let should: BTreeSet<String> = server
            .config
            .iter()
            .map(|(vrid, at)| format!("{vrid}={}@{}", at.priority, INTERFACES[at.interface].0))
            .collect();
        let lacks: Vec<_> = should.difference(&has).collect();
        let more: Vec<_> = has.difference(&should).collect();
        if !lacks.is_empty() || !more.is_empty() {
            let name = server.host.name();
            problems.push(format!(
                "{name} is configured with {lacks:?} and runs {more:?}"
            ));
        }
    }
}

/// The clients are answered by the master, from the right MAC.
fn answers(world: &World, masters: &Masters, problems: &mut Vec<String>) {
    for (interface, masters) in masters.iter().enumerate() {
        let client = &world.clients[interface];
        let parts = world.parts(interface);
        let Some((part, _)) = parts.into_iter().find(|(_, with_client)| *with_client) else {
            continue;
        };
        // A kernel whose daemon is frozen or dead answers for what it holds.
        let mut left = BTreeSet::new();
        for host in part.iter().filter(|h| world.servers[**h].is_unattended()) {
            left.extend(world.servers[*host].host.addresses());
        }
        let mut asked = Vec::new();
        for (vr, masters) in world.vrs.iter().zip(masters) {
            let vr = on(vr, interface);
            let address = vr.service_address();
            let master = masters.iter().find(|master| part.contains(master));
            let (Some(master), false) = (master, left.contains(&address)) else {
                continue;
            };
            let server = &world.servers[*master];
            let own = match interface.checked_sub(1) {
                None => server.host.mac(),
                Some(further) => server.nics[further].mac(),
            };
            let mac = if vr.vmac { vr.virtual_mac() } else { own };
            asked.push(Asked {
                vr,
                address,
                host: &server.host,
                mac,
            });
        }
        let told = ask(client, asked.iter().map(|asked| asked.address.as_str()));
        for Asked {
            vr, address, host, ..
        } in &asked
        {
            let answer = told.get(&address.parse::<IpAddr>().expect("an address"));
            if answer.map(String::as_str) != Some(host.name()) {
                let name = host.name();
                problems.push(format!(
                    "VRID {}: {name} is master, {address} is answered by {answer:?}",
                    vr.vrid
                ));
            }
        }
        neighbours(client, &asked, problems);
    }
}

/// Asks every address for its host's name at once, for at most a second: one after the other they
/// would add up the seconds after which the client's kernel doubts what it knows of a neighbour.
fn ask<'a>(client: &Host, addresses: impl Iterator<Item = &'a str>) -> BTreeMap<IpAddr, String> {
    let mut open: BTreeSet<IpAddr> = addresses
        .map(|address| address.parse().expect("an address"))
        .collect();
    let mut told = BTreeMap::new();
    client.netns().enter(|| {
        let sockets = ["0.0.0.0:0", "[::]:0"].map(|any| UdpSocket::bind(any).expect("a socket"));
        for socket in &sockets {
            socket.set_nonblocking(true).expect("a mode of a socket");
        }
        for _ in 0..10 {
            for address in &open {
                let socket = &sockets[usize::from(address.is_ipv6())];
                // A probe that cannot be sent is not answered.
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

/// An address that a client asks for, and who has to answer.
struct Asked<'a> {
    vr: Vr,
    address: String,
    host: &'a Host,
    mac: Mac,
}

/// The client knows the addresses that it has just asked by these MACs.
fn neighbours(client: &Host, asked: &[Asked<'_>], problems: &mut Vec<String>) {
    let table = client.run("ip neigh show dev xl0");
    for asked in asked {
        let vrid = asked.vr.vrid;
        let mac = format!("lladdr {:?}", asked.mac);
        let line = table
            .lines()
            .find(|line| line.split_whitespace().next() == Some(&*asked.address));
        if !line.is_some_and(|line| line.contains(&mac)) {
            problems.push(format!("VRID {vrid}: the client knows {line:?}, not {mac}"));
        }
    }
}
