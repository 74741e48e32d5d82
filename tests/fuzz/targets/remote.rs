//! See `vrrp_fuzz::remote`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::remote::check(octets));
