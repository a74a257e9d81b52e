"""Lists of what the directory holds: a page at a time, by what a person remembers of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from sqlite3 import Connection as SqliteConnection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, or_, select, tuple_

from kemi.directory import nouns, rows
from kemi.directory.assignments import inside, value_node
from kemi.directory.kinds import StructKind, TextKind, WholeKind, YesNoKind
from kemi.directory.nodes import Problem, Reader
from kemi.directory.nouns import Names, Noun
from kemi.directory.rows import KEYS
from kemi.directory.tables import (
    DidRow,
    MediaServerRow,
    RouteRow,
    ServiceRow,
    SubscriberRow,
    TenantRow,
    TrunkRow,
)
from kemi.directory.yamlfile import DocumentError
from kemi.store import Base

_SEARCHED: Mapping[type[Base], Sequence[str]] = {
    TrunkRow: ("name",),
    RouteRow: ("prefix",),
    MediaServerRow: ("uri",),
    TenantRow: ("tenant", "name"),
    SubscriberRow: ("extension", "name", "msisdn"),
    DidRow: ("number", "to"),
    ServiceRow: ("name",),
}
"""Names and numbers that a text is looked for in."""

_KINDS = {"ivrs": "ivr", "queues": "queue", "schedules": "schedule", "destinations": "destination"}


class Wanted(msgspec.Struct, frozen=True):
    """Which of them: of a tenant, with a text in a name or number, with these values of keys."""

    tenant: str | None = None
    search: str | None = None
    filters: tuple[str, ...] = ()
    after: str | None = None
    limit: int = 50


class Page(msgspec.Struct, frozen=True):
    """Some of them, each by its names; `after`: where the next page begins, None behind the last."""

    found: tuple[tuple[Names, Any], ...]
    after: str | None


def page(connection: Connection, noun: Noun, wanted: Wanted) -> Page:
    """One page, in the order of their names. Raises DocumentError where a filter says nothing."""
    table = rows.table_of(noun.row)
    keys = _keys(noun)
    where: list[ColumnElement[bool]] = list(_filters(noun, wanted.filters))
    if noun.section in _KINDS:
        where.append(table.c.kind == _KINDS[noun.section])
    if wanted.tenant is not None:
        where.append(table.c.tenant == wanted.tenant)
    if wanted.search:
        where.append(_searching(connection, noun.row, wanted.search))
    if wanted.after is not None:
        where.append(_behind(noun, wanted.tenant, wanted.after))
    order = [table.c[name] for name in keys]
    query = select(*(table.c[name] for name in rows.COLUMNS[noun.row])).where(*where)
    found = [
        dict(row) for row in connection.execute(query.order_by(*order).limit(wanted.limit + 1)).mappings()
    ]
    some = found[: wanted.limit]
    entries = tuple((_names(noun, values), _entry(noun, values)) for values in some)
    return Page(entries, _token(noun, some[-1]) if len(found) > wanted.limit else None)


def _keys(noun: Noun) -> tuple[str, ...]:
    """The columns in whose order they are listed."""
    if noun.section in _KINDS:
        return ("tenant", "name")
    return KEYS[noun.row]


def _place(noun: Noun, values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(values[name]) for name in _keys(noun))


def _token(noun: Noun, values: Mapping[str, Any]) -> str:
    return "/".join(_names(noun, values) if noun is nouns.ROUTE else _place(noun, values))


def _names(noun: Noun, values: Mapping[str, Any]) -> Names:
    if noun is nouns.NUMBER:
        return (values["tenant"], values["number"])
    if noun is nouns.ROUTE:
        return (f"{values['prefix']}/{values['ordinal'] + 1}" if values["ordinal"] else values["prefix"],)
    return _place(noun, values)


def _entry(noun: Noun, values: dict[str, Any]) -> Any:
    """One row as an entry of the Document; rows of tenants below an empty one."""
    if noun is nouns.MEDIA:
        return values["uri"]
    made: dict[type[Base], rows.Rows] = {row: {} for row in KEYS}
    if noun is nouns.ROUTE:
        values = {**values, "ordinal": 0}
    made[noun.row] = {tuple(values[name] for name in KEYS[noun.row]): values}
    if noun.inner:
        empty = {"tenant": values["tenant"]}
        made[TenantRow] = {(values["tenant"],): empty}
    names = (values["prefix"],) if noun is nouns.ROUTE else _names(noun, values)
    return noun.entry(rows.document_of(made), names)


def _behind(noun: Noun, tenant: str | None, after: str) -> ColumnElement[bool]:
    table = rows.table_of(noun.row)
    keys = _keys(noun)
    values: list[Any] = after.split("/", len(keys) - 1) if len(keys) > 1 else [after]
    if noun is nouns.ROUTE:
        prefix, _, number = after.partition("/")
        values = [prefix, int(number) - 1 if number.isdecimal() else 0]
    if len(values) < len(keys) and tenant is not None:
        values = [tenant, *values]
    if len(values) < len(keys):
        example = f"company/{noun.example}"
        raise DocumentError("", [Problem(None, "--after", f'"{after}" is no place; write it like {example}')])
    return tuple_(*(table.c[name] for name in keys)) > tuple_(*values)


def _filters(noun: Noun, given: Iterable[str]) -> Iterable[ColumnElement[bool]]:
    """`KEY=VALUE`: those whose key has this value; without VALUE those that have none."""
    kind = noun.kind
    table = rows.table_of(noun.row)
    fields = kind.fields if isinstance(kind, StructKind) and noun.section not in _KINDS else {}
    able = [name for name, field in fields.items() if isinstance(field, TextKind | WholeKind | YesNoKind)]
    problems: list[Problem] = []
    made: list[ColumnElement[bool]] = []
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in able:
            known = f"use {', '.join(able)}" if able else "use --search"
            problems.append(Problem(None, key, f"cannot be asked for; {known}, like KEY=VALUE"))
        elif not value:
            made.append(or_(table.c[key].is_(None), table.c[key] == ""))
        else:
            reader = Reader()
            field = inside(kind, key)
            read = None if field is None else reader.read_as(value_node(value, field), field, (key,))
            problems += [Problem(None, each.key, each.text) for each in reader.problems]
            made.append(table.c[key] == read)
    if problems:
        raise DocumentError("", problems)
    return made


def _searching(connection: Connection, row: type[Base], text: str) -> ColumnElement[bool]:
    table = rows.table_of(row)
    lower: Callable[..., Any] = func.lower
    if connection.dialect.name == "sqlite" and not text.isascii():
        # SQLite's own lower() knows no letters but those of ASCII.
        own = connection.connection.dbapi_connection
        assert isinstance(own, SqliteConnection)  # noqa: S101  the only driver of SQLite in use
        own.create_function("fmc_lower", 1, _lower, deterministic=True)
        lower = func.fmc_lower
    columns = (table.c[name] for name in _SEARCHED[row])
    return or_(*(lower(column).contains(text.lower(), autoescape=True) for column in columns))


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
