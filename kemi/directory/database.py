"""The directory as the database holds it, for those that only read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect

from kemi.directory.tables import RevisionRow
from kemi.store import reading


class NoDirectoryError(Exception):
    """The database is missing or was never migrated; the message says what to do."""


@contextmanager
def reading_directory(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads the directory. Raises NoDirectoryError; never makes an empty database."""
    where = engine.url.render_as_string(hide_password=True)
    advice = "run 'fmcctl apply -f FILE', or name another database in FMC_DATABASE"
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and not Path(file).exists():
        raise NoDirectoryError(f"there is no database {where}: {advice}")
    with reading(engine) as connection:
        if not inspect(connection).has_table(RevisionRow.__tablename__):
            raise NoDirectoryError(f"there is no directory in {where}: {advice}")
        yield connection
