"""Brings the database to what a file says: what differs, and only that, in one transaction.

A file may speak of a part of the edge. What it names (a trunk, a tenant's own settings, a subscriber) is set
as it says, keys left out included; what it does not name stays, unless `prune` asks to remove it. A file that
names a tenant only for what is in it (a subscriber, a queue) leaves the tenant's own settings alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, Engine

from kemi.directory import rows
from kemi.directory.checks import check
from kemi.directory.document import Document, Route, Tenant
from kemi.directory.edit import DirectoryChangedError, Edit, Op, commit, writing
from kemi.directory.nodes import Problem, spell
from kemi.directory.rows import KEYS, Rows
from kemi.directory.yamlfile import DocumentError
from kemi.store import Base

__all__ = [
    "DirectoryChangedError",
    "Plan",
    "StaleBaseError",
    "apply",
    "compare",
    "differences",
    "merge",
    "plan",
]

_K = TypeVar("_K")
_V = TypeVar("_V")


class StaleBaseError(Exception):
    """A file was written from an older revision than the directory's, and would change what came after."""

    def __init__(self, base: int, revision: int) -> None:
        self.base = base
        self.revision = revision
        super().__init__(f"the file is of revision {base}, the directory is at {revision}")


class Plan(msgspec.Struct, frozen=True):
    """What an apply would do to the directory as it is in `revision`."""

    revision: int
    changes: tuple[Edit, ...]

    def summary(self) -> str:
        """In words: `4 added, 1 changed`."""
        counted = Counter(change.op for change in self.changes)
        words: tuple[tuple[Op, str], ...] = (("add", "added"), ("change", "changed"), ("remove", "removed"))
        return ", ".join(f"{counted[op]} {word}" for op, word in words if counted[op]) or "no change"


def plan(connection: Connection, wanted: Document, *, prune: bool, file: str) -> Plan:
    """Compare a file with the database. Raises DocumentError where the two together make no sense.

    Raises StaleBaseError where the file says of which revision it is, the directory is at another one, and
    something would change.
    """
    return compare(rows.document(connection), rows.revision(connection), wanted, prune=prune, file=file)


def compare(current: Document, revision: int, wanted: Document, *, prune: bool, file: str) -> Plan:
    """As `plan`, with what the database holds already read."""
    target = wanted if prune else merge(current, wanted)
    problems = [
        Problem(None, spell(path), f"{text} (with what is applied already)") for path, text in check(target)
    ]
    if problems:
        raise DocumentError(file, sorted(problems, key=lambda problem: problem.key))
    changes = differences(rows.rows(current), rows.rows(target))
    if changes and wanted.revision is not None and wanted.revision != revision:
        raise StaleBaseError(wanted.revision, revision)
    return Plan(revision, changes)


def differences(before: Mapping[type[Base], Rows], after: Mapping[type[Base], Rows]) -> tuple[Edit, ...]:
    """The edits that make of one state of all tables another."""
    return tuple(edit for row in KEYS for edit in _differences(row, before[row], after[row]))


def _differences(row: type[Base], before: Rows, after: Rows) -> Iterator[Edit]:
    for key, values in after.items():
        if before.get(key) != values:
            yield Edit(row, key, before.get(key), values)
    for key, values in before.items():
        if key not in after:
            yield Edit(row, key, values, None)


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
    with writing(engine) as connection:
        if expected is not None and rows.revision(connection) != expected:
            raise DirectoryChangedError
        made = plan(connection, wanted, prune=prune, file=file)
        what = f"{file}: {made.summary()}"
        commit(connection, made.changes, who=who, what=what)
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
    own = msgspec.structs.replace(wanted, **{section: {} for section in sections})
    return msgspec.structs.replace(current if own == Tenant() else wanted, **merged)
