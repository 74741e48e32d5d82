//! See `vrrp_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::config::check(octets));
