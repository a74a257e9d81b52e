"""fmcctl apply: bring the directory to what a file says."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from kemi.cli import changes
from kemi.cli.output import Format, FormatOption, examples, format_of, noun, refuse, say, show
from kemi.cli.source import database, read_file
from kemi.directory.apply import DirectoryChangedError, Plan, StaleBaseError, compare, plan
from kemi.directory.apply import apply as apply_document
from kemi.directory.database import NoDirectoryError, reading_directory
from kemi.directory.document import Document
from kemi.directory.yamlfile import DocumentError
from kemi.store import migrate

app = noun()


@app.command(
    epilog=examples(
        "fmcctl apply -f company.yaml --dry-run",
        "fmcctl apply -f company.yaml",
        "fmcctl apply -f whole-edge.yaml --prune --yes",
    )
)
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
    names becomes as the file says, keys left out included; all others stay as they are, also a tenant's
    own settings where the file says none of them. A missing database is made. Nodes follow within a second.
    """
    wanted = read_file(file)
    with database() as engine:
        made = _plan(engine, wanted, prune=prune, file=file.name, dry_run=dry_run)
        form = format_of(context, form)
        if form is Format.TABLE:
            say(*changes.lines(made.changes))
        if made.changes and not dry_run:
            changes.confirm("Apply?", yes=yes, otherwise=" to apply, --dry-run to look")
            _apply(engine, wanted, made, prune=prune, file=file.name)
    applied = bool(made.changes) and not dry_run
    revision = made.revision + applied
    show(
        changes.answer(made.changes, revision, applied=applied),
        form,
        lambda: changes.last_line(made, revision, dry_run=dry_run),
    )


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
    except StaleBaseError as error:
        refuse(
            f"{file} was written at revision {error.base}, the directory is at {error.revision}: nothing was "
            "applied. See 'fmcctl history'; export again and repeat your changes, or remove the file's "
            "revision to overwrite what came after"
        )


def _apply(engine: Engine, wanted: Document, made: Plan, *, prune: bool, file: str) -> None:
    migrate(engine.url.render_as_string(hide_password=False))
    try:
        apply_document(engine, wanted, who=changes.who(), file=file, prune=prune, expected=made.revision)
    except DirectoryChangedError:
        refuse(changes.OVERTAKEN)
