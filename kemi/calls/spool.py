"""The spool: where an event lies from the moment it happened until SQL has committed it.

One LMDB environment for each writing process, so that no worker waits for another; the ship agent is the
only reader and the only one that deletes. A record written is in the kernel's page cache when `append`
returns: it survives the death of the process. The agent's `sync` carries it to the disk.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import lmdb

MAP_SIZE = 1 << 30
"""Bytes one writer may have waiting (about five million events); a sparse file until then."""


class Writer:
    """Appends events; opened after the fork. Processes that seldom write may share a name."""

    def __init__(self, directory: Path, name: str) -> None:
        path = directory / name
        path.mkdir(parents=True, exist_ok=True)
        # Not writemap: with the map written in place a full disk is a SIGBUS that kills the worker;
        # with write() it is an error that append() raises.
        self._env = lmdb.open(
            str(path),
            map_size=MAP_SIZE,
            sync=False,
            metasync=False,
            max_readers=16,
            meminit=False,
        )

    def append(self, payload: bytes) -> None:
        """Keep one event; raises lmdb.Error when it cannot be kept (disk or spool full)."""
        with self._env.begin(write=True) as txn, txn.cursor() as cursor:
            last = int.from_bytes(cursor.key(), "big") if cursor.last() else 0
            cursor.put((last + 1).to_bytes(8, "big"), payload, append=True)

    def close(self) -> None:
        """Give the environment back; only tests and a clean end need it."""
        self._env.close()


class Reader:
    """Reads all writers' environments below `directory`, oldest first in each."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._envs: dict[str, lmdb.Environment] = {}

    def _open(self) -> Iterator[tuple[str, lmdb.Environment]]:
        for entry in sorted(os.scandir(self._directory), key=lambda found: found.name):
            if entry.name not in self._envs and (Path(entry.path) / "data.mdb").exists():
                self._envs[entry.name] = lmdb.open(
                    entry.path, map_size=MAP_SIZE, sync=False, metasync=False, max_readers=16
                )
        yield from self._envs.items()

    def read(self, limit: int) -> list[tuple[str, bytes, bytes]]:
        """Give at most `limit` waiting events of each writer as (writer, key, payload)."""
        found: list[tuple[str, bytes, bytes]] = []
        for name, env in self._open():
            with env.begin() as txn, txn.cursor() as cursor:
                for count, (key, payload) in enumerate(cursor):
                    if count == limit:
                        break
                    found.append((name, bytes(key), bytes(payload)))
        return found

    def delete(self, keys: Iterable[tuple[str, bytes]]) -> None:
        """Forget events that SQL has committed."""
        by_writer: dict[str, list[bytes]] = {}
        for name, key in keys:
            by_writer.setdefault(name, []).append(key)
        for name, written in by_writer.items():
            with self._envs[name].begin(write=True) as txn:
                for key in written:
                    txn.delete(key)

    def depth(self) -> int:
        """Count the events that wait."""
        return sum(env.stat()["entries"] for _, env in self._open())

    def sync(self) -> None:
        """Carry what was written to the disk, so that a power cut cannot take it either."""
        for _, env in self._open():
            env.sync(True)

    def close(self) -> None:
        """Give all environments back."""
        for env in self._envs.values():
            env.close()
        self._envs.clear()
