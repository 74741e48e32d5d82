//! How virtual addresses come into an Interface, what passes to and from them, and how they leave.

use crate::world::{TALK, Vr, World, wire};
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::socket::{tcp, udp};
use smoltcp::wire::{EthernetAddress, IpAddress, IpEndpoint};
use vrrp_smoltcp::vrrp_core::{Error, Family, MacMode, Reason, State, VirtualAddress, VrConfig};
use vrrp_smoltcp::{Discard, Vrrp};

const V4: &str = "10.0.0.80";
const V6: &str = "2001:db8::80";

fn both() -> [Vr; 2] {
    [Vr::new(7, &[V4]), Vr::new(7, &["fe80::7:80", V6])]
}

/// Frames that a host has sent since `from` and that speak for an address.
fn speaking_for(world: &World, from: usize, plug: usize, address: &str) -> Vec<Vec<u8>> {
    let address: std::net::IpAddr = address.parse().unwrap();
    let sent = world.hub.sent.borrow();
    let ours = sent[from..].iter().filter(|sent| sent.plug == plug);
    let speaks = |frame: &[u8]| wire::claims(frame).iter().any(|claim| claim.0 == address);
    ours.filter(|sent| speaks(&sent.frame))
        .map(|sent| sent.frame.clone())
        .collect()
}

/// They would have to be found in a neighbour table, which is the stack's.
#[test]
fn unicast_peers_are_refused_and_change_nothing() {
    let device = smoltcp::phy::Loopback::new(smoltcp::phy::Medium::Ethernet);
    let mut vrrp = Vrrp::<_, 1, 8>::new(device, 1);
    let service = VirtualAddress {
        address: V4.parse().unwrap(),
        prefix_len: 24,
    };
    let alone = VrConfig {
        addresses: &[service],
        ..VrConfig::DEFAULT
    };
    let peers = ["10.0.0.2".parse().unwrap()];
    let config = VrConfig {
        peers: &peers,
        ..alone
    };
    let (now, key) = (smoltcp::time::Instant::ZERO, both()[0].key());
    assert_eq!(vrrp.admin(now).insert(key, &config), Err(Error::NoPeers));
    assert_eq!(vrrp.status(key), None);
    assert_eq!(vrrp.admin(now).insert(key, &alone), Ok(()));
    assert_eq!(
        vrrp.admin(now).reconfigure(key, &config),
        Err(Error::NoPeers)
    );
}

//= RFC 9568 section 6.1 (Accept_Mode), section 6.4.3
#[test]
fn without_accept_mode_an_address_is_answered_for_and_no_more() {
    let vrs = both().map(|mut vr| {
        vr.config.settings.accept = false;
        vr
    });
    let mut world = World::new(&[100], &vrs);
    world.run_ms(1_000);
    for (vr, address) in vrs.iter().zip([V4, V6]) {
        assert_eq!(world.active(vr), 1);
        assert!(!world.hosts[0].has(address));
        let from = world.hub.sent.borrow().len();
        assert!(!world.is_pinged(address));
        // The client has learned the MAC, and what it sends there is discarded.
        let answers = speaking_for(&world, from, 1, address);
        // smoltcp believes the unsolicited NA, and asks where there was a gratuitous ARP.
        let expected = usize::from(address == V4);
        assert_eq!(
            answers.iter().filter(|f| !wire::is_advert(f)).count(),
            expected
        );
    }
    assert_eq!(
        world.hosts[0].vrrp.discards().count(Discard::NotAccepted),
        6
    );
    let sent = world.hub.sent.borrow();
    let na = sent
        .iter()
        .map(|s| &s.frame)
        .filter(|f| f[12..14] == [0x86, 0xdd] && f[20] == 58 && f[54] == 136);
    // A router, overriding what neighbours know.
    let flags: Vec<u8> = na
        .filter(|f| wire::claims(f)[1].0 == V6.parse::<std::net::IpAddr>().unwrap())
        .map(|f| f[58])
        .collect();
    // Once more 100 ms after the takeover.
    assert_eq!(flags, [0xa0, 0xa0]);
}

#[test]
fn an_owners_address_is_its_own_and_carries_the_virtual_mac() {
    let mut vr = Vr::new(7, &["10.0.0.1"]);
    vr.config.settings.accept = false;
    let mut world = World::new(&[255], std::slice::from_ref(&vr));
    world.run_ms(10);
    assert_eq!(world.active(&vr), 1);
    assert_eq!(world.who("10.0.0.1"), 1);
    let mac = vr.key().virtual_mac().0;
    let frames = speaking_for(&world, 0, 1, "10.0.0.1");
    let adverts = frames.iter().filter(|f| wire::is_advert(f)).count();
    assert!(adverts > 5);
    // All but the membership report that came before.
    let others = frames.iter().filter(|f| wire::source_mac(f) != mac).count();
    assert!(others <= 2, "{others}");
    // Disabled it goes on as any host does, and its address stays in the Interface.
    let now = world.now;
    world.hosts[0]
        .vrrp
        .admin(now)
        .set_enabled(vr.key(), false)
        .unwrap();
    world.run_ms(2_000);
    assert_eq!(world.hosts[0].state(&vr), State::Initialize);
    assert!(world.hosts[0].has("10.0.0.1"));
}

#[test]
fn without_an_own_address_it_waits() {
    let [v4, _] = both();
    let mut world = World::new(&[200, 100], std::slice::from_ref(&v4));
    world.run_ms(500);
    let kept = world.hosts[0].iface.ip_addrs()[0];
    let own = IpAddress::v4(10, 0, 0, 1);
    world.hosts[0]
        .iface
        .update_ip_addrs(|a| a.retain(|a| a.address() != own));
    world.run_ms(1_000);
    let status = world.hosts[0].vrrp.status(v4.key()).unwrap();
    assert_eq!(
        (status.state, status.reason),
        (State::Initialize, Reason::NoPrimaryAddress)
    );
    assert!(!world.hosts[0].has(V4));
    assert_eq!(world.who(V4), 2);
    world.hosts[0]
        .iface
        .update_ip_addrs(|a| a.push(kept).unwrap());
    world.run_ms(1_000);
    assert_eq!(world.active(&v4), 1);
}

#[test]
fn a_connection_to_a_virtual_address_ends_with_the_active_state() {
    for (vr, address) in both().into_iter().zip([V4, V6]) {
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(1_000);
        world.client.connect(address);
        world.run_ms(3_000);
        let talk = world.hosts[0].talk;
        let socket = world.hosts[0].sockets.get_mut::<tcp::Socket<'_>>(talk);
        assert_eq!(socket.state(), tcp::State::Established);
        assert_eq!(socket.local_endpoint().unwrap().port, TALK);
        socket.send_slice(b"hello").unwrap();
        world.run_ms(100);
        let talking = world.client.talking;
        let client = world.client.sockets.get_mut::<tcp::Socket<'_>>(talking);
        let mut heard = [0; 8];
        assert_eq!(client.recv_slice(&mut heard), Ok(5));

        // The host is superseded: smoltcp closes the socket, and says nothing.
        let now = world.now;
        world.hosts[0].vrrp.admin(now).resign(vr.key()).unwrap();
        world.run_ms(300);
        assert_eq!(world.active(&vr), 2);
        let socket = world.hosts[0].sockets.get_mut::<tcp::Socket<'_>>(talk);
        assert_eq!(socket.state(), tcp::State::Closed);
        // A socket without a connection does not notice.
        let from = world.hub.sent.borrow().len();
        let client = if address == V4 {
            "10.0.0.99"
        } else {
            "2001:db8::99"
        };
        world.hosts[0].sockets.add(speaker(address, client));
        world.run_ms(1_000);
        assert!(world.hosts[0].vrrp.discards().count(Discard::FromUnserved) > 0);
        assert_eq!(
            speaking_for(&world, from, 1, address),
            Vec::<Vec<u8>>::new()
        );
    }
}

/// A socket that has something to say from an address to the client.
fn speaker(from: &str, to: &str) -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 64]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(9_000).unwrap();
    let to: IpAddress = to.parse().unwrap();
    let mut meta = udp::UdpMetadata::from(IpEndpoint::new(to, 5_000));
    meta.local_address = Some(from.parse().unwrap());
    socket.send_slice(b"good morning", meta).unwrap();
    socket
}

#[test]
fn a_host_that_speaks_first_from_a_virtual_address_asks_with_the_virtual_mac() {
    for (vr, address, client) in [
        (both()[0].clone(), V4, "10.0.0.99"),
        (both()[1].clone(), V6, "2001:db8::99"),
    ] {
        let mut world = World::new(&[100], std::slice::from_ref(&vr));
        world.run_ms(1_000);
        let from = world.hub.sent.borrow().len();
        world.hosts[0].sockets.add(speaker(address, client));
        world.run_ms(100);
        // The host asked by that MAC has answered to it.
        let frames = speaking_for(&world, from, 1, address);
        let datagrams = frames
            .iter()
            .filter(|f| f.ends_with(b"good morning"))
            .count();
        assert_eq!(datagrams, 1, "{frames:02x?}");
    }
}

#[test]
fn with_the_interfaces_own_mac_neighbours_learn_of_the_move() {
    for (mut vr, address) in both().into_iter().zip([V4, V6]) {
        vr.config.settings.mac_mode = MacMode::Interface;
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(1_000);
        assert_eq!(world.who(address), 1);
        let now = world.now;
        world.hosts[0].vrrp.admin(now).remove(vr.key()).unwrap();
        world.run_ms(500);
        // smoltcp believes no gratuitous ARP: the client's entry is forgotten after a minute.
        world.run_ms(61_000);
        assert_eq!(world.who(address), 2);
        let own = [2, 0, 0, 0, 0, 2];
        for frame in speaking_for(&world, 0, 2, address) {
            assert_eq!(wire::source_mac(&frame), own);
        }
    }
}

#[test]
fn addresses_come_and_go_with_the_configuration() {
    let vr = Vr::new(7, &[V4, "10.0.0.81"]);
    let mut world = World::new(&[100], std::slice::from_ref(&vr));
    world.run_ms(1_000);
    assert!(world.hosts[0].has(V4) && world.hosts[0].has("10.0.0.81"));
    let of = |text: &str| VirtualAddress {
        address: text.parse().unwrap(),
        prefix_len: 32,
    };
    let addresses = [of("10.0.0.81"), of("10.0.0.82")];
    let config = VrConfig {
        addresses: &addresses,
        ..vr.config
    };
    let now = world.now;
    world.hosts[0]
        .vrrp
        .admin(now)
        .reconfigure(vr.key(), &config)
        .unwrap();
    world.run_ms(10);
    assert!(!world.hosts[0].has(V4));
    assert!(world.hosts[0].has("10.0.0.81") && world.hosts[0].has("10.0.0.82"));
    assert_eq!(world.who("10.0.0.82"), 1);
    assert!(!world.is_pinged(V4));
}

#[test]
fn a_stuck_transmitter_keeps_nobody_from_hearing_nor_from_giving_up() {
    let [vr, _] = both();
    let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
    world.run_ms(1_000);
    world.hub.set_stuck(2, true);
    world.run_ms(5_000);
    assert_eq!(world.hosts[1].state(&vr), State::Backup);
    // And of the Active one.
    world.hub.set_stuck(1, true);
    world.run_ms(50);
    world.hosts[0].vrrp.set_link(false);
    world.run_ms(10);
    assert_eq!(world.hosts[0].state(&vr), State::Initialize);
    assert!(!world.hosts[0].has(V4));
}

#[test]
fn frames_are_as_long_as_there_is_room() {
    use smoltcp::phy::Device as _;
    let [vr, _] = both();
    let mut world = World::new(&[], &[]);
    let mut vrrp = Vrrp::<_, 1, 4, 200>::new(world.hub.plug(), 1);
    assert_eq!(vrrp.capabilities().max_transmission_unit, 200);
    let mac = EthernetAddress([2, 0, 0, 0, 0, 1]);
    let mut iface = Interface::new(Config::new(mac.into()), &mut vrrp, world.now);
    iface.update_ip_addrs(|a| a.push("10.0.0.1/24".parse().unwrap()).unwrap());
    let mut sockets = SocketSet::new(Vec::new());
    let address = VirtualAddress {
        address: vr.addresses[0],
        prefix_len: 24,
    };
    let addresses = [address];
    let config = VrConfig {
        addresses: &addresses,
        ..vr.config
    };
    vrrp.admin(world.now).insert(vr.key(), &config).unwrap();
    while vrrp.status(vr.key()).unwrap().state != State::Active {
        vrrp.poll(world.now, &mut iface, &mut sockets);
        world.now = vrrp.poll_at(world.now, &mut iface, &sockets).unwrap();
    }
    let mut frame = vec![0; 201];
    frame[..6].copy_from_slice(&vr.key().virtual_mac().0);
    frame[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
    frame[30..34].copy_from_slice(&[10, 0, 0, 80]);
    world.hub.carry(usize::MAX, frame);
    let polled = vrrp.poll(world.now, &mut iface, &mut sockets);
    assert!(!polled.sockets_changed);
    assert_eq!(vrrp.discards().count(Discard::NoRoom), 1);
}

#[test]
fn one_vrid_in_both_families_is_two_virtual_routers() {
    let vrs = both();
    let mut world = World::new(&[200, 100], &vrs);
    world.run_ms(1_000);
    let now = world.now;
    world.hosts[0].vrrp.admin(now).resign(vrs[0].key()).unwrap();
    world.run_ms(1_000);
    assert_eq!((world.active(&vrs[0]), world.active(&vrs[1])), (2, 1));
    assert_eq!((world.who(V4), world.who(V6)), (2, 1));
    assert_ne!(vrs[0].key(), vrs[1].key());
    assert_eq!(vrs[1].key().family, Family::Ipv6);
}
