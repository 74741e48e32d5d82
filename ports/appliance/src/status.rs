//! How the appliance stands, in lines of text.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, Ordering};

use embassy_time::{Instant, Timer};
use vrrp_embassy::vrrp_core::{Statistics, Status};

use crate::{App, board};

/// How much the processor slept in the last second, in thousandths.
static IDLE: AtomicU32 = AtomicU32::new(0);

/// Measures how busy the processor is, for ever.
pub(crate) async fn measure() -> ! {
    let (mut since, mut slept) = (Instant::now(), board::slept());
    loop {
        Timer::after_secs(1).await;
        let (now, slept_now) = (Instant::now(), board::slept());
        let all = (now - since).as_micros() as u32;
        let sleep = (slept_now - slept).as_micros() as u32;
        let idle = sleep.checked_div(all / 1000).unwrap_or(0);
        IDLE.store(idle.min(1000), Ordering::Relaxed);
        (since, slept) = (now, slept_now);
    }
}

/// Writes line `number` of the status; `Ok(false)` when there is none.
///
/// # Errors
///
/// The line does not fit.
pub(crate) fn line(app: &App, number: usize, out: &mut impl Write) -> Result<bool, fmt::Error> {
    let routers = app.keys.len();
    if let Some(&key) = app.keys.get(number) {
        if let (Some(status), Some(counted)) = (app.vrrp.status(key), app.vrrp.statistics(key)) {
            router(&status, &counted, out)?;
        }
    } else if number == routers {
        host(out)?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn router(status: &Status, counted: &Statistics, out: &mut impl Write) -> fmt::Result {
    let key = status.key;
    write!(out, "vrid {} {}: {}, ", key.vrid, key.family, status.state)?;
    writeln!(out, "priority {}: {}", status.priority, status.reason)?;
    let (sent, received) = (counted.adverts_sent, counted.adverts_received);
    let transitions = counted.active_transitions;
    writeln!(
        out,
        "  sent {sent} received {received} transitions {transitions}"
    )
}

fn host(out: &mut impl Write) -> fmt::Result {
    let idle = IDLE.load(Ordering::Relaxed);
    let (percent, tenth) = (idle / 10, idle % 10);
    let uptime = Instant::now().as_secs() as u32;
    writeln!(out, "up {uptime} s, idle {percent}.{tenth} %")?;
    let (memory, stack) = (board::static_memory(), board::stack_high_water());
    writeln!(out, "memory {memory} octets, stack {stack} at most")?;
    writeln!(out, "frames lost {}", board::frames_lost())
}
