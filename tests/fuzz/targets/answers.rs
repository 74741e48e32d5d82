//! See `vrrp_fuzz::answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::answers::check(octets));
