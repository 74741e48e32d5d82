//! The names of our netgraph nodes, their hooks and the interfaces that carry virtual MACs.

use vrrp_core::{Family, MacAddr, VrKey, Vrid};

/// The node of the bridge on the interface `index`.
pub(crate) fn bridge(index: u32) -> String {
    format!("vrrp_{index}")
}

/// Whether a bridge of ours can be called so.
pub(crate) fn is_bridge(node: &str) -> bool {
    let index = node
        .strip_prefix("vrrp_")
        .and_then(|index| index.parse().ok());
    index.is_some_and(|index| bridge(index) == node)
}

/// The node that carries a virtual MAC on the interface `index`.
pub(crate) fn carrier_node(key: VrKey, index: u32) -> String {
    format!("vrrp{}_{index}_{}", digit(key.family), key.vrid)
}

/// The interface that carries a virtual MAC on the interface `index`.
pub(crate) fn carrier(key: VrKey, index: u32) -> String {
    format!("vr{}.{index}.{}", digit(key.family), key.vrid)
}

/// The hook of the bridge for a virtual router: any number but that of the host.
pub(crate) fn hook(key: VrKey) -> String {
    let family = match key.family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 256,
    };
    format!("link{}", 1 + u32::from(key.vrid.get()) + family)
}

/// The bridge that a carrier's node is born on, and its hook. `None`: no carrier's is called so.
pub(crate) fn birthplace(node: &str) -> Option<(String, String)> {
    let (key, index) = read_node(node)?;
    Some((bridge(index), hook(key)))
}

/// The node of the carrier that is an interface called so. `None`: no carrier is called so.
pub(crate) fn node_of(name: &str) -> Option<String> {
    let node = format!("vrrp{}", name.strip_prefix("vr")?.replace('.', "_"));
    let (key, index) = read_node(&node)?;
    (carrier(key, index) == name).then_some(node)
}

/// Whether a MAC is of the blocks that the RFC gives to virtual routers.
pub(crate) fn is_virtual(mac: MacAddr) -> bool {
    matches!(mac.0, [0, 0, 0x5e, 0, 1 | 2, _])
}

/// The virtual router of a carrier's node, under the operating system's number of its interface.
fn read_node(node: &str) -> Option<(VrKey, u32)> {
    let mut parts = node.strip_prefix("vrrp")?.split('_');
    let family = match parts.next()? {
        "4" => Family::Ipv4,
        "6" => Family::Ipv6,
        _ => return None,
    };
    let index = parts.next()?.parse().ok()?;
    let vrid = Vrid::new(parts.next()?.parse().ok()?)?;
    let key = VrKey {
        ifindex: index,
        vrid,
        family,
    };
    (carrier_node(key, index) == node).then_some((key, index))
}

fn digit(family: Family) -> char {
    match family {
        Family::Ipv4 => '4',
        Family::Ipv6 => '6',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let key = VrKey {
            ifindex: 3,
            vrid: Vrid::new(7).unwrap(),
            family: Family::Ipv6,
        };
        assert_eq!(carrier(key, 3), "vr6.3.7");
        assert_eq!(node_of("vr6.3.7"), Some(carrier_node(key, 3)));
        let place = ("vrrp_3".to_owned(), "link264".to_owned());
        assert_eq!(birthplace("vrrp6_3_7"), Some(place));
        for name in ["em0", "vr0", "vr6.3", "vr6_3_7", "vr6.3.7.1", "vr6.03.7"] {
            assert_eq!(node_of(name), None, "{name}");
        }
    }
}
