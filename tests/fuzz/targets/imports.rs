//! See `vrrp_fuzz::imports`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::imports::check(octets));
