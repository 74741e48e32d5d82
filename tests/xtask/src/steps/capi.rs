//! The C interface of the engine: the header under every compiler, the C tests under sanitizers and
//! Valgrind, the library's symbols, its size, and its installation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::install::{self, ENGINE_ALONE, Library, Optimise};
use crate::tools::packages;
use crate::tools::run::{self, Failure, root, target_dir};

/// The interfaces, virtual routers and addresses that the header's formula is compared for.
const CAPACITIES: [[u32; 3]; 4] = [[1, 1, 1], [2, 4, 4], [255, 1000, 255], [3, 300, 7]];

/// The options that make a warning an error, with a compiler of C or of C++.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Compiler and language; those of a microcontroller have no C library.
pub(crate) const COMPILERS: [&[&str]; 6] = [
    &["gcc", "-std=c99"],
    &["clang", "-std=c99"],
    &["g++", "-std=c++11", "-x", "c++"],
    &["clang++", "-std=c++11", "-x", "c++"],
    &[
        "clang",
        "-std=c99",
        "-ffreestanding",
        "--target=thumbv7m-none-eabi",
    ],
    &[
        "clang",
        "-std=c99",
        "-ffreestanding",
        "--target=riscv32-unknown-elf",
    ],
];

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::C)?;
    install::lint()?;
    headers()?;
    for capacities in CAPACITIES {
        layout(
            &install::build(Library::Engine, Some(capacities))?,
            capacities,
        )?;
    }
    let engine = install::build(Library::Engine, None)?;
    let tests = ["layout", "gate_layout", "memory", "misuse", "auth", "gate"];
    programs(&engine, &tests, &[])?;
    symbols(&engine)?;
    superloop(&engine)?;
    minimal(&engine)?;
    run::run(
        Command::new("python3")
            .arg(source("abi.py"))
            .arg(engine.join("libvrrp.so")),
    )?;
    chosen()?;
    for library in [Library::Engine, Library::Whole] {
        installed(library)?;
    }
    Ok(())
}

/// Every header by itself, and what it says of sizes, under every compiler.
fn headers() -> Result<(), Failure> {
    let include = root().join("include");
    let mut sources = ["layout.c", "gate_layout.c", "host_layout.c"]
        .map(source)
        .to_vec();
    for entry in list(&include)? {
        let name = entry
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let alone = work(&format!("{name}.c"))?;
        write(
            &alone,
            &format!("#include \"{name}\"\nextern int translation_unit;\n"),
        )?;
        sources.push(alone);
    }
    for compiler in COMPILERS {
        for source in &sources {
            run::run(compile(compiler, source).arg("-fsyntax-only"))?;
        }
    }
    Ok(())
}

/// The header and a library of other capacities agree, and a program of other capacities is refused.
fn layout(library: &Path, capacities: [u32; 3]) -> Result<(), Failure> {
    let archive = library.join("libvrrp.a");
    let program = work("layout")?;
    for layout in ["layout.c", "gate_layout.c"] {
        let mut command = compile(COMPILERS[0], &source(layout));
        let defines = install::defines(capacities);
        run::run(command.args(defines).arg(&archive).arg("-o").arg(&program))?;
        run::run(&mut Command::new(&program))?;
    }
    // One that was compiled for half the virtual routers is told so.
    let [interfaces, routers, addresses] = capacities;
    if routers == 1 {
        return Ok(());
    }
    let half = install::defines([interfaces, routers / 2, addresses]);
    let mut command = compile(COMPILERS[0], &source("refused.c"));
    run::run(command.args(half).arg(&archive).arg("-o").arg(&program))?;
    run::run(&mut Command::new(&program))
}

/// The C tests as they are, under the sanitizers, and under Valgrind with the shared library.
/// `libs` is what a program that links the archive needs besides.
pub(crate) fn programs(library: &Path, names: &[&str], libs: &[&str]) -> Result<(), Failure> {
    let archive = library.join("libvrrp.a");
    for name in names {
        let source = source(&format!("{name}.c"));
        for compiler in &COMPILERS[..2] {
            let program = work(name)?;
            let mut command = compile(compiler, &source);
            run::run(
                command
                    .args(["-g", "-O2"])
                    .arg(&archive)
                    .args(libs)
                    .arg("-o")
                    .arg(&program),
            )?;
            run::run(&mut Command::new(&program))?;
        }
        let program = work(&format!("{name}-sanitized"))?;
        let mut command = compile(COMPILERS[0], &source);
        command.args([
            "-g",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
        ]);
        run::run(command.arg(&archive).args(libs).arg("-o").arg(&program))?;
        run::run(Command::new(&program).env("ASAN_OPTIONS", "detect_stack_use_after_return=1"))?;
        let program = work(&format!("{name}-shared"))?;
        let mut command = compile(COMPILERS[0], &source);
        command
            .arg("-g")
            .arg("-L")
            .arg(library)
            .args(["-lvrrp", "-o"]);
        run::run(command.arg(&program))?;
        run::run(
            Command::new("valgrind")
                .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
                .args(["--errors-for-leak-kinds=all"])
                .arg(&program)
                .env("LD_LIBRARY_PATH", library),
        )?;
    }
    Ok(())
}

/// Checks the symbols that the engine-only library needs and exports.
fn symbols(library: &Path) -> Result<(), Failure> {
    exports(&library.join("libvrrp.so"))?;
    let dynamic = readelf(&library.join("libvrrp.so"))?;
    if dynamic.contains("(NEEDED)") {
        return Err(Failure(format!("the engine needs a library:\n{dynamic}")));
    }
    // Panics and allocators would be linked into every firmware.
    let names = run::output(
        Command::new("nm")
            .args(["--demangle", "--quiet"])
            .arg(library.join("libvrrp.a")),
    )?;
    let unwanted = ["core::panicking", "__rust_alloc", "malloc"];
    // Nor is there memory that is not the caller's.
    let variables = [" b ", " B ", " d ", " D ", " C "];
    // But for what the processor can do, which SHA-256 asks it once.
    let asked = |line: &&str| !line.contains("sha2::sha256::shani_cpuid::STORAGE");
    for line in names.lines().filter(asked) {
        if unwanted.iter().chain(&variables).any(|w| line.contains(w)) {
            return Err(Failure(format!("the engine-only library holds:\n{line}")));
        }
    }
    match names.contains(" T vrrp_poll_output") {
        true => Ok(()),
        false => Err(Failure("nm found no function in libvrrp.a".into())),
    }
}

/// A shared library has its soname, and exports vrrp_* alone.
fn exports(library: &Path) -> Result<(), Failure> {
    let names = run::output(
        Command::new("nm")
            .args(["-D", "--defined-only"])
            .arg(library),
    )?;
    let foreign: Vec<&str> = names
        .lines()
        .filter(|line| {
            !line
                .split(' ')
                .next_back()
                .is_some_and(|n| n.starts_with("vrrp_"))
        })
        .collect();
    if !foreign.is_empty() || names.lines().count() < 30 {
        return Err(Failure(format!(
            "{} exports {} symbols, and these are not ours: {foreign:?}",
            library.display(),
            names.lines().count()
        )));
    }
    match readelf(library)?.contains("Library soname: [libvrrp.so.0]") {
        true => Ok(()),
        false => Err(Failure(format!("{} has another soname", library.display()))),
    }
}

/// The superloop example shows an election and a failover.
fn superloop(library: &Path) -> Result<(), Failure> {
    let program = work("superloop")?;
    let mut command = compile(COMPILERS[0], &root().join("ffi/examples/superloop.c"));
    run::run(
        command
            .arg(library.join("libvrrp.a"))
            .arg("-o")
            .arg(&program),
    )?;
    let said = run::output(&mut Command::new(&program))?;
    for line in [
        "   3.219 left: master, no advertisement within the down interval",
        "   7.828 right: address 10.0.0.80 on",
        "   7.828 right: master, no advertisement within the down interval",
    ] {
        if !said.lines().any(|l| l == line) {
            return Err(Failure(format!(
                "the superloop does not say '{line}':\n{said}"
            )));
        }
    }
    Ok(())
}

/// Prints what the engine costs a minimal C program.
pub(crate) fn size() -> Result<(), Failure> {
    packages::need(packages::C)?;
    for (name, optimise) in [("speed", Optimise::Speed), ("size", Optimise::Size)] {
        say!("built for {name}: ");
        minimal(&install::build_for(Library::Engine, None, optimise, None)?)?;
    }
    Ok(())
}

/// The size of the engine in a program that uses it, and of the storage for each virtual router.
fn minimal(library: &Path) -> Result<(), Failure> {
    let text_of = |without: &[&str]| {
        let program = work("minimal")?;
        let mut command = compile(COMPILERS[0], &source("minimal.c"));
        command.args(["-Os", "-ffunction-sections", "-Wl,--gc-sections"]);
        command.args(without).arg(library.join("libvrrp.a"));
        run::run(command.arg("-o").arg(&program))?;
        let names = run::output(Command::new("nm").arg("--demangle").arg(&program))?;
        if names.contains("core::panicking") || names.contains("__rust_alloc") {
            let what = "a minimal program holds a panic or an allocator";
            return Err(Failure(what.into()));
        }
        let sizes = run::output(Command::new("size").arg(&program))?;
        let line = sizes.lines().nth(1).unwrap_or_default();
        let text = line.split_whitespace().next().unwrap_or_default();
        let said = run::output(&mut Command::new(&program))?;
        match text.parse::<u32>() {
            Ok(text) => Ok((text, said)),
            Err(_) => Err(Failure(format!("size said:\n{sizes}"))),
        }
    };
    let (with, said) = text_of(&[])?;
    let (without, _) = text_of(&["-DWITHOUT_ENGINE"])?;
    let engine = with.saturating_sub(without);
    sayln!("{engine} octets of text in a minimal C program with --gc-sections");
    say!("{said}");
    // A third of it signs and verifies: SHA-256 in two forms, one of them for processors that know it.
    match (8_000..100_000).contains(&engine) {
        true => Ok(()),
        false => Err(Failure("expected 8,000 to 100,000".into())),
    }
}

/// The library as our own command installs it.
fn installed(library: Library) -> Result<(), Failure> {
    let prefix = work(&format!("installed-{}", library.name()))?;
    let _ = fs::remove_dir_all(&prefix);
    install::install(library, &prefix)?;
    found(&prefix)
}

/// Capacities that are chosen by the environment reach the program by pkg-config.
fn chosen() -> Result<(), Failure> {
    let prefix = work("installed-chosen")?;
    let ourselves = std::env::current_exe().map_err(|e| Failure(e.to_string()))?;
    let mut install = Command::new(ourselves);
    install.args(["install-c", "--engine"]).arg(&prefix);
    run::run(install.envs([("VRRP_MAX_ROUTERS", "8"), ("VRRP_MAX_ADDRESSES", "3")]))?;
    let flags = flags(&prefix.join("lib"), &[])?;
    let program = prefix.join("layout");
    let mut command = compile(COMPILERS[0], &source("layout.c"));
    run::run(
        command
            .args(flags.split_whitespace())
            .arg("-o")
            .arg(&program),
    )?;
    let said = run::output(Command::new(&program).env("LD_LIBRARY_PATH", prefix.join("lib")))?;
    match said.starts_with("16 interfaces, 8 routers, 3 addresses") {
        true => Ok(()),
        false => Err(Failure(format!("other capacities were chosen:\n{said}"))),
    }
}

/// Asks pkg-config for the flags of a library in `lib`.
fn flags(lib: &Path, how: &[&str]) -> Result<String, Failure> {
    let mut query = Command::new("pkg-config");
    query.args(["--cflags", "--libs"]).args(how).arg("vrrp");
    run::output(query.env("PKG_CONFIG_PATH", lib.join("pkgconfig")))
}

/// The library as cargo-c installs it, which has to be there: it takes longer to build than all
/// that is tested here.
pub(crate) fn cargo_c() -> Result<(), Failure> {
    packages::need(packages::C)?;
    for library in [Library::Engine, Library::Whole] {
        let prefix = work(&format!("cargo-c-{}", library.name()))?;
        let _ = fs::remove_dir_all(&prefix);
        let mut command = Command::new("cargo-cinstall");
        command.current_dir(root()).args(["cinstall", "--release"]);
        command
            .args(["--package", "vrrp-ffi", "--libdir", "lib", "--prefix"])
            .arg(&prefix);
        command.arg("--target-dir").arg(target_dir().join("capi"));
        if library == Library::Engine {
            command.args(ENGINE_ALONE);
        }
        run::run(&mut command)?;
        found(&prefix)?;
    }
    Ok(())
}

/// An installed library is found by pkg-config, links both ways, and runs.
fn found(prefix: &Path) -> Result<(), Failure> {
    let lib = prefix.join("lib");
    exports(&lib.join("libvrrp.so"))?;
    let link = |how: &[&str], options: &[&str]| {
        let flags = flags(&lib, how)?;
        let program = prefix.join("memory");
        let mut command = Command::new("gcc");
        command
            .arg(source("memory.c"))
            .args(flags.split_whitespace())
            .args(options);
        run::run(command.arg("-o").arg(&program))?;
        run::run(Command::new(&program).env("LD_LIBRARY_PATH", &lib))
    };
    link(&[], &[])?;
    // A program without any shared library, and one with all of them but ours.
    link(&["--static"], &["-static"])?;
    fs::remove_file(lib.join("libvrrp.so")).map_err(|e| Failure(e.to_string()))?;
    link(&["--static"], &[])
}

/// The program that counts what the C interface costs, with the capacities of the Rust one.
pub(crate) fn cost_program() -> Result<PathBuf, Failure> {
    packages::need(packages::C)?;
    let capacities = [8, 1024, 4];
    let library = install::build(Library::Engine, Some(capacities))?;
    let program = work("cost")?;
    let mut command = compile(COMPILERS[0], &source("cost.c"));
    command.arg("-O2").args(install::defines(capacities));
    run::run(
        command
            .arg(library.join("libvrrp.a"))
            .arg("-o")
            .arg(&program),
    )?;
    Ok(program)
}

fn readelf(library: &Path) -> Result<String, Failure> {
    run::output(Command::new("readelf").args(["--dynamic"]).arg(library))
}

/// A compiler with its language, the strictest warnings and our headers, for one source.
pub(crate) fn compile(compiler: &[&str], source: &Path) -> Command {
    let (program, language) = compiler.split_first().expect("a compiler");
    let mut command = Command::new(program);
    command
        .args(language)
        .args(STRICT)
        .arg("-I")
        .arg(root().join("include"))
        .arg(source);
    // The rest is no C++.
    if language.contains(&"-x") {
        command.args(["-x", "none"]);
    }
    command
}

/// A source of the C tests.
pub(crate) fn source(name: &str) -> PathBuf {
    root().join("tests/c").join(name)
}

/// A place for what the tests make.
pub(crate) fn work(name: &str) -> Result<PathBuf, Failure> {
    let folder = target_dir().join("capi/tests");
    fs::create_dir_all(&folder).map_err(|e| Failure(format!("{}: {e}", folder.display())))?;
    Ok(folder.join(name))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|e| Failure(format!("{}: {e}", path.display())))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries =
        fs::read_dir(folder).map_err(|e| Failure(format!("{}: {e}", folder.display())))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    match found.is_empty() {
        true => Err(Failure(format!("{} is empty", folder.display()))),
        false => Ok(found),
    }
}
