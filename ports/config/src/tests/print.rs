//! The text of a configuration, and the difference between two.

use super::{MINIMAL, good, parse};

#[test]
fn what_is_in_force_is_printed() {
    let (config, _) = good(
        "[VRID]\nserverid = 7\ninterface = eth0\naddr = 10.0.0.1/24, eth1:2001:db8::1/64\n\
         scripttimeout = 1.50\n",
    );
    let text = config.print();
    let expected = "\n[VRID]\nserverid = 7\ninterface = eth0\n\
                    addr = 10.0.0.1/24, fe80::200:5eff:fe00:207/64, eth1:[2001:db8::1]/64\n\
                    priority = 100\nversion = 3\nadvertinterval = 1\npreempt = yes\n";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("\nscripttimeout = 1.5\n"), "{text}");
    assert!(text.starts_with("[GLOBAL]\ncontrolsocket = /"), "{text}");
}

#[test]
fn odd_passwords_are_read_as_they_were() {
    for password in [
        "a",
        "#a b",
        "1234567 9",
        "äöüß",
        "ab\u{20ac}cd\u{20ac}x",
        "x\u{10348}yz\u{10348}",
    ] {
        let text = format!("{MINIMAL}version = 2\npassword={password}\n");
        let config = parse(&text).config.expect(password);
        let again = parse(config.print()).config.expect(password);
        assert_eq!(again.virtual_routers, config.virtual_routers, "{password}");
        let hidden = config.print_without_passwords();
        assert!(hidden.contains("\n# password = (not shown)\n"), "{hidden}");
        let line = format!("= {password}\n");
        assert!(!hidden.contains(&line), "{hidden}");
    }
}

fn differences(old: &str, new: &str) -> Vec<String> {
    let read = |text: &str| parse(text).config.expect("a correct file");
    let all = read(old).differences(&read(new));
    all.into_iter().map(|one| one.text).collect()
}

#[test]
fn differences_name_keys_and_values() {
    let section = |more: &str| format!("[VRID]\ninterface = eth0\n{more}\n");
    let first = |more: &str| section(&format!("serverid = 1\naddr = 10.0.0.1/24\n{more}"));
    let second = section("serverid = 2\naddr = 10.0.0.2/24");
    assert_eq!(differences(&first(""), &first("priority = 100")), [""; 0]);
    assert_eq!(
        differences(
            &first("priority = 100\nmasterscript = /a"),
            &first("priority=200\npreempt=no")
        ),
        ["VRID 1 on eth0 (ipv4): priority 100 -> 200, preempt yes -> no, masterscript /a -> none"]
    );
    assert_eq!(
        differences(&first(""), &format!("[GLOBAL]\nloglevel = debug\n{second}")),
        [
            "[GLOBAL]: loglevel info -> debug",
            "VRID 2 on eth0 (ipv4): added: addr 10.0.0.2/24, priority 100",
            "VRID 1 on eth0 (ipv4): removed",
        ]
    );
    let two = section("serverid = 1\naddr = 10.0.0.3/24, 10.0.0.1/24");
    assert_eq!(
        differences(&first(""), &two),
        ["VRID 1 on eth0 (ipv4): addr +10.0.0.3/24"]
    );
    let turned = section("serverid = 1\naddr = 10.0.0.1/24, 10.0.0.3/24");
    assert_eq!(
        differences(&two, &turned),
        ["VRID 1 on eth0 (ipv4): addr in another order"]
    );
    // The values end up in logs.
    let with = |password: &str| first(&format!("version = 2\npassword = {password}"));
    assert_eq!(
        differences(&with("sesame"), &with("secret")),
        ["VRID 1 on eth0 (ipv4): password changed"]
    );
}

#[test]
fn differences_of_checks_name_them() {
    let with = |check: &str| {
        format!("[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24\ncheck = web\n{check}")
    };
    let old = with("[CHECK]\nname = web\ntcp = 127.0.0.1:80\n");
    let new = with("[CHECK]\nname = web\ntcp = 127.0.0.1:81\ninterval = 2\n");
    assert_eq!(
        differences(&old, &new),
        ["check web: tcp 127.0.0.1:80 -> 127.0.0.1:81, interval 1 -> 2, timeout 1 -> 2",]
    );
}

#[test]
fn parts_beside_the_settings_of_virtual_routers_are_named() {
    let read = |text: &str| parse(text).config.expect("a correct file");
    let router = "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24\n";
    let check = "check = web\n[CHECK]\nname = web\ntcp = 127.0.0.1:80\n";
    let group = "[GROUP]\nname = gw\nvrids = 1, 2\n";
    let second = "[VRID]\nserverid = 2\ninterface = eth1\naddr = 10.0.1.1/24\n";
    let whole = format!("{router}{second}{check}");
    let says = |new: &str, expected: &[&str]| {
        let parts = read(&whole).other_parts(&read(new));
        assert_eq!(parts, expected, "{new}");
    };
    says(&whole, &[]);
    says(&format!("# a comment\n{whole}"), &[]);
    // Settings of virtual routers are counted by themselves.
    says(
        &whole.replace("serverid = 1", "serverid = 1\npriority = 7"),
        &[],
    );
    for line in [
        "masterscript = /a",
        "backupscript = /a",
        "faultscript = /a",
        "stopscript = /a",
        "preparescript = /a",
        "reclaimscript = /a",
        "notifyscript = /a",
        "preparetimeout = 7",
        "scriptretry = yes",
        "scripttimeout = 7",
        "scriptuser = daemon",
    ] {
        let text = whole.replace("serverid = 1", &format!("serverid = 1\n{line}"));
        says(&text, &["scripts"]);
    }
    says(
        &whole.replace("serverid = 1", "serverid = 1\nname = gw"),
        &["names"],
    );
    says(&whole.replace(":80", ":81"), &["checks"]);
    says(&format!("{whole}{group}"), &["groups"]);
    let global = "loglevel = debug\nscriptsecurity = warn\nlease = 9\n";
    says(
        &format!("[GLOBAL]\n{global}{whole}"),
        &["loglevel", "scriptsecurity", "lease"],
    );
    // These wait for a restart.
    says(
        &format!("[GLOBAL]\ncontrolgroup = adm\nuser = daemon\n{whole}"),
        &[],
    );
}
