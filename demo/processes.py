"""A process that belongs to us: started, watched, ended by its id, its output in a log file."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask us to end."""

STOP_SECONDS = 10.0
"""How long a process may take to end itself after SIGTERM."""

AGAIN_SECONDS = 2.0
"""How long after a SIGTERM it is sent again."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off signals to end until the block is done.

    An exception from a signal handler in the middle of starting a process leaves a process that nobody knows.
    Signals are not blocked but noted: a mask would be handed down to the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread only
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in ENDINGS}
    for number in ENDINGS:
        signal.signal(number, lambda received, _: came.append(received))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for received in dict.fromkeys(came):
            signal.raise_signal(received)


@dataclass
class Process:
    """One part of the stand; `environment` is added to ours."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only us and the parts end in order."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log, uninterrupted():
            self._running = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment_with(self.environment),
                start_new_session=True,
            )

    @staticmethod
    def environment_with(added: Mapping[str, str]) -> dict[str, str]:
        """Give our environment with some variables set."""
        return {**os.environ, **added}

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    @property
    def status(self) -> int | None:
        """Its exit status (negative: the signal that ended it); None while it runs."""
        return self._running.poll() if self._running else None

    @property
    def alive(self) -> bool:
        return self._running is not None and self.status is None

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; its status, or None when it still runs."""
        if self._running is None:
            return None
        try:
            return self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def tail(self, lines: int = 15) -> str:
        """Give the last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def fault(self) -> str:
        """Say how it ended, with the end of its log."""
        status = self.status
        how = (
            f"was killed by {signal.Signals(-status).name}"
            if status is not None and status < 0
            else f"ended with status {status}"
        )
        return f"{self.name} {how}; the end of {self.log}:\n{self.tail()}"


def stop_all(processes: Sequence[Process], seconds: float = STOP_SECONDS) -> list[str]:
    """End processes together: SIGTERM, and SIGKILL for what is left after `seconds`; names those killed.

    What they started and left behind in their session is killed with them.
    """
    started = [process for process in processes if process.pid is not None]
    deadline = time.monotonic() + seconds
    left = started
    while (left := [process for process in left if process.alive]) and time.monotonic() < deadline:
        for process in left:
            # Asked again, because a process that is just starting may lose a signal (Asterisk does).
            os.kill(process.pid or 0, signal.SIGTERM)
        again = min(deadline, time.monotonic() + AGAIN_SECONDS)
        for process in left:
            process.wait(max(0.0, again - time.monotonic()))
    for process in started:
        try:
            os.killpg(process.pid or 0, signal.SIGKILL)
        except ProcessLookupError:
            continue  # nothing of its session is left: the normal case
        process.wait(STOP_SECONDS)
    return [process.name for process in left]
