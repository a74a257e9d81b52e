"""The spool: where an event lies from the moment it happened until SQL has committed it.

One LMDB environment for each writing process, so that no worker waits for another; the ship agent is the
only reader and the only one that deletes. A record written is in the kernel's page cache when `append`
returns: it survives the death of the process. The agent's `sync` carries it to the disk.
"""

import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import lmdb

MAP_SIZE = 1 << 30
"""Bytes one writer may have waiting (about five million events); a sparse file until then."""

ROOM = 16 << 20
"""Bytes by which a full spool grows so that events can be deleted from it."""

AHEAD = 8 << 20
"""Bytes of real disk that writer and reader each have in hand before they touch the map."""

_PAGE = 4096
_PAGES_A_CHANGE = 8
"""Pages that one transaction copies at most beside the event itself: the tree's path and the free list's."""


def _open(path: Path) -> lmdb.Environment:
    # writemap: a commit costs no system call, 3 µs instead of 10. All who open an environment must agree.
    return lmdb.open(
        str(path), map_size=MAP_SIZE, sync=False, metasync=False, writemap=True, max_readers=16, meminit=False
    )


class _Disk:
    """Keeps real disk under the part of the map that is written next.

    The file is sparse, and a page of the map that a full disk cannot back is a SIGBUS: the end of the
    worker. So blocks are allocated before they are written, where a full disk is an error (ENOSPC).
    """

    def __init__(self, env: lmdb.Environment, path: Path) -> None:
        self._env = env
        self._file = path / "data.mdb"
        self._left = 0

    def take(self, size: int) -> None:
        """Make sure of disk for one change of `size` bytes; raises OSError when there is none."""
        self._left -= size + _PAGES_A_CHANGE * _PAGE
        if self._left < 0:
            used = (self._env.info()["last_pgno"] + 1) * _PAGE
            end = min(used + 2 * AHEAD, self._env.info()["map_size"])
            descriptor = os.open(self._file, os.O_RDWR)
            try:
                os.posix_fallocate(descriptor, 0, end)
            finally:
                os.close(descriptor)
            self._left = AHEAD - size - _PAGES_A_CHANGE * _PAGE


class Writer:
    """Appends events; opened after the fork. Processes that seldom write may share a name."""

    def __init__(self, directory: Path, name: str) -> None:
        path = directory / name
        path.mkdir(parents=True, exist_ok=True)
        try:
            self._env = _open(path)
        except (lmdb.InvalidError, lmdb.CorruptedError):
            # What a power cut left. Calls go on in a new one; the reader tells of the old one.
            path.rename(path.with_name(f"{name}.damaged-{time.time_ns()}"))
            path.mkdir()
            self._env = _open(path)
        self._disk = _Disk(self._env, path)

    def append(self, payload: bytes) -> None:
        """Keep one event; raises OSError on a full disk, lmdb.Error on a full spool."""
        self._disk.take(len(payload))
        try:
            self._append(payload)
        except lmdb.MapResizedError:
            # The reader needed room to delete in a full spool: take over the size it gave.
            self._env.set_mapsize(0)
            self._append(payload)

    def _append(self, payload: bytes) -> None:
        with self._env.begin(write=True) as txn, txn.cursor() as cursor:
            last = int.from_bytes(cursor.key(), "big") if cursor.last() else 0
            cursor.put((last + 1).to_bytes(8, "big"), payload, append=True)

    def close(self) -> None:
        """Give the environment back; only tests and a clean end need it."""
        self._env.close()


class Reader:
    """Reads all writers' environments below `directory`, oldest first in each; one process at a time.

    Reading takes a write transaction, for as long as a batch is copied. LMDB's table of readers goes by
    process id, and ids repeat in process namespaces: a reader killed there and started again under the
    same id never gives its slot back, and the pages it held would fill the spool.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._envs: dict[str, lmdb.Environment] = {}
        self._disks: dict[str, _Disk] = {}
        self.unreadable: dict[str, str] = {}
        """Environments that could not be opened at the last try, and why; the others go on."""

    def _each(self) -> Iterator[tuple[str, lmdb.Environment]]:
        for path in sorted(self._directory.glob("*/data.mdb")):
            name = path.parent.name
            if name in self._envs:
                continue
            try:
                self._envs[name] = _open(path.parent)
            except lmdb.Error as error:
                self.unreadable[name] = str(error)
            else:
                self._disks[name] = _Disk(self._envs[name], path.parent)
                self.unreadable.pop(name, None)
        yield from self._envs.items()

    def read(self, limit: int) -> list[tuple[str, bytes, bytes]]:
        """Give at most `limit` waiting events of each writer as (writer, key, payload)."""
        found: list[tuple[str, bytes, bytes]] = []
        for name, env in self._each():
            if not env.stat()["entries"]:
                continue
            with env.begin(write=True) as txn, txn.cursor() as cursor:
                found.extend((name, key, payload) for key, payload in islice(cursor, limit))
        return found

    def delete(self, keys: Iterable[tuple[str, bytes]]) -> None:
        """Forget events that SQL has committed; raises OSError on a full disk: try again later."""
        by_writer: dict[str, list[bytes]] = {}
        for name, key in keys:
            by_writer.setdefault(name, []).append(key)
        for name, written in by_writer.items():
            env = self._envs[name]
            self._disks[name].take(len(written) * _PAGES_A_CHANGE * _PAGE)
            try:
                _delete(env, written)
            except lmdb.MapFullError:
                # Pages are copied before they are changed, so even deleting needs some that are free.
                env.set_mapsize(env.info()["map_size"] + ROOM)
                _delete(env, written)

    def depth(self) -> int:
        """Count the events that wait."""
        return sum(env.stat()["entries"] for _, env in self._each())

    def sync(self) -> None:
        """Carry what was written to the disk, so that a power cut cannot take it either."""
        for _, env in self._each():
            env.sync(True)

    def close(self) -> None:
        """Give all environments back."""
        for env in self._envs.values():
            env.close()
        self._envs.clear()
        self._disks.clear()


def _delete(env: lmdb.Environment, keys: Iterable[bytes]) -> None:
    with env.begin(write=True) as txn:
        for key in keys:
            txn.delete(key)


def waiting(directory: Path) -> int:
    """Count the events that wait, without taking part: for those who only want to know."""
    total = 0
    for path in directory.glob("*/data.mdb"):
        with lmdb.open(str(path.parent), readonly=True, create=False, lock=False) as env:
            total += env.stat()["entries"]
    return total
