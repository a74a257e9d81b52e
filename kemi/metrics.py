"""Every metric of the product: one place for names, labels, help and units.

Each part (the SIP workers, each agent) keeps its values in memory-mapped files below state/metrics/PART,
so that they outlive nothing but a restart of that part and cost no lock between processes; the sync agent
serves the sum of all parts. Call `use(directory)` first, before prometheus_client is imported: the library
chooses at its import where values live.
"""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    registry: CollectorRegistry
    decisions: Counter
    decision_seconds: Histogram
    number_shapes: Counter
    numbers_unknown: Counter
    handler_errors: Counter
    spool_retained: Gauge
    events_shipped: Counter
    events_set_aside: Counter
    spool_depth: Gauge
    snapshot_revision: Gauge
    snapshot_lag: Gauge
    snapshot_lag_seconds: Gauge
    snapshot_age: Gauge
    snapshot_writes: Counter
    database_up: Gauge
    sync_failures: Counter

BUCKETS = (25e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 5e-3)
"""Bounds of handler time in seconds: a worker that takes 5 ms caps the edge at 200 calls/s."""


def use(directory: Path) -> None:
    """Keep this process's metrics in `directory` (emptied first) and build them all, once a process."""
    if "registry" in globals():
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    _build()


def _build() -> None:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415

    names = globals()
    own = CollectorRegistry()
    names["registry"] = own

    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(f"fmc_{name}", text, labels, registry=own)

    def gauge(name: str, text: str, mode: str) -> Gauge:
        return Gauge(f"fmc_{name}", text, registry=own, multiprocess_mode=mode)  # type: ignore[arg-type]

    names.update(
        decisions=counter("decisions", "Legs decided on.", "action", "direction", "trunk"),
        decision_seconds=Histogram(
            "fmc_decision_seconds",
            "Time from the initial INVITE's arrival in the handler to its decision applied.",
            buckets=BUCKETS,
            registry=own,
        ),
        number_shapes=counter(
            "number_shapes",
            "Numbers that were believed, by the shape they came in.",
            "trunk",
            "header",
            "shape",
        ),
        numbers_unknown=counter(
            "numbers_unknown",
            "Numbers that matched no declared shape, carried verbatim.",
            "trunk",
            "header",
            "form",
        ),
        handler_errors=counter("handler_errors", "Exceptions caught at a SIP entry point.", "handler"),
        spool_retained=gauge(
            "spool_retained_events", "Events kept in a worker's memory: the spool refused them.", "sum"
        ),
        events_shipped=counter("events_shipped", "Events committed to the database.", "kind"),
        events_set_aside=counter("events_set_aside", "Events that could not be read, kept aside.", "kind"),
        spool_depth=gauge("spool_events", "Events waiting in the spool.", "mostrecent"),
        snapshot_revision=gauge("snapshot_revision", "Directory revision of the snapshot.", "mostrecent"),
        snapshot_lag=gauge(
            "snapshot_lag_revisions", "Revisions that the snapshot is behind the database.", "mostrecent"
        ),
        snapshot_lag_seconds=gauge(
            "snapshot_lag_seconds", "How long the oldest revision it lacks has waited.", "mostrecent"
        ),
        snapshot_age=gauge(
            "snapshot_age_seconds", "Since the snapshot was last the newest revision.", "mostrecent"
        ),
        snapshot_writes=counter("snapshot_writes", "Snapshots written: update or rebuild.", "how"),
        database_up=gauge("database_up", "1 while the sync agent reads the database, else 0.", "mostrecent"),
        sync_failures=counter("sync_failures", "Rounds of the sync agent that failed."),
    )


def exposition(root: Path) -> bytes:
    """All parts' metrics below `root` (state/metrics) in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    class _Parts:
        def collect(self) -> object:
            files = [str(path) for path in root.glob("*/*.db")]
            return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]

    summed = CollectorRegistry()
    summed.register(_Parts())  # type: ignore[arg-type]
    return generate_latest(summed)
