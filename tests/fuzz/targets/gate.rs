//! See `vrrp_fuzz::gate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::gate::check(octets));
