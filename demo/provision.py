"""Puts the demo's directory into the database, and what is somebody else's out of the way first."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, select

from kemi.directory import apply, yamlfile
from kemi.directory.tables import RevisionRow
from kemi.settings import Settings
from kemi.store import engine_for, migrate, reading

WHO = "demo"
"""Who applied, in the revision log: a directory with any other name in its log is somebody else's."""


class ForeignDirectoryError(Exception):
    """The database holds somebody's directory and cannot be moved aside."""


def provision(settings: Settings, data: Path, say: Callable[[str], None]) -> None:
    """Make the database hold exactly what the file says. Nothing is deleted that is not the demo's own.

    Raises DocumentError for a bad file, ForeignDirectoryError, and SQLAlchemy's errors.
    """
    document = yamlfile.load(data)
    migrate(settings.database)
    engine = engine_for(settings.database)
    try:
        if not _is_ours(engine):
            engine.dispose()
            say(f"the database holds another directory: moved to {_move_aside(settings)}")
            migrate(settings.database)
        apply.apply(engine, document, who=WHO, file=data.name, prune=True)
    finally:
        engine.dispose()


def _is_ours(engine: Engine) -> bool:
    with reading(engine) as connection:
        return {*connection.execute(select(RevisionRow.who)).scalars()} <= {WHO}


def _move_aside(settings: Settings) -> Path:
    """Move a SQLite database, with the events that wait for it, to a directory named by the time."""
    prefix = "sqlite:///"
    if not settings.database.startswith(prefix):
        raise ForeignDirectoryError(
            "FMC_DATABASE names a database with a directory that is not the demo's: "
            "unset it, or name an empty database"
        )
    database = Path(settings.database.removeprefix(prefix))
    aside = settings.state / "aside" / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside.mkdir(parents=True)
    files = [database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm")]
    for path in (*files, settings.spool, settings.media_spool):
        if path.exists():
            shutil.move(path, aside / path.name)
    return aside
