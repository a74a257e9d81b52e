"""Call records in SQL: events in, in one transaction of the caller's; records out.

Everything written here is idempotent: the same events again leave the same rows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import cast

import msgspec
from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from kemi.calls import rows, tables
from kemi.calls.events import Event, Media
from kemi.calls.legs import Facts
from kemi.calls.record import Recording, moment, owed, record

PATIENCE = timedelta(seconds=10)
"""How long after a call's end its media server may take to leave what it owes."""

CALLS = cast("Table", tables.Call.__table__)
LEGS = cast("Table", tables.Leg.__table__)
MEDIA_FACTS = cast("Table", tables.MediaFact.__table__)
RECORDINGS = cast("Table", tables.Recording.__table__)


class Found(msgspec.Struct, frozen=True):
    """A recording found on a node, and the call it is of."""

    call: str
    node: str
    recording: Recording


class Due(msgspec.Struct, frozen=True):
    """A call to look once more for; `named` are the recordings its media server said it made."""

    id: str
    since: datetime
    until: datetime
    named: tuple[str, ...]


def update(
    connection: Connection,
    events: Sequence[Event],
    found: Sequence[Found] = (),
    overdue: Collection[str] = (),
) -> None:
    """Add events and recordings to what is known, and bring the records of their calls up to date.

    `overdue` names calls whose media server will not leave anything any more.
    """
    _claim(connection, events)
    touched = {event.call for event in events} | {one.call for one in found} | set(overdue)
    was_overdue = _lock(connection, touched)
    facts = _facts(connection, was_overdue)
    recordings = _recordings(connection, was_overdue)
    for event in events:
        facts[event.call].add((event,))
    for one in found:
        recordings[one.call][one.recording.path] = one.recording
    said = {(event.call, event.leg, isinstance(event, Media)) for event in events}
    _put(
        connection,
        LEGS,
        [rows.from_leg(call, leg, facts[call].legs[leg]) for call, leg, of_media in said if not of_media],
    )
    _put(
        connection,
        MEDIA_FACTS,
        [rows.from_media(facts[call].media[leg]) for call, leg, of_media in said if of_media],
    )
    _put(
        connection,
        RECORDINGS,
        [
            {"call": one.call, "node": one.node, **msgspec.structs.asdict(one.recording)}
            for one in found
            if one.call in was_overdue
        ],
    )
    _put(
        connection,
        CALLS,
        [
            _call_row(call, facts[call], tuple(recordings[call].values()), overdue=was or call in overdue)
            for call, was in was_overdue.items()
        ],
    )


def due(connection: Connection, node: str, now: datetime, limit: int) -> list[Due]:
    """Give calls of `node` whose media server had time enough to leave what it owes."""
    calls = CALLS.c
    on_node = select(LEGS.c.call).where(LEGS.c.node == node)
    found = connection.execute(
        select(calls.id, calls.started_at, calls.ended_at)
        .where(calls.check_at <= now, calls.id.in_(on_node))
        .order_by(calls.check_at)
        .limit(limit)
    ).all()
    facts = MEDIA_FACTS.c
    named: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for call, path in connection.execute(
        select(facts.call, facts.recording).where(
            facts.call.in_([row.id for row in found]), facts.recording.is_not(None)
        )
    ):
        named[call] += (path,)
    return [Due(row.id, row.started_at, row.ended_at, named[row.id]) for row in found]


def _claim(connection: Connection, events: Iterable[Event]) -> None:
    """Make a row for each call not seen yet, so that there is something to lock."""
    first: dict[str, int] = {}
    for event in events:
        first[event.call] = min(event.at, first.get(event.call, event.at))
    if first:
        connection.execute(
            _insert(connection, CALLS).on_conflict_do_nothing(),
            # In order, here and below: two nodes that lock in different orders would wait for each other.
            [
                {
                    "id": call,
                    "direction": "unknown",
                    "started_at": moment(first[call]),
                    "degraded": (),
                    "identity": {},
                    "egress": {},
                    "overdue": False,
                }
                for call in sorted(first)
            ],
        )


def _lock(connection: Connection, calls: Iterable[str]) -> dict[str, bool]:
    """Lock the calls against other nodes; give those that exist, with their `overdue`."""
    chosen = (
        select(CALLS.c.id, CALLS.c.overdue)
        .where(CALLS.c.id.in_(sorted(calls)))
        .order_by(CALLS.c.id)
        .with_for_update()
    )
    return dict(connection.execute(chosen).all())


def _facts(connection: Connection, calls: Collection[str]) -> dict[str, Facts]:
    known: dict[str, Facts] = defaultdict(Facts)
    for row in connection.execute(select(LEGS).where(LEGS.c.call.in_(calls))).mappings():
        known[row["call"]].legs[row["leg"]] = rows.to_leg(dict(row))
    for row in connection.execute(select(MEDIA_FACTS).where(MEDIA_FACTS.c.call.in_(calls))).mappings():
        known[row["call"]].media[row["leg"]] = rows.to_media(dict(row))
    return known


def _recordings(connection: Connection, calls: Collection[str]) -> dict[str, dict[str, Recording]]:
    known: dict[str, dict[str, Recording]] = defaultdict(dict)
    columns = RECORDINGS.c
    for call, path, seconds, size in connection.execute(
        select(columns.call, columns.path, columns.seconds, columns.bytes).where(columns.call.in_(calls))
    ):
        known[call][path] = Recording(path=path, seconds=seconds, bytes=size)
    return known


def _call_row(call: str, facts: Facts, recordings: tuple[Recording, ...], *, overdue: bool) -> rows.Row:
    made = record(call, facts, recordings, overdue=overdue)
    waits = made.ended_at is not None and not overdue and bool(owed(facts, recordings))
    return {
        **rows.from_record(made),
        "check_at": made.ended_at + PATIENCE if made.ended_at and waits else None,
        "overdue": overdue,
    }


def _insert(connection: Connection, table: Table) -> sqlite.Insert:
    """An INSERT that takes ON CONFLICT; both dialects spell it in the same way."""
    if connection.dialect.name == "postgresql":
        return cast("sqlite.Insert", postgresql.insert(table))
    return sqlite.insert(table)


def _put(connection: Connection, table: Table, values: list[rows.Row]) -> None:
    """Insert rows, or overwrite those that stand under the same key."""
    if not values:
        return
    insert = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    changed = {name: insert.excluded[name] for name in values[0] if name not in keys}
    values.sort(key=lambda row: [row[key] for key in keys])
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed), values)
