//! The step `metrics`: the metrics of vrrpctl and of the endpoint, read by the reference parsers, and the
//! rules and the dashboard that use them.

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
ip link set lo up
mkdir -m 700 /run/state
cat > /run/conf <<'END'
[GLOBAL]
statedir = /run/state
metrics = 127.0.0.1:9112
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
heartbeat = eth1
addr = fe80::2/64
END
"$programs/vrrpd" -F -f /run/conf &
vrrpd=$!
tries=0
until "$programs/vrrpctl" -i 'e"0\' is-master 1 &&
    "$programs/vrrpctl" stats | grep -q rejected &&
    "$programs/vrrpctl" stats --prometheus | grep -q "vrrp_refused_peer{.*eth1"
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
openmetrics='application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'
curl -fsS http://127.0.0.1:9112/metrics > "$results/scraped"
curl -fsS -H "Accept: $openmetrics" http://127.0.0.1:9112/metrics > "$results/scraped-openmetrics"
kill -TERM $vrrpd
wait $vrrpd
"#;

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::NETWORK)?;
    packages::need(packages::METRICS)?;
    let python = python::with("prometheus_client", "prometheus_client>=0.20")?;
    let vrrpd = steps::build_programs()?;
    let results = target_dir().join("metrics");
    fs::create_dir_all(&results).map_err(|e| Failure(format!("{}: {e}", results.display())))?;
    let mut gather = Command::new("unshare");
    gather
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .args(["sh", "-eu", "-c", GATHER, "gather"])
        .args(vrrpd.parent())
        .arg(&results);
    run::output(&mut gather)?;
    for file in ["prometheus", "scraped"] {
        promtool(&results.join(file))?;
    }
    rules()?;
    let mut compare = Command::new(python);
    compare.arg(root().join("tests/metrics.py"));
    for file in [
        "prometheus",
        "openmetrics",
        "scraped",
        "scraped-openmetrics",
    ] {
        compare.arg(results.join(file));
    }
    compare.arg(root().join(MONITORING));
    run::run(&mut compare)
}

/// The folder of the rules and the dashboard.
const MONITORING: &str = "ports/daemon/monitoring";

/// The alert rules, and their unit tests.
fn rules() -> Result<(), Failure> {
    for (command, file) in [("check", "vrrp-rules.yml"), ("test", "vrrp-rules-test.yml")] {
        let mut promtool = Command::new("promtool");
        promtool
            .args([command, "rules"])
            .arg(root().join(MONITORING).join(file));
        run::output(&mut promtool)?;
    }
    Ok(())
}

/// Prometheus' own reader, which is a linter as well.
fn promtool(exposition: &Path) -> Result<(), Failure> {
    let file = fs::File::open(exposition).map_err(|e| Failure(e.to_string()))?;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::from(file));
    run::output(&mut promtool).map(drop)
}
