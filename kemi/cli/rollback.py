"""fmcctl rollback: bring the directory back to an earlier revision."""

from typing import Annotated

import typer
from sqlalchemy import Engine

from kemi.cli import changes
from kemi.cli.output import Format, FormatOption, examples, format_of, noun, refuse, say, show
from kemi.cli.source import database
from kemi.directory.apply import DirectoryChangedError, Plan
from kemi.directory.database import reading_directory
from kemi.directory.rollback import RollbackError, plan_back, roll_back

app = noun()


@app.command(epilog=examples("fmcctl rollback 41 --dry-run", "fmcctl rollback 41"))
def rollback(
    context: typer.Context,
    revision: Annotated[
        int, typer.Argument(metavar="REVISION", help="As the directory was at this one; 0: empty.")
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    form: FormatOption = None,
) -> None:
    """Bring the directory back to what it was at REVISION, all of it or nothing.

    That is a new revision, which can itself be rolled back; see 'fmcctl history'.
    """
    form = format_of(context, form)
    with database() as engine:
        try:
            with reading_directory(engine) as connection:
                made = plan_back(connection, revision)
            if form is Format.TABLE:
                say(*changes.lines(made.changes))
            if made.changes and not dry_run:
                changes.confirm("Roll back?", yes=yes, otherwise=" to roll back, --dry-run to look")
                _roll_back(engine, revision, made)
        except RollbackError as error:
            refuse(str(error))
    applied = bool(made.changes) and not dry_run
    newest = made.revision + applied
    show(
        changes.answer(made.changes, newest, applied=applied),
        form,
        lambda: changes.last_line(made, newest, dry_run=dry_run),
    )


def _roll_back(engine: Engine, revision: int, made: Plan) -> None:
    try:
        roll_back(engine, revision, who=changes.who(), expected=made.revision)
    except DirectoryChangedError:
        refuse(changes.OVERTAKEN)
