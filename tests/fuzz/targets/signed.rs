//! See `vrrp_fuzz::signed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::signed::check(octets));
