//! Python modules from the Python package index, in an environment of our own.

use std::path::PathBuf;
use std::process::Command;

use crate::tools::packages;
use crate::tools::run::{self, Failure, target_dir};

/// A Python that has `module`: the system's, or one that is given `requirement`.
pub(crate) fn with(module: &str, requirement: &str) -> Result<PathBuf, Failure> {
    packages::need(packages::PYTHON)?;
    let own = target_dir().join("python").join(module);
    let import = format!("import {module}");
    for python in ["python3".into(), own.join("bin/python")] {
        if run::output(Command::new(&python).args(["-c", &import])).is_ok() {
            return Ok(python);
        }
    }
    run::run(Command::new("python3").args(["-m", "venv"]).arg(&own))?;
    let python = own.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", requirement];
    run::run(Command::new(&python).args(install))?;
    Ok(python)
}
