"""fmcctl history: who changed the directory, when, and what."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from sqlalchemy import Connection

from kemi.cli import changes
from kemi.cli.calltable import localised
from kemi.cli.output import FormatOption, examples, format_of, noun, refuse, show, table
from kemi.cli.source import database
from kemi.directory.database import reading_directory
from kemi.directory.edit import Edit, Entry
from kemi.directory.edit import changes_of as changes_in
from kemi.directory.edit import history as entries

if TYPE_CHECKING:
    from rich.table import Table

app = noun()


@app.command(epilog=examples("fmcctl history", "fmcctl history --limit 100 --before 42", "fmcctl history 42"))
def history(
    context: typer.Context,
    revision: Annotated[
        int | None, typer.Argument(metavar="[REVISION]", min=1, help="Show what this one changed.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 20,
    before: Annotated[
        int | None, typer.Option("--before", metavar="REVISION", help="Only older ones than this.")
    ] = None,
    form: FormatOption = None,
) -> None:
    """List the revisions of the directory, the newest first, or show what one of them changed.

    'fmcctl rollback REVISION' brings the directory back to one.
    """
    form = format_of(context, form)
    with database() as engine, reading_directory(engine) as connection:
        if revision is None:
            found = entries(connection, limit, before)
            show({"revisions": [_plain(entry) for entry in found]}, form, lambda: _listing(found))
            return
        entry = _entry(connection, revision)
        changed = changes_in(connection, revision)
    answer = {**_plain(entry), "changes": changes.plain(changed)}
    show(answer, form, lambda: Group(*_details(entry, changed)))


def _entry(connection: Connection, revision: int) -> Entry:
    found = entries(connection, 1, revision + 1)
    if not found or found[0].revision != revision:
        refuse(f"there is no revision {revision}: see 'fmcctl history'")
    return found[0]


def _plain(entry: Entry) -> dict[str, Any]:
    return {"revision": entry.revision, "at": _moment(entry), "who": entry.who, "what": entry.what}


def _moment(entry: Entry) -> datetime:
    return datetime.fromtimestamp(entry.at / 1_000_000, UTC)


def _listing(found: Sequence[Entry]) -> "Table":
    rows = [(str(entry.revision), _when(entry), entry.who, entry.what) for entry in found]
    return table(("revision", "when", "who", "what"), rows)


def _when(entry: Entry) -> str:
    return f"{localised(_moment(entry)):%Y-%m-%d %H:%M:%S}"


def _details(entry: Entry, changed: Sequence[Edit]) -> Iterator[RenderableType]:
    facts = (("when", _when(entry)), ("who", entry.who), ("what", entry.what))
    yield table(("", ""), facts, title=f"Revision {entry.revision}")
    yield from changes.lines(changed)
    if not changed:
        yield "Made before changes were logged: what it changed is not known."
