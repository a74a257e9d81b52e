"""Brings the database to what a file says: what differs, and only that, in one transaction.

A file may speak of a part of the edge. What it names (a trunk, a tenant's own settings, a subscriber) is set
as it says, keys left out included; what it does not name stays, unless `prune` asks to remove it.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, bindparam

from kemi.directory import rows
from kemi.directory.checks import check
from kemi.directory.document import Document, Route, Tenant
from kemi.directory.nodes import Problem, spell
from kemi.directory.rows import COLUMNS, KEYS, Key, Rows
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
from kemi.directory.yamlfile import DocumentError
from kemi.store import Base

Op: TypeAlias = Literal["add", "change", "remove"]
_K = TypeVar("_K")
_V = TypeVar("_V")


class Change(msgspec.Struct, frozen=True):
    """One difference. `what` is the key in the file; `fields` holds what was and what will be."""

    op: Op
    what: str
    fields: Mapping[str, tuple[Any, Any]] = {}


class _Difference(msgspec.Struct, frozen=True):
    """The same of one table, as rows."""

    added: Rows
    changed: Rows
    removed: Rows


class Plan(msgspec.Struct, frozen=True):
    """What an apply would do to the directory as it is in `revision`."""

    revision: int
    changes: tuple[Change, ...]
    differences: dict[type[Base], _Difference]

    def summary(self) -> str:
        """In words: `4 added, 1 changed`."""
        counted = Counter(change.op for change in self.changes)
        words: tuple[tuple[Op, str], ...] = (("add", "added"), ("change", "changed"), ("remove", "removed"))
        return ", ".join(f"{counted[op]} {word}" for op, word in words if counted[op]) or "no change"


class DirectoryChangedError(Exception):
    """Somebody else applied a file after the plan was made."""


def plan(connection: Connection, wanted: Document, *, prune: bool, file: str) -> Plan:
    """Compare a file with the database. Raises DocumentError where the two together make no sense."""
    return compare(rows.document(connection), rows.revision(connection), wanted, prune=prune, file=file)


def compare(current: Document, revision: int, wanted: Document, *, prune: bool, file: str) -> Plan:
    """As `plan`, with what the database holds already read."""
    target = wanted if prune else merge(current, wanted)
    problems = [
        Problem(None, spell(path), f"{text} (with what is applied already)") for path, text in check(target)
    ]
    if problems:
        raise DocumentError(file, sorted(problems, key=lambda problem: problem.key))
    before, after = rows.rows(current), rows.rows(target)
    differences = {row: _differ(before[row], after[row]) for row in KEYS}
    changes = tuple(
        change for row, difference in differences.items() for change in _changes(row, difference, before[row])
    )
    return Plan(revision, changes, differences)


def apply(
    engine: Engine,
    wanted: Document,
    *,
    who: str,
    file: str,
    prune: bool = False,
    expected: int | None = None,
) -> Plan:
    """Apply a file in one transaction; without a difference nothing is written.

    `expected` is the revision that a plan was shown for: DirectoryChangedError when it is no longer the
    newest. Raises DocumentError as `plan`, and SQLAlchemy's errors; then nothing was applied.
    """
    with engine.begin() as connection:
        made = plan(connection, wanted, prune=prune, file=file)
        if expected is not None and made.revision != expected:
            raise DirectoryChangedError
        if made.changes:
            _write(connection, made.differences)
            entry = {
                "number": made.revision + 1,
                "at": time.time_ns() // 1000,
                "who": who,
                "what": f"{file}: {made.summary()}",
            }
            connection.execute(rows.table_of(RevisionRow).insert(), entry)
    return made


def merge(current: Document, wanted: Document) -> Document:
    """What the database holds, with what the file names set as the file says."""
    return Document(
        trunks=_merged(current.trunks, wanted.trunks),
        routes=tuple(_merged(_numbered(current.routes), _numbered(wanted.routes)).values()),
        media=tuple(_merged(dict.fromkeys(current.media), dict.fromkeys(wanted.media))),
        tenants=_merged(
            current.tenants,
            {
                name: _merged_tenant(current.tenants[name], tenant) if name in current.tenants else tenant
                for name, tenant in wanted.tenants.items()
            },
        ),
    )


def _merged(current: Mapping[_K, _V], wanted: Mapping[_K, _V]) -> dict[_K, _V]:
    """The file's order where it names everything; else the database's, and what is new behind it."""
    return dict(wanted) if current.keys() <= wanted.keys() else {**current, **wanted}


def _numbered(routes: Iterable[Route]) -> dict[tuple[str, int], Route]:
    seen: Counter[str] = Counter()
    numbered = {}
    for route in routes:
        numbered[route.prefix, seen[route.prefix]] = route
        seen[route.prefix] += 1
    return numbered


def _merged_tenant(current: Tenant, wanted: Tenant) -> Tenant:
    sections = ("subscribers", "numbers", *rows.SECTIONS.values())
    merged = {section: {**getattr(current, section), **getattr(wanted, section)} for section in sections}
    return msgspec.structs.replace(wanted, **merged)


def _differ(before: Rows, after: Rows) -> _Difference:
    return _Difference(
        added={key: values for key, values in after.items() if key not in before},
        changed={key: values for key, values in after.items() if key in before and before[key] != values},
        removed={key: values for key, values in before.items() if key not in after},
    )


def _changes(row: type[Base], difference: _Difference, before: Rows) -> Iterable[Change]:
    for key, values in difference.added.items():
        yield Change(
            "add", _name(row, key, values), {name: (None, value) for name, value in values.items() if value}
        )
    for key, values in difference.changed.items():
        old = before[key]
        fields = {name: (old[name], value) for name, value in values.items() if old[name] != value}
        yield Change("change", _name(row, key, values), fields)
    for key, values in difference.removed.items():
        yield Change("remove", _name(row, key, values))


def _name(row: type[Base], key: Key, values: Mapping[str, Any]) -> str:
    """The place of a row in the file."""
    if row is ServiceRow:
        return f"tenants.{key[0]}.{rows.SECTIONS[key[1]]}.{key[2]}"
    if row is SubscriberRow:
        return f"tenants.{key[0]}.subscribers.{key[1]}"
    if row is DidRow:
        return f"tenants.{values['tenant']}.numbers.{key[0]}"
    section = {TrunkRow: "trunks", RouteRow: "routes", MediaServerRow: "media", TenantRow: "tenants"}[row]
    return f"{section}.{key[0]}"


_PARENTS: tuple[type[Base], ...] = (TrunkRow, RouteRow, MediaServerRow, TenantRow)
_CHILDREN: tuple[type[Base], ...] = (SubscriberRow, DidRow, ServiceRow)


def _write(connection: Connection, differences: Mapping[type[Base], _Difference]) -> None:
    """In an order that never breaks a constraint on the way, also where two subscribers swap numbers."""
    for row in _CHILDREN:
        _delete(connection, row, differences[row].removed)
    for row in _PARENTS:
        _update(connection, row, differences[row].changed)
        _insert(connection, row, differences[row].added)
    moving = differences[SubscriberRow].changed
    _update(connection, SubscriberRow, {key: {**values, "msisdn": None} for key, values in moving.items()})
    for row in _CHILDREN:
        _update(connection, row, differences[row].changed)
        _insert(connection, row, differences[row].added)
    for row in _PARENTS:
        _delete(connection, row, differences[row].removed)


def _insert(connection: Connection, row: type[Base], added: Rows) -> None:
    if added:
        connection.execute(rows.table_of(row).insert(), list(added.values()))


def _update(connection: Connection, row: type[Base], changed: Rows) -> None:
    if not changed:
        return
    table, keys = rows.table_of(row), KEYS[row]
    others = [name for name in COLUMNS[row] if name not in keys]
    statement = (
        table.update()
        .where(*(table.c[name] == bindparam(f"key_{name}") for name in keys))
        .values({name: bindparam(f"new_{name}") for name in others})
    )
    parameters = [
        {f"key_{name}": values[name] for name in keys} | {f"new_{name}": values[name] for name in others}
        for values in changed.values()
    ]
    connection.execute(statement, parameters)


def _delete(connection: Connection, row: type[Base], removed: Rows) -> None:
    if not removed:
        return
    table, keys = rows.table_of(row), KEYS[row]
    statement = table.delete().where(*(table.c[name] == bindparam(f"key_{name}") for name in keys))
    connection.execute(
        statement, [dict(zip((f"key_{name}" for name in keys), key, strict=True)) for key in removed]
    )
