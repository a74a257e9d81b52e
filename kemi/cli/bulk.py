"""fmcctl subscriber import and export: many subscribers at once, as a CSV file."""

import io
import os
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from sqlalchemy import Engine

from kemi.cli import changes
from kemi.cli.output import Format, FormatOption, format_of, refuse, show
from kemi.cli.source import database
from kemi.cli.waiting import Bar
from kemi.directory import bulk, csvfile
from kemi.directory.apply import DirectoryChangedError
from kemi.directory.database import reading_directory
from kemi.directory.yamlfile import DocumentError
from kemi.store import migrate


class Encoding(StrEnum):
    """What a CSV file may be written in."""

    UTF_8 = "utf-8"
    WINDOWS_1251 = "windows-1251"


def import_subscribers(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="UTF-8 or Windows-1251; ; , or tab.")],
    *,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="Whose all lines are.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave lines with mistakes out, take the others.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, count what would change, change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    form: FormatOption = None,
) -> None:
    """Add and change many subscribers, all lines of FILE.csv or none.

    The first line names the columns: tenant, extension, then any keys of a subscriber. A subscriber who is
    there already changes in these columns only; an empty cell is the default. Nobody is removed. Every
    line with a mistake is told, and then nothing is imported unless --skip-bad leaves such lines out.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        refuse(f"{file}: cannot be read ({error.strerror}); check the name and the rights", 2)
    form = format_of(context, form)
    with database() as engine:
        made = _plan(engine, data, str(file), tenant, dry_run=dry_run)
        wrong = DocumentError(str(file), list(made.problems)).lines()
        refused = _refused(made, skip_bad=skip_bad)
        if refused:
            if form is not Format.TABLE:
                show(_answer(made, made.revision, applied=False), form, str)
            refuse("\n".join((*wrong, refused)), 2)
        sys.stderr.writelines(f"{line}\n" for line in wrong)
        applied = bool(made.edits) and not dry_run
        if applied:
            changes.confirm(f"Import? {made.summary()}", yes=yes, otherwise=" to import, --dry-run to look")
            _apply(engine, made, file.name)
    revision = made.revision + applied
    before = "Would be" if dry_run else f"Revision {revision}"
    show(_answer(made, revision, applied=applied), form, lambda: f"{before}: {made.summary()}.")


def _plan(engine: Engine, data: bytes, file: str, tenant: str | None, *, dry_run: bool) -> bulk.Plan:
    with reading_directory(engine):
        pass
    if not dry_run:
        migrate(engine.url.render_as_string(hide_password=False))
    try:
        table = csvfile.Table(data, file, tenant)
    except DocumentError as error:
        refuse(str(error), 2)
    with reading_directory(engine) as connection, Bar("checking lines", data.count(b"\n")) as bar:
        _must_have(tenant, bulk.tenants(connection))
        return bulk.plan(connection, table, bar.reach)


def _must_have(tenant: str | None, known: Collection[str]) -> None:
    if tenant is not None and tenant not in known:
        refuse(bulk.no_tenant(tenant, known), 2)


def _refused(made: bulk.Plan, *, skip_bad: bool) -> str:
    """Why nothing may be imported, and what to do; empty where the good lines may be."""
    good = len(made.edits) + made.unchanged
    if not made.skipped:
        return ""
    if made.torn:
        return "nothing was imported: behind quotes that never close no line can be told from another"
    if not good:
        return "nothing was imported: no line is without mistakes"
    if skip_bad:
        return ""
    return (
        f"nothing was imported: correct {made.skipped} lines of {made.skipped + good}, "
        f"or add --skip-bad to leave them out"
    )


def _apply(engine: Engine, made: bulk.Plan, file: str) -> None:
    try:
        with Bar("writing", len(made.edits)) as bar:
            bulk.apply(engine, made, who=changes.who(), file=file, progress=bar.add)
    except DirectoryChangedError:
        refuse("somebody else changed the directory meanwhile, nothing was imported: run it again")


def _answer(made: bulk.Plan, revision: int, *, applied: bool) -> dict[str, Any]:
    return {
        "applied": applied,
        "revision": revision,
        "added": made.added,
        "changed": made.changed,
        "unchanged": made.unchanged,
        "skipped": made.skipped,
        "problems": [
            {"line": problem.line, "column": problem.key or None, "text": problem.text}
            for problem in made.problems
        ],
    }


def export_subscribers(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.csv", help="Default: standard output.", show_default=False)
    ] = None,
    *,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="Only of this tenant.")
    ] = None,
    encoding: Annotated[Encoding, typer.Option("--encoding", help="Letters of the file.")] = Encoding.UTF_8,
) -> None:
    """Write all subscribers as a CSV file that import takes as no change.

    With ; between the cells, and a file in UTF-8 begins with its mark: Russian Excel opens it as it is.
    Standard output has no mark. A FILE.csv that exists is replaced when all is written.
    """
    with database() as engine, reading_directory(engine) as connection:
        _must_have(tenant, bulk.tenants(connection))
        _export(bulk.subscribers(connection, tenant), file, encoding)


def _export(people: Iterable[Mapping[Any, Any]], file: Path | None, encoding: Encoding) -> None:
    last: list[Mapping[Any, Any]] = []

    def noted() -> Iterator[Mapping[Any, Any]]:
        for row in people:
            last[:] = [row]
            yield row

    try:
        with _standard_output(encoding) if file is None else _replacing(file, encoding) as text:
            csvfile.write(text, noted())
    except UnicodeEncodeError as error:
        who = f"{last[0]['tenant']} {last[0]['extension']}"
        letter = error.object[error.start : error.start + 1]
        refuse(f'{who}: {encoding} does not have "{letter}"; leave --encoding out')
    except BrokenPipeError:
        # Who reads has enough (head, less); whatever Python still wants to write goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        refuse(f"{file or 'standard output'}: cannot be written ({error.strerror}); check place and rights")


@contextmanager
def _standard_output(encoding: Encoding) -> Iterator[TextIO]:
    text = io.TextIOWrapper(sys.stdout.buffer, encoding, newline="")
    try:
        yield text
        text.flush()
    finally:
        with suppress(BrokenPipeError):
            text.detach()


@contextmanager
def _replacing(file: Path, encoding: Encoding) -> Iterator[TextIO]:
    """A file that takes the place of another when it is complete; the numbers are not for everybody."""
    letters = "utf-8-sig" if encoding is Encoding.UTF_8 else encoding
    if file.exists() and not file.is_file():
        with file.open("w", encoding=letters, newline="") as text:
            yield text
        return
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    made = Path(name)
    try:
        with open(handle, "w", encoding=letters, newline="") as text:  # noqa: PTH123  a handle, no path
            yield text
        made.chmod(0o640)
        made.replace(file)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
