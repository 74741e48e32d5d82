//! See `vrrp_fuzz::oracle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::oracle::check(octets));
