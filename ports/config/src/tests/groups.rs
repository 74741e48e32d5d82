//! `[GROUP]` sections.

use vrrp_core::Family;

use super::{good, parse, said, to_owned};
use crate::Config;

const MEMBERS: &str = "[VRID]\nserverid = 2\ninterface = eth1\naddr = 10.0.1.1/24, fe80::1/64\n\
    [VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24\nname = inside\n";

fn with(group: &str) -> String {
    format!("{MEMBERS}[GROUP]\n{group}\n")
}

fn members(config: &Config) -> Vec<(u8, &str, Family)> {
    let ids = config.groups[0].spec.members.iter();
    ids.map(|id| (id.vrid.get(), id.interface.as_str(), id.family))
        .collect()
}

#[test]
fn members_are_named_by_number_or_name_and_ordered_by_number() {
    use Family::{Ipv4, Ipv6};
    for vrids in ["1, 2", "2, 1", "2,inside", "inside, 2"] {
        let (config, said) = good(&with(&format!("name = gw\nvrids = {vrids}")));
        assert_eq!(said, [""; 0]);
        assert_eq!(&*config.groups[0].spec.name, "gw");
        assert_eq!(
            members(&config),
            [(1, "eth0", Ipv4), (2, "eth1", Ipv4), (2, "eth1", Ipv6)]
        );
        let printed = config.print();
        assert!(
            printed.contains("\n[GROUP]\nname = gw\nvrids = inside, 2\n"),
            "{printed}"
        );
        let (again, _) = good(&printed);
        assert_eq!(again.groups, config.groups);
        assert_eq!(config.host().groups.len(), 1);
    }
}

#[test]
fn a_number_means_every_virtual_router_that_has_it() {
    let same = MEMBERS.replace("serverid = 2", "serverid = 1");
    let (config, said) = good(&format!("{same}[GROUP]\nname = gw\nvrids = 1\n"));
    assert_eq!(said, [""; 0]);
    let (four, six) = (Family::Ipv4, Family::Ipv6);
    assert_eq!(
        members(&config),
        [(1, "eth1", four), (1, "eth0", four), (1, "eth1", six)]
    );
    // The families of one section are a group, too.
    let (config, _) = good(&with("name = gw\nvrids = 2"));
    assert_eq!(members(&config), [(2, "eth1", four), (2, "eth1", six)]);
}

#[test]
fn scripts_and_their_settings() {
    let text = with(
        "name = gw\nvrids = 1, 2\nmasterscript = /a\nbackupscript = /b\nfaultscript = /f\n\
         stopscript = /s\nnotifyscript = /n x\nscripttimeout = 3\nscriptretry = yes\nscriptuser = nobody",
    );
    let (config, _) = good(&text);
    let group = &config.groups[0];
    let paths: Vec<String> = group
        .scripts()
        .iter()
        .map(|(_, script)| script.map_or_else(String::new, |s| s.path.display().to_string()))
        .collect();
    assert_eq!(paths, ["/a", "/b", "/f", "/s", "/n"]);
    assert!(group.script_retry);
    assert_eq!(group.script_timeout.as_secs(), 3);
    assert_eq!(good(&config.print()).0.groups, config.groups);
}

#[test]
fn groups_that_cannot_be_are_refused() {
    for (group, expected) in [
        (
            "vrids = 1, 2",
            &["10: name: missing in this [GROUP] section, expected a name"][..],
        ),
        (
            "name = gw",
            &[
                "10: vrids: missing in this [GROUP] section, expected the serverids or names of at least two virtual routers",
            ],
        ),
        (
            "name = gw\nvrids = 1, 9",
            &[
                "12: vrids: expected the serverid or the name of a [VRID] section, found `9`",
                "12: vrids: expected at least two virtual routers, found inside (VRID 1 on eth0, ipv4) alone",
            ],
        ),
        (
            "name = gw\nvrids = 1, other, 2",
            &["12: vrids: expected the serverid or the name of a [VRID] section, found `other`"],
        ),
        (
            "name = gw\nvrids = 1",
            &[
                "12: vrids: expected at least two virtual routers, found inside (VRID 1 on eth0, ipv4) alone",
            ],
        ),
        (
            "name = gw\nvrids = 1, inside, 2",
            &[
                "12: vrids: expected each virtual router once, found inside (VRID 1 on eth0, ipv4) again",
            ],
        ),
        (
            "name = gw\nvrids = 1, 300",
            &["12: vrids: expected a number from 1 to 255 or the name of a section, found `300`"],
        ),
        (
            "name = inside\nvrids = 1, 2",
            &["11: name: expected each name once, found `inside` again, first in line 9"],
        ),
        (
            "name = a\nvrids = 1, 2\n[GROUP]\nname = b\nvrids = 2",
            &[
                "15: vrids: expected each virtual router in one group, found VRID 2 on eth1 (ipv4) again, first in group a",
                "15: vrids: expected each virtual router in one group, found VRID 2 on eth1 (ipv6) again, first in group a",
            ],
        ),
        (
            "name = gw\nvrids = 1, 2\npriority = 100",
            &["13: priority: belongs in [VRID], found in [GROUP]"],
        ),
    ] {
        let (refused, lines) = said(with(group));
        assert!(refused, "{group}");
        assert_eq!(lines, to_owned(expected), "{group}");
    }
}

#[test]
fn a_group_tracks_no_more_than_a_virtual_router_may() {
    let text = with("name = gw\nvrids = 1, 2")
        .replace(
            "name = inside",
            "name = inside\ntrackinterface = a, b, c, d, e",
        )
        .replace(
            "fe80::1/64",
            "fe80::1/64\ntrackinterface = e, f, g, h, i:-5",
        );
    assert_eq!(
        said(text),
        (
            true,
            to_owned(&[
                "14: vrids: the members of group gw depend on 9 interfaces, virtual routers and checks together, expected at most 8"
            ])
        )
    );
}

#[test]
fn members_that_are_elected_otherwise_draw_a_warning() {
    let text = with("name = gw\nvrids = 1, 2").replace(
        "name = inside",
        "name = inside\npriority = 150\npreempt = no",
    );
    let (refused, lines) = said(text);
    assert!(!refused);
    assert_eq!(
        lines,
        to_owned(&[
            "14: warning: vrids: the members of group gw have different priorities: between two masters that of the first counts, and the group takes over only where all of them would",
            "14: warning: vrids: `preempt` is off for some members of group gw, and so for all of them",
        ])
    );
}

#[test]
fn differences_name_the_group() {
    let read = |text: &str| parse(text).config.expect("a correct file");
    let all = |old: &str, new: &str| -> Vec<String> {
        let all = read(old).differences(&read(new));
        all.into_iter().map(|one| one.text).collect()
    };
    let group = with("name = gw\nvrids = 1, 2");
    assert_eq!(all(MEMBERS, &group), ["group gw: added: vrids inside, 2"]);
    assert_eq!(all(&group, MEMBERS), ["group gw: removed"]);
    let scripted = with("name = gw\nvrids = 1, 2\nmasterscript = /a");
    assert_eq!(
        all(&group, &scripted),
        ["group gw: masterscript none -> /a"]
    );
}
