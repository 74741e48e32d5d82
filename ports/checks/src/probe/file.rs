//! Files that exist or not.

use std::io;
use std::path::Path;

use super::{Answer, failed, words};

/// Asks once.
pub(super) async fn ask(path: &Path, absent: bool) -> Answer {
    let shown = path.display();
    match (tokio::fs::metadata(path).await, absent) {
        (Ok(_), false) => Ok(format!("{shown} exists")),
        (Ok(_), true) => failed(format!("{shown} exists")),
        (Err(error), absent) if is_missing(&error) => match absent {
            true => Ok(format!("{shown} does not exist")),
            false => failed(format!("{shown} does not exist")),
        },
        (Err(error), _) => failed(format!("{shown}: {}", words(&error))),
    }
}

fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    [NotFound, NotADirectory].contains(&error.kind())
}
