"""The sync agent tells how it gets on: in metrics, in a file for its own node, in SQL for all nodes.

A thread of its own does this, because the agent may wait for SQL or be in a rebuild.
"""

import threading
import time
from contextlib import suppress

from sqlalchemy import Engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from kemi import logs, metrics
from kemi.agent.nodestate import Follow, NodeState, as_json, observe, write_follow
from kemi.directory import rows
from kemi.directory.snapshot import Globals, Head
from kemi.directory.tables import NodeRow, RevisionRow
from kemi.settings import Settings

TELL_SECONDS = 1.0
REPORT_SECONDS = 5.0
"""How often the file and the metrics, and how often SQL, are told."""


class Known:
    """What the agent's loop knows; written by it alone, read by the thread that reports."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.small: Globals | None = None
        self.snapshot = "nothing was read yet"
        self.current_at: float | None = None
        self.database = ""
        self.hindrance = ""
        self.reload = ""
        self.doing = ""

    def follow(self) -> Follow:
        return Follow(time.time(), self.current_at, self.database, self.hindrance, self.reload, self.doing)


class Reporter:
    """Reports from `start` to `stop`; what it cannot tell waits for the next time."""

    def __init__(self, settings: Settings, engine: Engine, known: Known) -> None:
        self._settings = settings
        self._engine = engine
        self._known = known
        self._log = logs.get("sync")
        self._stop = threading.Event()
        # A daemon: a database that does not answer must not keep the agent from ending.
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)
        self._lag = (0, 0.0)
        self._said = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(TELL_SECONDS)

    def _run(self) -> None:
        report_at = 0.0
        while not self._stop.is_set():
            with suppress(OSError):
                write_follow(self._settings, self._known.follow())
            if time.monotonic() >= report_at:
                report_at = time.monotonic() + REPORT_SECONDS
                try:
                    self._report()
                    self._said = ""
                except (SQLAlchemyError, OSError) as error:
                    self._say(error)
            self._measure()
            self._stop.wait(TELL_SECONDS)

    def _say(self, error: Exception) -> None:
        why = str(error).partition("\n")[0]
        if why != self._said:
            self._log.warning("not_reported", why=why)
        self._said = why

    def _measure(self) -> None:
        known = self._known
        if known.head is not None:
            metrics.snapshot_revision.set(known.head.revision)
        metrics.snapshot_age.set(time.time() - known.current_at if known.current_at else 0)
        metrics.database_up.set(0 if known.database else 1)
        metrics.snapshot_lag.set(self._lag[0])
        metrics.snapshot_lag_seconds.set(self._lag[1])

    def _state(self) -> NodeState:
        known = self._known
        head = known.head
        return observe(
            self._settings,
            known.small,
            revision=None if head is None else head.revision,
            revision_at=None if head is None else head.at,
            snapshot=known.snapshot,
            follow=known.follow(),
        )

    def _report(self) -> None:
        if self._known.database:
            return
        state = self._state()
        revision = state.revision or 0
        values = {"at": time.time_ns() // 1000, "revision": revision, "state": as_json(state)}
        table = rows.table_of(NodeRow)
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # It tells, and is not worth waiting for on the disk.
                connection.execute(text("SET LOCAL synchronous_commit = off"))
            own = table.c.node == self._settings.node
            if not connection.execute(table.update().where(own).values(values)).rowcount:
                connection.execute(table.insert().values(values | {"node": self._settings.node}))
            since = select(RevisionRow.number, RevisionRow.at).where(RevisionRow.number > revision)
            later = connection.execute(since.order_by(RevisionRow.number)).all()
        self._lag = (len(later), time.time() - later[0].at / 1e6) if later else (0, 0.0)
