//! Hosts under embassy-net elect, and a client follows the service.

mod world;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, IpEndpoint, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_time::{Duration, Timer, with_timeout};
use vrrp_core::{AdvertInterval, Family, Priority, State, VirtualAddress, VrConfig, Vrid};
use vrrp_embassy::{Control, OwnAddresses, Resources, key};
use world::World;

const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 80);

type Handle = Control<'static, 4, 8>;

struct Host {
    control: Handle,
    service: Stack<'static>,
    plug: usize,
}

fn own(last_octet: u8) -> OwnAddresses {
    OwnAddresses {
        ipv4: Some(Ipv4Addr::new(10, 0, 0, last_octet)),
        ipv6: Some(format!("fe80::{last_octet}").parse().unwrap()),
    }
}

fn config_v4(address: Ipv4Addr) -> Config {
    Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(address, 24),
        gateway: None,
        dns_servers: Default::default(),
    })
}

/// A host whose service answers with the last octet of its own address.
fn host(world: &mut World, last_octet: u8, priority: u8, config: VrConfig<'_>) -> Host {
    let device = world.hub.plug(last_octet);
    let plug = usize::from(last_octet) - 1;
    let resources = Box::leak(Box::new(Resources::<4, 8>::new()));
    let seed = last_octet.into();
    let (control, device, mut runner) = vrrp_embassy::new(device, own(last_octet), resources, seed);
    world.spawn(async move { runner.run().await });

    let memory = Box::leak(Box::new(StackResources::<2>::new()));
    let own_config = config_v4(Ipv4Addr::new(10, 0, 0, last_octet));
    let (_stack, mut runner) = embassy_net::new(device, own_config, memory, seed);
    world.spawn(async move { runner.run().await });

    let memory = Box::leak(Box::new(StackResources::<2>::new()));
    let device = control.stack_driver(Some(SERVICE), None).unwrap();
    let (service, mut runner) = embassy_net::new(device, config_v4(SERVICE), memory, seed);
    world.spawn(async move { runner.run().await });
    world.spawn(serve(service, last_octet));

    let addresses = [VirtualAddress {
        address: SERVICE.into(),
        prefix_len: 24,
    }];
    let config = VrConfig {
        priority: Priority::new(priority).unwrap(),
        accept: true,
        addresses: &addresses,
        ..config
    };
    control.insert(vr(), &config).unwrap();
    Host {
        control,
        service,
        plug,
    }
}

fn vr() -> vrrp_core::VrKey {
    key(Vrid::new(7).unwrap(), Family::Ipv4)
}

async fn serve(stack: Stack<'static>, name: u8) {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let (mut rx, mut tx) = ([0; 256], [0; 256]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(7).unwrap();
    let mut question = [0; 64];
    loop {
        let (_, asker) = socket.recv_from(&mut question).await.unwrap();
        socket.send_to(&[name], asker).await.unwrap();
    }
}

/// Who answered, one entry a question; 0: nobody.
type Answers = Rc<RefCell<Vec<u8>>>;

/// A host that asks the service every 10 ms.
fn client(world: &mut World, last_octet: u8) -> Answers {
    let device = world.hub.plug(last_octet);
    let memory = Box::leak(Box::new(StackResources::<2>::new()));
    let config = config_v4(Ipv4Addr::new(10, 0, 0, last_octet));
    let (stack, mut runner) = embassy_net::new(device, config, memory, 99);
    world.spawn(async move { runner.run().await });
    let answers = Answers::default();
    let log = answers.clone();
    world.spawn(async move {
        let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
        let (mut rx, mut tx) = ([0; 256], [0; 256]);
        let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
        socket.bind(5000).unwrap();
        let service = IpEndpoint::new(IpAddr::V4(SERVICE).into(), 7);
        loop {
            let _ = socket.send_to(b"who?", service).await;
            let mut answer = [0; 8];
            let heard = socket.recv_from(&mut answer);
            let name = match with_timeout(Duration::from_millis(9), heard).await {
                Ok(Ok((1, _))) => answer[0],
                _ => 0,
            };
            log.borrow_mut().push(name);
            Timer::after_millis(10).await;
        }
    });
    answers
}

fn fast() -> VrConfig<'static> {
    VrConfig {
        advert_interval: AdvertInterval::from_centis(10).unwrap(),
        ..VrConfig::DEFAULT
    }
}

fn state(host: &Host) -> State {
    host.control.status(vr()).unwrap().state
}

#[test]
fn the_better_of_two_serves_and_a_client_follows() {
    let mut world = World::new();
    let a = host(&mut world, 1, 200, fast());
    let b = host(&mut world, 2, 100, fast());
    let answers = client(&mut world, 3);
    // Three intervals of 100 ms, and (256 - 200) / 256 of one.
    let took = world.run_until(1_000, || state(&a) == State::Active);
    assert!((321..=323).contains(&took), "{took} ms");
    assert_eq!(state(&b), State::Backup);
    assert!(a.service.is_link_up() && !b.service.is_link_up());
    world.run_ms(1_500);
    assert_eq!(answers.borrow().last(), Some(&1));

    // The cable of the better one is pulled.
    world.hub.set_cable(a.plug, false);
    let took = world.run_until(1_000, || state(&b) == State::Active);
    assert!((250..=365).contains(&took), "{took} ms");
    world.run_ms(200);
    assert_eq!(answers.borrow().last(), Some(&2));
    assert_eq!(state(&a), State::Initialize);

    // And put back: it preempts.
    world.hub.set_cable(a.plug, true);
    world.run_until(1_000, || state(&a) == State::Active);
    world.run_until(100, || state(&b) == State::Backup);
    world.run_ms(100);
    assert_eq!(answers.borrow().last(), Some(&1));
}
