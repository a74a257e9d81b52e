"""fmcctl apply: bring the directory to what a file says."""

import getpass
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape
from sqlalchemy import Engine

from kemi.cli.output import Format, FormatOption, format_of, noun, refuse, say, show
from kemi.cli.source import database, read_file
from kemi.directory.apply import DirectoryChangedError, Plan, compare, plan
from kemi.directory.apply import apply as apply_document
from kemi.directory.database import NoDirectoryError, reading_directory
from kemi.directory.document import Document
from kemi.directory.edit import Edit
from kemi.directory.yamlfile import DocumentError
from kemi.store import migrate

MOST_SHOWN = 200
"""Changes listed one by one for people; the rest is counted."""

_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}

app = noun()


@app.command()
def apply(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="The file, see examples/.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, change nothing.")
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Also remove what the file does not name.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    form: FormatOption = None,
) -> None:
    """Bring the directory to what FILE says, all of it or nothing.

    Without --prune a file may hold a part of the directory: each trunk, tenant, subscriber or number that it
    names becomes as the file says, keys left out included; all others stay as they are. A missing
    database is made. Nodes follow within a second.
    """
    wanted = read_file(file)
    with database() as engine:
        made = _plan(engine, wanted, prune=prune, file=file.name, dry_run=dry_run)
        form = format_of(context, form)
        if form is Format.TABLE:
            say(*_lines(made))
        if made.changes and not dry_run:
            _confirm(yes=yes)
            _apply(engine, wanted, made, prune=prune, file=file.name)
    applied = bool(made.changes) and not dry_run
    revision = made.revision + applied
    show(_answer(made, revision, applied=applied), form, lambda: _last_line(made, revision, dry_run=dry_run))


def _plan(engine: Engine, wanted: Document, *, prune: bool, file: str, dry_run: bool) -> Plan:
    try:
        try:
            with reading_directory(engine):
                pass
        except NoDirectoryError:
            return compare(Document(), 0, wanted, prune=prune, file=file)
        if not dry_run:
            migrate(engine.url.render_as_string(hide_password=False))
        with reading_directory(engine) as connection:
            return plan(connection, wanted, prune=prune, file=file)
    except DocumentError as error:
        refuse(str(error), 2)


def _confirm(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        refuse(
            "there is no terminal to ask at, nothing was applied: add --yes to apply, --dry-run to look", 2
        )
    if not typer.confirm("Apply?", err=True):
        refuse("nothing was applied")


def _apply(engine: Engine, wanted: Document, made: Plan, *, prune: bool, file: str) -> None:
    migrate(engine.url.render_as_string(hide_password=False))
    who = os.environ.get("SUDO_USER") or getpass.getuser()
    try:
        apply_document(engine, wanted, who=who, file=file, prune=prune, expected=made.revision)
    except DirectoryChangedError:
        refuse("somebody else applied a file meanwhile, nothing was applied: look at the changes again")


def _lines(made: Plan) -> Iterator[RenderableType]:
    for change in made.changes[:MOST_SHOWN]:
        sign, colour = _SIGNS[change.op]
        yield f"[{colour}]{sign} {escape(change.place)}[/]"
        if change.op == "change":
            for name, (old, new) in change.fields.items():
                yield f"    {name}: [red]{_short(old)}[/] → [green]{_short(new)}[/]"
    if len(made.changes) > MOST_SHOWN:
        yield f"… and {len(made.changes) - MOST_SHOWN} more"


def _short(value: Any) -> str:
    """A value of a change as people read it."""
    if value in (None, "", [], (), {}):
        return "—"
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return escape(", ".join(f"{name}: {_short(held)}" for name, held in value.items()))
        case list() | tuple():
            return escape(", ".join(str(held) for held in value))
        case _:
            return escape(str(value))


def _last_line(made: Plan, revision: int, *, dry_run: bool) -> str:
    if not made.changes:
        return f"Revision {revision}: no change."
    return f"Would be: {made.summary()}." if dry_run else f"Revision {revision}: {made.summary()}."


def _answer(made: Plan, revision: int, *, applied: bool) -> dict[str, Any]:
    return {
        "applied": applied,
        "revision": revision,
        "changes": [_change(change) for change in made.changes],
    }


def _change(change: Edit) -> dict[str, Any]:
    fields = {name: {"before": old, "after": new} for name, (old, new) in change.fields.items()}
    return {"op": change.op, "what": change.place, "fields": fields}
