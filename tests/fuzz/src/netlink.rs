//! Messages of the kernel: any octets are some events or none.

/// Reads `octets` as a datagram of the routing socket.
///
/// # Panics
/// When there are more events than the octets have room for.
pub fn check(octets: &[u8]) {
    let events = vrrp_linux::testing::events_in(octets);
    assert!(events <= octets.len() / 16, "{events} events");
}
