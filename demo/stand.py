"""A whole edge on one machine: directory, agents, Kamailio and Asterisk, started in order and watched.

Used by the demo, `make up`, the system tests and the bench. Every part writes to STATE/log/<part>.log.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from demo import preflight
from demo.preflight import Port
from demo.processes import Process, stop_all
from demo.sip import Address, answers_options
from kemi.agent import rpc, sync
from kemi.settings import CHECKOUT, Settings

READY_SECONDS = 30.0
"""How long a part may take until it is ready; it takes about a second when all is well."""
POLL_SECONDS = 0.05


class StandError(Exception):
    """The stand cannot start, or a part of it is gone; the message says which and shows its log."""


def address_of(setting: str) -> Address:
    """Take `address:port` apart."""
    host, _, port = setting.rpartition(":")
    return host, int(port)


def environment_of(settings: Settings) -> dict[str, str]:
    """Give the environment that makes a part run with these settings."""
    return {
        "FMC_STATE": str(settings.state),
        "FMC_DATABASE": settings.database,
        "FMC_NODE": settings.node,
        "FMC_LISTEN": settings.listen,
        "FMC_MEDIA_LISTEN": settings.media_listen,
        "FMC_METRICS": settings.metrics,
    }


class Stand:
    """The parts of an edge; `environment` is added to what the settings say.

    Entering starts them in order and returns when the edge can take calls; leaving stops them, signalling
    first. The directory is in the database already.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self._say = say
        variables = environment_of(settings) | dict(environment or {})

        def part(name: str, *command: str) -> Process:
            log = settings.state / "log" / f"{name}.log"
            return Process(name, command, log, variables)

        self.sync = part("sync", sys.executable, "-m", "kemi.agent", "sync")
        self.ship = part("ship", sys.executable, "-m", "kemi.agent", "ship")
        self.media = part("asterisk", str(CHECKOUT / "asterisk" / "start"))
        self.edge = part("kamailio", str(CHECKOUT / "kamailio" / "start"))
        self.parts: Sequence[Process] = (self.sync, self.media, self.edge, self.ship)

    @property
    def ports(self) -> list[Port]:
        """What the edge listens on."""
        edge, media = address_of(self.settings.listen), address_of(self.settings.media_listen)
        return [
            Port("udp", edge, "Kamailio", "FMC_LISTEN"),
            Port("tcp", edge, "Kamailio", "FMC_LISTEN"),
            Port("udp", media, "Asterisk", "FMC_MEDIA_LISTEN"),
            Port("tcp", address_of(self.settings.metrics), "the sync agent's /metrics", "FMC_METRICS"),
        ]

    def __enter__(self) -> Self:
        found = preflight.problems(self.settings.state, self.ports)
        if found:
            raise StandError("\n".join(found))
        for part in self.parts:
            keep_one_old_log(part.log)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        # Kamailio must find this directory's lists when it starts, not those of an earlier run.
        sync.sync_once(self.settings)
        for part in self.parts:
            part.start()
        media, edge = address_of(self.settings.media_listen), address_of(self.settings.listen)
        self._wait("Asterisk answers OPTIONS", lambda: answers_options(media))
        self._wait("Kamailio has the media server in service", self._media_in_service)
        self._wait(f"Kamailio listens on {edge[0]}:{edge[1]}", self._edge_listens)

    def _media_in_service(self) -> bool:
        try:
            listed = rpc.call(self.settings.kamailio_rpc, "dispatcher.list")
        except (rpc.UnreachableError, rpc.RefusedError):
            return False
        host, port = address_of(self.settings.media_listen)
        return dict(_destinations(listed)).get(f"sip:{host}:{port}", "").startswith("A")

    def _edge_listens(self) -> bool:
        # It says nothing to us, who are an unknown source: only the port can be seen.
        return not preflight.is_free(self.ports[0])

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        self._say(what)
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                logs = ", ".join(str(part.log) for part in self.parts)
                raise StandError(f"waited {READY_SECONDS:.0f} s in vain until {what}: see {logs}")
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raise StandError when a part that was started is gone."""
        for part in self.parts:
            if part.pid is not None and not part.alive:
                raise StandError(part.fault())

    def stop(self) -> None:
        """Stop what runs: signalling and media first, so that the ship agent sees the last events."""
        for group in ((self.edge,), (self.media,), (self.ship, self.sync)):
            for name in stop_all(group):
                self._say(f"{name} did not end within its time and was killed")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def keep_one_old_log(log: Path) -> None:
    """Begin a new log; the last run's becomes <name>.log.1."""
    if log.exists():
        log.replace(log.with_suffix(".log.1"))


def _destinations(node: Any) -> Iterator[tuple[str, str]]:
    """Find URI and flags (A active, I inactive; P probed) in the nested answer of dispatcher.list."""
    if isinstance(node, dict):
        if "URI" in node:
            yield str(node["URI"]), str(node["FLAGS"])
        for value in node.values():
            yield from _destinations(value)
    elif isinstance(node, list):
        for value in node:
            yield from _destinations(value)
