//! Messages of FreeBSD's kernel on interfaces and routes: any octets are some messages or none.

use vrrp_freebsd::fuzz_api::{listed_in, notices_in};

/// Reads `octets` as the list of interfaces, and as messages of the routing socket.
///
/// # Panics
/// When there is more in them than they have room for.
pub fn check(octets: &[u8]) {
    let (items, names) = listed_in(octets);
    assert!(
        items <= octets.len() / 4,
        "{items} interfaces and addresses"
    );
    assert!(names <= 3 * octets.len(), "{names} octets of names");
    let notices = notices_in(octets);
    assert!(notices <= octets.len() / 4, "{notices} messages");
}
