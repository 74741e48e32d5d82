//! Signed advertisements: the keys of the file, and the files of the keys.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use vrrp_core::{AntiReplay, AuthMode};
use vrrp_host::{HmacSpec, KeySource};

use super::host::PROGRAM;
use super::{MINIMAL, good, lines, said};
use crate::{Parsed, Program, judge};

const KEY: &str = "auth = hmac\nkeyfile = 1:/etc/vrrpd/key1\n";

fn hmac(more: &str) -> HmacSpec {
    let (config, remarks) = good(&format!("{MINIMAL}{more}"));
    assert_eq!(remarks, [""; 0]);
    let hmac = config.virtual_routers[0].spec.hmac.clone();
    hmac.expect("signed advertisements")
}

#[test]
fn without_other_keys_it_enforces_by_time() {
    let found = hmac(KEY);
    assert_eq!(found.settings.mode, AuthMode::Enforce);
    assert_eq!(found.settings.replay, AntiReplay::Time);
    assert_eq!((found.settings.window, found.settings.active_key), (5, 1));
    let [key] = found.keys.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(key.source, KeySource::File("/etc/vrrpd/key1".into()));
    assert_eq!(key.secret, None);
    let (plain, _) = good(&format!("{MINIMAL}auth = none\n"));
    assert_eq!(plain.virtual_routers[0].spec.hmac, None);
}

#[test]
fn every_key_has_its_effect() {
    let found = hmac(
        "auth = HMAC\nkeyfile = 7:/a, 2:/b\ncredential = 3:vrrp51\nactivekey = 3\n\
         authmode = receive-only\nantireplay = monotonic\n",
    );
    assert_eq!(found.settings.mode, AuthMode::ReceiveOnly);
    assert_eq!(found.settings.replay, AntiReplay::Monotonic);
    assert_eq!(found.settings.active_key, 3);
    let ids: Vec<u8> = found.keys.iter().map(|key| key.id).collect();
    assert_eq!(ids, [2, 3, 7]);
    assert_eq!(
        found.keys[1].source,
        KeySource::Credential("vrrp51".to_owned())
    );
    let permissive = hmac(&format!("{KEY}authmode = permissive\ntimewindow = 300\n"));
    assert_eq!(permissive.settings.mode, AuthMode::Permissive);
    assert_eq!(permissive.settings.window, 300);
}

#[test]
fn the_window_follows_the_interval() {
    for (interval, window) in [("0.1", 5), ("1", 5), ("2", 6), ("2.99", 9), ("40.95", 123)] {
        let found = hmac(&format!("{KEY}advertinterval = {interval}\n"));
        assert_eq!(found.settings.window, window, "{interval}");
    }
    let slow = hmac(&format!("{KEY}version = 2\nadvertinterval = 255\n"));
    assert_eq!(slow.settings.window, 300);
}

#[test]
fn both_families_and_every_version_sign() {
    for version in ["2", "3", "both"] {
        hmac(&format!("{KEY}version = {version}\n"));
    }
    let (config, _) = good(
        "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24, fe80::1/64\n\
         auth = hmac\nkeyfile = 1:/k\n",
    );
    let routers = config.virtual_routers.iter();
    assert_eq!(routers.filter(|r| r.spec.hmac.is_some()).count(), 2);
}

#[test]
fn the_unclear_is_refused() {
    const SECRET: &str = "000102030405060708090a0b0c0d0e0f";
    let table = [
        (
            "auth = md5\n",
            "5: auth: expected `none` or `hmac`, found `md5`",
        ),
        (
            "keyfile = 1:/k\n",
            "5: keyfile: expected `auth = hmac` in this section, as it signs no advertisements without",
        ),
        (
            "auth = none\nauthmode = enforce\n",
            "6: authmode: expected `auth = hmac` in this section, as it signs no advertisements without",
        ),
        (
            "auth = hmac\n",
            "5: auth: expected `keyfile = ID:/path` or `credential = ID:NAME` in this section, found neither: without a key nothing is signed",
        ),
        (
            "auth = hmac\nversion = 2\npassword = x\nkeyfile = 1:/k\n",
            "7: password: expected no password beside `auth = hmac`: leave out one of the two",
        ),
        (
            "auth = hmac\nkeyfile = 1:/k\nactivekey = 2\n",
            "7: activekey: expected the ID of one of the keys (1), found `2`",
        ),
        (
            "auth = hmac\nkeyfile = 1:/k, 2:/l\n",
            "1: activekey: expected `activekey = ID` in this section, as there are several keys (1, 2)",
        ),
        (
            "auth = hmac\nkeyfile = 1:/k, 1:/l\n",
            "6: keyfile: expected each key once, found key 1 twice: /k and /l",
        ),
        (
            "auth = hmac\nkeyfile = 4:/k\ncredential = 4:c\n",
            "7: credential: expected each key once, found key 4 twice: /k and credential c",
        ),
        (
            "auth = hmac\nkeyfile = /k\n",
            "6: keyfile: expected `ID:/path`, as in `1:/etc/vrrpd/key1`, found no `:`; a key is never in the configuration itself",
        ),
        (
            "auth = hmac\nkeyfile = 0:/k\n",
            "6: keyfile: expected `ID:/path`, as in `1:/etc/vrrpd/key1`, with an ID from 1 to 255, found another text before the `:`; a key is never in the configuration itself",
        ),
        (
            "auth = hmac\nkeyfile = 1:k\n",
            "6: keyfile: expected an absolute path after `1:`, found a text that does not begin with `/`; a key is never in the configuration itself",
        ),
        (
            "auth = hmac\ncredential = 1:../k\n",
            "6: credential: expected the name of a credential after `1:`, of letters, digits, `-`, `_` and `.`, found another text",
        ),
        (
            "auth = hmac\nkeyfile = 1:/k\nauthmode = off\n",
            "7: authmode: expected `receive-only`, `permissive` or `enforce`, found `off`",
        ),
        (
            "auth = hmac\nkeyfile = 1:/k\nantireplay = no\n",
            "7: antireplay: expected `time` or `monotonic`, found `no`",
        ),
        (
            "auth = hmac\nkeyfile = 1:/k\ntimewindow = 301\n",
            "7: timewindow: expected a number from 1 to 300, found `301`",
        ),
        (
            "auth = hmac\nkeyfile = 1:/a,2:/b,3:/c,4:/d,5:/e\nactivekey = 1\n",
            "5: auth: expected at most 4 keys, found 5",
        ),
    ];
    for (more, expected) in table {
        let (refused, found) = said(format!("{MINIMAL}{more}"));
        assert!(refused, "{more}");
        assert_eq!(found, [expected], "{more}");
    }
    // A key that was written into the file by mistake does not go to a log from there.
    for line in [
        format!("keyfile = hex:{SECRET}{SECRET}"),
        format!("keyfile = 1:hex:{SECRET}{SECRET}"),
        format!("keyfile = 1 {SECRET}{SECRET}"),
        format!("credential = 1:{SECRET}/{SECRET}"),
    ] {
        let (refused, found) = said(format!("{MINIMAL}auth = hmac\n{line}\n"));
        assert!(refused, "{line}");
        assert!(!found.concat().contains(SECRET), "{found:?}");
    }
    let (refused, found) = said(format!(
        "{MINIMAL}{KEY}antireplay = monotonic\ntimewindow = 9\n"
    ));
    assert!(!refused);
    assert_eq!(
        found,
        [
            "8: warning: timewindow: has no effect beside `antireplay = monotonic`, which looks at no clock"
        ]
    );
}

#[test]
fn settings_are_printed_and_keys_are_not() {
    let text = format!("{MINIMAL}{KEY}timewindow = 12\nauthmode = permissive\n");
    let (config, _) = good(&text);
    let printed = config.print();
    let expected = "\nauth = hmac\nkeyfile = 1:/etc/vrrpd/key1\nactivekey = 1\n\
                    authmode = permissive\nantireplay = time\ntimewindow = 12\n";
    assert!(printed.contains(expected), "{printed}");
    let (again, _) = good(&printed);
    assert_eq!(again.virtual_routers, config.virtual_routers);
    let credential = "auth = hmac\ncredential = 9:c, 8:d\nactivekey = 8\nantireplay = monotonic\n";
    let (config, _) = good(&format!("{MINIMAL}{credential}"));
    let (again, _) = good(&config.print());
    assert_eq!(again.virtual_routers, config.virtual_routers);
}

/// A folder that none but this user can write, removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vrrp-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        let path = fs::canonicalize(path).expect("its path");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a mode");
        Self(path)
    }

    fn key(&self, octets: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.0.join("key");
        let _ = fs::remove_file(&path);
        fs::write(&path, octets).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }

    /// Judges a configuration with this file as its key: the octets of that, or the diagnostics.
    fn judged(&self, path: &Path, program: Program<'_>) -> Result<Vec<u8>, Vec<String>> {
        let text = format!("{MINIMAL}auth = hmac\nkeyfile = 3:{}\n", path.display());
        let facts = Ok(Box::new(vec![super::host::eth0()]) as Box<dyn vrrp_host::Facts>);
        let Parsed {
            config,
            diagnostics,
        } = judge(Path::new("vrrpd.conf"), &text, program, &facts);
        match config {
            Some(config) => {
                let secrets = config.secrets();
                assert_eq!(secrets.len(), 1);
                Ok(secrets[0].octets().to_vec())
            }
            None => Err(lines(&diagnostics)),
        }
    }
}

const HEX: &str = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

#[test]
fn a_key_is_one_line_of_text_or_of_hexadecimal_digits() {
    let folder = Folder::new("key-forms");
    let key = |octets: &[u8]| folder.judged(&folder.key(octets, 0o600), PROGRAM);
    let counted: Vec<u8> = (0..32).collect();
    for text in [HEX.to_owned(), format!("{HEX}\n"), format!("{HEX}\r\n")] {
        assert_eq!(key(text.as_bytes()), Ok(counted.clone()), "{text:?}");
    }
    let text = "a key that is a text of 36 octets, .";
    assert_eq!(
        key(format!("{text}\n").as_bytes()),
        Ok(text.as_bytes().to_vec())
    );
    assert_eq!(
        key(&[0xe4; 64]),
        Ok(vec![0xe4; 64]),
        "any octets are a text"
    );
    // A blank is part of it, as for keepalived.
    let blank = format!("{text} ");
    assert_eq!(key(blank.as_bytes()), Ok(blank.clone().into_bytes()));

    let refused = |octets: &[u8], expected: &str| {
        let said = key(octets).expect_err("refused");
        let path = folder.0.join("key");
        let expected = format!(
            "vrrpd.conf:6: keyfile: key 3, {}: {expected}",
            path.display()
        );
        assert_eq!(said, [expected], "{octets:?}");
    };
    refused(b"", "expected a key of 32 to 64 octets, found 0");
    refused(b"\n\n", "expected a key of 32 to 64 octets, found 0");
    refused(&[b'k'; 31], "expected a key of 32 to 64 octets, found 31");
    refused(&[b'k'; 65], "expected a key of 32 to 64 octets, found 65");
    refused(
        &HEX.as_bytes()[..66],
        "expected a key of 32 to 64 octets, found 31",
    );
    let pairs = "expected pairs of hexadecimal digits after `hex:`, found something else";
    refused(&HEX.as_bytes()[..67], pairs);
    refused(format!("{HEX}xy").as_bytes(), pairs);
    refused(
        format!("{text}\n{text}").as_bytes(),
        "expected one line, found more, or an octet of zero",
    );
    refused(
        &[0; 40],
        "expected one line, found more, or an octet of zero",
    );
    refused(&[b'k'; 200], "expected at most 134 octets, found more");
}

#[test]
fn digits_without_their_prefix_are_a_text_and_a_warning() {
    let folder = Folder::new("key-digits");
    let said = |octets: &str| {
        let path = folder.key(octets, 0o600);
        let text = format!("{MINIMAL}auth = hmac\nkeyfile = 3:{}\n", path.display());
        let facts = Ok(Box::new(vec![super::host::eth0()]) as Box<dyn vrrp_host::Facts>);
        let parsed = judge(Path::new("vrrpd.conf"), &text, PROGRAM, &facts);
        assert!(parsed.config.is_some(), "{octets}");
        lines(&parsed.diagnostics)
    };
    let digits = HEX.strip_prefix("hex:").expect("a prefix");
    assert_eq!(
        said(digits),
        [format!(
            "vrrpd.conf:6: warning: keyfile: key 3, {}: the hexadecimal digits are a text of 64 octets here, as there is no `hex:` before them; all hosts of the group have to agree on that",
            folder.0.join("key").display()
        )]
    );
    assert_eq!(said(HEX), [""; 0]);
    assert_eq!(said(&digits.replace('0', "g")), [""; 0]);
}

#[test]
fn a_key_that_others_can_read_or_replace_is_refused() {
    let folder = Folder::new("key-modes");
    let said = |mode| {
        let judged = folder.judged(&folder.key(HEX, mode), PROGRAM);
        judged.map_err(|said| said.concat())
    };
    for mode in [0o600, 0o400, 0o700] {
        assert!(said(mode).is_ok(), "{mode:o}");
    }
    for mode in [0o640, 0o604, 0o610, 0o644] {
        let said = said(mode).expect_err("refused");
        let expected = format!(
            "expected a file that its owner alone can read, found mode {mode:o}: chmod 600 "
        );
        assert!(said.contains(&expected), "{said}");
    }
    // A program with libvrrp goes by the same.
    let other = Program::Other {
        own_runtime_dir: false,
        own_state_dir: Some(false),
    };
    assert!(folder.judged(&folder.key(HEX, 0o600), other).is_ok());
    assert!(folder.judged(&folder.key(HEX, 0o640), other).is_err());

    let key = folder.key(HEX, 0o600);
    let link = folder.0.join("link");
    symlink(&key, &link).expect("a link");
    assert!(
        folder.judged(&link, PROGRAM).is_ok(),
        "a link of ours is followed"
    );
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).expect("a mode");
    let said = folder.judged(&key, PROGRAM).expect_err("refused").concat();
    let expected = format!(
        "expected a file that no other user can replace: everybody can write {} (mode 777)",
        folder.0.display()
    );
    assert!(said.ends_with(&expected), "{said}");
}

#[test]
fn a_file_that_is_no_key_is_refused() {
    let folder = Folder::new("key-none");
    let said = |path: &Path| {
        let said = folder.judged(path, PROGRAM).expect_err("refused");
        said.concat()
    };
    let missing = folder.0.join("missing");
    assert!(said(&missing).contains("missing: cannot be read: No such file"));
    assert!(said(&folder.0).ends_with(": expected a regular file"));
    let owner = fs::metadata(&folder.0).expect("a folder").uid();
    // The owner of another file is told where root tests.
    if owner == 0 {
        let key = folder.key(HEX, 0o600);
        std::os::unix::fs::chown(&key, Some(12345), None).expect("another owner");
        let expected = format!("{} belongs to user 12345", key.display());
        assert!(said(&key).ends_with(&expected), "{}", said(&key));
    }
}

#[test]
fn secrets_of_another_process_are_put_in() {
    let text = format!("{MINIMAL}auth = hmac\nkeyfile = 1:/a, 2:/b\nactivekey = 2\n");
    let secret = |octet: u8| vrrp_host::Secret::new(vec![octet; 32]).expect("long enough");
    let (mut config, _) = good(&text);
    assert!(!config.put_secrets(vec![secret(1)]), "one is missing");
    assert!(
        !config.put_secrets(vec![secret(1), secret(2), secret(3)]),
        "one too many"
    );
    assert!(config.put_secrets(vec![secret(1), secret(2)]));
    assert_eq!(config.secrets(), [secret(1), secret(2)]);

    // Neither a debug line nor a difference has them.
    assert!(!format!("{config:?}").contains("[1, 1"));
    let mut new = config.clone();
    assert!(new.put_secrets(vec![secret(1), secret(9)]));
    assert_ne!(new, config);
    let texts = |old: &crate::Config, new: &crate::Config| -> Vec<String> {
        let all = old.differences(new).into_iter();
        all.map(|one| one.text).collect()
    };
    assert_eq!(
        texts(&config, &new),
        ["VRID 1 on eth0 (ipv4): key 2 has other octets"]
    );
    let (unread, _) = good(&text);
    assert_eq!(texts(&unread, &new), [""; 0]);
    let (mut moved, _) = good(&format!("{text}priority = 200\n"));
    assert!(moved.put_secrets(vec![secret(1), secret(9)]));
    assert_eq!(
        texts(&config, &moved),
        ["VRID 1 on eth0 (ipv4): priority 100 -> 200, key 2 has other octets"]
    );
}
