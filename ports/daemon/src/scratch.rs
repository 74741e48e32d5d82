//! Directories for tests.

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long scripts and threads of a test that has ended may go on writing.
const ENDING: Duration = Duration::from_secs(10);

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

impl Drop for Directory {
    /// Removes it again and again: a script may put a file into a directory that is being removed.
    fn drop(&mut self) {
        let started = Instant::now();
        while self.exists() && started.elapsed() < ENDING {
            if fs::remove_dir_all(&**self).is_err() {
                sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Deref for Directory {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.0.path()
    }
}

#[test]
fn a_directory_goes_though_somebody_still_writes_into_it() {
    let directory = Directory::new("scratch");
    let path = directory.to_path_buf();
    let (began, begins) = std::sync::mpsc::channel();
    let writer = std::thread::spawn({
        let path = path.clone();
        move || {
            let write = |number: u32| fs::write(path.join(number.to_string()), "");
            (0..500).for_each(|number| write(number).expect("a file"));
            began.send(()).expect("the test waits");
            let started = Instant::now();
            let mut numbers = 500..;
            while started.elapsed() < Duration::from_millis(300) {
                let _ = numbers.next().map(write);
            }
        }
    });
    begins.recv().expect("the writer begins");
    drop(directory);
    writer.join().expect("the writer ends");
    assert!(!path.exists());
}
