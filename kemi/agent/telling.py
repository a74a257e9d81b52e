"""Counts and logs decisions when the ship agent first sees them: the workers do neither (ADR 0006).

An event is told once, when it is first read, so that metrics and log go on while the database is down; it
may be told again after the agent itself was restarted.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kemi import metrics
from kemi.calls.events import Started
from kemi.calls.inbox import Waiting

Key = Path | tuple[str, bytes]


class Telling:
    """Remembers which waiting events were told."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._told: set[Key] = set()

    def tell(self, waiting: Iterable[Waiting]) -> None:
        """Tell of what was not told yet."""
        for one in waiting:
            if isinstance(one.event, Started) and one.origin not in self._told:
                self._told.add(one.origin)
                self._decision(one.event)

    def forget(self, waiting: Iterable[Waiting]) -> None:
        """These have left the spool: their keys may come again, for other events."""
        self._told.difference_update(one.origin for one in waiting)

    def _decision(self, event: Started) -> None:
        metrics.decisions.labels(event.action, event.direction, event.source).inc()
        metrics.decision_seconds.observe(event.microseconds / 1e6)
        for role, number in (("calling", event.calling), ("called", event.called)):
            if number.kind == "unknown":
                metrics.numbers_unknown.labels(event.source, role).inc()
        self._log.info(
            "decision",
            call=event.call,
            leg=event.leg,
            source=event.source,
            direction=event.direction,
            action=event.action,
            reason=event.reason,
            status=event.status,
            tenant=event.tenant,
            calling=event.calling.value,
            calling_shape=event.calling.shape,
            called=event.called.value,
            called_shape=event.called.shape,
            egress=event.egress,
            degraded=event.degraded,
            microseconds=event.microseconds,
        )
