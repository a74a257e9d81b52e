"""The SQL database: one place that makes engines and migrates, for the directory and for call records."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, make_url, text
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table; constraints have names so that migrations can change them."""

    metadata = MetaData(naming_convention=NAMES)


PATIENCE = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 15_000}
"""After this a PostgreSQL that went away without a word counts as gone; the URL may say otherwise."""


def _patience(url: str) -> dict[str, int]:
    made = make_url(url)
    if made.get_backend_name() != "postgresql":
        return {}
    return {name: value for name, value in PATIENCE.items() if name not in made.query}


def engine_for(url: str) -> Engine:
    """Make an engine. SQLite gets WAL, foreign keys, a busy timeout and transactions that BEGIN IMMEDIATE."""
    engine = create_engine(url, connect_args=_patience(url))
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _connect(connection: SqliteConnection, _: object) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL: what is committed here is deleted from the spool, so it must survive a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A reader that turns writer in mid-transaction gets SQLITE_BUSY at once, whatever the timeout.
            mode = "DEFERRED" if connection.get_execution_options().get("read_only") else "IMMEDIATE"
            connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and sees one state throughout; it never waits for a writer."""
    connection = engine.connect().execution_options(read_only=True)
    if engine.dialect.name == "postgresql":
        # Its default gives each statement the state of its own moment.
        connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with connection, connection.begin():
        yield connection


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database to a revision of migrations/; makes the directory of a SQLite file."""
    engine = engine_for(url)
    if engine.dialect.name == "sqlite" and engine.url.database:
        file = Path(engine.url.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Who called whom is not for everybody on this machine; SQLite's other files take these rights over.
        file.touch(mode=0o640)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).resolve().parent.parent / "migrations"))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Two that find an empty database make it one after the other; on SQLite they do anyway.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('fmc-edge migrations'))"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
