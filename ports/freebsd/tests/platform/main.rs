//! The platform against FreeBSD's kernel, each test in a jail with a network stack of its own.
//! Needs root. Run without arguments it runs every test in a process of its own and prints what
//! passed; with the name of a test, that one alone.
#![cfg(target_os = "freebsd")]

mod common;
mod macs;
mod served;
mod trouble;
mod wait;

use std::process::{Command, ExitCode};

use macs::*;
use served::*;
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
    ("a_busy_hook_is_refused", a_busy_hook_is_refused),
    ("a_changed_mac_is_noticed", a_changed_mac_is_noticed),
    (
        "one_call_waits_for_everything",
        one_call_waits_for_everything,
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
    if let [word, directory] = args.as_slice() {
        match word.as_str() {
            "hold" => hold(directory),
            "make" => make(directory),
            _ => {}
        }
    }
    if let [name] = args.as_slice()
        && let Some((name, test)) = TESTS.iter().find(|(n, _)| n == name)
    {
        let jail = format!("vrrp-{}", std::process::id());
        testing::make_jail(&jail, true).expect("this test needs root and VIMAGE");
        test();
        println!("test {name} ... ok");
        return ExitCode::SUCCESS;
    }
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
    let mut failed = 0;
    for (name, _) in TESTS {
        let status = Command::new(&me).arg(name).status().expect("a process");
        if !status.success() {
            println!("test {name} ... FAILED");
            failed += 1;
        }
    }
    println!("\n{} passed, {failed} failed", TESTS.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}
