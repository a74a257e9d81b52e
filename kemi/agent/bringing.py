"""Brings a node's snapshot and Kamailio's lists to what the database says: the one step of the sync agent."""

import time
from typing import Literal

import lmdb
import msgspec
from sqlalchemy import Connection

from kemi.agent.lists import Lists
from kemi.directory import following, generation, seal
from kemi.directory.following import Moment
from kemi.directory.generation import Changes
from kemi.directory.snapshot import Globals, Head
from kemi.settings import Settings


class Written(msgspec.Struct, frozen=True):
    """What was done: `why` says why it was a rebuild, `changed` names the lists that changed."""

    revision: int
    how: Literal["update", "rebuild"]
    why: str
    seconds: float
    changed: tuple[str, ...]


def intact(settings: Settings) -> bool:
    """Whether the snapshot is there as it was written; a matter of microseconds."""
    name = seal.current(settings.snapshot)
    try:
        seal.check(settings.snapshot / (name or "none"))
    except seal.BrokenError:
        return False
    return True


def held(settings: Settings) -> tuple[Head, Globals] | str:
    """What the snapshot says of itself; the reason where it cannot be trusted."""
    with seal.alone(settings.snapshot):
        found = generation.to_go_on_from(settings.snapshot)
        return found if isinstance(found, str) else (found, generation.globals_in(settings.snapshot))


def bring(connection: Connection, settings: Settings, lists: Lists) -> Written | None:
    """Write what is new; None where nothing is.

    Raises SQLAlchemyError, lmdb.Error or OSError when reading or writing fails: then what was there stays.
    """
    begun = time.monotonic()
    with seal.alone(settings.snapshot):
        head = generation.to_go_on_from(settings.snapshot)
        now = following.newest(connection)
        if isinstance(head, Head):
            if Moment(head.revision, head.at) == now:
                return None
            try:
                changed = _update(connection, settings, lists, head)
            except (msgspec.ValidationError, lmdb.CorruptedError, lmdb.PageNotFoundError) as error:
                # A row of the log that the code of today does not read, or a page that cannot be.
                changed = str(error)
            why = changed if isinstance(changed, str) else ""
        else:
            changed = why = head
        if isinstance(changed, str):
            changed = _rebuild(connection, settings, lists)
    return Written(
        now.revision,
        "rebuild" if why else "update",
        why,
        round(time.monotonic() - begun, 3),
        tuple(sorted(changed)),
    )


def _update(connection: Connection, settings: Settings, lists: Lists, head: Head) -> set[str] | str:
    first = following.changes(connection, head)
    if isinstance(first, str):
        return first
    changed = set() if first.small is None else lists.prepare(first.small)

    def changes() -> Changes:
        again = following.changes(connection, head)
        assert isinstance(again, Changes)  # noqa: S101  the transaction sees one state
        return again

    generation.update(settings.snapshot, changes)
    return changed if first.small is None else changed | lists.finish(first.small)


def _rebuild(connection: Connection, settings: Settings, lists: Lists) -> set[str]:
    whole = following.whole(connection)
    changed = lists.prepare(whole.small)
    generation.rebuild(settings.snapshot, whole)
    return changed | lists.finish(whole.small)
