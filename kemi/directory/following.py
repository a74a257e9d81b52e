"""The directory of the database as the snapshot takes it: all of a revision, or what changed since another.

Everything is streamed: a million subscribers never are in memory at once.
"""

import functools
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from sqlalchemy import JSON, ColumnElement, Connection, Select, Text, cast, func, select

from kemi.directory import rows, values
from kemi.directory.document import Did as DidEntry
from kemi.directory.document import Document
from kemi.directory.document import Subscriber as SubscriberEntry
from kemi.directory.document import Tenant as TenantEntry
from kemi.directory.edit import NOUNS
from kemi.directory.generation import Changes, Whole
from kemi.directory.snapshot import FIRST_TRUNK_SET, Globals, Head
from kemi.directory.tables import (
    ChangeRow,
    DidRow,
    MediaServerRow,
    RevisionRow,
    RouteRow,
    SubscriberRow,
    TenantRow,
    TrunkRow,
)
from kemi.routing.model import Did, Subscriber, Tenant
from kemi.store import Base

MOST_CHANGES = 200_000
"""With more, a rebuild takes less time and less memory."""

AT_ONCE = 1000
"""Rows read at once."""

_FEW = (TrunkRow, RouteRow, MediaServerRow)

_E = TypeVar("_E", bound=msgspec.Struct)


class Moment(msgspec.Struct, frozen=True):
    """A revision and when it was made; both 0 before the first."""

    revision: int
    at: int


def newest(connection: Connection) -> Moment:
    """The newest revision of the database."""
    query = select(RevisionRow.number, RevisionRow.at).order_by(RevisionRow.number.desc()).limit(1)
    found = connection.execute(query).one_or_none()
    return Moment(0, 0) if found is None else Moment(*found)


def small(connection: Connection) -> Globals:
    """What every call needs."""
    document = _few(connection)
    return Globals(
        trunks=values.trunks(document),
        routes=values.routes(document),
        sets={name: FIRST_TRUNK_SET - 1 + number for name, number in rows.trunk_ids(connection).items()},
        media=tuple(document.media),
        registering=tuple(name for name, trunk in document.trunks.items() if trunk.register),
    )


def _few(connection: Connection) -> Document:
    held: dict[type[Base], rows.Rows] = {row: {} for row in rows.KEYS}
    for row in _FEW:
        found = connection.execute(select(rows.table_of(row))).mappings()
        held[row] = {(number,): _without(one, "id") for number, one in enumerate(found)}
    return rows.document_of(held)


def _without(mapping: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}


# -- all of it -----------------------------------------------------------------------------------------


def whole(connection: Connection) -> Whole:
    """All of the newest revision; to be read within the transaction of the connection."""
    at = newest(connection)
    return Whole(
        revision=at.revision,
        at=at.at,
        small=small(connection),
        tenants=(
            values.tenant(name, entry)
            for (name,), entry in _entries(connection, TenantRow, TenantEntry, "tenant")
        ),
        subscribers=(
            values.subscriber(tenant, extension, entry)
            for (tenant, extension), entry in _entries(
                connection, SubscriberRow, SubscriberEntry, "tenant", "extension"
            )
        ),
        msisdns=_msisdns(connection),
        dids=(
            values.did(number, tenant, entry)
            for (number, tenant), entry in _entries(connection, DidRow, DidEntry, "number", "tenant")
        ),
    )


def _bytewise(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column in the order of its bytes, whatever language the database sorts by."""
    return column.collate("C") if connection.dialect.name == "postgresql" else column


def _entries(
    connection: Connection, row: type[Base], entry: type[_E], *keys: str
) -> Iterator[tuple[tuple[str, ...], _E]]:
    """The rows of a table, its columns `keys` apart, in the order of their bytes."""
    table = rows.table_of(row)
    others = [name for name in rows.COLUMNS[row] if name not in keys]
    documents = [place for place, name in enumerate(others) if isinstance(table.c[name].type, JSON)]
    query: Select[Any] = select(
        *(table.c[name] for name in keys),
        # As text: most rows have the same, which need not be read anew for each.
        *(cast(table.c[name], Text) if at in documents else table.c[name] for at, name in enumerate(others)),
    ).order_by(*(_bytewise(connection, table.c[name]) for name in keys))
    count = len(keys)
    for found in _streamed(connection, query):
        held = list(found[count:])
        for place in documents:
            if held[place] is not None:
                held[place] = _decoded(held[place])
        yield tuple(found[:count]), msgspec.convert(dict(zip(others, held, strict=True)), entry)


_decoded = functools.lru_cache(4096)(msgspec.json.decode)


def _msisdns(connection: Connection) -> Iterator[tuple[str, str, str]]:
    query = (
        select(SubscriberRow.msisdn, SubscriberRow.tenant, SubscriberRow.extension)
        .where(SubscriberRow.msisdn.is_not(None))
        .order_by(_bytewise(connection, rows.table_of(SubscriberRow).c.msisdn))
    )
    yield from _streamed(connection, query)


def _streamed(connection: Connection, query: Any) -> Iterator[Any]:
    return iter(connection.execute(query, execution_options={"yield_per": AT_ONCE}))


# -- what changed --------------------------------------------------------------------------------------


def changes(connection: Connection, since: Head) -> Changes | str:
    """What changed since a snapshot was written; the reason where that cannot be told, or is too much.

    What it gives is to be read within the transaction of the connection.
    """
    now = newest(connection)
    known = select(RevisionRow.at).where(RevisionRow.number == since.revision)
    if since.revision and connection.execute(known).scalar_one_or_none() != since.at:
        return "the database has another history"
    made = ChangeRow.revision > since.revision
    query = select(func.count(ChangeRow.revision.distinct()), func.count()).where(made)
    revisions, count = connection.execute(query).one()
    if revisions != now.revision - since.revision:
        return "the log does not reach back so far"
    if count > MOST_CHANGES:
        return f"{count} changes take longer one by one"
    nouns = [NOUNS[row] for row in _FEW]
    few = connection.execute(select(ChangeRow.revision).where(made, ChangeRow.noun.in_(nouns)).limit(1)).all()
    return Changes(
        revision=now.revision,
        at=now.at,
        small=small(connection) if few else None,
        tenants=_tenants(connection, since.revision),
        subscribers=_subscribers(connection, since.revision),
        dids=_dids(connection, since.revision),
    )


def _logged(
    connection: Connection, row: type[Base], since: int, entry: type[_E]
) -> Iterator[tuple[list[str], dict[str, Any], _E | None]]:
    """The key, all columns and the entry that a row became; None where it was removed."""
    keys = set(rows.COLUMNS[row]) - {field.name for field in msgspec.structs.fields(entry)}
    query = (
        select(ChangeRow.key, ChangeRow.after)
        .where(ChangeRow.revision > since, ChangeRow.noun == NOUNS[row])
        .order_by(ChangeRow.revision, ChangeRow.ordinal)
    )
    for key, after in _streamed(connection, query):
        yield key, after or {}, None if after is None else msgspec.convert(_without(after, *keys), entry)


def _tenants(connection: Connection, since: int) -> Iterator[tuple[str, Tenant | None]]:
    for (name,), _, entry in _logged(connection, TenantRow, since, TenantEntry):
        yield name, None if entry is None else values.tenant(name, entry)


def _subscribers(connection: Connection, since: int) -> Iterator[tuple[str, str, Subscriber | None]]:
    for (tenant, extension), _, entry in _logged(connection, SubscriberRow, since, SubscriberEntry):
        yield tenant, extension, None if entry is None else values.subscriber(tenant, extension, entry)


def _dids(connection: Connection, since: int) -> Iterator[tuple[str, Did | None]]:
    for (number,), after, entry in _logged(connection, DidRow, since, DidEntry):
        yield number, None if entry is None else values.did(number, after["tenant"], entry)
