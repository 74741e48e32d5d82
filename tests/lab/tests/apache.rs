//! mod_vrrp in Debian's unchanged httpd: two of them fail over their address with no other daemon.
//! Needs root, Debian's apache2-bin and apache2-dev, and pkg-config.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use vrrp_lab::built;
use vrrp_lab::c;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Capture, Daemon, Host, PaperNetwork, Segment, wait_until};

const ADDRESS: &str = "10.10.10.80";
const HTTPD: &str = "/usr/sbin/apache2";
/// A long page at this rate takes about half a second.
const PAGE_KIB: usize = 256;
const RATE_KIB_S: usize = 512;

/// The folder with mod_vrrp.so, and mod_slow.so, whose child_init takes three seconds.
fn modules() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let prefix = c::installed();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let dir = c::out_dir("apache");
        built::once("apache", || {
            let ours = root.join("ffi/examples/mod_vrrp");
            apxs(&dir, &ours, "mod_vrrp", prefix);
            apxs(&dir, &root.join("tests/c/mod_slow"), "mod_slow", prefix);
        });
        dir
    })
}

/// Builds a module as its README says, from a copy of its folder.
fn apxs(out: &Path, source: &Path, name: &str, prefix: &Path) {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(source).expect("read the module's folder") {
        let path = entry.expect("an entry").path();
        let copy = out.join(path.file_name().expect("a file name"));
        std::fs::copy(&path, &copy).expect("copy a source");
        if copy.extension().is_some_and(|extension| extension == "c") {
            sources.push(copy);
        }
    }
    let sources: Vec<String> = sources.iter().map(|s| s.display().to_string()).collect();
    let library = prefix.join("lib");
    let script = format!(
        "cd {out} && apxs -c -o {name}.la -Wc,-std=gnu11 -Wc,-Wall -Wc,-Wextra -Wc,-Werror \
         $(pkg-config --cflags vrrp) {sources} $(pkg-config --libs vrrp) -Wl,-rpath,{library} && \
         cp .libs/{name}.so {name}.so",
        out = out.display(),
        sources = sources.join(" "),
        library = library.display(),
    );
    let built = Command::new("sh")
        .args(["-c", &script])
        .env("PKG_CONFIG_PATH", library.join("pkgconfig"))
        .output()
        .expect("run apxs");
    assert!(
        built.status.success(),
        "{name} does not build: {}{}",
        String::from_utf8_lossy(&built.stdout),
        String::from_utf8_lossy(&built.stderr)
    );
}

/// httpd on a host.
struct Httpd {
    daemon: Daemon,
}

impl Httpd {
    /// Starts httpd with VRID 80, this priority and these lines more.
    fn start(host: &Host, priority: u8, more: &str) -> Self {
        let config = write_config(host, priority, more);
        let mut command = Command::new(HTTPD);
        command.arg("-DFOREGROUND").arg("-f").arg(&config);
        Self {
            daemon: Daemon::run(host, "httpd", command),
        }
    }
}

fn write_config(host: &Host, priority: u8, more: &str) -> PathBuf {
    let dir = host.dir();
    let pages = dir.join("pages");
    std::fs::create_dir_all(&pages).expect("a folder for pages");
    std::fs::write(
        pages.join("index.html"),
        format!("hello from {}\n", host.name()),
    )
    .expect("write a page");
    let long = format!("{}\n", host.name()).repeat(PAGE_KIB * 1024 / (host.name().len() + 1));
    std::fs::write(pages.join("long.txt"), long).expect("write a page");
    let text = format!(
        "ServerName {name}
ServerRoot {dir}
DefaultRuntimeDir {dir}
PidFile {dir}/httpd.pid
ErrorLog /dev/stderr
LogLevel info
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
LoadModule ratelimit_module /usr/lib/apache2/modules/mod_ratelimit.so
LoadModule vrrp_module {modules}/mod_vrrp.so
User www-data
Group www-data
StartServers 2
Listen 80
KeepAlive On
KeepAliveTimeout 2
DocumentRoot {pages}
DirectoryIndex index.html
VrrpRouter 80 interface=xl0 addr={ADDRESS}/32 priority={priority} advertinterval=0.2
VrrpDrainFile drain
<Location /vrrp>
  SetHandler vrrp-status
</Location>
<Location /long.txt>
  SetOutputFilter RATE_LIMIT
  SetEnv rate-limit {RATE_KIB_S}
</Location>
{more}
",
        name = host.name(),
        dir = dir.display(),
        modules = modules().display(),
        pages = pages.display(),
    );
    let config = dir.join("httpd.conf");
    std::fs::write(&config, text).expect("write a configuration");
    config
}

/// One request on a connection of its own. `Err`: what went wrong.
fn get(host: &Host, address: &str, path: &str) -> std::io::Result<String> {
    get_within(LIMIT, host, address, path)
}

/// With so much patience for each answer.
fn get_within(
    patience: Duration,
    host: &Host,
    address: &str,
    path: &str,
) -> std::io::Result<String> {
    host.netns().enter(|| {
        let mut connection = connect(address, patience)?;
        request(&mut connection, path, "close").map(|(body, _)| body)
    })
}

fn connect(address: &str, patience: Duration) -> std::io::Result<BufReader<TcpStream>> {
    let address: IpAddr = address.parse().expect("an address");
    let stream = TcpStream::connect_timeout(&(address, 80).into(), patience)?;
    stream.set_read_timeout(Some(patience))?;
    Ok(BufReader::new(stream))
}

/// The body of an answer with status 200, and whether the connection stays.
fn request(
    connection: &mut BufReader<TcpStream>,
    path: &str,
    keep: &str,
) -> std::io::Result<(String, bool)> {
    let bad = |what: &str| std::io::Error::other(what.to_owned());
    write!(
        connection.get_mut(),
        "GET {path} HTTP/1.1\r\nHost: service\r\nConnection: {keep}\r\n\r\n"
    )?;
    let mut line = String::new();
    connection.read_line(&mut line)?;
    if !line.contains(" 200 ") {
        return Err(bad(&format!("answered {line:?}")));
    }
    let (mut length, mut stays) = (None, true);
    loop {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err(bad("ended in the header"));
        }
        let header = line.trim().to_ascii_lowercase();
        match header.split_once(": ") {
            None => break,
            Some(("content-length", value)) => length = value.parse::<usize>().ok(),
            Some(("connection", "close")) => stays = false,
            Some(_) => {}
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => {
            body.resize(length, 0);
            connection.read_exact(&mut body)?;
        }
        None => drop(connection.read_to_end(&mut body)?),
    }
    Ok((String::from_utf8_lossy(&body).into_owned(), stays))
}

/// Clients that ask without a pause, some on one connection for as long as the server keeps it.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Outcome>>,
}

#[derive(Debug, Default)]
struct Outcome {
    answers: usize,
    by: Vec<String>,
    failures: Vec<String>,
}

impl Load {
    fn start(host: &Host) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..8)
            .map(|number| {
                let (stop, ns) = (stop.clone(), host.netns().clone());
                std::thread::spawn(move || ns.enter(|| Self::client(number, &stop)))
            })
            .collect();
        Self { stop, clients }
    }

    fn client(number: usize, stop: &AtomicBool) -> Outcome {
        let path = ["/", "/long.txt"][number % 2];
        let keep = ["close", "keep-alive"][number / 2 % 2];
        let mut outcome = Outcome::default();
        let mut kept = None;
        while !stop.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let answer = kept
                .take()
                .map_or_else(|| connect(ADDRESS, LIMIT), Ok)
                .and_then(|mut connection| {
                    let (body, stays) = request(&mut connection, path, keep)?;
                    Ok((body, (stays && keep == "keep-alive").then_some(connection)))
                });
            match answer {
                Ok((body, connection)) => {
                    kept = connection;
                    outcome.answers += 1;
                    let who = body
                        .split_whitespace()
                        .last()
                        .unwrap_or("nobody")
                        .to_owned();
                    if !outcome.by.contains(&who) {
                        outcome.by.push(who);
                    }
                }
                Err(error) => outcome.failures.push(format!(
                    "client {number}, {path}, {keep}, after {:?}: {error}",
                    asked.elapsed()
                )),
            }
            sleep(Duration::from_millis(5));
        }
        outcome
    }

    fn stop(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        let clients = self.clients.into_iter();
        clients
            .map(|client| client.join().expect("a client"))
            .collect()
    }
}

/// Two httpds; clarinet's is preferred.
struct Network {
    clarinet: Httpd,
    fridge: Httpd,
    capture: Capture,
    network: PaperNetwork,
}

impl Network {
    fn start(more: &str) -> Self {
        let network = PaperNetwork::new(Segment::Switch);
        let capture = network.lab.capture();
        let both = Self {
            clarinet: Httpd::start(&network.clarinet, 250, more),
            fridge: Httpd::start(&network.fridge, 100, more),
            capture,
            network,
        };
        both.wait_served_by("clarinet");
        both
    }

    /// A request that is under way when the address moves may never be answered, so that another is
    /// made before patience ends.
    fn served_by(&self, name: &str) -> bool {
        get_within(LIMIT / 10, &self.network.jimbob, ADDRESS, "/")
            .is_ok_and(|page| page == format!("hello from {name}\n"))
    }

    fn wait_served_by(&self, name: &str) {
        wait_until(LIMIT, &format!("{name} answers"), || self.served_by(name));
    }

    /// How often a host has said that it stops.
    fn goodbyes(&self, name: &str) -> usize {
        let goodbye = |advert: &vrrp_lab::decode::Advert| advert.priority == 0;
        self.capture
            .count(|seen| &*seen.host == name && seen.advert().is_some_and(goodbye))
    }
}

#[test]
fn two_httpds_fail_over_an_address() {
    let mut lab = Network::start("");
    lab.clarinet.daemon.crash();
    lab.wait_served_by("fridge");
    lab.clarinet = Httpd::start(&lab.network.clarinet, 250, "");
    lab.wait_served_by("clarinet");

    // A plain stop says goodbye, and leaves nothing on the host.
    lab.clarinet.daemon.stop();
    lab.wait_served_by("fridge");
    assert_eq!(lab.goodbyes("clarinet"), 1);
    let host = &lab.network.clarinet;
    wait_until(LIMIT, "nothing is left", || {
        !host.has_address(ADDRESS) && host.interfaces() == ["xl0"]
    });
}

#[test]
fn a_graceful_stop_loses_no_request() {
    let mut lab = Network::start("");
    let load = Load::start(&lab.network.jimbob);
    sleep(Duration::from_secs(1));
    lab.clarinet.daemon.signal(libc::SIGWINCH);
    lab.clarinet.daemon.wait_end();
    lab.wait_served_by("fridge");
    sleep(Duration::from_secs(2));
    let outcomes = load.stop();
    assert_eq!(lab.goodbyes("clarinet"), 1);
    for outcome in &outcomes {
        assert!(outcome.failures.is_empty(), "lost requests: {outcomes:#?}");
        assert!(outcome.answers > 2, "too little was asked: {outcomes:#?}");
    }
    let all = |name: &str| outcomes.iter().any(|o| o.by.iter().any(|by| by == name));
    assert!(all("clarinet") && all("fridge"), "{outcomes:#?}");
}

#[test]
fn a_graceful_stop_without_a_successor_ends_all_the_same() {
    let mut lab = Network::start("");
    lab.fridge.daemon.stop();
    lab.clarinet.daemon.signal(libc::SIGWINCH);
    lab.clarinet.daemon.wait_end();
}

#[test]
fn it_holds_back_until_httpd_is_ready() {
    let network = PaperNetwork::new(Segment::Switch);
    let capture = network.lab.capture();
    let slow = format!("LoadModule slow_module {}/mod_slow.so", modules().display());
    let started = vrrp_lab::sys::now_us();
    // The owner of an address is master as soon as it takes part.
    let httpd = Httpd::start(&network.clarinet, 255, &slow);
    let first = capture.wait_for(LIMIT, "clarinet advertises", |seen| {
        seen.is_advert("clarinet", 80)
    });
    assert!(
        first.at_us - started > 2_500_000,
        "advertised before httpd was ready"
    );
    httpd.daemon.wait_said("taking part");
    let page = get(&network.jimbob, ADDRESS, "/").expect("httpd is ready");
    assert_eq!(page, "hello from clarinet\n");
}

#[test]
fn a_drain_file_moves_the_address_and_httpd_goes_on() {
    let lab = Network::start("");
    let file = lab.network.clarinet.dir().join("drain");
    let load = Load::start(&lab.network.jimbob);
    sleep(Duration::from_millis(500));
    std::fs::write(&file, "").expect("make the drain file");
    lab.wait_served_by("fridge");
    let outcomes = load.stop();
    assert!(
        outcomes.iter().all(|outcome| outcome.failures.is_empty()),
        "lost requests: {outcomes:#?}"
    );
    let own = lab.network.clarinet.v4().to_string();
    assert_eq!(
        get(&lab.network.jimbob, &own, "/").expect("its own address"),
        "hello from clarinet\n"
    );
    let status = get(&lab.network.jimbob, &own, "/vrrp").expect("the status page");
    assert!(status.starts_with("clarinet: drained\n"), "{status}");

    std::fs::remove_file(&file).expect("remove the drain file");
    lab.wait_served_by("clarinet");
}

#[test]
fn a_graceful_restart_disturbs_nothing_and_takes_in_what_changed() {
    let lab = Network::start("");
    let agents = |lab: &Network| {
        lab.clarinet
            .daemon
            .log()
            .iter()
            .filter(|(_, line)| line.contains("waiting for httpd"))
            .count()
    };
    lab.clarinet.daemon.signal(libc::SIGUSR1);
    wait_until(LIMIT, "httpd restarts", || {
        lab.clarinet.daemon.has_said("Doing graceful restart")
    });
    sleep(Duration::from_secs(1));
    assert!(lab.served_by("clarinet"));
    assert_eq!((agents(&lab), lab.goodbyes("clarinet")), (1, 0));

    write_config(&lab.network.clarinet, 50, "");
    lab.clarinet.daemon.signal(libc::SIGUSR1);
    lab.wait_served_by("fridge");
    write_config(&lab.network.clarinet, 250, "");
    lab.clarinet.daemon.signal(libc::SIGHUP);
    lab.wait_served_by("clarinet");
    assert_eq!(agents(&lab), 1);
}

#[test]
fn an_agent_that_dies_is_replaced() {
    let lab = Network::start("");
    let page = get(&lab.network.jimbob, ADDRESS, "/vrrp?json").expect("the status page");
    let agent = page
        .split_once("\"agent\":")
        .and_then(|(_, rest)| rest.split(',').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no agent in {page}"));
    vrrp_lab::sys::signal(agent, libc::SIGKILL).expect("kill the agent");
    wait_until(LIMIT, "the agent is started again", || {
        lab.clarinet.daemon.has_said("is started again")
    });
    lab.wait_served_by("clarinet");
}

#[test]
fn the_status_page_tells_who_is_master() {
    let lab = Network::start("");
    let jimbob = &lab.network.jimbob;
    let backup = lab.network.fridge.v4().to_string();
    let page = get(jimbob, ADDRESS, "/vrrp").expect("the status page");
    assert!(page.starts_with("clarinet: taking part\n"), "{page}");
    assert!(page.contains("VRID 80 IPv4 on xl0: master for "), "{page}");
    assert!(page.contains("priority 250"), "{page}");
    assert!(page.contains(" 10.10.10.80/32"), "{page}");
    wait_until(LIMIT, "the backup knows the master", || {
        let page = get(jimbob, &backup, "/vrrp?json").expect("the status page");
        page.contains("\"state\":\"backup\"")
            && page.contains("\"master\":\"10.10.10.6\",\"master_priority\":250")
    });
}

#[test]
fn a_wrong_directive_is_named() {
    let network = PaperNetwork::new(Segment::Hub);
    let host = &network.clarinet;
    for (line, expected) in [
        (
            "VrrpRouter 81 interface=xl0 addr=10.10.10.81/32 priority=300",
            "priority: expected",
        ),
        (
            "VrrpRouter 81 interface=xl0 addr",
            "expected key=value, found 'addr'",
        ),
        ("VrrpRouter 81", "expected a VRID and then key=value"),
        (
            "VrrpRouter 0 interface=xl0 addr=10.10.10.81/32",
            "serverid: expected",
        ),
        (
            "VrrpRouter 81 interface=xl0 addr=10.10.10.81/32 masterscript=/bin/true",
            "masterscript",
        ),
        ("VrrpRouter 80 interface=xl0 addr=10.10.10.81/32", "80"),
        (
            "VrrpDrainTimeout soon",
            "expected 0 to 3600 seconds, found 'soon'",
        ),
    ] {
        let config = write_config(host, 250, line);
        let output = Command::new(HTTPD)
            .arg("-t")
            .arg("-f")
            .arg(config)
            .output()
            .expect("run httpd");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "accepted: {line}");
        assert!(said.contains(expected), "{line}: {said}");
    }
}
