//! The step `container`: an image by the Containerfile, run by podman as its page says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::steps::{PROGRAM_NAMES, programs};
use crate::tools::libraries;
use crate::tools::packages;
use crate::tools::run::{self, Failure, failed, root};
use crate::tools::scratch::Scratch;

/// A script of the shell.
const STORY: &str = include_str!("container.sh");

/// The file that the image is built by.
pub(crate) fn containerfile() -> PathBuf {
    root().join("ports/daemon/packaging/container/Containerfile")
}

/// The step of `cargo xtask test`. Static programs would be a build of their own, so that the image has those
/// that are installed, and their libraries: one line more than the Containerfile.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::CONTAINER)?;
    let scratch = Scratch::new("vrrp-image")?;
    let context = scratch.path();
    let built = programs::built()?;
    let programs = PROGRAM_NAMES.map(|name| built.join(name));
    for (program, name) in programs.iter().zip(PROGRAM_NAMES) {
        fs::copy(program, context.join(name)).map_err(failed(program))?;
    }
    libraries::copy(&programs, &context.join("libraries"))?;
    let file = containerfile();
    let text = fs::read_to_string(&file).map_err(failed(&file))?;
    let file = context.join("Containerfile");
    fs::write(&file, text + "COPY libraries /\n").map_err(failed(&file))?;
    tell(context, &file)
}

/// Tells the story of an image from the files in `context`.
pub(crate) fn tell(context: &Path, containerfile: &Path) -> Result<(), Failure> {
    let scratch = Scratch::new("vrrp-container")?;
    let mut story = run::story(STORY);
    story.arg(scratch.path()).arg(context).arg(containerfile);
    let said = run::output(&mut story)?;
    if !said.ends_with("== well\n") {
        return Err(Failure(format!("the container's story says:\n{said}")));
    }
    say!("{said}");
    Ok(())
}
