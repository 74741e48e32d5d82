"""Reads the metrics of vrrpctl and of the endpoint with the reference parsers, and compares them.

Arguments: a file in Prometheus' text format and one in OpenMetrics, of vrrpctl and of the endpoint, and the
folder of the rules and the dashboard, which may name no other metric.
"""

import pathlib
import re
import sys

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

# Those that go on between the two readings.
MOVING = ("_total", "_seconds", "_bucket", "_sum", "_count")
# Those that the host of the test has nothing for.
ABSENT = {"vrrp_check_up", "vrrp_script_last_exit_code", "vrrp_peer_age_seconds"}


def samples(families):
    """Every sample by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def read(text_file, open_file):
    """The families of both forms, which must be alike."""
    text_families = list(read_text(pathlib.Path(text_file).read_text("utf-8")))
    open_families = list(read_openmetrics(pathlib.Path(open_file).read_text("utf-8")))
    text, openmetrics = samples(text_families), samples(open_families)
    assert text.keys() == openmetrics.keys(), text.keys() ^ openmetrics.keys()
    for key, value in text.items():
        moving = key[0].endswith(MOVING)
        assert moving or value == openmetrics[key], (key, value, openmetrics[key])
    types = [{f.name: f.type for f in families} for families in (text_families, open_families)]
    assert types[0] == types[1], (types[0], types[1])
    assert all(family.documentation for family in open_families)
    return open_families, openmetrics


def check_names(folder, known):
    """Rules and dashboard name metrics that there are."""
    for name in ("vrrp-rules.yml", "vrrp-dashboard.json"):
        text = (pathlib.Path(folder) / name).read_text("utf-8")
        named = set(re.findall(r"\bvrrpd?_[a-z0-9_]+\b", text))
        assert named, name
        unknown = named - known - ABSENT - {"vrrpd_metrics"}
        assert not unknown, (name, unknown)


def main():
    """Fails with what differs."""
    open_families, openmetrics = read(sys.argv[1], sys.argv[2])
    _, scraped = read(sys.argv[3], sys.argv[4])
    assert scraped.keys() == openmetrics.keys(), scraped.keys() ^ openmetrics.keys()
    check_names(sys.argv[5], {name for name, _ in openmetrics})

    def value(name, **labels):
        return openmetrics[name, tuple(sorted(labels.items()))]

    odd = {"vrid": "1", "interface": 'e"0\\', "family": "ipv4"}
    assert value("vrrp_state", state="master", **odd) == 1
    assert value("vrrp_state", state="backup", **odd) == 0
    assert value("vrrp_effective_priority", **odd) == value("vrrp_priority_override", **odd) == 150
    assert value("vrrp_configured_priority", **odd) == 100
    assert value("vrrp_advertisement_sent_total", **odd) > 0
    assert value("vrrp_masters_heard", **odd) >= 1
    assert value("vrrp_transitions_total", state="master", reason="no-response", **odd) == 1
    assert value("vrrpd_reload_success") == 1
    assert value("vrrpd_timer_late_seconds_count") > 0
    waiting = {"vrid": "2", "interface": "eth2", "family": "ipv6"}
    assert value("vrrp_state", state="init", **waiting) == 1
    rejected = [value for (name, _), value in openmetrics.items() if name == "vrrp_rejected_total"]
    assert sum(rejected) > 0, rejected
    print(f"{len(openmetrics)} samples of {len(open_families)} families, alike in both forms")


main()
