//! The step `metrics`: what vrrpctl gives to monitoring, read by the reference parsers.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::steps;
use crate::tools::packages;
use crate::tools::python;
use crate::tools::run::{self, Failure, root, target_dir};

/// Starts vrrpd on interfaces with ordinary and extraordinary names, lets one virtual router refuse
/// what the other sends, and writes both forms. Arguments: folder of the programs, of the results.
const GATHER: &str = r#"
programs=$1 results=$2
mount -t tmpfs tmpfs /run
ip link add 'e"0\' type veth peer name eth1
ip addr add 10.10.10.6/24 dev 'e"0\'
ip addr add 10.10.10.7/24 dev eth1
ip link set 'e"0\' up
ip link set eth1 up
cat > /run/conf <<'END'
[VRID]
serverid = 1
interface = e"0\
advertinterval = 0.1
addr = 10.10.10.80/32
[VRID]
serverid = 1
interface = eth1
version = 2
password = secret
addr = 10.10.10.81/32
[VRID]
serverid = 2
interface = eth2
addr = fe80::2/64
END
"$programs/vrrpd" -F -f /run/conf &
vrrpd=$!
tries=0
until "$programs/vrrpctl" -i 'e"0\' is-master 1 &&
    "$programs/vrrpctl" stats | grep -q rejected
do
    kill -0 $vrrpd
    tries=$((tries + 1))
    [ $tries -lt 300 ]
    sleep 0.1
done
"$programs/vrrpctl" -i 'e"0\' priority 1 150
for form in prometheus openmetrics; do
    "$programs/vrrpctl" stats --$form > "$results/$form"
done
kill -TERM $vrrpd
wait $vrrpd
"#;

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::NETWORK)?;
    packages::need(packages::METRICS)?;
    let python = python::with("prometheus_client", "prometheus_client>=0.20")?;
    steps::build_programs()?;
    let results = target_dir().join("metrics");
    fs::create_dir_all(&results).map_err(|e| Failure(format!("{}: {e}", results.display())))?;
    let mut gather = Command::new("unshare");
    gather
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .args(["sh", "-eu", "-c", GATHER, "gather"])
        .arg(target_dir().join("release"))
        .arg(&results);
    run::output(&mut gather)?;
    promtool(&results.join("prometheus"))?;
    let mut compare = Command::new(python);
    compare.arg(root().join("tests/metrics.py"));
    for form in ["prometheus", "openmetrics"] {
        compare.arg(results.join(form));
    }
    run::run(&mut compare)
}

/// Prometheus' own reader, which is a linter as well.
fn promtool(exposition: &Path) -> Result<(), Failure> {
    let file = fs::File::open(exposition).map_err(|e| Failure(e.to_string()))?;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::from(file));
    run::output(&mut promtool).map(drop)
}
