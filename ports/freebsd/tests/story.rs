//! The paper's network of jails: two servers and a client on a bridge, with vrrpd on the servers.
//! Needs root, FreeBSD's ifconfig(8), and vrrpd with vrrpctl beside it at `$VRRPD`. Run without
//! arguments it plays every story and prints what passed; with the name of a story, that one alone.
#![cfg(target_os = "freebsd")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use vrrp_freebsd::testing;

/// Its name, what `useVMAC` is in turn, and what happens.
type Story = (&'static str, &'static [&'static str], fn(&str));

const EACH: &[&str] = &["yes", "no", "replace"];
const YES: &[&str] = &["yes"];

const STORIES: &[Story] = &[
    (
        "a_killed_master_is_followed",
        EACH,
        a_killed_master_is_followed,
    ),
    (
        "a_stopped_master_hands_over",
        EACH,
        a_stopped_master_hands_over,
    ),
    (
        "a_port_of_the_hub_fails_and_works_again",
        EACH,
        a_port_of_the_hub_fails_and_works_again,
    ),
    ("an_ipv6_service_moves", EACH, an_ipv6_service_moves),
    ("vrrpv2_with_a_password", YES, vrrpv2_with_a_password),
    (
        "several_virtual_routers_share_the_load",
        YES,
        several_virtual_routers_share_the_load,
    ),
    ("a_master_resigns", EACH, a_master_resigns),
    (
        "scripts_are_run_and_a_reload_adds_an_address",
        YES,
        scripts_are_run_and_a_reload_adds_an_address,
    ),
];

const LIMIT: Duration = Duration::from_secs(30);
const PORT: u16 = 7;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["inside", jail, rest @ ..] => inside(jail.parse().expect("a number"), rest),
        [name, mac] => {
            let (.., story) = STORIES.iter().find(|(n, ..)| n == name).expect("a story");
            let jail = format!("story-{}", std::process::id());
            testing::make_jail(&jail, true).expect("this test needs root and VIMAGE");
            story(mac);
            println!("test {name} (useVMAC = {mac}) ... ok");
            ExitCode::SUCCESS
        }
        names => play(names),
    }
}

/// Plays the stories that are named, or all, each in a process of its own.
fn play(names: &[&str]) -> ExitCode {
    for module in [
        "if_epair",
        "if_bridge",
        "ng_socket",
        "ng_ether",
        "ng_bridge",
        "ng_eiface",
    ] {
        if let Err(error) = testing::need_module(module) {
            eprintln!("cannot load {module}: {error}");
        }
    }
    let me = std::env::current_exe().expect("our own name");
    let (mut passed, mut failed) = (0, 0);
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    for (name, macs, _) in STORIES.iter().filter(|(name, ..)| wanted(name)) {
        for mac in *macs {
            let status = Command::new(&me)
                .args([name, mac])
                .status()
                .expect("a process");
            if status.success() {
                passed += 1;
            } else {
                println!("test {name} (useVMAC = {mac}) ... FAILED");
                failed += 1;
            }
        }
    }
    println!("\n{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0 || passed == 0))
}

/// What a process of ours does inside a host.
fn inside(jail: i32, words: &[&str]) -> ! {
    testing::enter_jail(jail).expect("enter a host");
    match words {
        ["run", program, args @ ..] => {
            let error = Command::new(program).args(args).exec();
            panic!("cannot run {program}: {error}");
        }
        ["serve", name] => serve(name),
        ["ask", address] => {
            print!(
                "{}",
                ask(address.parse().expect("an address")).unwrap_or_default()
            );
            std::process::exit(0);
        }
        other => panic!("{other:?}"),
    }
}

/// A service on every address that the host has and will have: it tells the host's name.
fn serve(name: &str) -> ! {
    let v6 = TcpListener::bind(("::", PORT)).expect("bind the service");
    let v4 = TcpListener::bind(("0.0.0.0", PORT)).expect("bind the service");
    let answer = |listener: TcpListener, name: String| {
        for stream in listener.incoming() {
            // A client that went away needs no answer.
            let _ = stream.and_then(|mut stream| stream.write_all(name.as_bytes()));
        }
    };
    let copy = name.to_owned();
    std::thread::spawn(move || answer(v6, copy));
    answer(v4, name.to_owned());
    unreachable!("a listener never ends");
}

/// The name of the host that serves an address. `None`: nobody answers.
fn ask(address: IpAddr) -> Option<String> {
    let limit = Duration::from_millis(500);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(address, PORT), limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let mut name = String::new();
    stream.read_to_string(&mut name).ok()?;
    Some(name)
}

fn run(program: &str, line: &str) -> String {
    let output = Command::new(program).args(line.split_whitespace()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {line}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

struct Host {
    name: &'static str,
    jail: i32,
    dir: PathBuf,
    children: Vec<Child>,
    vrrpd: Option<Child>,
}

impl Host {
    /// A host with `xl0` on the hub: 10.10.10.`number`/24 and fd00:10::`number`/64.
    fn new(name: &'static str, number: u8) -> Self {
        let cable = run("ifconfig", "epair create");
        let end = cable.replace('a', "b").replacen("epbir", "epair", 1);
        run("ifconfig", &format!("{cable} name {name} up"));
        run("ifconfig", &format!("hub0 addm {name}"));
        let jail = testing::make_jail(&format!("{name}-{}", std::process::id()), false).unwrap();
        testing::move_to_jail(&end, jail).unwrap();
        let dir = std::env::temp_dir().join(format!("vrrp-story-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let host = Self {
            name,
            jail,
            dir,
            children: Vec::new(),
            vrrpd: None,
        };
        host.run("ifconfig", "lo0 127.0.0.1/8 up");
        host.run("ifconfig", &format!("{end} name xl0"));
        host.run(
            "ifconfig",
            &format!("xl0 ether 02:00:0a:0a:0a:{number:02x}"),
        );
        host.run("ifconfig", "xl0 inet6 -ifdisabled auto_linklocal no_dad up");
        host.run("ifconfig", &format!("xl0 inet 10.10.10.{number}/24"));
        host.run("ifconfig", &format!("xl0 inet6 fd00:10::{number}/64"));
        host
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("inside").arg(self.jail.to_string()).args(words);
        command
    }

    fn run(&self, program: &str, line: &str) -> String {
        let mut words = vec!["run", program];
        words.extend(line.split_whitespace());
        let output = self.command(&words).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{program} {line} on {}: {errors}",
            self.name
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn serve(&mut self) {
        let child = self.command(&["serve", self.name]).spawn().unwrap();
        self.children.push(child);
    }

    fn ask(&self, address: &str) -> Option<String> {
        let output = self.command(&["ask", address]).output().unwrap();
        Some(String::from_utf8(output.stdout).unwrap()).filter(|name| !name.is_empty())
    }

    fn write_config(&self, sections: &str) -> String {
        let dir = self.dir.display();
        let file = format!("{dir}/vrrpd.conf");
        let global = format!("[GLOBAL]\ncontrolsocket = {dir}/sock\nruntimedir = {dir}/run\n");
        std::fs::write(&file, global + &sections.replace("@", &dir.to_string())).unwrap();
        file
    }

    /// Starts vrrpd with these sections, in which `@` is the host's folder.
    fn start(&mut self, sections: &str) {
        let file = self.write_config(sections);
        let vrrpd = std::env::var("VRRPD").expect("VRRPD names the program");
        let log = std::fs::File::options();
        let log = log
            .clone()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .unwrap();
        let mut command = self.command(&["run", &vrrpd, "-F", "-f", &file]);
        let command = command.stdout(Stdio::null()).stderr(log);
        self.vrrpd = Some(command.spawn().unwrap());
    }

    fn signal(&self, signal: &str) {
        let child = self.vrrpd.as_ref().expect("a running vrrpd");
        run("kill", &format!("-{signal} {}", child.id()));
    }

    fn kill(&mut self) {
        let mut child = self.vrrpd.take().expect("a running vrrpd");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn stop(&mut self) {
        self.signal("TERM");
        let status = self.vrrpd.take().unwrap().wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    fn vrrpctl(&self, line: &str) -> String {
        let vrrpd = PathBuf::from(std::env::var("VRRPD").unwrap());
        let vrrpctl = vrrpd.with_file_name("vrrpctl");
        let socket = self.dir.join("sock");
        self.run(
            vrrpctl.to_str().unwrap(),
            &format!("-s {} {line}", socket.display()),
        )
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}:\n{}", self.name, self.log());
        }
        for child in self.children.iter_mut().chain(&mut self.vrrpd) {
            // It may have ended.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = testing::remove_jail(self.jail);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The paper's network: two servers and a client.
struct Network {
    clarinet: Host,
    fridge: Host,
    jimbob: Host,
}

impl Network {
    fn new() -> Self {
        run("ifconfig", "bridge0 create");
        run("ifconfig", "bridge0 name hub0 up");
        let mut network = Self {
            clarinet: Host::new("clarinet", 6),
            fridge: Host::new("fridge", 2),
            jimbob: Host::new("jimbob", 5),
        };
        network.clarinet.serve();
        network.fridge.serve();
        network
    }

    /// Starts vrrpd on both, clarinet preferred, and waits until it serves.
    fn start(&mut self, section: &str, address: &str) {
        self.clarinet.start(&section.replace("PRIORITY", "250"));
        self.fridge.start(&section.replace("PRIORITY", "100"));
        self.wait_served(address, "clarinet");
    }

    fn wait_served(&self, address: &str, name: &str) {
        let start = Instant::now();
        let mut last = None;
        while start.elapsed() < LIMIT {
            last = self.jimbob.ask(address);
            if last.as_deref() == Some(name) {
                return;
            }
        }
        panic!("{name} does not serve {address}, but {last:?}");
    }

    /// The time without an answer from now until `name` serves.
    fn outage(&self, address: &str, name: &str) -> Duration {
        let (mut silent, mut before) = (Duration::ZERO, Instant::now());
        let start = before;
        loop {
            let answer = self.jimbob.ask(address);
            let now = Instant::now();
            if answer.is_none() {
                silent += now - before;
            }
            before = now;
            if answer.as_deref() == Some(name) {
                return silent;
            }
            assert!(
                start.elapsed() < LIMIT,
                "{name} does not serve {address}: {answer:?}"
            );
        }
    }
}

fn section(mac: &str, rest: &str) -> String {
    format!(
        "\n[VRID]\nserverid = 1\ninterface = xl0\npriority = PRIORITY\nuseVMAC = {mac}\n{rest}\n"
    )
}

fn a_killed_master_is_followed(mac: &str) {
    let mut network = Network::new();
    let section = section(mac, "addr = 10.10.10.80/32");
    network.start(&section, "10.10.10.80");
    network.clarinet.kill();
    // The addresses of the dead are still there: with a MAC of its own both may answer for a while.
    let ifconfig = network.clarinet.run("ifconfig", "-a");
    assert!(ifconfig.contains("10.10.10.80"), "{ifconfig}");
    let said = || network.fridge.log().contains("backup -> master");
    let start = Instant::now();
    while !said() {
        assert!(start.elapsed() < LIMIT, "fridge takes over");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The next life cleans up first, and takes over again.
    network.clarinet.start(&section.replace("PRIORITY", "250"));
    network.wait_served("10.10.10.80", "clarinet");
    network.clarinet.stop();
    network.wait_served("10.10.10.80", "fridge");
    let ifconfig = network.clarinet.run("ifconfig", "-a");
    assert!(!ifconfig.contains("10.10.10.80"), "{ifconfig}");
    assert!(
        ifconfig.contains("02:00:0a:0a:0a:06") && !ifconfig.contains("vr4."),
        "{ifconfig}"
    );
}

fn a_stopped_master_hands_over(mac: &str) {
    let mut network = Network::new();
    network.start(&section(mac, "addr = 10.10.10.80/32"), "10.10.10.80");
    network.clarinet.signal("TERM");
    let outage = network.outage("10.10.10.80", "fridge");
    assert!(
        outage < Duration::from_secs(3),
        "{outage:?} without an answer"
    );
    let status = network.clarinet.vrrpd.take().unwrap().wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(
        !network
            .clarinet
            .run("ifconfig", "-a")
            .contains("10.10.10.80")
    );
}

fn a_port_of_the_hub_fails_and_works_again(mac: &str) {
    let mut network = Network::new();
    network.start(&section(mac, "addr = 10.10.10.80/32"), "10.10.10.80");
    run("ifconfig", "hub0 deletem clarinet");
    network.wait_served("10.10.10.80", "fridge");
    // Two masters, until the port works again.
    run("ifconfig", "hub0 addm clarinet");
    network.wait_served("10.10.10.80", "clarinet");
    let start = Instant::now();
    while !network.fridge.log().contains("master -> backup") {
        assert!(start.elapsed() < LIMIT, "fridge gives way");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn an_ipv6_service_moves(mac: &str) {
    let mut network = Network::new();
    let section = section(mac, "addr = fe80::80/64, fd00:10::80/64");
    network.start(&section, "fd00:10::80");
    network.clarinet.stop();
    network.wait_served("fd00:10::80", "fridge");
    network.clarinet.start(&section.replace("PRIORITY", "250"));
    network.wait_served("fd00:10::80", "clarinet");
}

fn vrrpv2_with_a_password(mac: &str) {
    let mut network = Network::new();
    let rest = "addr = 10.10.10.80/32\nversion = 2\npassword = foobingb";
    network.start(&section(mac, rest), "10.10.10.80");
    network.clarinet.stop();
    network.wait_served("10.10.10.80", "fridge");
    // Who has another password is not believed, and believes nobody.
    let wrong = "addr = 10.10.10.80/32\nversion = 2\npassword = other";
    network
        .clarinet
        .start(&section(mac, wrong).replace("PRIORITY", "250"));
    let start = Instant::now();
    while !network.fridge.log().contains("auth-failure") {
        assert!(
            start.elapsed() < LIMIT,
            "fridge says what is wrong:\n{}",
            network.fridge.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!network.fridge.log().contains("master -> backup"));
}

fn several_virtual_routers_share_the_load(mac: &str) {
    let mut network = Network::new();
    let sections = |first: u8, second: u8| -> String {
        let each = (1..=8).map(|vrid| {
            let priority = if vrid % 2 == 1 { first } else { second };
            format!(
                "\n[VRID]\nserverid = {vrid}\ninterface = xl0\npriority = {priority}\nuseVMAC = {mac}\naddr = 10.10.10.{}/32\n",
                80 + vrid
            )
        });
        each.collect()
    };
    network.clarinet.start(&sections(250, 100));
    network.fridge.start(&sections(100, 250));
    for vrid in 1..=8 {
        let name = if vrid % 2 == 1 { "clarinet" } else { "fridge" };
        network.wait_served(&format!("10.10.10.{}", 80 + vrid), name);
    }
    network.fridge.kill();
    for vrid in 1..=8 {
        let said = format!("VRID {vrid} on xl0 (IPv4): backup -> master");
        let start = Instant::now();
        while !network.clarinet.log().contains(&said) {
            assert!(start.elapsed() < LIMIT, "clarinet takes VRID {vrid}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn a_master_resigns(mac: &str) {
    let mut network = Network::new();
    network.start(&section(mac, "addr = 10.10.10.80/32"), "10.10.10.80");
    let status = network.clarinet.vrrpctl("status");
    assert!(status.contains("master"), "{status}");
    assert!(network.jimbob.ask("10.10.10.80").is_some());
    network.clarinet.vrrpctl("resign 1");
    let outage = network.outage("10.10.10.80", "fridge");
    assert!(
        outage < Duration::from_secs(3),
        "{outage:?} without an answer"
    );
}

fn scripts_are_run_and_a_reload_adds_an_address(mac: &str) {
    let mut network = Network::new();
    for host in [&network.clarinet, &network.fridge] {
        let script = host.dir.join("event.sh");
        let text = format!(
            "#!/bin/sh\necho \"$VRRP_NEW_STATE $VRRP_ADDRESSES\" >> {}/events\necho said by the script\n",
            host.dir.display()
        );
        std::fs::write(&script, text).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&script, executable).unwrap();
    }
    let scripts = "masterscript = @/event.sh\nbackupscript = @/event.sh";
    let one = section(mac, &format!("addr = 10.10.10.80/32\n{scripts}"));
    network.start(&one, "10.10.10.80");
    let two = section(
        mac,
        &format!("addr = 10.10.10.80/32, 10.10.10.53/32\n{scripts}"),
    );
    for (host, priority) in [(&network.clarinet, "250"), (&network.fridge, "100")] {
        host.write_config(&two.replace("PRIORITY", priority));
        host.signal("HUP");
    }
    network.wait_served("10.10.10.53", "clarinet");
    network.clarinet.stop();
    network.wait_served("10.10.10.53", "fridge");
    network.wait_served("10.10.10.80", "fridge");
    let events = |host: &Host| std::fs::read_to_string(host.dir.join("events")).unwrap_or_default();
    let start = Instant::now();
    while !events(&network.fridge).contains("master 10.10.10.80/32 10.10.10.53/32") {
        assert!(start.elapsed() < LIMIT, "{}", events(&network.fridge));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(events(&network.clarinet).contains("master 10.10.10.80/32"));
    assert!(network.clarinet.log().contains("said by the script"));
}
