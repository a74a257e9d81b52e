"""Where a command reads the directory: from the file of --data, else from the database of the settings.

SQL is imported only when it is asked for: a command on a file starts in a fraction of the time.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from kemi.cli.output import needs_database, refuse
from kemi.directory import values
from kemi.directory.document import Document
from kemi.directory.yamlfile import DocumentError, load
from kemi.routing.model import Directory, Trunk
from kemi.settings import load as settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

OLDER = re.compile("no such (?:column|table)|UndefinedColumn|UndefinedTable")
"""What SQLite and PostgreSQL say of a table that a migration would have made."""


def read_file(path: Path) -> Document:
    """Load a file; ends the command with all its errors, status 2."""
    try:
        return load(path)
    except DocumentError as error:
        refuse(str(error), 2)


@contextmanager
def database() -> Iterator["Engine"]:
    """The database of the settings; what it raises inside ends the command in one line."""
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError  # noqa: PLC0415  see the module's docstring

    from kemi.directory.database import NoDirectoryError  # noqa: PLC0415
    from kemi.store import engine_for  # noqa: PLC0415

    needs_database()
    try:
        engine = engine_for(settings().database)
    except (ArgumentError, ImportError) as error:
        refuse(f"the database cannot be used ({error}): correct FMC_DATABASE", 2)
    try:
        yield engine
    except NoDirectoryError as error:
        refuse(str(error))
    except SQLAlchemyError as error:
        first = str(error).partition("\n")[0]
        if OLDER.search(first):
            refuse(
                f"the database {engine.url.render_as_string()} is older than this program: run 'fmcctl apply "
                "-f FILE', which brings it up to date"
            )
        refuse(f"the database {engine.url.render_as_string()} does not answer ({first}): check FMC_DATABASE")
    except OSError as error:
        where = error.filename or "the database"
        refuse(f"{where}: {error.strerror}: check the rights, FMC_STATE and FMC_DATABASE")
    finally:
        engine.dispose()


def read_document(data: Path | None) -> Document:
    """The whole directory as a Document that says of which revision it is."""
    if data is not None:
        return read_file(data)
    with database() as engine:
        from kemi.directory import rows  # noqa: PLC0415  as above
        from kemi.directory.database import reading_directory  # noqa: PLC0415

        with reading_directory(engine) as connection:
            revision = rows.revision(connection)
            return msgspec.structs.replace(rows.document(connection), revision=revision)


class Source(msgspec.Struct, frozen=True):
    """Which directory an answer is by. A file has a revision only where it says so."""

    source: Literal["file", "database", "snapshot"]
    where: str
    revision: int | None


class Opened(msgspec.Struct, frozen=True):
    """A directory that can be asked, its media servers, and which one it is."""

    directory: Directory
    media: tuple[str, ...]
    source: Source


def source_of(data: Path | None, document: Document) -> Source:
    """Where a Document that read_document gave is from."""
    if data is not None:
        return Source("file", str(data), document.revision)
    return Source("database", _shown(settings().database), document.revision)


def _shown(url: str) -> str:
    """A database's URL without its password."""
    from sqlalchemy import make_url  # noqa: PLC0415  see the module's docstring

    return make_url(url).render_as_string()


@contextmanager
def opened(data: Path | None, *, snapshot: bool = False) -> Iterator[Opened]:
    """The directory to ask: of the file, or of this node's snapshot, or of the database.

    It answers as long as the context lasts, and of one revision.
    """
    if snapshot:
        if data is not None:
            refuse("--snapshot and --data name two directories: leave one of them out", 2)
        with _snapshot() as found:
            yield found
    elif data is not None:
        document = read_file(data)
        yield Opened(values.directory(document), document.media, source_of(data, document))
    else:
        with database() as engine:
            from kemi.directory.database import reading_directory  # noqa: PLC0415  as above
            from kemi.directory.lookup import DatabaseDirectory  # noqa: PLC0415

            with reading_directory(engine) as connection:
                directory = DatabaseDirectory(connection)
                source = Source("database", engine.url.render_as_string(), directory.revision)
                yield Opened(directory, directory.media, source)


@contextmanager
def _snapshot() -> Iterator[Opened]:
    """What the SIP workers of this node decide by."""
    from kemi.directory.snapshot import SnapshotDirectory, SnapshotError  # noqa: PLC0415  as above

    path = settings().snapshot
    try:
        directory = SnapshotDirectory(path, aside=True)
    except SnapshotError as error:
        refuse(str(error))
    try:
        with directory:
            source = Source("snapshot", str(path), directory.revision)
            yield Opened(directory, directory.globals.media, source)
    finally:
        directory.close()


def known_trunk(directory: Directory, name: str) -> Trunk:
    """A trunk by name; ends the command where there is none."""
    trunk = directory.trunk(name)
    if trunk is None:
        known = ", ".join(each.name for each in directory.trunks()) or "none"
        refuse(f'there is no trunk "{name}": known are {known}', 2)
    return trunk
