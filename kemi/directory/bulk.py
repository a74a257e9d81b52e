"""Many subscribers at once: the lines of a CSV file as edits of the directory.

A line adds a subscriber, or changes of one that is there what the file has columns for. Lines are checked in
batches against what the database holds, with a few queries a batch; of a million lines only the rows that
they change are kept, as tuples.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Engine, bindparam, select, tuple_

from kemi.directory import rows
from kemi.directory.checks import check
from kemi.directory.csvfile import COLUMNS, Line, Table
from kemi.directory.document import Document, Subscriber, Tenant, Trunk
from kemi.directory.edit import Edit, commit, writing
from kemi.directory.nodes import Problem
from kemi.directory.tables import DidRow, SubscriberRow, TenantRow

__all__ = ["Edits", "Plan", "apply", "no_tenant", "plan", "subscribers", "tenants"]

BATCH = 2000
"""Lines that are checked together; the keys of a batch are parameters of one query."""

_NAMES = rows.COLUMNS[SubscriberRow]
_DEFAULTS = {column.key: column.default for column in COLUMNS.values()}
_MSISDN = _NAMES.index("msisdn")

_Owner: TypeAlias = tuple[str, str]
"""Tenant and extension."""

_Row: TypeAlias = tuple[Any, ...]
"""All columns of a subscriber, in the order of _NAMES."""


class Edits(Collection[Edit]):
    """The edits of many subscribers, made one by one as they are gone through."""

    def __init__(self) -> None:
        self._rows: list[tuple[_Row | None, _Row]] = []

    def append(self, before: _Row | None, after: _Row) -> None:
        self._rows.append((before, after))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, edit: object) -> bool:
        return any(each == edit for each in self)

    def __iter__(self) -> Iterator[Edit]:
        for before, after in self._rows:
            values = dict(zip(_NAMES, after, strict=True))
            was = None if before is None else dict(zip(_NAMES, before, strict=True))
            yield Edit(SubscriberRow, (values["tenant"], values["extension"]), was, values)


class Plan(msgspec.Struct, frozen=True):
    """What the good lines of a file would do to the directory in `revision`, and what the others lack.

    `skipped` counts lines with problems. `torn`: behind the last line nothing could be read.
    """

    revision: int
    edits: Edits
    added: int
    changed: int
    unchanged: int
    skipped: int
    problems: tuple[Problem, ...]
    torn: bool

    def summary(self) -> str:
        """In words: `4 added, 1 changed`."""
        words = ("added", "changed", "unchanged", "skipped")
        counted = ((getattr(self, word), word) for word in words)
        return ", ".join(f"{count} {word}" for count, word in counted if count) or "no line"


def plan(connection: Connection, table: Table, progress: Callable[[int], None] = lambda _: None) -> Plan:
    """Compare a file with the database; `progress` is told up to which line."""
    return _Planning(connection, table).run(progress)


def apply(
    engine: Engine, made: Plan, *, who: str, file: str, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Write the good lines of a plan as one revision, in one transaction; gives its number.

    DirectoryChangedError when the directory is no longer as it was planned for: then nothing was written.
    """
    with writing(engine) as connection:
        what = f"{file}: {made.summary()}"
        return commit(connection, made.edits, who=who, what=what, expected=made.revision, progress=progress)


def subscribers(connection: Connection, tenant: str | None = None) -> Iterator[Mapping[Any, Any]]:
    """All subscribers, or those of a tenant, as they are read; in the order of tenants and extensions."""
    table = rows.table_of(SubscriberRow)
    query = select(*(table.c[name] for name in _NAMES)).order_by(table.c.tenant, table.c.extension)
    if tenant is not None:
        query = query.where(table.c.tenant == tenant)
    found = connection.execute(query.execution_options(yield_per=BATCH))
    for row in found:
        yield row._mapping  # noqa: SLF001  public in spite of its name


def tenants(connection: Connection) -> list[str]:
    """The keys of all tenants."""
    return list(_countries(connection))


def _countries(connection: Connection) -> dict[str, str]:
    table = rows.table_of(TenantRow)
    found = connection.execute(select(table.c.tenant, table.c.country).order_by(table.c.tenant))
    return dict(found.all())


def no_tenant(tenant: str, known: Collection[str]) -> str:
    """Say that there is no such tenant, and which it may have been."""
    near = get_close_matches(tenant, known, n=1)
    if near:
        return f'there is no tenant "{tenant}"; did you mean {near[0]}?'
    instead = f"known are {', '.join(list(known)[:10])}" if known else "add it first"
    return f'there is no tenant "{tenant}"; {instead}'


class _Planning:
    """Goes through a file once. Lines that are good so far wait in `_good` until all others were seen."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._revision = rows.revision(connection)
        self._countries = _countries(connection)
        self._trunks = _trunks(connection)
        self._problems: list[Problem] = []
        self._bad: set[int] = set()
        # Each extension and each msisdn of the file: in which line it is first.
        self._extensions: dict[str, dict[str, int]] = {}
        self._msisdns: dict[str, int] = {}
        self._good: list[tuple[int, _Row | None, _Row]] = []
        self._unchanged: list[int] = []
        # Who still has the msisdn that a line gives to somebody else.
        self._holders: list[tuple[int, str, _Owner]] = []

    def run(self, progress: Callable[[int], None]) -> Plan:
        lines = iter(self._table)
        while batch := list(islice(lines, BATCH)):
            self._check(batch)
            progress(batch[-1].number)
        self._settle_msisdns()
        edits = Edits()
        added = 0
        for number, before, after in self._good:
            if number not in self._bad:
                edits.append(before, after)
                added += before is None
        return Plan(
            revision=self._revision,
            edits=edits,
            added=added,
            changed=len(edits) - added,
            unchanged=sum(number not in self._bad for number in self._unchanged),
            skipped=len(self._bad),
            problems=tuple(sorted(self._problems)),
            torn=self._table.torn,
        )

    def _note(self, number: int, column: str, text: str) -> None:
        self._problems.append(Problem(number, column, text))
        self._bad.add(number)

    def _check(self, batch: list[Line]) -> None:
        for line in batch:
            for problem in line.problems:
                self._note(line.number, problem.key, problem.text)
        lines = {line.owner: line for line in batch if line.owner is not None and self._is_first(line)}
        before = self._held(lines)
        after = {owner: _changed(owner, before.get(owner), line.values) for owner, line in lines.items()}
        if "msisdn" in self._table.keys:
            wanted = {line.number: (owner, after[owner][_MSISDN]) for owner, line in lines.items()}
            self._check_msisdns(wanted)
        self._check_rows(lines, {owner: row for owner, row in after.items() if row != before.get(owner)})
        for owner, line in lines.items():
            held = before.get(owner)
            if held == after[owner]:
                self._unchanged.append(line.number)
            elif line.number not in self._bad:
                self._good.append((line.number, held, after[owner]))

    def _is_first(self, line: Line) -> bool:
        """Whether a line can go on: its tenant is there, and no line before it has its extension."""
        tenant, extension = line.owner or ("", "")
        if tenant not in self._countries:
            self._note(line.number, "tenant", self._no_tenant(tenant))
            return False
        first = self._extensions.setdefault(tenant, {}).setdefault(extension, line.number)
        if first != line.number:
            text = (
                f"{extension} is there twice, first in line {first}; remove one or give it another extension"
            )
            self._note(line.number, "extension", text)
        return first == line.number

    @cache  # noqa: B019  lives as long as the planning
    def _no_tenant(self, tenant: str) -> str:
        return no_tenant(tenant, self._countries)

    def _held(self, owners: Collection[_Owner]) -> dict[_Owner, _Row]:
        """The rows of a batch that the database has."""
        if not owners:
            return {}
        found = self._connection.execute(_HELD, {"owners": list(owners)})
        return {(row[0], row[1]): tuple(row) for row in found}

    def _check_msisdns(self, wanted: dict[int, tuple[_Owner, str | None]]) -> None:
        new: dict[str, tuple[int, _Owner]] = {}
        for number, (owner, msisdn) in wanted.items():
            if msisdn is None:
                continue
            first = self._msisdns.setdefault(msisdn, number)
            if first == number:
                new[msisdn] = number, owner
            else:
                text = f"{msisdn} is there twice, first in line {first}; remove it from one of them"
                self._note(number, "msisdn", text)
        if not new:
            return
        for msisdn, tenant, extension in self._connection.execute(_OWNERS, {"numbers": list(new)}):
            number, owner = new[msisdn]
            if owner != (tenant, extension):
                self._holders.append((number, msisdn, (tenant, extension)))
        for did, tenant in self._connection.execute(_DIDS, {"numbers": list(new)}):
            self._note(new[did][0], "msisdn", _owned(did, f"tenants.{tenant}.numbers.{did}"))

    def _check_rows(self, lines: Mapping[_Owner, Line], after: Mapping[_Owner, _Row]) -> None:
        """What must hold of a subscriber as a whole, as for the provisioning file."""
        of: dict[str, dict[str, Subscriber]] = {}
        for (tenant, extension), row in after.items():
            values = dict(zip(_NAMES[2:], row[2:], strict=True))
            of.setdefault(tenant, {})[extension] = msgspec.convert(values, Subscriber)
        tenants = {
            tenant: Tenant(country=self._countries[tenant], subscribers=people)
            for tenant, people in of.items()
        }
        for path, text in check(Document(trunks=self._trunks, tenants=tenants)):
            match path:
                case "tenants", str(tenant), "subscribers", str(extension), *rest:
                    line = lines[tenant, extension]
                    # Who else has an msisdn was asked of the whole file; what a ring needs may be unreadable.
                    if rest != ["msisdn"] and not (rest == ["ring"] and line.problems):
                        self._note(line.number, str(rest[0]) if rest else "extension", text)

    def _settle_msisdns(self) -> None:
        """An msisdn may be taken from a subscriber whose own line, anywhere in the file, gives it up."""
        waiting: dict[int, list[tuple[int, str]]] = {}
        for number, msisdn, (tenant, extension) in self._holders:
            line = self._extensions.get(tenant, {}).get(extension)
            if line is None:
                self._note(number, "msisdn", _owned(msisdn, f"tenants.{tenant}.subscribers.{extension}"))
            else:
                waiting.setdefault(line, []).append((number, msisdn))
        lost = [line for line in waiting if line in self._bad]
        while lost:
            line = lost.pop()
            for number, msisdn in waiting.pop(line, ()):
                if number not in self._bad and number in waiting:
                    lost.append(number)
                text = (
                    f"{msisdn} is of the subscriber in line {line}, which is wrong; correct that line first"
                )
                self._note(number, "msisdn", text)


def _changed(owner: _Owner, held: _Row | None, values: Mapping[str, Any]) -> _Row:
    """A row with what a line says of it."""
    if held is None:
        return (*owner, *(values.get(key, _DEFAULTS[key]) for key in _NAMES[2:]))
    return (*owner, *(values.get(key, value) for key, value in zip(_NAMES[2:], held[2:], strict=True)))


def _trunks(connection: Connection) -> dict[str, Trunk]:
    found = ((name, rows.trunk(connection, name)) for name in rows.trunk_ids(connection))
    return {name: trunk for name, trunk in found if trunk is not None}


def _owned(number: str, place: str) -> str:
    return f"{number} is already owned by {place}; remove it from one of them"


_PEOPLE = rows.table_of(SubscriberRow)
_HELD = select(*(_PEOPLE.c[name] for name in _NAMES)).where(
    tuple_(_PEOPLE.c.tenant, _PEOPLE.c.extension).in_(bindparam("owners", expanding=True))
)
_OWNERS = select(_PEOPLE.c.msisdn, _PEOPLE.c.tenant, _PEOPLE.c.extension).where(
    _PEOPLE.c.msisdn.in_(bindparam("numbers", expanding=True))
)
_DID = rows.table_of(DidRow)
_DIDS = select(_DID.c.number, _DID.c.tenant).where(_DID.c.number.in_(bindparam("numbers", expanding=True)))
