//! See `vrrp_fuzz::control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::control::check(octets));
