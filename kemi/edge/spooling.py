"""A worker's way into the spool."""

from collections import deque
from pathlib import Path

import lmdb

from kemi import metrics
from kemi.calls import events, spool

RETAINED = 10_000
"""Events a worker keeps in memory while the spool refuses them: about a minute at full load."""


class Spool:
    """Appends events; while the disk is full it keeps them in memory and tries again at the next one.

    `lost` counts those that found no room in memory either.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._writer = spool.Writer(directory, name)
        self._waiting: deque[bytes] = deque()
        self.lost = 0

    def append(self, event: events.Event) -> bool:
        """Keep an event; False when the spool refused it: then it waits in memory, or is lost."""
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
        try:
            while waiting:
                self._writer.append(waiting[0])
                waiting.popleft()
            self._writer.append(payload)
        except (lmdb.Error, OSError):
            if len(waiting) < RETAINED:
                waiting.append(payload)
            else:
                self.lost += 1
            return False
        finally:
            metrics.spool_retained.set(len(waiting))
        return True
