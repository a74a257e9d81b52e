"""Waits until the directory may have changed: PostgreSQL tells, SQLite's file shows it, else the clock."""

import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from kemi import logs
from kemi.directory.edit import CHANNEL

POLL_SECONDS = 0.5
"""How often a change is looked for, whoever should have told of it: one indexed read."""

PEEK_SECONDS = 0.05
"""How often SQLite's file is looked at: a few microseconds each time."""

AGAIN_SECONDS = 5.0
"""After this, listening is tried again."""


class News(Protocol):
    """Gives control back when there may be something new, and after POLL_SECONDS at the latest."""

    def wait(self, stop: threading.Event) -> None: ...

    def close(self) -> None: ...


def news_of(engine: Engine) -> News:
    """What fits the database."""
    if engine.dialect.name == "postgresql":
        return Listening(engine)
    return Watching(engine.url.database or "")


class Watching:
    """Looks at a SQLite file by a connection of its own: `data_version` changes when others commit."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._connection: sqlite3.Connection | None = None
        self._seen: tuple[int, int] | None = None

    def wait(self, stop: threading.Event) -> None:
        deadline = time.monotonic() + POLL_SECONDS
        while time.monotonic() < deadline and not stop.wait(PEEK_SECONDS):
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                return

    def _look(self) -> tuple[int, int] | None:
        try:
            inode = self._file.stat().st_ino
            if self._seen and inode != self._seen[0]:
                self.close()
            if self._connection is None:
                # rw: it must not make a file, and read-only cannot open a WAL that nobody has open.
                uri = f"file:{quote(str(self._file.absolute()))}?mode=rw"
                self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)
            return inode, self._connection.execute("PRAGMA data_version").fetchone()[0]
        except (OSError, sqlite3.Error):
            self.close()
            return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Listening:
    """Listens on PostgreSQL's channel; polls alone while that cannot be."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._log = logs.get("sync")
        self._connection: Any = None
        self._try_at = 0.0

    def wait(self, stop: threading.Event) -> None:
        import psycopg  # noqa: PLC0415  only where there is a PostgreSQL

        if self._connection is None and time.monotonic() >= self._try_at:
            self._listen()
        if self._connection is None:
            stop.wait(POLL_SECONDS / 2)
            return
        try:
            for _ in self._connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass
        except psycopg.Error as error:
            self._log.warning("not_listening", why=str(error).partition("\n")[0])
            self.close()

    def _listen(self) -> None:
        import psycopg  # noqa: PLC0415  as above

        self._try_at = time.monotonic() + AGAIN_SECONDS
        try:
            connection = self._engine.raw_connection()
            self._connection = connection.driver_connection
            connection.detach()
            self._connection.autocommit = True
            self._connection.execute(f"LISTEN {CHANNEL}")
        except (SQLAlchemyError, psycopg.Error):
            # Whoever reads the directory next says what is the matter.
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None
