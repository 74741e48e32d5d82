//! The paper's services with their checks and without a script: each is killed on the master, and the
//! address goes where the service works. Needs root and Debian's apache2-bin, bind9, tinydns and
//! openssh-server.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::linux::Stack;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{
    Daemon, Host, PaperNetwork, Program, Segment, Vr, name_servers, patience, wait_until,
};

/// The advertisement interval, and the interval and `fall` of the checks.
const INTERVAL_CS: u16 = 10;
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
const FALL: u32 = 2;
/// Between two asks of a client, and how long it waits for an answer.
const PERIOD: Duration = Duration::from_millis(20);
const ANSWERED_WITHIN: Duration = Duration::from_millis(100);

/// A service of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Apache,
    Named,
    Tinydns,
    Sshd,
}

impl Service {
    fn address(self) -> &'static str {
        match self {
            Self::Apache => "10.10.10.80",
            Self::Named | Self::Tinydns => "10.10.10.53",
            Self::Sshd => "10.10.10.22",
        }
    }

    /// The question of its check.
    fn question(self) -> &'static str {
        match self {
            Self::Apache => "http = http://localhost/whoami",
            Self::Named => "dns = localhost who.ami TXT",
            // It listens on the virtual address alone, which is silent on the backup.
            Self::Tinydns => "dns = virtual who.ami TXT",
            Self::Sshd => "tcp = localhost:22\nexpect = ^SSH-2\\.0-",
        }
    }

    /// The reason in the log when it has been killed.
    fn failure(self) -> &'static str {
        match self {
            Self::Apache => "check it failed: 127.0.0.1:80 connection refused",
            Self::Named => "check it failed: 127.0.0.1:53 connection refused",
            Self::Tinydns => "check it failed: 10.10.10.53:53 connection refused",
            Self::Sshd => "check it failed: 127.0.0.1:22 connection refused",
        }
    }

    fn virtual_router(self) -> Vr {
        let vr = Vr::new(1, self.address()).interval_cs(INTERVAL_CS);
        let vr = match self {
            Self::Tinydns => vr.line("silent = yes"),
            _ => vr,
        };
        let interval = CHECK_INTERVAL.as_secs_f64();
        vr.line("check = it")
            .line(&format!(
                "[CHECK]\nname = it\ninterval = {interval}\nfall = {FALL}"
            ))
            .line(self.question())
    }

    /// Starts it on a host, as Debian has it.
    fn start(self, host: &Host) -> Daemon {
        let dir = host.dir().join(format!("{self:?}"));
        std::fs::create_dir_all(&dir).expect("a folder");
        let write = |file: &str, text: String| {
            std::fs::write(dir.join(file), text).expect("write a file");
        };
        let (dir, name) = (dir.display(), host.name());
        let command = match self {
            Self::Apache => {
                write("whoami", format!("{name}\n"));
                write(
                    "conf",
                    format!(
                        "ServerName {name}\nServerRoot {dir}\nDefaultRuntimeDir {dir}\n\
                         PidFile {dir}/pid\nErrorLog /dev/stderr\nListen 80\n\
                         LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n\
                         LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
                         User www-data\nGroup www-data\nDocumentRoot {dir}\n"
                    ),
                );
                let mut command = Command::new("/usr/sbin/apache2");
                command.args(["-DFOREGROUND", "-f"]);
                command.arg(format!("{dir}/conf"));
                command
            }
            Self::Named => return name_servers::named(host, ""),
            Self::Tinydns => return name_servers::tinydns(host, self.address()),
            Self::Sshd => {
                let key = format!("{dir}/key");
                if !std::path::Path::new(&key).exists() {
                    let made = Command::new("ssh-keygen")
                        .args(["-q", "-t", "ed25519", "-N", "", "-f", &key])
                        .stdin(Stdio::null())
                        .status();
                    assert!(made.expect("run ssh-keygen").success());
                }
                // The folder that its unit makes.
                std::fs::create_dir_all("/run/sshd").expect("a folder");
                write(
                    "conf",
                    format!("HostKey {key}\nPidFile none\nUsePAM no\nVersionAddendum {name}\n"),
                );
                let mut command = Command::new("/usr/sbin/sshd");
                command.args(["-D", "-e", "-f", &format!("{dir}/conf")]);
                command
            }
        };
        Daemon::run(host, &format!("{self:?}"), command)
    }

    /// Asks who is there, from a host's network.
    fn ask(self, from: &Stack) -> Option<&'static str> {
        let address: IpAddr = self.address().parse().expect("an address");
        let text = from.enter(|| match self {
            Self::Apache => page(SocketAddr::new(address, 80)),
            Self::Named | Self::Tinydns => record(SocketAddr::new(address, 53)),
            Self::Sshd => banner(SocketAddr::new(address, 22)),
        });
        let text = text.ok()?;
        let names = ["clarinet", "fridge"];
        names.into_iter().find(|name| text.contains(name))
    }
}

fn connect(at: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&at, ANSWERED_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
    Ok(stream)
}

fn page(at: SocketAddr) -> std::io::Result<String> {
    let mut stream = connect(at)?;
    stream.write_all(b"GET /whoami HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn banner(at: SocketAddr) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(connect(at)?).read_line(&mut line)?;
    Ok(line)
}

/// `who.ami TXT`.
fn record(at: SocketAddr) -> std::io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(ANSWERED_WITHIN))?;
    socket.connect(at)?;
    let mut packet = vec![7, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend(b"\x03who\x03ami\x00\x00\x10\x00\x01");
    socket.send(&packet)?;
    let mut answer = [0; 512];
    let len = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..len]).into_owned())
}

/// A client that asks again and again.
struct Client {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Account>,
}

/// The answers that a client got.
#[derive(Debug)]
struct Account {
    asked: usize,
    lost: usize,
    longest: Duration,
}

impl Client {
    fn start(service: Service, host: &Host) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, stack) = (stop.clone(), host.stack().clone());
        let asking = std::thread::spawn(move || {
            let mut account = Account {
                asked: 0,
                lost: 0,
                longest: Duration::ZERO,
            };
            let mut answered = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let next = Instant::now() + PERIOD;
                account.asked += 1;
                match service.ask(&stack) {
                    Some(_) => {
                        account.longest = account.longest.max(answered.elapsed());
                        answered = Instant::now();
                    }
                    None => account.lost += 1,
                }
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            account
        });
        Self { stop, asking }
    }

    fn stop(self) -> Account {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.join().expect("a client")
    }
}

/// The time within which the address moves: `fall` questions, the last of which may wait for its answer,
/// and the skew time of the backup; and how long the client waits for its own answer.
fn limit() -> Duration {
    let skew = Duration::from_millis(u64::from(INTERVAL_CS) * 10 * (256 - 100) / 256);
    let found = CHECK_INTERVAL * (FALL + 1);
    (found + skew + ANSWERED_WITHIN + PERIOD) * patience() + Duration::from_millis(200)
}

/// The service is killed on the master and started again.
fn tell(service: Service) {
    let network = PaperNetwork::new(Segment::Switch);
    let vr = service.virtual_router();
    let (clarinet, fridge, jimbob) = (&network.clarinet, &network.fridge, &network.jimbob);
    // tinydns binds the address, which vrrpd puts on the loopback.
    let before = service != Service::Tinydns;
    let mut services = Vec::new();
    if before {
        services.extend([service.start(clarinet), service.start(fridge)]);
    }
    let one = clarinet.start(Program::Vrrpd, &[vr.clone().priority(250)]);
    let _other = fridge.start(Program::Vrrpd, &[vr.priority(100)]);
    if !before {
        for host in [clarinet, fridge] {
            wait_until(LIMIT, "the address is there", || {
                host.has_address(service.address())
            });
        }
        services.extend([service.start(clarinet), service.start(fridge)]);
    }
    for host in [clarinet, fridge] {
        wait_until(LIMIT, "the check passes", || {
            let status = vrrpctl(host, &["status"]);
            status.contains("it passes")
                && !status.contains("not answered")
                && !status.contains("failed: ")
        });
    }
    let answers = |name: &'static str| {
        wait_until(LIMIT, &format!("{name} answers"), || {
            service.ask(jimbob.stack()) == Some(name)
        });
    };
    answers("clarinet");

    let client = Client::start(service, jimbob);
    std::thread::sleep(Duration::from_millis(300));
    services[0].crash();
    answers("fridge");
    std::thread::sleep(PERIOD * 5);
    let account = client.stop();
    eprintln!("{service:?} killed: {account:?}");
    assert!(
        account.longest <= limit(),
        "{account:?}, limit {:?}",
        limit()
    );
    let log = format!("master -> backup: {}", service.failure());
    wait_until(LIMIT, &log, || one.has_said(&log));

    // It comes back, and the address with it; a planned move loses nothing but what was under way.
    let client = Client::start(service, jimbob);
    services[0] = service.start(clarinet);
    answers("clarinet");
    std::thread::sleep(PERIOD * 5);
    let account = client.stop();
    eprintln!("{service:?} back: {account:?}");
    assert!(
        account.longest <= Duration::from_millis(300) * patience(),
        "{account:?}"
    );
}

#[test]
fn apache() {
    tell(Service::Apache);
}

#[test]
fn named() {
    tell(Service::Named);
}

#[test]
fn tinydns_on_a_silent_address() {
    tell(Service::Tinydns);
}

#[test]
fn sshd() {
    tell(Service::Sshd);
}
