//! Settings of interfaces below /proc/sys/net.

use std::fs;
use std::io;

/// What a macvlan that carries IPv6 addresses must not do by itself: solicit routers, believe
/// them, make addresses, or ask whether an address is in use. And it must have IPv6.
pub(crate) const QUIET_IPV6: &[(&str, &str)] = &[
    ("accept_ra", "0"),
    ("autoconf", "0"),
    ("router_solicitations", "0"),
    ("accept_dad", "0"),
    ("dad_transmits", "0"),
    ("ndisc_notify", "0"),
    ("proxy_ndp", "0"),
    ("disable_ipv6", "0"),
];

/// What a macvlan that carries IPv4 addresses does with IPv6: nothing.
pub(crate) const NO_IPV6: &[(&str, &str)] = &[("disable_ipv6", "1")];

/// What is set on an interface so that an address elsewhere on this host is neither answered for
/// nor named by it: the name, and the least value that will do.
pub(crate) const MODEST_IPV4: &[(&str, u32)] = &[("arp_ignore", 1), ("arp_announce", 2)];

/// Reads a setting, such as `("ipv4", "eth0", "arp_ignore")`.
pub(crate) fn read(family: &str, device: &str, name: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path(family, device, name))?
        .trim()
        .to_string())
}

/// Sets a setting. Where it has that value already nothing is written: /proc/sys may be read-only.
pub(crate) fn write(family: &str, device: &str, name: &str, value: &str) -> io::Result<()> {
    if read(family, device, name)? == value {
        return Ok(());
    }
    fs::write(path(family, device, name), value)
}

/// Puts an IPv4 setting back to `old`, unless it is not the `new` any more that we had set.
pub(crate) fn restore(device: &str, name: &str, old: &str, new: &str) {
    if read("ipv4", device, name).is_ok_and(|value| value == new) {
        // Who takes the right to write away from us wants it to stay as it is.
        let _ = write("ipv4", device, name, old);
    }
}

/// Whether the kernel has IPv6 at all.
pub(crate) fn has_ipv6() -> bool {
    fs::exists("/proc/sys/net/ipv6/conf/all").unwrap_or(false)
}

/// The reverse path filter for a macvlan. The kernel takes the greater of the interface's and
/// `all`: where `all` is strict only "loose" lets in packets whose way back is by the parent.
pub(crate) fn rp_filter(all: &str) -> u32 {
    if all == "1" { 2 } else { 0 }
}

/// The reverse path filter that makes a macvlan deaf to IPv4: no route leads out by it, so that
/// strict lets in nothing. `None`: where `all` is loose the kernel takes that instead.
pub(crate) fn deaf_rp_filter(all: &str) -> Option<u32> {
    (all != "2").then_some(1)
}

fn path(family: &str, device: &str, name: &str) -> String {
    format!("/proc/sys/net/{family}/conf/{device}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_host_gets_loose_macvlans() {
        assert_eq!([rp_filter("0"), rp_filter("1"), rp_filter("2")], [0, 2, 0]);
    }

    #[test]
    fn a_filter_makes_deaf_unless_all_are_loose() {
        let deaf = ["0", "1", "2"].map(deaf_rp_filter);
        assert_eq!(deaf, [Some(1), Some(1), None]);
    }

    #[test]
    fn a_name_with_dots_is_one_directory() {
        assert_eq!(
            path("ipv6", "vr6.3.1", "accept_ra"),
            "/proc/sys/net/ipv6/conf/vr6.3.1/accept_ra"
        );
    }
}
