"""Role sync: what is applied to the database becomes what this node's Kamailio and workers use.

Each new revision is written as the snapshot (LMDB) and as Kamailio's lists, then a running Kamailio is
told to load them. Without a database, or without Kamailio, the node goes on with what it has and the agent
tries again. `python -m kemi.agent sync --once` writes everything once and ends: to be run before Kamailio
starts for the first time.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import lmdb
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from kemi import logs, metrics
from kemi.agent import exporter, rpc
from kemi.agent.kamailio_files import address_list, dispatcher_list
from kemi.directory import rows, snapshot, values
from kemi.directory.database import NoDirectoryError, reading_directory
from kemi.settings import Settings, load
from kemi.store import engine_for

POLL_SECONDS = 0.25
"""How soon an apply is noticed; one indexed read each time."""

RETRY_SECONDS = 1.0
"""After this a reload that Kamailio did not do is asked for again (it takes one in reload_delta seconds)."""

RELOADS = {"address.list": "permissions.addressReload", "dispatcher.list": "dispatcher.reload"}
"""What Kamailio has to be told when a file is new."""


def sync_once(settings: Settings) -> int:
    """Write snapshot and lists from the database, whatever was there; gives the revision.

    Raises NoDirectoryError when there is nothing to read, SQLAlchemyError, lmdb.Error or OSError when
    reading or writing fails: then what was there before stays.
    """
    engine = engine_for(settings.database)
    try:
        with reading_directory(engine) as connection:
            revision, _ = _write(connection, settings)
    finally:
        engine.dispose()
    return revision


def _write(connection: Connection, settings: Settings) -> tuple[int, set[str]]:
    """Write everything; gives the revision and the names of the files that changed."""
    document = rows.document(connection)
    trunks = values.trunks(document)
    sets = {
        name: snapshot.FIRST_TRUNK_SET - 1 + number for name, number in rows.trunk_ids(connection).items()
    }
    small = snapshot.Globals(
        revision=rows.revision(connection),
        trunks=trunks,
        routes=values.routes(document),
        tenants=values.tenants(document),
        sets=sets,
    )
    files = {
        "address.list": address_list(trunks, document.media),
        "dispatcher.list": dispatcher_list(trunks, sets, document.media),
    }
    settings.kamailio.mkdir(parents=True, exist_ok=True)
    changed = {name for name, text in files.items() if _replace(settings.kamailio / name, text)}
    snapshot.write(settings.snapshot, small, values.subscribers(document), values.dids(document))
    return small.revision, changed


def _replace(path: Path, text: str) -> bool:
    """Put a file in place whole, also in a power cut; False where it already says the same."""
    content = text.encode()
    if path.exists() and path.read_bytes() == content:
        return False
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            # mkstemp makes it private; Kamailio may run as another user.
            os.fchmod(descriptor, 0o644)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return True


class Agent:
    """Follows the database until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = logs.get("sync")
        self._engine: Engine = engine_for(settings.database)
        self._revision: int | None = None
        # What an agent before this one wrote may never have been loaded: ask once in any case.
        self._to_reload = set(RELOADS)
        self._reload_at = 0.0
        self._said = ""

    def run(self, stop: threading.Event) -> None:
        """Poll until `stop`; a round that fails is logged, counted and tried again."""
        while not stop.is_set():
            wait = POLL_SECONDS
            try:
                self._follow()
                self._say("")
            except NoDirectoryError as error:
                self._say(str(error))
            except (SQLAlchemyError, lmdb.Error, OSError) as error:
                metrics.sync_failures.inc()
                self._say(f"{type(error).__name__}: {error}")
                wait = RETRY_SECONDS
            if self._to_reload and time.monotonic() >= self._reload_at:
                self._reload()
            stop.wait(wait)
        self._engine.dispose()

    def _follow(self) -> None:
        with reading_directory(self._engine) as connection:
            if rows.revision(connection) == self._revision:
                return
            try:
                self._revision, changed = _write(connection, self._settings)
            except BaseException:
                # A list may be in its place already: the next round finds nothing new in it.
                self._to_reload |= set(RELOADS)
                raise
        self._to_reload |= changed
        metrics.snapshot_revision.set(self._revision)
        self._log.info("snapshot_written", revision=self._revision, changed=sorted(changed))

    def _reload(self) -> None:
        """Tell Kamailio what to load; what it did not do is asked for again later."""
        for file in sorted(self._to_reload):
            try:
                rpc.call(self._settings.kamailio_rpc, RELOADS[file])
            except rpc.UnreachableError:
                # It is not running, and loads the files when it starts.
                self._reload_at = time.monotonic() + RETRY_SECONDS
                return
            except rpc.RefusedError as error:
                self._log.warning("reload_refused", file=file, why=str(error))
                self._reload_at = time.monotonic() + RETRY_SECONDS
                return
            self._to_reload.discard(file)
            self._log.info("reloaded", file=file)

    def _say(self, what: str) -> None:
        """Log a hindrance when it is new, not in each round."""
        if what and what != self._said:
            self._log.error("cannot_sync", why=what)
        self._said = what


def main() -> int:
    """Run until SIGTERM or SIGINT; 2 when the settings cannot be used."""
    settings = load()
    logs.configure()
    log = logs.get("sync")
    metrics.use(settings.metrics_files / "sync")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
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
    """Write everything once; 1 when it could not be done, with the reason on standard error."""
    try:
        revision = sync_once(load())
    except (NoDirectoryError, SQLAlchemyError, lmdb.Error, OSError) as error:
        sys.stderr.write(f"sync: {error}\n")
        return 1
    sys.stdout.write(f"revision {revision}\n")
    return 0
