//! How the appliance stands, in lines of text.

use core::sync::atomic::{AtomicU32, Ordering};

use board::Watchdog;
use embassy_time::{Instant, Timer};
use vrrp_embassy::Discard;
use vrrp_embassy::vrrp_core::{Statistics, Status};

use crate::text::Text;
use crate::{App, processor};

/// How much the processor slept in the last second, in thousandths.
static IDLE: AtomicU32 = AtomicU32::new(0);

/// Measures how busy the processor is, for ever, and feeds the watchdog every second: it bites when
/// any task does not return.
pub(crate) async fn measure(mut watchdog: Watchdog) -> ! {
    let (mut since, mut slept) = (Instant::now(), processor::slept());
    loop {
        watchdog.feed();
        Timer::after_secs(1).await;
        let (now, slept_now) = (Instant::now(), processor::slept());
        let all = (now - since).as_micros() as u32;
        let sleep = (slept_now - slept).as_micros() as u32;
        let idle = sleep.checked_div(all / 1000).unwrap_or(0);
        IDLE.store(idle.min(1000), Ordering::Relaxed);
        (since, slept) = (now, slept_now);
    }
}

/// Writes part `number` of the status, a few lines; `false` when there is none.
pub(crate) fn part(app: &App, number: usize, out: &mut Text) -> bool {
    let routers = app.keys.len();
    if let Some(&key) = app.keys.get(number) {
        if let (Some(status), Some(counted)) = (app.vrrp.status(key), app.vrrp.statistics(key)) {
            router(&status, &counted, out);
            #[cfg(feature = "hmac")]
            if let Some(auth) = app.vrrp.auth(key) {
                crate::keys::status(&auth, &counted, out);
            }
        }
    } else if number == routers {
        host(app, out);
    } else if number == routers + 1 {
        reception(app, out);
    } else {
        return false;
    }
    true
}

fn router(status: &Status, counted: &Statistics, out: &mut Text) {
    let key = status.key;
    out.say("vrid ").number(key.vrid.get().into());
    out.say(" ").say(key.family.as_str());
    out.say(": ").say(status.state.as_str());
    out.say(", priority ").number(status.priority.get().into());
    out.say(": ").say(status.reason.as_str());
    out.say("\n  sent ").number(counted.adverts_sent);
    out.say(" received ").number(counted.adverts_received);
    out.say(" transitions ").number(counted.active_transitions);
    out.say("\n");
}

fn host(app: &App, out: &mut Text) {
    let idle = IDLE.load(Ordering::Relaxed);
    out.say("up ").number(Instant::now().as_secs() as u32);
    out.say(" s, idle ").number(idle / 10);
    out.say(".").number(idle % 10);
    out.say(" %\nmemory ")
        .number(processor::static_memory() as u32);
    out.say(" octets, stack ")
        .number(processor::stack_high_water() as u32);
    out.say(" at most\nframes lost ")
        .number(board::frames_lost());
    let without_room = app.vrrp.discards().count(Discard::NoRoom);
    out.say(", without room ").number(without_room);
    #[cfg(feature = "hmac")]
    if let Some(count) = app.boot_count {
        out.say("\nboot count ").number(count);
    }
    out.say("\nlate ").number(app.vrrp.worst_delay_us());
    out.say(" us at most\n");
}

fn reception(app: &App, out: &mut Text) {
    let reception = app.vrrp.reception();
    out.say("frames to virtual MACs ").number(reception.frames);
    out.say(match reception.unheard {
        Some(_) => ", unheard: does the device filter MACs?\n",
        None => "\n",
    });
}
