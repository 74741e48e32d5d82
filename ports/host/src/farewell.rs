//! The advertisements by which a virtual router is handed over on behalf of a host that is not there
//! any more.

use vrrp_core::{
    Duration, Engine, FrameKind, Instant, InterfaceState, Output, Poll, State, Transmit, VrKey,
    WallClock,
};

use crate::config::{Form, VrSpec};
use crate::limits::{MAX_ADDRESSES, MAX_FRAME};

/// An engine for one virtual router.
type OneRouter = Engine<1, 1, MAX_ADDRESSES>;

/// Outputs and deadlines on the way to Active: some for each address, and each repeated announcement.
const MOST_STEPS: usize = 10_000;

/// The clocks by which a farewell is signed, each of them after all that was signed before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FarewellClock {
    /// The wall clock: the time since 1970 in UTC.
    pub since_epoch: Option<Duration>,
    /// The boot count of the life that has ended ([`HostConfig::boot_count`](crate::HostConfig::boot_count)).
    /// The farewell has the number after it, which no other life may have.
    pub boot_count: Option<u32>,
}

/// Composes what a virtual router that is Active says when it ends: the advertisements with priority 0,
/// in each version that it speaks and to each peer. `interface` is the state of its interface when it
/// was Active. Returns whether anything was said: nothing is that should be signed and cannot be.
///
/// It is the engine that composes them, of a life of its own in which no time passes: they have the form
/// of those before.
pub fn farewell(
    spec: &VrSpec,
    key: VrKey,
    interface: &InterfaceState,
    clock: FarewellClock,
    send: &mut dyn FnMut(&Transmit<'_>),
) -> bool {
    let mut engine = Box::new(OneRouter::new());
    let mut buffer = [0; MAX_FRAME];
    let mut now = Instant::from_micros(0);
    // Tracked objects do not matter: it was Active.
    let spec = VrSpec {
        tracks: Vec::new(),
        ..spec.clone()
    };
    let up = InterfaceState {
        up: true,
        ..*interface
    };
    let begun = engine.set_interface(now, key.ifindex, up).and_then(|()| {
        spec.with_engine_form(
            Form::default(),
            |_| 0,
            |config| engine.admin(now).insert(key, config),
        )?;
        engine.admin(now).set_enabled(key, true)
    });
    if begun.is_err() {
        return false;
    }
    let is_active = |engine: &OneRouter| {
        let status = engine.status(key);
        status.is_some_and(|status| status.state == State::Active)
    };
    for _ in 0..MOST_STEPS {
        if let Poll::Output(_) = engine.poll_output(&mut buffer) {
            continue;
        }
        if is_active(&engine) {
            break;
        }
        let Some(at) = engine.poll_timeout() else {
            return false;
        };
        now = at.max(now);
        engine.handle_timeout(now);
    }
    if !is_active(&engine) {
        return false;
    }
    // Its keys come last, for they bear the time of now and not of that life.
    engine.set_wall_clock(
        now,
        clock.since_epoch.map(|since_epoch| WallClock {
            since_epoch,
            synchronised: true,
        }),
    );
    if let Some(boots) = clock.boot_count {
        engine.set_boot_count(now, boots.wrapping_add(1));
    }
    let signs = spec.hmac.as_ref().map_or(Ok(()), |hmac| {
        hmac.with_engine_form(|auth| engine.admin(now).set_auth(key, Some(auth)))
    });
    if signs.is_err() || engine.admin(now).remove(key).is_err() {
        return false;
    }
    let mut any = false;
    for _ in 0..MOST_STEPS {
        match engine.poll_output(&mut buffer) {
            Poll::Output(Output::Transmit(transmit)) => {
                if transmit.kind == FrameKind::Advertisement {
                    any = true;
                    send(&transmit);
                }
            }
            Poll::Output(_) => {}
            _ => break,
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use vrrp_core::{
        AntiReplay, AuthMode, AuthSettings, Family, MacAddr, MacMode, VirtualAddress, Vrid,
    };

    use super::*;
    use crate::config::{AddressSpec, VrId};
    use crate::hmac::{HmacSpec, KeySource, KeySpec, Secret};
    use crate::host_if::HostIf;

    /// The wall clock, in seconds.
    const NOW: u64 = 1_796_000_000;
    const CLOCK: FarewellClock = FarewellClock {
        since_epoch: Some(Duration::from_secs(NOW)),
        boot_count: Some(41),
    };
    const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    /// The frames' sources, destinations, and messages, and the peer of each.
    fn said(change: impl FnOnce(&mut VrSpec)) -> Vec<(Vec<u8>, usize, Option<IpAddr>)> {
        let vrid = Vrid::new(7).unwrap();
        let address = VirtualAddress {
            address: [10, 0, 0, 100].into(),
            prefix_len: 24,
        };
        let id = VrId {
            interface: "eth0".into(),
            vrid,
            family: Family::Ipv4,
            name: None,
        };
        let interface = None;
        let mut spec = VrSpec::new(id, vec![AddressSpec { address, interface }]);
        change(&mut spec);
        let key = HostIf::new(3).key(vrid, Family::Ipv4);
        let state = InterfaceState {
            up: false,
            mac: OWN,
            ipv4: Some([10, 0, 0, 1].into()),
            ipv6: None,
        };
        let mut all = Vec::new();
        farewell(&spec, key, &state, CLOCK, &mut |transmit| {
            let (frame, at) = (transmit.frame.to_vec(), transmit.payload_offset);
            all.push((frame, usize::from(at), transmit.unicast));
        });
        all
    }

    #[test]
    fn priority_0_goes_to_the_group_from_the_mac_of_the_virtual_router() {
        for (mode, mac) in [
            (MacMode::Virtual, MacAddr([0, 0, 0x5e, 0, 1, 7])),
            (MacMode::Interface, OWN),
        ] {
            let all = said(|spec| {
                spec.settings.mac_mode = mode;
                spec.settings.start_delay = vrrp_core::Duration::from_secs(60);
            });
            let [(frame, at, peer)] = all.as_slice() else {
                panic!("{all:?}");
            };
            assert_eq!(frame[6..12], mac.0);
            assert_eq!(frame[..6], [1, 0, 0x5e, 0, 0, 0x12]);
            assert_eq!(frame[26..30], [10, 0, 0, 1]);
            // VRRPv3, VRID, priority, one address.
            assert_eq!(frame[*at..*at + 4], [0x31, 7, 0, 1]);
            assert_eq!(frame[*at + 8..*at + 12], [10, 0, 0, 100]);
            assert_eq!(*peer, None);
        }
    }

    fn hmac(mode: AuthMode, secret: Option<Secret>) -> HmacSpec {
        let source = KeySource::Credential("k".into());
        let id = 9;
        HmacSpec {
            settings: AuthSettings {
                mode,
                active_key: id,
                ..AuthSettings::DEFAULT
            },
            keys: vec![KeySpec { id, source, secret }],
        }
    }

    #[test]
    fn it_is_signed_with_the_time_of_now_or_not_said() {
        let secret = Secret::new((0..32).collect()).unwrap();
        for mode in [AuthMode::Enforce, AuthMode::Permissive] {
            let all = said(|spec| {
                // It waits before it is Active, and that is of no moment.
                spec.settings.start_delay = vrrp_core::Duration::from_secs(60);
                spec.hmac = Some(hmac(mode, Some(secret.clone())));
            });
            let [(frame, at, _)] = all.as_slice() else {
                panic!("{all:?}");
            };
            let trailer = &frame[*at + 12..];
            assert_eq!(frame[*at + 2], 0, "priority 0");
            assert_eq!(trailer.len(), 28);
            assert_eq!(trailer[..4], [1, 9, 0, 0]);
            assert_eq!(trailer[4..8], (NOW as u32).to_be_bytes());
            assert_ne!(trailer[12..], [0; 16]);
        }
        // A host that signs nothing yet goes without a signature, as it was heard before.
        let bare = said(|spec| spec.hmac = Some(hmac(AuthMode::ReceiveOnly, Some(secret.clone()))));
        let [(frame, at, _)] = bare.as_slice() else {
            panic!("{bare:?}");
        };
        assert_eq!(frame.len(), at + 12);
        assert_eq!(
            said(|spec| spec.hmac = Some(hmac(AuthMode::Enforce, None))),
            []
        );
    }

    #[test]
    fn with_monotonic_numbers_it_comes_after_the_life_that_has_ended() {
        let secret = Secret::new((0..32).collect()).unwrap();
        let all = said(|spec| {
            let mut hmac = hmac(AuthMode::Enforce, Some(secret));
            hmac.settings.replay = AntiReplay::Monotonic;
            spec.hmac = Some(hmac);
        });
        let [(frame, at, _)] = all.as_slice() else {
            panic!("{all:?}");
        };
        // The clock does not count.
        assert_eq!(frame[*at + 16..*at + 20], 42_u32.to_be_bytes());
    }

    #[test]
    fn both_versions_and_every_peer_are_told() {
        let both = said(|spec| spec.settings.version = vrrp_core::Version::Both);
        let versions: Vec<u8> = both.iter().map(|(frame, at, _)| frame[*at]).collect();
        assert_eq!(versions.len(), 2);
        assert!(versions.contains(&0x21) && versions.contains(&0x31));
        assert!(both.iter().all(|(frame, at, _)| frame[*at + 2] == 0));
        let peers: [IpAddr; 2] = [[10, 0, 0, 2].into(), [10, 0, 0, 3].into()];
        let told = said(|spec| spec.peers = peers.to_vec());
        let mut told: Vec<IpAddr> = told.into_iter().filter_map(|(.., peer)| peer).collect();
        told.sort();
        assert_eq!(told, peers);
    }

    #[test]
    fn without_an_address_to_advertise_from_nothing_is_said() {
        let id = VrId {
            interface: "eth0".into(),
            vrid: Vrid::new(7).unwrap(),
            family: Family::Ipv4,
            name: None,
        };
        let key = HostIf::new(3).key(id.vrid, Family::Ipv4);
        let spec = VrSpec::new(id, Vec::new());
        let state = InterfaceState::default();
        let clock = FarewellClock::default();
        assert!(!farewell(&spec, key, &state, clock, &mut |_| panic!(
            "a frame"
        )));
    }
}
