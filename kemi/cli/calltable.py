"""Calls as people read them: local time, minutes and seconds, 80 columns."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from kemi.calls.record import CallRecord
from kemi.cli.output import table
from kemi.numbering.model import Number

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

HOME = "Europe/Moscow"
"""The time zone for people where TZ names none."""

SHOWN_OF_ID = 18
"""Characters of a UUIDv7 that hold its milliseconds and 12 random bits: nearly always one call has them."""

SHORT = {
    "mobile_originated": "MO",
    "mobile_terminated": "MT",
    "inbound": "in",
    "outbound": "out",
    "internal": "int",
    "emergency": "SOS",
    "unknown": "?",
}


def localised(moment: datetime) -> datetime:
    """Read a moment in local time, or take one without a zone for local."""
    # The C library reads what TZ says, also in POSIX's own form ("MSK-3").
    if os.environ.get("TZ"):
        return moment.astimezone()
    home = ZoneInfo(HOME)
    return moment.astimezone(home) if moment.tzinfo else moment.replace(tzinfo=home)


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def listing(calls: Sequence[CallRecord]) -> "Table":
    """One line a call, in 80 columns; the id as far as it tells these calls apart."""
    length = _telling(call.id for call in calls)
    made = table(
        ("id", "started", "way", "from", "to", "status", "talk"),
        [
            (
                call.id[:length],
                f"{localised(call.started_at):%m-%d %H:%M:%S}",
                SHORT[call.direction],
                _value(call.calling),
                _value(call.called),
                call.status or ("talking" if call.answered_at else "open"),
                _span(call.talk) if call.answered_at else "",
            )
            for call in calls
        ],
    )
    # One space between columns, or a line would not fit.
    made.collapse_padding = True
    return made


def details(call: CallRecord) -> "Group":
    """All that is known of one call: what each header said and what that means, and what left."""
    from rich.console import Group  # noqa: PLC0415  programs that read JSON need not wait for it

    parts: list[RenderableType] = [table(("", ""), list(_facts(call)), title=f"Call {call.id}")]
    if call.identity:
        parts += ["", table(("header", "arrived", "rule", "is"), list(_trails(call)))]
    if call.egress:
        title = f"Sent to {call.egress_trunk}"
        parts += ["", table(("header", "sent", "rule", "was"), list(_left(call)), title=title)]
    if call.recordings:
        rows = [(each.path, _span(each.seconds), f"{each.bytes:,}") for each in call.recordings]
        parts += ["", table(("recording", "length", "bytes"), rows)]
    return Group(*parts)


def _facts(call: CallRecord) -> Iterator[tuple[str, str | None]]:
    yield "tenant", call.tenant
    yield "direction", call.direction
    yield "calling", _number(call.calling)
    yield "called", _number(call.called)
    yield "answered by", call.answered_by
    yield "trunks", f"{call.ingress_trunk or '—'} → {call.egress_trunk or '—'}"
    yield "started", _when(call.started_at)
    yield "answered", _when(call.answered_at)
    yield "ended", _when(call.ended_at)
    if call.duration is not None:
        yield "duration", f"{_span(call.duration)}, of it talk {_span(call.talk)}"
    sip = "" if call.sip_status is None else f" (SIP {call.sip_status})"
    yield "status", (call.status or "not over") + sip
    yield "consent", call.consent
    yield "degraded", ", ".join(call.degraded) or None


def _trails(call: CallRecord) -> Iterator[tuple[str, str, str, str]]:
    for header, number in call.identity.items():
        name, arrived = header, number.raw or "(empty)"
        for step in number.trail:
            yield name, arrived, step.rule, step.after
            name, arrived = "", ""
        if not number.trail:
            yield name, arrived, number.shape or number.kind, number.value


def _left(call: CallRecord) -> Iterator[tuple[str, str, str, str]]:
    for header, sent in call.egress.items():
        name, value = header, sent.value
        for step in sent.trail:
            yield name, value, step.rule, step.before
            name, value = "", ""
        if not sent.trail:
            yield name, value, "", ""


def _telling(ids: Iterable[str]) -> int:
    """Characters that tell all these ids apart."""
    distinct = set(ids)
    longest = max(map(len, distinct), default=0)
    for length in range(SHOWN_OF_ID, longest):
        if len({each[:length] for each in distinct}) == len(distinct):
            return length
    return longest


def _value(number: Number | None) -> str | None:
    return number.value if number else None


def _number(number: Number | None) -> str | None:
    if number is None:
        return None
    kind = number.shape or number.kind
    return (
        f"{number.value} ({kind})"
        if number.raw == number.value
        else f"{number.value} (came as {number.raw}, {kind})"
    )


def _when(moment: datetime | None) -> str | None:
    return f"{localised(moment):%Y-%m-%d %H:%M:%S %Z}" if moment else None


def _span(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
