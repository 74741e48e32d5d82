//! Two engines and a cable: the better host serves the address until its end of the cable is pulled,
//! then the other one does.
//!
//! `cargo run -p vrrp-core --example failover`

use vrrp_core::{
    Error, Family, Instant, InterfaceState, MacAddr, Output, Poll, Priority, State, VirtualAddress,
    VrConfig, VrKey, VrSettings, Vrid,
};

type Engine = vrrp_core::Engine<1, 1, 4>;

/// The interface's number: any one that the caller likes.
const ETH0: u32 = 1;

struct Host {
    name: &'static str,
    engine: Engine,
    key: VrKey,
}

impl Host {
    fn new(name: &'static str, number: u8, priority: u8, now: Instant) -> Result<Self, Error> {
        let mut engine = Engine::new();
        let eth0 = InterfaceState {
            up: true,
            mac: MacAddr([2, 0, 0, 0, 0, number]),
            ipv4: Some([10, 0, 0, number].into()),
            ipv6: None,
        };
        engine.set_interface(now, ETH0, eth0)?;
        let key = VrKey {
            ifindex: ETH0,
            vrid: Vrid::new(1).expect("a VRID is 1 to 255"),
            family: Family::Ipv4,
        };
        let service = VirtualAddress {
            address: [10, 0, 0, 80].into(),
            prefix_len: 24,
        };
        let config = VrConfig {
            settings: VrSettings {
                priority: Priority::new(priority).expect("a priority is 1 to 255"),
                ..VrSettings::DEFAULT
            },
            addresses: &[service],
            ..VrConfig::DEFAULT
        };
        engine.admin(now).insert(key, &config)?;
        engine.admin(now).set_enabled(key, true)?;
        Ok(Self { name, engine, key })
    }

    /// Performs every output, and returns the frames that go onto the cable.
    fn perform(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        while let Poll::Output(output) = self.engine.poll_output(&mut buf) {
            let seconds = now.as_micros() as f64 / 1e6;
            match output {
                Output::Transmit(transmit) => frames.push(transmit.frame.to_vec()),
                Output::SetAddress { address, on, .. } => {
                    let verb = if on { "serves" } else { "gives up" };
                    println!("{seconds:6.2} s  {} {verb} {}", self.name, address.address);
                }
                Output::StateChange(change) => println!(
                    "{seconds:6.2} s  {} is {}: {}",
                    self.name, change.to, change.reason
                ),
                // A port joins the group and takes up the virtual MAC here.
                Output::SetGroup { .. } | Output::SetMac { .. } | Output::Removed { .. } => {}
            }
        }
        frames
    }

    fn is_active(&self) -> bool {
        let status = self.engine.status(self.key);
        status.is_some_and(|status| status.state == State::Active)
    }
}

fn main() -> Result<(), Error> {
    let mut now = Instant::from_micros(0);
    let mut hosts = [
        Host::new("fridge", 1, 200, now)?,
        Host::new("freezer", 2, 100, now)?,
    ];
    let mut cable = true;
    while now < Instant::from_micros(12_000_000) {
        if cable && now >= Instant::from_micros(7_000_000) {
            println!("        the cable of fridge is pulled");
            cable = false;
            let down = InterfaceState::default();
            hosts[0].engine.set_interface(now, ETH0, down)?;
        }
        // The frames of each host reach the other one, and may be answered.
        let mut from = 0;
        let mut silent = 0;
        while silent < hosts.len() {
            let frames = hosts[from].perform(now);
            silent = if frames.is_empty() { silent + 1 } else { 0 };
            from = 1 - from;
            for frame in frames.iter().filter(|_| cable) {
                let _verdict = hosts[from].engine.handle_frame(now, ETH0, frame);
            }
        }
        let deadlines = hosts.iter().filter_map(|host| host.engine.poll_timeout());
        let Some(next) = deadlines.min() else {
            break;
        };
        now = now.max(next);
        for host in &mut hosts {
            host.engine.handle_timeout(now);
        }
    }
    assert!(!hosts[0].is_active() && hosts[1].is_active());
    Ok(())
}
