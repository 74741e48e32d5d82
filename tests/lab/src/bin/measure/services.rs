//! Asks that a client of the paper's services loses when their address moves.

use std::time::Duration;

use vrrp_lab::sayln;
use vrrp_lab::services::{
    Account, CHECK_INTERVAL, Client, Event, FALL, INTERVAL_CS, Served, Service,
};

use crate::median;

/// An ask that takes longer is lost.
const ANSWERED_WITHIN: Duration = Duration::from_millis(100);

/// Prints, for each service and each event, the medians of `runs`.
pub(crate) fn run(runs: u32, only: &str) {
    sayln!(
        "advertisements each {} ms, checks each {} ms with fall = {FALL}; a client asks every {} ms and \
         waits {} ms; {runs} runs, medians\n",
        u32::from(INTERVAL_CS) * 10,
        CHECK_INTERVAL.as_millis(),
        Client::PERIOD.as_millis(),
        ANSWERED_WITHIN.as_millis()
    );
    sayln!(
        "| {:<34} | {:<14} | {:>4} | {:>5} | {:>7} | {:>10} | {:>9} | {:>12} |",
        "service",
        "event",
        "lost",
        "reset",
        "silence",
        "lost, back",
        "reset, b.",
        "silence, b."
    );
    sayln!(
        "| {:-<34} | {:-<14} | {:->3}: | {:->4}: | {:->6}: | {:->9}: | {:->8}: | {:->11}: |",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        ""
    );
    let services = Service::ALL.into_iter();
    for service in services.filter(|service| service.title().contains(only)) {
        let mut served = Served::start(service);
        for event in Event::ALL {
            if event == Event::ServiceKilled && service.has_scripts() {
                continue;
            }
            let suffered = (0..runs).map(|_| served.suffer(event, ANSWERED_WITHIN));
            let (away, back): (Vec<_>, Vec<_>) = suffered
                .map(|moved| (row(&moved.away), row(&moved.back)))
                .unzip();
            let ([lost, reset, silence], [lost_b, reset_b, silence_b]) =
                (medians(&away), medians(&back));
            sayln!(
                "| {:<34} | {:<14} | {lost:>4} | {reset:>5} | {:>7} | {lost_b:>10} | {reset_b:>9} | {:>12} |",
                service.title(),
                event.title(),
                format!("{silence} ms"),
                format!("{silence_b} ms")
            );
        }
    }
}

/// Asks lost, connections reset, and the longest silence in milliseconds.
fn row(account: &Account) -> [u128; 3] {
    let silence = account.longest.as_millis();
    [account.lost as u128, account.reset as u128, silence]
}

fn medians(rows: &[[u128; 3]]) -> [u128; 3] {
    [0, 1, 2].map(|column| {
        let values: Vec<u128> = rows.iter().map(|row| row[column]).collect();
        median(&values).unwrap_or_default()
    })
}
