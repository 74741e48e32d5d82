//! See `vrrp_fuzz::bpf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::bpf::check(octets));
