"""Call records read back from SQL, newest first."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, RowMapping, Select, or_, select

from kemi.calls import rows
from kemi.calls.record import CallRecord, Recording, Status
from kemi.calls.store import CALLS, RECORDINGS
from kemi.routing.model import Direction


class Wanted(msgspec.Struct, frozen=True):
    """Which calls; None is any. `numbers` are readings of one number: it called, was called or answered."""

    tenant: str | None = None
    numbers: Collection[str] | None = None
    direction: Direction | None = None
    status: Status | None = None
    since: datetime | None = None


def newest(connection: Connection, wanted: Wanted, limit: int) -> list[CallRecord]:
    """Give the records of at most `limit` calls, the latest first."""
    calls = CALLS.c
    chosen: Select[tuple[object, ...]] = select(CALLS)
    if wanted.tenant is not None:
        chosen = chosen.where(calls.tenant == wanted.tenant)
    if wanted.numbers is not None:
        columns = (calls.calling_number, calls.called_number, calls.answered_by)
        chosen = chosen.where(or_(*(column.in_(wanted.numbers) for column in columns)))
    if wanted.direction is not None:
        chosen = chosen.where(calls.direction == wanted.direction)
    if wanted.status is not None:
        chosen = chosen.where(calls.status == wanted.status)
    if wanted.since is not None:
        chosen = chosen.where(calls.started_at >= wanted.since)
    chosen = chosen.order_by(calls.started_at.desc(), calls.id.desc()).limit(limit)
    return _records(connection, connection.execute(chosen).mappings().all())


def beginning_with(connection: Connection, prefix: str, limit: int) -> list[CallRecord]:
    """Give at most `limit` calls whose id is `prefix` or begins with it."""
    chosen = select(CALLS).where(CALLS.c.id.startswith(prefix, autoescape=True))
    chosen = chosen.order_by(CALLS.c.id).limit(limit)
    return _records(connection, connection.execute(chosen).mappings().all())


def _records(connection: Connection, found: Sequence[RowMapping]) -> list[CallRecord]:
    recordings: dict[str, list[Recording]] = defaultdict(list)
    columns = RECORDINGS.c
    for call, path, seconds, size in connection.execute(
        select(columns.call, columns.path, columns.seconds, columns.bytes)
        .where(columns.call.in_([row["id"] for row in found]))
        .order_by(columns.call, columns.path)
    ):
        recordings[call].append(Recording(path, seconds, size))
    return [rows.to_record(dict(row), tuple(recordings[row["id"]])) for row in found]
