//! The step `init-scripts`: the services for OpenWrt and Alpine, judged by shellcheck and used in a root of
//! busybox, where the functions of procd and OpenRC are stand-ins that start and stop the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::programs;
use crate::tools::libraries;
use crate::tools::packages;
use crate::tools::run::{self, Failure, failed, root};
use crate::tools::scratch::Scratch;

const PACKAGING: &str = "ports/daemon/packaging";

/// The scripts, and the shell that they are for.
const SCRIPTS: [(&str, &str); 6] = [
    ("openwrt/files/uci.sh", "dash"),
    ("openwrt/files/vrrpd.init", "dash"),
    ("alpine/vrrpd.initd", "sh"),
    ("alpine/vrrpd.pre-install", "sh"),
    ("alpine/vrrpd.confd", "sh"),
    ("debian/vrrpd.postrm", "sh"),
];

/// Files of the root that stand for OpenWrt's and OpenRC's own.
const STAND_INS: [(&str, &str); 5] = [
    // Of a file in UCI's syntax each line is a command of a shell.
    (
        "lib/functions.sh",
        r#"
config() { config_cb "$1" "${2:-}"; }
option() { option_cb "$1" "$2"; }
list() { list_cb "$1" "$2"; }
config_load() { . "/etc/config/$1" && config_cb; }
"#,
    ),
    (
        "lib/functions/network.sh",
        r#"network_get_device() { [ "$2" = lan ] && eval "$1=eth0"; }"#,
    ),
    (
        "etc/rc.common",
        r#"
. /lib/functions.sh
procd_open_instance() { command=; }
procd_set_param() {
    echo "$*" >> /tmp/params
    if [ "$1" = command ]; then shift; command=$*; fi
}
procd_close_instance() { $command > /tmp/log 2>&1 & echo $! > /tmp/pid; }
procd_add_reload_trigger() { :; }
start() { start_service; }
stop() { /bin/end "$@"; service_stopped; }
reload() { reload_service; }
. "$1"
"$2" "${3:-TERM}"
"#,
    ),
    (
        "sbin/openrc-run",
        r#"#!/bin/sh
ebegin() { echo "$*"; }
eend() { return "$1"; }
checkpath() {
    for path in "$@"; do :; done
    mkdir -p "$path"
}
. /etc/conf.d/vrrpd
. "$1"
case $2 in
start)
    start_pre && [ -f "$required_files" ] || exit 1
    $command $command_args > /tmp/log 2>&1 & echo $! > /tmp/pid
    ;;
stop) /bin/end "${3:-TERM}"; stop_post ;;
*) "$2" ;;
esac
"#,
    ),
    (
        "bin/end",
        r#"#!/bin/sh
pid=$(cat /tmp/pid)
kill "-$1" "$pid"
while [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status"; do sleep 0.1; done
"#,
    ),
];

/// Starts, reloads, kills and stops the service `$2` in the root `$1`; `$3` is a command that changes the
/// priority in the configuration.
const STORY: &str = r#"
root=$1 service=$2 change=$3
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
ip link set lo up
ip link add eth0 type veth peer name eth1
ip addr add 192.168.1.6/24 dev eth0
ip link set eth0 up
ip link set eth1 up
mkdir -p "$root/run"
inside() { PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"; }
soon() {
    tries=0
    until "$@" > /dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -ge 300 ]; then cat "$root/tmp/log"; exit 1; fi
        sleep 0.1
    done
}
gone() { [ -z "$(ip -o address show to 192.168.1.254)" ]; }
inside "$service" start
soon inside vrrpctl is-master 1
inside sh -c "$change"
inside "$service" reload
inside vrrpctl config | grep -q '^priority = 150'
# Killed: its addresses stay until it is cleaned up after.
inside "$service" stop KILL
soon gone
inside "$service" start
soon inside vrrpctl is-master 1
inside "$service" stop
gone
"#;

/// The file that the translation makes of the sample and of what follows it here.
const TRANSLATED: &str = "\
# Made from /etc/config/vrrpd at each start and reload.
[GLOBAL]
controlsocket = /var/run/vrrpd/vrrpd.sock
runtimedir = /var/run/vrrpd
loglevel = info

[vrid]
serverid = 1
interface = eth0
priority = 100
addr = 192.168.1.254/24
advertinterval = 1

[vrid]
serverid = 2
interface = eth9.5
addr = 10.0.0.1/32, 10.0.0.2/32
password = a b $(c)
";

/// The lines after the sample, with all that is odd: a device, a list of two, a value for no shell.
const MORE: &str = "
config vrid
\toption serverid '2'
\toption interface 'eth9.5'
\tlist addr '10.0.0.1/32'
\tlist addr '10.0.0.2/32'
\toption password 'a b $(c)'
";

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::INIT_SCRIPTS)?;
    packages::need(packages::NETWORK)?;
    let packaging = root().join(PACKAGING);
    for (script, shell) in SCRIPTS {
        let mut shellcheck = Command::new("shellcheck");
        shellcheck
            .args(["--shell", shell])
            .arg(packaging.join(script));
        run::output(&mut shellcheck)?;
    }
    compare_versions(&packaging)?;
    let scratch = Scratch::new("vrrp-init")?;
    let root = Root::new(scratch.path().join("root"))?;
    root.openwrt(&packaging.join("openwrt/files"))?;
    root.alpine(&packaging.join("alpine"))
}

/// Both packages have the version of the workspace. abuild wants an address in each line that names a maintainer.
fn compare_versions(packaging: &Path) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    for (file, line) in [
        ("alpine/APKBUILD", format!("pkgver={version}")),
        ("openwrt/Makefile", format!("PKG_VERSION:={version}")),
    ] {
        let path = packaging.join(file);
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        if !text.lines().any(|found| found == line) {
            return Err(Failure(format!("{}: expected '{line}'", path.display())));
        }
        let named = |line: &&str| line.starts_with("# Maintainer:") && !line.contains('@');
        if let Some(line) = text.lines().find(named) {
            let file = path.display();
            return Err(Failure(format!("{file}: no address of mail in '{line}'")));
        }
    }
    Ok(())
}

/// A root of busybox with our programs.
struct Root(PathBuf);

impl Root {
    fn new(folder: PathBuf) -> Result<Self, Failure> {
        let built = programs::built()?;
        let root = Self(folder);
        for folder in ["bin", "sbin", "proc", "tmp", "dev", "var/lib", "usr/bin"] {
            root.folder(folder)?;
        }
        root.copy(Path::new("/bin/busybox"), "bin/busybox", 0o755)?;
        for name in ["vrrpd", "vrrpctl"] {
            root.copy(&built.join(name), &format!("usr/sbin/{name}"), 0o755)?;
        }
        libraries::copy(&[Path::new("/bin/busybox"), &built.join("vrrpd")], &root.0)?;
        let null = root.0.join("dev/null");
        let mut mknod = Command::new("mknod");
        run::output(mknod.args(["-m", "666"]).arg(null).args(["c", "1", "3"]))?;
        run::output(
            Command::new("chroot")
                .arg(&root.0)
                .args(["/bin/busybox", "--install", "-s"]),
        )?;
        for (file, text) in STAND_INS {
            root.write(file, text, 0o755)?;
        }
        Ok(root)
    }

    fn openwrt(&self, files: &Path) -> Result<(), Failure> {
        self.copy(&files.join("uci.sh"), "usr/share/vrrpd/uci.sh", 0o644)?;
        self.copy(&files.join("vrrpd.init"), "etc/init.d/vrrpd", 0o755)?;
        let sample = files.join("vrrpd.config");
        let sample = fs::read_to_string(&sample).map_err(failed(&sample))?;
        // As it comes it is not enabled, and starts nothing.
        self.write("etc/config/vrrpd", &sample, 0o644)?;
        let said = self.inside(&["/etc/init.d/vrrpd", "start"])?;
        if !said.contains("not started") || self.0.join("tmp/pid").exists() {
            return Err(Failure(format!("the sample of OpenWrt is started: {said}")));
        }
        let enabled = sample.replace("enabled '0'", "enabled '1'");
        self.write("etc/config/vrrpd", &(enabled.clone() + MORE), 0o644)?;
        let translate = "RUN=/var/run/vrrpd; . /lib/functions.sh; . /lib/functions/network.sh; \
                         . /usr/share/vrrpd/uci.sh; vrrpd_write /tmp/made; cat /tmp/made";
        let made = self.inside(&["sh", "-e", "-c", translate])?;
        if made != TRANSLATED {
            return Err(Failure(format!(
                "the configuration of OpenWrt becomes\n{made}\nand not\n{TRANSLATED}"
            )));
        }
        self.write("etc/config/vrrpd", &enabled, 0o644)?;
        let linked =
            std::os::unix::fs::symlink("/var/etc/vrrpd.conf", self.0.join("etc/vrrpd.conf"));
        linked.map_err(failed(&self.0))?;
        self.tell_story("sed -i s/\"'100'\"/\"'150'\"/ /etc/config/vrrpd")?;
        let link = self.0.join("etc/vrrpd.conf");
        fs::remove_file(&link).map_err(failed(&link))
    }

    fn alpine(&self, files: &Path) -> Result<(), Failure> {
        self.copy(&files.join("vrrpd.initd"), "etc/init.d/vrrpd", 0o755)?;
        self.copy(&files.join("vrrpd.confd"), "etc/conf.d/vrrpd", 0o644)?;
        let file =
            "[VRID]\nserverid = 1\ninterface = eth0\npriority = 100\naddr = 192.168.1.254/24\n";
        self.write("etc/vrrpd.conf", file, 0o644)?;
        self.inside(&["/etc/init.d/vrrpd", "checkconfig"])?;
        self.tell_story("sed -i s/100/150/ /etc/vrrpd.conf")
    }

    fn tell_story(&self, change: &str) -> Result<(), Failure> {
        let mut story = run::story(STORY);
        story.arg(&self.0).args(["/etc/init.d/vrrpd", change]);
        run::output(&mut story).map(drop)
    }

    fn inside(&self, command: &[&str]) -> Result<String, Failure> {
        let mut chroot = Command::new("chroot");
        chroot
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .arg(&self.0);
        run::output(chroot.args(command))
    }

    fn folder(&self, name: &str) -> Result<(), Failure> {
        let folder = self.0.join(name);
        fs::create_dir_all(&folder).map_err(failed(&folder))
    }

    fn copy(&self, from: &Path, to: &str, mode: u32) -> Result<(), Failure> {
        let octets = fs::read(from).map_err(failed(from))?;
        self.write(to, octets, mode)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> Result<(), Failure> {
        let file = self.0.join(name);
        let folder = file.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, text))
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(mode)))
            .map_err(failed(&file))
    }
}
