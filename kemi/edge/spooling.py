"""A worker's way into the spool."""

from collections import deque
from pathlib import Path

import lmdb

from kemi import metrics
from kemi.calls import events, spool

RETAINED = 10_000
"""Events a worker keeps in memory while the spool refuses them: about a minute at full load."""


class Spool:
    """Appends events; while the disk is full it keeps them in memory and tries again at the next one."""

    def __init__(self, directory: Path, name: str) -> None:
        self._writer = spool.Writer(directory, name)
        self._waiting: deque[bytes] = deque()

    def append(self, event: events.Event) -> bool:
        """Keep an event; False when the spool refused it and it waits in memory."""
        payload = events.encode(event)
        if not self._waiting:
            try:
                self._writer.append(payload)
            except (lmdb.Error, OSError):
                pass
            else:
                return True
        return self._again(payload)

    def _again(self, payload: bytes) -> bool:
        waiting = self._waiting
        if len(waiting) < RETAINED:
            waiting.append(payload)
        try:
            while waiting:
                self._writer.append(waiting[0])
                waiting.popleft()
        except (lmdb.Error, OSError):
            return False
        finally:
            metrics.spool_retained.set(len(waiting))
        return True
