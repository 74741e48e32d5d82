//! The names of our macvlans, and the marks by which they are known as ours.

use std::hash::{Hash as _, Hasher as _};

use vrrp_core::{Family, MacAddr, Vrid};
use vrrp_port_kit::KernelIf;

/// The beginning of the alias of our macvlans; the token of the ledger follows.
pub(crate) const ALIAS: &str = "vrrp ";

/// The alias that marks a macvlan as ours.
pub(crate) fn link_alias(token: &str) -> String {
    format!("{ALIAS}{token}")
}

/// The device group of the macvlans of one life, by which they can be removed together.
pub(crate) fn link_group(token: &str) -> u32 {
    let mut hasher = std::hash::DefaultHasher::new();
    token.hash(&mut hasher);
    // Far above what people number their groups with.
    GROUPS | (hasher.finish() as u32 & !GROUP_MARK)
}

const GROUPS: u32 = 0x4000_0000;
const GROUP_MARK: u32 = 0xc000_0000;

/// Whether a device group can be one of [`link_group`].
pub(crate) fn is_group(group: u32) -> bool {
    group & GROUP_MARK == GROUPS
}

/// Whether a macvlan of ours can have this name and MAC.
pub(crate) fn is_ours(name: &str, mac: MacAddr) -> bool {
    let Some((family, parent, vrid)) = parts(name) else {
        return false;
    };
    link_name(family, vrid, parent) == name && MacAddr::virtual_router(family, vrid) == mac
}

/// The interface that a macvlan of this name is on.
pub(crate) fn parent(name: &str) -> Option<KernelIf> {
    parts(name).map(|(_, parent, _)| parent)
}

fn parts(name: &str) -> Option<(Family, KernelIf, Vrid)> {
    let parts = name.strip_prefix("vr").map(|rest| rest.split('.'));
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    let [family, parent, vrid] = *parts.as_slice() else {
        return None;
    };
    let family = match family {
        "4" => Family::Ipv4,
        "6" => Family::Ipv6,
        _ => return None,
    };
    let parent = parent.parse().ok().and_then(KernelIf::new)?;
    let vrid = vrid.parse().ok().and_then(Vrid::new)?;
    Some((family, parent, vrid))
}

/// The name of the macvlan of a virtual router on the interface `parent`.
pub(crate) fn link_name(family: Family, vrid: Vrid, parent: KernelIf) -> String {
    let family = match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    format!("vr{family}.{parent}.{vrid}")
}
