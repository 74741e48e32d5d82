//! The committed headers are what cbindgen makes of the sources.
//!
//! `UPDATE_HEADERS=1 cargo test -p vrrp-ffi --test headers` writes them anew.

use std::path::{Path, PathBuf};

use cbindgen::{Builder, Config};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The header `name` from the settings of that name and the public items of `sources`.
fn generate(name: &str, sources: &[&str]) -> String {
    let settings = here().join(format!("headers/{name}.toml"));
    let config = Config::from_file(settings).expect("the settings of cbindgen");
    let mut builder = Builder::new().with_config(config);
    for source in sources {
        builder = builder.with_src(here().join("src").join(source));
    }
    let mut text = Vec::new();
    builder.generate().expect("cbindgen").write(&mut text);
    let text = String::from_utf8(text).expect("ASCII");
    text.lines().map(tidy).collect()
}

/// Puts negative numbers in parentheses, for they may come after a minus: cbindgen has no setting for
/// that.
fn tidy(line: &str) -> String {
    match line.rsplit_once(' ') {
        Some((start, value)) if start.starts_with("#define") && value.starts_with('-') => {
            format!("{start} ({value})\n")
        }
        _ => format!("{}\n", line.trim_end()),
    }
}

fn compare(name: &str, sources: &[&str]) {
    let path: PathBuf = here().join(format!("../include/{name}.h"));
    let generated = generate(name, sources);
    if std::env::var_os("UPDATE_HEADERS").is_some() {
        std::fs::write(&path, generated).expect("written");
        return;
    }
    let committed = std::fs::read_to_string(&path).expect("the committed header");
    assert!(
        committed == generated,
        "include/{name}.h is not what the sources say: run \
         UPDATE_HEADERS=1 cargo test -p vrrp-ffi --test headers"
    );
}

#[test]
fn the_engine() {
    let sources = [
        "numbers.rs",
        "types.rs",
        "handle.rs",
        "engine.rs",
        "auth.rs",
        "status.rs",
        "names.rs",
    ];
    compare("vrrp", &sources);
}

#[test]
fn the_gate() {
    let sources = [
        "gate/numbers.rs",
        "gate/types.rs",
        "gate/handle.rs",
        "gate/calls.rs",
        "gate/auth.rs",
        "gate/views.rs",
    ];
    compare("vrrp_gate", &sources);
}

#[test]
fn the_host() {
    let sources = [
        "host/numbers.rs",
        "host/types.rs",
        "host/handle.rs",
        "host/calls.rs",
        "host/views.rs",
    ];
    compare("vrrp_host", &sources);
}

/// Every function of a header is in its manual page.
fn named(header: &str, page: &str, at_least: usize) {
    let manual = here().join("man").join(page);
    let manual = std::fs::read_to_string(manual).expect("the manual page");
    let header = here().join("../include").join(header);
    let header = std::fs::read_to_string(header).expect("the header");
    let mut functions = 0;
    for line in header.lines().filter(|l| !l.starts_with([' ', '/', '#'])) {
        let Some((before, _)) = line.split_once('(') else {
            continue;
        };
        let name = before.rsplit([' ', '*']).next().unwrap_or_default();
        functions += 1;
        let named = manual
            .lines()
            .any(|l| l.starts_with(&format!(".Fn {name} ")));
        assert!(named, "{page} does not name {name}()");
    }
    assert!(functions >= at_least, "{functions} functions were found");
}

#[test]
fn the_manuals_name_every_function() {
    named("vrrp.h", "libvrrp.3", 35);
    named("vrrp_gate.h", "libvrrp_gate.3", 22);
    named("vrrp_host.h", "libvrrp_host.3", 23);
}

/// The pages show the example that the lab runs.
#[test]
fn the_pages_show_the_first_program() {
    let read = |name: &str| {
        let text = std::fs::read_to_string(here().join(name));
        text.unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let program = read("examples/serve.c");
    let start = program.find("#define").expect("the code after the comment");
    let program = &program[start..];
    let in_lines = |form: fn(&str) -> String| program.lines().map(form).collect::<String>();
    let in_header = in_lines(|line| format!("{}\n", format!(" *     {line}").trim_end()));
    let in_manual = in_lines(|line| format!("{}\n", line.replace('\\', "\\e")));
    for (page, text) in [
        ("../include/vrrp_host.h", in_header),
        ("man/libvrrp_host.3", in_manual),
        ("README.md", program.to_owned()),
    ] {
        assert!(
            read(page).contains(&text),
            "{page} shows another program:\n{text}"
        );
    }
}
