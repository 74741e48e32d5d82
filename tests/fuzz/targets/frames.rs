//! See `vrrp_fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::frames::check(octets));
