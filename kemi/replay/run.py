"""The production decision on every INVITE of a file, beside a second directory where two are compared."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from kemi.identity import user_of
from kemi.replay.calls import call_of
from kemi.replay.changes import Change, changes
from kemi.replay.message import Message, UnreadableError, parse
from kemi.replay.raw import Address, Raw
from kemi.replay.sources import Sources
from kemi.routing.decide import decide
from kemi.routing.explain import explain
from kemi.routing.model import Decision, Directory

__all__ = ["By", "Row", "Side", "Tally", "replay"]

By: TypeAlias = Literal["address", "via", "option"]
"""How it was found out who sent a message: its packet's address, its topmost Via, --trunk."""

REMEMBERED = 65536
"""So many INVITEs back a repeated one is known: half a minute of 2,000 calls a second."""


class Side(msgspec.Struct, frozen=True):
    """An edge: its directory, its source table, its own address, and whose the calls of strangers are."""

    directory: Directory
    sources: Sources
    host: str
    trunk: str | None = None

    @property
    def own(self) -> Address:
        """The edge's own address and port."""
        host, _, port = self.host.rpartition(":")
        return host.strip("[]"), int(port) if port.isdecimal() else None


class Row(msgspec.Struct):
    """One INVITE. `source` None: nobody the edge knows. `error`: why it could not be read, or decided on.

    `calling` and `called` are From and Request-URI as they came. `decision` is the first leg's; `legs` are
    those of `explain`, where they were asked for. `changes` is what differs on the other side.
    """

    n: int
    raw: Raw
    sip_call_id: str | None = None
    source: str | None = None
    by: By | None = None
    error: str | None = None
    calling: str = ""
    called: str = ""
    decision: Decision | None = None
    legs: list[dict[str, Any]] = []
    changes: tuple[Change, ...] = ()

    @property
    def at(self) -> datetime | None:
        """When it came; without a zone where the file names none."""
        return self.raw.at


class Tally(msgspec.Struct):
    """What there was in a file: rows by what became of them, and messages that are no rows."""

    invites: int = 0
    changed: int = 0
    unknown: int = 0
    unreadable: int = 0
    repeated: int = 0
    outgoing: int = 0
    within_dialog: int = 0


class _Origin(msgspec.Struct, frozen=True):
    source: str | None
    by: By | None
    outgoing: bool = False


def replay(
    raws: Iterable[Raw], side: Side, before: Side | None, tally: Tally, *, legs: bool
) -> Iterator[Row]:
    """Decide on each INVITE that came to the edge. `legs`: follow each call as `explain` does.

    With `before` every row says what changes from there to `side`.
    """
    known: OrderedDict[int, None] = OrderedDict()
    for raw in raws:
        message, error = _read(raw)
        if message is not None and message.within_dialog:
            tally.within_dialog += 1
            continue
        origin = _origin(raw, message, side)
        was = origin if before is None else _origin(raw, message, before)
        if origin.outgoing and was.outgoing:
            tally.outgoing += 1
            continue
        key = _key(raw, message)
        if key is not None and key in known:
            known.move_to_end(key)
            tally.repeated += 1
            continue
        if key is not None:
            known[key] = None
            if len(known) > REMEMBERED:
                known.popitem(last=False)
        tally.invites += 1
        row = Row(tally.invites, raw, error=error, source=origin.source, by=origin.by)
        if message is not None:
            row.sip_call_id = message.first("call-id")
            row.calling, row.called = user_of(message.first("from") or ""), user_of(message.ruri)
            _decide(row, message, side, legs=legs or before is not None)
            if before is not None:
                earlier = Row(row.n, raw, source=was.source, by=was.by)
                _decide(earlier, message, before, legs=True)
                row.changes = changes(_outcome(earlier), _outcome(row))
        _count(row, tally)
        yield row


def _read(raw: Raw) -> tuple[Message | None, str | None]:
    if raw.cut is not None:
        return None, raw.cut
    try:
        return parse(raw.data), None
    except UnreadableError as error:
        return None, str(error)


def _origin(raw: Raw, message: Message | None, side: Side) -> _Origin:
    own = side.own
    via = None if message is None else message.via
    sent_by = None if via is None else (via.host, via.port)
    sender = raw.source or (sent_by if raw.target is None else None)
    # What left the edge, unless this very port is a trunk's.
    if sender is not None and (sender[0], sender[1] or 5060) == own and side.sources.exactly(sender) is None:
        return _Origin(None, None, outgoing=True)
    if raw.source is not None:
        source = side.sources.of(raw.source)
        if source is not None:
            return _Origin(source, "address")
    if raw.target is not None and raw.target != own and side.sources.takes(raw.target):
        return _Origin(None, None, outgoing=True)
    source = None if sent_by is None else side.sources.of(sent_by)
    if source is not None:
        return _Origin(source, "via")
    return _Origin(side.trunk, None if side.trunk is None else "option")


def _key(raw: Raw, message: Message | None) -> int | None:
    """What an INVITE and the same one sent again have in common (RFC 3261 section 17.2.3)."""
    if message is None:
        return hash(raw.data)
    call_id = message.first("call-id")
    if not call_id:
        return None
    via = message.via
    sequence = " ".join((message.first("cseq") or "").split())
    # A hash, because what stands in these headers can be long.
    return hash((call_id, sequence, via.branch if via is not None and via.branch else message.first("via")))


def _decide(row: Row, message: Message, side: Side, *, legs: bool) -> None:
    if row.source is None:
        return
    try:
        call = call_of(message, row.source, side.directory)
        row.decision = decide(call, side.directory, side.host)
        if legs:
            row.legs = explain(call, side.directory, side.host)["legs"]
    except Exception as error:  # noqa: BLE001  the edge answers 500 to this one and lives on
        row.error = f"the decision failed: {error!r}"


def _outcome(row: Row) -> dict[str, Any]:
    return {"source": row.source, "error": row.error, "legs": row.legs}


def _count(row: Row, tally: Tally) -> None:
    tally.changed += bool(row.changes)
    if row.decision is not None:
        numbers = (row.decision.calling, row.decision.called)
        tally.unknown += any(number.kind == "unknown" for number in numbers)
    elif row.error is not None:
        tally.unreadable += 1
    else:
        tally.unknown += 1
