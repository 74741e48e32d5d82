//! A microcontroller on the segment: QEMU's board with the firmware, its cable in a port of the
//! hub, its serial line in our hands.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use defmt_decoder::{DecodeError, Table};

use super::conform::Sender;
use super::decode::Mac;
use super::system::Hub;
use super::vr::Vr;
use super::{WorkDir, wait_until};
use crate::sys;

/// The longest time that a busy machine may take to start an emulator.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A board that is plugged in. It ends when dropped, and its log is shown if that is because of a
/// failure.
#[derive(Debug)]
pub struct Board {
    name: String,
    number: u8,
    hub: Arc<Hub>,
    dir: Arc<WorkDir>,
    emulator: Option<Child>,
    least_boot_count: Option<u32>,
    log: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Sender for Board {
    fn name(&self) -> &str {
        &self.name
    }

    fn mac(&self) -> Mac {
        Mac([2, 0, 10, 10, 10, self.number])
    }

    fn v4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 10, 10, self.number)
    }

    fn link_local(&self) -> Ipv6Addr {
        let low = 0x0a00 | u16::from(self.number);
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x0aff, 0xfe0a, low)
    }
}

impl Board {
    pub(crate) fn new(name: &str, number: u8, hub: Arc<Hub>, dir: Arc<WorkDir>) -> Self {
        hub.plug_tap(name);
        Self {
            name: name.to_owned(),
            number,
            hub,
            dir,
            emulator: None,
            least_boot_count: None,
            log: Arc::default(),
        }
    }

    /// Turns it on with these virtual routers, and waits until it says that it is up.
    ///
    /// # Panics
    ///
    /// When QEMU is not installed, the firmware not built, or the board does not come up.
    pub fn start(&mut self, vrs: &[Vr]) {
        let words = self.settings(vrs);
        self.launch(&words, &[], signs(vrs));
        let up = format!("{} is up", self.name);
        wait_until(START_LIMIT, &up, || self.has_said(&up));
    }

    /// Turns it on in a time of its own: an instruction takes 32 ns, as on a slow one of its kind, and
    /// who sleeps is woken at once, when the time has come. How late it is depends on nothing else
    /// that this machine does; but seconds pass there in a moment of ours.
    ///
    /// # Panics
    ///
    /// When QEMU is not installed or the firmware not built.
    pub fn start_in_own_time(&mut self, vrs: &[Vr]) {
        let words = self.settings(vrs);
        self.launch(&words, &["-icount", "shift=5,sleep=off"], signs(vrs));
    }

    /// Turns it on with these words for settings.
    ///
    /// # Panics
    ///
    /// When QEMU is not installed or the firmware not built.
    pub fn start_with(&mut self, words: &str) {
        self.launch(words, &[], false);
    }

    /// As [`start_with`](Self::start_with), with the firmware that knows keys.
    ///
    /// # Panics
    ///
    /// When QEMU is not installed or the firmware not built.
    pub fn start_signing_with(&mut self, words: &str) {
        self.launch(words, &[], true);
    }

    /// From the next start on its administrator asks for a boot count of at least this.
    pub fn set_least_boot_count(&mut self, count: u32) {
        self.least_boot_count = Some(count);
    }

    /// The file that stands in for the flash of its boot count.
    pub fn boot_count_store(&self) -> PathBuf {
        self.folder().join("flash.bin")
    }

    /// The folder that the emulator runs in.
    fn folder(&self) -> PathBuf {
        self.dir.path().join(format!("{}.board", self.name))
    }

    fn launch(&mut self, words: &str, options: &[&str], signs: bool) {
        let elf = firmware(signs);
        std::fs::create_dir_all(self.folder()).expect("make a folder for the emulator");
        let mut semihosting = String::from("enable=on,target=native");
        for word in words.split_whitespace() {
            semihosting += ",arg=";
            semihosting += &word.replace(',', ",,");
        }
        let [a, b, c, d, e, f] = self.mac().0;
        let nic = format!(
            "tap,ifname={},script=no,downscript=no,\
             mac={a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}",
            self.name
        );
        let mut command = Command::new("qemu-system-arm");
        command
            .current_dir(self.folder())
            .args(["-machine", "lm3s6965evb", "-display", "none"])
            .args(options)
            .args(["-serial", "stdio", "-nic", &nic, "-monitor"])
            .arg(format!("unix:{},server,nowait", self.monitor().display()))
            .args(["-semihosting-config", &semihosting, "-kernel"])
            .arg(&elf.path);
        self.hub.netns().start_in(&mut command);
        let mut emulator = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start qemu-system-arm ({error}): the lab needs it installed")
            });
        let serial = emulator.stdout.take().expect("stdout is piped");
        let complaints = emulator.stderr.take().expect("stderr is piped");
        let log = self.log.clone();
        std::thread::spawn(move || read_serial(serial, elf, &log));
        let log = self.log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(complaints).lines().map_while(Result::ok) {
                note(&log, format!("qemu: {line}"));
            }
        });
        self.emulator = Some(emulator);
    }

    /// Turns it off without a warning.
    pub fn power_off(&mut self) {
        if let Some(mut emulator) = self.emulator.take() {
            // It may be gone already.
            let _ = sys::signal_group(emulator.id(), libc::SIGKILL);
            let _ = emulator.wait();
        }
    }

    /// The hub's port ceases to pass frames, which the board cannot know.
    pub fn fail_port(&self) {
        self.hub.set_port(&self.name, false);
    }

    /// The controller lets in frames to the board's own MAC and to groups alone, as most do until somebody
    /// tells them; or to any MAC again, as the emulated one does. The port stands in for it.
    pub fn filter_macs(&self, on: bool) {
        let mac = format!("{:?}", self.mac());
        self.hub.confine_port(&self.name, &mac, on);
    }

    /// The hub's port works again.
    pub fn mend_port(&self) {
        self.hub.set_port(&self.name, true);
    }

    /// Types a line at its serial console.
    ///
    /// # Panics
    ///
    /// When the board is off.
    pub fn type_line(&mut self, line: &str) {
        let emulator = self.emulator.as_mut().expect("the board is on");
        let serial = emulator.stdin.as_mut().expect("stdin is piped");
        writeln!(serial, "{line}").expect("write to the serial line");
        serial.flush().expect("write to the serial line");
    }

    /// The lines that it has logged, each with the time (monotonic microseconds).
    pub fn log(&self) -> Vec<(u64, String)> {
        self.log
            .lock()
            .expect("no panic while a log is held")
            .clone()
    }

    /// Whether it has logged something that contains `text`.
    pub fn has_said(&self, text: &str) -> bool {
        self.log().iter().any(|(_, line)| line.contains(text))
    }

    /// How often it has said something that contains `text`.
    pub fn times_said(&self, text: &str) -> usize {
        let log = self.log();
        log.iter().filter(|(_, line)| line.contains(text)).count()
    }

    /// Reads the 32 bits at an address of the chip, past the program.
    ///
    /// # Panics
    ///
    /// When the board is off, or the emulator does not answer.
    pub fn read_register(&self, address: u32) -> u32 {
        let mut monitor = UnixStream::connect(self.monitor()).expect("connect to the monitor");
        monitor
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("set a timeout");
        writeln!(monitor, "xp /1xw {address:#x}").expect("write to the monitor");
        let wanted = format!("{address:016x}: 0x");
        let mut text = String::new();
        let mut octets = [0; 256];
        loop {
            let len = monitor.read(&mut octets).expect("the monitor answers");
            text += &String::from_utf8_lossy(&octets[..len]);
            if let Some((_, value)) = text.split_once(&wanted)
                && let Some((value, _)) = value.split_once('\r')
            {
                return u32::from_str_radix(value, 16).expect("a number in hexadecimal");
            }
        }
    }

    fn settings(&self, vrs: &[Vr]) -> String {
        settings(&self.name, self.number, self.least_boot_count, vrs)
    }

    fn monitor(&self) -> PathBuf {
        self.dir.path().join(format!("{}.monitor", self.name))
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.power_off();
        if crate::output::is_failing() {
            crate::complain!("--- the board {}:", self.name);
            for (at_us, line) in self.log() {
                crate::complain!("{:>14.6} {line}", at_us as f64 / 1e6);
            }
        }
    }
}

/// Whether one of them has a key, which is for another firmware.
fn signs(vrs: &[Vr]) -> bool {
    vrs.iter().any(|vr| vr.hmac_key.is_some())
}

/// The firmware's own words for these virtual routers.
fn settings(name: &str, number: u8, least_boot_count: Option<u32>, vrs: &[Vr]) -> String {
    let mut words = format!("name={name} own=10.10.10.{number}/24");
    if let Some(count) = least_boot_count {
        words += &format!(" bootcount={count}");
    }
    for vr in vrs {
        let preempt = if vr.preempt { "yes" } else { "no" };
        words += &format!(
            " vrid={} version={} priority={} interval_cs={} preempt={preempt}",
            vr.vrid, vr.version, vr.priority, vr.interval_cs
        );
        if !vr.vmac {
            words += " mac=interface";
        }
        if let Some(password) = &vr.password {
            let password: String = password.chars().take(8).collect();
            words += &format!(" password={password}");
        }
        if let Some(file) = &vr.hmac_key {
            let key = std::fs::read_to_string(file).expect("read the key");
            words += &format!(" key=1:{}", key.trim_end());
        }
        for address in &vr.addresses {
            words += &format!(" address={address}");
        }
    }
    words
}

/// The firmware, and what its log means.
struct Firmware {
    path: PathBuf,
    table: Table,
}

/// The firmware with its feature `hmac` or without.
fn firmware(signs: bool) -> &'static Firmware {
    static FIRMWARE: [OnceLock<Firmware>; 2] = [OnceLock::new(), OnceLock::new()];
    FIRMWARE[usize::from(signs)].get_or_init(|| {
        let name = if signs {
            "VRRP_FIRMWARE_HMAC"
        } else {
            "VRRP_FIRMWARE"
        };
        let path = std::env::var_os(name).unwrap_or_else(|| {
            panic!("{name} names the firmware: run this by `cargo xtask test firmware`")
        });
        // The emulator runs in another folder.
        let path = PathBuf::from(path).canonicalize().expect("the firmware");
        let elf = std::fs::read(&path).expect("read the firmware");
        let table = Table::parse(&elf)
            .expect("the firmware's table of words")
            .expect("the firmware has a table of words");
        Firmware { path, table }
    })
}

/// Reads what the board logs until it is turned off.
fn read_serial(mut serial: impl Read, elf: &Firmware, log: &Mutex<Vec<(u64, String)>>) {
    let mut decoder = elf.table.new_stream_decoder();
    let mut octets = [0; 512];
    loop {
        match serial.read(&mut octets) {
            Ok(0) | Err(_) => return,
            Ok(len) => decoder.received(&octets[..len]),
        }
        loop {
            match decoder.decode() {
                Ok(frame) => note(log, frame.display(false).to_string()),
                Err(DecodeError::UnexpectedEof) => break,
                // Cut short by a reset or a full ring; the next one is whole.
                Err(DecodeError::Malformed) => {}
            }
        }
    }
}

fn note(log: &Mutex<Vec<(u64, String)>>, line: String) {
    let mut log = log.lock().expect("no panic while a log is held");
    log.push((sys::now_us(), line));
}
