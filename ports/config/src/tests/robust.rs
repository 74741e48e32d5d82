//! No file makes the reader panic, none is refused without a word, and the engine takes all that is
//! accepted.

use vrrp_core::{Engine, Instant, InterfaceState, Track, VirtualAddress, VrConfig, VrKey};
use vrrp_host::{MAX_ADDRESSES, VrSpec};

use super::{SAMPLE, errors, parse};
use crate::{Config, Diagnostic};

/// A refused file has an error, an accepted one has none and suits the engine.
fn judge(octets: &[u8]) {
    let parsed = parse(octets);
    let errors = errors(&parsed.diagnostics);
    assert_eq!(parsed.config.is_none(), errors > 0, "{parsed:?}");
    for router in parsed.config.iter().flat_map(|c| &c.virtual_routers) {
        insert(&router.spec);
    }
    if let Some(config) = &parsed.config {
        print(config, &parsed.diagnostics);
    }
    for diagnostic in &parsed.diagnostics {
        let line = diagnostic.to_string();
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.len() < 1000, "{line:?}");
    }
}

/// The text of a configuration says the same, and there is nothing to say about it that was not said about
/// the file.
pub(crate) fn print(config: &Config, said: &[Diagnostic]) {
    let text = config.print();
    let parsed = parse(&text);
    let Some(again) = &parsed.config else {
        panic!("{text}\n{parsed:?}");
    };
    assert_eq!(again.virtual_routers, config.virtual_routers, "{text}");
    assert_eq!(again.checks, config.checks, "{text}");
    assert_eq!(again.print(), text);
    assert_eq!(config.differences(again), []);
    let news = parsed.diagnostics.iter().filter(|new| {
        let mut said = said.iter();
        !said.any(|old| old.key == new.key && without_lines(old) == without_lines(new))
    });
    let news: Vec<String> = news.map(Diagnostic::to_string).collect();
    assert_eq!(news, [""; 0], "{text}");
}

/// A message without the numbers of other lines.
fn without_lines(diagnostic: &Diagnostic) -> String {
    let words = diagnostic.message.split(' ');
    let mut after_line = false;
    let words = words.filter(|word| !std::mem::replace(&mut after_line, *word == "line"));
    words.collect::<Vec<_>>().join(" ")
}

/// Gives the virtual router to an engine, which must take it: what the engine refuses has no line.
fn insert(spec: &VrSpec) {
    let key = VrKey {
        ifindex: 1,
        vrid: spec.id.vrid,
        family: spec.id.family,
    };
    let addresses: Vec<VirtualAddress> = spec.addresses.iter().map(|a| a.address).collect();
    let tracks: Vec<Track> = (0..)
        .zip(&spec.tracks)
        .map(|(object, track)| Track {
            object,
            effect: track.effect,
        })
        .collect();
    let config = VrConfig {
        settings: spec.settings,
        addresses: &addresses,
        peers: &spec.peers,
        source: spec.source,
        tracks: &tracks,
    };
    let mut engine = Engine::<1, 1, MAX_ADDRESSES>::new();
    let now = Instant::default();
    engine
        .set_interface(now, key.ifindex, InterfaceState::default())
        .unwrap();
    assert_eq!(engine.admin(now).insert(key, &config), Ok(()), "{spec:?}");
}

/// A file in which every key occurs, beside the sample, whose lines are mostly comments.
const ALL_KEYS: &str = "\
[GLOBAL]
include=/etc/vrrpd.conf.d/*.conf
controlsocket=/run/a
controlgroup=adm
runtimedir=/run/v
statedir=/var/v
metrics=127.0.0.1:9112
loglevel=info
scriptsecurity=warn
user=nobody
lease=5
scripttimeout=9
[VRID]
serverid=1
name=web
interface=e0
addr=e0:10.0.0.1/24,10.0.0.2/32
extra=10.0.0.3/32
route=10.8.0.0/16 via 10.0.0.9 dev e0 table 7 metric 5 src 10.0.0.8,blackhole 10.9.0.0/16
rule=from 10.0.0.0/8 fwmark 0x1/0xff priority 7 lookup 7
priority=9
version=2
source=10.0.0.8
addresscheck=strict
advertinterval=2
password=pass
preempt=yes
preemptdelay=1
startdelay=1.5
accept=no
silent=no
connections=leave
useVMAC=no
peers=10.0.0.9
maxhops=2
checksum=auto
ownerreceive=elect
onconflict=wait
heartbeat=e4
trackinterface=e2:-5,e3
vridsdep=2
announcerepeats=3
announceinterval=2
announcerefresh=9
masterscript=/a b
backupscript=/b
faultscript=/c
stopscript=/d
preparescript=/e
preparetimeout=3
reclaimscript=/f
notifyscript=/g
scriptretry=yes
scripttimeout=1
scriptuser=a:b
monitoredcircuits=no
carriertimeout=1
spanningtreelatency=0
MCClearErrorsCount=1
sendgratuitousarp=no
AHencryption=no
useIKE=no
presharedkey=x
[VRID]
serverid=2
interface=e0
addr=2001:db8::1/64,e1:[fe80::1]/64
group=ff02::99
[GROUP]
name=gw
vrids=1,2
";

/// A file in which every key of checks occurs.
const CHECK_KEYS: &str = "\
[VRID]
serverid=1
interface=e0
addr=10.0.0.1/24
silent=yes
check=a,b:-5,c:5,d:fault
[CHECK]
name=a
http=https://self:8443/x?y
host=www.example.org
status=200,204
body=ok
verify=no
ca=/ca
interval=0.5
timeout=0.1
fall=2
rise=1
initially=down
[CHECK]
name=b
tcp=[::1]:25
send=EHLO\\x20a
expect=^220[ -]
[CHECK]
name=c
dns=virtual:5353 who.ami TXT
answer=fridge
[CHECK]
name=d
ping=localhost
[CHECK]
name=e
file=/run/x
absent=yes
[CHECK]
name=f
command=/bin/true x
scriptuser=a
[CHECK]
name=g
process=pidfile:/run/x.pid
[CHECK]
name=h
unit=a.service
";

const AUTH_KEYS: &str = "\
[VRID]
serverid=3
interface=eth0
addr=10.0.0.3/24
auth=hmac
keyfile=1:/etc/vrrpd/key1, 2:/etc/vrrpd/key2
credential=3:vrrp3
activekey=2
authmode=permissive
antireplay=time
timewindow=7
";

#[test]
fn a_file_with_every_key_is_read() {
    let all = [ALL_KEYS, AUTH_KEYS, CHECK_KEYS];
    for text in all {
        let parsed = parse(text);
        // Only Linux has leases.
        let refused = cfg!(not(target_os = "linux")) && text.contains("lease=");
        assert_eq!(
            errors(&parsed.diagnostics),
            usize::from(refused),
            "{parsed:?}"
        );
        judge(text.as_bytes());
    }
    // These have no effect of their own.
    const LEGACY: [&str; 9] = [
        "include",
        "monitoredcircuits",
        "carriertimeout",
        "spanningtreelatency",
        "MCClearErrorsCount",
        "sendgratuitousarp",
        "AHencryption",
        "useIKE",
        "presharedkey",
    ];
    let printed = all.map(|text| parse(text).config.map_or_else(String::new, |c| c.print()));
    let keys = super::super::keys::Key::ALL;
    for key in keys {
        let name = key.name();
        let line = format!("\n{name}=");
        assert!(all.iter().any(|text| text.contains(&line)), "{key:?}");
        let line = format!("\n{name} = ");
        let is_printed = printed
            .iter()
            .any(|text| text.contains(&line) || text.starts_with(&line));
        assert_eq!(is_printed, !LEGACY.contains(&name), "{key:?}");
    }
}

#[test]
fn every_example_of_the_manual_pages_is_judged() {
    const PAGES: [&str; 4] = [
        include_str!("../../../daemon/man/vrrpd.conf.5"),
        include_str!("../../../daemon/man/vrrpd_auth.7"),
        include_str!("../../../daemon/man/vrrpd_keepalived.7"),
        include_str!("../../../daemon/man/vrrpd_services.7"),
    ];
    let mut accepted = 0;
    for page in PAGES {
        for text in page.split(".Bd -literal").skip(1) {
            let (_, text) = text.split_once('\n').unwrap();
            let (text, _) = text.split_once(".Ed\n").unwrap();
            judge(text.as_bytes());
            accepted += usize::from(parse(text).config.is_some());
        }
    }
    assert!(accepted > 6, "{accepted}");
}

#[test]
fn every_truncation_and_every_flipped_bit_is_judged() {
    for text in [SAMPLE, ALL_KEYS, AUTH_KEYS, CHECK_KEYS] {
        for length in 0..text.len() {
            judge(&text.as_bytes()[..length]);
        }
    }
    for text in [ALL_KEYS, AUTH_KEYS, CHECK_KEYS] {
        let mut octets = text.as_bytes().to_vec();
        for at in 0..octets.len() {
            let original = octets[at];
            for bit in 0..8 {
                octets[at] = original ^ (1 << bit);
                judge(&octets);
            }
            octets[at] = original;
        }
    }
}

#[test]
fn every_octet_removed_doubled_or_replaced_by_a_sign_is_judged() {
    for at in 0..ALL_KEYS.len() {
        let (before, after) = ALL_KEYS.as_bytes().split_at(at);
        judge(&[before, &after[1..]].concat());
        judge(&[before, &after[..1], after].concat());
        for sign in [
            0, b'\n', b'\r', b'#', b'=', b'[', b',', b':', b'/', b' ', 0xc3,
        ] {
            judge(&[before, &[sign], &after[1..]].concat());
        }
    }
}

#[test]
fn odd_files_are_judged() {
    let table: [&[u8]; 12] = [
        b"",
        b"\n",
        b"[",
        b"[]",
        b"=",
        b"[VRID]\n=",
        b"[VRID]\naddr=/",
        b"[VRID]\naddr=:/\npassword=\npeers=,\nmasterscript=",
        b"\xef\xbb\xbf",
        b"\xff\xfe[\0V\0",
        b"\xfe\xff\0[\0V",
        b"[VRID]\r\r\n",
    ];
    for octets in table {
        judge(octets);
    }
    judge(&vec![b'['; 70_000]);
    judge(&vec![b'\n'; 5 << 20]);
    judge(format!("[VRID]\naddr={}", "10.0.0.1/32,".repeat(5_000)).as_bytes());
    judge(format!("[VRID]\npriority={}", "9".repeat(60_000)).as_bytes());
    judge("[VRID]\n".repeat(10_000).as_bytes());
}
