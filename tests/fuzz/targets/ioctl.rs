//! See `vrrp_fuzz::ioctl`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| vrrp_fuzz::ioctl::check(octets));
