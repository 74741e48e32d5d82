//! Whether a link can have virtual routers, and if not, what to do about it.

use std::io;

use vrrp_core::VrKey;
use vrrp_port_kit::{KernelIf, explain};

use crate::netlink::Link;

/// The properties of a link that [`judge`] looks at. When they change, virtual routers are judged
/// anew.
pub(crate) type Fitness = (u16, Option<KernelIf>);

pub(crate) fn fitness(link: &Link) -> Fitness {
    (link.hardware, link.master)
}

/// Judges whether virtual routers can be on a link. `master` is what that is a port of, if it is known.
///
/// # Errors
/// The kind of interface that it is, what is needed, and what to do.
pub(crate) fn judge(link: &Link, master: Option<&Link>) -> Result<(), String> {
    match link.hardware {
        libc::ARPHRD_ETHER => {}
        libc::ARPHRD_LOOPBACK => {
            return Err(String::from(
                "it is the loopback interface, on which there is no other router: name an \
                 Ethernet interface that the routers share",
            ));
        }
        hardware => {
            let kind = match link.kind.as_str() {
                "" => String::from("an interface"),
                kind => format!("an interface of the kind {kind}"),
            };
            return Err(format!(
                "it is {kind}, without Ethernet (link type {hardware}), but VRRP needs \
                 Ethernet: name the interface of a network card, a VLAN, a bridge or a bond"
            ));
        }
    }
    // A VRF leaves to its ports what they receive.
    if link.master.is_some() && link.master_kind != "vrf" {
        let kind = match link.master_kind.as_str() {
            "" => "interface",
            kind => kind,
        };
        return Err(match master {
            Some(Link { name: master, .. }) => format!(
                "it is a port of the {kind} {master}, which takes all that it receives: set \
                 `interface = {master}`"
            ),
            None => format!("it is a port of another {kind}, which takes all that it receives"),
        });
    }
    Ok(())
}

/// Explains why there is no macvlan for the virtual MAC on `parent`.
pub(crate) fn explain_no_macvlan(error: io::Error, parent: Option<&Link>) -> io::Error {
    let kind = parent.map(|link| link.kind.as_str());
    let why = match (error.raw_os_error(), kind) {
        (Some(libc::EOPNOTSUPP), _) => "this kernel has no macvlan, which carries the virtual MAC",
        (Some(libc::EBUSY), _) => {
            "something else takes all that it receives, such as an ipvlan or a macvlan in passthru \
             mode"
        }
        (Some(libc::EINVAL), Some("ipvlan")) => "an ipvlan has no MAC of its own",
        (Some(libc::EINVAL), _) => "it can carry no macvlan",
        _ => return error,
    };
    explain(
        error,
        &format!("{why}; set `useVMAC = no` to do without the virtual MAC"),
    )
}

/// Whether the virtual MAC is refused because another macvlan of the same lower device has it.
pub(crate) fn is_in_use(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRINUSE | libc::EBUSY))
}

/// Explains why a macvlan could not be set up. A macvlan on a macvlan is one on the lower device of
/// both, perhaps in the network namespace of another container, and there a MAC can be up once.
pub(crate) fn explain_in_use(error: io::Error, key: VrKey, parent: Option<&Link>) -> io::Error {
    if !is_in_use(&error) {
        return error;
    }
    let mac = key.virtual_mac();
    let place = match parent {
        Some(parent) if parent.kind == "macvlan" => format!(
            "{} is a macvlan, and another one of its lower device, perhaps in another container, has \
             {mac}",
            parent.name
        ),
        _ => format!("another macvlan of this interface has {mac}"),
    };
    let advice = "two routers on one card cannot share the virtual MAC: set `useVMAC = no` on all";
    explain(error, &format!("{place}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(number: u32) -> KernelIf {
        KernelIf::new(number).unwrap()
    }

    fn link(number: u32, name: &str, hardware: u16, kind: &str) -> Link {
        Link {
            hardware,
            name: name.into(),
            kind: kind.into(),
            ..Link::new(index(number))
        }
    }

    fn judged(link: &Link) -> Result<(), String> {
        let bridge = super::tests::link(9, "br0", 1, "bridge");
        judge(
            link,
            Some(&bridge).filter(|_| link.master == Some(index(9))),
        )
    }

    #[test]
    fn each_refusal_names_the_kind_and_what_to_do() {
        for (kind, hardware) in [
            ("wireguard", 65534),
            ("tun", 65534),
            ("gre", 778),
            ("", 512),
        ] {
            let why = judged(&link(1, "wg0", hardware, kind)).unwrap_err();
            assert!(
                why.contains(kind) && why.contains("without Ethernet"),
                "{why}"
            );
        }
        let why = judged(&link(1, "lo", libc::ARPHRD_LOOPBACK, "")).unwrap_err();
        assert!(why.contains("loopback"), "{why}");
        for (master, master_kind, hint) in [
            (
                9,
                "bridge",
                "the bridge br0, which takes all that it receives: set `interface = br0`",
            ),
            (9, "", "the interface br0, which"),
            (8, "bond", "of another bond"),
        ] {
            let port = Link {
                master: Some(index(master)),
                master_kind: master_kind.into(),
                ..link(2, "eth0", libc::ARPHRD_ETHER, "")
            };
            let why = judged(&port).unwrap_err();
            assert!(why.contains(hint), "{why}");
        }
    }

    #[test]
    fn ethernet_of_all_kinds_will_do() {
        for kind in ["", "veth", "vlan", "bridge", "bond", "macvlan", "dummy"] {
            judged(&link(1, "eth0", libc::ARPHRD_ETHER, kind)).unwrap();
        }
        let port = Link {
            master: Some(index(9)),
            master_kind: "vrf".into(),
            ..link(2, "eth0", libc::ARPHRD_ETHER, "")
        };
        judged(&port).unwrap();
    }
}
