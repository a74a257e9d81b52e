"""Counts and logs decisions when the ship agent first sees them: the workers do neither (ADR 0006).

An event is told once, when it is first read, so that metrics and log go on while the database is down; it
may be told again after the agent itself was restarted.

Of the numbers of a leg those are counted that go on: who calls and who is called, from the header that was
believed, and who diverted the call; and on the way back, and later, those by which a trunk says who it is.
What stands in other headers is in the record, but its shape means nothing: a carrier may write its own
trunk's name in a Request-URI that nobody reads, and History-Info names proxies. Legs from a media server
count no shapes: their numbers are those that the edge wrote itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kemi import metrics
from kemi.calls.events import Connected, Started
from kemi.calls.inbox import Waiting
from kemi.numbering.form import form
from kemi.numbering.model import Number
from kemi.routing.model import MEDIA

MOST_FORMS = 100
"""Forms of unknown numbers counted apart for a trunk and header: strangers write what they like."""

OTHER = "other"
"""Stands for every form beyond those."""

Key = Path | tuple[str, bytes]


class Telling:
    """Remembers which waiting events were told."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._told: set[Key] = set()
        self._forms: dict[tuple[str, str], set[str]] = defaultdict(set)

    def tell(self, waiting: Iterable[Waiting]) -> None:
        """Tell of what was not told yet."""
        for one in waiting:
            if not isinstance(one.event, Started | Connected) or one.origin in self._told:
                continue
            self._told.add(one.origin)
            if isinstance(one.event, Started):
                self._decision(one.event)
            else:
                self._connected(one.event)

    def forget(self, waiting: Iterable[Waiting]) -> None:
        """These have left the spool: their keys may come again, for other events."""
        self._told.difference_update(one.origin for one in waiting)

    def _decision(self, event: Started) -> None:
        metrics.decisions.labels(event.action, event.direction, event.source).inc()
        metrics.decision_seconds.observe(event.microseconds / 1e6)
        unknown = self._shapes(event)
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
            calling_header=event.calling_header,
            called=event.called.value,
            called_shape=event.called.shape,
            called_header=event.called_header,
            unknown=unknown,
            egress=event.egress,
            degraded=event.degraded,
            microseconds=event.microseconds,
        )

    def _connected(self, event: Connected) -> None:
        unknown = {} if event.trunk is None else self._count(event.trunk, event.identity)
        # Nothing was decided: there is a line only where somebody must look.
        if unknown:
            self._log.info(
                "connected",
                call=event.call,
                leg=event.leg,
                trunk=event.trunk,
                side=event.side,
                unknown=unknown,
            )

    def _shapes(self, event: Started) -> dict[str, str]:
        """Count the shapes of a leg's numbers that were believed; give the forms of the unknown ones."""
        if event.source == MEDIA:
            return {}
        believed = (event.calling_header, event.called_header)
        return self._count(
            event.source,
            {
                name: number
                for name, number in event.identity.items()
                if name in believed or _header(name) == "Diversion"
            },
        )

    def _count(self, trunk: str, identity: Mapping[str, Number]) -> dict[str, str]:
        """Count the shapes of numbers; give the forms of those that are unknown, by their header."""
        unknown: dict[str, str] = {}
        for name, number in identity.items():
            header = _header(name)
            metrics.number_shapes.labels(trunk, header, number.shape or number.kind).inc()
            if number.kind == "unknown":
                unknown[name] = form(number.raw)
                metrics.numbers_unknown.labels(
                    trunk, header, self._counted(trunk, header, unknown[name])
                ).inc()
        return unknown

    def _counted(self, trunk: str, header: str, found: str) -> str:
        """The form to count under."""
        forms = self._forms[trunk, header]
        if found not in forms:
            if len(forms) >= MOST_FORMS:
                return OTHER
            forms.add(found)
        return found


def _header(name: str) -> str:
    """A header with several values has the others as "Diversion[2]"."""
    return name.partition("[")[0]
