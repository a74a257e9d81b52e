"""Changes of the directory as people and programs see them, and the question before they are made."""

import getpass
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from rich.console import RenderableType
from rich.markup import escape

from kemi.cli.output import refuse
from kemi.directory.apply import Plan
from kemi.directory.edit import Edit

MOST_SHOWN = 200
"""Changes listed one by one for people; the rest is counted."""

_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}

OVERTAKEN = "somebody else changed the directory meanwhile, nothing was done: look at the changes again"


def who() -> str:
    """Who makes a change: the person behind sudo, else the user."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def confirm(question: str, *, yes: bool, otherwise: str = "") -> None:
    """Ask at the terminal unless `yes`; ends the command where there is none, or the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        refuse(f"there is no terminal to ask at, nothing was done: add --yes{otherwise}", 2)
    if not typer.confirm(question, err=True):
        refuse("nothing was done")


def lines(changes: Sequence[Edit]) -> Iterator[RenderableType]:
    """Each change with a sign and a colour; of one that changes a row also what was and what will be."""
    for change in changes[:MOST_SHOWN]:
        sign, colour = _SIGNS[change.op]
        yield f"[{colour}]{sign} {escape(change.place)}[/]"
        if change.op == "change":
            for name, (old, new) in change.fields.items():
                yield f"    {name}: [red]{_short(old)}[/] → [green]{_short(new)}[/]"
    if len(changes) > MOST_SHOWN:
        yield f"… and {len(changes) - MOST_SHOWN} more"


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


def answer(changes: Sequence[Edit], revision: int, *, applied: bool) -> dict[str, Any]:
    """What programs are told of changes that were made, or would be."""
    return {"applied": applied, "revision": revision, "changes": plain(changes)}


def plain(changes: Sequence[Edit]) -> list[dict[str, Any]]:
    """Changes as plain values."""
    return [_plain(change) for change in changes]


def _plain(change: Edit) -> dict[str, Any]:
    fields = {name: {"before": old, "after": new} for name, (old, new) in change.fields.items()}
    return {"op": change.op, "what": change.place, "fields": fields}


def last_line(made: Plan, revision: int, *, dry_run: bool) -> str:
    """What became of a plan, in words."""
    if not made.changes:
        return f"Revision {revision}: no change."
    return f"Would be: {made.summary()}." if dry_run else f"Revision {revision}: {made.summary()}."
