"""Changes of the directory: every one is written with what was before, in one transaction, as one revision.

The log of revisions is what nodes follow, what `fmcctl history` shows and what a rollback undoes.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, bindparam, select, text

from kemi.directory import rows
from kemi.directory.rows import COLUMNS, KEYS, Key
from kemi.directory.tables import (
    ChangeRow,
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

Op: TypeAlias = Literal["add", "change", "remove"]
Values: TypeAlias = Mapping[str, Any]

CHANNEL = "fmc_directory"
"""PostgreSQL's NOTIFY channel: its payload is the number of the new revision."""

NOUNS: Mapping[type[Base], str] = {
    TrunkRow: "trunk",
    RouteRow: "route",
    MediaServerRow: "media",
    TenantRow: "tenant",
    SubscriberRow: "subscriber",
    DidRow: "number",
    ServiceRow: "service",
}
"""The tables of the directory as the log names them."""

ROWS = {noun: row for row, noun in NOUNS.items()}


class DirectoryChangedError(Exception):
    """The directory is no longer at the revision that a change was made for."""


class Edit(msgspec.Struct, frozen=True):
    """One row that changes: all its columns before (None: it is new) and after (None: it is removed)."""

    row: type[Base]
    key: Key
    before: Values | None
    after: Values | None

    @property
    def op(self) -> Op:
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "change"

    @property
    def place(self) -> str:
        """The place of the row in the file."""
        if self.row is ServiceRow:
            return f"tenants.{self.key[0]}.{rows.SECTIONS[self.key[1]]}.{self.key[2]}"
        if self.row is SubscriberRow:
            return f"tenants.{self.key[0]}.subscribers.{self.key[1]}"
        if self.row is DidRow:
            values = self.after or self.before or {}
            return f"tenants.{values['tenant']}.numbers.{self.key[0]}"
        section = {TrunkRow: "trunks", RouteRow: "routes", MediaServerRow: "media", TenantRow: "tenants"}
        return f"{section[self.row]}.{self.key[0]}"

    @property
    def fields(self) -> dict[str, tuple[Any, Any]]:
        """What was and what will be, of the columns that differ; of a new row those that hold something.

        Of an IVR, queue, schedule or destination: of the keys that the file has.
        """
        if self.after is None:
            return {}
        before, after = self.before, self.after
        if self.row is ServiceRow:
            before, after = before and before["body"], after["body"]
        if before is None:
            return {name: (None, value) for name, value in after.items() if value}
        names = [*after, *(name for name in before if name not in after)]
        return {
            name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
        }


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that changes the directory. One at a time: another one waits here until it is over."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"LOCK TABLE {RevisionRow.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
        yield connection


def commit(
    connection: Connection,
    edits: Collection[Edit],
    *,
    who: str,
    what: str,
    expected: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write changes as a new revision, inside `writing`; gives its number. Without edits nothing is written.

    `expected` is the revision the edits were made for: DirectoryChangedError when it is no longer the
    newest. `progress` is told how many rows have been written. What breaks a constraint raises SQLAlchemy's
    IntegrityError; then nothing of the transaction may stay. The edits are gone through several times and
    never copied, so that a million of them may be made as they are needed.
    """
    revision = rows.revision(connection)
    if expected is not None and revision != expected:
        raise DirectoryChangedError
    if not edits:
        return revision
    _write(connection, edits, progress)
    entry = {"number": revision + 1, "at": time.time_ns() // 1000, "who": who, "what": what}
    connection.execute(rows.table_of(RevisionRow).insert(), entry)
    _log(connection, revision + 1, edits)
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_notify(:channel, :revision)"),
            {"channel": CHANNEL, "revision": str(revision + 1)},
        )
    return revision + 1


class Entry(msgspec.Struct, frozen=True):
    """One revision of the log. `at` is microseconds since the epoch, UTC."""

    revision: int
    at: int
    who: str
    what: str


def history(connection: Connection, limit: int, before: int | None = None) -> list[Entry]:
    """The newest revisions, newest first; `before` a revision those that are older."""
    query = select(RevisionRow.number, RevisionRow.at, RevisionRow.who, RevisionRow.what)
    if before is not None:
        query = query.where(RevisionRow.number < before)
    found = connection.execute(query.order_by(RevisionRow.number.desc()).limit(limit))
    return [Entry(*row) for row in found]


def changes_of(connection: Connection, revision: int) -> list[Edit]:
    """What a revision changed, in the order it was written."""
    query = select(ChangeRow.noun, ChangeRow.key, ChangeRow.before, ChangeRow.after)
    found = connection.execute(query.where(ChangeRow.revision == revision).order_by(ChangeRow.ordinal))
    return [Edit(ROWS[noun], tuple(key), before, after) for noun, key, before, after in found]


def changes_since(connection: Connection, revision: int) -> Iterator[Edit]:
    """What changed after a revision, each row once: as it was then, and as it is now.

    Rows that are again as they were are left out.
    """
    query = select(ChangeRow.noun, ChangeRow.key, ChangeRow.before, ChangeRow.after)
    query = query.where(ChangeRow.revision > revision).order_by(ChangeRow.revision, ChangeRow.ordinal)
    first: dict[tuple[str, Key], Values | None] = {}
    last: dict[tuple[str, Key], Values | None] = {}
    for noun, key, before, after in connection.execute(query, execution_options={"yield_per": 1000}):
        first.setdefault((noun, tuple(key)), before)
        last[noun, tuple(key)] = after
    for (noun, key), before in first.items():
        if before != last[noun, key]:
            yield Edit(ROWS[noun], key, before, last[noun, key])


def undoing(connection: Connection, revision: int) -> list[Edit]:
    """The edits that bring the directory back to what it was at a revision."""
    return [Edit(one.row, one.key, one.after, one.before) for one in changes_since(connection, revision)]


_PARENTS: tuple[type[Base], ...] = (TrunkRow, RouteRow, MediaServerRow, TenantRow)
_CHILDREN: tuple[type[Base], ...] = (SubscriberRow, DidRow, ServiceRow)
_BATCH = 5000


_T = TypeVar("_T")


def _batches(things: Iterable[_T]) -> Iterator[list[_T]]:
    of = iter(things)
    while batch := list(islice(of, _BATCH)):
        yield batch


class _Writer:
    """Writes rows in batches and tells how many."""

    def __init__(self, connection: Connection, progress: Callable[[int], None]) -> None:
        self._connection = connection
        self._progress = progress

    def many(self, statement: Any, parameters: Iterable[Mapping[str, Any]]) -> None:
        for batch in _batches(parameters):
            self._connection.execute(statement, batch)
            self._progress(len(batch))

    def insert(self, row: type[Base], edits: Iterable[Edit]) -> None:
        self.many(rows.table_of(row).insert(), (one.after for one in edits if one.after is not None))

    def update(self, row: type[Base], edits: Iterable[Edit], **instead: Any) -> None:
        table, keys = rows.table_of(row), KEYS[row]
        others = [name for name in COLUMNS[row] if name not in keys]
        statement = (
            table.update()
            .where(*(table.c[name] == bindparam(f"key_{name}") for name in keys))
            .values({name: bindparam(f"new_{name}") for name in others})
        )
        changed = ({**one.after, **instead} for one in edits if one.after is not None)
        parameters = (
            {f"key_{name}": values[name] for name in keys} | {f"new_{name}": values[name] for name in others}
            for values in changed
        )
        self.many(statement, parameters)

    def delete(self, row: type[Base], edits: Iterable[Edit]) -> None:
        table, keys = rows.table_of(row), KEYS[row]
        statement = table.delete().where(*(table.c[name] == bindparam(f"key_{name}") for name in keys))
        names = [f"key_{name}" for name in keys]
        self.many(statement, (dict(zip(names, one.key, strict=True)) for one in edits))


def _write(connection: Connection, edits: Collection[Edit], progress: Callable[[int], None]) -> None:
    """In an order that never breaks a constraint on the way, also where two subscribers swap numbers."""
    there = {(one.row, one.op) for one in edits}

    def of(row: type[Base], op: Op) -> Iterable[Edit]:
        return (one for one in edits if one.row is row and one.op == op) if (row, op) in there else ()

    writer = _Writer(connection, progress)
    for row in _CHILDREN:
        writer.delete(row, of(row, "remove"))
    for row in _PARENTS:
        writer.update(row, of(row, "change"))
        writer.insert(row, of(row, "add"))
    moving = (one for one in of(SubscriberRow, "change") if "msisdn" in one.fields)
    writer.update(SubscriberRow, moving, msisdn=None)
    for row in _CHILDREN:
        writer.update(row, of(row, "change"))
        writer.insert(row, of(row, "add"))
    for row in _PARENTS:
        writer.delete(row, of(row, "remove"))


def _log(connection: Connection, revision: int, edits: Iterable[Edit]) -> None:
    statement = rows.table_of(ChangeRow).insert()
    for batch in _batches(enumerate(edits)):
        connection.execute(
            statement,
            [
                {
                    "revision": revision,
                    "ordinal": ordinal,
                    "noun": NOUNS[one.row],
                    "key": list(one.key),
                    "before": None if one.before is None else dict(one.before),
                    "after": None if one.after is None else dict(one.after),
                }
                for ordinal, one in batch
            ],
        )
