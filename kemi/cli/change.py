"""One change of the directory from the command line: planned, shown, asked about where it hurts, written."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import typer

from kemi.cli import changes
from kemi.cli.output import Format, format_of, refuse, say, show
from kemi.cli.source import database
from kemi.directory.apply import Plan
from kemi.directory.database import NoDirectoryError, reading_directory
from kemi.directory.edit import DirectoryChangedError, commit, writing
from kemi.directory.imperative import RefusedError
from kemi.directory.partial import Part
from kemi.directory.yamlfile import DocumentError
from kemi.store import migrate

if TYPE_CHECKING:
    from sqlalchemy import Engine


class How(msgspec.Struct, frozen=True):
    """How a change is made: with a question where it hurts, or only shown."""

    question: str | None = None
    yes: bool = False
    dry_run: bool = False
    form: Format | None = None
    makes_directory: bool = False


def change(context: typer.Context, what: str, plan: Callable[[Part], Plan], how: How) -> None:
    """Make what `plan` gives a new revision; `what` stands in the history."""
    form = format_of(context, how.form)
    with database() as engine:
        try:
            made, revision = _made(engine, what, plan, how, form)
        except DocumentError as error:
            refuse(str(error), 2)
        except RefusedError as error:
            refuse(str(error))
        except DirectoryChangedError:
            refuse(changes.OVERTAKEN)
    applied = bool(made.changes) and not how.dry_run
    show(
        changes.answer(made.changes, revision, applied=applied),
        form,
        lambda: changes.last_line(made, revision, dry_run=how.dry_run),
    )


def _made(
    engine: "Engine", what: str, plan: Callable[[Part], Plan], how: How, form: Format
) -> tuple[Plan, int]:
    shown = None
    _prepare(engine, how)
    if how.question is not None or how.dry_run:
        with reading_directory(engine) as connection:
            shown = plan(Part(connection))
        _say(shown, form)
        if how.dry_run or not shown.changes:
            return shown, shown.revision
        changes.confirm(str(how.question), yes=how.yes)
    with writing(engine) as connection:
        made = plan(Part(connection))
        if shown is not None and made.changes != shown.changes:
            raise DirectoryChangedError
        revision = commit(connection, made.changes, who=changes.who(), what=what)
    if shown is None:
        _say(made, form)
    return made, revision


def _prepare(engine: "Engine", how: How) -> None:
    """The database in the form of today; it is only made where something is added."""
    if how.dry_run:
        return
    try:
        with reading_directory(engine):
            pass
    except NoDirectoryError:
        if not how.makes_directory:
            raise
    migrate(engine.url.render_as_string(hide_password=False))


def _say(made: Plan, form: Format) -> None:
    if form is Format.TABLE:
        say(*changes.lines(made.changes))
