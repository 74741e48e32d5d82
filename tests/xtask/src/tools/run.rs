//! Running other programs.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use crate::tools::output::READER_GONE;

/// Why a step did not succeed, in one line.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The failure of a file or folder: its path, and the error.
pub(crate) fn failed(path: &Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    move |error| Failure(format!("{}: {error}", path.display()))
}

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map_or(here.clone(), Into::into)
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The target folder of what is built to be installed, for this machine and for others.
pub(crate) fn install_dir() -> PathBuf {
    target_dir().join("install")
}

/// A shell script of the name `story` in namespaces of its own: mounts, network, and processes, which end
/// with it. For the caller to add the script's arguments to.
pub(crate) fn story(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--net", "--pid", "--fork"])
        .args(["--kill-child", "--mount-proc"])
        .args(["sh", "-eu", "-c", script, "story"])
        .env_remove("NOTIFY_SOCKET");
    command
}

/// Runs a command to its end and shows its output.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .status()
        .map_err(|e| Failure(format!("cannot run {}: {e}", words(command))))?;
    match status.code() {
        Some(0) => Ok(()),
        // It was our output as well, and nobody reads it any more.
        Some(READER_GONE) => process::exit(READER_GONE),
        _ => Err(Failure(format!("{} ended with {status}", words(command)))),
    }
}

/// Does two things at once; the first failure of the two. They must not build in the same target folder: cargo
/// would have one wait for the other.
pub(crate) fn both(
    one: impl FnOnce() -> Result<(), Failure>,
    other: impl FnOnce() -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        let other = other.join();
        one.and(other.unwrap_or_else(|_| Err(Failure("panicked".into()))))
    })
}

/// Runs cargo in the workspace. It shows what it builds, which may take minutes.
pub(crate) fn build(args: &[&str]) -> Result<(), Failure> {
    run(cargo().current_dir(root()).args(args))
}

/// Builds tests, which is shown, and then runs them, of which the failures are shown.
pub(crate) fn test(args: &[&str], environment: &[(&str, &OsStr)]) -> Result<(), Failure> {
    build(&[&["test", "--no-run"], args].concat())?;
    let mut command = cargo();
    command.current_dir(root()).args(["test", "--quiet"]);
    run(command.args(args).envs(environment.iter().copied()))
}

/// The profile of all that is run for long or has to keep up with the clock, but is no product.
pub(crate) const PROOF: &str = "proof";

/// Builds a program of the workspace that is no product; a command that runs it.
pub(crate) fn program(package: &str, name: &str, features: &[&str]) -> Result<Command, Failure> {
    let what = ["build", "--profile", PROOF, "--package", package];
    build(&[&what, features, &["--bin", name]].concat())?;
    let mut command = Command::new(target_dir().join(PROOF).join(name));
    command.current_dir(root());
    // The lab builds more, by the same cargo.
    command.env("CARGO", cargo().get_program());
    Ok(command)
}

/// Builds a program of `tests/tools` as a product is built; its path.
pub(crate) fn release_tool(name: &str) -> Result<PathBuf, Failure> {
    release_tool_with(name, "")
}

/// The same with features of it, in the place of the one without.
pub(crate) fn release_tool_with(name: &str, features: &str) -> Result<PathBuf, Failure> {
    build(&[
        "build",
        "--release",
        "--package",
        "vrrp-tools",
        "--bin",
        name,
        "--features",
        features,
    ])?;
    Ok(target_dir().join("release").join(name))
}

/// Runs a command to its end and returns its standard output. Its standard error is shown.
pub(crate) fn stdout(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| Failure(format!("cannot run {}: {e}", words(command))))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let status = output.status;
    Err(Failure(format!("{} ended with {status}", words(command))))
}

/// Runs a command to its end and returns what it wrote, standard error last.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .output()
        .map_err(|e| Failure(format!("cannot run {}: {e}", words(command))))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(text),
        false => Err(Failure(format!(
            "{} ended with {}:\n{text}",
            words(command),
            output.status
        ))),
    }
}

fn words(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
