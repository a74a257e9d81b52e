"""Role sync: what is applied to the database becomes what this node's Kamailio and workers use.

Each new revision is written into the snapshot (LMDB) and Kamailio's lists, then a running Kamailio is told to
load them. Without a database, or without Kamailio, the node goes on with what it has and the agent tries
again. `python -m kemi.agent sync --once` does it once and ends: to be run before Kamailio starts.
"""

import signal
import sys
import threading
import time

import lmdb
import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from kemi import logs, metrics
from kemi.agent import bringing, exporter
from kemi.agent.alone import alone
from kemi.agent.lists import Lists
from kemi.agent.news import news_of
from kemi.agent.nodestate import sync_lock
from kemi.agent.report import Known, Reporter
from kemi.directory import following
from kemi.directory.database import NoDirectoryError, reading_directory
from kemi.directory.following import Moment
from kemi.settings import Settings, load
from kemi.store import engine_for

PAUSE_SECONDS = 1.0
"""After a round that failed."""

TROUBLE = (NoDirectoryError, SQLAlchemyError, lmdb.Error, OSError)
"""What passes by itself or by an operator's hand: the same round is tried again until it works."""


def sync_once(settings: Settings) -> int:
    """Bring snapshot and lists to what the database says; gives the revision.

    Raises NoDirectoryError when there is nothing to read, SQLAlchemyError, lmdb.Error or OSError when
    reading or writing fails: then what was there before stays.
    """
    engine = engine_for(settings.database)
    try:
        with reading_directory(engine) as connection:
            bringing.bring(connection, settings, Lists(settings))
    finally:
        engine.dispose()
    return last(settings)


def last(settings: Settings) -> int:
    """Make sure of the lists of the snapshot that is there, without a database; gives its revision."""
    found = bringing.held(settings)
    if isinstance(found, str):
        raise NoDirectoryError(f"there is no snapshot in {settings.snapshot} either ({found})")
    head, small = found
    Lists(settings).finish(small)
    return head.revision


class Agent:
    """Follows the database until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = logs.get("sync")
        self._engine: Engine = engine_for(settings.database)
        self._lists = Lists(settings)
        self._known = Known()
        self._said = ""

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop`; a round that fails is logged, counted and tried again."""
        news = news_of(self._engine)
        reporter = Reporter(self._settings, self._engine, self._known)
        reporter.start()
        while not stop.is_set():
            if self._round():
                news.wait(stop)
            else:
                stop.wait(PAUSE_SECONDS)
        reporter.stop()
        news.close()
        self._engine.dispose()

    def _round(self) -> bool:
        known = self._known
        try:
            self._follow()
        except TROUBLE as error:
            known.doing = ""
            self._hindered(error)
        else:
            self._said = known.database = known.hindrance = ""
        self._lists.reload()
        known.reload = self._lists.refused
        return not self._said

    def _follow(self) -> None:
        """Follow the database; whatever becomes of that, the lists are as the snapshot says."""
        known = self._known
        intact = known.head is not None and bringing.intact(self._settings)
        if known.head is not None and not intact:
            self._log.error("snapshot_damaged", hint="it is written anew")
        try:
            with reading_directory(self._engine) as connection:
                now = following.newest(connection)
                if not intact or known.head is None or Moment(known.head.revision, known.head.at) != now:
                    known.doing = f"writing revision {now.revision}"
                    written = bringing.bring(connection, self._settings, self._lists)
                    known.doing = ""
                    if written:
                        metrics.snapshot_writes.labels(written.how).inc()
                        self._log.info("snapshot_written", **msgspec.structs.asdict(written))
                        known.head = None
            known.current_at = time.time()
        finally:
            if known.head is None or not intact or self._lists.missing():
                self._take()

    def _take(self) -> None:
        """Take over what the snapshot says of itself."""
        known = self._known
        found = bringing.held(self._settings)
        if isinstance(found, str):
            # What running workers have open goes on serving; it is written anew as soon as that can be.
            known.head, known.snapshot = None, found
            return
        (known.head, known.small), known.snapshot = found, ""
        metrics.snapshot_revision.set(known.head.revision)
        self._lists.finish(known.small)

    def _hindered(self, error: Exception) -> None:
        """Log a hindrance when it is new, not in each round."""
        known = self._known
        if isinstance(error, NoDirectoryError):
            why = known.database = str(error)
        else:
            metrics.sync_failures.inc()
            why = f"{type(error).__name__}: {error}"
            if isinstance(error, SQLAlchemyError):
                known.database = str(error).partition("\n")[0]
            else:
                known.hindrance = why
        if why != self._said:
            self._log.error("cannot_sync", why=why)
        self._said = why


def main() -> int:
    """Run until SIGTERM or SIGINT; 1 when another one runs here, 2 when the settings cannot be used."""
    settings = load()
    logs.configure()
    log = logs.get("sync")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with alone(sync_lock(settings)) as first:
        if not first:
            log.error(
                "already_running", lock=str(sync_lock(settings)), hint="stop the other sync agent first"
            )
            return 1
        metrics.use(settings.metrics_files / "sync")
        try:
            agent = Agent(settings)
        except (ArgumentError, ImportError) as error:
            log.error("database_url_refused", error=str(error), hint="correct FMC_DATABASE")  # noqa: TRY400  no trace
            return 2
        try:
            server = exporter.Exporter(settings)
        except (OSError, ValueError) as error:
            log.error("metrics_address_refused", error=str(error), hint="free it or set FMC_METRICS")  # noqa: TRY400
            return 2
        with server:
            agent.run(stop)
    return 0


def once() -> int:
    """Do it once; 1 when that cannot be and no snapshot is there to start from, with the reason."""
    settings = load()
    try:
        revision = sync_once(settings)
    except TROUBLE as error:
        sys.stderr.write(f"sync: {error}\n")
        try:
            revision = last(settings)
        except TROUBLE:
            return 1
        sys.stderr.write(f"sync: what is there goes on serving, revision {revision}\n")
        return 0
    sys.stdout.write(f"revision {revision}\n")
    return 0
