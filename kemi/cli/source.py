"""Where a command reads the directory: from the file of --data, else from the database of the settings.

SQL is imported only when it is asked for: a command on a file starts in a fraction of the time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kemi.cli.output import refuse
from kemi.directory import values
from kemi.directory.document import Document
from kemi.directory.yamlfile import DocumentError, load
from kemi.routing.model import Directory, Trunk
from kemi.settings import load as settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


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


def read_directory(data: Path | None) -> Directory:
    """The whole directory, for routing."""
    return values.directory(read_document(data))


def known_trunk(directory: Directory, name: str) -> Trunk:
    """A trunk by name; ends the command where there is none."""
    trunk = directory.trunk(name)
    if trunk is None:
        known = ", ".join(each.name for each in directory.trunks()) or "none"
        refuse(f'there is no trunk "{name}": known are {known}', 2)
    return trunk
