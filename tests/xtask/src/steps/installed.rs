//! The step `install`: the programs and the service as they are installed, started as the unit
//! says, and uninstalled.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::call_filter;
use crate::tools::packages;
use crate::tools::run::{self, Failure, target_dir};
use crate::tools::scratch::Scratch;

/// The prefixes that are tried. The service runs from the first.
const PREFIXES: [&str; 3] = ["/usr/local", "/usr", "/opt/vrrp-1.0"];

/// Where systemd's unit is, below the prefix.
const UNIT: &str = "lib/systemd/system/vrrpd.service";

/// Where the drop-in for hosts without event scripts is, below the prefix.
const DROP_IN: &str = "share/doc/vrrpd/without-scripts.conf";

/// The most that `systemd-analyze security` may say of the unit, in tenths.
const EXPOSURE: u32 = 57;

/// The same with the drop-in for hosts without event scripts. Four tenths of it are the capabilities by
/// which vrrpd gives its worker process another user, takes all capabilities from it and can end it, which
/// this score does not see. One tenth is sched_setscheduler(2), which gives checks ordinary priority, and
/// three are adjtimex(2) without the capability to set anything by it.
const EXPOSURE_WITHOUT_SCRIPTS: u32 = 33;

/// Starts the service by the command lines of its unit, in namespaces in which the staged files
/// are where they will be. Arguments: the stage, the prefix, the unit below it, a file for the system calls.
const SERVICE: &str = r#"
stage=$1 prefix=$2 unit=$2/$3 calls=$4
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mkdir -p /run/etc /run/vrrpd
for file in passwd group nsswitch.conf ld.so.cache manpath.config; do
    if [ -e /etc/$file ]; then cp /etc/$file /run/etc; fi
done
mount --bind /run/etc /etc
mount --bind "$stage$prefix" "$prefix"
systemd-sysusers "$prefix/lib/sysusers.d/vrrpd.conf"
bash -n "$prefix/share/bash-completion/completions/vrrpctl"
ip link add eth0 type veth peer name eth1
ip addr add 10.10.10.6/24 dev eth0
ip link set eth0 up
ip link set eth1 up
ip link set lo up
(umask 077; echo 'a key of this test, of thirty-two octets' > /etc/vrrpd.key)
cat > /etc/vrrpd.conf <<END
[GLOBAL]
metrics = 127.0.0.1:9112
[CHECK]
name = own
http = http://127.0.0.1:9112/metrics
interval = 1
[VRID]
serverid = 1
interface = eth0
advertinterval = 0.1
addr = 10.10.10.80/32
check = own
auth = hmac
keyfile = 1:/etc/vrrpd.key
antireplay = monotonic
END
if command -v systemd-analyze > /dev/null; then
    man=no
    if command -v man > /dev/null; then man=yes; fi
    systemd-analyze verify --man=$man "$unit"
fi
line() { sed -n "s/^$1=//p" "$unit"; }
"$prefix/sbin/vrrpd" --check /etc/vrrpd.conf
begin() {
    "$@" $(line ExecStart) &
    vrrpd=$!
    tries=0
    until "$prefix/sbin/vrrpctl" is-master 1; do
        kill -0 $vrrpd
        tries=$((tries + 1))
        [ $tries -lt 200 ]
        sleep 0.1
    done
}
begin
worker=$(cat /proc/$vrrpd/task/$vrrpd/children)
grep -q "^Uid:.$(id -u _vrrp)[^0-9]" /proc/${worker% }/status
$(line ExecReload)
kill -TERM $vrrpd
wait $vrrpd
begin
kill -KILL $vrrpd
wait $vrrpd || true
[ -n "$(ip -o address show to 10.10.10.80)" ]
$(line ExecStopPost)
[ -z "$(ip -o address show to 10.10.10.80)" ]
# The life of a service, with the calls of vrrp-checker.
begin strace -f -qq -e signal=none -o "$calls"
$(line ExecReload)
kill -TERM $(cat /proc/$vrrpd/task/$vrrpd/children)
wait $vrrpd
"#;

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::LAB)?;
    packages::need(packages::REFUSALS)?;
    packages::need(packages::SYSTEMD)?;
    let stage = target_dir().join("installed");
    let stage = std::path::absolute(&stage).map_err(|e| at(&stage, &e))?;
    for (at, prefix) in PREFIXES.iter().enumerate() {
        let _ = fs::remove_dir_all(&stage);
        let theirs = stage.join(&prefix[1..]).join("share/man/man8/other.8");
        let folder = theirs.parent().unwrap_or(&stage);
        fs::create_dir_all(folder).map_err(|e| self::at(folder, &e))?;
        fs::write(&theirs, "of another package\n").map_err(|e| self::at(&theirs, &e))?;
        let before = tree(&stage)?;
        ourselves("install", prefix, &stage)?;
        programs_of_unit(prefix, &stage)?;
        if at == 0 {
            let calls = Scratch::new("vrrp-calls")?;
            let calls = calls.path().join("trace");
            run_service(prefix, &stage, &calls)?;
            exposures(prefix, &stage)?;
            let installed = stage.join(&prefix[1..]);
            let (unit, drop_in) = (installed.join(UNIT), installed.join(DROP_IN));
            call_filter::check(&[&unit], &calls)?;
            call_filter::check(&[&unit, &drop_in], &calls)?;
        }
        // Over a version that is there already, as an upgrade does.
        ourselves("install", prefix, &stage)?;
        ourselves("uninstall", prefix, &stage)?;
        let after = tree(&stage)?;
        if before != after {
            let left: Vec<_> = before.symmetric_difference(&after).collect();
            return Err(Failure(format!(
                "install and uninstall with prefix {prefix} leave a difference: {left:?}"
            )));
        }
        ourselves("uninstall", prefix, &stage)?;
    }
    Ok(())
}

/// Runs a command of `cargo xtask` for the stage.
fn ourselves(command: &str, prefix: &str, stage: &Path) -> Result<(), Failure> {
    let ourselves = std::env::current_exe().map_err(|e| Failure(e.to_string()))?;
    let mut command_line = Command::new(ourselves);
    command_line.args([command, "--prefix", prefix, "--destdir"]);
    run::output(command_line.arg(stage)).map(drop)
}

/// Every program that the unit calls is installed, and none is of another prefix.
fn programs_of_unit(prefix: &str, stage: &Path) -> Result<(), Failure> {
    let unit = stage.join(&prefix[1..]).join(UNIT);
    let text = fs::read_to_string(&unit).map_err(|e| at(&unit, &e))?;
    let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("Exec")).collect();
    for line in &lines {
        let program = line
            .split_once('=')
            .and_then(|(_, command)| command.split_whitespace().next());
        let program = PathBuf::from(program.unwrap_or_default());
        let there = program.strip_prefix("/").map(|p| stage.join(p).is_file());
        if !program.starts_with(prefix) || there != Ok(true) {
            return Err(Failure(format!(
                "with prefix {prefix} the unit says '{line}', and that is not installed"
            )));
        }
    }
    if lines.len() < 2 {
        return Err(Failure(format!("{} calls no program", unit.display())));
    }
    Ok(())
}

/// Starts, reloads and stops the service as the unit says, at last under strace.
fn run_service(prefix: &str, stage: &Path, calls: &Path) -> Result<(), Failure> {
    let mut service = Command::new("unshare");
    service
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .args(["sh", "-eu", "-c", SERVICE, "service"])
        .arg(stage)
        .args([prefix, UNIT])
        .arg(calls)
        .env_remove("NOTIFY_SOCKET");
    run::output(&mut service).map(drop)
}

/// Compares what `systemd-analyze security` says of the unit, alone and with the drop-in, with bounds.
fn exposures(prefix: &str, stage: &Path) -> Result<(), Failure> {
    let installed = stage.join(&prefix[1..]);
    let units = Scratch::new("vrrp-unit")?;
    let copy = |from: &str, to: &str| {
        let to = units.path().join(to);
        let folder = to.parent().unwrap_or(units.path());
        let made = fs::create_dir_all(folder).and_then(|()| fs::copy(installed.join(from), &to));
        made.map(drop).map_err(|e| at(&to, &e))
    };
    copy(UNIT, "vrrpd.service")?;
    exposure(units.path(), EXPOSURE)?;
    copy(DROP_IN, "vrrpd.service.d/without-scripts.conf")?;
    exposure(units.path(), EXPOSURE_WITHOUT_SCRIPTS)
}

/// Fails when the unit in `units` is more exposed than `most` tenths.
fn exposure(units: &Path, most: u32) -> Result<(), Failure> {
    let mut analyze = Command::new("systemd-analyze");
    analyze
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={most}"))
        .arg(units.join("vrrpd.service"))
        // A colon at the end adds the folders of the system, where the targets are.
        .env("SYSTEMD_UNIT_PATH", format!("{}:", units.display()));
    let text = run::output(&mut analyze)?;
    let last = text.lines().rfind(|line| line.contains("exposure level"));
    let last = last.ok_or_else(|| Failure(format!("no exposure level in:\n{text}")))?;
    sayln!("{} (at most {:.1})", last.trim(), f64::from(most) / 10.0);
    Ok(())
}

/// Every file and folder below `top`.
fn tree(top: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let mut found = BTreeSet::new();
    let mut folders = vec![top.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let items = fs::read_dir(&folder).map_err(|e| at(&folder, &e))?;
        for path in items.flatten().map(|item| item.path()) {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    Ok(found)
}

fn at(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}
