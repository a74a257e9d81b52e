"""A Document as rows of the tables, and back."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from kemi.directory.document import Document, Trunk
from kemi.directory.tables import (
    DidRow,
    MediaServerRow,
    RevisionRow,
    RouteRow,
    ServiceRow,
    SubscriberRow,
    TenantRow,
    TrunkRow,
)
from kemi.store import Base

Key: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = dict[Key, dict[str, Any]]
"""Rows of one table by their key columns, each with all its columns."""

KEYS: Mapping[type[Base], tuple[str, ...]] = {
    TrunkRow: ("name",),
    RouteRow: ("prefix", "ordinal"),
    MediaServerRow: ("uri",),
    TenantRow: ("tenant",),
    SubscriberRow: ("tenant", "extension"),
    DidRow: ("number",),
    ServiceRow: ("tenant", "kind", "name"),
}
"""The tables of a Document, those that others refer to first, and what names a row in each."""

SECTIONS = {"ivr": "ivrs", "queue": "queues", "schedule": "schedules", "destination": "destinations"}


def revision(connection: Connection) -> int:
    """The number of the last apply; 0 before the first."""
    return connection.execute(select(func.coalesce(func.max(RevisionRow.number), 0))).scalar_one()


def table_of(row: type[Base]) -> Table:
    """The table of a mapped class."""
    table = row.__table__
    assert isinstance(table, Table)  # noqa: S101  a mapped class has nothing else
    return table


def _columns(row: type[Base]) -> tuple[str, ...]:
    # A trunk's id is the database's own.
    return tuple(column.name for column in table_of(row).columns if column.name != "id")


COLUMNS = {row: _columns(row) for row in KEYS}


def rows(document: Document) -> dict[type[Base], Rows]:
    """Every row that holds a part of the Document."""
    made: dict[type[Base], Rows] = {}
    for row, keys in KEYS.items():
        made[row] = {tuple(values[key] for key in keys): values for values in _MAKERS[row](document)}
    return made


def _plain(entry: msgspec.Struct, *without: str) -> dict[str, Any]:
    return {
        name: value if value is None or isinstance(value, str | int) else msgspec.to_builtins(value)
        for name in entry.__struct_fields__
        if name not in without
        for value in (getattr(entry, name),)
    }


def _trunks(document: Document) -> Iterator[dict[str, Any]]:
    for position, (name, entry) in enumerate(document.trunks.items()):
        yield {"name": name, "position": position, **_plain(entry)}


def _routes(document: Document) -> Iterator[dict[str, Any]]:
    ordinals: dict[str, int] = defaultdict(int)
    for position, entry in enumerate(document.routes):
        yield {"ordinal": ordinals[entry.prefix], "position": position, **_plain(entry)}
        ordinals[entry.prefix] += 1


def _media(document: Document) -> Iterator[dict[str, Any]]:
    for position, uri in enumerate(document.media):
        yield {"uri": uri, "position": position}


def _tenants(document: Document) -> Iterator[dict[str, Any]]:
    for tenant, entry in document.tenants.items():
        yield {"tenant": tenant, **_plain(entry, "subscribers", "numbers", *SECTIONS.values())}


def _subscribers(document: Document) -> Iterator[dict[str, Any]]:
    for tenant, entry in document.tenants.items():
        for extension, subscriber in entry.subscribers.items():
            yield {"tenant": tenant, "extension": extension, **_plain(subscriber)}


def _dids(document: Document) -> Iterator[dict[str, Any]]:
    for tenant, entry in document.tenants.items():
        for number, did in entry.numbers.items():
            yield {"number": number, "tenant": tenant, **_plain(did)}


def _services(document: Document) -> Iterator[dict[str, Any]]:
    for tenant, entry in document.tenants.items():
        for kind, section in SECTIONS.items():
            for name, service in getattr(entry, section).items():
                yield {"tenant": tenant, "kind": kind, "name": name, "body": msgspec.to_builtins(service)}


_MAKERS = {
    TrunkRow: _trunks,
    RouteRow: _routes,
    MediaServerRow: _media,
    TenantRow: _tenants,
    SubscriberRow: _subscribers,
    DidRow: _dids,
    ServiceRow: _services,
}


def document(connection: Connection) -> Document:
    """Everything the database holds."""
    return _document(lambda row, *order: _read(connection, row, *order))


def held(connection: Connection) -> dict[type[Base], Rows]:
    """Every row of the database."""
    return {
        row: {tuple(values[key] for key in keys): values for values in _read(connection, row)}
        for row, keys in KEYS.items()
    }


def document_of(made: Mapping[type[Base], Rows]) -> Document:
    """The Document that rows hold. Raises msgspec.ValidationError where they hold none."""
    return _document(
        lambda row, *order: (
            dict(values)
            for values in sorted(made[row].values(), key=lambda values: [values[name] for name in order])
        )
    )


def _document(read: Callable[..., Iterator[dict[str, Any]]]) -> Document:
    """`read` gives the rows of a table in the order of the columns named, as mappings of our own."""
    tenants = {}
    for values in read(TenantRow, "tenant"):
        tenants[values.pop("tenant")] = values | {
            section: {} for section in ("subscribers", "numbers", *SECTIONS.values())
        }
    for values in read(SubscriberRow, "tenant", "extension"):
        tenants[values.pop("tenant")]["subscribers"][values.pop("extension")] = values
    for values in read(DidRow, "number"):
        tenants[values.pop("tenant")]["numbers"][values.pop("number")] = values
    for values in read(ServiceRow, "tenant", "kind", "name"):
        tenants[values["tenant"]][SECTIONS[values["kind"]]][values["name"]] = values["body"]
    trunks = {}
    for values in read(TrunkRow, "position"):
        del values["position"]
        trunks[values.pop("name")] = values
    routes = [
        {"prefix": values["prefix"], "trunks": values["trunks"]} for values in read(RouteRow, "position")
    ]
    media = [values["uri"] for values in read(MediaServerRow, "position")]
    whole = {"trunks": trunks, "routes": routes, "media": media, "tenants": tenants}
    return msgspec.convert(whole, Document)


def trunk(connection: Connection, name: str) -> Trunk | None:
    """One trunk; None where there is none of this name."""
    table = table_of(TrunkRow)
    columns = (table.c[column] for column in COLUMNS[TrunkRow] if column not in ("name", "position"))
    found = connection.execute(select(*columns).where(table.c.name == name)).mappings().one_or_none()
    return None if found is None else msgspec.convert(dict(found), Trunk)


def some(
    connection: Connection, row: type[Base], *where: ColumnElement[bool], limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of a table that fit, in the order of its keys, each with all its columns."""
    table = table_of(row)
    query: Select[Any] = select(*(table.c[name] for name in COLUMNS[row])).where(*where).limit(limit)
    for found in connection.execute(query.order_by(*(table.c[name] for name in KEYS[row]))):
        yield dict(found._mapping)  # noqa: SLF001  public in spite of its name


def _read(connection: Connection, row: type[Base], *order: str) -> Iterator[dict[str, Any]]:
    table = table_of(row)
    query: Select[Any] = select(*(table.c[name] for name in COLUMNS[row]))
    for found in connection.execute(query.order_by(*(table.c[name] for name in order))):
        yield dict(found._mapping)  # noqa: SLF001  public in spite of its name


def trunk_ids(connection: Connection) -> dict[str, int]:
    """The number of each trunk, which no other trunk ever gets."""
    found = connection.execute(select(TrunkRow.name, TrunkRow.id))
    return dict(found.all())
