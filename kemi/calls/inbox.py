"""What waits to be shipped on this node: the workers' spool and the files media servers left."""

import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kemi.calls import spool
from kemi.calls.events import Event, Media, decode

ABANDONED = 3600.0
"""Seconds after which nobody completes a file any more."""

# msgspec's own errors and those of broken UTF-8 are ValueErrors; JSON nested without end is the other.
UNREADABLE = (ValueError, RecursionError)

_media = msgspec.json.Decoder(Media).decode


E = TypeVar("E", bound=Event)


class Waiting(msgspec.Struct, frozen=True):
    """One event as it lies there. `event` is None when `raw` cannot be read; `why` says why.

    `origin` is the writer and key in the spool, or the file.
    """

    origin: tuple[str, bytes] | Path
    raw: bytes
    event: Event | None = None
    why: str = ""

    @property
    def kind(self) -> str:
        """The kind of event, for people and metrics."""
        if self.event is None:
            return "unreadable"
        return type(self.event).__name__.lower()


class Inbox:
    """Everything that waits; read, and forgotten once it is in safety. One process at a time."""

    def __init__(self, spooled: Path, media: Path) -> None:
        self._spool = spool.Reader(spooled)
        self._media = media

    def read(self, limit: int) -> list[Waiting]:
        """Give up to `limit` events of each worker and of the files, carried to the disk."""
        entries = self._spool.read(limit)
        if entries:
            self._spool.sync()
        waiting = [_from_spool(name, key, raw) for name, key, raw in entries]
        waiting.extend(islice(self._files(), limit))
        return waiting

    def forget(self, done: Iterable[Waiting]) -> None:
        """Delete events that are in safety elsewhere."""
        keys = []
        for one in done:
            if isinstance(one.origin, Path):
                one.origin.unlink(missing_ok=True)
            else:
                keys.append(one.origin)
        self._spool.delete(keys)

    def depth(self) -> int:
        """Count the events that wait in the spool."""
        return self._spool.depth()

    @property
    def unreadable(self) -> dict[str, str]:
        """Spool environments that cannot be opened, and why."""
        return self._spool.unreadable

    def close(self) -> None:
        """Give the spool back."""
        self._spool.close()

    def _files(self) -> Iterable[Waiting]:
        for path in sorted(self._media.glob("*.json")):
            raw = path.read_bytes()
            if raw.endswith(b"\n"):
                yield _from_file(path, raw)
            elif time.time() - path.stat().st_mtime > ABANDONED:
                yield Waiting(path, raw, why="never completed")


def _from_spool(name: str, key: bytes, raw: bytes) -> Waiting:
    try:
        return Waiting((name, key), raw, _storable(decode(raw)))
    except UNREADABLE as error:
        return Waiting((name, key), raw, why=str(error))


def _storable(event: E) -> E:
    """The event with the one character that no SQL text holds written as a URI would: strangers send it."""
    if b"\\u0000" not in msgspec.json.encode(event):
        return event
    return msgspec.convert(_without_nul(msgspec.to_builtins(event)), type(event))


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "%00")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nul(item) for item in value]
    return value


def _from_file(path: Path, raw: bytes) -> Waiting:
    try:
        fact = _storable(_media(raw))
    except UNREADABLE as error:
        return Waiting(path, raw, why=str(error))
    # Asterisk writes "" for nothing.
    fact = msgspec.structs.replace(
        fact, recording=fact.recording or None, dial_status=fact.dial_status or None
    )
    return Waiting(path, raw, fact)
