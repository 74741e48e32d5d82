use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::content::{REPORTED, parse};
use super::files::path;
use super::own::STALE_LINES;
use super::*;

/// A number of an inode is used again, but not at the same time.
type Place = (u64, u64, Option<SystemTime>);

static HELD: Mutex<BTreeSet<Place>> = Mutex::new(BTreeSet::new());

fn place(file: &File) -> Place {
    let meta = file.metadata().unwrap();
    (meta.dev(), meta.ino(), meta.created().ok())
}

/// As a port's lock: a second description of a file that is held does not get it.
fn lock(file: &File) -> io::Result<bool> {
    Ok(HELD.lock().unwrap().insert(place(file)))
}

/// The life of a ledger ends.
fn die(ledger: Ledger<u32>) -> String {
    HELD.lock().unwrap().remove(&place(&ledger.file));
    ledger.token.clone()
}

fn system() -> System {
    System {
        lock,
        user: fs::metadata("/proc/self").map_or(0, |meta| meta.uid()),
        is_ending: |_| false,
    }
}

/// A directory that is not there yet.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("vrrp-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

fn create(directory: &Path) -> Ledger<u32> {
    Ledger::create(directory, "here", system()).unwrap()
}

/// The leftovers of dead processes, without tokens, and the remarks.
fn find(directory: &Path) -> (Vec<Vec<u32>>, Vec<String>) {
    let mut remarks = Vec::new();
    let found = leftovers::<u32>(directory, "here", system(), &mut remarks).unwrap();
    for leftover in &found {
        HELD.lock().unwrap().remove(&place(&leftover._lock));
    }
    let entries = found.iter().map(|l| l.entries.iter().copied().collect());
    (entries.collect(), remarks)
}

#[test]
fn lines_that_are_taken_back_foreign_or_cut_short_do_not_count() {
    for (text, entries, foreign) in [
        ("+ 1\n+ 2\n- 1\n", vec![2], vec![]),
        ("+ 1\n+ 2", vec![1], vec!["+ 2"]),
        ("+ 1\n+ 2+ 3\n+ 4\n", vec![1, 4], vec!["+ 2+ 3"]),
        ("+ 1\n+\n\n+ 3\n", vec![1, 3], vec!["+", ""]),
        (
            "+ no\n- 7 8\nno\n-1\n+ 3\n",
            vec![3],
            vec!["+ no", "- 7 8", "no", "-1"],
        ),
    ] {
        let parsed = parse::<u32>(text);
        assert_eq!(parsed.entries, BTreeSet::from_iter(entries), "{text:?}");
        assert_eq!(parsed.foreign, foreign, "{text:?}");
    }
}

#[test]
fn a_long_life_does_not_make_a_long_ledger() {
    let directory = directory("rewrite");
    let mut ledger = create(&directory);
    for _ in 0..2 * STALE_LINES {
        ledger.add([1, 2, 3]).unwrap();
        ledger.remove(&2).unwrap();
    }
    assert!(ledger.file.metadata().unwrap().len() < 20_000);
    assert_eq!(find(&directory), (vec![], vec![]));
    ledger.close();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    fs::remove_dir(&directory).unwrap();
}

#[test]
fn a_note_that_cannot_be_written_is_none_and_spoils_no_other() {
    let directory = directory("full");
    let mut ledger = create(&directory);
    ledger.add([1]).unwrap();
    let path = path(&directory, &ledger.token);
    // As on a full file system that took a part of a line and lets nothing be cut off: a pipe takes
    // nothing without its reader, and has no length on any system.
    let (_, full) = std::io::pipe().unwrap();
    let full = fs::File::from(std::os::fd::OwnedFd::from(full));
    let file = std::mem::replace(&mut ledger.file, full);
    ledger.append("+ 2\n").unwrap_err();
    assert!(ledger.torn);
    ledger.append("+ 2\n").unwrap_err();
    (&file).write_all(b"+ 2").unwrap();
    ledger.file = file;
    ledger.add([3]).unwrap();
    ledger.add([2]).unwrap();
    assert!(ledger.contains(&2) && ledger.contains(&3));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "+ 1\n+ 2?\n+ 3\n+ 2\n");
    die(ledger);
    let (found, remarks) = find(&directory);
    assert_eq!(found, [[1, 2, 3]]);
    let skipped = "skipped \"+ 2?\", which is no line of a ledger";
    assert_eq!(remarks, [format!("{}: {skipped}", path.display())]);
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_ledger_that_somebody_removes_is_written_again() {
    let directory = directory("removed");
    let mut ledger = create(&directory);
    ledger.add([1]).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    ledger.add([2]).unwrap();
    die(ledger);
    assert_eq!(find(&directory), (vec![vec![1, 2]], vec![]));
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn only_regular_files_that_are_ours_are_read() {
    let directory = directory("files");
    let ledger = create(&directory);
    let own = path(&directory, &ledger.token);
    let at = |name: &str| directory.join(name);
    let secret = at("secret");
    fs::write(&secret, "+ 9\n").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    symlink(&secret, at("here-1-1.ledger")).unwrap();
    let fifo = Command::new("mkfifo").arg(at("here-1-2.ledger")).status();
    assert!(fifo.unwrap().success());
    fs::create_dir(at("here-1-3.ledger")).unwrap();
    let open = at("here-1-4.ledger");
    fs::write(&open, "+ 9\n").unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o666)).unwrap();
    // Those of another place, and what is no ledger, are not even looked at.
    fs::write(at("there-1-1.ledger"), "?").unwrap();
    let (found, mut remarks) = find(&directory);
    assert_eq!(found, [[0; 0]; 0]);
    remarks.sort();
    let regular = "it is not a regular file; left alone";
    let writable = "others may write to it (mode 666); \
                    it must be writable for its owner alone (chmod 700); left alone";
    let expected = [(1, regular), (2, regular), (3, regular), (4, writable)]
        .map(|(n, why)| format!("{}: {why}", at(&format!("here-1-{n}.ledger")).display()));
    assert_eq!(remarks, expected);
    assert!(own.exists() && secret.exists());
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_directory_that_others_may_write_is_refused() {
    let directory = directory("trust");
    let mode = |mode| fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
    let refusal = |system| {
        let error = Ledger::<u32>::create(&directory, "here", system).unwrap_err();
        let of_dead = leftovers::<u32>(&directory, "here", system, &mut Vec::new());
        assert_eq!(of_dead.unwrap_err().to_string(), error.to_string());
        error.to_string()
    };
    create(&directory).close();
    let made = fs::metadata(&directory).unwrap().mode() & 0o7777;
    assert_eq!(made, 0o700);
    for open in [0o777, 0o1777, 0o720, 0o702] {
        mode(open);
        let text = format!("others may write to it (mode {open:o})");
        assert!(refusal(system()).starts_with(&text));
    }
    mode(0o700);
    let stranger = System {
        user: system().user + 1,
        ..system()
    };
    assert!(refusal(stranger).starts_with("it belongs to user"));
    // Others need not look into it, unless there is something else in it.
    mode(0o755);
    create(&directory).close();
    let made = fs::metadata(&directory).unwrap().mode() & 0o7777;
    assert_eq!(made, 0o700);
    mode(0o755);
    fs::write(directory.join("other"), "").unwrap();
    create(&directory).close();
    let made = fs::metadata(&directory).unwrap().mode() & 0o7777;
    assert_eq!(made, 0o755);
    fs::remove_dir_all(&directory).unwrap();
    let real = directory.with_extension("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, &directory).unwrap();
    assert!(refusal(system()).contains("symbolic link"));
    fs::remove_file(&directory).unwrap();
    fs::remove_dir(&real).unwrap();
}

#[test]
fn a_process_that_was_just_killed_is_waited_for() {
    let directory = directory("wait");
    let mut ledger = create(&directory);
    ledger.add([5]).unwrap();
    let held = place(&ledger.file);
    let end = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        HELD.lock().unwrap().remove(&held);
    });
    let dying = System {
        is_ending: |pid| pid == std::process::id(),
        ..system()
    };
    let began = Instant::now();
    assert_eq!(
        find(&directory),
        (vec![], vec![]),
        "the living are left alone"
    );
    let found = leftovers::<u32>(&directory, "here", dying, &mut Vec::new()).unwrap();
    assert_eq!(found.len(), 1);
    assert!(began.elapsed() >= Duration::from_millis(90));
    end.join().unwrap();
    drop(ledger);
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_makes_no_sense_is_reported_in_short() {
    let directory = directory("nonsense");
    let mut ledger = create(&directory);
    ledger.append(&"x\n".repeat(1000)).unwrap();
    ledger.append(&format!("{}\n", "y".repeat(10_000))).unwrap();
    ledger.add([1]).unwrap();
    die(ledger);
    let (found, remarks) = find(&directory);
    assert_eq!(found, [[1]]);
    assert_eq!(remarks.len(), REPORTED + 1);
    assert!(remarks.iter().all(|remark| remark.len() < 400));
    assert!(remarks[REPORTED].ends_with("skipped 997 more such lines"));
    fs::remove_dir_all(&directory).unwrap();
}
