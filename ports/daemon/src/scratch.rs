//! Directories for tests.

use std::ops::Deref;
use std::path::Path;

/// A directory of one test, gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Directory(tempfile::TempDir);

impl Directory {
    pub(crate) fn new(topic: &str) -> Self {
        let prefix = format!("vrrpd-{topic}-");
        let made = tempfile::Builder::new().prefix(&prefix).tempdir();
        Self(made.expect("a directory"))
    }
}

impl Deref for Directory {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.0.path()
    }
}
