//! The firmware for boards that people have: built and weighed here, flashed by nobody.
//!
//! The application is the same source for each. QEMU has none of these boards, so that a build, its
//! size, and the tests of what boards share are all that CI can prove.

use std::process::Command;

use crate::steps::bare_metal::{cargo_with_core, target_dir};
use crate::steps::firmware::{self, Budget};
use crate::tools::packages;
use crate::tools::run::{self, Failure, cargo};

/// One firmware: a package of `ports/appliance/boards`, with the feature that names the chip.
struct Variant {
    board: &'static str,
    package: &'static str,
    feature: &'static str,
    target: &'static str,
    most: &'static Most,
}

/// The most octets that a firmware may have: some kilobytes above those of today, for other versions of a
/// HAL.
struct Most {
    plain: Budget,
    /// With keys and a boot count.
    with_keys: Budget,
}

const NUCLEO: Most = Most {
    plain: Budget {
        flash: 92 * 1024,
        memory: 30 * 1024,
    },
    with_keys: Budget {
        flash: 105 * 1024,
        memory: 36 * 1024,
    },
};

const PICO: Most = Most {
    plain: Budget {
        flash: 110 * 1024,
        memory: 31 * 1024,
    },
    with_keys: Budget {
        flash: 123 * 1024,
        memory: 37 * 1024,
    },
};

const VARIANTS: &[Variant] = &[
    Variant {
        board: "NUCLEO-H743ZI2",
        package: "nucleo",
        feature: "h743",
        target: "thumbv7em-none-eabihf",
        most: &NUCLEO,
    },
    Variant {
        board: "NUCLEO-F767ZI",
        package: "nucleo",
        feature: "f767",
        target: "thumbv7em-none-eabihf",
        most: &NUCLEO,
    },
    Variant {
        board: "NUCLEO-H563ZI",
        package: "nucleo",
        feature: "h563",
        target: "thumbv8m.main-none-eabihf",
        most: &NUCLEO,
    },
    Variant {
        board: "W5500-EVB-Pico",
        package: "pico",
        feature: "w5500",
        target: "thumbv6m-none-eabi",
        most: &PICO,
    },
    Variant {
        board: "W6100-EVB-Pico",
        package: "pico",
        feature: "w6100",
        target: "thumbv6m-none-eabi",
        most: &PICO,
    },
];

/// The step of CI: what boards share is tested, every board is built, and none has grown past its
/// bound.
pub(crate) fn check() -> Result<(), Failure> {
    test_kit()?;
    sayln!(
        "{:26} {:>8} {:>8}   of {:>8} {:>8}",
        "",
        "flash",
        "memory",
        "flash",
        "memory"
    );
    // Most of a build is a chain of crates that one processor compiles.
    let (pico, others): (Vec<&Variant>, Vec<&Variant>) = VARIANTS
        .iter()
        .partition(|variant| variant.package == "pico");
    run::both(|| check_boards(&others), || check_boards(&pico))
}

/// Builds and weighs some boards.
fn check_boards(variants: &[&Variant]) -> Result<(), Failure> {
    let mut grown = Vec::new();
    for variant in variants {
        // The one without keys last: it is what is left to be flashed.
        for (keys, most) in [
            (" with keys", &variant.most.with_keys),
            ("", &variant.most.plain),
        ] {
            let weight = variant.weigh(!keys.is_empty())?;
            let board = format!("{}{keys}", variant.board);
            sayln!(
                "{board:26} {:8} {:8}      {:8} {:8}",
                weight.flash,
                weight.memory,
                most.flash,
                most.memory
            );
            if !most.holds(&weight) {
                grown.push(board);
            }
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "larger than the bounds in steps/boards.rs: {}",
        grown.join(", ")
    )))
}

/// The tests of what boards share, on this machine: among them the MAC filter of a W5500, with the
/// driver of the registry.
fn test_kit() -> Result<(), Failure> {
    for command in ["clippy", "test"] {
        let mut kit = cargo();
        kit.current_dir(firmware::folder())
            .args([command, "--quiet", "--package", "board-kit"])
            .arg("--target-dir")
            .arg(run::target_dir());
        if command == "clippy" {
            kit.args(["--all-targets", "--", "-D", "warnings"]);
        }
        run::run(&mut kit)?;
    }
    Ok(())
}

impl Variant {
    /// Builds it, with the same compiler everywhere, and weighs it.
    fn weigh(&self, keys: bool) -> Result<firmware::Weight, Failure> {
        packages::need(packages::BINUTILS)?;
        let folder = target_dir().join(self.package);
        let mut build = cargo_with_core("build", self.target, &folder)?;
        let keys = if keys { ",hmac" } else { "" };
        build
            .args(["--quiet", "--release", "--package", self.package])
            .arg("--features")
            .arg(format!("{}{keys}", self.feature))
            // The lints of clippy would take a second pass over the HAL.
            .arg("-Zwarnings")
            .env("CARGO_BUILD_WARNINGS", "deny");
        run::run(self.in_folder(&mut build))?;
        let program = folder.join(self.target).join("release");
        firmware::weigh(&program.join(self.package))
    }

    /// In the board's folder, which has its options for the compiler.
    fn in_folder<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let flags = format!("{} {}", firmware::SMALL_CORE, firmware::SMALL_SHA256);
        firmware::in_board(command, self.package, self.target, &flags)
    }
}
