//! See `vrrp_fuzz::netgraph`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::netgraph::check(octets));
