//! `model [--long] [PART...]`: explores the models of two and of three routers and says what was
//! covered. With parts of names, those alone whose name has one of them.

use std::process::ExitCode;
use std::time::Instant;

use vrrp_core::{AdvertInterval, AntiReplay, MacMode, OnConflict, Track, TrackEffect};
use vrrp_sim::config::Config;
use vrrp_sim::model::attack::Signed;
use vrrp_sim::model::{Budgets, CHECK, Model, router};
use vrrp_sim::output::complain;
use vrrp_sim::sayln;

fn models(long: bool) -> Vec<Model> {
    let budgets = |losses, delays, stops, horizon| Budgets {
        losses,
        delays,
        crashes: 1,
        stops,
        checks: 0,
        attacks: 0,
        horizon,
    };
    let (two, unlike, three) = match long {
        true => (
            budgets(4, 2, 1, 12),
            budgets(2, 1, 1, 8),
            budgets(2, 1, 1, 9),
        ),
        false => (
            budgets(1, 1, 1, 6),
            budgets(1, 0, 1, 5),
            budgets(1, 1, 0, 6),
        ),
    };
    let mut models = Vec::new();
    let mut add = |priorities: &[u8], budgets: Budgets, mac_mode, unlike: bool| {
        for preempt in [true, false] {
            let configs = priorities.iter().enumerate().map(|(n, priority)| {
                let mut config = router(*priority, preempt);
                config.settings.mac_mode = mac_mode;
                if unlike && n == 0 {
                    config.settings.advert_interval =
                        AdvertInterval::from_centis(30).unwrap_or(config.settings.advert_interval);
                }
                config
            });
            let intervals = if unlike { ", unlike intervals" } else { "" };
            models.push(Model {
                name: format!("{priorities:?}, preempt {preempt}, {mac_mode:?} MAC{intervals}"),
                configs: configs.collect(),
                budgets,
                signed: None,
            });
        }
    };
    // Each host with a check by which it stands back.
    let checked = |model: &Model, budgets| {
        let mut model = model.clone();
        model.name += ", checks";
        model.budgets = budgets;
        for config in &mut model.configs {
            config.tracks = vec![Track {
                object: CHECK,
                effect: TrackEffect::StandBack,
            }];
        }
        model
    };
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        for priorities in [[100, 100], [100, 200], [100, 255], [255, 255]] {
            add(&priorities, two, mac_mode, false);
        }
        add(&[100, 200], unlike, mac_mode, true);
        add(&[200, 100], unlike, mac_mode, true);
        for priorities in [[100, 100, 100], [50, 100, 200]] {
            add(&priorities, three, mac_mode, false);
        }
        // With the interface's own MAC the first of these was not explored when it held 19 GB.
        let largest = match mac_mode {
            MacMode::Interface if long => budgets(1, 1, 0, 7),
            _ => three,
        };
        add(&[100, 100, 255], largest, mac_mode, false);
        if long {
            add(&[50, 100, 200], largest, mac_mode, true);
        }
    }
    // Long silences, which some of the routers wait on while they are answered (G-8).
    let silences = match long {
        true => budgets(7, 1, 0, 14),
        false => budgets(6, 1, 0, 11),
    };
    for waits in [[false, true], [true, true]] {
        let mut configs = vec![router(100, true), router(200, true)];
        for (config, waits) in configs.iter_mut().zip(waits) {
            if waits {
                config.settings.on_conflict = OnConflict::Wait;
            }
        }
        models.push(Model {
            name: format!("[100, 200], silences, waits {waits:?}"),
            configs,
            budgets: silences,
            signed: None,
        });
    }
    let (two, three) = match long {
        true => (budgets(2, 1, 0, 10), budgets(1, 1, 0, 6)),
        false => (budgets(1, 0, 0, 6), budgets(0, 0, 0, 5)),
    };
    for at in 0..models.len() {
        let model = &models[at];
        let simple = |c: &Config| {
            let settings = &c.settings;
            settings.mac_mode == MacMode::Virtual
                && !settings.priority.is_owner()
                && settings.advert_interval == AdvertInterval::DEFAULT
                && settings.on_conflict == OnConflict::TakeOver
        };
        if !long && !model.configs.iter().all(simple) {
            continue;
        }
        let budgets = match model.configs.len() {
            2 => Budgets { checks: 3, ..two },
            _ => Budgets {
                checks: 4,
                crashes: u8::from(long),
                ..three
            },
        };
        models.push(checked(model, budgets));
    }
    models.extend(signed(long));
    models
}

/// Two routers with keys, and an attacker who has recorded everything.
fn signed(long: bool) -> Vec<Model> {
    let budgets = |losses, delays, stops, attacks, horizon| Budgets {
        losses,
        delays,
        crashes: 1,
        stops,
        checks: 0,
        attacks,
        horizon,
    };
    let (faults, stops) = match long {
        true => (budgets(2, 1, 0, 2, 9), budgets(1, 1, 1, 1, 8)),
        false => (budgets(1, 1, 0, 2, 7), budgets(0, 0, 1, 1, 7)),
    };
    let mut models = Vec::new();
    for replay in [AntiReplay::Time, AntiReplay::Monotonic] {
        for (preempt, what, budgets) in [(true, "losses", faults), (false, "stops", stops)] {
            models.push(Model {
                name: format!("[100, 200], preempt {preempt}, signed, {replay}, {what}"),
                configs: vec![router(100, preempt), router(200, preempt)],
                budgets,
                signed: Some(Signed::new(replay)),
            });
        }
    }
    models
}

fn main() -> ExitCode {
    let (options, parts): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|arg| arg.starts_with('-'));
    let long = options.iter().any(|option| option == "--long");
    if options.iter().any(|option| option != "--long") {
        complain(format_args!("usage: model [--long] [PART...]\n"));
        return ExitCode::from(2);
    }
    let mut models = models(long);
    models.retain(|model| parts.is_empty() || parts.iter().any(|part| model.name.contains(part)));
    if models.is_empty() {
        complain(format_args!(
            "model: no model's name has a part {parts:?}\n"
        ));
        return ExitCode::from(2);
    }
    let (mut states, mut steps) = (0, 0);
    for model in models {
        let started = Instant::now();
        match model.explore() {
            Ok(covered) => {
                states += covered.states;
                steps += covered.steps;
                sayln!(
                    "{}: {} states, {} steps, {} deep, {:.1} s",
                    model.name,
                    covered.states,
                    covered.steps,
                    covered.depth,
                    started.elapsed().as_secs_f64()
                );
            }
            Err(found) => {
                sayln!("{} with {:?}", model.name, model.budgets);
                for step in found.path {
                    sayln!("  {step}");
                }
                sayln!("{}", found.wrong);
                return ExitCode::FAILURE;
            }
        }
    }
    sayln!("{states} states, {steps} steps: from each the routers come to rest, one Active");
    ExitCode::SUCCESS
}
