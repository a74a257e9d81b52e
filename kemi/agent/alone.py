"""One agent of a role on a node: held by a lock that the kernel lets go of however the process ends."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TRY_SECONDS = 0.5
"""How long the lock is tried for: who only looks whether it is held has it for an instant."""


@contextmanager
def alone(file: Path) -> Iterator[bool]:
    """Hold the lock; gives False where another one has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        yield _taken(lock.fileno(), time.monotonic() + TRY_SECONDS)


def _taken(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def held(file: Path) -> bool:
    """Whether somebody has the lock."""
    try:
        with file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
