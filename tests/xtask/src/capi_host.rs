//! The C interface of the host port: its C tests under sanitizers and Valgrind, Python, and the
//! examples. Each makes a network namespace of its own, which needs root.

use std::fs;
use std::process::Command;

use crate::capi::{COMPILERS, compile, programs, source, work};
use crate::install::{self, Library};
use crate::packages;
use crate::run::{self, Failure, root};

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::install(packages::C)?;
    packages::install(packages::C_HOST)?;
    documented_loop()?;
    let library = install::build(Library::Whole, None)?;
    let libs: Vec<&str> = Library::Whole.private_libs().split(' ').collect();
    programs(&library, &["host_misuse", "host_guest"], &libs)?;
    run::run(
        Command::new("python3")
            .arg(source("host_abi.py"))
            .arg(library.join("libvrrp.so")),
    )?;
    // That they work is for the lab to show.
    for name in ["poll", "libevent"] {
        for compiler in &COMPILERS[..2] {
            let mut command = compile(compiler, &root().join(format!("ffi/examples/{name}.c")));
            run::run(command.arg("-c").arg("-o").arg(work(name)?))?;
        }
    }
    Ok(())
}

/// The example on top of the header compiles.
fn documented_loop() -> Result<(), Failure> {
    let header = root().join("include/vrrp_host.h");
    let header = fs::read_to_string(&header).map_err(|e| Failure(e.to_string()))?;
    let lines = header.lines().take_while(|line| *line != " */");
    let example: Vec<&str> = lines.filter_map(|l| l.strip_prefix(" *     ")).collect();
    if example.len() < 20 {
        let found = example.len();
        return Err(Failure(format!(
            "an example of {found} lines in vrrp_host.h"
        )));
    }
    let text = format!(
        "#include <poll.h>\n#include <stdio.h>\n#include \"vrrp_host.h\"\n\
         extern volatile int told_to_stop;\nvoid give_up(const char *why);\n\
         void serve(int on);\nvoid example(void);\nvoid example(void)\n{{\n{}\n}}\n",
        example.join("\n")
    );
    let source = work("host_loop.c")?;
    fs::write(&source, text).map_err(|e| Failure(e.to_string()))?;
    for compiler in &COMPILERS[..2] {
        run::run(compile(compiler, &source).arg("-fsyntax-only"))?;
    }
    Ok(())
}
