//! The boot count: the number that the signatures of `antireplay = monotonic` begin with. It is kept in the
//! state directory, so that a host whose clock was set back over a restart is not refused by the others.
//!
//! vrrpd keeps it, and so does a program of its own that signs: [`take_from`] gives the number of
//! [`HostConfig::boot_count`](vrrp_host::HostConfig::boot_count).
//!
//! The file holds the greatest number that may have been signed with. Each life of a worker, and each reload,
//! takes the next number, or the seconds of the clock where these are greater: a host without the file has
//! signed with the clock. It takes two numbers, of which the second is for the farewell.

use std::path::Path;

use crate::clock;
use crate::state::{StateDir, StateFile};

/// The file in the state directory: a number and the end of the line.
pub const FILE: StateFile = StateFile {
    name: "boot-count",
    format: 1,
    most: "4294967295\n".len(),
};

/// The numbers that have been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootCount {
    /// The greatest one. `None`: there is no file, or it cannot be read.
    taken: Option<u32>,
}

impl BootCount {
    /// Reads the file. One that makes no sense is set aside.
    pub fn read(dir: &StateDir) -> Self {
        let octets = dir.read(FILE);
        let taken = octets.and_then(|octets| {
            let text = str::from_utf8(&octets).unwrap_or_default();
            let number = text.strip_suffix('\n').and_then(|text| text.parse().ok());
            if number.is_none() {
                dir.set_aside(FILE, "it does not hold a number");
            }
            number
        });
        Self { taken }
    }

    /// Returns the warning about a count that does not go on from the one before: its file is missing, or holds
    /// a number that receivers take to be behind the clock. A damaged file is told of by the directory.
    pub fn broken_off(&self, dir: &StateDir) -> Option<String> {
        self.broken_off_at(dir, clock::since_epoch().as_micros() / 1_000_000)
    }

    fn broken_off_at(&self, dir: &StateDir, clock: u64) -> Option<String> {
        let file = dir.path_of(FILE);
        let file = file.display();
        match self.taken {
            None => Some(format!(
                "{file} is missing, so the boot count of antireplay = monotonic begins with the clock: this is right at the first start only; otherwise find out why the file was lost; the next reload or restart ends this warning"
            )),
            Some(taken)
                if u64::from(taken) > clock && !goes_on(taken.wrapping_add(1), clock as u32) =>
            {
                Some(format!(
                    "{file} held {taken}, 2^31 or more ahead of the clock ({clock} s), so the boot count of antireplay = monotonic begins with the clock: check the clock; the next reload or restart ends this warning"
                ))
            }
            Some(_) => None,
        }
    }

    /// Takes the next number. It counts once [`contents`](Self::contents) are on the disk.
    pub fn take(&mut self) -> u32 {
        self.take_at((clock::since_epoch().as_micros() / 1_000_000) as u32)
    }

    fn take_at(&mut self, clock: u32) -> u32 {
        let number = match self.taken.map(|taken| taken.wrapping_add(1)) {
            Some(next) if goes_on(next, clock) => next,
            _ => clock,
        };
        self.taken = Some(number.wrapping_add(1));
        number
    }

    /// The contents of the file.
    pub fn contents(&self) -> Vec<u8> {
        let taken = self.taken.unwrap_or_default();
        format!("{taken}\n").into_bytes()
    }
}

/// A boot count that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The number.
    pub number: u32,
    /// Whether the disk has it. If not the next start may take the same one.
    pub is_kept: bool,
    /// Reasons for which others may refuse this host, now or after the next start.
    pub warnings: Vec<String>,
}

/// Takes the next boot count of the state directory at an absolute path, which is made if it is missing.
/// Waits for the disk. Nobody else may use the directory meanwhile; between two calls other programs may.
#[must_use]
pub fn take_from(directory: &Path) -> Taken {
    let dir = StateDir::new(directory);
    if let Err(why) = dir.probe() {
        let number = BootCount { taken: None }.take();
        return Taken {
            number,
            is_kept: false,
            warnings: vec![not_kept(&why)],
        };
    }
    let mut count = BootCount::read(&dir);
    let mut warnings = dir.take_aside();
    if warnings.is_empty() {
        warnings.extend(count.broken_off(&dir));
    }
    let number = count.take();
    let written = dir.write(FILE, &count.contents());
    let is_kept = written.is_ok();
    warnings.extend(written.err().map(|why| not_kept(&why)));
    Taken {
        number,
        is_kept,
        warnings,
    }
}

/// Returns whether `next` is as far on as the clock or further, as receivers judge it (RFC 1982).
fn goes_on(next: u32, clock: u32) -> bool {
    clock.wrapping_sub(next) as i32 <= 0
}

/// The warning about a number that is not on the disk.
pub fn not_kept(why: &str) -> String {
    format!(
        "the boot count of antireplay = monotonic is not kept: {why}; if the clock is set back before the next start, other hosts refuse this one: mend this and reload"
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let name = format!("vrrp-boot-count-{name}-{}", std::process::id());
        std::env::temp_dir().join(name)
    }

    #[test]
    fn each_number_is_after_those_before_and_not_behind_the_clock() {
        let mut count = BootCount { taken: None };
        assert_eq!(count.take_at(1_000), 1_000);
        // 1001 is that of the farewell.
        assert_eq!(count.take_at(1_000), 1_002);
        // The clock was set back.
        assert_eq!(count.take_at(10), 1_004);
        assert_eq!(count.take_at(5_000), 5_000);
        assert_eq!(count.contents(), b"5001\n");
        // Over the end of 32 bits, in 2106.
        let mut count = BootCount {
            taken: Some(u32::MAX),
        };
        assert_eq!(count.take_at(u32::MAX - 9), 0);
        assert_eq!(count.take_at(7), 7);
    }

    #[test]
    fn a_count_that_is_missing_or_too_far_ahead_is_told() {
        let path = directory("told");
        let dir = StateDir::new(&path);
        let told = |taken, clock| BootCount { taken }.broken_off_at(&dir, clock);
        let clock = 1_796_000_000;
        let missing = told(None, clock).expect("a warning");
        assert!(missing.contains("boot-count is missing"), "{missing}");
        assert_eq!(told(Some(1_796_000_001), clock), None);
        assert_eq!(told(Some(5), clock), None, "the clock is further on");
        // Others take it for one behind the clock.
        let far = told(Some(4_294_967_290), clock).expect("a warning");
        assert!(far.contains("held 4294967290, 2^31 or more ahead"), "{far}");
        let last = clock as u32 + (1 << 31) - 2;
        assert_eq!(told(Some(last), clock), None);
        assert!(told(Some(last + 2), clock).is_some());
        // After 2106 a number is less than the clock.
        assert_eq!(told(Some(u32::MAX - 9), (1 << 32) + 7), None);
    }

    #[test]
    fn a_program_takes_one_number_after_the_other() {
        let path = directory("taken");
        let first = take_from(&path);
        let [missing] = first.warnings.as_slice() else {
            panic!("{first:?}");
        };
        assert!(missing.contains("boot-count is missing"), "{missing}");
        let second = take_from(&path);
        assert_eq!(second.warnings, [""; 0]);
        assert!(second.number >= first.number + 2, "{first:?} {second:?}");
        // The clock was set back.
        let ahead = second.number + 1_000_000;
        let head = "vrrpd boot-count 1\n";
        let file = path.join(FILE.name);
        fs::write(&file, format!("{head}{ahead}\n")).expect("a file");
        assert_eq!(take_from(&path).number, ahead + 1);
        fs::write(&file, "nonsense").expect("a file");
        let third = take_from(&path);
        assert!(third.number < ahead, "{third:?}");
        assert!(third.warnings.concat().contains("is not used"), "{third:?}");
        // A vrrpd that runs.
        let other = StateDir::new(&path);
        other.probe().expect("a directory of ours");
        let refused = take_from(&path);
        assert!(!refused.is_kept && third.is_kept);
        let refused = refused.warnings.concat();
        assert!(
            refused.contains("is not kept") && refused.contains("another process"),
            "{refused}"
        );
        fs::remove_dir_all(&path).expect("the directory");
    }

    #[test]
    fn a_file_is_read_again_and_one_that_makes_no_sense_is_set_aside() {
        let path = directory("file");
        let dir = StateDir::new(&path);
        let mut count = BootCount::read(&dir);
        assert_eq!(count.taken, None);
        let number = count.take();
        dir.write(FILE, &count.contents()).expect("written");
        assert_eq!(BootCount::read(&dir).taken, Some(number + 1));
        let head = "vrrpd boot-count 1\n";
        for bad in ["", "7", "x\n", "-1\n", "4294967296\n", "7\n8\n"] {
            fs::write(path.join(FILE.name), format!("{head}{bad}")).expect("a file");
            assert_eq!(BootCount::read(&dir).taken, None, "{bad}");
            let aside = dir.take_aside().concat();
            assert!(aside.contains("boot-count is not used"), "{bad}: {aside}");
            assert!(!path.join(FILE.name).exists());
        }
        fs::remove_dir_all(path).expect("the directory");
    }
}
