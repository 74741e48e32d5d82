use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use vrrp_core::{Family, Vrid};
use vrrp_host::{HostConfig, HostFacts, Secret, VrId};

use super::channel::MessageChannel;
use super::messages::{
    Beginning, FileRead, MAX_TO_PARENT, Remark, ToParent, ToWorker, WireHappening, WireId,
    WireSecret, characters,
};
use super::services::{InForce, Network, Services};
use super::{ParentHandle, Start};
use crate::notify::Notifier;
use crate::patience::patient;
use crate::poll::PollSet;
use crate::scratch::Directory;
use crate::scripts::{Happening, Occasion};
use vrrp_config::{self as config, Diagnostic};

/// A network that is read only.
struct Facts<F>(F);

impl<F: Fn() -> HostFacts> Network for Facts<F> {
    fn facts(&self) -> HostFacts {
        self.0()
    }

    fn allow(&mut self, _: HostConfig) {}

    fn adopt(&mut self) {}
}

/// The handle of a parent that changes no network, in a thread that ends with the handle.
pub(crate) fn serve(
    file: &Path,
    facts: impl Fn() -> HostFacts + Send + 'static,
) -> (ParentHandle, Start) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let text = std::fs::read(file).expect("the file");
    let mut config = config::parse(file, text.clone()).config.expect("correct");
    config.global.state_dir = file.with_file_name("state");
    let in_force = InForce {
        file: file.to_path_buf(),
        text,
        config,
        debug: true,
        troubles: Vec::new(),
    };
    thread::spawn(move || {
        let mut services = Services::new(theirs, Notifier::default(), in_force);
        services.begin().expect("room");
        let mut network = Facts(facts);
        loop {
            let mut set = PollSet::default();
            services.register(&mut set);
            services.scripts.register(&mut set);
            services.keeper.register(&mut set);
            services.counting.register(&mut set);
            // No signal tells of the end of a script.
            let busy = !services.scripts.is_idle();
            let timeout = busy.then_some(Duration::from_millis(5));
            set.wait(timeout).expect("poll");
            let now = Instant::now();
            if services.serve(&mut network, now).is_err() {
                return;
            }
            services.scripts.handle(&set, now);
            services.tell_done();
            services.take_written(now);
            services.take_counted();
        }
    });
    ParentHandle::begin(ours).expect("a parent")
}

fn beginning() -> Beginning {
    Beginning {
        version: env!("CARGO_PKG_VERSION").into(),
        file: "/etc/vrrpd.conf".into(),
        text: characters(b"# \xff\n"),
        secrets: vec![WireSecret::new(&Secret::new(vec![9; 32]).unwrap())],
        pid: 7,
        age_ms: 60_000,
        crashes: 3,
        uid: 8,
        user_name: Some("alice".into()),
        user: None,
        debug: true,
        managed: false,
        stateless: None,
        boot_count: None,
        count_warnings: Vec::new(),
        lost: Vec::new(),
        refused_reload: None,
        overrides: Vec::new(),
        history: Vec::new(),
    }
}

/// A handle, and the other end of its channel.
fn pair() -> (ParentHandle, MessageChannel) {
    let (one, other) = UnixStream::pair().unwrap();
    let mut other = MessageChannel::new(other, MAX_TO_PARENT, 1 << 24);
    other.send(&ToWorker::Begin(beginning())).unwrap();
    let (handle, start) = ParentHandle::begin(one).unwrap();
    assert!(
        start.began.elapsed() >= Duration::from_secs(60),
        "a minute old"
    );
    assert_eq!(start.crashes, 3);
    let Start {
        text,
        secrets,
        pid,
        uid,
        ..
    } = start;
    assert_eq!(secrets, [Secret::new(vec![9; 32]).unwrap()]);
    assert_eq!((text.as_slice(), pid, uid), (&b"# \xff\n"[..], 7, 8));
    (handle, other)
}

fn id() -> VrId {
    VrId {
        interface: "em0".into(),
        vrid: Vrid::new(7).unwrap(),
        family: Family::Ipv4,
        name: None,
    }
}

fn happening(occasion: Occasion) -> Happening {
    Happening {
        occasion,
        old_state: "init",
        new_state: "backup",
        reason: "started".into(),
        addresses: vec!["10.0.0.1/24".into()],
        peer: None,
        priority: Some(100),
    }
}

fn remark() -> Diagnostic {
    let text = "[VRID]\nserverid = 0\n";
    let parsed = config::parse("some.conf".as_ref(), text);
    parsed.diagnostics.first().expect("a remark").clone()
}

#[test]
fn signals_arrive_once_and_pings_are_answered() {
    let (mut handle, mut other) = pair();
    assert!(!handle.take().unwrap().stop());
    for signal in [libc::SIGHUP, libc::SIGTERM] {
        other.send(&ToWorker::Signals(1 << signal)).unwrap();
    }
    other.send(&ToWorker::Ping(3)).unwrap();
    let taken = handle.take().unwrap();
    assert!(taken.stop() && taken.reload() && !taken.dump());
    assert!(!handle.take().unwrap().stop());
    assert_eq!(other.receive().unwrap(), Some(ToParent::Pong(3)));
}

#[test]
fn a_file_of_any_octets_is_read_while_signals_come() {
    let (mut handle, mut other) = pair();
    let file: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let sent = file.clone();
    let reader = thread::spawn(move || {
        other.wait().unwrap();
        assert_eq!(other.receive().unwrap(), Some(ToParent::Configuration));
        other
            .send_all(&ToWorker::Signals(1 << libc::SIGUSR1))
            .unwrap();
        let answer = Ok(FileRead {
            text: characters(&sent),
            remarks: vec![Remark(remark())],
            secrets: None,
            boot_count: None,
        });
        other.send_all(&ToWorker::Configuration(answer)).unwrap();
        other
    });
    let read = handle.configuration().unwrap();
    assert!(read.text == file && read.diagnostics == [remark()]);
    assert!(handle.is_due() && handle.take().unwrap().dump());
    drop(reader.join().unwrap());
    assert!(handle.configuration().is_err());
}

#[test]
fn what_happens_is_told_and_idle_means_that_all_of_it_is_done() {
    let (mut handle, mut other) = pair();
    handle.submit(&id(), &happening(Occasion::Backup));
    assert!(handle.is_idle(), "that virtual router is not known");
    handle.configure(&id());
    assert_eq!(handle.last_occasion(&id()), None);
    for occasion in [Occasion::Backup, Occasion::Stop] {
        handle.submit(&id(), &happening(occasion));
        let told = WireHappening::new(&happening(occasion));
        let told = ToParent::Happened(WireId::new(&id()), told);
        assert_eq!(other.receive().unwrap(), Some(told));
    }
    assert_eq!(handle.last_occasion(&id()), Some(Occasion::Stop));
    for (done, idle) in [(1, false), (2, true)] {
        other.send(&ToWorker::Done(done)).unwrap();
        handle.take().unwrap();
        assert_eq!(handle.is_idle(), idle);
    }
    handle.remove(&id());
    handle.kill_scripts();
    let forget = ToParent::Forget(WireId::new(&id()));
    assert_eq!(other.receive().unwrap(), Some(forget));
    assert_eq!(other.receive().unwrap(), Some(ToParent::KillScripts));
    assert_eq!(other.receive::<ToParent>().unwrap(), None);
}

#[test]
fn without_the_parent_there_is_no_going_on() {
    let (mut handle, other) = pair();
    drop(other);
    let error = handle.take().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    // A message that cannot be sent is an error of the next turn.
    handle.ready();
    assert!(handle.is_due() && handle.take().is_err());
}

#[test]
fn a_parent_of_another_version_is_refused() {
    let (one, other) = UnixStream::pair().unwrap();
    let mut other = MessageChannel::new(other, MAX_TO_PARENT, 1 << 24);
    let version = "0.0.0".into();
    other
        .send(&ToWorker::Begin(Beginning {
            version,
            ..beginning()
        }))
        .unwrap();
    let error = ParentHandle::begin(one).unwrap_err().to_string();
    assert_eq!(error, "the parent is vrrpd 0.0.0: restart vrrpd");
}

#[test]
fn nonsense_and_what_is_too_long_are_errors() {
    let (one, other) = UnixStream::pair().unwrap();
    let mut channel = MessageChannel::new(one, MAX_TO_PARENT, 1 << 24);
    let send = |octets: &[u8]| io::Write::write_all(&mut &other, octets).unwrap();
    send(&vrrp_port_kit::privsep::packed(b"\"Reday\""));
    assert!(channel.receive::<ToParent>().is_err());
    send(&u32::MAX.to_ne_bytes());
    let error = channel.receive::<ToParent>().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_worker_that_takes_in_nothing_is_given_up() {
    let (one, _other) = UnixStream::pair().unwrap();
    let mut channel = MessageChannel::new(one, MAX_TO_PARENT, 100_000);
    let sent = (0..1_000_000).find(|&number| channel.send(&ToWorker::Ping(number)).is_err());
    assert!(channel.has_output() && sent.is_some());
}

#[test]
fn a_file_is_used_with_all_of_its_keys_or_not_at_all() {
    let (mut handle, mut other) = pair();
    let file = Path::new("/etc/vrrpd.conf");
    let text = "[VRID]\nserverid = 1\ninterface = em0\naddr = 10.0.0.1/24\n\
                auth = hmac\nkeyfile = 1:/a, 2:/b\nactivekey = 1\n";
    let secret = |octet: u8| Secret::new(vec![octet; 32]).unwrap();
    let mut answer = |secrets: Option<Vec<Secret>>| {
        let read = FileRead {
            text: characters(text.as_bytes()),
            remarks: Vec::new(),
            secrets: secrets.map(|all| all.iter().map(WireSecret::new).collect()),
            boot_count: Some(7),
        };
        other.send_all(&ToWorker::Configuration(Ok(read))).unwrap();
        let (octets, parsed) = handle.configuration().unwrap().parse(file);
        assert_eq!(octets, text.as_bytes());
        parsed.config
    };
    let config = answer(Some(vec![secret(1), secret(2)])).expect("complete");
    assert_eq!(config.secrets(), [secret(1), secret(2)]);
    assert_eq!(config.boot_count, Some(7));
    // The parent has found a fault, or the two disagree on the number.
    assert_eq!(answer(None), None);
    assert_eq!(answer(Some(vec![secret(1)])), None);
    assert_eq!(answer(Some(vec![secret(1); 3])), None);
}

/// Services of a directory, whose file has monotonic numbers or not, and the worker's end of the channel.
struct Counted {
    dir: Directory,
    services: Services,
    worker: MessageChannel,
}

fn no_interfaces() -> HostFacts {
    Ok(Box::new(Vec::new()))
}

impl Counted {
    fn start(monotonic: bool) -> Self {
        let dir = Directory::new("counted");
        let key = dir.join("key");
        fs::write(&key, format!("hex:{}\n", "07".repeat(32))).expect("a key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
        Self::again(dir, monotonic)
    }

    fn again(dir: Directory, monotonic: bool) -> Self {
        Self::write_file(&dir, monotonic);
        let file = dir.join("vrrpd.conf");
        let text = fs::read(&file).expect("the file");
        let mut config = config::parse(&file, &text).config.expect("correct");
        assert!(config.put_secrets(vec![Secret::new(vec![7; 32]).unwrap()]));
        let in_force = InForce {
            file,
            text,
            config,
            debug: true,
            troubles: Vec::new(),
        };
        let (ours, theirs) = UnixStream::pair().unwrap();
        let services = Services::new(ours, Notifier::default(), in_force);
        let worker = MessageChannel::new(theirs, 1 << 24, MAX_TO_PARENT);
        Self {
            dir,
            services,
            worker,
        }
    }

    fn write_file(dir: &Path, monotonic: bool) {
        let kind = if monotonic { "monotonic" } else { "time" };
        let text = format!(
            "[GLOBAL]\nstatedir = {}\n[VRID]\nserverid = 1\ninterface = em0\naddr = 10.0.0.1/24\n\
             auth = hmac\nkeyfile = 1:{}\nantireplay = {kind}\n",
            dir.join("state").display(),
            dir.join("key").display()
        );
        fs::write(dir.join("vrrpd.conf"), text).expect("a file");
    }

    /// Ends them. What the directory holds stays.
    fn stop(self) -> Directory {
        self.dir
    }

    fn begin(&mut self) -> Beginning {
        self.services.begin().unwrap();
        match self.worker.receive().unwrap() {
            Some(ToWorker::Begin(beginning)) => beginning,
            other => panic!("{other:?}"),
        }
    }

    fn begin_again(&mut self) -> Beginning {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.services.replace(ours);
        self.worker = MessageChannel::new(theirs, 1 << 24, MAX_TO_PARENT);
        self.begin()
    }

    /// The boot count that comes with the file.
    fn read_file(&mut self, request: &ToParent) -> Option<u32> {
        self.worker.send(request).unwrap();
        let mut network = Facts(no_interfaces);
        self.services.serve(&mut network, Instant::now()).unwrap();
        match self.worker.receive().unwrap() {
            Some(ToWorker::Configuration(Ok(read))) => {
                assert!(read.secrets.is_some(), "{:?}", read.remarks);
                read.boot_count
            }
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the file holds a number.
    fn until_written(&mut self, number: u32) {
        let end = Instant::now() + patient(Duration::from_secs(60));
        let path = self.dir.join("state/boot-count");
        let wanted = format!("vrrpd boot-count 1\n{number}\n");
        while fs::read_to_string(&path).ok().as_ref() != Some(&wanted) {
            assert!(Instant::now() < end, "{:?}", fs::read_to_string(&path));
            thread::sleep(Duration::from_millis(5));
        }
        self.services.take_written(Instant::now());
    }
}

#[test]
fn the_next_worker_knows_that_a_reload_was_refused() {
    let mut one = Counted::start(false);
    let tell = |one: &mut Counted, message: ToParent| {
        one.worker.send(&message).unwrap();
        let mut network = Facts(no_interfaces);
        one.services.serve(&mut network, Instant::now()).unwrap();
    };
    assert_eq!(one.begin().refused_reload, None);
    let warning = "/etc/vrrpd.conf is not what runs\n";
    for (refused, expected) in [(Some(warning), Some(warning.trim())), (None, None)] {
        tell(&mut one, ToParent::Reloading);
        tell(&mut one, ToParent::Reloaded(refused.map(str::to_owned)));
        for _ in 0..2 {
            assert_eq!(one.begin_again().refused_reload.as_deref(), expected);
        }
    }
    // The worker ends over the file.
    tell(&mut one, ToParent::Reloading);
    let warning = one.begin_again().refused_reload.expect("a warning");
    let expected = "vrrpd.conf is not what runs: the worker process ended while it was read";
    assert!(warning.contains(expected), "{warning}");
    tell(&mut one, ToParent::Reloading);
    one.read_file(&ToParent::Configuration);
    tell(&mut one, ToParent::Adopted);
    assert_eq!(one.begin_again().refused_reload, None);
}

#[test]
fn each_life_and_each_reload_has_a_boot_count_after_those_before() {
    let mut one = Counted::start(false);
    let state = one.dir.join("state");
    assert_eq!(one.begin().boot_count, None);
    assert!(!state.join("boot-count").exists(), "nobody needs it");
    // A reload turns it on. To look at the file takes no number.
    Counted::write_file(&one.dir, true);
    assert_eq!(one.read_file(&ToParent::Look), None);
    let first = one.read_file(&ToParent::Configuration).expect("a number");
    one.until_written(first + 1);
    one.worker.send(&ToParent::Adopted).unwrap();
    let mut network = Facts(no_interfaces);
    one.services.serve(&mut network, Instant::now()).unwrap();
    let second = one.begin_again().boot_count.expect("a number");
    assert!(second >= first + 2, "{first} {second}");
    one.until_written(second + 1);
    let dir = one.stop();
    // The clock was set back by years.
    let ahead = 4_000_000_000_u32.min(second + 1_000_000);
    fs::write(
        state.join("boot-count"),
        format!("vrrpd boot-count 1\n{ahead}\n"),
    )
    .expect("a file");
    let mut again = Counted::again(dir, true);
    let beginning = again.begin();
    assert_eq!(
        (beginning.boot_count, beginning.count_warnings),
        (Some(ahead + 1), Vec::new())
    );
    // It was on the disk before it was handed over.
    let text = fs::read_to_string(state.join("boot-count")).expect("the file");
    assert_eq!(text, format!("vrrpd boot-count 1\n{}\n", ahead + 2));
    assert_eq!(again.services.host.boot_count, Some(ahead + 1));
}

#[test]
fn a_boot_count_that_cannot_be_kept_begins_with_the_clock_and_is_told() {
    let mut one = Counted::start(true);
    let kept = one.begin().boot_count.expect("a number");
    let dir = one.stop();
    let state = dir.join("state");
    fs::remove_dir_all(&state).expect("the directory");
    fs::write(&state, "a file").expect("a file");
    let mut one = Counted::again(dir, true);
    let beginning = one.begin();
    assert!(beginning.boot_count >= Some(kept));
    let [why] = beginning.count_warnings.as_slice() else {
        panic!("{:?}", beginning.count_warnings);
    };
    assert!(why.contains("the state directory"), "{why}");
}

#[test]
fn a_boot_count_that_is_lost_or_makes_no_sense_is_a_warning_and_a_record_until_a_reload() {
    let mut one = Counted::start(true);
    let state = one.dir.join("state");
    let expect = |one: &mut Counted, wanted: &str| {
        let beginning = one.begin();
        let [why] = beginning.count_warnings.as_slice() else {
            panic!("{wanted}: {:?}", beginning.count_warnings);
        };
        assert!(why.contains(wanted), "{why}");
        let recorded = beginning.history.last();
        let recorded = serde_json::to_string(&recorded).expect("a record");
        assert!(recorded.contains(wanted), "{recorded}");
    };
    expect(&mut one, "boot-count is missing");
    for (contents, wanted) in [
        ("nonsense", "boot-count is not used"),
        ("vrrpd boot-count 1\nx\n", "boot-count is not used"),
        ("vrrpd boot-count 1\n4294967290\n", "held 4294967290"),
    ] {
        let dir = one.stop();
        fs::write(state.join("boot-count"), contents).expect("a file");
        one = Counted::again(dir, true);
        expect(&mut one, wanted);
    }
    let number = one.read_file(&ToParent::Configuration).expect("a number");
    one.until_written(number + 1);
    match one.worker.receive().unwrap() {
        Some(ToWorker::CountWarnings(warnings)) => assert_eq!(warnings, [""; 0]),
        other => panic!("{other:?}"),
    }
    // A reload that turns it on tells as much.
    let dir = one.stop();
    fs::remove_file(state.join("boot-count")).expect("the file");
    let mut one = Counted::again(dir, false);
    assert_eq!(one.begin().count_warnings, [""; 0]);
    Counted::write_file(&one.dir, true);
    one.read_file(&ToParent::Configuration).expect("a number");
    match one.worker.receive().unwrap() {
        Some(ToWorker::CountWarnings(warnings)) => assert_eq!(warnings.len(), 1),
        other => panic!("{other:?}"),
    }
}

/// Whether the digits of a key are anywhere in the memory of this process that can be written.
#[cfg(target_os = "linux")]
fn is_in_memory(digit: impl Fn(usize) -> u8, digits: usize) -> bool {
    use std::os::unix::fs::FileExt;
    let maps = fs::read_to_string("/proc/self/maps").expect("the maps");
    let memory = fs::File::open("/proc/self/mem").expect("the memory");
    let mut buffer = vec![0; 1 << 20];
    maps.lines()
        .filter(|line| line.contains(" rw"))
        .any(|line| {
            let range = line
                .split_whitespace()
                .next()
                .and_then(|range| range.split_once('-'));
            let (from, to) = range.expect("a range");
            let number = |text| u64::from_str_radix(text, 16).expect("an address");
            let (mut at, end) = (number(from), number(to));
            while at < end {
                let most = buffer.len().min((end - at) as usize);
                // Memory that another thread gives back meanwhile cannot be read.
                let Ok(len @ 1..) = memory.read_at(&mut buffer[..most], at) else {
                    break;
                };
                let windows = buffer[..len].windows(digits);
                let mut found = windows.filter(|window| {
                    window
                        .iter()
                        .enumerate()
                        .all(|(i, octet)| *octet == digit(i))
                });
                if found.next().is_some() {
                    return true;
                }
                at += (len.max(digits) - digits + 1) as u64;
                if len == most && at + digits as u64 > end {
                    break;
                }
            }
            false
        })
}

#[cfg(target_os = "linux")]
#[test]
fn no_copy_of_a_key_is_left_of_the_messages_that_had_it() {
    // They are nowhere in a row but in what is looked for.
    let octet = |i: usize| (i as u8).wrapping_mul(73) ^ 0x5a;
    let digit = |i: usize| {
        let nibble = if i.is_multiple_of(2) {
            octet(i / 2) >> 4
        } else {
            octet(i / 2) & 15
        };
        b"0123456789abcdef"[usize::from(nibble)]
    };
    let secret = Secret::new((0..32).map(octet).collect()).expect("long enough");
    let wire = WireSecret::new(&secret);
    assert!(is_in_memory(digit, 64), "it is found where it is");
    drop(wire);
    assert!(!is_in_memory(digit, 64), "before anything was sent");
    let (one, other) = UnixStream::pair().unwrap();
    let mut other = MessageChannel::new(other, MAX_TO_PARENT, 1 << 24);
    let begin = || {
        ToWorker::Begin(Beginning {
            // More than one read, and in the midst of it.
            text: "# a comment\n".repeat(5_000),
            secrets: vec![WireSecret::new(&secret)],
            ..beginning()
        })
    };
    let reader = thread::spawn(move || ParentHandle::begin(one).unwrap());
    other.send_all(&begin()).unwrap();
    let (handle, start) = reader.join().unwrap();
    assert_eq!(start.secrets, [secret]);
    assert!(!is_in_memory(digit, 64), "after it has come");
    // One that nobody takes.
    drop((handle, start));
    let (one, _other) = UnixStream::pair().unwrap();
    let mut full = MessageChannel::new(one, MAX_TO_PARENT, 1 << 24);
    let secret = Secret::new((0..32).map(octet).collect()).expect("long enough");
    for _ in 0..20 {
        full.send(&ToWorker::Begin(Beginning {
            text: "# a comment\n".repeat(5_000),
            secrets: vec![WireSecret::new(&secret)],
            ..beginning()
        }))
        .unwrap();
    }
    assert!(full.has_output());
    drop(full);
    assert!(!is_in_memory(digit, 64), "after the end of the channel");
}
