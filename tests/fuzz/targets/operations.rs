//! See `vrrp_fuzz::operations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::operations::check(octets));
