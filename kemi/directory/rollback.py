"""The way back: what the log of revisions says of an earlier state, as a plan like any other."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, exists, func, select

from kemi.directory import rows
from kemi.directory.apply import Plan, differences
from kemi.directory.checks import check
from kemi.directory.document import Did, Route, Subscriber, Tenant, Trunk
from kemi.directory.edit import DirectoryChangedError, commit, undoing, writing
from kemi.directory.nodes import spell
from kemi.directory.rows import COLUMNS
from kemi.directory.tables import (
    ChangeRow,
    DidRow,
    RevisionRow,
    RouteRow,
    SubscriberRow,
    TenantRow,
    TrunkRow,
)
from kemi.store import Base

_ENTRIES: Mapping[type[Base], type[msgspec.Struct]] = {
    TrunkRow: Trunk,
    RouteRow: Route,
    TenantRow: Tenant,
    SubscriberRow: Subscriber,
    DidRow: Did,
}
"""What the columns of a table are the fields of, where they may have become more since a row was logged."""


class RollbackError(Exception):
    """There is no way back to a revision; the message says why."""


def plan_back(connection: Connection, revision: int) -> Plan:
    """What would bring the directory back to a revision. Raises RollbackError where nothing can."""
    newest = rows.revision(connection)
    if not 0 <= revision <= newest:
        raise RollbackError(f"there is no revision {revision}: the newest is {newest}, see 'fmcctl history'")
    unlogged = _newest_without_log(connection, revision)
    if unlogged is not None:
        raise RollbackError(
            f"revision {unlogged} was made before changes were logged: the way back ends there, "
            "apply a file that was exported then"
        )
    current = rows.held(connection)
    target = {row: dict(values) for row, values in current.items()}
    try:
        for one in undoing(connection, revision):
            if one.after is None:
                target[one.row].pop(one.key, None)
            else:
                target[one.row][one.key] = _filled(one.row, one.after)
        found = list(check(rows.document_of(target)))
    except (msgspec.ValidationError, KeyError) as error:
        raise RollbackError(f"revision {revision} cannot be read any more ({error})") from error
    if found:
        raise RollbackError(
            "\n".join(
                f"revision {revision} would not be valid now: {spell(path)}: {text}" for path, text in found
            )
        )
    return Plan(newest, differences(current, target))


def roll_back(engine: Engine, revision: int, *, who: str, expected: int) -> Plan:
    """Go back in one transaction, as a new revision.

    Raises DirectoryChangedError when `expected`, for which a plan was shown, is no longer the newest
    revision; RollbackError as `plan_back`.
    """
    with writing(engine) as connection:
        if rows.revision(connection) != expected:
            raise DirectoryChangedError
        made = plan_back(connection, revision)
        what = f"rollback to revision {revision}: {made.summary()}"
        commit(connection, made.changes, who=who, what=what)
    return made


def _newest_without_log(connection: Connection, revision: int) -> int | None:
    """The newest of the later revisions of which the log has nothing; every revision changed something."""
    logged = exists().where(ChangeRow.revision == RevisionRow.number)
    query = select(func.max(RevisionRow.number)).where(RevisionRow.number > revision, ~logged)
    return connection.execute(query).scalar_one()


def _filled(row: type[Base], values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the log with the columns of today: those that came later hold what the file leaves out."""
    entry = _ENTRIES.get(row)
    defaults = {} if entry is None else {field.name: field for field in msgspec.structs.fields(entry)}
    return {
        name: values[name] if name in values else msgspec.to_builtins(_default(defaults[name]))
        for name in COLUMNS[row]
    }


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        raise KeyError(field.name)
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
