//! The engine beside the oracle, for every version and family.

use vrrp_core::Version;
use vrrp_sim::differential;
use vrrp_sim::rng::Rng;

fn agree(version: Version, cases: u64, steps: u32) {
    for case in 0..cases {
        let mut rng = Rng::new(case << 8 | version as u64);
        differential::agree(&mut rng, version, steps);
    }
}

#[test]
fn signed_advertisements_agree_in_every_version() {
    for version in [Version::V2, Version::V3, Version::Both] {
        for case in 0..1_000 {
            let mut rng = Rng::new(case << 8 | 0x80 | version as u64);
            differential::agree_signed(&mut rng, version, 60);
        }
    }
}

#[test]
fn version_2_agrees() {
    agree(Version::V2, 1000, 60);
}

#[test]
fn version_3_agrees_in_both_families() {
    agree(Version::V3, 2000, 60);
}

#[test]
fn both_versions_together_agree() {
    agree(Version::Both, 1000, 60);
}
