"""The ship agent: carries what happened in calls from the spool and the media servers' files into SQL.

Each round: read what waits → commit it, with the records it makes → forget it. Killed at any point, the
next round finds what was not forgotten and commits it again, which changes nothing. While the database
cannot take events they wait where they are; an event that cannot be read is set aside (kemi.calls.aside).
"""

import signal
import time
import wave
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lmdb
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kemi import logs, metrics, settings
from kemi.agent.alone import alone
from kemi.agent.nodestate import ship_lock
from kemi.agent.telling import Telling
from kemi.calls import aside, store
from kemi.calls.events import Event, Media
from kemi.calls.inbox import Inbox, Waiting
from kemi.calls.record import Recording
from kemi.media import recordings
from kemi.store import engine_for, reading

BATCH = 256
"""Events of each source in one round: its transaction holds a worker's spool for well under a millisecond."""

IDLE = 0.05
"""Seconds between rounds that found less than a batch."""

LONGEST_PAUSE = 5.0
"""Seconds at most between two tries while the database, the spool or the disk fails."""

CHECK = 2.0
"""Seconds between two looks for calls whose media server still owes something."""

STOP = frozenset({signal.SIGTERM, signal.SIGINT})

TROUBLE = (DBAPIError, PoolTimeoutError, lmdb.Error, OSError)
"""What passes by itself or by an operator's hand: the same round is tried again until it works."""


def main() -> int:
    """Ship until SIGTERM or SIGINT; 1 when another ship agent has the spool, 2 on a bad database URL."""
    # Blocked, they wait until `_asked_to_stop` looks: a round is never cut in half, and no pause is missed.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    configured = settings.load()
    logs.configure()
    log = logs.get("ship").bind(node=configured.node)
    try:
        engine = engine_for(configured.database)
    except (ArgumentError, ImportError) as error:
        log.error("database_url_refused", error=str(error), hint="correct FMC_DATABASE")  # noqa: TRY400
        return 2
    with alone(ship_lock(configured)) as first:
        if not first:
            log.error("already_running", spool=str(configured.spool), hint="stop the other ship agent first")
            return 1
        metrics.use(configured.metrics_files / "ship")
        log.info("started", database=engine.url.render_as_string(hide_password=True))
        Ship(configured, engine, log).run()
        log.info("stopped")
    return 0


def _asked_to_stop(seconds: float) -> bool:
    """Wait, at most so long, for a signal to stop."""
    return signal.sigtimedwait(STOP, seconds) is not None


class Ship:
    """The loop and its state."""

    def __init__(self, configured: settings.Settings, engine: Engine, log: Any) -> None:
        self._settings = configured
        self._engine = engine
        self._log = log
        self._inbox = Inbox(configured.spool, configured.media_spool)
        self._telling = Telling(log)
        self._aside = configured.state / "set-aside"
        self._next_check = 0.0
        self._trouble = ""
        self._unreadable: dict[str, str] = {}

    def run(self) -> None:
        """Rounds until asked to stop."""
        pause = 0.0
        while not _asked_to_stop(pause):
            try:
                full = self.round()
            except TROUBLE as error:
                self._say_trouble(error)
                pause = min(max(2 * pause, IDLE), LONGEST_PAUSE)
            else:
                self._say_well()
                pause = 0.0 if full else IDLE
        self._inbox.close()
        self._engine.dispose()

    def round(self) -> bool:
        """Ship what waits; tells whether there is likely more."""
        waiting = self._inbox.read(BATCH)
        self._telling.tell(waiting)
        self._say_unreadable()
        readable = [one for one in waiting if one.event]
        if readable:
            self._commit(readable)
        for one in waiting:
            if not one.event:
                self._set_aside(one, one.why)
        if waiting:
            self._inbox.forget(waiting)
            self._telling.forget(waiting)
        metrics.spool_depth.set(self._inbox.depth())
        self._check()
        return len(waiting) >= BATCH

    def _commit(self, waiting: Sequence[Waiting]) -> None:
        try:
            self._keep([one.event for one in waiting if one.event])
        except Exception as error:
            # Anything else is the fault of an event, or of the code for it, and must not block the others.
            if _passes(error):
                raise
            if len(waiting) == 1:
                self._set_aside(waiting[0], repr(error))
                return
            for one in waiting:
                self._commit([one])
            return
        for one in waiting:
            metrics.events_shipped.labels(one.kind).inc()

    def _keep(self, events: Sequence[Event]) -> None:
        found = [
            found
            for event in events
            if isinstance(event, Media) and event.recording
            for found in self._look(event.call, [event.recording])
        ]
        with self._engine.begin() as connection:
            store.update(connection, events, found)

    def _look(self, call: str, paths: Iterable[str]) -> Iterator[store.Found]:
        """Find those recordings that are there and whole."""
        for path in paths:
            file = (self._settings.recordings / path).resolve()
            if not file.is_relative_to(self._settings.recordings.resolve()):
                continue
            try:
                seconds, size = recordings.facts(file)
            except (FileNotFoundError, IsADirectoryError, EOFError, wave.Error):
                continue
            yield store.Found(call, self._settings.node, Recording(path, seconds, size))

    def _check(self) -> None:
        """Look once more for recordings that calls still lack; what is not there now is noted as missing."""
        if time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + CHECK
        with reading(self._engine) as connection:
            due = store.due(connection, self._settings.node, datetime.now(UTC), BATCH)
        if not due:
            return
        directory = self._settings.recordings
        found = [
            found
            for call in due
            for found in self._look(
                call.id, call.named or recordings.of_call(directory, call.id, call.since, call.until)
            )
        ]
        with self._engine.begin() as connection:
            store.update(connection, (), found, {call.id for call in due})
        for call in due:
            self._log.warning("media_facts_overdue", call=call.id)

    def _set_aside(self, one: Waiting, why: str) -> None:
        origin = one.origin.stem if isinstance(one.origin, Path) else one.origin[0]
        path = aside.put(self._aside, origin, one.raw)
        metrics.events_set_aside.labels(one.kind).inc()
        self._log.error("set_aside", kind=one.kind, file=str(path), why=why)

    def _say_unreadable(self) -> None:
        if self._inbox.unreadable != self._unreadable:
            self._unreadable = dict(self._inbox.unreadable)
            self._log.error("spool_unreadable", spools=self._unreadable)

    def _say_trouble(self, error: Exception) -> None:
        """Say it once, not at each try."""
        said = str(error.orig if isinstance(error, DBAPIError) else error)
        if said != self._trouble:
            self._trouble = said
            self._log.error("waiting", error=said, kind=type(error).__name__)

    def _say_well(self) -> None:
        if self._trouble:
            self._trouble = ""
            self._log.info("going_on", waiting=self._inbox.depth())


def _passes(error: Exception) -> bool:
    """Tell trouble of the database or the machine from an event that SQL will never take."""
    return isinstance(error, TROUBLE) and not isinstance(error, (DataError, IntegrityError))
