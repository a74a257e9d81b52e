"""A part of the directory: what one change touches, and what it could conflict with, read by keys.

Its cost does not grow with the number of subscribers. All trunks, routes and media servers are in a part; of
a tenant its settings and services; of subscribers and DIDs those that are named. `planned` checks a changed
part as a whole file is checked; what it refers to and is not in it the database answers for.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from kemi.directory import rows
from kemi.directory.apply import Plan, differences
from kemi.directory.checks import check, places
from kemi.directory.document import Did, Document, Subscriber, Tenant
from kemi.directory.nodes import Path, Problem, spell
from kemi.directory.rows import KEYS, Rows
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
from kemi.numbering.plan import plan_of
from kemi.store import Base

_AT_ONCE = 500
"""Keys in one query."""

MANY = 20
"""Of what refers to something so much is read, to be told; one is enough to refuse."""


class Part:
    """What has been read so far. Everything that a change touches has to be named to it first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: dict[type[Base], Rows] = {row: {} for row in KEYS}
        self._whole: set[str] = set()
        self.revision = rows.revision(connection)
        for row in (TrunkRow, RouteRow, MediaServerRow):
            self._take(row)

    @property
    def document(self) -> Document:
        """The part as it is in the database."""
        return rows.document_of(self._rows)

    def tenant(self, name: str) -> Tenant | None:
        """A tenant with its settings and services, and with what of the rest has been read."""
        if name not in self._whole:
            self._take(TenantRow, rows.table_of(TenantRow).c.tenant == name)
            self._take(ServiceRow, rows.table_of(ServiceRow).c.tenant == name)
            self._whole.add(name)
        return self.document.tenants.get(name)

    def subscriber(self, tenant: str, extension: str) -> Subscriber | None:
        """A subscriber."""
        table = rows.table_of(SubscriberRow)
        self._take(SubscriberRow, table.c.tenant == tenant, table.c.extension == extension)
        found = self.document.tenants.get(tenant)
        return None if found is None else found.subscribers.get(extension)

    def did(self, number: str) -> tuple[str, Did] | None:
        """A DID and the tenant that has it."""
        self._take(DidRow, rows.table_of(DidRow).c.number == number)
        document = self.document
        owners = (name for name, tenant in document.tenants.items() if number in tenant.numbers)
        return next(((name, document.tenants[name].numbers[number]) for name in owners), None)

    def owners(self, number: str) -> None:
        """Read whoever has a number, as the number of a SIM or as a DID."""
        self._take(SubscriberRow, rows.table_of(SubscriberRow).c.msisdn == number)
        self._take(DidRow, rows.table_of(DidRow).c.number == number)

    def presenting(self, numbers: Iterable[str]) -> None:
        """Read some of those whose `caller_id` is one of these numbers."""
        wanted = sorted(numbers)
        for row in (TenantRow, SubscriberRow):
            self._take(row, rows.table_of(row).c.caller_id.in_(wanted), limit=MANY)

    def named(self, tenant: str, extensions: Iterable[str]) -> None:
        """Read those subscribers of a tenant that have one of a few extensions."""
        table = rows.table_of(SubscriberRow)
        self._take(SubscriberRow, table.c.tenant == tenant, table.c.extension.in_(sorted(extensions)))

    def leading_to(self, tenant: str, wanted: Iterable[str], *, limit: int | None = None) -> list[str]:
        """The numbers of DIDs that lead to one of these places; they are read."""
        table = rows.table_of(DidRow)
        where = (table.c.tenant == tenant, table.c.to.in_(sorted(wanted)))
        return [key[0] for key in self._take(DidRow, *where, limit=limit)]

    def on_trunk(self, trunk: str) -> list[str]:
        """The numbers of some DIDs on a trunk; they are read."""
        return [key[0] for key in self._take(DidRow, rows.table_of(DidRow).c.trunk == trunk, limit=MANY)]

    def counted(self, row: type[Base], **where: Any) -> int:
        """How many rows of a table have these values."""
        table = rows.table_of(row)
        query = select(func.count()).select_from(table)
        query = query.where(*(table.c[name] == value for name, value in where.items()))
        return self._connection.execute(query).scalar_one()

    def names(self, row: type[Base], column: str) -> list[str]:
        """Names of a column, to guess from which one was meant."""
        query = select(rows.table_of(row).c[column]).distinct().limit(_AT_ONCE)
        return [str(name) for name in self._connection.execute(query).scalars()]

    def _take(self, row: type[Base], *where: ColumnElement[bool], limit: int | None = None) -> list[rows.Key]:
        """Read rows, and the settings of the tenants they belong to; gives their keys."""
        found = {
            tuple(values[name] for name in KEYS[row]): values
            for values in rows.some(self._connection, row, *where, limit=limit)
        }
        self._rows[row].update(found)
        if row in (SubscriberRow, DidRow):
            missing = {values["tenant"] for values in found.values()} - {
                name for (name,) in self._rows[TenantRow]
            }
            for name in sorted(missing):
                self._take(TenantRow, rows.table_of(TenantRow).c.tenant == name)
        return list(found)

    def has(self, document: Document) -> Callable[[Path], bool]:
        """Whether something that a changed part refers to, and does not hold, is in the database."""
        there = {name: self._extensions(name, document) for name in self._whole}

        def stands(path: Path) -> bool:
            match path:
                case ("tenants", str(name), *_) if name in self._rows_of_tenants and name not in self._whole:
                    return True  # A tenant that is only here because it owns something: it is not changed.
                case ("tenants", str(name), "subscribers", str(extension)):
                    return extension in there.get(name, ())
                case _:
                    return False

        return stands

    @property
    def _rows_of_tenants(self) -> set[str]:
        return {name for (name,) in self._rows[TenantRow]}

    def _extensions(self, name: str, document: Document) -> set[str]:
        """Which of the extensions that a tenant's services name, and are not in the part, there are."""
        tenant = document.tenants.get(name)
        if tenant is None:
            return set()
        wanted = {place.partition(":")[2] for _, place in places((), tenant)}
        wanted.update(member for queue in tenant.queues.values() for member in queue.members)
        # What is in the part and not in the Document is being removed.
        asked = sorted(
            extension for extension in wanted if (name, extension) not in self._rows[SubscriberRow]
        )
        table = rows.table_of(SubscriberRow)
        query = select(table.c.extension).where(table.c.tenant == name)
        found: set[str] = set()
        for start in range(0, len(asked), _AT_ONCE):
            some = table.c.extension.in_(asked[start : start + _AT_ONCE])
            found.update(self._connection.execute(query.where(some)).scalars())
        return found


def planned(part: Part, make: Callable[[Document], Document], problems: Sequence[Problem] = ()) -> Plan:
    """The plan that makes of a part what `make` gives. Raises DocumentError with all that is wrong.

    What was wrong before, by rules that came later, does not stand in the way of another change.
    """
    _read_what_it_concerns(part, make(part.document))
    current = part.document
    target = make(current)
    before = set(check(current, part.has(current)))
    found = {
        Problem(None, spell(path), text)
        for path, text in check(target, part.has(target))
        if (path, text) not in before
    }
    found.update(problems)
    if found:
        raise DocumentError("", sorted(found, key=lambda problem: problem.key))
    return Plan(part.revision, differences(rows.rows(current), rows.rows(target)))


def _read_what_it_concerns(part: Part, target: Document) -> None:
    """A trunk that loses a number concerns those who present it, a tenant's country its short extensions."""
    current = part.document
    lost = _presentable(current) - _presentable(target)
    if lost:
        part.presenting(lost)
    for name, tenant in target.tenants.items():
        if name in current.tenants and tenant.country != current.tenants[name].country:
            part.named(name, plan_of(tenant.country).emergency)


def _presentable(document: Document) -> set[str]:
    return {number for trunk in document.trunks.values() for number in trunk.numbers}
