"""Metrics of all parts of a node, summed in one exposition."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kemi import metrics

PART = """
import sys
from pathlib import Path
from kemi import metrics
metrics.use(Path(sys.argv[1]))
metrics.use(Path(sys.argv[1]))
{statement}
"""


def part(root: Path, name: str, statement: str) -> None:
    subprocess.run([sys.executable, "-c", PART.format(statement=statement), str(root / name)], check=True)


def samples(root: Path) -> dict[str, float]:
    lines = metrics.exposition(root).decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_parts_are_summed(tmp_path):
    part(tmp_path, "edge", "metrics.handler_errors.labels('invite').inc(2); metrics.spool_retained.set(3)")
    part(tmp_path, "ship", "metrics.handler_errors.labels('invite').inc(); metrics.spool_depth.set(7)")
    found = samples(tmp_path)
    assert found['fmc_handler_errors_total{handler="invite"}'] == 3
    assert found["fmc_spool_retained_events"] == 3
    assert found["fmc_spool_events"] == 7


def test_processes_of_one_part_are_summed(tmp_path):
    """SIP workers are forked from the process that made the metrics."""
    part(
        tmp_path,
        "edge",
        """
import os
for number in (1, 2, 3):
    if os.fork() == 0:
        metrics.decisions.labels("media", "inbound", "t").inc(number)
        metrics.decision_seconds.observe(30e-6)
        metrics.spool_retained.set(number)
        os._exit(0)
    os.wait()
""",
    )
    found = samples(tmp_path)
    assert found['fmc_decisions_total{action="media",direction="inbound",trunk="t"}'] == 6
    assert found["fmc_decision_seconds_count"] == 3
    assert found['fmc_decision_seconds_bucket{le="2.5e-05"}'] == 0
    assert found['fmc_decision_seconds_bucket{le="5e-05"}'] == 3
    assert found["fmc_spool_retained_events"] == 6


def test_a_part_that_starts_again_begins_from_zero_and_leaves_the_others(tmp_path):
    part(tmp_path, "edge", "metrics.sync_failures.inc(5)")
    part(tmp_path, "sync", "metrics.sync_failures.inc(1)")
    part(tmp_path, "edge", "pass")
    assert samples(tmp_path)["fmc_sync_failures_total"] == 1


def test_nothing_is_there_yet(tmp_path):
    assert metrics.exposition(tmp_path / "absent") == b""


@pytest.mark.parametrize("name", ["fmc_decisions", "fmc_decision_seconds", "fmc_spool_retained_events"])
def test_every_metric_says_what_it_is(tmp_path, name):
    statement = """
metrics.decisions.labels('a', 'b', 'c').inc()
metrics.decision_seconds.observe(1)
metrics.spool_retained.set(1)
"""
    part(tmp_path, "edge", statement)
    text = metrics.exposition(tmp_path).decode()
    assert f"# HELP {name}" in text


def test_the_directory_of_values_is_ours(tmp_path):
    part(tmp_path, "edge", "pass")
    assert (tmp_path / "edge").is_dir()
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ or os.environ["PROMETHEUS_MULTIPROC_DIR"] != str(
        tmp_path / "edge"
    )
