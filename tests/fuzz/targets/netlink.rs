//! See `vrrp_fuzz::netlink`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::netlink::check(octets));
