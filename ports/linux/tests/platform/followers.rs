//! IPv6 addresses that follow a virtual router of IPv4.

use vrrp_core::MacMode;
use vrrp_host::{Platform, VrSetup};
use vrrp_linux::{LinuxPlatform, Options};

use crate::common::*;

const V6: &str = "2001:db8::100";

#[test]
fn they_are_on_the_interface_itself_and_its_mac_answers() {
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        let wire = enter();
        ip("address add 2001:db8::2/64 dev a0 nodad");
        let runtime_dir = directory();
        let options = Options { runtime_dir };
        let mut platform = LinuxPlatform::open(options.clone()).unwrap();
        platform.watch(A0, "a0").unwrap();
        let setup = VrSetup {
            followers: vec![(vip(V6, 64), None)],
            ..seven(mac_mode)
        };
        let set = |platform: &mut LinuxPlatform, on| {
            let address = vip(V6, 64);
            platform.set_address(setup.key, address, true, on).unwrap();
            platform.flush();
            receive(platform, SOON);
        };
        platform.prepare(&setup).unwrap();
        platform.flush();
        assert_eq!(solicit(&wire, V6), [], "{mac_mode:?}");
        take_up(&mut platform, &setup);
        set(&mut platform, true);
        assert!(ip("address show dev a0").contains(V6));
        assert_eq!(solicit(&wire, V6), [(OWN, OWN)], "{mac_mode:?}");
        // It is no source of connections of the host.
        let source = ip("-6 route get 2001:db8::9");
        assert!(source.contains("src 2001:db8::2"), "{source}");
        set(&mut platform, false);
        assert!(!ip("address show").contains(V6));
        assert_eq!(solicit(&wire, V6), [], "{mac_mode:?}");
        // The next life finds it in the ledger.
        set(&mut platform, true);
        platform.abandon();
        let next = LinuxPlatform::open(options).unwrap();
        assert!(!ip("address show").contains(V6), "{:?}", next.remarks());
    }
}
