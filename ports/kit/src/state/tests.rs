use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use super::{StateDir, StateFile};

const FILE: StateFile = StateFile {
    name: "things",
    format: 3,
    most: 20,
};

/// A directory of a test, below which the state directory is made.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("vrrp-state-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn dir(&self) -> StateDir {
        StateDir::new(&self.path())
    }

    fn path(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_is_replaced_as_a_whole_and_read_again() {
    let place = Place::new("whole");
    let dir = place.dir();
    assert_eq!(dir.read(FILE), None);
    dir.probe().expect("a directory of ours");
    for contents in ["one\ntwo\n", ""] {
        dir.write(FILE, contents.as_bytes()).expect("written");
        assert_eq!(dir.read(FILE), Some(contents.as_bytes().to_vec()));
    }
    let text = fs::read_to_string(place.path().join("things")).expect("the file");
    assert_eq!(text, "vrrpd things 3\n");
    let mode = |path: PathBuf| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(place.path()), 0o700);
    assert_eq!(mode(place.path().join("things")), 0o600);
    // The file and the lock.
    assert_eq!(fs::read_dir(place.path()).expect("a directory").count(), 2);
    // A crash may leave the file under its other name.
    fs::write(place.path().join("things.new"), "half").expect("a file");
    dir.write(FILE, b"whole").expect("written");
    let error = dir.write(FILE, &[b'x'; 21]).expect_err("too long");
    assert!(error.ends_with("more than 20 octets for things"), "{error}");
    assert_eq!(dir.read(FILE), Some(b"whole".to_vec()));
}

#[test]
fn a_damaged_file_is_set_aside_and_says_why() {
    let place = Place::new("damaged");
    let dir = place.dir();
    dir.probe().expect("a directory of ours");
    let path = place.path().join("things");
    for (octets, why) in [
        (
            &b"vrrpd things 2\nx"[..],
            "it does not begin with `vrrpd things 3`",
        ),
        (b"", "it does not begin with `vrrpd things 3`"),
        (b"\xff\0", "it does not begin with `vrrpd things 3`"),
        (&[b'v'; 100], "it has more than 35 octets"),
    ] {
        fs::write(&path, octets).expect("a file");
        assert_eq!(dir.read(FILE), None);
        let said = dir.take_aside().join("\n");
        let expected = format!("{} is not used: {why}; kept as", path.display());
        assert!(said.contains(&expected), "{said}");
        assert!(!path.exists());
        let kept = fs::read(place.path().join("things.bad"));
        assert_eq!(kept.expect("set aside"), octets);
    }
}

#[test]
fn a_file_that_others_could_have_written_is_not_read() {
    let place = Place::new("others");
    let dir = place.dir();
    dir.write(FILE, b"ours").expect("written");
    let path = place.path().join("things");
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("a mode");
    assert_eq!(dir.read(FILE), None);
    symlink("/etc/passwd", &path).expect("a link");
    assert_eq!(dir.read(FILE), None);
    assert!(!path.exists());
}

#[test]
fn a_directory_that_cannot_be_trusted_or_made_is_refused_with_the_reason() {
    let place = Place::new("refused");
    let dir = place.dir();
    fs::create_dir(place.path()).expect("a directory");
    fs::set_permissions(place.path(), Permissions::from_mode(0o770)).expect("a mode");
    let why = dir.probe().expect_err("others may write to it");
    assert!(why.contains("others may write to it (mode 770)"), "{why}");
    assert_eq!(dir.write(FILE, b"x"), Err(why));
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).expect("a mode");
    dir.write(FILE, b"x").expect("mended without a restart");
    let nowhere = StateDir::new(&place.0.join("missing/state"));
    let why = nowhere.probe().expect_err("no parent");
    assert!(why.contains("missing/state: No such file"), "{why}");
    fs::write(place.0.join("file"), "").expect("a file");
    let file = StateDir::new(&place.0.join("file"));
    assert!(
        file.probe()
            .expect_err("a file")
            .contains("not a directory")
    );
}

#[test]
fn a_file_that_could_not_be_read_is_not_replaced_until_it_has_been() {
    let place = Place::new("unread");
    place.dir().write(FILE, b"of before").expect("written");
    fs::set_permissions(place.path(), Permissions::from_mode(0o777)).expect("a mode");
    let dir = place.dir();
    assert_eq!(dir.read(FILE), None);
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).expect("a mode");
    let why = dir.write(FILE, b"new").expect_err("never read");
    assert!(
        why.contains("others may write to it (mode 777)")
            && why.ends_with("before a restart; mend this and restart vrrpd"),
        "{why}"
    );
    assert_eq!(dir.unread(FILE), Some(why));
    drop(dir);
    let dir = place.dir();
    assert_eq!(dir.read(FILE), Some(b"of before".to_vec()));
    assert_eq!(dir.unread(FILE), None);
    dir.write(FILE, b"new").expect("it has been read");
}

#[test]
fn a_directory_that_is_missing_at_the_start_is_not_written_when_it_is_mounted_later() {
    let place = Place::new("mounted");
    let dir = StateDir::new(&place.0.join("later/state"));
    assert_eq!(dir.read(FILE), None);
    fs::create_dir(place.0.join("later")).expect("a directory");
    let why = dir.write(FILE, b"new").expect_err("never read");
    assert!(why.contains("No such file"), "{why}");
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let place = Place::new("shared");
    let first = place.dir();
    first.write(FILE, b"of the first").expect("written");
    let second = place.dir();
    let why = second.probe().expect_err("locked");
    assert!(
        why.contains("another process uses it") && why.ends_with("a statedir of its own"),
        "{why}"
    );
    assert_eq!(second.write(FILE, b"x"), Err(why));
    assert_eq!(second.read(FILE), None);
    assert_eq!(first.read(FILE), Some(b"of the first".to_vec()));
    drop(first);
    assert_eq!(second.read(FILE), Some(b"of the first".to_vec()));
}
