//! See `vrrp_fuzz::routing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::routing::check(octets));
