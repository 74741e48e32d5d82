//! The same with keys: what a signature costs, and what it costs to refuse one.

use vrrp_core::{
    AuthConfig, AuthKey, AuthSettings, DropReason, Duration, Instant, Output, Poll, State, VrKey,
    WallClock,
};

use super::{INTERVAL_US, Table, counted, measured_receive, measured_send, table, table_of};

/// The wall clock at time 0, in microseconds since 1970.
const EPOCH_US: u64 = 1_796_000_000_000_000;
/// By how much a recorded advertisement is too old.
const HOUR_US: u64 = 3_600_000_000;
/// After this time a Backup that hears nothing is Active.
const DOWN_US: u64 = 4 * INTERVAL_US;
/// Refused advertisements for each believed one: of a flood, of which one a second is looked at.
const FLOOD: u64 = 20;

/// Does the work of this name. False: there is none.
pub(crate) fn run(what: &str, routers: usize, rounds: u64, now: &mut u64) -> bool {
    match what {
        "send-signed" => {
            let mut table = with_keys(table(routers, 255, *now), *now, 0);
            measured_send(&mut table, now, 3 * routers as u64);
            counted(|| measured_send(&mut table, now, rounds * routers as u64));
        }
        "receive-signed" => hear(routers, rounds, now, None),
        "refuse-stale" => hear(
            routers,
            rounds,
            now,
            Some((recorded, DropReason::AuthStale)),
        ),
        "refuse-forged" => hear(
            routers,
            rounds,
            now,
            Some((forged, DropReason::AuthInvalidHmac)),
        ),
        _ => return false,
    }
    true
}

/// The frames that an attacker makes of those that others have sent an hour ago, and of those they send now, and
/// why each is refused.
type Attack = (fn(old: &[Frame], new: &[Frame]) -> Vec<Frame>, DropReason);
type Frame = (u32, Vec<u8>);

fn recorded(old: &[Frame], _: &[Frame]) -> Vec<Frame> {
    old.to_vec()
}

fn forged(_: &[Frame], new: &[Frame]) -> Vec<Frame> {
    let mut forged = new.to_vec();
    for (_, frame) in &mut forged {
        if let Some(last) = frame.last_mut() {
            *last ^= 1;
        }
    }
    forged
}

/// Counts what Backups do with advertisements that are believed, or with those of an attack.
fn hear(routers: usize, rounds: u64, now: &mut u64, attack: Option<Attack>) {
    let mut recorder = with_keys(table_of(2, routers, 200, *now), *now, HOUR_US);
    let old = advertisements(&mut recorder, routers);
    let mut sender = with_keys(table_of(2, routers, 200, *now), *now, 0);
    let first = advertisements(&mut sender, routers);
    *now += DOWN_US;
    let mut table = with_keys(table(routers, 100, *now), *now, 0);
    measured_receive(&mut table, &first, now, 0, 1);
    let gap = INTERVAL_US / routers as u64;
    let Some((attack, reason)) = attack else {
        for _ in 0..rounds {
            let frames = advertisements(&mut sender, routers);
            counted(|| measured_receive(&mut table, &frames, now, gap, 1));
        }
        all_are(&table, 0, DropReason::AuthReplay);
        return;
    };
    for _ in 0..rounds / FLOOD {
        let frames = advertisements(&mut sender, routers);
        measured_receive(&mut table, &frames, now, gap / 2, 1);
        let frames = attack(&old, &frames);
        counted(|| measured_receive(&mut table, &frames, now, gap / 2 / FLOOD, FLOOD));
    }
    all_are(&table, rounds / FLOOD * FLOOD, reason);
}

/// Sees that all are Backup, and have refused as many as they should for one reason.
fn all_are(table: &Table, refused: u64, reason: DropReason) {
    for key in table.keys() {
        let status = table.status(key).expect("it is there");
        let drops = &table.statistics(key).expect("it is there").drops;
        assert_eq!(status.state, State::Backup, "{drops:?}");
        assert_eq!(u64::from(drops.count(reason)), refused, "{drops:?}");
    }
}

/// The next advertisement of each virtual router, all of which are Active.
fn advertisements(table: &mut Table, routers: usize) -> Vec<Frame> {
    let mut buf = [0; Table::MAX_FRAME_LEN];
    let mut frames = Vec::new();
    while frames.len() < routers {
        let next = table.poll_timeout().expect("an Active router has a timer");
        table.handle_timeout(next);
        while let Poll::Output(output) = table.poll_output(&mut buf) {
            if let Output::Transmit(transmit) = output
                && transmit.kind == vrrp_core::FrameKind::Advertisement
            {
                frames.push((transmit.key.ifindex, transmit.frame.to_vec()));
            }
        }
    }
    frames
}

/// Gives every virtual router a key, by a clock that is synchronised and `behind` by so many microseconds.
fn with_keys(mut table: Box<Table>, now: u64, behind: u64) -> Box<Table> {
    let at = Instant::from_micros(now);
    let since_epoch = Duration::from_micros(EPOCH_US + now - behind);
    let clock = WallClock {
        since_epoch,
        synchronised: true,
    };
    table.set_wall_clock(at, Some(clock));
    let auth_keys = [AuthKey::new(1, &[7; 32]).expect("32 octets")];
    let settings = AuthSettings {
        active_key: 1,
        ..AuthSettings::DEFAULT
    };
    let all: Vec<VrKey> = table.keys().collect();
    for key in all {
        let config = AuthConfig {
            settings,
            keys: &auth_keys,
        };
        let set = table.admin(at).set_auth(key, Some(&config));
        set.expect("a good configuration");
    }
    table
}
