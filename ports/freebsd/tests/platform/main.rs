//! The platform against FreeBSD's kernel, each test in a jail with a network stack of its own.
//! Needs root. Run without arguments it runs every test and prints what passed; with the names of
//! tests, those.
#![cfg(target_os = "freebsd")]

mod common;
mod macs;
mod privsep;
mod silent;
mod trouble;
mod wait;

use std::process::{Command, ExitCode};

use macs::*;
use privsep::*;
use silent::*;
use trouble::*;
use vrrp_freebsd::testing;
use wait::*;

type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("adverts_are_sent_and_heard", adverts_are_sent_and_heard),
    (
        "the_virtual_mac_alone_answers_arp",
        the_virtual_mac_alone_answers_arp,
    ),
    (
        "the_virtual_mac_alone_answers_solicitations",
        the_virtual_mac_alone_answers_solicitations,
    ),
    (
        "several_virtual_macs_live_on_one_interface",
        several_virtual_macs_live_on_one_interface,
    ),
    (
        "a_carrier_is_silent_before_and_after",
        a_carrier_is_silent_before_and_after,
    ),
    (
        "with_the_interfaces_own_mac_it_answers",
        with_the_interfaces_own_mac_it_answers,
    ),
    (
        "the_virtual_mac_replaces_the_interfaces_own",
        the_virtual_mac_replaces_the_interfaces_own,
    ),
    (
        "the_host_stays_reachable_behind_the_bridge",
        the_host_stays_reachable_behind_the_bridge,
    ),
    (
        "a_second_master_shuts_no_link",
        a_second_master_shuts_no_link,
    ),
    (
        "without_accept_the_questions_come_to_the_host",
        without_accept_the_questions_come_to_the_host,
    ),
    (
        "what_others_remove_is_reported",
        what_others_remove_is_reported,
    ),
    (
        "another_prefix_of_an_address_takes_nothing_away",
        another_prefix_of_an_address_takes_nothing_away,
    ),
    (
        "an_interface_goes_and_comes_back",
        an_interface_goes_and_comes_back,
    ),
    (
        "an_address_that_was_there_stays",
        an_address_that_was_there_stays,
    ),
    (
        "an_address_of_the_interface_is_no_virtual_one",
        an_address_of_the_interface_is_no_virtual_one,
    ),
    (
        "what_a_killed_process_left_is_removed",
        what_a_killed_process_left_is_removed,
    ),
    (
        "a_process_killed_at_any_moment_leaves_nothing",
        a_process_killed_at_any_moment_leaves_nothing,
    ),
    ("unicast_goes_by_the_kernel", unicast_goes_by_the_kernel),
    (
        "a_bridge_that_others_remove_is_built_again",
        a_bridge_that_others_remove_is_built_again,
    ),
    (
        "what_is_about_to_go_is_waited_for",
        what_is_about_to_go_is_waited_for,
    ),
    (
        "no_frame_of_a_virtual_mac_goes_by_the_interface_below",
        no_frame_of_a_virtual_mac_goes_by_the_interface_below,
    ),
    ("a_vlan_serves", a_vlan_serves),
    ("a_lagg_serves", a_lagg_serves),
    ("what_carp_has_is_refused", what_carp_has_is_refused),
    (
        "a_check_knows_what_is_in_the_way",
        a_check_knows_what_is_in_the_way,
    ),
    (
        "what_comes_in_the_way_later_is_warned_of",
        what_comes_in_the_way_later_is_warned_of,
    ),
    ("a_busy_hook_is_refused", a_busy_hook_is_refused),
    ("a_changed_mac_is_noticed", a_changed_mac_is_noticed),
    (
        "one_call_waits_for_everything",
        one_call_waits_for_everything,
    ),
    (
        "a_backup_has_silent_addresses_and_answers_nobody",
        a_backup_has_silent_addresses_and_answers_nobody,
    ),
    (
        "a_backup_with_a_virtual_mac_has_silent_addresses",
        a_backup_with_a_virtual_mac_has_silent_addresses,
    ),
    (
        "silent_addresses_of_ipv6_are_ready_at_once",
        silent_addresses_of_ipv6_are_ready_at_once,
    ),
    (
        "a_reload_turns_silence_on_and_off",
        a_reload_turns_silence_on_and_off,
    ),
    (
        "a_process_without_rights_is_served",
        a_process_without_rights_is_served,
    ),
    (
        "what_is_not_configured_is_not_done_for_it",
        what_is_not_configured_is_not_done_for_it,
    ),
    (
        "an_interface_that_returns_is_handed_over_again",
        an_interface_that_returns_is_handed_over_again,
    ),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let test = |name: &String| TESTS.iter().find(|(n, _)| n == name);
    match args.as_slice() {
        [word, directory] if word == "hold" => hold(directory),
        [word, directory] if word == "make" => make(directory),
        [word, name] if word == "inside" => {
            let (name, test) = test(name).expect("the name of a test");
            test();
            println!("test {name} ... ok");
            ExitCode::SUCCESS
        }
        [] => run(TESTS.iter().map(|(name, _)| *name)),
        names => run(names.iter().filter_map(test).map(|(name, _)| *name)),
    }
}

/// Runs tests, each in a jail of its own.
fn run(names: impl Iterator<Item = &'static str>) -> ExitCode {
    for module in [
        "carp",
        "if_lagg",
        "if_vlan",
        "if_epair",
        "ng_socket",
        "ng_ether",
        "ng_bridge",
        "ng_eiface",
    ] {
        if let Err(error) = testing::need_module(module) {
            eprintln!("cannot load {module}: {error}");
        }
    }
    let me = std::env::current_exe().expect("our own name");
    let (mut passed, mut failed) = (0, 0);
    for name in names {
        let status = Command::new("jail")
            .args(["-c", "path=/", "vnet", "allow.raw_sockets"])
            .arg(format!("name=vrrp-{}-{name}", std::process::id()))
            .arg(format!("command={}", me.display()))
            .args(["inside", name])
            .status()
            .expect("jail(8)");
        match status.success() {
            true => passed += 1,
            false => {
                println!("test {name} ... FAILED");
                failed += 1;
            }
        }
    }
    println!("\n{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0 || passed == 0))
}
