//! The names of our netgraph nodes, their hooks and the interfaces that carry virtual MACs.

use vrrp_core::{Family, MacAddr, Vrid};
use vrrp_port_kit::KernelIf;

/// The beginning of the description of our interfaces; the token of the ledger follows.
pub(crate) const MARK: &str = "vrrp ";

/// Whether a description is the mark of the life with this token, or none yet.
pub(crate) fn is_marked(description: &str, token: &str) -> bool {
    description.is_empty() || description.strip_prefix(MARK) == Some(token)
}

/// The token in a description that is a mark of ours.
pub(crate) fn token_of(description: &str) -> Option<&str> {
    description.strip_prefix(MARK)
}

/// The node of the bridge on the interface `index`.
pub(crate) fn bridge(index: KernelIf) -> String {
    format!("vrrp_{index}")
}

/// Whether a bridge of ours can be called so.
pub(crate) fn is_bridge(node: &str) -> bool {
    let index = node
        .strip_prefix("vrrp_")
        .and_then(|index| index.parse().ok())
        .and_then(KernelIf::new);
    index.is_some_and(|index| bridge(index) == node)
}

/// The node that carries a virtual MAC on the interface `index`.
pub(crate) fn carrier_node(family: Family, vrid: Vrid, index: KernelIf) -> String {
    format!("vrrp{}_{index}_{vrid}", digit(family))
}

/// The interface that carries a virtual MAC on the interface `index`.
pub(crate) fn carrier(family: Family, vrid: Vrid, index: KernelIf) -> String {
    format!("vr{}.{index}.{vrid}", digit(family))
}

/// The hook of the bridge for a virtual router: any number but that of the host.
pub(crate) fn hook(family: Family, vrid: Vrid) -> String {
    let family = match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 256,
    };
    format!("link{}", 1 + u32::from(vrid.get()) + family)
}

/// The bridge that a carrier's node is born on, and its hook. `None`: no carrier's is called so.
pub(crate) fn birthplace(node: &str) -> Option<(String, String)> {
    let (family, vrid, index) = read_node(node)?;
    Some((bridge(index), hook(family, vrid)))
}

/// The interface that is the carrier of this node, and the kernel's index of the one that it is on. `None`:
/// no carrier's node is called so.
pub(crate) fn carrier_of(node: &str) -> Option<(String, KernelIf)> {
    let (family, vrid, index) = read_node(node)?;
    Some((carrier(family, vrid, index), index))
}

/// The node of the carrier that is an interface called so. `None`: no carrier is called so.
pub(crate) fn node_of(name: &str) -> Option<String> {
    let node = format!("vrrp{}", name.strip_prefix("vr")?.replace('.', "_"));
    let (family, vrid, index) = read_node(&node)?;
    (carrier(family, vrid, index) == name).then_some(node)
}

/// Whether a MAC is of the blocks that the RFC gives to virtual routers.
pub(crate) fn is_virtual(mac: MacAddr) -> bool {
    matches!(mac.0, [0, 0, 0x5e, 0, 1 | 2, _])
}

/// The virtual router of a carrier's node, and the kernel's index of its interface.
fn read_node(node: &str) -> Option<(Family, Vrid, KernelIf)> {
    let mut parts = node.strip_prefix("vrrp")?.split('_');
    let family = match parts.next()? {
        "4" => Family::Ipv4,
        "6" => Family::Ipv6,
        _ => return None,
    };
    let index = KernelIf::new(parts.next()?.parse().ok()?)?;
    let vrid = Vrid::new(parts.next()?.parse().ok()?)?;
    (carrier_node(family, vrid, index) == node).then_some((family, vrid, index))
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
        let index = KernelIf::new(3).unwrap();
        let (family, vrid) = (Family::Ipv6, Vrid::new(7).unwrap());
        assert_eq!(carrier(family, vrid, index), "vr6.3.7");
        let node = carrier_node(family, vrid, index);
        assert_eq!(node_of("vr6.3.7"), Some(node));
        let place = ("vrrp_3".to_owned(), "link264".to_owned());
        assert_eq!(birthplace("vrrp6_3_7"), Some(place));
        let there = ("vr6.3.7".to_owned(), index);
        assert_eq!(carrier_of("vrrp6_3_7"), Some(there));
        assert_eq!(carrier_of("vr6.3.7"), None);
        for name in ["em0", "vr0", "vr6.3", "vr6_3_7", "vr6.3.7.1", "vr6.03.7"] {
            assert_eq!(node_of(name), None, "{name}");
        }
    }
}
