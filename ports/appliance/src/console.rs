//! The administrator at the serial line: a command a line, answered in the log.

use core::str::SplitAsciiWhitespace;

use vrrp_embassy::GateKey;
use vrrp_embassy::vrrp_core::{self, Error, Priority};

use crate::settings::{ADDRS, VRS};
use crate::text::Text;
use crate::{App, processor, status};

type Admin<'e> = vrrp_core::Admin<'e, 1, VRS, ADDRS, GateKey>;

/// A call of the administrator for one virtual router, with the number that follows its VRID.
type Order<'o> = &'o dyn Fn(&mut Admin<'_>, GateKey, Option<u8>) -> Result<(), Error>;

const USAGE: &str = "status | leave VRID | join VRID | resign VRID | priority VRID NUMBER | \
                     restart | hang | panic";

/// Does what is typed, for ever.
pub(crate) async fn run(app: &App) -> ! {
    loop {
        let line = board::read_line().await;
        match obey(app, &line) {
            Some(Ok(())) => defmt::info!("done: {=str}", line.as_str()),
            Some(Err(error)) => {
                defmt::error!("{=str}: {}", line.as_str(), error);
            }
            None => defmt::error!("commands: {=str}", USAGE),
        }
    }
}

/// `None`: it is no command.
fn obey(app: &App, line: &str) -> Option<Result<(), Error>> {
    let mut words = line.split_ascii_whitespace();
    let command = words.next()?;
    match command {
        "status" => report(app),
        "restart" => processor::restart(),
        // To try the watchdog, and what becomes of a panic.
        "hang" => processor::hang(),
        "panic" => panic!("told to"),
        "leave" => return each(app, words, &|admin, key, _| admin.set_enabled(key, false)),
        "join" => return each(app, words, &|admin, key, _| admin.set_enabled(key, true)),
        "resign" => return each(app, words, &|admin, key, _| admin.resign(key)),
        "priority" => {
            return each(app, words, &|admin, key, number| {
                admin.set_priority(key, number.and_then(Priority::new))
            });
        }
        _ => return None,
    }
    Some(Ok(()))
}

/// Gives an order to each virtual router of the VRID that is named.
fn each(
    app: &App,
    mut words: SplitAsciiWhitespace<'_>,
    order: Order<'_>,
) -> Option<Result<(), Error>> {
    let vrid: u8 = words.next()?.parse().ok()?;
    let number = words.next().and_then(|word| word.parse().ok());
    let keys = app.keys.iter().filter(|key| key.vrid.get() == vrid);
    let done = keys.map(|&key| app.vrrp.admin(|admin| order(admin, key, number)));
    Some(done.reduce(Result::and).unwrap_or(Err(Error::NotFound)))
}

fn report(app: &App) {
    let mut text = Text::new();
    for number in 0.. {
        text.clear();
        if !status::part(app, number, &mut text) {
            return;
        }
        for line in text.as_str().lines() {
            defmt::info!("{=str}", line);
        }
    }
}
