//! Hosts with VRRP that say who they are, and clients that ask.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{
    Config, ConfigV6, Ipv4Cidr, Ipv6Cidr, Stack, StackResources, StaticConfigV4, StaticConfigV6,
};
use embassy_time::{Duration, Timer, with_timeout};
use vrrp_core::{
    AdvertInterval, Family, Priority, State, VirtualAddress, VrConfig, VrSettings, Vrid,
};
use vrrp_embassy::{Control, GateKey, OwnAddresses, Resources};

use super::nic::Nic;
use super::{World, set_filter};

/// The port of the service that answers with its host's number.
const WHO: u16 = 7;

pub(crate) type Handle = Control<'static, 4, 8>;

pub(crate) struct Host {
    pub(crate) number: u8,
    pub(crate) plug: usize,
    pub(crate) control: Handle,
    /// The stack with its own addresses.
    pub(crate) own: Stack<'static>,
}

impl Host {
    /// A host with its own stack, and room for two more.
    pub(crate) fn new(world: &mut World, number: u8) -> Self {
        Self::with_nic(world, number, |_| {})
    }

    /// The same with another controller.
    pub(crate) fn with_nic(world: &mut World, number: u8, change: impl FnOnce(&mut Nic)) -> Self {
        let device = world.hub.plug(number);
        let plug = device.plug;
        world.hub.set_nic(plug, change);
        let resources = Box::leak(Box::new(Resources::<4, 8, 3>::new()));
        let own = own(number);
        let (control, device, runner) = vrrp_embassy::new(device, own, resources, number.into());
        let mut runner = runner.with_filter(set_filter);
        world.spawn(async move { runner.run().await });
        let own = stack(world, device, own.ipv4, own.ipv6, number);
        Self {
            number,
            plug,
            control,
            own,
        }
    }

    /// One more stack, which answers who asks for this host's number.
    pub(crate) fn serve(
        &self,
        world: &mut World,
        v4: Option<&str>,
        v6: Option<&str>,
    ) -> Stack<'static> {
        let v4 = v4.map(|text| text.parse().unwrap());
        let v6 = v6.map(|text| text.parse().unwrap());
        let device = self.control.stack_driver(v4, v6).expect("room for a stack");
        let stack = stack(world, device, v4, v6, self.number);
        world.spawn(answer(stack, self.number));
        stack
    }

    pub(crate) fn insert(&self, vrid: u8, addresses: &[&str], priority: u8, config: VrConfig<'_>) {
        let addresses: Vec<VirtualAddress> = addresses
            .iter()
            .map(|text| VirtualAddress {
                address: text.parse().unwrap(),
                prefix_len: 24,
            })
            .collect();
        let config = VrConfig {
            settings: VrSettings {
                priority: Priority::new(priority).unwrap(),
                ..config.settings
            },
            addresses: &addresses,
            ..config
        };
        let family = Family::of(addresses[0].address);
        self.control
            .admin(|admin| admin.insert(vr(vrid, family), &config))
            .unwrap();
    }

    pub(crate) fn state(&self, key: GateKey) -> State {
        self.control
            .status(key)
            .map_or(State::Initialize, |s| s.state)
    }
}

pub(crate) fn vr(vrid: u8, family: Family) -> GateKey {
    GateKey::new(Vrid::new(vrid).unwrap(), family)
}

/// Accepting, an interval of 100 ms.
pub(crate) fn fast() -> VrConfig<'static> {
    VrConfig {
        settings: VrSettings {
            advert_interval: AdvertInterval::from_centis(10).unwrap(),
            accept: true,
            ..VrSettings::DEFAULT
        },
        ..VrConfig::DEFAULT
    }
}

pub(crate) fn own(number: u8) -> OwnAddresses {
    OwnAddresses {
        ipv4: Some(Ipv4Addr::new(10, 0, 0, number)),
        ipv6: Some(format!("fe80::{number}").parse().unwrap()),
    }
}

fn stack(
    world: &mut World,
    device: impl embassy_net::driver::Driver + 'static,
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
    seed: u8,
) -> Stack<'static> {
    let mut config = Config::default();
    if let Some(address) = v4 {
        config = Config::ipv4_static(StaticConfigV4 {
            address: Ipv4Cidr::new(address, 24),
            gateway: None,
            dns_servers: Default::default(),
        });
    }
    if let Some(address) = v6 {
        config.ipv6 = ConfigV6::Static(StaticConfigV6 {
            address: Ipv6Cidr::new(address, 64),
            gateway: None,
            dns_servers: Default::default(),
        });
    }
    let memory = Box::leak(Box::new(StackResources::<2>::new()));
    let (stack, mut runner) = embassy_net::new(device, config, memory, seed.into());
    world.spawn(async move { runner.run().await });
    stack
}

async fn answer(stack: Stack<'static>, number: u8) {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let (mut rx, mut tx) = ([0; 256], [0; 256]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(WHO).unwrap();
    let mut question = [0; 64];
    loop {
        let (_, asker) = socket.recv_from(&mut question).await.unwrap();
        socket.send_to(&[number], asker).await.unwrap();
    }
}

/// The hosts that answered, one entry a request; 0: none.
pub(crate) type Answers = Rc<RefCell<Vec<u8>>>;

/// A host without VRRP that asks an address every 10 ms.
pub(crate) fn client(world: &mut World, number: u8, address: &str) -> Answers {
    let device = world.hub.plug(number);
    // Of the network that the address is on.
    let address: IpAddr = address.parse().unwrap();
    let v6 = match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("fe80::{number}"),
        _ => format!("2001:db8::{number}"),
    };
    let v4 = Ipv4Addr::new(10, 0, 0, number);
    let stack = stack(world, device, Some(v4), Some(v6.parse().unwrap()), number);
    let answers = Answers::default();
    let log = answers.clone();
    world.spawn(async move {
        let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
        let (mut rx, mut tx) = ([0; 256], [0; 256]);
        let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
        socket.bind(5_000).unwrap();
        loop {
            let _ = socket.send_to(b"who?", (address, WHO)).await;
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
