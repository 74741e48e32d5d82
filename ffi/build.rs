//! The capacities of the engine, and the name by which programs find the shared library.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Variable, its default on an operating system and without one, and the engine's limit.
const CAPACITIES: [(&str, u32, u32, u32); 3] = [
    ("VRRP_MAX_INTERFACES", 16, 2, 255),
    ("VRRP_MAX_ROUTERS", 64, 4, 65_000),
    ("VRRP_MAX_ADDRESSES", 16, 4, 255),
];

fn main() {
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let embedded = os == "none";
    let mut text = String::new();
    for (name, hosted, bare, limit) in CAPACITIES {
        println!("cargo:rerun-if-env-changed={name}");
        let default = if embedded { bare } else { hosted };
        let value = match env::var(name) {
            Ok(given) => match given.parse() {
                Ok(value) if (1..=limit).contains(&value) => value,
                _ => panic!("{name}: expected a number from 1 to {limit}, found `{given}`"),
            },
            Err(_) => default,
        };
        let what = name.trim_start_matches("VRRP_").to_lowercase();
        let _ = writeln!(
            text,
            "/// {what} of one engine.\npub(crate) const {name}: usize = {value};"
        );
    }
    let folder = env::var("OUT_DIR").unwrap_or_default();
    let file = Path::new(&folder).join("capacity.rs");
    if let Err(error) = fs::write(&file, text) {
        panic!("{}: {error}", file.display());
    }
    println!("cargo:rerun-if-changed=build.rs");

    let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
    if ["linux", "freebsd", "netbsd", "openbsd"].contains(&os.as_str()) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libvrrp.so.{major}");
    }
}
