//! A configuration of several files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::lines;
use crate::{Parsed, Source};

/// A folder that is removed with its contents.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("vrrp-include-{}-{name}", std::process::id());
        let folder = Self(std::env::temp_dir().join(folder));
        fs::create_dir_all(folder.0.join("d")).expect("folders");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a file");
    }

    /// Reads `main`, which includes `include`, and takes the folder out of what is said.
    fn read(&self, include: &str) -> (Parsed, Vec<String>) {
        let place = self.0.display();
        let main = format!(
            "[GLOBAL]\ninclude = {}\n",
            include.replace("~", &place.to_string())
        );
        self.write("main", &main);
        let source = Source::read(&self.0.join("main")).expect("a file");
        let mut parsed = crate::read(&source, |_, _| {});
        source.sort(&mut parsed.diagnostics);
        let said = lines(&parsed.diagnostics).into_iter();
        let said = said.map(|line| line.replace(&place.to_string(), "~"));
        let said = said.collect();
        (parsed, said)
    }
}

fn section(vrid: u8) -> String {
    format!("[VRID]\nserverid = {vrid}\ninterface = eth0\naddr = 10.0.0.{vrid}/24\n")
}

#[test]
fn files_are_read_in_the_order_of_their_names() {
    let folder = Folder::new("order");
    folder.write("d/b.conf", &section(2));
    // Neither the end of a line at its end, nor any section.
    folder.write("d/a.conf", section(1).trim_end());
    folder.write("d/c.conf", "# nothing\n");
    folder.write("d/.hidden.conf", &section(3));
    folder.write("d/z.conf~", &section(4));
    folder.write("e", &section(5));
    let (parsed, said) = folder.read("~/d/*.conf, ~/e");
    assert_eq!(said, [""; 0]);
    let config = parsed.config.expect("a correct file");
    let vrids: Vec<u8> = config
        .virtual_routers
        .iter()
        .map(|router| router.spec.id.vrid.get())
        .collect();
    assert_eq!(vrids, [1, 2, 5]);
    // The whole text is a file again, for a process that may read none.
    let source = Source::read(&folder.0.join("main")).expect("a file");
    let again = super::parse(source.into_text()).config.expect("the same");
    assert_eq!(again.virtual_routers, config.virtual_routers);
    assert_eq!(
        folder.read("~/d/*.none").1,
        ["~/main: expected at least one [VRID] section, found none"]
    );
}

#[test]
fn messages_name_the_file_and_its_line() {
    let folder = Folder::new("messages");
    folder.write("d/a.conf", &section(1));
    folder.write("d/b.conf", &(section(2) + "\npriority = 300\n"));
    folder.write("d/c.conf", &("\n".to_owned() + &section(1)));
    folder.write("d/d.conf", "priority = 5\n");
    folder.write("d/e.conf", "[GLOBAL]\ninclude = /x\n");
    assert_eq!(
        folder.read("~/d/*.conf, ~/none").1,
        [
            "~/main:2: include: `~/none` cannot be read: No such file or directory (os error 2)",
            "~/d/b.conf:6: priority: expected a number from 1 to 255, found `300`",
            "~/d/c.conf:3: serverid: expected each VRID once on an interface, found VRID 1 on eth0 (ipv4) again, first in line 2 of ~/d/a.conf",
            "~/d/d.conf:1: expected `[VRID]`, `[GROUP]`, `[CHECK]` or `[GLOBAL]` before the first key, found `priority`",
            "~/d/e.conf:1: expected one [GLOBAL], the first is in line 1 of ~/main",
        ]
    );
}

#[test]
fn what_cannot_be_included_is_an_error_of_its_line() {
    let folder = Folder::new("errors");
    folder.write("d/a.conf", &section(1));
    for (include, said) in [
        (
            "d/a.conf",
            "expected an absolute path, with `*` in the last part alone, found `d/a.conf`",
        ),
        (
            "~/*/a.conf",
            "expected an absolute path, with `*` in the last part alone, found `~/*/a.conf`",
        ),
        (
            "~/none/*.conf",
            "`~/none` cannot be read: No such file or directory (os error 2)",
        ),
        (
            "~/d/a.conf, ~/d/*",
            "expected each file once, found `~/d/a.conf` again",
        ),
        ("~/main", "expected each file once, found `~/main` again"),
        ("", "expected at least one item, found nothing"),
    ] {
        let (parsed, lines) = folder.read(include);
        assert!(parsed.config.is_none(), "{include}");
        let expected = format!("~/main:2: include: {said}");
        assert!(lines.contains(&expected), "{include}: {lines:?}");
    }
}

// A file system that is not mounted must not take its virtual routers away without a word.
#[test]
fn a_name_that_fits_and_is_no_readable_file_is_an_error() {
    let folder = Folder::new("no-file");
    folder.write("d/a.conf", &section(1));
    fs::create_dir(folder.0.join("d/b.conf")).expect("a folder");
    symlink("/nonexistent/c.conf", folder.0.join("d/c.conf")).expect("a link");
    symlink(folder.0.join("e"), folder.0.join("d/d.conf")).expect("a link");
    folder.write("e", &section(2));
    let (parsed, said) = folder.read("~/d/*.conf");
    assert!(parsed.config.is_none());
    assert_eq!(
        said,
        [
            "~/main:2: include: `~/d/b.conf` cannot be read: it is no regular file",
            "~/main:2: include: `~/d/c.conf` cannot be read: No such file or directory (os error 2)",
        ]
    );
    // A name that does not fit is nobody's concern, and a link to a file is a file.
    let (parsed, said) = folder.read("~/d/a*, ~/d/d*");
    assert_eq!(said, [""; 0]);
    let config = parsed.config.expect("a correct file");
    assert_eq!(config.virtual_routers.len(), 2);
}
