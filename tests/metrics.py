"""Reads both forms of vrrpctl's metrics with the reference parsers, and compares them.

Arguments: a file in Prometheus' text format, and one in OpenMetrics.
"""

import sys

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

# Those that go on between the two readings.
MOVING = ("_total", "_seconds")


def samples(families):
    """Every sample by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def main():
    """Fails with what differs."""
    with open(sys.argv[1], encoding="utf-8") as file:
        text_families = list(read_text(file.read()))
    with open(sys.argv[2], encoding="utf-8") as file:
        open_families = list(read_openmetrics(file.read()))
    text, openmetrics = samples(text_families), samples(open_families)
    assert text.keys() == openmetrics.keys(), text.keys() ^ openmetrics.keys()
    for key, value in text.items():
        moving = key[0].endswith(MOVING)
        assert moving or value == openmetrics[key], (key, value, openmetrics[key])
    types = [{f.name: f.type for f in families} for families in (text_families, open_families)]
    assert types[0] == types[1], (types[0], types[1])
    assert all(family.documentation for family in open_families)

    def value(name, **labels):
        return openmetrics[name, tuple(sorted(labels.items()))]

    odd = {"vrid": "1", "interface": 'e"0\\', "family": "ipv4"}
    assert value("vrrp_state", state="master", **odd) == 1
    assert value("vrrp_state", state="backup", **odd) == 0
    assert value("vrrp_priority", **odd) == value("vrrp_priority_override", **odd) == 150
    assert value("vrrp_configured_priority", **odd) == 100
    assert value("vrrp_advertisement_sent_total", **odd) > 0
    waiting = {"vrid": "2", "interface": "eth2", "family": "ipv6"}
    assert value("vrrp_state", state="init", **waiting) == 1
    rejected = [value for (name, _), value in openmetrics.items() if name == "vrrp_rejected_total"]
    assert sum(rejected) > 0, rejected
    print(f"{len(openmetrics)} samples of {len(open_families)} families, alike in both forms")


main()
