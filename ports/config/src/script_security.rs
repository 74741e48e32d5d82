//! The user that event scripts run as, and the check that no other can replace a script.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

/// A user of this host and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Account {
    /// The number of the user.
    pub uid: u32,
    /// The number of the group.
    pub gid: u32,
}

/// The accounts of this host: the system's databases of users and groups.
pub trait Accounts: fmt::Debug {
    /// The user of this name, with its own group.
    fn user(&self, name: &str) -> Option<Account>;
    /// The number of the group of this name.
    fn group(&self, name: &str) -> Option<u32>;
    /// The user that this process acts as.
    fn own_uid(&self) -> u32;
}

/// The user of `scriptuser`, by name or number: `USER` or `USER:GROUP`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScriptUser {
    pub(crate) user: String,
    pub(crate) group: Option<String>,
}

impl fmt::Display for ScriptUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.user)?;
        match &self.group {
            Some(group) => write!(f, ":{group}"),
            None => Ok(()),
        }
    }
}

impl ScriptUser {
    /// Looks up the user and the group.
    ///
    /// # Errors
    /// The one that does not exist, in words.
    pub fn resolve(&self, accounts: &dyn Accounts) -> Result<Account, String> {
        let group = match &self.group {
            Some(name) => {
                let number = name.parse().ok().or_else(|| accounts.group(name));
                Some(number.ok_or_else(|| format!("there is no group `{name}` on this host"))?)
            }
            None => None,
        };
        let number = self.user.parse().ok();
        match (accounts.user(&self.user), number, group) {
            (Some(user), _, group) => Ok(Account {
                uid: user.uid,
                gid: group.unwrap_or(user.gid),
            }),
            (None, Some(uid), Some(gid)) => Ok(Account { uid, gid }),
            (None, Some(_), None) => Err(format!(
                "expected a group after the number of a user, `{0}:GROUP`, found `{0}`",
                self.user
            )),
            (None, None, _) => Err(format!("there is no user `{}` on this host", self.user)),
        }
    }
}

/// The treatment of a script that others could replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ScriptSecurity {
    /// It is an error, and is not run.
    #[default]
    Enforce,
    /// It is a warning.
    Warn,
}

/// Returns why a user other than root and `uid` could replace the program at `path`; `None`: none could, or there is no such program.
///
/// Every folder on the way, the program, and every symbolic link must belong to root or `uid`, and
/// be writable by no group but root's and by no others. Folders with the sticky bit may be.
pub fn insecurity(path: &Path, uid: u32) -> Option<String> {
    /// As many as a kernel follows.
    const MOST_LINKS: u32 = 40;
    // The map of a process never changes.
    static OUTSIDE: LazyLock<Option<u32>> = LazyLock::new(owner_outside);
    let trusted = [Some(0), Some(uid), *OUTSIDE];
    let mut at = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = names(&std::path::absolute(path).ok()?);
    let mut links = 0;
    if let Some(fault) = fault(&at, &fs::symlink_metadata(&at).ok()?, &trusted) {
        return Some(fault);
    }
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(name);
        let meta = fs::symlink_metadata(&next).ok()?;
        if let Some(fault) = fault(&next, &meta, &trusted) {
            return Some(fault);
        }
        if !meta.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return None;
        }
        let target = fs::read_link(&next).ok()?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            rest.push_front(name);
        }
    }
    None
}

/// The names in a path, `..` among them.
fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn fault(path: &Path, meta: &Metadata, trusted: &[Option<u32>]) -> Option<String> {
    const STICKY: u32 = 0o1000;
    const GROUP: u32 = 0o020;
    const OTHERS: u32 = 0o002;
    let shown = path.display();
    if !trusted.contains(&Some(meta.uid())) {
        return Some(format!("{shown} belongs to user {}", meta.uid()));
    }
    let mode = meta.mode() & 0o7777;
    // A link has no mode of its own; in a sticky folder only its owner replaces a file.
    if meta.is_symlink() || meta.is_dir() && mode & STICKY != 0 {
        return None;
    }
    if mode & OTHERS != 0 {
        return Some(format!("everybody can write {shown} (mode {mode:o})"));
    }
    if mode & GROUP != 0 && meta.gid() != 0 {
        return Some(format!(
            "group {} can write {shown} (mode {mode:o})",
            meta.gid()
        ));
    }
    None
}

/// The number by which files appear whose owner is outside of this process's user namespace; `None`:
/// it is an ordinary number here.
#[cfg(target_os = "linux")]
fn owner_outside() -> Option<u32> {
    let read = |path| fs::read_to_string(path).ok();
    let outside: u32 = read("/proc/sys/kernel/overflowuid")?.trim().parse().ok()?;
    let map = read("/proc/self/uid_map")?;
    let is_mapped = map.lines().any(|line| {
        let numbers: Vec<u32> = line.split_whitespace().flat_map(str::parse).collect();
        matches!(numbers.as_slice(), [first, _, count]
            if (*first..=first.saturating_add(count.saturating_sub(1))).contains(&outside))
    });
    (!is_mapped).then_some(outside)
}

#[cfg(not(target_os = "linux"))]
fn owner_outside() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[derive(Debug)]
    struct Few;

    impl Accounts for Few {
        fn user(&self, name: &str) -> Option<Account> {
            (name == "web").then_some(Account { uid: 33, gid: 34 })
        }

        fn group(&self, name: &str) -> Option<u32> {
            (name == "adm").then_some(4)
        }

        fn own_uid(&self) -> u32 {
            0
        }
    }

    #[test]
    fn a_user_is_found_by_name_or_number() {
        let resolve = |user: &str, group: Option<&str>| {
            let group = group.map(str::to_owned);
            let user = user.to_owned();
            let account = ScriptUser { user, group }.resolve(&Few)?;
            Ok((account.uid, account.gid))
        };
        assert_eq!(resolve("web", None), Ok((33, 34)));
        assert_eq!(resolve("web", Some("adm")), Ok((33, 4)));
        assert_eq!(resolve("web", Some("7")), Ok((33, 7)));
        assert_eq!(resolve("12", Some("adm")), Ok((12, 4)));
        let said = |got: Result<_, String>| got.expect_err("no such account");
        assert_eq!(
            said(resolve("ftp", None)),
            "there is no user `ftp` on this host"
        );
        assert_eq!(
            said(resolve("web", Some("x"))),
            "there is no group `x` on this host"
        );
        assert!(said(resolve("12", None)).contains("found `12`"));
    }

    /// A folder that is removed with its contents.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_program_that_others_could_replace_is_found() {
        let folder = std::env::temp_dir().join(format!("vrrp-secure-{}", std::process::id()));
        fs::create_dir_all(folder.join("open/inner")).expect("folders");
        let folder = Folder(fs::canonicalize(&folder).expect("a folder"));
        let at = |name: &str| folder.0.join(name);
        let set = |name: &str, mode| {
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("a mode");
        };
        let uid = fs::metadata(&folder.0).expect("a folder").uid();
        let fault = |name: &str| insecurity(&at(name), uid);
        fs::write(at("good"), "").expect("a file");
        fs::write(at("open/inner/deep"), "").expect("a file");
        for name in ["good", "open", "open/inner", "open/inner/deep"] {
            set(name, 0o755);
        }
        set("", 0o755);
        assert_eq!(fault("good"), None);
        assert_eq!(fault("missing"), None);
        assert_eq!(fault("open/inner/deep"), None);

        set("good", 0o757);
        let said = fault("good").expect("a fault");
        assert_eq!(
            said,
            format!("everybody can write {} (mode 757)", at("good").display())
        );
        set("good", 0o755);

        set("open", 0o777);
        let said = fault("open/inner/deep").expect("a fault");
        assert!(said.ends_with("/open (mode 777)"), "{said}");
        // A link from a safe place leads there as well, and back again.
        symlink("open/inner/../inner/deep", at("link")).expect("a link");
        symlink(at("link"), at("second")).expect("a link");
        assert!(
            fault("second")
                .expect("a fault")
                .ends_with("/open (mode 777)")
        );
        set("open", 0o1777);
        assert_eq!(fault("second"), None);
        symlink(at("round"), at("round")).expect("a link");
        assert_eq!(fault("round"), None);

        // Owned by neither root nor the user of the scripts.
        if uid != 0 {
            let said = insecurity(&at("good"), uid + 1).expect("a fault");
            assert!(said.ends_with(&format!("belongs to user {uid}")), "{said}");
        }
    }
}
